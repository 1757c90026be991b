/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b34_transfers_in_parallel.c - HAZARDS B34: one scratch page and one mutex made all paging serial.
 * Faults on different pages are in the store at the same time where it says that it can; never where it
 * cannot, or where there is one scratch mapping.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"
#include "../support/store_hostile.h"

static struct store_hostile *hostile;

static struct z_store *wrap(void *arg, struct z_store *inner)
{
	(void)arg;
	hostile = store_hostile_open(inner);
	return store_hostile_store(hostile);
}

static unsigned int inside;
static unsigned int most;
static struct z_sim *machine;

static void hook(void *ctx, enum store_hostile_op op, z_loc_t loc)
{
	(void)ctx;
	(void)op;
	(void)loc;
	inside++;
	most = inside > most ? inside : most;
	z_sim_advance(machine, 1000);
	z_sim_yield(machine);
	inside--;
}

static void read_own(struct z_sim *sim, void *arg)
{
	uintptr_t va = *(uintptr_t *)arg + z_sim_cpu(sim) * 4 * Z_PAGE_SIZE;

	for (size_t i = 0; i < 4; i++) {
		uint64_t value;

		if (z_sim_load64(sim, va + i * Z_PAGE_SIZE, &value) != Z_SIM_OK) {
			z_sim_error(sim, "load");
		}
	}
}

/* The largest number of transfers at once that some seeds bring about. */
static unsigned int parallel(const struct sim_world_params *params)
{
	most = 0;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct sim_world *w = sim_world_open(params);
		uintptr_t va = sim_world_map(w, 16, SIM_WORLD_RW, 0);
		struct z_sim_task tasks[] = {
			{read_own, &va}, {read_own, &va}, {read_own, &va}, {read_own, &va}};

		machine = w->sim;
		for (size_t i = 0; i < 16; i++) {
			sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
		}
		assert_int_equal(z_pager_page_out(w->pager, va, 16, NULL), 0);
		store_hostile_hook(hostile, hook, NULL);
		assert_int_equal(z_sim_run(w->sim, tasks, 4, seed), 0);
		store_hostile_hook(hostile, NULL, NULL);
		assert_int_equal(sim_world_stats(w).pages_read, 16);
		assert_null(store_hostile_violation(hostile));
		sim_world_close(w);
	}
	return most;
}

static struct z_store *wrap_serial(void *arg, struct z_store *inner)
{
	struct z_store *store = wrap(arg, inner);

	store_hostile_serial(hostile);
	return store;
}

static void as_many_at_once_as_allowed(void **state)
{
	struct sim_world_params params = {
		.frames = 32, .cpus = 4, .switch_percent = 50, .wrap_store = wrap};

	(void)state;
	assert_int_equal(parallel(&params), 4);
	params.scratch_slots = 2;
	assert_int_equal(parallel(&params), 2);
	params.scratch_slots = 1;
	assert_int_equal(parallel(&params), 1);
	params.scratch_slots = 8;
	params.wrap_store = wrap_serial;
	assert_int_equal(parallel(&params), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_at_once_as_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
