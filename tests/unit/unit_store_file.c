/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_file.c - what is particular to a swap file: who can open it, damage on the disk, holes,
 * failing writes, and the child of a fork.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_fixture.h"

#define PAGES 4096U

struct fixture {
	struct store_budget budget;
	struct z_store_env env;
	struct z_store *store;
	z_loc_t locs[PAGES];
	char directory[64];
	unsigned char *page;
	unsigned char *other;
};

static const char *const io_modes[] = {"io=sync&direct=no", "io=auto&direct=no", "io=auto"};

#define IO_MODES (sizeof(io_modes) / sizeof(io_modes[0]))

static void open_store(struct fixture *f, const char *options)
{
	char uri[160];
	char error[200] = "";

	(void)snprintf(uri, sizeof(uri), "file:%s?tmpfs=yes&%s", f->directory, options);
	if (z_store_open(uri, &f->env, error, sizeof(error), &f->store) != 0) {
		fail_msg("%s: %s", uri, error);
	}
}

static void close_store(struct fixture *f)
{
	f->store->ops->close(f->store);
	f->store = NULL;
	assert_int_equal(atomic_load(&f->budget.charged), 0);
	assert_int_equal(atomic_load(&f->budget.allocated), 0);
}

/* The descriptor of the swap file: the only deleted file in our directory. */
static int swap_fd(const struct fixture *f)
{
	DIR *all = opendir("/proc/self/fd");
	struct dirent *one;
	int fd = -1;

	assert_non_null(all);
	while ((one = readdir(all)) != NULL) {
		char link[300];
		char target[300];
		ssize_t length;

		(void)snprintf(link, sizeof(link), "/proc/self/fd/%s", one->d_name);
		length = readlink(link, target, sizeof(target) - 1);
		if (length > 0 && strncmp(target, f->directory, strlen(f->directory)) == 0) {
			assert_int_equal(fd, -1);
			fd = atoi(one->d_name);
		}
	}
	(void)closedir(all);
	assert_true(fd >= 0);
	return fd;
}

static void put(struct fixture *f, size_t i, uint64_t seed)
{
	assert_int_equal(f->store->ops->location_get(f->store, NULL, Z_WANT_FOR_EVICT, &f->locs[i]),
			 0);
	store_page_fill(f->page, PAGE_RANDOM, seed);
	assert_int_equal(f->store->ops->page_out(f->store, f->locs[i], f->page), 0);
}

static int get_back(struct fixture *f, size_t i, uint64_t seed)
{
	int err = f->store->ops->page_in(f->store, f->locs[i], f->page);

	store_page_fill(f->other, PAGE_RANDOM, seed);
	if (err == 0 && memcmp(f->page, f->other, Z_PAGE_SIZE) != 0) {
		return 1;
	}
	return err;
}

static struct z_store_stats stats(struct fixture *f)
{
	struct z_store_stats s;

	f->store->ops->stats(f->store, &s);
	return s;
}

