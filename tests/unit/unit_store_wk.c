/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_wk.c - the word coder (store/wk.h) against a plain one that is written here after the
 * layout in the header: the same bytes, the same verdict on any input; and no access out of bounds.
 *
 * Input and output end at pages that cannot be touched, so that one byte too much ends the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "../../store/wk.h"
#include "store_fixture.h"

#define ROOM 8192U /* Z_WK_BOUND fits in it */

struct fixture {
	uint64_t *page;       /* both end at a guard */
	unsigned char *coded; /* ROOM bytes */
	uint64_t *back;
	unsigned char plain[ROOM];
	uint64_t plain_back[Z_WK_WORDS];
};

/* bytes that end at a page without access. */
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

/* ---- the plain coder --------------------------------------------------------------------------- */

static unsigned int plain_place(uint64_t word)
{
	unsigned int hash = (unsigned int)((word >> 12) * 0x9e3779b97f4a7c15U >> 59);

	if (word == 0) {
		return 0;
	}
	return hash == 0 ? 1 : hash;
}

static size_t plain_compress(const uint64_t *page, unsigned char *to)
{
	uint64_t dictionary[32] = {0};
	unsigned char tokens[Z_WK_WORDS];
	size_t n = 0;

	for (size_t i = 0; i < Z_WK_WORDS; i++) {
		unsigned int place = plain_place(page[i]);
		uint64_t difference = page[i] ^ dictionary[place];
		unsigned int length = 0;

		while (length < 8 && difference >> (8 * length) != 0) {
			length++;
		}
		tokens[i] = (unsigned char)(place * 8 + (length >= 7 ? 7 : length));
		for (unsigned int k = 0; k < (length == 7 ? 8 : length); k++) {
			to[n++] = (unsigned char)(difference >> (8 * k));
		}
		dictionary[place] = page[i];
	}
	memcpy(to + n, tokens, Z_WK_WORDS);
	return n + Z_WK_WORDS;
}

static bool plain_decompress(const unsigned char *from, size_t bytes, uint64_t *page)
{
	uint64_t dictionary[32] = {0};
	size_t n = 0;

	if (bytes < Z_WK_WORDS) {
		return false;
	}
	bytes -= Z_WK_WORDS;
	for (size_t i = 0; i < Z_WK_WORDS; i++) {
		unsigned int token = from[bytes + i];
		unsigned int length = token % 8 == 7 ? 8 : token % 8;

		page[i] = dictionary[token / 8];
		for (unsigned int k = 0; k < length; k++, n++) {
			if (n == bytes) {
				return false;
			}
			page[i] ^= (uint64_t)from[n] << (8 * k);
		}
		dictionary[token / 8] = page[i];
	}
	return n == bytes;
}

/* ---- pages ------------------------------------------------------------------------------------- */

/* Words of all the kinds that the coder tells apart, in a mixture of this page's own. */
static void fill_words(uint64_t *page, uint64_t seed)
{
	uint64_t state = seed;
	uint64_t mixture = store_random(&state);
	uint64_t base = store_random(&state) >> (mixture % 40);

	for (size_t i = 0; i < Z_WK_WORDS; i++) {
		uint64_t r = store_random(&state);

		switch (mixture >> (r % 16 * 4) & 7U) {
		case 0:
			page[i] = 0;
			break;
		case 1:
			page[i] = r >> (r % 64);
			break;
		case 2:
			page[i] = base + (r >> 44);
			break;
		case 3:
			page[i] = base + i;
			break;
		case 4:
			page[i] = i == 0 ? base : page[i - 1];
			break;
		case 5:
			page[i] = base ^ ((r | 0x80U) << (r % 57));
			break;
		default:
			page[i] = r;
			break;
		}
	}
}

