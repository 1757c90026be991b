/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lru.c - least recently used, as far as accessed bits and soft faults tell when a page was used.
 *
 * Theory: the order is that of the last *known* use. A use that is reported (a fault, a soft fault,
 * advice) puts the page at the tail at once; if every use were reported so, this would be true LRU.
 * An accessed bit only tells that there was a use since it was last cleared, so the bits are looked
 * at twice on a page's way to the head: the queue has two parts, the first looks are where a page
 * passes from the young part to the old part, the second at the head of the old part. A page that
 * is found used goes to the tail of the young part. The old part is two fifths of the candidates: what is
 * still unused at its head was not used for as long as that much memory takes to turn over, and a
 * page that is used more often than that is only given up by the limits below. The clock looks once
 * a turn and cannot tell a use just after its look from one just before the next. Two queues that
 * feed each other are in Mach (R. Draves, "Page Replacement and Reference Bit Emulation in Mach",
 * 1991) and in the BSDs.
 *
 * The bit of the very touch that filled the page is no second use. So a page put at the tail by a
 * reported use has the tag KNOWN: at its first look a set bit is cleared and not counted.
 *
 * Two frames are passed over once while there is another candidate. The page filled last may not
 * have been touched yet when the next frame is needed, and the instruction that wants it would
 * never get on (HAZARDS B3). And the last victim, which goes to the young tail: if the core did not
 * take it, the next select gives another.
 *
 * Limits of one select: 4 looks at the young part while the old part is too short and not empty;
 * min(2 * candidates, Z__LOOKS_MAX) looks in all. If all those were in use, the head of the old part is
 * taken, or if that is empty the first frame looked at: the longest without a known use.
 *
 * Cost: O(1). In the steady state a page that is used once is looked at twice. Looks are at most
 * 2 * adds + selects + (pages found used), and never more than Z__LOOKS_MAX a select. No timer.
 *
 * Read ahead: such a page has not been used. It goes to the tail of the old part (to the young tail
 * if the old part is empty, or it would be the next victim) and has to be touched to stay longer.
 * Advice: COLD is the head of the old part with the bit cleared; WILLNEED and NORMAL are reported
 * uses. SEQUENTIAL and RANDOM are ignored: they do not say which page to give up.
 * refault: a page that comes back is put at the tail anyway, however short it was away.
 *
 * State: 8 bytes a frame. Locks: pager lock, see eviction.h. Limits: those of queue.h.
 */
#include "queue.h"

enum { QUEUE_YOUNG, QUEUE_OLD, QUEUES };

enum {
	TAG_KNOWN = 1, /* the use that a set bit tells of is the one that put the page here */
	TAG_OLD = 2,   /* on the old queue */
};

#define YOUNG_LOOKS 4U

struct lru {
	struct z__cand c;
	uint32_t old_len; /* [P] candidates on the old queue */
	uint32_t newest;  /* [P] filled last, not yet passed over; on the young queue; or none */
	uint32_t last;    /* [P] the last victim, if not taken nor passed over; same; or none */
	struct z__link link[];
};

static size_t lru_state_bytes(uint32_t nframes)
{
	return offsetof(struct lru, link) + z__cand_bytes(nframes, QUEUES);
}

static int lru_init(void *state, const struct z_eviction_host *host)
{
	struct lru *l = state;

	l->old_len = 0;
	l->newest = Z__NO_INDEX;
	l->last = Z__NO_INDEX;
	return z__cand_init(&l->c, host, l->link, QUEUES);
}

static uint32_t head(const struct lru *l, uint32_t queue)
{
	return z__after(&l->c, z__queue(&l->c, queue));
}

static bool is_old(const struct lru *l, uint32_t i)
{
	return (z__tag(&l->c, i) & TAG_OLD) != 0;
}

/* The candidate goes before `at`, which is on the old queue if the tag says so, else the young. */
static void place(struct lru *l, uint32_t i, uint32_t at, unsigned int tag)
{
	l->old_len -= is_old(l, i) ? 1 : 0;
	l->old_len += (tag & TAG_OLD) != 0 ? 1 : 0;
	z__move_before(&l->c, i, at, tag);
}

static void to_young_tail(struct lru *l, uint32_t i, unsigned int tag)
{
	place(l, i, z__queue(&l->c, QUEUE_YOUNG), tag);
}

static void to_old_tail(struct lru *l, uint32_t i)
{
	place(l, i, z__queue(&l->c, QUEUE_OLD), TAG_OLD);
}

static bool used(const struct lru *l, uint32_t i)
{
	return (z__look(&l->c, i) & Z_INFO_ACCESSED) != 0;
}

/* Is the frame to be passed over? */
static bool is_spared(const struct lru *l, uint32_t i)
{
	return l->c.count > 1 && (i == l->newest || i == l->last);
}

/* The frame is not to be passed over any more. */
static void unspare(struct lru *l, uint32_t i)
{
	l->newest = l->newest == i ? Z__NO_INDEX : l->newest;
	l->last = l->last == i ? Z__NO_INDEX : l->last;
}

