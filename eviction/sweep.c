/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweep.c - a clock whose hand goes by addresses, for machines that show no accessed bit and make each
 * shoot-down dear: a Linux process.
 *
 * Theory. Two things are known there of a page: that it was missed, and how long it had been out then. A
 * page that comes back soon after it went is one that is used often, and is spared for some turns of the
 * hand; the distance, in evictions since it went, says how many. That is the refault distance of
 * J. Weiner, "Thrash detection-based file cache sizing" (Linux 3.15, 2014), as a lasting credit instead of one
 * activation. A credit of level n falls by one with probability 1 in spare_turns[n] at each look, so that
 * two bits last for some seven turns; the sequence of these chances is fixed.
 *
 * A candidate is linked beside the one that is next to it by address, if there is one within reach; so
 * the hand meets neighbours one after another, and the victims of one batch lie in few runs of addresses.
 * A page then stays for one turn or up to two, depending on where the hand was, where clock has two for
 * each. Which pages go is nearly as good by that as without (docs/EVICTION.md), and protecting
 * and unmapping a batch costs a fraction.
 *
 * A new page has level 1, which the first look takes: a frame filled by a fault is not the first victim
 * while there is another candidate. An accessed bit, where there is one, spares the page for one turn.
 * What select() names and the core does not take is left behind the hand.
 *
 * Advice: COLD puts the page under the hand, without credit. WILLNEED and NORMAL count as a use. The rest says
 * nothing about who goes first.
 *
 * Cost: a select has at most Z__LOOKS_MAX looks; if all of these are spared the first one goes that
 * was not used, if there is one, and is neither the newest nor what the last select gave. State: 8 bytes
 * a frame. Locks: pager lock, see eviction.h. Limits: those of queue.h.
 */
#include "queue.h"

#define LEVEL_NEW  1U
#define LEVEL_MOST 3U

struct sweep {
	struct z__cand c;
	uint32_t hand;      /* [P] the candidate to look at next, or the sentinel */
	uint32_t chance;    /* [P] of the fixed sequence */
	uint32_t back;      /* [P] the frame whose page has come back, or Z__NO_INDEX */
	unsigned int level; /* [P] and its credit */
	uint32_t newest;    /* [P] the frame filled last by a fault, until the next select */
	uint32_t named;     /* [P] what the last select gave, if it is a candidate still */
	struct z__link link[];
};

static size_t sweep_state_bytes(uint32_t nframes)
{
	return offsetof(struct sweep, link) + z__cand_bytes(nframes, 1);
}

static int sweep_init(void *state, const struct z_eviction_host *host)
{
	struct sweep *s = state;
	int err = z__cand_init(&s->c, host, s->link, 1);

	s->hand = err == 0 ? z__queue(&s->c, 0) : 0;
	s->back = Z__NO_INDEX;
	s->newest = Z__NO_INDEX;
	s->named = Z__NO_INDEX;
	return err;
}

/* One of n times; n: 1 or more. The usual constants of a 32-bit linear congruence. */
static bool once_in(struct sweep *s, uint32_t n)
{
	s->chance = s->chance * 1664525U + 1013904223U;
	return (s->chance >> 16) % n == 0;
}

enum verdict { GOES, HAS_CREDIT, IS_USED, VERDICTS };

/* One step of the hand. A page whose credit does not change is passed without a look at its bits. */
static enum verdict look(struct sweep *s, uint32_t i)
{
	static const uint32_t spare_turns[LEVEL_MOST + 1U] = {1, 1, 2, 4};
	unsigned int level = z__tag(&s->c, i);
	unsigned int info;

	if (level > 0 && !once_in(s, spare_turns[level])) {
		return HAS_CREDIT;
	}
	info = z__look(&s->c, i);
	/* The bit of a new page may be of the touch that brought it. */
	if (level > 0) {
		z__tag_set(&s->c, i, level - 1U);
		return HAS_CREDIT;
	}
	return (info & Z_INFO_ACCESSED) != 0 ? IS_USED : GOES;
}

/* To the end of the sweep. */
static void behind_hand(struct sweep *s, uint32_t i, unsigned int level)
{
	z__step_off(&s->c, &s->hand, i);
	z__move_before(&s->c, i, s->hand, level);
}

/* The lower, the sooner it goes if all are spared: the newest, and what was named last, only at the end. */
static unsigned int rank(const struct sweep *s, uint32_t i, enum verdict verdict)
{
	bool last = i == s->newest || i == s->named;

	return (unsigned int)verdict + (last ? VERDICTS : 0U);
}

