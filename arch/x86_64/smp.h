/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smp.h - the other CPUs: those that run forget translations when they are told to.
 */
#ifndef ARCH_X86_64_SMP_H
#define ARCH_X86_64_SMP_H

#include <stddef.h>
#include <stdint.h>

/* How many pages are told one by one; of more, all are forgotten. */
#define SMP_PAGES_MAX 32U

/* smp_init - put what other CPUs begin with where they find it. Start-up, before the kernel's tables. */
void smp_init(void);

/*
 * smp_forget - no other CPU that runs acts on older entries of these pages when this returns.
 *   n > SMP_PAGES_MAX: of any page; va is not looked at. Interrupts off.
 */
void smp_forget(const uintptr_t *va, size_t n);

/* smp_serve - do what others ask of this CPU. Interrupts off. */
void smp_serve(void);

#endif /* ARCH_X86_64_SMP_H */
