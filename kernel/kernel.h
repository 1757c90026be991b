/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel.h - the small kernel: what it offers to the application that is linked to it.
 *
 * Everything of the kernel is pinned: it lies outside of the paged window. Pageable is what the
 * application maps (k_mem.h), user mode, and the on-demand section.
 */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include <zpager/pager.h>
#include <zpager/store.h>

#include "../arch/common/port.h"

/* A CPU's turn of one thread, and the grain of sleeping. */
#define KERNEL_TICK_NS 1000000U

/* ---- memory of the kernel's own ----------------------------------------------------------------- */

/*
 * kernel_alloc - zeroed, page-aligned, never paged; NULL if there is no run of pages that long.
 * kernel_free - give it back, with the same size. Both: not in an ISR.
 */
void *kernel_alloc(size_t bytes);
void kernel_free(void *memory, size_t bytes);

/* kernel_pages_left - how many pages of it are free. */
size_t kernel_pages_left(void);

/* kernel_heap_start - once, at start-up. */
void kernel_heap_start(struct z_port_ram ram);

/* ---- the pager ------------------------------------------------------------------------------------ */

extern const struct z_env_ops kernel_env;

/* kernel_store_env - memory for a store. */
struct z_store_env kernel_store_env(void);

struct kernel_pager_options {
	const char *eviction;  /* NULL: the choice of Kconfig */
	struct z_store *store; /* NULL: somebody else's, in a kernel that is bound to one */
	bool unlock_for_io;    /* CONFIG_DEMAND_PAGING_ALLOW_IRQ; without it: never */
	bool soft_ad;          /* accessed and dirty by faults */
	bool as_specified;  /* the trap handler calls z_page_fault, which is not told the access */
	bool metered;       /* counters of each thread, and the histograms of k_mem.h */
	uint32_t low_water; /* evict ahead below so many free frames; 0: as specified */
};

/*
 * kernel_pager_start - make the kernel's pager; page faults go to it from now on.
 *   0 | Z_ERR_NOMEM | Z_ERR_INVAL no such algorithm | as z_kernel_pager_init.
 * kernel_pager_stop - unmap everything; the store is the caller's to close.
 *   0 | Z_ERR_BUSY something is pinned; nothing changed.
 */
Z_MUST_CHECK int kernel_pager_start(const struct kernel_pager_options *options);
Z_MUST_CHECK int kernel_pager_stop(void);

/*
 * kernel_set_fault_handler - who answers page faults instead of the pager; NULL: the pager again.
 */
typedef enum z_fault_result (*kernel_fault_t)(uintptr_t va, unsigned int access);
void kernel_set_fault_handler(kernel_fault_t handler);

/* ---- time ------------------------------------------------------------------------------------------- */

/*
 * kernel_ticks - how often kernel_tick() came, on CPU 0. kernel_set_tick_hook - called there; may be
 * NULL.
 */
uint64_t kernel_ticks(void);
void kernel_set_tick_hook(void (*hook)(void));

/* ---- devices ---------------------------------------------------------------------------------------- */

/* kernel_irq_attach - the device's interrupt calls handler, in interrupt context. At start-up. */
void kernel_irq_attach(unsigned int irq, void (*handler)(void));

/* ---- the command line ------------------------------------------------------------------------------- */

/*
 * kernel_option - the value of a word NAME=VALUE of the command line, as text up to the next space.
 *   value: room for max characters and a 0. false: there is none, or it is too long.
 */
bool kernel_option(const char *name, char *value, size_t max);

/* kernel_is_panicking - some CPU reports why it stops. */
bool kernel_is_panicking(void);

/* ---- the application -------------------------------------------------------------------------------- */

/* kernel_app - what is linked to the kernel; the exit status of the machine. */
unsigned int kernel_app(void);

#endif /* KERNEL_KERNEL_H */
