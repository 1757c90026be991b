/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_exact.c - zpager trace --exact: the counts of a program whose references are known, the same
 * from a whole and from a reduced trace; and the program does not notice.
 * ctest-timeout: 600
 *
 * The program goes round 96 pages six times, and is this file again, with an
 * argument. How LRU misses on a loop is known exactly: with fewer frames than the loop has pages every
 * round misses all of them.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "eviction_opt.h"
#include "pgt_reduce.h"
#include "trace_common.h"

#define PAGES  96U
#define ROUNDS 6U
#define KEEP   24U

static struct pgt *trace(const char *name, unsigned int keep)
{
	char output[64];
	struct pgt *t;
	int status;

	char file[64];

	trace_need_valgrind();
	(void)snprintf(file, sizeof(file), "%s.pgt.zst", name);
	status = trace_run(output, sizeof(output),
			   "%s trace --exact --keep %u -o %s/%s -- %s loop 2>%s/err", trace_zpager,
			   keep, trace_folder, file, trace_self, trace_folder);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), ROUNDS + 1);
	assert_string_equal(output, "");
	t = trace_read(file);
	assert_int_equal(t->k, keep);
	assert_string_equal(t->name, "trace_exact");
	return t;
}

static uint64_t opt(const struct pgt *t, uint32_t frames)
{
	uint32_t *pages = malloc(t->nrefs * sizeof(*pages));
	uint64_t misses;

	for (uint64_t i = 0; i < t->nrefs; i++) {
		pages[i] = pgt_page(t->refs[i]);
	}
	misses = ev_opt_misses(pages, t->nrefs, t->pages.count, frames);
	free(pages);
	return misses;
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void put_ref(void *to, uint64_t number, unsigned int flags)
{
	assert_int_equal(pgt_put(to, number, flags), 0);
}

static void put_tick(void *to)
{
	assert_int_equal(pgt_tick(to), 0);
}

/* The same run of the program, reduced. */
static struct pgt *reduce(const struct pgt *whole)
{
	char path[TRACE_PATH];
	char error[TRACE_PATH] = "";
	struct pgt_writer *writer;
	struct pgt_reduce *r;
	struct pgt_sink to, from;
	uint64_t refs;

	(void)snprintf(path, sizeof(path), "%s/again.pgt", trace_folder);
	writer = pgt_create(path, whole->name, KEEP);
	to = (struct pgt_sink){writer, put_ref, put_tick};
	r = pgt_reduce_open(KEEP, &to);
	from = pgt_reduce_sink(r);
	for (uint64_t i = 0; i < whole->nrefs; i++) {
		from.ref(from.to, whole->pages.number[pgt_page(whole->refs[i])],
			 whole->refs[i] & PGT_FLAGS);
	}
	assert_int_equal(pgt_reduce_close(r, &refs), 0);
	assert_int_equal(refs, whole->nrefs);
	assert_int_equal(pgt_finish(writer, error, sizeof(error)), 0);
	return trace_read("again.pgt");
}

/* Two runs of a program may differ by a few references. */
static void assert_near(uint64_t a, uint64_t b)
{
	assert_in_range(a, b - b / 200 - 4, b + b / 200 + 4);
}

static void test_whole_and_reduced_agree(void **state)
{
	static const uint32_t frames[] = {KEEP, KEEP + 1, 40, 64, 90, 128, 200};
	struct pgt *whole = trace("whole", 1);
	struct pgt *reduced = reduce(whole);
	struct pgt *other = trace("reduced", KEEP);

	(void)state;
	assert_int_equal(whole->pages.count, reduced->pages.count);
	assert_true(reduced->nrefs * 2 < whole->nrefs);
	/* In two steps, as zpager trace does it, more may be left out. */
	assert_true(other->nrefs <= reduced->nrefs + reduced->nrefs / 200);
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct trace_counts a = trace_lru(whole, frames[i]);
		struct trace_counts b = trace_lru(reduced, frames[i]);
		uint64_t best = opt(whole, frames[i]);

		assert_int_equal(a.misses, b.misses);
		assert_int_equal(a.written, b.written);
		assert_int_equal(best, opt(reduced, frames[i]));
		assert_near(trace_lru(other, frames[i]).misses, a.misses);
		assert_near(opt(other, frames[i]), best);
	}
	pgt_close(whole);
	pgt_close(reduced);
	pgt_close(other);
}

