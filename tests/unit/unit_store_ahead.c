/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_ahead.c - a swap file that is read ahead of scans: pages that were read early are the right
 * ones, whatever was written, damaged, forked or closed meanwhile.
 *
 * What was read ahead is told from what was not by damage: a page that lies spoilt on the disk comes back
 * whole only if it was read before. A chunk comes in whole, so a page of it that was given out says
 * that all of it is there. Skipped where the file system knows no O_DIRECT.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_fixture.h"

#define PAGES   1024U
#define WINDOW  32U /* as the core asks for them; also a chunk of store/file_ahead.c */
#define BATCH   128U
#define THREADS 4U

struct fixture {
	struct store_budget budget;
	struct z_store *store;
	z_loc_t locs[PAGES];
	unsigned char *pages; /* a window */
	unsigned char *other;
};

/* ---- short forms ------------------------------------------------------------------------------ */

static void put(struct fixture *f, uint32_t i, uint64_t seed)
{
	store_page_fill(f->other, PAGE_RANDOM, seed);
	assert_int_equal(f->store->ops->page_out(f->store, f->locs[i], f->other), 0);
}

static int get(struct fixture *f, uint32_t i, uint64_t seed)
{
	int err = f->store->ops->page_in(f->store, f->locs[i], f->pages);

	store_page_fill(f->other, PAGE_RANDOM, seed);
	return err == 0 && memcmp(f->pages, f->other, Z_PAGE_SIZE) != 0 ? 1 : err;
}

/* n pages from the i-th on, with one call. Each was filled with its number. */
static size_t get_many(struct fixture *f, unsigned char *pages, uint32_t i, uint32_t n)
{
	unsigned char want[Z_PAGE_SIZE];
	struct z_store_fill fills[WINDOW];
	size_t wrong;

	for (uint32_t j = 0; j < n; j++) {
		fills[j] = (struct z_store_fill){.loc = f->locs[i + j],
						 .page = pages + (size_t)j * Z_PAGE_SIZE,
						 .status = 1};
	}
	wrong = f->store->ops->page_in_many(f->store, fills, n);
	for (uint32_t j = 0; j < n; j++) {
		store_page_fill(want, PAGE_RANDOM, i + j);
		wrong += fills[j].status != 0 || memcmp(fills[j].page, want, Z_PAGE_SIZE) != 0;
	}
	return wrong;
}

static uint64_t ram_of(struct fixture *f)
{
	struct z_store_stats s;

	f->store->ops->stats(f->store, &s);
	return s.ram_bytes;
}

static uint64_t read_of(struct fixture *f)
{
	struct z_store_stats s;

	f->store->ops->stats(f->store, &s);
	return s.read_bytes;
}

/* The descriptor of the swap file: the only deleted one called zpager's, or without a name. */
static int swap_fd(void)
{
	DIR *all = opendir("/proc/self/fd");
	const struct dirent *one;
	int fd = -1;

	assert_non_null(all);
	while ((one = readdir(all)) != NULL) {
		char link[300], target[300] = "";

		(void)snprintf(link, sizeof(link), "/proc/self/fd/%s", one->d_name);
		if (readlink(link, target, sizeof(target) - 1) > 0 &&
		    strstr(target, "(deleted)") != NULL && atoi(one->d_name) >= 500) {
			fd = atoi(one->d_name);
		}
	}
	(void)closedir(all);
	assert_true(fd >= 0);
	return fd;
}

static void damage(struct fixture *f, uint32_t i)
{
	memset(f->pages, 0x5a, Z_PAGE_SIZE);
	assert_int_equal(pwrite(swap_fd(), f->pages, Z_PAGE_SIZE, (off_t)f->locs[i].v),
			 Z_PAGE_SIZE);
}

