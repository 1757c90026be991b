/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.c - data pages that are out lie in a swap file.
 *
 * Theory: slot n is page n of a sparse, unlinked file. A checksum of each page (32 bits of XXH3) is
 * kept in RAM and verified when the page comes back, so that a disk that lies is found out. Clean
 * copies are kept until their slots are needed. How batches are written is said in file_write.c, how scans
 * are read ahead in file_ahead.c.
 *
 * Holes: a freed slot is first "hot": still on disk, and the first to be given again. When there are
 * more hot ones than a few, the next page operation - which holds no pager lock - takes a batch of
 * them, punches them out run by run, and leaves them "cold": holes, given again when no hot one is
 * left. Meanwhile they are nobody's. So a balanced load punches nothing, and a large unmap gives the
 * disk back in steps.
 *
 * Locks: slots belong to the pager lock; the lists of hot and cold slots to the store's own lock,
 * taken inside it; the ring has its own, only ever tried. Reads and writes hold no lock.
 * Limits: 16 TiB. 20 bytes of RAM a slot, made as slots are first used and charged.
 */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "file_store.h"

#define PUNCH_BATCH 256U

static struct file_store *file_of(struct z_store *store)
{
	return (struct file_store *)store;
}

/* ---- hot and cold slots ---------------------------------------------------------------------- */

static void list_push(struct file_store *file, struct list *list, uint32_t slot)
{
	file_entry(file, slot)->next = list->head;
	list->head = slot;
	list->count++;
}

static uint32_t list_pop(struct file_store *file, struct list *list)
{
	uint32_t slot = list->head;

	list->head = file_entry(file, slot)->next;
	list->count--;
	file_entry(file, slot)->next = LIST_NOT_ON;
	return slot;
}

static void publish_hint(struct file_store *file)
{
	atomic_store_explicit(&file->hot_hint, file->hot.count, memory_order_relaxed);
}

/* See to it that the slot allocator has two free slots, if hot or cold ones are left. */
static void feed_slots(struct file_store *file)
{
	(void)pthread_mutex_lock(&file->lock);
	while (file->slots.free_count < 2 && file->hot.count + file->cold.count != 0) {
		struct list *list = file->hot.count != 0 ? &file->hot : &file->cold;

		(void)z_slots_put(&file->slots, list_pop(file, list));
	}
	publish_hint(file);
	(void)pthread_mutex_unlock(&file->lock);
}

static void slot_free(struct file_store *file, uint32_t slot)
{
	if (!z_slots_uncache(&file->slots, slot)) {
		return;
	}
	(void)pthread_mutex_lock(&file->lock);
	if (file_entry(file, slot)->next != LIST_NOT_ON) {
		file->misuse = __LINE__;
	} else {
		list_push(file, &file->hot, slot);
		publish_hint(file);
	}
	(void)pthread_mutex_unlock(&file->lock);
}

/* In ascending order; the array is short. */
static void sort_slots(uint32_t *slots, size_t n)
{
	for (size_t gap = n / 2; gap > 0; gap /= 2) {
		for (size_t i = gap; i < n; i++) {
			uint32_t slot = slots[i];
			size_t j = i;

			for (; j >= gap && slots[j - gap] > slot; j -= gap) {
				slots[j] = slots[j - gap];
			}
			slots[j] = slot;
		}
	}
}

/* Take a batch of hot slots off their list; 0: not worth it, or somebody is at it. */
static size_t punch_begin(struct file_store *file, uint32_t *slots)
{
	size_t n = 0;

	(void)pthread_mutex_lock(&file->lock);
	while (file->punching == 0 && n < PUNCH_BATCH && file->hot.count > file->hot_most) {
		slots[n++] = list_pop(file, &file->hot);
	}
	if (n != 0) {
		file->punching = (uint32_t)n;
	}
	publish_hint(file);
	(void)pthread_mutex_unlock(&file->lock);
	return n;
}

static void punch_end(struct file_store *file, const uint32_t *slots, size_t n)
{
	(void)pthread_mutex_lock(&file->lock);
	for (size_t i = 0; i < n; i++) {
		list_push(file, &file->cold, slots[i]);
	}
	file->punching = 0;
	(void)pthread_mutex_unlock(&file->lock);
}

/* Give disk back if there is much to give. No lock held. */
static void punch_some(struct file_store *file)
{
	uint32_t slots[PUNCH_BATCH];
	size_t n;

	if (atomic_load_explicit(&file->hot_hint, memory_order_relaxed) <= file->hot_most) {
		return;
	}
	n = punch_begin(file, slots);
	sort_slots(slots, n);
	for (size_t first = 0, i = 1; i <= n; i++) {
		if (i == n || slots[i] != slots[i - 1] + 1U) {
			z_file_punch(file->fd, file_offset(slots[first]),
				     (i - first) * Z_PAGE_SIZE);
			first = i;
		}
	}
	if (n != 0) {
		punch_end(file, slots, n);
	}
}

