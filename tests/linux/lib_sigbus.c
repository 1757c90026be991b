/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_sigbus.c - another handler of SIGBUS keeps what is not ours: its siginfo, its flags, its mask;
 * and a fault of ours that cannot be served ends in SIGBUS, never in zeros or in a hang.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../arch/linux/instance.h"
#include "lib_common.h"

static sigjmp_buf jump;
static void *volatile seen_address;
static volatile int seen_code;
static volatile bool seen_usr1_blocked;
static volatile int hits;

static void remember(int number, siginfo_t *info, void *context)
{
	sigset_t now;

	(void)number;
	(void)context;
	seen_address = info->si_addr;
	seen_code = info->si_code;
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	seen_usr1_blocked = sigismember(&now, SIGUSR1) == 1;
	hits++;
	siglongjmp(jump, 1);
}

static void install(void)
{
	struct sigaction action = {.sa_sigaction = remember, .sa_flags = SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR1);
	assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
}

/* A mapped file that has become shorter: the classical SIGBUS of somebody else. */
static volatile char *beyond_the_end(void)
{
	int fd = memfd_create("lib_sigbus", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)LIB_PAGE), 0);
	volatile char *p = mmap(NULL, LIB_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(p != MAP_FAILED);
	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
	return p;
}

static void expect_foreign(volatile char *p)
{
	int before = hits;

	seen_address = NULL;
	if (sigsetjmp(jump, 1) == 0) {
		(void)*p;
		fail_msg("no SIGBUS");
	}
	assert_int_equal(hits, before + 1);
	assert_ptr_equal(seen_address, p);
	assert_int_equal(seen_code, BUS_ADRERR);
	assert_true(seen_usr1_blocked);
}

static void expect_ours(struct zpager *z, volatile char *p)
{
	int before = hits;

	assert_int_equal(zpager_page_out(z, (void *)(uintptr_t)p, LIB_PAGE), 0);
	assert_int_equal(*p, 7);
	assert_int_equal(hits, before);
}

static void test_handler_before_us(void **state)
{
	volatile char *foreign = beyond_the_end();

	(void)state;
	install();
	struct zpager *z = lib_simple(MIB, "signal", "copy");
	if (z == NULL) {
		skip();
	}
	volatile char *p = zpager_map(z, LIB_PAGE, 0);
	assert_non_null(p);
	*p = 7;
	expect_ours(z, p);
	expect_foreign(foreign);
	expect_ours(z, p);
	lib_close(z);
	expect_foreign(foreign);
	munmap((void *)(uintptr_t)foreign, LIB_PAGE);
}

/* What the preload library does with a sigaction of the program. */
static void test_handler_after_us(void **state)
{
	volatile char *foreign = beyond_the_end();
	struct sigaction action = {.sa_sigaction = remember, .sa_flags = SA_SIGINFO};
	struct sigaction old;
	struct zpager *z = lib_simple(MIB, "signal", "copy");

	(void)state;
	if (z == NULL) {
		skip();
	}
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR1);
	assert_true(zl_sigbus_action(&action, NULL));
	assert_true(zl_sigbus_action(NULL, &old));
	assert_true(old.sa_sigaction == remember);
	volatile char *p = zpager_map(z, LIB_PAGE, 0);
	assert_non_null(p);
	*p = 7;
	expect_ours(z, p);
	expect_foreign(foreign);
	lib_close(z);
	expect_foreign(foreign);
	assert_false(zl_sigbus_action(NULL, &old));
	munmap((void *)(uintptr_t)foreign, LIB_PAGE);
}

static void die_of_a_foreign_fault(void *arg)
{
	struct zpager *z = lib_simple(MIB, "signal", "copy");
	volatile char *foreign = beyond_the_end();

	(void)arg;
	if (z == NULL) {
		_exit(77);
	}
	(void)*foreign;
}

static void die_of_a_raised_signal(void *arg)
{
	(void)arg;
	if (lib_simple(MIB, "signal", "copy") == NULL) {
		_exit(77);
	}
	raise(SIGBUS);
}

static void ignore_a_raised_signal(void *arg)
{
	(void)arg;
	signal(SIGBUS, SIG_IGN);
	if (lib_simple(MIB, "signal", "copy") == NULL) {
		_exit(77);
	}
	raise(SIGBUS);
	_exit(3);
}

