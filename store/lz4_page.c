/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lz4_page.c - pages out of RAM and back, for lz4.c, where purpose, theory and locks stand.
 *
 * Out: as many pages as fit coded in a worker's buffer (half a dozen) are coded with no lock but the
 * worker's, then all of them are put away under one hold of the store's. While one is coded, the next one is
 * fetched into the caches: pages that are put out were not used for a while. In: the coded bytes are copied
 * to the stack under the store's lock - an object may be moved as soon as it is released - and decoded
 * with none.
 */
#include <string.h>
#include <xxhash.h>

#include "coder.h"
#include "hosted.h"
#include "lz4_store.h"

#define GROUP      8U
#define CACHE_LINE 64U

/* What a page may keep of its size to be worth RAM that a page frame could be instead. */
#define WORTHWHILE_BYTES (Z_PAGE_SIZE / 4 * 3)

/* A page that was coded and is not yet put away. */
struct work {
	struct z_store_io *io;
	const void *data; /* RAW: the page itself */
	size_t bytes;
	uint64_t word; /* SAME */
	uint32_t sum;
	enum lz4_kind kind;
};

uint32_t lz4_sum_of(const void *data, size_t bytes)
{
	return (uint32_t)XXH3_64bits(data, bytes);
}

/* Ask the memory for what will be read. */
static void fetch(const char *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += CACHE_LINE) {
		__builtin_prefetch(at + i);
	}
}

/* ---- out -------------------------------------------------------------------------------------- */

/* Code a page; to is what is left of the worker's buffer. */
static void code(struct work *work, struct lz4_worker *worker, char *to)
{
	const void *page = work->io->page;
	enum z_coder coder;

	if (z_coder_same_filled(page, &work->word)) {
		work->kind = LZ4_SAME;
		work->bytes = 0;
		return;
	}
	work->data = to;
	work->bytes = z_coder_compress(page, to, Z_POOL_MAX_BYTES, worker->places, &coder);
	if (work->bytes == 0) {
		work->kind = LZ4_RAW;
		work->bytes = Z_PAGE_SIZE;
		work->data = page;
		work->sum = lz4_sum_of(page, Z_PAGE_SIZE);
		return;
	}
	work->kind = coder == Z_CODER_WK ? LZ4_WORDS : LZ4_CODED;
	work->sum = lz4_sum_of(to, work->bytes);
}

static bool is_worthwhile(const struct lz4_store *lz4, const struct work *work)
{
	return !lz4->only_worthwhile || work->kind == LZ4_SAME ||
	       (work->kind != LZ4_RAW && work->bytes <= WORTHWHILE_BYTES);
}

/* Is the page not worth its RAM, and not insisted upon? Entry is NOTHING; the store's lock held. */
static bool refuse(const struct lz4_store *lz4, struct lz4_entry *entry, const struct work *work)
{
	bool insists = entry->bytes == LZ4_REFUSED;

	entry->bytes = 0;
	if (insists || is_worthwhile(lz4, work)) {
		return false;
	}
	entry->bytes = LZ4_REFUSED;
	return true;
}

void lz4_entry_fill(struct lz4_store *lz4, uint32_t slot, enum lz4_kind kind, const void *data,
		    size_t bytes, uint32_t sum)
{
	struct lz4_entry *entry = lz4_entry_of(lz4, slot);

	if (kind == LZ4_RAW) {
		entry->page = z_pool_page_take(&lz4->pool);
		memcpy(z_pool_memory(&lz4->pool, entry->page), data, bytes);
		lz4->raw++;
	} else {
		lz4_set_place(entry, z_pool_add(&lz4->pool, slot, data, bytes));
		entry->bytes = (uint16_t)bytes;
		lz4->recoded += kind == LZ4_ZSTD;
	}
	lz4->stored_bytes += bytes;
	entry->sum = sum;
	entry->kind = kind & 7U;
	entry->is_old = 0;
	entry->was_tried = 0;
}

