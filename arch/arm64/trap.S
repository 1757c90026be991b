/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trap.S - into a trap and out of it, and from one thread to another.
 *
 * A trap of the kernel goes on below the stack that it interrupted, which is never paged; a trap of
 * user mode begins where the stack pointer of EL1 was left: at the top of its thread's kernel stack.
 * Before a trap of the kernel stores anything the CPU is asked whether the new frame can be written
 * (AT); if not, the stack has overflowed, and that is told on a stack kept for it. SP_EL0 and TPIDR_EL0
 * are user mode's and saved when a trap comes from there, so in the kernel the latter is free for that.
 *
 * For an abort, which is a page fault mostly, only those registers are saved that a C function may change: it
 * gives the others back as they were. If it was no use they are saved then, and whoever ends the thread or
 * reports a bug has them all.
 */
#define FRAME (38 * 8)
#define SP    (31 * 8)
#define ELR   (32 * 8)
#define ESR   (34 * 8)
#define TPIDR (36 * 8)

#define CPU_EMERGENCY_STACK 8
#define CPU_SCRATCH         16

#define PAR_FAILED 0 /* bit */

#define BUG_OVERFLOW   0
#define BUG_UNEXPECTED 1

#define CPACR_FP    (3 << 20)
#define DAIF_SERROR 4

/* The four classes of aborts differ in these bits of the class. */
#define ESR_CLASS_SHIFT 26
#define CLASS_ABORT     0x20
#define CLASS_DATA      4
#define CLASS_OF_KERNEL 1

