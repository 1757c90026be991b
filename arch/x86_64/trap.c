/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trap.c - what happens on a trap: page faults, interrupts, system calls, and everything that is a bug;
 * and the tables that lead there.
 *
 * A page fault. Its address and kind were saved by trap.S with interrupts off. Interrupts go on only
 * if they were on in what was interrupted, and are off again before the registers are restored. An
 * access that a present page forbids never gets to the core, which could only have it tried again
 * for ever. Everything else does; what the core cannot resolve ends the user thread, or goes on at the
 * fix-up of a probe, or ends in a panic. An address that is none (the bits from 47 up differ) is
 * not a page fault but a protection fault, which does not tell the address: nothing is mapped there.
 *
 * A probe (probe.S) is one instruction in a table, with the place to go on at if it fails and the
 * reason in rax. A call to an address that cannot be fetched is found by its return address.
 *
 * A push that does not fit on a kernel stack meets the page below it, which is not mapped: a double
 * fault, with a stack of its own, and a panic that says so.
 *
 * Locks: none. Limits: protection faults of user mode with error code 0 are taken for bad addresses, also
 * those of privileged instructions: the CPU does not tell them apart.
 */
#include "trap.h"

#include "../common/port.h"
#include "apic.h"
#include "cpu.h"
#include "mmu.h"
#include "smp.h"

#define FAULT_STACK_STRIDE 0x3000U
#define VECTOR_STRIDE      16U

/* Access bytes of segments, and flags: 64-bit code. */
#define GDT_CODE      UINT64_C(0x00af9b000000ffff)
#define GDT_DATA      UINT64_C(0x00cf93000000ffff)
#define GDT_USER_DATA UINT64_C(0x00cff3000000ffff)
#define GDT_USER_CODE UINT64_C(0x00affb000000ffff)
#define GDT_TSS       (UINT64_C(0x89) << 40)
#define GDT_FIXED     5U

#define GATE_INTERRUPT (UINT64_C(0x8e) << 40)
#define GATE_FOR_USER  (UINT64_C(0x60) << 40)
#define GATE_STACK_1   (UINT64_C(1) << 32)

_Static_assert(Z_FAULT_RESOLVED == 0, "trap.S compares with that");

struct fixup {
	uint64_t at;
	uint64_t go_on;
};

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

extern const struct fixup link_fixups[], link_fixups_end[];
extern const char trap_vectors[];
extern char link_fault_stacks[];

struct cpu cpus[Z_PORT_CPUS_MAX];

static uint64_t gdt[GDT_FIXED + 2 * Z_PORT_CPUS_MAX] = {
	0, GDT_CODE, GDT_DATA, GDT_USER_DATA, GDT_USER_CODE,
};
static uint64_t idt[VECTORS][2] __attribute__((aligned(16)));

/* ---- start-up ----------------------------------------------------------------------------------- */

static void fill_idt(void)
{
	for (unsigned int i = 0; i < VECTORS; i++) {
		uint64_t at = (uintptr_t)trap_vectors + i * (uint64_t)VECTOR_STRIDE;
		uint64_t gate = GATE_INTERRUPT | (at & 0xffff) | (at & 0xffff0000) << 32 |
				(uint64_t)SEGMENT_CODE << 16;

		if (i == VECTOR_SYSCALL)
			gate |= GATE_FOR_USER;
		if (i == VECTOR_NMI || i == VECTOR_DOUBLE_FAULT || i == VECTOR_MACHINE_CHECK)
			gate |= GATE_STACK_1;
		idt[i][0] = gate;
		idt[i][1] = at >> 32;
	}
}