/* The store's lock held, as for the next one. */
static int put_object(struct lz4_store *lz4, uint32_t slot, const struct work *work)
{
	struct lz4_entry *entry = lz4_entry_of(lz4, slot);

	if (!lz4_entry_promise(lz4, entry, 0)) {
		return Z_ERR_NOSPC;
	}
	lz4_entry_fill(lz4, slot, work->kind, work->data, work->bytes, work->sum);
	return 0;
}

/* A page that changed a little takes the place it had. false: it does not fit there exactly. */
static bool put_again(struct lz4_store *lz4, struct lz4_entry *entry, const struct work *work)
{
	if (!lz4_is_object(entry->kind) || !lz4_is_object(work->kind) ||
	    !is_worthwhile(lz4, work) ||
	    !z_pool_replace(&lz4->pool, lz4_place_of(entry), entry->bytes, work->data,
			    work->bytes)) {
		return false;
	}
	lz4->stored_bytes += work->bytes;
	lz4->stored_bytes -= entry->bytes;
	lz4->recoded -= entry->kind == LZ4_ZSTD;
	entry->bytes = (uint16_t)work->bytes;
	entry->sum = work->sum;
	entry->kind = work->kind & 7U;
	entry->is_old = 0;
	entry->was_tried = 0;
	return true;
}

static int put(struct lz4_store *lz4, const struct work *work)
{
	uint32_t slot = z_loc_slot(work->io->loc);
	struct lz4_entry *entry = lz4_entry_of(lz4, slot);
	int err = 0;

	if (put_again(lz4, entry, work)) {
		lz4_entry_redeem(lz4, entry);
		return 0;
	}
	if (entry->kind != LZ4_NOTHING) {
		lz4_entry_clear(lz4, entry);
	}
	if (refuse(lz4, entry, work)) {
		return Z_ERR_NOSPC;
	}
	if (work->kind == LZ4_SAME) {
		entry->kind = LZ4_SAME;
		entry->page = (uint32_t)work->word;
		entry->sum = (uint32_t)(work->word >> 32);
		lz4->same_filled++;
		lz4->stored_bytes += sizeof(work->word);
	} else {
		err = put_object(lz4, slot, work);
	}
	lz4_entry_redeem(lz4, entry);
	return err;
}

/* The first pages of ios, as many as there is room for. Returns how many; adds to *failed. */
static size_t out_group(struct lz4_store *lz4, struct z_store_io *ios, size_t n, size_t *failed)
{
	struct lz4_worker *worker = lz4_worker_lock(&lz4->workers);
	struct work works[GROUP];
	size_t used = 0;
	size_t done = 0;

	while (done < n && done < GROUP && used + Z_CODER_BOUND <= LZ4_WORKER_BYTES) {
		if (done + 1 < n) {
			fetch(ios[done + 1].page, Z_PAGE_SIZE);
		}
		works[done].io = &ios[done];
		code(&works[done], worker, worker->buffer + used);
		used += works[done].kind == LZ4_RAW ? 0 : works[done].bytes;
		done++;
	}
	(void)pthread_mutex_lock(&lz4->lock);
	for (size_t i = 0; i < done; i++) {
		ios[i].status = put(lz4, &works[i]);
		*failed += ios[i].status != 0;
	}
	(void)pthread_mutex_unlock(&lz4->lock);
	lz4_worker_unlock(worker);
	lz4_cold_step(lz4, done);
	return done;
}

size_t lz4_page_out_many(struct z_store *store, struct z_store_io *ios, size_t n)
{
	size_t failed = 0;

	for (size_t done = 0; done < n;) {
		done += out_group(lz4_of(store), ios + done, n - done, &failed);
	}
	return failed;
}

int lz4_page_out(struct z_store *store, z_loc_t loc, const void *page)
{
	struct z_store_io io = {.loc = loc, .page = page};
	size_t failed = 0;

	(void)out_group(lz4_of(store), &io, 1, &failed);
	return io.status;
}

