/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sigbus.c - SIGBUS in signal mode: the pager's and the program's own.
 *
 * The pager installs its handler while it is opened, through our sigaction(): we keep it, and what
 * the kernel gets is dispatch(), which asks whose address it was. What the program installs later is
 * only remembered, and called for what is not ours; it reads back what it installed. A thread that
 * blocked SIGBUS would be killed by its next fault, so the signal is taken out of every mask.
 *
 * What cannot be served (an error of the store) the pager ends by the default action.
 *
 * In monitor mode nobody needs SIGBUS, and all of this passes through.
 *
 * Locks: none. A program that changes its handler in one thread while another one is in it has the
 * same race without us.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "preload.h"

bool zp_signal_mode;

static struct sigaction pagers;
static struct sigaction programs; /* zero: SIG_DFL */

typedef int sigaction_fn(int, const struct sigaction *, struct sigaction *);
typedef int mask_fn(int, const sigset_t *, sigset_t *);

static sigaction_fn *real_sigaction(void)
{
	static sigaction_fn *_Atomic real;

	if (real == NULL) {
		real = (sigaction_fn *)zp_real("sigaction");
	}
	return real;
}

void zp_sigbus_open(const char *fault_mode)
{
	zp_signal_mode = strcmp(fault_mode, "signal") == 0;
}

static void to_program(int number, siginfo_t *info, void *context)
{
	struct sigaction fallback = {.sa_handler = SIG_DFL};

	if (programs.sa_flags & SA_SIGINFO) {
		programs.sa_sigaction(number, info, context);
	} else if (programs.sa_handler == SIG_DFL ||
		   (programs.sa_handler == SIG_IGN && info->si_code > 0)) {
		/* Returning repeats the access, which then ends the program as it would have. */
		(void)real_sigaction()(number, &fallback, NULL);
		if (info->si_code <= 0) {
			(void)raise(number);
		}
	} else if (programs.sa_handler != SIG_IGN) {
		programs.sa_handler(number);
	}
}

static void dispatch(int number, siginfo_t *info, void *context)
{
	struct zpager *z = atomic_load(&zp_instance);
	int before = errno;

	if (z != NULL && info->si_code > 0 && zpager_contains(z, info->si_addr)) {
		zp_inside++;
		pagers.sa_sigaction(number, info, context);
		zp_inside--;
	} else {
		to_program(number, info, context);
	}
	errno = before;
}

static int keep_pagers(const struct sigaction *act, struct sigaction *old)
{
	struct sigaction ours = *act;

	pagers = *act;
	if (old != NULL) {
		*old = (struct sigaction){.sa_handler = SIG_DFL};
	}
	ours.sa_sigaction = dispatch;
	ours.sa_flags |= SA_SIGINFO | SA_ONSTACK;
	return real_sigaction()(SIGBUS, &ours, &programs);
}

ZP_EXPORT int sigaction(int number, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction clean;

	if (!zp_signal_mode) {
		return real_sigaction()(number, act, old);
	}
	if (number == SIGBUS && zp_inside) {
		return act != NULL && (act->sa_flags & SA_SIGINFO) != 0
			       ? keep_pagers(act, old)
			       : real_sigaction()(number, act, old);
	}
	if (number == SIGBUS) {
		if (old != NULL) {
			*old = programs;
		}
		if (act != NULL) {
			programs = *act;
		}
		return 0;
	}
	if (act != NULL) {
		clean = *act;
		(void)sigdelset(&clean.sa_mask, SIGBUS);
		act = &clean;
	}
	return real_sigaction()(number, act, old);
}

ZP_EXPORT sighandler_t signal(int number, sighandler_t handler)
{
	struct sigaction act = {.sa_handler = handler, .sa_flags = SA_RESTART};
	struct sigaction old;

	return sigaction(number, &act, &old) == 0 ? old.sa_handler : SIG_ERR;
}

static int mask(const char *name, mask_fn *_Atomic *real, int how, const sigset_t *set,
		sigset_t *old)
{
	sigset_t clean;

	if (*real == NULL) {
		*real = (mask_fn *)zp_real(name);
	}
	if (zp_signal_mode && !zp_inside && set != NULL && how != SIG_UNBLOCK) {
		clean = *set;
		(void)sigdelset(&clean, SIGBUS);
		set = &clean;
	}
	return (*real)(how, set, old);
}

ZP_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	static mask_fn *_Atomic real;

	return mask("sigprocmask", &real, how, set, old);
}

ZP_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	static mask_fn *_Atomic real;

	return mask("pthread_sigmask", &real, how, set, old);
}
