/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eviction_model.h - the plainest form of each eviction algorithm, as an oracle.
 *
 * Lists are arrays that are shifted, membership is searched for: O(n) a step, nothing to get wrong.
 * The models keep accessed and dirty bits of their own, so that also the clearing of bits and the
 * number of looks can be compared. They are written from the descriptions at the heads of
 * eviction/clock.c, lru.c and nru.c, and share no code with them.
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

struct ev_model {
	const struct ev_model_ops *ops;
	struct ev_list a;              /* clock: from the hand on; lru: young; nru: the ring */
	struct ev_list b;              /* clock: kept; lru: old; nru: set aside */
	bool mark[EV_MODEL_FRAMES];    /* clock, nru: counts as used; lru: known */
	bool cold[EV_MODEL_FRAMES];    /* nru */
	uint8_t bits[EV_MODEL_FRAMES]; /* accessed and dirty */
	bool always_hot;               /* bits that are cleared are set again at once */
	uint32_t newest;               /* lru */
	uint32_t last;                 /* lru */
	uint64_t looks;
};

struct ev_model_ops {
	const char *name;
	uint32_t (*select)(struct ev_model *m);
	void (*add)(struct ev_model *m, uint32_t frame, enum z_add_reason reason);
	void (*remove)(struct ev_model *m, uint32_t frame);
	void (*accessed)(struct ev_model *m, uint32_t frame);
	void (*advise)(struct ev_model *m, uint32_t frame, enum z_advice advice);
};

/* ev_model_open - the model of that name, without candidates. Is there one? */
bool ev_model_open(struct ev_model *m, const char *name);

/* ev_model_has - is the frame a candidate? */
bool ev_model_has(const struct ev_model *m, uint32_t frame);

#endif /* ZPAGER_TESTS_EVICTION_MODEL_H */
