/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate.c - who is inside an instance; signals stay out.
 *
 * A thread inside holds or may take the pager lock. Were it interrupted by a handler of the program
 * that touches paged memory, the fault would need the lock that its own thread holds: so all signals
 * are blocked inside. The gate counts who is inside, so that fork can wait until nobody is; the
 * thread that closed it may go on faulting, or it would wait for itself.
 *
 * inside is raised before closed is looked at, and closed is set before inside is: one of the two
 * sees the other (sequentially consistent).
 */
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "instance.h"

uint32_t zl_thread_id(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

bool zl_gate_try(struct zl_gate *gate, uint32_t tid)
{
	atomic_fetch_add(&gate->inside, 1);
	uint32_t closed = atomic_load(&gate->closed);
	if (closed == 0 || closed == tid) {
		return true;
	}
	zl_gate_out(gate);
	return false;
}

void zl_gate_pass(struct zl_gate *gate)
{
	atomic_fetch_add(&gate->inside, 1);
	uint32_t closed = atomic_load(&gate->closed);
	if (closed == 0) {
		return;
	}
	zl_gate_out(gate);
	while (!zl_gate_try(gate, zl_thread_id())) {
		closed = atomic_load(&gate->closed);
		if (closed != 0) {
			zl_futex_wait(&gate->closed, closed);
		}
	}
}

void zl_gate_out(struct zl_gate *gate)
{
	atomic_fetch_sub(&gate->inside, 1);
	if (atomic_load(&gate->closed) != 0) {
		zl_futex_wake(&gate->inside, INT_MAX);
	}
}

void zl_gate_close(struct zl_gate *gate)
{
	uint32_t open = 0;
	uint32_t inside;

	while (!atomic_compare_exchange_strong(&gate->closed, &open, zl_thread_id())) {
		zl_futex_wait(&gate->closed, open);
		open = 0;
	}
	while ((inside = atomic_load(&gate->inside)) != 0) {
		zl_futex_wait(&gate->inside, inside);
	}
}

void zl_gate_open(struct zl_gate *gate)
{
	atomic_store(&gate->closed, 0);
	zl_futex_wake(&gate->closed, INT_MAX);
}

int zl_enter(struct zpager *z, sigset_t *saved)
{
	sigset_t all;

	if (!*z->alive) {
		return zl_fail(z, Z_ERR_PERM,
			       "this is a forked child: paged memory was not inherited");
	}
	sigfillset(&all);
	/* Raised by a seccomp filter, it is no less a fault than SIGSEGV: blocked, it would kill. */
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, saved);
	zl_gate_pass(&z->gate);
	return 0;
}

void zl_leave(struct zpager *z, const sigset_t *saved)
{
	zl_gate_out(&z->gate);
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}
