/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eval_eviction.c - the small evaluation: every algorithm on made traces and one of a real program,
 * each figure exact.
 *
 * tests/eval/expected.txt has the figures. They change when an algorithm's behaviour changes, and
 * then somebody has to say why: ZPAGER_RENEW=1 writes the file anew, each run prints the lines that
 * differ, and the commit that has the new file says what is better by it. An algorithm of the
 * registry that the file does not know is a fault, as is a line that no algorithm comes to.
 *
 * Locks: none. Limits: none.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "replay.h"
#include "trace_make.h"

#define LINES_MAX  4096
#define LINE_BYTES 160

/* What one choice of a victim may look at. */
#define EXAMINED_MOST 64

static const uint32_t percents[] = {10, 25, 50, 75};

struct lines {
	size_t n;
	char text[LINES_MAX][LINE_BYTES];
};

static struct lines expected;
static struct lines found;

static const char *const access_names[] = {
	[REPLAY_BITS] = "bits", [REPLAY_SOFT] = "soft", [REPLAY_NONE] = "none"};

static void source_path(const char *name, char *path, size_t bytes)
{
	const char *source = getenv("ZPAGER_SOURCE");

	(void)snprintf(path, bytes, "%s/tests/eval/%s", source != NULL ? source : ".", name);
}

/* Returns misses. */
static uint64_t measure(const struct pgt *t, const uint32_t *next, uint32_t frames,
			const struct replay_algorithm *a, enum replay_access access)
{
	struct replay_options o = {.frames = frames, .access = access};
	struct replay_result r;
	const char *error;

	if (replay_run(t, next, a, &o, &r, &error) != 0) {
		fail_msg("%s, %s, %u frames: %s", t->name, a->name, frames, error);
	}
	assert_true(r.examined_most <= EXAMINED_MOST);
	assert_true(found.n < LINES_MAX);
	(void)snprintf(found.text[found.n++], LINE_BYTES,
		       "%-8s %6u %-10s %-4s %8llu misses %8llu written %8llu soft %8llu examined",
		       t->name, frames, a->name, access_names[access], (unsigned long long)r.misses,
		       (unsigned long long)r.written, (unsigned long long)r.soft,
		       (unsigned long long)r.examined);
	return r.misses;
}

static void measure_trace(const struct pgt *t)
{
	uint32_t *next = replay_next(t);
	struct replay_algorithm opt, a;

	assert_non_null(next);
	assert_true(replay_find("opt", &opt));
	for (size_t k = 0; k < sizeof(percents) / sizeof(percents[0]); k++) {
		uint32_t frames = (t->pages.count * percents[k] + 50) / 100;
		uint64_t floor = measure(t, next, frames, &opt, REPLAY_BITS);

		for (size_t i = 0; replay_at(i, &a); i++) {
			if (strcmp(a.name, opt.name) != 0) {
				assert_true(measure(t, next, frames, &a, REPLAY_BITS) >= floor);
			}
			/* The same again where the algorithm would be told, and where nobody knows. */
			if (a.kind == REPLAY_MODULE) {
				assert_true(measure(t, next, frames, &a, REPLAY_SOFT) >= floor);
				assert_true(measure(t, next, frames, &a, REPLAY_NONE) >= floor);
			}
		}
	}
	free(next);
}

static void measure_all(void)
{
	char path[4096];
	char err[4200];
	struct pgt *t;

	for (size_t i = 0; (t = trace_made(i)) != NULL; i++) {
		measure_trace(t);
		pgt_close(t);
	}
	source_path("ffmpeg.pgt.zst", path, sizeof(path));
	if (pgt_open(path, &t, err, sizeof(err)) != 0) {
		fail_msg("%s", err);
	}
	measure_trace(t);
	pgt_close(t);
}

static void read_expected(const char *path)
{
	char line[LINE_BYTES];
	FILE *file = fopen(path, "r");

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		assert_true(expected.n < LINES_MAX);
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '#') {
			(void)snprintf(expected.text[expected.n++], LINE_BYTES, "%s", line);
		}
	}
	if (file != NULL) {
		(void)fclose(file);
	}
}

static void write_found(const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	(void)fputs("# Exact figures of tests/eval/eval_eviction.c; renewed by running it with "
		    "ZPAGER_RENEW=1.\n# trace, frames, algorithm, how accesses are seen\n",
		    file);
	for (size_t i = 0; i < found.n; i++) {
		(void)fprintf(file, "%s\n", found.text[i]);
	}
	assert_int_equal(fclose(file), 0);
}

static bool has(const struct lines *lines, const char *text)
{
	for (size_t i = 0; i < lines->n; i++) {
		if (strcmp(lines->text[i], text) == 0) {
			return true;
		}
	}
	return false;
}

/* Lines of one that the other lacks; returns how many. */
static size_t print_lacking(char sign, const struct lines *one, const struct lines *other)
{
	size_t n = 0;

	for (size_t i = 0; i < one->n; i++) {
		if (!has(other, one->text[i])) {
			print_message("%c %s\n", sign, one->text[i]);
			n++;
		}
	}
	return n;
}

static void figures_are_as_expected(void **state)
{
	char path[4096];
	size_t gone, new;

	(void)state;
	source_path("expected.txt", path, sizeof(path));
	measure_all();
	read_expected(path);
	gone = print_lacking('-', &expected, &found);
	new = print_lacking('+', &found, &expected);
	if (getenv("ZPAGER_RENEW") != NULL) {
		write_found(path);
		print_message("%zu lines of %s are new, %zu are gone\n", new, path, gone);
	} else if (gone + new > 0) {
		fail_msg("figures differ from %s; if that is as it should be, run this test with "
			 "ZPAGER_RENEW=1",
			 path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_are_as_expected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
