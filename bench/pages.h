/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages.h - pages of the kinds of contents that the benchmarks of stores and coders share.
 *
 * HALF: 2 KiB random, then one byte repeated. COUNTERS: 512 numbers of 64 bits, one after the other.
 * TEXT: words of a vocabulary of 512, by frequency. HEAP: objects of 64 bytes: two pointers into the
 * same MiB, a method table out of four, a length, flags, a small number, a hash now and then, zeros.
 * FLOATS: doubles about 1. Each page is different. No state.
 */
#ifndef BENCH_PAGES_H
#define BENCH_PAGES_H

#include <stdint.h>
#include <string.h>

#include <zpager/types.h>

enum bench_kind {
	BENCH_HALF,
	BENCH_COUNTERS,
	BENCH_INTS,
	BENCH_TEXT,
	BENCH_HEAP,
	BENCH_FLOATS,
	BENCH_ZERO,
	BENCH_RANDOM,
	BENCH_KINDS
};

static inline const char *bench_kind_name(enum bench_kind kind)
{
	static const char *const names[] = {"half", "counters", "ints", "text",
					    "heap", "floats",   "zero", "random"};

	return names[kind];
}

static inline uint64_t bench_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

static inline void bench_fill_text(unsigned char *page, uint64_t seed)
{
	uint64_t state = seed;
	size_t at = 0;

	while (at < Z_PAGE_SIZE) {
		/* The smallest of three: the first words of the vocabulary come more often. */
		uint64_t r = bench_random(&state);
		uint64_t a = r & 511U;
		uint64_t b = r >> 9 & 511U;
		uint64_t c = r >> 18 & 511U;
		uint64_t letters;
		uint64_t length;

		a = a < b ? a : b;
		a = a < c ? a : c;
		letters = a + 1;
		letters = bench_random(&letters);
		for (length = 2 + (letters >> 60) % 8; length > 0 && at < Z_PAGE_SIZE; length--) {
			page[at++] =
				(unsigned char)("etaoinshrdlucmfwypvbgkqjxz"[(letters & 63U) % 26]);
			letters >>= 6;
		}
		if (at < Z_PAGE_SIZE) {
			page[at++] = ' ';
		}
	}
}

static inline void bench_fill_heap(uint64_t *words, uint64_t seed)
{
	const uint64_t heap = 0x00007f3a54000000U + (seed % 16U << 20);
	uint64_t state = seed;

	for (size_t i = 0; i < Z_PAGE_SIZE / sizeof(*words); i += 8) {
		uint64_t r = bench_random(&state);

		words[i] = 0x0000555555a01230U + (r & 3U) * 0x80U;
		words[i + 1] = heap + (r >> 2 & 0xffffU) * 16U;
		words[i + 2] = heap + (r >> 18 & 0xffffU) * 16U;
		words[i + 3] = (r >> 34 & 0xffU) << 32 | 1U;
		words[i + 4] = r >> 42 & 0x3ffU;
		words[i + 5] = (r >> 52 & 3U) == 0 ? bench_random(&state) : 0;
		words[i + 6] = r >> 54 & 7U;
		words[i + 7] = 0;
	}
}

static inline void bench_page_fill(unsigned char *page, enum bench_kind kind, uint64_t seed)
{
	uint64_t *words = (uint64_t *)page;
	uint64_t state = seed;

	if (kind == BENCH_TEXT) {
		bench_fill_text(page, seed);
		return;
	}
	if (kind == BENCH_HEAP) {
		bench_fill_heap(words, seed);
		return;
	}
	for (size_t i = 0; i < Z_PAGE_SIZE / sizeof(*words); i++) {
		uint64_t r = bench_random(&state);
		double about_one = 1.0 + (double)(r >> 40) / 0x1p26;

		switch (kind) {
		case BENCH_HALF:
			words[i] = i < 256 ? r : 0x0101010101010101U * (seed & 0xffU);
			break;
		case BENCH_COUNTERS:
			words[i] = seed * 4096U + i;
			break;
		case BENCH_INTS:
			words[i] = (r & 0xfffffU) << 32 | (r >> 32 & 0xfffffU);
			break;
		case BENCH_FLOATS:
			memcpy(&words[i], &about_one, sizeof(about_one));
			break;
		case BENCH_ZERO:
			words[i] = 0;
			break;
		default:
			words[i] = r;
			break;
		}
	}
}

#endif /* BENCH_PAGES_H */