static struct z_page_frame *named(struct sweep *s, uint32_t i)
{
	s->newest = Z__NO_INDEX;
	s->named = i;
	return z__frame(&s->c, i);
}

static struct z_page_frame *sweep_select(void *state)
{
	struct sweep *s = state;
	uint32_t limit = z__looks_limit(&s->c, 1);
	uint32_t first = Z__NO_INDEX;
	unsigned int lowest = UINT32_MAX;

	if (limit == 0) {
		return NULL;
	}
	for (uint32_t looks = 0; looks < limit; looks++) {
		uint32_t i = z__hand_at(&s->c, s->hand);
		enum verdict verdict = look(s, i);

		s->hand = z__after(&s->c, i);
		if (verdict == GOES) {
			z__tag_set(&s->c, i, LEVEL_NEW);
			return named(s, i);
		}
		if (rank(s, i, verdict) < lowest) {
			lowest = rank(s, i, verdict);
			first = i;
		}
	}
	behind_hand(s, first, LEVEL_NEW);
	return named(s, first);
}

/* The place of a new candidate: beside its neighbour, or behind the hand. */
static uint32_t place_of(const struct sweep *s, const struct z_page_frame *pf)
{
	const struct z_page_frame *beside = s->c.host.near(s->c.host.core, pf);
	uint32_t i = beside != NULL ? z__candidate_index(&s->c, beside) : Z__NO_INDEX;

	if (i == Z__NO_INDEX) {
		return s->hand;
	}
	if ((uintptr_t)beside->addr < (uintptr_t)pf->addr) {
		return z__after(&s->c, i);
	}
	return i == z__hand_at(&s->c, s->hand) ? s->hand : i;
}

static void sweep_add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	struct sweep *s = state;
	bool back = s->back != Z__NO_INDEX && s->back == z__frame_index(&s->c.host, pf);
	unsigned int level = back ? s->level : LEVEL_NEW;

	s->back = Z__NO_INDEX;
	uint32_t i = z__cand_add(&s->c, pf, place_of(s, pf), reason == Z_ADD_AHEAD ? 0 : level);

	if (reason != Z_ADD_AHEAD) {
		s->newest = i;
	}
}

static void sweep_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	struct sweep *s = state;
	uint32_t i = z__candidate_index(&s->c, pf);

	(void)reason;
	if (i != Z__NO_INDEX) {
		z__step_off(&s->c, &s->hand, i);
	}
	s->newest = s->newest == i ? Z__NO_INDEX : s->newest;
	s->named = s->named == i ? Z__NO_INDEX : s->named;
	z__cand_remove(&s->c, i);
}

static void sweep_refault(void *state, struct z_page_frame *pf, uint32_t distance)
{
	struct sweep *s = state;
	uint32_t frames = s->c.host.nframes;

	s->back = z__frame_index(&s->c.host, pf);
	if (distance < frames / 8U) {
		s->level = LEVEL_MOST;
	} else {
		s->level = distance < frames / 3U ? LEVEL_MOST - 1U : LEVEL_NEW;
	}
}

static void sweep_advise(void *state, struct z_page_frame *pf, enum z_advice advice)
{
	struct sweep *s = state;
	uint32_t i = z__candidate_index(&s->c, pf);

	if (i == Z__NO_INDEX) {
		return;
	}
	if (advice == Z_ADVICE_COLD) {
		behind_hand(s, i, 0);
		s->hand = i;
		(void)z__look(&s->c, i);
	} else if (advice == Z_ADVICE_WILLNEED || advice == Z_ADVICE_NORMAL) {
		behind_hand(s, i, z__tag(&s->c, i) > 0 ? z__tag(&s->c, i) : LEVEL_NEW);
	}
}

static int sweep_check(void *state)
{
	const struct sweep *s = state;
	uint32_t len = 0;
	int line = z__cand_check(&s->c);

	if (line == 0) {
		line = z__queue_check(&s->c, z__queue(&s->c, 0), 0, 0, &len);
	}
	if (line == 0 &&
	    (len != s->c.count || !z__hand_is_sound(&s->c, s->hand, z__queue(&s->c, 0)))) {
		line = __LINE__;
	}
	return line;
}

const struct z_eviction_ops z_eviction_sweep = {
	.name = "sweep",
	.summary = "a clock by addresses; pages that came back soon stay for some turns",
	.state_bytes = sweep_state_bytes,
	.init = sweep_init,
	.select = sweep_select,
	.add = sweep_add,
	.remove = sweep_remove,
	.refault = sweep_refault,
	.advise = sweep_advise,
	.check = Z_IF_CHECK(sweep_check),
};
