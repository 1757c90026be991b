/* SPDX-License-Identifier: Apache-2.0 */
/*
 * octave.h - the highest bit of a word.
 *
 * A compiler's builtin would be a call of its library on machines without such an instruction, and
 * freestanding code has no library.
 */
#ifndef ZPAGER_EVICTION_OCTAVE_H
#define ZPAGER_EVICTION_OCTAVE_H

#include <stdint.h>

/* z__octave - which power of two is the highest in x; x is not 0. No branch, no library call. */
static inline uint32_t z__octave(uint32_t x)
{
	uint32_t n = (uint32_t)(x > 0xffffU) << 4;
	uint32_t part;

	x >>= n;
	part = (uint32_t)(x > 0xffU) << 3;
	x >>= part;
	n |= part;
	part = (uint32_t)(x > 0xfU) << 2;
	x >>= part;
	n |= part;
	part = (uint32_t)(x > 3U) << 1;
	x >>= part;
	return n | part | x >> 1;
}

#endif /* ZPAGER_EVICTION_OCTAVE_H */
