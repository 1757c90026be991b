/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_tlb.c - the TLBs: copies of entries, one set a CPU, and the shoot-down of all of them.
 *
 * A full TLB gives up an entry at random. A shoot-down is synchronous: when it returns no CPU has
 * a copy. Another CPU may run, with its old copy, until the very moment.
 *
 * Locks: shoot-downs under the pager lock.
 */
#include "sim_internal.h"

struct sim_tlb_entry *sim_tlb_find(struct sim_cpu *cpu, size_t page)
{
	for (unsigned int i = 0; i < SIM_TLB_MAX; i++) {
		if (cpu->tlb[i].valid && cpu->tlb[i].page == page) {
			return &cpu->tlb[i];
		}
	}
	return NULL;
}

void sim_tlb_drop(struct sim_cpu *cpu, size_t page)
{
	struct sim_tlb_entry *entry = sim_tlb_find(cpu, page);

	if (entry != NULL) {
		entry->valid = false;
	}
}

void sim_tlb_insert(struct z_sim *sim, struct sim_cpu *cpu, size_t page, z_spt_t copy)
{
	struct sim_tlb_entry *entry = NULL;

	for (unsigned int i = 0; i < sim->config.tlb_entries && entry == NULL; i++) {
		entry = cpu->tlb[i].valid ? NULL : &cpu->tlb[i];
	}
	if (entry == NULL) {
		entry = &cpu->tlb[z_sim_random(sim) % sim->config.tlb_entries];
	}
	*entry = (struct sim_tlb_entry){.valid = true, .page = page, .copy = copy};
}

/* The interrupt that asks the others takes its time: whoever has a copy may use it once more. */
static bool shootdown_starts(struct z_sim *sim)
{
	sim->counters.shootdowns++;
	z_sim_yield(sim);
	return sim_point_fails(sim, Z_SIM_POINT_SHOOTDOWN) == 0;
}

void sim_shootdown_range(struct z_sim *sim, size_t page, size_t pages)
{
	if (!shootdown_starts(sim)) {
		return;
	}
	for (unsigned int c = 0; c < sim->config.cpus; c++) {
		for (unsigned int i = 0; i < SIM_TLB_MAX; i++) {
			struct sim_tlb_entry *entry = &sim->cpu[c].tlb[i];

			if (entry->page - page < pages) {
				entry->valid = false;
			}
		}
	}
}

void sim_shootdown_ops(struct z_sim *sim, const struct z_page_op *ops, size_t n)
{
	size_t page;

	if (!shootdown_starts(sim)) {
		return;
	}
	for (unsigned int c = 0; c < sim->config.cpus; c++) {
		for (size_t i = 0; i < n; i++) {
			if (sim_page(sim, ops[i].va, &page)) {
				sim_tlb_drop(&sim->cpu[c], page);
			}
		}
	}
}
