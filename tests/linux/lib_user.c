/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_user.c - the library as an ordinary user, who gets a userfaultfd for user mode only: the
 * default mode works (it is signal then), and monitor is refused with a line that says what to do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../arch/linux/instance.h"
#include "lib_common.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define NOBODY 65534
#define PAGES  ((size_t)1024)

static void test_default_mode_works(void **state)
{
	struct zpager_options options = {.ram_bytes = MIB, .store = "tier:lz4:,file:"};
	struct zpager *z = lib_open(&options);
	struct zpager_info info;

	(void)state;
	if (z == NULL) {
		skip();
	}
	zpager_stats(z, NULL, &info);
	assert_string_equal(info.fault_mode,
			    zl_probe()->how == ZL_UFFD_FULL ? "monitor" : "signal");
	char *p = zpager_map(z, PAGES * LIB_PAGE, 0);
	assert_non_null(p);
	for (size_t i = 0; i < PAGES; i++) {
		lib_fill(p + i * LIB_PAGE, i, 0);
	}
	for (size_t i = 0; i < PAGES; i++) {
		assert_true(lib_is(p + i * LIB_PAGE, i, 0));
	}
	lib_close(z);
}

static void test_monitor_says_what_to_do(void **state)
{
	struct zpager_options options = {.ram_bytes = MIB, .fault_mode = "monitor"};
	char error[256] = "";
	struct zpager *z;

	(void)state;
	if (zl_probe()->how != ZL_UFFD_USER_ONLY) {
		skip();
	}
	assert_int_equal(zpager_open(&options, error, sizeof(error), &z), Z_ERR_PERM);
	assert_non_null(strstr(error, "vm.unprivileged_userfaultfd"));
	assert_non_null(strstr(error, "fault mode signal"));
	assert_non_null(strstr(zpager_features(), "user mode only"));
}

/* What the process has now, in bytes. */
static uint64_t address_space(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu", &pages), 1);
	fclose(f);
	return pages * LIB_PAGE;
}

/* A user with little address space gets a smaller window; one with too little a clear line. */
static void test_small_address_space(void **state)
{
	struct rlimit old;
	struct rlimit small;
	struct zpager_options options = {.ram_bytes = MIB, .store = LIB_RAM_STORE};
	char error[256] = "";
	struct zpager *z;

	(void)state;
	if (SANITIZED) {
		skip(); /* a sanitizer needs all address space itself */
	}
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	small = old;
	small.rlim_cur = (rlim_t)1 << 30;
	assert_int_equal(setrlimit(RLIMIT_AS, &small), 0);
	z = lib_open(&options);
	if (z != NULL) {
		char *p = zpager_map(z, 2 * MIB, 0);
		assert_non_null(p);
		assert_false(zpager_contains(z, p + ((uint64_t)1 << 30)));
		lib_fill(p, 1, 1);
		assert_true(lib_is(p, 1, 1));
		lib_close(z);
	}
	options.store = "ram:size=1M&own=yes";
	small.rlim_cur = (rlim_t)address_space() + 8 * MIB;
	assert_int_equal(setrlimit(RLIMIT_AS, &small), 0);
	int result = zpager_open(&options, error, sizeof(error), &z);
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
	assert_int_equal(result, Z_ERR_NOMEM);
	assert_non_null(strstr(error, "ulimit -v"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_mode_works),
		cmocka_unit_test(test_monitor_says_what_to_do),
		cmocka_unit_test(test_small_address_space),
	};

	if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) {
		printf("skipped: cannot become an ordinary user\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