/* ---- reading ahead ---------------------------------------------------------------------------- */

static void asked(struct file_store *file, uint32_t slot, size_t n)
{
	if (file->ahead != NULL) {
		z_ahead_asked(file->ahead, slot, (uint32_t)n);
	}
}

/* The page, if it was read ahead and is what was written. */
static bool take_ahead(struct file_store *file, uint32_t slot, void *page)
{
	return file->ahead != NULL && z_ahead_take(file->ahead, slot, page) &&
	       file_sum(page) == file_entry(file, slot)->sum;
}

/* ---- operations ------------------------------------------------------------------------------ */

static int file_location_get(struct z_store *store, struct z_page_frame *pf, enum z_store_want want,
			     z_loc_t *loc_out)
{
	struct file_store *file = file_of(store);
	uint32_t slot;
	int err;

	if (file->slots.free_count < 2) {
		feed_slots(file);
	}
	err = z_slots_get(&file->slots, pf, want, &slot, NULL);
	if (err == 0) {
		*loc_out = z_slot_loc(slot);
	}
	return err;
}

static void file_location_free(struct z_store *store, z_loc_t loc)
{
	slot_free(file_of(store), z_loc_slot(loc));
}

static int file_page_out(struct z_store *store, z_loc_t loc, const void *page)
{
	struct file_store *file = file_of(store);
	uint32_t slot = z_loc_slot(loc);
	int err;

	punch_some(file);
	file_entry(file, slot)->sum = file_sum(page);
	err = z_file_write(file->fd, page, Z_PAGE_SIZE, file_offset(slot));
	file_forget_ahead(file, slot);
	if (err == 0) {
		atomic_fetch_add_explicit(&file->written, Z_PAGE_SIZE, memory_order_relaxed);
	}
	return err;
}

static size_t file_page_out_many(struct z_store *store, struct z_store_io *ios, size_t n)
{
	struct file_store *file = file_of(store);

	punch_some(file);
	return z_file_write_batch(file, ios, n);
}

static int read_one(struct file_store *file, uint32_t slot, void *page)
{
	int err = z_file_read(file->fd, page, Z_PAGE_SIZE, file_offset(slot));

	if (err != 0) {
		return err;
	}
	atomic_fetch_add_explicit(&file->read, Z_PAGE_SIZE, memory_order_relaxed);
	return file_sum(page) == file_entry(file, slot)->sum ? 0 : Z_ERR_CORRUPT;
}

static int file_page_in(struct z_store *store, z_loc_t loc, void *page)
{
	struct file_store *file = file_of(store);
	uint32_t slot = z_loc_slot(loc);
	int err = 0;

	asked(file, slot, 1);
	if (!take_ahead(file, slot, page)) {
		err = read_one(file, slot, page);
	}
	punch_some(file);
	return err;
}

/* How many pages from the first on follow one another in the file. */
static size_t run_length(const struct z_store_fill *fills, size_t n)
{
	size_t length = 1;

	while (length < n && fills[length].loc.v == fills[length - 1].loc.v + Z_PAGE_SIZE) {
		length++;
	}
	return length;
}

/* Read one run with one call; if it fails, page by page, to know which ones do. */
static size_t read_run(struct file_store *file, struct z_store_fill *fills, size_t n)
{
	uint32_t slot = z_loc_slot(fills[0].loc);
	struct iovec iov[Z_BATCH_MAX];
	size_t failed = 0;
	bool all;

	for (size_t i = 0; i < n; i++) {
		iov[i] = (struct iovec){fills[i].page, Z_PAGE_SIZE};
	}
	all = n > 1 && z_file_read_run(file->fd, iov, n, file_offset(slot)) == 0;
	if (all) {
		atomic_fetch_add_explicit(&file->read, n * Z_PAGE_SIZE, memory_order_relaxed);
	}
	for (size_t i = 0; i < n; i++) {
		if (!all) {
			fills[i].status = read_one(file, slot + (uint32_t)i, fills[i].page);
		} else if (file_sum(fills[i].page) == file_entry(file, slot + (uint32_t)i)->sum) {
			fills[i].status = 0;
		} else {
			fills[i].status = Z_ERR_CORRUPT;
		}
		failed += fills[i].status != 0 ? 1U : 0U;
	}
	return failed;
}

