/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lz4.c - data pages that are out stay in RAM, compressed.
 *
 * Theory: a page that repeats one 64-bit word is kept as that word; one that is coded (coder.h: by LZ4 or
 * as words) to less than about a page less 64 bytes is an object of the pool (pool.h: packed without
 * holes); any other is kept raw in a whole page. What is known of a slot is 12 bytes, beside the 12 of
 * slots.h. Every page but the first kind has a checksum of 32 bits, verified when it comes back.
 *
 * RAM: everything is charged, data as it grows and metadata. location_get promises one page, which
 * is the worst case, so that page_out cannot fail for lack of space; page_out gives back what it did
 * not need. If nothing can be promised, clean copies are stolen, then it is Z_ERR_NOSPC. One page is
 * kept ready for faults. Exception: a page put out again to a clean copy's location may find no room
 * for a worse compression than before; then page_out says Z_ERR_NOSPC.
 * A store with a limit of its own keeps every clean copy until a page needs the room. Without one they
 * take RAM that frames could use: at most a quarter of the slots in use, and 16.
 *
 * Locks: slots belong to the pager lock; pool, metadata contents and figures to the store's own,
 * which is taken inside the pager lock and held for short copies only. Pages are coded outside of it, in
 * one of a few workers (state and buffer made at open), each with its own lock that is taken before the
 * store's; they are decoded with no lock at all, from a copy on the stack. Callers have signals blocked.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>

#include "hosted.h"
#include "lz4_store.h"
#include "mem.h"

#define SLOTS_LIMIT  ((uint64_t)1 << 28)
#define COPIES_LEAST 16U
#define COPIES_SHARE 4U

/* A page is expected to shrink to a quarter: the number of pages promised (see store/README.md). */
#define EXPECTED_RATIO 4U

#define LEFT_TO_OTHERS 16U /* pages */

#define WORKERS_SHARE 8U /* of a store's limit, for its workers */

/* With own RAM of so many pages (32 MiB) the pool takes it in large pieces and keeps it. */
#define KEEPS_PAGES ((32U << 20) / Z_PAGE_SIZE)

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

void lz4_entry_clear(struct lz4_store *lz4, struct lz4_entry *entry)
{
	struct z_place place = lz4_place_of(entry);
	uint32_t moved;

	switch ((enum lz4_kind)entry->kind) {
	case LZ4_NOTHING:
		break;
	case LZ4_SAME:
		lz4->same_filled--;
		lz4->stored_bytes -= sizeof(uint64_t);
		break;
	case LZ4_RAW:
		lz4->raw--;
		lz4->stored_bytes -= Z_PAGE_SIZE;
		z_pool_page_give(&lz4->pool, entry->page);
		break;
	case LZ4_ZSTD:
	case LZ4_CODED:
	case LZ4_WORDS:
		lz4->recoded -= entry->kind == LZ4_ZSTD;
		lz4->stored_bytes -= entry->bytes;
		moved = z_pool_remove(&lz4->pool, place, entry->bytes);
		if (moved != Z_POOL_NONE) {
			lz4_set_place(lz4_entry_of(lz4, moved), place);
		}
		break;
	}
	entry->kind = LZ4_NOTHING;
	entry->bytes = 0;
}

void lz4_entry_redeem(struct lz4_store *lz4, struct lz4_entry *entry)
{
	if (entry->has_promise != 0) {
		entry->has_promise = 0;
		z_pool_redeem(&lz4->pool);
	}
}

bool lz4_entry_promise(struct lz4_store *lz4, struct lz4_entry *entry, uint32_t spare)
{
	if (entry->has_promise == 0 && z_pool_promise(&lz4->pool, spare)) {
		entry->has_promise = 1;
	}
	return entry->has_promise != 0;
}

static void slot_drop(void *ctx, uint32_t slot)
{
	struct lz4_store *lz4 = ctx;
	struct lz4_entry *entry = lz4_entry_of(lz4, slot);

	(void)pthread_mutex_lock(&lz4->lock);
	lz4_entry_clear(lz4, entry);
	lz4_entry_redeem(lz4, entry);
	(void)pthread_mutex_unlock(&lz4->lock);
}

static int slot_grow(void *ctx, uint32_t slot)
{
	struct lz4_store *lz4 = ctx;
	int err = z_table_grow(&lz4->entries, slot);

	if (err == 0) {
		(void)pthread_mutex_lock(&lz4->lock);
		lz4->made = slot + 1;
		(void)pthread_mutex_unlock(&lz4->lock);
	}
	return err;
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
		ok = lz4_entry_promise(lz4, lz4_entry_of(lz4, slot), spare);
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
	lz4_cold_notice(lz4);
	*loc_out = z_slot_loc(slot);
	return 0;
}

static void lz4_location_free(struct z_store *store, z_loc_t loc)
{
	slot_free(lz4_of(store), z_loc_slot(loc));
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
	lz4_entry_redeem(lz4, lz4_entry_of(lz4, slot));
	(void)pthread_mutex_unlock(&lz4->lock);
	while (lz4->limit_pages == UINT64_MAX &&
	       lz4->slots.cached_count > COPIES_LEAST + z_slots_used(&lz4->slots) / COPIES_SHARE) {
		(void)z_slots_steal(&lz4->slots);
	}
}

