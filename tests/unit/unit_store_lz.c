/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_lz.c - the coder of store/lz.h: what it makes of any page, liblz4 decodes to that page; it
 * keeps to its bounds, does the same each time, and takes hardly more room than liblz4's own coder.
 *
 * Input and output end at pages that cannot be touched, so that one byte too much ends the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <lz4.h>

#include "../../store/lz.h"
#include "store_fixture.h"

#define WORDS (Z_PAGE_SIZE / 8)
#define ROOM  8192U

struct fixture {
	unsigned char *page; /* both end at a guard */
	unsigned char *room; /* ROOM bytes */
	unsigned char back[Z_PAGE_SIZE];
	unsigned char again[ROOM];
	uint16_t places[Z_LZ_PLACES];
};

/* bytes between two pages without access. */
static void *guarded(size_t bytes)
{
	unsigned char *at =
		mmap(NULL, bytes + 2 * Z_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(mprotect(at + Z_PAGE_SIZE, bytes, PROT_READ | PROT_WRITE), 0);
	return at + Z_PAGE_SIZE;
}

static void unguard(void *at, size_t bytes)
{
	(void)munmap((unsigned char *)at - Z_PAGE_SIZE, bytes + 2 * Z_PAGE_SIZE);
}

/* Pieces of noise, of letters, of one byte, and of what stands earlier in the page. */
static void fill_pieces(unsigned char *page, uint64_t seed)
{
	uint64_t state = seed;
	size_t longest = (size_t)4 << (store_random(&state) % 10);

	for (size_t at = 0; at < Z_PAGE_SIZE;) {
		uint64_t r = store_random(&state);
		size_t length = 1 + (size_t)(r >> 8) % longest;
		size_t from = at == 0 ? 0 : (size_t)(r >> 32) % at;
		unsigned int kind = r % 4;

		for (size_t i = 0; i < length && at < Z_PAGE_SIZE; i++, at++) {
			unsigned char noise = (unsigned char)store_random(&state);

			if (kind == 3 && from < at) {
				page[at] = page[from++];
			} else {
				page[at] = kind == 0   ? noise
					   : kind == 1 ? (unsigned char)('a' + noise % 8)
						       : (unsigned char)seed;
			}
		}
	}
}

static void fill(unsigned char *page, uint64_t seed)
{
	if (seed % 2 == 0) {
		fill_pieces(page, seed);
	} else {
		store_page_fill(page, seed / 2 % PAGE_KINDS, seed);
	}
}

/* Coded so that the room ends at the guard. */
static size_t code(struct fixture *f, size_t most, const unsigned char **coded_out)
{
	unsigned char *to = f->room + ROOM - Z_LZ_SLACK - most;
	size_t bytes = z_lz_compress(f->page, to, most, f->places);

	assert_true(bytes <= most);
	*coded_out = to;
	return bytes;
}

static void must_decode(struct fixture *f, const unsigned char *coded, size_t bytes)
{
	memset(f->back, ~f->page[0], Z_PAGE_SIZE);
	assert_int_equal(LZ4_decompress_safe((const char *)coded, (char *)f->back, (int)bytes,
					     (int)Z_PAGE_SIZE),
			 Z_PAGE_SIZE);
	assert_memory_equal(f->back, f->page, Z_PAGE_SIZE);
}

static void test_any_page_comes_back(void **state)
{
	struct fixture *f = *state;
	const unsigned char *coded;

	for (uint64_t seed = 0; seed < 40000; seed++) {
		size_t bytes;

		fill(f->page, seed);
		bytes = code(f, Z_PAGE_SIZE + 64, &coded);
		assert_int_not_equal(bytes, 0);
		must_decode(f, coded, bytes);
	}
}

/* One match, with every length and at every place that matters to the ends of a page. */
static void test_matches_at_the_ends(void **state)
{
	struct fixture *f = *state;
	size_t most = ROOM - Z_LZ_SLACK;

	for (size_t length = 0; length < 300; length++) {
		for (size_t end = 0; end < 48; end++) {
			size_t at = Z_PAGE_SIZE - end - length;

			store_page_fill(f->page, PAGE_RANDOM, length);
			memmove(f->page + at, f->page + length % 9, length);
			must_decode(f, f->room, z_lz_compress(f->page, f->room, most, f->places));
			memmove(f->page + 1 + end, f->page, length);
			must_decode(f, f->room, z_lz_compress(f->page, f->room, most, f->places));
		}
	}
}

/* With the room it takes it fits; with a byte less it does not. It does not matter what places were. */
static void test_bounds_are_exact(void **state)
{
	struct fixture *f = *state;
	const unsigned char *coded;
	unsigned int exact = 0;

	for (uint64_t seed = 0; seed < 4000; seed++) {
		size_t need;
		size_t bytes;

		fill(f->page, seed);
		need = code(f, Z_PAGE_SIZE + 64, &coded);
		memcpy(f->again, coded, need);
		memset(f->places, (int)seed, sizeof(f->places));
		bytes = code(f, need + 64, &coded);
		assert_int_equal(bytes, need);
		assert_memory_equal(coded, f->again, need);
		assert_int_equal(code(f, need - 1, &coded), 0);
		for (size_t most = need; most > need / 8; most -= 1 + most / 8) {
			bytes = code(f, most, &coded);
			assert_true(bytes == 0 || (bytes == need && most == need));
			exact += bytes != 0;
		}
	}
	assert_true(exact > 0);
}

/* By kinds of contents, in thousandths of what liblz4 makes of 200 pages. */
static void test_takes_hardly_more_than_liblz4(void **state)
{
	struct fixture *f = *state;
	static const enum store_page_kind kinds[] = {PAGE_TEXT, PAGE_MIXED, PAGE_WORDS};

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		const unsigned char *coded;
		size_t ours = 0;
		size_t theirs = 0;

		for (uint64_t seed = 0; seed < 200; seed++) {
			store_page_fill(f->page, kinds[k], seed);
			ours += code(f, Z_PAGE_SIZE + 64, &coded);
			theirs += (size_t)LZ4_compress_default((char *)f->page, (char *)f->again,
							       (int)Z_PAGE_SIZE, (int)ROOM);
		}
		assert_in_range(ours * 1000 / theirs, 800, 1020);
	}
}

static int setup(void **state)
{
	static struct fixture fixture;

	fixture.page = guarded(Z_PAGE_SIZE);
	fixture.room = guarded(ROOM);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unguard(f->page, Z_PAGE_SIZE);
	unguard(f->room, ROOM);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_any_page_comes_back),
		TEST(test_matches_at_the_ends),
		TEST(test_bounds_are_exact),
		TEST(test_takes_hardly_more_than_liblz4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
