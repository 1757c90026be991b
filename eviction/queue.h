/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.h - the candidates of an eviction algorithm, on queues linked by frame numbers.
 *
 * Theory: every frame has one link, an index before it and an index after it, so it is on at most
 * one queue. A queue is a ring closed by a sentinel; sentinels take the indices after the frames.
 * To unlink a frame one need not know on which queue it is. A frame that is linked to itself is on
 * none: it is not a candidate, and no walk ever comes across it.
 *
 * An index has 30 bits. The 2 bits left in the index before are the frame's tag, which means what
 * the algorithm wants; a frame that is on no queue has tag 0.
 *
 * Pairing: add of a frame that is a candidate already, remove of one that is not, and a frame from
 * outside the database are bugs of the caller. They change nothing but `wrong`, the line where the
 * first one was noticed, which check() of the algorithm then returns.
 *
 * Cost: everything is O(1) but z__cand_init and z__cand_check. 8 bytes a frame, 8 a sentinel.
 * Locks: pager lock held in all of it, see eviction.h.
 * Limits: 2^30 indices, sentinels included.
 */
#ifndef ZPAGER_EVICTION_QUEUE_H
#define ZPAGER_EVICTION_QUEUE_H

#include <zpager/arch.h>
#include <zpager/eviction.h>

#include "looks.h"

#define Z__INDEX_MASK 0x3fffffffU
#define Z__TAG_SHIFT  30
#define Z__NO_INDEX   UINT32_MAX

struct z__link {
	uint32_t before; /* [P] index, and the tag in the two highest bits */
	uint32_t after;  /* [P] index */
};

struct z__cand {
	struct z_eviction_host host; /* [I] */
	struct z__link *link;        /* [I] host.nframes frames, then the sentinels */
	uint32_t sentinels;          /* [I] */
	uint32_t count;              /* [P] candidates */
	int32_t saved;               /* [P] looks that were not made: see looks.h */
	int wrong;                   /* [P] line of the first breach of pairing, 0 if none */
};

static inline size_t z__cand_bytes(uint32_t nframes, uint32_t sentinels)
{
	return ((size_t)nframes + sentinels) * sizeof(struct z__link);
}

/*
 * z__cand_init - no candidate, empty queues.
 *   link: room for z__cand_bytes().
 *   0 | Z_ERR_INVAL more frames than an index can name.
 */
static inline int z__cand_init(struct z__cand *c, const struct z_eviction_host *host,
			       struct z__link *link, uint32_t sentinels)
{
	if (host->nframes > Z__INDEX_MASK - sentinels) {
		return Z_ERR_INVAL;
	}
	c->host = *host;
	c->link = link;
	c->sentinels = sentinels;
	c->count = 0;
	c->saved = 0;
	c->wrong = 0;
	for (uint32_t i = 0; i < host->nframes + sentinels; i++) {
		link[i] = (struct z__link){i, i};
	}
	return 0;
}

/* z__queue - the index of the i-th queue's sentinel. */
static inline uint32_t z__queue(const struct z__cand *c, uint32_t i)
{
	return c->host.nframes + i;
}

static inline uint32_t z__after(const struct z__cand *c, uint32_t i)
{
	return c->link[i].after;
}

static inline uint32_t z__before(const struct z__cand *c, uint32_t i)
{
	return c->link[i].before & Z__INDEX_MASK;
}

static inline unsigned int z__tag(const struct z__cand *c, uint32_t i)
{
	return c->link[i].before >> Z__TAG_SHIFT;
}

static inline void z__tag_set(struct z__cand *c, uint32_t i, unsigned int tag)
{
	c->link[i].before = (c->link[i].before & Z__INDEX_MASK) | (uint32_t)tag << Z__TAG_SHIFT;
}

static inline void z__before_set(struct z__cand *c, uint32_t i, uint32_t before)
{
	c->link[i].before = (c->link[i].before & ~Z__INDEX_MASK) | before;
}

static inline bool z__is_candidate(const struct z__cand *c, uint32_t i)
{
	return z__after(c, i) != i;
}

/* z__close - the two beside a frame become neighbours; the frame itself still points to them. */
static inline void z__close(struct z__cand *c, uint32_t i)
{
	uint32_t before = z__before(c, i);
	uint32_t after = z__after(c, i);

	c->link[before].after = after;
	z__before_set(c, after, before);
}

/* z__link_before - put a frame that is on no queue before `at`; before a sentinel is the tail. */
static inline void z__link_before(struct z__cand *c, uint32_t i, uint32_t at, unsigned int tag)
{
	uint32_t before = z__before(c, at);

	c->link[i] = (struct z__link){before | (uint32_t)tag << Z__TAG_SHIFT, at};
	c->link[before].after = i;
	z__before_set(c, at, i);
}

/* z__move_before - from wherever it is to the place before `at`, and give it a tag. */
static inline void z__move_before(struct z__cand *c, uint32_t i, uint32_t at, unsigned int tag)
{
	if (i != at) {
		z__close(c, i);
		z__link_before(c, i, at, tag);
	} else {
		z__tag_set(c, i, tag);
	}
}

/*
 * z__frame_index - the frame's number, Z__NO_INDEX if it is none of the database.
 *   An address below the database gives an offset larger than any database.
 */
static inline uint32_t z__frame_index(const struct z_eviction_host *host,
				      const struct z_page_frame *pf)
{
	uintptr_t offset = (uintptr_t)pf - (uintptr_t)host->frames;
	uintptr_t i = offset / sizeof(*pf);

	return i < host->nframes && offset % sizeof(*pf) == 0 ? (uint32_t)i : Z__NO_INDEX;
}