static uint64_t bytes_held(struct fixture *f)
{
	struct stat status;

	assert_int_equal(fstat(swap_fd(f), &status), 0);
	return (uint64_t)status.st_blocks * 512U;
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void test_nobody_else_can_open_it(void **state)
{
	struct fixture *f = *state;
	struct stat status;
	char path[100];
	int fd;

	for (unsigned int named = 0; named < 2; named++) {
		char uri[200];

		(void)snprintf(path, sizeof(path), "%s%s", f->directory, named != 0 ? "/swap" : "");
		(void)snprintf(uri, sizeof(uri), "file:%s?size=1M&tmpfs=yes", path);
		assert_int_equal(z_store_open(uri, &f->env, NULL, 0, &f->store), 0);
		fd = swap_fd(f);
		assert_int_equal(fstat(fd, &status), 0);
		assert_int_equal(status.st_mode & 07777, 0600);
		assert_int_equal(status.st_nlink, 0);
		assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		assert_true(fd >= 500);
		close_store(f);
	}
	assert_int_equal(rmdir(f->directory), 0);
	assert_int_equal(mkdir(f->directory, 0700), 0);
}

static void test_existing_file_is_not_touched(void **state)
{
	struct fixture *f = *state;
	char path[100];
	char uri[200];
	char error[300] = "";
	struct stat status;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/precious", f->directory);
	fd = open(path, O_CREAT | O_WRONLY, 0644);
	assert_int_equal(write(fd, "data", 4), 4);
	(void)close(fd);
	(void)snprintf(uri, sizeof(uri), "file:%s?size=1M&tmpfs=yes", path);
	assert_int_equal(z_store_open(uri, &f->env, error, sizeof(error), &f->store), Z_ERR_IO);
	assert_non_null(strstr(error, "exists already"));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, 4);
	assert_int_equal(unlink(path), 0);
	open_store(f, "size=1M");
	close_store(f);
}

static void test_tmpfs_is_refused_unless_wanted(void **state)
{
	struct fixture *f = *state;
	char error[300] = "";
	int err;

	if (access("/dev/shm", W_OK) != 0) {
		skip();
	}
	err = z_store_open("file:/dev/shm?size=1M", &f->env, error, sizeof(error), &f->store);
	assert_int_equal(err, Z_ERR_INVAL);
	assert_non_null(strstr(error, "tmpfs=yes"));
	assert_int_equal(
		z_store_open("file:/dev/shm?size=1M&tmpfs=yes", &f->env, NULL, 0, &f->store), 0);
	for (size_t i = 0; i < 10; i++) {
		put(f, i, i);
	}
	/* It is RAM, so it is reported as RAM, and as beyond the budget. */
	assert_int_equal(stats(f).disk_bytes, 0);
	assert_true(stats(f).beyond_bytes >= 10 * Z_PAGE_SIZE);
	close_store(f);
}

static void test_damage_on_disk_is_found(void **state)
{
	struct fixture *f = *state;

	open_store(f, "size=1M&direct=no");
	for (size_t i = 0; i < 8; i++) {
		put(f, i, i);
	}
	for (size_t bit = 0; bit < 8; bit++) {
		off_t at = (off_t)(f->locs[3].v + bit * 509U);
		int fd = swap_fd(f);
		unsigned char byte;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte = (unsigned char)(byte ^ (1U << bit));
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_int_equal(get_back(f, 3, 3), Z_ERR_CORRUPT);
		byte = (unsigned char)(byte ^ (1U << bit));
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_int_equal(get_back(f, 3, 3), 0);
	}
	/* A page of the right kind in the wrong place, and a file cut short. */
	store_page_fill(f->page, PAGE_RANDOM, 2);
	assert_int_equal(pwrite(swap_fd(f), f->page, Z_PAGE_SIZE, (off_t)f->locs[3].v),
			 (ssize_t)Z_PAGE_SIZE);
	assert_int_equal(get_back(f, 3, 3), Z_ERR_CORRUPT);
	assert_int_equal(ftruncate(swap_fd(f), 100), 0);
	assert_int_equal(get_back(f, 5, 5), Z_ERR_IO);
	close_store(f);
}

