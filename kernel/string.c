/* SPDX-License-Identifier: Apache-2.0 */
/*
 * string.c - memcpy, memmove, memset, memcmp. Words where both sides are aligned (pages are), bytes
 * otherwise. Compiled so that the compiler does not turn a loop into a call of itself.
 */
#include "string.h"

#include <stdbool.h>
#include <stdint.h>

#define WORD sizeof(uint64_t)

static bool both_aligned(const void *a, const void *b)
{
	return (((uintptr_t)a | (uintptr_t)b) & (WORD - 1)) == 0;
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
	unsigned char *t = to;
	const unsigned char *f = from;
	size_t i = 0;

	if (both_aligned(to, from)) {
		for (; i + WORD <= bytes; i += WORD)
			*(uint64_t *)(void *)(t + i) = *(const uint64_t *)(const void *)(f + i);
	}
	for (; i < bytes; i++)
		t[i] = f[i];
	return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	if ((uintptr_t)to - (uintptr_t)from >= bytes)
		return memcpy(to, from, bytes);
	while (bytes-- > 0)
		t[bytes] = f[bytes];
	return to;
}

void *memset(void *to, int value, size_t bytes)
{
	unsigned char *t = to;
	uint64_t word = (unsigned char)value * UINT64_C(0x0101010101010101);
	size_t i = 0;

	if (both_aligned(to, NULL)) {
		for (; i + WORD <= bytes; i += WORD)
			*(uint64_t *)(void *)(t + i) = word;
	}
	for (; i < bytes; i++)
		t[i] = (unsigned char)value;
	return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
	const unsigned char *x = a;
	const unsigned char *y = b;

	for (size_t i = 0; i < bytes; i++) {
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	}
	return 0;
}

size_t strlen(const char *text)
{
	size_t n = 0;

	while (text[n] != 0)
		n++;
	return n;
}
