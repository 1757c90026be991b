/* SPDX-License-Identifier: Apache-2.0 */
/*
 * k_mem.h - pageable memory for the kernel's users, under the names that users of the Zephyr RTOS
 * know. Everything else of the kernel is pinned.
 *
 * Differences, in all functions: an error is a return value and not an assertion; pins nest.
 * docs/COMING_FROM_ZEPHYR.md has the list.
 *
 * Addresses and sizes: page-aligned, size > 0, else Z_ERR_INVAL. Context, unless said otherwise: a
 * thread, no lock held; may wait.
 *
 * Source: the interface of k_mem_map and its family as its documentation names it.
 */
#ifndef KERNEL_K_MEM_H
#define KERNEL_K_MEM_H

#include <zpager/error.h>
#include <zpager/types.h>

enum k_mem_flags {
	K_MEM_CACHE_WB = 0, /* the only kind of pageable memory; others are refused */
	K_MEM_CACHE_WT = 1,
	K_MEM_CACHE_NONE = 2,
	K_MEM_CACHE_MASK = 7,
	K_MEM_PERM_RW = 1 << 3,      /* without: read only */
	K_MEM_PERM_EXEC = 1 << 4,    /* without: not executable */
	K_MEM_PERM_USER = 1 << 5,    /* user mode may use it, with the same rights */
	K_MEM_MAP_UNINIT = 1 << 16,  /* contents do not matter: they are zeros all the same */
	K_MEM_MAP_LOCK = 1 << 17,    /* filled now, never paged out */
	K_MEM_MAP_UNPAGED = 1 << 18, /* nothing is filled now, as always */
};

/* k_mem_map - zero-filled memory, filled at the first touch. NULL: no room of some kind. */
void *k_mem_map(size_t size, uint32_t flags);

/*
 * k_mem_map_unpaged - map what the backing store holds already, read-only or executable, from this
 * location on, one page after the other. NULL: no room, or K_MEM_PERM_RW.
 */
void *k_mem_map_unpaged(z_loc_t first, size_t size, uint32_t flags);

/* k_mem_unmap - 0 | Z_ERR_INVAL | Z_ERR_FAULT not all mapped | Z_ERR_BUSY something is pinned. */
int k_mem_unmap(void *addr, size_t size);

/* k_mem_update_flags - other permissions; contents stay, resident or not. Errors as k_mem_unmap. */
int k_mem_update_flags(void *addr, size_t size, uint32_t flags);

/* k_mem_free_get - bytes of page frames that are free now. Any context. */
size_t k_mem_free_get(void);

/*
 * k_mem_page_out, k_mem_page_in, k_mem_pin, k_mem_unpin - as z_pager_page_out and so on, with their
 * errors; what was done before an error stays done, except that a pin is all or nothing.
 */
int k_mem_page_out(void *addr, size_t size);
int k_mem_page_in(void *addr, size_t size);
int k_mem_pin(void *addr, size_t size);
int k_mem_unpin(void *addr, size_t size);

/* ---- statistics ------------------------------------------------------------------------------ */

struct k_mem_paging_stats_t {
	struct {
		unsigned long cnt;
		unsigned long irq_locked;
		unsigned long irq_unlocked;
		unsigned long in_isr;
	} pagefaults;
	struct {
		unsigned long clean;
		unsigned long dirty;
	} eviction;
};

/* k_mem_paging_stats_get - of all contexts. Any context that may take the pager lock. */
void k_mem_paging_stats_get(struct k_mem_paging_stats_t *stats);

/* k_mem_paging_thread_stats_get - of one thread: faults and evictions that it carried out. */
struct thread;
void k_mem_paging_thread_stats_get(struct thread *thread, struct k_mem_paging_stats_t *stats);

#define K_MEM_HISTOGRAM_BINS 10U

/* counts[i]: how many took at most bounds[i] nanoseconds and more than the bound before. */
struct k_mem_paging_histogram_t {
	unsigned long counts[K_MEM_HISTOGRAM_BINS];
	unsigned long bounds[K_MEM_HISTOGRAM_BINS]; /* the last has none: ~0UL */
};

/*
 * Upper bounds in nanoseconds, rising, the last ~0UL. Weak: an application may have its own.
 */
extern const unsigned long k_mem_paging_eviction_histogram_bounds[K_MEM_HISTOGRAM_BINS];
extern const unsigned long k_mem_paging_backing_store_histogram_bounds[K_MEM_HISTOGRAM_BINS];

/* How long choosing victims, and the store's page_in and page_out took. */
void k_mem_paging_histogram_eviction_get(struct k_mem_paging_histogram_t *hist);
void k_mem_paging_histogram_backing_store_page_in_get(struct k_mem_paging_histogram_t *hist);
void k_mem_paging_histogram_backing_store_page_out_get(struct k_mem_paging_histogram_t *hist);

#endif /* KERNEL_K_MEM_H */
