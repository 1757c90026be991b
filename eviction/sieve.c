/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sieve.c - SIEVE: pages stay in the order in which they came, and a hand goes from the oldest to
 * the newest; used pages are spared where they are.
 *
 * Theory: Y. Zhang, J. Yang, Y. Yue, Y. Vigfusson and K. V. Rashmi, "SIEVE is Simpler than LRU: an
 * Efficient Turn-Key Eviction Algorithm for Web Caches" (NSDI 2024). The clock puts a new page
 * behind its hand, so every page waits a whole turn for its first look. Here a new page goes to the
 * end of the queue, wherever the hand is: while the hand is among the newer pages, it meets new ones
 * soon after they came and sifts out those that are not used again, and what it has spared stays
 * behind, in peace until the hand begins again at the oldest.
 *
 * The touch that filled a page sets its accessed bit, and that counts as a use: a page is given up
 * at its second look at the earliest. A page that was read ahead and not touched goes at its first.
 * WILLNEED and NORMAL leave the tag USED, which counts as an accessed bit at the next look.
 *
 * Dirty pages: one that is not used is passed over once, with the tag WAITS, in the hope that a
 * clean one comes; it is given up when the hand comes by again, unless used meanwhile. That is one
 * look more, and done only if one is saved (looks.h).
 *
 * Two frames are passed over once, without a look, while there is another candidate. The one filled
 * last may not have been touched yet, and the instruction that wants it would never get on (HAZARDS
 * B3). The last victim, if it is still there, was not taken by the core.
 *
 * Limit of one select: min(2 * candidates, Z__LOOKS_MAX) looks. If no victim was found the first one
 * looked at is taken, the first that the hand would come back to.
 *
 * Cost: O(1) amortised: looks are at most selects + passed over (two an add) + (pages found used).
 * No timer. A loop slightly larger than memory misses always, as with any algorithm by age alone.
 *
 * Advice: COLD puts the page under the hand, with its accessed bit cleared and the tag COLD: the
 * next victim unless touched first, dirty or not. SEQUENTIAL and RANDOM do not say which page to
 * give up: ignored.
 *
 * State: 8 bytes a frame. Locks: pager lock, see eviction.h. Limits: those of queue.h.
 */
#include "queue.h"

#define LOOKS (Z__LOOK_COST * 7 / 4) /* earned by a select */

enum { TAG_NONE, TAG_USED, TAG_WAITS, TAG_COLD };

struct sieve {
	struct z__cand c;
	uint32_t hand;   /* [P] the candidate to look at next, or the sentinel before the oldest */
	uint32_t newest; /* [P] filled last, not yet passed over, or none */
	uint32_t last;   /* [P] the last victim, if not removed nor passed over, or none */
	struct z__link link[];
};

static size_t sieve_state_bytes(uint32_t nframes)
{
	return offsetof(struct sieve, link) + z__cand_bytes(nframes, 1);
}

static int sieve_init(void *state, const struct z_eviction_host *host)
{
	struct sieve *s = state;
	int err = z__cand_init(&s->c, host, s->link, 1);

	s->hand = err == 0 ? z__queue(&s->c, 0) : 0;
	s->newest = Z__NO_INDEX;
	s->last = Z__NO_INDEX;
	return err;
}

/* Of two candidates the last victim is the one that is spared. */
static bool is_spared(const struct sieve *s, uint32_t i)
{
	bool both = s->last != Z__NO_INDEX && s->last != s->newest;

	return s->c.count > 1 && (i == s->last || (i == s->newest && !(both && s->c.count == 2)));
}

static void unspare(struct sieve *s, uint32_t i)
{
	s->newest = s->newest == i ? Z__NO_INDEX : s->newest;
	s->last = s->last == i ? Z__NO_INDEX : s->last;
}

