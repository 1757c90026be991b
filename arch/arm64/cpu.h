/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu.h - the instructions of arm64 that C has no words for: system registers, barriers, invalidation
 * of translations and caches, calls of the firmware (PSCI), and the bits that they need.
 *
 * Source: Arm Architecture Reference Manual for A-profile; Power State Coordination Interface.
 */
#ifndef ARCH_ARM64_CPU_H
#define ARCH_ARM64_CPU_H

#include <stdbool.h>
#include <stdint.h>

#define SYS_READ(name)                                                                             \
	({                                                                                         \
		unsigned long sys_value_;                                                          \
		__asm__ volatile("mrs %0, " #name : "=r"(sys_value_)::"memory");                   \
		sys_value_;                                                                        \
	})
#define SYS_WRITE(name, value)                                                                     \
	__asm__ volatile("msr " #name ", %0" ::"r"((unsigned long)(value)) : "memory")

/* PSTATE as saved, and as DAIF shows it: 1 is "off". */
#define PSTATE_IRQ_OFF (1UL << 7)
#define PSTATE_EL_MASK 0xcUL
#define PSTATE_EL0     0UL

#define TCR_HD         (1UL << 40)
#define MPIDR_AFFINITY 0xff00ffffffUL

#define CTR_DMINLINE(ctr) (((ctr) >> 16) & 0xfU) /* log2 of the words of a line */
#define CTR_IDC           (1UL << 28)

#define ESR_CLASS(esr)     ((unsigned int)((esr) >> 26) & 0x3fU)
#define ESR_WRITE          (1UL << 6)
#define ESR_STATUS(esr)    ((unsigned int)(esr)&0x3fU)
#define CLASS_UNKNOWN      0x00U
#define CLASS_SYSTEM_CALL  0x15U
#define CLASS_EXEC_OF_USER 0x20U
#define CLASS_EXEC         0x21U
#define CLASS_ODD_CODE     0x22U /* not aligned */
#define CLASS_DATA_OF_USER 0x24U
#define CLASS_DATA         0x25U
/* The two low bits of a status are the level of the table. */
#define STATUS_TRANSLATION 0x04U
#define STATUS_ACCESS_FLAG 0x08U
#define STATUS_PERMISSION  0x0cU

#define PMCR_ENABLE       1UL
#define PMCR_LONG_CYCLES  (1UL << 6)
#define PMCNTENSET_CYCLES (1UL << 31)

#define CNTV_CTL_ENABLE 1UL

#define PSCI_SYSTEM_OFF    0x84000008UL
#define PSCI_CPU_ON        0xc4000003UL
#define PSCI_AFFINITY_INFO 0xc4000004UL

/*
 * Invalidation of translations, on every CPU: between begin, which makes the new entries visible, and
 * end, which waits until nobody uses the old ones, any number of pages, or all.
 */
static inline void cpu_tlb_begin(void)
{
	__asm__ volatile("dsb ishst" ::: "memory");
}

static inline void cpu_tlb_page(uintptr_t va)
{
	__asm__ volatile("tlbi vaae1is, %0" ::"r"((va >> 12) & 0xfffffffffffUL) : "memory");
}

static inline void cpu_tlb_all(void)
{
	__asm__ volatile("tlbi vmalle1is" ::: "memory");
}

static inline void cpu_tlb_end(void)
{
	__asm__ volatile("dsb ish\n\tisb" ::: "memory");
}

/* An entry that was not valid before is seen by every CPU's table walk from here on. */
static inline void cpu_entry_published(void)
{
	__asm__ volatile("dsb ishst\n\tisb" ::: "memory");
}

/* One line of the data cache goes as far as instructions are fetched from. */
static inline void cpu_clean_line(uintptr_t va)
{
	__asm__ volatile("dc cvau, %0" ::"r"(va) : "memory");
}

static inline void cpu_clean_done(void)
{
	__asm__ volatile("dsb ish" ::: "memory");
}

/* No CPU fetches instructions from before from here on. */
static inline void cpu_forget_code(void)
{
	__asm__ volatile("ic ialluis\n\tdsb ish\n\tisb" ::: "memory");
}

static inline void cpu_irqs_off(void)
{
	__asm__ volatile("msr daifset, #2" ::: "memory");
}

static inline void cpu_irqs_on(void)
{
	__asm__ volatile("msr daifclr, #2" ::: "memory");
}

/* What was read and written before comes before what follows, for devices too. */
static inline void cpu_barrier(void)
{
	__asm__ volatile("dsb sy" ::: "memory");
}

/* What was written to system registers counts; what follows is not read ahead of it. */
static inline void cpu_context_barrier(void)
{
	__asm__ volatile("isb" ::: "memory");
}

static inline void cpu_sleep(void)
{
	__asm__ volatile("dsb sy\n\twfi" ::: "memory");
}

/* psci_call - by the conduit of the board: HVC, or SMC if the loader left EL2 to us. */
static inline long psci_call(bool by_smc, unsigned long function, unsigned long arg0,
			     unsigned long arg1, unsigned long arg2)
{
	register unsigned long x0 __asm__("x0") = function;
	register unsigned long x1 __asm__("x1") = arg0;
	register unsigned long x2 __asm__("x2") = arg1;
	register unsigned long x3 __asm__("x3") = arg2;

	if (by_smc)
		__asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
	else
		__asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
	return (long)x0;
}

#endif /* ARCH_ARM64_CPU_H */
