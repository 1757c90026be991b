/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmu.h - the page tables of the port, for its trap handler and its start-up code.
 */
#ifndef ARCH_X86_64_MMU_H
#define ARCH_X86_64_MMU_H

#include "pte.h"

/*
 * mmu_start - build the tables and use them. Physical and virtual addresses of the kernel
 * are the same. Context: start-up, the tables of boot.S.
 */
void mmu_start(uintptr_t ram_end);

/* mmu_scratch_page - for trap.S: what a CPU forgets when it changes to another thread. */
extern const uintptr_t mmu_scratch_page;

/* mmu_pte - the entry of any address now; 0 if there is no table. One atomic read, no lock. */
pte_t mmu_pte(uintptr_t va);

#endif /* ARCH_X86_64_MMU_H */
