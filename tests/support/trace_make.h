/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_make.h - traces of page references made in a test: reference by reference, or whole ones by
 * a rule, the same each time.
 *
 * Locks: none. Limits: memory.
 */
#ifndef ZPAGER_TESTS_TRACE_MAKE_H
#define ZPAGER_TESTS_TRACE_MAKE_H

#include "pgt.h"

/* trace_new - an empty trace; pgt_close() frees it. */
struct pgt *trace_new(const char *name);
void trace_add(struct pgt *t, uint64_t number, unsigned int flags);

/* trace_of - n reads of these pages. */
struct pgt *trace_of(const uint32_t *pages, size_t n);

/* trace_made - the i-th made trace, NULL past the end. */
struct pgt *trace_made(size_t i);

#endif /* ZPAGER_TESTS_TRACE_MAKE_H */
