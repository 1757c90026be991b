/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - start-up order, and the pager between the port's traps and the core.
 *
 * Order. The port brings the machine up (console, traps, paging of the kernel itself), then the heap,
 * then the timer and interrupts, then the application, which starts the pager with the store and the
 * algorithm that it wants. Until then a page fault is an error.
 *
 * Locks: none of its own; one thread, and an interrupt that changes only the count of ticks.
 * Limits: one CPU, one thread, no user mode.
 */
#include "kernel.h"

#include <zpager/mmu.h>

#define TICK_NS         1000000U
#define FRAMES_PER_BANK 16U

static kernel_fault_t fault_handler;
static bool faults_as_specified;
static void *pager_memory;
static size_t pager_bytes;

static volatile uint64_t ticks;
static void (*volatile tick_hook)(void);

void kernel_main(struct z_port_ram ram)
{
	unsigned int status;

	kernel_heap_start(ram);
	kernel_print("zpager kernel: %s, %u page frames, %zu pages of the kernel's own, accessed "
		     "and dirty by %s\n",
		     z_port_name(), (unsigned int)Z_NUM_PAGE_FRAMES, kernel_pages_left(),
		     z_port_ad() ? "hardware" : "faults");
	z_port_tick(TICK_NS);
	z_port_irq_restore(~0UL);

	status = kernel_app();
	z_port_exit(status);
}

/* ---- faults ------------------------------------------------------------------------------------- */

void kernel_set_fault_handler(kernel_fault_t handler)
{
	fault_handler = handler;
}

enum z_fault_result kernel_page_fault(uintptr_t va, unsigned int access)
{
	if (fault_handler != NULL)
		return fault_handler(va, access);
	if (z_kernel_pager() == NULL)
		return Z_FAULT_BAD_ADDRESS;
	if (faults_as_specified)
		return z_page_fault((void *)va) ? Z_FAULT_RESOLVED : Z_FAULT_BAD_ADDRESS;
	return z_pager_fault(z_kernel_pager(), va, access);
}

/* ---- the pager ------------------------------------------------------------------------------------ */

int kernel_pager_start(const struct kernel_pager_options *options)
{
	struct z_pager_config config = {
		.env = &kernel_env,
		.store = options->store,
		.frames_per_bank = FRAMES_PER_BANK,
		.max_regions = 64,
		.batch = 1,
		.ghosts = 64,
		.events = 64,
		.unlock_for_io = options->unlock_for_io,
		.commit = Z_COMMIT_HEURISTIC,
	};
	int err;

	config.arch = z_port_arch(options->soft_ad, &config.arch_ctx);
	if (options->eviction != NULL) {
		config.eviction = z_eviction_find(options->eviction);
		if (config.eviction == NULL)
			return Z_ERR_INVAL;
	}
	pager_bytes = z_kernel_pager_bytes(&config);
	if (pager_bytes == 0)
		return Z_ERR_INVAL;
	pager_memory = kernel_alloc(pager_bytes);
	if (pager_memory == NULL)
		return Z_ERR_NOMEM;

	faults_as_specified = options->as_specified;
	err = z_kernel_pager_init(&config, pager_memory);
	if (err != Z_OK)
		kernel_free(pager_memory, pager_bytes);
	return err;
}

int kernel_pager_stop(void)
{
	int err = z_kernel_pager_exit();

	if (err == Z_OK)
		kernel_free(pager_memory, pager_bytes);
	return err;
}

/* ---- time ------------------------------------------------------------------------------------------- */

uint64_t kernel_ticks(void)
{
	return ticks;
}

void kernel_set_tick_hook(void (*hook)(void))
{
	tick_hook = hook;
}

void kernel_tick(void)
{
	void (*hook)(void) = tick_hook;

	ticks = ticks + 1;
	if (hook != NULL)
		hook();
}