static void load_segments(unsigned int number)
{
	const struct table_pointer gdt_at = {sizeof(gdt) - 1, (uintptr_t)gdt};
	const struct table_pointer idt_at = {sizeof(idt) - 1, (uintptr_t)idt};
	struct tss *tss = &cpus[number].tss;
	uint64_t fault_stack = (uintptr_t)link_fault_stacks + (number + 1UL) * FAULT_STACK_STRIDE;
	uint64_t base = (uintptr_t)tss;
	uint64_t *entry = &gdt[GDT_FIXED + 2 * number];

	tss->ist[0][0] = (uint32_t)fault_stack;
	tss->ist[0][1] = (uint32_t)(fault_stack >> 32);
	tss->io_map = sizeof(*tss);
	entry[0] =
		GDT_TSS | (sizeof(*tss) - 1) | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
	entry[1] = base >> 32;
	__asm__ volatile("lgdt %0; lidt %1; ltr %w2" ::"m"(gdt_at), "m"(idt_at),
			 "r"(SEGMENT_TSS + 16 * number)
			 : "memory");
}

void trap_start(unsigned int number)
{
	struct cpu *self = &cpus[number];

	self->self = self;
	self->number = number;
	if (number == 0)
		fill_idt();
	load_segments(number);
	cpu_write_msr(MSR_GS_BASE, (uintptr_t)self);
	cpu_write_msr(MSR_KERNEL_GS_BASE, 0);
}

void z_port_kernel_stack(void *top)
{
	struct tss *tss = &cpu_self()->tss;

	tss->rsp[0][0] = (uint32_t)(uintptr_t)top;
	tss->rsp[0][1] = (uint32_t)((uintptr_t)top >> 32);
}

/* One instruction: whichever CPU it is, a thread is in no routine on it. */
bool z_port_in_isr(void)
{
	unsigned int depth;

	__asm__ volatile("movl %%gs:%c1, %0"
			 : "=r"(depth)
			 : "i"(offsetof(struct cpu, isr_depth))
			 : "memory");
	return depth > 0;
}

/* ---- what cannot go on -------------------------------------------------------------------------- */

static bool by_supervisor(const struct z_port_regs *regs)
{
	return (regs->cs & 3) == 0;
}

static uint64_t fixup_of(uint64_t pc)
{
	for (const struct fixup *f = link_fixups; f < link_fixups_end; f++) {
		if (f->at == pc)
			return f->go_on;
	}
	return 0;
}

/* Was it the first instruction of what was called, or its address? The return address is still there. */
static bool may_be_a_call(const struct z_port_regs *regs)
{
	return regs->vector != VECTOR_PAGE_FAULT || (regs->error & PF_FETCH) != 0;
}

/* End the user thread; in the kernel go on where a probe says, or stop the machine. */
static void fail(struct z_port_regs *regs, unsigned int reason, const char *why)
{
	uint64_t go_on = fixup_of(regs->rip);

	if (!by_supervisor(regs)) {
		cpu_irqs_on();
		kernel_user_fault(reason, regs);
	}
	if (go_on == 0 && may_be_a_call(regs)) {
		go_on = fixup_of(*(const uint64_t *)regs->rsp);
		regs->rsp += sizeof(uint64_t);
	}
	if (go_on == 0)
		kernel_panic(why, regs);
	regs->rip = go_on;
	regs->rax = reason;
}

static void protection_fault(struct z_port_regs *regs)
{
	if (regs->error != 0)
		fail(regs, Z_PROBE_ILLEGAL, "a segment that is none");
	else
		fail(regs, Z_PROBE_FAULT + Z_FAULT_BAD_ADDRESS, "no address, or not allowed here");
}

static void other_exception(struct z_port_regs *regs)
{
	switch (regs->vector) {
	case VECTOR_NMI:
		kernel_panic("an interrupt that cannot be locked", regs);
	case VECTOR_DOUBLE_FAULT:
		kernel_panic("double fault: the kernel stack has no room, or is none", regs);
	case VECTOR_MACHINE_CHECK:
		kernel_panic("the hardware found an error in itself", regs);
	default:
		if (by_supervisor(regs))
			kernel_panic("unexpected trap", regs);
		fail(regs, Z_PROBE_ILLEGAL, "unexpected trap of user mode");
		break;
	}
}

