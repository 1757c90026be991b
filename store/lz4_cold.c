/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lz4_cold.c - the second level of the compressed store (zstd=yes): pages that have been out for long are
 * coded again, by zstd, when RAM gets short.
 *
 * Theory: a hand goes round over the entries. What it finds for the first time it marks as old, and
 * putting the page out or getting it in takes the mark away; what still has it when the hand comes again
 * was out for a whole turn. That is decoded and coded with no lock but zstd's, and takes its new
 * place if it is what it was and an eighth smaller; otherwise it is left alone until it is put out again.
 * Short means: of the RAM that the store may use, less than an eighth is left, where a clean copy, which
 * is given up first, counts as half a page. The hand moves only then, and only as pages are put out, by so
 * many pages for each: there is no thread for it, and nothing to pay while there is room.
 *
 * Locks: the zstd's lock, tried only, then the store's for short looks and copies.
 */
#include <string.h>

#include "coder.h"
#include "lz4_store.h"

#define EACH         2U /* pages coded again for each that is put out: about what makes room for it */
#define LOOKS        32U /* entries looked at for one */
#define SHORT_SHARE  8U
#define SAVING_SHARE 8U

/* What was picked: a slot, and what its entry said. */
struct cold {
	uint32_t slot;
	struct lz4_entry entry;
};

void lz4_cold_notice(struct lz4_store *lz4)
{
	uint64_t room;

	if (lz4->zstd.coder == NULL) {
		return;
	}
	(void)pthread_mutex_lock(&lz4->lock);
	room = lz4->limit_pages - atomic_load(&lz4->ram_pages) + lz4->pool.charged -
	       lz4->pool.used - lz4->pool.promised;
	(void)pthread_mutex_unlock(&lz4->lock);
	room += lz4->slots.cached_count / 2U;
	atomic_store_explicit(&lz4->is_short, room < lz4->limit_pages / SHORT_SHARE,
			      memory_order_relaxed);
}

/* The next page that was out for a turn of the hand, its bytes in zstd.coded. false: not among these. */
static bool pick(struct lz4_store *lz4, struct cold *cold)
{
	bool found = false;

	(void)pthread_mutex_lock(&lz4->lock);
	for (unsigned int i = 0; i < LOOKS && lz4->made != 0 && !found; i++) {
		struct lz4_entry *entry;

		cold->slot = lz4->hand < lz4->made ? lz4->hand : 0;
		lz4->hand = cold->slot + 1;
		entry = lz4_entry_of(lz4, cold->slot);
		found = entry->is_old != 0 && entry->was_tried == 0 && entry->kind != LZ4_ZSTD &&
			lz4_entry_read(lz4, entry, lz4->zstd.coded);
		entry->was_tried = (entry->was_tried | found) & 1U;
		entry->is_old = 1;
		cold->entry = *entry;
	}
	(void)pthread_mutex_unlock(&lz4->lock);
	return found;
}

/* The entry, which may have changed since it was picked, gets what is in zstd.coded. */
static void settle(struct lz4_store *lz4, const struct cold *cold, size_t bytes)
{
	struct lz4_entry *entry = lz4_entry_of(lz4, cold->slot);
	uint32_t sum = lz4_sum_of(lz4->zstd.coded, bytes);

	(void)pthread_mutex_lock(&lz4->lock);
	if (entry->kind == cold->entry.kind && entry->bytes == cold->entry.bytes &&
	    entry->sum == cold->entry.sum && entry->was_tried != 0 &&
	    z_pool_promise(&lz4->pool, 0)) {
		lz4_entry_clear(lz4, entry);
		lz4_entry_fill(lz4, cold->slot, LZ4_ZSTD, lz4->zstd.coded, bytes, sum);
		z_pool_redeem(&lz4->pool);
	}
	(void)pthread_mutex_unlock(&lz4->lock);
}

static void code_again(struct lz4_store *lz4, const struct cold *cold)
{
	struct lz4_zstd *zstd = &lz4->zstd;
	size_t before = cold->entry.kind == LZ4_RAW ? Z_PAGE_SIZE : cold->entry.bytes;
	size_t bytes;

	if (lz4_decode(lz4, &cold->entry, zstd->coded, zstd->page) != 0) {
		return;
	}
	bytes = lz4_zstd_code(zstd, before - before / SAVING_SHARE);
	if (bytes != 0 && bytes <= Z_POOL_MAX_BYTES) {
		settle(lz4, cold, bytes);
	}
}

void lz4_cold_step(struct lz4_store *lz4, size_t pages)
{
	struct cold cold;

	if (!atomic_load_explicit(&lz4->is_short, memory_order_relaxed) ||
	    pthread_mutex_trylock(&lz4->zstd.lock) != 0) {
		return;
	}
	for (size_t i = 0; i < EACH * pages; i++) {
		if (pick(lz4, &cold)) {
			code_again(lz4, &cold);
		}
	}
	(void)pthread_mutex_unlock(&lz4->zstd.lock);
}
