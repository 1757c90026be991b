/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmu.h - the page tables of the port, for its trap handler, its start-up code and its tests.
 */
#ifndef ARCH_RISCV64_MMU_H
#define ARCH_RISCV64_MMU_H

#include "pte.h"

/* Registers of devices, in whole pages. */
struct mmu_device {
	uintptr_t base;
	size_t bytes;
};

/*
 * mmu_start - build the tables and switch paging on. Physical and virtual addresses of the kernel
 * are the same. Context: start-up, paging off.
 */
void mmu_start(uintptr_t ram_end, const struct mmu_device *devices, size_t n);

/* mmu_start_hart - the same tables for another hart. Context: paging off. */
void mmu_start_hart(void);

/* mmu_scratch_page - for trap.S: what a hart forgets when it changes to another thread. */
extern const uintptr_t mmu_scratch_page;

/* mmu_pte - the entry of any address now; 0 if there is no table. One atomic read, no lock. */
pte_t mmu_pte(uintptr_t va);

/*
 * mmu_forbids - pte_forbids of the entry of any address now. Mostly it is one of the window, and its page
 * is not there: that takes one look.
 */
bool mmu_forbids(uintptr_t va, unsigned int access, bool supervisor, bool sum);

/* mmu_keeps_ad - try it: does a write through a fresh leaf set A and D without a fault? */
bool mmu_keeps_ad(void);

#endif /* ARCH_RISCV64_MMU_H */
