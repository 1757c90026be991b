/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_keep.c - advice KEEP, with each algorithm: what is to be kept goes only when there is little else,
 * and then it goes.
 *
 * Locks: none, one thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../core/internal.h"
#include "../support/sim_world.h"

enum { LEAST = 8 }; /* pager.h */

static struct sim_world *open_world(void **state, uint32_t frames, uint32_t batch)
{
	const struct z_eviction_ops *ops = *state;

	return sim_world_open(&(struct sim_world_params){
		.frames = frames, .eviction = ops->name, .batch = batch});
}

static void fill(struct sim_world *w, uintptr_t va, uint32_t pages)
{
	for (uint32_t i = 0; i < pages; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
}

static uint32_t resident(struct sim_world *w, uintptr_t va, uint32_t pages)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < pages; i++) {
		n += sim_world_kind(w, va + i * Z_PAGE_SIZE) == Z_ENTRY_IN;
	}
	return n;
}

static void advise(struct sim_world *w, uintptr_t va, uint32_t pages, enum z_advice advice)
{
	assert_int_equal(z_pager_advise(w->pager, va, pages, advice), 0);
	assert_int_equal(z_pager_check(w->pager, Z_CHECK_PAGES, NULL), 0);
}

/*
 * Idle pages and a scan in use that does not fit: they stay, as long as LEAST others are there, and so do
 * those that were out when it was said.
 */
static void kept_pages_stay(void **state)
{
	for (uint32_t batch = 1; batch <= 4; batch += 3) {
		struct sim_world *w = open_world(state, 5 + LEAST, batch);
		uintptr_t keep = sim_world_map(w, 5, SIM_WORLD_RW, 0);
		uintptr_t scan = sim_world_map(w, 20, SIM_WORLD_RW, 0);

		fill(w, keep, 5);
		assert_int_equal(z_pager_page_out(w->pager, keep, 2, NULL), 0);
		advise(w, keep, 5, Z_ADVICE_KEEP);
		fill(w, keep, 5);
		for (uint32_t i = 0; i < 60; i++) {
			sim_world_fill(w, scan + i % 20 * Z_PAGE_SIZE, i);
			assert_int_equal(resident(w, keep, 5), 5);
		}
		advise(w, keep, 5, Z_ADVICE_WILLNEED);
		fill(w, scan, 20);
		assert_int_equal(resident(w, keep, 5), 5);
		advise(w, keep, 5, Z_ADVICE_COLD);
		fill(w, scan, 20);
		assert_int_equal(resident(w, keep, 5), 0);
		sim_world_close(w);
	}
}

/* One frame less, and one of them may be chosen, too; memory is full of what is to be kept, and all is worked on. */
static void too_much_to_keep(void **state)
{
	struct sim_world *w = open_world(state, 4 + LEAST, 1);
	uintptr_t keep = sim_world_map(w, 5, SIM_WORLD_RW, 0);
	uintptr_t scan = sim_world_map(w, 20, SIM_WORLD_RW, 0);

	advise(w, keep, 5, Z_ADVICE_KEEP);
	fill(w, keep, 5);
	fill(w, scan, 20);
	assert_int_equal(w->pager->held_count, 4);
	advise(w, scan, 20, Z_ADVICE_KEEP);
	for (uint32_t i = 0; i < 3; i++) {
		fill(w, scan, 20);
		fill(w, keep, 5);
	}
	assert_int_equal(sim_world_stats(w).frames_resident, 4 + LEAST);
	assert_int_equal(z_pager_reclaim(w->pager, 4 + LEAST), 0);
	assert_int_equal(sim_world_stats(w).frames_resident, 0);
	sim_world_check_contents(w);
	sim_world_close(w);
}

/* More frames than are looked at at once, of which the last alone is held back, the others pinned. */
static void the_only_one_is_found(void **state)
{
	struct sim_world *w = open_world(state, 200, 1);
	uintptr_t va = sim_world_map(w, 199, SIM_WORLD_RW, 0);
	uintptr_t keep = sim_world_map(w, 2, SIM_WORLD_RW, 0);

	fill(w, va, 199);
	assert_int_equal(z_pager_pin(w->pager, va, 199), 0);
	advise(w, keep, 2, Z_ADVICE_KEEP);
	for (uint32_t i = 0; i < 4; i++) {
		fill(w, keep, 2);
	}
	assert_int_equal(resident(w, keep, 2), 1);
	assert_int_equal(z_pager_unpin(w->pager, va, 199), 0);
	sim_world_close(w);
}

/* A pin comes and goes; the region is to be kept still. What is said of a part of it is not remembered. */
static void pins_and_parts(void **state)
{
	struct sim_world *w = open_world(state, 4 + LEAST, 1);
	uintptr_t keep = sim_world_map(w, 4, SIM_WORLD_RW, 0);
	uintptr_t scan = sim_world_map(w, 20, SIM_WORLD_RW, 0);

	fill(w, keep, 4);
	advise(w, keep, 4, Z_ADVICE_KEEP);
	assert_int_equal(z_pager_pin(w->pager, keep, 2), 0);
	assert_int_equal(z_pager_check(w->pager, Z_CHECK_PAGES, NULL), 0);
	assert_int_equal(z_pager_unpin(w->pager, keep, 2), 0);
	fill(w, scan, 20);
	assert_int_equal(resident(w, keep, 4), 4);
	assert_int_equal(z_pager_page_out(w->pager, keep, 1, NULL), 0);
	assert_int_equal(z_pager_unmap(w->pager, keep + 2 * Z_PAGE_SIZE, 1), 0);
	assert_int_equal(z_pager_check(w->pager, Z_CHECK_PAGES, NULL), 0);
	/* Both halves of the region still have it, whatever was said of one page. */
	advise(w, keep, 1, Z_ADVICE_NORMAL);
	sim_world_verify(w, keep, 0);
	fill(w, scan, 20);
	assert_int_equal(resident(w, keep, 4), 3);
	sim_world_close(w);
}

static const struct CMUnitTest suite[] = {
	cmocka_unit_test(kept_pages_stay),
	cmocka_unit_test(too_much_to_keep),
	cmocka_unit_test(the_only_one_is_found),
	cmocka_unit_test(pins_and_parts),
};

#define SUITE_SIZE (sizeof(suite) / sizeof(suite[0]))

int main(void)
{
	int failed = 0;

	for (size_t i = 0; z_eviction_at(i) != NULL; i++) {
		struct CMUnitTest tests[SUITE_SIZE];

		for (size_t k = 0; k < SUITE_SIZE; k++) {
			tests[k] = suite[k];
			tests[k].initial_state = (void *)(uintptr_t)z_eviction_at(i);
		}
		failed += _cmocka_run_group_tests(z_eviction_at(i)->name, tests, SUITE_SIZE, NULL,
						  NULL);
	}
	return failed;
}
