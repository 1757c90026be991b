/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmu.c - the specified interface, calls into us: the kernel's one pager and what acts on it.
 *
 * Theory. The frame database is a static array, as specified; everything else is a pager like any
 * other, made from a port's configuration completed by Kconfig. Nothing outside this file knows
 * that there is one pager that is special. Until it is published no fault is accepted.
 *
 * z_page_fault is not told what kind of access faulted. For a page that has to be loaded it does not
 * matter: it is loaded clean, and the access is tried again. For a page that is present the
 * hardware wants a bit that it cannot set itself; see guess_access.
 *
 * Locks: the pager's. Limits: one such pager; creating and destroying it is for start-up and
 * shut-down, one CPU, no faults.
 */
#include <zpager/mmu.h>

#if defined(CONFIG_MMU) && defined(CONFIG_DEMAND_PAGING)

#include "internal.h"

#ifdef CONFIG_DEMAND_PAGING_ALLOW_IRQ
#define ALLOW_IRQ true
#else
#define ALLOW_IRQ false
#endif

#if defined(CONFIG_EVICTION_CUSTOM)
#define EVICTION_CHOSEN (&z_eviction_custom)
#elif defined(CONFIG_EVICTION_CLOCK)
#define EVICTION_CHOSEN (&z_eviction_clock)
#elif defined(CONFIG_EVICTION_LRU)
#define EVICTION_CHOSEN (&z_eviction_lru)
#elif defined(CONFIG_EVICTION_SIEVE)
#define EVICTION_CHOSEN (&z_eviction_sieve)
#elif defined(CONFIG_EVICTION_S3FIFO)
#define EVICTION_CHOSEN (&z_eviction_s3fifo)
#elif defined(CONFIG_EVICTION_CLOCKPRO)
#define EVICTION_CHOSEN (&z_eviction_clockpro)
#elif defined(CONFIG_EVICTION_MGLRU)
#define EVICTION_CHOSEN (&z_eviction_mglru)
#elif defined(CONFIG_EVICTION_LEARNED)
#define EVICTION_CHOSEN (&z_eviction_learned)
#else
#define EVICTION_CHOSEN (&z_eviction_nru)
#endif

/* Opened at the last moment: a specified store's init comes after the frame database is ready. */
#ifdef CONFIG_BACKING_STORE_CUSTOM
#define STORE_OPEN_CHOSEN() z_store_custom_open()
#else
#define STORE_OPEN_CHOSEN() NULL
#endif

struct z_page_frame z_page_frames[Z_NUM_PAGE_FRAMES];
size_t z_free_page_count;

static struct z_pager *kernel;

/* The port's configuration, and what Kconfig says. */
static struct z_pager_config complete(const struct z_pager_config *config)
{
	struct z_pager_config c = *config;

	c.frames = z_page_frames;
	c.nframes = Z_NUM_PAGE_FRAMES;
	c.ram_base = Z_PHYS_RAM_START;
	c.vm_base = (uintptr_t)CONFIG_KERNEL_VM_BASE;
	c.vm_pages = ((size_t)CONFIG_KERNEL_VM_SIZE - Z_VM_RESERVED) / Z_PAGE_SIZE;
	c.free_count = &z_free_page_count;
	c.unlock_for_io = c.unlock_for_io && ALLOW_IRQ;
	if (c.eviction == NULL)
		c.eviction = EVICTION_CHOSEN;
	return c;
}

size_t z_kernel_pager_bytes(const struct z_pager_config *config)
{
	struct z_store placeholder = {0};
	struct z_pager_config c = complete(config);

	if (c.store == NULL)
		c.store = &placeholder;
	return z_pager_bytes(&c);
}

int z_kernel_pager_init(const struct z_pager_config *config, void *memory)
{
	struct z_pager_config c = complete(config);
	struct z_pager *pager;
	int err;

	if (kernel != NULL)
		return Z_ERR_BUSY;
	if (c.store == NULL)
		c.store = STORE_OPEN_CHOSEN();

	err = z_pager_create(&c, memory, &pager);
	if (err == Z_OK)
		kernel = pager;
	return err;
}

struct z_pager *z_kernel_pager(void)
{
	return kernel;
}

int z_kernel_pager_exit(void)
{
	int err;

	if (kernel == NULL)
		return Z_OK;
	err = z_pager_destroy(kernel);
	if (err != Z_OK)
		return err;
	kernel = NULL;
	z_free_page_count = 0;
	memset(z_page_frames, 0, sizeof(z_page_frames));
	return Z_OK;
}

unsigned int z_page_frame_info(struct z_page_frame *pf, bool clear_accessed)
{
	return kernel->cfg.arch->info(kernel->cfg.arch_ctx, (uintptr_t)pf->addr, clear_accessed);
}

/*
 * What to tell the pager of a fault of unknown kind. Not present: nothing, the page comes in clean
 * and not accessed. Present: accessed and dirty are made by soft faults (or the TLB was stale). If
 * the page does not count as accessed yet, that is what was missing; else it is the dirty bit.
 */
static unsigned int guess_access(struct z_pager *p, uintptr_t va)
{
	unsigned int access = 0;
	struct z_entry e;

	z__lock(p);
	e = z__entry(p, va);
	if (e.kind == Z_ENTRY_IN) {
		bool accessed =
			(p->cfg.arch->info(p->cfg.arch_ctx, va, false) & Z_INFO_ACCESSED) != 0;

		access = e.prot & (accessed ? Z_ACCESS_READ | Z_ACCESS_WRITE : Z_ACCESS_READ);
		if (access == 0)
			access = e.prot;
	}
	z__unlock(p);
	return access;
}

bool z_page_fault(void *addr)
{
	uintptr_t va = z_page_align_down((uintptr_t)addr);
	enum z_fault_result result;
	unsigned int access = 0;

	if (kernel == NULL)
		return false;
	if (z__in_window(kernel, va))
		access = guess_access(kernel, va);
	result = z_pager_fault(kernel, va, access);
	/* Permissions changed since the guess: the instruction will tell what it wants. */
	return result == Z_FAULT_RESOLVED || result == Z_FAULT_VIOLATION;
}

int z_page_frame_evict(uintptr_t phys)
{
	int err;

	if (kernel == NULL)
		return Z_ERR_INVAL;
	err = z_pager_evict_frame(kernel, z_phys(phys));
	return err == Z_ERR_NOSPC ? Z_ERR_NOMEM : err;
}

#endif
