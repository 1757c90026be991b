/* SPDX-License-Identifier: Apache-2.0 */
/*
 * k_mem.c - k_mem_map and its family over the kernel's pager; see k_mem.h.
 *
 * Locks: the pager's.
 */
#include "k_mem.h"

#include "kernel.h"

#include <zpager/mmu.h>

#define FLAGS_KNOWN                                                                                \
	(K_MEM_CACHE_MASK | K_MEM_PERM_RW | K_MEM_PERM_EXEC | K_MEM_PERM_USER | K_MEM_MAP_UNINIT | \
	 K_MEM_MAP_LOCK | K_MEM_MAP_UNPAGED)

static bool flags_ok(uint32_t flags)
{
	return (flags & ~(uint32_t)FLAGS_KNOWN) == 0 &&
	       (flags & K_MEM_CACHE_MASK) == K_MEM_CACHE_WB;
}

static unsigned int prot_of(uint32_t flags)
{
	unsigned int prot = Z_ACCESS_READ;

	prot |= (flags & K_MEM_PERM_RW) != 0 ? (unsigned int)Z_ACCESS_WRITE : 0U;
	prot |= (flags & K_MEM_PERM_EXEC) != 0 ? (unsigned int)Z_ACCESS_EXEC : 0U;
	prot |= (flags & K_MEM_PERM_USER) != 0 ? (unsigned int)Z_ACCESS_USER : 0U;
	return prot;
}

/* The number of pages, 0 if the range makes no sense. */
static size_t pages_of(const void *addr, size_t size)
{
	bool aligned = z_is_page_aligned((uintptr_t)addr) && z_is_page_aligned(size);

	return aligned && z_kernel_pager() != NULL ? size / Z_PAGE_SIZE : 0;
}

void *k_mem_map(size_t size, uint32_t flags)
{
	size_t pages = pages_of(NULL, size);
	unsigned int how = (flags & K_MEM_MAP_LOCK) != 0 ? (unsigned int)Z_MAP_PINNED : 0U;
	uintptr_t va;

	if (pages == 0 || !flags_ok(flags))
		return NULL;
	if (z_pager_map(z_kernel_pager(), pages, prot_of(flags), how, 1, &va) != Z_OK)
		return NULL;
	return (void *)va;
}

void *k_mem_map_unpaged(z_loc_t first, size_t size, uint32_t flags)
{
	size_t pages = pages_of(NULL, size);
	uintptr_t va;

	if (pages == 0 || !flags_ok(flags) || (flags & (K_MEM_PERM_RW | K_MEM_MAP_LOCK)) != 0)
		return NULL;
	if (z_pager_map_stored(z_kernel_pager(), pages, prot_of(flags), 0, first, &va) != Z_OK)
		return NULL;
	return (void *)va;
}

int k_mem_unmap(void *addr, size_t size)
{
	size_t pages = pages_of(addr, size);

	return pages == 0 ? Z_ERR_INVAL : z_pager_unmap(z_kernel_pager(), (uintptr_t)addr, pages);
}

int k_mem_update_flags(void *addr, size_t size, uint32_t flags)
{
	size_t pages = pages_of(addr, size);

	if (pages == 0 || !flags_ok(flags))
		return Z_ERR_INVAL;
	return z_pager_protect(z_kernel_pager(), (uintptr_t)addr, pages, prot_of(flags));
}

size_t k_mem_free_get(void)
{
	return z_free_page_count * Z_PAGE_SIZE;
}

int k_mem_page_out(void *addr, size_t size)
{
	size_t pages = pages_of(addr, size);

	if (pages == 0)
		return Z_ERR_INVAL;
	return z_pager_page_out(z_kernel_pager(), (uintptr_t)addr, pages, NULL);
}

int k_mem_page_in(void *addr, size_t size)
{
	size_t pages = pages_of(addr, size);

	if (pages == 0)
		return Z_ERR_INVAL;
	return z_pager_page_in(z_kernel_pager(), (uintptr_t)addr, pages, NULL);
}

int k_mem_pin(void *addr, size_t size)
{
	size_t pages = pages_of(addr, size);

	return pages == 0 ? Z_ERR_INVAL : z_pager_pin(z_kernel_pager(), (uintptr_t)addr, pages);
}

int k_mem_unpin(void *addr, size_t size)
{
	size_t pages = pages_of(addr, size);

	return pages == 0 ? Z_ERR_INVAL : z_pager_unpin(z_kernel_pager(), (uintptr_t)addr, pages);
}

void k_mem_paging_stats_get(struct k_mem_paging_stats_t *stats)
{
	struct z_stats s;

	z_pager_stats(z_kernel_pager(), &s);
	*stats = (struct k_mem_paging_stats_t){
		.pagefaults = {.cnt = s.pagefaults,
			       .irq_locked = s.pagefaults_irq_locked,
			       .irq_unlocked = s.pagefaults_irq_unlocked,
			       .in_isr = s.pagefaults_in_isr},
		.eviction = {.clean = s.eviction_clean, .dirty = s.eviction_dirty},
	};
}
