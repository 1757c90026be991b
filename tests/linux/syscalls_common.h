/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscalls_common.h - system calls one by one on memory that is out, compared with plain memory.
 *
 * A test is a function that works on a region and says what it sees. Each is run in a process of its own
 * under `zpager run`, there once on plain and once on paged memory; what it said has to be the same.
 * In between it pushes the region out before each call whose arguments lie in it.
 *
 * ZPAGER_RUN_OPTIONS goes to `zpager run`: the same tests for each mode.
 */
#ifndef TESTS_LINUX_SYSCALLS_COMMON_H
#define TESTS_LINUX_SYSCALLS_COMMON_H

#include <stdbool.h>
#include <stddef.h>

#define SC_PAGE  ((size_t)4096)
#define SC_PAGES ((size_t)64)
#define SC_BYTES (SC_PAGES * SC_PAGE)

#define SC_AT(memory, page) ((void *)((memory) + (page)*SC_PAGE)) /* a page of the region */

struct sc_test {
	const char *name;
	void (*run)(char *memory);
};

/* sc_main - runs the tests that argv names, or all; the value of main(). The table ends with NULL. */
int sc_main(int argc, char **argv, const struct sc_test *tests);

/* sc_out - the region goes out; all of it has to. sc_push_out - as much as is not pinned. */
void sc_out(void);
void sc_push_out(void);

/* sc_press - other memory takes the frames that became free, with contents of its own. */
void sc_press(void);

/* sc_say - what the test saw; at most 16 KiB in all. sc_sum - a name, and a sum over bytes. */
void sc_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sc_sum(const char *name, const void *bytes, size_t n);

/* sc_result - a name, the result of a system call, and errno if it failed. */
void sc_result(const char *name, long result);

/* sc_must - ends the test unless a preparation succeeded. */
void sc_must(bool done, const char *what);

/* sc_skip - ends the test, which counts as skipped: this machine does not have it. */
void sc_skip(const char *why);

/* sc_put - a copy of something at an offset of the region; the address of the copy. */
void *sc_put(char *memory, size_t offset, const void *thing, size_t bytes);

/* sc_file - an open, unlinked file with SC_BYTES of a pattern; flags as for open(). */
int sc_file(int flags);

#endif /* TESTS_LINUX_SYSCALLS_COMMON_H */
