/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trap.S - into a trap and out of it, and from one thread to another.
 *
 * The CPU has pushed ss, rsp, rflags, cs, rip and perhaps an error code: on the stack that was
 * interrupted if that was the kernel's, which is never paged, else at the top of the thread's kernel
 * stack. The privilege level in cs tells which, and with it which GS the kernel finds. Interrupts
 * are off until trap_handle says otherwise; cr2 is saved before that.
 *
 * For a page fault only those registers are saved that a C function may change: it gives the others back as
 * they were. If it was no use they are saved then, and whoever ends the thread or reports a bug has them all.
 *
 * The traps with a stack of their own (double fault, NMI, machine check) may come anywhere, also
 * between a change of level and the change of GS. They look: user mode's GS base is 0, for it cannot
 * set another. They do not return.
 */
#define CS_AT_ENTRY (3 * 8) /* behind vector, error code and rip */
#define CS_AT_EXIT  (1 * 8)

#define ROOM (7 * 8) /* for what a C function keeps, and for the alignment to 16 */

#define MSR_GS_BASE 0xc0000101
#define RFLAGS_ONE  2

/* Where a trap begins: 16 bytes for each, so that C finds them by their number. */
	.text
	.balign	16
	.globl	trap_vectors
trap_vectors:
	.set	vector, 0
	.rept	256
	.balign	16
	.if	vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21
	.else
	pushq	$0
	.endif
	pushq	$vector
	.if	vector == 2 || vector == 8 || vector == 18
	jmp	trap_of_last_resort
	.elseif	vector == 14
	jmp	trap_no_page
	.else
	jmp	trap_entry
	.endif
	.set	vector, vector + 1
	.endr

/* What a C function may change, and room for the others. */
.macro save
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	.irp n, 8, 9, 10, 11
	pushq	%r\n
	.endr
	movq	%cr2, %rax
	pushq	%rax
	subq	$ROOM, %rsp
.endm

.macro save_kept
	movq	%r15, 8(%rsp)
	movq	%r14, 16(%rsp)
	movq	%r13, 24(%rsp)
	movq	%r12, 32(%rsp)
	movq	%rbp, 40(%rsp)
	movq	%rbx, 48(%rsp)
.endm

/*
 * No flag of what was interrupted stays: not the direction, and not AC, which would let the kernel reach
 * pages of user mode.
 */
.macro handle by
	pushq	$RFLAGS_ONE
	popfq
	movq	%rsp, %rdi
	call	\by
.endm

.macro enter
	testb	$3, CS_AT_ENTRY(%rsp)
	jz	1f
	swapgs
1:
	save
.endm

	.balign	16
trap_no_page:
	enter
	handle	trap_page_fault
	testl	%eax, %eax
	jnz	4f
trap_leave:
	addq	$ROOM + 8, %rsp
	.irp n, 11, 10, 9, 8
	popq	%r\n
	.endr
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rax
	addq	$16, %rsp
	testb	$3, CS_AT_EXIT(%rsp)
	jz	2f
	swapgs
2:
	iretq

4:	/* It goes on with other registers, or not at all. */
	save_kept
	movl	%eax, %esi
	movq	%rsp, %rdi
	call	trap_unresolved
	jmp	trap_leave

	.balign	16
trap_entry:
	enter
	save_kept
	handle	trap_handle
	jmp	trap_leave

trap_of_last_resort:
	save
	save_kept
	movl	$MSR_GS_BASE, %ecx
	rdmsr
	orl	%edx, %eax
	jnz	3f
	swapgs
3:
	handle	trap_handle
	ud2

/* ---- threads --------------------------------------------------------------------------------- */

	.globl	z_port_switch
z_port_switch:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	movq	mmu_scratch_page, %rax
	invlpg	(%rax)
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

/* What z_port_thread_frame makes a new stack return to: rbx the function, r12 its argument. */
	.globl	thread_begin
thread_begin:
	movq	%r12, %rdi
	call	*%rbx
	ud2

	.section .note.GNU-stack, "", @progbits
