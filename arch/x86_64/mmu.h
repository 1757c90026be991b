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

/*
 * mmu_forbids - pte_forbids of the entry of any address now; rflags: of who touched it. Mostly it is one of
 * the window, and its page is not there: that takes one look.
 */
bool mmu_forbids(uintptr_t va, unsigned int access, bool supervisor, uint64_t rflags);

#endif /* ARCH_X86_64_MMU_H */
