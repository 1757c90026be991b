/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trap.S - into a trap and out of it.
 *
 * sscratch is 0 inside of a trap, else the top of the trap stack. So a trap from outside changes to
 * the trap stack, whatever the stack pointer was (it may point to a page that is out), and a trap
 * inside of a trap goes on below it. Interrupts are off until trap_handle says otherwise, and no
 * memory but the trap stack is touched before all of the trap's registers are saved.
 */
#define FRAME   (38 * 8)
#define NESTED  (0 * 8)
#define SEPC    (32 * 8)
#define SSTATUS (33 * 8)
#define SCAUSE  (34 * 8)
#define STVAL   (35 * 8)
#define SUM     (1 << 18)

.macro all_but_t0 op
	\op	x1, 8(sp)
	\op	x3, 24(sp)
	\op	x4, 32(sp)
	.irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	\op	x\n, \n * 8(sp)
	.endr
.endm

	.text
	.globl	trap_start
trap_start:
	la	t0, link_trap_stack_end
	csrw	sscratch, t0
	la	t0, trap_entry
	csrw	stvec, t0
	ret

	.balign	4
trap_entry:
	csrrw	sp, sscratch, sp
	bnez	sp, 1f
	/* Inside of another: sp was on the trap stack already. */
	csrrw	sp, sscratch, sp
	addi	sp, sp, -FRAME
	sd	t0, 40(sp)
	li	t0, 1
	sd	t0, NESTED(sp)
	addi	t0, sp, FRAME
	j	2f
1:	/* From outside. What sp was there may be anything, 0 too: user mode chooses it. */
	addi	sp, sp, -FRAME
	sd	t0, 40(sp)
	sd	zero, NESTED(sp)
	csrrw	t0, sscratch, zero
2:
	sd	t0, 16(sp)
	all_but_t0 sd
	csrr	t1, sepc
	csrr	t2, sstatus
	csrr	t3, scause
	csrr	t4, stval
	sd	t1, SEPC(sp)
	sd	t2, SSTATUS(sp)
	sd	t3, SCAUSE(sp)
	sd	t4, STVAL(sp)
	li	t0, SUM
	csrc	sstatus, t0

	mv	a0, sp
	call	trap_handle

	ld	t0, NESTED(sp)
	bnez	t0, 3f
	addi	t0, sp, FRAME
	csrw	sscratch, t0
3:
	ld	t1, SEPC(sp)
	ld	t2, SSTATUS(sp)
	csrw	sepc, t1
	csrw	sstatus, t2
	all_but_t0 ld
	ld	t0, 40(sp)
	ld	sp, 16(sp)
	sret
