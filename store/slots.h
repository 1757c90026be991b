/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slots.h - which slots of a store are in use, and which hold clean copies that may be stolen.
 *
 * A store of ours has slots 0, 1, 2...; the location token is the slot's number times the page size,
 * so 0 is a legal token. A slot is FREE, TAKEN (the store's RESERVED or STORED) or CACHED: the clean
 * copy of what is in a page frame, which is BACKED and knows the slot (z_page_frame_store_get).
 *
 * Theory: free slots are a list (last freed, first used); CACHED slots are a queue by age, doubly
 * linked because a copy can leave from the middle. Each CACHED slot knows its frame, so that stealing
 * the oldest copy and clearing BACKED of the robbed frame takes constant time. 12 bytes a slot, made
 * as slots are first used. One slot is always made ready beyond what eviction ahead of need may
 * take: a full store, or a budget used up, cannot starve a fault.
 *
 * The frame is kept as a signed number of 8-byte steps from the first frame ever cached: frames of
 * one pager lie in one array. A frame farther away than 4 GiB gets no clean copy; its slot is freed.
 *
 * Misuse (a slot freed twice, one never given) is recorded, changes nothing, and is what
 * z_slots_check reports ever after.
 *
 * Locks: every function with the pager lock held (or, inside a tier, the tier's lock). Freestanding.
 */
#ifndef STORE_SLOTS_H
#define STORE_SLOTS_H

#include <zpager/store.h>

#include "table.h"

#define Z_SLOT_NONE UINT32_MAX

/* What the store that owns the slots does about them; either may be NULL. */
struct z_slots_hooks {
	/* grow - slot is used for the first time. 0 | Z_ERR_NOSPC: it cannot be, ask again later. */
	int (*grow)(void *ctx, uint32_t slot);
	/* drop - the clean copy in slot is given up; the slot is about to be free. */
	void (*drop)(void *ctx, uint32_t slot);
};

struct z_slots {
	struct z_table table;       /* [P] struct slot, slots 0 to fresh - 1 */
	struct z_slots_hooks hooks; /* [I] */
	void *ctx;                  /* [I] */
	struct z_page_frame *base;  /* [P] the first frame ever cached */
	uint32_t capacity;          /* [I] */
	uint32_t fresh;             /* [P] slots below it were used at least once */
	uint32_t free_head;         /* [P] */
	uint32_t free_count;        /* [P] on the list, not counting those never used */
	uint32_t oldest;            /* [P] ends of the queue of CACHED slots */
	uint32_t newest;            /* [P] */
	uint32_t cached_count;      /* [P] */
	int misuse;                 /* [P] line of the first misuse, 0 if none */
	uint64_t stolen;            /* [P] */
};

/*
 * z_slots_open - capacity: at least 2, at most Z_SLOTS_MAX. env stays valid for its life.
 *   0 | Z_ERR_INVAL | Z_ERR_NOMEM; *slots may be closed in any case.
 */
#define Z_SLOTS_MAX (UINT32_MAX - 1U)
Z_MUST_CHECK int z_slots_open(struct z_slots *slots, const struct z_store_env *env,
			      uint64_t capacity, const struct z_slots_hooks *hooks, void *ctx);

/* z_slots_close - give the memory back. */
void z_slots_close(struct z_slots *slots);

/*
 * z_slots_get - a slot for pf, as location_get: its own again if BACKED; a free one; a stolen one.
 *   *again_out (may be NULL): it is its own again. 0 | Z_ERR_NOSPC nothing changed.
 */
Z_MUST_CHECK int z_slots_get(struct z_slots *slots, struct z_page_frame *pf, enum z_store_want want,
			     uint32_t *slot_out, bool *again_out);

/* z_slots_put - the slot is free again. false: misuse, nothing changed. */
bool z_slots_put(struct z_slots *slots, uint32_t slot);

/* z_slots_cache - TAKEN becomes CACHED, pf BACKED. false: not possible (the caller frees it). */
Z_MUST_CHECK bool z_slots_cache(struct z_slots *slots, uint32_t slot, struct z_page_frame *pf);

/* z_slots_uncache - CACHED becomes TAKEN, the frame no longer BACKED. false: it is neither. */
bool z_slots_uncache(struct z_slots *slots, uint32_t slot);

/* z_slots_steal - free the oldest clean copy. false: there is none. */
bool z_slots_steal(struct z_slots *slots);

/* z_slots_renew - a CACHED slot becomes the newest of them. */
void z_slots_renew(struct z_slots *slots, uint32_t slot);

/* z_slots_in_use - is slot TAKEN or CACHED? */
bool z_slots_in_use(const struct z_slots *slots, uint32_t slot);

/* z_slots_is_cached - is slot CACHED? */
bool z_slots_is_cached(const struct z_slots *slots, uint32_t slot);

/* z_slots_fetch - the slot will be used soon. May be called without the lock, for one TAKEN. */
void z_slots_fetch(const struct z_slots *slots, uint32_t slot);

/* z_slots_check - 0, or the line of what is wrong, or of the first misuse. Looks at every slot. */
int z_slots_check(const struct z_slots *slots);

/* z_slots_used - slots TAKEN or CACHED. */
static inline uint32_t z_slots_used(const struct z_slots *slots)
{
	return slots->fresh - slots->free_count;
}

static inline z_loc_t z_slot_loc(uint32_t slot)
{
	return z_loc((uintptr_t)slot * Z_PAGE_SIZE);
}

/* z_loc_slot - the slot of a token; Z_SLOT_NONE if it cannot be a token of ours. */
static inline uint32_t z_loc_slot(z_loc_t loc)
{
	uintptr_t slot = loc.v / Z_PAGE_SIZE;

	return slot < Z_SLOT_NONE && z_is_page_aligned(loc.v) ? (uint32_t)slot : Z_SLOT_NONE;
}

#endif /* STORE_SLOTS_H */
