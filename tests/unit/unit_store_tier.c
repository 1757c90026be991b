/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_tier.c - what is particular to a store made of two: which pages go down, when, and what
 * happens when a part fails. Both parts lie in hostile stores, which also see to it that the tier
 * keeps the contract that it is itself bound to offer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../store/hosted.h"
#include "store_fixture.h"

#define A_PAGES 20U
#define B_PAGES 60U

struct fixture {
	struct store_budget budget;
	struct z_store_env env;
	struct z_store *store;
	struct store_hostile *a;
	struct store_hostile *b;
	z_loc_t locs[A_PAGES + B_PAGES + 1];
	struct z_page_frame frame;
	struct z_page_frame frame_b;
	unsigned char *page;
	unsigned char *other;
};

static int get(struct fixture *f, size_t i, enum z_store_want want)
{
	return f->store->ops->location_get(f->store, NULL, want, &f->locs[i]);
}

static int out(struct fixture *f, size_t i)
{
	store_page_fill(f->page, PAGE_RANDOM, i);
	return f->store->ops->page_out(f->store, f->locs[i], f->page);
}

static void put(struct fixture *f, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		assert_int_equal(get(f, i, Z_WANT_FOR_EVICT), 0);
		assert_int_equal(out(f, i), 0);
	}
}

static int in(struct fixture *f, size_t i)
{
	int err = f->store->ops->page_in(f->store, f->locs[i], f->page);

	if (err == 0) {
		store_page_fill(f->other, PAGE_RANDOM, i);
		assert_memory_equal(f->page, f->other, Z_PAGE_SIZE);
	}
	return err;
}

/* Is page i in A? By asking for it. */
static bool in_a(struct fixture *f, size_t i)
{
	uint64_t before = store_hostile_calls(f->a, STORE_IN);

	assert_int_equal(in(f, i), 0);
	return store_hostile_calls(f->a, STORE_IN) != before;
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
	assert_null(store_hostile_violation(f->a));
	assert_null(store_hostile_violation(f->b));
	assert_int_equal(stats(f).used_pages, store_hostile_live(f->a) + store_hostile_live(f->b));
}

static void test_first_a_then_the_oldest_go_down(void **state)
{
	struct fixture *f = *state;

	put(f, 0, A_PAGES - 1);
	assert_int_equal(store_hostile_calls(f->b, STORE_OUT), 0);
	put(f, A_PAGES - 1, A_PAGES);
	/* One batch of 16, written in one go; the new page is in A. */
	assert_int_equal(stats(f).demoted, 16);
	for (size_t i = 0; i < A_PAGES; i++) {
		assert_int_equal(in_a(f, i), i >= 16);
	}
	check(f);
}

static void test_a_page_that_was_read_stays(void **state)
{
	struct fixture *f = *state;

	put(f, 0, A_PAGES - 1);
	assert_int_equal(in(f, 0), 0);
	assert_int_equal(in(f, 5), 0);
	put(f, A_PAGES - 1, A_PAGES);
	for (size_t i = 0; i < A_PAGES; i++) {
		assert_int_equal(in_a(f, i), i == 0 || i == 5 || i >= 18);
	}
	check(f);
}

static void test_full_is_found_out_in_location_get(void **state)
{
	struct fixture *f = *state;
	size_t n = 0;
	z_loc_t loc = {77};

	while (get(f, n, Z_WANT_FOR_EVICT) == 0) {
		assert_int_equal(out(f, n), 0);
		n++;
	}
	assert_int_equal(n, A_PAGES + B_PAGES - 2);
	for (; get(f, n, Z_WANT_FOR_FAULT) == 0; n++) {
		assert_int_equal(out(f, n), 0);
	}
	assert_int_equal(n, A_PAGES + B_PAGES);
	assert_int_equal(f->store->ops->location_get(f->store, NULL, Z_WANT_FOR_FAULT, &loc),
			 Z_ERR_NOSPC);
	assert_int_equal(loc.v, 77);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(in(f, i), 0);
	}
	check(f);
}

/* All locations first, then all pages: what was promised is there. */
static void test_promises_hold(void **state)
{
	struct fixture *f = *state;
	size_t n = 0;

	while (get(f, n, Z_WANT_FOR_FAULT) == 0) {
		n++;
	}
	assert_int_equal(n, A_PAGES + B_PAGES);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(out(f, i), 0);
	}
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(in(f, i), 0);
	}
	check(f);
}

