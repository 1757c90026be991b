/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start_arm64.S - the first instructions of a program, and a system call. The stack is there; the
 * thread pointer is set so that the thread-local data of the C library, for which the linker counts
 * two words in front, is where program.ld put it.
 */
	.section .text.start, "ax"
	.global _start
_start:
	adrp	x9, link_tls
	add	x9, x9, :lo12:link_tls
	sub	x9, x9, #16
	msr	tpidr_el0, x9
	b	program_start

	.text
	.global system_call
system_call:
	mov	x8, x0
	mov	x0, x1
	mov	x1, x2
	mov	x2, x3
	svc	#0
	ret

	.section .note.GNU-stack, "", %progbits
