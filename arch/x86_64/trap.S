/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trap.S - into a trap and out of it, and from one thread to another.
 *
 * The CPU has pushed ss, rsp, rflags, cs, rip and perhaps an error code: on the stack that was
 * interrupted if that was the kernel's, which is never paged, else at the top of the thread's kernel
 * stack. The privilege level in cs tells which, and with it which GS the kernel finds. Interrupts
 * are off until trap_handle says otherwise; cr2 is saved before that.
 *
 * The traps with a stack of their own (double fault, NMI, machine check) may come anywhere, also
 * between a change of level and the change of GS. They look: user mode's GS base is 0, for it cannot
 * set another. They do not return.
 */
#define CS_AT_ENTRY (3 * 8) /* behind vector, error code and rip */
#define CS_AT_EXIT  (1 * 8)

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
	.else
	jmp	trap_entry
	.endif
	.set	vector, vector + 1
	.endr

.macro save
	pushq	%rax
	pushq	%rbx
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%rbp
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	pushq	%r\n
	.endr
	movq	%cr2, %rax
	pushq	%rax
	pushq	$0
.endm

/*
 * No flag of what was interrupted stays: not the direction, and not AC, which would let the kernel reach
 * pages of user mode.
 */
.macro handle
	pushq	$RFLAGS_ONE
	popfq
	movq	%rsp, %rdi
	call	trap_handle
.endm

	.balign	16
trap_entry:
	testb	$3, CS_AT_ENTRY(%rsp)
	jz	1f
	swapgs
1:
	save
	handle
	addq	$16, %rsp
	.irp n, 15, 14, 13, 12, 11, 10, 9, 8
	popq	%r\n
	.endr
	popq	%rbp
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rbx
	popq	%rax
	addq	$16, %rsp
	testb	$3, CS_AT_EXIT(%rsp)
	jz	2f
	swapgs
2:
	iretq

trap_of_last_resort:
	save
	movl	$MSR_GS_BASE, %ecx
	rdmsr
	orl	%edx, %eax
	jnz	3f
	swapgs
3:
	handle
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
