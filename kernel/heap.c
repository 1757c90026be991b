/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.c - pages for the kernel's own use: first fit over a byte a page.
 *
 * Theory. It serves a handful of large pieces at start-up and the RAM store's pieces of 64 pages, so
 * a walk over them is good enough, and it leaves no fragments behind that a test would stumble over.
 *
 * Locks: one of its own, after the pager lock: a store allocates with that held, others without.
 * Limits: a byte a page, in the first of them.
 */
#include "kernel.h"
#include "sched.h"
#include "string.h"

static struct spin lock;
static uint8_t *used;  /* [lock] one for each page; [I] where */
static uintptr_t base; /* [I] */
static size_t pages;   /* [I] */

static size_t pages_of(size_t bytes)
{
	return (bytes + Z_PAGE_MASK) / Z_PAGE_SIZE;
}

void kernel_heap_start(struct z_port_ram ram)
{
	size_t all = (ram.end - ram.begin) / Z_PAGE_SIZE;

	used = (uint8_t *)ram.begin;
	base = ram.begin + pages_of(all) * Z_PAGE_SIZE;
	pages = all - pages_of(all);
	memset(used, 0, all);
}

/* The first page of a free run of n; `pages` if there is none. */
static size_t find_run(size_t n)
{
	size_t run = 0;

	for (size_t i = 0; i < pages; i++) {
		run = used[i] != 0 ? 0 : run + 1;
		if (run == n)
			return i + 1 - n;
	}
	return pages;
}

void *kernel_alloc(size_t bytes)
{
	size_t n = pages_of(bytes);
	unsigned long key = spin_lock(&lock);
	size_t first = n > 0 ? find_run(n) : pages;
	void *memory = NULL;

	if (first < pages) {
		memset(&used[first], 1, n);
		memory = (void *)(base + first * Z_PAGE_SIZE);
	}
	spin_unlock(&lock, key);
	if (memory != NULL)
		memset(memory, 0, n * Z_PAGE_SIZE);
	return memory;
}

void kernel_free(void *memory, size_t bytes)
{
	size_t first = ((uintptr_t)memory - base) / Z_PAGE_SIZE;
	unsigned long key = spin_lock(&lock);

	memset(&used[first], 0, pages_of(bytes));
	spin_unlock(&lock, key);
}

size_t kernel_pages_left(void)
{
	size_t left = 0;

	for (size_t i = 0; i < pages; i++)
		left += used[i] == 0;
	return left;
}

static void *store_alloc(void *ctx, size_t bytes)
{
	(void)ctx;
	return kernel_alloc(bytes);
}

static void store_free(void *ctx, void *memory, size_t bytes)
{
	(void)ctx;
	kernel_free(memory, bytes);
}

struct z_store_env kernel_store_env(void)
{
	return (struct z_store_env){.alloc = store_alloc, .free = store_free};
}
