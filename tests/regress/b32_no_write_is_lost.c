/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b32_no_write_is_lost.c - HAZARDS B32: the dirty bit was sampled before the mapping was removed; a write
 * in between was lost if the store had a clean copy. One CPU pages out, the others increment words of
 * their own in the same pages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

#define PAGES 3
#define TIMES 25

struct scene {
	struct sim_world *w;
	uintptr_t va;
};

static void increment(struct z_sim *sim, void *arg)
{
	struct scene *s = arg;
	size_t own = z_sim_cpu(sim) * 8;

	for (uint64_t i = 0; i < TIMES; i++) {
		for (size_t page = 0; page < PAGES; page++) {
			uintptr_t va = s->va + page * Z_PAGE_SIZE + own;
			uint64_t value = 0;

			if (z_sim_load64(sim, va, &value) != Z_SIM_OK || value != i ||
			    z_sim_store64(sim, va, i + 1) != Z_SIM_OK) {
				z_sim_error(sim, "page %zu: %llu instead of %llu", page,
					    (unsigned long long)value, (unsigned long long)i);
				return;
			}
		}
	}
}

static void page_out(struct z_sim *sim, void *arg)
{
	struct scene *s = arg;

	for (size_t i = 0; i < TIMES; i++) {
		uint64_t value;
		size_t page = i % PAGES;

		/* Read: clean and BACKED; then out again. */
		if (z_sim_load64(sim, s->va + page * Z_PAGE_SIZE, &value) != Z_SIM_OK ||
		    z_pager_page_out(s->w->pager, s->va, PAGES, NULL) != 0) {
			z_sim_error(sim, "page_out");
		}
	}
}

static void writes_survive_page_outs(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct sim_world *w = sim_world_open(&(struct sim_world_params){
			.frames = 16, .batch = 4, .cpus = 3, .soft_ad = seed % 4 == 0});
		struct scene s = {w, sim_world_map(w, PAGES, SIM_WORLD_RW, 0)};
		struct z_sim_task tasks[] = {{page_out, &s}, {increment, &s}, {increment, &s}};

		assert_int_equal(z_sim_run(w->sim, tasks, 3, seed), 0);
		assert_string_equal(z_sim_error_text(w->sim), "");
		sim_world_close(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_survive_page_outs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
