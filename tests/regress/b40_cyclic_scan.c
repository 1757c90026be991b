/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b40_cyclic_scan.c - HAZARDS B40: a loop over slightly more pages than there are frames misses at
 * every reference, first pass and second.
 *
 * Ten passes over 987 pages in 950 frames. The optimum is known; nru, clock, lru and sieve take
 * the oldest page and miss every time, which is stated here so that nobody takes them for more. Any
 * algorithm that the registry has besides these must do better than lru. Locks: none. Limits: none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_opt.h"
#include "eviction_sim.h"

enum { FRAMES = 950, PAGES = 987, PASSES = 10, REFS = PAGES * PASSES };

static uint64_t misses(const struct z_eviction_ops *ops)
{
	struct ev_sim s;
	uint64_t n;

	ev_sim_open(&s, ops, FRAMES, PAGES);
	for (uint32_t i = 0; i < REFS; i++) {
		ev_sim_ref(&s, i % PAGES, false);
	}
	n = s.misses;
	ev_sim_close(&s);
	return n;
}

static bool takes_the_oldest(const struct z_eviction_ops *ops)
{
	return ops == &z_eviction_nru || ops == &z_eviction_clock || ops == &z_eviction_lru ||
	       ops == &z_eviction_sieve;
}

static void against_the_optimum(void **state)
{
	static uint32_t refs[REFS];
	uint64_t best;

	(void)state;
	for (uint32_t i = 0; i < REFS; i++) {
		refs[i] = i % PAGES;
	}
	best = ev_opt_misses(refs, REFS, PAGES, FRAMES);
	/* All at first, then PAGES - FRAMES of PAGES - 1: one pass short of ten, rounded. */
	assert_int_equal(best, PAGES + (uint64_t)(PASSES - 1) * PAGES * 37 / 986);
	for (size_t i = 0; z_eviction_at(i) != NULL; i++) {
		uint64_t n = misses(z_eviction_at(i));

		print_message("%s: %llu of %d, optimum %llu\n", z_eviction_at(i)->name,
			      (unsigned long long)n, REFS, (unsigned long long)best);
		if (takes_the_oldest(z_eviction_at(i))) {
			assert_int_equal(n, REFS);
		} else {
			assert_in_range(n, best, misses(&z_eviction_lru) - 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(against_the_optimum)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
