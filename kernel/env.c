/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env.c - the surroundings of the pager (struct z_env_ops).
 *
 * The lock is "interrupts off" and a spin lock; who holds it is kept so that a caller that takes it
 * twice, or gives back what it has not, is found. Waiting is the scheduler's: others run meanwhile. An
 * interrupt routine cannot wait: the thread that it interrupted may be the one that moves the page. So
 * with interrupts on during transfers it touches pinned memory only, and what it does otherwise
 * is a bug that stops the machine.
 *
 * Locks: P, the first of the order.
 */
#include "kernel.h"
#include "sched.h"

static struct spin lock;
static unsigned int holder; /* [P] number of the CPU, plus 1; 0: nobody */

static z_key_t is_held(z_key_t key)
{
	__atomic_store_n(&holder, z_port_cpu() + 1, __ATOMIC_RELAXED);
	return key;
}

/* While it is held its holder is fixed, if that is this CPU. Apart: a free lock costs no registers. */
static __attribute__((noinline)) z_key_t lock_contended(z_key_t key)
{
	do {
		if (__atomic_load_n(&holder, __ATOMIC_RELAXED) == z_port_cpu() + 1)
			kernel_panic("the pager lock is taken twice", NULL);
		spin_wait(&lock);
	} while (!spin_try(&lock));
	return is_held(key);
}

static z_key_t env_lock(void *ctx)
{
	z_key_t key = z_port_irq_lock();

	(void)ctx;
	return spin_try(&lock) ? is_held(key) : lock_contended(key);
}

static void give_back(void)
{
	if (holder != z_port_cpu() + 1)
		kernel_panic("the pager lock is given back by somebody who has not got it", NULL);
	__atomic_store_n(&holder, 0, __ATOMIC_RELAXED);
}

static void env_unlock(void *ctx, z_key_t key)
{
	(void)ctx;
	give_back();
	spin_unlock(&lock, key);
}

static z_key_t env_wait(void *ctx, const void *channel, z_key_t key)
{
	(void)ctx;
	if (z_port_in_isr())
		kernel_panic("an interrupt routine would have to wait for a page that is moving",
			     NULL);
	give_back();
	(void)sched_wait(channel, &lock, key);
	return is_held(key);
}

static void env_wake(void *ctx, const void *channel)
{
	(void)ctx;
	sched_wake(channel);
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
