/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eviction_sim.h - the smallest pager there can be: references to pages, frames, one algorithm.
 *
 * A miss takes a free frame or evicts one; the bits of the frame are cleared, the algorithm is told
 * (also how long the page was out, as exactly as the core at its best), and then the reference is
 * made. Counts misses and dirty victims.
 * Locks: none, one thread. Limits: memory.
 */
#ifndef ZPAGER_TESTS_EVICTION_SIM_H
#define ZPAGER_TESTS_EVICTION_SIM_H

#include "eviction_host.h"

struct ev_sim {
	struct ev_host h;
	uint32_t npages;
	uint32_t *frame_of;  /* by page; EV_NONE: not resident */
	uint32_t *page_in;   /* by frame */
	uint32_t *evictions; /* by frame */
	uint64_t *out_since; /* by page: the eviction that took it out, counted from 1; 0: never */
	uint64_t evicted;    /* evictions so far */
	uint32_t used;       /* frames that were filled at least once */
	uint64_t misses;
	uint64_t written; /* victims that were dirty */
};

void ev_sim_open(struct ev_sim *s, const struct z_eviction_ops *ops, uint32_t nframes,
		 uint32_t npages);
void ev_sim_close(struct ev_sim *s);

/* ev_sim_fill - the page comes in, if it is out, and is not touched yet. Was it out? */
bool ev_sim_fill(struct ev_sim *s, uint32_t page);

/* ev_sim_ahead - the same, but read ahead of need: nobody wants it yet. */
bool ev_sim_ahead(struct ev_sim *s, uint32_t page);

/* ev_sim_ref - one reference. Was it a miss? */
bool ev_sim_ref(struct ev_sim *s, uint32_t page, bool write);

#endif /* ZPAGER_TESTS_EVICTION_SIM_H */
