/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b03_two_frames.c - HAZARDS B3: with two frames in the queue, a page of code and a page of data
 * evicted each other for ever and the program stood still.
 *
 * A program whose instructions need a page of code and up to three of data, all at once, runs in
 * exactly as many frames, and in one and two more: each instruction ends after at most twice as many
 * faults as it has pages. Locks: none. Limits: one processor.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_sim.h"

enum { PAGES = 32, INSTRUCTIONS = 20000 };

/* Faults until all the pages are in at the same time; begun again after each. */
static uint32_t execute(struct ev_sim *s, const uint32_t *page, uint32_t pages, bool touch_at_once)
{
	uint32_t faults = 0;

	for (uint32_t k = 0; k < pages; k++) {
		bool fault = ev_sim_fill(s, page[k]);

		if (!fault || touch_at_once) {
			ev_touch(&s->h, s->frame_of[page[k]], k > 0);
		}
		if (fault) {
			faults++;
			assert_true(faults <= 2 * pages);
			k = UINT32_MAX; /* from the first page again */
		}
	}
	return faults;
}

static void run(const struct z_eviction_ops *ops, uint32_t pages, uint32_t spare, bool at_once)
{
	uint64_t seed = 17 + pages;
	uint64_t faults = 0;
	struct ev_sim s;

	ev_sim_open(&s, ops, pages + spare, PAGES);
	for (uint32_t i = 0; i < INSTRUCTIONS; i++) {
		uint32_t page[4];

		/* Distinct: the k-th operand from the k-th quarter. */
		for (uint32_t k = 0; k < pages; k++) {
			page[k] = k * PAGES / 4 + ev_random(&seed, k == 0 ? 2 : PAGES / 4);
		}
		faults += execute(&s, page, pages, at_once);
	}
	assert_int_equal(faults, s.misses);
	ev_sim_close(&s);
}

static void program_gets_on(void **state)
{
	for (uint32_t pages = 2; pages <= 4; pages++) {
		for (uint32_t spare = 0; spare <= 2; spare++) {
			run(*state, pages, spare, true);
			run(*state, pages, spare, false);
		}
	}
}

int main(void)
{
	int failed = 0;

	for (size_t i = 0; z_eviction_at(i) != NULL; i++) {
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate(program_gets_on,
						  (void *)(uintptr_t)z_eviction_at(i)),
		};

		failed += cmocka_run_group_tests_name(z_eviction_at(i)->name, tests, NULL, NULL);
	}
	return failed;
}
