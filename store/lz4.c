/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lz4.c - data pages that are out stay in RAM, compressed with LZ4.
 *
 * Theory: a page that repeats one 64-bit word is kept as that word; one that compresses to less than
 * about a page less 64 bytes is an object of the pool (pool.h: packed without holes); any other is
 * kept raw in a whole page. What is known of a slot is 12 bytes, beside the 12 of slots.h.
 * Every coded page has a checksum of 32 bits, verified when it comes back.
 *
 * RAM: everything is charged, data as it grows and metadata. location_get promises one page, which
 * is the worst case, so that page_out cannot fail for lack of space; page_out gives back what it did
 * not need. If nothing can be promised, clean copies are stolen, then it is Z_ERR_NOSPC. One page is
 * kept ready for faults. Exception: a page put out again to a clean copy's location may find no room
 * for a worse compression than before; then page_out says Z_ERR_NOSPC.
 * Clean copies take RAM that frames could use: at most a quarter of the slots in use, and 16.
 *
 * Locks: slots belong to the pager lock; pool, metadata contents and figures to the store's own,
 * which is taken inside the pager lock and held for short copies only. Compression and decompression
 * run outside of it, in one of a few workers (state and buffer made at open), each with its own lock
 * that is taken before the store's. Callers have signals blocked.
 */
#include <lz4.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <xxhash.h>

#include "hosted.h"
#include "lz4_workers.h"
#include "mem.h"
#include "pool.h"
#include "slots.h"

#define SLOTS_LIMIT ((uint64_t)1 << 28)

/* What a page may keep of its size to be worth RAM that a page frame could be instead. */
#define WORTHWHILE_BYTES ((int)Z_PAGE_SIZE / 4 * 3)
#define COPIES_LEAST     16U
#define COPIES_SHARE     4U

/* A page is expected to shrink to a quarter: the number of pages promised (see store/README.md). */
#define EXPECTED_RATIO 4U

#define LEFT_TO_OTHERS 16U /* pages */

enum kind { NOTHING, SAME, CODED, RAW };

#define REFUSED 1U /* in bytes, of NOTHING: the last page_out was refused as not worthwhile */

/* What is known of a slot. The fields are the store's lock's. */
struct entry {
	uint32_t page;            /* CODED, RAW: in the pool; SAME: the low half of the word */
	uint32_t sum;             /* checksum; SAME: the high half of the word */
	uint16_t bytes;           /* CODED: length; NOTHING: 0 or REFUSED */
	uint16_t place : 13;      /* CODED: steps from the page's beginning */
	uint16_t kind : 2;        /* enum kind */
	uint16_t has_promise : 1; /* a page of the pool is promised to it */
};

_Static_assert(sizeof(struct entry) == 12, "24 bytes a slot, with those of slots.h");
_Static_assert(CONFIG_MMU_PAGE_SIZE <= 65536, "a length fits in 16 bits");

struct lz4_store {
	struct z_store store; /* its env is the counting one */
	struct z_store_env outer;
	uint64_t limit_pages; /* [I] */
	bool only_worthwhile; /* [I] pages that hardly compress are refused */
	atomic_size_t ram_pages;
	bool keep_copies;
	bool own;
	struct z_slots slots;   /* [P] */
	struct z_table entries; /* [P] to grow */
	struct lz4_workers workers;
	pthread_mutex_t lock;
	struct z_pool pool; /* [lock] and the figures below */
	uint64_t stored_bytes;
	uint64_t same_filled;
	uint64_t raw;
};

static struct lz4_store *lz4_of(struct z_store *store)
{
	return (struct lz4_store *)store;
}

static struct entry *entry_of(const struct lz4_store *lz4, uint32_t slot)
{
	return z_table_at(&lz4->entries, slot);
}

/* ---- RAM: every part of the store asks here, so that the limit and the figure hold for all ---- */

static void *counted_alloc(void *ctx, size_t bytes)
{
	struct lz4_store *lz4 = ctx;

	return lz4->outer.alloc(lz4->outer.ctx, bytes);
}

static void counted_free(void *ctx, void *memory, size_t bytes)
{
	struct lz4_store *lz4 = ctx;

	lz4->outer.free(lz4->outer.ctx, memory, bytes);
}

/*
 * Without a limit of its own the store takes what there is but for a little: as the first part of a
 * tier it would otherwise leave nothing to the tables of the second, where its pages have to go.
 */
