/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user.c - a touch by user mode: three short pieces of code (user.S) that the caller has in a page of
 * user mode, which may be out like any other.
 *
 * Limits: one hart, one user context at a time, no system call but the one that ends it.
 */
#include <stddef.h>

#include "../common/port.h"
#include "cpu.h"
#include "trap.h"

extern const char user_read[], user_write[], user_exec[], user_code_end[], user_leave[];

unsigned long user_enter(uintptr_t pc, unsigned long a0, unsigned long a1, uint64_t *stack_out,
			 unsigned long *value_out);

static uint64_t kernel_stack; /* of the caller of user_enter; 0: nobody */

bool user_stop(struct z_port_regs *regs, unsigned int why)
{
	if (kernel_stack == 0)
		return false;
	regs->x[REG_A0 + 1] = regs->x[REG_A0];
	regs->x[REG_A0] = why;
	regs->x[REG_SP] = kernel_stack;
	regs->sepc = (uintptr_t)user_leave;
	regs->sstatus |= SSTATUS_SPP;
	kernel_stack = 0;
	return true;
}

void z_port_user_code(void *page)
{
	unsigned char *to = page;

	for (size_t i = 0; i < (size_t)(user_code_end - user_read); i++)
		to[i] = (unsigned char)user_read[i];
}

unsigned int z_port_user_probe(uintptr_t code, uintptr_t va, unsigned int access,
			       unsigned char *byte)
{
	const char *piece = (access & Z_ACCESS_READ) != 0    ? user_read
			    : (access & Z_ACCESS_WRITE) != 0 ? user_write
							     : user_exec;
	unsigned long value = 0;
	unsigned long why;

	why = user_enter(code + (uintptr_t)(piece - user_read), va, *byte, &kernel_stack, &value);
	if (why == Z_PROBE_OK && (access & Z_ACCESS_READ) != 0)
		*byte = (unsigned char)value;
	return (unsigned int)why;
}
