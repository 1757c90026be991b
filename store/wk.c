/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wk.c - the coder of wk.h: purpose, theory, layout and limits stand there.
 *
 * Eight bytes are written, or read, for every word, and as many of them count as its token says. What
 * is read too much is tokens, which stand behind; what is written too much, the next word overwrites.
 */
#include "wk.h"

#include "mem.h"

#define PLACES     32U
#define NEAR_BITS  12U /* words that differ in no bit above these share a place */
#define LENGTH     7U  /* of a token */
#define GROUP      8U  /* words between two looks at the end of the bytes */
#define RUNS       4U  /* of RUN_WORDS, that z_wk_suits looks at */
#define RUN_WORDS  8U
#define SUITS_NEAR 8U   /* it wants so many words that differ a little... */
#define SUITS_MOST 112U /* ...and at most so many bytes of difference, of 256 */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lowest byte is the first");

static inline uint32_t place_of(uint64_t word)
{
	uint32_t hash = (uint32_t)(((word >> NEAR_BITS) * 0x9e3779b97f4a7c15U) >> 59);

	return (hash | (hash == 0)) & -(uint32_t)(word != 0);
}

/* How many bytes the difference has, in the code of tokens. */
static inline uint32_t length_of(uint64_t difference)
{
	uint32_t bits = 64U - (uint32_t)__builtin_clzll(difference | 1U);
	uint32_t bytes = (bits + 7U) / 8U - (difference == 0);

	return bytes - (bytes == 8U);
}

static inline uint32_t bytes_of(uint32_t length)
{
	return length + (length == LENGTH);
}

bool z_wk_suits(const uint64_t *page)
{
	uint64_t words[PLACES] = {0};
	uint32_t near = 0;
	uint32_t bytes = 0;

	for (size_t run = 0; run < RUNS; run++) {
		const uint64_t *at = page + run * (Z_WK_WORDS / RUNS);

		for (size_t i = 0; i < RUN_WORDS; i++) {
			uint32_t place = place_of(at[i]);
			uint32_t length = length_of(at[i] ^ words[place]);

			words[place] = at[i];
			near += length - 1U < 5U;
			bytes += length;
		}
	}
	return near >= SUITS_NEAR && bytes <= SUITS_MOST;
}

size_t z_wk_compress(const uint64_t *page, unsigned char *to, size_t most)
{
	uint64_t words[PLACES] = {0};
	unsigned char tokens[Z_WK_WORDS];
	unsigned char *at = to;

	for (size_t i = 0; i < Z_WK_WORDS; i += GROUP) {
		for (size_t k = i; k < i + GROUP; k++) {
			uint64_t word = page[k];
			uint32_t place = place_of(word);
			uint64_t difference = word ^ words[place];
			uint32_t length = length_of(difference);

			words[place] = word;
			tokens[k] = (unsigned char)(place << 3 | length);
			__builtin_memcpy(at, &difference, sizeof(difference));
			at += bytes_of(length);
		}
		if ((size_t)(at - to) + Z_WK_WORDS > most) {
			return 0;
		}
	}
	memcpy(at, tokens, Z_WK_WORDS);
	return (size_t)(at - to) + Z_WK_WORDS;
}

bool z_wk_decompress(const unsigned char *from, size_t bytes, uint64_t *page)
{
	static const uint64_t masks[LENGTH + 1U] = {
		0, 0xff, 0xffff, 0xffffff, 0xffffffffU, 0xffffffffffU, 0xffffffffffffU, UINT64_MAX,
	};
	uint64_t words[PLACES] = {0};
	const unsigned char *at = from;
	const unsigned char *tokens;

	if (bytes < Z_WK_WORDS || bytes > Z_WK_BOUND) {
		return false;
	}
	tokens = from + bytes - Z_WK_WORDS;
	for (size_t i = 0; i < Z_WK_WORDS; i += GROUP) {
		if (at > tokens) {
			return false;
		}
		for (size_t k = i; k < i + GROUP; k++) {
			uint32_t place = tokens[k] >> 3;
			uint32_t length = tokens[k] & LENGTH;
			uint64_t word;

			__builtin_memcpy(&word, at, sizeof(word));
			word = (word & masks[length]) ^ words[place];
			words[place] = word;
			page[k] = word;
			at += bytes_of(length);
		}
	}
	return at == tokens;
}
