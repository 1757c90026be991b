/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soft_pt.h - one entry of a page table in software: 64 bits a page, for ports that have no
 * hardware table of their own (the simulator, a Linux process).
 *
 *   bits 0-2  enum z_entry_kind        bit 7  accessed       bit 9  write-protected: a write faults
 *   bits 3-6  enum z_access bits       bit 8  dirty                 although the permissions allow it
 *   from bit 10 (in fact from the page size up): frame address (IN, HELD) or location (OUT)
 *
 * The address part is page-aligned, so that every location survives the round trip, 0 included.
 *
 * Locks: none here; an entry is changed under the pager lock, by one store.
 * Limits: a page has at least 1024 bytes.
 */
#ifndef ARCH_COMMON_SOFT_PT_H
#define ARCH_COMMON_SOFT_PT_H

#include <zpager/arch.h>

typedef struct {
	uint64_t v;
} z_spt_t;

#define Z_SPT_KIND       ((uint64_t)0x7)
#define Z_SPT_PROT_SHIFT 3
#define Z_SPT_PROT       ((uint64_t)0xf << Z_SPT_PROT_SHIFT)
#define Z_SPT_ACCESSED   ((uint64_t)1 << 7)
#define Z_SPT_DIRTY      ((uint64_t)1 << 8)
#define Z_SPT_PROTECTED  ((uint64_t)1 << 9)
#define Z_SPT_FLAGS      (Z_SPT_ACCESSED | Z_SPT_DIRTY | Z_SPT_PROTECTED)

_Static_assert(CONFIG_MMU_PAGE_SIZE >= 1024, "an entry keeps 10 bits below the page-aligned part");

static inline z_spt_t z_spt_make(enum z_entry_kind kind, unsigned int prot, uintptr_t address)
{
	return (z_spt_t){(uint64_t)kind | ((uint64_t)prot << Z_SPT_PROT_SHIFT) | address};
}

static inline enum z_entry_kind z_spt_kind(z_spt_t e)
{
	return (enum z_entry_kind)(e.v & Z_SPT_KIND);
}

static inline unsigned int z_spt_prot(z_spt_t e)
{
	return (unsigned int)((e.v & Z_SPT_PROT) >> Z_SPT_PROT_SHIFT);
}

static inline uintptr_t z_spt_address(z_spt_t e)
{
	return z_page_align_down((uintptr_t)e.v);
}

/* z_spt_has - are all of these flags (Z_SPT_ACCESSED, ...) set? */
static inline bool z_spt_has(z_spt_t e, uint64_t flags)
{
	return (e.v & flags) == flags;
}

/* z_spt_with, z_spt_without - the same entry with flags set, or clear. */
static inline z_spt_t z_spt_with(z_spt_t e, uint64_t flags)
{
	return (z_spt_t){e.v | flags};
}

static inline z_spt_t z_spt_without(z_spt_t e, uint64_t flags)
{
	return (z_spt_t){e.v & ~flags};
}

/* z_spt_move - another kind with another address: permissions stay, all flags are dropped. */
static inline z_spt_t z_spt_move(z_spt_t e, enum z_entry_kind kind, uintptr_t address)
{
	return z_spt_make(kind, z_spt_prot(e), address);
}

/* z_spt_protect - the same entry with other permissions. */
static inline z_spt_t z_spt_protect(z_spt_t e, unsigned int prot)
{
	return (z_spt_t){(e.v & ~Z_SPT_PROT) | ((uint64_t)prot << Z_SPT_PROT_SHIFT)};
}

/* z_spt_entry - what the core wants to know of it. */
static inline struct z_entry z_spt_entry(z_spt_t e)
{
	struct z_entry entry = {.kind = z_spt_kind(e), .prot = z_spt_prot(e)};

	if (entry.kind == Z_ENTRY_OUT) {
		entry.loc = z_loc(z_spt_address(e));
	} else if (entry.kind == Z_ENTRY_IN || entry.kind == Z_ENTRY_HELD) {
		entry.phys = z_phys(z_spt_address(e));
	}
	return entry;
}

#endif /* ARCH_COMMON_SOFT_PT_H */
