/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b30_backed_is_not_inherited.c - HAZARDS B30: a frame that got a new page kept the old page's BACKED
 * bit; the new page, clean, was dropped as "in the store already" and came back as another page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

static void a_reused_frame_has_no_past(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 1});
	uintptr_t va = sim_world_map(w, 2, SIM_WORLD_RW, 0);
	uint64_t value = 1;

	(void)state;
	/* The only frame is BACKED by page 0, and then is given to page 1, which is only read. */
	sim_world_fill(w, va, 1);
	assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
	sim_world_verify(w, va, 1);
	assert_true(z_page_frame_is_backed(&w->frames[0]));
	assert_int_equal(z_sim_load64(w->sim, va + Z_PAGE_SIZE, &value), Z_SIM_OK);
	assert_int_equal(value, 0);
	assert_false(z_page_frame_is_backed(&w->frames[0]));
	assert_int_equal(w->frames[0].flags, Z_PAGE_FRAME_MAPPED | Z_PAGE_FRAME_QUEUED);
	assert_int_equal(z_page_frame_store_get(&w->frames[0]), 0);
	sim_world_verify(w, va, 1);
	assert_int_equal(z_sim_load64(w->sim, va + Z_PAGE_SIZE, &value), Z_SIM_OK);
	assert_int_equal(value, 0);
	sim_world_close(w);
}

static void nor_after_unmap_and_forget(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 1});
	uintptr_t va = sim_world_map(w, 1, SIM_WORLD_RW, 0);

	(void)state;
	for (int i = 0; i < 2; i++) {
		sim_world_fill(w, va, 1);
		assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
		sim_world_verify(w, va, 1);
		assert_true(z_page_frame_is_backed(&w->frames[0]));
		if (i == 0) {
			assert_int_equal(z_pager_advise(w->pager, va, 1, Z_ADVICE_FREE), 0);
		} else {
			assert_int_equal(z_pager_unmap(w->pager, va, 1), 0);
		}
		assert_int_equal(w->frames[0].flags, 0);
		assert_int_equal(w->frames[0].pins, 0);
		assert_int_equal(z_page_frame_store_get(&w->frames[0]), 0);
	}
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reused_frame_has_no_past),
		cmocka_unit_test(nor_after_unmap_and_forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
