/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b02_victim_spread.c - HAZARDS B2: a search that always began at frame 0 gave up the same page
 * again and again while a large region was being filled.
 *
 * Four and forty times the memory is filled, read only, written, and mixed: no frame is evicted
 * more than twice as often as the mean (and one), none less than half (and one); victims that
 * follow each other differ. Locks: none. Limits: none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_sim.h"

enum { FRAMES = 200 };

/* written: this many of 10 pages. */
static void fill(const struct z_eviction_ops *ops, uint32_t times, uint32_t written)
{
	uint32_t npages = FRAMES * times;
	uint32_t mean = times - 1;
	struct ev_sim s;

	ev_sim_open(&s, ops, FRAMES, npages);
	for (uint32_t page = 0; page < npages; page++) {
		assert_true(ev_sim_ref(&s, page, page % 10 < written));
		ev_check(&s.h);
	}
	for (uint32_t frame = 0; frame < FRAMES; frame++) {
		assert_in_range(s.evictions[frame], mean / 2 > 0 ? mean / 2 - 1 : 0, 2 * mean + 1);
	}
	ev_sim_close(&s);
}

static void spread(void **state)
{
	for (uint32_t written = 0; written <= 10; written++) {
		fill(*state, 4, written);
		fill(*state, 40, written);
	}
}

/* Dead dirty pages do not hold the memory for ever while clean ones stream by. */
static void dead_dirty_pages_go(void **state)
{
	struct ev_sim s;
	uint32_t dead = 0;

	ev_sim_open(&s, *state, FRAMES, 3 * FRAMES);
	for (uint32_t page = 0; page < 3 * FRAMES; page++) {
		ev_sim_ref(&s, page, page < FRAMES);
	}
	for (uint32_t page = 0; page < FRAMES; page++) {
		dead += s.frame_of[page] != EV_NONE ? 1 : 0;
	}
	assert_true(dead <= FRAMES / 8 + 1);
	ev_sim_close(&s);
}

int main(void)
{
	int failed = 0;

	for (size_t i = 0; z_eviction_at(i) != NULL; i++) {
		void *ops = (void *)(uintptr_t)z_eviction_at(i);
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate(spread, ops),
			cmocka_unit_test_prestate(dead_dirty_pages_go, ops),
		};

		failed += cmocka_run_group_tests_name(z_eviction_at(i)->name, tests, NULL, NULL);
	}
	return failed;
}