/* The pages of the loop are neighbours, and nothing else goes over so many. */
static void test_the_loop_is_in_it(void **state)
{
	struct pgt *t = trace("loop", 1);
	uint64_t run = 0;
	uint64_t longest = 0;
	unsigned int passes = 0;

	(void)state;
	for (uint64_t i = 0, before = 0; i < t->nrefs; i++) {
		uint64_t number = t->pages.number[pgt_page(t->refs[i])];

		if ((t->refs[i] & PGT_FETCH) != 0) {
			continue;
		}
		if (number == before + 1) {
			run++;
		} else if (number != before) {
			passes += run == PAGES - 1;
			run = 0;
		}
		longest = run > longest ? run : longest;
		before = number;
	}
	assert_int_equal(longest, PAGES - 1);
	assert_int_equal(passes, ROUNDS);
	/* With room for less than the loop it misses in each round, with room for it once. */
	assert_true(trace_lru(t, PAGES - 8).misses >= (uint64_t)PAGES * ROUNDS);
	assert_true(trace_lru(t, PAGES - 8).misses - trace_lru(t, PAGES + 16).misses >=
		    (uint64_t)PAGES * (ROUNDS - 1));
	pgt_close(t);
}

static void test_passes_through(void **state)
{
	char output[256];
	int status;

	(void)state;
	status = trace_run(
		output, sizeof(output),
		"echo in | %s trace --exact -o %s/x.pgt -- sh -c 'cat; echo out; echo err >&2; "
		"exit 7' 2>%s/err",
		trace_zpager, trace_folder, trace_folder);
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_string_equal(output, "in\nout\n");
	status = trace_run(output, sizeof(output), "grep -c '^err$' %s/err", trace_folder);
	assert_int_equal(status, 0);
	status = trace_run(output, sizeof(output), "wc -l <%s/err", trace_folder);
	assert_string_equal(output, "2\n");
	status = trace_run(output, sizeof(output),
			   "exec %s trace --exact -o %s/x.pgt -- sh -c 'kill -TERM $$' 2>/dev/null",
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
		{"trace", 2, "no program"},
		{"trace --exact --keep none -- true", 2, "not a number of pages"},
		{"trace --exact -o /no/such/folder/x -- true", 2, "/no/such/folder/x"},
		{"trace --exact -- no-such-program", 127, "no such program"},
		{"trace --none -- true", 2, "unknown option --none"},
		{"trace -o", 2, "needs a value"},
	};
	char output[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status = trace_run(output, sizeof(output), "cd %s && %s %s 2>&1", trace_folder,
				       trace_zpager, cases[i].arguments);

		assert_int_equal(WEXITSTATUS(status), cases[i].status);
		assert_non_null(strstr(output, cases[i].text));
	}
	assert_int_equal(
		WEXITSTATUS(trace_run(output, sizeof(output),
				      "cd %s && PATH=%s %s trace --exact -- /bin/true 2>&1",
				      trace_folder, trace_folder, trace_zpager)),
		2);
	assert_non_null(strstr(output, "install the package valgrind"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_and_reduced_agree),
		cmocka_unit_test(test_the_loop_is_in_it),
		cmocka_unit_test(test_passes_through),
		cmocka_unit_test(test_says_what_is_wrong),
	};
	int status = trace_begin(argv[0]);

	if (argc > 1 && strcmp(argv[1], "loop") == 0) {
		return trace_loop(PAGES, ROUNDS) + 1;
	}
	if (status == 0 && system("command -v valgrind >/dev/null") != 0) {
		(void)puts("skipped: valgrind is not installed");
		status = TRACE_SKIP;
	}
	if (status != 0) {
		return status;
	}
	return cmocka_run_group_tests(tests, trace_make_folder, trace_remove_folder);
}
