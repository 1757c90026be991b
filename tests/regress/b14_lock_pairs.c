/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b14_lock_pairs.c - HAZARDS B14: a function unlocked twice where it should have locked again. Each
 * function of the interface runs with the lock-checking machine, for both settings of unlock_for_io and
 * with interrupts on and off in the caller; afterwards they are as they were.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

static void every_function(struct sim_world *w)
{
	struct z_pager *p = w->pager;
	uintptr_t va = sim_world_map(w, 6, SIM_WORLD_RW, 0);
	uintptr_t pinned = sim_world_map(w, 1, SIM_WORLD_RW, Z_MAP_PINNED);
	uintptr_t populated = sim_world_map(w, 2, SIM_WORLD_RW, Z_MAP_POPULATE);
	struct z_stats stats;
	char text[8];

	for (size_t i = 0; i < 6; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_page_out(p, va, 6, NULL), 0);
	assert_int_equal(z_pager_page_in(p, va, 3, NULL), 0);
	assert_int_equal(z_pager_pin(p, va, 1), 0);
	assert_int_equal(z_pager_page_out(p, va, 1, NULL), Z_ERR_BUSY);
	assert_int_equal(z_pager_unpin(p, va, 1), 0);
	assert_int_equal(z_pager_protect(p, va, 6, Z_ACCESS_READ), 0);
	assert_int_equal(z_pager_protect(p, va, 6, SIM_WORLD_RW), 0);
	assert_true(z_pager_is_mapped(p, va, 6));
	assert_int_equal(z_pager_fault(p, va, Z_ACCESS_EXEC), Z_FAULT_VIOLATION);
	assert_int_equal(z_pager_fault(p, va + 5 * Z_PAGE_SIZE, Z_ACCESS_WRITE), Z_FAULT_RESOLVED);
	assert_int_equal(z_pager_advise(p, va, 6, Z_ADVICE_WILLNEED), 0);
	assert_int_equal(z_pager_advise(p, va, 1, Z_ADVICE_FREE), 0);
	assert_int_equal(z_pager_reclaim(p, 2), 0);
	assert_int_equal(z_pager_set_frames(p, 3), 0);
	assert_int_equal(z_pager_set_frames(p, 6), 0);
	assert_int_equal(z_pager_unmap(p, pinned, 1), 0);
	assert_int_equal(z_pager_bank_offline(p, 0), 0);
	assert_int_equal(z_pager_bank_online(p, 0), 0);
	assert_int_equal(z_pager_unmap(p, populated, 2), 0);
	z_pager_stats(p, &stats);
	(void)z_pager_dump(p, text, sizeof(text) - 1);
	assert_int_equal(z_pager_check(p, Z_CHECK_CONTENTS, NULL), 0);
	assert_int_equal(z_pager_destroy(p), 0);
}

static void the_lock_is_paired(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct sim_world *w = sim_world_open(&(struct sim_world_params){
			.frames = 6, .banks = 2, .keep_lock_for_io = (i & 1) != 0});
		bool on = (i & 2) != 0;

		z_sim_set_irqs(w->sim, on);
		every_function(w);
		assert_string_equal(z_sim_error_text(w->sim), "");
		assert_false(z_sim_lock_held(w->sim));
		assert_int_equal(z_sim_set_irqs(w->sim, true), on);
		sim_world_close(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lock_is_paired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