static void test_a_does_not_take_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, 0, Z_WANT_FOR_EVICT), 0);
	store_hostile_fail(f->a, STORE_OUT, 1, 1, Z_ERR_IO);
	assert_int_equal(out(f, 0), 0);
	assert_false(in_a(f, 0));
	check(f);
	assert_int_equal(get(f, 1, Z_WANT_FOR_EVICT), 0);
	store_hostile_fail(f->a, STORE_OUT, 1, 1, Z_ERR_IO);
	store_hostile_fail(f->b, STORE_OUT, 1, 1, Z_ERR_NOSPC);
	assert_int_equal(out(f, 1), Z_ERR_NOSPC);
	check(f);
	assert_int_equal(out(f, 1), 0);
	assert_int_equal(in(f, 1), 0);
	assert_int_equal(get(f, 2, Z_WANT_FOR_EVICT), 0);
	store_hostile_fail(f->a, STORE_OUT, 1, 1, Z_ERR_IO);
	store_hostile_fail(f->b, STORE_GET, 1, 1, Z_ERR_NOSPC);
	assert_int_equal(out(f, 2), Z_ERR_IO);
	f->store->ops->location_free(f->store, f->locs[2]);
	check(f);
}

static void test_b_fails_while_pages_go_down(void **state)
{
	struct fixture *f = *state;

	put(f, 0, A_PAGES - 1);
	store_hostile_fail(f->b, STORE_OUT, 3, 4, Z_ERR_IO);
	put(f, A_PAGES - 1, A_PAGES);
	assert_int_equal(stats(f).demoted, 12);
	for (size_t i = 0; i < A_PAGES; i++) {
		assert_int_equal(in(f, i), 0);
	}
	check(f);
	store_hostile_fail(f->b, STORE_OUT, 1, 1000, Z_ERR_IO);
	for (size_t i = A_PAGES; i < A_PAGES + 11; i++) {
		assert_int_equal(get(f, i, Z_WANT_FOR_EVICT), 0);
		assert_int_equal(out(f, i), 0);
	}
	/* A is full of pages that cannot go: the next one fails, and nothing is lost. */
	assert_int_equal(get(f, A_PAGES + 11, Z_WANT_FOR_EVICT), 0);
	assert_int_equal(out(f, A_PAGES + 11), Z_ERR_IO);
	store_hostile_fail(f->b, STORE_OUT, 0, 0, 0);
	assert_int_equal(out(f, A_PAGES + 11), 0);
	for (size_t i = 0; i < A_PAGES + 12; i++) {
		assert_int_equal(in(f, i), 0);
	}
	check(f);
}

static void test_a_fails_while_pages_go_down(void **state)
{
	struct fixture *f = *state;

	put(f, 0, A_PAGES - 1);
	store_hostile_fail(f->a, STORE_IN, 2, 3, Z_ERR_CORRUPT);
	put(f, A_PAGES - 1, A_PAGES);
	assert_int_equal(stats(f).demoted, 13);
	for (size_t i = 0; i < A_PAGES; i++) {
		assert_int_equal(in_a(f, i), (i >= 1 && i < 4) || i >= 16);
	}
	check(f);
}

/* Called while the batch is on its way: the oldest page is freed, as an unmap would do it. */
static void free_the_oldest(void *ctx, enum store_hostile_op op, z_loc_t loc)
{
	struct fixture *f = ctx;

	(void)loc;
	assert_int_equal(op, STORE_OUT);
	store_hostile_hook(f->b, NULL, NULL);
	f->store->ops->location_free(f->store, f->locs[0]);
	f->store->ops->location_free(f->store, f->locs[15]);
	assert_int_equal(stats(f).used_pages, A_PAGES - 2);
}

static void test_freed_while_it_goes_down(void **state)
{
	struct fixture *f = *state;

	put(f, 0, A_PAGES - 1);
	store_hostile_hook(f->b, free_the_oldest, f);
	put(f, A_PAGES - 1, A_PAGES);
	assert_int_equal(stats(f).used_pages, A_PAGES - 2);
	check(f);
	for (size_t i = 0; i < A_PAGES; i++) {
		if (i != 0 && i != 15) {
			assert_int_equal(in(f, i), 0);
			f->store->ops->location_free(f->store, f->locs[i]);
		}
	}
	assert_int_equal(stats(f).used_pages, 0);
	check(f);
}

