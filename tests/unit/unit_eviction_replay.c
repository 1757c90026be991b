/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_eviction_replay.c - exact misses and dirty victims on small made traces, and the optimum.
 *
 * The figures are what the algorithms did when this was written and were looked at for sense: they
 * change when an algorithm's behaviour changes, and then somebody has to say why. No figure may be
 * below the optimum, and the optimum itself is checked against figures known by reasoning.
 * Locks: none. Limits: small.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_opt.h"
#include "eviction_sim.h"

enum { PAGES = 200, REFS = 20000 };

struct trace {
	uint32_t page[REFS];
	bool write[REFS];
};

static struct trace trace;

/* 60 pages again and again: a loop slightly larger than 50 frames. */
static void make_loop(void)
{
	for (uint32_t i = 0; i < REFS; i++) {
		trace.page[i] = i % 60;
		trace.write[i] = false;
	}
}

/* Page k is drawn in proportion to 1 / (k + 1), by integers alone; every fourth reference writes. */
static void make_zipf(void)
{
	uint32_t upto[PAGES];
	uint32_t sum = 0;
	uint64_t seed = 42;

	for (uint32_t k = 0; k < PAGES; k++) {
		sum += 1000000 / (k + 1);
		upto[k] = sum;
	}
	for (uint32_t i = 0; i < REFS; i++) {
		uint32_t draw = ev_random(&seed, sum);
		uint32_t k = 0;

		while (upto[k] <= draw) {
			k++;
		}
		trace.page[i] = k;
		trace.write[i] = i % 4 == 0;
	}
}

/* 20 hot pages, some of them written, and a scan over the other 180, turn and turn about. */
static void make_scan_and_hot(void)
{
	for (uint32_t i = 0; i < REFS; i++) {
		bool hot = i % 2 == 0;

		trace.page[i] = hot ? i / 2 % 20 : 20 + i / 2 % 180;
		trace.write[i] = hot && i / 2 % 3 == 0;
	}
}

/* A scan that writes every second page: where a clean victim is to be had next to a dirty one. */
static void make_half_dirty(void)
{
	uint64_t seed = 99;

	for (uint32_t i = 0; i < REFS; i++) {
		trace.page[i] = ev_random(&seed, 120);
		trace.write[i] = trace.page[i] % 2 == 0;
	}
}

static void replay(const char *name, uint64_t misses, uint64_t written)
{
	struct ev_sim s;

	ev_sim_open(&s, z_eviction_find(name), 50, PAGES);
	for (uint32_t i = 0; i < REFS; i++) {
		ev_sim_ref(&s, trace.page[i], trace.write[i]);
	}
	print_message("%s: %llu misses, %llu written\n", name, (unsigned long long)s.misses,
		      (unsigned long long)s.written);
	assert_true(s.misses >= ev_opt_misses(trace.page, REFS, PAGES, 50));
	assert_int_equal(s.misses, misses);
	assert_int_equal(s.written, written);
	ev_sim_close(&s);
}

static void loop(void **state)
{
	(void)state;
	make_loop();
	assert_int_equal(ev_opt_misses(trace.page, REFS, PAGES, 50), 3438);
	replay("nru", 20000, 0);
	replay("clock", 20000, 0);
	replay("lru", 20000, 0);
	replay("sieve", 20000, 0);
	replay("s3fifo", 7804, 0);
	replay("clockpro", 9309, 0);
	replay("mglru", 12647, 0);
}

static void zipf(void **state)
{
	(void)state;
	make_zipf();
	assert_int_equal(ev_opt_misses(trace.page, REFS, PAGES, 50), 3409);
	replay("nru", 6827, 2379);
	replay("clock", 6896, 2476);
	replay("lru", 6541, 2219);
	replay("sieve", 6655, 2236);
	replay("s3fifo", 5880, 1854);
	replay("clockpro", 5807, 1795);
	replay("mglru", 5741, 1836);
}

static void scan_and_hot(void **state)
{
	(void)state;
	make_scan_and_hot();
	assert_int_equal(ev_opt_misses(trace.page, REFS, PAGES, 50), 8425);
	replay("nru", 11352, 1322);
	replay("clock", 12517, 2491);
	replay("lru", 10053, 22);
	replay("sieve", 10024, 1);
	replay("s3fifo", 10024, 1);
	replay("clockpro", 10024, 1);
	replay("mglru", 10024, 1);
}

static void half_dirty(void **state)
{
	(void)state;
	make_half_dirty();
	assert_int_equal(ev_opt_misses(trace.page, REFS, PAGES, 50), 5336);
	replay("nru", 11610, 5624);
	replay("clock", 11638, 5824);
	replay("lru", 11680, 5850);
	replay("sieve", 11645, 5359);
	replay("s3fifo", 11757, 5808);
	replay("clockpro", 11645, 5681);
	replay("mglru", 11747, 5818);
}

/* Belady's own kind of example, and the closed form for a loop of n + 1 pages in n frames. */
static void optimum_is_right(void **state)
{
	const uint32_t refs[] = {1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5};
	uint32_t ring[91];

	(void)state;
	assert_int_equal(ev_opt_misses(refs, 12, 6, 3), 7);
	assert_int_equal(ev_opt_misses(refs, 12, 6, 4), 6);
	assert_int_equal(ev_opt_misses(refs, 12, 6, 5), 5);
	assert_int_equal(ev_opt_misses(refs, 12, 6, 1), 12);
	assert_int_equal(ev_opt_misses(refs, 0, 6, 1), 0);
	/* 10 pages in 9 frames: 10 to begin with, then one in each 9 references. */
	for (uint32_t i = 0; i < 91; i++) {
		ring[i] = i % 10;
	}
	assert_int_equal(ev_opt_misses(ring, 91, 10, 9), 10 + 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(optimum_is_right),
		cmocka_unit_test(loop),
		cmocka_unit_test(zipf),
		cmocka_unit_test(scan_and_hot),
		cmocka_unit_test(half_dirty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
