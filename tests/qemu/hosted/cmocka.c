/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmocka.c - running tests one after the other on a board; see cmocka.h.
 *
 * A test that fails is left by a jump. It may have failed with interrupts off: they go on again before
 * the next. What it left of the pager is the tear-down's business.
 */
#include <setjmp.h>

#include "cmocka.h"

static jmp_buf leave;
static bool failed;
static bool skipped;
static unsigned int count_passed;
static unsigned int count_failed;
static unsigned int count_skipped;

void hosted_assert(bool holds, const char *text, const char *file, int line)
{
	if (holds)
		return;
	kernel_print("%s:%d: not true: %s\n", file, line, text);
	failed = true;
	longjmp(leave, 1);
}

void hosted_equal(uint64_t a, uint64_t b, const char *text, const char *file, int line)
{
	if (a == b)
		return;
	kernel_print("%s:%d: 0x%lx is not 0x%lx: %s\n", file, line, (unsigned long)a,
		     (unsigned long)b, text);
	failed = true;
	longjmp(leave, 1);
}

_Noreturn void hosted_skip(void)
{
	skipped = true;
	longjmp(leave, 1);
}

/* One phase, in a function of its own: what a jump comes back to has no variable that could change. */
static __attribute__((noinline)) void guarded(void (*test)(void **state),
					      int (*phase)(void **state))
{
	void *state = NULL;

	if (setjmp(leave) != 0)
		return;
	if (test != NULL)
		test(&state);
	else if (phase != NULL && phase(&state) != 0)
		failed = true;
}

static void run_one(const char *group, const struct CMUnitTest *test)
{
	failed = false;
	skipped = false;
	guarded(NULL, test->setup_func);
	if (!failed && !skipped)
		guarded(test->test_func, NULL);
	z_port_irq_restore(~0UL);
	guarded(NULL, test->teardown_func);
	z_port_irq_restore(~0UL);

	count_failed += failed;
	count_skipped += !failed && skipped;
	count_passed += !failed && !skipped;
	kernel_print("%s %s.%s\n", failed ? "FAIL" : skipped ? "SKIP" : "PASS", group, test->name);
}

int hosted_run(const char *group, const struct CMUnitTest *tests, size_t n)
{
	unsigned int before = count_failed;

	for (size_t i = 0; i < n; i++)
		run_one(group, &tests[i]);
	return (int)(count_failed - before);
}

unsigned int hosted_summary(void)
{
	kernel_print("SUMMARY %u passed, %u failed, %u skipped\n", count_passed, count_failed,
		     count_skipped);
	return count_failed;
}
