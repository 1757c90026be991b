/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_world_checks.c - the helper that most tests start from: a clean world ends cleanly, and each
 * thing that can be left behind is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

static void ends_with(struct sim_world *w, const char *part)
{
	const char *text = sim_world_end(w);

	if (text == NULL || strstr(text, part) == NULL) {
		fail_msg("\"%s\" is not in \"%s\"", part, text != NULL ? text : "(nothing)");
	}
}

static void clean_world_ends_cleanly(void **state)
{
	const uint32_t holes[] = {1, 5};
	struct sim_world *w = sim_world_open(&(struct sim_world_params){
		.frames = 8, .banks = 2, .holes = holes, .nholes = 2, .events = 16, .ghosts = 8});
	uintptr_t a = sim_world_map(w, 10, SIM_WORLD_RW, 0);
	uintptr_t b = sim_world_map(w, 2, SIM_WORLD_RW, Z_MAP_PINNED);

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		sim_world_fill(w, a + i * Z_PAGE_SIZE, i);
	}
	sim_world_fill(w, b, 100);
	for (size_t i = 0; i < 10; i++) {
		sim_world_verify(w, a + i * Z_PAGE_SIZE, i);
		sim_world_check(w);
	}
	sim_world_verify(w, b, 100);
	assert_non_null(sim_world_frame(w, b));
	assert_true(z_page_frame_is_pinned(sim_world_frame(w, b)));
	assert_int_equal(sim_world_kind(w, b), Z_ENTRY_IN);
	assert_int_equal(sim_world_stats(w).frames_resident, 6);
	assert_true(sim_world_store_stats(w).used_pages >= 6);
	sim_world_check_contents(w);
	sim_world_close(w);
}

static void errors_of_the_machine_are_found(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){0});

	(void)state;
	z_sim_error(w->sim, "planted");
	assert_non_null(sim_world_problem(w, Z_CHECK_COUNTERS));
	ends_with(w, "planted");
}

static void pin_that_is_left_is_found(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){0});
	uintptr_t va = sim_world_map(w, 2, SIM_WORLD_RW, 0);

	(void)state;
	assert_int_equal(z_pager_pin(w->pager, va + Z_PAGE_SIZE, 1), 0);
	ends_with(w, "unmap of pages");
}

static void location_that_is_left_is_found(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){0});
	z_loc_t loc;

	(void)state;
	assert_int_equal(w->store->ops->location_get(w->store, NULL, Z_WANT_FOR_EVICT, &loc), 0);
	ends_with(w, "pages of the store are in use");
}

static void memory_that_is_left_is_found(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){0});
	void *memory = z_sim_alloc(w->sim, 100);

	(void)state;
	ends_with(w, "the store left 100 bytes");
	free(memory);
}

static void broken_invariant_is_found(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){0});
	uintptr_t va = sim_world_map(w, 1, SIM_WORLD_RW, 0);

	(void)state;
	sim_world_fill(w, va, 1);
	sim_world_frame(w, va)->pins = 1;
	ends_with(w, "invariant 14");
}

/* A clean page whose frame was changed behind the back of the page table: level 3. */
static void changed_contents_are_found(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){0});
	uintptr_t va = sim_world_map(w, 1, SIM_WORLD_RW, 0);
	unsigned char *frame;
	unsigned char byte;

	(void)state;
	sim_world_fill(w, va, 1);
	assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
	assert_int_equal(z_sim_read(w->sim, va, &byte, 1), Z_SIM_OK);
	if (!z_page_frame_is_backed(sim_world_frame(w, va))) {
		sim_world_close(w);
		skip();
	}
	frame = z_sim_frame_data(w->sim, z_sim_entry(w->sim, va).phys);
	frame[9] ^= 1;
	sim_world_check(w);
	assert_non_null(sim_world_problem(w, Z_CHECK_CONTENTS));
	ends_with(w, "invariant 40");
}

static void parameters_without_sense(void **state)
{
	struct sim_world *w = NULL;

	(void)state;
	assert_int_equal(sim_world_try_open(&(struct sim_world_params){.store = "none:"}, &w),
			 Z_ERR_INVAL);
	assert_int_equal(sim_world_try_open(&(struct sim_world_params){.vm_pages = 2}, &w),
			 Z_ERR_INVAL);
	assert_int_equal(sim_world_try_open(&(struct sim_world_params){.eviction = "none"}, &w),
			 Z_ERR_INVAL);
	assert_int_equal(sim_world_try_open(&(struct sim_world_params){.batch = 1000}, &w),
			 Z_ERR_INVAL);
	assert_null(w);
}

/* Whichever allocation of the store fails, opening says so and leaves nothing (asan looks). */
static void opening_can_fail_at_each_allocation(void **state)
{
	uint64_t n = 0;
	int err;

	(void)state;
	do {
		struct sim_world *w = NULL;

		err = sim_world_try_open(&(struct sim_world_params){.fail_alloc = ++n}, &w);
		if (err == 0) {
			assert_int_equal(z_sim_point_failed(w->sim, Z_SIM_POINT_ALLOC), 0);
			sim_world_close(w);
		} else {
			assert_int_equal(err, Z_ERR_NOMEM);
			assert_null(w);
		}
	} while (err != 0 && n < 100);
	assert_in_range(n, 2, 99);
}

static struct z_store *no_wrapper(void *arg, struct z_store *inner)
{
	(void)inner;
	(*(unsigned int *)arg)++;
	return NULL;
}

static void wrapper_that_fails(void **state)
{
	struct sim_world *w = NULL;
	unsigned int calls = 0;

	(void)state;
	assert_int_equal(sim_world_try_open(&(struct sim_world_params){.wrap_store = no_wrapper,
								       .wrap_arg = &calls},
					    &w),
			 Z_ERR_NOMEM);
	assert_int_equal(calls, 1);
	assert_null(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_world_ends_cleanly),
		cmocka_unit_test(errors_of_the_machine_are_found),
		cmocka_unit_test(pin_that_is_left_is_found),
		cmocka_unit_test(location_that_is_left_is_found),
		cmocka_unit_test(memory_that_is_left_is_found),
		cmocka_unit_test(broken_invariant_is_found),
		cmocka_unit_test(changed_contents_are_found),
		cmocka_unit_test(parameters_without_sense),
		cmocka_unit_test(opening_can_fail_at_each_allocation),
		cmocka_unit_test(wrapper_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
