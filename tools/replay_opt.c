/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_opt.c - the optimum: what nobody can do who does not know the future.
 *
 * opt: L. A. Belady, "A study of replacement algorithms for a virtual-storage computer" (1966):
 * give up the page whose next use is farthest away. No algorithm that brings in one page at a
 * miss has fewer misses, for any trace and number of frames. Among pages that are never used again
 * the clean ones go first, which costs no miss and saves writes.
 *
 * opt-wb: what a write-back costs is counted as well. Fewest misses and write-backs together is
 * NP-hard to find (Beckmann, Gibbons, Haeupler, McGuffey, "Writeback-Aware Caching", 2020), so this
 * is a heuristic: no lower bound, a schedule that exists. A victim is chosen by what it costs for
 * the frame-time that it frees: a clean page with d references until its next use costs one miss
 * for d, a dirty one a miss and a write, so it has to be free for `weight` times as long to be
 * preferred. A clean page that is not used again costs nothing. The trace is run with several
 * weights, 1 (which is opt) among them, and the one with the smallest sum of misses and write-backs
 * counts: so never worse than opt by that sum. Pages that are dirty at the end of the trace are not
 * counted, as for the other algorithms.
 *
 * Structure: two heaps, clean and dirty, with the farthest next use on top and a table of places,
 * so that a page moves up when it was used. Cost O(log frames) a reference at worst; a page that
 * was just used is low in the heap and mostly stays there.
 * Locks: none. Limits: see replay.h.
 */
#include <stdlib.h>
#include <string.h>

#include "replay.h"

#define NOT_IN UINT32_MAX

struct entry {
	uint32_t next; /* position of the next use */
	uint32_t page;
};

struct heap {
	struct entry *e;
	uint32_t size;
};

struct opt {
	struct heap heap[2]; /* clean, dirty */
	uint32_t *place;     /* by page: index in its heap */
	uint8_t *flags;      /* by page */
	uint64_t length;     /* of the trace */
	uint64_t weight;     /* of a dirty victim, in 1/4 */
};

#define DIRTY    1U
#define SEEN     2U
#define RESIDENT 4U

/* ---- heap -------------------------------------------------------------------------------- */

static void put(struct opt *o, struct heap *h, uint32_t i, struct entry e)
{
	h->e[i] = e;
	o->place[e.page] = i;
}

static void sift_up(struct opt *o, struct heap *h, uint32_t i, struct entry e)
{
	while (i > 0 && h->e[(i - 1) / 2].next < e.next) {
		put(o, h, i, h->e[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(o, h, i, e);
}

static void sift_down(struct opt *o, struct heap *h, uint32_t i, struct entry e)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child + 1 < h->size && h->e[child + 1].next > h->e[child].next) {
			child++;
		}
		if (child >= h->size || h->e[child].next <= e.next) {
			break;
		}
		put(o, h, i, h->e[child]);
		i = child;
	}
	put(o, h, i, e);
}

static void insert(struct opt *o, struct heap *h, struct entry e)
{
	sift_up(o, h, h->size++, e);
}

static void remove_at(struct opt *o, struct heap *h, uint32_t i)
{
	struct entry last = h->e[--h->size];

	if (i == h->size) {
		return;
	}
	if (i > 0 && h->e[(i - 1) / 2].next < last.next) {
		sift_up(o, h, i, last);
	} else {
		sift_down(o, h, i, last);
	}
}

/* ---- choice ------------------------------------------------------------------------------ */

/* Is the dirty page at the top of its heap a better victim than the clean one? */
static bool dirty_is_better(const struct opt *o, uint64_t now)
{
	uint64_t clean_next;
	uint64_t dirty_next;

	if (o->heap[0].size == 0 || o->heap[1].size == 0) {
		return o->heap[0].size == 0;
	}
	clean_next = o->heap[0].e[0].next;
	dirty_next = o->heap[1].e[0].next;
	if (clean_next == o->length) {
		return false;
	}
	if (dirty_next == o->length) {
		return true;
	}
	return (dirty_next - now) * 4 > (clean_next - now) * o->weight;
}

