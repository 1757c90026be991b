/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board.c - QEMU's arm64 board `virt`: start-up in C, processors by PSCI, interrupts by a GIC of version
 * 2, ticks by the virtual timer, console by a PL011, exit by semihosting.
 *
 * Theory. Where things are is in the device tree, which the loader leaves at the start of RAM. RAM is a
 * fixed map: the tree, the kernel, what the kernel may use for itself, then from CONFIG_SRAM_BASE
 * the page frames; the command line of the emulator gives that much (-m 8M). CPU 0 takes the
 * interrupts of all devices; ticks and kicks come to the CPU that they are for.
 *
 * The firmware is called by HVC if we were entered in EL1, and by SMC if in EL2, whose HVC is ours.
 *
 * Locks: none. What a CPU has for itself is in its struct cpu, and it alone uses it, interrupts locked.
 * Limits: the processors are those of the tree, at most Z_PORT_CPUS_MAX.
 *
 * Source: Arm GIC architecture specification version 2, PL011 manual, semihosting specification.
 */
#include <zpager/mmu.h>

#include "../common/devicetree.h"
#include "cpu.h"
#include "mmu.h"
#include "trap.h"

#define DEVICE_TREE ((uintptr_t)0x40000000)
#define TREE_BYTES  ((size_t)0x100000) /* what the loader keeps for it, at most */

#define UART_DATA  0x00U
#define UART_FLAGS 0x18U
#define UART_FULL  (1U << 5)

#define GICD_BYTES      0x1000U
#define GICC_BYTES      0x2000U
#define GICD_CTLR       0x000U
#define GICD_ISENABLER  0x100U
#define GICD_IPRIORITYR 0x400U
#define GICD_ITARGETSR  0x800U
#define GICD_SGIR       0xf00U
#define GICC_CTLR       0x000U
#define GICC_PMR        0x004U
#define GICC_IAR        0x00cU
#define GICC_EOIR       0x010U

#define INTERRUPT_KICK  0U
#define INTERRUPT_TIMER 27U
#define INTERRUPT_ID    0x3ffU
#define INTERRUPT_NONE  1020U /* and above */

#define NS_PER_SECOND UINT64_C(1000000000)

#define ADP_STOPPED_APPLICATION_EXIT 0x20026U

extern char link_end[], boot_cpu[];

/* Called by boot.S. */
_Noreturn void board_start(unsigned long in_el2);
_Noreturn void board_start_cpu(struct cpu *self);

/* probe.S */
void semihosting_exit(const uint64_t block[2]);

static struct devicetree tree; /* [I], like all below */
static bool firmware_by_smc;
static uint64_t ns_per_tick; /* [I] times 2^32 */
static uint64_t clock_hz;
static struct cpu cpus[Z_PORT_CPUS_MAX];
static unsigned char emergency_stacks[Z_PORT_CPUS_MAX][EMERGENCY_BYTES]
	__attribute__((aligned(16)));

static volatile uint32_t *device(uintptr_t base, unsigned int offset)
{
	return (volatile uint32_t *)(base + offset);
}

/* ---- start-up --------------------------------------------------------------------------------- */

static void gic_start_cpu(struct cpu *self)
{
	self->gic_mask = *device(tree.gic_distributor, GICD_ITARGETSR) & 0xffU;
	*device(tree.gic_distributor, GICD_ISENABLER) =
		1U << INTERRUPT_KICK | 1U << INTERRUPT_TIMER;
	*device(tree.gic_cpu, GICC_PMR) = 0xffU;
	*device(tree.gic_cpu, GICC_CTLR) = 1U;
}

/* The counter of cycles runs in both modes and has 64 bits. User mode reads no counter. */
static void start_counters(void)
{
	SYS_WRITE(cntkctl_el1, 0);
	SYS_WRITE(pmuserenr_el0, 0);
	clock_hz = SYS_READ(cntfrq_el0);
	ns_per_tick = (NS_PER_SECOND << 32) / clock_hz;
	SYS_WRITE(pmccfiltr_el0, 0);
	SYS_WRITE(pmcntenset_el0, PMCNTENSET_CYCLES);
	SYS_WRITE(pmcr_el0, PMCR_ENABLE | PMCR_LONG_CYCLES);
}

