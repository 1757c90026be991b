/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_huge.c - a program that fits: one fault for each page and nothing afterwards, its memory in huge pages;
 * and what becomes of these when pages have to leave: they are split, so that RAM really comes free.
 *
 * Whether a page is part of a huge one is asked of the kernel (smaps, and for root kpageflags, which sees
 * huge pages that are mapped page by page too). Where huge pages are forbidden, that part is left out.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../arch/linux/instance.h"
#include "lib_common.h"

#define EXTENT       (2 * MIB)
#define EXTENT_PAGES ((size_t)(EXTENT / LIB_PAGE))
#define EXTENTS      ((size_t)4)
#define BYTES        (EXTENTS * EXTENT)
#define PAGES        (EXTENTS * EXTENT_PAGES)
#define LARGE        (32 * MIB) /* abundant for the region */
#define KPF_THP      22

struct cell {
	const char *mode;
	const char *mechanism;
};

static size_t told;

static void on_fault(void *context, const void *address, int is_write)
{
	(void)context;
	(void)address;
	(void)is_write;
	told++;
}

/* Who wants to be told of each fault has one for each page: nothing is brought in ahead. */
static struct zpager *open_with(const struct cell *cell, uint64_t budget)
{
	struct zpager_options options = {.ram_bytes = budget,
					 .store = LIB_RAM_STORE,
					 .fault_mode = cell->mode,
					 .mechanism = cell->mechanism,
					 .on_fault = on_fault};
	struct zpager *z = lib_open(&options);

	if (z == NULL) {
		skip();
	}
	told = 0;
	return z;
}

static char *map(struct zpager *z, size_t bytes)
{
	char *p = zpager_map(z, bytes, 0);

	assert_non_null(p);
	assert_int_equal((uintptr_t)p % EXTENT, 0);
	return p;
}

/* Bytes of huge pages in the range, as smaps has them. */
static size_t huge_bytes(const char *region, size_t bytes)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long from = 0;
	unsigned long to = 0;
	unsigned long kib;
	size_t sum = 0;
	char line[512];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "AnonHugePages: %lu", &kib) == 1) {
			bool ours = from < (uintptr_t)region + bytes && to > (uintptr_t)region;
			sum += ours ? kib * 1024 : 0;
		} else {
			(void)sscanf(line, "%lx-%lx ", &from, &to);
		}
	}
	fclose(f);
	return sum;
}

static uint64_t word_at(const char *path, uint64_t index)
{
	uint64_t word = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (pread(fd, &word, sizeof(word), (off_t)(index * sizeof(word))) != sizeof(word)) {
			word = 0;
		}
		close(fd);
	}
	return word;
}

/* Is the RAM of this page part of a huge page, however it is mapped? No where that may not be asked. */
static bool in_huge_page(const char *page)
{
	uint64_t number = word_at("/proc/self/pagemap", (uintptr_t)page / LIB_PAGE) &
			  ((UINT64_C(1) << 55) - 1);

	return number != 0 && (word_at("/proc/kpageflags", number) >> KPF_THP & 1) != 0;
}

static void assert_all_huge(const char *region, size_t bytes)
{
	if (zl_probe()->huge) {
		assert_int_equal(huge_bytes(region, bytes), bytes);
	}
}

/* Each page once. Every second one is read before it is written. */
static void fill_in_no_order(char *p, size_t pages, uint64_t version)
{
	for (size_t k = 0; k < pages; k++) {
		size_t i = k * 1021 % pages;
		char *page = p + i * LIB_PAGE;

		if (k % 2 == 0) {
			assert_int_equal(page[i % LIB_PAGE], 0);
		}
		lib_fill(page, i, version);
	}
}

static void assert_contents(const char *p, size_t pages, uint64_t version)
{
	for (size_t i = 0; i < pages; i++) {
		if (!lib_is(p + i * LIB_PAGE, i, version)) {
			fail_msg("page %zu does not hold what was written", i);
		}
	}
}

