/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_content.c - pages of known contents, each a function of its number (bench_content.h).
 *
 * Locks: none. Limits: text has the statistics of words, not of a language.
 */
#include <string.h>

#include <zpager/types.h>

#include "bench_content.h"

#define WORDS (Z_PAGE_SIZE / 8)

const char *const bench_content_names[BENCH_CONTENTS] = {
	"half", "hi", "text", "zero", "counters", "heap",
};

static const char *const vocabulary[] = {
	"the",    "page",    "of",    "memory", "and",   "a",     "to",       "program",  "is",
	"in",     "kernel",  "that",  "frame",  "it",    "for",   "fault",    "was",      "on",
	"system", "are",     "as",    "table",  "with",  "store", "they",     "be",       "at",
	"one",    "address", "have",  "this",   "from",  "or",    "compress", "had",      "by",
	"word",   "but",     "what",  "some",   "we",    "can",   "out",      "other",    "were",
	"all",    "there",   "when",  "up",     "use",   "your",  "how",      "said",     "an",
	"each",   "she",     "which", "do",     "their", "time",  "if",       "will",     "way",
	"about",  "many",    "then",  "them",   "write", "would", "like",     "so",       "these",
	"her",    "long",    "make",  "thing",  "see",   "him",   "two",      "has",      "look",
	"more",   "day",     "could", "go",     "come",  "did",   "number",   "sound",    "no",
	"most",   "people",  "my",    "over",   "know",  "water", "than",     "call",     "first",
	"who",    "may",     "down",  "side",   "been",  "now",   "find",     "eviction",
};

#define VOCABULARY (sizeof(vocabulary) / sizeof(vocabulary[0]))

uint64_t bench_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x * UINT64_C(0x2545F4914F6CDD1D);
}

static void random_words(uint64_t *state, uint64_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		words[i] = bench_random(state);
	}
}

/* Frequent words are the first: the smaller of two choices. */
static void text(uint64_t *state, char *out, size_t bytes)
{
	size_t at = 0;

	while (at < bytes) {
		uint64_t x = bench_random(state);
		size_t a = x % VOCABULARY;
		size_t b = (x >> 32) % VOCABULARY;
		const char *word = vocabulary[a < b ? a : b];
		size_t length = strlen(word);

		length = length < bytes - at ? length : bytes - at;
		/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): a page is no string. */
		memcpy(out + at, word, length);
		at += length;
		if (at < bytes) {
			out[at++] = (char)(x >> 60 == 0 ? '\n' : ' ');
		}
	}
}

static void heap(uint64_t *state, uint64_t *words)
{
	for (size_t i = 1; i < WORDS; i++) {
		uint64_t x = bench_random(state);

		if (i % 3 == 0) {
			words[i] = x % 256;
		} else {
			words[i] = UINT64_C(0x7f3210000000) + (x % (1U << 22)) * 16;
		}
	}
}

void bench_content_fill(enum bench_content content, uint64_t number, uint64_t *words)
{
	uint64_t state = (number + 1) * UINT64_C(0x9E3779B97F4A7C15);

	words[0] = number;
	switch (content) {
	case BENCH_HALF:
		random_words(&state, words + 1, WORDS / 2 - 1);
		memset(words + WORDS / 2, (int)(number & 0x7f), Z_PAGE_SIZE / 2);
		break;
	case BENCH_HI:
		random_words(&state, words + 1, 31);
		random_words(&state, words + 32, 8);
		for (size_t i = 40; i < WORDS; i++) {
			words[i] = words[i - 8];
		}
		break;
	case BENCH_TEXT:
		text(&state, (char *)(words + 1), Z_PAGE_SIZE - 8);
		break;
	case BENCH_COUNTERS:
		for (size_t i = 1; i < WORDS; i++) {
			words[i] = number * WORDS + i;
		}
		break;
	case BENCH_HEAP:
		heap(&state, words);
		break;
	default:
		memset(words + 1, 0, Z_PAGE_SIZE - 8);
	}
}
