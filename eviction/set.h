/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set.h - a set of frame numbers, with a walk in order that skips what is not in it.
 *
 * Theory: a bit a frame, and above it a bit for each word that is not empty, and so on up to one
 * word. The next member is found by going up until there is one to the right, and down to it.
 *
 * Cost: O(log32 of the frames), one word where members lie close. A little over a bit a frame.
 * Locks: pager lock held in all of it, see eviction.h. Limits: 2^30 frames.
 */
#ifndef ZPAGER_EVICTION_SET_H
#define ZPAGER_EVICTION_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "octave.h"

#define Z__SET_LEVELS 6U
#define Z__SET_END    UINT32_MAX

struct z__set {
	uint32_t *level[Z__SET_LEVELS]; /* [I] level 0: a bit a frame */
	uint32_t levels;                /* [I] */
	uint32_t frames;                /* [I] */
	uint32_t count;                 /* [P] members */
};

static inline uint32_t z__set_words(uint32_t bits)
{
	return bits / 32 + (bits % 32 != 0);
}

/* z__set_bytes - room that z__set_init() needs. */
static inline size_t z__set_bytes(uint32_t frames)
{
	size_t words = 0;
	uint32_t bits = frames;

	do {
		bits = z__set_words(bits);
		words += bits;
	} while (bits > 1);
	return words * sizeof(uint32_t);
}

/* z__set_init - empty. room: z__set_bytes(), zeroed, aligned for a word. */
static inline void z__set_init(struct z__set *s, uint32_t *room, uint32_t frames)
{
	uint32_t bits = frames;

	*s = (struct z__set){.frames = frames};
	do {
		s->level[s->levels++] = room;
		bits = z__set_words(bits);
		room += bits;
	} while (bits > 1);
}

static inline bool z__set_has(const struct z__set *s, uint32_t i)
{
	return (s->level[0][i / 32] >> i % 32 & 1U) != 0;
}

static inline void z__set_add(struct z__set *s, uint32_t i)
{
	s->count += !z__set_has(s, i);
	for (uint32_t l = 0; l < s->levels; l++) {
		s->level[l][i / 32] |= UINT32_C(1) << i % 32;
		i /= 32;
	}
}

static inline void z__set_remove(struct z__set *s, uint32_t i)
{
	s->count -= z__set_has(s, i);
	for (uint32_t l = 0; l < s->levels; l++) {
		s->level[l][i / 32] &= ~(UINT32_C(1) << i % 32);
		if (s->level[l][i / 32] != 0) {
			return;
		}
		i /= 32;
	}
}

/* z__set_lowest - number of the lowest bit that is set; word is not 0. */
static inline uint32_t z__set_lowest(uint32_t word)
{
	return z__octave(word & (0U - word));
}

/* z__set_next - the first member from i on, Z__SET_END if there is none. */
static inline uint32_t z__set_next(const struct z__set *s, uint32_t i)
{
	uint32_t bits = s->frames;
	uint32_t l = 0;
	uint32_t word = 0;

	while (l < s->levels && i < bits) {
		word = s->level[l][i / 32] & UINT32_MAX << i % 32;
		if (word != 0) {
			break;
		}
		i = i / 32 + 1;
		bits = z__set_words(bits);
		l++;
	}
	if (word == 0) {
		return Z__SET_END;
	}
	i = i / 32 * 32 + z__set_lowest(word);
	while (l > 0) {
		l--;
		i = i * 32 + z__set_lowest(s->level[l][i]);
	}
	return i;
}

/* z__set_is_sound - do the levels and the count agree, and is nothing in it that is no frame? */
static inline bool z__set_is_sound(const struct z__set *s)
{
	uint32_t bits = s->frames;
	uint32_t members = 0;

	for (uint32_t l = 0; l < s->levels; l++) {
		uint32_t words = z__set_words(bits);

		for (uint32_t i = 0; i < words * 32; i++) {
			bool has = (s->level[l][i / 32] >> i % 32 & 1U) != 0;

			if (has && (i >= bits || (l > 0 && s->level[l - 1][i] == 0))) {
				return false;
			}
			if (!has && l > 0 && i < bits && s->level[l - 1][i] != 0) {
				return false;
			}
			members += l == 0 && has;
		}
		bits = words;
	}
	return members == s->count;
}

#endif /* ZPAGER_EVICTION_SET_H */