static void test_fits(void **state)
{
	struct zpager *z = open_with(*state, LARGE);
	char *p = map(z, BYTES);
	struct z_stats stats;

	fill_in_no_order(p, PAGES, 1);
	zpager_stats(z, &stats, NULL);
	assert_int_equal(told, PAGES);
	assert_int_equal(stats.pagefaults, PAGES);
	assert_int_equal(stats.pages_zeroed, PAGES);
	assert_int_equal(stats.soft_faults, 0);
	assert_int_equal(stats.frames_resident, PAGES);
	assert_all_huge(p, BYTES);

	for (uint64_t version = 2; version < 5; version++) {
		assert_contents(p, PAGES, version - 1);
		for (size_t i = 0; i < PAGES; i++) {
			lib_fill(p + i * LIB_PAGE, i, version);
		}
	}
	zpager_stats(z, &stats, NULL);
	assert_int_equal(told, PAGES);
	assert_int_equal(stats.pagefaults + stats.soft_faults, PAGES);
	assert_int_equal(stats.frames_resident, PAGES);
	assert_int_equal(stats.pages_written + stats.pages_read, 0);
	assert_int_equal(lib_resident(p, BYTES), PAGES);
	lib_check(z, p, BYTES);
	lib_close(z);
}

/* Faults of a first scan over so many pages: three that make a stream, then windows that double. */
static size_t faults_of_scan(size_t pages)
{
	size_t faults = 3;
	size_t next = 3;

	for (size_t window = 4; next < pages; window = window * 2 < 32 ? window * 2 : 32) {
		next += window;
		faults += next < pages;
		next++;
	}
	return faults;
}

/*
 * A first scan brings pages in ahead of itself: never more than it has seen, none behind the end of the
 * region, none that is written again later, and all is huge in the end.
 */
static void test_scan(void **state)
{
	const struct cell *cell = *state;
	struct zpager *z = lib_simple(LARGE, cell->mode, cell->mechanism);
	struct z_stats stats;

	if (z == NULL) {
		skip();
	}
	char *p = map(z, BYTES);
	for (size_t i = 0; i < PAGES; i++) {
		char *page = p + i * LIB_PAGE;

		assert_int_equal(page[i % LIB_PAGE], 0);
		lib_fill(page, i, 1);
		if (i == 2 || i == 7 || i == 100 || i == PAGES - 1) {
			size_t faults = faults_of_scan(i + 1);

			zpager_stats(z, &stats, NULL);
			assert_true(lib_resident(p, BYTES) <= 2 * (i + 1) + 1);
			assert_int_equal(stats.pagefaults, faults);
		}
	}
	assert_int_equal(stats.pagefaults + stats.pages_ahead, PAGES);
	assert_int_equal(stats.pages_zeroed, PAGES);
	assert_int_equal(stats.soft_faults, 0);
	assert_int_equal(stats.ahead_wasted, 0);
	assert_all_huge(p, BYTES);
	assert_contents(p, PAGES, 1);
	lib_check(z, p, BYTES);
	lib_close(z);
}

/* A scan ends where memory is forbidden: nothing of that comes in ahead, touched before or not. */
static void test_scan_to_forbidden(void **state)
{
	const struct cell *cell = *state;
	struct zpager *z = lib_simple(LARGE, cell->mode, cell->mechanism);
	char *p = z != NULL ? map(z, BYTES) : NULL;

	if (p == NULL) {
		skip();
	}
	lib_fill(p + EXTENT, EXTENT_PAGES, 1);
	assert_int_equal(zpager_page_out(z, p + EXTENT, LIB_PAGE), 0);
	assert_int_equal(zpager_permit(z, p + EXTENT, EXTENT, 0), 0);
	assert_int_equal(zpager_permit(z, p + 3 * EXTENT, EXTENT, 0), 0);
	for (size_t i = 0; i < EXTENT_PAGES; i++) {
		lib_fill(p + i * LIB_PAGE, i, 1);
		lib_fill(p + 2 * EXTENT + i * LIB_PAGE, i, 1);
	}
	assert_int_equal(lib_resident(p + EXTENT, EXTENT), 0);
	assert_int_equal(lib_resident(p + 3 * EXTENT, EXTENT), 0);
	assert_int_equal(zpager_permit(z, p, BYTES, 1), 0);
	assert_contents(p, EXTENT_PAGES + 1, 1);
	assert_int_equal(p[EXTENT + LIB_PAGE], 0);
	assert_int_equal(p[BYTES - 1], 0);
	assert_int_equal(zpager_permit(z, p, BYTES + EXTENT, 0), Z_ERR_FAULT);
	lib_check(z, p, BYTES);
	lib_close(z);
}

