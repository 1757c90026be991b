/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clockpro.c - CLOCK-Pro: hot and cold pages, a test period for cold ones that goes on when they
 * are out, and a share of cold pages that follows how many of them pass the test.
 *
 * Theory: S. Jiang, F. Chen and X. Zhang, "CLOCK-Pro: An Effective Improvement of the CLOCK
 * Replacement" (USENIX ATC 2005). What counts is not when a page was used last but how far apart
 * its last two uses are, compared with the hot pages. A new page is cold and in its test period. If
 * it is used again while that lasts, in memory or out, its uses are closer than those of the hot
 * pages that were not used meanwhile, and it becomes hot. The hand of the hot pages makes room: a
 * hot page not used since the hand came by is demoted. Loops larger than memory, where anything by
 * age alone loses every page just before its use, keep their hot pages.
 *
 * Here the one clock of the paper with three hands is two queues (probation.h: small holds the cold
 * pages, main the hot ones) and ghosts for the cold pages that are out. The test period ends when
 * the hot hand has passed half of the hot pages since the page went; in the paper it ends when the
 * hot hand passes the page's place in the clock. A ghost that falls out of the table ends its test
 * too. A page that is demoted was not used for a whole turn of the hot hand: it is the next for the
 * cold hand, so it is taken at once without a second look.
 *
 * The cold share grows by one page for each page that comes back in its test period, and shrinks by
 * one for each that goes and does not (it is taken off as the page goes, and given back twice). It
 * stays between an eighth and a fifth of the frames: below, a page has no time to be used again;
 * above, hot pages go.
 *
 * Cost, advice, limits: those of probation.h. State: 8 bytes a frame and 4 for ghosts.
 * Locks: pager lock, see eviction.h.
 */
#include "probation.h"

#define COLD_LEAST 8U /* the cold share is at least the frames divided by this */
#define COLD_MOST  5U /* and at most the frames divided by this */
#define TEST_TURN  2U /* a test period is a turn of the hot hand divided by this */

struct clockpro {
	struct z__prob p;
	uint32_t cold; /* [P] pages that are to be cold */
	struct z__ghost memory[];
};

static size_t clockpro_state_bytes(uint32_t nframes)
{
	return offsetof(struct clockpro, memory) + z__prob_bytes(nframes);
}

static int clockpro_init(void *state, const struct z_eviction_host *host)
{
	struct clockpro *s = state;

	s->cold = host->nframes / COLD_LEAST;
	return z__prob_init(&s->p, host, s->memory);
}

/* The share of cold pages moves by `up` less `down`, within its limits. */
static void adapt(struct clockpro *s, uint32_t up, uint32_t down)
{
	uint32_t least = s->p.c.host.nframes / COLD_LEAST;
	uint32_t most = s->p.c.host.nframes / COLD_MOST;
	uint32_t cold = s->cold + up;

	cold = cold < least + down ? least : cold - down;
	s->cold = cold > most ? most : cold;
}

static struct z_page_frame *clockpro_select(void *state)
{
	struct clockpro *s = state;
	uint32_t most = s->p.c.count / COLD_MOST;

	s->p.share = s->cold < most ? s->cold : most;
	return z__prob_select(&s->p);
}

/* Did the page come back in its test period? */
static bool passes_test(struct clockpro *s, const struct z_page_frame *pf)
{
	uint32_t then;
	uint32_t hot = s->p.c.count - s->p.small_len;

	return z__ghost_take(&s->p.ghosts, pf->addr, &then) &&
	       s->p.hand_steps - then <= hot / TEST_TURN;
}

static void clockpro_add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	struct clockpro *s = state;
	bool passed = reason != Z_ADD_AHEAD && passes_test(s, pf);

	if (passed) {
		adapt(s, 2, 0);
	}
	z__prob_add(&s->p, pf, reason, passed && reason == Z_ADD_FAULT);
}

static void clockpro_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	struct clockpro *s = state;
	uint32_t i = z__candidate_index(&s->p.c, pf);

	if (i != Z__NO_INDEX && reason == Z_REMOVE_EVICT && !z__prob_is_main(&s->p, i)) {
		z__ghost_put(&s->p.ghosts, pf->addr, s->p.hand_steps);
		adapt(s, 0, 1);
	}
	z__prob_remove(&s->p, i);
}

static void clockpro_advise(void *state, struct z_page_frame *pf, enum z_advice advice)
{
	struct clockpro *s = state;

	z__prob_advise(&s->p, pf, advice);
}

static int clockpro_check(void *state)
{
	const struct clockpro *s = state;
	uint32_t nframes = s->p.c.host.nframes;
	int line = z__prob_check(&s->p);

	if (line == 0 && (s->cold < nframes / COLD_LEAST || s->cold > nframes / COLD_MOST)) {
		line = __LINE__;
	}
	return line;
}

const struct z_eviction_ops z_eviction_clockpro = {
	.name = "clockpro",
	.summary =
		"CLOCK-Pro: cold pages become hot if used again in a test period, in memory or out",
	.state_bytes = clockpro_state_bytes,
	.ghost_bytes = z__ghost_bytes,
	.init = clockpro_init,
	.select = clockpro_select,
	.add = clockpro_add,
	.remove = clockpro_remove,
	.advise = clockpro_advise,
	.check = Z_IF_CHECK(clockpro_check),
};
