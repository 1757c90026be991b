/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sigbus.c - the two signals of signal mode, SIGBUS and SIGSYS: the pager's and the program's own.
 *
 * SIGBUS brings a page that the program touched, SIGSYS a system call on paged memory (sigsys.c). Both
 * have to reach us in every thread at any time. What the program installs for them is only
 * remembered, and called for what is not ours; it reads back what it installed. They are taken out
 * of every mask, because a thread that blocked them would be killed by its next fault; what the
 * program meant to block it reads back as blocked.
 *
 * The pager installs its handler of SIGBUS while it is opened, through our sigaction(): we keep it,
 * and what the kernel gets is dispatch(), which asks whose address it was. What cannot be served (an
 * error of the store) the pager ends by the default action.
 *
 * In monitor mode nobody needs these signals, and all of this passes through.
 *
 * Locks: none. A program that changes its handler in one thread while another one is in it has the
 * same race without us. Limits: a SIGBUS or SIGSYS that somebody sends is delivered although it was
 * blocked. Masks that are set by the bare system call are the program's own affair.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "calls.h"

bool zp_signal_mode;

static struct sigaction pagers;      /* of SIGBUS */
static struct sigaction programs[2]; /* zero: SIG_DFL; see place_of() */
static ZP_THREAD bool blocked[2];    /* the program thinks that it blocks it */

typedef int sigaction_fn(int, const struct sigaction *, struct sigaction *);
typedef int mask_fn(int, const sigset_t *, sigset_t *);

static const int numbers[2] = {SIGBUS, SIGSYS};

/* -1: it is neither of them. */
static int place_of(int number)
{
	return number == SIGBUS ? 0 : number == SIGSYS ? 1 : -1;
}

static sigaction_fn *real_sigaction(void)
{
	static sigaction_fn *_Atomic real;

	if (real == NULL) {
		real = (sigaction_fn *)zp_real("sigaction");
	}
	return real;
}

const char *zp_sigbus_open(const char *fault_mode)
{
	if (strcmp(fault_mode, "auto") == 0) {
		fault_mode = zp_filter_is_free() ? "signal" : "monitor";
	}
	zp_signal_mode = strcmp(fault_mode, "signal") == 0;
	return fault_mode;
}

void zp_signal_to_program(int number, siginfo_t *info, void *context)
{
	struct sigaction fallback = {.sa_handler = SIG_DFL};
	const struct sigaction *action = &programs[place_of(number)];

	if (action->sa_flags & SA_SIGINFO) {
		action->sa_sigaction(number, info, context);
	} else if (action->sa_handler == SIG_DFL ||
		   (action->sa_handler == SIG_IGN && info->si_code > 0)) {
		/* Returning repeats the access, which then ends the program as it would have. */
		(void)real_sigaction()(number, &fallback, NULL);
		if (info->si_code <= 0) {
			(void)raise(number);
		}
	} else if (action->sa_handler != SIG_IGN) {
		action->sa_handler(number);
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
		zp_signal_to_program(number, info, context);
	}
	errno = before;
}

int zp_signal_keep(int number, const struct sigaction *ours)
{
	return real_sigaction()(number, ours, &programs[place_of(number)]);
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
	(void)sigdelset(&ours.sa_mask, SIGSYS);
	return zp_signal_keep(SIGBUS, &ours);
}

/* The set without ours; NULL stays NULL. */
static const sigset_t *without_ours(const sigset_t *set, sigset_t *clean)
{
	if (set == NULL || !zp_signal_mode || zp_inside) {
		return set;
	}
	*clean = *set;
	(void)sigdelset(clean, SIGBUS);
	(void)sigdelset(clean, SIGSYS);
	return clean;
}

ZP_EXPORT int sigaction(int number, const struct sigaction *act, struct sigaction *old)
{
	int place = place_of(number);
	struct sigaction clean;

	if (!zp_signal_mode) {
		return real_sigaction()(number, act, old);
	}
	if (zp_inside) {
		return number == SIGBUS && act != NULL && (act->sa_flags & SA_SIGINFO) != 0
			       ? keep_pagers(act, old)
			       : real_sigaction()(number, act, old);
	}
	if (place >= 0) {
		struct sigaction wanted = act != NULL ? *act : programs[place];

		if (old != NULL) {
			*old = programs[place];
		}
		programs[place] = wanted;
		return 0;
	}
	if (act != NULL) {
		clean = *act;
		(void)without_ours(&act->sa_mask, &clean.sa_mask);
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

/* What the program was told that it blocks, before and after. */
static void remember(int how, const sigset_t *set, sigset_t *old)
{
	for (int i = 0; i < 2; i++) {
		bool was = blocked[i];
		bool named = set != NULL && sigismember(set, numbers[i]) == 1;

		if (set != NULL && (how == SIG_SETMASK || named)) {
			blocked[i] = named && how != SIG_UNBLOCK;
		}
		if (old != NULL && was) {
			(void)sigaddset(old, numbers[i]);
		}
	}
}

static int mask(const char *name, mask_fn *_Atomic *real, int how, const sigset_t *set,
		sigset_t *old)
{
	sigset_t wanted, clean, before;
	int result;

	if (*real == NULL) {
		*real = (mask_fn *)zp_real(name);
	}
	if (!zp_signal_mode || zp_inside) {
		return (*real)(how, set, old);
	}
	/* The filter does not look at this call: the sets must not be paged. */
	if (set != NULL) {
		wanted = *set;
		set = &wanted;
	}
	result = (*real)(how, without_ours(set, &clean), old != NULL ? &before : NULL);
	if (result == 0) {
		remember(how, set, old != NULL ? &before : NULL);
	}
	if (result == 0 && old != NULL) {
		*old = before;
	}
	return result;
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

/* ---- calls that wait with another mask, under which handlers then run ----------------------- */

ZP_EXPORT int sigsuspend(const sigset_t *set)
{
	static int (*_Atomic real)(const sigset_t *);
	sigset_t clean;

	if (real == NULL) {
		real = (int (*)(const sigset_t *))zp_real("sigsuspend");
	}
	return real(without_ours(set, &clean));
}

typedef int pselect_fn(int, fd_set *, fd_set *, fd_set *, const struct timespec *,
		       const sigset_t *);

ZP_EXPORT int pselect(int n, fd_set *in, fd_set *out, fd_set *except, const struct timespec *time,
		      const sigset_t *set)
{
	static pselect_fn *_Atomic real;
	sigset_t clean;

	if (real == NULL) {
		real = (pselect_fn *)zp_real("pselect");
	}
	return real(n, in, out, except, time, without_ours(set, &clean));
}

typedef int ppoll_fn(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

ZP_EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *time, const sigset_t *set)
{
	static ppoll_fn *_Atomic real;
	sigset_t clean;

	if (real == NULL) {
		real = (ppoll_fn *)zp_real("ppoll");
	}
	return real(fds, n, time, without_ours(set, &clean));
}

typedef int epoll_pwait_fn(int, struct epoll_event *, int, int, const sigset_t *);

ZP_EXPORT int epoll_pwait(int fd, struct epoll_event *events, int most, int time,
			  const sigset_t *set)
{
	static epoll_pwait_fn *_Atomic real;
	sigset_t clean;

	if (real == NULL) {
		real = (epoll_pwait_fn *)zp_real("epoll_pwait");
	}
	return real(fd, events, most, time, without_ours(set, &clean));
}