/* Room for what is read ahead is taken with the first large batch. */
static void take_room(struct fixture *f)
{
	struct z_store_io ios[BATCH];
	unsigned char *pages = aligned_alloc(Z_PAGE_SIZE, (size_t)BATCH * Z_PAGE_SIZE);

	for (uint32_t i = 0; i < BATCH; i++) {
		unsigned char *page = pages + (size_t)(BATCH - 1 - i) * Z_PAGE_SIZE;

		store_page_fill(page, PAGE_RANDOM, i);
		ios[i] = (struct z_store_io){.loc = f->locs[i], .page = page, .status = 1};
	}
	assert_int_equal(f->store->ops->page_out_many(f->store, ios, BATCH), 0);
	for (uint32_t i = 0; i < BATCH; i++) {
		assert_int_equal(ios[i].status, 0);
	}
	free(pages);
}

/* Pages up to this one, each filled with its number, in the order of the file. */
static void add_pages(struct fixture *f, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		assert_int_equal(
			f->store->ops->location_get(f->store, NULL, Z_WANT_FOR_EVICT, &f->locs[i]),
			0);
		assert_true(i == 0 || f->locs[i].v == f->locs[i - 1].v + Z_PAGE_SIZE);
		put(f, i, i);
	}
}

static void open_empty(struct fixture *f, const char *options)
{
	const struct z_store_env env = store_budget_env(&f->budget);
	char uri[120];

	(void)snprintf(uri, sizeof(uri), "file:?size=16M&direct=yes%s", options);
	if (z_store_open(uri, &env, NULL, 0, &f->store) != 0) {
		skip();
	}
}

static void open_store(struct fixture *f, const char *options, uint32_t pages)
{
	open_empty(f, options);
	add_pages(f, 0, pages);
	take_room(f);
}

static void close_store(struct fixture *f)
{
	assert_int_equal(f->store->ops->check(f->store), 0);
	f->store->ops->close(f->store);
	assert_int_equal(atomic_load(&f->budget.charged), 0);
	assert_int_equal(atomic_load(&f->budget.allocated), 0);
}

