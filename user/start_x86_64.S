/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start_x86_64.S - the first instructions of a program, and a system call. The stack is there. This
 * C library has no thread-local data.
 */
	.section .text.start, "ax"
	.global _start
_start:
	and	$-16, %rsp
	call	program_start
	ud2

	.text
	.global system_call
system_call:
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	int	$0x80
	ret

	.section .note.GNU-stack, "", %progbits
