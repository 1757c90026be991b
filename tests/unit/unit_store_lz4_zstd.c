/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_lz4_zstd.c - the second level of compressed RAM (zstd=yes): what is coded again and what is
 * not, and that nothing gets lost on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../store/lz4_store.h"
#include "store_fixture.h"

#define PAGES 16000U
#define HOT   16U

struct fixture {
	struct store_budget budget;
	struct z_store_env env;
	struct z_store *store;
	size_t n; /* locations */
	z_loc_t locs[PAGES];
	uint64_t seeds[PAGES];
	unsigned char *page;
	unsigned char *other;
};

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

static enum lz4_kind kind_at(struct fixture *f, size_t i)
{
	return lz4_entry_of(lz4_of(f->store), z_loc_slot(f->locs[i]))->kind;
}

static void out(struct fixture *f, size_t i, enum store_page_kind kind, uint64_t seed)
{
	store_page_fill(f->page, kind, seed);
	assert_int_equal(f->store->ops->page_out(f->store, f->locs[i], f->page), 0);
	f->seeds[i] = seed * PAGE_KINDS + kind;
}

static bool put(struct fixture *f, enum store_page_kind kind)
{
	if (f->store->ops->location_get(f->store, NULL, Z_WANT_FOR_EVICT, &f->locs[f->n]) != 0) {
		return false;
	}
	out(f, f->n, kind, f->n);
	f->n++;
	return true;
}

static void verify(struct fixture *f, size_t i)
{
	store_page_fill(f->other, f->seeds[i] % PAGE_KINDS, f->seeds[i] / PAGE_KINDS);
	memset(f->page, 0x5a, Z_PAGE_SIZE);
	assert_int_equal(f->store->ops->page_in(f->store, f->locs[i], f->page), 0);
	assert_memory_equal(f->page, f->other, Z_PAGE_SIZE);
}

static void verify_all(struct fixture *f)
{
	for (size_t i = 0; i < f->n; i++) {
		verify(f, i);
	}
	assert_int_equal(f->store->ops->check(f->store), 0);
}

static size_t fill(struct fixture *f, enum store_page_kind kind)
{
	f->n = 0;
	while (put(f, kind)) {
	}
	return f->n;
}

static void test_holds_more(void **state)
{
	struct fixture *f = *state;
	size_t plain;

	open_store(f, "lz4:size=8M");
	plain = fill(f, PAGE_TEXT);
	assert_int_equal(stats(f).recoded, 0);
	f->store->ops->close(f->store);
	open_store(f, "lz4:size=8M&zstd=yes");
	assert_in_range(fill(f, PAGE_TEXT), plain + plain / 5, PAGES);
	assert_in_range(stats(f).recoded, f->n / 2, f->n);
	assert_true(stats(f).ram_bytes <= 8U << 20);
	verify_all(f);
}

static void test_not_while_there_is_room(void **state)
{
	struct fixture *f = *state;

	open_store(f, "lz4:size=8M&zstd=yes");
	while (stats(f).ram_bytes < (8U << 20) / 8 * 6) {
		assert_true(put(f, PAGE_TEXT));
	}
	assert_int_equal(stats(f).recoded, 0);
	verify_all(f);
}

/* Pages that come in again and again stay as they are; so do those that are put out again. */
static void test_only_what_is_old(void **state)
{
	struct fixture *f = *state;
	size_t again = 0;

	open_store(f, "lz4:size=8M&zstd=yes");
	while (put(f, PAGE_TEXT)) {
		for (size_t i = 0; i < HOT && f->n > 2 * HOT; i++) {
			verify(f, i);
			assert_int_not_equal(kind_at(f, i), LZ4_ZSTD);
			again += kind_at(f, HOT + i) == LZ4_ZSTD;
		}
	}
	assert_true(again > 0);
	out(f, HOT, PAGE_TEXT, 7);
	assert_int_not_equal(kind_at(f, HOT), LZ4_ZSTD);
	verify_all(f);
}

/* What was coded again and takes other contents, by chance of the same size, is counted no more. */
static void test_changed_ones_are_not_counted(void **state)
{
	struct fixture *f = *state;
	size_t changed = 0;

	open_store(f, "lz4:size=8M&zstd=yes");
	(void)fill(f, PAGE_TEXT);
	while (f->n > 2000) {
		f->store->ops->location_free(f->store, f->locs[--f->n]);
	}
	for (size_t i = 0; i < f->n; i++) {
		if (kind_at(f, i) == LZ4_ZSTD) {
			/* Text of any length, then zeros: of many sizes, some what zstd had made. */
			store_page_fill(f->page, PAGE_TEXT, i);
			memset(f->page + i % 512 * 8, 0, Z_PAGE_SIZE - i % 512 * 8);
			assert_int_equal(f->store->ops->page_out(f->store, f->locs[i], f->page), 0);
			changed++;
		}
	}
	assert_true(changed > 500);
	assert_int_equal(f->store->ops->check(f->store), 0);
}

