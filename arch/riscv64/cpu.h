/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu.h - the instructions of riscv64 that C has no words for: control registers, fences, calls of
 * the supervisor binary interface (SBI), and the bits that they need.
 *
 * Source: RISC-V privileged architecture; RISC-V SBI specification (legacy console, TIME, IPI, RFENCE,
 * HSM).
 */
#ifndef ARCH_RISCV64_CPU_H
#define ARCH_RISCV64_CPU_H

#include <stdint.h>

#define CSR_READ(name)                                                                             \
	({                                                                                         \
		unsigned long csr_value_;                                                          \
		__asm__ volatile("csrr %0, " #name : "=r"(csr_value_)::"memory");                  \
		csr_value_;                                                                        \
	})
#define CSR_WRITE(name, value) __asm__ volatile("csrw " #name ", %0" ::"r"(value) : "memory")
#define CSR_SET(name, bits)    __asm__ volatile("csrs " #name ", %0" ::"r"(bits) : "memory")
/* CSR_CLEAR - clear bits; gives the value before. */
#define CSR_CLEAR(name, bits)                                                                      \
	({                                                                                         \
		unsigned long csr_value_;                                                          \
		__asm__ volatile("csrrc %0, " #name ", %1"                                         \
				 : "=r"(csr_value_)                                                \
				 : "r"(bits)                                                       \
				 : "memory");                                                      \
		csr_value_;                                                                        \
	})

#define SSTATUS_SIE  (1UL << 1)
#define SSTATUS_SPIE (1UL << 5)
#define SSTATUS_SPP  (1UL << 8)
#define SSTATUS_SUM  (1UL << 18)
#define SSTATUS_FS   (3UL << 13) /* all set: floating point on, registers changed */
#define SIE_SOFT     (1UL << 1)
#define SIE_TIMER    (1UL << 5)
#define SIE_DEVICE   (1UL << 9)

#define SCAUSE_INTERRUPT   (1UL << 63)
#define SCAUSE_SOFT        (SCAUSE_INTERRUPT | 1)
#define SCAUSE_TIMER       (SCAUSE_INTERRUPT | 5)
#define SCAUSE_DEVICE      (SCAUSE_INTERRUPT | 9)
#define SCAUSE_ILLEGAL     2UL
#define SCAUSE_USER_CALL   8UL
#define SCAUSE_EXEC_FAULT  12UL
#define SCAUSE_READ_FAULT  13UL
#define SCAUSE_WRITE_FAULT 15UL

#define SATP_SV39 (8UL << 60)

#define SBI_PUTCHAR        1UL
#define SBI_TIME           0x54494d45UL
#define SBI_TIME_SET_TIMER 0UL
#define SBI_IPI            0x735049UL
#define SBI_IPI_SEND       0UL
#define SBI_HSM            0x48534dUL
#define SBI_HSM_START      0UL
#define SBI_RFENCE         0x52464e43UL
#define SBI_RFENCE_CODE    0UL
#define SBI_RFENCE_VMA     1UL

/* Translations of one page, of all pages; this hart only. */
static inline void cpu_fence_page(uintptr_t va)
{
	__asm__ volatile("sfence.vma %0, zero" ::"r"(va) : "memory");
}

static inline void cpu_fence_all(void)
{
	__asm__ volatile("sfence.vma zero, zero" ::: "memory");
}

/* What was written as data is fetched as instructions from here on; this hart only. */
static inline void cpu_fence_code(void)
{
	__asm__ volatile("fence.i" ::: "memory");
}

static inline void cpu_sleep(void)
{
	__asm__ volatile("wfi" ::: "memory");
}

/* sbi_call - returns the error register; what these calls give back otherwise is not needed. */
static inline long sbi_call(unsigned long extension, unsigned long function, unsigned long arg0,
			    unsigned long arg1, unsigned long arg2, unsigned long arg3)
{
	register unsigned long a0 __asm__("a0") = arg0;
	register unsigned long a1 __asm__("a1") = arg1;
	register unsigned long a2 __asm__("a2") = arg2;
	register unsigned long a3 __asm__("a3") = arg3;
	register unsigned long a6 __asm__("a6") = function;
	register unsigned long a7 __asm__("a7") = extension;

	__asm__ volatile("ecall"
			 : "+r"(a0), "+r"(a1)
			 : "r"(a2), "r"(a3), "r"(a6), "r"(a7)
			 : "memory");
	return (long)a0;
}

#endif /* ARCH_RISCV64_CPU_H */