/* ---- page faults, system calls, interrupts ------------------------------------------------------- */

static unsigned int access_of(uint64_t error)
{
	if ((error & PF_FETCH) != 0)
		return Z_ACCESS_EXEC;
	return (error & PF_WRITE) != 0 ? Z_ACCESS_WRITE : Z_ACCESS_READ;
}

enum z_fault_result trap_page_fault(const struct z_port_regs *regs)
{
	bool supervisor = by_supervisor(regs);
	unsigned int access = access_of(regs->error);
	enum z_fault_result result = Z_FAULT_VIOLATION;

	if ((regs->error & PF_RESERVED) != 0)
		return result;
	if ((regs->rflags & RFLAGS_IF) != 0)
		cpu_irqs_on();
	if (!mmu_forbids(regs->cr2, access, supervisor, regs->rflags))
		result = kernel_page_fault(regs->cr2, supervisor ? access : access | Z_ACCESS_USER);
	cpu_irqs_off();
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

	if ((regs->error & PF_RESERVED) != 0)
		kernel_panic("page fault: a page table is damaged", regs);
	fail(regs, Z_PROBE_FAULT + (unsigned int)result, why[result]);
}

static void system_call(struct z_port_regs *regs)
{
	const unsigned long args[4] = {regs->rdi, regs->rsi, regs->rdx, regs->r10};

	cpu_irqs_on();
	regs->rax = kernel_syscall(regs->rax, args);
	cpu_irqs_off();
}

/* A line is the device's until it is served: the APIC hears of the end after that. */
static void interrupt(uint64_t vector)
{
	if (vector == VECTOR_SPURIOUS)
		return;
	if (vector == VECTOR_SHOOTDOWN) {
		smp_serve();
		apic_end();
		return;
	}
	cpu_self()->isr_depth++;
	if (vector == VECTOR_TIMER)
		kernel_tick();
	else if (vector == VECTOR_KICK)
		kernel_kick();
	else if (vector >= VECTOR_LINES && vector < VECTOR_LINES_END)
		kernel_irq((unsigned int)(vector - VECTOR_LINES));
	apic_end();
	cpu_self()->isr_depth--;
	kernel_interrupt_done();
}

void trap_handle(struct z_port_regs *regs)
{
	switch (regs->vector) {
	case VECTOR_SYSCALL:
		system_call(regs);
		break;
	case VECTOR_ILLEGAL:
		fail(regs, Z_PROBE_ILLEGAL, "illegal instruction");
		break;
	case VECTOR_STACK:
	case VECTOR_PROTECTION:
		protection_fault(regs);
		break;
	default:
		if (regs->vector < VECTOR_EXCEPTIONS)
			other_exception(regs);
		else
			interrupt(regs->vector);
		break;
	}
}

void z_port_print_regs(const struct z_port_regs *regs)
{
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
		{"rax", regs->rax},       {"rbx", regs->rbx}, {"rcx", regs->rcx},
		{"rdx", regs->rdx},       {"rsi", regs->rsi}, {"rdi", regs->rdi},
		{"rbp", regs->rbp},       {"rsp", regs->rsp}, {"r8", regs->r8},
		{"r9", regs->r9},         {"r10", regs->r10}, {"r11", regs->r11},
		{"r12", regs->r12},       {"r13", regs->r13}, {"r14", regs->r14},
		{"r15", regs->r15},       {"rip", regs->rip}, {"cs", regs->cs},
		{"rflags", regs->rflags}, {"ss", regs->ss},   {"vector", regs->vector},
		{"error", regs->error},   {"cr2", regs->cr2}, {"pte", mmu_pte(regs->cr2)},
	};

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		kernel_print("%-6s %016lx%s", all[i].name, (unsigned long)all[i].value,
			     i % 4 == 3 ? "\n" : "  ");
}
