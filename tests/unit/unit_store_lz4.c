/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_lz4.c - what is particular to compressed RAM: bytes held per byte stored, the budget,
 * space that is always promised before it is needed, damage that is found out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../store/hosted.h"
#include "../../store/lz4_store.h"
#include "store_fixture.h"

#define PAGES 12000U

struct fixture {
	struct store_budget budget;
	struct z_store_env env;
	struct z_store *store;
	z_loc_t locs[PAGES];
	uint64_t seeds[PAGES]; /* 0: no location */
	struct z_page_frame frames[256];
	unsigned char *page;
	unsigned char *other;
	void *slab; /* the last piece of 64 pages that was allocated */
	void *(*plain_alloc)(void *ctx, size_t bytes);
};

/* alloc gets the budget as its context; the slab is noted here. */
static struct fixture *the_fixture;

static void *noting_alloc(void *ctx, size_t bytes)
{
	void *memory = the_fixture->plain_alloc(ctx, bytes);

	if (bytes == 64U * Z_PAGE_SIZE) {
		the_fixture->slab = memory;
	}
	return memory;
}

static void open_store(struct fixture *f, const char *uri)
{
	assert_int_equal(z_store_open(uri, &f->env, NULL, 0, &f->store), 0);
}

static struct z_store_stats stats(struct fixture *f)
{
	struct z_store_stats s;

	f->store->ops->stats(f->store, &s);
	return s;
}

static void check(struct fixture *f)
{
	assert_int_equal(f->store->ops->check(f->store), 0);
}

static enum store_page_kind kind_of(uint64_t seed)
{
	/* Sizes of all kinds above all: two of three pages are part text, part random. */
	return seed % 3 != 0 ? PAGE_MIXED : seed / 3 % PAGE_KINDS;
}

static int put(struct fixture *f, size_t i, uint64_t seed)
{
	int err = f->store->ops->location_get(f->store, NULL, Z_WANT_FOR_EVICT, &f->locs[i]);

	if (err == 0) {
		store_page_fill(f->page, kind_of(seed), seed);
		assert_int_equal(f->store->ops->page_out(f->store, f->locs[i], f->page), 0);
		f->seeds[i] = seed;
	}
	return err;
}

static void verify(struct fixture *f, size_t i)
{
	store_page_fill(f->other, kind_of(f->seeds[i]), f->seeds[i]);
	memset(f->page, 0x5a, Z_PAGE_SIZE);
	assert_int_equal(f->store->ops->page_in(f->store, f->locs[i], f->page), 0);
	assert_memory_equal(f->page, f->other, Z_PAGE_SIZE);
}

static void drop(struct fixture *f, size_t i)
{
	f->store->ops->location_free(f->store, f->locs[i]);
	f->seeds[i] = 0;
}

static double held_per_stored(struct fixture *f)
{
	struct z_store_stats s = stats(f);

	return (double)s.ram_bytes / (double)s.stored_bytes;
}

/* Whatever came and went: at most 1.12 bytes are held for one that is stored, metadata included. */
static void test_churn_leaves_no_holes(void **state)
{
	struct fixture *f = *state;
	uint64_t random = 4;
	double most = 0;

	open_store(f, "lz4:");
	for (size_t i = 0; i < PAGES; i++) {
		assert_int_equal(put(f, i, i + 1), 0);
	}
	print_message("full: %.3f bytes held per byte stored\n", held_per_stored(f));
	for (unsigned int round = 0; round < 6; round++) {
		/* Half of them go, at random; then a third of those come again, of other sizes. */
		for (size_t i = 0; i < PAGES; i++) {
			if (f->seeds[i] != 0 && store_random(&random) % 2 == 0) {
				drop(f, i);
			}
		}
		most = held_per_stored(f) > most ? held_per_stored(f) : most;
		for (size_t i = 0; i < PAGES; i++) {
			if (f->seeds[i] == 0 && store_random(&random) % 3 == 0) {
				assert_int_equal(put(f, i, store_random(&random) | 1U), 0);
			}
		}
		most = held_per_stored(f) > most ? held_per_stored(f) : most;
		check(f);
	}
	print_message("after churn: at most %.3f\n", most);
	assert_true(most <= 1.12);
	for (size_t i = 0; i < PAGES; i++) {
		if (f->seeds[i] != 0) {
			verify(f, i);
			drop(f, i);
		}
	}
	check(f);
	assert_int_equal(stats(f).stored_bytes, 0);
	/* Empty: what is left is the tables. */
	assert_true(stats(f).ram_bytes <= 1U << 20);
	assert_int_equal(stats(f).ram_bytes, atomic_load(&f->budget.charged) * Z_PAGE_SIZE);
}

