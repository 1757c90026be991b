/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b43_device_writes.c - HAZARDS B43: a device wrote into a page behind the MMU's back, and nobody knew.
 * What is pinned stays in its frame and counts as written, if the mapping allows writing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

static void what_a_device_wrote_is_kept(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 3});
	uintptr_t va = sim_world_map(w, 2, SIM_WORLD_RW, 0);
	unsigned char byte = 0;

	(void)state;
	for (int out_before = 0; out_before < 2; out_before++) {
		z_phys_t phys;

		/* A clean copy in the store; the page in its frame, or out. */
		sim_world_fill(w, va, 1);
		assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
		if (out_before == 0) {
			sim_world_verify(w, va, 1);
		}
		assert_int_equal(z_pager_pin(w->pager, va, 1), 0);
		phys = z_sim_entry(w->sim, va).phys;
		sim_world_fill(w, va + Z_PAGE_SIZE, 2);
		assert_int_equal(z_sim_entry(w->sim, va).phys.v, phys.v);
		memset(z_sim_frame_data(w->sim, phys), 0xd3, Z_PAGE_SIZE);
		assert_int_equal(z_pager_unpin(w->pager, va, 1), 0);
		assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
		assert_int_equal(z_sim_read(w->sim, va + Z_PAGE_SIZE - 1, &byte, 1), Z_SIM_OK);
		assert_int_equal(byte, 0xd3);
	}
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_device_wrote_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
