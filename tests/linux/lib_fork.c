/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_fork.c - a child has its own copy of every page, in and out, with a store of its own; or,
 * where that was not asked for, SIGSEGV; never silent zeros.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib_common.h"

#define PAGES ((size_t)1024)
#define RAM   (MIB + MIB / 8) /* so that lz4 has room for all of it, and the page table */

struct cell {
	const char *store;
	const char *mode;
};

static struct zpager *open_it(const struct cell *cell, int inherit, const char *mechanism)
{
	struct zpager_options options = {.ram_bytes = RAM,
					 .store = cell->store,
					 .fault_mode = cell->mode,
					 .mechanism = mechanism,
					 .inherit_on_fork = inherit};

	return lib_open(&options);
}

static char *filled(struct zpager *z)
{
	char *p = zpager_map(z, PAGES * LIB_PAGE, 0);

	assert_non_null(p);
	for (size_t i = 0; i < PAGES; i++) {
		lib_fill(p + i * LIB_PAGE, i, 0);
	}
	return p;
}

static size_t wrong_pages(char *p, uint64_t version)
{
	size_t wrong = 0;

	for (size_t i = 0; i < PAGES; i++) {
		wrong += !lib_is(p + i * LIB_PAGE, i, version);
	}
	return wrong;
}

static void rewrite(char *p, uint64_t version)
{
	for (size_t i = 0; i < PAGES; i++) {
		lib_fill(p + i * LIB_PAGE, i, version);
	}
}

/* The child's life; its exit status says what was wrong. */
static int child(struct zpager *z, char *p)
{
	if (zpager_fork_child(z) != 0) {
		fprintf(stderr, "%s\n", zpager_last_error(z));
		return 1;
	}
	if (wrong_pages(p, 0) != 0) {
		return 2;
	}
	rewrite(p, 2);
	if (wrong_pages(p, 2) != 0) {
		return 3;
	}
	char *q = zpager_map(z, LIB_PAGE, 0);
	if (q == NULL || q[0] != 0) {
		return 4;
	}
	return zpager_close(z) == 0 ? 0 : 5;
}

static void test_child_has_its_own(void **state)
{
	struct cell *cell = *state;
	struct zpager *z = open_it(cell, 1, NULL);
	int status;

	if (z == NULL) {
		skip();
	}
	char *p = filled(z);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(zpager_fork_prepare(z), 0);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			_exit(child(z, p));
		}
		zpager_fork_parent(z, pid);
		rewrite(p, 1);
		assert_int_equal(wrong_pages(p, 1), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_int_equal(wrong_pages(p, 1), 0);
		rewrite(p, 0);
	}
	lib_check(z, p, PAGES * LIB_PAGE);
	lib_close(z);
}

/* The first thing that the child does to pages that are clean and protected is to write them. */
static int child_writes(struct zpager *z, char *p)
{
	size_t few = 32;

	if (zpager_fork_child(z) != 0) {
		return 1;
	}
	for (size_t i = 0; i < few; i++) {
		lib_fill(p + i * LIB_PAGE, i, 3);
	}
	if (zpager_page_out(z, p, PAGES * LIB_PAGE) != 0) {
		return 2;
	}
	for (size_t i = 0; i < PAGES; i++) {
		if (!lib_is(p + i * LIB_PAGE, i, i < few ? 3 : 0)) {
			return 3;
		}
	}
	return 0;
}

static void test_child_writes_first(void **state)
{
	struct cell *cell = *state;
	struct zpager *z = open_it(cell, 1, NULL);
	int status;

	if (z == NULL) {
		skip();
	}
	char *p = filled(z);
	assert_int_equal(zpager_page_out(z, p, PAGES * LIB_PAGE), 0);
	assert_true(lib_is(p, 0, 0));
	assert_int_equal(zpager_page_in(z, p, 32 * LIB_PAGE), 0);
	assert_int_equal(zpager_fork_prepare(z), 0);
	pid_t pid = fork();
	if (pid == 0) {
		_exit(child_writes(z, p));
	}
	zpager_fork_parent(z, pid);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(wrong_pages(p, 0), 0);
	lib_close(z);
}

