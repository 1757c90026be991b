/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coder.c - the choice of coder.h: purpose, theory and limits stand there.
 */
#include "coder.h"

#include <lz4.h>
#include <string.h>

#define WORDS (Z_PAGE_SIZE / sizeof(uint64_t))

/* One word of each so many is looked at for noise: 64 of a page of 4 KiB. */
#define NOISE_STRIDE 8U
#define NOISE_FIRST  16U /* words of the first look... */
#define HIGH_LEAST   40U /* ...whose 128 bytes have so many highest bits set, if they are noise... */
#define HIGH_MOST    88U  /* ...and no more than so many: 64 on average, give or take 6 */
#define NOISE_WORDS  64U  /* of the second look... */
#define PAIRS_MOST   650U /* ...and of their 512 bytes, so many pairs are equal at most */

/* The word coder was a wrong guess if it needs more than this: LZ4 gets the page, too. */
#define WORDS_MOST (Z_PAGE_SIZE / 4U * 3U)

_Static_assert(Z_PAGE_SIZE + Z_LZ_SLACK <= Z_CODER_BOUND, "room for either coder");

bool z_coder_same_filled(const void *page, uint64_t *word_out)
{
	const uint64_t *words = page;

	if (words[0] != words[1] || words[0] != words[WORDS - 1] || words[0] != words[WORDS / 2]) {
		return false;
	}
	*word_out = words[0];
	return memcmp(words, words + 1, Z_PAGE_SIZE - sizeof(*words)) == 0;
}

void z_coder_fill(void *page, uint64_t word)
{
	uint64_t *words = page;

	if (word == (word & 0xffU) * 0x0101010101010101U) {
		memset(page, (int)(word & 0xffU), Z_PAGE_SIZE);
		return;
	}
	for (size_t i = 0; i < WORDS; i++) {
		words[i] = word;
	}
}

/* As many highest bits as noise has? Text has none, numbers have few. */
static bool may_be_noise(const uint64_t *words)
{
	unsigned int high = 0;

	for (size_t i = 0; i < NOISE_FIRST; i++) {
		uint64_t bits = words[i * (WORDS / NOISE_FIRST)] >> 7 & 0x0101010101010101U;

		high += (unsigned int)(bits * 0x0101010101010101U >> 56);
	}
	return high >= HIGH_LEAST && high <= HIGH_MOST;
}

bool z_coder_is_noise(const void *page)
{
	const uint64_t *words = page;
	uint16_t seen[256] = {0};
	unsigned int pairs = 0;

	if (!may_be_noise(words)) {
		return false;
	}
	for (size_t i = 0; i < NOISE_WORDS; i++) {
		uint64_t word = words[i * (WORDS / NOISE_WORDS) + i % NOISE_STRIDE];

		for (unsigned int k = 0; k < 8; k++) {
			pairs += seen[word & 0xffU]++;
			word >>= 8;
		}
	}
	return pairs <= PAIRS_MOST;
}

size_t z_coder_compress(const void *page, char *to, size_t most, uint16_t *places,
			enum z_coder *coder_out)
{
	size_t bytes;

	if (z_wk_suits(page)) {
		bytes = z_wk_compress(page, (unsigned char *)to,
				      most < WORDS_MOST ? most : WORDS_MOST);
		if (bytes != 0) {
			*coder_out = Z_CODER_WK;
			return bytes;
		}
	} else if (z_coder_is_noise(page)) {
		return 0;
	}
	*coder_out = Z_CODER_LZ4;
	return z_lz_compress(page, (unsigned char *)to, most, places);
}

bool z_coder_decompress(enum z_coder coder, const char *from, size_t bytes, void *page)
{
	if (coder == Z_CODER_WK) {
		return z_wk_decompress((const unsigned char *)from, bytes, page);
	}
	return LZ4_decompress_safe(from, page, (int)bytes, (int)Z_PAGE_SIZE) == (int)Z_PAGE_SIZE;
}
