/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_fill.c - page_in_many of every store that has it: the same bytes as page_in, whatever
 * the order of the locations; and of a swap file the pages that are bad, and no others, are errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../store/file_store.h"
#include "../support/store_fixture.h"

#define PAGES 48U

struct filled {
	struct store_budget budget;
	struct z_store *store;
	z_loc_t locs[PAGES];
	struct z_store_fill fills[PAGES];
	unsigned char *pages;
	unsigned char *wanted;
};

static void open_filled(struct filled *f, const char *uri)
{
	struct z_store_env env;
	char text[200] = "";

	store_budget_init(&f->budget);
	env = store_budget_env(&f->budget);
	if (z_store_open(uri, &env, text, sizeof(text), &f->store) != 0) {
		fail_msg("%s: %s", uri, text);
	}
	f->pages = aligned_alloc(Z_PAGE_SIZE, PAGES * Z_PAGE_SIZE);
	f->wanted = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	assert_true(f->pages != NULL && f->wanted != NULL);
	for (uint32_t i = 0; i < PAGES; i++) {
		assert_int_equal(
			f->store->ops->location_get(f->store, NULL, Z_WANT_FOR_EVICT, &f->locs[i]),
			0);
		store_page_fill(f->wanted, i % PAGE_KINDS, i);
		assert_int_equal(f->store->ops->page_out(f->store, f->locs[i], f->wanted), 0);
	}
}

static void close_filled(struct filled *f)
{
	for (uint32_t i = 0; i < PAGES; i++) {
		f->store->ops->location_free(f->store, f->locs[i]);
	}
	assert_int_equal(f->store->ops->check(f->store), 0);
	f->store->ops->close(f->store);
	free(f->pages);
	free(f->wanted);
}

/* Page number i * step modulo PAGES at place i. Returns how many failed. */
static size_t read_all(struct filled *f, uint32_t step)
{
	memset(f->pages, 0x5a, PAGES * Z_PAGE_SIZE);
	for (uint32_t i = 0; i < PAGES; i++) {
		f->fills[i] = (struct z_store_fill){
			.loc = f->locs[i * step % PAGES],
			.page = f->pages + (size_t)i * Z_PAGE_SIZE,
			.status = 77,
		};
	}
	return f->store->ops->page_in_many(f->store, f->fills, PAGES);
}

static bool is_right(struct filled *f, uint32_t i, uint32_t step)
{
	uint32_t number = i * step % PAGES;

	store_page_fill(f->wanted, number % PAGE_KINDS, number);
	return memcmp(f->pages + (size_t)i * Z_PAGE_SIZE, f->wanted, Z_PAGE_SIZE) == 0;
}

static void the_same_bytes(void **state)
{
	static const char *const uris[] = {
		"file:/var/tmp?size=1M&tmpfs=yes",
		"tier:ram:size=80K,file:/var/tmp?size=1M&tmpfs=yes",
		"tier:lz4:size=64K,file:/var/tmp?size=1M&tmpfs=yes",
	};
	static const uint32_t steps[] = {1, 47, 5, 7}; /* up, down, neither */
	struct filled f;

	(void)state;
	for (size_t u = 0; u < sizeof(uris) / sizeof(uris[0]); u++) {
		open_filled(&f, uris[u]);
		assert_non_null(f.store->ops->page_in_many);
		for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
			assert_int_equal(read_all(&f, steps[s]), 0);
			for (uint32_t i = 0; i < PAGES; i++) {
				assert_int_equal(f.fills[i].status, 0);
				assert_true(is_right(&f, i, steps[s]));
			}
		}
		close_filled(&f);
	}
}

/* Damage in the file, and its end: the pages there fail, those beside them do not. */
static void only_bad_pages_fail(void **state)
{
	struct filled f;
	struct file_store *file;
	unsigned char byte = 0xee;

	(void)state;
	open_filled(&f, "file:/var/tmp?size=1M&direct=no&tmpfs=yes");
	file = (struct file_store *)f.store;
	assert_int_equal(pwrite(file->fd, &byte, 1, (off_t)f.locs[9].v + 100), 1);
	assert_int_equal(read_all(&f, 1), 1);
	for (uint32_t i = 0; i < PAGES; i++) {
		assert_int_equal(f.fills[i].status, i == 9 ? Z_ERR_CORRUPT : 0);
		assert_true(i == 9 || is_right(&f, i, 1));
	}
	assert_int_equal(ftruncate(file->fd, (off_t)f.locs[20].v), 0);
	(void)read_all(&f, 1);
	for (uint32_t i = 0; i < PAGES; i++) {
		bool gone = f.locs[i].v >= f.locs[20].v;

		assert_int_equal(f.fills[i].status, gone ? Z_ERR_IO : i == 9 ? Z_ERR_CORRUPT : 0);
		assert_true(gone || i == 9 || is_right(&f, i, 1));
	}
	close_filled(&f);
}

/* Pages that leave in order lie in order: what a scan wants is one piece of the file. */
static void in_order_in_the_file(void **state)
{
	struct filled f;
	uint32_t breaks = 0;

	(void)state;
	open_filled(&f, "file:/var/tmp?size=1M&tmpfs=yes");
	for (uint32_t i = 1; i < PAGES; i++) {
		breaks += f.locs[i].v != f.locs[i - 1].v + Z_PAGE_SIZE;
	}
	assert_in_range(breaks, 0, 1);
	close_filled(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_bytes),
		cmocka_unit_test(only_bad_pages_fail),
		cmocka_unit_test(in_order_in_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
