/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mglru.c - generations, after Linux's multi-generational LRU: pages grow older from one to the
 * next, those found used become young again, and those that come back too soon begin young.
 *
 * Theory: the multi-gen LRU of Linux (Yu Zhao, 2022; Documentation/mm/multigen_lru.rst) sorts pages
 * by the generation in which they were last found used, evicts from the oldest, and makes a new
 * youngest one by walking page tables for accessed bits. A page that faults in again soon after its
 * eviction is protected, which is what tells loops and scans from a working set. Here nothing is
 * walked: generations are queues, and pages grow older one at a time, no faster than they are needed.
 *   young   the head follows into the middle generation, without a look, as that gets short
 *   middle  the head, when the old generation is short: used, to the young; else to the old
 *   old     the head: used, to the young; else the victim
 * Middle and old are kept at a fifth of the candidates each: a page that is in use is looked at once a
 * turn, and with thirds, as equal generations would be, turns are shorter. A bit that is set when a page gets old tells
 * of a use since it became young; one that is set later, of a use while it was old. A new page
 * begins at the tail of the old generation with the tag NEW: its bit may tell of no more than the
 * touch that filled it, so if it is found used it goes to that tail once more, without the tag. If it
 * was evicted not longer ago than half as many evictions as there are frames, it begins young: the
 * core's ghosts tell. (With as many evictions as frames more pages become young than are worth it.)
 *
 * Dirty pages: one of the old generation that is not used goes to its tail once, as NEW, in the hope
 * of a clean one. That look, and the one at a page that leaves the middle, are made only if looks
 * are saved for them (looks.h): without the second the page is old, and its bit is seen there.
 *
 * Two frames are passed over once while there is another candidate: the one filled last, which may
 * not have been touched yet (HAZARDS B3), and the last victim, if the core did not take it.
 *
 * Limits of one select: 4 pages grow older while the old generation is short and not empty;
 * min(2 * candidates, Z__LOOKS_MAX) looks in all. Then the first that was considered is taken.
 *
 * Cost: O(1) amortised: a page is looked at once as old, once more if new, and if looks are saved once in
 * the middle and once more if dirty; every other look finds a use. No timer.
 *
 * Advice: COLD is the head of the old generation with the bit cleared; the one advised last goes
 * dirty or not. WILLNEED and NORMAL are uses: to the young tail. SEQUENTIAL and RANDOM do not say which page to
 * give up: ignored.
 *
 * State: 8 bytes a frame. Locks: pager lock, see eviction.h. Limits: those of queue.h. Without
 * ghosts in the core new pages become young by use alone.
 */
#include "queue.h"

enum { QUEUE_YOUNG, QUEUE_MIDDLE, QUEUE_OLD, QUEUES };

/* The generation, and of the old one: */
enum { TAG_YOUNG, TAG_MIDDLE, TAG_OLD, TAG_NEW };

#define AGE_STEPS 4U
#define SHARE     5U                 /* middle and old are the candidates divided by this */
#define LOOKS     (2 * Z__LOOK_COST) /* earned by a select */

struct mglru {
	struct z__cand c;
	uint32_t len[QUEUES]; /* [P] */
	uint32_t newest;      /* [P] filled last, not yet passed over, or none */
	uint32_t last;        /* [P] the last victim, if not removed nor passed over, or none */
	uint32_t back;        /* [P] to be added next, evicted not long ago, or none */
	uint32_t cold; /* [P] head of the old queue by advice, not looked at since, or none */
	struct z__link link[];
};

static size_t mglru_state_bytes(uint32_t nframes)
{
	return offsetof(struct mglru, link) + z__cand_bytes(nframes, QUEUES);
}

static int mglru_init(void *state, const struct z_eviction_host *host)
{
	struct mglru *m = state;

	for (uint32_t q = 0; q < QUEUES; q++) {
		m->len[q] = 0;
	}
	m->newest = Z__NO_INDEX;
	m->last = Z__NO_INDEX;
	m->back = Z__NO_INDEX;
	m->cold = Z__NO_INDEX;
	return z__cand_init(&m->c, host, m->link, QUEUES);
}

