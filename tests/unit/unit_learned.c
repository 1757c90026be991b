/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_learned.c - the parts of the learned algorithm: classes of time, what is learned, pages that
 * are remembered while they are out, and the set of candidates against an array.
 *
 * Locks: none. Limits: none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../eviction/past.h"
#include "../../eviction/set.h"

static void classes_grow_with_time(void **state)
{
	(void)state;
	for (uint32_t t = 1; t <= UINT16_MAX; t++) {
		uint8_t class = z__age_class((uint16_t)t);

		assert_in_range(class - z__age_class((uint16_t)(t - 1)), 0, class == 3 ? 2 : 1);
		assert_in_range(z__gap_class((uint16_t)t) - z__gap_class((uint16_t)(t - 1)), 0, 1);
		assert_true(z__distance((uint16_t)t) >= z__distance((uint16_t)(t - 1)));
		assert_in_range(class, 0, Z__AGES - 1);
		assert_in_range(z__gap_class((uint16_t)t), 0, Z__GAP_AHEAD - 1);
	}
	for (unsigned int n = 3; n < Z__AGES - 3; n++) { /* class 2 is not used */
		assert_int_equal(z__age_class(z__age_middle((uint8_t)n)), n);
	}
	assert_int_equal(z__distance(0), 0);
	assert_int_equal(z__distance(Z__TICKS), Z__NEVER);
	assert_int_equal(z__distance(UINT16_MAX), Z__NEVER);
	assert_int_equal(z__distance(4), Z__OCTAVE);
}

/* Two kinds of pages that differ in one sign are told apart, whichever it is. */
static void what_differs_is_learned(void **state)
{
	const struct z__signs near = {
		.near = 7, .wide = 9, .age = 3, .gap = 2, .away = 1, .uses = 1};
	struct z__signs far[5] = {near, near, near, near, near};
	static struct z__predictor p;

	(void)state;
	far[0].near = 8;
	far[1].gap = 3;
	far[2].away = 4;
	far[3].uses = 5;
	far[4].dirty = true;
	for (size_t k = 0; k < 5; k++) {
		memset(&p, 0, sizeof(p));
		z__predictor_init(&p);
		for (int n = 0; n < 2000; n++) {
			z__learn(&p, &near, Z__OCTAVE);
			z__learn(&p, &far[k], 5 * Z__OCTAVE);
		}
		assert_in_range(z__predict(&p, &near), Z__OCTAVE / 2, 3 * Z__OCTAVE / 2);
		assert_in_range(z__predict(&p, &far[k]), 9 * Z__OCTAVE / 2, 11 * Z__OCTAVE / 2);
	}
}

static void untaught_it_is_the_oldest(void **state)
{
	struct z__signs s = {0};
	static struct z__predictor p;
	int32_t before = INT32_MIN;

	(void)state;
	z__predictor_init(&p);
	for (s.age = 0; s.age < Z__AGES; s.age++) {
		assert_true(z__predict(&p, &s) > before);
		before = z__predict(&p, &s);
	}
}

/* Cells end at what 16 bits hold. */
static void cells_do_not_wrap(void **state)
{
	const struct z__signs s = {.near = 1};
	static struct z__predictor p;

	(void)state;
	for (int n = 0; n < 100000; n++) {
		z__learn(&p, &s, 1 << 20);
	}
	assert_int_equal(z__predict(&p, &s), Z__TABLES * INT16_MAX);
}

static const void *page(uintptr_t n)
{
	return (const void *)(n * Z_PAGE_SIZE); /* never touched */
}

static void the_departed_are_remembered(void **state)
{
	struct z__departed entry[8 * Z__DEPARTED_WAYS] = {{0}};
	struct z__departeds d = {entry, 8};
	static struct z__predictor p;
	struct z__past past = {.last = 77, .age = 31, .dirty = 1, .gap = 15, .away = 9, .uses = 7};
	struct z__past back;
	struct z__place at = z__place_of(page(1234));
	int32_t untaught;

	(void)state;
	assert_false(z__departed_take(&d, &at, &back));
	z__departed_put(&d, &p, &at, &past);
	assert_true(z__departed_take(&d, &at, &back));
	assert_int_equal(back.last, 77);
	assert_int_equal(back.age, 31);
	assert_int_equal(back.dirty, 1);
	assert_int_equal(back.gap, 15);
	assert_int_equal(back.away, 9);
	assert_int_equal(back.uses, 7);
	assert_false(z__departed_take(&d, &at, &back));

	/* Who falls out of a bucket was not used: that is learned, once for each. */
	untaught = p.cell[Z__BY_AGE + 31];
	d.buckets = 1;
	for (uintptr_t n = 0; n < Z__DEPARTED_WAYS; n++) {
		at = z__place_of(page(n));
		z__departed_put(&d, &p, &at, &past);
		assert_int_equal(p.cell[Z__BY_AGE + 31], untaught);
	}
	at = z__place_of(page(99));
	z__departed_put(&d, &p, &at, &past);
	assert_true(p.cell[Z__BY_AGE + 31] > untaught);
	at = z__place_of(page(0));
	assert_false(z__departed_take(&d, &at, &back));
	at = z__place_of(page(1));
	assert_true(z__departed_take(&d, &at, &back));
}

static void without_room_nobody_is_remembered(void **state)
{
	struct z__departeds d = {NULL, z__departed_buckets(Z__DEPARTED_FRAMES - 1)};
	static struct z__predictor p;
	struct z__past past = {0};
	struct z__place at = z__place_of(page(5));

	(void)state;
	z__departed_put(&d, &p, &at, &past);
	assert_false(z__departed_take(&d, &at, &past));
}

static uint32_t next_plain(const bool *in, uint32_t n, uint32_t i)
{
	while (i < n && !in[i]) {
		i++;
	}
	return i < n ? i : Z__SET_END;
}

/* Random members, few and many, against an array. */
static void the_set_is_a_set(void **state)
{
	const uint32_t sizes[] = {1, 2, 31, 32, 33, 1023, 1024, 1025, 33000};
	static bool in[33000];

	(void)state;
	srand(11);
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint32_t n = sizes[k];
		uint32_t *room = calloc(1, z__set_bytes(n));
		uint32_t count = 0;
		struct z__set s;

		z__set_init(&s, room, n);
		memset(in, 0, sizeof(in));
		for (uint32_t step = 0; step < 20000; step++) {
			uint32_t i = (uint32_t)rand() % n;
			bool add = (uint32_t)rand() % 16 < (step >> 10) % 16;

			(add ? z__set_add : z__set_remove)(&s, i);
			count += (uint32_t)add - (uint32_t)in[i];
			in[i] = add;
			i = (uint32_t)rand() % (n + 1);
			assert_int_equal(z__set_next(&s, i), next_plain(in, n, i));
			assert_int_equal(s.count, count);
		}
		free(room);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_grow_with_time),
		cmocka_unit_test(what_differs_is_learned),
		cmocka_unit_test(untaught_it_is_the_oldest),
		cmocka_unit_test(cells_do_not_wrap),
		cmocka_unit_test(the_departed_are_remembered),
		cmocka_unit_test(without_room_nobody_is_remembered),
		cmocka_unit_test(the_set_is_a_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