/* Look at a frame; it keeps its place. Is it the victim? */
static bool is_victim(struct sieve *s, uint32_t i)
{
	unsigned int tag = z__tag(&s->c, i);
	unsigned int info = z__look_paid(&s->c, i);
	bool used = tag == TAG_USED || (info & Z_INFO_ACCESSED) != 0;
	bool waits = !used && tag == TAG_NONE && (info & Z_INFO_DIRTY) != 0 && z__look_saved(&s->c);

	z__tag_set(&s->c, i, waits ? TAG_WAITS : TAG_NONE);
	return !used && !waits;
}

/* newest_passed: it was spared once. */
static struct z_page_frame *take(struct sieve *s, uint32_t i, bool newest_passed)
{
	unspare(s, newest_passed ? s->newest : i);
	s->last = i;
	return z__frame(&s->c, i);
}

static struct z_page_frame *sieve_select(void *state)
{
	struct sieve *s = state;
	uint32_t limit = z__looks_limit(&s->c, 2);
	uint32_t first = Z__NO_INDEX;
	bool newest_passed = false;

	if (limit == 0) {
		return NULL;
	}
	s->c.saved = z__looks_earn(s->c.saved, LOOKS);
	for (uint32_t looks = 0; looks < limit; looks++) {
		uint32_t i = z__hand_at(&s->c, s->hand);

		s->hand = z__after(&s->c, i);
		if (is_spared(s, i)) {
			newest_passed = newest_passed || i == s->newest;
		} else if (is_victim(s, i)) {
			return take(s, i, newest_passed);
		} else if (first == Z__NO_INDEX) {
			first = i;
		}
	}
	return take(s, first, newest_passed);
}

static void sieve_add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	struct sieve *s = state;
	uint32_t i = z__cand_add(&s->c, pf, z__queue(&s->c, 0), TAG_NONE);

	if (i != Z__NO_INDEX && reason != Z_ADD_AHEAD) {
		s->newest = i;
	}
}

static void sieve_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	struct sieve *s = state;
	uint32_t i = z__candidate_index(&s->c, pf);

	(void)reason;
	if (i != Z__NO_INDEX) {
		unspare(s, i);
		z__step_off(&s->c, &s->hand, i);
	}
	z__cand_remove(&s->c, i);
}

static void sieve_advise(void *state, struct z_page_frame *pf, enum z_advice advice)
{
	struct sieve *s = state;
	uint32_t i = z__candidate_index(&s->c, pf);

	if (i == Z__NO_INDEX) {
		return;
	}
	if (advice == Z_ADVICE_COLD) {
		(void)z__look_paid(&s->c, i);
		unspare(s, i);
		z__step_off(&s->c, &s->hand, i);
		z__move_before(&s->c, i, z__hand_at(&s->c, s->hand), TAG_COLD);
		s->hand = i;
	} else if (advice == Z_ADVICE_WILLNEED || advice == Z_ADVICE_NORMAL) {
		z__tag_set(&s->c, i, TAG_USED);
	}
}

static bool spared_is_sound(const struct sieve *s, uint32_t i)
{
	return i == Z__NO_INDEX || (i < s->c.host.nframes && z__is_candidate(&s->c, i));
}

static int sieve_check(void *state)
{
	const struct sieve *s = state;
	uint32_t len = 0;
	int line = z__cand_check(&s->c);

	if (line == 0) {
		line = z__queue_check(&s->c, z__queue(&s->c, 0), 0, 0, &len);
	}
	if (line == 0 &&
	    (len != s->c.count || !z__hand_is_sound(&s->c, s->hand, z__queue(&s->c, 0)))) {
		line = __LINE__;
	}
	if (line == 0 && !(spared_is_sound(s, s->newest) && spared_is_sound(s, s->last))) {
		line = __LINE__;
	}
	return line;
}

const struct z_eviction_ops z_eviction_sieve = {
	.name = "sieve",
	.summary = "SIEVE: a hand from the oldest to the newest page; used ones keep their place",
	.state_bytes = sieve_state_bytes,
	.init = sieve_init,
	.select = sieve_select,
	.add = sieve_add,
	.remove = sieve_remove,
	.advise = sieve_advise,
	.check = Z_IF_CHECK(sieve_check),
};
