/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_store.h - what file.c (the operations), file_write.c (batches of writes) and file_open.c (open, and
 * after a fork) share.
 */
#ifndef STORE_FILE_STORE_H
#define STORE_FILE_STORE_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <xxhash.h>

#include "file_ahead.h"
#include "file_io.h"
#include "hosted.h"
#include "mem.h"
#include "slots.h"

/* A huge page: what is read ahead, and behind it what is written. */
#define ROOM_BYTES ((size_t)2 << 20)
#define ROOM_PAGES (ROOM_BYTES / Z_PAGE_SIZE)

#define LIST_END    Z_SLOT_NONE
#define LIST_NOT_ON (Z_SLOT_NONE - 1U)

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
	struct z_uring *ring;       /* [ring_lock] NULL: there is none */
	_Atomic(char *) room;       /* [ring_lock] to take it; NULL: not yet */
	char *room_memory;          /* [ring_lock] it lies in there */
	bool room_refused;          /* [ring_lock] there was no RAM for it */
	struct z_file_ahead *ahead; /* [I] NULL: nothing is read ahead */
	atomic_ullong written;
	atomic_ullong read;
	char directory[PATH_MAX];
};

static inline struct entry *file_entry(const struct file_store *file, uint32_t slot)
{
	return z_table_at(&file->entries, slot);
}

static inline uint64_t file_offset(uint32_t slot)
{
	return (uint64_t)slot * Z_PAGE_SIZE;
}

/* What lies behind the structure, each part on a cache line of its own. */
static inline size_t file_part(size_t bytes)
{
	return (bytes + 63U) / 64U * 64U;
}

static inline size_t file_head_pages(void)
{
	return z_pages_for(file_part(sizeof(struct file_store)) + file_part(z_uring_bytes()) +
			   z_ahead_bytes());
}

static inline uint32_t file_sum(const void *page)
{
	return (uint32_t)XXH3_64bits(page, Z_PAGE_SIZE);
}

static inline void file_forget_ahead(struct file_store *file, uint32_t slot)
{
	if (file->ahead != NULL) {
		z_ahead_forget(file->ahead, slot);
	}
}

/* z_file_write_batch - as page_out_many. z_file_give_room - on close: the RAM that it took for that. */
size_t z_file_write_batch(struct file_store *file, struct z_store_io *ios, size_t n);
void z_file_give_room(struct file_store *file);

#endif /* STORE_FILE_STORE_H */
