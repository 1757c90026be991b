/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pte.h - one entry of a Sv39 page table, and what the core wants to keep in it.
 *
 * A leaf that the hardware uses (V = 1):
 *   0 V   1 R   2 W   3 X   4 U   5 G   6 A   7 D   8 NOREAD   9 HELDBACK   10-53 frame number
 * An entry that it does not (V = 0; the other 63 bits are ours):
 *   1 R   2 W   3 X   4 U   6 A   7 D   8-10 kind   from 12 up: frame address or location
 * so permissions stay in their places, every page-aligned location survives, and all zeros are an
 * UNMAPPED entry.
 *
 * The hardware cannot say "writable but not readable": it then gets R as well, and NOREAD keeps what
 * was asked for. A page without any of R, W, X would be taken for a pointer to a table: such an IN
 * entry is kept with V = 0.
 *
 * Accessed and dirty. Hardware that keeps them (Svadu) sets A and D in place. Hardware that does not
 * (Svade) faults on a leaf with A = 0, or D = 0 for a write; the port's touch then sets them. With
 * soft_ad the port makes any hardware behave like that: without A the entry has V = 0, without D
 * it has no W (HELDBACK keeps it).
 */
#ifndef ARCH_RISCV64_PTE_H
#define ARCH_RISCV64_PTE_H

#include <zpager/arch.h>

typedef uint64_t pte_t;

#define PTE_V        ((pte_t)1 << 0)
#define PTE_R        ((pte_t)1 << 1)
#define PTE_W        ((pte_t)1 << 2)
#define PTE_X        ((pte_t)1 << 3)
#define PTE_U        ((pte_t)1 << 4)
#define PTE_G        ((pte_t)1 << 5)
#define PTE_A        ((pte_t)1 << 6)
#define PTE_D        ((pte_t)1 << 7)
#define PTE_NOREAD   ((pte_t)1 << 8)
#define PTE_HELDBACK ((pte_t)1 << 9)

#define PTE_PROT_SHIFT 1
#define PTE_PROT       ((pte_t)0xf << PTE_PROT_SHIFT)
#define PTE_PROT_COUNT 16U
#define PTE_KIND_SHIFT 8
#define PTE_KIND       ((pte_t)0x7 << PTE_KIND_SHIFT)
#define PTE_PPN_SHIFT  10
#define PTE_PPN        ((((pte_t)1 << 44) - 1) << PTE_PPN_SHIFT)

_Static_assert((Z_ACCESS_READ << PTE_PROT_SHIFT) == PTE_R &&
		       (Z_ACCESS_USER << PTE_PROT_SHIFT) == PTE_U,
	       "permissions have the order of the hardware's bits");
_Static_assert(Z_ENTRY_UNMAPPED == 0, "an entry of zeros is unmapped");
_Static_assert(CONFIG_MMU_PAGE_SIZE == 4096, "Sv39 has pages of 4096 bytes");

/* An entry, taken apart. */
struct pte_view {
	enum z_entry_kind kind;
	unsigned int prot; /* enum z_access bits */
	bool accessed;
	bool dirty;
	uintptr_t address; /* of the frame, or the location */
};

/* The leaf of a frame; bits: PTE_R and so on. */
static inline pte_t pte_leaf(uintptr_t phys, pte_t bits)
{
	return ((pte_t)phys >> 12 << PTE_PPN_SHIFT) | bits | PTE_V;
}

/* A pointer to the next table. */
static inline pte_t pte_table(uintptr_t phys)
{
	return ((pte_t)phys >> 12 << PTE_PPN_SHIFT) | PTE_V;
}

static inline uintptr_t pte_phys(pte_t e)
{
	return (uintptr_t)((e & PTE_PPN) >> PTE_PPN_SHIFT << 12);
}

static inline struct pte_view pte_view_leaf(pte_t e)
{
	pte_t prot = e & PTE_PROT;

	prot = (e & PTE_NOREAD) != 0 ? prot & ~PTE_R : prot;
	prot = (e & PTE_HELDBACK) != 0 ? prot | PTE_W : prot;
	return (struct pte_view){
		.kind = Z_ENTRY_IN,
		.prot = (unsigned int)(prot >> PTE_PROT_SHIFT),
		.accessed = (e & PTE_A) != 0,
		.dirty = (e & PTE_D) != 0,
		.address = pte_phys(e),
	};
}