static void number_cpus(void)
{
	unsigned long self = SYS_READ(mpidr_el1) & MPIDR_AFFINITY;
	unsigned int next = 1;

	for (unsigned int i = 0; i < tree.cpus; i++) {
		unsigned int n = tree.cpu_id[i] == self ? 0 : next++;

		if (n < Z_PORT_CPUS_MAX)
			cpus[n].affinity = tree.cpu_id[i];
	}
	for (unsigned int n = 0; n < Z_PORT_CPUS_MAX; n++) {
		cpus[n].number = n;
		cpus[n].emergency_stack = (uintptr_t)emergency_stacks[n] + EMERGENCY_BYTES;
	}
}

static void start_mmu(uintptr_t ram_end)
{
	struct mmu_range ranges[4 + DEVICETREE_VIRTIO_MAX] = {
		{DEVICE_TREE, TREE_BYTES, false},
		{tree.gic_distributor, GICD_BYTES, true},
		{tree.gic_cpu, GICC_BYTES, true},
		{tree.console, Z_PAGE_SIZE, true},
	};
	size_t n = 4;

	for (unsigned int i = 0; i < tree.nvirtio; i++) {
		uintptr_t page = z_page_align_down(tree.virtio[i].base);

		if (ranges[n - 1].base != page)
			ranges[n++] = (struct mmu_range){page, Z_PAGE_SIZE, true};
	}
	mmu_start(ram_end, ranges, n);
}

_Noreturn void board_start(unsigned long in_el2)
{
	struct z_port_ram ram = {(uintptr_t)link_end, Z_PHYS_RAM_START};

	firmware_by_smc = in_el2 != 0;
	trap_start(&cpus[0]);
	if (devicetree_read((const void *)DEVICE_TREE, &tree) != Z_OK || tree.console == 0 ||
	    tree.gic_distributor == 0 || tree.gic_cpu == 0)
		kernel_panic("the device tree is missing, or says too little", NULL);
	number_cpus();
	if (ram.begin >= ram.end)
		kernel_panic("the kernel reaches into the page frames", NULL);
	if (tree.ram_base + tree.ram_bytes < Z_PHYS_RAM_END)
		kernel_panic("RAM ends before the page frames do", NULL);
	start_mmu(ram.end);
	*device(tree.gic_distributor, GICD_CTLR) = 1U;
	gic_start_cpu(&cpus[0]);
	start_counters();
	kernel_main(ram);
}

_Noreturn void board_start_cpu(struct cpu *self)
{
	trap_start(self);
	gic_start_cpu(self);
	start_counters();
	kernel_cpu_main();
}

const char *z_port_name(void)
{
	return "arm64";
}

const char *z_port_command_line(void)
{
	return tree.bootargs;
}

bool z_port_virtio(size_t i, struct z_port_virtio *out)
{
	if (i >= tree.nvirtio)
		return false;
	*out = tree.virtio[i];
	return true;
}

/* ---- processors -------------------------------------------------------------------------------- */

unsigned int z_port_cpus(void)
{
	return tree.cpus;
}

unsigned int z_port_cpu(void)
{
	return (unsigned int)cpu_self()->number;
}

int z_port_cpu_start(unsigned int cpu, void *stack_top)
{
	struct cpu *other = &cpus[cpu];

	other->kernel_stack = (uintptr_t)stack_top;
	z_port_io_barrier();
	return psci_call(firmware_by_smc, PSCI_CPU_ON, other->affinity, (uintptr_t)boot_cpu,
			 (uintptr_t)other) == 0
		       ? Z_OK
		       : Z_ERR_NOTSUP;
}

void z_port_cpu_kick(unsigned int cpu)
{
	z_port_io_barrier();
	*device(tree.gic_distributor, GICD_SGIR) = cpus[cpu].gic_mask << 16 | INTERRUPT_KICK;
}

