/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_block.c - what is particular to a store on a block device: where pages lie on it, the
 * image at its beginning, checksums, errors of the device, and what opening refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_device.h"
#include "store_fixture.h"

#define IMAGE 5U  /* pages */
#define SLOTS 12U /* pages behind the image */

struct fixture {
	struct store_budget budget;
	struct z_store_env env;
	struct store_device *device;
	struct z_store *store;
	struct z_page_frame frames[IMAGE + SLOTS + 1];
	unsigned char *page;
	unsigned char *other;
};

/* ---- short forms ------------------------------------------------------------------------------ */

static uint64_t image_seed(size_t i)
{
	return 1000 + i;
}

/* A device with an image on it, and the store. */
static void open_store(struct fixture *f, uint64_t image, bool keep_copies, bool checksums)
{
	const struct z_block_options options = {
		.image_pages = image, .keep_copies = keep_copies, .checksums = checksums};

	f->device = store_device_open(image + SLOTS, false);
	for (uint64_t i = 0; i < image; i++) {
		store_page_fill(store_device_page(f->device, i), PAGE_RANDOM, image_seed(i));
	}
	assert_int_equal(z_block_store_open(&f->env, &f->device->device, &options, &f->store), 0);
}

static void assert_image(struct store_device *device, unsigned char *expected)
{
	for (size_t i = 0; i < IMAGE; i++) {
		store_page_fill(expected, PAGE_RANDOM, image_seed(i));
		assert_memory_equal(store_device_page(device, i), expected, Z_PAGE_SIZE);
	}
}

static z_loc_t image_loc(size_t i)
{
	return z_loc(i * Z_PAGE_SIZE);
}

static int get(struct fixture *f, struct z_page_frame *pf, z_loc_t *loc)
{
	return f->store->ops->location_get(f->store, pf, Z_WANT_FOR_FAULT, loc);
}

static void put_away(struct fixture *f, struct z_page_frame *pf, uint64_t seed, z_loc_t *loc)
{
	assert_int_equal(get(f, pf, loc), 0);
	store_page_fill(f->page, PAGE_RANDOM, seed);
	assert_int_equal(f->store->ops->page_out(f->store, *loc, f->page), 0);
}

/* 0 and the right bytes, or the error. */
static int bring_back(struct fixture *f, z_loc_t loc, uint64_t seed)
{
	int err = f->store->ops->page_in(f->store, loc, f->page);

	store_page_fill(f->other, PAGE_RANDOM, seed);
	if (err == 0) {
		assert_memory_equal(f->page, f->other, Z_PAGE_SIZE);
	}
	return err;
}

