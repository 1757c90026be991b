/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contention.c - how faults on different pages scale from 1 to 64 CPUs, in virtual time (sim.h, config.timed): the
 * same run to the nanosecond on every machine.
 *
 * Each CPU reads and writes pages of its own at random; all together have four times as many pages as there are
 * frames. What a part of a fault costs is the table below, which has the figures of one
 * Linux machine, rounded: a signal and its return, UFFDIO_COPY of a page, MADV_DONTNEED of a page in a batch, one
 * write-protection with its shoot-down, a page through LZ4 each way. What the pager and the algorithm do
 * under the lock is counted for each time that it is taken: some 1,100 instructions a fault, in three turns
 * (tests/linux/fault_cost.txt).
 *
 * The lock bounds the speed-up: faults that take `under lock` each cannot come faster than one in that time. The
 * test has floors for the speed-up; the table says the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/sim_world.h"

#define FRAMES   2048U
#define PAGES    (4U * FRAMES)
#define ACCESSES 32768U /* of all CPUs together */

#define SIGNAL_NS UINT64_C(4200)
#define IN_NS     UINT64_C(700)
#define OUT_NS    UINT64_C(1400)

static const struct sim_world_costs costs = {
	.hook = 10, .access = 10, .locked = 120, .place = 2400, .vacate = 500, .detach = 4000};

/* ---- a store that takes its time ------------------------------------------------------------ */

struct slow {
	struct z_store store;
	struct z_store *inner;
	struct z_sim *sim;
};

static struct slow *slow_of(struct z_store *store)
{
	return (struct slow *)store;
}

static int slow_get(struct z_store *store, struct z_page_frame *pf, enum z_store_want want,
		    z_loc_t *loc_out)
{
	struct z_store *inner = slow_of(store)->inner;

	return inner->ops->location_get(inner, pf, want, loc_out);
}

static void slow_free(struct z_store *store, z_loc_t loc)
{
	struct z_store *inner = slow_of(store)->inner;

	inner->ops->location_free(inner, loc);
}

static int slow_out(struct z_store *store, z_loc_t loc, const void *page)
{
	struct z_store *inner = slow_of(store)->inner;

	z_sim_advance(slow_of(store)->sim, OUT_NS);
	return inner->ops->page_out(inner, loc, page);
}

static int slow_in(struct z_store *store, z_loc_t loc, void *page)
{
	struct z_store *inner = slow_of(store)->inner;

	z_sim_advance(slow_of(store)->sim, IN_NS);
	return inner->ops->page_in(inner, loc, page);
}

static void slow_finalize(struct z_store *store, struct z_page_frame *pf, z_loc_t loc)
{
	struct z_store *inner = slow_of(store)->inner;

	inner->ops->page_finalize(inner, pf, loc);
}

static void slow_stats(struct z_store *store, struct z_store_stats *out)
{
	struct z_store *inner = slow_of(store)->inner;

	inner->ops->stats(inner, out);
}

static void slow_close(struct z_store *store)
{
	struct z_store *inner = slow_of(store)->inner;

	inner->ops->close(inner);
	free(store);
}

static const struct z_store_ops slow_ops = {
	.name = "slow",
	.location_get = slow_get,
	.location_free = slow_free,
	.page_out = slow_out,
	.page_in = slow_in,
	.page_finalize = slow_finalize,
	.stats = slow_stats,
	.close = slow_close,
};

static struct z_store *make_slow(void *arg, struct z_store *inner)
{
	struct slow *slow = calloc(1, sizeof(*slow));

	if (slow != NULL) {
		slow->store.ops = &slow_ops;
		slow->store.caps = inner->caps;
		slow->inner = inner;
		*(struct slow **)arg = slow;
	}
	return slow != NULL ? &slow->store : NULL;
}

/* ---- the work ------------------------------------------------------------------------------- */

struct work {
	struct sim_world *w;
	uintptr_t va;
	unsigned int cpus;
};