static void test_noise_stays(void **state)
{
	struct fixture *f = *state;

	open_store(f, "lz4:size=4M&zstd=yes");
	(void)fill(f, PAGE_RANDOM);
	assert_int_equal(stats(f).recoded, 0);
	assert_int_equal(stats(f).raw, f->n);
	verify_all(f);
}

static void test_damage_is_found(void **state)
{
	struct fixture *f = *state;
	struct lz4_store *lz4;
	size_t i = 0;

	open_store(f, "lz4:size=8M&zstd=yes");
	lz4 = lz4_of(f->store);
	(void)fill(f, PAGE_TEXT);
	while (kind_at(f, i) != LZ4_ZSTD) {
		i++;
	}
	for (size_t at = 4; at < 64; at += 7) {
		struct z_place place = lz4_place_of(lz4_entry_of(lz4, z_loc_slot(f->locs[i])));
		unsigned char *byte = z_pool_memory(&lz4->pool, place.page);

		byte[place.offset + at] ^= 1;
		assert_int_equal(f->store->ops->page_in(f->store, f->locs[i], f->page),
				 Z_ERR_CORRUPT);
		byte[place.offset + at] ^= 1;
	}
	verify(f, i);
}

/* Full, half of all pages go or change, full again, of all kinds. */
static void test_churn(void **state)
{
	struct fixture *f = *state;
	uint64_t random = 3;

	open_store(f, "lz4:size=6M&zstd=yes&own=yes");
	for (unsigned int round = 0; round < 8; round++) {
		while (put(f, f->n % 3 != 0 ? PAGE_MIXED : f->n % PAGE_KINDS)) {
		}
		assert_int_equal(f->store->ops->check(f->store), 0);
		for (size_t i = 0; i < f->n; i++) {
			uint64_t r = store_random(&random);

			if (r % 4 == 0) {
				out(f, i, PAGE_ZERO, r >> 32);
			} else if (r % 4 == 1) {
				f->store->ops->location_free(f->store, f->locs[i]);
				f->n--;
				f->locs[i] = f->locs[f->n];
				f->seeds[i] = f->seeds[f->n];
			}
		}
		verify_all(f);
	}
	assert_true(stats(f).recoded > 0);
	while (f->n > 0) {
		f->store->ops->location_free(f->store, f->locs[--f->n]);
	}
	assert_int_equal(f->store->ops->check(f->store), 0);
	assert_int_equal(stats(f).recoded, 0);
	assert_int_equal(stats(f).stored_bytes, 0);
}

static void test_needs_a_size_and_its_room(void **state)
{
	struct fixture *f = *state;
	char error[200] = "";

	assert_int_equal(z_store_open("lz4:zstd=yes", &f->env, error, sizeof(error), &f->store),
			 Z_ERR_INVAL);
	assert_non_null(strstr(error, "needs a size"));
	assert_int_equal(
		z_store_open("lz4:size=128K&zstd=yes", &f->env, error, sizeof(error), &f->store),
		Z_ERR_NOMEM);
	assert_int_equal(atomic_load(&f->budget.charged), 0);
	open_store(f, "lz4:size=1M&zstd=no");
	assert_true(stats(f).ram_bytes < 128U << 10);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		return -1;
	}
	store_budget_init(&f->budget);
	f->env = store_budget_env(&f->budget);
	f->page = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	f->other = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	*state = f;
	return f->page != NULL && f->other != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->store != NULL) {
		f->store->ops->close(f->store);
	}
	assert_int_equal(atomic_load(&f->budget.charged), 0);
	assert_int_equal(atomic_load(&f->budget.allocated), 0);
	free(f->page);
	free(f->other);
	free(f);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_holds_more),
		TEST(test_not_while_there_is_room),
		TEST(test_only_what_is_old),
		TEST(test_changed_ones_are_not_counted),
		TEST(test_noise_stays),
		TEST(test_damage_is_found),
		TEST(test_churn),
		TEST(test_needs_a_size_and_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
