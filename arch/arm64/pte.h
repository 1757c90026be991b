/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pte.h - one entry of a page table (4 KiB granule, stage 1), and what the core wants to keep in it.
 *
 * A leaf that the hardware uses (bits 0 and 1 are 1):
 *   2-4 memory type   6 EL0 may   7 read-only   8-9 shareable   10 AF   12-47 frame
 *   51 DBM   53 PXN   54 UXN   55-58 what was asked for: R W X U   59 DIRTY
 * Bits 55-58 are software's, bits 59-62 are as long as TCR_EL1.HWU* are 0.
 * An entry that it does not use (bit 0 is 0; the other 63 bits are ours):
 *   1-4 R W X U   5-7 kind   8 A   9 D   from 12 up: frame address or location
 * so every page-aligned location survives, and all zeros are an UNMAPPED entry.
 *
 * The hardware cannot say "write but not read", and of the kernel's own pages not "execute but not
 * read": such pages can be read; bits 55-58 keep what was asked for. A page without any of R, W, X: such
 * an IN entry is kept invalid. Pages of user mode are never executed by the kernel (PXN), and
 * pages of the kernel never by user mode (UXN).
 *
 * Accessed and dirty. A page that may be written and is clean is read-only; DIRTY keeps that a page
 * was written when it must not be written any more. How the bits get set is enum pte_ad.
 */
#ifndef ARCH_ARM64_PTE_H
#define ARCH_ARM64_PTE_H

#include <zpager/arch.h>

typedef uint64_t pte_t;

#define PTE_VALID  ((pte_t)1 << 0)
#define PTE_PAGE   ((pte_t)1 << 1) /* at the last level a leaf, above it a pointer to a table */
#define PTE_DEVICE ((pte_t)1 << 2) /* memory type 1 of MAIR_EL1; 0 is cacheable memory */
#define PTE_EL0    ((pte_t)1 << 6)
#define PTE_RDONLY ((pte_t)1 << 7)
#define PTE_INNER  ((pte_t)3 << 8)
#define PTE_AF     ((pte_t)1 << 10)
#define PTE_DBM    ((pte_t)1 << 51)
#define PTE_PXN    ((pte_t)1 << 53)
#define PTE_UXN    ((pte_t)1 << 54)
#define PTE_DIRTY  ((pte_t)1 << 59)

#define PTE_ASKED_SHIFT 55
#define PTE_ADDRESS     ((((pte_t)1 << 36) - 1) << 12)

/* Of an entry that the hardware does not use. */
#define PTE_KEPT_PROT_SHIFT 1
#define PTE_KEPT_KIND_SHIFT 5
#define PTE_KEPT_ACCESSED   ((pte_t)1 << 8)
#define PTE_KEPT_DIRTY      ((pte_t)1 << 9)

#define PTE_PROT_MASK  0xfU
#define PTE_PROT_COUNT 16U
#define PTE_KIND_MASK  0x7U

_Static_assert((Z_ACCESS_READ | Z_ACCESS_WRITE | Z_ACCESS_EXEC | Z_ACCESS_USER) == PTE_PROT_MASK,
	       "permissions are four bits");
_Static_assert(Z_ENTRY_UNMAPPED == 0, "an entry of zeros is unmapped");
_Static_assert(CONFIG_MMU_PAGE_SIZE == 4096, "the granule is 4096 bytes");

enum pte_ad {
	PTE_AD_HARDWARE, /* sets AF; clears the read-only bit of a leaf with DBM */
	PTE_AD_FAULTS,   /* a leaf without AF faults, a write to a read-only one, too */
	PTE_AD_WITHHOLD, /* the same on hardware that would set AF: without A the entry is invalid */
};

/* An entry, taken apart. */
struct pte_view {
	enum z_entry_kind kind;
	unsigned int prot; /* enum z_access bits */
	bool accessed;
	bool dirty;
	uintptr_t address; /* of the frame, or the location */
};

/* A pointer to the next table. */
static inline pte_t pte_table(uintptr_t phys)
{
	return (pte_t)phys | PTE_VALID | PTE_PAGE;
}

static inline uintptr_t pte_phys(pte_t e)
{
	return (uintptr_t)(e & PTE_ADDRESS);
}

/* Clean is read-only, so what is not read-only is dirty. */
static inline struct pte_view pte_view_leaf(pte_t e)
{
	return (struct pte_view){
		.kind = Z_ENTRY_IN,
		.prot = (unsigned int)(e >> PTE_ASKED_SHIFT) & PTE_PROT_MASK,
		.accessed = (e & PTE_AF) != 0,
		.dirty = (e & PTE_DIRTY) != 0 || (e & PTE_RDONLY) == 0,
		.address = pte_phys(e),
	};
}

static inline struct pte_view pte_view(pte_t e)
{
	if ((e & PTE_VALID) != 0)
		return pte_view_leaf(e);
	return (struct pte_view){
		.kind = (enum z_entry_kind)((e >> PTE_KEPT_KIND_SHIFT) & PTE_KIND_MASK),
		.prot = (unsigned int)(e >> PTE_KEPT_PROT_SHIFT) & PTE_PROT_MASK,
		.accessed = (e & PTE_KEPT_ACCESSED) != 0,
		.dirty = (e & PTE_KEPT_DIRTY) != 0,
		.address = z_page_align_down((uintptr_t)e),
	};
}

