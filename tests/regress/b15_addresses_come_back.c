/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b15_addresses_come_back.c - HAZARDS B15: a failed mapping gave back bits by the wrong unit, and
 * addresses leaked. B44: a mapping of one page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

static void addresses_are_not_used_up(void **state)
{
	struct sim_world *w = sim_world_open(
		&(struct sim_world_params){.frames = 4, .vm_pages = 34, .max_regions = 16});
	uintptr_t va = 0;

	(void)state;
	for (size_t round = 0; round < 100; round++) {
		uintptr_t maps[8];
		size_t n = 0;

		for (size_t pages = 1; pages <= 6; pages++) {
			assert_int_equal(z_pager_map(w->pager, pages, SIM_WORLD_RW, 0,
						     pages % 2 == 0 ? 2 : 1, &maps[n++]),
					 0);
			z_sim_inject(w->sim, Z_SIM_POINT_MAP, 1, 1, Z_ERR_NOMEM);
			assert_int_equal(z_pager_map(w->pager, 1, SIM_WORLD_RW, 0, 1, &va),
					 Z_ERR_NOMEM);
			assert_int_equal(z_pager_map(w->pager, 33, SIM_WORLD_RW, 0, 1, &va),
					 Z_ERR_NOMEM);
		}
		for (size_t pages = 1; pages <= 6; pages++) {
			size_t which = (pages * 5 + round) % 6;

			assert_int_equal(z_pager_unmap(w->pager, maps[which], which + 1), 0);
		}
		sim_world_check(w);
		/* All of the window but its two guards, in one piece. */
		assert_int_equal(z_pager_map(w->pager, 32, SIM_WORLD_RW, 0, 1, &va), 0);
		assert_int_equal(z_pager_unmap(w->pager, va, 32), 0);
		va = 0;
	}
	sim_world_close(w);
}

static void one_page_in_the_smallest_window(void **state)
{
	struct sim_world *w =
		sim_world_open(&(struct sim_world_params){.frames = 1, .vm_pages = 3});
	uintptr_t va = sim_world_map(w, 1, SIM_WORLD_RW, 0);
	uintptr_t other = 0;

	(void)state;
	assert_int_equal(va, SIM_WORLD_VM + Z_PAGE_SIZE);
	assert_int_equal(z_pager_map(w->pager, 1, SIM_WORLD_RW, 0, 1, &other), Z_ERR_NOMEM);
	sim_world_fill(w, va, 1);
	assert_int_equal(z_pager_protect(w->pager, va, 1, Z_ACCESS_READ), 0);
	sim_world_verify(w, va, 1);
	assert_int_equal(z_pager_unmap(w->pager, va, 1), 0);
	assert_int_equal(z_pager_map(w->pager, 1, SIM_WORLD_RW, 0, 1, &other), 0);
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_not_used_up),
		cmocka_unit_test(one_page_in_the_smallest_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