/* ---- in --------------------------------------------------------------------------------------- */

/* Where the bytes of a slot are, and how many; the store's lock held. NULL: none. */
static const char *bytes_of(const struct lz4_store *lz4, const struct lz4_entry *entry,
			    size_t *n_out)
{
	struct z_place place = lz4_place_of(entry);

	if (entry->kind == LZ4_RAW) {
		place.offset = 0;
		*n_out = Z_PAGE_SIZE;
	} else if (lz4_is_object(entry->kind)) {
		*n_out = entry->bytes;
	} else {
		return NULL;
	}
	return (const char *)z_pool_memory(&lz4->pool, place.page) + place.offset;
}

/*
 * What get() will copy is asked of the memory first, with the lock released: it would be held five times
 * as long if the bytes were not in a cache. They may be somewhere else by then; that is no harm.
 */
static void fetch_ahead(struct lz4_store *lz4, uint32_t slot)
{
	const char *at;
	size_t n = 0;

	z_slots_fetch(&lz4->slots, slot);
	__builtin_prefetch(lz4_entry_of(lz4, slot));
	(void)pthread_mutex_lock(&lz4->lock);
	at = bytes_of(lz4, lz4_entry_of(lz4, slot), &n);
	(void)pthread_mutex_unlock(&lz4->lock);
	fetch(at, n);
}

bool lz4_entry_read(const struct lz4_store *lz4, const struct lz4_entry *entry, char *buffer)
{
	if (lz4_is_object(entry->kind)) {
		z_pool_read(&lz4->pool, lz4_place_of(entry), buffer, entry->bytes);
	} else if (entry->kind == LZ4_RAW) {
		memcpy(buffer, z_pool_memory(&lz4->pool, entry->page), Z_PAGE_SIZE);
	} else {
		return false;
	}
	return true;
}

/* Copy out, under the lock, what the entry says; a copy of the entry itself too. */
static struct lz4_entry get(struct lz4_store *lz4, uint32_t slot, char *buffer)
{
	struct lz4_entry *entry = lz4_entry_of(lz4, slot);
	struct lz4_entry copy;

	(void)pthread_mutex_lock(&lz4->lock);
	(void)lz4_entry_read(lz4, entry, buffer);
	entry->is_old = 0;
	copy = *entry;
	(void)pthread_mutex_unlock(&lz4->lock);
	return copy;
}

int lz4_decode(struct lz4_store *lz4, const struct lz4_entry *entry, const char *from, void *page)
{
	bool ok = false;

	if (entry->kind == LZ4_RAW) {
		memcpy(page, from, Z_PAGE_SIZE);
		return lz4_sum_of(page, Z_PAGE_SIZE) == entry->sum ? 0 : Z_ERR_CORRUPT;
	}
	if (lz4_sum_of(from, entry->bytes) != entry->sum) {
		return Z_ERR_CORRUPT;
	}
	if (entry->kind == LZ4_ZSTD) {
		ok = lz4_zstd_decode(&lz4->zstd, from, entry->bytes, page);
	} else {
		ok = z_coder_decompress(entry->kind == LZ4_WORDS ? Z_CODER_WK : Z_CODER_LZ4, from,
					entry->bytes, page);
	}
	return ok ? 0 : Z_ERR_CORRUPT;
}

int lz4_page_in(struct z_store *store, z_loc_t loc, void *page)
{
	char buffer[Z_PAGE_SIZE] __attribute__((aligned(64)));
	struct lz4_store *lz4 = lz4_of(store);
	struct lz4_entry entry;

	fetch_ahead(lz4, z_loc_slot(loc));
	entry = get(lz4, z_loc_slot(loc), buffer);
	if (entry.kind == LZ4_NOTHING) {
		return Z_ERR_IO;
	}
	if (entry.kind == LZ4_SAME) {
		z_coder_fill(page, (uint64_t)entry.sum << 32 | entry.page);
		return 0;
	}
	return lz4_decode(lz4, &entry, buffer, page);
}