/* pte_is_in - is it of kind IN? */
static inline bool pte_is_in(pte_t e)
{
	pte_t kind = (pte_t)PTE_KIND_MASK << PTE_KEPT_KIND_SHIFT;

	return (e & PTE_VALID) != 0 || (e & kind) == (pte_t)Z_ENTRY_IN << PTE_KEPT_KIND_SHIFT;
}

/* pte_prot, pte_accessed, pte_dirty - as pte_view says. pte_kept_prot: of one that is not used. */
static inline unsigned int pte_kept_prot(pte_t e)
{
	return (unsigned int)(e >> PTE_KEPT_PROT_SHIFT) & PTE_PROT_MASK;
}

static inline unsigned int pte_prot(pte_t e)
{
	bool valid = (e & PTE_VALID) != 0;

	return (unsigned int)(e >> (valid ? PTE_ASKED_SHIFT : PTE_KEPT_PROT_SHIFT)) & PTE_PROT_MASK;
}

static inline bool pte_accessed(pte_t e)
{
	return (e & ((e & PTE_VALID) != 0 ? PTE_AF : PTE_KEPT_ACCESSED)) != 0;
}

static inline bool pte_dirty(pte_t e)
{
	return (e & PTE_VALID) != 0 ? (e & (PTE_DIRTY | PTE_RDONLY)) != PTE_RDONLY
				    : (e & PTE_KEPT_DIRTY) != 0;
}

/* pte_kept - an entry that is not used. pte_move - the same, with the permissions of another one. */
static inline pte_t pte_kept(unsigned int prot, enum z_entry_kind kind, uintptr_t address)
{
	return (pte_t)prot << PTE_KEPT_PROT_SHIFT | (pte_t)kind << PTE_KEPT_KIND_SHIFT |
	       (pte_t)address;
}

static inline pte_t pte_move(pte_t e, enum z_entry_kind kind, uintptr_t address)
{
	return (e & (pte_t)PTE_PROT_MASK << PTE_KEPT_PROT_SHIFT) | pte_kept(0, kind, address);
}

static inline pte_t pte_make_leaf(struct pte_view v, enum pte_ad ad)
{
	bool user = (v.prot & Z_ACCESS_USER) != 0;
	bool write = (v.prot & Z_ACCESS_WRITE) != 0;
	pte_t never = PTE_PXN | PTE_UXN;
	pte_t e = (pte_t)v.address | (pte_t)v.prot << PTE_ASKED_SHIFT | PTE_VALID | PTE_PAGE |
		  PTE_INNER;

	if ((v.prot & Z_ACCESS_EXEC) != 0)
		never &= user ? ~PTE_UXN : ~PTE_PXN;
	if (user && (v.prot & (Z_ACCESS_READ | Z_ACCESS_WRITE)) != 0)
		e |= PTE_EL0;
	if (!write || !v.dirty)
		e |= PTE_RDONLY;
	if (write && ad == PTE_AD_HARDWARE)
		e |= PTE_DBM;
	e |= v.accessed ? PTE_AF : 0;
	e |= v.dirty ? PTE_DIRTY : 0;
	return e | never;
}

/* pte_make - the entry of a view. */
static inline pte_t pte_make(struct pte_view v, enum pte_ad ad)
{
	bool usable = (v.prot & (Z_ACCESS_READ | Z_ACCESS_WRITE | Z_ACCESS_EXEC)) != 0;

	if (v.kind == Z_ENTRY_UNMAPPED)
		return 0;
	if (v.kind == Z_ENTRY_IN && usable && (v.accessed || ad != PTE_AD_WITHHOLD))
		return pte_make_leaf(v, ad);
	return ((pte_t)v.prot << PTE_KEPT_PROT_SHIFT) | ((pte_t)v.kind << PTE_KEPT_KIND_SHIFT) |
	       (v.accessed ? PTE_KEPT_ACCESSED : 0) | (v.dirty ? PTE_KEPT_DIRTY : 0) |
	       (pte_t)v.address;
}

/*
 * pte_forbids - is this an access that a present page does not allow, whatever accessed and dirty
 * say? supervisor: not by user mode. It may read and write pages of user mode, and never executes
 * them.
 */
static inline bool pte_forbids(pte_t e, unsigned int access, bool supervisor)
{
	struct pte_view v = pte_view(e);
	bool of_user = (v.prot & Z_ACCESS_USER) != 0;

	if (v.kind != Z_ENTRY_IN)
		return false;
	if (supervisor ? of_user && (access & Z_ACCESS_EXEC) != 0 : !of_user)
		return true;
	return (access & (Z_ACCESS_READ | Z_ACCESS_WRITE | Z_ACCESS_EXEC) & ~v.prot) != 0;
}

#endif /* ARCH_ARM64_PTE_H */
