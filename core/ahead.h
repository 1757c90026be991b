/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ahead.h - reading ahead, the half that every fault comes by; theory in ahead.c.
 *
 * Locks: pager lock held, for all of it.
 */
#ifndef ZPAGER_CORE_AHEAD_H
#define ZPAGER_CORE_AHEAD_H

#include "internal.h"

#define Z_STREAMS_MAX    16U
#define Z_CANDIDATES_MAX 16U

/* Pages of a zone: faults that are to make a stream lie in one, three or four of them. */
#define Z_ZONE_PAGES 128U

/* The last fault in one of the zones that share this. */
struct z_candidate {
	uint64_t page; /* number of the page, modulo 2^32 */
	uint64_t
		step; /* from the one before, in pages modulo 2^32; above, how often it was the same */
};

/* A scan: the window that was read ahead of it, and the page whose fault says that it got there. */
struct z_stream {
	intptr_t stride;  /* bytes; 0: free */
	uintptr_t first;  /* of the window */
	uintptr_t next;   /* the first page behind the window, which is left out */
	uint32_t steps;   /* pages of the window, those that were there already included */
	uint32_t unseen;  /* pages read ahead of which nothing is known yet */
	uint32_t window;  /* how many to read ahead the next time */
	uint32_t id;      /* of all that ever were */
	uint32_t renewed; /* number of the window that was opened last */
	uint8_t lives; /* less one for each fault that was taken for this stream's, and was not */
	bool wrote;    /* its last fault was a write */
};

struct z_ahead {
	struct z_candidate candidates[Z_CANDIDATES_MAX];
	uint64_t expected; /* bit i: a stream goes on at a page whose number is i modulo 64 */
	bool sequential;   /* some region has advice SEQUENTIAL: all bits are set */
	uint32_t ids;
	uint32_t windows;
	struct z_stream streams[Z_STREAMS_MAX];
};

/* Most pages of a window; 0 by configuration leaves nothing of what follows. */
#ifdef CONFIG_ZPAGER_AHEAD
#define z__ahead_most(config) ((config)->ahead)
#define z__ahead_of(p)        ((p)->ahead)
#else
#define z__ahead_most(config) ((void)(config), 0U)
#define z__ahead_of(p)        ((void)(p), (struct z_ahead *)NULL)
#endif

/*
 * The page was never touched: it has no copy in the store, and will be written when it leaves whether it is
 * dirty or not. Where it costs a fault to find that out, it is dirty.
 */
static inline enum z_attach_as z__zeroed_as(const struct z_arch_ops *arch, enum z_attach_as as)
{
	return (arch->caps & Z_ARCH_DIRTY_FAULTS) != 0 ? Z_ATTACH_DIRTY : as;
}

/*
 * A fault that may go on with a stream, or begin one: read ahead if it does. step: from the last fault in
 * its zone, in pages modulo 2^32. May drop.
 */
void z__ahead_look_locked(struct z_pager *p, const struct z_request *r, struct z_candidate *c,
			  uint32_t step);

/* Advice SEQUENTIAL was given to some region. */
void z__ahead_advised_locked(struct z_pager *p);

/* The page of this fault was just loaded. May drop. */
static inline void z__ahead_after_locked(struct z_pager *p, const struct z_request *r)
{
	uint32_t page = (uint32_t)(r->va / Z_PAGE_SIZE);
	struct z_ahead *a = z__ahead_of(p);
	struct z_candidate *c;
	uint32_t step;

	if (a == NULL)
		return;
	c = &a->candidates[(page / Z_ZONE_PAGES * 0x9e3779b1U) >> 28];
	step = page - (uint32_t)c->page;
	c->page = page;
	if (step == (uint32_t)c->step || (a->expected >> (page & 63U) & 1U) != 0)
		z__ahead_look_locked(p, r, c, step);
	else
		c->step = step;
}

_Static_assert(Z_CANDIDATES_MAX == 16, "the place of a zone has four bits");

#endif /* ZPAGER_CORE_AHEAD_H */
