/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot.S - the first instructions of a CPU: the loader or the firmware comes here in EL1 or EL2, paging
 * and interrupts off.
 *
 * Another CPU than the first touches no memory before paging is on: until then its caches are off and
 * the others' stores may be in theirs.
 */
#define CURRENT_EL2  (2 << 2)
#define PSTATE_EL1H  0x3c5              /* all interrupts masked, the stack of EL1 */

#define HCR_RW       (1 << 31)          /* EL1 is of 64 bits */
#define CNTHCTL_ALL  3                  /* EL1 may use the counters */
#define CPTR_NOTHING 0x33ff             /* no trap of floating point */

/* Bits that are 1 by architecture: EOS, TSCXT, EIS, SPAN, nTLSMD, LSMAOE. */
#define SCTLR_RES1   ((1 << 11) | (1 << 20) | (1 << 22) | (1 << 23) | (1 << 28) | (1 << 29))
/* Paging, caches, aligned stacks; user mode may clear by lines and read the sizes of caches. */
#define SCTLR_ON     (SCTLR_RES1 | (1 << 0) | (1 << 2) | (1 << 3) | (1 << 4) | (1 << 12) | (1 << 14) | (1 << 15))

#define MAIR         0x04ff             /* 0: cacheable memory, 1: device, early acknowledgement */
/* 39 bits from TTBR0 in 4 KiB pages, walks cacheable and shareable; none from TTBR1. */
#define TCR          (25 | (1 << 8) | (1 << 10) | (3 << 12) | (25 << 16) | (1 << 23) | (2 << 30))
#define TCR_IPS      32
#define TCR_HA_HD    (3 << 39)

	.section .text.boot, "ax"
/* The first. */
	.globl	_start
_start:
	bl	to_el1
	mov	x19, x0
	adrp	x1, link_stack_end
	mov	sp, x1
	adrp	x1, link_bss
	adrp	x2, link_bss_end
1:
	cmp	x1, x2
	b.hs	2f
	stp	xzr, xzr, [x1], #16
	b	1b
2:
	mov	x0, x19
	bl	board_start

/* Another; in x0 is its structure, whose first word is its stack. */
	.globl	boot_cpu
boot_cpu:
	mov	x19, x0
	bl	to_el1
	adrp	x0, mmu_tables
	bl	mmu_enable
	ldr	x1, [x19]
	mov	sp, x1
	mov	x0, x19
	bl	board_start_cpu

/* Be in EL1; x0: was it EL2? */
to_el1:
	ldr	x1, =SCTLR_RES1
	mrs	x0, CurrentEL
	cmp	x0, #CURRENT_EL2
	cset	x0, eq
	b.ne	1f
	mov	x2, #HCR_RW
	msr	hcr_el2, x2
	mov	x2, #CNTHCTL_ALL
	msr	cnthctl_el2, x2
	msr	cntvoff_el2, xzr
	mov	x2, #CPTR_NOTHING
	msr	cptr_el2, x2
	msr	hstr_el2, xzr
	mrs	x2, midr_el1
	msr	vpidr_el2, x2
	mrs	x2, mpidr_el1
	msr	vmpidr_el2, x2
	msr	sctlr_el1, x1
	mov	x2, #PSTATE_EL1H
	msr	spsr_el2, x2
	msr	elr_el2, x30
	isb
	eret
1:
	msr	sctlr_el1, x1
	isb
	ret

/*
 * mmu_enable(root). Physical addresses as wide as the CPU says, 48 bits at most. Accessed and dirty
 * are kept by hardware that can do both.
 */
	.globl	mmu_enable
mmu_enable:
	ldr	x1, =MAIR
	msr	mair_el1, x1
	ldr	x1, =TCR
	mrs	x2, id_aa64mmfr0_el1
	and	x2, x2, #0xf
	mov	x3, #5
	cmp	x2, x3
	csel	x2, x2, x3, lo
	orr	x1, x1, x2, lsl #TCR_IPS
	mrs	x2, id_aa64mmfr1_el1
	and	x2, x2, #0xf
	cmp	x2, #2
	b.lo	1f
	orr	x1, x1, #TCR_HA_HD
1:
	msr	tcr_el1, x1
	msr	ttbr0_el1, x0
	tlbi	vmalle1
	ic	iallu
	dsb	nsh
	isb
	ldr	x1, =SCTLR_ON
	msr	sctlr_el1, x1
	isb
	ret
	.ltorg
