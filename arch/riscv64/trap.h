/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trap.h - what trap.S saves, and the functions of the port that take traps.
 *
 * trap.S knows the offsets: z_port_regs is 38 words.
 */
#ifndef ARCH_RISCV64_TRAP_H
#define ARCH_RISCV64_TRAP_H

#include <stdbool.h>
#include <stdint.h>

struct z_port_regs {
	uint64_t x[32]; /* x[0]: not 0 if the trap interrupted another trap's handler */
	uint64_t sepc;
	uint64_t sstatus;
	uint64_t scause;
	uint64_t stval;    /* saved before interrupts can be on again */
	uint64_t spare[2]; /* the stack stays aligned to 16 */
};

_Static_assert(sizeof(struct z_port_regs) == 38 * 8, "trap.S has these offsets");

enum { REG_RA = 1, REG_SP = 2, REG_A0 = 10 };

/* trap_start - take traps on this hart from now on, on the trap stack. */
void trap_start(void);

/* trap_handle - called by trap.S with interrupts off; the trap returns to what regs then say. */
void trap_handle(struct z_port_regs *regs);

/*
 * user_stop - end what runs in user mode: the trap returns to who entered it, and tells why.
 *   false: nobody did.
 */
bool user_stop(struct z_port_regs *regs, unsigned int why);

/* board_timer - the timer went off; interrupt context. */
void board_timer(void);

#endif /* ARCH_RISCV64_TRAP_H */
