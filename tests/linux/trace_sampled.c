/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_sampled.c - zpager trace without --exact: a program that touches each page once a round, with
 * rounds much longer than periods, gives exactly these references, in this order.
 * ctest-timeout: 600
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "trace_common.h"

#define PAGES  100U
#define READS  60U /* the first pages are only read after the beginning */
#define ROUNDS 4U

/* ---- the program ------------------------------------------------------------------------------- */

static int rounds(void)
{
	const struct timespec pause = {.tv_nsec = 800000000L};
	volatile char *memory = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int sum = 0;

	for (unsigned int page = 0; page < PAGES; page++) {
		memory[page * 4096] = 1;
	}
	for (unsigned int round = 0; round < ROUNDS; round++) {
		(void)nanosleep(&pause, NULL);
		for (unsigned int page = 0; page < READS; page++) {
			sum += memory[page * 4096];
		}
		for (unsigned int page = READS; page < PAGES; page++) {
			memory[page * 4096] = (char)round;
		}
	}
	return sum == (int)(READS * ROUNDS) ? 9 : 1;
}

/* ---- tests ------------------------------------------------------------------------------------- */

/* The first of PAGES neighbours that the trace has as often as they were touched. */
static uint64_t find_memory(const struct pgt *t)
{
	static unsigned int count[1U << 20];
	unsigned int run = 0;

	for (uint64_t i = 0; i < t->nrefs; i++) {
		uint64_t number = t->pages.number[pgt_page(t->refs[i])];

		assert_true(number < sizeof(count) / sizeof(count[0]));
		count[number]++;
	}
	for (uint64_t number = 0; number < sizeof(count) / sizeof(count[0]); number++) {
		run = count[number] == ROUNDS + 1 ? run + 1 : 0;
		if (run == PAGES) {
			return number + 1 - PAGES;
		}
	}
	fail_msg("no %u neighbours that are touched %u times each", PAGES, ROUNDS + 1);
	return 0;
}

static void test_each_touch_is_there(void **state)
{
	char output[64];
	struct pgt *t;
	uint64_t first;
	uint64_t seen = 0;
	int status;

	(void)state;
	status = trace_run(
		output, sizeof(output),
		"%s trace --period 20 --keep 1 --ram 64M -o %s/s.pgt -- %s rounds 2>%s/err",
		trace_zpager, trace_folder, trace_self, trace_folder);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 9);
	t = trace_read("s.pgt");
	assert_string_equal(t->name, "trace_sampled");
	first = find_memory(t);
	for (uint64_t i = 0; i < t->nrefs; i++) {
		uint64_t at = t->pages.number[pgt_page(t->refs[i])] - first;

		if (at >= PAGES) {
			continue;
		}
		assert_int_equal(at, seen % PAGES);
		assert_int_equal(t->refs[i] & PGT_KINDS,
				 seen < PAGES || at >= READS ? PGT_WRITE : PGT_READ);
		seen++;
	}
	assert_int_equal(seen, PAGES * (ROUNDS + 1));
	assert_true(t->nticks > 0);
	pgt_close(t);
}

static void test_passes_through(void **state)
{
	char output[256];
	int status;

	(void)state;
	status = trace_run(output, sizeof(output),
			   "echo in | %s trace --ram 64M -o %s/x.pgt -- sh -c 'cat; (echo child); "
			   "exit 7' 2>%s/err",
			   trace_zpager, trace_folder, trace_folder);
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_string_equal(output, "in\nchild\n");
	pgt_close(trace_read("x.pgt"));
	status = trace_run(
		output, sizeof(output),
		"exec %s trace --ram 64M -o %s/x.pgt -- sh -c 'kill -TERM $$' 2>/dev/null",
		trace_zpager, trace_folder);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void test_says_what_is_wrong(void **state)
{
	static const struct {
		const char *arguments;
		int status;
		const char *text;
	} cases[] = {
		{"trace --period 0 -- true", 2, "not a number of milliseconds"},
		{"trace --ram lots -- true", 2, "not a size"},
		{"trace -- no-such-program", 127, "no such program"},
		{"mrc", 2, "no program"},
		{"mrc --time -1 -- true", 2, "not a number of seconds"},
		{"mrc --fault-us x -- true", 2, "not a number of microseconds"},
		{"mrc --samples none -- true", 2, "not a number of pages"},
		{"mrc --svg /no/such/folder/x -- true", 2, "/no/such/folder/x"},
		{"mrc --fault-us 9 -- no-such-program", 127, "no such program"},
		{"mrc --none -- true", 2, "unknown option --none"},
	};
	char output[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status = trace_run(output, sizeof(output), "cd %s && %s %s 2>&1", trace_folder,
				       trace_zpager, cases[i].arguments);

		assert_int_equal(WEXITSTATUS(status), cases[i].status);
		assert_non_null(strstr(output, cases[i].text));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_touch_is_there),
		cmocka_unit_test(test_passes_through),
		cmocka_unit_test(test_says_what_is_wrong),
	};
	char output[512];
	int status = trace_begin(argv[0]);

	if (argc > 1 && strcmp(argv[1], "rounds") == 0) {
		return rounds();
	}
	if (status == 0 &&
	    trace_run(output, sizeof(output), "%s run --ram 16M -- true 2>&1", trace_zpager) != 0) {
		(void)printf("skipped: %s", output);
		status = TRACE_SKIP;
	}
	if (status != 0) {
		return status;
	}
	return cmocka_run_group_tests(tests, trace_make_folder, trace_remove_folder);
}
