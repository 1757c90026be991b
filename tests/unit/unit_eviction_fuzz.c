/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_eviction_fuzz.c - every algorithm against an adversary: sequences of calls that are made for
 * the algorithm's own last answer, check() after every single one.
 *
 * The adversary keeps to the contract and to nothing else. It pins, unmaps, advises or touches the
 * last victim and its neighbours, refuses victims, takes a batch of them and fills as many frames
 * at once, brings back the page that just went or one that went long ago, reads ahead over the
 * whole memory, and lets every bit be set again at once. After each call: the state is sound; a
 * select looks at as many frames as it may; a victim that was refused is not the next one; the
 * frame that was added last, not ahead of need, is not the first victim. (The last two not for all,
 * see may_repeat() and may_take_newest().)
 * ZPAGER_TEST_SEED=n begins elsewhere; a failure prints the seed, the size and the step.
 * Locks: none. Limits: 64 frames, each page in one frame at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_host.h"

enum { FRAMES_MAX = 64, PAGES = 4 * FRAMES_MAX, STEPS = 20000, LOOKS_MAX = 64 };

struct fuzz {
	struct ev_host h;
	uint64_t seed;
	uint32_t n;
	uint32_t page_in[FRAMES_MAX]; /* the page of a frame that is in, or was last */
	bool resident[PAGES];
	uint64_t went[PAGES]; /* the eviction that took it out, from 1; 0: never */
	uint64_t evictions;
	uint32_t near; /* a frame near the last answer */
	uint32_t
		refused; /* the victim of the last select, if that was refused and nothing happened */
	uint32_t stayed; /* the same, whatever happened since, while it is a candidate */
	uint32_t filled; /* added last, not ahead of need; no select since, still there */
};

static uint32_t pick(struct fuzz *f, uint32_t below)
{
	return ev_random(&f->seed, below);
}

/* One that went last, one that went long ago, or any: the first that is not resident. */
static uint32_t pick_page(struct fuzz *f)
{
	uint32_t page = pick(f, 2) == 0 ? f->page_in[f->near] : pick(f, PAGES);

	while (f->resident[page]) {
		page = (page + 1) % PAGES;
	}
	return page;
}

static void add(struct fuzz *f, uint32_t frame, enum z_add_reason reason)
{
	if (f->h.in[frame]) {
		return;
	}
	if (reason == Z_ADD_FAULT || reason == Z_ADD_AHEAD || f->resident[f->page_in[frame]]) {
		uint32_t page = pick_page(f);

		f->page_in[frame] = page;
		ev_put_page(&f->h, frame, page);
		if (f->went[page] != 0) {
			ev_refault(&f->h, frame, (uint32_t)(f->evictions - f->went[page] + 1));
		}
	}
	f->resident[f->page_in[frame]] = true;
	ev_add(&f->h, frame, reason);
	f->filled = reason == Z_ADD_AHEAD ? f->filled : frame;
}

static void take_out(struct fuzz *f, uint32_t frame, enum z_remove_reason reason)
{
	if (!f->h.in[frame]) {
		return;
	}
	ev_remove(&f->h, frame, reason);
	f->resident[f->page_in[frame]] = false;
	f->filled = f->filled == frame ? EV_NONE : f->filled;
	f->stayed = f->stayed == frame ? EV_NONE : f->stayed;
	if (reason == Z_REMOVE_EVICT) {
		f->went[f->page_in[frame]] = ++f->evictions;
	}
}

/*
 * These spare the one that was refused once for each look, not for each select: if bits are set again
 * during a select they may come back to it at once.
 */
static bool may_repeat(const struct z_eviction_ops *ops)
{
	return ops == &z_eviction_nru || ops == &z_eviction_lru;
}

/* So do they with the newest; and clock takes the first in its order if all are in use, new or not. */
static bool may_take_newest(const struct z_eviction_ops *ops)
{
	return may_repeat(ops) || ops == &z_eviction_clock;
}

