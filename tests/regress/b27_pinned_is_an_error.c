/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b27_pinned_is_an_error.c - HAZARDS B27: evicting a pinned page was only asserted. B28: pins did not
 * nest. B29: page_in and pin could not say that they failed.
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

static void a_pinned_page_cannot_leave(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 4, .banks = 2});
	uintptr_t va = sim_world_map(w, 3, SIM_WORLD_RW, 0);
	size_t done = 0;

	(void)state;
	assert_int_equal(z_pager_page_in(w->pager, va, 3, NULL), 0);
	assert_int_equal(z_pager_pin(w->pager, va + Z_PAGE_SIZE, 1), 0);
	assert_int_equal(z_pager_evict_frame(w->pager, z_sim_entry(w->sim, va + Z_PAGE_SIZE).phys),
			 Z_ERR_BUSY);
	assert_int_equal(z_pager_page_out(w->pager, va, 3, &done), Z_ERR_BUSY);
	assert_int_equal(done, 1);
	assert_int_equal(sim_world_kind(w, va), Z_ENTRY_OUT);
	assert_int_equal(z_pager_unmap(w->pager, va, 3), Z_ERR_BUSY);
	assert_int_equal(z_pager_advise(w->pager, va, 3, Z_ADVICE_DONTNEED), Z_ERR_BUSY);
	assert_true(z_pager_is_mapped(w->pager, va, 3));
	assert_int_equal(z_pager_bank_offline(w->pager, 0), Z_ERR_BUSY);
	assert_int_equal(z_pager_unpin(w->pager, va + Z_PAGE_SIZE, 1), 0);
	assert_int_equal(z_pager_bank_offline(w->pager, 0), 0);
	assert_int_equal(z_pager_bank_online(w->pager, 0), 0);
	sim_world_close(w);
}

static void pins_nest(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 4});
	uintptr_t va = sim_world_map(w, 3, SIM_WORLD_RW, 0);

	(void)state;
	assert_int_equal(z_pager_pin(w->pager, va, 2), 0);
	assert_int_equal(z_pager_pin(w->pager, va + Z_PAGE_SIZE, 2), 0);
	assert_int_equal(z_pager_unpin(w->pager, va, 2), 0);
	assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
	assert_int_equal(z_pager_page_out(w->pager, va + Z_PAGE_SIZE, 1, NULL), Z_ERR_BUSY);
	assert_int_equal(z_pager_unpin(w->pager, va, 3), Z_ERR_INVAL);
	assert_int_equal(sim_world_stats(w).pages_pinned, 2);
	assert_int_equal(z_pager_unpin(w->pager, va + Z_PAGE_SIZE, 2), 0);
	assert_int_equal(z_pager_page_out(w->pager, va, 3, NULL), 0);
	sim_world_close(w);
}

static void failures_are_said_with_the_progress(void **state)
{
	struct sim_world *w =
		sim_world_open(&(struct sim_world_params){.frames = 8, .wrap_store = wrap});
	uintptr_t va = sim_world_map(w, 5, SIM_WORLD_RW, 0);
	size_t done = 0;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_page_out(w->pager, va, 5, &done), 0);
	assert_int_equal(done, 5);
	store_hostile_fail(hostile, STORE_IN, 3, 1, Z_ERR_CORRUPT);
	assert_int_equal(z_pager_page_in(w->pager, va, 5, &done), Z_ERR_CORRUPT);
	assert_int_equal(done, 2);
	assert_int_equal(z_pager_page_out(w->pager, va, 5, NULL), 0);
	store_hostile_fail(hostile, STORE_IN, 4, 1, Z_ERR_IO);
	assert_int_equal(z_pager_pin(w->pager, va, 5), Z_ERR_IO);
	assert_int_equal(sim_world_stats(w).pages_pinned, 0);
	assert_int_equal(z_pager_pin(w->pager, va, 5), 0);
	assert_int_equal(z_pager_unpin(w->pager, va, 5), 0);
	assert_int_equal(z_pager_page_in(w->pager, va, 6, &done), Z_ERR_FAULT);
	assert_int_equal(done, 5);
	for (size_t i = 0; i < 5; i++) {
		sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
	}
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pinned_page_cannot_leave),
		cmocka_unit_test(pins_nest),
		cmocka_unit_test(failures_are_said_with_the_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
