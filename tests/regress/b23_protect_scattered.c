/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b23_protect_scattered.c - HAZARDS B23: changing permissions took the first page's frame and mapped the
 * range linearly from it. Here frames are scattered, some pages are out, some never touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

static void protect_keeps_the_contents(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 5});
	uintptr_t va = sim_world_map(w, 9, SIM_WORLD_RW, 0);
	static const size_t order[] = {6, 1, 4, 0, 7, 3, 5};
	unsigned char byte = 1;

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		sim_world_fill(w, va + order[i] * Z_PAGE_SIZE, order[i]);
	}
	assert_int_equal(z_pager_protect(w->pager, va, 9, Z_ACCESS_READ), 0);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 7; i++) {
			sim_world_verify(w, va + order[i] * Z_PAGE_SIZE, order[i]);
			assert_int_equal(z_sim_write(w->sim, va + order[i] * Z_PAGE_SIZE, &byte, 1),
					 Z_SIM_VIOLATION);
		}
	}
	assert_int_equal(z_sim_read(w->sim, va + 8 * Z_PAGE_SIZE, &byte, 1), Z_SIM_OK);
	assert_int_equal(byte, 0);
	assert_int_equal(z_pager_protect(w->pager, va + 2 * Z_PAGE_SIZE, 3, SIM_WORLD_RW), 0);
	sim_world_fill(w, va + 4 * Z_PAGE_SIZE, 99);
	assert_int_equal(z_sim_write(w->sim, va + 5 * Z_PAGE_SIZE, &byte, 1), Z_SIM_VIOLATION);
	sim_world_verify(w, va + 4 * Z_PAGE_SIZE, 99);
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protect_keeps_the_contents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