/*
 * Until an interrupt is pending, at the latest the tick; it is taken when interrupts are on again. A
 * shoot-down needs no help.
 */
void z_port_relax(void)
{
	cpu_sleep();
}

void z_port_idle(void)
{
	cpu_sleep();
	cpu_irqs_on();
	cpu_context_barrier();
	cpu_irqs_off();
}

void z_port_io_barrier(void)
{
	cpu_barrier();
}

/* ---- interrupts and time ---------------------------------------------------------------------- */

/* A key is PSTATE_IRQ_OFF if interrupts were on, and 0 if not. */
unsigned long z_port_irq_lock(void)
{
	unsigned long daif = SYS_READ(daif);

	cpu_irqs_off();
	return ~daif & PSTATE_IRQ_OFF;
}

void z_port_irq_restore(unsigned long key)
{
	if ((key & PSTATE_IRQ_OFF) != 0)
		cpu_irqs_on();
}

bool z_port_irqs_on(void)
{
	return (SYS_READ(daif) & PSTATE_IRQ_OFF) == 0;
}

void z_port_irq_enable(unsigned int irq)
{
	volatile uint8_t *target = (volatile uint8_t *)tree.gic_distributor + GICD_ITARGETSR + irq;

	*target = (uint8_t)cpus[0].gic_mask;
	*device(tree.gic_distributor, GICD_ISENABLER + irq / 32 * 4) = 1U << irq % 32;
}

static uint64_t ticks_now(void)
{
	cpu_context_barrier();
	return SYS_READ(cntvct_el0);
}

uint64_t z_port_now(void)
{
	unsigned __int128 ticks = ticks_now();

	return (uint64_t)(ticks * ns_per_tick >> 32);
}

uint64_t z_port_instructions(void)
{
	return SYS_READ(pmccntr_el0);
}

static void set_timer(struct cpu *self, uint64_t when)
{
	self->tick_next = when;
	SYS_WRITE(cntv_cval_el0, when);
}

void z_port_tick(uint64_t period_ns)
{
	unsigned long key = z_port_irq_lock();
	struct cpu *self = cpu_self();

	self->tick_period = period_ns * clock_hz / NS_PER_SECOND;
	set_timer(self, ticks_now() + self->tick_period);
	SYS_WRITE(cntv_ctl_el0, self->tick_period > 0 ? CNTV_CTL_ENABLE : 0);
	cpu_context_barrier();
	z_port_irq_restore(key);
}

/* Ticks that were missed while interrupts were locked are not made up for. */
static void timer(void)
{
	struct cpu *self = cpu_self();
	uint64_t now = ticks_now();
	uint64_t next = self->tick_next + self->tick_period;

	set_timer(self, next > now ? next : now + self->tick_period);
	kernel_tick();
}

/*
 * The end is told before the handler runs. Until then the controller signals nothing else to this CPU,
 * and z_port_relax in the handler would sleep for ever. Interrupts are off, so none comes inside of
 * another; a device that has been served takes back what it had asked for.
 */
void board_interrupt(void)
{
	uint32_t taken = *device(tree.gic_cpu, GICC_IAR);
	unsigned int id = taken & INTERRUPT_ID;

	if (id >= INTERRUPT_NONE)
		return;
	*device(tree.gic_cpu, GICC_EOIR) = taken;
	if (id == INTERRUPT_TIMER)
		timer();
	else if (id == INTERRUPT_KICK)
		kernel_kick();
	else
		kernel_irq(id);
}

/* ---- console and end --------------------------------------------------------------------------- */

void z_port_putc(char c)
{
	if (tree.console == 0)
		return;
	while ((*device(tree.console, UART_FLAGS) & UART_FULL) != 0)
		continue;
	*device(tree.console, UART_DATA) = (unsigned char)c;
}

/* Without an emulator that listens the board is switched off, and the status lost. */
_Noreturn void z_port_exit(unsigned int status)
{
	const uint64_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, status};

	(void)z_port_irq_lock();
	semihosting_exit(block);
	(void)psci_call(firmware_by_smc, PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		cpu_sleep();
}
