/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_fixture.h - what the tests of stores share: surroundings that count, pages of all kinds, and
 * the list of stores that every conformance test runs over.
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <stdatomic.h>
#include <zpager/store.h>

#include "store_hostile.h"

/* A budget of RAM that a store charges; everything must be back to 0 when it is closed. */
struct store_budget {
	size_t limit_pages; /* charge refuses beyond it */
	atomic_size_t charged;
	atomic_size_t allocated; /* bytes */
	atomic_int allocs_left;  /* so many allocations succeed; below 0: no limit */
};

/* store_budget_init - a budget with no limit. */
void store_budget_init(struct store_budget *budget);

/* store_budget_env - surroundings that draw on the budget. */
struct z_store_env store_budget_env(struct store_budget *budget);

/* Kinds of page contents; each with a seed of its own. */
enum store_page_kind {
	PAGE_ZERO,
	PAGE_ONES,
	PAGE_PATTERN, /* one 64-bit word, repeated */
	PAGE_ALMOST,  /* zeros, but for the last byte */
	PAGE_TEXT,    /* compresses well */
	PAGE_MIXED,   /* a part text, the rest random: sizes of all kinds */
	PAGE_RANDOM,  /* does not compress */
	PAGE_WORDS,   /* pointers and counters: for a coder of words */
	PAGE_KINDS
};

/* store_page_fill - Z_PAGE_SIZE bytes of that kind, the same for the same seed. */
void store_page_fill(void *page, enum store_page_kind kind, uint64_t seed);

/* store_random - the next number of a sequence; *state is the seed. */
uint64_t store_random(uint64_t *state);

/* A store that the suite runs over. pages is what it is opened for; see uri. */
struct store_config {
	const char *name;
	const char *uri; /* NULL ends the list; "block:" and words: a block device in RAM */
	size_t pages;    /* it holds at least that many less 1 incompressible pages */
	size_t most;     /* and at most that many; 0: depends on contents */
	bool hostile;    /* opened inside a hostile store with no failure planned */
	bool tier;       /* which clean copy goes first depends on where it is */
};

extern const struct store_config store_configs[];

/* store_config_open - open it; ends the test with the error text if that fails. */
struct z_store *store_config_open(const struct store_config *config, struct store_budget *budget);

/* store_config_image - how many pages of an image it has; they count as used. */
size_t store_config_image(const struct store_config *config);

#endif /* STORE_FIXTURE_H */