/* z__candidate_index - the frame's number, Z__NO_INDEX if it is not a candidate. */
static inline uint32_t z__candidate_index(const struct z__cand *c, const struct z_page_frame *pf)
{
	uint32_t i = z__frame_index(&c->host, pf);

	return i != Z__NO_INDEX && z__is_candidate(c, i) ? i : Z__NO_INDEX;
}

static inline struct z_page_frame *z__frame(const struct z__cand *c, uint32_t i)
{
	return &c->host.frames[i];
}

/* z__look - enum z_page_info bits of a candidate; a new observation period begins. */
static inline unsigned int z__look(const struct z__cand *c, uint32_t i)
{
	return c->host.sample(c->host.core, z__frame(c, i), true);
}

/* z__look_paid - the same, out of what is saved. */
static inline unsigned int z__look_paid(struct z__cand *c, uint32_t i)
{
	c->saved -= Z__LOOK_COST;
	return z__look(c, i);
}

/* z__look_saved - has a look been saved, for one that is not needed? */
static inline bool z__look_saved(const struct z__cand *c)
{
	return c->saved >= Z__LOOK_COST;
}

static inline void z__breach(struct z__cand *c, int line)
{
	if (c->wrong == 0) {
		c->wrong = line;
	}
}

/* z__cand_add - the frame becomes a candidate before `at`. Returns its number or Z__NO_INDEX. */
static inline uint32_t z__cand_add(struct z__cand *c, const struct z_page_frame *pf, uint32_t at,
				   unsigned int tag)
{
	uint32_t i = z__frame_index(&c->host, pf);

	if (i == Z__NO_INDEX || z__is_candidate(c, i)) {
		z__breach(c, __LINE__);
		return Z__NO_INDEX;
	}
	z__link_before(c, i, at, tag);
	c->count++;
	return i;
}

/* z__cand_remove - the candidate with this number is one no longer. */
static inline void z__cand_remove(struct z__cand *c, uint32_t i)
{
	if (i == Z__NO_INDEX) {
		z__breach(c, __LINE__);
		return;
	}
	z__close(c, i);
	c->link[i] = (struct z__link){i, i};
	c->count--;
}

/*
 * A hand goes round a queue: what is under it is the head, and the tail is behind it. So the head
 * becomes the tail by a step of the hand, without a link being written. It may stand on the sentinel.
 *
 * z__hand_at - what is under the hand, past the sentinel; the sentinel if the queue is empty.
 * z__step_off - if the hand is on the frame, it moves on: before the frame is moved or removed.
 */
static inline uint32_t z__hand_at(const struct z__cand *c, uint32_t hand)
{
	return hand >= c->host.nframes ? z__after(c, hand) : hand;
}

static inline void z__step_off(const struct z__cand *c, uint32_t *hand, uint32_t i)
{
	if (*hand == i) {
		*hand = z__after(c, i);
	}
}

/* z__hand_is_sound - on the sentinel or on a candidate? (On the right queue: z__queue_check.) */
static inline bool z__hand_is_sound(const struct z__cand *c, uint32_t hand, uint32_t sentinel)
{
	return hand == sentinel || (hand < c->host.nframes && z__is_candidate(c, hand));
}

/* z__looks_limit - how many looks one select may spend when a frame is looked at `times`. */
static inline uint32_t z__looks_limit(const struct z__cand *c, uint32_t times)
{
	return c->count <= Z__LOOKS_MAX / times ? c->count * times : Z__LOOKS_MAX;
}

/* z__looks_moving_limit - the same, each look at most twice at a frame, which is moved. */
static inline uint32_t z__looks_moving_limit(const struct z__cand *c)
{
	uint32_t limit = z__looks_limit(c, 2);

	return limit < Z__LOOKS_MOVING_MAX ? limit : Z__LOOKS_MOVING_MAX;
}

/*
 * z__queue_check - 0 if the ring is sound and every frame on it has (tag & mask) == want.
 *   len_out: frames on it. The walk ends whatever the links are: an index that came up twice would
 *   need two different ones before it.
 */
static inline int z__queue_check(const struct z__cand *c, uint32_t sentinel, unsigned int mask,
				 unsigned int want, uint32_t *len_out)
{
	uint32_t total = c->host.nframes + c->sentinels;
	uint32_t i = sentinel;
	uint32_t len = 0;

	for (;;) {
		uint32_t after = z__after(c, i);

		if (after >= total || z__before(c, after) != i) {
			return __LINE__;
		}
		if (after == sentinel) {
			break;
		}
		if (after >= c->host.nframes || (z__tag(c, after) & mask) != want) {
			return __LINE__;
		}
		len++;
		i = after;
	}
	*len_out = len;
	return 0;
}

/* z__cand_check - 0 if no pairing was breached and exactly `count` frames are on queues. */
static inline int z__cand_check(const struct z__cand *c)
{
	uint32_t linked = 0;

	if (c->wrong != 0) {
		return c->wrong;
	}
	for (uint32_t i = 0; i < c->host.nframes; i++) {
		if (z__is_candidate(c, i)) {
			linked++;
		} else if (z__before(c, i) != i || z__tag(c, i) != 0) {
			return __LINE__;
		}
	}
	return linked == c->count ? 0 : __LINE__;
}

#endif /* ZPAGER_EVICTION_QUEUE_H */
