/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user.S - into user mode, its floating-point registers, and the pieces of code that tests run there.
 */
#define SIE  (1 << 1)
#define SPIE (1 << 5)
#define SPP  (1 << 8)

	.text
/* a0: where to go, a1: its stack, a2 and a3: its arguments */
	.globl	z_port_user_enter
z_port_user_enter:
	csrci	sstatus, SIE
	csrw	sepc, a0
	li	t0, SPP
	csrc	sstatus, t0
	li	t0, SPIE
	csrs	sstatus, t0
	csrw	sscratch, tp
	mv	sp, a1
	mv	a0, a2
	mv	a1, a3
	.irp r, ra, gp, tp, t0, t1, t2, s0, s1, a2, a3, a4, a5, a6, a7, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6
	li	\r, 0
	.endr
	sret

	.option	push
	.option	arch, +f, +d
.macro all_f op
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	\op	f\n, \n * 8(a0)
	.endr
.endm

	.globl	z_port_fp_save
z_port_fp_save:
	all_f fsd
	frcsr	t0
	sd	t0, 32 * 8(a0)
	ret

	.globl	z_port_fp_load
z_port_fp_load:
	all_f fld
	ld	t0, 32 * 8(a0)
	fscsr	t0
	ret
	.option	pop

/* What runs in user mode: touch a0 in one of three ways, then the system call 0 with the result. */
	.section .rodata
	.balign	8
	.globl	user_read, user_write, user_exec, user_code_end
user_read:
	lbu	a0, 0(a0)
	li	a7, 0
	ecall
user_write:
	sb	a1, 0(a0)
	li	a7, 0
	ecall
user_exec:
	jalr	a0
	li	a7, 0
	ecall
user_code_end:
