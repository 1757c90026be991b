/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eviction_sim.c - see eviction_sim.h. Locks: none. Limits: memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "eviction_sim.h"

void ev_sim_open(struct ev_sim *s, const struct z_eviction_ops *ops, uint32_t nframes,
		 uint32_t npages)
{
	*s = (struct ev_sim){.npages = npages};
	ev_open(&s->h, ops, nframes);
	s->frame_of = malloc(npages * sizeof(*s->frame_of));
	s->page_in = calloc(nframes, sizeof(*s->page_in));
	s->evictions = calloc(nframes, sizeof(*s->evictions));
	s->out_since = calloc(npages, sizeof(*s->out_since));
	assert_true(s->frame_of != NULL && s->page_in != NULL && s->evictions != NULL);
	assert_non_null(s->out_since);
	for (uint32_t i = 0; i < npages; i++) {
		s->frame_of[i] = EV_NONE;
	}
}

void ev_sim_close(struct ev_sim *s)
{
	ev_check(&s->h);
	ev_close(&s->h);
	free(s->frame_of);
	free(s->page_in);
	free(s->evictions);
	free(s->out_since);
}

static uint32_t free_one(struct ev_sim *s)
{
	uint32_t frame = ev_evict(&s->h);

	assert_int_not_equal(frame, EV_NONE);
	s->evictions[frame]++;
	s->out_since[s->page_in[frame]] = ++s->evicted;
	s->written += (s->h.bits[frame] & Z_INFO_DIRTY) != 0 ? 1 : 0;
	s->frame_of[s->page_in[frame]] = EV_NONE;
	return frame;
}

static bool bring_in(struct ev_sim *s, uint32_t page, enum z_add_reason reason)
{
	uint32_t frame;

	assert_true(page < s->npages);
	if (s->frame_of[page] != EV_NONE) {
		return false;
	}
	frame = s->used < s->h.host.nframes ? s->used++ : free_one(s);
	s->misses++;
	s->frame_of[page] = frame;
	s->page_in[frame] = page;
	ev_put_page(&s->h, frame, page);
	if (s->out_since[page] != 0) {
		ev_refault(&s->h, frame, (uint32_t)(s->evicted - s->out_since[page] + 1));
	}
	ev_add(&s->h, frame, reason);
	return true;
}

bool ev_sim_fill(struct ev_sim *s, uint32_t page)
{
	return bring_in(s, page, Z_ADD_FAULT);
}

bool ev_sim_ahead(struct ev_sim *s, uint32_t page)
{
	return bring_in(s, page, Z_ADD_AHEAD);
}

bool ev_sim_ref(struct ev_sim *s, uint32_t page, bool write)
{
	bool miss = ev_sim_fill(s, page);

	ev_touch(&s->h, s->frame_of[page], write);
	return miss;
}
