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
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "eviction_opt.h"
#include "pgt.h"

#define PAGES  96U
#define ROUNDS 6U
#define KEEP   24U
#define SKIP   77

static char folder[] = "/tmp/zpager-trace.XXXXXX";
static char self[4096];
static char zpager[4096];

/* ---- the program ------------------------------------------------------------------------------- */

static int loop(void)
{
	volatile char *memory = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int page = 0; page < PAGES; page++) {
			memory[page * 4096] = (char)(memory[page * 4096] + 1);
		}
	}
	return memory[0] + 1;
}

/* ---- running it -------------------------------------------------------------------------------- */

/* Returns the status as system() does; output is what the command printed on stdout. */
static int run(char *output, size_t max, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int run(char *output, size_t max, const char *format, ...)
{
	char command[16384];
	va_list more;
	FILE *pipe;

	va_start(more, format);
	(void)vsnprintf(command, sizeof(command), format, more);
	va_end(more);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	output[fread(output, 1, max - 1, pipe)] = '\0';
	return pclose(pipe);
}

static struct pgt *trace(const char *name, unsigned int keep)
{
	char path[256];
	char output[64];
	char error[512];
	struct pgt *t;
	int status;

	(void)snprintf(path, sizeof(path), "%s/%s.pgt.zst", folder, name);
	status = run(output, sizeof(output), "%s trace --exact --keep %u -o %s -- %s loop 2>%s/err",
		     zpager, keep, path, self, folder);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), ROUNDS + 1);
	assert_string_equal(output, "");
	if (pgt_open(path, &t, error, sizeof(error)) != 0) {
		fail_msg("%s", error);
	}
	assert_int_equal(t->k, keep);
	assert_string_equal(t->name, "trace_exact");
	return t;
}

/* ---- counting ---------------------------------------------------------------------------------- */

struct counts {
	uint64_t misses, written;
};

static struct counts lru(const struct pgt *t, uint32_t frames)
{
	uint32_t *stack = calloc(frames + 1, sizeof(*stack));
	bool *dirty = calloc(t->pages.count, sizeof(*dirty));
	struct counts c = {0, 0};
	uint32_t used = 0;

	for (uint64_t i = 0; i < t->nrefs; i++) {
		uint32_t page = pgt_page(t->refs[i]);
		uint32_t at = 0;

		while (at < used && stack[at] != page) {
			at++;
		}
		if (at == used) {
			c.misses++;
			if (used == frames) {
				at--;
				c.written += dirty[stack[at]];
				dirty[stack[at]] = false;
			} else {
				used++;
			}
		}
		memmove(&stack[1], &stack[0], at * sizeof(stack[0]));
		stack[0] = page;
		dirty[page] = dirty[page] || (t->refs[i] & PGT_WRITE) != 0;
	}
	free(stack);
	free(dirty);
	return c;
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

static void test_whole_and_reduced_agree(void **state)
{
	static const uint32_t frames[] = {KEEP, KEEP + 1, 40, 64, 90, 128, 200};
	struct pgt *whole = trace("whole", 1);
	struct pgt *reduced = trace("reduced", KEEP);

	(void)state;
	assert_int_equal(whole->pages.count, reduced->pages.count);
	assert_true(reduced->nrefs * 2 < whole->nrefs);
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct counts a = lru(whole, frames[i]);
		struct counts b = lru(reduced, frames[i]);

		assert_int_equal(a.misses, b.misses);
		assert_int_equal(a.written, b.written);
		assert_int_equal(opt(whole, frames[i]), opt(reduced, frames[i]));
	}
	pgt_close(whole);
	pgt_close(reduced);
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
	assert_true(lru(t, PAGES - 8).misses >= (uint64_t)PAGES * ROUNDS);
	assert_true(lru(t, PAGES - 8).misses - lru(t, PAGES + 16).misses >=
		    (uint64_t)PAGES * (ROUNDS - 1));
	pgt_close(t);
}

static void test_passes_through(void **state)
{
	char output[256];
	int status;

	(void)state;
	status =
		run(output, sizeof(output),
		    "echo in | %s trace --exact -o %s/x.pgt -- sh -c 'cat; echo out; echo err >&2; "
		    "exit 7' 2>%s/err",
		    zpager, folder, folder);
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_string_equal(output, "in\nout\n");
	status = run(output, sizeof(output), "grep -c '^err$' %s/err", folder);
	assert_int_equal(status, 0);
	status = run(output, sizeof(output), "wc -l <%s/err", folder);
	assert_string_equal(output, "2\n");
	status = run(output, sizeof(output),
		     "exec %s trace --exact -o %s/x.pgt -- sh -c 'kill -TERM $$' 2>/dev/null",
		     zpager, folder);
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
		int status = run(output, sizeof(output), "cd %s && %s %s 2>&1", folder, zpager,
				 cases[i].arguments);

		assert_int_equal(WEXITSTATUS(status), cases[i].status);
		assert_non_null(strstr(output, cases[i].text));
	}
	assert_int_equal(WEXITSTATUS(run(output, sizeof(output),
					 "cd %s && PATH=%s %s trace --exact -- /bin/true 2>&1",
					 folder, folder, zpager)),
			 2);
	assert_non_null(strstr(output, "install the package valgrind"));
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
	char output[16];

	(void)state;
	return run(output, sizeof(output), "rm -rf %s", folder);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_and_reduced_agree),
		cmocka_unit_test(test_the_loop_is_in_it),
		cmocka_unit_test(test_passes_through),
		cmocka_unit_test(test_says_what_is_wrong),
	};
	const char *build = getenv("ZPAGER_BUILD");

	if (argc > 1 && strcmp(argv[1], "loop") == 0) {
		return loop();
	}
	(void)snprintf(zpager, sizeof(zpager), "%s/bin/zpager", build != NULL ? build : "build");
	if (access(zpager, X_OK) != 0 || system("command -v valgrind >/dev/null") != 0) {
		(void)puts("skipped: no valgrind, or zpager is not built");
		return SKIP;
	}
	if (realpath(argv[0], self) == NULL) {
		return 1;
	}
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