static void test_default_action(void **state)
{
	(void)state;
	int status = lib_child_status(die_of_a_foreign_fault, NULL, NULL, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		skip();
	}
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	status = lib_child_status(die_of_a_raised_signal, NULL, NULL, 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	status = lib_child_status(ignore_a_raised_signal, NULL, NULL, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

/* ---- faults that cannot be served ---------------------------------------------------------- */

/* Everything is pinned: no frame can be had for one more page. */
static void touch_with_no_frame_left(void *arg)
{
	struct zpager_options options = {
		.ram_bytes = MIB, .store = LIB_RAM_STORE, .fault_mode = arg, .overcommit = 1};
	struct zpager *z = lib_open(&options);
	struct zpager_info info;

	if (z == NULL) {
		_exit(77);
	}
	zpager_stats(z, NULL, &info);
	char *p = zpager_map(z, 2 * MIB, 0);
	size_t n = 0;
	while (zpager_pin(z, p + n * LIB_PAGE, LIB_PAGE) == 0) {
		n++;
	}
	*(volatile char *)(p + (n + 1) * LIB_PAGE) = 1;
	_exit(4);
}

static void test_no_frame_left(void **state)
{
	char text[512];
	int status = lib_child_status(touch_with_no_frame_left, *state, text, sizeof(text));

	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		skip();
	}
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	assert_non_null(strstr(text, "no page frame could be freed"));
}

static int no_page_in(struct z_store *store, z_loc_t loc, void *page)
{
	(void)store;
	(void)loc;
	(void)page;
	return Z_ERR_IO;
}

/* The store cannot read: SIGBUS for the program, EFAULT for the kernel, and nothing is lost. */
static void test_store_that_cannot_read(void **state)
{
	const char *mode = *state;
	int ends[2];

	install();
	struct zpager *z = lib_simple(MIB, mode, NULL);
	if (z == NULL) {
		skip();
	}
	volatile char *p = zpager_map(z, 2 * LIB_PAGE, 0);
	assert_non_null(p);
	p[0] = 7;
	p[LIB_PAGE] = 8;
	assert_int_equal(zpager_page_out(z, (void *)(uintptr_t)p, 2 * LIB_PAGE), 0);
	const struct z_store_ops *good = z->store->ops;
	struct z_store_ops bad = *good;
	bad.page_in = no_page_in;
	z->store->ops = &bad;

	int before = hits;
	if (sigsetjmp(jump, 1) == 0) {
		(void)*p;
		fail_msg("no SIGBUS");
	}
	assert_int_equal(hits, before + 1);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], (void *)(uintptr_t)(p + LIB_PAGE), 1), -1);
	assert_int_equal(zpager_page_in(z, (void *)(uintptr_t)p, 1), Z_ERR_IO);
	z->store->ops = good;
	assert_int_equal(zpager_page_in(z, (void *)(uintptr_t)p, 2 * LIB_PAGE), 0);
	assert_int_equal(p[0], 7);
	assert_int_equal(p[LIB_PAGE], 8);
	close(ends[0]);
	close(ends[1]);
	lib_check(z, (void *)(uintptr_t)p, 2 * LIB_PAGE);
	lib_close(z);
}

/* A hole is the kernel's own SIGSEGV; before, between and after mappings. */
static void touch_a_hole(void *arg)
{
	struct zpager *z = lib_simple(MIB, arg, "copy");

	if (z == NULL) {
		_exit(77);
	}
	char *p = zpager_map(z, 4 * LIB_PAGE, 0);
	memset(p, 1, 4 * LIB_PAGE);
	if (zpager_unmap(z, p + LIB_PAGE, LIB_PAGE) != 0) {
		_exit(5);
	}
	((volatile char *)p)[2 * LIB_PAGE] = 2;
	((volatile char *)p)[LIB_PAGE] = 2;
	_exit(4);
}

static void test_hole(void **state)
{
	int status = lib_child_status(touch_a_hole, *state, NULL, 0);

	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		skip();
	}
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

int main(void)
{
	static char monitor[] = "monitor";
	static char signal_mode[] = "signal";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handler_before_us),
		cmocka_unit_test(test_handler_after_us),
		cmocka_unit_test(test_default_action),
		cmocka_unit_test_prestate(test_no_frame_left, monitor),
		cmocka_unit_test_prestate(test_no_frame_left, signal_mode),
		cmocka_unit_test_prestate(test_store_that_cannot_read, monitor),
		cmocka_unit_test_prestate(test_store_that_cannot_read, signal_mode),
		cmocka_unit_test_prestate(test_hole, monitor),
		cmocka_unit_test_prestate(test_hole, signal_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
