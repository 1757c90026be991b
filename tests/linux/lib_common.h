/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_common.h - what the tests of the library share: opening, patterns, looking from outside.
 */
#ifndef TESTS_LINUX_LIB_COMMON_H
#define TESTS_LINUX_LIB_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zpager/zpager.h>

#define LIB_PAGE ((size_t)4096)
#define MIB      ((uint64_t)1 << 20)

/* A store that takes nothing from the budget and never fails. */
#define LIB_RAM_STORE "ram:size=64M&own=yes"

/*
 * For functions that touch paged memory: the store reads the same bytes from another thread, and what
 * orders the two is write protection and the kernel, which the thread sanitizer cannot see.
 */
#define LIB_TOUCHES_PAGES __attribute__((no_sanitize_thread))

/* lib_open - an instance, or NULL if this kernel or user cannot: a line says so. Else asserts. */
struct zpager *lib_open(const struct zpager_options *options);

/* lib_simple - the same with LIB_RAM_STORE and the rest as said. */
struct zpager *lib_simple(uint64_t ram_bytes, const char *fault_mode, const char *mechanism);

/* lib_close - close, which has to succeed. */
void lib_close(struct zpager *z);

/*
 * lib_check - the pager's own invariants, and the budget: frames, metadata and store stay within
 * it, and what is resident of the region stays within the frames.
 */
void lib_check(struct zpager *z, const void *region, size_t bytes);

/* lib_fill - the pattern of a page, one word in forty random. lib_is - is it exactly that? */
void lib_fill(void *page, uint64_t number, uint64_t version);
bool lib_is(const void *page, uint64_t number, uint64_t version);

/* lib_random - the next number of a generator that a seed starts. */
uint64_t lib_random(uint64_t *state);

/* lib_resident - how many pages of the range are in RAM, as the kernel says. */
size_t lib_resident(const void *region, size_t bytes);

/*
 * lib_child_status - run a function in a forked child, and return what waitpid says of it. The
 * child's stderr goes to text (may be NULL).
 */
int lib_child_status(void (*function)(void *), void *arg, char *text, size_t text_bytes);

#endif /* TESTS_LINUX_LIB_COMMON_H */
