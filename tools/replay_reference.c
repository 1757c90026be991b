/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_reference.c - algorithms to compare with, for the simulator alone.
 *
 * fifo, random: what is lost by not looking at all. They take no frame away from a program that
 * needs it next with two frames, and are thus none for a pager. true-lru: exact least recently used,
 * which needs to see every reference; it shows how much is lost by seeing bits only.
 *
 * Cost: O(1) a call or a reference. Locks: none. Limits: one run at a time in one state.
 */
#include <stdlib.h>
#include <string.h>

#include "replay.h"

/* ---- fifo and random --------------------------------------------------------------------- */

/* Candidates in a row: fifo takes the first, in a ring; random takes any, and the last fills the gap. */
struct row {
	struct z_eviction_host host;
	uint64_t seed;
	uint32_t first, count;
	uint32_t chosen; /* place in the row of what select() gave last */
	uint32_t frame[];
};

static size_t row_bytes(uint32_t nframes)
{
	return sizeof(struct row) + nframes * sizeof(uint32_t);
}

static int row_init(void *state, const struct z_eviction_host *host)
{
	struct row *r = state;

	r->host = *host;
	r->seed = UINT64_C(88172645463325252);
	return 0;
}

static uint32_t at(const struct row *r, uint32_t i)
{
	return (uint32_t)(((uint64_t)r->first + i) % r->host.nframes);
}

static void row_add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	struct row *r = state;

	(void)reason;
	r->frame[at(r, r->count++)] = (uint32_t)(pf - r->host.frames);
}

static struct z_page_frame *fifo_select(void *state)
{
	struct row *r = state;

	return r->count > 0 ? &r->host.frames[r->frame[r->first]] : NULL;
}

static void fifo_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	struct row *r = state;

	(void)pf;
	(void)reason;
	r->first = at(r, 1);
	r->count--;
}

static struct z_page_frame *random_select(void *state)
{
	struct row *r = state;

	if (r->count == 0) {
		return NULL;
	}
	r->seed ^= r->seed << 13;
	r->seed ^= r->seed >> 7;
	r->seed ^= r->seed << 17;
	r->chosen = (uint32_t)((r->seed >> 32) * r->count >> 32);
	return &r->host.frames[r->frame[r->chosen]];
}

static void random_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	struct row *r = state;

	(void)pf;
	(void)reason;
	r->frame[r->chosen] = r->frame[--r->count];
}

const struct z_eviction_ops replay_fifo = {
	.name = "fifo",
	.state_bytes = row_bytes,
	.init = row_init,
	.select = fifo_select,
	.add = row_add,
	.remove = fifo_remove,
};

const struct z_eviction_ops replay_random = {
	.name = "random",
	.state_bytes = row_bytes,
	.init = row_init,
	.select = random_select,
	.add = row_add,
	.remove = random_remove,
};

/* ---- true-lru ---------------------------------------------------------------------------- */

struct page {
	uint32_t newer, older; /* a ring through the page after the last, which is no page */
	uint8_t flags;
};

#define DIRTY    2U
#define SEEN     4U
#define RESIDENT 8U

static void unlink_page(struct page *p, uint32_t i)
{
	p[p[i].newer].older = p[i].older;
	p[p[i].older].newer = p[i].newer;
}

static void link_newest(struct page *p, uint32_t i, uint32_t end)
{
	p[i].older = p[end].older;
	p[i].newer = end;
	p[p[i].older].newer = i;
	p[end].older = i;
}

static void lru_miss(struct page *p, uint32_t page, uint32_t end, bool full,
		     struct replay_result *r)
{
	r->misses++;
	r->cold += (p[page].flags & SEEN) == 0;
	if (full) {
		uint32_t victim = p[end].newer;

		unlink_page(p, victim);
		r->written += (p[victim].flags & DIRTY) != 0;
		r->evictions++;
		p[victim].flags = SEEN;
	}
	p[page].flags = SEEN | RESIDENT;
}

int replay_true_lru(const struct pgt *t, const uint32_t *next, const struct replay_options *o,
		    struct replay_result *r)
{
	uint32_t end = t->pages.count;
	struct page *p = calloc(end + (size_t)1, sizeof(*p));

	(void)next;
	if (p == NULL) {
		return -1;
	}
	p[end] = (struct page){end, end, 0};
	for (uint64_t i = 0; i < t->nrefs; i++) {
		uint32_t page = pgt_page(t->refs[i]);

		if ((p[page].flags & RESIDENT) == 0) {
			lru_miss(p, page, end, r->misses - r->evictions == o->frames, r);
		} else {
			unlink_page(p, page);
		}
		link_newest(p, page, end);
		p[page].flags = (uint8_t)(p[page].flags | (t->refs[i] & DIRTY));
	}
	r->read = r->misses;
	free(p);
	return 0;
}
