/* SPDX-License-Identifier: Apache-2.0 */
/*
 * private.c - memory that is never paged, for whatever runs inside of the pager.
 *
 * libc allocates where one does not see it: the vectors of a new thread's local storage, the text
 * of a failed dlopen(), buffers of stdio. If the thread that serves faults got such memory from the paged
 * heap it would wait for itself. So everything that is allocated inside comes from here: one
 * reservation of addresses, cut into blocks of powers of two with a free list for each size. One
 * comparison tells whose a pointer is.
 *
 * Cost: O(1); up to half of a block is unused, which does not matter for the few hundred KiB that
 * are ever asked for. Large blocks (stores take theirs by mmap) are given back to the kernel's care
 * by MADV_DONTNEED and stay in their list.
 * Locks: one spin lock, held for a few instructions, never while calling anything that sleeps.
 * Limits: ARENA_BYTES in all; then NULL.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sched.h>
#include <sys/mman.h>

#include "preload.h"

#define ARENA_BYTES ((size_t)4 << 30)
#define MIN_SHIFT   6U
#define CLASSES     32U
#define GIVE_BACK   ((size_t)256 << 10)

/* Before each block; the block itself begins at its alignment. */
struct head {
	uint32_t class;
	uint32_t offset; /* from the start of the whole block to what was handed out */
	uint64_t bytes;  /* that were asked for */
};

struct free_block {
	struct free_block *next;
};

static atomic_flag lock = ATOMIC_FLAG_INIT;
static char *_Atomic arena;
static size_t used;                       /* under lock */
static struct free_block *lists[CLASSES]; /* under lock */

void zp_private_lock(void)
{
	while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire)) {
		sched_yield();
	}
}

void zp_private_unlock(void)
{
	atomic_flag_clear_explicit(&lock, memory_order_release);
}

bool zp_private_owns(const void *memory)
{
	char *base = atomic_load_explicit(&arena, memory_order_acquire);

	return base != NULL && (uintptr_t)memory - (uintptr_t)base < ARENA_BYTES;
}

static char *arena_locked(void)
{
	char *base = atomic_load_explicit(&arena, memory_order_relaxed);
	void *fresh;

	if (base != NULL) {
		return base;
	}
	fresh = zp_sys_mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fresh == MAP_FAILED) {
		return NULL;
	}
	atomic_store_explicit(&arena, (char *)fresh, memory_order_release);
	return fresh;
}

static unsigned int class_of(size_t bytes)
{
	unsigned int class = 0;

	while (((size_t)1 << (class + MIN_SHIFT)) < bytes) {
		class ++;
	}
	return class;
}

static void *take_locked(unsigned int class)
{
	size_t bytes = (size_t)1 << (class + MIN_SHIFT);
	struct free_block *block = lists[class];
	char *base;

	if (block != NULL) {
		lists[class] = block->next;
		return block;
	}
	base = arena_locked();
	if (base == NULL || bytes > ARENA_BYTES - used) {
		return NULL;
	}
	used += bytes;
	return base + used - bytes;
}

void *zp_private_alloc(size_t bytes, size_t align)
{
	size_t slack = sizeof(struct head) + align;
	unsigned int class;
	struct head *head;
	char *block;
	uintptr_t at;

	if (bytes > ARENA_BYTES / 2 || align > ARENA_BYTES / 4) {
		return NULL;
	}
	class = class_of(bytes + slack);
	zp_private_lock();
	block = take_locked(class);
	zp_private_unlock();
	if (block == NULL) {
		return NULL;
	}
	at = ((uintptr_t)block + sizeof(*head) + align - 1) & ~(uintptr_t)(align - 1);
	head = (struct head *)at - 1;
	head->class = class;
	head->offset = (uint32_t)(at - (uintptr_t)block);
	head->bytes = bytes;
	return (void *)at;
}

void zp_private_free(void *memory)
{
	struct head head = *((struct head *)memory - 1);
	struct free_block *block = (struct free_block *)(void *)((char *)memory - head.offset);
	size_t bytes = (size_t)1 << (head.class + MIN_SHIFT);

	if (bytes >= GIVE_BACK) {
		uintptr_t first = ((uintptr_t)block + 4095) & ~(uintptr_t)4095;
		uintptr_t last = ((uintptr_t)block + bytes) & ~(uintptr_t)4095;

		(void)zp_sys_madvise((void *)first, last - first, MADV_DONTNEED);
	}
	zp_private_lock();
	block->next = lists[head.class];
	lists[head.class] = block;
	zp_private_unlock();
}

size_t zp_private_size(const void *memory)
{
	return (size_t)((const struct head *)memory - 1)->bytes;
}
