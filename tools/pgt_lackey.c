/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgt_lackey.c - lines of valgrind's lackey become references.
 *
 *   I  0401ab70,3       an instruction of 3 bytes is fetched
 *    S 1fff000618,8     a store; L a load, M both
 *
 * Every other line (valgrind's own begin with "==") is skipped. An access that reaches into the next
 * page is one to each. A tick after each million of instructions.
 *
 * Locks: none. Limits: lines of PGT_LACKEY_LINE characters; pages of 4 KiB.
 */
#include <string.h>

#include "pgt.h"
#include "pgt_lackey.h"

#define PAGE_BITS         12U
#define TICK_INSTRUCTIONS 1000000U

static unsigned int kind_of(const char *line)
{
	if (line[0] == 'I') {
		return PGT_FETCH;
	}
	if (line[0] != ' ') {
		return 0;
	}
	switch (line[1]) {
	case 'L':
		return PGT_READ;
	case 'S':
		return PGT_WRITE;
	case 'M':
		return PGT_READ | PGT_WRITE;
	default:
		return 0;
	}
}

static unsigned int digit_of(char c)
{
	if (c >= '0' && c <= '9') {
		return (unsigned int)(c - '0');
	}
	if (c >= 'a' && c <= 'f') {
		return (unsigned int)(c - 'a') + 10;
	}
	return 16;
}

/* line ends with something that is no digit. */
static void take_line(struct pgt_lackey *l, const char *line, size_t length)
{
	unsigned int kind = length > 4 ? kind_of(line) : 0;
	const char *at = line + 3;
	uint64_t address = 0;
	uint64_t size = 0;
	unsigned int digit;

	if (kind == 0 || line[2] != ' ') {
		return;
	}
	while ((digit = digit_of(*at)) < 16) {
		address = address << 4 | digit;
		at++;
	}
	if (*at != ',') {
		return;
	}
	for (at++; (digit = digit_of(*at)) < 10; at++) {
		size = size * 10 + digit;
	}
	if (size == 0) {
		return;
	}
	for (uint64_t page = address >> PAGE_BITS; page <= (address + size - 1) >> PAGE_BITS;
	     page++) {
		l->to.ref(l->to.to, page, kind);
	}
	if (kind == PGT_FETCH && ++l->instructions % TICK_INSTRUCTIONS == 0) {
		l->to.tick(l->to.to);
	}
}

/* The line that was begun by the piece before. Returns what it took of this one. */
static size_t end_part(struct pgt_lackey *l, const char *text, size_t length)
{
	const char *end = memchr(text, '\n', length);
	size_t taken = end != NULL ? (size_t)(end - text) + 1 : length;
	size_t room = sizeof(l->part) - l->part_length;
	size_t copied = taken < room ? taken : room;

	memcpy(l->part + l->part_length, text, copied);
	l->part_length += copied;
	if (end != NULL) {
		if (l->part[l->part_length - 1] == '\n') {
			take_line(l, l->part, l->part_length);
		}
		l->part_length = 0;
	}
	return taken;
}

void pgt_lackey_feed(struct pgt_lackey *l, const char *text, size_t length)
{
	const char *end;
	size_t at = 0;

	if (l->part_length > 0) {
		at = end_part(l, text, length);
	}
	while (at < length) {
		end = memchr(text + at, '\n', length - at);
		if (end == NULL) {
			(void)end_part(l, text + at, length - at);
			return;
		}
		take_line(l, text + at, (size_t)(end - text) + 1 - at);
		at = (size_t)(end - text) + 1;
	}
}
