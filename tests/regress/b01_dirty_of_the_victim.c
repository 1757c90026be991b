/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b01_dirty_of_the_victim.c - HAZARDS B1: an algorithm returned the dirty bit of the frame that it had
 * looked at last, not of the one that it chose. Here the core reads the bit, page by page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

/* Pages 0, 2, 4 are clean and have a copy, 1, 3, 5 are dirty; the exact number is written. */
static void only_dirty_pages_are_written(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 64, .batch = 8});
	uintptr_t va = sim_world_map(w, 6, SIM_WORLD_RW, 0);
	struct z_stats before;
	struct z_stats after;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_page_out(w->pager, va, 6, NULL), 0);
	for (size_t i = 0; i < 6; i++) {
		sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
	}
	for (size_t i = 1; i < 6; i += 2) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i + 100);
	}
	before = sim_world_stats(w);
	assert_int_equal(z_pager_page_out(w->pager, va, 6, NULL), 0);
	after = sim_world_stats(w);
	assert_int_equal(after.pages_written - before.pages_written, 3);
	assert_int_equal(after.pages_dropped - before.pages_dropped, 3);
	assert_int_equal(after.eviction_dirty - before.eviction_dirty, 3);
	assert_int_equal(after.eviction_clean - before.eviction_clean, 3);
	for (size_t i = 0; i < 6; i++) {
		sim_world_verify(w, va + i * Z_PAGE_SIZE, i % 2 == 0 ? i : i + 100);
	}
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_dirty_pages_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
