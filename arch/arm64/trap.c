/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trap.c - what happens on a trap: page faults, interrupts, system calls, and everything that is a bug.
 *
 * A page fault. Its address and kind were saved by trap.S with interrupts off. Interrupts go on only
 * if they were on in what was interrupted, and are off again before the registers are restored. An
 * access that a present page forbids never gets to the core, which could only have it tried again
 * for ever. Everything else does, with what the hardware calls a fault of the access flag, and a write to
 * a clean page; what the core cannot resolve ends the user thread, or goes on at the fix-up of a
 * probe, or ends in a panic.
 *
 * A probe (probe.S) is one instruction in a table, with the place to go on at if it fails and the
 * reason in x0. A call to an address that cannot be fetched is found by its return address.
 *
 * Locks: none. Limits: an error that the memory reports late (SError) is a panic, whoever caused it.
 */
#include "trap.h"

#include "../common/port.h"
#include "cpu.h"
#include "mmu.h"

_Static_assert(Z_FAULT_RESOLVED == 0, "trap.S compares with that");
_Static_assert((CLASS_EXEC_OF_USER & ~5U) == 0x20 && (CLASS_EXEC & ~5U) == 0x20 &&
		       (CLASS_DATA_OF_USER & ~5U) == 0x20 && (CLASS_DATA & ~5U) == 0x20,
	       "trap.S tells aborts by these bits");

struct fixup {
	uint64_t at;
	uint64_t go_on;
};

extern const struct fixup link_fixups[], link_fixups_end[];

/* With interrupts on it is no service routine, and the thread may change the CPU while it looks. */
bool z_port_in_isr(void)
{
	return !z_port_irqs_on() && cpu_self()->isr_depth > 0;
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
	return (regs->spsr & PSTATE_EL_MASK) != PSTATE_EL0;
}

/* End the user thread; in the kernel go on where a probe says, or stop the machine. */
static void fail(struct z_port_regs *regs, unsigned int reason, const char *why)
{
	uint64_t go_on = fixup_of(regs->elr);

	if (!by_supervisor(regs)) {
		cpu_irqs_on();
		kernel_user_fault(reason, regs);
	}
	if (go_on == 0 && ESR_CLASS(regs->esr) != CLASS_DATA)
		go_on = fixup_of(regs->x[REG_LR]);
	if (go_on == 0)
		kernel_panic(why, regs);
	regs->elr = go_on;
	regs->x[0] = reason;
}

static void unexpected(struct z_port_regs *regs)
{
	if (by_supervisor(regs))
		kernel_panic("unexpected trap", regs);
	fail(regs, Z_PROBE_ILLEGAL, "unexpected trap of user mode");
}

static unsigned int access_of(const struct z_port_regs *regs)
{
	unsigned int class = ESR_CLASS(regs->esr);

	if (class == CLASS_EXEC || class == CLASS_EXEC_OF_USER)
		return Z_ACCESS_EXEC;
	return (regs->esr & ESR_WRITE) != 0 ? Z_ACCESS_WRITE : Z_ACCESS_READ;
}

/* An abort is a page fault, or something that no page table can help: alignment, the bus. */
static bool is_page_fault(uint64_t esr)
{
	unsigned int status = ESR_STATUS(esr) & ~3U;

	return status == STATUS_TRANSLATION || status == STATUS_ACCESS_FLAG ||
	       status == STATUS_PERMISSION;
}

unsigned int trap_abort(const struct z_port_regs *regs)
{
	bool supervisor = by_supervisor(regs);
	unsigned int access = access_of(regs);
	enum z_fault_result result = Z_FAULT_VIOLATION;

	if (!is_page_fault(regs->esr))
		return TRAP_NO_PAGE_FAULT;
	if ((regs->spsr & PSTATE_IRQ_OFF) == 0)
		cpu_irqs_on();
	if (!mmu_forbids(regs->far, access, supervisor))
		result = kernel_page_fault(regs->far, supervisor ? access : access | Z_ACCESS_USER);
	cpu_irqs_off();
	return result;
}

void trap_unresolved(struct z_port_regs *regs, unsigned int result)
{
	static const char *const why[] = {
		[Z_FAULT_BAD_ADDRESS] = "page fault: nothing is mapped there",
		[Z_FAULT_VIOLATION] = "page fault: not allowed there",
		[Z_FAULT_IO_ERROR] = "page fault: the backing store cannot read",
		[Z_FAULT_NO_MEMORY] = "page fault: no page frame, or the backing store is full",
	};

	if (result == TRAP_NO_PAGE_FAULT)
		unexpected(regs);
	else
		fail(regs, Z_PROBE_FAULT + result, why[result]);
}

static void system_call(struct z_port_regs *regs)
{
	cpu_irqs_on();
	regs->x[0] = kernel_syscall(regs->x[REG_NUMBER], (const unsigned long *)regs->x);
	cpu_irqs_off();
}

void trap_handle(struct z_port_regs *regs)
{
	switch (ESR_CLASS(regs->esr)) {
	case CLASS_SYSTEM_CALL:
		if (by_supervisor(regs))
			unexpected(regs);
		system_call(regs);
		break;
	case CLASS_UNKNOWN:
	case CLASS_ODD_CODE:
		fail(regs, Z_PROBE_ILLEGAL, "illegal instruction");
		break;
	default:
		unexpected(regs);
		break;
	}
}

void trap_interrupt(struct z_port_regs *regs)
{
	(void)regs;
	cpu_self()->isr_depth++;
	board_interrupt();
	cpu_self()->isr_depth--;
	kernel_interrupt_done();
}

void trap_bug(struct z_port_regs *regs, unsigned int why)
{
	kernel_panic(why == TRAP_OVERFLOW ? "the kernel's stack has overflowed"
					  : "unexpected interrupt",
		     regs);
}

void z_port_print_regs(const struct z_port_regs *regs)
{
	for (unsigned int i = 0; i < 31; i++)
		kernel_print("x%-2u %016lx%s", i, (unsigned long)regs->x[i],
			     i % 4 == 3 ? "\n" : "  ");
	kernel_print("sp  %016lx\n", (unsigned long)regs->sp);
	kernel_print("elr %016lx  spsr %016lx  esr %016lx  far %016lx\n", (unsigned long)regs->elr,
		     (unsigned long)regs->spsr, (unsigned long)regs->esr, (unsigned long)regs->far);
	kernel_print("pte of far %016lx\n", (unsigned long)mmu_pte(regs->far));
}
