/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_basic.c - a region four times the budget keeps every byte, whatever the store, the fault mode
 * and the mechanism; RAM stays within the budget; counters that can be known are exact.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "lib_common.h"

#define BUDGET (2 * MIB)
#define PAGES  ((size_t)(4 * BUDGET / LIB_PAGE))

struct cell {
	const char *store;
	const char *mode;
	const char *mechanism;
};

static char *page_at(char *region, size_t i)
{
	return region + i * LIB_PAGE;
}

static void verify_all(char *region, const uint64_t *versions)
{
	for (size_t i = 0; i < PAGES; i++) {
		if (!lib_is(page_at(region, i), i, versions[i])) {
			fail_msg("page %zu does not hold what was written", i);
		}
	}
}

/* Every second page is written without being read first: a write fault on a page that is out. */
static void random_rewrites(char *region, uint64_t *versions, uint64_t seed)
{
	uint64_t state = seed;

	for (int k = 0; k < 2000; k++) {
		size_t i = lib_random(&state) % PAGES;
		if (k % 2 == 0) {
			lib_fill(page_at(region, i), i, ++versions[i]);
		} else if (!lib_is(page_at(region, i), i, versions[i])) {
			fail_msg("page %zu is wrong at step %d of seed %lu", i, k, seed);
		} else if (k % 4 == 1) {
			lib_fill(page_at(region, i), i, ++versions[i]);
		}
	}
}

static void run_cell(struct zpager *z)
{
	size_t bytes = PAGES * LIB_PAGE;
	uint64_t *versions = calloc(PAGES, sizeof(*versions));
	char *region = zpager_map(z, bytes, 0);
	struct z_stats stats;

	assert_non_null(versions);
	if (region == NULL) {
		fail_msg("%s", zpager_last_error(z));
	}
	assert_true(zpager_contains(z, region) && zpager_contains(z, region + bytes - 1));
	assert_true(zpager_is_mapped(z, region, bytes));
	assert_int_equal(lib_resident(region, bytes), 0);

	for (size_t i = 0; i < PAGES; i++) {
		assert_int_equal(page_at(region, i)[i % LIB_PAGE], 0);
		lib_fill(page_at(region, i), i, 0);
		if (i % 256 == 0) {
			lib_check(z, region, bytes);
		}
	}
	verify_all(region, versions);
	lib_check(z, region, bytes);
	random_rewrites(region, versions, 42);
	lib_check(z, region, bytes);
	verify_all(region, versions);
	lib_check(z, region, bytes);

	zpager_stats(z, &stats, NULL);
	assert_int_equal(stats.pages_zeroed, PAGES);
	assert_int_equal(stats.pages_mapped, PAGES);
	assert_int_equal(stats.pagefaults + stats.pages_ahead,
			 stats.pages_zeroed + stats.pages_read);
	assert_int_equal(stats.bad_faults + stats.failed_faults, 0);
	assert_int_equal(zpager_unmap(z, region, bytes), 0);
	assert_int_equal(lib_resident(region, bytes), 0);
	assert_false(zpager_is_mapped(z, region, LIB_PAGE));
	zpager_stats(z, &stats, NULL);
	assert_int_equal(stats.frames_resident + stats.pages_mapped, 0);
	free(versions);
}

static void test_cell(void **state)
{
	struct cell *cell = *state;
	struct zpager_options options = {.ram_bytes = BUDGET,
					 .store = cell->store,
					 .fault_mode = cell->mode,
					 .mechanism = cell->mechanism};
	struct zpager *z = lib_open(&options);

	if (z == NULL) {
		skip();
	}
	run_cell(z);
	lib_close(z);
}

/* Opened and closed many times, nothing stays behind: addresses, descriptors, handlers. */
static void test_open_close_many_times(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) {
		struct zpager *z = lib_simple(MIB, i % 2 == 0 ? "monitor" : "signal", "copy");
		if (z == NULL) {
			skip();
		}
		volatile char *p = zpager_map(z, 2 * MIB, 0);
		assert_non_null(p);
		for (size_t k = 0; k < 2 * MIB; k += LIB_PAGE) {
			p[k] = 1;
		}
		lib_close(z);
		assert_int_equal(msync((void *)(uintptr_t)p, LIB_PAGE, MS_ASYNC), -1);
		assert_int_equal(errno, ENOMEM);
	}
}

