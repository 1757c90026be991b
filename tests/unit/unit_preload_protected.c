/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_preload_protected.c - the spans of the window that are not plain, against a byte for each page.
 *
 * tools/preload/protected.c is not part of a library that tests are linked to; it is compiled into this one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/preload/protected.c"

#define PAGE  ((size_t)4096)
#define PAGES 400U
#define STEPS 20000U

static uint64_t seed = 1;

static size_t draw(size_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (size_t)(seed >> 33) % below;
}

static const void *page_at(size_t page)
{
	return (const void *)(UINT64_C(0x10000000) + page * PAGE);
}

static void forget_all(void)
{
	memset(spans, 0, sizeof(spans));
	atomic_store(&everywhere, false);
}

static void edges_are_exact(void **state)
{
	(void)state;
	forget_all();
	zp_protected_add(page_at(4), 2 * PAGE);
	assert_false(zp_protected(page_at(0), 4 * PAGE));
	assert_true(zp_protected(page_at(0), 4 * PAGE + 1));
	assert_true(zp_protected(page_at(5), 1));
	assert_false(zp_protected(page_at(6), 1));
	zp_protected_remove(page_at(4), PAGE);
	assert_true(zp_protected(page_at(4), 1));
	zp_protected_remove(page_at(3), 4 * PAGE);
	assert_false(zp_protected(page_at(0), 400 * PAGE));
}

static void too_many_mean_everywhere(void **state)
{
	(void)state;
	forget_all();
	for (size_t i = 0; i < SPANS; i++) {
		zp_protected_add(page_at(2 * i), PAGE);
	}
	zp_protected_add(page_at(0), PAGE);
	assert_false(zp_protected(page_at(1), PAGE));
	zp_protected_add(page_at(300), PAGE);
	assert_true(zp_protected(page_at(1), PAGE));
}

static void always_outlives_permissions(void **state)
{
	(void)state;
	forget_all();
	assert_false(zp_protected(page_at(0), PAGE));
	zp_protected_always();
	zp_protected_remove(page_at(0), PAGES * PAGE);
	assert_true(zp_protected(page_at(0), PAGE));
}

/* It may say too much, and never too little; and it forgets. */
static void nothing_protected_is_missed(void **state)
{
	static bool is_protected[PAGES];

	(void)state;
	forget_all();
	for (size_t step = 0; step < STEPS; step++) {
		size_t from = draw(PAGES - 8);
		size_t n = 1 + draw(8);
		bool any = false;

		if (draw(3) == 0) {
			zp_protected_add(page_at(from), n * PAGE);
			memset(is_protected + from, true, n);
		} else {
			n = draw(PAGES - from) + 1;
			zp_protected_remove(page_at(from), n * PAGE);
			memset(is_protected + from, false, n);
		}
		from = draw(PAGES - 8);
		for (size_t i = from; i < from + 8; i++) {
			any |= is_protected[i];
		}
		assert_true(!any || zp_protected(page_at(from), 8 * PAGE));
	}
	zp_protected_remove(page_at(0), PAGES * PAGE);
	assert_false(zp_protected(page_at(0), PAGES * PAGE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges_are_exact),
		cmocka_unit_test(too_many_mean_everywhere),
		cmocka_unit_test(always_outlives_permissions),
		cmocka_unit_test(nothing_protected_is_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
