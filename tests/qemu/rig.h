/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig.h - a pager of our own for measurements: any number of page frames, any algorithm, a RAM store
 * with all of its memory made beforehand, and an environment that may measure how long the pager lock
 * is held. Faults go to it instead of the kernel's pager while it exists.
 */
#ifndef QEMU_RIG_H
#define QEMU_RIG_H

#include <zpager/mmu.h>

#include "board.h"

struct rig_config {
	const char *eviction;
	uint32_t frames;
	size_t pages;       /* of the one mapping */
	bool unlock_for_io; /* CONFIG_DEMAND_PAGING_ALLOW_IRQ */
	bool watch_lock;    /* measure the stretches; it costs some instructions at each */
	bool copies;        /* the store keeps clean copies */
};

struct rig {
	struct rig_config config;
	struct z_pager *pager;
	struct z_store *store;
	struct z_page_frame *frames;
	void *ram;
	void *memory;
	size_t memory_bytes;
	uintptr_t va; /* of the mapping */
};

/* rig_fits - has the board the memory and the window for that? */
bool rig_fits(const struct rig_config *config);

/* rig_open, rig_close - one at a time; the kernel's own pager is stopped meanwhile. */
void rig_open(struct rig *rig, const struct rig_config *config);
void rig_close(struct rig *rig);

/* rig_pager_bytes - what a pager of that many frames takes, its frame database not counted. */
size_t rig_pager_bytes(const char *eviction, uint32_t frames);

static inline uintptr_t rig_page(const struct rig *rig, size_t i)
{
	return rig->va + i * Z_PAGE_SIZE;
}

/* rig_longest - the longest stretch under the pager lock, in instructions, since the last call. */
uint64_t rig_longest(void);

#endif /* QEMU_RIG_H */