/* A page with other contents of about the size, or of quite another, at the location it has. */
static void test_put_out_again(void **state)
{
	struct fixture *f = *state;
	uint64_t random = 6;

	open_store(f, "lz4:");
	for (size_t i = 0; i < 600; i++) {
		assert_int_equal(put(f, i, i + 1), 0);
	}
	for (unsigned int turn = 0; turn < 4000; turn++) {
		size_t i = store_random(&random) % 600;

		f->seeds[i] = turn % 2 == 0 ? f->seeds[i] + 3 * PAGE_KINDS : turn;
		store_page_fill(f->page, kind_of(f->seeds[i]), f->seeds[i]);
		assert_int_equal(f->store->ops->page_out(f->store, f->locs[i], f->page), 0);
		if (turn % 100 == 0) {
			check(f);
		}
	}
	for (size_t i = 0; i < 600; i++) {
		verify(f, i);
		drop(f, i);
	}
	check(f);
	assert_int_equal(stats(f).stored_bytes, 0);
}

static void test_limit_is_kept(void **state)
{
	struct fixture *f = *state;
	size_t n = 0;

	open_store(f, "lz4:size=4M");
	while (put(f, n, n + 1) == 0) {
		assert_true(stats(f).ram_bytes <= 4U << 20);
		n++;
	}
	assert_true(stats(f).ram_bytes > (4U << 20) - 8U * Z_PAGE_SIZE);
	assert_int_equal(put(f, n, 1), Z_ERR_NOSPC);
	for (size_t i = 0; i < n; i++) {
		verify(f, i);
	}
	check(f);
}

static void test_budget_is_kept_without_a_size(void **state)
{
	struct fixture *f = *state;
	size_t n = 0;

	f->budget.limit_pages = 600;
	open_store(f, "lz4:");
	while (put(f, n, 3 * n + 1) == 0) {
		n++;
	}
	assert_true(n > 600);
	assert_true(atomic_load(&f->budget.charged) <= 600);
	/* It leaves 16 pages to others. */
	assert_in_range(atomic_load(&f->budget.charged), 580, 584);
	drop(f, 0);
	drop(f, 1);
	drop(f, 2);
	drop(f, 3);
	assert_int_equal(put(f, 0, 7), 0);
	for (size_t i = 4; i < n; i++) {
		verify(f, i);
	}
	check(f);
}

/* A batch of locations is taken before any page is out; each must have room for the worst. */
static void test_promises_hold_for_the_worst(void **state)
{
	struct fixture *f = *state;
	size_t n = 0;

	f->budget.limit_pages = 200;
	open_store(f, "lz4:");
	while (f->store->ops->location_get(f->store, NULL, Z_WANT_FOR_FAULT, &f->locs[n]) == 0) {
		n++;
	}
	assert_true(n > 100);
	for (size_t i = 0; i < n; i++) {
		store_page_fill(f->page, PAGE_RANDOM, i);
		assert_int_equal(f->store->ops->page_out(f->store, f->locs[i], f->page), 0);
	}
	check(f);
	assert_int_equal(stats(f).raw, n);
	for (size_t i = 0; i < n; i++) {
		store_page_fill(f->other, PAGE_RANDOM, i);
		assert_int_equal(f->store->ops->page_in(f->store, f->locs[i], f->page), 0);
		assert_memory_equal(f->page, f->other, Z_PAGE_SIZE);
	}
}

