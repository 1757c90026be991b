/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_open.c - how a swap file is found a place and a size, and what becomes of it after a fork.
 *
 * Theory: the child of a fork shares the parent's file, which the parent goes on using; so the child
 * makes a file of its own in the same directory and copies the slots in use, run by run, before it
 * uses the store. The ring is the parent's: it is let go of and made anew.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file_store.h"

#define HOT_MOST      1024U
#define DEFAULT_BYTES ((uint64_t)64 << 30)

/* ---- after a fork ---------------------------------------------------------------------------- */

static bool is_live(const struct file_store *file, uint32_t slot)
{
	return slot < file->slots.fresh && z_slots_in_use(&file->slots, slot) &&
	       file_entry(file, slot)->next == LIST_NOT_ON;
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
			err = z_file_copy(file->fd, to, file_offset(first),
					  (uint64_t)(slot - first) * Z_PAGE_SIZE, buffer);
		}
	}
	return err;
}

static struct z_uring *ring_memory(struct file_store *file)
{
	return (struct z_uring *)((uintptr_t)file + file_part(sizeof(*file)));
}

static struct z_file_ahead *ahead_memory(struct file_store *file)
{
	return (struct z_file_ahead *)((uintptr_t)ring_memory(file) + file_part(z_uring_bytes()));
}

int z_file_after_fork(struct z_store *store)
{
	struct file_store *file = (struct file_store *)store;
	const struct z_error_text none = {NULL, 0};
	const struct z_store_env *env = &store->env;
	void *buffer = env->alloc(env->ctx, Z_PAGE_SIZE);
	int fd;
	int err;

	if (buffer == NULL) {
		return Z_ERR_NOMEM;
	}
	err = z_file_make(file->directory, file->direct ? Z_DIRECT_YES : Z_DIRECT_NO, &none, &fd,
			  &file->direct);
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
	if (file->ahead != NULL) {
		z_ahead_after_fork(file->ahead, file->fd);
	}
	return err;
}

/* ---- open ------------------------------------------------------------------------------------ */

static int slot_grow(void *ctx, uint32_t slot)
{
	struct file_store *file = ctx;
	int err = z_table_grow(&file->entries, slot);

	if (err == 0) {
		file_entry(file, slot)->next = LIST_NOT_ON;
	}
	return err;
}

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
	int err = z_file_make(path, options->direct, error, &file->fd, &file->direct);

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
	if (err == 0) {
		err = open_ring(file, options, error);
	}
	if (err == 0 && file->direct && options->ahead) {
		file->ahead = ahead_memory(file);
		z_ahead_open(file->ahead, file->fd);
	}
	return err;
}

int z_file_open(const struct z_store_env *env, const struct z_file_options *options,
		const struct z_error_text *error, struct z_store **out)
{
	struct file_store *file = z_env_take(env, file_head_pages());
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
	file->hot.head = LIST_END;
	file->cold.head = LIST_END;
	(void)pthread_mutex_init(&file->lock, NULL);
	(void)pthread_mutex_init(&file->ring_lock, NULL);
	err = open_parts(file, options, error);
	if (err != 0) {
		file->store.ops->close(&file->store);
		return err;
	}
	*out = &file->store;
	return 0;
}