static void load_image_page(struct fixture *f, size_t i)
{
	assert_int_equal(bring_back(f, image_loc(i), image_seed(i)), 0);
	f->store->ops->page_finalize(f->store, &f->frames[i], image_loc(i));
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

/* ---- locations -------------------------------------------------------------------------------- */

static void test_location_0_is_one_like_any_other(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc = z_loc(77);
	z_loc_t again;

	open_store(f, 0, true, true);
	put_away(f, &f->frames[0], 1, &loc);
	assert_int_equal(loc.v, 0);
	assert_memory_equal(store_device_page(f->device, 0), f->page, Z_PAGE_SIZE);
	assert_int_equal(bring_back(f, loc, 1), 0);
	f->store->ops->page_finalize(f->store, &f->frames[0], loc);
	assert_true(z_page_frame_is_backed(&f->frames[0]));
	assert_int_equal(get(f, &f->frames[0], &again), 0);
	assert_int_equal(again.v, 0);
	f->store->ops->location_free(f->store, again);
	assert_int_equal(stats(f).used_pages, 0);
	check(f);
}

/* Every page behind the image is used, each by one location, and the location says which. */
static void test_a_location_is_a_page_of_the_device(void **state)
{
	struct fixture *f = *state;
	bool seen[IMAGE + SLOTS] = {false};
	z_loc_t loc;

	open_store(f, IMAGE, true, false);
	for (size_t i = 0; i < SLOTS; i++) {
		put_away(f, &f->frames[i], i, &loc);
		assert_true(loc.v / Z_PAGE_SIZE >= IMAGE);
		assert_true(loc.v / Z_PAGE_SIZE < IMAGE + SLOTS);
		assert_false(seen[loc.v / Z_PAGE_SIZE]);
		seen[loc.v / Z_PAGE_SIZE] = true;
		assert_memory_equal(store_device_page(f->device, loc.v / Z_PAGE_SIZE), f->page,
				    Z_PAGE_SIZE);
	}
	assert_int_equal(get(f, &f->frames[SLOTS], &loc), Z_ERR_NOSPC);
	assert_int_equal(stats(f).used_pages, IMAGE + SLOTS);
	assert_int_equal(stats(f).capacity_pages, SLOTS);
	assert_int_equal(stats(f).written_bytes, SLOTS * Z_PAGE_SIZE);
	assert_int_equal(stats(f).disk_bytes, (IMAGE + SLOTS) * Z_PAGE_SIZE);
	assert_image(f->device, f->other);
	check(f);
}

/* ---- the image -------------------------------------------------------------------------------- */

static void test_image_pages_are_there_from_the_beginning(void **state)
{
	struct fixture *f = *state;
	z_loc_t again;

	open_store(f, IMAGE, false, true);
	assert_int_equal(f->store->caps & Z_STORE_KEEPS_COPY, Z_STORE_KEEPS_COPY);
	for (size_t i = 0; i < IMAGE; i++) {
		load_image_page(f, i);
		assert_true(z_page_frame_is_backed(&f->frames[i]));
	}
	for (size_t i = 0; i < IMAGE; i++) {
		again = z_loc(77);
		assert_int_equal(get(f, &f->frames[i], &again), 0);
		assert_int_equal(again.v, image_loc(i).v);
		f->store->ops->location_free(f->store, again);
		f->store->ops->location_free(f->store, again);
		assert_int_equal(bring_back(f, again, image_seed(i)), 0);
	}
	assert_int_equal(stats(f).used_pages, IMAGE);
	assert_int_equal(stats(f).cached_pages, 0);
	assert_int_equal(atomic_load(&f->device->calls[STORE_DEVICE_WRITE]), 0);
	check(f);
}

/* The same page of the image may be in several frames: two programs that run the same code. */
static void test_one_image_page_in_two_frames(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc;

	open_store(f, IMAGE, true, false);
	f->store->ops->page_finalize(f->store, &f->frames[0], image_loc(3));
	f->store->ops->page_finalize(f->store, &f->frames[1], image_loc(3));
	for (size_t i = 0; i < 2; i++) {
		assert_true(z_page_frame_is_backed(&f->frames[i]));
		assert_int_equal(get(f, &f->frames[i], &loc), 0);
		assert_int_equal(loc.v, image_loc(3).v);
	}
	check(f);
}

static void test_a_full_store_steals_no_image_page(void **state)
{
	struct fixture *f = *state;
	z_loc_t locs[SLOTS];
	z_loc_t loc;

	open_store(f, IMAGE, true, false);
	for (size_t i = 0; i < IMAGE; i++) {
		load_image_page(f, i);
	}
	for (size_t i = 0; i < SLOTS; i++) {
		put_away(f, &f->frames[IMAGE + i], i, &locs[i]);
	}
	for (size_t i = 0; i < SLOTS; i++) {
		assert_int_equal(bring_back(f, locs[i], i), 0);
		f->store->ops->page_finalize(f->store, &f->frames[IMAGE + i], locs[i]);
	}
	for (size_t i = 0; i < SLOTS; i++) {
		put_away(f, NULL, i, &loc);
		assert_true(loc.v >= image_loc(IMAGE).v);
		assert_false(z_page_frame_is_backed(&f->frames[IMAGE + i]));
	}
	assert_int_equal(get(f, NULL, &loc), Z_ERR_NOSPC);
	assert_int_equal(stats(f).stolen, SLOTS);
	for (size_t i = 0; i < IMAGE; i++) {
		assert_true(z_page_frame_is_backed(&f->frames[i]));
		assert_int_equal(get(f, &f->frames[i], &loc), 0);
		assert_int_equal(loc.v, image_loc(i).v);
	}
	assert_image(f->device, f->other);
	check(f);
}

static void test_the_image_is_never_overwritten(void **state)
{
	struct fixture *f = *state;

	open_store(f, IMAGE, true, true);
	for (size_t i = 0; i < IMAGE; i++) {
		memset(f->page, 0x11, Z_PAGE_SIZE);
		assert_int_equal(f->store->ops->page_out(f->store, image_loc(i), f->page),
				 Z_ERR_BUSY);
	}
	assert_int_equal(atomic_load(&f->device->calls[STORE_DEVICE_WRITE]), 0);
	assert_image(f->device, f->other);
	check(f);
}

/* ---- checksums -------------------------------------------------------------------------------- */

static void test_each_damaged_bit_is_found(void **state)
{
	struct fixture *f = *state;
	unsigned char *bytes;
	z_loc_t loc;

	open_store(f, IMAGE, true, true);
	put_away(f, &f->frames[0], 9, &loc);
	bytes = store_device_page(f->device, loc.v / Z_PAGE_SIZE);
	for (size_t bit = 0; bit < Z_PAGE_SIZE * 8; bit++) {
		bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
		assert_int_equal(f->store->ops->page_in(f->store, loc, f->page), Z_ERR_CORRUPT);
		bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
	/* The highest bits of two words: what only a sum that mixes downwards notices. */
	bytes[7] ^= 0x80;
	bytes[15] ^= 0x80;
	assert_int_equal(f->store->ops->page_in(f->store, loc, f->page), Z_ERR_CORRUPT);
	bytes[7] ^= 0x80;
	bytes[15] ^= 0x80;
	assert_int_equal(bring_back(f, loc, 9), 0);
	check(f);
}

static void test_another_page_and_an_old_one_are_found(void **state)
{
	struct fixture *f = *state;
	unsigned char old[Z_PAGE_SIZE];
	unsigned char *one;
	unsigned char *two;
	z_loc_t locs[2];

	open_store(f, IMAGE, true, true);
	put_away(f, &f->frames[0], 1, &locs[0]);
	put_away(f, &f->frames[1], 2, &locs[1]);
	one = store_device_page(f->device, locs[0].v / Z_PAGE_SIZE);
	two = store_device_page(f->device, locs[1].v / Z_PAGE_SIZE);
	memcpy(old, one, Z_PAGE_SIZE);
	memcpy(one, two, Z_PAGE_SIZE);
	assert_int_equal(bring_back(f, locs[0], 1), Z_ERR_CORRUPT);
	assert_int_equal(bring_back(f, locs[1], 2), 0);

	store_page_fill(f->page, PAGE_RANDOM, 3);
	assert_int_equal(f->store->ops->page_out(f->store, locs[0], f->page), 0);
	assert_int_equal(bring_back(f, locs[0], 3), 0);
	memcpy(one, old, Z_PAGE_SIZE);
	assert_int_equal(bring_back(f, locs[0], 3), Z_ERR_CORRUPT);
	check(f);
}

/* Without sums damage is not found; and the image has none in any case. */
static void test_where_there_are_no_checksums(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc;

	open_store(f, IMAGE, true, false);
	put_away(f, &f->frames[0], 9, &loc);
	store_device_page(f->device, loc.v / Z_PAGE_SIZE)[100] ^= 1;
	assert_int_equal(f->store->ops->page_in(f->store, loc, f->page), 0);
	f->store->ops->close(f->store);
	store_device_close(f->device);

	open_store(f, IMAGE, true, true);
	store_device_page(f->device, 2)[100] ^= 1;
	assert_int_equal(f->store->ops->page_in(f->store, image_loc(2), f->page), 0);
	assert_memory_equal(f->page, store_device_page(f->device, 2), Z_PAGE_SIZE);
}

/* ---- errors of the device --------------------------------------------------------------------- */

static void test_a_failed_write_leaves_the_location_reserved(void **state)
{
	struct fixture *f = *state;
	static const int errors[] = {Z_ERR_IO, Z_ERR_NOSPC};

	open_store(f, IMAGE, true, true);
	for (size_t e = 0; e < 2; e++) {
		z_loc_t loc;

		assert_int_equal(get(f, &f->frames[0], &loc), 0);
		store_page_fill(f->page, PAGE_RANDOM, 5);
		store_device_fail(f->device, STORE_DEVICE_WRITE, 1, errors[e]);
		assert_int_equal(f->store->ops->page_out(f->store, loc, f->page), errors[e]);
		assert_int_equal(stats(f).used_pages, IMAGE + 1);
		check(f);
		assert_int_equal(f->store->ops->page_out(f->store, loc, f->page), 0);
		assert_int_equal(bring_back(f, loc, 5), 0);
		f->store->ops->location_free(f->store, loc);
		assert_int_equal(stats(f).used_pages, IMAGE);
	}
	assert_int_equal(stats(f).written_bytes, 2 * Z_PAGE_SIZE);
	check(f);
}

static void test_a_failed_read_leaves_the_page_where_it_is(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc;

	open_store(f, IMAGE, true, true);
	put_away(f, &f->frames[0], 5, &loc);
	for (size_t i = 0; i < 2; i++) {
		z_loc_t from = i == 0 ? loc : image_loc(1);
		uint64_t seed = i == 0 ? 5 : image_seed(1);

		store_device_fail(f->device, STORE_DEVICE_READ, 1, Z_ERR_IO);
		assert_int_equal(bring_back(f, from, seed), Z_ERR_IO);
		assert_int_equal(stats(f).used_pages, IMAGE + 1);
		check(f);
		assert_int_equal(bring_back(f, from, seed), 0);
	}
	assert_int_equal(stats(f).read_bytes, 2 * Z_PAGE_SIZE);
}

/* ---- opening ---------------------------------------------------------------------------------- */

static int try_open(struct fixture *f, uint64_t pages, uint64_t image)
{
	const struct z_block_options options = {.image_pages = image, .checksums = true};
	struct z_block_device device = {.ops = NULL, .pages = pages};
	struct z_store *store = (struct z_store *)(void *)f;
	int err = z_block_store_open(&f->env, &device, &options, &store);

	if (err == 0) {
		store->ops->close(store);
	} else {
		assert_ptr_equal(store, f);
	}
	assert_int_equal(atomic_load(&f->budget.charged), 0);
	assert_int_equal(atomic_load(&f->budget.allocated), 0);
	return err;
}

static void test_what_opening_refuses(void **state)
{
	struct fixture *f = *state;
	int n = 0;

	assert_int_equal(try_open(f, 2, 0), 0);
	assert_int_equal(try_open(f, 9, 7), 0);
	assert_int_equal(try_open(f, 0, 0), Z_ERR_INVAL);
	assert_int_equal(try_open(f, 1, 0), Z_ERR_INVAL);
	assert_int_equal(try_open(f, 9, 8), Z_ERR_INVAL);
	assert_int_equal(try_open(f, 9, 9), Z_ERR_INVAL);
	assert_int_equal(try_open(f, 9, 10), Z_ERR_INVAL);
	assert_int_equal(try_open(f, 9, UINT64_MAX), Z_ERR_INVAL);
	assert_int_equal(try_open(f, (uint64_t)UINT32_MAX + 9, 9), Z_ERR_INVAL);
	assert_int_equal(try_open(f, UINT64_MAX, UINT64_MAX - 9), Z_ERR_INVAL);

	for (; n < 10; n++) {
		int err;

		atomic_store(&f->budget.allocs_left, n);
		err = try_open(f, 9, 0);
		if (err == 0) {
			break;
		}
		assert_int_equal(err, Z_ERR_NOMEM);
	}
	assert_int_equal(n, 3);
	atomic_store(&f->budget.allocs_left, -1);
	f->budget.limit_pages = 0;
	assert_int_equal(try_open(f, 9, 0), Z_ERR_NOSPC);
}

static void test_as_parallel_as_the_device(void **state)
{
	struct fixture *f = *state;

	open_store(f, 0, false, false);
	assert_int_equal(f->store->caps, 0);
	f->store->ops->close(f->store);
	f->device->device.parallel = true;
	assert_int_equal(z_block_store_open(&f->env, &f->device->device,
					    &(struct z_block_options){.keep_copies = true},
					    &f->store),
			 0);
	assert_int_equal(f->store->caps, Z_STORE_PARALLEL | Z_STORE_KEEPS_COPY);
}

/* ---- the suite -------------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	store_budget_init(&f->budget);
	f->env = store_budget_env(&f->budget);
	f->page = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	f->other = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	for (size_t i = 0; i < sizeof(f->frames) / sizeof(f->frames[0]); i++) {
		f->frames[i].flags = Z_PAGE_FRAME_MAPPED;
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	bool left;

	if (f->store != NULL) {
		f->store->ops->close(f->store);
	}
	left = atomic_load(&f->budget.charged) != 0 || atomic_load(&f->budget.allocated) != 0;
	store_device_close(f->device);
	free(f->page);
	free(f->other);
	free(f);
	return left ? -1 : 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_location_0_is_one_like_any_other),
		TEST(test_a_location_is_a_page_of_the_device),
		TEST(test_image_pages_are_there_from_the_beginning),
		TEST(test_one_image_page_in_two_frames),
		TEST(test_a_full_store_steals_no_image_page),
		TEST(test_the_image_is_never_overwritten),
		TEST(test_each_damaged_bit_is_found),
		TEST(test_another_page_and_an_old_one_are_found),
		TEST(test_where_there_are_no_checksums),
		TEST(test_a_failed_write_leaves_the_location_reserved),
		TEST(test_a_failed_read_leaves_the_page_where_it_is),
		TEST(test_what_opening_refuses),
		TEST(test_as_parallel_as_the_device),
	};

	return cmocka_run_group_tests_name("block", tests, NULL, NULL);
}
