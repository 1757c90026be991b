/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smp.c - the other CPUs: how they start, and how they forget translations.
 *
 * Start. INIT, then a start-up message with the number of a page below 1 MiB, where a copy of a few
 * instructions (boot.S) lies. What the new CPU should do lies in words of boot.S; they belong to one
 * start at a time.
 *
 * Shoot-down. No instruction reaches another CPU's translations, so each is asked. A CPU that asks
 * writes what is to be forgotten into its own request, marks itself in `asked` of each CPU that runs,
 * interrupts them, and waits until each has taken its bit out of `waiting`. Whoever waits has
 * interrupts locked, and so may those it waits for: therefore each loop that waits for another
 * CPU, this one and by z_port_relax() those of locks, does what was asked of its own CPU in each turn.
 * So nobody waits for somebody who waits.
 *
 * A CPU that starts puts itself on the list first and then forgets everything: who did not see it
 * there had changed the entry before.
 *
 * Locks: none; the words that are shared are atomic. A request is written by its owner while nobody
 * has it. Limits: the APICs are numbered from 0 without a gap, as QEMU does.
 */
#include "smp.h"

#include "../common/port.h"
#include "apic.h"
#include "board.h"
#include "cpu.h"
#include "mmu.h"
#include "trap.h"

#define START_PAGE ((uintptr_t)BOARD_START_PAGE)
#define START_GAP  200000U     /* ns between the messages of a start */
#define START_MAX  1000000000U /* ns until it must have come */

struct request {
	size_t n;
	uintptr_t va[SMP_PAGES_MAX];
	unsigned int waiting; /* [A] the CPUs that have not done it yet, a bit each */
};

extern const unsigned char boot_other[], boot_other_end[];
extern uint64_t boot_root, boot_stack, boot_next, boot_argument;

static struct request requests[Z_PORT_CPUS_MAX];
static unsigned int asked[Z_PORT_CPUS_MAX]; /* [A] whose requests are for this CPU, a bit each */
static unsigned int running = 1;            /* [A] a bit each; only grows */

void smp_init(void)
{
	unsigned char *page = (unsigned char *)START_PAGE;

	for (size_t i = 0; i < (size_t)(boot_other_end - boot_other); i++)
		page[i] = boot_other[i];
}

/* ---- start ---------------------------------------------------------------------------------------- */

static _Noreturn void begin(unsigned long number)
{
	board_start_cpu((unsigned int)number);
	__atomic_fetch_or(&running, 1U << number, __ATOMIC_SEQ_CST);
	cpu_forget_all();
	kernel_cpu_main();
}

static bool comes_within(unsigned int cpu, uint64_t ns)
{
	uint64_t until = z_port_now() + ns;

	do {
		if ((__atomic_load_n(&running, __ATOMIC_SEQ_CST) & 1U << cpu) != 0)
			return true;
		z_port_relax();
	} while (z_port_now() < until);
	return false;
}

int z_port_cpu_start(unsigned int cpu, void *stack_top)
{
	unsigned long key = z_port_irq_lock();
	bool came;

	boot_root = CPU_READ(cr3);
	boot_stack = (uintptr_t)stack_top;
	boot_next = (uintptr_t)begin;
	boot_argument = cpu;
	apic_send_init(cpu);
	(void)comes_within(cpu, START_GAP);
	apic_send_start(cpu, START_PAGE);
	came = comes_within(cpu, START_GAP);
	if (!came) {
		apic_send_start(cpu, START_PAGE);
		came = comes_within(cpu, START_MAX);
	}
	z_port_irq_restore(key);
	return came ? Z_OK : Z_ERR_NOTSUP;
}

unsigned int z_port_cpu(void)
{
	return cpu_self()->number;
}

/* ---- shoot-down ----------------------------------------------------------------------------------- */

static void forget(const struct request *r)
{
	if (r->n > SMP_PAGES_MAX) {
		cpu_forget_all();
		return;
	}
	for (size_t i = 0; i < r->n; i++)
		cpu_forget_page(r->va[i]);
}

void smp_serve(void)
{
	unsigned int self = cpu_self()->number;
	unsigned int whose;

	if (__atomic_load_n(&asked[self], __ATOMIC_RELAXED) == 0)
		return;
	whose = __atomic_exchange_n(&asked[self], 0, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < Z_PORT_CPUS_MAX; i++) {
		if ((whose & 1U << i) == 0)
			continue;
		forget(&requests[i]);
		__atomic_fetch_and(&requests[i].waiting, ~(1U << self), __ATOMIC_SEQ_CST);
	}
}

static void ask(unsigned int self, unsigned int others)
{
	__atomic_store_n(&requests[self].waiting, others, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < Z_PORT_CPUS_MAX; i++) {
		if ((others & 1U << i) == 0)
			continue;
		__atomic_fetch_or(&asked[i], 1U << self, __ATOMIC_SEQ_CST);
		apic_send(i, VECTOR_SHOOTDOWN);
	}
}

void smp_forget(const uintptr_t *va, size_t n)
{
	unsigned int self = cpu_self()->number;
	unsigned int others = __atomic_load_n(&running, __ATOMIC_SEQ_CST) & ~(1U << self);
	struct request *mine = &requests[self];

	if (others != 0) {
		mine->n = n;
		for (size_t i = 0; n <= SMP_PAGES_MAX && i < n; i++)
			mine->va[i] = va[i];
		ask(self, others);
		while (__atomic_load_n(&mine->waiting, __ATOMIC_SEQ_CST) != 0) {
			smp_serve();
			cpu_pause();
		}
	}
}

void z_port_relax(void)
{
	unsigned long key = z_port_irq_lock();

	smp_serve();
	z_port_irq_restore(key);
	cpu_pause();
}
