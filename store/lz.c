/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lz.c - the coder of lz.h: purpose, theory and limits stand there.
 *
 * A sequence of the format: a byte with two lengths of 4 bits, the literals and the match less 4; what
 * exceeds 14 in bytes of up to 255 behind; the literals; two bytes of distance; the rest of the
 * match's length. The last sequence has literals only, at least 5, and no match begins in the last 12.
 */
#include "lz.h"

#include "mem.h"

#define PLACE_BITS 12U
#define MATCH      5U /* what is looked up */
#define SHORTEST   4U /* that the format knows */
#define LONG       15U
#define DENSE      96U /* bytes looked at one by one, after a long match, before only words are */
#define MORE       8U  /* the same, of what is left of these, after a short match */
#define WORD       8U
#define CHUNK      32U                       /* bytes that are copied at once */
#define ROOM       (Z_PAGE_SIZE / 255U + 6U) /* for both lengths, the distance and the token */

/* No match begins behind the first or ends behind the second; nothing beyond the page is ever read. */
#define LAST_BEGIN ((uint32_t)Z_PAGE_SIZE - 36U)
#define LAST_END   ((uint32_t)Z_PAGE_SIZE - 5U)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lowest byte is the first");
_Static_assert(Z_LZ_PLACES == 1U << PLACE_BITS, "one place for each hash");
_Static_assert(Z_PAGE_SIZE <= 65536, "a distance fits in 16 bits");

struct match {
	uint32_t at;   /* it begins */
	uint32_t from; /* what it repeats begins */
};

static inline uint64_t load(const unsigned char *at)
{
	uint64_t word;

	__builtin_memcpy(&word, at, sizeof(word));
	return word;
}

/* Are all eight bytes printable characters? A few others are taken for such, zero is not. */
static inline bool is_text(uint64_t word)
{
	const uint64_t each = 0x0101010101010101U;

	return (word & each * 0x80U) == 0 && ((word | word >> 1) & each * 0x20U) == each * 0x20U;
}

static inline uint32_t hash_of(uint64_t word)
{
	return (uint32_t)(((word << (64U - 8U * MATCH)) * 0x9e3779b185ebca87U) >>
			  (64U - PLACE_BITS));
}

/* Enter a place. Was it the same five bytes at the place that was there? Then *from_out. */
static inline bool look(const unsigned char *page, uint16_t *places, uint32_t at, uint64_t word,
			uint32_t *from_out)
{
	uint16_t *place = &places[hash_of(word)];
	uint32_t from = *place;

	*place = (uint16_t)at;
	*from_out = from;
	return (load(page + from) ^ word) << (64U - 8U * MATCH) == 0;
}

static inline uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/*
 * The next match from match->at on. *dense: bytes to look at one by one; so many are left of them. Then
 * only words are looked at, up to one that is text. false: there is none.
 */
static inline bool find(const unsigned char *page, uint16_t *places, uint32_t *dense,
			struct match *match)
{
	uint32_t at = match->at;
	uint32_t last = least(at + *dense, LAST_BEGIN);

	while (at <= LAST_BEGIN) {
		for (; at <= last; at++) {
			if (look(page, places, at, load(page + at), &match->from)) {
				*dense = last - at;
				match->at = at;
				return true;
			}
		}
		*dense = 0;
		for (at = (at + WORD - 1U) / WORD * WORD; at <= LAST_BEGIN; at += WORD) {
			uint64_t word = load(page + at);

			if (look(page, places, at, word, &match->from)) {
				match->at = at;
				return true;
			}
			if (is_text(word)) {
				break;
			}
		}
		at++;
		last = least(at + DENSE, LAST_BEGIN);
	}
	return false;
}

