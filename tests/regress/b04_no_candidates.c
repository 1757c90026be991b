/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b04_no_candidates.c - HAZARDS B4: an algorithm asserted at boot, because frames were unpinned and
 * pinned that it did not have, or not yet, in its queue.
 *
 * Boot as the core does it: no candidate at first, frames unpinned and pinned in any order, with
 * events about frames that are pinned in between. Then the rule about pairs: a second add or remove
 * changes nothing, and check() tells of it. Locks: none. Limits: none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_host.h"

enum { FRAMES = 8 };

static void boot(void **state)
{
	struct ev_host h;

	ev_open(&h, *state, FRAMES);
	for (uint32_t round = 0; round < 100; round++) {
		assert_int_equal(ev_select(&h), EV_NONE);
		for (uint32_t i = 0; i < FRAMES; i++) {
			uint32_t frame = (i * 3 + round) % FRAMES;

			ev_soft_fault(&h, frame);
			ev_advise(&h, frame, Z_ADVICE_COLD);
			ev_add(&h, frame, Z_ADD_UNPIN);
			ev_check(&h);
		}
		for (uint32_t i = 0; i < FRAMES; i++) {
			uint32_t frame = (i * 5 + round) % FRAMES;

			ev_remove(&h, frame, Z_REMOVE_PIN);
			ev_soft_fault(&h, frame);
			ev_check(&h);
		}
	}
	ev_close(&h);
}

static void pairs(void **state)
{
	struct ev_host h;

	ev_open(&h, *state, FRAMES);
	h.ops->remove(h.state, &h.host.frames[2], Z_REMOVE_PIN);
	assert_int_not_equal(h.ops->check(h.state), 0);
	assert_int_equal(ev_select(&h), EV_NONE);
	ev_add(&h, 2, Z_ADD_UNPIN);
	h.ops->add(h.state, &h.host.frames[2], Z_ADD_UNPIN);
	assert_int_equal(ev_evict(&h), 2);
	assert_int_equal(ev_select(&h), EV_NONE);
	ev_close(&h);
}

int main(void)
{
	int failed = 0;

	for (size_t i = 0; z_eviction_at(i) != NULL; i++) {
		void *ops = (void *)(uintptr_t)z_eviction_at(i);
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate(boot, ops),
			cmocka_unit_test_prestate(pairs, ops),
		};

		failed += cmocka_run_group_tests_name(z_eviction_at(i)->name, tests, NULL, NULL);
	}
	return failed;
}
