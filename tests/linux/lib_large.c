/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_large.c - large memory: 1 TiB in one mapping, of which some pages are touched, in clusters and alone; every one
 * of them is read again. What it costs before and after is counted by the library's own figures and from
 * outside, and both are held against limits; what a touch answers when the budget has no page left for the
 * page table.
 *
 *   ZPAGER_PAGES=n   touched pages (default 400,000; with half as many what is fixed still fits in the limit)
 *   ZPAGER_FRAMES=n  page frames (a tenth of them)
 *
 * make bench-large runs it with 10^7 pages and 10^6 frames. Pages hold one word throughout, so that the store has 8 bytes
 * of data for each.
 *
 * ctest-timeout: 900
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib_common.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define TIB         (UINT64_C(1) << 40)
#define TIB_PAGES   (TIB / LIB_PAGE)
#define CLUSTER     ((uint64_t)16384) /* 64 MiB, not aligned */
#define ALONE       10000U            /* one in so many pages is far from all others */
#define WORD_BYTES  8U
#define A_PAGE      16U       /* bytes of metadata that are allowed for a touched page */
#define A_FRAME     24U       /* and for a frame */
#define A_SLOT      16U       /* what the store's tables may take for one, beside its data */
#define SLACK_BYTES (6 * MIB) /* the store's workers, and pages of which a part is used */

struct large {
	struct zpager *z;
	char *region;
	uint64_t pages;  /* touched */
	uint64_t frames; /* wanted */
	uint64_t rss;    /* before the instance was there */
};

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

/* A line of /proc/self/status, in bytes. */
static uint64_t status_of(const char *name)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long long kib = 0;
	char line[256];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0) {
			(void)sscanf(line + strlen(name), ": %llu", &kib);
		}
	}
	(void)fclose(f);
	return kib * 1024;
}

/* The i-th page: in its cluster, or alone. Clusters lie at equal distances, in an order of their own. */
static char *page_at(const struct large *l, uint64_t i)
{
	uint64_t clusters = l->pages / CLUSTER + 1;
	uint64_t stride = TIB_PAGES / clusters;
	uint64_t cluster = i / CLUSTER * 7919 % clusters;
	uint64_t page = cluster * stride + 77 + i % CLUSTER;

	if (i % ALONE == ALONE - 1) {
		page = cluster * stride + CLUSTER + 1024 +
		       i % CLUSTER * ((stride - CLUSTER - 2048) / CLUSTER);
	}
	return l->region + page * LIB_PAGE;
}

