/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board.c - QEMU's riscv64 board `virt`: start-up in C, harts, console, timer and fences by SBI,
 * interrupts of devices by the PLIC, exit by the test device.
 *
 * Theory. The firmware enters boot.S in supervisor mode on one hart, paging off, with the device tree. The
 * kernel lies where it was linked, then comes what it may use for itself, up to CONFIG_SRAM_BASE,
 * where the page frames begin: the device tree has to show that much RAM. Other harts
 * are started by the firmware (HSM), fenced by it (RFENCE), and interrupted by it (IPI); of the fences it
 * is known that they are over when the call returns.
 *
 * Locks: none. The list of harts that run only grows, and a hart is on it before it can have any
 * translation. Limits: interrupts of devices go to the first hart.
 */
#include "board.h"

#include <zpager/mmu.h>

#include "../common/devicetree.h"
#include "../common/port.h"
#include "cpu.h"
#include "mmu.h"
#include "trap.h"

#define EXIT_DEVICE ((uintptr_t)0x100000)
#define EXIT_PASS   0x5555U
#define EXIT_FAIL   0x3333U

#define COMMAND_LINE_MAX 255U
#define NS_PER_S         UINT64_C(1000000000)

/* PLIC: a context for machine mode and one for supervisor mode of each hart. */
#define PLIC_PRIORITY  0x0U
#define PLIC_ENABLE    0x2000U
#define PLIC_THRESHOLD 0x200000U
#define PLIC_CLAIM     0x200004U
#define PLIC_PER_HART  2U

extern char link_end[], link_stack_end[], boot_hart[];

/* Called by boot.S. */
_Noreturn void board_start(unsigned long id, uintptr_t device_tree);
_Noreturn void board_start_hart(struct hart *self);

static struct devicetree tree; /* [I] */
static char command_line[COMMAND_LINE_MAX + 1];
static struct hart harts[Z_PORT_CPUS_MAX];
static unsigned long others_mask; /* [A] harts that run, by the firmware's number, less the first */
static bool hardware_ad;          /* [I] */
static uint64_t ns_per_tick;      /* [I] */

/* ---- start-up ----------------------------------------------------------------------------------- */

static void copy_command_line(void)
{
	size_t n = 0;

	for (; n < COMMAND_LINE_MAX && tree.bootargs[n] != 0; n++)
		command_line[n] = tree.bootargs[n];
	command_line[n] = 0;
}

/* Number 0 is the hart that started, whatever the firmware calls it. */
static void number_harts(unsigned long first)
{
	unsigned int n = 1;

	harts[0].id = first;
	for (unsigned int i = 0; i < tree.cpus && n < Z_PORT_CPUS_MAX; i++) {
		if (tree.cpu_id[i] == first)
			continue;
		harts[n].number = n;
		harts[n++].id = tree.cpu_id[i];
	}
}

static void start_paging(uintptr_t ram_end)
{
	struct mmu_device devices[3 + DEVICETREE_VIRTIO_MAX] = {
		{EXIT_DEVICE, Z_PAGE_SIZE},
		{tree.plic, 3 * Z_PAGE_SIZE},
		{tree.plic + PLIC_THRESHOLD, 2 * Z_PORT_CPUS_MAX * Z_PAGE_SIZE},
	};
	size_t n = 3;

	for (unsigned int i = 0; i < tree.nvirtio; i++)
		devices[n++] = (struct mmu_device){tree.virtio[i].base, Z_PAGE_SIZE};
	mmu_start(ram_end, devices, n);
}

_Noreturn void board_start(unsigned long id, uintptr_t device_tree)
{
	struct z_port_ram ram = {(uintptr_t)link_end, Z_PHYS_RAM_START};

	trap_start(&harts[0]);
	if (devicetree_read((const void *)device_tree, &tree) != Z_OK || tree.plic == 0 ||
	    tree.timebase_hz == 0)
		kernel_panic("the device tree is damaged or lacks the PLIC or the timer", NULL);
	if (ram.begin >= ram.end)
		kernel_panic("the kernel reaches into the page frames", NULL);
	if (tree.ram_base > ram.begin || tree.ram_base + tree.ram_bytes < Z_PHYS_RAM_END)
		kernel_panic("less RAM than the configuration says", NULL);
	ns_per_tick = NS_PER_S / tree.timebase_hz;
	copy_command_line();
	number_harts(id);
	start_paging(ram.end);
	CSR_SET(sstatus, SSTATUS_FS);
	CSR_SET(sie, SIE_SOFT | SIE_DEVICE);
	hardware_ad = mmu_keeps_ad();
	kernel_main(ram);
}

_Noreturn void board_start_hart(struct hart *self)
{
	trap_start(self);
	__atomic_fetch_or(&others_mask, 1UL << self->id, __ATOMIC_SEQ_CST);
	mmu_start_hart();
	CSR_SET(sstatus, SSTATUS_FS);
	CSR_SET(sie, SIE_SOFT);
	kernel_cpu_main();
}

const char *z_port_name(void)
{
	return "riscv64";
}

bool z_port_ad(void)
{
	return hardware_ad;
}

const char *z_port_command_line(void)
{
	return command_line;
}

/* ---- harts -------------------------------------------------------------------------------------- */

unsigned int z_port_cpus(void)
{
	return tree.cpus < Z_PORT_CPUS_MAX ? tree.cpus : Z_PORT_CPUS_MAX;
}