static void test_freed_pages_become_holes(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	open_store(f, "size=16M&io=sync");
	for (size_t i = 0; i < PAGES - 2; i++) {
		put(f, i, i);
	}
	before = bytes_held(f);
	if (before < (PAGES - 2) * Z_PAGE_SIZE) {
		close_store(f);
		skip(); /* a file system that compresses */
	}
	for (size_t i = 0; i < PAGES - 2; i++) {
		if (i % 41 != 0) {
			f->store->ops->location_free(f->store, f->locs[i]);
		}
	}
	assert_int_equal(stats(f).used_pages, 100);
	/* Nothing happens with the lock held; page operations do it, in steps. */
	assert_true(bytes_held(f) >= before);
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(get_back(f, i * 41, i * 41), 0);
		assert_int_equal(f->store->ops->check(f->store), 0);
	}
	assert_true(bytes_held(f) <= (100 + 1024 + 64) * Z_PAGE_SIZE);
	/* Every slot can be had again, and the survivors, each with holes around it, are there. */
	for (size_t i = 0; i < PAGES - 2; i++) {
		if (i % 41 == 0) {
			assert_int_equal(get_back(f, i, i), 0);
		} else {
			put(f, i, i + PAGES);
		}
	}
	for (size_t i = 0; i < PAGES - 2; i++) {
		assert_int_equal(get_back(f, i, i % 41 == 0 ? i : i + PAGES), 0);
	}
	assert_int_equal(f->store->ops->check(f->store), 0);
	close_store(f);
}

