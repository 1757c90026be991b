/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_reclaim.c - the reclaim thread: it keeps frames free by itself, nothing is lost beside it, and it goes
 * with its instance and with a fork.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../arch/linux/instance.h"
#include "lib_common.h"

#define BUDGET (32 * MIB)
#define PAGES  ((size_t)(48 * MIB / LIB_PAGE))

static struct zpager *open_it(const char *mode, int inherit)
{
	struct zpager_options options = {.ram_bytes = BUDGET,
					 .store = LIB_RAM_STORE,
					 .fault_mode = mode,
					 .reclaim = "thread",
					 .inherit_on_fork = inherit};
	struct zpager *z = lib_open(&options);

	if (z != NULL && !z->reclaim.running) {
		print_message("skipped: one processor, no thread\n");
		lib_close(z);
		z = NULL;
	}
	return z;
}

static char *filled(struct zpager *z)
{
	char *p = zpager_map(z, PAGES * LIB_PAGE, 0);

	assert_non_null(p);
	for (size_t i = 0; i < PAGES; i++) {
		lib_fill(p + i * LIB_PAGE, i, 1);
	}
	return p;
}

static size_t wrong(const char *p)
{
	size_t n = 0;

	for (size_t i = 0; i < PAGES; i++) {
		n += !lib_is(p + i * LIB_PAGE, i, 1);
	}
	return n;
}

static void test_nothing_is_lost(void **state)
{
	struct zpager *z = open_it(*state, 0);

	if (z == NULL) {
		skip();
	}
	char *p = filled(z);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(wrong(p), 0);
	}
	lib_check(z, p, PAGES * LIB_PAGE);
	assert_int_equal(zpager_unmap(z, p, PAGES * LIB_PAGE), 0);
	lib_close(z);
}

/* Who wakes it gets frames without a fault of its own. */
static void test_it_evicts(void **state)
{
	struct zpager *z = open_it(*state, 0);
	struct z_stats stats;

	if (z == NULL) {
		skip();
	}
	char *p = filled(z);
	zl_reclaim_wake(z);
	do {
		zpager_stats(z, &stats, NULL);
	} while (stats.frames_free < atomic_load(&z->reclaim.low));
	assert_int_equal(wrong(p), 0);
	lib_close(z);
}

static void test_fork(void **state)
{
	struct zpager *z = open_it(*state, 1);
	int status;

	if (z == NULL) {
		skip();
	}
	char *p = filled(z);
	assert_int_equal(zpager_fork_prepare(z), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		_exit(zpager_fork_child(z) != 0 || !z->reclaim.running || wrong(p) != 0 ||
		      zpager_close(z) != 0);
	}
	zpager_fork_parent(z, pid);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(wrong(p), 0);
	lib_close(z);
}

int main(void)
{
	static char monitor[] = "monitor";
	static char signal[] = "signal";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_nothing_is_lost, monitor),
		cmocka_unit_test_prestate(test_nothing_is_lost, signal),
		cmocka_unit_test_prestate(test_it_evicts, signal),
		cmocka_unit_test_prestate(test_fork, monitor),
		cmocka_unit_test_prestate(test_fork, signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