unsigned int z_port_cpu(void)
{
	return (unsigned int)hart_self()->number;
}

int z_port_cpu_start(unsigned int cpu, void *stack_top)
{
	harts[cpu].kernel_stack = (uintptr_t)stack_top;
	if (sbi_call(SBI_HSM, SBI_HSM_START, harts[cpu].id, (uintptr_t)boot_hart,
		     (uintptr_t)&harts[cpu], 0) != 0)
		return Z_ERR_NOTSUP;
	return Z_OK;
}

void z_port_cpu_kick(unsigned int cpu)
{
	(void)sbi_call(SBI_IPI, SBI_IPI_SEND, 1UL << harts[cpu].id, 0, 0, 0);
}

/* Until an interrupt is pending, at the latest the tick; it is taken when interrupts are on again. */
void z_port_relax(void)
{
	cpu_sleep();
}

/* A pending interrupt ends the sleep although interrupts are off. */
void z_port_idle(void)
{
	cpu_sleep();
	CSR_SET(sstatus, SSTATUS_SIE);
	(void)CSR_CLEAR(sstatus, SSTATUS_SIE);
}

/* All that run but this one, by the firmware's numbers; the first is on the list if any other is. */
static unsigned long others(void)
{
	unsigned long mask = __atomic_load_n(&others_mask, __ATOMIC_SEQ_CST);

	return mask == 0 ? 0 : (mask | 1UL << harts[0].id) & ~(1UL << hart_self()->id);
}

void board_fence_others(uintptr_t va, size_t pages)
{
	unsigned long mask = others();

	if (mask != 0)
		(void)sbi_call(SBI_RFENCE, SBI_RFENCE_VMA, mask, 0, va, pages * Z_PAGE_SIZE);
}

void board_fence_code_of_others(void)
{
	unsigned long mask = others();

	if (mask != 0)
		(void)sbi_call(SBI_RFENCE, SBI_RFENCE_CODE, mask, 0, 0, 0);
}

/* ---- interrupts and time ---------------------------------------------------------------------- */

unsigned long z_port_irq_lock(void)
{
	return CSR_CLEAR(sstatus, SSTATUS_SIE) & SSTATUS_SIE;
}

void z_port_irq_restore(unsigned long key)
{
	CSR_SET(sstatus, key & SSTATUS_SIE);
}

bool z_port_irqs_on(void)
{
	return (CSR_READ(sstatus) & SSTATUS_SIE) != 0;
}

uint64_t z_port_now(void)
{
	return CSR_READ(time) * ns_per_tick;
}

uint64_t z_port_instructions(void)
{
	return CSR_READ(instret);
}

static void set_timer(uint64_t when)
{
	(void)sbi_call(SBI_TIME, SBI_TIME_SET_TIMER, when, 0, 0, 0);
}

void z_port_tick(uint64_t period_ns)
{
	unsigned long key = z_port_irq_lock();
	struct hart *self = hart_self();

	self->tick_period = period_ns / ns_per_tick;
	self->tick_next = CSR_READ(time) + self->tick_period;
	if (self->tick_period > 0) {
		set_timer(self->tick_next);
		CSR_SET(sie, SIE_TIMER);
	} else {
		(void)CSR_CLEAR(sie, SIE_TIMER);
		set_timer(UINT64_MAX);
	}
	z_port_irq_restore(key);
}

/* Ticks that were missed while interrupts were locked are not made up for. */
void board_timer(void)
{
	struct hart *self = hart_self();
	uint64_t now = CSR_READ(time);

	self->tick_next += self->tick_period;
	if (self->tick_next <= now)
		self->tick_next = now + self->tick_period;
	set_timer(self->tick_next);
	kernel_tick();
}

static volatile uint32_t *plic(uintptr_t offset)
{
	return (volatile uint32_t *)(tree.plic + offset);
}

static uintptr_t plic_context(void)
{
	return harts[0].id * PLIC_PER_HART + 1;
}

void z_port_irq_enable(unsigned int irq)
{
	uintptr_t context = plic_context();

	*plic(PLIC_PRIORITY + 4 * (uintptr_t)irq) = 1;
	*plic(PLIC_ENABLE + 0x80 * context + irq / 32 * 4) |= 1U << irq % 32;
	*plic(PLIC_THRESHOLD + 0x1000 * context) = 0;
}

void board_device(void)
{
	volatile uint32_t *claim = plic(PLIC_CLAIM + 0x1000 * plic_context());
	uint32_t irq = *claim;

	if (irq == 0)
		return;
	kernel_irq(irq);
	*claim = irq;
}

/* ---- devices ------------------------------------------------------------------------------------ */

bool z_port_virtio(size_t i, struct z_port_virtio *out)
{
	if (i >= tree.nvirtio)
		return false;
	*out = tree.virtio[i];
	return true;
}

void z_port_io_barrier(void)
{
	__asm__ volatile("fence iorw, iorw" ::: "memory");
}

/* ---- console and end --------------------------------------------------------------------------- */

void z_port_putc(char c)
{
	(void)sbi_call(SBI_PUTCHAR, 0, (unsigned char)c, 0, 0, 0);
}

_Noreturn void z_port_exit(unsigned int status)
{
	(void)z_port_irq_lock();
	*(volatile uint32_t *)EXIT_DEVICE = status == 0 ? EXIT_PASS : (status << 16) | EXIT_FAIL;
	for (;;)
		cpu_sleep();
}
