/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.c - second chance: a hand goes round the candidates; a page that was used since the hand
 * came by last is spared once, the first that was not is the victim.
 *
 * Theory: F. J. Corbato, "A Paging Experiment with the Multics System" (1968). The ring holds the
 * candidates alone, so a pinned or free frame costs nothing. A new candidate goes in just behind
 * the hand: it is the last one of the sweep. It also carries the tag USED, which counts as an
 * accessed bit at the next look: a page that was just filled has not always been touched by the
 * time somebody else needs a frame, and taking it then would mean that the instruction which wants
 * it never gets on. So a frame filled by a fault is never the first victim while there is another
 * candidate, even with two frames (HAZARDS B3). A page read ahead of need has no such tag.
 *
 * A victim stays in the ring until the core removes it, behind the hand and with the tag: if the
 * core does not take it, the next select gives another one, even if all the others are in use.
 *
 * Limit of one select: min(candidates, Z__LOOKS_MAX) looks. If all of these were in use, the first one looked
 * at is taken. That is the frame the classical clock takes when it has come round a ring where all
 * were in use; the limit only leaves out the frames after that, of which one may be idle. The
 * classical sweep is bounded by the ring alone, and a program that touches everything between two
 * faults makes it pay that each time, with interrupts locked.
 *
 * Cost: every look but the last of a select clears a bit that the program had to set since the hand
 * came by, or spends a tag that an add has set. Looks are thus at most selects + adds + (pages
 * found used), and never more than Z__LOOKS_MAX a select. No timer.
 *
 * Advice: COLD puts the page under the hand, with its accessed bit and tag cleared; it is the next
 * victim unless touched first. WILLNEED and NORMAL count as a use. SEQUENTIAL and RANDOM say how
 * pages will be used in future, not which page to give up: ignored.
 * accessed is not needed: a soft fault also sets what sample() reports. refault: there is no
 * better place than the end of the sweep, where every new page goes anyway.
 *
 * State: 8 bytes a frame. Locks: pager lock, see eviction.h. Limits: those of queue.h.
 */
#include "queue.h"

enum { TAG_USED = 1 };

struct clock {
	struct z__cand c;
	uint32_t hand; /* [P] the candidate to look at next, or the sentinel */
	struct z__link link[];
};

static size_t clock_state_bytes(uint32_t nframes)
{
	return offsetof(struct clock, link) + z__cand_bytes(nframes, 1);
}

static int clock_init(void *state, const struct z_eviction_host *host)
{
	struct clock *k = state;
	int err = z__cand_init(&k->c, host, k->link, 1);

	k->hand = err == 0 ? z__queue(&k->c, 0) : 0;
	return err;
}

/* The frame goes behind the hand: to the end of the sweep. */
static void behind_hand(struct clock *k, uint32_t i, unsigned int tag)
{
	z__step_off(&k->c, &k->hand, i);
	z__move_before(&k->c, i, k->hand, tag);
}

/* Was the page used since the last look? Afterwards it counts as not used. */
static bool spend_use(struct clock *k, uint32_t i)
{
	unsigned int tag = z__tag(&k->c, i);
	unsigned int info = z__look(&k->c, i);

	z__tag_set(&k->c, i, 0);
	return tag == TAG_USED || (info & Z_INFO_ACCESSED) != 0;
}

static struct z_page_frame *clock_select(void *state)
{
	struct clock *k = state;
	uint32_t limit = z__looks_limit(&k->c, 1);
	uint32_t first;

	if (limit == 0) {
		return NULL;
	}
	first = z__hand_at(&k->c, k->hand);
	for (uint32_t looks = 0; looks < limit; looks++) {
		uint32_t i = z__hand_at(&k->c, k->hand);

		k->hand = z__after(&k->c, i);
		if (!spend_use(k, i)) {
			z__tag_set(&k->c, i, TAG_USED);
			return z__frame(&k->c, i);
		}
	}
	behind_hand(k, first, TAG_USED);
	return z__frame(&k->c, first);
}

static void clock_add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	struct clock *k = state;

	z__cand_add(&k->c, pf, k->hand, reason == Z_ADD_AHEAD ? 0 : TAG_USED);
}

static void clock_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	struct clock *k = state;
	uint32_t i = z__candidate_index(&k->c, pf);

	(void)reason;
	if (i != Z__NO_INDEX) {
		z__step_off(&k->c, &k->hand, i);
	}
	z__cand_remove(&k->c, i);
}

static void clock_advise(void *state, struct z_page_frame *pf, enum z_advice advice)
{
	struct clock *k = state;
	uint32_t i = z__candidate_index(&k->c, pf);

	if (i == Z__NO_INDEX) {
		return;
	}
	if (advice == Z_ADVICE_COLD) {
		behind_hand(k, i, 0);
		k->hand = i;
		(void)spend_use(k, i);
	} else if (advice == Z_ADVICE_WILLNEED || advice == Z_ADVICE_NORMAL) {
		behind_hand(k, i, TAG_USED);
	}
}

static int clock_check(void *state)
{
	const struct clock *k = state;
	uint32_t len = 0;
	int line = z__cand_check(&k->c);

	if (line == 0) {
		line = z__queue_check(&k->c, z__queue(&k->c, 0), 2, 0, &len);
	}
	if (line == 0 &&
	    (len != k->c.count || !z__hand_is_sound(&k->c, k->hand, z__queue(&k->c, 0)))) {
		line = __LINE__;
	}
	return line;
}

const struct z_eviction_ops z_eviction_clock = {
	.name = "clock",
	.summary = "second chance: the first page in turn that was not used since the last turn",
	.state_bytes = clock_state_bytes,
	.init = clock_init,
	.select = clock_select,
	.add = clock_add,
	.remove = clock_remove,
	.advise = clock_advise,
	.check = Z_IF_CHECK(clock_check),
};
