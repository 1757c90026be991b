/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trap.c - what happens on a trap: page faults, interrupts, system calls, and everything that is a bug.
 *
 * A page fault. Its address and kind were saved by trap.S with interrupts off. Interrupts go on only
 * if they were on in what was interrupted, and are off again before the registers are restored. An
 * access that a present page forbids never gets to the core, which could only have it tried again
 * for ever. Everything else does; what the core cannot resolve ends the user thread, or goes on at the
 * fix-up of a probe, or ends in a panic.
 *
 * A probe (probe.S) is one instruction in a table, with the place to go on at if it fails and the
 * reason in a0. A call to an address that cannot be fetched is found by its return address.
 *
 * Locks: none. Limits: a kernel stack that overflows is not reported: it ends in endless faults.
 */
#include "trap.h"

#include <stddef.h>

#include "../common/port.h"
#include "cpu.h"
#include "mmu.h"

_Static_assert(Z_FAULT_RESOLVED == 0, "trap.S compares with that");

struct fixup {
	uint64_t at;
	uint64_t go_on;
};

extern const struct fixup link_fixups[], link_fixups_end[];

/* With interrupts on it is no service routine, and the thread may change the hart while it looks. */
bool z_port_in_isr(void)
{
	return !z_port_irqs_on() && hart_self()->isr_depth > 0;
}

static uint64_t fixup_of(uint64_t pc)
{
	for (const struct fixup *f = link_fixups; f < link_fixups_end; f++) {
		if (f->at == pc)
			return f->go_on;
	}
	return 0;
}

static bool by_supervisor(const struct z_port_regs *regs)
{
	return (regs->sstatus & SSTATUS_SPP) != 0;
}

/* End the user thread; in the kernel go on where a probe says, or stop the machine. */
static void fail(struct z_port_regs *regs, unsigned int reason, const char *why)
{
	uint64_t go_on = fixup_of(regs->sepc);

	if (!by_supervisor(regs)) {
		CSR_SET(sstatus, SSTATUS_SIE);
		kernel_user_fault(reason, regs);
	}
	if (go_on == 0 && (regs->scause == SCAUSE_EXEC_FAULT || regs->scause == SCAUSE_ILLEGAL))
		go_on = fixup_of(regs->x[REG_RA]);
	if (go_on == 0)
		kernel_panic(why, regs);
	regs->sepc = go_on;
	regs->x[REG_A0] = reason;
}

static unsigned int access_of(uint64_t scause)
{
	switch (scause) {
	case SCAUSE_EXEC_FAULT:
		return Z_ACCESS_EXEC;
	case SCAUSE_WRITE_FAULT:
		return Z_ACCESS_WRITE;
	default:
		return Z_ACCESS_READ;
	}
}

enum z_fault_result trap_page_fault(const struct z_port_regs *regs)
{
	uint64_t sstatus = regs->sstatus;
	bool supervisor = (sstatus & SSTATUS_SPP) != 0;
	unsigned int access = access_of(regs->scause);
	enum z_fault_result result = Z_FAULT_VIOLATION;

	if ((sstatus & SSTATUS_SPIE) != 0)
		CSR_SET(sstatus, SSTATUS_SIE);
	if (!mmu_forbids(regs->stval, access, supervisor, (sstatus & SSTATUS_SUM) != 0))
		result = kernel_page_fault(regs->stval,
					   supervisor ? access : access | Z_ACCESS_USER);
	(void)CSR_CLEAR(sstatus, SSTATUS_SIE);
	return result;
}

void trap_unresolved(struct z_port_regs *regs, enum z_fault_result result)
{
	static const char *const why[] = {
		[Z_FAULT_BAD_ADDRESS] = "page fault: nothing is mapped there",
		[Z_FAULT_VIOLATION] = "page fault: not allowed there",
		[Z_FAULT_IO_ERROR] = "page fault: the backing store cannot read",
		[Z_FAULT_NO_MEMORY] = "page fault: no page frame, or the backing store is full",
	};

	fail(regs, Z_PROBE_FAULT + (unsigned int)result, why[result]);
}

static void system_call(struct z_port_regs *regs)
{
	unsigned long args[4];

	for (unsigned int i = 0; i < 4; i++)
		args[i] = regs->x[REG_A0 + i];
	regs->sepc += 4;
	CSR_SET(sstatus, SSTATUS_SIE);
	regs->x[REG_A0] = kernel_syscall(regs->x[REG_A7], args);
	(void)CSR_CLEAR(sstatus, SSTATUS_SIE);
}

static void interrupt(void (*handler)(void))
{
	hart_self()->isr_depth++;
	handler();
	hart_self()->isr_depth--;
	kernel_interrupt_done();
}

static void kicked(void)
{
	(void)CSR_CLEAR(sip, SIE_SOFT);
	kernel_kick();
}

void trap_handle(struct z_port_regs *regs)
{
	switch (regs->scause) {
	case SCAUSE_TIMER:
		interrupt(board_timer);
		break;
	case SCAUSE_DEVICE:
		interrupt(board_device);
		break;
	case SCAUSE_SOFT:
		interrupt(kicked);
		break;
	case SCAUSE_USER_CALL:
		system_call(regs);
		break;
	case SCAUSE_ILLEGAL:
		fail(regs, Z_PROBE_ILLEGAL, "illegal instruction");
		break;
	default:
		if (by_supervisor(regs))
			kernel_panic("unexpected trap", regs);
		fail(regs, Z_PROBE_ILLEGAL, "unexpected trap of user mode");
		break;
	}
}

void z_port_print_regs(const struct z_port_regs *regs)
{
	for (unsigned int i = 1; i < 32; i++)
		kernel_print("x%-2u %016lx%s", i, (unsigned long)regs->x[i],
			     i % 4 == 0 || i == 31 ? "\n" : "  ");
	kernel_print("sepc %016lx  sstatus %016lx  scause %016lx  stval %016lx\n",
		     (unsigned long)regs->sepc, (unsigned long)regs->sstatus,
		     (unsigned long)regs->scause, (unsigned long)regs->stval);
	kernel_print("pte of stval %016lx\n", (unsigned long)mmu_pte(regs->stval));
}
