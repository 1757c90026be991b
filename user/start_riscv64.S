/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start_riscv64.S - the first instructions of a program, and a system call. The stack is there; tp is
 * set to where program.ld put the thread-local data of the C library, which wants it at offset 0.
 */
	.section .text.start, "ax"
	.global _start
_start:
	lla	tp, link_tls
	andi	sp, sp, -16
	tail	program_start

	.text
	.global system_call
system_call:
	mv	a7, a0
	mv	a0, a1
	mv	a1, a2
	mv	a2, a3
	ecall
	ret

	.section .note.GNU-stack, "", %progbits
