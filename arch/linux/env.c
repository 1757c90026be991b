/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env.c - the pager lock, wait and wake on futexes; the clock.
 *
 * The lock is the classical three-state futex mutex: 0 free, 1 taken, 2 taken with sleepers. It
 * spins shortly first, because it is held for a few microseconds and a wake-up costs tens. wait()
 * reads the channel's sequence number under the lock and sleeps only while it has not moved, so no
 * wake can be lost; channels that hash alike share a number, and their waiters look again.
 *
 * Locks: the lock itself. Context: any thread with signals blocked, signal handlers with all
 * signals masked. Limits: not fair; not recursive; private to one process.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "env.h"

#define SPINS 200

static inline void cpu_relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

void zl_futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
	errno = saved;
}

void zl_futex_wake(_Atomic uint32_t *word, int threads)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
	errno = saved;
}

static bool try_lock(struct zl_env *env)
{
	uint32_t free = 0;

	return atomic_compare_exchange_strong_explicit(&env->lock, &free, 1, memory_order_acquire,
						       memory_order_relaxed);
}

static z_key_t env_lock(void *ctx)
{
	struct zl_env *env = ctx;

	for (int i = 0; i < SPINS; i++) {
		if (try_lock(env)) {
			return 0;
		}
		cpu_relax();
	}
	while (atomic_exchange_explicit(&env->lock, 2, memory_order_acquire) != 0) {
		zl_futex_wait(&env->lock, 2);
	}
	return 0;
}

static void env_unlock(void *ctx, z_key_t key)
{
	struct zl_env *env = ctx;

	(void)key;
	if (atomic_exchange_explicit(&env->lock, 0, memory_order_release) == 2) {
		zl_futex_wake(&env->lock, 1);
	}
}

static struct zl_channel *channel_of(struct zl_env *env, const void *channel)
{
	uintptr_t v = (uintptr_t)channel;

	return &env->channels[(v * UINT64_C(0x9E3779B97F4A7C15)) >> 58];
}

_Static_assert(ZL_ENV_CHANNELS == 64, "channel_of() takes the top six bits of the hash");

static z_key_t env_wait(void *ctx, const void *channel, z_key_t key)
{
	struct zl_env *env = ctx;
	struct zl_channel *ch = channel_of(env, channel);
	uint32_t seen = atomic_load_explicit(&ch->sequence, memory_order_relaxed);

	ch->waiters++;
	env_unlock(env, key);
	zl_futex_wait(&ch->sequence, seen);
	key = env_lock(env);
	ch->waiters--;
	return key;
}

static void env_wake(void *ctx, const void *channel)
{
	struct zl_channel *ch = channel_of(ctx, channel);

	if (ch->waiters > 0) {
		atomic_fetch_add_explicit(&ch->sequence, 1, memory_order_relaxed);
		zl_futex_wake(&ch->sequence, INT32_MAX);
	}
}

static uint64_t env_now(void *ctx)
{
	struct timespec t;

	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

void zl_env_reset(struct zl_env *env)
{
	atomic_store_explicit(&env->lock, 0, memory_order_relaxed);
	for (size_t i = 0; i < ZL_ENV_CHANNELS; i++) {
		env->channels[i].waiters = 0;
	}
}

const struct z_env_ops zl_env_ops = {
	.lock = env_lock,
	.unlock = env_unlock,
	.wait = env_wait,
	.wake = env_wake,
	.now = env_now,
};
