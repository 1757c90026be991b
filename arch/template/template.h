/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template.h - what the template needs of the machine, and what it gives.
 *
 * Write the functions below for your machine, and the hooks of template.c are a port. They are few
 * so that a first version stands soon; a good port then replaces them by what its hardware does
 * better. The machine of the template has one table that all CPUs share, one CPU or a broadcast
 * shoot-down, and accessed and dirty bits in hardware.
 */
#ifndef ARCH_TEMPLATE_TEMPLATE_H
#define ARCH_TEMPLATE_TEMPLATE_H

#include <zpager/arch.h>

#include "../common/soft_pt.h"

extern const struct z_arch_ops z_template_arch;
extern const struct z_env_ops z_template_env;

/*
 * template_pte_read, template_pte_swap - the entry of one page of the window, in the terms of
 * soft_pt.h. Translate to and from the hardware's own form: only IN is present; every other kind
 * is not present, and keeps kind, permissions and address in the bits that the hardware ignores.
 * swap is one atomic exchange: the CPU may set accessed or dirty at any time. It returns what was.
 */
z_spt_t template_pte_read(uintptr_t va);
z_spt_t template_pte_swap(uintptr_t va, z_spt_t entry);

/* template_pte_update - clear, then set flags and permissions of an entry of any kind; atomic. */
void template_pte_update(uintptr_t va, uint64_t clear, uint64_t set);

/* template_tables - make sure that there are tables for the range. 0 | Z_ERR_NOMEM. */
int template_tables(uintptr_t va, size_t pages);

/* template_shootdown - on return no CPU has a translation of the page any more. */
void template_shootdown(uintptr_t va);

/*
 * template_scratch_map - map a frame at the scratch address: read, write, supervisor, not
 * executable, in the running CPU's tables only, TLB done. Returns the address.
 */
void *template_scratch_map(z_phys_t phys);

/* template_scratch_unmap - nothing is there any more, TLB done. */
void template_scratch_unmap(void);

/* Interrupts, a spin lock if there are several CPUs, a scheduler, a clock. */
unsigned long template_irq_lock(void); /* interrupts off; what was */
void template_irq_restore(unsigned long key);
bool template_irqs_on(void);
void template_spin_lock(void);
void template_spin_unlock(void);
void template_sleep(const void *channel); /* until woken; interrupts off, spin lock not held */
void template_wake(const void *channel);
bool template_in_isr(void);
uint64_t template_nanoseconds(void);

/*
 * The handler of page faults is yours, too. It
 *   1. saves the fault address before anything else can fault;
 *   2. switches interrupts on if they were on in what was interrupted, and not else;
 *   3. if the entry is present and its permissions forbid the access, treats it as an error of the
 *      program and does not call the core: it would fault for ever;
 *   4. else calls z_pager_fault(), and retries the instruction if that says RESOLVED;
 *   5. runs on a stack, with code and tables, that are never paged.
 */

#endif /* ARCH_TEMPLATE_TEMPLATE_H */
