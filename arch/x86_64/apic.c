/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apic.c - interrupts: the local APIC of each CPU with its timer, and the IOAPIC for devices.
 *
 * Theory. Each CPU sees its own local APIC at the same address. The number of a CPU is its APIC's:
 * the board counts both from 0. The timer repeats by itself, so a tick needs no look at a clock; ticks
 * that came while interrupts were locked are one. Devices go by the IOAPIC to the first CPU: by level,
 * active high, so nothing is lost if a device speaks while it is served. The two old 8259 controllers,
 * if the board has them, are masked.
 *
 * Locks: none; a register that is written in two halves is written with interrupts off. The
 * IOAPIC is set up by drivers, one at a time. Limits: QEMU's
 * timer counts nanoseconds, and is not measured; a period is at most 4.2 s.
 *
 * Source: Intel SDM volume 3, chapter 11 (APIC); Intel 82093AA (IOAPIC).
 */
#include "apic.h"

#include "../common/port.h"
#include "cpu.h"
#include "trap.h"

#define APIC_TASK_PRIORITY 0x080U
#define APIC_END           0x0b0U
#define APIC_SPURIOUS      0x0f0U
#define APIC_COMMAND_LOW   0x300U
#define APIC_COMMAND_HIGH  0x310U
#define APIC_TIMER         0x320U
#define APIC_INITIAL       0x380U
#define APIC_CURRENT       0x390U
#define APIC_DIVIDE        0x3e0U

#define SPURIOUS_ENABLE 0x100U
#define COMMAND_INIT    0x4500U /* level, assert */
#define COMMAND_START   0x4600U
#define COMMAND_VECTOR  0x4000U
#define COMMAND_PENDING 0x1000U
#define TIMER_MASKED    0x10000U
#define TIMER_PERIODIC  0x20000U
#define DIVIDE_BY_1     0xbU
#define LARGEST         0xffffffffU

/* A register is named in the first word and seen in the fifth. */
#define IOAPIC_DATA 4U
#define IOAPIC_LINE 16U
#define LINE_LEVEL  0x8000U
#define LINE_MASKED 0x10000U

#define PIC_1_DATA 0x21U
#define PIC_2_DATA 0xa1U

static uint32_t read(unsigned int reg)
{
	return *(volatile uint32_t *)(APIC_BASE + reg);
}

static void write(unsigned int reg, uint32_t value)
{
	*(volatile uint32_t *)(APIC_BASE + reg) = value;
}

void apic_start(void)
{
	cpu_out8(PIC_1_DATA, 0xff);
	cpu_out8(PIC_2_DATA, 0xff);
	write(APIC_TASK_PRIORITY, 0);
	write(APIC_TIMER, TIMER_MASKED);
	write(APIC_DIVIDE, DIVIDE_BY_1);
	write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
}

void apic_end(void)
{
	write(APIC_END, 0);
}

/* ---- other CPUs --------------------------------------------------------------------------------- */

static void command(unsigned int cpu, uint32_t what)
{
	while ((read(APIC_COMMAND_LOW) & COMMAND_PENDING) != 0)
		cpu_pause();
	write(APIC_COMMAND_HIGH, cpu << 24);
	write(APIC_COMMAND_LOW, what);
}

void apic_send(unsigned int cpu, unsigned int vector)
{
	command(cpu, COMMAND_VECTOR | vector);
}

void apic_send_init(unsigned int cpu)
{
	command(cpu, COMMAND_INIT);
}

void apic_send_start(unsigned int cpu, uintptr_t page)
{
	command(cpu, COMMAND_START | (uint32_t)(page / Z_PAGE_SIZE));
}

void z_port_cpu_kick(unsigned int cpu)
{
	unsigned long key = z_port_irq_lock();

	apic_send(cpu, VECTOR_KICK);
	z_port_irq_restore(key);
}

/* ---- the timer ------------------------------------------------------------------------------------ */

void apic_count_down(void)
{
	write(APIC_INITIAL, LARGEST);
}

uint32_t apic_count(void)
{
	return read(APIC_CURRENT);
}

void z_port_tick(uint64_t period_ns)
{
	unsigned long key = z_port_irq_lock();
	uint64_t period = period_ns < LARGEST ? period_ns : LARGEST;

	write(APIC_TIMER, period > 0 ? TIMER_PERIODIC | VECTOR_TIMER : TIMER_MASKED);
	write(APIC_INITIAL, (uint32_t)period);
	z_port_irq_restore(key);
}

/* ---- devices -------------------------------------------------------------------------------------- */

static void write_line(unsigned int reg, uint32_t value)
{
	volatile uint32_t *ioapic = (volatile uint32_t *)IOAPIC_BASE;

	ioapic[0] = reg;
	ioapic[IOAPIC_DATA] = value;
}

void z_port_irq_enable(unsigned int irq)
{
	unsigned int reg = IOAPIC_LINE + 2 * irq;
	unsigned long key = z_port_irq_lock();

	write_line(reg, LINE_MASKED);
	write_line(reg + 1, 0);
	write_line(reg, LINE_LEVEL | (VECTOR_LINES + irq));
	z_port_irq_restore(key);
}
