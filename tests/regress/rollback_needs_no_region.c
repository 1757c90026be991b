/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollback_needs_no_region.c - a mapping that is taken back needs no room in the table of regions.
 *
 * While a mapping was being filled, another context mapped the place right behind it; both had become
 * one region with the one before. Taking the failed mapping back cut a hole into it, which needs one
 * region more, and the table was full: the entry behind its end was overwritten. A mapping that is
 * filled at once is a region of its own now.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../core/internal.h"
#include "../support/sim_world.h"
#include "../support/store_hostile.h"

#define AT(i) (SIM_WORLD_VM + (uintptr_t)(i)*Z_PAGE_SIZE)

static struct store_hostile *hostile;
static struct sim_world *w;
static int neighbour_result = 1;

static struct z_store *wrap(void *arg, struct z_store *inner)
{
	(void)arg;
	hostile = store_hostile_open(inner);
	return store_hostile_store(hostile);
}

/* In the middle of a page_out, no lock held: another context maps the place behind. */
static void map_behind(void *ctx, enum store_hostile_op op, z_loc_t loc)
{
	uintptr_t va = AT(8);

	(void)ctx;
	(void)op;
	(void)loc;
	if (neighbour_result == 1) {
		neighbour_result = z_pager_map(w->pager, 2, SIM_WORLD_RW, Z_MAP_FIXED, 1, &va);
	}
}

/* One region apart, one before the place; whether the mapping gets its own depends on the room. */
static void fail_to_populate(uint32_t max_regions, int wanted)
{
	uintptr_t apart = AT(20);
	uintptr_t before = AT(2);
	uintptr_t va = AT(5);
	int err;

	neighbour_result = 1;
	w = sim_world_open(&(struct sim_world_params){
		.frames = 2, .max_regions = max_regions, .ghosts = 16, .wrap_store = wrap});
	assert_int_equal(z_pager_map(w->pager, 1, SIM_WORLD_RW, Z_MAP_FIXED, 1, &apart), 0);
	assert_int_equal(z_pager_map(w->pager, 3, SIM_WORLD_RW, Z_MAP_FIXED, 1, &before), 0);
	sim_world_fill(w, before, 1);
	sim_world_fill(w, before + Z_PAGE_SIZE, 2);
	store_hostile_hook(hostile, map_behind, NULL);
	store_hostile_fail(hostile, STORE_OUT, 2, 100, Z_ERR_IO);
	err = z_pager_map(w->pager, 3, SIM_WORLD_RW, Z_MAP_FIXED | Z_MAP_POPULATE, 1, &va);
	store_hostile_hook(hostile, NULL, NULL);
	store_hostile_fail(hostile, STORE_OUT, 0, 0, 0);

	assert_true(w->pager->nregions <= max_regions);
	assert_int_equal(err, wanted);
	assert_true(z_pager_is_mapped(w->pager, AT(2), 3));
	assert_false(z_pager_is_mapped(w->pager, AT(5), 1));
	assert_false(z_pager_is_mapped(w->pager, AT(7), 1));
	assert_int_equal(z_pager_is_mapped(w->pager, AT(8), 2), neighbour_result == 0);
	sim_world_verify(w, before, 1);
	sim_world_close(w);
}

static void a_failed_populate_between_two_maps(void **state)
{
	(void)state;
	fail_to_populate(2, Z_ERR_NOMEM);
	fail_to_populate(3, Z_ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_populate_between_two_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