static int counted_charge(void *ctx, size_t pages)
{
	struct lz4_store *lz4 = ctx;
	size_t leave = lz4->limit_pages == UINT64_MAX ? LEFT_TO_OTHERS : 0;
	size_t before = atomic_fetch_add(&lz4->ram_pages, pages);

	if (before + pages > lz4->limit_pages || z_env_charge(&lz4->outer, pages + leave) != 0) {
		atomic_fetch_sub(&lz4->ram_pages, pages);
		return Z_ERR_NOSPC;
	}
	z_env_uncharge(&lz4->outer, leave);
	return 0;
}

static void counted_uncharge(void *ctx, size_t pages)
{
	struct lz4_store *lz4 = ctx;

	atomic_fetch_sub(&lz4->ram_pages, pages);
	z_env_uncharge(&lz4->outer, pages);
}

/* ---- entries; all with the store's lock held ------------------------------------------------- */

static struct z_place place_of(const struct entry *entry)
{
	return (struct z_place){entry->page, (uint32_t)entry->place * Z_POOL_STEP};
}

static void set_place(struct entry *entry, struct z_place place)
{
	entry->page = place.page;
	entry->place = (place.offset / Z_POOL_STEP) & 0x1fffU;
}

/* The contents of a slot go; the slot stays. */
static void entry_clear(struct lz4_store *lz4, struct entry *entry)
{
	struct z_place place = place_of(entry);
	uint32_t moved;

	switch ((enum kind)entry->kind) {
	case NOTHING:
		break;
	case SAME:
		lz4->same_filled--;
		lz4->stored_bytes -= sizeof(uint64_t);
		break;
	case RAW:
		lz4->raw--;
		lz4->stored_bytes -= Z_PAGE_SIZE;
		z_pool_page_give(&lz4->pool, entry->page);
		break;
	case CODED:
		lz4->stored_bytes -= entry->bytes;
		moved = z_pool_remove(&lz4->pool, place, entry->bytes);
		if (moved != Z_POOL_NONE) {
			set_place(entry_of(lz4, moved), place);
		}
		break;
	}
	entry->kind = NOTHING;
	entry->bytes = 0;
}

static void entry_redeem(struct lz4_store *lz4, struct entry *entry)
{
	if (entry->has_promise != 0) {
		entry->has_promise = 0;
		z_pool_redeem(&lz4->pool);
	}
}

static bool entry_promise(struct lz4_store *lz4, struct entry *entry, uint32_t spare)
{
	if (entry->has_promise == 0 && z_pool_promise(&lz4->pool, spare)) {
		entry->has_promise = 1;
	}
	return entry->has_promise != 0;
}

static void slot_drop(void *ctx, uint32_t slot)
{
	struct lz4_store *lz4 = ctx;
	struct entry *entry = entry_of(lz4, slot);

	(void)pthread_mutex_lock(&lz4->lock);
	entry_clear(lz4, entry);
	entry_redeem(lz4, entry);
	(void)pthread_mutex_unlock(&lz4->lock);
}

static int slot_grow(void *ctx, uint32_t slot)
{
	struct lz4_store *lz4 = ctx;

	return z_table_grow(&lz4->entries, slot);
}

static void slot_free(struct lz4_store *lz4, uint32_t slot)
{
	if (z_slots_in_use(&lz4->slots, slot)) {
		slot_drop(lz4, slot);
	}
	(void)z_slots_put(&lz4->slots, slot);
}

/* ---- operations ------------------------------------------------------------------------------ */

/* A page for this slot, even at the cost of clean copies. */
static bool promise_or_steal(struct lz4_store *lz4, uint32_t slot, uint32_t spare)
{
	bool ok;

	do {
		(void)pthread_mutex_lock(&lz4->lock);
		ok = entry_promise(lz4, entry_of(lz4, slot), spare);
		(void)pthread_mutex_unlock(&lz4->lock);
	} while (!ok && z_slots_steal(&lz4->slots));
	return ok;
}

static int lz4_location_get(struct z_store *store, struct z_page_frame *pf, enum z_store_want want,
			    z_loc_t *loc_out)
{
	struct lz4_store *lz4 = lz4_of(store);
	uint32_t slot;
	bool again;
	bool ok;
	int err = z_slots_get(&lz4->slots, pf, want, &slot, &again);

	if (err != 0) {
		return err;
	}
	ok = promise_or_steal(lz4, slot, want == Z_WANT_FOR_FAULT ? 0 : 1);
	if (!ok && !again) {
		(void)z_slots_put(&lz4->slots, slot);
		return Z_ERR_NOSPC;
	}
	*loc_out = z_slot_loc(slot);
	return 0;
}

