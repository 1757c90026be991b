/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_env.c - the surroundings: pager lock, wait and wake, interrupt state, virtual time.
 *
 * lock() saves the interrupt state of the CPU in the key and switches interrupts off; unlock()
 * gives back what the key says. Bit 0 of a key is the state; the rest is the number of the turn, so
 * that a key of an earlier turn is found out.
 *
 * Locks: this is the pager lock. A CPU that wants it while another has it gives up the host until
 * it is free.
 */
#include <stdlib.h>

#include "sim_internal.h"

/* So many waits outside of a run can only be a loop that never ends. */
#define LONELY_WAITS_MAX 1000

static z_key_t key_make(const struct z_sim *sim, bool irqs_on)
{
	return (sim->lock_turn << 1) | irqs_on;
}

/* Take the lock, interrupts being off already. */
static void lock_take(struct z_sim *sim)
{
	sim->counters.locks++;
	sim->counters.contended += sim->lock_owner != SIM_NO_CPU;
	while (sim->lock_owner != SIM_NO_CPU) {
		if (!sim->running || sim->lock_owner == (int)sim->current) {
			z_sim_error(sim, "lock: taken twice");
			break;
		}
		sim_current(sim)->state = SIM_CPU_WANTS_LOCK;
		sim_block(sim);
	}
	sim->lock_owner = (int)sim->current;
	sim->lock_turn++;
	if (sim_current(sim)->clock_ns < sim->lock_free_ns) {
		sim_current(sim)->clock_ns = sim->lock_free_ns;
	}
	sim->lock_taken_ns = z_sim_now(sim);
}

static void lock_give(struct z_sim *sim)
{
	sim_pass(sim, sim->config.locked_ns);
	sim->lock_owner = SIM_NO_CPU;
	sim->lock_free_ns = sim_current(sim)->clock_ns;
	sim->counters.held_ns += z_sim_now(sim) - sim->lock_taken_ns;
}

static z_key_t env_lock(void *ctx)
{
	struct z_sim *sim = ctx;
	bool irqs_on;

	z_sim_yield(sim);
	irqs_on = sim_current(sim)->irqs_on;
	sim_current(sim)->irqs_on = false;
	lock_take(sim);
	return key_make(sim, irqs_on);
}

/* Is the caller the owner, and the key the one of this turn? */
static void check_owner(struct z_sim *sim, const char *what, z_key_t key)
{
	if (!z_sim_lock_held(sim)) {
		z_sim_error(sim, "%s: the lock is not held by this CPU", what);
	} else if (key >> 1 != (sim->lock_turn & (~0UL >> 1))) {
		z_sim_error(sim, "%s: the key is not the one of this lock()", what);
	} else if (sim_current(sim)->irqs_on) {
		z_sim_error(sim, "%s: interrupts are on", what);
	}
}

static void env_unlock(void *ctx, z_key_t key)
{
	struct z_sim *sim = ctx;

	check_owner(sim, "unlock", key);
	lock_give(sim);
	sim_current(sim)->irqs_on = (key & 1) != 0;
	if (sim_point_fails(sim, Z_SIM_POINT_UNLOCK) != 0) {
		sim_switch_other(sim);
	} else {
		z_sim_yield(sim);
	}
}

/* Nobody else is there to wake us: an early return, a few times, then the end. */
static void wait_alone(struct z_sim *sim)
{
	if (sim->lonely_waits++ == 0) {
		z_sim_error(sim, "wait: there is nobody who could wake");
	}
	if (sim->lonely_waits > LONELY_WAITS_MAX) {
		fprintf(stderr, "sim: waits for ever; first error: %s\n", sim->text);
		abort();
	}
}

static z_key_t env_wait(void *ctx, const void *channel, z_key_t key)
{
	struct z_sim *sim = ctx;
	struct sim_cpu *cpu = sim_current(sim);
	bool irqs_on = (key & 1) != 0;

	sim->counters.waits++;
	check_owner(sim, "wait", key);
	if (cpu->in_isr) {
		z_sim_error(sim, "wait: in an interrupt service routine");
	}
	lock_give(sim);
	cpu->irqs_on = irqs_on;
	if (!sim->running) {
		wait_alone(sim);
	} else if (!sim->config.early_wakeups || z_sim_random(sim) % 8 != 0) {
		cpu->state = SIM_CPU_WAITS;
		cpu->channel = channel;
		sim_block(sim);
	} else {
		z_sim_yield(sim);
	}
	cpu->irqs_on = false;
	lock_take(sim);
	return key_make(sim, irqs_on);
}

static void env_wake(void *ctx, const void *channel)
{
	struct z_sim *sim = ctx;

	sim->counters.wakes++;
	if (!z_sim_lock_held(sim)) {
		z_sim_error(sim, "wake: pager lock not held");
	}
	for (unsigned int i = 0; i < sim->config.cpus; i++) {
		struct sim_cpu *cpu = &sim->cpu[i];

		if (cpu->state == SIM_CPU_WAITS && cpu->channel == channel) {
			cpu->state = SIM_CPU_RUNNABLE;
			cpu->channel = NULL;
			if (cpu->clock_ns < sim_current(sim)->clock_ns) {
				cpu->clock_ns = sim_current(sim)->clock_ns;
			}
		}
	}
}

static bool env_in_isr(void *ctx)
{
	struct z_sim *sim = ctx;

	return sim_current(sim)->in_isr;
}

static bool env_irqs_locked(void *ctx)
{
	struct z_sim *sim = ctx;

	return !sim_current(sim)->irqs_on;
}

static uint64_t env_now(void *ctx)
{
	struct z_sim *sim = ctx;

	sim_pass(sim, 1);
	return z_sim_now(sim);
}

const struct z_env_ops *z_sim_env(struct z_sim *sim)
{
	static const struct z_env_ops ops = {
		.lock = env_lock,
		.unlock = env_unlock,
		.wait = env_wait,
		.wake = env_wake,
		.in_isr = env_in_isr,
		.now = env_now,
		.irqs_locked = env_irqs_locked,
	};

	(void)sim;
	return &ops;
}

bool z_sim_lock_held(const struct z_sim *sim)
{
	return sim->lock_owner == (int)sim->current;
}

bool z_sim_irqs_on(const struct z_sim *sim)
{
	return sim->cpu[sim->current].irqs_on;
}

bool z_sim_set_irqs(struct z_sim *sim, bool on)
{
	bool was = sim_current(sim)->irqs_on;

	sim_current(sim)->irqs_on = on;
	return was;
}

void z_sim_set_isr(struct z_sim *sim, bool in_isr)
{
	sim_current(sim)->in_isr = in_isr;
}

uint64_t z_sim_now(const struct z_sim *sim)
{
	return sim->config.timed ? sim->cpu[sim->current].clock_ns : sim->now_ns;
}

void sim_pass(struct z_sim *sim, uint64_t ns)
{
	if (sim->config.timed) {
		sim_current(sim)->clock_ns += ns;
	} else {
		sim->now_ns += ns;
	}
}

void z_sim_advance(struct z_sim *sim, uint64_t ns)
{
	sim_pass(sim, ns);
	z_sim_yield(sim);
}