static uint32_t queue_of(unsigned int tag)
{
	return tag == TAG_NEW ? QUEUE_OLD : tag;
}

static uint32_t head(const struct mglru *m, uint32_t queue)
{
	return z__after(&m->c, z__queue(&m->c, queue));
}

/* A candidate goes before `at`, which is on the queue that the tag says. */
static void place(struct mglru *m, uint32_t i, uint32_t at, unsigned int tag)
{
	m->len[queue_of(z__tag(&m->c, i))]--;
	m->len[queue_of(tag)]++;
	z__move_before(&m->c, i, at, tag);
}

static void to_tail(struct mglru *m, uint32_t i, unsigned int tag)
{
	place(m, i, z__queue(&m->c, queue_of(tag)), tag);
}

/* Of two candidates the last victim is the one that is spared. */
static bool is_spared(const struct mglru *m, uint32_t i)
{
	bool both = m->last != Z__NO_INDEX && m->last != m->newest;

	return m->c.count > 1 && (i == m->last || (i == m->newest && !(both && m->c.count == 2)));
}

/* No index that is noted names this frame any more. */
static void forget(struct mglru *m, uint32_t i)
{
	m->newest = m->newest == i ? Z__NO_INDEX : m->newest;
	m->last = m->last == i ? Z__NO_INDEX : m->last;
	m->cold = m->cold == i ? Z__NO_INDEX : m->cold;
}

/* newest_passed: it was spared once. */
static struct z_page_frame *take(struct mglru *m, uint32_t i, bool newest_passed)
{
	forget(m, newest_passed ? m->newest : i);
	to_tail(m, i, TAG_YOUNG);
	m->last = i;
	return z__frame(&m->c, i);
}

/* Which generation's head is the next? */
static uint32_t due(const struct mglru *m, uint32_t aged)
{
	uint32_t share = m->c.count / SHARE;

	if (m->len[QUEUE_OLD] > 0 && (m->len[QUEUE_OLD] >= share || aged >= AGE_STEPS)) {
		return QUEUE_OLD;
	}
	return m->len[QUEUE_MIDDLE] > 0 ? QUEUE_MIDDLE : QUEUE_YOUNG;
}

/* Look at the head of the old generation. Is it the victim? */
static bool is_victim(struct mglru *m, uint32_t i)
{
	unsigned int tag = z__tag(&m->c, i);
	unsigned int info = z__look_paid(&m->c, i);
	bool cold = i == m->cold;

	forget(m, i);
	if ((info & Z_INFO_ACCESSED) != 0) {
		to_tail(m, i, tag == TAG_NEW ? TAG_OLD : TAG_YOUNG);
		return false;
	}
	if ((info & Z_INFO_DIRTY) != 0 && tag == TAG_OLD && !cold && z__look_saved(&m->c)) {
		to_tail(m, i, TAG_NEW);
		return false;
	}
	return true;
}

/* The head of the middle generation grows older, unless used, and that of the young follows it. */
static void age(struct mglru *m, uint32_t i)
{
	bool young = z__tag(&m->c, i) == TAG_YOUNG;

	if (young || !z__look_saved(&m->c) || (z__look_paid(&m->c, i) & Z_INFO_ACCESSED) == 0) {
		to_tail(m, i, young ? TAG_MIDDLE : TAG_OLD);
	} else {
		to_tail(m, i, TAG_YOUNG);
	}
	if (m->len[QUEUE_MIDDLE] < m->c.count / SHARE && m->len[QUEUE_YOUNG] > 0) {
		to_tail(m, head(m, QUEUE_YOUNG), TAG_MIDDLE);
	}
}

static struct z_page_frame *mglru_select(void *state)
{
	struct mglru *m = state;
	uint32_t limit = z__looks_moving_limit(&m->c);
	uint32_t first = Z__NO_INDEX;
	uint32_t aged = 0;
	bool newest_passed = false;