/* Where free frames do not abound there are no huge pages. */
static void test_tight(void **state)
{
	struct zpager *z = open_with(*state, BYTES + BYTES / 16);
	char *p = map(z, BYTES);

	fill_in_no_order(p, PAGES, 1);
	assert_int_equal(huge_bytes(p, BYTES), 0);
	assert_contents(p, PAGES, 1);
	lib_check(z, p, BYTES);
	lib_close(z);
}

/* One page of each extent leaves: its RAM too, and no other page. */
static void test_one_leaves(void **state)
{
	struct zpager *z = open_with(*state, LARGE);
	char *p = map(z, BYTES);
	struct z_stats stats;

	fill_in_no_order(p, PAGES, 1);
	assert_all_huge(p, BYTES);
	for (size_t e = 0; e < EXTENTS; e++) {
		char *page = p + e * EXTENT + (e * 100 + 7) * LIB_PAGE;

		assert_int_equal(zpager_page_out(z, page, LIB_PAGE), 0);
		assert_int_equal(huge_bytes(p, BYTES),
				 zl_probe()->huge ? BYTES - (e + 1) * EXTENT : 0);
		assert_false(in_huge_page(page - LIB_PAGE));
		assert_false(in_huge_page(page + LIB_PAGE));
	}
	assert_int_equal(lib_resident(p, BYTES), PAGES - EXTENTS);
	zpager_stats(z, &stats, NULL);
	assert_int_equal(stats.frames_resident, PAGES - EXTENTS);
	assert_int_equal(stats.pages_written, EXTENTS);
	assert_contents(p, PAGES, 1);
	zpager_stats(z, &stats, NULL);
	assert_int_equal(stats.pagefaults, PAGES + EXTENTS);
	assert_int_equal(stats.soft_faults, 0);
	lib_check(z, p, BYTES);
	lib_close(z);
}

/* A part of an extent is unmapped: its RAM comes free, the rest stays. */
static void test_part_unmapped(void **state)
{
	struct zpager *z = open_with(*state, LARGE);
	char *p = map(z, BYTES);
	struct z_stats stats;

	fill_in_no_order(p, PAGES, 1);
	assert_int_equal(zpager_unmap(z, p + EXTENT / 2, EXTENT), 0);
	assert_int_equal(zpager_unmap(z, p + 3 * EXTENT, EXTENT), 0);
	assert_false(in_huge_page(p));
	assert_false(in_huge_page(p + EXTENT / 2 + EXTENT));
	assert_int_equal(huge_bytes(p, BYTES), zl_probe()->huge ? EXTENT : 0);
	assert_int_equal(lib_resident(p, BYTES), PAGES - 2 * EXTENT_PAGES);
	zpager_stats(z, &stats, NULL);
	assert_int_equal(stats.frames_resident, PAGES - 2 * EXTENT_PAGES);
	assert_contents(p, EXTENT_PAGES / 2, 1);

	/* What is mapped there again counts from nothing. */
	assert_int_equal(zpager_map_at(z, p + EXTENT / 2, EXTENT), 0);
	for (size_t i = EXTENT_PAGES / 2; i < 3 * EXTENT_PAGES / 2; i++) {
		lib_fill(p + i * LIB_PAGE, i, 1);
	}
	assert_all_huge(p, 3 * EXTENT);
	assert_contents(p, 3 * EXTENT_PAGES, 1);
	lib_check(z, p, 3 * EXTENT);
	lib_close(z);
}

