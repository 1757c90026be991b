/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apic.h - the local APIC of this CPU, and the IOAPIC: timer, interrupts of devices and of other CPUs.
 */
#ifndef ARCH_X86_64_APIC_H
#define ARCH_X86_64_APIC_H

#include <stdbool.h>
#include <stdint.h>

/* Where the registers lie; mmu.c maps them. */
#define APIC_BASE   ((uintptr_t)0xfee00000)
#define IOAPIC_BASE ((uintptr_t)0xfec00000)

/* The timer counts nanoseconds. */
#define APIC_TIMER_HZ UINT64_C(1000000000)

/* apic_start - this CPU takes interrupts, as soon as they are on. Once for each. */
void apic_start(void);

/* apic_end - the interrupt that is handled is over. Interrupts off. */
void apic_end(void);

/* apic_send - an interrupt with this vector to another CPU. Interrupts off. */
void apic_send(unsigned int cpu, unsigned int vector);

/*
 * apic_send_init, apic_send_start - reset another CPU; make it begin at a page below 1 MiB, in real mode.
 * Interrupts off.
 */
void apic_send_init(unsigned int cpu);
void apic_send_start(unsigned int cpu, uintptr_t page);

/* apic_count_down - let the timer run from its largest value. apic_count - where it is. Start-up. */
void apic_count_down(void);
uint32_t apic_count(void);

#endif /* ARCH_X86_64_APIC_H */
