/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nru.c - not recently used: the victim comes from the lowest of four classes.
 *
 *   class 0  not used lately, clean        class 2  used lately, clean
 *   class 1  not used lately, dirty        class 3  used lately, dirty
 *
 * Theory: the textbook algorithm (A. Tanenbaum, "Modern Operating Systems") clears all accessed
 * bits by a timer and at a fault searches all frames for the lowest class. Both walk all frames
 * (HAZARDS B36), and a search that always starts at the same frame gives up the same page again and
 * again (B2). Here both are done a few frames at a time. The candidates form a ring. Each look at
 * its head classifies one frame, clears its accessed bit, and moves on, so "lately" means within
 * the last turn of the ring, whatever the rate of faults, and a search goes on where the last
 * ended:
 *   used          to the tail
 *   class 0       the victim
 *   class 1       set aside in a queue, in the hope of a class 0 frame, which costs no write
 * When more than a sixteenth of the candidates are set aside, the one that waits longest is looked at
 * again, if a look is saved for that (looks.h): the victim, unless it was seen to be used meanwhile.
 * The share bounds the price of the preference: dead dirty pages never hold more than that of the
 * memory, however many clean ones come by.
 * With fewer than 16 candidates there is no preference: a dirty page that is not used is taken.
 *
 * A new candidate goes to the tail with the tag USED, an accessed bit for one look: the page was
 * filled by a touch that may not have happened again yet, and must not be the first victim while
 * there is another candidate (B3). A page read ahead of need has no such tag.
 *
 * A victim goes to the tail: if the core does not take it, the next select gives another one.
 *
 * Limit of one select: min(2 * candidates, Z__LOOKS_MAX) looks, where one that sets a frame aside, or
 * looks at one that was, counts twice: links are written for it. If none gave a victim the lowest
 * class among what was seen decides: the longest set aside (1), else the first clean one seen (2),
 * else the first (3), pages with the tag USED last.
 *
 * Cost: O(1) amortised: a frame is looked at twice a turn (ring, set aside) and once more for each
 * use that is found. No timer.
 *
 * Advice: COLD goes to the head of the ring with its accessed bit cleared and the tag COLD: the
 * next victim, dirty or not, unless touched first. WILLNEED and NORMAL count as a use. SEQUENTIAL
 * and RANDOM do not say which page to give up: ignored. accessed is not needed: a soft fault also
 * sets what sample() reports. refault: a page that comes back starts at the tail like any other.
 *
 * State: 8 bytes a frame. Locks: pager lock, see eviction.h. Limits: those of queue.h.
 */
#include "queue.h"

enum { QUEUE_RING, QUEUE_ASIDE, QUEUES };

enum {
	TAG_NONE,
	TAG_USED,  /* on the ring; counts as used at the next look */
	TAG_ASIDE, /* on the queue of those set aside */
	TAG_COLD,  /* on the ring; not to be set aside */
};

#define ASIDE_SHARE 16U                /* at most the candidates divided by this are set aside */
#define LOOKS       (2 * Z__LOOK_COST) /* earned by a select */

struct nru {
	struct z__cand c;
	uint32_t aside; /* [P] candidates set aside */
	uint32_t hand;  /* [P] the head of the ring, or the sentinel before it */
	struct z__link link[];
};

/* The best of what one select has seen in use, should it find nothing else. */
struct seen {
	uint32_t clean; /* first of class 2 without TAG_USED */
	uint32_t dirty; /* first of class 3 without TAG_USED */
	uint32_t any;   /* first of all */
};

static size_t nru_state_bytes(uint32_t nframes)
{
	return offsetof(struct nru, link) + z__cand_bytes(nframes, QUEUES);
}

static int nru_init(void *state, const struct z_eviction_host *host)
{
	struct nru *s = state;
	int err = z__cand_init(&s->c, host, s->link, QUEUES);

	s->aside = 0;
	s->hand = err == 0 ? z__queue(&s->c, QUEUE_RING) : 0;
	return err;
}

static uint32_t ring_head(const struct nru *s)
{
	return z__hand_at(&s->c, s->hand);
}

static uint32_t aside_head(const struct nru *s)
{
	return z__after(&s->c, z__queue(&s->c, QUEUE_ASIDE));
}

/* The candidate leaves the place where it is, be it under the hand. */
static void leave(struct nru *s, uint32_t i)
{
	if (z__tag(&s->c, i) == TAG_ASIDE) {
		s->aside--;
	}
	z__step_off(&s->c, &s->hand, i);
}

static void to_ring_tail(struct nru *s, uint32_t i, unsigned int tag)
{
	leave(s, i);
	z__move_before(&s->c, i, s->hand, tag);
}

static void set_aside(struct nru *s, uint32_t i)
{
	leave(s, i);
	z__move_before(&s->c, i, z__queue(&s->c, QUEUE_ASIDE), TAG_ASIDE);
	s->aside++;
}

/* A candidate that was looked at, the head of its queue, becomes the tail of the ring. */
static void pass(struct nru *s, uint32_t i, unsigned int tag)
{
	if (tag == TAG_ASIDE) {
		to_ring_tail(s, i, TAG_NONE);
		return;
	}
	z__tag_set(&s->c, i, TAG_NONE);
	s->hand = z__after(&s->c, i);
}

/* Are those set aside to be looked at, not the ring? */
static bool aside_is_due(const struct nru *s)
{
	if (s->aside <= s->c.count / ASIDE_SHARE) {
		return false;
	}
	return s->aside == s->c.count || z__tag(&s->c, ring_head(s)) != TAG_COLD;
}

