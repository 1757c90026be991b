/* SPDX-License-Identifier: Apache-2.0 */
/*
 * past.h - what is remembered of a page for predict.h: while it is in a frame, and a while longer.
 *
 * Theory: one look of each page's time since its last use is kept, chosen so that each look had the
 * same chance (J. Vitter, "Random Sampling with a Reservoir", 1985). When the page is used again,
 * the signs of that moment are learned with the time from there. Pages that are out go on being
 * watched: a ghost holds the same in 8 bytes, and a prediction that a page will not be used soon
 * is so put to the test, whether it was right (the ghost is pushed out by others) or wrong (the page
 * is back).
 *
 * Ghosts: buckets of four, chosen by a hash of the address; a new one goes in front, the last one
 * falls out. An entry keeps 13 bits of the hash and 9 of another, of the 64 KiB where the page lies: a
 * page is taken for another once in some hundred thousand times, and it is only a hint.
 *
 * Cost: O(1). 6 bytes a frame; a ghost is 8 bytes, and there is one for two frames.
 * Locks: pager lock held, see eviction.h. Limits: those of predict.h.
 */
#ifndef ZPAGER_EVICTION_PAST_H
#define ZPAGER_EVICTION_PAST_H

#include <zpager/page_frame.h>

#include "predict.h"

/* Of a page in a frame. */
struct z__past {
	uint16_t last; /* [P] tick of its last known use */
	uint8_t looks; /* [P] since then; 255 is "or more" */
	/* The look that will be learned from: */
	uint8_t age : 5;   /* [P] class of the time since the last use */
	uint8_t dirty : 1; /* [P] */
	/* Of this frame: */
	uint8_t fresh : 1; /* [P] filled by a touch, not looked at yet */
	uint8_t given : 1; /* [P] was a victim, and was not taken */
	/* Of the page: */
	uint8_t gap : 4;  /* [P] class of the time between the two uses before */
	uint8_t away : 4; /* [P] class of the time it was out, 0 if it was not */
	uint8_t uses : 3; /* [P] seen since it came in */
	/* Of this frame, too: */
	uint8_t runner_up : 1; /* [P] */
};

struct z__departed {
	uint32_t last : 16;
	uint32_t key : 13; /* 0: none */
	uint32_t uses : 3;
	uint32_t near : 9;
	uint32_t wide : 9;
	uint32_t age : 5;
	uint32_t gap : 4;
	uint32_t away : 4;
	uint32_t dirty : 1;
};

_Static_assert(sizeof(struct z__past) == 6, "a frame costs 6 bytes");
_Static_assert(sizeof(struct z__departed) == 8, "a ghost costs 8 bytes");

#define Z__DEPARTED_WAYS   4U
#define Z__DEPARTED_FRAMES 8U /* frames for which there is one bucket */

/* Where a page lies, as cells and as a place among the departed. */
struct z__place {
	uint16_t near, wide;
	uint16_t key;
	uint32_t bucket; /* a fraction of the buckets, in 2^32nds */
};

static inline uint32_t z__mix(uintptr_t x)
{
	return (uint32_t)(((uint64_t)x * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

static inline struct z__place z__place_of(const void *addr)
{
	uintptr_t page = (uintptr_t)addr / Z_PAGE_SIZE;
	uint32_t hash = z__mix(page + 1);

	return (struct z__place){
		.near = (uint16_t)(z__mix(page >> 4) >> 20 & (Z__PLACES - 1)),
		.wide = (uint16_t)(z__mix(page >> 8) >> 20 & (Z__PLACES - 1)),
		.key = (uint16_t)((hash & 0x1fffU) | ((hash & 0x1fffU) == 0)),
		.bucket = hash,
	};
}

static inline struct z__signs z__signs_of(const struct z__past *p, const struct z__place *at,
					  uint8_t age, bool dirty)
{
	return (struct z__signs){
		.near = at->near,
		.wide = at->wide,
		.age = age,
		.gap = p->gap,
		.away = p->away,
		.uses = p->uses,
		.dirty = dirty,
	};
}

/* z__past_used - the page was used, `ticks` after its last use: learn, and begin anew. */
static inline void z__past_used(struct z__predictor *m, struct z__past *p,
				const struct z__place *at, uint16_t ticks)
{
	uint16_t middle = z__age_middle(p->age);
	struct z__signs s = z__signs_of(p, at, p->age, p->dirty);

	z__learn(m, &s, z__distance((uint16_t)(ticks > middle ? ticks - middle : 0)));
	p->gap = z__gap_class(ticks) & 15U;
	p->last = (uint16_t)(p->last + ticks);
	p->looks = 0;
}

static inline uint32_t z__departed_buckets(uint32_t nframes)
{
	return nframes / Z__DEPARTED_FRAMES;
}

static inline size_t z__departed_bytes(uint32_t nframes)
{
	return (size_t)z__departed_buckets(nframes) * Z__DEPARTED_WAYS * sizeof(struct z__departed);
}

struct z__departeds {
	struct z__departed *entry; /* [P] */
	uint32_t buckets;          /* [I] */
};

static inline struct z__departed *z__departed_bucket(const struct z__departeds *d,
						     const struct z__place *at)
{
	return d->entry + (((uint64_t)at->bucket * d->buckets) >> 32) * Z__DEPARTED_WAYS;
}

/* z__departed_take - is there a ghost of this page? It is one no longer, and *p_out its past. */
static inline bool z__departed_take(struct z__departeds *d, const struct z__place *at,
				    struct z__past *p_out)
{
	struct z__departed *b = z__departed_bucket(d, at);
	uint32_t way = 0;

	if (d->buckets == 0) {
		return false;
	}
	while (way < Z__DEPARTED_WAYS && (b[way].key != at->key || b[way].near != at->near)) {
		way++;
	}
	if (way == Z__DEPARTED_WAYS) {
		return false;
	}
	*p_out = (struct z__past){.last = (uint16_t)b[way].last,
				  .age = b[way].age & 31U,
				  .dirty = b[way].dirty & 1U,
				  .gap = b[way].gap & 15U,
				  .away = b[way].away & 15U,
				  .uses = b[way].uses & 7U};
	for (; way + 1 < Z__DEPARTED_WAYS; way++) {
		b[way] = b[way + 1];
	}
	b[way] = (struct z__departed){0};
	return true;
}

/* z__departed_put - the page went. The ghost that falls out was not used: that is learned. */
static inline void z__departed_put(struct z__departeds *d, struct z__predictor *m,
				   const struct z__place *at, const struct z__past *p)
{
	struct z__departed *b = z__departed_bucket(d, at);
	const struct z__departed *out = &b[Z__DEPARTED_WAYS - 1];

	if (d->buckets == 0) {
		return;
	}
	if (out->key != 0) {
		struct z__signs s = {out->near, out->wide, out->age,       out->gap,
				     out->away, out->uses, out->dirty != 0};

		z__learn(m, &s, Z__NEVER);
	}
	for (uint32_t way = Z__DEPARTED_WAYS - 1; way > 0; way--) {
		b[way] = b[way - 1];
	}
	b[0] = (struct z__departed){.last = p->last,
				    .key = at->key & 0x1fffU,
				    .uses = p->uses,
				    .near = at->near & 0x1ffU,
				    .wide = at->wide & 0x1ffU,
				    .age = p->age,
				    .gap = p->gap,
				    .away = p->away,
				    .dirty = p->dirty};
}

#endif /* ZPAGER_EVICTION_PAST_H */