static void fill(uint64_t *page, uint64_t seed)
{
	if (seed % 4 == 0) {
		store_page_fill(page, seed / 4 % PAGE_KINDS, seed);
	} else {
		fill_words(page, seed);
	}
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void test_known_answers(void **state)
{
	struct fixture *f = *state;

	memset(f->page, 0, Z_PAGE_SIZE);
	memset(f->coded, 0xff, ROOM);
	assert_int_equal(z_wk_compress(f->page, f->coded, Z_WK_BOUND), Z_WK_WORDS);
	for (size_t i = 0; i < Z_WK_WORDS; i++) {
		assert_int_equal(f->coded[i], 0);
	}
	/* 1, then 0 again, then 3: at place 1, one byte of difference each; 0 leaves place 1 alone. */
	f->page[0] = 1;
	f->page[2] = 3;
	f->page[3] = 3;
	assert_int_equal(z_wk_compress(f->page, f->coded, Z_WK_BOUND), 2 + Z_WK_WORDS);
	assert_memory_equal(f->coded, "\x01\x02\x09\x00\x09\x08\x00", 7);
	/* Seven bytes of difference are kept as eight. */
	memset(f->page, 0, Z_PAGE_SIZE);
	f->page[511] = 0x00ffeeddccbbaa99U;
	assert_int_equal(z_wk_compress(f->page, f->coded, Z_WK_BOUND), 8 + Z_WK_WORDS);
	assert_memory_equal(f->coded, "\x99\xaa\xbb\xcc\xdd\xee\xff\x00\x00", 9);
	assert_int_equal(f->coded[8 + 511] & 7, 7);
}

static void test_same_bytes_as_the_plain_coder(void **state)
{
	struct fixture *f = *state;

	for (uint64_t seed = 0; seed < 20000; seed++) {
		size_t bytes;

		fill(f->page, seed);
		bytes = plain_compress(f->page, f->plain);
		assert_int_equal(z_wk_compress(f->page, f->coded, Z_WK_BOUND), bytes);
		assert_memory_equal(f->coded, f->plain, bytes);
		assert_true(z_wk_decompress(f->coded, bytes, f->back));
		assert_memory_equal(f->back, f->page, Z_PAGE_SIZE);
	}
}

static void test_most_is_kept(void **state)
{
	struct fixture *f = *state;

	for (uint64_t seed = 0; seed < 500; seed++) {
		size_t bytes;

		fill(f->page, seed);
		bytes = z_wk_compress(f->page, f->coded, Z_WK_BOUND);
		assert_in_range(bytes, Z_WK_WORDS, Z_WK_BOUND);
		assert_int_equal(z_wk_compress(f->page, f->coded, bytes), bytes);
		assert_int_equal(z_wk_compress(f->page, f->coded, bytes - 1), 0);
		memset(f->coded, 0x5a, ROOM);
		(void)z_wk_compress(f->page, f->coded, Z_WK_BOUND);
		for (size_t i = Z_WK_BOUND; i < ROOM; i++) {
			assert_int_equal(f->coded[i], 0x5a);
		}
	}
}

/* What is coded, damaged: bytes changed, cut off, put before it; or nothing but noise. */
static size_t damage(unsigned char *coded, size_t bytes, uint64_t *random)
{
	uint64_t r = store_random(random);

	for (uint64_t n = r % 4; n > 0; n--) {
		coded[store_random(random) % bytes] ^= (unsigned char)(1U << (r >> 8 & 7U));
		r = store_random(random);
	}
	switch (r % 8) {
	case 0:
		return bytes - r / 8 % bytes;
	case 1:
		return bytes - r / 8 % 9;
	case 2:
		r = r / 8 % 9;
		memmove(coded + r, coded, bytes);
		return bytes + r;
	case 3:
		bytes = r / 8 % (Z_WK_BOUND + 64);
		for (size_t i = 0; i < bytes; i++) {
			coded[i] = (unsigned char)(store_random(random) & 0x1fU);
		}
		return bytes;
	default:
		return bytes;
	}
}

static void test_any_input_is_safe(void **state)
{
	struct fixture *f = *state;
	unsigned int good = 0;
	uint64_t random = 11;

	for (uint64_t n = 0; n < 100000; n++) {
		unsigned char *at;
		size_t bytes;
		bool ok;

		fill(f->page, n / 8);
		bytes = damage(f->plain, plain_compress(f->page, f->plain), &random);
		/* Both ends at the guard, in turn. */
		at = n % 2 == 0 ? f->coded + ROOM - bytes : f->coded;
		memcpy(at, f->plain, bytes);
		ok = z_wk_decompress(at, bytes, f->back);
		assert_int_equal(ok, plain_decompress(at, bytes, f->plain_back));
		if (ok) {
			good++;
			assert_memory_equal(f->back, f->plain_back, Z_PAGE_SIZE);
		}
	}
	/* Both verdicts were met with. */
	assert_in_range(good, 10000, 90000);
}

/* What the choice is for: numbers and pointers, not text, noise, or what is repeated. */
static void test_suits(void **state)
{
	static const enum store_page_kind others[] = {PAGE_ZERO,   PAGE_ONES, PAGE_PATTERN,
						      PAGE_ALMOST, PAGE_TEXT, PAGE_RANDOM};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		for (uint64_t seed = 0; seed < 50; seed++) {
			store_page_fill(f->page, others[i], seed);
			assert_false(z_wk_suits(f->page));
		}
	}
	for (uint64_t seed = 0; seed < 50; seed++) {
		uint64_t random = seed;

		for (size_t i = 0; i < Z_WK_WORDS; i++) {
			f->page[i] = 0x00007f1200000000U + (store_random(&random) & 0x3ffU) * 16;
			f->page[i] = i % 2 == 0 ? f->page[i] : i;
		}
		assert_true(z_wk_suits(f->page));
		for (size_t i = 0; i < Z_WK_WORDS; i++) {
			f->page[i] = seed * 1000 + i;
		}
		assert_true(z_wk_suits(f->page));
	}
}

static int setup(void **state)
{
	static struct fixture f;

	f.page = guarded(Z_PAGE_SIZE);
	f.coded = guarded(ROOM);
	f.back = guarded(Z_PAGE_SIZE);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unguard(f->page, Z_PAGE_SIZE);
	unguard(f->coded, ROOM);
	unguard(f->back, Z_PAGE_SIZE);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_known_answers), TEST(test_same_bytes_as_the_plain_coder),
		TEST(test_most_is_kept),  TEST(test_any_input_is_safe),
		TEST(test_suits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
