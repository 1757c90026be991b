/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched.h - spin locks, threads, and waiting.
 *
 * Locks. A spin lock is held with interrupts off. Order: pager lock, or a driver's lock, then the
 * scheduler's own, which is inside sched.c and held across nothing but a switch.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <zpager/types.h>

#include "../arch/common/port.h"
#include "k_mem.h"

/* ---- spin locks ------------------------------------------------------------------------------ */

struct spin {
	uint32_t held; /* [A] */
};

/* spin_wait - until it is free; interrupts off. Not the lock yet. */
void spin_wait(const struct spin *lock);

/* spin_acquire, spin_release - interrupts are off already, and stay off. */
static inline bool spin_try(struct spin *lock)
{
	return __atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline void spin_acquire(struct spin *lock)
{
	while (!spin_try(lock))
		spin_wait(lock);
}

static inline void spin_release(struct spin *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

/* spin_lock - interrupts of this CPU off, then the lock; returns the key for spin_unlock. */
static inline unsigned long spin_lock(struct spin *lock)
{
	unsigned long key = z_port_irq_lock();

	spin_acquire(lock);
	return key;
}

static inline void spin_unlock(struct spin *lock, unsigned long key)
{
	spin_release(lock);
	z_port_irq_restore(key);
}

/* ---- threads --------------------------------------------------------------------------------- */

#define THREAD_STACK_BYTES 0x4000U

struct thread;

/*
 * thread_start - a thread that calls function(arg) with interrupts on. Its stack is never paged.
 *   NULL: no memory. thread_join - wait for its end, take its exit status and free it.
 */
struct thread *thread_start(const char *name, void (*function)(void *arg), void *arg);
unsigned long thread_join(struct thread *thread);

/* thread_exit - end of the calling thread. */
_Noreturn void thread_exit(unsigned long status);

/* thread_yield - let others run. thread_sleep - at least so long, in whole ticks. */
void thread_yield(void);
void thread_sleep(uint64_t ns);

/* What meter.c keeps of a thread; [own thread]. */
struct thread_meter {
	struct k_mem_paging_stats_t paging;
	unsigned long loads;
};

/* thread_current - never NULL after start-up. */
struct thread *thread_current(void);
struct thread_meter *thread_meter(struct thread *thread);

/*
 * thread_enter_user - the calling thread goes on in user mode and is a user thread from now on: what
 * user mode does ends it alone. Its floating-point registers are kept for it. Starts with zeros there.
 */
_Noreturn void thread_enter_user(uintptr_t pc, uintptr_t stack, unsigned long arg0,
				 unsigned long arg1);

/* ---- waiting --------------------------------------------------------------------------------- */

/*
 * sched_wait - give the lock back, sleep until sched_wake(channel), take the lock again; nothing can
 * come between giving back and sleeping. Others run meanwhile even if the caller has interrupts
 * locked; they are locked again on return. Returns the key for spin_unlock. Context: a thread.
 * sched_wake - all who wait for the channel can run. Any context.
 */
unsigned long sched_wait(const void *channel, struct spin *lock, unsigned long key);
void sched_wake(const void *channel);

/* sched_may_sleep - is this a thread with interrupts on? */
bool sched_may_sleep(void);

/* ---- start-up -------------------------------------------------------------------------------- */

/*
 * sched_start_here - what runs on CPU 0 becomes the thread "main". Once, interrupts off.
 * sched_start_cpus - start the others, until so many run in all. Once, interrupts on.
 */
void sched_start_here(void);
void sched_start_cpus(unsigned int cpus);

/* sched_cpus - how many run. */
unsigned int sched_cpus(void);

/* sched_tick, sched_interrupt_done - see kernel_tick and kernel_interrupt_done. */
void sched_tick(void);
void sched_interrupt_done(void);

/* sched_switches - how often a CPU went from one thread to another. */
uint64_t sched_switches(void);

#endif /* KERNEL_SCHED_H */
