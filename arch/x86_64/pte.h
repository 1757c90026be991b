/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pte.h - one entry of a page table of x86_64, and what the core wants to keep in it.
 *
 * A leaf that the hardware uses (P = 1):
 *   0 P   1 W   2 U   3 PWT   4 PCD   5 A   6 D   8 G   12-51 frame   52-55 PROT   63 NX
 * An entry that it does not (P = 0; the other 63 bits are ours):
 *   1 R   2 W   3 X   4 U   5 A   6 D   7-9 kind   from 12 up: frame address or location
 * so every page-aligned location survives, and all zeros are an UNMAPPED entry.
 *
 * In a leaf the permissions that were asked for are in PROT, in bits that the hardware leaves to
 * software; W, U and NX are what it may allow now. The two differ where the hardware cannot say it: a
 * leaf can always be read by whom it is for, so "write" and "execute" include "read" once the page is
 * there. A page without any of R, W, X is kept with P = 0.
 *
 * Accessed and dirty. The hardware sets A and D in place. With soft_ad it is made not to: without A
 * the entry has P = 0, without D it has no W; the touch that then faults sets them.
 */
#ifndef ARCH_X86_64_PTE_H
#define ARCH_X86_64_PTE_H

#include <zpager/arch.h>

typedef uint64_t pte_t;

#define PTE_P   ((pte_t)1 << 0)
#define PTE_W   ((pte_t)1 << 1)
#define PTE_U   ((pte_t)1 << 2)
#define PTE_PWT ((pte_t)1 << 3)
#define PTE_PCD ((pte_t)1 << 4)
#define PTE_A   ((pte_t)1 << 5)
#define PTE_D   ((pte_t)1 << 6)
#define PTE_G   ((pte_t)1 << 8)
#define PTE_NX  ((pte_t)1 << 63)

#define PTE_FRAME      ((((pte_t)1 << 40) - 1) << 12)
#define PTE_PROT_MASK  ((pte_t)0xf)
#define PTE_PROT_COUNT 16U
#define PTE_PROT_SHIFT 52 /* P = 1 */
#define PTE_SAVE_SHIFT 1  /* P = 0 */
#define PTE_KIND_SHIFT 7
#define PTE_KIND       ((pte_t)0x7 << PTE_KIND_SHIFT)

#define PTE_ACCESS (Z_ACCESS_READ | Z_ACCESS_WRITE | Z_ACCESS_EXEC)

_Static_assert((PTE_ACCESS | Z_ACCESS_USER) == PTE_PROT_MASK, "permissions are four bits");
_Static_assert(Z_ENTRY_UNMAPPED == 0, "an entry of zeros is unmapped");
_Static_assert(CONFIG_MMU_PAGE_SIZE == 4096, "the smallest page of x86_64 has 4096 bytes");

/* An entry, taken apart. */
struct pte_view {
	enum z_entry_kind kind;
	unsigned int prot; /* enum z_access bits */
	bool accessed;
	bool dirty;
	uintptr_t address; /* of the frame, or the location */
};

/* The leaf of a frame that allows what it should; more: PTE_A and so on. */
static inline pte_t pte_leaf(uintptr_t phys, unsigned int prot, pte_t more)
{
	return ((pte_t)phys & PTE_FRAME) | PTE_P | ((prot & Z_ACCESS_WRITE) != 0 ? PTE_W : 0) |
	       ((prot & Z_ACCESS_USER) != 0 ? PTE_U : 0) |
	       ((prot & Z_ACCESS_EXEC) != 0 ? 0 : PTE_NX) | (pte_t)prot << PTE_PROT_SHIFT | more;
}

/* A pointer to the next table; it allows everything, the leaf decides. */
static inline pte_t pte_table(uintptr_t phys)
{
	return (pte_t)phys | PTE_P | PTE_W | PTE_U;
}

static inline uintptr_t pte_phys(pte_t e)
{
	return (uintptr_t)(e & PTE_FRAME);
}

static inline struct pte_view pte_view(pte_t e)
{
	struct pte_view v = {
		.accessed = (e & PTE_A) != 0,
		.dirty = (e & PTE_D) != 0,
	};

	if ((e & PTE_P) != 0) {
		v.kind = Z_ENTRY_IN;
		v.prot = (unsigned int)(e >> PTE_PROT_SHIFT & PTE_PROT_MASK);
		v.address = pte_phys(e);
	} else {
		v.kind = (enum z_entry_kind)((e & PTE_KIND) >> PTE_KIND_SHIFT);
		v.prot = (unsigned int)(e >> PTE_SAVE_SHIFT & PTE_PROT_MASK);
		v.address = z_page_align_down((uintptr_t)e);
	}
	return v;
}

/* pte_is_in - is it of kind IN? */
static inline bool pte_is_in(pte_t e)
{
	return (e & PTE_P) != 0 || (e & PTE_KIND) == (pte_t)Z_ENTRY_IN << PTE_KIND_SHIFT;
}

/* pte_prot - as pte_view says. pte_kept_prot: of one that is not used. */
static inline unsigned int pte_kept_prot(pte_t e)
{
	return (unsigned int)(e >> PTE_SAVE_SHIFT & PTE_PROT_MASK);
}

static inline unsigned int pte_prot(pte_t e)
{
	return (e & PTE_P) != 0 ? (unsigned int)(e >> PTE_PROT_SHIFT & PTE_PROT_MASK)
				: pte_kept_prot(e);
}

/* pte_kept - an entry that is not used. pte_move - the same, with the permissions of another one. */
static inline pte_t pte_kept(unsigned int prot, enum z_entry_kind kind, uintptr_t address)
{
	return (pte_t)prot << PTE_SAVE_SHIFT | (pte_t)kind << PTE_KIND_SHIFT | (pte_t)address;
}

static inline pte_t pte_move(pte_t e, enum z_entry_kind kind, uintptr_t address)
{
	return (e & PTE_PROT_MASK << PTE_SAVE_SHIFT) | pte_kept(0, kind, address);
}

/* pte_make - the entry of a view. */
static inline pte_t pte_make(struct pte_view v, bool soft_ad)
{
	pte_t used = (v.accessed ? PTE_A : 0) | (v.dirty ? PTE_D : 0);

	if (v.kind == Z_ENTRY_UNMAPPED)
		return 0;
	if (v.kind == Z_ENTRY_IN && (v.prot & PTE_ACCESS) != 0 && (v.accessed || !soft_ad)) {
		pte_t e = pte_leaf(v.address, v.prot, used);

		return soft_ad && !v.dirty ? e & ~PTE_W : e;
	}
	return ((pte_t)v.prot << PTE_SAVE_SHIFT) | ((pte_t)v.kind << PTE_KIND_SHIFT) | used |
	       (pte_t)v.address;
}

/*
 * pte_forbids - is this an access that a present page does not allow, whatever accessed and dirty
 * say? supervisor: not by user mode. reach: the supervisor may read and write pages of user mode.
 * (It never executes them.)
 */
static inline bool pte_forbids(pte_t e, unsigned int access, bool supervisor, bool reach)
{
	struct pte_view v = pte_view(e);
	bool of_user = (v.prot & Z_ACCESS_USER) != 0;

	if (v.kind != Z_ENTRY_IN)
		return false;
	if (supervisor ? of_user && (!reach || (access & Z_ACCESS_EXEC) != 0) : !of_user)
		return true;
	return (access & PTE_ACCESS & ~v.prot) != 0;
}

#endif /* ARCH_X86_64_PTE_H */
