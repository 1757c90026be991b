/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_common.c - see trace_common.h.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "trace_common.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

char trace_folder[] = "/tmp/zpager-trace.XXXXXX";
char trace_self[TRACE_PATH];
char trace_zpager[TRACE_PATH];

int trace_begin(const char *self)
{
	const char *build = getenv("ZPAGER_BUILD");

	(void)snprintf(trace_zpager, TRACE_PATH, "%s/bin/zpager", build != NULL ? build : "build");
	if (access(trace_zpager, X_OK) != 0) {
		(void)puts("skipped: zpager is not built");
		return TRACE_SKIP;
	}
	return realpath(self, trace_self) != NULL ? 0 : 1;
}

int trace_make_folder(void **state)
{
	(void)state;
	return mkdtemp(trace_folder) != NULL ? 0 : -1;
}

int trace_remove_folder(void **state)
{
	char output[16];

	(void)state;
	return trace_run(output, sizeof(output), "rm -rf %s", trace_folder);
}

int trace_run(char *output, size_t max, const char *format, ...)
{
	char command[4 * TRACE_PATH];
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

void trace_need_valgrind(void)
{
	if (SANITIZED) {
		(void)puts("skipped: a program with a sanitizer does not run under valgrind");
		skip();
	}
}

struct pgt *trace_read(const char *name)
{
	char path[TRACE_PATH];
	char error[TRACE_PATH];
	struct pgt *t;

	(void)snprintf(path, sizeof(path), "%s/%s", trace_folder, name);
	if (pgt_open(path, &t, error, sizeof(error)) != 0) {
		fail_msg("%s", error);
	}
	return t;
}

struct trace_counts trace_lru(const struct pgt *t, uint32_t frames)
{
	uint32_t *stack = calloc(frames + 1, sizeof(*stack));
	bool *dirty = calloc(t->pages.count, sizeof(*dirty));
	struct trace_counts c = {0, 0};
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

int trace_loop(unsigned int pages, unsigned int rounds)
{
	volatile char *memory = mmap(NULL, pages * 4096UL, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int page = 0; page < pages; page++) {
			memory[page * 4096UL] = (char)(memory[page * 4096UL] + 1);
		}
	}
	return memory[0];
}
