/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmocka.h - the part of cmocka that the tests on a board use, on the kernel's console. So a test that
 * is written for the host (the suite of all ports) compiles for a board as it is.
 *
 * Result lines: `PASS group.test`, `FAIL group.test`, `SKIP group.test`; what failed stands before.
 */
#ifndef QEMU_HOSTED_CMOCKA_H
#define QEMU_HOSTED_CMOCKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../../arch/common/port.h"

struct CMUnitTest {
	const char *name;
	void (*test_func)(void **state);
	int (*setup_func)(void **state);
	int (*teardown_func)(void **state);
};

#define cmocka_unit_test(f) cmocka_unit_test_setup_teardown(f, NULL, NULL)
#define cmocka_unit_test_setup_teardown(f, setup, teardown)                                        \
	{                                                                                          \
		.name = #f, .test_func = (f), .setup_func = (setup), .teardown_func = (teardown)   \
	}

#define cmocka_run_group_tests_name(name, tests, setup, teardown)                                  \
	hosted_run((name), (tests), sizeof(tests) / sizeof((tests)[0]))

#define print_message kernel_print
#define print_error   kernel_print
#define skip()        hosted_skip()

#define assert_true(c)     hosted_assert((c), #c, __FILE__, __LINE__)
#define assert_false(c)    hosted_assert(!(c), "!(" #c ")", __FILE__, __LINE__)
#define assert_non_null(p) hosted_assert((p) != NULL, #p " != NULL", __FILE__, __LINE__)
#define assert_int_equal(a, b)                                                                     \
	hosted_equal((uint64_t)(a), (uint64_t)(b), #a " == " #b, __FILE__, __LINE__)

/* hosted_run - run them all; returns how many failed. */
int hosted_run(const char *group, const struct CMUnitTest *tests, size_t n);

/* hosted_assert, hosted_equal, hosted_skip - go on, or leave the test. */
void hosted_assert(bool holds, const char *text, const char *file, int line);
void hosted_equal(uint64_t a, uint64_t b, const char *text, const char *file, int line);
_Noreturn void hosted_skip(void);

/* hosted_summary - print `SUMMARY passed failed skipped`; returns how many failed so far. */
unsigned int hosted_summary(void);

#endif /* QEMU_HOSTED_CMOCKA_H */
