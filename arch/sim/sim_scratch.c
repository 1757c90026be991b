/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_scratch.c - scratch mappings: either aliases in the host's mapping of RAM, up to 64 at once
 * (for SAVE a batch more with config.direct_save), or the one mapping at a fixed address that the
 * specification speaks of. Between two uses nothing is accessible at the fixed address: a store
 * that touches scratch late dies at once.
 *
 * Locks: scratch without the pager lock (unless I/O keeps it); scratch_done in any state.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sys/mman.h>

#include "sim_internal.h"

/* Does a mapping for this use count against scratch_slots? */
static bool takes_slot(const struct z_sim *sim, enum z_scratch_use use)
{
	return use == Z_SCRATCH_FILL || !sim->config.direct_save;
}

unsigned int z_sim_scratch_used(const struct z_sim *sim)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < SIM_MAPPINGS_MAX; i++) {
		used += sim->scratch[i].used;
	}
	return used;
}

static unsigned int slots_used(const struct z_sim *sim)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < SIM_MAPPINGS_MAX; i++) {
		used += sim->scratch[i].used && takes_slot(sim, sim->scratch[i].use);
	}
	return used;
}

/* Room to remember a mapping, NULL if there are too many. */
static struct sim_scratch *free_slot(struct z_sim *sim, enum z_scratch_use use)
{
	if (takes_slot(sim, use) && slots_used(sim) >= sim->config.scratch_slots) {
		return NULL;
	}
	for (unsigned int i = 0; i < SIM_MAPPINGS_MAX; i++) {
		if (!sim->scratch[i].used) {
			return &sim->scratch[i];
		}
	}
	return NULL;
}

static void check_scratch(struct z_sim *sim, uintptr_t va, z_phys_t phys)
{
	struct z_entry entry = z_sim_entry(sim, va);

	if (z_sim_lock_held(sim) && !sim->config.lock_kept_for_io) {
		z_sim_error(sim, "scratch(0x%zx): pager lock is held", (size_t)va);
	}
	if (!z_is_page_aligned(va) || entry.kind != Z_ENTRY_HELD || entry.phys.v != phys.v) {
		z_sim_error(sim, "scratch(0x%zx): entry is not HELD with frame 0x%zx", (size_t)va,
			    (size_t)phys.v);
	}
}

static void *scratch_map(struct z_sim *sim, uint32_t frame)
{
	void *address = (void *)sim->config.scratch_address;

	if (address == NULL) {
		return sim_frame_bytes(sim, frame);
	}
	return mmap(address, Z_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		    sim->memfd, (off_t)frame * (off_t)Z_PAGE_SIZE);
}

void *sim_scratch(void *ctx, uintptr_t va, z_phys_t phys, enum z_scratch_use use)
{
	struct z_sim *sim = ctx;
	uint32_t frame = sim_frame(sim, phys);
	struct sim_scratch *slot;
	void *mapping;

	sim_hook(sim);
	check_scratch(sim, va, phys);
	slot = free_slot(sim, use);
	if (slot == NULL) {
		z_sim_error(sim, "scratch(0x%zx): more than %u in use", (size_t)va,
			    sim->config.scratch_slots);
	}
	if (frame == SIM_NO_FRAME) {
		z_sim_error(sim, "scratch(0x%zx): 0x%zx is no frame", (size_t)va, (size_t)phys.v);
		frame = 0;
	}
	mapping = scratch_map(sim, frame);
	if (mapping == MAP_FAILED) {
		z_sim_error(sim, "scratch: the host cannot map it");
		mapping = sim_frame_bytes(sim, frame);
	}
	if (slot != NULL) {
		*slot = (struct sim_scratch){true, va, phys, use, mapping};
	}
	return mapping;
}

static struct sim_scratch *used_slot(struct z_sim *sim, uintptr_t va, z_phys_t phys,
				     const void *mapping)
{
	for (unsigned int i = 0; i < SIM_MAPPINGS_MAX; i++) {
		struct sim_scratch *slot = &sim->scratch[i];

		if (slot->used && slot->va == va && slot->phys.v == phys.v &&
		    slot->mapping == mapping) {
			return slot;
		}
	}
	return NULL;
}

void sim_scratch_done(void *ctx, uintptr_t va, z_phys_t phys, void *mapping, enum z_scratch_use use)
{
	struct z_sim *sim = ctx;
	struct sim_scratch *slot;

	sim_hook(sim);
	slot = used_slot(sim, va, phys, mapping);
	if (slot == NULL || slot->use != use) {
		z_sim_error(sim, "scratch_done(0x%zx): no such mapping is in use", (size_t)va);
		return;
	}
	if (use == Z_SCRATCH_SAVE && z_sim_entry(sim, va).kind != Z_ENTRY_HELD) {
		z_sim_error(sim, "scratch_done(0x%zx): after release", (size_t)va);
	}
	if (use == Z_SCRATCH_FILL && !z_sim_lock_held(sim)) {
		z_sim_error(sim, "scratch_done(0x%zx): pager lock not held", (size_t)va);
	}
	slot->used = false;
	if (sim->scratch_mapped &&
	    mmap(mapping, Z_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
		    mapping) {
		z_sim_error(sim, "scratch_done: the host cannot unmap it");
	}
}