/* Two instances at once, each with its own window and mode. */
static void test_two_instances(void **state)
{
	struct zpager *a = lib_simple(MIB, "signal", "copy");
	struct zpager *b = lib_simple(MIB, "signal", "move");

	(void)state;
	if (a == NULL || b == NULL) {
		skip();
	}
	char *p = zpager_map(a, 4 * MIB, 0);
	char *q = zpager_map(b, 4 * MIB, 0);
	assert_true(zpager_contains(a, p) && !zpager_contains(a, q) && zpager_contains(b, q));
	for (size_t i = 0; i < 4 * MIB / LIB_PAGE; i++) {
		lib_fill(page_at(p, i), i, 1);
		lib_fill(page_at(q, i), i, 2);
	}
	for (size_t i = 0; i < 4 * MIB / LIB_PAGE; i++) {
		assert_true(lib_is(page_at(p, i), i, 1));
		assert_true(lib_is(page_at(q, i), i, 2));
	}
	lib_close(a);
	assert_true(lib_is(q, 0, 2));
	lib_close(b);
}

/* Contents dropped by advice are zeros again; pages that are only touched in part stay. */
static void test_advice(void **state)
{
	struct zpager *z = lib_simple(MIB, "signal", "copy");

	(void)state;
	if (z == NULL) {
		skip();
	}
	char *p = zpager_map(z, 16 * LIB_PAGE, 0);
	for (size_t i = 0; i < 16; i++) {
		lib_fill(page_at(p, i), i, 0);
	}
	assert_int_equal(zpager_page_out(z, p, 8 * LIB_PAGE), 0);
	assert_int_equal(lib_resident(p, 16 * LIB_PAGE), 8);
	assert_int_equal(zpager_advise(z, p + 1, 16 * LIB_PAGE - 2, Z_ADVICE_DONTNEED), 0);
	assert_true(lib_is(p, 0, 0) && lib_is(page_at(p, 15), 15, 0));
	for (size_t i = LIB_PAGE; i < 15 * LIB_PAGE; i++) {
		assert_int_equal(p[i], 0);
	}
	assert_int_equal(zpager_advise(z, p + 1, 10, Z_ADVICE_DONTNEED), 0);
	assert_true(lib_is(p, 0, 0));
	assert_int_equal(zpager_page_out(z, p, 16 * LIB_PAGE), 0);
	assert_int_equal(zpager_advise(z, p, 16 * LIB_PAGE, Z_ADVICE_WILLNEED), 0);
	assert_int_equal(lib_resident(p, 16 * LIB_PAGE), 16);
	lib_close(z);
}

/* A page that leaves as it came needs no room in the store but what it has. */
static void test_reading_takes_no_more_of_the_store(void **state)
{
	size_t pages = 4096;
	struct zpager_options options = {.ram_bytes = 4 * MIB, .store = "lz4:size=64M&own=yes"};
	struct zpager *z = lib_open(&options);
	struct zpager_info written;
	struct zpager_info read;

	(void)state;
	if (z == NULL) {
		skip();
	}
	char *p = zpager_map(z, pages * LIB_PAGE, 0);
	assert_non_null(p);
	for (size_t i = 0; i < pages; i++) {
		memset(p + i * LIB_PAGE, (int)(i % 255) + 1, LIB_PAGE);
	}
	zpager_stats(z, NULL, &written);
	for (size_t i = 0; i < 2 * pages; i++) {
		assert_int_equal(p[i % pages * LIB_PAGE], (char)(i % pages % 255 + 1));
	}
	zpager_stats(z, NULL, &read);
	/* Each page promised would be 16 MiB. */
	assert_true(read.store_ram_bytes <= written.store_ram_bytes + MIB);
	lib_close(z);
}

int main(void)
{
	static const char *const stores[] = {LIB_RAM_STORE, "lz4:", "file:", "tier:lz4:,file:"};
	static const char *const modes[] = {"monitor", "signal"};
	static const char *const mechanisms[] = {"copy", "copy-recycle", "copy-move", "move"};
	static struct cell cells[32];
	static char names[32][64];
	struct CMUnitTest tests[36] = {
		cmocka_unit_test(test_open_close_many_times),
		cmocka_unit_test(test_two_instances),
		cmocka_unit_test(test_advice),
		cmocka_unit_test(test_reading_takes_no_more_of_the_store),
	};

	for (int i = 0; i < 32; i++) {
		cells[i] = (struct cell){stores[i / 8], modes[i / 4 % 2], mechanisms[i % 4]};
		(void)snprintf(names[i], sizeof(names[i]), "%s %s %s", cells[i].store,
			       cells[i].mode, cells[i].mechanism);
		tests[4 + i] = (struct CMUnitTest){
			.name = names[i], .test_func = test_cell, .initial_state = &cells[i]};
	}
	return cmocka_run_group_tests_name("lib_basic", tests, NULL, NULL);
}
