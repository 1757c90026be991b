/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgt_pages.c - page numbers become small indices.
 *
 * Theory: open addressing with linear steps, at most half full; the table holds indices into the
 * list of numbers, so growing it moves no number. Cost O(1) a look-up.
 * Locks: none. Limits: PGT_PAGES_MAX pages.
 */
#include <stdlib.h>

#include "pgt.h"

#define FIRST_ROOM 1024U

static uint32_t hash_of(uint64_t number)
{
	uint64_t x = number * UINT64_C(0x9E3779B97F4A7C15);

	return (uint32_t)(x >> 32);
}

/* The slot of the number, or the free one where it belongs. */
static uint32_t *slot_of(const struct pgt_pages *p, uint64_t number)
{
	uint32_t i = hash_of(number) & p->mask;

	while (p->slots[i] != 0 && p->number[p->slots[i] - 1] != number) {
		i = (i + 1) & p->mask;
	}
	return &p->slots[i];
}

static bool grow(struct pgt_pages *p)
{
	uint32_t room = p->room > 0 ? p->room * 2 : FIRST_ROOM;
	uint32_t *slots;
	uint64_t *number;

	if (p->count >= PGT_PAGES_MAX) {
		return false;
	}
	number = realloc(p->number, room * sizeof(*number));
	if (number == NULL) {
		return false;
	}
	p->number = number;
	slots = calloc((size_t)room * 2, sizeof(*slots));
	if (slots == NULL) {
		return false;
	}
	free(p->slots);
	p->slots = slots;
	p->room = room;
	p->mask = room * 2 - 1;
	for (uint32_t i = 0; i < p->count; i++) {
		*slot_of(p, p->number[i]) = i + 1;
	}
	return true;
}

uint32_t pgt_pages_index(struct pgt_pages *p, uint64_t number)
{
	uint32_t *slot;

	if (p->count == p->room && !grow(p)) {
		return PGT_NO_PAGE;
	}
	slot = slot_of(p, number);
	if (*slot == 0) {
		p->number[p->count++] = number;
		*slot = p->count;
	}
	return *slot - 1;
}

void pgt_pages_free(struct pgt_pages *p)
{
	free(p->number);
	free(p->slots);
	*p = (struct pgt_pages){.number = NULL};
}
