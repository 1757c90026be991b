/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mutex.c - mutexes whose words the kernel itself writes.
 *
 * For most locks the kernel only reads the word, and waits for the pager like everybody. Two kinds are
 * different: the owner of a lock with priority inheritance is written by the kernel, and a robust lock
 * is marked by it when its owner ends. Neither waits: the lock would fail with EFAULT, and the mark
 * would be left out for ever. So the pages of such a mutex are pinned from its making to its end.
 *
 * What is made without pthread_mutex_init() (raw futexes of these kinds) must be mlock()ed by the program.
 * Locks: none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "preload.h"

#define KERNEL_WRITES (16 | 32) /* in __kind: robust, priority inheritance */

typedef int init_fn(pthread_mutex_t *, const pthread_mutexattr_t *);
typedef int destroy_fn(pthread_mutex_t *);

static bool kernel_writes(const pthread_mutexattr_t *attr)
{
	int robust = PTHREAD_MUTEX_STALLED;
	int protocol = PTHREAD_PRIO_NONE;

	if (attr == NULL) {
		return false;
	}
	(void)pthread_mutexattr_getrobust(attr, &robust);
	(void)pthread_mutexattr_getprotocol(attr, &protocol);
	return robust == PTHREAD_MUTEX_ROBUST || protocol == PTHREAD_PRIO_INHERIT;
}

ZP_EXPORT int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr)
{
	static init_fn *_Atomic real;

	if (real == NULL) {
		real = (init_fn *)zp_real("pthread_mutex_init");
	}
	if (kernel_writes(attr) && zp_paged(mutex) != NULL && mlock(mutex, sizeof(*mutex)) != 0) {
		return ENOMEM;
	}
	return real(mutex, attr);
}

ZP_EXPORT int pthread_mutex_destroy(pthread_mutex_t *mutex)
{
	static destroy_fn *_Atomic real;
	bool pinned = zp_paged(mutex) != NULL && mutex->__data.__kind > 0 &&
		      (mutex->__data.__kind & KERNEL_WRITES) != 0;
	int error;

	if (real == NULL) {
		real = (destroy_fn *)zp_real("pthread_mutex_destroy");
	}
	error = real(mutex);
	if (pinned && error == 0) {
		zp_unpin(mutex, sizeof(*mutex));
	}
	return error;
}
