/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trap.h - what trap.S saves, what a hart knows of itself, and the functions of the port that take
 * traps.
 *
 * trap.S knows the offsets: z_port_regs is 36 words.
 */
#ifndef ARCH_RISCV64_TRAP_H
#define ARCH_RISCV64_TRAP_H

#include <stdbool.h>
#include <stdint.h>

#include <zpager/pager.h>

struct z_port_regs {
	uint64_t x[32]; /* x[0]: unused */
	uint64_t sepc;
	uint64_t sstatus;
	uint64_t scause;
	uint64_t stval; /* saved before interrupts can be on again */
};

_Static_assert(sizeof(struct z_port_regs) == 36 * 8, "trap.S has these offsets");

enum { REG_RA = 1, REG_SP = 2, REG_A0 = 10, REG_A7 = 17 };

/* A hart; in the kernel its address is in tp, in user mode in sscratch. */
struct hart {
	uint64_t kernel_stack; /* trap.S: where traps of user mode begin */
	uint64_t user_sp;      /* trap.S: for a moment */
	uint64_t number;       /* ours: 0 is the one that started */
	uint64_t id;           /* the firmware's */
	uint64_t isr_depth;
	uint64_t tick_period; /* of the clock; 0: no tick */
	uint64_t tick_next;
};

/* hart_self - interrupts locked, else it may be another's already. */
static inline struct hart *hart_self(void)
{
	struct hart *self;

	__asm__ volatile("mv %0, tp" : "=r"(self));
	return self;
}

/* trap_start - take traps on this hart from now on; it is this one. */
void trap_start(struct hart *self);

/*
 * Called by trap.S with interrupts off; the trap returns to what regs then say.
 * trap_page_fault: regs has only what a C function may change, and why. Z_FAULT_RESOLVED, or
 * trap_unresolved is called with the result, and all registers. trap_handle: any other trap.
 */
enum z_fault_result trap_page_fault(const struct z_port_regs *regs);
void trap_unresolved(struct z_port_regs *regs, enum z_fault_result result);
void trap_handle(struct z_port_regs *regs);

/* board_timer, board_device - the timer went off; a device wants something. Interrupt context. */
void board_timer(void);
void board_device(void);

#endif /* ARCH_RISCV64_TRAP_H */
