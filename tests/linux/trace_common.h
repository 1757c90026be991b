/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_common.h - what the tests of zpager trace and zpager mrc share: running commands, and LRU's
 * counts of a trace. The program that is looked at is the test itself, with an argument.
 */
#ifndef TESTS_LINUX_TRACE_COMMON_H
#define TESTS_LINUX_TRACE_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include "pgt.h"

#define TRACE_SKIP 77
#define TRACE_PATH 4096

extern char trace_folder[]; /* to work in */
extern char trace_self[];   /* the test's own path */
extern char trace_zpager[]; /* the program */

/* trace_begin - fill these in. 0, or what main() is to return; said why. */
int trace_begin(const char *self);

/* trace_make_folder, trace_remove_folder - set-up and tear-down of a group of tests. */
int trace_make_folder(void **state);
int trace_remove_folder(void **state);

/* trace_run - a command of the shell. Its status as system() has it; output: what it printed. */
int trace_run(char *output, size_t max, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * trace_need_valgrind - skip the test, and say why, where the test's own program cannot run under
 * valgrind: built with a sanitizer, which wants the same addresses.
 */
void trace_need_valgrind(void);

/* trace_read - a trace in the folder; ends the test if it is none. */
struct pgt *trace_read(const char *name);

struct trace_counts {
	uint64_t misses, written;
};

/* trace_lru - by shifting an array: small traces. */
struct trace_counts trace_lru(const struct pgt *t, uint32_t frames);

/* trace_loop - go round so many pages so often, reading and writing each; returns the last value. */
int trace_loop(unsigned int pages, unsigned int rounds);

#endif /* TESTS_LINUX_TRACE_COMMON_H */
