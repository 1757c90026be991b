/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_frame.h - one page frame: a page-sized piece of RAM and what is known about it.
 *
 * The flags and the predicates are the specified ones (bits 0 to 4); bits 5 to 7 are ours. A frame
 * is in exactly one of these states, and core/frame.c alone moves it between them:
 *
 *   available  no flag set; on the free list of its bank; addr links the list
 *   retired    RESERVED; taken out of service (budget lowered, or lent to the store)
 *   claimed    BUSY, addr NULL; taken off the free list by a context that has not used it yet
 *   loading    BUSY|LOADING; addr is the page whose contents are on their way in
 *   resident   MAPPED; addr is the data page that is in it
 *   leaving    MAPPED|BUSY; addr is the page whose contents are on their way out
 *
 * PINNED, BACKED, QUEUED and WAITED are orthogonal to these; all but WAITED are dropped when the
 * frame is given a new page: a reused frame starts with no bit of its past.
 *
 * Lock letters: P pager lock; I fixed after init.
 */
#ifndef ZPAGER_PAGE_FRAME_H
#define ZPAGER_PAGE_FRAME_H

#include <zpager/types.h>

#define Z_PAGE_FRAME_PINNED   BIT(0) /* never evicted */
#define Z_PAGE_FRAME_RESERVED BIT(1) /* not RAM for paging: a hole, or out of service */
#define Z_PAGE_FRAME_MAPPED   BIT(2) /* holds the data page at addr */
#define Z_PAGE_FRAME_BUSY     BIT(3) /* a context is moving data into or out of it */
#define Z_PAGE_FRAME_BACKED   BIT(4) /* the backing store has a clean copy */
#define Z_PAGE_FRAME_LOADING  BIT(5) /* with BUSY: being filled (else being written out) */
#define Z_PAGE_FRAME_WAITED   BIT(6) /* with BUSY: somebody waits for it; wake when done */
#define Z_PAGE_FRAME_QUEUED   BIT(7) /* a candidate of the eviction algorithm */

/*
 * At most 16 bytes. A specified store reads pf->addr. store_hi and store_lo are the 40 bits that
 * belong to the store (see z_page_frame_store_set); the core only clears them on reuse.
 */
struct z_page_frame {
	void *addr;        /* [P] data page (MAPPED, LOADING), list link (available, retired) */
	uint8_t flags;     /* [P] Z_PAGE_FRAME_* */
	uint8_t store_hi;  /* [P] store's field, bits 32 to 39 */
	uint16_t pins;     /* [P] how many pins are not yet undone; PINNED is set iff > 0 */
	uint32_t store_lo; /* [P] store's field, bits 0 to 31 */
};

_Static_assert(sizeof(struct z_page_frame) <= 16, "a frame costs at most 16 bytes of metadata");

static inline bool z_page_frame_is_pinned(const struct z_page_frame *pf)
{
	return (pf->flags & Z_PAGE_FRAME_PINNED) != 0;
}

static inline bool z_page_frame_is_reserved(const struct z_page_frame *pf)
{
	return (pf->flags & Z_PAGE_FRAME_RESERVED) != 0;
}

static inline bool z_page_frame_is_mapped(const struct z_page_frame *pf)
{
	return (pf->flags & Z_PAGE_FRAME_MAPPED) != 0;
}

static inline bool z_page_frame_is_busy(const struct z_page_frame *pf)
{
	return (pf->flags & Z_PAGE_FRAME_BUSY) != 0;
}

static inline bool z_page_frame_is_backed(const struct z_page_frame *pf)
{
	return (pf->flags & Z_PAGE_FRAME_BACKED) != 0;
}

/* BACKED plays no part in this, as specified. */
static inline bool z_page_frame_is_evictable(const struct z_page_frame *pf)
{
	return !z_page_frame_is_reserved(pf) && z_page_frame_is_mapped(pf) &&
	       !z_page_frame_is_pinned(pf) && !z_page_frame_is_busy(pf);
}

static inline bool z_page_frame_is_available(const struct z_page_frame *pf)
{
	return pf->flags == 0;
}

/*
 * z_page_frame_backed_set, z_page_frame_backed_clear - a store says that it keeps, or no longer
 * keeps, a clean copy of what is in the frame.
 *   Context: pager lock held; set only from page_finalize() or init, clear from location_get().
 */
static inline void z_page_frame_backed_set(struct z_page_frame *pf)
{
	pf->flags = (uint8_t)(pf->flags | Z_PAGE_FRAME_BACKED);
}

static inline void z_page_frame_backed_clear(struct z_page_frame *pf)
{
	pf->flags = (uint8_t)(pf->flags & ~Z_PAGE_FRAME_BACKED);
}

/*
 * z_page_frame_store_set, z_page_frame_store_get - 40 bits in the frame for the store's own use:
 * commonly the slot that holds the clean copy of a BACKED frame. Cleared to 0 on reuse.
 *   Context: pager lock held.
 */
static inline void z_page_frame_store_set(struct z_page_frame *pf, uint64_t value)
{
	pf->store_hi = (uint8_t)(value >> 32);
	pf->store_lo = (uint32_t)value;
}

static inline uint64_t z_page_frame_store_get(const struct z_page_frame *pf)
{
	return ((uint64_t)pf->store_hi << 32) | pf->store_lo;
}

#endif /* ZPAGER_PAGE_FRAME_H */
