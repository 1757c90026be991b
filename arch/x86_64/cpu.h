/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu.h - the instructions of x86_64 that C has no words for, and the bits that they need.
 *
 * Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volumes 2 to 4.
 */
#ifndef ARCH_X86_64_CPU_H
#define ARCH_X86_64_CPU_H

#include <stdint.h>

#define RFLAGS_IF  (1UL << 9)
#define RFLAGS_AC  (1UL << 18)
#define RFLAGS_ONE (1UL << 1) /* always set */

#define CR0_TS (1UL << 3)
#define CR0_EM (1UL << 2)
#define CR0_MP (1UL << 1)
#define CR0_NE (1UL << 5)

#define CR4_PGE        (1UL << 7)
#define CR4_OSFXSR     (1UL << 9)
#define CR4_OSXMMEXCPT (1UL << 10)
#define CR4_UMIP       (1UL << 11)
#define CR4_SMEP       (1UL << 20)
#define CR4_SMAP       (1UL << 21)

#define MSR_GS_BASE        0xc0000101U
#define MSR_KERNEL_GS_BASE 0xc0000102U

/* CPUID leaf 7, ebx and ecx. */
#define CPUID_7_EBX_SMEP (1U << 7)
#define CPUID_7_EBX_SMAP (1U << 20)
#define CPUID_7_ECX_UMIP (1U << 2)

/* The error code of a page fault. */
#define PF_PRESENT  (1UL << 0)
#define PF_WRITE    (1UL << 1)
#define PF_USER     (1UL << 2)
#define PF_RESERVED (1UL << 3)
#define PF_FETCH    (1UL << 4)

#define CPU_READ(reg)                                                                              \
	({                                                                                         \
		unsigned long cpu_value_;                                                          \
		__asm__ volatile("mov %%" #reg ", %0" : "=r"(cpu_value_)::"memory");               \
		cpu_value_;                                                                        \
	})
#define CPU_WRITE(reg, value)                                                                      \
	__asm__ volatile("mov %0, %%" #reg ::"r"((unsigned long)(value)) : "memory")

struct cpuid {
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
};

static inline struct cpuid cpu_id(uint32_t leaf, uint32_t part)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(part));
	return r;
}

static inline void cpu_write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

/* Ordered behind all loads before it. */
static inline uint64_t cpu_tsc(void)
{
	uint32_t low;
	uint32_t high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

static inline unsigned long cpu_flags(void)
{
	unsigned long flags;

	__asm__ volatile("pushf; pop %0" : "=r"(flags)::"memory");
	return flags;
}

static inline void cpu_irqs_off(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline void cpu_irqs_on(void)
{
	__asm__ volatile("sti" ::: "memory");
}

/* Interrupts go on together with the sleep: none can come before it and be slept through. */
static inline void cpu_sleep_irqs_on(void)
{
	__asm__ volatile("sti; hlt" ::: "memory");
}

/* For good. */
static inline void cpu_stop(void)
{
	__asm__ volatile("cli; hlt" ::: "memory");
}

static inline void cpu_pause(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* Translations of one page, of all pages but global ones; this CPU only. */
static inline void cpu_forget_page(uintptr_t va)
{
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

static inline void cpu_forget_all(void)
{
	CPU_WRITE(cr3, CPU_READ(cr3));
}

static inline void cpu_out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void cpu_out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void cpu_out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline uint8_t cpu_in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

#endif /* ARCH_X86_64_CPU_H */