static void lz4_location_free(struct z_store *store, z_loc_t loc)
{
	slot_free(lz4_of(store), z_loc_slot(loc));
}

static uint32_t sum_of(const void *data, size_t bytes)
{
	return (uint32_t)XXH3_64bits(data, bytes);
}

static bool is_same_filled(const void *page)
{
	return memcmp(page, (const char *)page + sizeof(uint64_t),
		      Z_PAGE_SIZE - sizeof(uint64_t)) == 0;
}

/* Each put_ function: the store's lock held, entry cleared. */
static int put_same(struct lz4_store *lz4, struct entry *entry, const void *page)
{
	uint64_t word;

	memcpy(&word, page, sizeof(word));
	entry->kind = SAME;
	entry->page = (uint32_t)word;
	entry->sum = (uint32_t)(word >> 32);
	lz4->same_filled++;
	lz4->stored_bytes += sizeof(word);
	return 0;
}

static int put_raw(struct lz4_store *lz4, struct entry *entry, const void *page)
{
	if (!entry_promise(lz4, entry, 0)) {
		return Z_ERR_NOSPC;
	}
	entry->page = z_pool_page_take(&lz4->pool);
	entry->kind = RAW;
	memcpy(z_pool_memory(&lz4->pool, entry->page), page, Z_PAGE_SIZE);
	lz4->raw++;
	lz4->stored_bytes += Z_PAGE_SIZE;
	return 0;
}

static int put_coded(struct lz4_store *lz4, uint32_t slot, const char *data, size_t bytes)
{
	struct entry *entry = entry_of(lz4, slot);

	if (!entry_promise(lz4, entry, 0)) {
		return Z_ERR_NOSPC;
	}
	set_place(entry, z_pool_add(&lz4->pool, slot, data, bytes));
	entry->kind = CODED;
	entry->bytes = (uint16_t)bytes;
	lz4->stored_bytes += bytes;
	return 0;
}

static int put(struct lz4_store *lz4, uint32_t slot, const void *page, const char *data,
	       size_t bytes)
{
	struct entry *entry = entry_of(lz4, slot);
	uint32_t sum = bytes == 0 ? sum_of(page, Z_PAGE_SIZE) : sum_of(data, bytes);
	int err;

	(void)pthread_mutex_lock(&lz4->lock);
	entry_clear(lz4, entry);
	entry->sum = sum;
	if (bytes == 0) {
		err = put_raw(lz4, entry, page);
	} else {
		err = put_coded(lz4, slot, data, bytes);
	}
	entry_redeem(lz4, entry);
	(void)pthread_mutex_unlock(&lz4->lock);
	return err;
}

/* Is the page not worth its RAM, and not insisted upon? */
static bool refuse(struct lz4_store *lz4, uint32_t slot, int bytes)
{
	struct entry *entry = entry_of(lz4, slot);
	bool insists;

	if (!lz4->only_worthwhile || (bytes > 0 && bytes <= WORTHWHILE_BYTES)) {
		return false;
	}
	(void)pthread_mutex_lock(&lz4->lock);
	insists = entry->kind == NOTHING && entry->bytes == REFUSED;
	entry_clear(lz4, entry);
	entry->bytes = (uint16_t)(insists ? 0 : REFUSED);
	(void)pthread_mutex_unlock(&lz4->lock);
	return !insists;
}

static int lz4_page_out(struct z_store *store, z_loc_t loc, const void *page)
{
	struct lz4_store *lz4 = lz4_of(store);
	uint32_t slot = z_loc_slot(loc);
	struct lz4_worker *worker;
	int bytes;
	int err;

	if (is_same_filled(page)) {
		(void)pthread_mutex_lock(&lz4->lock);
		entry_clear(lz4, entry_of(lz4, slot));
		err = put_same(lz4, entry_of(lz4, slot), page);
		entry_redeem(lz4, entry_of(lz4, slot));
		(void)pthread_mutex_unlock(&lz4->lock);
		return err;
	}
	worker = lz4_worker_lock(&lz4->workers);
	bytes = LZ4_compress_fast_extState(worker->state, page, worker->buffer, (int)Z_PAGE_SIZE,
					   (int)Z_POOL_MAX_BYTES, 1);
	err = refuse(lz4, slot, bytes)
		      ? Z_ERR_NOSPC
		      : put(lz4, slot, page, worker->buffer, bytes > 0 ? (size_t)bytes : 0);
	lz4_worker_unlock(worker);
	return err;
}