static inline struct pte_view pte_view(pte_t e)
{
	if ((e & PTE_V) != 0)
		return pte_view_leaf(e);
	return (struct pte_view){
		.kind = (enum z_entry_kind)((e & PTE_KIND) >> PTE_KIND_SHIFT),
		.prot = (unsigned int)((e & PTE_PROT) >> PTE_PROT_SHIFT),
		.accessed = (e & PTE_A) != 0,
		.dirty = (e & PTE_D) != 0,
		.address = z_page_align_down((uintptr_t)e),
	};
}

static inline pte_t pte_make_leaf(struct pte_view v, bool soft_ad)
{
	pte_t bits = (pte_t)v.prot << PTE_PROT_SHIFT;

	if (soft_ad && !v.dirty && (bits & PTE_W) != 0)
		bits = (bits & ~PTE_W) | PTE_HELDBACK;
	if ((bits & (PTE_W | PTE_HELDBACK)) != 0 && (bits & PTE_R) == 0)
		bits |= PTE_R | PTE_NOREAD;
	bits |= v.accessed ? PTE_A : 0;
	bits |= v.dirty ? PTE_D : 0;
	return pte_leaf(v.address, bits);
}

/* pte_is_in - is it of kind IN? */
static inline bool pte_is_in(pte_t e)
{
	return (e & PTE_V) != 0 || (e & PTE_KIND) == (pte_t)Z_ENTRY_IN << PTE_KIND_SHIFT;
}

/* pte_asked - an entry of kind IN, its permissions what was asked for. */
static inline pte_t pte_asked(pte_t e)
{
	if ((e & PTE_V) == 0 || (e & (PTE_NOREAD | PTE_HELDBACK)) == 0)
		return e;
	return (pte_t)pte_view_leaf(e).prot << PTE_PROT_SHIFT;
}

/*
 * pte_move - the entry of another kind, and not used by the hardware, with the permissions of this one:
 * they are in the same place.
 */
static inline pte_t pte_move(pte_t e, enum z_entry_kind kind, uintptr_t address)
{
	return (e & PTE_PROT) | (pte_t)kind << PTE_KIND_SHIFT | (pte_t)address;
}

/* pte_with_address - an entry that has none gets one. */
static inline pte_t pte_with_address(pte_t e, uintptr_t address)
{
	return e | ((e & PTE_V) != 0 ? (pte_t)address >> 12 << PTE_PPN_SHIFT : (pte_t)address);
}

/* pte_make - the entry of a view. */
static inline pte_t pte_make(struct pte_view v, bool soft_ad)
{
	bool usable = (v.prot & (Z_ACCESS_READ | Z_ACCESS_WRITE | Z_ACCESS_EXEC)) != 0;

	if (v.kind == Z_ENTRY_UNMAPPED)
		return 0;
	if (v.kind == Z_ENTRY_IN && usable && (v.accessed || !soft_ad))
		return pte_make_leaf(v, soft_ad);
	return ((pte_t)v.prot << PTE_PROT_SHIFT) | ((pte_t)v.kind << PTE_KIND_SHIFT) |
	       (v.accessed ? PTE_A : 0) | (v.dirty ? PTE_D : 0) | (pte_t)v.address;
}

/*
 * pte_forbids - is this an access that a present page does not allow, whatever accessed and dirty
 * say? supervisor: not by user mode. sum: the supervisor may read and write pages of user mode.
 * (It never executes them.)
 */
static inline bool pte_forbids(pte_t e, unsigned int access, bool supervisor, bool sum)
{
	struct pte_view v = pte_view(e);
	bool of_user = (v.prot & Z_ACCESS_USER) != 0;

	if (v.kind != Z_ENTRY_IN)
		return false;
	if (supervisor ? of_user && (!sum || (access & Z_ACCESS_EXEC) != 0) : !of_user)
		return true;
	return (access & (Z_ACCESS_READ | Z_ACCESS_WRITE | Z_ACCESS_EXEC) & ~v.prot) != 0;
}

#endif /* ARCH_RISCV64_PTE_H */
