/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.c - data pages that are out lie in a swap file.
 *
 * Theory: slot n is page n of a sparse, unlinked file. A checksum of each page (32 bits of XXH3) is
 * kept in RAM and verified when the page comes back, so that a disk that lies is found out. Clean
 * copies are kept until their slots are needed. Batches are written with one submission to an io_uring
 * where there is one, runs of slots that follow one another with one vectored write.
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
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "file_io.h"
#include "hosted.h"
#include "mem.h"
#include "slots.h"

#define PUNCH_BATCH   256U
#define HOT_MOST      1024U
#define LIST_END      Z_SLOT_NONE
#define LIST_NOT_ON   (Z_SLOT_NONE - 1U)
#define DEFAULT_BYTES ((uint64_t)64 << 30)

struct entry {
	uint32_t sum;  /* who has the location */
	uint32_t next; /* [lock] LIST_NOT_ON, or the next slot of the list that it is on */
};

struct list {
	uint32_t head;
	uint32_t count;
};

struct file_store {
	struct z_store store;
	struct z_slots slots;   /* [P] */
	struct z_table entries; /* [P] to grow */
	int fd;                 /* [I] */
	bool keep_copies;
	bool direct;
	bool in_ram;
	uint32_t hot_most; /* [I] more hot slots than that are punched */
	int misuse;        /* [P] */
	pthread_mutex_t lock;
	struct list hot;      /* [lock] */
	struct list cold;     /* [lock] */
	uint32_t punching;    /* [lock] slots on neither list meanwhile */
	atomic_uint hot_hint; /* hot.count, to be looked at without the lock */
	pthread_mutex_t ring_lock;
	struct z_uring *ring; /* [ring_lock] NULL: there is none */
	atomic_ullong written;
	atomic_ullong read;
	char directory[PATH_MAX];
};

static struct file_store *file_of(struct z_store *store)
{
	return (struct file_store *)store;
}

static struct entry *entry_of(const struct file_store *file, uint32_t slot)
{
	return z_table_at(&file->entries, slot);
}

static uint64_t offset_of(uint32_t slot)
{
	return (uint64_t)slot * Z_PAGE_SIZE;
}

static uint32_t sum_of(const void *page)
{
	return (uint32_t)XXH3_64bits(page, Z_PAGE_SIZE);
}

/* ---- hot and cold slots ---------------------------------------------------------------------- */

static void list_push(struct file_store *file, struct list *list, uint32_t slot)
{
	entry_of(file, slot)->next = list->head;
	list->head = slot;
	list->count++;
}

static uint32_t list_pop(struct file_store *file, struct list *list)
{
	uint32_t slot = list->head;

	list->head = entry_of(file, slot)->next;
	list->count--;
	entry_of(file, slot)->next = LIST_NOT_ON;
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
	if (entry_of(file, slot)->next != LIST_NOT_ON) {
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
			z_file_punch(file->fd, offset_of(slots[first]), (i - first) * Z_PAGE_SIZE);
			first = i;
		}
	}
	if (n != 0) {
		punch_end(file, slots, n);
	}
}

/* ---- operations ------------------------------------------------------------------------------ */

static int slot_grow(void *ctx, uint32_t slot)
{
	struct file_store *file = ctx;
	int err = z_table_grow(&file->entries, slot);

	if (err == 0) {
		entry_of(file, slot)->next = LIST_NOT_ON;
	}
	return err;
}

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
	entry_of(file, slot)->sum = sum_of(page);
	err = z_file_write(file->fd, page, Z_PAGE_SIZE, offset_of(slot));
	if (err == 0) {
		atomic_fetch_add_explicit(&file->written, Z_PAGE_SIZE, memory_order_relaxed);
	}
	return err;
}

