/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env.c - the surroundings of the pager (struct z_env_ops) on one CPU with one thread.
 *
 * The lock is "interrupts off"; a flag finds a caller that takes it twice or gives back what it has
 * not. With one thread nobody can be met in the middle of a transfer: the only other context
 * is an interrupt, which may not touch pageable memory. So whoever has to wait would wait for
 * ever, and that is a bug.
 *
 * Limits: threads will bring wait queues, several CPUs a spin lock.
 */
#include "kernel.h"

static bool held;

static z_key_t env_lock(void *ctx)
{
	z_key_t key = z_port_irq_lock();

	(void)ctx;
	if (held)
		kernel_panic("the pager lock is taken twice", NULL);
	held = true;
	return key;
}

static void env_unlock(void *ctx, z_key_t key)
{
	(void)ctx;
	if (!held)
		kernel_panic("the pager lock is given back, but nobody has it", NULL);
	held = false;
	z_port_irq_restore(key);
}

static z_key_t env_wait(void *ctx, const void *channel, z_key_t key)
{
	(void)ctx;
	(void)channel;
	(void)key;
	kernel_panic("the only thread waits for a page that is being moved", NULL);
}

static void env_wake(void *ctx, const void *channel)
{
	(void)ctx;
	(void)channel;
}

static bool env_in_isr(void *ctx)
{
	(void)ctx;
	return z_port_in_isr();
}

static uint64_t env_now(void *ctx)
{
	(void)ctx;
	return z_port_now();
}

static bool env_irqs_locked(void *ctx)
{
	(void)ctx;
	return !z_port_irqs_on();
}

const struct z_env_ops kernel_env = {
	.lock = env_lock,
	.unlock = env_unlock,
	.wait = env_wait,
	.wake = env_wake,
	.in_isr = env_in_isr,
	.now = env_now,
	.irqs_locked = env_irqs_locked,
};
