/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b16_map_rolls_back.c - HAZARDS B16: a mapping that failed half-way left pages, locations and addresses
 * behind. The worst case: pages of the new mapping have gone to the store already.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"
#include "../support/store_hostile.h"

static struct store_hostile *hostile;

static struct z_store *wrap(void *arg, struct z_store *inner)
{
	(void)arg;
	hostile = store_hostile_open(inner);
	return store_hostile_store(hostile);
}

static void a_failed_populate_leaves_nothing(void **state)
{
	(void)state;
	for (uint64_t nth = 1; nth <= 5; nth++) {
		struct sim_world *w =
			sim_world_open(&(struct sim_world_params){.frames = 3, .wrap_store = wrap});
		uintptr_t kept = sim_world_map(w, 2, SIM_WORLD_RW, 0);
		uintptr_t va = 4711;

		sim_world_fill(w, kept, 1);
		sim_world_fill(w, kept + Z_PAGE_SIZE, 2);
		store_hostile_fail(hostile, STORE_OUT, nth, 100, Z_ERR_IO);
		assert_int_equal(z_pager_map(w->pager, 8, SIM_WORLD_RW, Z_MAP_POPULATE, 1, &va),
				 Z_ERR_IO);
		store_hostile_fail(hostile, STORE_OUT, 0, 0, 0);
		assert_int_equal(va, 4711);
		assert_int_equal(sim_world_stats(w).pages_mapped, 2);
		assert_true(store_hostile_live(hostile) <= 2);
		sim_world_verify(w, kept, 1);
		sim_world_verify(w, kept + Z_PAGE_SIZE, 2);
		assert_null(store_hostile_violation(hostile));
		sim_world_close(w);
	}
}

static void a_failed_pinned_map_leaves_nothing(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 4});
	uintptr_t kept = sim_world_map(w, 1, SIM_WORLD_RW, 0);
	uintptr_t va = 4711;

	(void)state;
	sim_world_fill(w, kept, 1);
	assert_int_equal(z_pager_map(w->pager, 5, SIM_WORLD_RW, Z_MAP_PINNED, 1, &va), Z_ERR_NOMEM);
	assert_int_equal(va, 4711);
	assert_int_equal(sim_world_stats(w).pages_pinned, 0);
	assert_int_equal(sim_world_stats(w).pages_mapped, 1);
	assert_int_equal(sim_world_stats(w).frames_free, 4);
	sim_world_verify(w, kept, 1);
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_populate_leaves_nothing),
		cmocka_unit_test(a_failed_pinned_map_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
