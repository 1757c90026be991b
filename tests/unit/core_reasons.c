/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_reasons.c - what the core tells an eviction algorithm when a frame becomes a candidate: a
 * touch is a fault, whatever the port knows of it; a page that was only asked for came ahead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/sim_world.h"

static struct z_eviction_ops recording;
static unsigned int added[Z_ADD_FAILED + 1];

static void add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	added[reason]++;
	z_eviction_clock.add(state, pf, reason);
}

static void assert_added(unsigned int fault, unsigned int ahead, unsigned int unpin)
{
	assert_int_equal(added[Z_ADD_FAULT], fault);
	assert_int_equal(added[Z_ADD_AHEAD], ahead);
	assert_int_equal(added[Z_ADD_UNPIN], unpin);
	assert_int_equal(added[Z_ADD_FAILED], 0);
	for (size_t i = 0; i <= Z_ADD_FAILED; i++)
		added[i] = 0;
}

static void test_reasons(void **state)
{
	uintptr_t va = 0;
	struct sim_world *w;

	(void)state;
	recording = z_eviction_clock;
	recording.add = add;
	w = sim_world_open(&(struct sim_world_params){.frames = 16, .eviction_ops = &recording});
	assert_int_equal(z_pager_map(w->pager, 8, Z_ACCESS_READ | Z_ACCESS_WRITE, 0, 1, &va), 0);
	assert_added(0, 0, 0);

	assert_int_equal(z_pager_fault(w->pager, va, Z_ACCESS_READ), Z_FAULT_RESOLVED);
	assert_int_equal(z_pager_fault(w->pager, va + Z_PAGE_SIZE, 0), Z_FAULT_RESOLVED);
	assert_added(2, 0, 0);

	assert_int_equal(z_pager_page_in(w->pager, va, 4, NULL), 0);
	assert_int_equal(z_pager_advise(w->pager, va, 6, Z_ADVICE_WILLNEED), 0);
	assert_added(0, 4, 0);

	assert_int_equal(z_pager_pin(w->pager, va, 1), 0);
	assert_added(0, 0, 0);
	assert_int_equal(z_pager_unpin(w->pager, va, 1), 0);
	assert_added(0, 0, 1);
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_reasons)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
