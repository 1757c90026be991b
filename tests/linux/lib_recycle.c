/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_recycle.c - mechanism copy-recycle: runs of pages come and go with their RAM; contents, and that the
 * RAM in the window and the RAM that is kept together are never more than the budget.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../arch/linux/instance.h"
#include "lib_common.h"

#define BUDGET ((uint64_t)16 << 20)
#define PAGES  ((size_t)16384)
#define STRIDE 517U /* no runs */

struct world {
	struct zpager *z;
	char *p;
	uint32_t most_kept;
};

/* What the budget says of RAM holds now. */
static void check_ram(struct world *w)
{
	uint32_t kept = w->z->port.staging.nram;
	size_t in = lib_resident(w->p, PAGES * LIB_PAGE);
	uint32_t frames = w->z->port.in_service;

	assert_true(in + kept <= frames + ZL_SLOTS_MAX + ZL_GIVE_BACK);
	w->most_kept = kept > w->most_kept ? kept : w->most_kept;
}

static void write_in_order(struct world *w, size_t version)
{
	for (size_t i = 0; i < PAGES; i++) {
		lib_fill(w->p + i * LIB_PAGE, i, version);
		if (i % 1024 == 0) {
			check_ram(w);
		}
	}
}

static void read_in_order(struct world *w, size_t version)
{
	for (size_t i = 0; i < PAGES; i++) {
		assert_true(lib_is(w->p + i * LIB_PAGE, i, version));
		if (i % 1024 == 0) {
			check_ram(w);
		}
	}
}

static void scatter(struct world *w, size_t version)
{
	for (size_t k = 0; k < PAGES / 4; k++) {
		size_t i = k * STRIDE % PAGES;

		assert_true(lib_is(w->p + i * LIB_PAGE, i, version));
		if (k % 256 == 0) {
			check_ram(w);
		}
	}
}

static struct world begin(void)
{
	struct zpager_options options = {.ram_bytes = BUDGET,
					 .store = "ram:size=256M&own=yes",
					 .fault_mode = "signal",
					 .mechanism = "copy-recycle"};
	struct world w = {.z = lib_open(&options)};

	if (w.z == NULL) {
		skip();
	}
	w.p = zpager_map(w.z, PAGES * LIB_PAGE, 0);
	assert_non_null(w.p);
	return w;
}

static void test_runs_and_single_pages(void **state)
{
	struct world w = begin();

	(void)state;
	write_in_order(&w, 1);
	read_in_order(&w, 1);
	assert_true(w.most_kept > ZL_SLOTS_MAX);
	scatter(&w, 1);
	assert_true(w.z->port.staging.nram <= ZL_SLOTS_MAX);
	write_in_order(&w, 2);
	scatter(&w, 2);
	read_in_order(&w, 2);
	lib_check(w.z, w.p, PAGES * LIB_PAGE);
	lib_close(w.z);
}

/* A page that was moved in as just read is protected: its first write is seen, and is not lost. */
static void test_a_write_to_a_page_that_was_read(void **state)
{
	struct world w = begin();

	(void)state;
	write_in_order(&w, 1);
	for (size_t i = 0; i < PAGES; i++) {
		assert_true(lib_is(w.p + i * LIB_PAGE, i, 1));
		lib_fill(w.p + i * LIB_PAGE, i, 3);
	}
	read_in_order(&w, 3);
	assert_true(w.most_kept > ZL_SLOTS_MAX);
	lib_close(w.z);
}

/* Less RAM while some is kept. */
static void test_budget_that_shrinks(void **state)
{
	struct world w = begin();

	(void)state;
	write_in_order(&w, 1);
	read_in_order(&w, 1);
	assert_int_equal(zpager_set_ram(w.z, BUDGET / 2), 0);
	check_ram(&w);
	read_in_order(&w, 1);
	lib_close(w.z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_and_single_pages),
		cmocka_unit_test(test_a_write_to_a_page_that_was_read),
		cmocka_unit_test(test_budget_that_shrinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
