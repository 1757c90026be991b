/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env.h - lock, sleep, wake and clock for the core, on bare futexes.
 *
 * Everything here may be used in a signal handler: no libc lock, no allocation, errno untouched.
 * A thread that takes the pager lock must have its signals blocked (signals.h), or a handler of the
 * program that touches paged memory would wait for a lock that its own thread holds.
 */
#ifndef ZL_ENV_H
#define ZL_ENV_H

#include <stdatomic.h>

#include <zpager/arch.h>

#define ZL_ENV_CHANNELS 64

struct zl_channel {
	_Atomic uint32_t sequence; /* [A] moves on with every wake */
	uint32_t waiters;          /* [P] */
};

struct zl_env {
	_Atomic uint32_t lock; /* [A] 0 free, 1 taken, 2 taken and somebody sleeps */
	struct zl_channel channels[ZL_ENV_CHANNELS];
};

extern const struct z_env_ops zl_env_ops; /* ctx: struct zl_env, zeroed */

/* zl_env_reset - forget the waiters of another process. After fork, in the child, one thread. */
void zl_env_reset(struct zl_env *env);

/* zl_futex_wait, zl_futex_wake - the bare calls; wait may return early. errno untouched. */
void zl_futex_wait(_Atomic uint32_t *word, uint32_t value);
void zl_futex_wake(_Atomic uint32_t *word, int threads);

#endif /* ZL_ENV_H */
