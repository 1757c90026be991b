/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meter.c - who faulted and evicted how often, and how long the parts took.
 *
 * Theory. The core counts for all contexts together. What a single thread did is seen where it acts:
 * its faults when they are resolved, its evictions when the port takes pages away for it, because
 * detach is where the dirty bit comes from. Time is taken around select, page_in and page_out. So the core
 * has no meters, and who does not want them does not pay.
 *
 * Locks: detach and select run under the pager lock; page_in and page_out one at a time (the port has one
 * scratch mapping), so the histograms need no lock of their own. A thread's counters are its own.
 * Limits: one pager.
 */
#include "meter.h"

#include "kernel.h"
#include "sched.h"

__attribute__((weak))
const unsigned long k_mem_paging_eviction_histogram_bounds[K_MEM_HISTOGRAM_BINS] = {
	1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000, 1000000, ~0UL};
__attribute__((weak))
const unsigned long k_mem_paging_backing_store_histogram_bounds[K_MEM_HISTOGRAM_BINS] = {
	10000, 50000, 100000, 200000, 500000, 1000000, 2000000, 10000000, 100000000, ~0UL};

static unsigned long select_counts[K_MEM_HISTOGRAM_BINS];
static unsigned long page_in_counts[K_MEM_HISTOGRAM_BINS];
static unsigned long page_out_counts[K_MEM_HISTOGRAM_BINS];

static const struct z_arch_ops *arch;
static const struct z_eviction_ops *eviction;
static const struct z_store_ops *store;
static struct z_arch_ops metered_arch;
static struct z_eviction_ops metered_eviction;
static struct z_store_ops metered_store;

static struct thread_meter *meter_own(void)
{
	return thread_meter(thread_current());
}

static void count(unsigned long *counts, const unsigned long *bounds, uint64_t since)
{
	uint64_t took = z_port_now() - since;
	size_t bin = 0;

	while (bin < K_MEM_HISTOGRAM_BINS - 1 && took > bounds[bin])
		bin++;
	counts[bin]++;
}

/* Once for each page that comes in, in the context that brings it. */
static void hold(void *ctx, uintptr_t va, z_phys_t phys)
{
	meter_own()->loads++;
	arch->hold(ctx, va, phys);
}

static size_t detach(void *ctx, struct z_page_op *ops, size_t n)
{
	struct k_mem_paging_stats_t *own = &meter_own()->paging;
	size_t failed = arch->detach(ctx, ops, n);

	for (size_t i = 0; i < n; i++) {
		own->eviction.dirty += ops[i].status == Z_OK && ops[i].dirty;
		own->eviction.clean += ops[i].status == Z_OK && !ops[i].dirty;
	}
	return failed;
}

static struct z_page_frame *select(void *state)
{
	uint64_t start = z_port_now();
	struct z_page_frame *pf = eviction->select(state);

	count(select_counts, k_mem_paging_eviction_histogram_bounds, start);
	return pf;
}

static int page_out(struct z_store *s, z_loc_t loc, const void *page)
{
	uint64_t start = z_port_now();
	int err = store->page_out(s, loc, page);

	count(page_out_counts, k_mem_paging_backing_store_histogram_bounds, start);
	return err;
}

static int page_in(struct z_store *s, z_loc_t loc, void *page)
{
	uint64_t start = z_port_now();
	int err = store->page_in(s, loc, page);

	count(page_in_counts, k_mem_paging_backing_store_histogram_bounds, start);
	return err;
}

/* A store keeps its table of operations until it is closed: it is metered once. */
static void meter_store(struct z_store *s)
{
	if (s->ops == &metered_store)
		return;
	store = s->ops;
	metered_store = *store;
	metered_store.page_out = page_out;
	metered_store.page_in = page_in;
	s->ops = &metered_store;
}

void meter_start(struct z_pager_config *config)
{
	for (size_t i = 0; i < K_MEM_HISTOGRAM_BINS; i++) {
		select_counts[i] = 0;
		page_in_counts[i] = 0;
		page_out_counts[i] = 0;
	}
	arch = config->arch;
	metered_arch = *arch;
	metered_arch.hold = hold;
	metered_arch.detach = detach;
	config->arch = &metered_arch;
	if (config->eviction != NULL) {
		eviction = config->eviction;
		metered_eviction = *eviction;
		metered_eviction.select = select;
		config->eviction = &metered_eviction;
	}
	if (config->store != NULL)
		meter_store(config->store);
}

unsigned long meter_loads(void)
{
	return meter_own()->loads;
}

void meter_fault(void)
{
	struct k_mem_paging_stats_t *own = &meter_own()->paging;
	bool locked = !z_port_irqs_on();
	bool in_isr = z_port_in_isr();

	own->pagefaults.cnt++;
	own->pagefaults.in_isr += in_isr;
	own->pagefaults.irq_locked += locked && !in_isr;
	own->pagefaults.irq_unlocked += !locked && !in_isr;
}

/* ---- what k_mem.h gives of it ---------------------------------------------------------------------- */

static void copy(struct k_mem_paging_histogram_t *to, const unsigned long *counts,
		 const unsigned long *bounds)
{
	for (size_t i = 0; i < K_MEM_HISTOGRAM_BINS; i++) {
		to->counts[i] = counts[i];
		to->bounds[i] = bounds[i];
	}
}

void k_mem_paging_histogram_eviction_get(struct k_mem_paging_histogram_t *hist)
{
	copy(hist, select_counts, k_mem_paging_eviction_histogram_bounds);
}

void k_mem_paging_histogram_backing_store_page_in_get(struct k_mem_paging_histogram_t *hist)
{
	copy(hist, page_in_counts, k_mem_paging_backing_store_histogram_bounds);
}

void k_mem_paging_histogram_backing_store_page_out_get(struct k_mem_paging_histogram_t *hist)
{
	copy(hist, page_out_counts, k_mem_paging_backing_store_histogram_bounds);
}

void k_mem_paging_thread_stats_get(struct thread *thread, struct k_mem_paging_stats_t *stats)
{
	*stats = thread_meter(thread)->paging;
}
