/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_reuse.c - a frame that is given up keeps nothing of the page that was in it, whichever way the
 * page went and whatever bits it had: each reset stands for itself, not for one that came before it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../core/internal.h"
#include "../support/sim_world.h"

static struct z_page_frame *resident_frame(struct sim_world *w)
{
	uintptr_t va = 0;
	struct z_page_frame *pf;

	assert_int_equal(z_pager_map(w->pager, 1, Z_ACCESS_READ | Z_ACCESS_WRITE, 0, 1, &va), 0);
	assert_int_equal(z_pager_fault(w->pager, va, Z_ACCESS_READ), Z_FAULT_RESOLVED);
	pf = z__frame_of_phys(w->pager, z__entry(w->pager, va).phys);
	assert_non_null(pf);
	return pf;
}

static void give_up(bool by_eviction)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 8});
	struct z_page_frame *pf = resident_frame(w);

	z__lock(w->pager);
	z__candidate_remove_locked(w->pager, pf, Z_REMOVE_UNMAP);
	if (by_eviction)
		z__frame_move(w->pager, pf, Z_FRAME_LEAVING);
	pf->flags = (uint8_t)(pf->flags | Z_PAGE_FRAME_BACKED | Z_PAGE_FRAME_PINNED |
			      Z_PAGE_FRAME_QUEUED);
	pf->pins = 3;
	z_page_frame_store_set(pf, UINT64_C(0xFFFFFFFFFF));
	z__frame_move(w->pager, pf, Z_FRAME_CLAIMED);
	assert_int_equal(pf->flags, Z_PAGE_FRAME_BUSY);
	assert_int_equal(pf->pins, 0);
	assert_int_equal(z_page_frame_store_get(pf), 0);
	assert_null(pf->addr);
	z__unlock(w->pager);
	sim_world_abandon(w);
}

static void test_evicted(void **state)
{
	(void)state;
	give_up(true);
}

static void test_unmapped(void **state)
{
	(void)state;
	give_up(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evicted),
		cmocka_unit_test(test_unmapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
