/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tier_move.c - which pages of A are the oldest, and how they are moved to B.
 * Purpose, theory and locks stand in tier.c.
 */
#include "tier.h"

#include "mem.h"

#define LOOKED_AT (4U * TIER_BATCH)

/* ---- A's queue -------------------------------------------------------------------------------- */

void tier_queue_append(struct tier_store *tier, uint32_t slot)
{
	struct entry *entry = tier_entry(tier, slot);

	entry->next = Z_SLOT_NONE;
	entry->prev = tier->newest;
	entry->queued = true;
	if (tier->newest == Z_SLOT_NONE) {
		tier->oldest = slot;
	} else {
		tier_entry(tier, tier->newest)->next = slot;
	}
	tier->newest = slot;
	tier->queued++;
}

void tier_queue_remove(struct tier_store *tier, uint32_t slot)
{
	struct entry *entry = tier_entry(tier, slot);

	if (!entry->queued) {
		return;
	}
	if (entry->prev == Z_SLOT_NONE) {
		tier->oldest = entry->next;
	} else {
		tier_entry(tier, entry->prev)->next = entry->next;
	}
	if (entry->next == Z_SLOT_NONE) {
		tier->newest = entry->prev;
	} else {
		tier_entry(tier, entry->next)->prev = entry->prev;
	}
	entry->queued = false;
	tier->queued--;
}

/* The queue: linked both ways, only pages of A, as long as it says. */
int tier_queue_check(const struct tier_store *tier)
{
	uint32_t n = 0;
	uint32_t prev = Z_SLOT_NONE;

	for (uint32_t slot = tier->oldest; slot != Z_SLOT_NONE;
	     slot = tier_entry(tier, slot)->next) {
		const struct entry *entry = tier_entry(tier, slot);

		if (++n > tier->queued || entry->prev != prev || !entry->queued ||
		    entry->where != IN_A || !z_slots_in_use(&tier->slots, slot)) {
			return __LINE__;
		}
		prev = slot;
	}
	return n == tier->queued && prev == tier->newest ? 0 : __LINE__;
}

/* ---- demotion --------------------------------------------------------------------------------- */

/* The oldest pages of A that may go, each with a location in B. Returns how many. */
static uint32_t choose_moves(struct tier_store *tier)
{
	uint32_t n = 0;
	uint32_t look = tier->queued < LOOKED_AT ? tier->queued : LOOKED_AT;

	for (; look > 0 && n < TIER_BATCH; look--) {
		uint32_t slot = tier->oldest;
		struct entry *entry = tier_entry(tier, slot);
		bool stays = entry->busy || entry->touched || z_slots_is_cached(&tier->slots, slot);

		if (!stays && !tier_part_get(tier, IN_B, Z_WANT_FOR_EVICT, &tier->ios[n].loc)) {
			break;
		}
		tier_queue_remove(tier, slot);
		entry->touched = false;
		if (stays) {
			tier_queue_append(tier, slot);
			continue;
		}
		entry->moving = true;
		tier->moves[n] = (struct move){.slot = slot, .from = entry->loc};
		n++;
	}
	return n;
}

/* Read from A, write to B; no lock held. */
static void carry(struct tier_store *tier, uint32_t n)
{
	struct z_store *a = tier->parts[IN_A];
	struct z_store *b = tier->parts[IN_B];

	for (uint32_t i = 0; i < n; i++) {
		unsigned char *page = tier->pages + i * Z_PAGE_SIZE;

		tier->moves[i].read = a->ops->page_in(a, tier->moves[i].from, page) == 0;
		if (!tier->moves[i].read) {
			memset(page, 0, Z_PAGE_SIZE);
		}
		tier->ios[i].page = page;
	}
	if (b->ops->page_out_many != NULL) {
		(void)b->ops->page_out_many(b, tier->ios, n);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		tier->ios[i].status = b->ops->page_out(b, tier->ios[i].loc, tier->ios[i].page);
	}
}

static void end_move(struct tier_store *tier, const struct move *move, const struct z_store_io *io)
{
	struct entry *entry = tier_entry(tier, move->slot);

	entry->moving = false;
	if (!move->read || io->status != 0) {
		tier_part_free(tier, IN_B, io->loc);
		tier_queue_append(tier, move->slot);
	} else {
		tier_part_free(tier, IN_A, move->from);
		entry->where = IN_B;
		entry->loc = io->loc;
		tier->demoted++;
	}
	if (entry->dead) {
		entry->dead = false;
		tier->dead--;
		tier_slot_free(tier, move->slot);
	}
}

/* Make room in A if somebody missed it. No lock held. */
void tier_demote(struct tier_store *tier)
{
	uint32_t n = 0;

	if (!atomic_load_explicit(&tier->wants_room, memory_order_relaxed)) {
		return;
	}
	(void)pthread_mutex_lock(&tier->lock);
	if (!tier->demoting) {
		atomic_store_explicit(&tier->wants_room, false, memory_order_relaxed);
		n = choose_moves(tier);
		tier->demoting = n != 0;
	}
	(void)pthread_mutex_unlock(&tier->lock);
	if (n == 0) {
		return;
	}
	carry(tier, n);
	(void)pthread_mutex_lock(&tier->lock);
	for (uint32_t i = 0; i < n; i++) {
		end_move(tier, &tier->moves[i], &tier->ios[i]);
	}
	tier->demoting = false;
	(void)pthread_cond_broadcast(&tier->moved);
	(void)pthread_mutex_unlock(&tier->lock);
}
