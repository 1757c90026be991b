/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_store.h - what file.c (the operations) and file_open.c (open, and after a fork) share.
 */
#ifndef STORE_FILE_STORE_H
#define STORE_FILE_STORE_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "file_io.h"
#include "hosted.h"
#include "mem.h"
#include "slots.h"

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
	struct z_uring *ring; /* [ring_lock] NULL: there is none */
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

static inline size_t file_head_pages(void)
{
	return z_pages_for(sizeof(struct file_store) + z_uring_bytes() + 64U);
}

#endif /* STORE_FILE_STORE_H */
