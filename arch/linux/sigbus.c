/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sigbus.c - faults served in the thread that faults: the kernel raises SIGBUS, the handler brings
 * the page, the instruction is repeated.
 *
 * The handler is one for all instances; it looks the address up in a short table of windows. What is
 * in no window, or is not BUS_ADRERR, goes on to whoever had the signal before us, with the mask,
 * the flags and the default action that it would have had. So does a fault of ours that cannot be
 * served, after a line on stderr.
 *
 * Locks: the table is written under a mutex and read by the handler through atomics. A window leaves
 * the table when nothing is mapped in it any more.
 * Limits: system calls that touch a page that is out fail with EFAULT. A program that replaces the
 * handler with the bare system call takes our faults too. Only x86_64 and arm64 tell reads from
 * writes; elsewhere every touch counts as a write.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <ucontext.h>

#include "instance.h"

#define INSTANCES 16
#define PLACES    64

static struct zpager *_Atomic instances[INSTANCES];
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static bool installed; /* under table_lock */
static struct sigaction places[PLACES];
static _Atomic uint32_t current; /* index of places */

#if defined(__x86_64__)
static unsigned int access_of(const ucontext_t *context)
{
	bool write = (context->uc_mcontext.gregs[REG_ERR] & 2) != 0;

	return write ? Z_ACCESS_WRITE : Z_ACCESS_READ;
}
#else
static unsigned int access_of(const ucontext_t *context)
{
	(void)context;
	return Z_ACCESS_WRITE;
}
#endif

static struct zpager *instance_at(uintptr_t va)
{
	for (int i = 0; i < INSTANCES; i++) {
		struct zpager *z = atomic_load_explicit(&instances[i], memory_order_acquire);
		if (z != NULL && zl_port_contains(&z->port, va)) {
			return z;
		}
	}
	return NULL;
}

/*
 * Who had the signal before us. The handler may be reading while a thread writes, so each new value
 * goes to the next of many places, and only then becomes the current one.
 */
static const struct sigaction *read_before(void)
{
	return &places[atomic_load_explicit(&current, memory_order_acquire)];
}

static void write_before(const struct sigaction *action)
{
	uint32_t next = (atomic_load_explicit(&current, memory_order_relaxed) + 1) % PLACES;

	places[next] = *action;
	atomic_store_explicit(&current, next, memory_order_release);
}

/* The default action: repeat the touch, or the signal, with nobody there to catch it. */
static void die(const siginfo_t *info)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t set;

	sigaction(SIGBUS, &action, NULL);
	if (info->si_code <= 0) {
		raise(SIGBUS);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void pass_on(int number, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	struct sigaction action = *read_before();
	sigset_t mask;

	bool ignorable = info->si_code <= 0;
	if (action.sa_handler == SIG_IGN && ignorable) {
		return;
	}
	if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
		die(info);
		return;
	}
	if ((action.sa_flags & (int)SA_RESETHAND) != 0) {
		struct sigaction reset = {.sa_handler = SIG_DFL};
		write_before(&reset);
	}
	sigorset(&mask, &uc->uc_sigmask, &action.sa_mask);
	if ((action.sa_flags & SA_NODEFER) == 0) {
		sigaddset(&mask, SIGBUS);
	}
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if ((action.sa_flags & SA_SIGINFO) != 0) {
		action.sa_sigaction(number, info, context);
	} else {
		action.sa_handler(number);
	}
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	uintptr_t va = (uintptr_t)info->si_addr;
	struct zpager *z = info->si_code == BUS_ADRERR ? instance_at(va) : NULL;
	enum z_fault_result result = Z_FAULT_BAD_ADDRESS;

	if (z != NULL) {
		unsigned int access = access_of(context);

		zl_gate_pass(&z->gate);
		result = z_pager_fault(z->pager, va, access);
		zl_gate_out(&z->gate);
		if (result != Z_FAULT_RESOLVED) {
			zl_report_fault(result, va);
		} else {
			zl_reclaim_note(z);
			zl_tell_fault(z, va, (access & Z_ACCESS_WRITE) != 0);
		}
	}
	if (result != Z_FAULT_RESOLVED) {
		pass_on(number, info, context);
	}
	errno = saved;
}

static bool is_ours(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == on_sigbus;
}

static int install(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus,
				   .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
	struct sigaction old;

	sigfillset(&action.sa_mask);
	if (sigaction(SIGBUS, NULL, &old) != 0) {
		return Z_ERR_PERM;
	}
	if (is_ours(&old)) {
		return 0;
	}
	write_before(&old);
	if (sigaction(SIGBUS, &action, NULL) != 0) {
		return Z_ERR_PERM;
	}
	installed = true;
	return 0;
}

static void remove_handler(void)
{
	struct sigaction now;

	if (sigaction(SIGBUS, NULL, &now) == 0 && is_ours(&now)) {
		sigaction(SIGBUS, read_before(), NULL);
		installed = false;
	}
}

int zl_sigbus_start(struct zpager *z)
{
	int error = Z_ERR_NOMEM;

	pthread_mutex_lock(&table_lock);
	for (int i = 0; i < INSTANCES && error == Z_ERR_NOMEM; i++) {
		if (atomic_load_explicit(&instances[i], memory_order_relaxed) == NULL) {
			error = install();
			atomic_store_explicit(&instances[i], error == 0 ? z : NULL,
					      memory_order_release);
		}
	}
	pthread_mutex_unlock(&table_lock);
	return error;
}

void zl_sigbus_stop(struct zpager *z)
{
	bool others = false;

	pthread_mutex_lock(&table_lock);
	for (int i = 0; i < INSTANCES; i++) {
		if (atomic_load_explicit(&instances[i], memory_order_relaxed) == z) {
			atomic_store_explicit(&instances[i], NULL, memory_order_release);
		}
		others |= atomic_load_explicit(&instances[i], memory_order_relaxed) != NULL;
	}
	if (installed && !others) {
		remove_handler();
	}
	pthread_mutex_unlock(&table_lock);
}

bool zl_sigbus_action(const struct sigaction *new_action, struct sigaction *old_action)
{
	struct sigaction copy;

	if (new_action != NULL) {
		copy = *new_action;
	}
	pthread_mutex_lock(&table_lock);
	bool ours = installed;
	struct sigaction old = *read_before();
	if (ours && new_action != NULL) {
		write_before(&copy);
	}
	pthread_mutex_unlock(&table_lock);
	if (ours && old_action != NULL) {
		*old_action = old;
	}
	return ours;
}