static void test_unneeded_promises_go_back(void **state)
{
	struct fixture *f = *state;
	size_t before;

	open_store(f, "lz4:");
	before = atomic_load(&f->budget.charged);
	for (size_t i = 0; i < 500; i++) {
		assert_int_equal(
			f->store->ops->location_get(f->store, NULL, Z_WANT_FOR_EVICT, &f->locs[i]),
			0);
	}
	assert_true(atomic_load(&f->budget.charged) >= before + 500);
	memset(f->page, 0x11, Z_PAGE_SIZE);
	for (size_t i = 0; i < 500; i++) {
		assert_int_equal(f->store->ops->page_out(f->store, f->locs[i], f->page), 0);
	}
	assert_int_equal(stats(f).same_filled, 500);
	assert_int_equal(stats(f).stored_bytes, 500 * 8);
	/* Tables of slots and pool, and the few pages that are kept at hand. */
	assert_true(atomic_load(&f->budget.charged) <= before + 40);
	check(f);
}

static void test_damage_is_found(void **state)
{
	struct fixture *f = *state;
	const enum store_page_kind kinds[] = {PAGE_TEXT, PAGE_RANDOM, PAGE_WORDS};

	f->plain_alloc = f->env.alloc;
	f->env.alloc = noting_alloc;
	open_store(f, "lz4:");
	for (size_t i = 0; i < 3; i++) {
		unsigned char *bytes;

		assert_int_equal(
			f->store->ops->location_get(f->store, NULL, Z_WANT_FOR_EVICT, &f->locs[i]),
			0);
		store_page_fill(f->page, kinds[i], 5);
		assert_int_equal(f->store->ops->page_out(f->store, f->locs[i], f->page), 0);
		bytes = f->slab;
		assert_non_null(bytes);
		for (size_t at = 0; at < 64U * Z_PAGE_SIZE; at += 64) {
			bytes[at + 40] ^= 1U;
		}
		assert_int_equal(f->store->ops->page_in(f->store, f->locs[i], f->page),
				 Z_ERR_CORRUPT);
		for (size_t at = 0; at < 64U * Z_PAGE_SIZE; at += 64) {
			bytes[at + 40] ^= 1U;
		}
		assert_int_equal(f->store->ops->page_in(f->store, f->locs[i], f->page), 0);
		/* The first of its class, in a page of its own; one bit is enough, wherever it is. */
		for (size_t at = 4; at < 500; at++) {
			bytes[i * Z_PAGE_SIZE + at] ^= (unsigned char)(1U << at % 8);
			assert_int_equal(f->store->ops->page_in(f->store, f->locs[i], f->page),
					 Z_ERR_CORRUPT);
			bytes[i * Z_PAGE_SIZE + at] ^= (unsigned char)(1U << at % 8);
		}
	}
}

/* The same for a page that left as it had come: its copy is all that it needs. */
static void test_promise_of_a_clean_page_goes_back(void **state)
{
	struct fixture *f = *state;
	size_t before;
	z_loc_t loc;

	open_store(f, "lz4:size=4M");
	assert_int_equal(put(f, 0, 1), 0);
	f->frames[0].flags = Z_PAGE_FRAME_MAPPED;
	verify(f, 0);
	f->store->ops->page_finalize(f->store, &f->frames[0], f->locs[0]);
	assert_true(z_page_frame_is_backed(&f->frames[0]));
	before = ((struct lz4_store *)f->store)->pool.promised;
	assert_int_equal(
		f->store->ops->location_get(f->store, &f->frames[0], Z_WANT_FOR_EVICT, &loc), 0);
	assert_true(loc.v == f->locs[0].v);
	assert_int_equal(((struct lz4_store *)f->store)->pool.promised, before + 1);
	f->store->ops->page_unwritten(f->store, loc);
	assert_int_equal(((struct lz4_store *)f->store)->pool.promised, before);
	verify(f, 0);
	check(f);
}