static void note(uint32_t *slot, uint32_t i)
{
	if (*slot == Z__NO_INDEX) {
		*slot = i;
	}
}

/* Look at the next frame; there is a candidate. At one set aside only if a second look is saved. */
static inline uint32_t next(struct nru *s, unsigned int *info_out)
{
	uint32_t i;

	if (!aside_is_due(s)) {
		i = ring_head(s);
		*info_out = z__look_paid(&s->c, i);
	} else {
		i = aside_head(s);
		*info_out = z__look_saved(&s->c) ? z__look_paid(&s->c, i) : 0;
	}
	return i;
}

/*
 * A frame was looked at: put it where it belongs. Is it a victim? *work grows by 1, or by 2 if it goes from
 * one queue to the other.
 */
static bool classify(struct nru *s, uint32_t i, unsigned int info, struct seen *seen,
		     uint32_t *work)
{
	unsigned int tag = z__tag(&s->c, i);
	bool dirty = (info & Z_INFO_DIRTY) != 0;
	bool used = tag == TAG_USED || (info & Z_INFO_ACCESSED) != 0;

	*work += tag == TAG_ASIDE ? 2 : 1;
	if (!used && dirty && tag == TAG_NONE) {
		set_aside(s, i);
		*work += 1;
		return false;
	}
	if (used) {
		note(&seen->any, i);
		if (tag != TAG_USED) {
			note(dirty ? &seen->dirty : &seen->clean, i);
		}
	}
	pass(s, i, tag);
	return !used;
}

/* No look gave a victim. There is a candidate. */
static uint32_t lowest_class(const struct nru *s, const struct seen *seen)
{
	if (s->aside > 0) {
		return aside_head(s);
	}
	if (seen->clean != Z__NO_INDEX) {
		return seen->clean;
	}
	return seen->dirty != Z__NO_INDEX ? seen->dirty : seen->any;
}

/* Go on from a first look that gave no victim at once. */
static struct z_page_frame *search(struct nru *s, uint32_t i, unsigned int info)
{
	struct seen seen = {Z__NO_INDEX, Z__NO_INDEX, Z__NO_INDEX};
	uint32_t limit = z__looks_limit(&s->c, 2);
	uint32_t work = 0;

	while (!classify(s, i, info, &seen, &work)) {
		if (work >= limit) {
			i = lowest_class(s, &seen);
			to_ring_tail(s, i, TAG_NONE);
			break;
		}
		i = next(s, &info);
	}
	return z__frame(&s->c, i);
}

static struct z_page_frame *nru_select(void *state)
{
	struct nru *s = state;
	unsigned int info;
	uint32_t i;

	if (s->c.count == 0) {
		return NULL;
	}
	s->c.saved = z__looks_earn(s->c.saved, LOOKS);
	i = next(s, &info);
	if (info != 0 || z__tag(&s->c, i) != TAG_NONE) {
		return search(s, i, info);
	}
	s->hand = z__after(&s->c, i);
	return z__frame(&s->c, i);
}

static void nru_add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	struct nru *s = state;
	unsigned int tag = reason == Z_ADD_AHEAD ? TAG_NONE : TAG_USED;

	z__cand_add(&s->c, pf, s->hand, tag);
}

static void nru_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	struct nru *s = state;
	uint32_t i = z__candidate_index(&s->c, pf);

	(void)reason;
	if (i != Z__NO_INDEX) {
		leave(s, i);
	}
	z__cand_remove(&s->c, i);
}

static void nru_advise(void *state, struct z_page_frame *pf, enum z_advice advice)
{
	struct nru *s = state;
	uint32_t i = z__candidate_index(&s->c, pf);

	if (i == Z__NO_INDEX) {
		return;
	}
	if (advice == Z_ADVICE_COLD) {
		(void)z__look_paid(&s->c, i);
		to_ring_tail(s, i, TAG_COLD);
		s->hand = i;
	} else if (advice == Z_ADVICE_WILLNEED || advice == Z_ADVICE_NORMAL) {
		to_ring_tail(s, i, TAG_USED);
	}
}

/* The ring holds all candidates that are not set aside, and no frame with TAG_ASIDE. */
static int ring_check(const struct nru *s, uint32_t aside)
{
	uint32_t ring = 0;
	int line = z__queue_check(&s->c, z__queue(&s->c, QUEUE_RING), 0, 0, &ring);

	if (line != 0) {
		return line;
	}
	if (aside != s->aside || ring + aside != s->c.count) {
		return __LINE__;
	}
	for (uint32_t i = z__after(&s->c, z__queue(&s->c, QUEUE_RING)); i < s->c.host.nframes;
	     i = z__after(&s->c, i)) {
		if (z__tag(&s->c, i) == TAG_ASIDE) {
			return __LINE__;
		}
	}
	return z__hand_is_sound(&s->c, s->hand, z__queue(&s->c, QUEUE_RING)) ? 0 : __LINE__;
}

static int nru_check(void *state)
{
	const struct nru *s = state;
	uint32_t aside = 0;
	int line = z__cand_check(&s->c);

	if (line == 0) {
		line = z__queue_check(&s->c, z__queue(&s->c, QUEUE_ASIDE), 3, TAG_ASIDE, &aside);
	}
	if (line == 0) {
		line = ring_check(s, aside);
	}
	return line;
}

const struct z_eviction_ops z_eviction_nru = {
	.name = "nru",
	.summary =
		"not recently used: an unused clean page before an unused dirty one, then the rest",
	.state_bytes = nru_state_bytes,
	.init = nru_init,
	.select = nru_select,
	.add = nru_add,
	.remove = nru_remove,
	.advise = nru_advise,
	.check = Z_IF_CHECK(nru_check),
};
