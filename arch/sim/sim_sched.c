/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_sched.c - simulated CPUs as coroutines, one a CPU, with the order chosen by a seed.
 *
 * The host's context picks a CPU that can go on and switches to it; at a switch point the CPU may
 * switch back. A CPU that wants the lock can go on when nobody has it; one that waits, when it was
 * woken. Nobody can: that is a deadlock, and the texts of all CPUs are recorded.
 *
 * With config.timed the CPU whose clock is behind goes on, and gives up as soon as another's is.
 *
 * The trace is a hash over the CPUs in the order in which they were picked.
 *
 * Locks: none of the host.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sys/mman.h>

#include "sim_fiber.h"
#include "sim_internal.h"

uint64_t z_sim_random(struct z_sim *sim)
{
	uint64_t z = (sim->random += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t z_sim_switches(const struct z_sim *sim)
{
	return sim->switches;
}

uint64_t z_sim_trace(const struct z_sim *sim)
{
	return sim->trace;
}

unsigned int z_sim_cpu(const struct z_sim *sim)
{
	return sim->current;
}

bool z_sim_dead(const struct z_sim *sim)
{
	return sim->dead;
}

static bool can_run(const struct z_sim *sim, unsigned int i)
{
	const struct sim_cpu *cpu = &sim->cpu[i];

	return cpu->state == SIM_CPU_RUNNABLE ||
	       (cpu->state == SIM_CPU_WANTS_LOCK && sim->lock_owner == SIM_NO_CPU);
}

/* When a CPU that can run could go on. */
static uint64_t could_go_on(const struct z_sim *sim, unsigned int i)
{
	const struct sim_cpu *cpu = &sim->cpu[i];
	bool wants = cpu->state == SIM_CPU_WANTS_LOCK;

	return wants && cpu->clock_ns < sim->lock_free_ns ? sim->lock_free_ns : cpu->clock_ns;
}

/* Does CPU i go before CPU j? Who wants the lock goes by when it came for it. */
static bool is_before(const struct z_sim *sim, unsigned int i, unsigned int j)
{
	uint64_t a = could_go_on(sim, i);
	uint64_t b = could_go_on(sim, j);

	return a != b ? a < b : sim->cpu[i].clock_ns < sim->cpu[j].clock_ns;
}

static int pick_by_clock(const struct z_sim *sim)
{
	int first = SIM_NO_CPU;

	for (unsigned int i = 0; i < sim->config.cpus; i++) {
		if (can_run(sim, i) &&
		    (first == SIM_NO_CPU || is_before(sim, i, (unsigned int)first))) {
			first = (int)i;
		}
	}
	return first;
}

/* The CPU that goes on, or SIM_NO_CPU. */
static int pick(struct z_sim *sim)
{
	unsigned int able[Z_SIM_CPUS_MAX];
	unsigned int n = 0;

	if (sim->config.timed) {
		return pick_by_clock(sim);
	}
	for (unsigned int i = 0; i < sim->config.cpus; i++) {
		if (can_run(sim, i) && !(sim->avoid_current && i == sim->current)) {
			able[n++] = i;
		}
	}
	if (n == 0 && sim->avoid_current && can_run(sim, sim->current)) {
		able[n++] = sim->current;
	}
	sim->avoid_current = false;
	return n == 0 ? SIM_NO_CPU : (int)able[z_sim_random(sim) % n];
}

/* From the host's context to a CPU; back when the CPU gives up, or ends. */
static void switch_to(struct z_sim *sim, unsigned int i)
{
	struct sim_cpu *cpu = &sim->cpu[i];

	sim->switches += i != sim->current;
	sim->trace = (sim->trace ^ (i + 1)) * 0x100000001b3u;
	sim->current = i;
	sim_fiber_leave(&sim->main_fiber, cpu->stack, SIM_STACK_SIZE);
	swapcontext(&sim->main_context, &cpu->context);
	sim_fiber_arrive(sim->main_fiber, NULL, NULL);
}

/* From the running CPU to the host's context. */
static void switch_back(struct z_sim *sim)
{
	struct sim_cpu *cpu = sim_current(sim);

	sim_fiber_leave(&cpu->fiber, sim->main_stack, sim->main_stack_size);
	swapcontext(&cpu->context, &sim->main_context);
	sim_fiber_arrive(cpu->fiber, &sim->main_stack, &sim->main_stack_size);
}

static void cpu_main(unsigned int high, unsigned int low)
{
	uintptr_t address = (uintptr_t)(((uint64_t)high << 32) | low);
	struct z_sim *sim = (struct z_sim *)address;
	struct sim_cpu *cpu = sim_current(sim);

	sim_fiber_arrive(NULL, &sim->main_stack, &sim->main_stack_size);
	cpu->task.run(sim, cpu->task.arg);
	if (z_sim_lock_held(sim)) {
		z_sim_error(sim, "the task ended with the pager lock held");
		sim->lock_owner = SIM_NO_CPU;
	}
	cpu->state = SIM_CPU_IDLE;
	sim_fiber_leave(NULL, sim->main_stack, sim->main_stack_size);
	setcontext(&sim->main_context);
}

static bool cpu_start(struct z_sim *sim, struct sim_cpu *cpu, const struct z_sim_task *task)
{
	uint64_t address = (uintptr_t)sim;

	cpu->stack = mmap(NULL, SIM_STACK_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (cpu->stack == MAP_FAILED) {
		cpu->stack = NULL;
		return false;
	}
	cpu->task = *task;
	cpu->state = SIM_CPU_RUNNABLE;
	getcontext(&cpu->context);
	cpu->context.uc_stack.ss_sp = cpu->stack;
	cpu->context.uc_stack.ss_size = SIM_STACK_SIZE;
	cpu->context.uc_link = NULL;
	makecontext(&cpu->context, (void (*)(void))cpu_main, 2, (unsigned int)(address >> 32),
		    (unsigned int)address);
	/* Else the address sanitizer takes the marks off the whole stack at each switch, slowly. */
	cpu->context.uc_stack.ss_size = 0;
	return true;
}

static void cpus_end(struct z_sim *sim)
{
	for (unsigned int i = 0; i < sim->config.cpus; i++) {
		if (sim->cpu[i].stack != NULL) {
			munmap(sim->cpu[i].stack, SIM_STACK_SIZE);
			sim->cpu[i].stack = NULL;
		}
		sim->cpu[i].state = SIM_CPU_IDLE;
	}
	sim->running = false;
	sim->current = 0;
}

static bool all_ended(const struct z_sim *sim)
{
	for (unsigned int i = 0; i < sim->config.cpus; i++) {
		if (sim->cpu[i].state != SIM_CPU_IDLE) {
			return false;
		}
	}
	return true;
}

/* All begin at once, and end when the last one does. */
static void clocks_agree(struct z_sim *sim)
{
	uint64_t last = 0;

	for (unsigned int i = 0; i < sim->config.cpus; i++) {
		last = sim->cpu[i].clock_ns > last ? sim->cpu[i].clock_ns : last;
	}
	for (unsigned int i = 0; i < sim->config.cpus; i++) {
		sim->cpu[i].clock_ns = last;
	}
}

int z_sim_run(struct z_sim *sim, const struct z_sim_task *tasks, unsigned int n, uint64_t seed)
{
	char text[SIM_TEXT_MAX / 2];
	uint64_t picks = 0;
	int next;

	if (sim->running || sim->dead || n == 0 || n > sim->config.cpus) {
		return Z_ERR_INVAL;
	}
	for (unsigned int i = 0; i < n; i++) {
		if (!cpu_start(sim, &sim->cpu[i], &tasks[i])) {
			cpus_end(sim);
			return Z_ERR_NOMEM;
		}
	}
	clocks_agree(sim);
	sim->running = true;
	sim->random = seed;
	sim->trace = 0xcbf29ce484222325u;
	for (next = pick(sim); next != SIM_NO_CPU && picks < sim->config.max_picks;
	     next = pick(sim), picks++) {
		switch_to(sim, (unsigned int)next);
	}
	sim->dead = !all_ended(sim);
	if (sim->dead) {
		sim_dump(sim, text, sizeof(text));
		z_sim_error(sim, "%s: %s", next == SIM_NO_CPU ? "deadlock" : "endless run", text);
	}
	clocks_agree(sim);
	cpus_end(sim);
	return sim->dead ? Z_ERR_BUSY : 0;
}

/* An interrupt of the timer, if its time has come and the CPU takes interrupts. */
static void tick_if_due(struct z_sim *sim)
{
	struct sim_cpu *cpu = sim_current(sim);

	if (sim->tick == NULL || !cpu->irqs_on || cpu->in_isr ||
	    z_sim_now(sim) < sim->tick_next_ns) {
		return;
	}
	sim->counters.ticks++;
	sim->tick_next_ns = z_sim_now(sim) + sim->tick_period_ns;
	cpu->irqs_on = false;
	cpu->in_isr = true;
	sim->tick(sim, sim->tick_arg);
	cpu->in_isr = false;
	cpu->irqs_on = true;
}

void z_sim_set_tick(struct z_sim *sim, void (*tick)(struct z_sim *sim, void *arg), void *arg,
		    uint64_t period_ns)
{
	sim->tick = tick;
	sim->tick_arg = arg;
	sim->tick_period_ns = period_ns;
	sim->tick_next_ns = z_sim_now(sim) + period_ns;
}

void z_sim_yield(struct z_sim *sim)
{
	tick_if_due(sim);
	if (sim->config.timed) {
		if (sim->running && pick_by_clock(sim) != (int)sim->current) {
			switch_back(sim);
		}
		return;
	}
	if (sim->running && z_sim_random(sim) % 100 < sim->config.switch_percent) {
		switch_back(sim);
	}
}

void sim_switch_other(struct z_sim *sim)
{
	if (sim->running) {
		sim->avoid_current = true;
		switch_back(sim);
	}
}

void sim_block(struct z_sim *sim)
{
	switch_back(sim);
	sim_current(sim)->state = SIM_CPU_RUNNABLE;
	sim_current(sim)->channel = NULL;
}

void sim_dump(const struct z_sim *sim, char *text, size_t max)
{
	static const char *const states[] = {"idle", "runs", "wants the lock", "waits for"};
	size_t used = 0;

	text[0] = '\0';
	for (unsigned int i = 0; i < sim->config.cpus && used < max; i++) {
		const struct sim_cpu *cpu = &sim->cpu[i];
		int n = snprintf(text + used, max - used, "[cpu %u %s", i, states[cpu->state]);

		used += n > 0 ? (size_t)n : 0;
		if (cpu->channel != NULL && used < max) {
			n = snprintf(text + used, max - used, " %p", cpu->channel);
			used += n > 0 ? (size_t)n : 0;
		}
		if (cpu->in_fault && used < max) {
			n = snprintf(text + used, max - used, ", fault at 0x%zx",
				     (size_t)cpu->fault_va);
			used += n > 0 ? (size_t)n : 0;
		}
		if (used < max) {
			n = snprintf(text + used, max - used, "%s] ",
				     sim->lock_owner == (int)i ? ", has the lock" : "");
			used += n > 0 ? (size_t)n : 0;
		}
	}
}
