/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_coder.c - the looks that the compressed store takes at a page before it does any work
 * (store/coder.h): none may be wrong in the direction that loses data or much room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lz4.h>

#include "../../store/coder.h"
#include "store_fixture.h"

struct fixture {
	uint64_t page[Z_PAGE_SIZE / 8] __attribute__((aligned(64)));
	uint64_t back[Z_PAGE_SIZE / 8];
	char coded[Z_CODER_BOUND];
	uint16_t places[Z_LZ_PLACES];
};

#define WORDS (Z_PAGE_SIZE / 8)

static void test_same_filled_is_exact(void **state)
{
	struct fixture *f = *state;
	uint64_t random = 5;

	for (uint64_t n = 0; n < 20; n++) {
		uint64_t pattern = n < 4 ? 0x0101010101010101U * n : store_random(&random);
		uint64_t word = ~pattern;

		z_coder_fill(f->page, pattern);
		for (size_t i = 0; i < WORDS; i++) {
			assert_true(f->page[i] == pattern);
		}
		assert_true(z_coder_same_filled(f->page, &word));
		assert_true(word == pattern);
		for (size_t i = 0; i < WORDS; i++) {
			f->page[i] ^= (uint64_t)1 << (store_random(&random) % 64);
			assert_false(z_coder_same_filled(f->page, &word));
			f->page[i] = pattern;
		}
	}
}

static void test_noise_is_found(void **state)
{
	struct fixture *f = *state;

	for (uint64_t seed = 0; seed < 2000; seed++) {
		store_page_fill(f->page, PAGE_RANDOM, seed);
		assert_true(z_coder_is_noise(f->page));
	}
}

/* Whatever the mixture: a page that LZ4 makes an eighth smaller is not taken for noise. */
static void test_what_compresses_is_no_noise(void **state)
{
	struct fixture *f = *state;
	unsigned int noises = 0;

	for (uint64_t seed = 0; seed < 8000; seed++) {
		store_page_fill(f->page, seed % PAGE_KINDS, seed);
		if (z_coder_is_noise(f->page)) {
			int bytes = LZ4_compress_default((const char *)f->page, f->coded,
							 (int)Z_PAGE_SIZE, (int)sizeof(f->coded));

			assert_true(bytes == 0 || bytes > (int)Z_PAGE_SIZE / 8 * 7);
			noises++;
		}
	}
	assert_in_range(noises, 1000, 2000);
}

static void test_round_trip(void **state)
{
	struct fixture *f = *state;
	unsigned int count[Z_CODER_WK + 1] = {0};

	for (uint64_t seed = 0; seed < 4000; seed++) {
		enum z_coder coder = Z_CODER_NONE;
		size_t most = seed / PAGE_KINDS % 2 == 0 ? Z_PAGE_SIZE - 68 : 1000;
		size_t bytes;

		store_page_fill(f->page, seed % PAGE_KINDS, seed);
		bytes = z_coder_compress(f->page, f->coded, most, f->places, &coder);
		assert_true(bytes <= most);
		if (bytes == 0) {
			continue;
		}
		count[coder]++;
		assert_true(z_coder_decompress(coder, f->coded, bytes, f->back));
		assert_memory_equal(f->back, f->page, Z_PAGE_SIZE);
		assert_false(z_coder_decompress(coder, f->coded, bytes - 1, f->back));
	}
	assert_true(count[Z_CODER_LZ4] > 1000 && count[Z_CODER_WK] > 200);
}

/* Words where it is looked at, noise elsewhere, all of it twice: LZ4 gets the page, too. */
static void test_a_wrong_guess_costs_no_room(void **state)
{
	struct fixture *f = *state;
	enum z_coder coder = Z_CODER_NONE;
	size_t words;

	store_page_fill(f->page, PAGE_RANDOM, 1);
	for (size_t i = 0; i < WORDS / 2; i++) {
		if (i % (WORDS / 4) < 8 || i >= WORDS / 8 * 3) {
			f->page[i] = i;
		}
	}
	memcpy(f->page + WORDS / 2, f->page, Z_PAGE_SIZE / 2);
	assert_true(z_wk_suits(f->page));
	words = z_wk_compress(f->page, (unsigned char *)f->coded, Z_CODER_BOUND);
	assert_in_range(words, Z_PAGE_SIZE / 4 * 3 + 1, Z_PAGE_SIZE - 68);
	assert_in_range(z_coder_compress(f->page, f->coded, Z_PAGE_SIZE - 68, f->places, &coder),
			1000, 2200);
	assert_int_equal(coder, Z_CODER_LZ4);
}

static int setup(void **state)
{
	struct fixture *f = aligned_alloc(64, (sizeof(*f) + 63) / 64 * 64);

	*state = f;
	return f != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_same_filled_is_exact),        TEST(test_noise_is_found),
		TEST(test_what_compresses_is_no_noise), TEST(test_round_trip),
		TEST(test_a_wrong_guess_costs_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
