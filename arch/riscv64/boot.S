/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot.S - the first instructions: the firmware comes here in supervisor mode, paging and interrupts
 * off, the number of the hart in a0, the device tree in a1.
 */
	.section .text.boot, "ax"
	.globl	_start
_start:
	csrw	sie, zero
	csrw	satp, zero
	la	sp, link_stack_end
	la	t0, link_bss
	la	t1, link_end
1:
	bgeu	t0, t1, 2f
	sd	zero, 0(t0)
	addi	t0, t0, 8
	j	1b
2:
	call	board_start
