/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b10_no_victim_no_room.c - HAZARDS B10: no victim, or a full store, was only asserted; a release build
 * went on with garbage. Here both are results, and nothing is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

static void no_victim_is_a_result(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 3});
	uintptr_t pinned = sim_world_map(w, 3, SIM_WORLD_RW, Z_MAP_PINNED);
	uintptr_t va = sim_world_map(w, 1, SIM_WORLD_RW, 0);
	size_t done = 7;

	(void)state;
	sim_world_fill(w, pinned, 5);
	assert_int_equal(z_pager_fault(w->pager, va, Z_ACCESS_READ), Z_FAULT_NO_MEMORY);
	assert_int_equal(z_pager_page_in(w->pager, va, 1, &done), Z_ERR_NOMEM);
	assert_int_equal(done, 0);
	assert_int_equal(z_pager_pin(w->pager, va, 1), Z_ERR_NOMEM);
	assert_int_equal(sim_world_stats(w).failed_faults, 1);
	assert_int_equal(z_pager_unmap(w->pager, pinned + 2 * Z_PAGE_SIZE, 1), 0);
	assert_int_equal(z_pager_fault(w->pager, va, Z_ACCESS_READ), Z_FAULT_RESOLVED);
	sim_world_verify(w, pinned, 5);
	sim_world_close(w);
}

static void a_full_store_is_a_result(void **state)
{
	struct sim_world *w =
		sim_world_open(&(struct sim_world_params){.frames = 3, .store = "ram:size=16K"});
	uintptr_t va = sim_world_map(w, 9, SIM_WORLD_RW, Z_MAP_NORESERVE);

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_fault(w->pager, va + 7 * Z_PAGE_SIZE, Z_ACCESS_WRITE),
			 Z_FAULT_NO_MEMORY);
	sim_world_check(w);
	/* One page less, and it goes on, with everything intact. */
	assert_int_equal(z_pager_advise(w->pager, va + 3 * Z_PAGE_SIZE, 1, Z_ADVICE_DONTNEED), 0);
	for (size_t i = 0; i < 7; i++) {
		if (i != 3) {
			sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
		}
	}
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_victim_is_a_result),
		cmocka_unit_test(a_full_store_is_a_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