static void fill(void *page, const struct entry *entry)
{
	uint64_t word = (uint64_t)entry->sum << 32 | entry->page;
	uint64_t *at = page;

	for (size_t i = 0; i < Z_PAGE_SIZE / sizeof(word); i++) {
		at[i] = word;
	}
}

/* Copy out, under the lock, what the entry says; a copy of the entry itself too. */
static struct entry get(struct lz4_store *lz4, uint32_t slot, void *page, char *buffer)
{
	struct entry entry;

	(void)pthread_mutex_lock(&lz4->lock);
	entry = *entry_of(lz4, slot);
	if (entry.kind == CODED) {
		z_pool_read(&lz4->pool, place_of(&entry), buffer, entry.bytes);
	} else if (entry.kind == RAW) {
		memcpy(page, z_pool_memory(&lz4->pool, entry.page), Z_PAGE_SIZE);
	}
	(void)pthread_mutex_unlock(&lz4->lock);
	return entry;
}

static int lz4_page_in(struct z_store *store, z_loc_t loc, void *page)
{
	struct lz4_store *lz4 = lz4_of(store);
	struct lz4_worker *worker = lz4_worker_lock(&lz4->workers);
	struct entry entry = get(lz4, z_loc_slot(loc), page, worker->buffer);
	int err = 0;

	switch ((enum kind)entry.kind) {
	case NOTHING:
		err = Z_ERR_IO;
		break;
	case SAME:
		fill(page, &entry);
		break;
	case RAW:
		err = sum_of(page, Z_PAGE_SIZE) == entry.sum ? 0 : Z_ERR_CORRUPT;
		break;
	case CODED:
		if (sum_of(worker->buffer, entry.bytes) != entry.sum ||
		    LZ4_decompress_safe(worker->buffer, page, entry.bytes, (int)Z_PAGE_SIZE) !=
			    (int)Z_PAGE_SIZE) {
			err = Z_ERR_CORRUPT;
		}
		break;
	}
	lz4_worker_unlock(worker);
	return err;
}

static void lz4_page_finalize(struct z_store *store, struct z_page_frame *pf, z_loc_t loc)
{
	struct lz4_store *lz4 = lz4_of(store);
	uint32_t slot = z_loc_slot(loc);

	if (!lz4->keep_copies || !z_slots_cache(&lz4->slots, slot, pf)) {
		slot_free(lz4, slot);
		return;
	}
	(void)pthread_mutex_lock(&lz4->lock);
	entry_redeem(lz4, entry_of(lz4, slot));
	(void)pthread_mutex_unlock(&lz4->lock);
	while (lz4->slots.cached_count > COPIES_LEAST + z_slots_used(&lz4->slots) / COPIES_SHARE) {
		(void)z_slots_steal(&lz4->slots);
	}
}

static void lz4_stats(struct z_store *store, struct z_store_stats *out)
{
	struct lz4_store *lz4 = lz4_of(store);
	uint64_t capacity = lz4->slots.capacity;

	if (lz4->limit_pages < capacity / EXPECTED_RATIO) {
		capacity = lz4->limit_pages * EXPECTED_RATIO;
	}
	*out = (struct z_store_stats){
		.capacity_pages = capacity,
		.used_pages = z_slots_used(&lz4->slots),
		.cached_pages = lz4->slots.cached_count,
		.stolen = lz4->slots.stolen,
		.ram_bytes = (uint64_t)atomic_load(&lz4->ram_pages) * Z_PAGE_SIZE,
	};
	out->beyond_bytes = lz4->own ? out->ram_bytes : 0;
	(void)pthread_mutex_lock(&lz4->lock);
	out->stored_bytes = lz4->stored_bytes;
	out->same_filled = lz4->same_filled;
	out->raw = lz4->raw;
	(void)pthread_mutex_unlock(&lz4->lock);
}

