/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sigsys.c - SIGSYS in signal mode: the system calls that the filter kept back, and the program's own.
 *
 * The handler runs on the stack and with the signal mask of the program, as the system call would
 * have: a call that blocks can be interrupted by every signal that the program lets in, is repeated
 * by the kernel if that handler has SA_RESTART, and returns EINTR if not. Cancellation is a signal of
 * libc, which unwinds through here.
 *
 * Calls of the pager itself on paged memory pass as they are: it knows what is in.
 *
 * Locks: none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <ucontext.h>

#include "calls.h"

#define TRAPPED 1 /* si_code SYS_SECCOMP, which libc does not name */

#if defined(__x86_64__)

static void on_sigsys(int number, siginfo_t *info, void *context)
{
	greg_t *reg = ((ucontext_t *)context)->uc_mcontext.gregs;
	struct zp_call call = {
		.nr = reg[REG_RAX],
		.arg = {reg[REG_RDI], reg[REG_RSI], reg[REG_RDX], reg[REG_R10], reg[REG_R8],
			reg[REG_R9]},
	};
	int before = errno;

	if (info->si_code != TRAPPED || info->si_errno != ZP_TRAP_MARK) {
		zp_signal_to_program(number, info, context);
	} else if (zp_inside) {
		reg[REG_RAX] = zp_perform(&call);
	} else {
		reg[REG_RAX] = zp_serve(&call, (uintptr_t)reg[REG_RSP]);
	}
	errno = before;
}

#else

static void on_sigsys(int number, siginfo_t *info, void *context)
{
	zp_signal_to_program(number, info, context);
}

#endif

const char *zp_sigsys_open(struct zpager *z, bool privileged_only)
{
	struct sigaction action = {.sa_sigaction = on_sigsys,
				   .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
	struct zpager_info info;
	const char *error;

	zpager_stats(z, NULL, &info);
	sigemptyset(&action.sa_mask);
	error = zp_filter_install((uintptr_t)info.window, privileged_only);
	if (error == NULL && zp_signal_keep(SIGSYS, &action) != 0) {
		error = "signal mode: SIGSYS cannot be caught";
	}
	return error;
}

uint64_t zp_served(void)
{
	return atomic_load_explicit(&zp_served_calls, memory_order_relaxed);
}