static void lz4_page_unwritten(struct z_store *store, z_loc_t loc)
{
	struct lz4_store *lz4 = lz4_of(store);

	(void)pthread_mutex_lock(&lz4->lock);
	lz4_entry_redeem(lz4, lz4_entry_of(lz4, z_loc_slot(loc)));
	(void)pthread_mutex_unlock(&lz4->lock);
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
	out->recoded = lz4->recoded;
	(void)pthread_mutex_unlock(&lz4->lock);
}

/* Do the slots in use, by their entries, add up to the figures? */
static int check_entries(const struct lz4_store *lz4)
{
	uint64_t same = 0;
	uint64_t raw = 0;
	uint64_t recoded = 0;
	uint64_t bytes = 0;
	uint32_t promised = 0;

	for (uint32_t slot = 0; slot < lz4->slots.fresh; slot++) {
		const struct lz4_entry *entry = lz4_entry_of(lz4, slot);

		if (!z_slots_in_use(&lz4->slots, slot)) {
			if (entry->kind != LZ4_NOTHING || entry->has_promise != 0) {
				return __LINE__;
			}
			continue;
		}
		promised += entry->has_promise;
		same += entry->kind == LZ4_SAME ? 1U : 0U;
		raw += entry->kind == LZ4_RAW ? 1U : 0U;
		recoded += entry->kind == LZ4_ZSTD ? 1U : 0U;
		bytes += lz4_is_object(entry->kind) ? entry->bytes : 0U;
	}
	bytes += same * sizeof(uint64_t) + raw * Z_PAGE_SIZE;
	if (same != lz4->same_filled || raw != lz4->raw || recoded != lz4->recoded ||
	    bytes != lz4->stored_bytes || promised != lz4->pool.promised) {
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

	lz4_zstd_close(&lz4->zstd, &lz4->store.env);
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
	.page_out_many = lz4_page_out_many,
	.page_in = lz4_page_in,
	.page_finalize = lz4_page_finalize,
	.page_unwritten = lz4_page_unwritten,
	.stats = lz4_stats,
	.check = lz4_check,
	.close = lz4_close,
};

static int open_parts(struct lz4_store *lz4, bool zstd)
{
	static const struct z_slots_hooks hooks = {.grow = slot_grow, .drop = slot_drop};
	const struct z_store_env *env = &lz4->store.env;
	uint64_t limit = lz4->limit_pages < SLOTS_LIMIT ? lz4->limit_pages : SLOTS_LIMIT;
	int err = z_slots_open(&lz4->slots, env, SLOTS_LIMIT, &hooks, lz4);

	if (err == 0) {
		err = z_table_open(&lz4->entries, env, SLOTS_LIMIT, sizeof(struct lz4_entry));
	}
	if (err == 0) {
		err = z_pool_open(&lz4->pool, env, lz4->own && lz4->limit_pages >= KEEPS_PAGES);
	}
	if (err == 0) {
		err = lz4_workers_open(&lz4->workers, env, limit / WORKERS_SHARE);
	}
	return err != 0 || !zstd ? err : lz4_zstd_open(&lz4->zstd, env, lz4->workers.count);
}

/*
 * Held for less than a microsecond, so that waiting awake is cheaper than to sleep: being woken takes
 * tens of them on a virtual machine.
 */
static void lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	(void)pthread_mutexattr_init(&attr);
	(void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	(void)pthread_mutex_init(lock, &attr);
	(void)pthread_mutexattr_destroy(&attr);
}

void z_lz4_only_worthwhile(struct z_store *store)
{
	lz4_of(store)->only_worthwhile = true;
}

int z_lz4_open(const struct z_store_env *env, const struct z_lz4_options *options,
	       struct z_store **out)
{
	struct z_store_env outer = *env;
	struct lz4_store *lz4;

	if (options->own) {
		outer.charge = NULL;
		outer.uncharge = NULL;
	}
	lz4 = z_env_take(&outer, head_pages());
	if (lz4 == NULL) {
		return Z_ERR_NOMEM;
	}
	lz4->store.ops = &z_lz4_ops;
	lz4->store.caps =
		Z_STORE_PARALLEL | Z_STORE_BATCH | (options->keep_copies ? Z_STORE_KEEPS_COPY : 0U);
	lz4->store.env = (struct z_store_env){lz4, counted_alloc, counted_free, counted_charge,
					      counted_uncharge};
	lz4->outer = outer;
	lz4->limit_pages = options->bytes != 0 ? options->bytes / Z_PAGE_SIZE : UINT64_MAX;
	lz4->keep_copies = options->keep_copies;
	lz4->own = options->own;
	atomic_init(&lz4->ram_pages, head_pages());
	lock_init(&lz4->lock);
	if (open_parts(lz4, options->zstd) != 0) {
		lz4_close(&lz4->store);
		return Z_ERR_NOMEM;
	}
	*out = &lz4->store;
	return 0;
}
