/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames_out_of_service.c - found by the random model: what few frames are left has to be usable.
 *
 * A reserve evicted ahead of need that is as large as what set_frames left in service evicted each
 * page right after its fault: a livelock. And frames of a bank that is off-line did not count as
 * out of service, so set_frames retired all the others too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/sim_world.h"

static void a_reserve_leaves_room_after_a_shrink(void **state)
{
	struct sim_world *w = sim_world_open(
		&(struct sim_world_params){.frames = 16, .batch = 4, .low_water = 2});
	uintptr_t va = sim_world_map(w, 8, SIM_WORLD_RW, 0);

	(void)state;
	assert_int_equal(z_pager_set_frames(w->pager, 2), 0);
	for (size_t i = 0; i < 8; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	for (size_t i = 0; i < 8; i++) {
		sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
	}
	sim_world_close(w);
}

static void a_reserve_leaves_room_beside_pins(void **state)
{
	struct sim_world *w = sim_world_open(
		&(struct sim_world_params){.frames = 16, .batch = 4, .low_water = 2});
	uintptr_t pinned = sim_world_map(w, 14, SIM_WORLD_RW, Z_MAP_PINNED);
	uintptr_t va = sim_world_map(w, 3, SIM_WORLD_RW, 0);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_unmap(w->pager, pinned, 14), 0);
	sim_world_close(w);
}

static void frames_of_an_offline_bank_are_out_of_service(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 8, .banks = 2});
	uintptr_t va = sim_world_map(w, 16, SIM_WORLD_RW, 0);

	(void)state;
	assert_int_equal(z_pager_bank_offline(w->pager, 1), 0);
	assert_int_equal(z_pager_set_frames(w->pager, 4), 0);
	for (size_t i = 0; i < 16; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(sim_world_stats(w).frames_resident, 4);
	assert_int_equal(z_pager_bank_online(w->pager, 1), 0);
	assert_int_equal(sim_world_stats(w).frames_retired, 4);
	assert_int_equal(sim_world_stats(w).frames_free, 0);
	sim_world_close(w);
}

static void a_bank_offline_brings_retired_frames_back(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 8, .banks = 2});
	uintptr_t va = sim_world_map(w, 16, SIM_WORLD_RW, 0);

	(void)state;
	assert_int_equal(z_pager_set_frames(w->pager, 4), 0);
	assert_int_equal(z_pager_bank_offline(w->pager, 1), 0);
	for (size_t i = 0; i < 16; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(sim_world_stats(w).frames_resident, 4);
	assert_int_equal(sim_world_stats(w).frames_retired, 0);
	assert_int_equal(z_pager_bank_online(w->pager, 1), 0);
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reserve_leaves_room_after_a_shrink),
		cmocka_unit_test(a_reserve_leaves_room_beside_pins),
		cmocka_unit_test(frames_of_an_offline_bank_are_out_of_service),
		cmocka_unit_test(a_bank_offline_brings_retired_frames_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
