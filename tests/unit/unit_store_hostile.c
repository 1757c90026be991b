/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_hostile.c - the hostile store itself: each breach of the contract is seen, of the caller
 * and of the store inside; each planned failure happens, once, where it was planned.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

struct fixture {
	struct store_budget budget;
	struct store_hostile *h;
	struct z_store *store;
	struct z_page_frame frames[4];
	unsigned char *page;
};

static z_loc_t get(struct fixture *f, struct z_page_frame *pf)
{
	z_loc_t loc = {0};

	assert_int_equal(f->store->ops->location_get(f->store, pf, Z_WANT_FOR_FAULT, &loc), 0);
	return loc;
}

static z_loc_t stored(struct fixture *f)
{
	z_loc_t loc = get(f, NULL);

	assert_int_equal(f->store->ops->page_out(f->store, loc, f->page), 0);
	return loc;
}

static void violated(struct fixture *f, const char *what)
{
	const char *text = store_hostile_violation(f->h);

	assert_non_null(text);
	if (strstr(text, what) == NULL) {
		fail_msg("'%s' does not say '%s'", text, what);
	}
	assert_int_not_equal(f->store->ops->check(f->store), 0);
}

static void test_freed_twice(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc = stored(f);

	f->store->ops->location_free(f->store, loc);
	assert_null(store_hostile_violation(f->h));
	f->store->ops->location_free(f->store, loc);
	violated(f, "freed twice");
}

static void test_never_given(void **state)
{
	struct fixture *f = *state;

	f->store->ops->location_free(f->store, z_loc(5 * Z_PAGE_SIZE));
	violated(f, "never given");
}

static void test_used_after_free(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc = stored(f);

	f->store->ops->location_free(f->store, loc);
	assert_int_equal(f->store->ops->page_in(f->store, loc, f->page), Z_ERR_IO);
	violated(f, "page_in of location 0x1000: it is not in use");
}

static void test_written_after_free(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc = stored(f);

	f->store->ops->location_free(f->store, loc);
	assert_int_equal(f->store->ops->page_out(f->store, loc, f->page), Z_ERR_IO);
	violated(f, "page_out of location 0x1000: it is not in use");
}

static void test_read_before_written(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc = get(f, NULL);

	(void)f->store->ops->page_in(f->store, loc, f->page);
	violated(f, "nothing was ever written");
}

static void test_read_after_a_failed_write(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc = stored(f);

	store_hostile_fail(f->h, STORE_OUT, 1, 1, Z_ERR_IO);
	assert_int_equal(f->store->ops->page_out(f->store, loc, f->page), Z_ERR_IO);
	(void)f->store->ops->page_in(f->store, loc, f->page);
	violated(f, "nothing was ever written");
}

static void test_finalized_without_page_in(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc = stored(f);

	f->frames[0].flags = Z_PAGE_FRAME_MAPPED;
	f->store->ops->page_finalize(f->store, &f->frames[0], loc);
	violated(f, "no page_in of it succeeded");
}

static void test_finalized_into_a_free_frame(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc = stored(f);

	assert_int_equal(f->store->ops->page_in(f->store, loc, f->page), 0);
	f->store->ops->page_finalize(f->store, &f->frames[0], loc);
	violated(f, "not MAPPED");
}

static void test_copy_overwritten_unasked(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc = stored(f);

	f->frames[0].flags = Z_PAGE_FRAME_MAPPED;
	assert_int_equal(f->store->ops->page_in(f->store, loc, f->page), 0);
	f->store->ops->page_finalize(f->store, &f->frames[0], loc);
	assert_null(store_hostile_violation(f->h));
	(void)f->store->ops->page_out(f->store, loc, f->page);
	violated(f, "did not give again");
}

static void test_backed_kept_by_a_reused_frame(void **state)
{
	struct fixture *f = *state;

	f->frames[0].flags = Z_PAGE_FRAME_MAPPED | Z_PAGE_FRAME_BACKED;
	z_page_frame_store_set(&f->frames[0], 3);
	(void)get(f, &f->frames[0]);
	violated(f, "did not get its own copy");
}

static void nested_page_in(void *ctx, enum store_hostile_op op, z_loc_t loc)
{
	struct fixture *f = ctx;
	unsigned char *page = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);

	(void)op;
	store_hostile_hook(f->h, NULL, NULL);
	(void)f->store->ops->page_in(f->store, z_loc(2 * loc.v), page);
	free(page);
}

