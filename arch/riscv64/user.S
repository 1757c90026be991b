/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user.S - into user mode and back.
 *
 * user_enter keeps what a C function must keep on its stack and goes to user mode. The way back is a
 * trap: the handler makes it return to user_leave, with that stack, why in a0 and a value in a1.
 * What user mode gets to see of the registers is a0 and a1.
 */
#define SIE  (1 << 1)
#define SPIE (1 << 5)
#define SPP  (1 << 8)

.macro kept_registers op
	\op	ra, 0(sp)
	\op	s0, 8(sp)
	\op	s1, 16(sp)
	.irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	\op	s\n, (\n + 1) * 8(sp)
	.endr
.endm

	.text
/* a0: where to go, a1 and a2: its a0 and a1, a3: where to leave the stack pointer, a4: the value */
	.globl	user_enter
user_enter:
	addi	sp, sp, -14 * 8
	kept_registers sd
	sd	a4, 13 * 8(sp)
	sd	sp, 0(a3)
	csrci	sstatus, SIE
	csrw	sepc, a0
	li	t0, SPP
	csrc	sstatus, t0
	li	t0, SPIE
	csrs	sstatus, t0
	mv	a0, a1
	mv	a1, a2
	.irp r, ra, sp, gp, tp, t0, t1, t2, s0, s1, a2, a3, a4, a5, a6, a7, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6
	li	\r, 0
	.endr
	sret

	.globl	user_leave
user_leave:
	ld	a4, 13 * 8(sp)
	sd	a1, 0(a4)
	kept_registers ld
	addi	sp, sp, 14 * 8
	ret

/* What runs in user mode: touch a0 in one of three ways, then call the kernel with the result. */
	.section .rodata
	.balign	8
	.globl	user_read, user_write, user_exec, user_code_end
user_read:
	lbu	a0, 0(a0)
	ecall
user_write:
	sb	a1, 0(a0)
	ecall
user_exec:
	jalr	a0
	ecall
user_code_end:
