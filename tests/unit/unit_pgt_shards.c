/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_pgt_shards.c - the miss-ratio curve: exact while all pages are followed, and within the error
 * that it states when a sample is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgt_shards.h"

#define SMALL_PAGES 200U
#define SMALL_REFS  20000U
#define PAGES       40000U
#define REFS        1500000U

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A hot set, a loop, and skewed references to all: curves with steps and slopes. */
static uint32_t reference(uint64_t *state, uint64_t i, uint32_t pages)
{
	uint64_t r = next_random(state);
	double u = (double)(r >> 24) / (double)(UINT64_C(1) << 40);

	switch (r % 4) {
	case 0:
		return (uint32_t)(r >> 32) % (pages / 50);
	case 1:
		return pages / 4 + (uint32_t)(i / 4 % (pages / 3));
	default:
		return (uint32_t)(u * u * u * (pages - 1));
	}
}

/* ---- exact ------------------------------------------------------------------------------------- */

static uint64_t brute_misses(const uint32_t *refs, uint32_t frames)
{
	uint32_t stack[SMALL_PAGES];
	bool known[SMALL_PAGES] = {false};
	uint32_t used = 0;
	uint64_t misses = 0;

	for (uint32_t i = 0; i < SMALL_REFS; i++) {
		uint32_t at = 0;

		while (at < used && stack[at] != refs[i]) {
			at++;
		}
		misses += at == used && known[refs[i]];
		known[refs[i]] = true;
		if (at == used && used < frames) {
			used++;
		} else if (at == used) {
			at--;
		}
		memmove(&stack[1], &stack[0], at * sizeof(stack[0]));
		stack[0] = refs[i];
	}
	return misses;
}

/* As many samples as pages, and not one more: places run out often. */
static void test_exact_is_lru(void **state)
{
	static uint32_t refs[SMALL_REFS];
	struct pgt_shards *s = pgt_shards_open(SMALL_PAGES, 1);
	struct pgt_sink to = pgt_shards_sink(s);
	struct pgt_shards_sum sum;
	uint64_t seed = 7;

	(void)state;
	for (uint32_t i = 0; i < SMALL_REFS; i++) {
		refs[i] = reference(&seed, i, SMALL_PAGES);
		to.ref(to.to, refs[i] * 977, PGT_READ);
	}
	for (uint32_t m = 1; m < SMALL_PAGES; m++) {
		struct pgt_shards_point point;

		pgt_shards_at(s, m, &point);
		assert_int_equal((uint64_t)point.misses, brute_misses(refs, m));
		assert_true(point.low == point.misses && point.high == point.misses);
	}
	pgt_shards_sum(s, &sum);
	assert_int_equal(sum.refs, SMALL_REFS);
	assert_true(sum.rate == 1.0 && sum.pages <= SMALL_PAGES && sum.pages > 190);
	pgt_shards_free(s);
}

/* ---- sampled ----------------------------------------------------------------------------------- */

static struct pgt_shards *curve(uint64_t seed, uint32_t samples, uint32_t one_in, uint64_t salt)
{
	struct pgt_shards *s = pgt_shards_open(samples, one_in);
	struct pgt_sink to = pgt_shards_sink(s);

	assert_non_null(s);
	for (uint64_t i = 0; i < REFS; i++) {
		to.ref(to.to, reference(&seed, i, PAGES) + salt, PGT_READ);
	}
	return s;
}

/*
 * Several samples of the same references: other numbers, other hashes. Neighbouring points of a curve
 * go wrong together, so single curves may well have some outside.
 */
static void test_sampled_within_its_error(void **state)
{
	struct pgt_shards *exact = curve(11, PAGES, 1, 0);
	unsigned int points = 0;
	unsigned int outside = 0;
	double error = 0;
	double width = 0;

	(void)state;
	for (uint64_t salt = 0; salt < 6; salt++) {
		struct pgt_shards *s = curve(11, 2000, salt % 2 == 0 ? 1 : 20, salt << 32);
		struct pgt_shards_sum sum;

		pgt_shards_sum(s, &sum);
		assert_true(sum.rate > 0.03 && sum.rate < 0.08);
		assert_true(sum.pages > PAGES * 0.85 && sum.pages < PAGES * 1.1);
		for (uint64_t m = 500; m < PAGES * 9 / 10; m += 500) {
			struct pgt_shards_point p, e;

			pgt_shards_at(s, m, &p);
			pgt_shards_at(exact, m, &e);
			points++;
			outside += e.misses < p.low || e.misses > p.high;
			error += (p.misses > e.misses ? p.misses - e.misses : e.misses - p.misses) /
				 REFS;
			width += (p.high - p.low) / REFS;
		}
		pgt_shards_free(s);
	}
	print_message("%u of %u points outside, mean error %.4f, mean width %.4f\n", outside,
		      points, error / points, width / points);
	assert_true(outside * 100 <= points * 5);
	assert_true(error / points < 0.02);
	/* A band as wide as the curve is high would hold anything. */
	assert_true(width / points < 0.10);
	assert_true(error > 0);
	pgt_shards_free(exact);
}

/* Distances that are rounded: a loop far longer than the exact buckets. */
static void test_long_loop(void **state)
{
	struct pgt_shards *s = pgt_shards_open(60000, 1);
	struct pgt_sink to = pgt_shards_sink(s);
	struct pgt_shards_point below, above;

	(void)state;
	for (uint32_t i = 0; i < 3 * 50000; i++) {
		to.ref(to.to, i % 50000, PGT_READ);
	}
	pgt_shards_at(s, 49900, &below);
	pgt_shards_at(s, 50100, &above);
	assert_int_equal((uint64_t)below.misses, 2 * 50000);
	assert_int_equal((uint64_t)above.misses, 0);
	pgt_shards_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_is_lru),
		cmocka_unit_test(test_sampled_within_its_error),
		cmocka_unit_test(test_long_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
