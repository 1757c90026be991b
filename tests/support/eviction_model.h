/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eviction_model.h - the plainest form of each eviction algorithm, as an oracle.
 *
 * Lists are arrays that are shifted, membership is searched for: O(n) a step, nothing to get wrong.
 * The models keep accessed and dirty bits of their own, so that also the clearing of bits and the
 * number of looks can be compared. They are written from the descriptions at the heads of
 * the files of eviction/ and share no code with them but the hash that chooses a ghost's bucket.
 * Locks: none, one thread. Limits: EV_MODEL_FRAMES.
 */
#ifndef ZPAGER_TESTS_EVICTION_MODEL_H
#define ZPAGER_TESTS_EVICTION_MODEL_H

#include <zpager/arch.h>
#include <zpager/eviction.h>

#define EV_MODEL_FRAMES 256
#define EV_MODEL_NONE   UINT32_MAX

struct ev_list {
	uint32_t at[EV_MODEL_FRAMES]; /* at[0] is the head */
	uint32_t len;
};

#define EV_MODEL_BUCKETS (EV_MODEL_FRAMES / 8)
#define EV_MODEL_WAYS    4

/* A page that was evicted, newest first in its bucket. */
struct ev_ghost {
	uint32_t page; /* EV_MODEL_NONE: none */
	uint64_t stamp;
};

struct ev_ghost_bucket {
	struct ev_ghost at[EV_MODEL_WAYS];
	uint32_t len;
};

struct ev_model {
	const struct ev_model_ops *ops;
	uint32_t nframes;
	struct ev_list
		a; /* clock, sieve, sweep: all; lru, mglru: young; nru: the ring; others: small */
	struct ev_list b;               /* lru: old; nru: set aside; mglru: middle; others: main */
	struct ev_list c;               /* mglru: old */
	bool mark[EV_MODEL_FRAMES];     /* clock, nru, sieve: counts as used; lru: known */
	bool cold[EV_MODEL_FRAMES];     /* nru, sieve, small */
	bool first[EV_MODEL_FRAMES];    /* small, mglru: a use that is found does not count yet */
	bool waited[EV_MODEL_FRAMES];   /* sieve: dirty and passed over once */
	uint8_t bits[EV_MODEL_FRAMES];  /* accessed and dirty */
	uint32_t page[EV_MODEL_FRAMES]; /* what the test put there */
	struct ev_ghost_bucket ghosts[EV_MODEL_BUCKETS];
	bool always_hot; /* bits that are cleared are set again at once */
	uint32_t newest; /* lru, sieve, mglru, small */
	uint32_t last;   /* the same */
	uint32_t hand;   /* sieve: the frame to look at next, none: the oldest */
	uint32_t back;   /* mglru: evicted not long ago; sweep: with this credit */
	unsigned int back_credit;
	uint8_t credit[EV_MODEL_FRAMES]; /* sweep */
	uint32_t chance;                 /* sweep */
	uint32_t advised;                /* mglru: cold by advice, not looked at since */
	uint32_t share;                  /* clockpro */
	uint64_t steps;                  /* clockpro: looks at the main list */
	uint64_t looks;
	double saved; /* looks; see looks.h */
};

struct ev_model_ops {
	const char *name;
	uint32_t (*select)(struct ev_model *m);
	void (*add)(struct ev_model *m, uint32_t frame, enum z_add_reason reason);
	void (*remove)(struct ev_model *m, uint32_t frame, enum z_remove_reason reason);
	void (*accessed)(struct ev_model *m, uint32_t frame);
	void (*refault)(struct ev_model *m, uint32_t frame, uint32_t distance);
	void (*advise)(struct ev_model *m, uint32_t frame, enum z_advice advice);
};

/* Those of eviction_model_more.c. */
#define EV_MODELS_MORE 4
extern const struct ev_model_ops ev_models_more[EV_MODELS_MORE];

extern const struct ev_model_ops ev_model_sweep;

/* ev_model_open - the model of that name, without candidates. Is there one? */
bool ev_model_open(struct ev_model *m, const char *name, uint32_t nframes);

/* ev_model_has - is the frame a candidate? */
bool ev_model_has(const struct ev_model *m, uint32_t frame);

#endif /* ZPAGER_TESTS_EVICTION_MODEL_H */