static void evict(struct opt *o, uint64_t now, struct replay_result *r)
{
	bool dirty = dirty_is_better(o, now);
	struct heap *h = &o->heap[dirty];
	uint32_t page = h->e[0].page;

	remove_at(o, h, 0);
	o->flags[page] = SEEN;
	r->evictions++;
	r->written += dirty;
}

static void reference(struct opt *o, uint64_t now, uint32_t ref, uint32_t next, uint32_t frames,
		      struct replay_result *r)
{
	uint32_t page = pgt_page(ref);
	uint8_t *flags = &o->flags[page];
	bool writes = (ref & PGT_WRITE) != 0;
	struct entry e = {next, page};

	if ((*flags & RESIDENT) == 0) {
		r->misses++;
		r->cold += (*flags & SEEN) == 0;
		if (o->heap[0].size + o->heap[1].size == frames) {
			evict(o, now, r);
		}
		*flags = (uint8_t)(SEEN | RESIDENT | (writes ? DIRTY : 0));
		insert(o, &o->heap[writes], e);
	} else if (writes && (*flags & DIRTY) == 0) {
		*flags |= DIRTY;
		remove_at(o, &o->heap[0], o->place[page]);
		insert(o, &o->heap[1], e);
	} else {
		/* The next use moves away: up. */
		sift_up(o, &o->heap[*flags & DIRTY], o->place[page], e);
	}
}

/* ---- runs -------------------------------------------------------------------------------- */

static int run(const struct pgt *t, const uint32_t *next, uint32_t frames, uint64_t weight,
	       struct replay_result *r)
{
	struct opt o = {.length = t->nrefs, .weight = weight};
	size_t pages = t->pages.count + (size_t)1;
	int result = -1;

	o.heap[0].e = calloc(pages, sizeof(struct entry));
	o.heap[1].e = calloc(pages, sizeof(struct entry));
	o.place = calloc(pages, sizeof(*o.place));
	o.flags = calloc(pages, sizeof(*o.flags));
	*r = (struct replay_result){.misses = 0};
	if (o.heap[0].e != NULL && o.heap[1].e != NULL && o.place != NULL && o.flags != NULL) {
		for (uint64_t i = 0; i < t->nrefs; i++) {
			reference(&o, i, t->refs[i], next[i], frames, r);
		}
		r->read = r->misses;
		result = 0;
	}
	free(o.heap[0].e);
	free(o.heap[1].e);
	free(o.place);
	free(o.flags);
	return result;
}

int replay_opt(const struct pgt *t, const uint32_t *next, const struct replay_options *o,
	       struct replay_result *r)
{
	return run(t, next, o->frames, 4, r);
}

int replay_opt_wb(const struct pgt *t, const uint32_t *next, const struct replay_options *o,
		  struct replay_result *r)
{
	static const uint64_t weights[] = {6, 8, 12, 20};
	struct replay_result one;

	if (run(t, next, o->frames, 4, r) != 0) {
		return -1;
	}
	for (size_t i = 0; i < sizeof(weights) / sizeof(weights[0]); i++) {
		if (run(t, next, o->frames, weights[i], &one) != 0) {
			return -1;
		}
		if (one.misses + one.written < r->misses + r->written) {
			*r = one;
		}
	}
	return 0;
}

uint32_t *replay_next(const struct pgt *t)
{
	uint32_t *next = NULL;
	uint32_t *seen = NULL;

	if (t->nrefs < UINT32_MAX - 1) {
		next = malloc((t->nrefs + 1) * sizeof(*next));
		seen = malloc((t->pages.count + (size_t)1) * sizeof(*seen));
	}
	if (next == NULL || seen == NULL) {
		free(next);
		free(seen);
		return NULL;
	}
	for (uint32_t i = 0; i < t->pages.count; i++) {
		seen[i] = (uint32_t)t->nrefs;
	}
	for (uint64_t i = t->nrefs; i > 0; i--) {
		uint32_t page = pgt_page(t->refs[i - 1]);

		next[i - 1] = seen[page];
		seen[page] = (uint32_t)(i - 1);
	}
	free(seen);
	return next;
}
