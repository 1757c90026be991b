/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pt.h - an entry of the software page table: 8 bytes for a page of the window. table.h says where they are.
 *
 * The kernel's own table cannot be read cheaply, so what the contract calls an entry is kept here.
 * Kernel and software agree at every moment at which the pager lock is free:
 *
 *   kind           PRESENT   kernel's entry at the page
 *   UNMAPPED       0         absent, PROT_NONE
 *   UNTOUCHED,OUT  0         absent: a touch is reported to us
 *   IN             1         present; write-protected iff WP
 *   HELD           0         absent: being filled; present for a moment before it is IN
 *   HELD           1         present, nobody can write: being written out; absent once it is safe
 *   HELD, LOBBY    0         absent: being written out from its place in the lobby
 *
 *   63                            12  11      10        9          8    7       6..3   2..0
 *   |      frame or location       | LOBBY | PRESENT | ACCESSED | WP | DIRTY | prot | kind |
 *   63     44 43                  12
 *   |  place |  frame              |  with LOBBY
 *
 * The mechanism "move" has PRESENT mean the same; its HELD page is always absent from the window.
 *
 * Locks: every entry is guarded by the pager lock [P].
 */
#ifndef ZL_PT_H
#define ZL_PT_H

#include <zpager/arch.h>

#define ZL_PT_KIND        UINT64_C(7)
#define ZL_PT_PROT_SHIFT  3
#define ZL_PT_PROT        (UINT64_C(15) << ZL_PT_PROT_SHIFT)
#define ZL_PT_DIRTY       (UINT64_C(1) << 7)
#define ZL_PT_WP          (UINT64_C(1) << 8)
#define ZL_PT_ACCESSED    (UINT64_C(1) << 9)
#define ZL_PT_PRESENT     (UINT64_C(1) << 10)
#define ZL_PT_LOBBY       (UINT64_C(1) << 11)
#define ZL_PT_PLACE_SHIFT 44
#define ZL_PT_FRAME       (UINT64_C(0xffffffff) << 12)
#define ZL_PT_NUMBER      (~UINT64_C(0) << 12)

_Static_assert(Z_ENTRY_HELD <= ZL_PT_KIND, "a kind has three bits");
_Static_assert(Z_PAGE_SIZE == 4096,
	       "the kernel's page size, and what is left of an address below it");

static inline enum z_entry_kind zl_pt_kind(uint64_t e)
{
	return (enum z_entry_kind)(e & ZL_PT_KIND);
}

static inline unsigned int zl_pt_prot(uint64_t e)
{
	return (unsigned int)((e & ZL_PT_PROT) >> ZL_PT_PROT_SHIFT);
}

static inline uint64_t zl_pt_make(enum z_entry_kind kind, uint64_t old, uintptr_t number)
{
	return (uint64_t)kind | (old & ZL_PT_PROT) | (number & ZL_PT_NUMBER);
}

static inline uint64_t zl_pt_untouched(unsigned int prot)
{
	return (uint64_t)Z_ENTRY_UNTOUCHED | (uint64_t)prot << ZL_PT_PROT_SHIFT;
}

/* There, and not write-protected by us. */
static inline bool zl_pt_is_writable(uint64_t e)
{
	return (e & (ZL_PT_PRESENT | ZL_PT_WP)) == ZL_PT_PRESENT;
}

static inline uint32_t zl_pt_place(uint64_t e)
{
	return (uint32_t)(e >> ZL_PT_PLACE_SHIFT);
}

static inline struct z_entry zl_pt_entry(uint64_t e)
{
	struct z_entry entry = {.kind = zl_pt_kind(e), .prot = zl_pt_prot(e)};

	if (entry.kind == Z_ENTRY_OUT) {
		entry.loc = z_loc(e & ZL_PT_NUMBER);
	} else if (entry.kind == Z_ENTRY_IN || entry.kind == Z_ENTRY_HELD) {
		entry.phys = z_phys(e & ZL_PT_FRAME);
	}
	return entry;
}

#endif /* ZL_PT_H */
