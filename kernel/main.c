/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - start-up order, time, the command line.
 *
 * Order. The port brings the machine up (console, traps, paging of the kernel itself), then the heap,
 * then the scheduler, the timer and interrupts, the other CPUs, then the application, which
 * starts the pager with the store and the algorithm that it wants.
 *
 * Locks: none of its own.
 */
#include "kernel.h"
#include "sched.h"
#include "string.h"

#include <zpager/mmu.h>

#define DEVICES_MAX 4U

static struct {
	unsigned int irq;
	void (*handler)(void);
} devices[DEVICES_MAX]; /* [I] after start-up */
static unsigned int devices_attached;

static volatile uint64_t ticks; /* written by CPU 0 */
static void (*volatile tick_hook)(void);

/* `cpus=N` of the command line, at most what there is. */
static unsigned int wanted_cpus(void)
{
	unsigned int most = z_port_cpus();
	char text[2];

	if (!kernel_option("cpus", text, 1) || text[0] < '1' || text[0] > '9')
		return most;
	return (unsigned int)(text[0] - '0') < most ? (unsigned int)(text[0] - '0') : most;
}

void kernel_main(struct z_port_ram ram)
{
	unsigned int status;

	kernel_heap_start(ram);
	sched_start_here();
	z_port_tick(KERNEL_TICK_NS);
	z_port_irq_restore(~0UL);
	sched_start_cpus(wanted_cpus());
	kernel_print("zpager kernel: %s, %u CPUs, %u page frames, %zu pages of the kernel's own, "
		     "accessed and dirty by %s\n",
		     z_port_name(), sched_cpus(), (unsigned int)Z_NUM_PAGE_FRAMES,
		     kernel_pages_left(), z_port_ad() ? "hardware" : "faults");

	status = kernel_app();
	z_port_exit(status);
}

/* ---- interrupts and time ------------------------------------------------------------------------ */

uint64_t kernel_ticks(void)
{
	return ticks;
}

void kernel_set_tick_hook(void (*hook)(void))
{
	tick_hook = hook;
}

void kernel_tick(void)
{
	void (*hook)(void) = tick_hook;

	sched_tick();
	if (z_port_cpu() != 0)
		return;
	ticks = ticks + 1;
	if (hook != NULL)
		hook();
}

void kernel_kick(void)
{
}

void kernel_irq_attach(unsigned int irq, void (*handler)(void))
{
	if (devices_attached == DEVICES_MAX)
		kernel_panic("more devices with interrupts than there is room for", NULL);
	devices[devices_attached].irq = irq;
	devices[devices_attached++].handler = handler;
	z_port_irq_enable(irq);
}

void kernel_irq(unsigned int irq)
{
	for (unsigned int i = 0; i < devices_attached; i++) {
		if (devices[i].irq == irq) {
			devices[i].handler();
			return;
		}
	}
	kernel_panic("an interrupt of a device that nobody knows", NULL);
}

void kernel_interrupt_done(void)
{
	sched_interrupt_done();
}

/* ---- the command line ------------------------------------------------------------------------------ */

/* What follows NAME= in the word that begins here, NULL if it is another word. */
static const char *value_in(const char *word, const char *name)
{
	while (*name != 0 && *word == *name) {
		word++;
		name++;
	}
	return *name == 0 && *word == '=' ? word + 1 : NULL;
}

static bool copy_word(char *to, const char *from, size_t max)
{
	size_t n = 0;

	while (from[n] != 0 && from[n] != ' ')
		n++;
	if (n > max)
		return false;
	memcpy(to, from, n);
	to[n] = 0;
	return true;
}

bool kernel_option(const char *name, char *value, size_t max)
{
	const char *at = z_port_command_line();

	while (*at != 0) {
		const char *text = value_in(at, name);

		if (text != NULL)
			return copy_word(value, text, max);
		while (*at != 0 && *at != ' ')
			at++;
		while (*at == ' ')
			at++;
	}
	return false;
}
