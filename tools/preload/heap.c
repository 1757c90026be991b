/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.c - malloc() and its family: Debian's mimalloc over the paged window.
 *
 * mimalloc takes its segments by mmap(), which this library interposes, so they lie in the window.
 * We stand before it, because memory that is allocated inside of the pager must not be paged:
 * zp_inside decides at allocation, the address at free. See README.md for the choice and figures.
 *
 * Memory of the paged heap that is freed inside is given up, not freed: freeing would touch it.
 * Locks: none of ours; mimalloc's heaps are per thread.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <mimalloc.h>

#include "preload.h"

static atomic_bool ready;

/* The options that differ from mimalloc's own choice; MIMALLOC_* in the environment wins. */
static void set_options(void)
{
	/* Whole segments at once: no mprotect() for each piece, which would split the window. */
	mi_option_set_default(mi_option_eager_commit, 1);
	mi_option_set_default(mi_option_eager_commit_delay, 0);
	/* Huge pages would put 2 MiB into the budget for one byte. */
	mi_option_set_default(mi_option_large_os_pages, 0);
	mi_option_set_default(mi_option_page_reset, 0);
	/* Free memory goes back to the pager: nobody writes it to the store then. */
	mi_option_set_default(mi_option_allow_decommit, 1);
	mi_option_set_default(mi_option_show_errors, 0);
}

void zp_heap_open(void)
{
	set_options();
	(void)zp_pager();
	atomic_store_explicit(&ready, true, memory_order_release);
}

/* slow - true: allocate private memory. The first call of the process opens the pager. */
static bool slow(void)
{
	if (!zp_inside) {
		zp_heap_open();
	}
	return zp_inside != 0;
}

static inline bool private_wanted(void)
{
	bool go = !zp_inside && atomic_load_explicit(&ready, memory_order_acquire);

	return ZP_UNLIKELY(!go) && slow();
}

/* What mimalloc answered; it does not set errno in every case. */
static inline void *or_errno(void *memory)
{
	if (ZP_UNLIKELY(memory == NULL)) {
		errno = ENOMEM;
	}
	return memory;
}

static void *private_or_errno(size_t bytes, size_t align)
{
	return or_errno(zp_private_alloc(bytes, align));
}

ZP_EXPORT void *malloc(size_t bytes)
{
	if (private_wanted()) {
		return private_or_errno(bytes, ZP_HEAP_ALIGN);
	}
	return or_errno(mi_malloc(bytes));
}

ZP_EXPORT void *calloc(size_t count, size_t bytes)
{
	size_t all;
	void *memory;

	if (!private_wanted()) {
		return or_errno(mi_calloc(count, bytes));
	}
	if (__builtin_mul_overflow(count, bytes, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	memory = private_or_errno(all, ZP_HEAP_ALIGN);
	return memory != NULL ? memset(memory, 0, all) : NULL;
}

ZP_EXPORT void free(void *memory)
{
	if (memory == NULL) {
		return;
	}
	if (ZP_UNLIKELY(zp_private_owns(memory))) {
		zp_private_free(memory);
	} else if (ZP_LIKELY(!zp_inside)) {
		mi_free(memory);
	}
}

static void *private_realloc(void *old, size_t bytes)
{
	bool owned = zp_private_owns(old);
	size_t had = owned ? zp_private_size(old) : 0;
	void *fresh;

	if (!owned) {
		/* Growing a block of the paged heap inside: it would be touched there. */
		errno = ENOMEM;
		return NULL;
	}
	fresh = malloc(bytes);
	if (fresh == NULL) {
		return NULL;
	}
	memcpy(fresh, old, had < bytes ? had : bytes);
	zp_private_free(old);
	return fresh;
}

ZP_EXPORT void *realloc(void *old, size_t bytes)
{
	if (old == NULL) {
		return malloc(bytes);
	}
	if (private_wanted() || zp_private_owns(old)) {
		return private_realloc(old, bytes);
	}
	if (bytes == 0) {
		/* glibc frees and gives NULL; programs rely on either, so do as their libc. */
		mi_free(old);
		return NULL;
	}
	return or_errno(mi_realloc(old, bytes));
}

ZP_EXPORT void *reallocarray(void *old, size_t count, size_t bytes)
{
	size_t all;

	if (__builtin_mul_overflow(count, bytes, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, all);
}

ZP_EXPORT void *memalign(size_t align, size_t bytes)
{
	if (align == 0 || (align & (align - 1)) != 0) {
		errno = EINVAL;
		return NULL;
	}
	if (private_wanted()) {
		return private_or_errno(bytes, align < ZP_HEAP_ALIGN ? ZP_HEAP_ALIGN : align);
	}
	return or_errno(mi_memalign(align, bytes));
}

ZP_EXPORT void *aligned_alloc(size_t align, size_t bytes)
{
	return memalign(align, bytes);
}

ZP_EXPORT int posix_memalign(void **out, size_t align, size_t bytes)
{
	int before = errno;
	void *memory;

	if (align < sizeof(void *) || (align & (align - 1)) != 0) {
		return EINVAL;
	}
	memory = memalign(align, bytes);
	errno = before;
	if (memory == NULL) {
		return ENOMEM;
	}
	*out = memory;
	return 0;
}

ZP_EXPORT void *valloc(size_t bytes)
{
	return memalign(Z_PAGE_SIZE, bytes);
}

ZP_EXPORT void *pvalloc(size_t bytes)
{
	size_t pages = bytes + Z_PAGE_MASK;

	if (pages < bytes) {
		errno = ENOMEM;
		return NULL;
	}
	return memalign(Z_PAGE_SIZE, pages & ~(size_t)Z_PAGE_MASK);
}

ZP_EXPORT size_t malloc_usable_size(void *memory)
{
	if (memory == NULL) {
		return 0;
	}
	if (ZP_UNLIKELY(zp_private_owns(memory))) {
		return zp_private_size(memory);
	}
	return mi_usable_size(memory);
}

ZP_EXPORT int malloc_trim(size_t keep)
{
	(void)keep;
	if (!zp_inside) {
		mi_collect(true);
	}
	return 1;
}