static void test_overlap_only_if_parallel(void **state)
{
	struct fixture *f = *state;
	z_loc_t a = stored(f);

	(void)stored(f);
	assert_int_equal(a.v, Z_PAGE_SIZE);
	store_hostile_hook(f->h, nested_page_in, f);
	assert_int_equal(f->store->ops->page_in(f->store, a, f->page), 0);
	assert_null(store_hostile_violation(f->h));
	store_hostile_serial(f->h);
	assert_int_equal(f->store->caps & Z_STORE_PARALLEL, 0);
	store_hostile_hook(f->h, nested_page_in, f);
	assert_int_equal(f->store->ops->page_in(f->store, a, f->page), 0);
	violated(f, "it is not PARALLEL");
}

static void test_plans(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc;
	z_loc_t canary = {1};

	store_hostile_fail(f->h, STORE_GET, 3, 2, Z_ERR_NOSPC);
	for (unsigned int n = 1; n <= 5; n++) {
		int err = f->store->ops->location_get(f->store, NULL, Z_WANT_FOR_FAULT, &canary);

		assert_int_equal(err, n == 3 || n == 4 ? Z_ERR_NOSPC : 0);
	}
	assert_int_equal(store_hostile_fired(f->h), 2);
	assert_int_equal(store_hostile_calls(f->h, STORE_GET), 6);
	assert_int_equal(store_hostile_live(f->h), 4);
	loc = stored(f);
	store_hostile_fail(f->h, STORE_IN, 1, 1, Z_ERR_CORRUPT);
	assert_int_equal(f->store->ops->page_in(f->store, loc, f->page), Z_ERR_CORRUPT);
	assert_int_equal(f->store->ops->page_in(f->store, loc, f->page), 0);
	store_hostile_fail(f->h, STORE_ANY, 2, 1, 0);
	assert_int_equal(f->store->ops->page_out(f->store, loc, f->page), 0);
	assert_int_equal(f->store->ops->page_in(f->store, loc, f->page), Z_ERR_IO);
	assert_int_equal(f->store->ops->page_in(f->store, loc, f->page), 0);
	assert_int_equal(store_hostile_fired(f->h), 4);
	assert_null(store_hostile_violation(f->h));
}

/* ---- a broken store inside -------------------------------------------------------------------- */

static int broken_get(struct z_store *store, struct z_page_frame *pf, enum z_store_want want,
		      z_loc_t *loc_out)
{
	(void)store;
	(void)pf;
	(void)want;
	*loc_out = z_loc(Z_PAGE_SIZE);
	return 0;
}

static int broken_out(struct z_store *store, z_loc_t loc, const void *page)
{
	(void)store;
	(void)loc;
	(void)page;
	return 0;
}

static int broken_in(struct z_store *store, z_loc_t loc, void *page)
{
	(void)store;
	(void)loc;
	memset(page, 1, Z_PAGE_SIZE);
	return 0;
}

static void broken_close(struct z_store *store)
{
	(void)store;
}

static const struct z_store_ops broken_ops = {
	.name = "broken",
	.location_get = broken_get,
	.page_out = broken_out,
	.page_in = broken_in,
	.close = broken_close,
};

static void test_broken_store_is_seen(void **state)
{
	struct z_store broken = {.ops = &broken_ops};
	struct fixture f = *(struct fixture *)*state;
	z_loc_t loc;

	f.h = store_hostile_open(&broken);
	f.store = store_hostile_store(f.h);
	loc = stored(&f);
	memset(f.page, 2, Z_PAGE_SIZE);
	assert_int_equal(f.store->ops->page_in(f.store, loc, f.page), 0);
	violated(&f, "came back different");
	f.store->ops->close(f.store);

	f.h = store_hostile_open(&broken);
	f.store = store_hostile_store(f.h);
	(void)get(&f, NULL);
	(void)get(&f, NULL);
	violated(&f, "gave a location that is in use");
	f.store->ops->close(f.store);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct z_store_env env;
	struct z_store *ram;

	store_budget_init(&f->budget);
	env = store_budget_env(&f->budget);
	assert_int_equal(z_ram_store_open(&env, 16, true, &ram), 0);
	f->h = store_hostile_open(ram);
	f->store = store_hostile_store(f->h);
	f->page = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	store_page_fill(f->page, PAGE_RANDOM, 1);
	*state = f;
	return get(f, NULL).v == 0 ? 0 : -1; /* slot 0 is in use, so tokens are not 0 */
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->store->ops->close(f->store);
	free(f->page);
	free(f);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_freed_twice),
		TEST(test_never_given),
		TEST(test_used_after_free),
		TEST(test_written_after_free),
		TEST(test_read_before_written),
		TEST(test_read_after_a_failed_write),
		TEST(test_finalized_without_page_in),
		TEST(test_finalized_into_a_free_frame),
		TEST(test_copy_overwritten_unasked),
		TEST(test_backed_kept_by_a_reused_frame),
		TEST(test_overlap_only_if_parallel),
		TEST(test_plans),
		TEST(test_broken_store_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