/* Bring in a run of slots: what was read ahead, and between it what was not. */
static size_t bring_run(struct file_store *file, struct z_store_fill *fills, size_t n)
{
	size_t failed = 0;
	size_t missing = 0; /* so many before the i-th */

	asked(file, z_loc_slot(fills[0].loc), n);
	for (size_t i = 0; i < n; i++) {
		if (!take_ahead(file, z_loc_slot(fills[i].loc), fills[i].page)) {
			missing++;
			continue;
		}
		fills[i].status = 0;
		failed += missing > 0 ? read_run(file, fills + i - missing, missing) : 0;
		missing = 0;
	}
	return failed + (missing > 0 ? read_run(file, fills + n - missing, missing) : 0);
}

static size_t file_page_in_many(struct z_store *store, struct z_store_fill *fills, size_t n)
{
	struct file_store *file = file_of(store);
	size_t failed = 0;
	size_t run;

	for (size_t at = 0; at < n; at += run) {
		run = run_length(fills + at, n - at < Z_BATCH_MAX ? n - at : Z_BATCH_MAX);
		failed += bring_run(file, fills + at, run);
	}
	punch_some(file);
	return failed;
}

static void file_page_finalize(struct z_store *store, struct z_page_frame *pf, z_loc_t loc)
{
	struct file_store *file = file_of(store);
	uint32_t slot = z_loc_slot(loc);

	if (!file->keep_copies || !z_slots_cache(&file->slots, slot, pf)) {
		slot_free(file, slot);
	}
}

/* Slots that are neither given to anybody nor free for the slot allocator. */
static uint32_t idle_slots(const struct file_store *file)
{
	return file->hot.count + file->cold.count + file->punching;
}

static void file_stats(struct z_store *store, struct z_store_stats *out)
{
	struct file_store *file = file_of(store);
	uint64_t disk = z_file_disk_bytes(file->fd);
	size_t room = atomic_load(&file->room) != NULL ? ROOM_PAGES : 0;

	*out = (struct z_store_stats){
		.capacity_pages = file->slots.capacity,
		.cached_pages = file->slots.cached_count,
		.stolen = file->slots.stolen,
		.ram_bytes =
			(file_head_pages() + file->slots.table.pages + file->entries.pages + room) *
			Z_PAGE_SIZE,
		.written_bytes = atomic_load(&file->written),
		.read_bytes = atomic_load(&file->read) +
			      (file->ahead != NULL ? z_ahead_read(file->ahead) : 0),
	};
	(void)pthread_mutex_lock(&file->lock);
	out->used_pages = z_slots_used(&file->slots) - idle_slots(file);
	(void)pthread_mutex_unlock(&file->lock);
	out->stored_bytes = out->used_pages * Z_PAGE_SIZE;
	out->raw = out->used_pages;
	if (file->in_ram) {
		out->ram_bytes += disk;
		out->beyond_bytes = disk;
	} else {
		out->disk_bytes = disk;
	}
}

static int check_list(const struct file_store *file, const struct list *list)
{
	uint32_t n = 0;

	for (uint32_t slot = list->head; slot != LIST_END; slot = file_entry(file, slot)->next) {
		if (++n > list->count || !z_slots_in_use(&file->slots, slot)) {
			return __LINE__;
		}
	}
	return n == list->count ? 0 : __LINE__;
}

static int file_check(struct z_store *store)
{
	struct file_store *file = file_of(store);
	int line = file->misuse;

	(void)pthread_mutex_lock(&file->lock);
	if (line == 0 && idle_slots(file) > z_slots_used(&file->slots)) {
		line = __LINE__;
	}
	line = line != 0 ? line : check_list(file, &file->hot);
	line = line != 0 ? line : check_list(file, &file->cold);
	(void)pthread_mutex_unlock(&file->lock);
	return line != 0 ? line : z_slots_check(&file->slots);
}

static void file_close(struct z_store *store)
{
	struct file_store *file = file_of(store);
	const struct z_store_env env = store->env;

	if (file->ring != NULL) {
		z_uring_close(file->ring, false);
	}
	if (file->ahead != NULL) {
		z_ahead_close(file->ahead);
	}
	z_file_give_room(file);
	if (file->fd >= 0) {
		(void)close(file->fd);
	}
	z_table_close(&file->entries);
	z_slots_close(&file->slots);
	(void)pthread_mutex_destroy(&file->lock);
	(void)pthread_mutex_destroy(&file->ring_lock);
	z_env_give(&env, file, file_head_pages());
}

const struct z_store_ops z_file_ops = {
	.name = "file",
	.location_get = file_location_get,
	.location_free = file_location_free,
	.page_out = file_page_out,
	.page_out_many = file_page_out_many,
	.page_in = file_page_in,
	.page_in_many = file_page_in_many,
	.page_finalize = file_page_finalize,
	.stats = file_stats,
	.check = file_check,
	.close = file_close,
};