static uint32_t choose(struct fuzz *f)
{
	uint32_t refused = f->refused;
	uint32_t allowed = f->h.count * 2 < LOOKS_MAX ? f->h.count * 2 : LOOKS_MAX;
	uint32_t victim;

	f->h.most_once = 0;
	victim = ev_select(&f->h);
	assert_in_range(f->h.most_once, 0, allowed);
	if (f->h.count > 1) {
		assert_true(refused == EV_NONE || victim != refused || may_repeat(f->h.ops));
		/* Of two, the one that was refused counts for more. */
		assert_true(victim != f->filled || may_take_newest(f->h.ops) ||
			    (f->h.count == 2 && f->stayed != EV_NONE));
	}
	f->filled = EV_NONE;
	f->stayed = EV_NONE;
	f->near = victim != EV_NONE ? victim : f->near;
	return victim;
}

static void select_one(struct fuzz *f)
{
	uint32_t victim = choose(f);

	f->refused = EV_NONE;
	if (victim == EV_NONE) {
		return;
	}
	if (pick(f, 3) == 0) {
		f->refused = victim;
		f->stayed = victim;
	} else {
		take_out(f, victim, Z_REMOVE_EVICT);
	}
}

/* Eviction ahead of need: many victims, then as many fills, of which some are ahead of need too. */
static void batch(struct fuzz *f)
{
	uint32_t freed[FRAMES_MAX];
	uint32_t want = 1 + pick(f, f->n);
	uint32_t got = 0;

	while (got < want && f->h.count > 0) {
		freed[got] = choose(f);
		f->refused = EV_NONE;
		take_out(f, freed[got++], Z_REMOVE_EVICT);
		ev_check(&f->h);
	}
	for (uint32_t i = 0; i < got; i++) {
		add(f, freed[i], pick(f, 2) == 0 ? Z_ADD_AHEAD : Z_ADD_FAULT);
		ev_check(&f->h);
	}
}

static void touch_around(struct fuzz *f, uint32_t frame)
{
	uint32_t many = pick(f, 4) == 0 ? f->n : 1;

	for (uint32_t i = 0; i < many; i++) {
		ev_touch(&f->h, (frame + i) % f->n, pick(f, 2) == 0);
	}
	if (pick(f, 16) == 0) {
		f->h.always_hot = !f->h.always_hot;
	}
}

/* Anything but a select. */
static void disturb(struct fuzz *f)
{
	uint32_t frame = (f->near + f->n + pick(f, 3) - 1) % f->n;

	frame = pick(f, 2) == 0 ? pick(f, f->n) : frame;
	switch (pick(f, 8)) {
	case 0:
	case 1:
	case 2:
		add(f, frame, (enum z_add_reason)pick(f, 4));
		break;
	case 3:
		take_out(f, frame, (enum z_remove_reason)pick(f, 3));
		break;
	case 4:
		ev_advise(&f->h, frame, (enum z_advice)pick(f, Z_ADVICE_FREE + 1));
		f->filled = EV_NONE; /* COLD overrules it */
		break;
	case 5:
		ev_soft_fault(&f->h, frame);
		break;
	default:
		touch_around(f, frame);
	}
	f->refused = EV_NONE;
}

static void begin(struct fuzz *f, const struct z_eviction_ops *ops, uint32_t n, uint64_t seed)
{
	*f = (struct fuzz){
		.seed = seed, .n = n, .refused = EV_NONE, .filled = EV_NONE, .stayed = EV_NONE};
	ev_open(&f->h, ops, n);
	for (uint32_t i = 0; i < n; i++) {
		f->page_in[i] = i;
	}
}

static void adversary(void **state)
{
	const uint32_t sizes[] = {1, 2, 3, 4, 7, 8, 9, 16, 33, FRAMES_MAX};
	uint64_t seed = ev_seed(41);
	static struct fuzz f;

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		begin(&f, *state, sizes[k], seed + k);
		for (uint32_t step = 0; step < STEPS; step++) {
			uint32_t what = pick(&f, 64);

			if (what == 0) {
				batch(&f);
			} else if (what < 20) {
				select_one(&f);
			} else {
				disturb(&f);
			}
			if (f.h.ops->check(f.h.state) != 0) {
				fail_msg("line %d: %u frames, step %u", f.h.ops->check(f.h.state),
					 (unsigned int)f.n, (unsigned int)step);
			}
		}
		ev_close(&f.h);
	}
}

int main(void)
{
	int failed = 0;

	for (size_t i = 0; z_eviction_at(i) != NULL; i++) {
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate(adversary, (void *)(uintptr_t)z_eviction_at(i)),
		};

		failed += cmocka_run_group_tests_name(z_eviction_at(i)->name, tests, NULL, NULL);
	}
	return failed;
}
