/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board.c - QEMU's riscv64 board `virt`: start-up in C, console and timer by SBI, exit by the test
 * device.
 *
 * Theory. The firmware enters boot.S in supervisor mode on one hart, paging off. RAM is a fixed map:
 * the kernel, then what it may use for itself, then from CONFIG_SRAM_BASE the page frames; the
 * command line of the emulator gives that much (-m 8M). Interrupts are the timer's only.
 *
 * Limits: one hart; the device tree is not read; a timer tick at most a few thousand times a second.
 */
#include <zpager/mmu.h>

#include "../common/port.h"
#include "cpu.h"
#include "mmu.h"
#include "trap.h"

#define NS_PER_TICK_OF_TIME 100U /* the board's clock has 10 MHz */
#define EXIT_DEVICE         ((volatile uint32_t *)0x100000)
#define EXIT_PASS           0x5555U
#define EXIT_FAIL           0x3333U

extern char link_end[];

/* Called by boot.S. */
_Noreturn void board_start(unsigned long hart, uintptr_t device_tree);

static uint64_t tick_period; /* of the clock; 0: no tick */
static uint64_t tick_next;
static bool hardware_ad; /* [I] */

_Noreturn void board_start(unsigned long hart, uintptr_t device_tree)
{
	struct z_port_ram ram = {(uintptr_t)link_end, Z_PHYS_RAM_START};

	(void)hart;
	(void)device_tree;
	if (ram.begin >= ram.end)
		kernel_panic("the kernel reaches into the page frames", NULL);
	trap_start();
	mmu_start(ram.end);
	hardware_ad = mmu_keeps_ad();
	kernel_main(ram);
}

const char *z_port_name(void)
{
	return "riscv64";
}

bool z_port_ad(void)
{
	return hardware_ad;
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
	return CSR_READ(time) * NS_PER_TICK_OF_TIME;
}

uint64_t z_port_instructions(void)
{
	return CSR_READ(instret);
}

static void set_timer(uint64_t when)
{
	(void)sbi_call(SBI_TIME, SBI_TIME_SET_TIMER, when);
}

void z_port_tick(uint64_t period_ns)
{
	unsigned long key = z_port_irq_lock();

	tick_period = period_ns / NS_PER_TICK_OF_TIME;
	tick_next = CSR_READ(time) + tick_period;
	if (tick_period > 0) {
		set_timer(tick_next);
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
	uint64_t now = CSR_READ(time);

	tick_next += tick_period;
	if (tick_next <= now)
		tick_next = now + tick_period;
	set_timer(tick_next);
	kernel_tick();
}

/* ---- console and end --------------------------------------------------------------------------- */

void z_port_putc(char c)
{
	(void)sbi_call(SBI_PUTCHAR, 0, (unsigned char)c);
}

_Noreturn void z_port_exit(unsigned int status)
{
	(void)z_port_irq_lock();
	*EXIT_DEVICE = status == 0 ? EXIT_PASS : (status << 16) | EXIT_FAIL;
	for (;;)
		cpu_sleep();
}