static void program(struct z_sim *sim, void *arg)
{
	const struct work *work = arg;
	size_t mine = PAGES / work->cpus;
	uintptr_t first = work->va + z_sim_cpu(sim) * mine * Z_PAGE_SIZE;
	uint64_t random = z_sim_cpu(sim);

	for (uint32_t i = 0; i < ACCESSES / work->cpus; i++) {
		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		uintptr_t va = first + (random >> 33) % mine * Z_PAGE_SIZE;
		uint64_t value = 0;

		if (z_sim_entry(sim, va).kind != Z_ENTRY_IN) {
			z_sim_advance(sim, SIGNAL_NS);
		}
		if (z_sim_load64(sim, va, &value) != Z_SIM_OK ||
		    (random >> 63 != 0 && z_sim_store64(sim, va, value + 1) != Z_SIM_OK)) {
			z_sim_error(sim, "an access failed");
		}
	}
}

struct result {
	uint64_t elapsed_ns;
	uint64_t faults;
	uint64_t held_ns;
	uint64_t locks;
	uint64_t contended;
};

static struct result run(unsigned int cpus)
{
	struct slow *slow = NULL;
	struct sim_world *w = sim_world_open(&(struct sim_world_params){
		.frames = FRAMES,
		.vm_pages = PAGES + 2,
		.eviction = "sweep",
		.batch = 16,
		.low_water = 32,
		.reserve_batch = FRAMES / 32,
		.ghosts = FRAMES,
		.keep_frames = true,
		.direct_save = true,
		.scratch_slots = 64,
		.cpus = cpus,
		.costs = &costs,
		.wrap_store = make_slow,
		.wrap_arg = &slow,
	});
	struct work work = {w, sim_world_map(w, PAGES, SIM_WORLD_RW, 0), cpus};
	struct z_sim_counters before;
	uint64_t faults = 0;
	uint64_t start;
	struct result r;

	slow->sim = w->sim;
	for (size_t i = 0; i < PAGES; i++) {
		assert_int_equal(z_sim_store64(w->sim, work.va + i * Z_PAGE_SIZE, i), Z_SIM_OK);
	}
	before = *z_sim_counters_of(w->sim);
	faults = sim_world_stats(w).pagefaults;
	start = z_sim_now(w->sim);
	sim_world_run(w, program, &work, cpus, 1);
	r.elapsed_ns = z_sim_now(w->sim) - start;
	r.faults = sim_world_stats(w).pagefaults - faults;
	r.held_ns = z_sim_counters_of(w->sim)->held_ns - before.held_ns;
	r.locks = z_sim_counters_of(w->sim)->locks - before.locks;
	r.contended = z_sim_counters_of(w->sim)->contended - before.contended;
	sim_world_check(w);
	sim_world_close(w);
	return r;
}

static void test_speed_up(void **state)
{
	/* In percent: a tenth less than what they are; with 2 CPUs the goal for a real machine. */
	static const struct {
		unsigned int cpus;
		uint64_t least;
	} floors[] = {{1, 100}, {2, 180}, {4, 325}, {8, 540}, {16, 900}, {32, 1330}, {64, 1330}};
	struct result alone = {0};

	(void)state;
	printf("%6s %14s %10s %12s %12s %12s %10s\n", "CPUs", "ns a fault", "speed-up",
	       "of CPUs, %", "under lock", "locks/fault", "waits, %");
	for (size_t i = 0; i < sizeof(floors) / sizeof(floors[0]); i++) {
		struct result r = run(floors[i].cpus);

		alone = i == 0 ? r : alone;
		uint64_t speed_up =
			alone.elapsed_ns * r.faults * 100 / (alone.faults * r.elapsed_ns);
		printf("%6u %14llu %7llu.%02llu %12llu %12llu %9llu.%02llu %10llu\n",
		       floors[i].cpus, (unsigned long long)(r.elapsed_ns / r.faults),
		       (unsigned long long)speed_up / 100, (unsigned long long)speed_up % 100,
		       (unsigned long long)speed_up / floors[i].cpus,
		       (unsigned long long)(r.held_ns / r.faults),
		       (unsigned long long)(r.locks / r.faults),
		       (unsigned long long)(r.locks * 100 / r.faults % 100),
		       (unsigned long long)(r.contended * 100 / r.locks));
		assert_true(speed_up >= floors[i].least);
	}
}

static void test_the_same_again(void **state)
{
	struct result a = run(64);
	struct result b = run(64);

	(void)state;
	assert_memory_equal(&a, &b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_speed_up),
		cmocka_unit_test(test_the_same_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
