/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgt_shards.c - a miss-ratio curve from spatially hashed sampling of pages.
 *
 * Theory. LRU with m frames misses exactly the references whose page was last seen m or more distinct
 * other pages ago (Mattson et al., 1970), so one pass that finds this distance for each reference
 * gives all memories at once. SHARDS (C. A. Waldspurger, N. Park, A. Garthwaite, I. Ahmad, "Efficient
 * MRC construction with SHARDS", FAST 2015) follows only the pages whose hash is below a threshold, a
 * share R of them: a distance among these is R times the true one, and each reference stands for 1/R.
 * The threshold comes down so that there are never more than a given number: the page with the
 * largest hash is dropped. Each reference counts with the 1/R of its time.
 *
 * Distances: a Fenwick tree over places in the order of last references; a place is used once, and
 * when they run out those in use move together. Cost O(log samples) a sampled reference, one hash
 * for another.
 *
 * Error. The pages are in GROUPS groups by other bits of the hash. How the groups' misses differ tells
 * how much the misses depend on which pages were sampled; the share that was not sampled, 1 - R, is
 * what that matters for. And a distance d is known from R d pages: the curve may lie by one in
 * sqrt(R d) parts further left or right. low and high put both together, DEVIATIONS times each.
 *
 * Locks: none. Limits: distances and memories from EXACT on are told apart to one in STEPS only.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pgt_shards.h"

#define GROUPS     8U
#define EXACT_BITS 14U
#define EXACT      (1U << EXACT_BITS)
#define STEPS      512U /* of an octave above EXACT */
#define STEP_BITS  9U
#define OCTAVES    40U
#define BUCKETS    (EXACT + OCTAVES * STEPS)
#define PLACES     4U   /* for each sample */
#define DEVIATIONS 2.36 /* 95 % of Student's distribution with GROUPS - 1 degrees */

struct sample {
	uint64_t hash;
	uint32_t place; /* 0: followed no more */
};

struct pgt_shards {
	uint32_t samples, places;
	uint64_t threshold;
	uint64_t refs, last;
	double first_touches;
	bool failed;

	struct pgt_pages pages; /* that were followed at some time */
	struct sample *sample;  /* by index of the page */
	uint32_t room;

	uint32_t *heap; /* followed pages, the largest hash first */
	uint32_t followed;

	uint32_t *tree; /* Fenwick, 1 to places */
	uint32_t *at;   /* page at a place; valid where the page says so too */
	uint32_t newest;

	double (*misses)[GROUPS]; /* by bucket */
};

/* ---- distances ------------------------------------------------------------------------------- */

static void tree_add(struct pgt_shards *s, uint32_t place, uint32_t by)
{
	for (; place <= s->places; place += place & (~place + 1)) {
		s->tree[place] += by;
	}
}

/* How many followed pages have a place up to this one. */
static uint32_t tree_sum(const struct pgt_shards *s, uint32_t place)
{
	uint32_t sum = 0;

	for (; place > 0; place &= place - 1) {
		sum += s->tree[place];
	}
	return sum;
}

/* The places that are in use become 1, 2, 3, ... */
static void move_together(struct pgt_shards *s)
{
	uint32_t used = 0;

	for (uint32_t place = 1; place <= s->newest; place++) {
		uint32_t page = s->at[place];

		if (s->sample[page].place == place) {
			s->at[++used] = page;
			s->sample[page].place = used;
		}
	}
	memset(s->tree, 0, ((size_t)s->places + 1) * sizeof(*s->tree));
	for (uint32_t place = 1; place <= used; place++) {
		tree_add(s, place, 1);
	}
	s->newest = used;
}

static void give_place(struct pgt_shards *s, uint32_t page)
{
	if (s->newest == s->places) {
		move_together(s);
	}
	s->newest++;
	s->at[s->newest] = page;
	s->sample[page].place = s->newest;
	tree_add(s, s->newest, 1);
}

static void take_place(struct pgt_shards *s, uint32_t page)
{
	tree_add(s, s->sample[page].place, UINT32_MAX);
	s->sample[page].place = 0;
}

static uint32_t bucket_of(double distance)
{
	uint64_t d = (uint64_t)distance;
	uint32_t octave;

	if (d < EXACT) {
		return (uint32_t)d;
	}
	octave = 63U - (uint32_t)__builtin_clzll(d);
	if (octave - EXACT_BITS >= OCTAVES) {
		return BUCKETS - 1;
	}
	return EXACT + (octave - EXACT_BITS) * STEPS +
	       (uint32_t)(d >> (octave - STEP_BITS) & (STEPS - 1));
}

static double rate_of(const struct pgt_shards *s)
{
	return s->threshold == UINT64_MAX ? 1.0 : ldexp((double)s->threshold, -64);
}

/* ---- which pages are followed ------------------------------------------------------------------ */

static void heap_swap(struct pgt_shards *s, uint32_t i, uint32_t j)
{
	uint32_t page = s->heap[i];

	s->heap[i] = s->heap[j];
	s->heap[j] = page;
}

static uint64_t heap_key(const struct pgt_shards *s, uint32_t i)
{
	return s->sample[s->heap[i]].hash;
}

static void heap_put(struct pgt_shards *s, uint32_t page)
{
	uint32_t i = s->followed++;

	s->heap[i] = page;
	while (i > 0 && heap_key(s, i) > heap_key(s, (i - 1) / 2)) {
		heap_swap(s, i, (i - 1) / 2);
		i = (i - 1) / 2;
	}
}

static uint32_t heap_take(struct pgt_shards *s)
{
	uint32_t page = s->heap[0];
	uint32_t i = 0;

	s->heap[0] = s->heap[--s->followed];
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child + 1 < s->followed && heap_key(s, child + 1) > heap_key(s, child)) {
			child++;
		}
		if (child >= s->followed || heap_key(s, child) <= heap_key(s, i)) {
			return page;
		}
		heap_swap(s, i, child);
		i = child;
	}
}

