/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ghost.c - recognising a page that comes back soon after its eviction.
 *
 * Theory. A direct-mapped table, indexed by a hash of the page's address, remembers a tag and the
 * number of the eviction. A newer ghost replaces an older one; a tag may, rarely, take one page for
 * another: the distance is a hint for eviction algorithms and counted in statistics, no more. The
 * distance is the number of evictions between leaving and coming back (the idea is the refault
 * distance of Linux's working-set detection). Cost O(1), 8 bytes an entry.
 *
 * Locks: pager lock held.
 */
#include "internal.h"

static uint64_t hash_of(uintptr_t va)
{
	uint64_t x = (uint64_t)(va / Z_PAGE_SIZE) * UINT64_C(0x9E3779B97F4A7C15);

	return x ^ (x >> 29);
}

static uint32_t tag_of(uint64_t hash)
{
	uint32_t tag = (uint32_t)(hash >> 32);

	return tag != 0 ? tag : 1;
}

static struct z_ghost *slot_of(struct z_pager *p, uint64_t hash)
{
	return &p->ghosts[hash & (p->cfg.ghosts - 1)];
}

void z__ghost_note_locked(struct z_pager *p, uintptr_t va)
{
	uint64_t hash = hash_of(va);

	p->evictions++;
	if (p->cfg.ghosts == 0)
		return;
	*slot_of(p, hash) = (struct z_ghost){tag_of(hash), p->evictions};
}

uint32_t z__ghost_take_locked(struct z_pager *p, uintptr_t va)
{
	uint64_t hash = hash_of(va);
	struct z_ghost *g;
	uint32_t distance;

	if (p->cfg.ghosts == 0)
		return 0;
	g = slot_of(p, hash);
	if (g->tag != tag_of(hash))
		return 0;
	g->tag = 0;
	distance = p->evictions - g->evicted + 1U;
	return distance;
}