/* The pages from WINDOW on are there, none was given out. Begins with the first window of a scan. */
static void read_a_chunk(struct fixture *f)
{
	assert_int_equal(get_many(f, f->pages, 0, WINDOW), 0);
	assert_int_equal(get(f, WINDOW, WINDOW), 0);
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void test_a_scan_is_read_ahead(void **state)
{
	struct fixture *f = *state;

	open_store(f, "", PAGES);
	read_a_chunk(f);
	for (uint32_t i = WINDOW + 1; i < 2 * WINDOW; i++) {
		damage(f, i);
		assert_int_equal(get(f, i, i), 0);
		assert_int_equal(get(f, i, i), Z_ERR_CORRUPT);
		put(f, i, i);
	}
	close_store(f);
}

static void test_each_page_is_read_once(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	open_store(f, "", PAGES);
	before = read_of(f);
	for (uint32_t i = 0; i < PAGES; i += WINDOW) {
		assert_int_equal(get_many(f, f->pages, i, WINDOW), 0);
	}
	assert_int_equal(read_of(f) - before, PAGES * Z_PAGE_SIZE);
	close_store(f);
}

/* As the core does it: the page behind the window alone, and here and there a page is in already. */
static void test_windows_with_gaps(void **state)
{
	struct fixture *f = *state;

	open_store(f, "", PAGES);
	for (uint32_t i = 0; i + WINDOW < PAGES; i += WINDOW + 3) {
		assert_int_equal(get(f, i, i), 0);
		assert_int_equal(get_many(f, f->pages, i + 2, WINDOW - 1), 0);
	}
	close_store(f);
}

static void test_random_reads_read_nothing_more(void **state)
{
	struct fixture *f = *state;
	uint64_t before, random = 1;

	open_store(f, "", PAGES);
	before = read_of(f);
	for (uint32_t i = 0; i < 500; i++) {
		uint32_t page = (uint32_t)(store_random(&random) % PAGES);

		assert_int_equal(get(f, page, page), 0);
	}
	assert_int_equal(get_many(f, f->pages, 40, 7), 0);
	assert_int_equal(read_of(f) - before, 507 * Z_PAGE_SIZE);
	close_store(f);
}

static void test_ahead_no(void **state)
{
	struct fixture *f = *state;

	open_store(f, "&ahead=no", PAGES);
	read_a_chunk(f);
	damage(f, WINDOW + 1);
	assert_int_equal(get(f, WINDOW + 1, WINDOW + 1), Z_ERR_CORRUPT);
	close_store(f);
}

/* It was read ahead, then written with the same contents: the disk's are what counts. */
static void test_what_is_written_is_forgotten(void **state)
{
	struct fixture *f = *state;
	struct z_store_io io[2];

	open_store(f, "", PAGES);
	read_a_chunk(f);
	put(f, WINDOW + 1, WINDOW + 1);
	damage(f, WINDOW + 1);
	assert_int_equal(get(f, WINDOW + 1, WINDOW + 1), Z_ERR_CORRUPT);

	for (uint32_t i = 0; i < 2; i++) {
		unsigned char *page = f->pages + (size_t)i * Z_PAGE_SIZE;

		store_page_fill(page, PAGE_RANDOM, WINDOW + 3 + i);
		io[i] = (struct z_store_io){.loc = f->locs[WINDOW + 3 + i], .page = page};
	}
	assert_int_equal(f->store->ops->page_out_many(f->store, io, 2), 0);
	for (uint32_t i = WINDOW + 3; i < WINDOW + 5; i++) {
		damage(f, i);
		assert_int_equal(get(f, i, i), Z_ERR_CORRUPT);
	}
	assert_int_equal(get(f, WINDOW + 5, WINDOW + 5), 0);
	close_store(f);
}

static void test_damage_in_a_scan_is_found(void **state)
{
	struct fixture *f = *state;

	open_store(f, "", PAGES);
	damage(f, 100);
	for (uint32_t i = 0; i < PAGES; i += WINDOW) {
		bool spoilt = i <= 100 && 100 < i + WINDOW;

		/* One more that failed, and one more that is wrong. */
		assert_int_equal(get_many(f, f->pages, i, WINDOW), spoilt ? 2 : 0);
	}
	put(f, 100, 100);
	assert_int_equal(get(f, 100, 100), 0);
	close_store(f);
}

static void test_the_end_of_the_file(void **state)
{
	struct fixture *f = *state;

	open_store(f, "", 164);
	for (uint32_t turn = 0; turn < 3; turn++) {
		for (uint32_t i = 0; i < 160; i += WINDOW) {
			assert_int_equal(get_many(f, f->pages, i, WINDOW), 0);
		}
		assert_int_equal(get_many(f, f->pages, 160, 4), 0);
	}
	close_store(f);
}

/* Large batches alone take room, and only if the budget allows it; without it all goes on. */
static void test_room(void **state)
{
	struct fixture *f = *state;
	uint64_t ram;

	open_empty(f, "");
	add_pages(f, 0, PAGES);
	ram = ram_of(f);
	f->budget.limit_pages = atomic_load(&f->budget.charged) + 511;
	take_room(f);
	read_a_chunk(f);
	damage(f, WINDOW + 1);
	assert_int_equal(get(f, WINDOW + 1, WINDOW + 1), Z_ERR_CORRUPT);
	assert_int_equal(ram_of(f), ram);
	close_store(f);

	f->budget.limit_pages = SIZE_MAX / 2;
	open_empty(f, "");
	add_pages(f, 0, PAGES);
	ram = ram_of(f);
	assert_int_equal(get_many(f, f->pages, 0, WINDOW), 0);
	assert_int_equal(ram_of(f), ram);
	take_room(f);
	assert_int_equal(ram_of(f), ram + ((uint64_t)2 << 20));
	close_store(f);
}

/* More streams than there are places for, in turn, and over again. */
static void test_many_scans(void **state)
{
	struct fixture *f = *state;

	open_store(f, "", PAGES);
	for (uint32_t turn = 0; turn < 2; turn++) {
		for (uint32_t at = 0; at < 128; at += WINDOW) {
			for (uint32_t scan = 0; scan < 8; scan++) {
				assert_int_equal(get_many(f, f->pages, scan * 128 + at, WINDOW), 0);
			}
		}
	}
	close_store(f);
}

static void test_closed_while_it_reads(void **state)
{
	struct fixture *f = *state;

	for (uint32_t turn = 0; turn < 20; turn++) {
		open_store(f, "", 256);
		assert_int_equal(get_many(f, f->pages, 0, WINDOW), 0);
		assert_int_equal(get_many(f, f->pages, WINDOW, WINDOW), 0);
		close_store(f);
	}
}

/* Both go on with the scan; the child's file is its own. */
static int scan_in_child(struct fixture *f)
{
	size_t wrong = 0;

	if (z_store_after_fork(f->store) != 0) {
		return 1;
	}
	for (uint32_t i = WINDOW; i < PAGES; i += WINDOW) {
		wrong += get_many(f, f->pages, i, WINDOW);
	}
	f->store->ops->close(f->store);
	return wrong == 0 ? 0 : 2;
}

static void test_fork_while_it_reads(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	open_store(f, "", PAGES);
	assert_int_equal(get_many(f, f->pages, 0, WINDOW), 0);
	pid = fork();
	if (pid == 0) {
		_exit(scan_in_child(f));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (uint32_t i = WINDOW; i < PAGES; i += WINDOW) {
		assert_int_equal(get_many(f, f->pages, i, WINDOW), 0);
	}
	close_store(f);
}

struct worker {
	struct fixture *f;
	pthread_t thread;
	uint32_t first; /* of the pages that it scans, and writes again */
	size_t wrong;
};

static void *work(void *context)
{
	struct worker *w = context;
	struct z_store *store = w->f->store;
	unsigned char *pages = aligned_alloc(Z_PAGE_SIZE, (size_t)WINDOW * Z_PAGE_SIZE);

	for (uint32_t turn = 0; turn < 12; turn++) {
		for (uint32_t i = w->first; i < w->first + PAGES / THREADS; i += WINDOW) {
			uint32_t again = i + (turn * 7 + WINDOW) % (PAGES / THREADS);

			w->wrong += get_many(w->f, pages, i, WINDOW);
			again = again < w->first + PAGES / THREADS ? again : w->first;
			store_page_fill(pages, PAGE_RANDOM, again);
			w->wrong += store->ops->page_out(store, w->f->locs[again], pages) != 0;
		}
	}
	free(pages);
	return NULL;
}

static void test_threads(void **state)
{
	struct fixture *f = *state;
	struct worker workers[THREADS];

	open_store(f, "", PAGES);
	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.f = f, .first = i * PAGES / THREADS};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_int_equal(workers[i].wrong, 0);
	}
	close_store(f);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	store_budget_init(&f->budget);
	f->pages = aligned_alloc(Z_PAGE_SIZE, (size_t)WINDOW * Z_PAGE_SIZE);
	f->other = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->pages);
	free(f->other);
	free(f);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_scan_is_read_ahead),
		TEST(test_each_page_is_read_once),
		TEST(test_windows_with_gaps),
		TEST(test_random_reads_read_nothing_more),
		TEST(test_ahead_no),
		TEST(test_what_is_written_is_forgotten),
		TEST(test_damage_in_a_scan_is_found),
		TEST(test_the_end_of_the_file),
		TEST(test_room),
		TEST(test_many_scans),
		TEST(test_closed_while_it_reads),
		TEST(test_fork_while_it_reads),
		TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
