/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot.S - the first instructions of a hart: the firmware comes here in supervisor mode, paging and
 * interrupts off, the number of the hart in a0. From here on gp is the same for ever.
 */
#include "gp.inc"

	.section .text.boot, "ax"
/* The first hart; the device tree is in a1. */
	.globl	_start
_start:
	csrw	sie, zero
	csrw	satp, zero
	load_gp
	la	sp, link_stack_end
	la	t0, link_bss
	la	t1, link_bss_end
1:
	bgeu	t0, t1, 2f
	sd	zero, 0(t0)
	addi	t0, t0, 8
	j	1b
2:
	call	board_start

/* Another; in a1 is its structure, whose first word is its stack. */
	.globl	boot_hart
boot_hart:
	csrw	sie, zero
	csrw	satp, zero
	load_gp
	ld	sp, 0(a1)
	mv	a0, a1
	call	board_start_hart