/* What a C function may change (and x19, for the pair), and what not. */
.macro changed op
	\op	x0, x1, [sp, #0 * 8]
	\op	x2, x3, [sp, #2 * 8]
	\op	x4, x5, [sp, #4 * 8]
	\op	x6, x7, [sp, #6 * 8]
	\op	x8, x9, [sp, #8 * 8]
	\op	x10, x11, [sp, #10 * 8]
	\op	x12, x13, [sp, #12 * 8]
	\op	x14, x15, [sp, #14 * 8]
	\op	x16, x17, [sp, #16 * 8]
	\op	x18, x19, [sp, #18 * 8]
.endm

.macro kept_over_calls op
	\op	x20, x21, [sp, #20 * 8]
	\op	x22, x23, [sp, #22 * 8]
	\op	x24, x25, [sp, #24 * 8]
	\op	x26, x27, [sp, #26 * 8]
	\op	x28, x29, [sp, #28 * 8]
.endm

.macro all_x op
	changed	\op
	kept_over_calls \op
.endm

/* Why and where, behind the registers; x0: the frame. */
.macro save_why
	mrs	x2, elr_el1
	mrs	x3, spsr_el1
	mrs	x4, esr_el1
	mrs	x5, far_el1
	stp	x2, x3, [sp, #ELR]
	stp	x4, x5, [sp, #ESR]
	mov	x0, sp
.endm

.macro load_why
	ldp	x2, x3, [sp, #ELR]
	msr	elr_el1, x2
	msr	spsr_el1, x3
.endm

/* Aborts go their own way. */
.macro dispatch handler, leave
	.ifc	\handler, trap_handle
	lsr	x1, x4, #ESR_CLASS_SHIFT
	bic	x1, x1, #CLASS_DATA
	bic	x1, x1, #CLASS_OF_KERNEL
	cmp	x1, #CLASS_ABORT
	b.ne	1f
	bl	trap_abort
	cbz	w0, \leave
	kept_over_calls stp
	mov	w1, w0
	mov	x0, sp
	bl	trap_unresolved
	b	\leave
1:
	.endif
	kept_over_calls stp
	bl	\handler
	b	\leave
.endm

.macro of_kernel handler
	msr	tpidr_el0, x0
	sub	x0, sp, #FRAME
	at	s1e1w, x0
	isb
	mrs	x0, par_el1
	tbnz	x0, #PAR_FAILED, trap_overflow
	mrs	x0, tpidr_el0
	sub	sp, sp, #FRAME
	changed	stp
	add	x1, sp, #FRAME
	stp	x30, x1, [sp, #SP - 8]
	save_why
	dispatch \handler, leave_to_kernel
.endm

.macro of_user handler
	sub	sp, sp, #FRAME
	changed	stp
	mrs	x1, sp_el0
	stp	x30, x1, [sp, #SP - 8]
	mrs	x1, tpidr_el0
	str	x1, [sp, #TPIDR]
	save_why
	dispatch \handler, leave_to_user
.endm

.macro vector label
	.balign	0x80
	b	\label
.endm

	.text
	.balign	0x800
vectors:
	/* With the stack of EL0: the kernel never runs like that. */
	vector	kernel_bug
	vector	kernel_bug
	vector	kernel_bug
	vector	kernel_bug
	/* Of the kernel: this instruction, IRQ, FIQ, SError. */
	vector	kernel_sync
	vector	kernel_irq_taken
	vector	kernel_bug
	vector	kernel_bug
	/* Of user mode. */
	vector	user_sync
	vector	user_irq_taken
	vector	user_bug
	vector	user_bug
	/* Of user mode of 32 bits: there is none. */
	vector	user_bug
	vector	user_bug
	vector	user_bug
	vector	user_bug

kernel_sync:
	of_kernel trap_handle
kernel_irq_taken:
	of_kernel trap_interrupt
kernel_bug:
	of_kernel trap_unexpected
user_sync:
	of_user	trap_handle
user_irq_taken:
	of_user	trap_interrupt
user_bug:
	of_user	trap_unexpected

trap_unexpected:
	mov	x1, #BUG_UNEXPECTED
	b	trap_bug

/* x0 is in TPIDR_EL0. */
trap_overflow:
	mrs	x0, tpidr_el1
	str	x1, [x0, #CPU_SCRATCH]
	mov	x1, sp
	ldr	x0, [x0, #CPU_EMERGENCY_STACK]
	mov	sp, x0
	sub	sp, sp, #FRAME
	stp	x30, x1, [sp, #SP - 8]
	mrs	x0, tpidr_el1
	ldr	x1, [x0, #CPU_SCRATCH]
	mrs	x0, tpidr_el0
	all_x	stp
	save_why
	mov	x1, #BUG_OVERFLOW
	bl	trap_bug

leave_to_user:
	ldp	x30, x1, [sp, #SP - 8]
	msr	sp_el0, x1
	ldr	x1, [sp, #TPIDR]
	msr	tpidr_el0, x1
	b	1f
leave_to_kernel:
	ldr	x30, [sp, #SP - 8]
1:
	load_why
	changed	ldp
	add	sp, sp, #FRAME
	eret

	.globl	trap_start
trap_start:
	msr	tpidr_el1, x0
	msr	tpidrro_el0, xzr
	adr	x1, vectors
	msr	vbar_el1, x1
	mov	x1, #CPACR_FP
	msr	cpacr_el1, x1
	isb
	msr	daifclr, #DAIF_SERROR
	ret

/* ---- threads --------------------------------------------------------------------------------- */

.macro kept op
	\op	x19, x20, [sp, #0]
	\op	x21, x22, [sp, #16]
	\op	x23, x24, [sp, #32]
	\op	x25, x26, [sp, #48]
	\op	x27, x28, [sp, #64]
	\op	x29, x30, [sp, #80]
.endm

	.globl	z_port_switch
z_port_switch:
	sub	sp, sp, #96
	kept	stp
	mov	x2, sp
	str	x2, [x0]
	mov	sp, x1
	kept	ldp
	add	sp, sp, #96
	ret

/* What z_port_thread_frame makes a new stack return to: x19 the function, x20 its argument. */
	.globl	thread_begin
thread_begin:
	mov	x0, x20
	blr	x19
	brk	#0