/* The head of the young queue moves on: to its tail if used, else to the old queue. */
static void pass_young(struct lru *l, uint32_t i)
{
	bool known = z__tag(&l->c, i) == TAG_KNOWN;

	if (is_spared(l, i)) {
		unspare(l, i);
		to_young_tail(l, i, TAG_KNOWN);
	} else if (used(l, i) && !known) {
		to_young_tail(l, i, 0);
	} else {
		to_old_tail(l, i);
	}
}

static struct z_page_frame *take(struct lru *l, uint32_t i)
{
	to_young_tail(l, i, TAG_KNOWN);
	l->last = i;
	return z__frame(&l->c, i);
}

/* Is it the young queue's turn to be looked at? */
static bool young_is_due(const struct lru *l, uint32_t young_looks)
{
	return l->old_len == 0 || (l->old_len < l->c.count * 2 / 5 && young_looks < YOUNG_LOOKS);
}

static struct z_page_frame *lru_select(void *state)
{
	struct lru *l = state;
	uint32_t limit = z__looks_limit(&l->c, 2);
	uint32_t young_looks = 0;
	uint32_t first = Z__NO_INDEX;

	for (uint32_t looks = 0; looks < limit; looks++) {
		bool young = young_is_due(l, young_looks);
		uint32_t i = head(l, young ? QUEUE_YOUNG : QUEUE_OLD);

		if (first == Z__NO_INDEX && !is_spared(l, i)) {
			first = i;
		}
		if (young) {
			young_looks++;
			pass_young(l, i);
		} else if (used(l, i)) {
			to_young_tail(l, i, 0);
		} else {
			return take(l, i);
		}
	}
	if (limit == 0) {
		return NULL;
	}
	return take(l, l->old_len > 0 ? head(l, QUEUE_OLD) : first);
}

static void lru_add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	struct lru *l = state;
	uint32_t young = z__queue(&l->c, QUEUE_YOUNG);
	uint32_t i = z__cand_add(&l->c, pf, young, reason == Z_ADD_AHEAD ? 0 : TAG_KNOWN);

	if (i == Z__NO_INDEX) {
		return;
	}
	if (reason != Z_ADD_AHEAD) {
		l->newest = i;
	} else if (l->old_len > 0) {
		to_old_tail(l, i);
	}
}

static void lru_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	struct lru *l = state;
	uint32_t i = z__candidate_index(&l->c, pf);

	(void)reason;
	if (i != Z__NO_INDEX) {
		l->old_len -= is_old(l, i) ? 1 : 0;
		unspare(l, i);
	}
	z__cand_remove(&l->c, i);
}

static void lru_accessed(void *state, struct z_page_frame *pf)
{
	struct lru *l = state;
	uint32_t i = z__candidate_index(&l->c, pf);

	if (i != Z__NO_INDEX) {
		to_young_tail(l, i, TAG_KNOWN);
	}
}

static void lru_advise(void *state, struct z_page_frame *pf, enum z_advice advice)
{
	struct lru *l = state;
	uint32_t i = z__candidate_index(&l->c, pf);

	if (i == Z__NO_INDEX) {
		return;
	}
	if (advice == Z_ADVICE_COLD) {
		(void)used(l, i);
		unspare(l, i);
		place(l, i, head(l, QUEUE_OLD), TAG_OLD);
	} else if (advice == Z_ADVICE_WILLNEED || advice == Z_ADVICE_NORMAL) {
		to_young_tail(l, i, TAG_KNOWN);
	}
}

static bool spared_is_sound(const struct lru *l, uint32_t i)
{
	return i == Z__NO_INDEX ||
	       (i < l->c.host.nframes && z__is_candidate(&l->c, i) && !is_old(l, i));
}

static int lru_check(void *state)
{
	const struct lru *l = state;
	uint32_t young = 0;
	uint32_t old = 0;
	int line = z__cand_check(&l->c);

	if (line == 0) {
		line = z__queue_check(&l->c, z__queue(&l->c, QUEUE_YOUNG), TAG_OLD, 0, &young);
	}
	if (line == 0) {
		line = z__queue_check(&l->c, z__queue(&l->c, QUEUE_OLD), 3, TAG_OLD, &old);
	}
	if (line == 0 && (old != l->old_len || young + old != l->c.count)) {
		line = __LINE__;
	}
	if (line == 0 && !(spared_is_sound(l, l->newest) && spared_is_sound(l, l->last))) {
		line = __LINE__;
	}
	return line;
}

const struct z_eviction_ops z_eviction_lru = {
	.name = "lru",
	.summary = "least recently used, by accessed bits that are looked at twice and soft faults",
	.state_bytes = lru_state_bytes,
	.init = lru_init,
	.select = lru_select,
	.add = lru_add,
	.remove = lru_remove,
	.accessed = lru_accessed,
	.advise = lru_advise,
	.check = Z_IF_CHECK(lru_check),
};
