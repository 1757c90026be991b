/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user.S - into user mode, its floating-point registers, and the pieces of code that tests run there.
 */
#define USER_DATA 0x1b
#define USER_CODE 0x23
#define RFLAGS    0x202 /* IF, and the one that is always set */

	.text
/* rdi: where to go, rsi: its stack, rdx and rcx: its arguments */
	.globl	user_enter
user_enter:
	cli
	pushq	$USER_DATA
	pushq	%rsi
	pushq	$RFLAGS
	pushq	$USER_CODE
	pushq	%rdi
	movq	%rdx, %rdi
	movq	%rcx, %rsi
	.irp r, eax, ebx, ecx, edx, ebp, r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d
	xorl	%\r, %\r
	.endr
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	swapgs
	iretq

/*
 * What runs in user mode: touch rdi in one of three ways, then the system call 0 with the result. It
 * needs no stack: what is called returns by the word at the end, where z_port_user_code writes an address.
 */
	.section .rodata
	.balign	8
	.globl	user_read, user_write, user_exec, user_back, user_return, user_code_end
user_read:
	movzbl	(%rdi), %edi
	jmp	user_back
user_write:
	movb	%sil, (%rdi)
	jmp	user_back
user_exec:
	leaq	user_return(%rip), %rsp
	jmp	*%rdi
user_back:
	xorl	%eax, %eax
	int	$0x80
	.balign	8
user_return:
	.quad	0
user_code_end:

	.section .note.GNU-stack, "", @progbits
