/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lz4_store.h - what lz4.c (locations, RAM, opening), lz4_page.c (pages out and in) and lz4_cold.c (those
 * out for long) share.
 * Purpose, theory and locks stand in lz4.c.
 */
#ifndef STORE_LZ4_STORE_H
#define STORE_LZ4_STORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "lz4_workers.h"
#include "lz4_zstd.h"
#include "pool.h"
#include "slots.h"

enum lz4_kind { LZ4_NOTHING, LZ4_SAME, LZ4_CODED, LZ4_WORDS, LZ4_RAW, LZ4_ZSTD };

#define LZ4_REFUSED 1U /* in bytes, of NOTHING: the last page_out was refused as not worthwhile */

/* What is known of a slot. The fields are the store's lock's. */
struct lz4_entry {
	uint32_t page;            /* objects, RAW: in the pool; SAME: the low half of the word */
	uint32_t sum;             /* checksum; SAME: the high half of the word */
	uint16_t bytes;           /* objects: length; NOTHING: 0 or LZ4_REFUSED */
	uint16_t place : 10;      /* objects: steps from the page's beginning */
	uint16_t kind : 3;        /* enum lz4_kind; CODED, WORDS and ZSTD are objects of the pool */
	uint16_t has_promise : 1; /* a page of the pool is promised to it */
	uint16_t is_old : 1;      /* neither put out nor got in since the hand came by */
	uint16_t was_tried : 1;   /* to code it again; not once more */
};

_Static_assert(sizeof(struct lz4_entry) == 12, "24 bytes a slot, with those of slots.h");
_Static_assert(CONFIG_MMU_PAGE_SIZE <= 65536, "a length fits in 16 bits, a place in 10");

struct lz4_store {
	struct z_store store; /* its env is the counting one */
	struct z_store_env outer;
	uint64_t limit_pages; /* [I] */
	bool only_worthwhile; /* [I] pages that hardly compress are refused */
	atomic_size_t ram_pages;
	bool keep_copies;
	bool own;
	atomic_bool is_short;   /* of RAM: a page that is put out pays by coding others again */
	struct z_slots slots;   /* [P] */
	struct z_table entries; /* [P] to grow */
	struct lz4_workers workers;
	struct lz4_zstd zstd;
	pthread_mutex_t lock;
	struct z_pool pool; /* [lock] and the figures below */
	uint64_t stored_bytes;
	uint64_t same_filled;
	uint64_t raw;
	uint64_t recoded;
	uint32_t made; /* entries there are */
	uint32_t hand; /* the next of them to be looked at for its age */
};

static inline struct lz4_store *lz4_of(struct z_store *store)
{
	return (struct lz4_store *)store;
}

static inline struct lz4_entry *lz4_entry_of(const struct lz4_store *lz4, uint32_t slot)
{
	return z_table_at(&lz4->entries, slot);
}

static inline bool lz4_is_object(enum lz4_kind kind)
{
	return kind == LZ4_CODED || kind == LZ4_WORDS || kind == LZ4_ZSTD;
}

static inline struct z_place lz4_place_of(const struct lz4_entry *entry)
{
	return (struct z_place){entry->page, (uint32_t)entry->place * Z_POOL_STEP};
}

static inline void lz4_set_place(struct lz4_entry *entry, struct z_place place)
{
	entry->page = place.page;
	entry->place = (place.offset / Z_POOL_STEP) & 0x3ffU;
}

/*
 * All with the store's lock held.
 * lz4_entry_clear - the contents of a slot go; the slot stays.
 * lz4_entry_promise - a page of the pool is promised to it, and spare more could be.
 * lz4_entry_redeem - it needs no promise any more.
 * lz4_entry_fill - a slot with no contents gets such; a page of the pool is promised for it.
 * lz4_entry_read - its bytes, a page at most. false: SAME or NOTHING, which have none.
 */
void lz4_entry_clear(struct lz4_store *lz4, struct lz4_entry *entry);
bool lz4_entry_promise(struct lz4_store *lz4, struct lz4_entry *entry, uint32_t spare);
void lz4_entry_redeem(struct lz4_store *lz4, struct lz4_entry *entry);
void lz4_entry_fill(struct lz4_store *lz4, uint32_t slot, enum lz4_kind kind, const void *data,
		    size_t bytes, uint32_t sum);
bool lz4_entry_read(const struct lz4_store *lz4, const struct lz4_entry *entry, char *buffer);

/* The checksum; and a page from the bytes that its entry had: 0 | Z_ERR_CORRUPT. No lock needed. */
uint32_t lz4_sum_of(const void *data, size_t bytes);
Z_MUST_CHECK int lz4_decode(struct lz4_store *lz4, const struct lz4_entry *entry, const char *from,
			    void *page);

/*
 * lz4_cold_notice - is RAM short? Pager lock held.
 * lz4_cold_step - so many pages were put out. No lock held.
 */
void lz4_cold_notice(struct lz4_store *lz4);
void lz4_cold_step(struct lz4_store *lz4, size_t pages);

/* The page operations, as in struct z_store_ops. */
int lz4_page_out(struct z_store *store, z_loc_t loc, const void *page);
size_t lz4_page_out_many(struct z_store *store, struct z_store_io *ios, size_t n);
int lz4_page_in(struct z_store *store, z_loc_t loc, void *page);

#endif /* STORE_LZ4_STORE_H */
