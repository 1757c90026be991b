/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmu.h - the page tables of the port, for its trap handler, its start-up code and its tests.
 */
#ifndef ARCH_ARM64_MMU_H
#define ARCH_ARM64_MMU_H

#include "pte.h"

/* Addresses that are mapped as they are, in whole pages. */
struct mmu_range {
	uintptr_t base;
	size_t bytes;
	bool device; /* registers, to read and write; else memory, only to read */
};

/*
 * mmu_start - build the tables and switch paging on. Physical and virtual addresses of the kernel
 * are the same. Context: start-up, paging off.
 */
void mmu_start(uintptr_t ram_end, const struct mmu_range *ranges, size_t n);

/* mmu_enable - boot.S: this CPU uses the table at root from here on. Touches no memory. */
void mmu_enable(const void *root);

/*
 * mmu_forbids - pte_forbids of the entry of any address now. Mostly it is one of the window, and its page
 * is not there: that takes one look.
 */
bool mmu_forbids(uintptr_t va, unsigned int access, bool supervisor);

/* mmu_pte - the entry of any address now; 0 if there is no table. One atomic read, no lock. */
pte_t mmu_pte(uintptr_t va);

#endif /* ARCH_ARM64_MMU_H */
