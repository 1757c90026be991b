/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user.S - into user mode, its registers of floating point and vectors, and the pieces of code that
 * tests run there.
 */
#define CPU_KERNEL_STACK 0

#define FPCR 512 /* in the area, behind the 32 registers; FPSR follows */

	.text
/* x0: where to go, x1: its stack, x2 and x3: its arguments */
	.globl	z_port_user_enter
z_port_user_enter:
	msr	daifset, #2
	mrs	x4, tpidr_el1
	ldr	x4, [x4, #CPU_KERNEL_STACK]
	mov	sp, x4
	msr	elr_el1, x0
	msr	sp_el0, x1
	msr	spsr_el1, xzr
	msr	tpidr_el0, xzr
	mov	x0, x2
	mov	x1, x3
	.irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
	mov	x\n, #0
	.endr
	eret

.macro all_q op
	\op	q0, q1, [x0, #0]
	\op	q2, q3, [x0, #32]
	\op	q4, q5, [x0, #64]
	\op	q6, q7, [x0, #96]
	\op	q8, q9, [x0, #128]
	\op	q10, q11, [x0, #160]
	\op	q12, q13, [x0, #192]
	\op	q14, q15, [x0, #224]
	\op	q16, q17, [x0, #256]
	\op	q18, q19, [x0, #288]
	\op	q20, q21, [x0, #320]
	\op	q22, q23, [x0, #352]
	\op	q24, q25, [x0, #384]
	\op	q26, q27, [x0, #416]
	\op	q28, q29, [x0, #448]
	\op	q30, q31, [x0, #480]
.endm

	.globl	z_port_fp_save
z_port_fp_save:
	all_q	stp
	mrs	x1, fpcr
	mrs	x2, fpsr
	add	x0, x0, #FPCR
	stp	x1, x2, [x0]
	ret

	.globl	z_port_fp_load
z_port_fp_load:
	all_q	ldp
	add	x0, x0, #FPCR
	ldp	x1, x2, [x0]
	msr	fpcr, x1
	msr	fpsr, x2
	ret

/* What runs in user mode: touch x0 in one of three ways, then the system call 0 with the result. */
	.section .rodata
	.balign	8
	.globl	user_read, user_write, user_exec, user_code_end
user_read:
	ldrb	w0, [x0]
	mov	x8, #0
	svc	#0
user_write:
	strb	w1, [x0]
	mov	x8, #0
	svc	#0
user_exec:
	blr	x0
	mov	x8, #0
	svc	#0
user_code_end:
