/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_reserve.c - frames that are kept free ahead of need: how many leave in one batch, and that what left is
 * there again.
 *
 * The arithmetic of 256 frames, batch 4, reserve_batch 24, low_water 2: the fault that leaves 1 frame free evicts 24;
 * a share of the frames in service smaller than that limits it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <zpager/pager.h>

#include "../support/sim_world.h"

enum { FRAMES = 256, BATCH = 24, PAGES = 1000 };

static struct sim_world *open_world(uint32_t reserve_batch, bool direct_save)
{
	return sim_world_open(&(struct sim_world_params){.frames = FRAMES,
							 .batch = 4,
							 .low_water = 2,
							 .reserve_batch = reserve_batch,
							 .direct_save = direct_save,
							 .scratch_slots = 8,
							 .vm_pages = PAGES + 2});
}

static void fill(struct sim_world *w, uintptr_t va, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
}

static void test_one_batch(void **state)
{
	struct sim_world *w = open_world(BATCH, true);
	uintptr_t va = sim_world_map(w, PAGES, SIM_WORLD_RW, 0);

	(void)state;
	fill(w, va, 0, FRAMES - 2);
	assert_int_equal(sim_world_stats(w).batches, 0);
	fill(w, va, FRAMES - 2, FRAMES - 1);
	assert_int_equal(sim_world_stats(w).batches, 1);
	assert_int_equal(sim_world_stats(w).pages_written, BATCH);
	assert_int_equal(sim_world_stats(w).frames_free, 1 + BATCH);
	sim_world_check(w);
	sim_world_close(w);
}

static void test_small_without(void **state)
{
	struct sim_world *w = open_world(0, true);
	uintptr_t va = sim_world_map(w, PAGES, SIM_WORLD_RW, 0);

	(void)state;
	fill(w, va, 0, FRAMES - 1);
	assert_int_equal(sim_world_stats(w).pages_written, 4);
	sim_world_close(w);
}

static void test_share_of_the_frames(void **state)
{
	struct sim_world *w = open_world(BATCH, false);
	uintptr_t va = sim_world_map(w, PAGES, SIM_WORLD_RW, 0);

	(void)state;
	assert_int_equal(z_pager_set_frames(w->pager, 80), 0);
	fill(w, va, 0, 79);
	assert_int_equal(sim_world_stats(w).batches, 1);
	assert_int_equal(sim_world_stats(w).pages_written, 10);
	sim_world_close(w);
}

static void test_contents(void **state)
{
	struct sim_world *w = open_world(BATCH, *(const bool *)*state);
	uintptr_t va = sim_world_map(w, PAGES, SIM_WORLD_RW, 0);

	fill(w, va, 0, PAGES);
	for (size_t i = 0; i < PAGES; i++) {
		sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
	}
	sim_world_check_contents(w);
	sim_world_close(w);
}

static void test_reclaim(void **state)
{
	struct sim_world *w = open_world(BATCH, true);
	uintptr_t va = sim_world_map(w, PAGES, SIM_WORLD_RW, 0);

	(void)state;
	fill(w, va, 0, 100);
	assert_int_equal(z_pager_reclaim(w->pager, FRAMES - 100 + 2 * BATCH + 1), 0);
	assert_int_equal(sim_world_stats(w).batches, 3);
	assert_int_equal(sim_world_stats(w).pages_written, 2 * BATCH + 1);
	sim_world_close(w);
}

static void test_room(void **state)
{
	struct sim_world *w = open_world(BATCH, true);
	struct z_pager_config config = w->config;
	size_t with = z_pager_bytes(&config);

	(void)state;
	config.reserve_batch = 0;
	assert_in_range(with - z_pager_bytes(&config), BATCH * 64, BATCH * 88);
	sim_world_close(w);
}

int main(void)
{
	static bool yes = true;
	static bool no = false;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_batch),
		cmocka_unit_test(test_small_without),
		cmocka_unit_test(test_share_of_the_frames),
		cmocka_unit_test_prestate(test_contents, &yes),
		cmocka_unit_test_prestate(test_contents, &no),
		cmocka_unit_test(test_reclaim),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