/* Pages of a batch that follow one another in the file become one run. */
static size_t make_runs(const struct z_store_io *ios, size_t n, struct iovec *iov,
			struct z_uring_run *runs)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		iov[i] = (struct iovec){(void *)(uintptr_t)ios[i].page, Z_PAGE_SIZE};
		if (i != 0 && ios[i].loc.v == ios[i - 1].loc.v + Z_PAGE_SIZE) {
			runs[count - 1].n++;
		} else {
			runs[count++] =
				(struct z_uring_run){.iov = &iov[i],
						     .n = 1,
						     .offset = offset_of(z_loc_slot(ios[i].loc))};
		}
	}
	return count;
}

/* What can be written through the ring is; another context may have it just now. */
static void try_ring(struct file_store *file, struct z_uring_run *runs, size_t n)
{
	if (pthread_mutex_trylock(&file->ring_lock) != 0) {
		return;
	}
	if (file->ring != NULL && !z_uring_write(file->ring, file->fd, runs, n)) {
		z_uring_close(file->ring, false);
		file->ring = NULL;
	}
	(void)pthread_mutex_unlock(&file->ring_lock);
}

/* Write one run in the plain way; if it fails, page by page, to know which ones did. */
static size_t finish_run(struct file_store *file, const struct z_uring_run *run,
			 struct z_store_io *ios)
{
	size_t failed = 0;

	if (run->done || z_file_write_run(file->fd, run->iov, run->n, run->offset) == 0) {
		return 0;
	}
	for (size_t i = 0; i < run->n; i++) {
		ios[i].status = z_file_write(file->fd, ios[i].page, Z_PAGE_SIZE,
					     run->offset + i * Z_PAGE_SIZE);
		failed += ios[i].status != 0 ? 1U : 0U;
	}
	return failed;
}

static size_t write_part(struct file_store *file, struct z_store_io *ios, size_t n)
{
	struct iovec iov[Z_URING_DEPTH];
	struct z_uring_run runs[Z_URING_DEPTH];
	size_t count = make_runs(ios, n, iov, runs);
	size_t failed = 0;
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		ios[i].status = 0;
		entry_of(file, z_loc_slot(ios[i].loc))->sum = sum_of(ios[i].page);
	}
	try_ring(file, runs, count);
	for (size_t i = 0; i < count; i++) {
		failed += finish_run(file, &runs[i], &ios[at]);
		at += runs[i].n;
	}
	atomic_fetch_add_explicit(&file->written, (n - failed) * Z_PAGE_SIZE, memory_order_relaxed);
	return failed;
}

static size_t file_page_out_many(struct z_store *store, struct z_store_io *ios, size_t n)
{
	struct file_store *file = file_of(store);
	size_t failed = 0;

	punch_some(file);
	for (size_t at = 0; at < n; at += Z_URING_DEPTH) {
		size_t part = n - at < Z_URING_DEPTH ? n - at : Z_URING_DEPTH;

		failed += write_part(file, ios + at, part);
	}
	return failed;
}

static int file_page_in(struct z_store *store, z_loc_t loc, void *page)
{
	struct file_store *file = file_of(store);
	uint32_t slot = z_loc_slot(loc);
	int err = z_file_read(file->fd, page, Z_PAGE_SIZE, offset_of(slot));

	if (err == 0) {
		atomic_fetch_add_explicit(&file->read, Z_PAGE_SIZE, memory_order_relaxed);
		err = sum_of(page) == entry_of(file, slot)->sum ? 0 : Z_ERR_CORRUPT;
	}
	punch_some(file);
	return err;
}

static void file_page_finalize(struct z_store *store, struct z_page_frame *pf, z_loc_t loc)
{
	struct file_store *file = file_of(store);
	uint32_t slot = z_loc_slot(loc);

	if (!file->keep_copies || !z_slots_cache(&file->slots, slot, pf)) {
		slot_free(file, slot);
	}
}

