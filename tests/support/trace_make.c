/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_make.c - see trace_make.h. The kinds are those on which algorithms differ: a loop larger than
 * memory, a skewed choice, a scan beside a hot set, phases, a sort's merges, much and little dirt.
 *
 * Locks: none. Limits: memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "eviction_host.h"
#include "trace_make.h"

enum { REFS = 60000 };

struct pgt *trace_new(const char *name)
{
	struct pgt *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	(void)snprintf(t->name, sizeof(t->name), "%s", name);
	return t;
}

void trace_add(struct pgt *t, uint64_t number, unsigned int flags)
{
	uint32_t page = pgt_pages_index(&t->pages, number);

	/* The list is as long as the next power of two. */
	if ((t->nrefs & (t->nrefs - 1)) == 0) {
		t->refs = realloc(t->refs, (t->nrefs * 2 + 1) * sizeof(*t->refs));
		assert_non_null(t->refs);
	}
	t->refs[t->nrefs++] = page << PGT_FLAG_BITS | flags;
}

struct pgt *trace_of(const uint32_t *pages, size_t n)
{
	struct pgt *t = trace_new("given");

	for (size_t i = 0; i < n; i++) {
		trace_add(t, pages[i], PGT_READ);
	}
	return t;
}

/* 400 pages again and again; every eighth reference is to one of 20 that are written. */
static void make_loop(struct pgt *t)
{
	for (uint32_t i = 0; i < REFS; i++) {
		bool hot = i % 8 == 0;

		trace_add(t, hot ? 1000 + i / 8 % 20 : i % 400, hot ? PGT_WRITE : PGT_READ);
	}
}

/* Page k in proportion to 1 / (k + 1), by integers alone; every fourth reference writes. */
static void make_zipf(struct pgt *t)
{
	enum { PAGES = 600 };
	uint32_t upto[PAGES];
	uint32_t sum = 0;
	uint64_t seed = 42;

	for (uint32_t k = 0; k < PAGES; k++) {
		sum += 1000000 / (k + 1);
		upto[k] = sum;
	}
	for (uint32_t i = 0; i < REFS; i++) {
		uint32_t draw = ev_random(&seed, sum);
		uint32_t k = 0;

		while (upto[k] <= draw) {
			k++;
		}
		/* Neighbours are not equally hot: spread over the address space. */
		trace_add(t, k * 7919 % 1024, i % 4 == 0 ? PGT_READ | PGT_WRITE : PGT_READ);
	}
}

/* 100 hot pages, a third of them written, and a scan over 2,000 that come once each turn. */
static void make_scan_and_hot(struct pgt *t)
{
	uint64_t seed = 7;

	for (uint32_t i = 0; i < REFS; i++) {
		uint32_t hot = ev_random(&seed, 100);

		if (i % 3 != 0) {
			trace_add(t, hot, hot % 3 == 0 ? PGT_WRITE : PGT_READ);
		} else {
			trace_add(t, 5000 + i / 3 % 2000, PGT_READ);
		}
	}
}

/* Every 6,000 references another 300 pages out of 900 are in use; a few stay: code. */
static void make_phases(struct pgt *t)
{
	uint64_t seed = 11;

	for (uint32_t i = 0; i < REFS; i++) {
		uint32_t first = i / 6000 * 200 % 600;

		if (i % 5 == 0) {
			trace_add(t, 2000 + ev_random(&seed, 40), PGT_FETCH);
		} else {
			trace_add(t, first + ev_random(&seed, 300),
				  ev_random(&seed, 3) == 0 ? PGT_WRITE : PGT_READ);
		}
	}
}

/* Merges of runs twice as long each time: two are read, a third place is written. */
static void make_merges(struct pgt *t)
{
	enum { PAGES = 512 };

	for (uint32_t turn = 0; turn < 6; turn++) {
		for (uint32_t run = 1; run < PAGES; run *= 2) {
			for (uint32_t i = 0; i < PAGES; i++) {
				uint32_t base = i / (2 * run) * (2 * run);
				uint32_t half = i % (2 * run) / 2;

				trace_add(t, base + half, PGT_READ);
				trace_add(t, base + run + half, PGT_READ);
				trace_add(t, PAGES + i, PGT_WRITE);
			}
		}
	}
}

/* Any of 300 pages; those of even number are only ever written. */
static void make_half_dirty(struct pgt *t)
{
	uint64_t seed = 99;

	for (uint32_t i = 0; i < REFS; i++) {
		uint32_t page = ev_random(&seed, 300);

		trace_add(t, page, page % 2 == 0 ? PGT_WRITE : PGT_READ);
	}
}

struct pgt *trace_made(size_t i)
{
	static const struct {
		const char *name;
		void (*make)(struct pgt *t);
	} kinds[] = {
		{"loop", make_loop},     {"zipf", make_zipf},     {"scan", make_scan_and_hot},
		{"phases", make_phases}, {"merges", make_merges}, {"dirty", make_half_dirty},
	};
	struct pgt *t;

	if (i >= sizeof(kinds) / sizeof(kinds[0])) {
		return NULL;
	}
	t = trace_new(kinds[i].name);
	kinds[i].make(t);
	return t;
}