/* Do the slots in use, by their entries, add up to the figures? */
static int check_entries(const struct lz4_store *lz4)
{
	uint64_t same = 0;
	uint64_t raw = 0;
	uint64_t bytes = 0;
	uint32_t promised = 0;

	for (uint32_t slot = 0; slot < lz4->slots.fresh; slot++) {
		const struct entry *entry = entry_of(lz4, slot);

		if (!z_slots_in_use(&lz4->slots, slot)) {
			if (entry->kind != NOTHING || entry->has_promise != 0) {
				return __LINE__;
			}
			continue;
		}
		promised += entry->has_promise;
		same += entry->kind == SAME ? 1U : 0U;
		raw += entry->kind == RAW ? 1U : 0U;
		bytes += entry->kind == CODED ? entry->bytes : 0U;
	}
	bytes += same * sizeof(uint64_t) + raw * Z_PAGE_SIZE;
	if (same != lz4->same_filled || raw != lz4->raw || bytes != lz4->stored_bytes ||
	    promised != lz4->pool.promised) {
		return __LINE__;
	}
	return z_pool_check(&lz4->pool);
}

static int lz4_check(struct z_store *store)
{
	struct lz4_store *lz4 = lz4_of(store);
	int line;

	(void)pthread_mutex_lock(&lz4->lock);
	line = check_entries(lz4);
	(void)pthread_mutex_unlock(&lz4->lock);
	return line != 0 ? line : z_slots_check(&lz4->slots);
}

static size_t head_pages(void)
{
	return z_pages_for(sizeof(struct lz4_store));
}

static void lz4_close(struct z_store *store)
{
	struct lz4_store *lz4 = lz4_of(store);
	const struct z_store_env outer = lz4->outer;

	lz4_workers_close(&lz4->workers, &lz4->store.env);
	z_pool_close(&lz4->pool);
	z_table_close(&lz4->entries);
	z_slots_close(&lz4->slots);
	(void)pthread_mutex_destroy(&lz4->lock);
	z_env_give(&outer, lz4, head_pages());
}

const struct z_store_ops z_lz4_ops = {
	.name = "lz4",
	.location_get = lz4_location_get,
	.location_free = lz4_location_free,
	.page_out = lz4_page_out,
	.page_in = lz4_page_in,
	.page_finalize = lz4_page_finalize,
	.stats = lz4_stats,
	.check = lz4_check,
	.close = lz4_close,
};

static int open_parts(struct lz4_store *lz4)
{
	static const struct z_slots_hooks hooks = {.grow = slot_grow, .drop = slot_drop};
	const struct z_store_env *env = &lz4->store.env;
	int err = z_slots_open(&lz4->slots, env, SLOTS_LIMIT, &hooks, lz4);

	if (err == 0) {
		err = z_table_open(&lz4->entries, env, SLOTS_LIMIT, sizeof(struct entry));
	}
	if (err == 0) {
		err = z_pool_open(&lz4->pool, env);
	}
	return err != 0 ? err : lz4_workers_open(&lz4->workers, env);
}

void z_lz4_only_worthwhile(struct z_store *store)
{
	lz4_of(store)->only_worthwhile = true;
}

int z_lz4_open(const struct z_store_env *env, uint64_t limit_bytes, bool keep_copies, bool own,
	       struct z_store **out)
{
	struct z_store_env outer = *env;
	struct lz4_store *lz4;

	if (own) {
		outer.charge = NULL;
		outer.uncharge = NULL;
	}
	lz4 = z_env_take(&outer, head_pages());
	if (lz4 == NULL) {
		return Z_ERR_NOMEM;
	}
	lz4->store.ops = &z_lz4_ops;
	lz4->store.caps = Z_STORE_PARALLEL | (keep_copies ? Z_STORE_KEEPS_COPY : 0U);
	lz4->store.env = (struct z_store_env){lz4, counted_alloc, counted_free, counted_charge,
					      counted_uncharge};
	lz4->outer = outer;
	lz4->limit_pages = limit_bytes != 0 ? limit_bytes / Z_PAGE_SIZE : UINT64_MAX;
	lz4->keep_copies = keep_copies;
	lz4->own = own;
	atomic_init(&lz4->ram_pages, head_pages());
	(void)pthread_mutex_init(&lz4->lock, NULL);
	if (open_parts(lz4) != 0) {
		lz4_close(&lz4->store);
		return Z_ERR_NOMEM;
	}
	*out = &lz4->store;
	return 0;
}
