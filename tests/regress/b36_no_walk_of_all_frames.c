/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b36_no_walk_of_all_frames.c - HAZARDS B36: a timer walked all frames with interrupts off.
 *
 * With a million frames, all in use, every single call looks at 64 frames at most, and calls other
 * than select and COLD at none. There is nothing in the table of operations that a timer could
 * call. Locks: none. Limits: looks are counted; a walk that samples nothing would escape, except
 * that this test would then not end in time.
 * ctest-timeout: 60
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_host.h"

enum { FRAMES = 1 << 20, CALLS = 100000, LOOKS_MAX = 64 };

static uint64_t looks_of(struct ev_host *h, uint32_t what, uint32_t frame)
{
	uint64_t before = h->samples;

	switch (what) {
	case 0:
		ev_soft_fault(h, frame);
		break;
	case 1:
		ev_advise(h, frame, Z_ADVICE_WILLNEED);
		break;
	case 2:
		ev_remove(h, frame, Z_REMOVE_PIN);
		break;
	default:
		ev_add(h, frame, Z_ADD_UNPIN);
		ev_touch(h, frame, true);
	}
	return h->samples - before;
}

static void every_call_is_short(void **state)
{
	struct ev_host h;
	uint64_t seed = 23;

	ev_open(&h, *state, FRAMES);
	h.always_hot = true;
	for (uint32_t i = 0; i < FRAMES; i++) {
		assert_int_equal(looks_of(&h, 3, i), 0);
	}
	for (uint32_t i = 0; i < CALLS; i++) {
		uint32_t frame = ev_random(&seed, FRAMES);

		for (uint32_t what = 0; what < 4; what++) {
			assert_int_equal(looks_of(&h, what, frame), 0);
		}
		frame = ev_evict(&h);
		assert_int_equal(looks_of(&h, 3, frame), 0);
	}
	assert_in_range(h.most_once, 1, LOOKS_MAX);
	ev_check(&h);
	ev_close(&h);
}

int main(void)
{
	int failed = 0;

	for (size_t i = 0; z_eviction_at(i) != NULL; i++) {
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate(every_call_is_short,
						  (void *)(uintptr_t)z_eviction_at(i)),
		};

		failed += cmocka_run_group_tests_name(z_eviction_at(i)->name, tests, NULL, NULL);
	}
	return failed;
}
