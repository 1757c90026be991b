/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b08_permissions_stay.c - HAZARDS B8: a page that went out and came back had lost permissions. They
 * belong to the mapping and outlive any number of cycles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

static void permissions_outlive_page_outs(void **state)
{
	static const unsigned int prots[] = {Z_ACCESS_READ, SIM_WORLD_RW,
					     Z_ACCESS_READ | Z_ACCESS_EXEC,
					     SIM_WORLD_RW | Z_ACCESS_USER};
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 4});

	(void)state;
	for (size_t i = 0; i < sizeof(prots) / sizeof(prots[0]); i++) {
		uintptr_t va = sim_world_map(w, 1, prots[i], 0);

		for (int cycle = 0; cycle < 5; cycle++) {
			for (unsigned int access = 1; access < 16; access++) {
				unsigned char byte = 0;

				assert_int_equal(z_sim_access(w->sim, va, access, &byte, 1),
						 (access & ~prots[i]) == 0 ? Z_SIM_OK
									   : Z_SIM_VIOLATION);
			}
			assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
			assert_int_equal(z_sim_entry(w->sim, va).prot, prots[i]);
		}
	}
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permissions_outlive_page_outs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
