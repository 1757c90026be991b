/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b19_location_zero.c - HAZARDS B19: a page at location 0 was taken for one that is not mapped. The
 * first location of the RAM store is 0. B20: a page that was never touched has no location, and none is
 * freed for it.
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

static void location_zero_is_a_location(void **state)
{
	struct sim_world *w =
		sim_world_open(&(struct sim_world_params){.frames = 1, .wrap_store = wrap});
	uintptr_t va = sim_world_map(w, 2, SIM_WORLD_RW, 0);
	uint64_t value;

	(void)state;
	for (int round = 0; round < 2; round++) {
		sim_world_fill(w, va, 1);
		assert_int_equal(z_sim_load64(w->sim, va + Z_PAGE_SIZE, &value), Z_SIM_OK);
		assert_int_equal(z_sim_entry(w->sim, va).kind, Z_ENTRY_OUT);
		assert_int_equal(z_sim_entry(w->sim, va).loc.v, 0);
		sim_world_verify(w, va, 1);
		assert_int_equal(z_pager_advise(w->pager, va + Z_PAGE_SIZE, 1, Z_ADVICE_FREE), 0);
		assert_int_equal(z_pager_advise(w->pager, va, 1, Z_ADVICE_FREE), 0);
	}
	sim_world_fill(w, va, 1);
	assert_int_equal(z_sim_load64(w->sim, va + Z_PAGE_SIZE, &value), Z_SIM_OK);
	assert_int_equal(z_pager_unmap(w->pager, va, 2), 0);
	assert_int_equal(sim_world_store_stats(w).used_pages, 0);
	sim_world_close(w);
}

static void untouched_pages_never_reach_the_store(void **state)
{
	struct sim_world *w =
		sim_world_open(&(struct sim_world_params){.frames = 2, .wrap_store = wrap});
	uintptr_t va = sim_world_map(w, 10, SIM_WORLD_RW, 0);

	(void)state;
	for (size_t i = 2; i < 5; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_page_out(w->pager, va + 7 * Z_PAGE_SIZE, 3, NULL), 0);
	assert_int_equal(z_pager_advise(w->pager, va + 8 * Z_PAGE_SIZE, 2, Z_ADVICE_DONTNEED), 0);
	assert_int_equal(store_hostile_calls(hostile, STORE_GET), 1);
	assert_int_equal(z_pager_unmap(w->pager, va, 10), 0);
	assert_int_equal(store_hostile_calls(hostile, STORE_FREE), 1);
	assert_int_equal(sim_world_store_stats(w).used_pages, 0);
	assert_null(store_hostile_violation(hostile));
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(location_zero_is_a_location),
		cmocka_unit_test(untouched_pages_never_reach_the_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