static void test_clean_copies_in_a_are_dropped_first(void **state)
{
	struct fixture *f = *state;

	put(f, 0, A_PAGES - 1);
	f->frame.flags = Z_PAGE_FRAME_MAPPED;
	assert_int_equal(in(f, 0), 0);
	f->store->ops->page_finalize(f->store, &f->frame, f->locs[0]);
	assert_true(z_page_frame_is_backed(&f->frame));
	put(f, A_PAGES - 1, A_PAGES);
	assert_false(z_page_frame_is_backed(&f->frame));
	assert_int_equal(stats(f).stolen, 1);
	assert_int_equal(store_hostile_calls(f->b, STORE_OUT), 0);
	check(f);
}

/* Also when older things are in A; and a copy in B is no room in A. */
static void test_clean_copies_in_a_go_before_pages_go_down(void **state)
{
	struct fixture *f = *state;
	struct z_page_frame *in_b = &f->frame_b;

	put(f, 0, A_PAGES);
	assert_int_equal(stats(f).demoted, 16);
	in_b->flags = Z_PAGE_FRAME_MAPPED;
	assert_int_equal(in(f, 3), 0);
	f->store->ops->page_finalize(f->store, in_b, f->locs[3]);
	assert_true(z_page_frame_is_backed(in_b));
	put(f, A_PAGES, A_PAGES + 15);
	f->frame.flags = Z_PAGE_FRAME_MAPPED;
	assert_int_equal(in(f, A_PAGES + 5), 0);
	f->store->ops->page_finalize(f->store, &f->frame, f->locs[A_PAGES + 5]);
	assert_true(z_page_frame_is_backed(&f->frame));
	put(f, A_PAGES + 15, A_PAGES + 16);
	assert_false(z_page_frame_is_backed(&f->frame));
	assert_true(z_page_frame_is_backed(in_b));
	assert_int_equal(stats(f).demoted, 16);
	assert_int_equal(stats(f).stolen, 1);
	put(f, A_PAGES + 16, A_PAGES + 17);
	assert_true(stats(f).demoted > 16);
	assert_true(z_page_frame_is_backed(in_b));
	check(f);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct z_store *a = NULL;
	struct z_store *b = NULL;

	store_budget_init(&f->budget);
	f->env = store_budget_env(&f->budget);
	f->page = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	f->other = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	assert_int_equal(z_ram_store_open(&f->env, A_PAGES, true, &a), 0);
	assert_int_equal(z_ram_store_open(&f->env, B_PAGES, true, &b), 0);
	f->a = store_hostile_open(a);
	f->b = store_hostile_open(b);
	*state = f;
	return z_tier_open(&f->env, store_hostile_store(f->a), store_hostile_store(f->b), true,
			   &f->store);
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

static void out_kind(struct z_store *store, z_loc_t *loc, unsigned char *page,
		     enum store_page_kind kind, uint64_t i)
{
	store_page_fill(page, kind, i);
	assert_int_equal(store->ops->location_get(store, NULL, Z_WANT_FOR_EVICT, loc), 0);
	assert_int_equal(store->ops->page_out(store, *loc, page), 0);
}

/* What hardly compresses goes to B at once; a frame is the better use of the RAM. */
static void test_only_what_compresses_stays_in_ram(void **state)
{
	struct fixture *f = *state;
	struct z_store_stats s;
	struct z_store *store;
	z_loc_t locs[16];
	char text[200];

	assert_int_equal(
		z_store_open("tier:lz4:size=1M,ram:size=1M", &f->env, text, sizeof(text), &store),
		0);
	for (size_t i = 0; i < 16; i++) {
		out_kind(store, &locs[i], f->page, i % 2 == 0 ? PAGE_RANDOM : PAGE_TEXT, i);
	}
	z_tier_part(store, 0)->ops->stats(z_tier_part(store, 0), &s);
	assert_int_equal(s.used_pages, 8);
	assert_int_equal(s.raw, 0);
	z_tier_part(store, 1)->ops->stats(z_tier_part(store, 1), &s);
	assert_int_equal(s.used_pages, 8);
	for (size_t i = 0; i < 16; i++) {
		store_page_fill(f->other, i % 2 == 0 ? PAGE_RANDOM : PAGE_TEXT, i);
		assert_int_equal(store->ops->page_in(store, locs[i], f->page), 0);
		assert_memory_equal(f->page, f->other, Z_PAGE_SIZE);
		store->ops->location_free(store, locs[i]);
	}
	assert_int_equal(store->ops->check(store), 0);
	store->ops->close(store);
}

/* The same for a batch: each part gets its pages together, and every page has its status. */
static void test_batch_is_divided(void **state)
{
	struct fixture *f = *state;
	struct z_store_io ios[40];
	struct z_store_stats s;
	struct z_store *store;
	unsigned char *pages = aligned_alloc(Z_PAGE_SIZE, 40 * Z_PAGE_SIZE);
	char text[200];

	assert_int_equal(
		z_store_open("tier:lz4:size=1M,ram:size=1M", &f->env, text, sizeof(text), &store),
		0);
	assert_int_equal(store->caps & Z_STORE_BATCH, Z_STORE_BATCH);
	for (size_t i = 0; i < 40; i++) {
		ios[i].page = pages + i * Z_PAGE_SIZE;
		ios[i].status = 77;
		store_page_fill(pages + i * Z_PAGE_SIZE, i % 4 == 0 ? PAGE_RANDOM : PAGE_WORDS, i);
		assert_int_equal(
			store->ops->location_get(store, NULL, Z_WANT_FOR_EVICT, &ios[i].loc), 0);
	}
	assert_int_equal(store->ops->page_out_many(store, ios, 40), 0);
	z_tier_part(store, 0)->ops->stats(z_tier_part(store, 0), &s);
	assert_int_equal(s.used_pages, 30);
	assert_int_equal(s.raw, 0);
	z_tier_part(store, 1)->ops->stats(z_tier_part(store, 1), &s);
	assert_int_equal(s.used_pages, 10);
	for (size_t i = 0; i < 40; i++) {
		assert_int_equal(ios[i].status, 0);
		assert_int_equal(store->ops->page_in(store, ios[i].loc, f->page), 0);
		assert_memory_equal(f->page, ios[i].page, Z_PAGE_SIZE);
		store->ops->location_free(store, ios[i].loc);
	}
	assert_int_equal(store->ops->check(store), 0);
	store->ops->close(store);
	free(pages);
}

/* But nothing is refused that was promised: when B is full, RAM takes what it can. */
static void test_ram_takes_what_b_cannot(void **state)
{
	struct fixture *f = *state;
	struct z_store_stats s;
	struct z_store *store;
	z_loc_t locs[24];
	char text[200];

	assert_int_equal(
		z_store_open("tier:lz4:size=1M,ram:size=64K", &f->env, text, sizeof(text), &store),
		0);
	for (size_t i = 0; i < 24; i++) {
		out_kind(store, &locs[i], f->page, PAGE_RANDOM, i);
	}
	z_tier_part(store, 1)->ops->stats(z_tier_part(store, 1), &s);
	assert_int_equal(s.used_pages, 16);
	for (size_t i = 0; i < 24; i++) {
		store_page_fill(f->other, PAGE_RANDOM, i);
		assert_int_equal(store->ops->page_in(store, locs[i], f->page), 0);
		assert_memory_equal(f->page, f->other, Z_PAGE_SIZE);
		store->ops->location_free(store, locs[i]);
	}
	assert_int_equal(store->ops->check(store), 0);
	store->ops->close(store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first_a_then_the_oldest_go_down),
		TEST(test_a_page_that_was_read_stays),
		TEST(test_full_is_found_out_in_location_get),
		TEST(test_promises_hold),
		TEST(test_a_does_not_take_it),
		TEST(test_b_fails_while_pages_go_down),
		TEST(test_a_fails_while_pages_go_down),
		TEST(test_freed_while_it_goes_down),
		TEST(test_only_what_compresses_stays_in_ram),
		TEST(test_ram_takes_what_b_cannot),
		TEST(test_clean_copies_in_a_are_dropped_first),
		TEST(test_clean_copies_in_a_go_before_pages_go_down),
		TEST(test_batch_is_divided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
