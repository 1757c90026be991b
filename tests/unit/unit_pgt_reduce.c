/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_pgt_reduce.c - a reduced trace has the misses and write-backs of the whole one, for LRU and
 * OPT, with k frames and more; and it is as much shorter as the rule allows.
 *
 * The oracle of the rule is the rule itself, applied to arrays, searching for everything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "eviction_opt.h"
#include "pgt_lackey.h"
#include "pgt_reduce.h"

#define REFS  6000U
#define PAGES 64U

struct trace {
	uint32_t page[REFS];
	unsigned int flags[REFS];
	size_t n;
	unsigned int ticks;
	size_t tick_at[64]; /* references before each */
};

static void put_ref(void *to, uint64_t number, unsigned int flags)
{
	struct trace *t = to;

	assert_true(t->n < REFS && number < PAGES);
	t->page[t->n] = (uint32_t)number;
	t->flags[t->n++] = flags;
}

static void put_tick(void *to)
{
	struct trace *t = to;

	t->tick_at[t->ticks++ % 64] = t->n;
}

static struct pgt_sink sink_of(struct trace *t)
{
	memset(t, 0, sizeof(*t));
	return (struct pgt_sink){t, put_ref, put_tick};
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 8;
}

/* Loops, a hot set and noise, as the round says; one reference in four writes. */
static void make(struct trace *t, unsigned int round)
{
	uint32_t state = round * 7919U + 1;
	uint32_t loop = 3 + next_random(&state) % 40;

	memset(t, 0, sizeof(*t));
	while (t->n < 400 + round % 7 * 100) {
		uint32_t what = next_random(&state) % 8;
		uint32_t page = (uint32_t)t->n % loop;

		if (what < 3) {
			page = next_random(&state) % 6;
		} else if (what == 3) {
			page = next_random(&state) % PAGES;
		}
		put_ref(t, page, next_random(&state) % 4 == 0 ? PGT_WRITE : PGT_READ);
	}
}

static uint64_t reduce(const struct trace *in, uint32_t k, struct trace *out)
{
	struct pgt_sink to = sink_of(out);
	struct pgt_reduce *r = pgt_reduce_open(k, &to);
	struct pgt_sink from = pgt_reduce_sink(r);
	uint64_t refs;

	for (size_t i = 0; i < in->n; i++) {
		if (i % 100 == 50) {
			from.tick(from.to);
		}
		from.ref(from.to, in->page[i], in->flags[i]);
	}
	assert_int_equal(pgt_reduce_close(r, &refs), 0);
	return refs;
}

/* ---- the rule, searching ---------------------------------------------------------------------- */

/* Distinct pages other than that of reference a, between a and b of the same page. */
static uint32_t others(const struct trace *t, size_t a, size_t b)
{
	bool seen[PAGES] = {false};
	uint32_t n = 0;

	for (size_t i = a + 1; i < b; i++) {
		if (t->page[i] != t->page[a] && !seen[t->page[i]]) {
			seen[t->page[i]] = true;
			n++;
		}
	}
	return n;
}

/* Counts in the whole trace. Returns how many references are left. */
static size_t by_the_rule(const struct trace *in, uint32_t k, struct trace *out)
{
	static bool gone[REFS];

	memset(gone, 0, sizeof(gone));
	for (uint32_t page = 0; page < PAGES; page++) {
		size_t t1 = SIZE_MAX;
		size_t t2 = SIZE_MAX;

		for (size_t t3 = 0; t3 < in->n; t3++) {
			if (in->page[t3] != page) {
				continue;
			}
			if (t2 != SIZE_MAX && others(in, t1, t3) < k) {
				gone[t2] = true;
			} else if (t1 == SIZE_MAX || t2 != SIZE_MAX) {
				t1 = t2 != SIZE_MAX ? t2 : t3;
				if (t1 == t3) {
					continue;
				}
			}
			t2 = t3;
		}
	}
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < in->n; i++) {
		if (!gone[i]) {
			put_ref(out, in->page[i], in->flags[i]);
		}
	}
	return out->n;
}