static uint32_t page_of(struct pgt_shards *s, uint64_t number, uint64_t hash)
{
	uint32_t page = pgt_pages_index(&s->pages, number);

	if (page == PGT_NO_PAGE || page < s->room) {
		return page;
	}
	uint32_t room = s->pages.room;
	struct sample *bigger = realloc(s->sample, room * sizeof(*bigger));

	if (bigger == NULL) {
		return PGT_NO_PAGE;
	}
	memset(bigger + s->room, 0, (room - s->room) * sizeof(*bigger));
	s->sample = bigger;
	s->room = room;
	s->sample[page].hash = hash;
	return page;
}

/* ---- references -------------------------------------------------------------------------------- */

static void follow(struct pgt_shards *s, uint32_t page, uint64_t hash)
{
	s->first_touches += 1.0 / rate_of(s);
	s->sample[page].hash = hash;
	heap_put(s, page);
	give_place(s, page);
	if (s->followed > s->samples) {
		uint32_t dropped = heap_take(s);

		s->threshold = s->sample[dropped].hash;
		take_place(s, dropped);
	}
}

static void shards_ref(void *to, uint64_t number, unsigned int flags)
{
	struct pgt_shards *s = to;
	uint64_t hash;
	uint32_t page;

	(void)flags;
	s->refs++;
	if (number == s->last || s->failed) {
		return;
	}
	s->last = number;
	hash = pgt_hash(number);
	if (hash >= s->threshold) {
		return;
	}
	page = page_of(s, number, hash);
	if (page == PGT_NO_PAGE) {
		s->failed = true;
	} else if (s->sample[page].place == 0) {
		follow(s, page, hash);
	} else {
		double rate = rate_of(s);
		uint32_t distance = s->followed - tree_sum(s, s->sample[page].place);

		s->misses[bucket_of(distance / rate)][hash % GROUPS] += 1.0 / rate;
		take_place(s, page);
		give_place(s, page);
	}
}

static void shards_tick(void *to)
{
	(void)to;
}

/* ---- the object -------------------------------------------------------------------------------- */

struct pgt_shards *pgt_shards_open(uint32_t samples, uint32_t one_in)
{
	struct pgt_shards *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		return NULL;
	}
	s->samples = samples;
	s->places = samples * PLACES + PLACES;
	s->threshold = PGT_HASH_SHARE(one_in);
	s->last = UINT64_MAX;
	s->heap = malloc(((size_t)samples + 1) * sizeof(*s->heap));
	s->tree = calloc((size_t)s->places + 1, sizeof(*s->tree));
	s->at = calloc((size_t)s->places + 1, sizeof(*s->at));
	s->misses = calloc(BUCKETS, sizeof(*s->misses));
	if (s->heap == NULL || s->tree == NULL || s->at == NULL || s->misses == NULL) {
		pgt_shards_free(s);
		return NULL;
	}
	return s;
}

void pgt_shards_free(struct pgt_shards *s)
{
	pgt_pages_free(&s->pages);
	free(s->sample);
	free(s->heap);
	free(s->tree);
	free(s->at);
	free(s->misses);
	free(s);
}

struct pgt_sink pgt_shards_sink(struct pgt_shards *s)
{
	return (struct pgt_sink){s, shards_ref, shards_tick};
}

void pgt_shards_sum(const struct pgt_shards *s, struct pgt_shards_sum *out)
{
	*out = (struct pgt_shards_sum){
		.refs = s->refs,
		.pages = s->first_touches,
		.rate = rate_of(s),
		.failed = s->failed,
	};
}

/* Misses with so many frames, and their standard deviation. */
static double misses_at(const struct pgt_shards *s, double frames, double *deviation_out)
{
	double groups[GROUPS] = {0};
	double sum = 0;
	double squares = 0;
	uint32_t first = frames > 0 ? bucket_of(frames) : 0;

	for (uint32_t b = first; b < BUCKETS; b++) {
		for (uint32_t g = 0; g < GROUPS; g++) {
			groups[g] += s->misses[b][g];
		}
	}
	for (uint32_t g = 0; g < GROUPS; g++) {
		sum += groups[g];
	}
	for (uint32_t g = 0; g < GROUPS; g++) {
		squares += (groups[g] - sum / GROUPS) * (groups[g] - sum / GROUPS);
	}
	*deviation_out = sqrt((1.0 - rate_of(s)) * squares * GROUPS / (GROUPS - 1));
	return sum;
}

void pgt_shards_at(const struct pgt_shards *s, uint64_t frames, struct pgt_shards_point *out)
{
	double m = (double)frames;
	double shift = DEVIATIONS * sqrt((1.0 - rate_of(s)) * m / rate_of(s));
	double deviation;

	out->misses = misses_at(s, m, &deviation);
	out->high = misses_at(s, m - shift, &deviation) + DEVIATIONS * deviation;
	out->low = fmax(0, misses_at(s, m + shift, &deviation) - DEVIATIONS * deviation);
}
