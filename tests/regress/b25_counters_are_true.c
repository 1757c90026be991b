/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b25_counters_are_true.c - HAZARDS B25: counters counted what was decided, also when it failed or was
 * overruled. The upstream counters keep that meaning (what the victim was when it was chosen); beside
 * them stand counters of what happened.
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

static void decided_and_done_are_two_things(void **state)
{
	struct sim_world *w =
		sim_world_open(&(struct sim_world_params){.frames = 4, .wrap_store = wrap});
	uintptr_t va = sim_world_map(w, 2, SIM_WORLD_RW, 0);
	struct z_stats s;
	uint64_t value;

	(void)state;
	/* A page that was only read: clean when it is chosen, and yet it has to be written. */
	assert_int_equal(z_sim_load64(w->sim, va, &value), Z_SIM_OK);
	assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
	s = sim_world_stats(w);
	assert_int_equal(s.eviction_clean, 1);
	assert_int_equal(s.pages_written, 1);
	assert_int_equal(s.pages_dropped, 0);

	/* An eviction that fails was decided, and nothing was written. */
	sim_world_fill(w, va + Z_PAGE_SIZE, 1);
	store_hostile_fail(hostile, STORE_OUT, 1, 1, Z_ERR_IO);
	assert_int_equal(z_pager_page_out(w->pager, va + Z_PAGE_SIZE, 1, NULL), Z_ERR_IO);
	s = sim_world_stats(w);
	assert_int_equal(s.eviction_dirty, 1);
	assert_int_equal(s.pages_written, 1);
	assert_int_equal(s.failed_evictions, 1);
	assert_int_equal(s.write_errors, 1);

	/* A load that fails is no page fault. */
	store_hostile_fail(hostile, STORE_IN, 1, 1, Z_ERR_IO);
	assert_int_equal(z_sim_load64(w->sim, va, &value), Z_SIM_IO_ERROR);
	s = sim_world_stats(w);
	assert_int_equal(s.pagefaults, 2);
	assert_int_equal(s.failed_faults, 1);
	assert_int_equal(s.read_errors, 1);
	assert_int_equal(s.pages_read, 0);
	assert_int_equal(z_sim_load64(w->sim, va, &value), Z_SIM_OK);

	/* evict_frame counts like all others. */
	assert_int_equal(z_pager_evict_frame(w->pager, z_sim_entry(w->sim, va).phys), 0);
	s = sim_world_stats(w);
	assert_int_equal(s.eviction_clean, 2);
	assert_int_equal(s.pages_dropped, 1);
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decided_and_done_are_two_things),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