/* Prepared, but the fork failed: all goes on. */
static void test_fork_that_failed(void **state)
{
	struct cell *cell = *state;
	struct zpager *z = open_it(cell, 1, NULL);

	if (z == NULL) {
		skip();
	}
	char *p = filled(z);
	assert_int_equal(zpager_fork_prepare(z), 0);
	zpager_fork_parent(z, -1);
	assert_int_equal(wrong_pages(p, 0), 0);
	lib_close(z);
}

/* A child that dies before it has copied anything does not hold the parent up. */
static void test_child_that_dies(void **state)
{
	struct cell *cell = *state;
	struct zpager *z = open_it(cell, 1, NULL);
	int status;

	if (z == NULL) {
		skip();
	}
	char *p = filled(z);
	assert_int_equal(zpager_fork_prepare(z), 0);
	pid_t pid = fork();
	if (pid == 0) {
		_exit(0);
	}
	zpager_fork_parent(z, pid);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(wrong_pages(p, 0), 0);
	lib_close(z);
}

struct touch {
	struct zpager *z;
	volatile char *p;
};

static void touch_it(void *arg)
{
	struct touch *t = arg;

	_exit(*t->p == 0 ? 10 : 11);
}

static void call_it(void *arg)
{
	struct touch *t = arg;

	if (zpager_contains(t->z, (const void *)(uintptr_t)t->p) == 0) {
		_exit(1);
	}
	if (zpager_page_in(t->z, (const void *)(uintptr_t)t->p, LIB_PAGE) != Z_ERR_PERM) {
		_exit(2);
	}
	_exit(strstr(zpager_last_error(t->z), "forked child") != NULL ? 0 : 3);
}

static void test_not_inherited(void **state)
{
	struct cell *cell = *state;
	struct zpager *z = open_it(cell, 0, "copy");

	if (z == NULL) {
		skip();
	}
	char *p = filled(z);
	for (size_t i = 0; i < PAGES; i += PAGES - 1) {
		struct touch t = {z, p + i * LIB_PAGE};
		int status = lib_child_status(touch_it, &t, NULL, 0);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
		assert_int_equal(lib_child_status(call_it, &t, NULL, 0), 0);
	}
	assert_int_equal(zpager_fork_prepare(z), Z_ERR_NOTSUP);
	assert_int_equal(wrong_pages(p, 0), 0);
	lib_close(z);
}

static void test_move_is_refused(void **state)
{
	struct zpager_options options = {.ram_bytes = MIB,
					 .store = LIB_RAM_STORE,
					 .mechanism = "move",
					 .inherit_on_fork = 1};
	char error[256];
	struct zpager *z;

	(void)state;
	assert_int_equal(zpager_open(&options, error, sizeof(error), &z), Z_ERR_NOTSUP);
	assert_non_null(strstr(error, "use mechanism copy"));
}

int main(void)
{
	static struct cell cells[] = {
		{LIB_RAM_STORE, "monitor"}, {LIB_RAM_STORE, "signal"}, {"lz4:", "monitor"},
		{"lz4:", "signal"},         {"file:", "monitor"},      {"file:", "signal"},
	};
	struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_child_has_its_own, &cells[0]),
		cmocka_unit_test_prestate(test_child_has_its_own, &cells[1]),
		cmocka_unit_test_prestate(test_child_has_its_own, &cells[2]),
		cmocka_unit_test_prestate(test_child_has_its_own, &cells[3]),
		cmocka_unit_test_prestate(test_child_has_its_own, &cells[4]),
		cmocka_unit_test_prestate(test_child_has_its_own, &cells[5]),
		cmocka_unit_test_prestate(test_child_writes_first, &cells[0]),
		cmocka_unit_test_prestate(test_child_writes_first, &cells[1]),
		cmocka_unit_test_prestate(test_child_writes_first, &cells[4]),
		cmocka_unit_test_prestate(test_fork_that_failed, &cells[0]),
		cmocka_unit_test_prestate(test_fork_that_failed, &cells[5]),
		cmocka_unit_test_prestate(test_child_that_dies, &cells[0]),
		cmocka_unit_test_prestate(test_child_that_dies, &cells[5]),
		cmocka_unit_test_prestate(test_not_inherited, &cells[0]),
		cmocka_unit_test_prestate(test_not_inherited, &cells[1]),
		cmocka_unit_test(test_move_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