/* Where two places cease to be the same, that are the same up to at. */
static inline uint32_t end_of(const unsigned char *page, uint32_t at, uint32_t distance)
{
	const unsigned char *earlier = page - distance;

	while (at + WORD <= LAST_END) {
		uint64_t difference = load(page + at) ^ load(earlier + at);

		if (difference != 0) {
			return at + (uint32_t)__builtin_ctzll(difference) / 8U;
		}
		at += WORD;
	}
	while (at < LAST_END && page[at] == earlier[at]) {
		at++;
	}
	return at;
}

static inline unsigned char *put_length(unsigned char *to, uint32_t rest)
{
	for (; rest >= 255U; rest -= 255U) {
		*to++ = 255U;
	}
	*to++ = (unsigned char)rest;
	return to;
}

/* The beginning of a sequence, but for the length of the match. A chunk too much is copied. */
static inline unsigned char *put_literals(unsigned char *to, const unsigned char *from, uint32_t n)
{
	if (n < LONG) {
		*to++ = (unsigned char)(n << 4);
		__builtin_memcpy(to, from, LONG + 1U);
		return to + n;
	}
	*to++ = LONG << 4;
	to = put_length(to, n - LONG);
	for (uint32_t i = 0; i < n; i += CHUNK) {
		__builtin_memcpy(to + i, from + i, CHUNK);
	}
	return to + n;
}

static inline unsigned char *put_match(unsigned char *to, unsigned char *token, uint32_t distance,
				       uint32_t length)
{
	*to++ = (unsigned char)distance;
	*to++ = (unsigned char)(distance >> 8);
	length -= SHORTEST;
	if (length < LONG) {
		*token |= (unsigned char)length;
		return to;
	}
	*token |= LONG;
	return put_length(to, length - LONG);
}

static size_t put_last(unsigned char *to, const unsigned char *from, uint32_t n, size_t room)
{
	unsigned char *begin = to;

	if (n + n / 255U + 2U > room) {
		return 0;
	}
	if (n < LONG) {
		*to++ = (unsigned char)(n << 4);
	} else {
		*to++ = LONG << 4;
		to = put_length(to, n - LONG);
	}
	memcpy(to, from, n);
	return (size_t)(to - begin) + n;
}

/* The match begins earlier if the bytes before, not yet put down, are the same too. */
static inline void begin_earlier(const unsigned char *page, uint32_t done, struct match *match)
{
	while (match->at > done && match->from > 0 &&
	       page[match->at - 1U] == page[match->from - 1U]) {
		match->at--;
		match->from--;
	}
}

size_t z_lz_compress(const void *source, unsigned char *to, size_t most, uint16_t *places)
{
	const unsigned char *page = source;
	const unsigned char *full = to + most;
	unsigned char *at = to;
	struct match match = {.at = 1};
	uint32_t dense = DENSE;
	uint32_t done = 0; /* bytes of the page */
	size_t last;

	memset(places, 0, Z_LZ_PLACES * sizeof(*places));
	while (done <= LAST_BEGIN && find(page, places, &dense, &match)) {
		uint32_t end = match.at + MATCH;
		unsigned char *token = at;

		begin_earlier(page, done, &match);
		if (at + (match.at - done) + ROOM > full) {
			return 0;
		}
		at = put_literals(at, page + done, match.at - done);
		for (;;) {
			end = end_of(page, end, match.at - match.from);
			at = put_match(at, token, match.at - match.from, end - match.at);
			dense = end - match.at > WORD ? DENSE : least(dense + MORE, DENSE);
			done = end;
			match.at = end;
			if (end > LAST_BEGIN || at + ROOM > full) {
				break;
			}
			places[hash_of(load(page + end - 2U))] = (uint16_t)(end - 2U);
			if (!look(page, places, end, load(page + end), &match.from)) {
				break;
			}
			token = at;
			*at++ = 0;
			end += MATCH;
		}
		match.at++;
	}
	last = put_last(at, page + done, (uint32_t)Z_PAGE_SIZE - done, (size_t)(full - at));
	return last != 0 ? (size_t)(at - to) + last : 0;
}
