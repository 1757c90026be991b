/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_table.c - the page table as memory (table.h) against a plain model, at random: what each page is, and
 * to the page what was taken from the purse, promised and given back. ZPAGER_SEED=n chooses the sequence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../arch/linux/port.h"
#include "lib_common.h"

#define PAGES  (6 * ZL_LEAF_PAGES + 100)
#define LEAVES 7
#define STEPS  20000
#define RW     (Z_ACCESS_READ | Z_ACCESS_WRITE)

static struct zl_table table;
static uint64_t want[PAGES]; /* what zl_table_entry has to say */
static bool exists[LEAVES];  /* the leaf */
static uint32_t in_purse;
static uint32_t promises_most;
static uint32_t taken;
static uint32_t debt;
static bool bytes_paid;

static int take(void *ctx, uint32_t pages)
{
	(void)ctx;
	if (pages > in_purse) {
		return Z_ERR_NOMEM;
	}
	in_purse -= pages;
	taken += pages;
	return 0;
}

static void take_anyway(void *ctx, uint32_t pages)
{
	if (take(ctx, pages) != 0) {
		debt += pages;
		taken += pages;
	}
}

static void give(void *ctx, uint32_t pages)
{
	uint32_t paid = pages < debt ? pages : debt;

	(void)ctx;
	debt -= paid;
	in_purse += pages - paid;
	taken -= pages;
}

static int promise(void *ctx)
{
	(void)ctx;
	return table.later <= promises_most ? 0 : Z_ERR_NOMEM;
}

static const struct zl_purse purse = {
	.take = take, .take_anyway = take_anyway, .give = give, .promise = promise};

struct range {
	size_t first;
	size_t pages;
	size_t leaf;     /* of the first page */
	size_t end_leaf; /* behind that of the last */
};

static uint32_t below(uint32_t n)
{
	static uint64_t state;

	if (state == 0) {
		const char *seed = getenv("ZPAGER_SEED");
		state = seed != NULL ? strtoull(seed, NULL, 0) : 1;
	}
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(state >> 33) % n;
}

static struct range any_range(void)
{
	struct range r = {.first = below(PAGES)};
	size_t most = PAGES - r.first;

	if (below(3) == 0) {
		r.first -= r.first % ZL_LEAF_PAGES;
		most = PAGES - r.first;
	}
	r.pages = 1 + below(below(2) == 0 ? 40 : (uint32_t)most);
	r.pages = r.pages < most ? r.pages : most;
	r.leaf = r.first / ZL_LEAF_PAGES;
	r.end_leaf = (r.first + r.pages - 1) / ZL_LEAF_PAGES + 1;
	return r;
}

/* Is every page of the leaf in the range? */
static bool covers(const struct range *r, size_t leaf)
{
	size_t end = (leaf + 1) * ZL_LEAF_PAGES < PAGES ? (leaf + 1) * ZL_LEAF_PAGES : PAGES;

	return r->first <= leaf * ZL_LEAF_PAGES && r->first + r->pages >= end;
}

static bool all_mapped(const struct range *r, bool mapped)
{
	for (size_t i = r->first; i < r->first + r->pages; i++) {
		if ((want[i] != 0) != mapped) {
			return false;
		}
	}
	return true;
}

static bool has_page(size_t leaf)
{
	struct range r = {leaf * ZL_LEAF_PAGES, ZL_LEAF_PAGES, 0, 0};

	r.pages = r.pages < PAGES - r.first ? r.pages : PAGES - r.first;
	return !all_mapped(&r, false);
}

static uint32_t later(void)
{
	uint32_t n = 0;

	for (size_t leaf = 0; leaf < LEAVES; leaf++) {
		n += !exists[leaf] && has_page(leaf);
	}
	return n;
}

/* Leaves of the range that do not exist, with (or without) mapped pages, covered wholly or in part as said. */
static uint32_t missing(const struct range *r, bool mapped, bool wholly)
{
	uint32_t n = 0;

	for (size_t leaf = r->leaf; leaf < r->end_leaf; leaf++) {
		n += !exists[leaf] && has_page(leaf) == mapped && covers(r, leaf) == wholly;
	}
	return n;
}

static void now_exist(const struct range *r, bool wholly_too)
{
	for (size_t leaf = r->leaf; leaf < r->end_leaf; leaf++) {
		exists[leaf] |= has_page(leaf) && (wholly_too || !covers(r, leaf));
	}
}

