/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trap.S - into a trap and out of it, and from one thread to another.
 *
 * In the kernel tp is the hart's structure and sscratch 0; in user mode sscratch is the hart's structure
 * and tp the program's. So one exchange tells where a trap came from. A trap of the kernel goes on below
 * the stack that it interrupted, which is never paged; a trap of user mode begins at the top of
 * its thread's kernel stack. gp is the kernel's everywhere in the kernel. For a page fault only those registers are saved that a C function may change: it
 * gives the others back as they were. If it was no use they are saved then, and whoever ends the thread
 * or reports a bug has them all. On the way back to the kernel tp is not loaded: the thread may be on another
 * hart now.
 */
#include "gp.inc"

#define FRAME   (36 * 8)
#define SEPC    (32 * 8)
#define SSTATUS (33 * 8)
#define SCAUSE  (34 * 8)
#define STVAL   (35 * 8)
#define SUM     (1 << 18)
#define SPP     (1 << 8)

/* Of scause, as bits: the fetch, the load, the store that found no page. */
#define PAGE_FAULTS (1 << 12 | 1 << 13 | 1 << 15)

#define HART_KERNEL_STACK 0
#define HART_USER_SP      8

/* What a C function may change, but sp, tp and t0. */
.macro changed op
	\op	x1, 8(sp)
	.irp n, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
	\op	x\n, \n * 8(sp)
	.endr
.endm

.macro kept_over_calls op
	.irp n, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27
	\op	x\n, \n * 8(sp)
	.endr
.endm

	.text
	.globl	trap_start
trap_start:
	mv	tp, a0
	csrw	sscratch, zero
	la	t0, trap_entry
	csrw	stvec, t0
	ret

	.balign	4
trap_entry:
	csrrw	tp, sscratch, tp
	bnez	tp, 1f
	/* Of the kernel. */
	csrrw	tp, sscratch, zero
	addi	sp, sp, -FRAME
	sd	t0, 40(sp)
	sd	tp, 32(sp)
	sd	gp, 24(sp)
	addi	t0, sp, FRAME
	j	2f
1:	/* Of user mode. */
	sd	sp, HART_USER_SP(tp)
	ld	sp, HART_KERNEL_STACK(tp)
	addi	sp, sp, -FRAME
	sd	t0, 40(sp)
	csrrw	t0, sscratch, zero
	sd	t0, 32(sp)
	sd	gp, 24(sp)
	load_gp
	ld	t0, HART_USER_SP(tp)
2:
	sd	t0, 16(sp)
	changed	sd
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

	bltz	t3, 4f
	li	t0, PAGE_FAULTS
	srl	t0, t0, t3
	andi	t0, t0, 1
	beqz	t0, 4f
	call	trap_page_fault
	bnez	a0, 5f

trap_leave:
	ld	t1, SEPC(sp)
	ld	t2, SSTATUS(sp)
	csrw	sepc, t1
	csrw	sstatus, t2
	andi	t0, t2, SPP
	bnez	t0, 3f
	csrw	sscratch, tp
	ld	tp, 32(sp)
	ld	gp, 24(sp)
3:
	changed	ld
	ld	t0, 40(sp)
	ld	sp, 16(sp)
	sret

4:	/* Anything else. */
	kept_over_calls sd
	call	trap_handle
	j	trap_leave
5:	/* The page fault goes on with other registers, or not at all. */
	kept_over_calls sd
	mv	a1, a0
	mv	a0, sp
	call	trap_unresolved
	j	trap_leave

/* ---- threads --------------------------------------------------------------------------------- */

.macro kept op
	\op	ra, 0(sp)
	\op	s0, 8(sp)
	\op	s1, 16(sp)
	.irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	\op	s\n, (\n + 1) * 8(sp)
	.endr
.endm

	.globl	z_port_switch
z_port_switch:
	addi	sp, sp, -14 * 8
	kept sd
	sd	sp, 0(a0)
	mv	sp, a1
	ld	t0, mmu_scratch_page
	sfence.vma t0, zero
	kept ld
	addi	sp, sp, 14 * 8
	ret

/* What z_port_thread_frame makes a new stack return to: s0 the function, s1 its argument. */
	.globl	thread_begin
thread_begin:
	mv	a0, s1
	jalr	s0
	ebreak