static size_t head_pages(void)
{
	return z_pages_for(sizeof(struct file_store) + z_uring_bytes() + 64U);
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

	*out = (struct z_store_stats){
		.capacity_pages = file->slots.capacity,
		.cached_pages = file->slots.cached_count,
		.stolen = file->slots.stolen,
		.ram_bytes = (head_pages() + file->slots.table.pages + file->entries.pages) *
			     Z_PAGE_SIZE,
		.written_bytes = atomic_load(&file->written),
		.read_bytes = atomic_load(&file->read),
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

	for (uint32_t slot = list->head; slot != LIST_END; slot = entry_of(file, slot)->next) {
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
	if (file->fd >= 0) {
		(void)close(file->fd);
	}
	z_table_close(&file->entries);
	z_slots_close(&file->slots);
	(void)pthread_mutex_destroy(&file->lock);
	(void)pthread_mutex_destroy(&file->ring_lock);
	z_env_give(&env, file, head_pages());
}

const struct z_store_ops z_file_ops = {
	.name = "file",
	.location_get = file_location_get,
	.location_free = file_location_free,
	.page_out = file_page_out,
	.page_out_many = file_page_out_many,
	.page_in = file_page_in,
	.page_finalize = file_page_finalize,
	.stats = file_stats,
	.check = file_check,
	.close = file_close,
};

/* ---- after a fork ---------------------------------------------------------------------------- */

static bool is_live(const struct file_store *file, uint32_t slot)
{
	return slot < file->slots.fresh && z_slots_in_use(&file->slots, slot) &&
	       entry_of(file, slot)->next == LIST_NOT_ON;
}

static int copy_live(const struct file_store *file, int to, void *buffer)
{
	int err = 0;

	for (uint32_t slot = 0; slot < file->slots.fresh && err == 0; slot++) {
		uint32_t first = slot;

		while (is_live(file, slot)) {
			slot++;
		}
		if (slot != first) {
			err = z_file_copy(file->fd, to, offset_of(first),
					  (uint64_t)(slot - first) * Z_PAGE_SIZE, buffer);
		}
	}
	return err;
}

static struct z_uring *ring_memory(struct file_store *file)
{
	uintptr_t at = (uintptr_t)file + sizeof(*file);

	return (struct z_uring *)((at + 63U) / 64U * 64U);
}

int z_file_after_fork(struct z_store *store)
{
	struct file_store *file = file_of(store);
	const struct z_error_text none = {NULL, 0};
	const struct z_store_env *env = &store->env;
	void *buffer = env->alloc(env->ctx, Z_PAGE_SIZE);
	int fd;
	int err;

	if (buffer == NULL) {
		return Z_ERR_NOMEM;
	}
	err = z_file_make(file->directory, file->direct, &none, &fd);
	if (err == 0) {
		err = copy_live(file, fd, buffer);
		(void)close(file->fd);
		file->fd = fd;
	}
	env->free(env->ctx, buffer, Z_PAGE_SIZE);
	if (file->ring != NULL) {
		z_uring_close(file->ring, true);
		file->ring = z_uring_open(ring_memory(file)) == 0 ? ring_memory(file) : NULL;
	}
	return err;
}

/* ---- open ------------------------------------------------------------------------------------ */

/* The directory of the path, where a fork's file will be made, wherever the program is by then. */
static void set_directory(struct file_store *file, const char *path)
{
	char full[PATH_MAX];
	char *slash;

	(void)strncpy(file->directory, path, sizeof(file->directory) - 1);
	if (access(path, F_OK) != 0) {
		slash = strrchr(file->directory, '/');
		if (slash == NULL) {
			(void)strcpy(file->directory, ".");
		} else {
			slash[slash == file->directory ? 1 : 0] = 0;
		}
	}
	if (realpath(file->directory, full) != NULL) {
		(void)strcpy(file->directory, full);
	}
}

static int open_at(struct file_store *file, const char *path, const struct z_file_options *options,
		   const struct z_error_text *error)
{
	struct z_file_room room;
	int err = z_file_make(path, options->direct, error, &file->fd);

	if (err != 0) {
		file->fd = -1;
		return err;
	}
	err = z_file_room(file->fd, &room);
	if (err == 0 && room.in_ram && !options->tmpfs) {
		err = z_error_say(
			error, Z_ERR_INVAL,
			"store file: %s is in RAM (tmpfs), which would save nothing; give a "
			"directory on a disk, as in file:/var/tmp, or tmpfs=yes",
			path);
	}
	if (err != 0) {
		(void)close(file->fd);
		file->fd = -1;
		return err;
	}
	file->in_ram = room.in_ram;
	set_directory(file, path);
	return 0;
}

/* Without a path: TMPDIR, and /var/tmp if that is no place for a swap file. */
static int open_somewhere(struct file_store *file, const struct z_file_options *options,
			  const struct z_error_text *error)
{
	const char *directory = secure_getenv("TMPDIR");

	if (options->path[0] != 0) {
		return open_at(file, options->path, options, error);
	}
	if (directory != NULL && directory[0] != 0 &&
	    open_at(file, directory, options, error) == 0) {
		return 0;
	}
	return open_at(file, "/var/tmp", options, error);
}

static int choose_size(const struct file_store *file, const struct z_file_options *options,
		       const struct z_error_text *error, uint64_t *pages_out)
{
	struct z_file_room room;
	uint64_t most;
	uint64_t bytes = options->bytes;

	if (z_file_room(file->fd, &room) != 0) {
		return z_error_say(error, Z_ERR_IO,
				   "store file: no figures of the file system in %s",
				   file->directory);
	}
	most = room.free_bytes < room.limit_bytes ? room.free_bytes : room.limit_bytes;
	if (bytes == 0) {
		bytes = most / 10U * 9U < DEFAULT_BYTES ? most / 10U * 9U : DEFAULT_BYTES;
	}
	if (bytes > most || bytes < 2U * Z_PAGE_SIZE) {
		return z_error_say(
			error, Z_ERR_NOSPC,
			"store file: there is room for %llu MiB in %s; give a smaller size "
			"or another directory",
			(unsigned long long)(most >> 20), file->directory);
	}
	*pages_out = bytes / Z_PAGE_SIZE;
	return 0;
}

static int open_ring(struct file_store *file, const struct z_file_options *options,
		     const struct z_error_text *error)
{
	if (!options->uring) {
		return 0;
	}
	if (z_uring_open(ring_memory(file)) == 0) {
		file->ring = ring_memory(file);
		return 0;
	}
	if (!options->uring_or_fail) {
		return 0;
	}
	return z_error_say(
		error, Z_ERR_NOTSUP,
		"store file: the kernel has no io_uring for us; write io=auto or io=sync");
}

static int open_parts(struct file_store *file, const struct z_file_options *options,
		      const struct z_error_text *error)
{
	static const struct z_slots_hooks hooks = {.grow = slot_grow};
	uint64_t pages = 0;
	int err = open_somewhere(file, options, error);

	if (err == 0) {
		err = choose_size(file, options, error, &pages);
	}
	if (err == 0) {
		file->hot_most = pages / 4U < HOT_MOST ? (uint32_t)(pages / 4U) : HOT_MOST;
		err = z_slots_open(&file->slots, &file->store.env, pages, &hooks, file);
	}
	if (err == 0) {
		err = z_table_open(&file->entries, &file->store.env, pages, sizeof(struct entry));
	}
	return err != 0 ? err : open_ring(file, options, error);
}

int z_file_open(const struct z_store_env *env, const struct z_file_options *options,
		const struct z_error_text *error, struct z_store **out)
{
	struct file_store *file = z_env_take(env, head_pages());
	int err;

	if (file == NULL) {
		return Z_ERR_NOMEM;
	}
	file->store.ops = &z_file_ops;
	file->store.caps =
		Z_STORE_PARALLEL | Z_STORE_BATCH | (options->keep_copies ? Z_STORE_KEEPS_COPY : 0U);
	file->store.env = *env;
	file->fd = -1;
	file->keep_copies = options->keep_copies;
	file->direct = options->direct;
	file->hot.head = LIST_END;
	file->cold.head = LIST_END;
	(void)pthread_mutex_init(&file->lock, NULL);
	(void)pthread_mutex_init(&file->ring_lock, NULL);
	err = open_parts(file, options, error);
	if (err != 0) {
		file_close(&file->store);
		return err;
	}
	*out = &file->store;
	return 0;
}