static void try_map(const struct range *r)
{
	unsigned int prot = below(2) == 0 ? (unsigned int)RW : (unsigned int)Z_ACCESS_READ;
	uint32_t edges = missing(r, false, false);
	uint32_t whole = missing(r, false, true);
	bool enough =
		edges + !bytes_paid <= in_purse && (whole == 0 || later() + whole <= promises_most);

	assert_int_equal(zl_table_map(&table, r->first, r->pages, prot), enough ? 0 : Z_ERR_NOMEM);
	for (size_t i = r->first; enough && i < r->first + r->pages; i++) {
		want[i] = zl_pt_untouched(prot);
	}
	if (enough) {
		bytes_paid = true;
		now_exist(r, false);
	}
}

static void do_unmap(const struct range *r)
{
	now_exist(r, false);
	zl_table_unmap(&table, r->first, r->pages);
	memset(&want[r->first], 0, r->pages * sizeof(want[0]));
	for (size_t leaf = 0; leaf < LEAVES; leaf++) {
		exists[leaf] &= has_page(leaf);
	}
}

static void try_protect(const struct range *r)
{
	bool enough = missing(r, true, false) <= in_purse;

	assert_int_equal(zl_table_protect_begin(&table, r->first, r->pages),
			 enough ? 0 : Z_ERR_NOMEM);
	if (!enough) {
		return;
	}
	now_exist(r, false);
	zl_table_protect(&table, r->first, r->pages, Z_ACCESS_READ);
	for (size_t i = r->first; i < r->first + r->pages; i++) {
		want[i] = (want[i] & ~ZL_PT_PROT) | (zl_pt_untouched(Z_ACCESS_READ) & ZL_PT_PROT);
	}
}

/* The first page of the range is out from then on. */
static void try_touch(const struct range *r)
{
	bool enough = missing(r, true, false) + missing(r, true, true) <= in_purse;

	assert_int_equal(zl_table_prepare(&table, r->first, r->pages), enough ? 0 : Z_ERR_NOMEM);
	if (enough) {
		now_exist(r, true);
		want[r->first] = zl_pt_make(Z_ENTRY_OUT, want[r->first], r->first * LIB_PAGE);
		table.pt[r->first] = want[r->first];
	}
}

static void compare(void)
{
	uint32_t leaves = bytes_paid;

	for (size_t i = 0; i < PAGES; i++) {
		assert_true(zl_table_entry(&table, i) == want[i]);
		assert_int_equal(zl_table_untouched(&table, i, 1),
				 want[i] != 0 && !exists[i / ZL_LEAF_PAGES]);
	}
	for (size_t leaf = 0; leaf < LEAVES; leaf++) {
		leaves += exists[leaf];
	}
	assert_int_equal(table.taken, leaves);
	assert_int_equal(taken, leaves);
	assert_int_equal(table.later, later());
}

static void test_against_model(void **state)
{
	uint32_t refused = 0;

	(void)state;
	in_purse = 4;
	assert_int_equal(zl_table_open(&table, PAGES, &purse), 0);
	for (int step = 0; step < STEPS; step++) {
		struct range r = any_range();
		uint32_t kind = below(5);

		promises_most = below(LEAVES + 1);
		refused += debt > 0;
		if (all_mapped(&r, false)) {
			try_map(&r);
		} else if (all_mapped(&r, true) && kind >= 2) {
			(kind == 2 ? try_protect : try_touch)(&r);
		} else if (kind == 0) {
			do_unmap(&r);
		}
		if (step % 64 == 0) {
			compare();
		}
	}
	assert_true(refused > 0);
	do_unmap(&(struct range){0, PAGES, 0, LEAVES});
	compare();
	assert_int_equal(in_purse, 4 - bytes_paid);
	zl_table_close(&table);
}

/* A mapping as large as a window gets, by itself. */
static void test_costs_nothing_before_it_is_touched(void **state)
{
	size_t pages = (size_t)1 << 28; /* 1 TiB */

	(void)state;
	memset(&table, 0, sizeof(table));
	in_purse = UINT32_MAX;
	promises_most = UINT32_MAX;
	taken = 0;
	assert_int_equal(zl_table_open(&table, pages, &purse), 0);
	assert_int_equal(zl_table_map(&table, 0, pages, RW), 0);
	assert_int_equal(taken, pages / ZL_LEAF_PAGES / LIB_PAGE); /* a byte for each 2 MiB */
	assert_int_equal(zl_table_untouched(&table, 5, pages - 5), pages - 5);
	assert_int_equal(zl_table_prepare(&table, pages / 2, 1), 0);
	assert_int_equal(taken, pages / ZL_LEAF_PAGES / LIB_PAGE + 1);
	assert_int_equal(zl_table_untouched(&table, 0, pages), pages / 2);
	zl_table_unmap(&table, 0, pages);
	assert_int_equal(taken, pages / ZL_LEAF_PAGES / LIB_PAGE);
	zl_table_close(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_costs_nothing_before_it_is_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
