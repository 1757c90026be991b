/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trap.h - what trap.S saves, what a CPU knows of itself, and the functions of the port that take
 * traps.
 *
 * trap.S knows the offsets: z_port_regs is 38 words.
 */
#ifndef ARCH_ARM64_TRAP_H
#define ARCH_ARM64_TRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct z_port_regs {
	uint64_t x[31];
	uint64_t sp;
	uint64_t elr;  /* where it was */
	uint64_t spsr; /* its PSTATE */
	uint64_t esr;  /* why; saved before interrupts can be on again, like far */
	uint64_t far;
	uint64_t tpidr; /* the thread pointer of user mode */
	uint64_t spare; /* the stack stays aligned to 16 */
};

_Static_assert(sizeof(struct z_port_regs) == 38 * 8, "trap.S has these offsets");

enum { REG_LR = 30, REG_NUMBER = 8 };

#define EMERGENCY_BYTES 4096U

/* A processor; in the kernel its address is in TPIDR_EL1. */
struct cpu {
	uint64_t kernel_stack;    /* boot.S, user.S: the first stack, then where user traps begin */
	uint64_t emergency_stack; /* trap.S: when the stack has overflowed */
	uint64_t scratch;         /* trap.S: for a moment */
	uint64_t number;          /* ours: 0 is the one that started */
	uint64_t affinity;        /* the firmware's */
	uint64_t isr_depth;
	uint64_t tick_period; /* of the counter; 0: no tick */
	uint64_t tick_next;
	uint32_t gic_mask; /* its bit in the interrupt controller */
};

_Static_assert(offsetof(struct cpu, kernel_stack) == 0 &&
		       offsetof(struct cpu, emergency_stack) == 8 &&
		       offsetof(struct cpu, scratch) == 16,
	       "boot.S, trap.S and user.S have these offsets");

/* cpu_self - interrupts locked, else it may be another's already. */
static inline struct cpu *cpu_self(void)
{
	struct cpu *self;

	__asm__ volatile("mrs %0, tpidr_el1" : "=r"(self));
	return self;
}

/* trap_start - take traps on this CPU from now on; it is this one. */
void trap_start(struct cpu *self);

/*
 * Called by trap.S with interrupts off; the trap returns to what regs then say.
 * trap_abort: regs has only what a C function may change, and why. Z_FAULT_RESOLVED, or
 * trap_unresolved is called with what it said, and all registers.
 * trap_handle: what else the running instruction did. trap_interrupt. trap_bug: an overflow of the
 * kernel's stack, or what is never switched on; why: enum trap_bug.
 */
enum trap_bug { TRAP_OVERFLOW, TRAP_UNEXPECTED };
#define TRAP_NO_PAGE_FAULT 0x100U /* beside enum z_fault_result */
unsigned int trap_abort(const struct z_port_regs *regs);
void trap_unresolved(struct z_port_regs *regs, unsigned int result);
void trap_handle(struct z_port_regs *regs);
void trap_interrupt(struct z_port_regs *regs);
_Noreturn void trap_bug(struct z_port_regs *regs, unsigned int why);

/* board_interrupt - take what the interrupt controller has for this CPU. Interrupt context. */
void board_interrupt(void);

#endif /* ARCH_ARM64_TRAP_H */