/* Clean copies must not take the RAM that frames could have. */
static void test_copies_are_limited(void **state)
{
	struct fixture *f = *state;
	struct z_store_stats s;
	unsigned int backed = 0;

	open_store(f, "lz4:");
	for (size_t i = 0; i < 256; i++) {
		assert_int_equal(put(f, i, 3 * i + 1), 0);
	}
	for (size_t i = 0; i < 256; i++) {
		f->frames[i].flags = Z_PAGE_FRAME_MAPPED;
		verify(f, i);
		f->store->ops->page_finalize(f->store, &f->frames[i], f->locs[i]);
	}
	for (size_t i = 0; i < 256; i++) {
		backed += z_page_frame_is_backed(&f->frames[i]) ? 1U : 0U;
	}
	s = stats(f);
	assert_int_equal(backed, s.cached_pages);
	assert_int_equal(s.used_pages, s.cached_pages);
	assert_in_range(backed, 16, 24);
	check(f);
}

/* A store with a size of its own has the room: every copy is kept until a page needs it. */
static void test_copies_are_kept_with_a_size(void **state)
{
	struct fixture *f = *state;
	struct z_store_stats s;
	size_t n = 256;

	open_store(f, "lz4:size=2M");
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(put(f, i, 3 * i + 1), 0);
	}
	for (size_t i = 0; i < n; i++) {
		f->frames[i].flags = Z_PAGE_FRAME_MAPPED;
		verify(f, i);
		f->store->ops->page_finalize(f->store, &f->frames[i], f->locs[i]);
	}
	s = stats(f);
	assert_int_equal(s.cached_pages, n);
	assert_int_equal(s.stolen, 0);
	for (size_t i = 0; i < n; i++) {
		z_loc_t loc;

		assert_true(z_page_frame_is_backed(&f->frames[i]));
		assert_int_equal(f->store->ops->location_get(f->store, &f->frames[i],
							     Z_WANT_FOR_EVICT, &loc),
				 0);
		assert_int_equal(loc.v, f->locs[i].v);
		verify(f, i);
		f->store->ops->page_finalize(f->store, &f->frames[i], loc);
	}
	while (put(f, n, PAGES + n) == 0) {
		assert_true(stats(f).ram_bytes <= 2U << 20);
		n++;
	}
	s = stats(f);
	assert_int_equal(s.stolen, 256);
	assert_int_equal(s.cached_pages, 0);
	for (size_t i = 256; i < n; i++) {
		verify(f, i);
	}
	check(f);
}

/* RAM of its own is taken in large pieces, never more than it may have, and kept. */
static void test_own_ram_is_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t before;
	size_t n = 0;
	size_t m = 0;

	open_store(f, "lz4:size=32M&own=yes");
	before = stats(f).ram_bytes;
	assert_int_equal(put(f, n++, 18), 0);
	assert_true(stats(f).ram_bytes >= before + (2U << 20));
	while (put(f, n, 24 * n + 18) == 0) {
		before = stats(f).ram_bytes;
		assert_true(before <= 32U << 20);
		n++;
	}
	/* All but the tables and the workers is pages of data. */
	before = stats(f).ram_bytes;
	assert_true(before > (32U << 20) - 8U * Z_PAGE_SIZE);
	assert_true(stats(f).stored_bytes > (31U << 20));
	assert_int_equal(stats(f).beyond_bytes, before);
	assert_int_equal(atomic_load(&f->budget.charged), 0);
	for (size_t i = 0; i < n; i++) {
		verify(f, i);
		drop(f, i);
	}
	assert_int_equal(stats(f).ram_bytes, before);
	check(f);
	while (put(f, m, 24 * m + 18) == 0) {
		m++;
	}
	assert_true(m + 16 >= n);
	check(f);
}

