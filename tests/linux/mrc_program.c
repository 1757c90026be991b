/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mrc_program.c - zpager mrc: the exact curve is that of LRU over an exact trace, point for point; the
 * sampled one of a loop has its step where the loop ends; and what the two runs of --exact may do.
 * ctest-timeout: 900
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "trace_common.h"

#define PAGES      96U
#define ROUNDS     6U
#define SLOW_PAGES 1600U
#define SLOW_TIMES 8U

/* What the report says, as JSON. */
struct report {
	double pages;
	double need[3];
	unsigned int points;
	double bytes[100], faults[100], low[100], high[100], slowdown[100];
};

/* ---- the programs ------------------------------------------------------------------------------ */

/* Long enough in each page that a round is longer than many periods. */
static int slow_loop(void)
{
	volatile char *memory = mmap(NULL, SLOW_PAGES * 4096UL, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile unsigned int work = 0;

	for (unsigned int round = 0; round < SLOW_TIMES; round++) {
		for (unsigned int page = 0; page < SLOW_PAGES; page++) {
			memory[page * 4096UL] = (char)round;
			for (unsigned int i = 0; i < 60000; i++) {
				work++;
			}
		}
	}
	return 0;
}

/* ---- reading ----------------------------------------------------------------------------------- */

static void read_report(const char *name, struct report *r)
{
	char path[TRACE_PATH];
	char line[512];
	unsigned int needs = 0;
	double a, b;
	FILE *file;

	memset(r, 0, sizeof(*r));
	(void)snprintf(path, sizeof(path), "%s/%s", trace_folder, name);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		const char *pages = strstr(line, "\"pages\": ");

		if (pages != NULL) {
			r->pages = strtod(pages + 9, NULL);
		}
		if (needs < 3 && sscanf(line, " {\"slowdown\": %lf, \"bytes\": %lf", &a, &b) == 2) {
			r->need[needs++] = b / 4096;
		}
		if (r->points < 100 &&
		    sscanf(line,
			   " {\"bytes\": %lf, \"faults\": %lf, \"low\": %lf, \"high\": %lf, "
			   "\"slowdown\": %lf",
			   &r->bytes[r->points], &r->faults[r->points], &r->low[r->points],
			   &r->high[r->points], &r->slowdown[r->points]) == 5) {
			r->points++;
		}
	}
	(void)fclose(file);
	assert_int_equal(r->points, 100);
	assert_int_equal(needs, 3);
}

static bool has_valgrind(void)
{
	char output[256];

	return trace_run(output, sizeof(output), "command -v valgrind") == 0;
}

/* ---- tests ------------------------------------------------------------------------------------- */

static double refaults(const struct pgt *t, double frames)
{
	return (double)(trace_lru(t, (uint32_t)frames).misses - t->pages.count);
}

/* Two runs of a program may differ by a few references. Exact equality is unit_pgt_shards.c. */
static double slack(double faults)
{
	return 4 + faults / 200;
}

static bool is_near(double faults, double expected)
{
	return faults >= expected - slack(expected) && faults <= expected + slack(expected);
}

static void test_exact_is_lru_of_the_trace(void **state)
{
	static const double answers[3] = {0.01, 0.05, 0.20};
	static struct report r;
	char output[TRACE_PATH];
	struct pgt *t;
	int status;

	(void)state;
	if (!has_valgrind()) {
		skip();
	}
	trace_need_valgrind();
	status = trace_run(output, sizeof(output),
			   "cd %s && %s trace --exact --keep 1 -o t.pgt -- %s loop 2>&1",
			   trace_folder, trace_zpager, trace_self);
	assert_int_equal(WEXITSTATUS(status), ROUNDS);
	status = trace_run(output, sizeof(output),
			   "cd %s && %s mrc --exact --time 2 --fault-us 500 --json -o r.json --svg "
			   "r.svg -- %s loop 2>&1",
			   trace_folder, trace_zpager, trace_self);
	assert_int_equal(WEXITSTATUS(status), ROUNDS);
	assert_string_equal(output, "");
	t = trace_read("t.pgt");
	read_report("r.json", &r);
	assert_true(r.pages == t->pages.count);
	for (unsigned int i = 0; i < r.points; i++) {
		double expected = refaults(t, r.bytes[i] / 4096);

		if (!is_near(r.faults[i], expected)) {
			fail_msg("with %.0f pages %.0f refaults, not %.0f", r.bytes[i] / 4096,
				 r.faults[i], expected);
		}
		assert_true(r.low[i] == r.faults[i] && r.high[i] == r.faults[i]);
		assert_true(r.slowdown[i] > r.faults[i] * 500e-6 / 2 * 0.9999 - 1e-9 &&
			    r.slowdown[i] < r.faults[i] * 500e-6 / 2 * 1.0001 + 1e-9);
	}
	for (unsigned int i = 0; i < 3; i++) {
		double most = answers[i] * 2 / 500e-6;

		assert_true(refaults(t, r.need[i]) <= most + slack(most));
		assert_true(refaults(t, r.need[i] - 1) > most - slack(most));
	}
	/* 96 pages, six times: the step is there. */
	assert_true(r.faults[29] >= PAGES * (ROUNDS - 1));
	pgt_close(t);
	assert_int_equal(
		trace_run(output, sizeof(output),
			  "/usr/bin/python3 -c 'import sys, xml.dom.minidom as m; "
			  "d = m.parse(sys.argv[1]); "
			  "assert len(d.getElementsByTagName(\"path\")) > 10' %s/r.svg 2>&1",
			  trace_folder),
		0);
}

