/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b24_unmap_meets_load.c - HAZARDS B24: a page-in completed into addresses that had been unmapped
 * meanwhile. One CPU faults, another unmaps and maps the same place; every interleaving of some hundred
 * seeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

struct scene {
	struct sim_world *w;
	uintptr_t va;
};

static void faulting(struct z_sim *sim, void *arg)
{
	struct scene *s = arg;

	for (int i = 0; i < 6; i++) {
		uint64_t value = 0;
		enum z_sim_result result = z_sim_load64(sim, s->va, &value);

		if (result != Z_SIM_OK && result != Z_SIM_BAD_ADDRESS) {
			z_sim_error(sim, "load: %s", z_sim_result_name(result));
		}
		if (result == Z_SIM_OK && value != 7 && value != 0) {
			z_sim_error(sim, "load: 0x%llx of somebody else",
				    (unsigned long long)value);
		}
		if (z_pager_page_out(s->w->pager, s->va, 1, NULL) == Z_ERR_INVAL) {
			z_sim_error(sim, "page_out");
		}
	}
}

static void remapping(struct z_sim *sim, void *arg)
{
	struct scene *s = arg;

	for (int i = 0; i < 4; i++) {
		uint64_t value = 1;

		if (z_pager_unmap(s->w->pager, s->va, 1) != 0 ||
		    z_pager_map(s->w->pager, 1, SIM_WORLD_RW, Z_MAP_FIXED, 1, &s->va) != 0) {
			z_sim_error(sim, "unmap, map");
		}
		if (z_sim_load64(sim, s->va, &value) != Z_SIM_OK || value != 0) {
			z_sim_error(sim, "a new page holds 0x%llx", (unsigned long long)value);
		}
		if (z_sim_store64(sim, s->va, 7) != Z_SIM_OK) {
			z_sim_error(sim, "store");
		}
	}
}

static void unmap_waits_for_the_load(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct sim_world *w = sim_world_open(
			&(struct sim_world_params){.frames = 3, .cpus = 2, .switch_percent = 40});
		struct scene s = {w, sim_world_map(w, 1, SIM_WORLD_RW, 0)};
		struct z_sim_task tasks[] = {{faulting, &s}, {remapping, &s}};

		assert_int_equal(z_sim_store64(w->sim, s.va, 7), Z_SIM_OK);
		assert_int_equal(z_pager_page_out(w->pager, s.va, 1, NULL), 0);
		assert_int_equal(z_sim_run(w->sim, tasks, 2, seed), 0);
		assert_string_equal(z_sim_error_text(w->sim), "");
		sim_world_close(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unmap_waits_for_the_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
