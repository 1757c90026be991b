/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b42_map_fails_not_the_touch.c - HAZARDS B42: lazy mappings promised more than there was, and the
 * program died at a touch. With strict commitment every page that map granted can be written, by several
 * CPUs at once, and the first page too many is refused by map.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

struct scene {
	uintptr_t va;
	size_t pages;
};

static void touch_all(struct z_sim *sim, void *arg)
{
	struct scene *s = arg;
	size_t start = z_sim_cpu(sim) * 3;

	for (size_t i = 0; i < s->pages * 3; i++) {
		uintptr_t va = s->va + (start + i * 7) % s->pages * Z_PAGE_SIZE;
		enum z_sim_result result = z_sim_store64(sim, va + 8 * z_sim_cpu(sim), i);

		if (result != Z_SIM_OK) {
			z_sim_error(sim, "a granted page: %s", z_sim_result_name(result));
		}
	}
}

static void what_was_granted_can_be_written(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct sim_world *w = sim_world_open(&(struct sim_world_params){
			.frames = 6, .batch = 4, .cpus = 3, .store = "ram:size=40K"});
		struct scene s = {.pages = 15};
		struct z_sim_task tasks[] = {{touch_all, &s}, {touch_all, &s}, {touch_all, &s}};

		assert_int_equal(z_pager_map(w->pager, 16, SIM_WORLD_RW, 0, 1, &s.va), Z_ERR_NOMEM);
		s.va = sim_world_map(w, s.pages, SIM_WORLD_RW, 0);
		assert_int_equal(z_sim_run(w->sim, tasks, 3, seed), 0);
		assert_string_equal(z_sim_error_text(w->sim), "");
		sim_world_close(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_granted_can_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