static void test_exact_runs_twice(void **state)
{
	char output[TRACE_PATH];
	int status;

	(void)state;
	if (!has_valgrind()) {
		skip();
	}
	(void)trace_run(output, sizeof(output), "echo in >%s/in", trace_folder);
	status = trace_run(output, sizeof(output),
			   "cd %s && %s mrc --exact --fault-us 30 -o r.txt -- sh -c 'cat | tee -a "
			   "heard; echo err >&2; exit 4' <in 2>&1",
			   trace_folder, trace_zpager);
	assert_int_equal(WEXITSTATUS(status), 4);
	assert_string_equal(output, "in\nerr\n");
	(void)trace_run(output, sizeof(output), "cat %s/heard", trace_folder);
	assert_string_equal(output, "in\nin\n");
	status = trace_run(output, sizeof(output), "grep -c 'measured, plain' %s/r.txt",
			   trace_folder);
	assert_int_equal(status, 0);
	status = trace_run(output, sizeof(output),
			   "echo in | %s mrc --exact --fault-us 30 -- cat 2>&1", trace_zpager);
	assert_int_equal(WEXITSTATUS(status), 2);
	assert_non_null(strstr(output, "can be read once only"));
	status = trace_run(output, sizeof(output),
			   "echo in | %s mrc --exact --fault-us 30 --time 1 -- cat 2>/dev/null",
			   trace_zpager);
	assert_int_equal(status, 0);
	assert_string_equal(output, "in\n");
}

/* One page in sixteen is followed: a hundred of them, so the limits are wide. */
static void test_sampled_loop(void **state)
{
	static struct report r;
	char output[TRACE_PATH];
	double expected = SLOW_PAGES * (SLOW_TIMES - 1);
	int status;

	(void)state;
	status = trace_run(output, sizeof(output), "%s run --ram 16M -- true 2>&1", trace_zpager);
	if (status != 0) {
		skip();
	}
	status = trace_run(
		output, sizeof(output),
		"cd %s && %s mrc --ram 64M --time 1 --fault-us 100 --json -o s.json -- %s "
		"slow 2>&1",
		trace_folder, trace_zpager, trace_self);
	assert_int_equal(status, 0);
	assert_string_equal(output, "");
	read_report("s.json", &r);
	assert_true(r.pages > SLOW_PAGES * 0.6 && r.pages < SLOW_PAGES * 1.5);
	/* Half of the memory that it wants: every round misses everything. */
	assert_true(r.low[49] < expected && r.high[49] > expected);
	assert_true(r.faults[49] > expected * 0.6 && r.faults[49] < expected * 1.5);
	assert_true(r.faults[99] < expected / 20);
	assert_true(r.need[0] > r.pages * 0.7);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_is_lru_of_the_trace),
		cmocka_unit_test(test_exact_runs_twice),
		cmocka_unit_test(test_sampled_loop),
	};
	int status = trace_begin(argv[0]);

	if (argc > 1 && strcmp(argv[1], "loop") == 0) {
		return trace_loop(PAGES, ROUNDS);
	}
	if (argc > 1 && strcmp(argv[1], "slow") == 0) {
		return slow_loop();
	}
	return status != 0 ? status
			   : cmocka_run_group_tests(tests, trace_make_folder, trace_remove_folder);
}