/* Writes that the system refuses beyond a size of the file: single, and in the midst of batches. */
static void test_refused_writes(void **state)
{
	struct fixture *f = *state;
	struct rlimit old;
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	assert_ptr_not_equal(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	for (unsigned int mode = 0; mode < IO_MODES; mode++) {
		struct z_store_io ios[100];
		unsigned char *pages = aligned_alloc(Z_PAGE_SIZE, 100 * Z_PAGE_SIZE);
		char options[40];
		size_t failed;

		(void)snprintf(options, sizeof(options), "size=1M&%s", io_modes[mode]);
		open_store(f, options);
		for (size_t i = 0; i < 100; i++) {
			ios[i].page = pages + i * Z_PAGE_SIZE;
			store_page_fill(pages + i * Z_PAGE_SIZE, PAGE_RANDOM, i);
			assert_int_equal(f->store->ops->location_get(f->store, NULL,
								     Z_WANT_FOR_EVICT, &ios[i].loc),
					 0);
			f->locs[i] = ios[i].loc;
		}
		/* Past the page cache a page cannot be cut short. */
		limit = (struct rlimit){50 * Z_PAGE_SIZE + (mode < 2 ? 100 : 0), old.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		failed = f->store->ops->page_out_many(f->store, ios, 100);
		assert_int_equal(f->store->ops->page_out(f->store, f->locs[99], pages),
				 Z_ERR_NOSPC);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		for (size_t i = 0; i < 100; i++) {
			bool fits = ios[i].loc.v + Z_PAGE_SIZE <= limit.rlim_cur;

			assert_int_equal(ios[i].status, fits ? 0 : Z_ERR_NOSPC);
			failed -= fits ? 0 : 1;
			assert_int_equal(fits ? get_back(f, i, i) : 0, 0);
		}
		assert_int_equal(failed, 0);
		assert_int_equal(f->store->ops->page_out_many(f->store, ios, 100), 0);
		for (size_t i = 0; i < 100; i++) {
			assert_int_equal(get_back(f, i, i), 0);
		}
		close_store(f);
		free(pages);
	}
}

static void test_size_by_default_and_by_limit(void **state)
{
	struct fixture *f = *state;
	struct rlimit old;
	struct rlimit limit;
	char uri[160];
	char error[200] = "";

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){10U << 20, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	open_store(f, "io=sync");
	assert_int_equal(stats(f).capacity_pages, ((10U << 20) / 10 * 9) / Z_PAGE_SIZE);
	close_store(f);
	(void)snprintf(uri, sizeof(uri), "file:%s?tmpfs=yes&size=11M", f->directory);
	assert_int_equal(z_store_open(uri, &f->env, error, sizeof(error), &f->store), Z_ERR_NOSPC);
	assert_non_null(strstr(error, "room for 10 MiB"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	open_store(f, "size=11M");
	close_store(f);
}

/* The child of a fork: its copy is its own. Exit status: 0 or the line that failed. */
static int child(struct fixture *f)
{
	if (z_store_after_fork(f->store) != 0) {
		return __LINE__ % 256;
	}
	for (size_t i = 0; i < 200; i++) {
		if (i % 3 != 0 && get_back(f, i, i) != 0) {
			return __LINE__ % 256;
		}
	}
	for (size_t i = 0; i < 200; i++) {
		store_page_fill(f->page, PAGE_RANDOM, 5000 + i);
		if (i % 3 != 0 && f->store->ops->page_out(f->store, f->locs[i], f->page) != 0) {
			return __LINE__ % 256;
		}
	}
	for (size_t i = 0; i < 200; i++) {
		if (i % 3 != 0 && get_back(f, i, 5000 + i) != 0) {
			return __LINE__ % 256;
		}
	}
	return f->store->ops->check(f->store) == 0 ? 0 : __LINE__ % 256;
}

static void test_fork(void **state)
{
	const char *const uris[] = {
		"ram:size=2M", "lz4:size=2M", "file:%s?size=2M&tmpfs=yes&io=sync",
		"file:%s?size=2M&tmpfs=yes", "tier:ram:size=256K,file:%s?size=2M&tmpfs=yes"};
	struct fixture *f = *state;

	for (size_t n = 0; n < sizeof(uris) / sizeof(uris[0]); n++) {
		const char *at = strstr(uris[n], "%s");
		char uri[160];
		int status;
		pid_t pid;

		(void)snprintf(uri, sizeof(uri), "%.*s%s%s",
			       at != NULL ? (int)(at - uris[n]) : (int)strlen(uris[n]), uris[n],
			       at != NULL ? f->directory : "", at != NULL ? at + 2 : "");
		assert_int_equal(z_store_open(uri, &f->env, NULL, 0, &f->store), 0);
		for (size_t i = 0; i < 200; i++) {
			put(f, i, i);
		}
		for (size_t i = 0; i < 200; i += 3) {
			f->store->ops->location_free(f->store, f->locs[i]);
		}
		pid = fork();
		if (pid == 0) {
			_exit(child(f));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		for (size_t i = 0; i < 200; i++) {
			assert_int_equal(i % 3 != 0 ? get_back(f, i, i) : 0, 0);
		}
		close_store(f);
	}
}

static void test_fork_without_room(void **state)
{
	struct fixture *f = *state;
	struct rlimit old;
	struct rlimit limit;
	int status;
	pid_t pid;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	open_store(f, "size=2M");
	for (size_t i = 0; i < 200; i++) {
		put(f, i, i);
	}
	pid = fork();
	if (pid == 0) {
		(void)signal(SIGXFSZ, SIG_IGN);
		limit = (struct rlimit){100 * Z_PAGE_SIZE, old.rlim_max};
		(void)setrlimit(RLIMIT_FSIZE, &limit);
		_exit(z_store_after_fork(f->store) == Z_ERR_NOSPC ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close_store(f);
}

static int setup(void **state)
{
	const char *base = getenv("TMPDIR");
	struct fixture *f = calloc(1, sizeof(*f));

	store_budget_init(&f->budget);
	f->env = store_budget_env(&f->budget);
	f->page = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	f->other = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	(void)snprintf(f->directory, sizeof(f->directory), "%s/zpager-test-XXXXXX",
		       base != NULL && strlen(base) < 40 ? base : "/var/tmp");
	*state = f;
	return mkdtemp(f->directory) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int err = rmdir(f->directory);

	free(f->page);
	free(f->other);
	free(f);
	return err;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nobody_else_can_open_it),
		TEST(test_existing_file_is_not_touched),
		TEST(test_tmpfs_is_refused_unless_wanted),
		TEST(test_damage_on_disk_is_found),
		TEST(test_freed_pages_become_holes),
		TEST(test_refused_writes),
		TEST(test_size_by_default_and_by_limit),
		TEST(test_fork),
		TEST(test_fork_without_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
