/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pager.c - the kernel's pager: making it, ending it, and the way of a page fault to it.
 *
 * Locks: none of its own. Starting and stopping is for one thread while no other touches the window.
 */
#include "kernel.h"
#include "meter.h"
#include "sched.h"

#include <zpager/mmu.h>

#define FRAMES_PER_BANK 16U
#define BANKS_MAX       64U
#define REGIONS_MAX     64U

static kernel_fault_t fault_handler;
static bool faults_as_specified;
static bool metered;
static void *pager_memory;
static size_t pager_bytes;

/* ---- faults ------------------------------------------------------------------------------------- */

void kernel_set_fault_handler(kernel_fault_t handler)
{
	fault_handler = handler;
}

static enum z_fault_result ask_pager(uintptr_t va, unsigned int access)
{
	if (faults_as_specified)
		return z_page_fault((void *)va) ? Z_FAULT_RESOLVED : Z_FAULT_BAD_ADDRESS;
	return z_pager_fault(z_kernel_pager(), va, access);
}

/* Apart, so that the way through the trap handler does not have to save the registers of all of this. */
static __attribute__((noinline)) enum z_fault_result resolve(uintptr_t va, unsigned int access)
{
	enum z_fault_result result;
	unsigned long loads;

	if (!metered)
		return ask_pager(va, access);
	loads = meter_loads();
	result = ask_pager(va, access);
	if (result == Z_FAULT_RESOLVED && meter_loads() != loads)
		meter_fault();
	return result;
}

enum z_fault_result kernel_page_fault(uintptr_t va, unsigned int access)
{
	if (fault_handler != NULL)
		return fault_handler(va, access);
	if (z_kernel_pager() == NULL)
		return Z_FAULT_BAD_ADDRESS;
	return resolve(va, access);
}

/* ---- making it ----------------------------------------------------------------------------------- */

static int choose(const struct kernel_pager_options *options, struct z_pager_config *config)
{
	config->arch = z_port_arch(options->soft_ad, &config->arch_ctx);
	if (options->eviction != NULL) {
		config->eviction = z_eviction_find(options->eviction);
		if (config->eviction == NULL)
			return Z_ERR_INVAL;
	}
	metered = options->metered;
	if (metered)
		meter_start(config);
	return Z_OK;
}

int kernel_pager_start(const struct kernel_pager_options *options)
{
	struct z_pager_config config = {
		.env = &kernel_env,
		.store = options->store,
		.frames_per_bank = Z_NUM_PAGE_FRAMES <= FRAMES_PER_BANK * BANKS_MAX
					   ? FRAMES_PER_BANK
					   : Z_NUM_PAGE_FRAMES / BANKS_MAX + 1,
		.max_regions = REGIONS_MAX,
		.batch = 1,
		.low_water = options->low_water,
		.ghosts = 64,
		.events = 64,
		.unlock_for_io = options->unlock_for_io,
		.commit = Z_COMMIT_HEURISTIC,
	};
	int err = choose(options, &config);

	if (err != Z_OK)
		return err;
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
