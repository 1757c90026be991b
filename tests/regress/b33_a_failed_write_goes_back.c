/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b33_a_failed_write_goes_back.c - HAZARDS B33: the entry was switched to the location before the data
 * was written; a failed write had no way back. B31, B17: a failed transfer is an error of the call.
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

static void the_page_stays_where_it_is(void **state)
{
	struct sim_world *w = sim_world_open(
		&(struct sim_world_params){.frames = 8, .batch = 4, .wrap_store = wrap});
	uintptr_t va = sim_world_map(w, 4, SIM_WORLD_RW, 0);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	for (int round = 0; round < 10; round++) {
		store_hostile_fail(hostile, STORE_OUT, 1, 4, Z_ERR_IO);
		assert_int_equal(z_pager_page_out(w->pager, va, 4, NULL), Z_ERR_IO);
		store_hostile_fail(hostile, STORE_OUT, 0, 0, 0);
		assert_int_equal(sim_world_store_stats(w).used_pages, 0);
		for (size_t i = 0; i < 4; i++) {
			assert_int_equal(sim_world_kind(w, va + i * Z_PAGE_SIZE), Z_ENTRY_IN);
			sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
		}
		sim_world_check_contents(w);
	}
	sim_world_fill(w, va, 44);
	assert_int_equal(z_pager_page_out(w->pager, va, 4, NULL), 0);
	sim_world_verify(w, va, 44);
	sim_world_close(w);
}

/* A clean page whose new write fails was not lost with its copy. */
static void a_dirty_page_over_its_old_copy(void **state)
{
	struct sim_world *w =
		sim_world_open(&(struct sim_world_params){.frames = 2, .wrap_store = wrap});
	uintptr_t va = sim_world_map(w, 1, SIM_WORLD_RW, 0);

	(void)state;
	sim_world_fill(w, va, 1);
	assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
	sim_world_verify(w, va, 1);
	sim_world_fill(w, va, 2);
	store_hostile_fail(hostile, STORE_OUT, 1, 1, Z_ERR_IO);
	assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), Z_ERR_IO);
	assert_false(z_page_frame_is_backed(sim_world_frame(w, va)));
	sim_world_verify(w, va, 2);
	assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
	sim_world_verify(w, va, 2);
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_stays_where_it_is),
		cmocka_unit_test(a_dirty_page_over_its_old_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
