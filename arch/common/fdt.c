/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fdt.c - reading a flattened device tree.
 *
 * Theory. The structure block is a sequence of big-endian words: a token, what belongs to it, padding
 * to the next word. Every step checks what it is about to read against the end of its block, and a
 * name or a string must end within it; so whatever the bytes are, a walk ends, and ends inside.
 *
 * Locks: none, nothing is shared. Limits: 64-bit numbers at most.
 */
#include "fdt.h"

#include <zpager/error.h>

#define MAGIC   0xd00dfeedU
#define VERSION 17U

#define WORD 4U

enum token { BEGIN_NODE = 1, END_NODE = 2, PROPERTY = 3, NOP = 4, END = 9 };

enum header {
	H_MAGIC,
	H_TOTAL,
	H_STRUCTURE,
	H_STRINGS,
	H_RESERVED,
	H_VERSION,
	H_COMPATIBLE,
	H_BOOT_CPU,
	H_STRINGS_BYTES,
	H_STRUCTURE_BYTES,
	H_WORDS
};

static uint32_t word(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool lies_within(uint32_t offset, uint32_t bytes, uint32_t total)
{
	return offset <= total && bytes <= total - offset;
}

/* The length of the string, or room if it does not end within that many bytes. */
static size_t length(const char *string, size_t room)
{
	size_t n = 0;

	while (n < room && string[n] != '\0')
		n++;
	return n;
}

int fdt_begin(struct fdt_walk *walk, const void *blob)
{
	const unsigned char *b = blob;
	uint32_t h[H_WORDS];

	if (b == NULL || (uintptr_t)b % WORD != 0 || word(b) != MAGIC)
		return Z_ERR_INVAL;
	for (unsigned int i = 0; i < H_WORDS; i++)
		h[i] = word(b + (size_t)i * WORD);
	if (h[H_VERSION] < VERSION || h[H_COMPATIBLE] > VERSION || h[H_STRUCTURE] % WORD != 0 ||
	    h[H_STRUCTURE] < sizeof(h) || h[H_STRINGS] < sizeof(h) ||
	    !lies_within(h[H_STRUCTURE], h[H_STRUCTURE_BYTES], h[H_TOTAL]) ||
	    !lies_within(h[H_STRINGS], h[H_STRINGS_BYTES], h[H_TOTAL]))
		return Z_ERR_INVAL;
	*walk = (struct fdt_walk){
		.structure = b + h[H_STRUCTURE],
		.structure_bytes = h[H_STRUCTURE_BYTES],
		.strings = (const char *)b + h[H_STRINGS],
		.strings_bytes = h[H_STRINGS_BYTES],
	};
	return Z_OK;
}

/* Go past that many bytes and the padding behind them; false if they are not there. */
static bool skip(struct fdt_walk *w, size_t bytes)
{
	if (bytes > w->structure_bytes - w->at)
		return false;
	w->at += bytes;
	w->at += (WORD - w->at % WORD) % WORD;
	return w->at <= w->structure_bytes;
}

static bool take_word(struct fdt_walk *w, uint32_t *out)
{
	const unsigned char *from = w->structure + w->at;

	if (!skip(w, WORD))
		return false;
	*out = word(from);
	return true;
}

static enum fdt_event begin_node(struct fdt_walk *w)
{
	size_t room = w->structure_bytes - w->at;

	w->name = (const char *)w->structure + w->at;
	w->depth++;
	return skip(w, length(w->name, room) + 1) ? FDT_NODE : FDT_BAD;
}

static enum fdt_event property(struct fdt_walk *w)
{
	uint32_t bytes;
	uint32_t name;

	if (w->depth == 0 || !take_word(w, &bytes) || !take_word(w, &name))
		return FDT_BAD;
	if (name >= w->strings_bytes ||
	    length(w->strings + name, w->strings_bytes - name) == w->strings_bytes - name)
		return FDT_BAD;
	w->name = w->strings + name;
	w->value = w->structure + w->at;
	w->bytes = bytes;
	return skip(w, bytes) ? FDT_PROPERTY : FDT_BAD;
}

enum fdt_event fdt_next(struct fdt_walk *w)
{
	uint32_t token;

	while (take_word(w, &token)) {
		switch (token) {
		case BEGIN_NODE:
			return begin_node(w);
		case END_NODE:
			return w->depth-- > 0 ? FDT_NODE_END : FDT_BAD;
		case PROPERTY:
			return property(w);
		case NOP:
			break;
		case END:
			return w->depth == 0 ? FDT_END : FDT_BAD;
		default:
			return FDT_BAD;
		}
	}
	return FDT_BAD;
}

bool fdt_cells(const unsigned char *value, size_t bytes, size_t i, unsigned int cells,
	       uint64_t *out)
{
	size_t there = bytes / WORD;

	if (cells > 2 || i > there || cells > there - i)
		return false;
	*out = 0;
	for (unsigned int n = 0; n < cells; n++)
		*out = *out << 32 | word(value + (i + n) * WORD);
	return true;
}

bool fdt_same(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

bool fdt_has(const unsigned char *value, size_t bytes, const char *string)
{
	const char *list = (const char *)value;

	while (bytes > 0) {
		size_t n = length(list, bytes);

		if (n == bytes)
			return false;
		if (fdt_same(list, string))
			return true;
		list += n + 1;
		bytes -= n + 1;
	}
	return false;
}
