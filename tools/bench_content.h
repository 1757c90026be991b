/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_content.h - what is in the pages that the bench and the probe work on.
 *
 * The first word of a page is its number, whatever its contents; the rest follows from the number, so
 * that a page can be checked whole.
 */
#ifndef ZPAGER_TOOLS_BENCH_CONTENT_H
#define ZPAGER_TOOLS_BENCH_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

enum bench_content {
	BENCH_HALF,     /* 2 KiB random, 2 KiB of one byte */
	BENCH_HI,       /* 256 bytes random, the rest with a period of 64 */
	BENCH_TEXT,     /* words with blanks between them */
	BENCH_ZERO,     /* nothing but the number */
	BENCH_COUNTERS, /* 512 words that count up */
	BENCH_HEAP,     /* pointers and small numbers in turn */
	BENCH_CONTENTS,
};

extern const char *const bench_content_names[BENCH_CONTENTS];

/* bench_content_fill - write page `number`, Z_PAGE_SIZE bytes. */
void bench_content_fill(enum bench_content content, uint64_t number, uint64_t *words);

/* bench_random - xorshift*; state is not 0. */
uint64_t bench_random(uint64_t *state);

#endif /* ZPAGER_TOOLS_BENCH_CONTENT_H */
