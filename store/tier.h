/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tier.h - what tier.c (the operations) and tier_move.c (A's queue, and moving pages to B) share.
 * Purpose, theory and locks stand in tier.c.
 */
#ifndef STORE_TIER_H
#define STORE_TIER_H

#include <pthread.h>
#include <stdatomic.h>

#include "slots.h"

#define TIER_BATCH 16U

enum where { IN_NONE, IN_A, IN_B };

/* What is known of a slot; the tier's lock. */
struct entry {
	z_loc_t loc;
	uint32_t next; /* A's queue */
	uint32_t prev;
	uint8_t where;
	bool queued;
	bool busy;    /* a page operation on it is under way */
	bool moving;  /* a batch is taking it to B */
	bool dead;    /* freed while moving */
	bool touched; /* read since it was last at the head */
};

struct move {
	uint32_t slot;
	z_loc_t from;
	bool read; /* it came from A all right */
};

struct tier_store {
	struct z_store store;
	struct z_store *parts[3]; /* [I] by enum where */
	bool keep_copies;
	pthread_mutex_t lock;
	pthread_cond_t moved;   /* a batch of moves has ended */
	struct z_slots slots;   /* [P and lock] */
	struct z_table entries; /* [lock] to grow */
	uint32_t oldest;        /* [lock] ends of A's queue */
	uint32_t newest;
	uint32_t queued;
	uint32_t dead; /* slots that are neither free nor used */
	bool demoting; /* a batch is under way */
	uint64_t demoted;
	atomic_bool wants_room;        /* A was found full */
	struct move moves[TIER_BATCH]; /* of whoever set demoting, like the next two */
	struct z_store_io ios[TIER_BATCH];
	unsigned char *pages; /* TIER_BATCH of them */
};

static inline struct entry *tier_entry(const struct tier_store *tier, uint32_t slot)
{
	return z_table_at(&tier->entries, slot);
}

/* Locations of a part; the tier's lock held. */
static inline bool tier_part_get(struct tier_store *tier, enum where where, enum z_store_want want,
				 z_loc_t *loc_out)
{
	struct z_store *part = tier->parts[where];

	return part->ops->location_get(part, NULL, want, loc_out) == 0;
}

static inline void tier_part_free(struct tier_store *tier, enum where where, z_loc_t loc)
{
	struct z_store *part = tier->parts[where];

	part->ops->location_free(part, loc);
}

/* A's queue of pages by age; removing one that is not on it is no error. The tier's lock held. */
void tier_queue_append(struct tier_store *tier, uint32_t slot);
void tier_queue_remove(struct tier_store *tier, uint32_t slot);
int tier_queue_check(const struct tier_store *tier);

/* tier_slot_free - a slot and its location are free, or will be when its move ends. Lock held. */
void tier_slot_free(struct tier_store *tier, uint32_t slot);

/* tier_demote - make room in A if somebody missed it. No lock held. */
void tier_demote(struct tier_store *tier);

#endif /* STORE_TIER_H */