	if (limit == 0) {
		return NULL;
	}
	m->c.saved = z__looks_earn(m->c.saved, LOOKS);
	for (uint32_t looks = 0; looks < limit; looks++) {
		uint32_t queue = due(m, aged);
		uint32_t i = head(m, queue);

		if (is_spared(m, i)) {
			newest_passed = newest_passed || i == m->newest;
			to_tail(m, i, TAG_YOUNG);
			continue;
		}
		first = first == Z__NO_INDEX ? i : first;
		if (queue != QUEUE_OLD) {
			aged++;
			age(m, i);
		} else if (is_victim(m, i)) {
			return take(m, i, newest_passed);
		}
	}
	return take(m, first, newest_passed);
}

static void mglru_add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	struct mglru *m = state;
	uint32_t i = z__frame_index(&m->c.host, pf);
	bool back = i != Z__NO_INDEX && i == m->back && reason == Z_ADD_FAULT;
	unsigned int tag = back ? TAG_YOUNG : TAG_NEW;

	m->back = Z__NO_INDEX;
	if (z__cand_add(&m->c, pf, z__queue(&m->c, queue_of(tag)), tag) == Z__NO_INDEX) {
		return;
	}
	m->len[queue_of(tag)]++;
	if (reason != Z_ADD_AHEAD) {
		m->newest = i;
	}
}

static void mglru_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	struct mglru *m = state;
	uint32_t i = z__candidate_index(&m->c, pf);

	(void)reason;
	if (i != Z__NO_INDEX) {
		m->len[queue_of(z__tag(&m->c, i))]--;
		forget(m, i);
	}
	z__cand_remove(&m->c, i);
}

static void mglru_refault(void *state, struct z_page_frame *pf, uint32_t distance)
{
	struct mglru *m = state;

	if (distance <= m->c.host.nframes / 2) {
		m->back = z__frame_index(&m->c.host, pf);
	}
}

static void mglru_advise(void *state, struct z_page_frame *pf, enum z_advice advice)
{
	struct mglru *m = state;
	uint32_t i = z__candidate_index(&m->c, pf);

	if (i == Z__NO_INDEX) {
		return;
	}
	if (advice == Z_ADVICE_COLD) {
		(void)z__look_paid(&m->c, i);
		forget(m, i);
		place(m, i, head(m, QUEUE_OLD), TAG_OLD);
		m->cold = i;
	} else if (advice == Z_ADVICE_WILLNEED || advice == Z_ADVICE_NORMAL) {
		forget(m, i);
		to_tail(m, i, TAG_YOUNG);
	}
}

static bool noted_is_sound(const struct mglru *m, uint32_t i)
{
	return i == Z__NO_INDEX || (i < m->c.host.nframes && z__is_candidate(&m->c, i));
}

/* A queue is a sound ring of as many frames as its length says, all of this generation. */
static int generation_check(const struct mglru *m, uint32_t queue)
{
	uint32_t len = 0;
	int line = z__queue_check(&m->c, z__queue(&m->c, queue), 0, 0, &len);

	if (line != 0) {
		return line;
	}
	for (uint32_t i = head(m, queue); i < m->c.host.nframes; i = z__after(&m->c, i)) {
		if (queue_of(z__tag(&m->c, i)) != queue) {
			return __LINE__;
		}
	}
	return len == m->len[queue] ? 0 : __LINE__;
}

static int mglru_check(void *state)
{
	const struct mglru *m = state;
	int line = z__cand_check(&m->c);

	for (uint32_t queue = 0; line == 0 && queue < QUEUES; queue++) {
		line = generation_check(m, queue);
	}
	if (line == 0 &&
	    m->len[QUEUE_YOUNG] + m->len[QUEUE_MIDDLE] + m->len[QUEUE_OLD] != m->c.count) {
		line = __LINE__;
	}
	if (line == 0 && !(noted_is_sound(m, m->newest) && noted_is_sound(m, m->last) &&
			   noted_is_sound(m, m->cold))) {
		line = __LINE__;
	}
	return line;
}

const struct z_eviction_ops z_eviction_mglru = {
	.name = "mglru",
	.summary = "three generations, after Linux's multi-gen LRU; pages that come back soon "
		   "begin young",
	.state_bytes = mglru_state_bytes,
	.init = mglru_init,
	.select = mglru_select,
	.add = mglru_add,
	.remove = mglru_remove,
	.refault = mglru_refault,
	.advise = mglru_advise,
	.check = Z_IF_CHECK(mglru_check),
};
