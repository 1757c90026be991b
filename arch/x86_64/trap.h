/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trap.h - what trap.S saves, what a CPU knows of itself, and the functions of the port that take
 * traps.
 *
 * trap.S knows the offsets: z_port_regs is 24 words.
 */
#ifndef ARCH_X86_64_TRAP_H
#define ARCH_X86_64_TRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zpager/pager.h>

struct z_port_regs {
	uint64_t spare; /* the stack stays aligned to 16 */
	uint64_t r15, r14, r13, r12, rbp, rbx;
	uint64_t cr2; /* saved before interrupts can be on again */
	uint64_t r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
	uint64_t vector;
	uint64_t error; /* 0 if the trap has none */
	uint64_t rip, cs, rflags, rsp, ss;
};

_Static_assert(sizeof(struct z_port_regs) == 24 * 8, "trap.S has these offsets");

/* The segments, as selectors; those of user mode with its privilege level in the low bits. */
#define SEGMENT_CODE      0x08U
#define SEGMENT_DATA      0x10U
#define SEGMENT_USER_DATA 0x1bU
#define SEGMENT_USER_CODE 0x23U
#define SEGMENT_TSS       0x28U /* of the first CPU; each takes two entries */

/* Where an interrupt gate leads. Devices: one for each line of the IOAPIC. */
enum {
	VECTOR_DEBUG = 1,
	VECTOR_NMI = 2,
	VECTOR_ILLEGAL = 6,
	VECTOR_DOUBLE_FAULT = 8,
	VECTOR_STACK = 12,
	VECTOR_PROTECTION = 13,
	VECTOR_PAGE_FAULT = 14,
	VECTOR_MACHINE_CHECK = 18,
	VECTOR_EXCEPTIONS = 32, /* they are below */
	VECTOR_LINES = 64,
	VECTOR_LINES_END = 88,
	VECTOR_SYSCALL = 128,
	VECTOR_TIMER = 224,
	VECTOR_KICK = 225,
	VECTOR_SHOOTDOWN = 226,
	VECTOR_SPURIOUS = 255,
	VECTORS = 256,
};

/* The task state segment: the stacks that the CPU takes by itself. */
struct tss {
	uint32_t reserved0;
	uint32_t rsp[3][2]; /* low half, high half */
	uint32_t reserved1[2];
	uint32_t ist[7][2];
	uint32_t reserved2[2];
	uint16_t reserved3;
	uint16_t io_map; /* behind the end: user mode has no ports */
};

_Static_assert(sizeof(struct tss) == 104, "the hardware has this layout");

/* A CPU; in the kernel its address is the base of GS, in user mode that of the other GS. */
struct cpu {
	struct cpu *self; /* trap.S does not know it, cpu_self() reads it */
	unsigned int number;
	unsigned int isr_depth;
	struct tss tss;
};

extern struct cpu cpus[];

/* cpu_self - interrupts locked, else it may be another's already. */
static inline struct cpu *cpu_self(void)
{
	struct cpu *self;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(self));
	return self;
}

/* trap_start - this CPU is that number; it takes traps from now on. Start-up. */
void trap_start(unsigned int number);

/*
 * Called by trap.S with interrupts off; the trap returns to what regs then say.
 * trap_page_fault: regs has only what a C function may change, and why. Z_FAULT_RESOLVED, or
 * trap_unresolved is called with the result, and all registers. trap_handle: any other trap.
 */
enum z_fault_result trap_page_fault(const struct z_port_regs *regs);
void trap_unresolved(struct z_port_regs *regs, enum z_fault_result result);
void trap_handle(struct z_port_regs *regs);

#endif /* ARCH_X86_64_TRAP_H */