static uint64_t word_of(uint64_t i)
{
	return (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

static void write_all(const struct large *l)
{
	for (uint64_t i = 0; i < l->pages; i++) {
		uint64_t *page = (uint64_t *)(void *)page_at(l, i);

		for (size_t k = 0; k < LIB_PAGE / sizeof(*page); k++) {
			page[k] = word_of(i);
		}
	}
}

static uint64_t wrong_pages(const struct large *l)
{
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < l->pages; i++) {
		const uint64_t *page = (const uint64_t *)(const void *)page_at(l, i);
		uint64_t differs = 0;

		for (size_t k = 0; k < LIB_PAGE / sizeof(*page); k++) {
			differs |= page[k] ^ word_of(i);
		}
		wrong += differs != 0;
	}
	return wrong;
}

static struct large open_large(void)
{
	struct large l = {.pages = from_environment("ZPAGER_PAGES", 400000)};
	l.frames = from_environment("ZPAGER_FRAMES", l.pages / 10);
	struct zpager_options options = {
		/* Metadata and the page table are of the budget; the frames asked for are what is left. */
		.ram_bytes = l.frames * (LIB_PAGE + 40) + l.pages * 10 + 16 * MIB,
		.store = "lz4:size=2G&own=yes",
		.fault_mode = "signal",
		.window_bytes = TIB + 16 * MIB,
		.overcommit = 2,
	};

	l.rss = status_of("VmRSS");
	l.z = lib_open(&options);
	return l;
}

/* What a touched page and a frame cost, whoever keeps it. */
static void report(const struct large *l, const char *when)
{
	struct zpager_info info;
	struct z_stats stats;

	zpager_stats(l->z, &stats, &info);
	uint64_t stored = info.store_used_bytes / LIB_PAGE;
	uint64_t frames = info.frame_bytes / LIB_PAGE;
	uint64_t outside = status_of("VmRSS") - l->rss - stats.frames_resident * LIB_PAGE;
	uint64_t allowed = l->pages * A_PAGE + frames * A_FRAME;
	/* Each page may have had a slot once. */
	uint64_t store_allowed = l->pages * (A_SLOT + WORD_BYTES);

	printf("%s: %llu pages touched, %llu frames in service, %llu pages in the store\n", when,
	       (unsigned long long)l->pages, (unsigned long long)frames,
	       (unsigned long long)stored);
	printf("  pager and page table: %llu KiB by its own figures; allowed: %llu KiB\n",
	       (unsigned long long)info.metadata_bytes >> 10, (unsigned long long)allowed >> 10);
	printf("  with the store, from outside: %llu KiB, of which %llu KiB are data: "
	       "%.1f bytes a touched page and %u a frame\n",
	       (unsigned long long)outside >> 10, (unsigned long long)(stored * WORD_BYTES) >> 10,
	       (double)(outside - stored * WORD_BYTES - frames * A_FRAME) / (double)l->pages,
	       A_FRAME);
	printf("  page tables of the kernel: %llu KiB\n",
	       (unsigned long long)status_of("VmPTE") >> 10);
	assert_true(frames >= l->frames);
	assert_true(info.metadata_bytes <= allowed);
	/* A sanitizer's shadow is in the process's RAM, too. */
	assert_true(SANITIZED || outside <= info.metadata_bytes + store_allowed + SLACK_BYTES);
}

static uint64_t metadata_of(struct zpager *z)
{
	struct zpager_info info;

	zpager_stats(z, NULL, &info);
	return info.metadata_bytes;
}

static void test_a_tebibyte(void **state)
{
	struct large l = open_large();

	(void)state;
	if (l.z == NULL) {
		skip();
	}
	uint64_t before = metadata_of(l.z);
	l.region = zpager_map(l.z, TIB, 0);
	if (l.region == NULL) {
		fail_msg("%s", zpager_last_error(l.z));
	}
	/* Bytes of table.h, and two leaves if it covers them in part. */
	size_t leaves = (uintptr_t)l.region % (2 * MIB) == 0 ? 0 : 2;
	assert_int_equal(metadata_of(l.z) - before,
			 (TIB_PAGES / 512 / LIB_PAGE + 1 + leaves) * LIB_PAGE);
	write_all(&l);
	report(&l, "written");
	assert_int_equal(wrong_pages(&l), 0);
	report(&l, "read");
	lib_check(l.z, l.region, MIB);
	assert_int_equal(zpager_unmap(l.z, l.region, TIB), 0);
	/* The bytes stay: the addresses were in use. */
	assert_int_equal(metadata_of(l.z) - before, (TIB_PAGES / 512 / LIB_PAGE + 1) * LIB_PAGE);
	lib_close(l.z);
}

/* Pages that lie alone cost 4 KiB of table each: a small budget is used up by them. */
static void test_no_budget_for_the_table(void **state)
{
	struct zpager_options options = {.ram_bytes = 2 * MIB,
					 .store = "lz4:size=64M&own=yes",
					 .window_bytes = TIB + 16 * MIB,
					 .overcommit = 2};
	struct zpager *z = lib_open(&options);
	size_t step = 4 * MIB;
	size_t n = 0;
	int error = 0;

	(void)state;
	if (z == NULL) {
		skip();
	}
	char *region = zpager_map(z, TIB / 16, 0);
	assert_non_null(region);
	while ((error = zpager_page_in(z, region + n * step, 1)) == 0 && n < 1000) {
		memset(region + n * step, (int)n + 1, LIB_PAGE);
		n++;
	}
	assert_int_equal(error, Z_ERR_NOMEM);
	assert_true(n > 100);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(region[i * step], (char)(i + 1));
		assert_int_equal(region[i * step + LIB_PAGE - 1], (char)(i + 1));
	}
	lib_check(z, region, MIB);
	/* Unmapping a part of pages that were never touched needs table memory too, and does not fail. */
	assert_int_equal(zpager_unmap(z, region + (n + 4) * step + LIB_PAGE, LIB_PAGE), 0);
	assert_int_equal(zpager_page_in(z, region + n * step, 1), Z_ERR_NOMEM);
	/* What is given back can be used again. */
	assert_int_equal(zpager_unmap(z, region, 8 * step), 0);
	assert_int_equal(zpager_page_in(z, region + n * step, 1), 0);
	lib_check(z, region + 8 * step, MIB);
	lib_close(z);
}

/* Unless the user overcommits, it is the mapping that fails. */
static void test_the_map_fails(void **state)
{
	struct zpager_options options = {.ram_bytes = 2 * MIB,
					 .store = "lz4:size=1T&own=yes",
					 .window_bytes = TIB + 16 * MIB};
	struct zpager *z = lib_open(&options);
	size_t step = 2 * MIB;

	(void)state;
	if (z == NULL) {
		skip();
	}
	assert_null(zpager_map(z, TIB, 0));
	char *region = zpager_map(z, 256 * step, 0);
	assert_non_null(region);
	assert_null(zpager_map(z, 256 * step, 0));
	for (size_t i = 0; i < 256; i++) {
		memset(region + i * step, (int)i, LIB_PAGE);
	}
	for (size_t i = 0; i < 256; i++) {
		assert_int_equal(region[i * step + 1], (char)i);
	}
	lib_close(z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_tebibyte),
		cmocka_unit_test(test_no_budget_for_the_table),
		cmocka_unit_test(test_the_map_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