/* Pages that the pool does not need are no RAM any more: they read as zeros. */
static void test_freed_pages_go_back(void **state)
{
	struct fixture *f = *state;
	unsigned int held = 0;

	f->plain_alloc = f->env.alloc;
	f->env.alloc = noting_alloc;
	open_store(f, "lz4:");
	for (size_t i = 0; i < 56; i++) {
		assert_int_equal(put(f, i, 24 * i + 18), 0);
	}
	for (size_t i = 0; i < 56; i++) {
		drop(f, i);
	}
	for (size_t i = 0; i < 64; i++) {
		const unsigned char *page = (const unsigned char *)f->slab + i * Z_PAGE_SIZE;

		held += page[100] != 0 || page[200] != 0 || page[300] != 0 ? 1U : 0U;
	}
	assert_in_range(held, 1, 17);
	check(f);
}

static void test_numbers_and_pointers_get_small(void **state)
{
	struct fixture *f = *state;

	open_store(f, "lz4:");
	for (uint64_t i = 0; i < 100; i++) {
		assert_int_equal(
			f->store->ops->location_get(f->store, NULL, Z_WANT_FOR_EVICT, &f->locs[i]),
			0);
		store_page_fill(f->page, PAGE_WORDS, i);
		assert_int_equal(f->store->ops->page_out(f->store, f->locs[i], f->page), 0);
	}
	/* LZ4 makes 2,300 bytes of such a page. */
	assert_true(stats(f).stored_bytes < 100U * 1600U);
	for (uint64_t i = 0; i < 100; i++) {
		store_page_fill(f->other, PAGE_WORDS, i);
		assert_int_equal(f->store->ops->page_in(f->store, f->locs[i], f->page), 0);
		assert_memory_equal(f->page, f->other, Z_PAGE_SIZE);
	}
	check(f);
}

#define MANY 64U

/* A batch to a store that has another one behind it: what is not worth its RAM is refused, once. */
static void test_batch_has_a_status_for_each(void **state)
{
	struct fixture *f = *state;
	struct z_store_io ios[MANY];
	unsigned char *pages = aligned_alloc(Z_PAGE_SIZE, MANY * Z_PAGE_SIZE);

	open_store(f, "lz4:");
	z_lz4_only_worthwhile(f->store);
	for (size_t i = 0; i < MANY; i++) {
		ios[i].page = pages + i * Z_PAGE_SIZE;
		ios[i].status = 77;
		store_page_fill(pages + i * Z_PAGE_SIZE, i % 3 == 0 ? PAGE_RANDOM : PAGE_TEXT, i);
		assert_int_equal(
			f->store->ops->location_get(f->store, NULL, Z_WANT_FOR_EVICT, &ios[i].loc),
			0);
	}
	assert_int_equal(f->store->ops->page_out_many(f->store, ios, MANY), 22);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(ios[i].status, i % 3 == 0 ? Z_ERR_NOSPC : 0);
	}
	assert_int_equal(stats(f).raw, 0);
	assert_int_equal(f->store->ops->page_out_many(f->store, ios, MANY), 0);
	assert_int_equal(stats(f).raw, 22);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(ios[i].status, 0);
		assert_int_equal(f->store->ops->page_in(f->store, ios[i].loc, f->page), 0);
		assert_memory_equal(f->page, ios[i].page, Z_PAGE_SIZE);
	}
	check(f);
	free(pages);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	store_budget_init(&f->budget);
	f->env = store_budget_env(&f->budget);
	f->page = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	f->other = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	the_fixture = f;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	size_t left;

	f->store->ops->close(f->store);
	left = atomic_load(&f->budget.charged) + atomic_load(&f->budget.allocated);
	free(f->page);
	free(f->other);
	free(f);
	return left == 0 ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_churn_leaves_no_holes),
		TEST(test_put_out_again),
		TEST(test_limit_is_kept),
		TEST(test_budget_is_kept_without_a_size),
		TEST(test_promises_hold_for_the_worst),
		TEST(test_unneeded_promises_go_back),
		TEST(test_promise_of_a_clean_page_goes_back),
		TEST(test_damage_is_found),
		TEST(test_copies_are_limited),
		TEST(test_copies_are_kept_with_a_size),
		TEST(test_own_ram_is_kept),
		TEST(test_freed_pages_go_back),
		TEST(test_numbers_and_pointers_get_small),
		TEST(test_batch_has_a_status_for_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
