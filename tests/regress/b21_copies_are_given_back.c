/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b21_copies_are_given_back.c - HAZARDS B21: unmapping a resident page with a clean copy never freed the
 * copy: a caching store leaked. Ten times the store's size goes round.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

static void round_trip(struct sim_world *w, bool forget)
{
	uintptr_t va = sim_world_map(w, 4, SIM_WORLD_RW, 0);

	for (size_t i = 0; i < 4; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_page_out(w->pager, va, 4, NULL), 0);
	for (size_t i = 0; i < 4; i++) {
		sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(sim_world_store_stats(w).cached_pages, 4);
	if (forget) {
		assert_int_equal(z_pager_advise(w->pager, va, 4, Z_ADVICE_DONTNEED), 0);
		assert_int_equal(sim_world_store_stats(w).used_pages, 0);
	}
	assert_int_equal(z_pager_unmap(w->pager, va, 4), 0);
	assert_int_equal(sim_world_store_stats(w).used_pages, 0);
}

static void copies_do_not_leak(void **state)
{
	struct sim_world *w =
		sim_world_open(&(struct sim_world_params){.frames = 4, .store = "ram:size=32K"});

	(void)state;
	for (int i = 0; i < 20; i++) {
		round_trip(w, i % 2 == 0);
	}
	assert_int_equal(sim_world_store_stats(w).stolen, 0);
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_do_not_leak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
