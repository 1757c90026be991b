/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_write.c - batches of pages go to the swap file.
 *
 * Theory. A disk of a virtual machine takes a request as a list of pieces of RAM, and each piece costs
 * it time, whatever its size: a page of a run of pages from all over RAM costs several times what it
 * costs in one piece. So the pages of a batch are copied, one after the other, into one huge page, and
 * runs of slots that follow one another are written from there with one request each. The other half of
 * the huge page is what scans are read ahead into (file_ahead.c). It is taken with the first batch of
 * BATCH_FOR_ROOM pages: the core makes such batches only where RAM is many times as large.
 *
 * All runs of a part of a batch are submitted to the io_uring together, and waited for: of what is
 * under way at once no more than PART_PAGES stands before a read of somebody else. Nothing is left
 * under way, so every error is that of the batch. Whatever the ring does not take, or another context
 * has just now, is written in the plain way.
 *
 * Locks: the ring's, only ever tried. No pager lock.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "file_store.h"

#define BATCH_FOR_ROOM 128U
#define PART_PAGES     (ROOM_PAGES - Z_AHEAD_PAGES)
#define RUN_BYTES_MOST ((size_t)256 << 10)

/* What is written at once. */
struct part {
	size_t pages;
	size_t pieces;
	size_t count;
	struct iovec iov[Z_URING_DEPTH]; /* pieces of them */
	struct z_uring_run runs[Z_URING_DEPTH];
};

/* ---- room ------------------------------------------------------------------------------------ */

/* Twice as many addresses, as a huge page begins at a multiple of its size. */
static char *make_room(struct file_store *file)
{
	const struct z_store_env *env = &file->store.env;
	uintptr_t at;

	if (z_env_charge(env, ROOM_PAGES) != 0) {
		return NULL;
	}
	file->room_memory = env->alloc(env->ctx, 2 * ROOM_BYTES);
	if (file->room_memory == NULL) {
		z_env_uncharge(env, ROOM_PAGES);
		return NULL;
	}
	at = ((uintptr_t)file->room_memory + ROOM_BYTES - 1) / ROOM_BYTES * ROOM_BYTES;
	(void)madvise((void *)at, ROOM_BYTES, MADV_HUGEPAGE);
	return (char *)at;
}

void z_file_give_room(struct file_store *file)
{
	const struct z_store_env *env = &file->store.env;

	if (file->room_memory != NULL) {
		env->free(env->ctx, file->room_memory, 2 * ROOM_BYTES);
		z_env_uncharge(env, ROOM_PAGES);
	}
}

/* Where pages of a batch are copied to; NULL: they are written from where they are. Ring lock held. */
static char *room_for(struct file_store *file, size_t n)
{
	char *room = atomic_load(&file->room);

	if (room == NULL && n >= BATCH_FOR_ROOM && file->direct && !file->room_refused) {
		room = make_room(file);
		file->room_refused = room == NULL;
		atomic_store(&file->room, room);
		if (room != NULL && file->ahead != NULL) {
			z_ahead_room(file->ahead, room);
		}
	}
	return room != NULL ? room + (size_t)Z_AHEAD_PAGES * Z_PAGE_SIZE : NULL;
}

/* ---- a part ---------------------------------------------------------------------------------- */

/* The page goes on with the last run, or with its last piece too, or begins one. false: no room. */
static bool add(struct part *part, uint64_t offset, char *page)
{
	struct z_uring_run *run = part->count > 0 ? &part->runs[part->count - 1] : NULL;
	struct iovec *last = part->pieces > 0 ? &part->iov[part->pieces - 1] : NULL;
	bool follows =
		run != NULL && run->bytes < RUN_BYTES_MOST && run->offset + run->bytes == offset;

	if (follows && (char *)last->iov_base + last->iov_len == page) {
		last->iov_len += Z_PAGE_SIZE;
		run->bytes += Z_PAGE_SIZE;
		return true;
	}
	if (part->pieces == Z_URING_DEPTH) {
		return false;
	}
	last = &part->iov[part->pieces++];
	*last = (struct iovec){page, Z_PAGE_SIZE};
	if (!follows) {
		run = &part->runs[part->count++];
		*run = (struct z_uring_run){.iov = last, .offset = offset};
	}
	run->n++;
	run->bytes += Z_PAGE_SIZE;
	return true;
}

static void fill(struct file_store *file, struct part *part, struct z_store_io *ios, size_t n,
		 char *buffer)
{
	size_t most = n < PART_PAGES ? n : PART_PAGES;
	size_t i;

	part->pieces = 0;
	part->count = 0;
	for (i = 0; i < most; i++) {
		uint32_t slot = z_loc_slot(ios[i].loc);
		char *page =
			buffer != NULL ? buffer + i * Z_PAGE_SIZE : (char *)(uintptr_t)ios[i].page;

		if (!add(part, file_offset(slot), page)) {
			break;
		}
		if (buffer != NULL) {
			(void)memcpy(page, ios[i].page, Z_PAGE_SIZE);
		}
		file_entry(file, slot)->sum = file_sum(page);
		ios[i].status = 0;
	}
	part->pages = i;
}

/* Write one run in the plain way; if it fails, page by page, to know which ones did. */
static size_t finish_run(struct file_store *file, const struct z_uring_run *run,
			 struct z_store_io *ios)
{
	size_t failed = 0;

	if (run->done || z_file_write_run(file->fd, run->iov, run->n, run->offset) == 0) {
		return 0;
	}
	for (size_t i = 0; i < run->bytes / Z_PAGE_SIZE; i++) {
		ios[i].status = z_file_write(file->fd, ios[i].page, Z_PAGE_SIZE,
					     run->offset + i * Z_PAGE_SIZE);
		failed += ios[i].status != 0 ? 1U : 0U;
	}
	return failed;
}

static size_t write_part(struct file_store *file, struct part *part, struct z_store_io *ios,
			 bool with_ring)
{
	size_t failed = 0;

	if (with_ring && file->ring != NULL &&
	    !z_uring_write(file->ring, file->fd, part->runs, part->count)) {
		z_uring_close(file->ring, false);
		file->ring = NULL;
	}
	for (size_t i = 0; i < part->count; i++) {
		size_t pages = part->runs[i].bytes / Z_PAGE_SIZE;

		failed += finish_run(file, &part->runs[i], ios);
		ios += pages;
	}
	return failed;
}

size_t z_file_write_batch(struct file_store *file, struct z_store_io *ios, size_t n)
{
	bool ours = pthread_mutex_trylock(&file->ring_lock) == 0;
	char *buffer = ours ? room_for(file, n) : NULL;
	size_t failed = 0;
	struct part part;

	for (size_t at = 0; at < n; at += part.pages) {
		fill(file, &part, ios + at, n - at, buffer);
		failed += write_part(file, &part, ios + at, ours);
	}
	if (ours) {
		(void)pthread_mutex_unlock(&file->ring_lock);
	}
	for (size_t i = 0; i < n; i++) {
		file_forget_ahead(file, z_loc_slot(ios[i].loc));
	}
	atomic_fetch_add_explicit(&file->written, (n - failed) * Z_PAGE_SIZE, memory_order_relaxed);
	return failed;
}