/* References to one page that follow one another are one. */
static void fold(const struct trace *in, struct trace *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < in->n; i++) {
		if (out->n > 0 && out->page[out->n - 1] == in->page[i]) {
			out->flags[out->n - 1] |= in->flags[i];
		} else {
			put_ref(out, in->page[i], in->flags[i]);
		}
	}
}

/* ---- LRU, by shifting an array ---------------------------------------------------------------- */

struct counts {
	uint64_t misses, written;
};

static struct counts lru(const struct trace *t, uint32_t frames)
{
	uint32_t stack[PAGES];
	bool dirty[PAGES] = {false};
	struct counts c = {0, 0};
	uint32_t used = 0;

	for (size_t i = 0; i < t->n; i++) {
		uint32_t page = t->page[i];
		uint32_t at = 0;

		while (at < used && stack[at] != page) {
			at++;
		}
		if (at == used) {
			c.misses++;
			if (used == frames) {
				at--;
				c.written += dirty[stack[at]];
				dirty[stack[at]] = false;
			} else {
				used++;
			}
		}
		memmove(&stack[1], &stack[0], at * sizeof(stack[0]));
		stack[0] = page;
		dirty[page] = dirty[page] || (t->flags[i] & PGT_WRITE) != 0;
	}
	for (uint32_t page = 0; page < PAGES; page++) {
		c.written += dirty[page];
	}
	return c;
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void test_reduced_as_the_rule_says(void **state)
{
	static struct trace whole, folded, expected, reduced;

	(void)state;
	for (unsigned int round = 0; round < 40; round++) {
		uint32_t k = 1 + round % 20;

		make(&whole, round);
		assert_int_equal(reduce(&whole, k, &reduced), whole.n);
		fold(&whole, &folded);
		(void)by_the_rule(&folded, k, &expected);
		assert_int_equal(reduced.n, expected.n);
		assert_memory_equal(reduced.page, expected.page,
				    expected.n * sizeof(expected.page[0]));
	}
}

static void test_counts_stay_from_k_on(void **state)
{
	static struct trace whole, reduced;
	unsigned int differ_below = 0;
	size_t before = 0;
	size_t after = 0;

	(void)state;
	for (unsigned int round = 0; round < 60; round++) {
		uint32_t k = 2 + round % 23;

		make(&whole, round);
		(void)reduce(&whole, k, &reduced);
		before += whole.n;
		after += reduced.n;
		for (uint32_t m = 1; m <= PAGES; m++) {
			struct counts a = lru(&whole, m);
			struct counts b = lru(&reduced, m);
			uint64_t opt_a = ev_opt_misses(whole.page, whole.n, PAGES, m);
			uint64_t opt_b = ev_opt_misses(reduced.page, reduced.n, PAGES, m);

			if (m < k) {
				differ_below += a.misses != b.misses;
				continue;
			}
			assert_int_equal(a.misses, b.misses);
			assert_int_equal(a.written, b.written);
			assert_int_equal(opt_a, opt_b);
		}
	}
	/* Without these the equality above would say nothing. */
	assert_true(differ_below > 100);
	assert_true(after < before * 3 / 4);
}

static void test_reduced_twice(void **state)
{
	static struct trace whole, once, twice;

	(void)state;
	for (unsigned int round = 0; round < 20; round++) {
		make(&whole, round);
		(void)reduce(&whole, 4, &once);
		(void)reduce(&once, 12, &twice);
		assert_true(twice.n < once.n);
		for (uint32_t m = 12; m <= PAGES; m++) {
			assert_int_equal(lru(&whole, m).misses, lru(&twice, m).misses);
			assert_int_equal(lru(&whole, m).written, lru(&twice, m).written);
		}
	}
}

static void test_ticks_stay_where_they_were(void **state)
{
	static struct trace whole, reduced;

	(void)state;
	make(&whole, 3);
	(void)reduce(&whole, 1, &reduced);
	assert_int_equal(reduced.ticks, (whole.n + 49) / 100);
	assert_true(reduced.tick_at[0] > 20 && reduced.tick_at[0] <= 50);
	assert_true(reduced.tick_at[reduced.ticks - 1] <= reduced.n);
}

static void test_flags_are_merged(void **state)
{
	static const struct trace whole = {
		.page = {1, 2, 1, 2, 1},
		.flags = {PGT_READ, PGT_READ, PGT_WRITE, PGT_FETCH, PGT_READ},
		.n = 5};
	static struct trace reduced;

	(void)state;
	(void)reduce(&whole, 2, &reduced);
	assert_int_equal(reduced.n, 4);
	assert_int_equal(reduced.page[0], 1);
	assert_int_equal(reduced.flags[0], PGT_READ);
	assert_int_equal(reduced.page[2], 2);
	assert_int_equal(reduced.flags[2], PGT_FETCH);
	assert_int_equal(reduced.page[3], 1);
	assert_int_equal(reduced.flags[3], PGT_READ | PGT_WRITE | PGT_HOT);
}

/* ---- lackey ------------------------------------------------------------------------------------ */

static const char lackey_text[] = "==12== Lackey, an example Valgrind tool\n"
				  "\n"
				  "I  00001ffe,4\n"
				  " S 00003008,8\n"
				  " L 00004ffc,4\n"
				  " M 00005000,1\n"
				  "==12== L 00006000,1\n"
				  " X 00006000,1\n"
				  "I  zz,1\n"
				  " L 00006000\n"
				  " L 00006000,0\n"
				  "I  00007000,2";

static void test_lackey_text_cut_anywhere(void **state)
{
	static const uint32_t pages[] = {1, 2, 3, 4, 5};
	static const unsigned int flags[] = {PGT_FETCH, PGT_FETCH, PGT_WRITE, PGT_READ,
					     PGT_READ | PGT_WRITE};
	static struct trace t;

	(void)state;
	for (size_t cut = 0; cut < sizeof(lackey_text); cut++) {
		struct pgt_lackey l = {.to = sink_of(&t)};

		pgt_lackey_feed(&l, lackey_text, cut);
		pgt_lackey_feed(&l, lackey_text + cut, sizeof(lackey_text) - 1 - cut);
		assert_int_equal(t.n, 5);
		assert_memory_equal(t.page, pages, sizeof(pages));
		assert_memory_equal(t.flags, flags, sizeof(flags));
		pgt_lackey_feed(&l, "\n", 1);
		assert_int_equal(t.n, 6);
		assert_int_equal(t.page[5], 7);
		assert_int_equal(l.instructions, 2);
	}
}

static void test_lackey_ticks(void **state)
{
	static struct trace t;
	struct pgt_lackey l = {.to = sink_of(&t), .instructions = 999998};

	(void)state;
	pgt_lackey_feed(&l, "I  00001000,4\n S 00002000,8\n", 28);
	assert_int_equal(t.ticks, 0);
	pgt_lackey_feed(&l, "I  00001004,4\nI  00001008,4\n", 28);
	assert_int_equal(t.ticks, 1);
	assert_int_equal(t.tick_at[0], 3);
	assert_int_equal(t.n, 4);
}

/* A line that is far too long is not one of lackey's, wherever it is cut. */
static void test_lackey_long_lines(void **state)
{
	static struct trace t;
	char text[600];
	struct pgt_lackey l = {.to = sink_of(&t)};

	(void)state;
	memset(text, '0', sizeof(text));
	memcpy(text, " L ", 3);
	pgt_lackey_feed(&l, text, 60);
	pgt_lackey_feed(&l, text + 60, sizeof(text) - 60);
	pgt_lackey_feed(&l, ",4\n L 00009000,4\n", 17);
	assert_int_equal(t.n, 1);
	assert_int_equal(t.page[0], 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reduced_as_the_rule_says),
		cmocka_unit_test(test_counts_stay_from_k_on),
		cmocka_unit_test(test_reduced_twice),
		cmocka_unit_test(test_ticks_stay_where_they_were),
		cmocka_unit_test(test_flags_are_merged),
		cmocka_unit_test(test_lackey_text_cut_anywhere),
		cmocka_unit_test(test_lackey_ticks),
		cmocka_unit_test(test_lackey_long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