/* All is huge, then four times as much as there is room for comes: it goes on as if it had never been. */
static void test_pressure(void **state)
{
	const struct cell *cell = *state;
	struct zpager *z = lib_simple(LARGE / 2, cell->mode, cell->mechanism);
	struct z_stats stats;

	if (z == NULL) {
		skip();
	}
	char *p = map(z, BYTES);
	char *q = map(z, 2 * LARGE);

	fill_in_no_order(p, PAGES, 1);
	assert_all_huge(p, BYTES);
	for (size_t i = 0; i < 2 * LARGE / LIB_PAGE; i++) {
		lib_fill(q + i * LIB_PAGE, i, 2);
		if (i % 1024 == 0) {
			lib_check(z, q, 2 * LARGE);
			zpager_stats(z, &stats, NULL);
			assert_true(lib_resident(p, BYTES) + lib_resident(q, 2 * LARGE) <=
				    stats.frames_resident + 64);
		}
	}
	for (size_t i = 0; i < PAGES; i++) {
		/* Of an extent that some pages have left, no page is part of a huge page any more. */
		size_t first = i - i % EXTENT_PAGES;
		size_t in = lib_resident(p + first * LIB_PAGE, EXTENT);

		if (i == first && in < EXTENT_PAGES) {
			assert_int_equal(huge_bytes(p + first * LIB_PAGE, EXTENT), 0);
		}
		if (in < EXTENT_PAGES && lib_resident(p + i * LIB_PAGE, LIB_PAGE) == 1) {
			assert_false(in_huge_page(p + i * LIB_PAGE));
		}
	}
	assert_contents(p, PAGES, 1);
	assert_contents(q, 2 * LARGE / LIB_PAGE, 2);
	lib_check(z, p, BYTES);
	lib_close(z);
}

struct family {
	struct zpager *z;
	char *p;
};

static int in_child(const struct family *f)
{
	if (zpager_fork_child(f->z) != 0) {
		return 1;
	}
	for (size_t i = 0; i < PAGES; i += 2) {
		lib_fill(f->p + i * LIB_PAGE, i, 1);
	}
	if (zpager_page_out(f->z, f->p, BYTES) != 0 || lib_resident(f->p, BYTES) != 0) {
		return 2;
	}
	for (size_t i = 0; i < PAGES; i++) {
		if (!lib_is(f->p + i * LIB_PAGE, i, 1)) {
			return 3;
		}
	}
	return 0;
}

/* Parent and child share huge pages, and each may write, evict and unmap. */
static void test_fork(void **state)
{
	const struct cell *cell = *state;
	struct zpager_options options = {.ram_bytes = LARGE,
					 .store = LIB_RAM_STORE,
					 .fault_mode = cell->mode,
					 .mechanism = cell->mechanism,
					 .on_fault = on_fault,
					 .inherit_on_fork = 1};
	struct family f = {.z = lib_open(&options)};
	int status;

	if (f.z == NULL) {
		skip();
	}
	f.p = map(f.z, BYTES);
	fill_in_no_order(f.p, PAGES, 1);
	assert_all_huge(f.p, BYTES);
	assert_int_equal(zpager_fork_prepare(f.z), 0);
	pid_t pid = fork();
	if (pid == 0) {
		_exit(in_child(&f));
	}
	zpager_fork_parent(f.z, pid);
	for (size_t i = 1; i < PAGES; i += 2) {
		lib_fill(f.p + i * LIB_PAGE, i, 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(zpager_page_out(f.z, f.p, BYTES), 0);
	assert_int_equal(lib_resident(f.p, BYTES), 0);
	for (size_t i = 0; i < PAGES; i++) {
		assert_true(lib_is(f.p + i * LIB_PAGE, i, 1 + i % 2));
	}
	lib_check(f.z, f.p, BYTES);
	lib_close(f.z);
}

int main(void)
{
	static struct cell cells[] = {{"signal", "copy"}, {"monitor", "copy-move"}};
#define BOTH(test)                                                                                 \
	cmocka_unit_test_prestate(test, &cells[0]), cmocka_unit_test_prestate(test, &cells[1])
	const struct CMUnitTest tests[] = {
		BOTH(test_fits),     BOTH(test_scan),       BOTH(test_scan_to_forbidden),
		BOTH(test_tight),    BOTH(test_one_leaves), BOTH(test_part_unmapped),
		BOTH(test_pressure), BOTH(test_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
