/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stacks.c - stacks that a program puts into paged memory, in signal mode.
 *
 * The kernel pushes the frame of a signal onto the stack itself, and ends the process if that page
 * is out. So a stack that is told to us, by pthread_attr_setstack(), sigaltstack(), clone() or
 * makecontext(), is pinned until it is unmapped. It counts against the budget.
 *
 * The rest is what libc's threads touch while they block all signals, at their begin: the locale.
 *
 * Locks: none. Limits: a stack that nobody is told of, of coroutines that switch by themselves, has
 * to be outside of the window: MAP_STACK keeps it there. Else use monitor mode.
 */
#define _GNU_SOURCE
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "preload.h"

#define CLONE_BYTES ((size_t)64 << 10) /* below what clone() is told, if so much is mapped */

#define REAL(name)                                                                                 \
	static __typeof__(&(name)) _Atomic real;                                                   \
	if (real == NULL) {                                                                        \
		real = (__typeof__(&(name)))zp_real(#name);                                        \
	}

/* Pins whole pages from the last one downwards; those that are not mapped end it. */
static bool pin_down(const char *low, const char *end)
{
	struct zpager *z = zp_signal_mode ? zp_paged(end - 1) : NULL;
	const char *page = end - 1 - ((uintptr_t)(end - 1) & Z_PAGE_MASK);
	struct zp_entry entry;
	int error = 0;

	if (z == NULL) {
		return true;
	}
	zp_enter(&entry);
	for (; error == 0 && page + Z_PAGE_SIZE > low; page -= Z_PAGE_SIZE) {
		error = zpager_pin(z, page, Z_PAGE_SIZE);
	}
	zp_leave(&entry);
	return error == 0 || error == Z_ERR_FAULT;
}

bool zp_stack_pin(const void *low, size_t bytes)
{
	return bytes == 0 || pin_down(low, (const char *)low + bytes);
}

void zp_stack_below(const void *end)
{
	if (end != NULL) {
		(void)pin_down((const char *)end - CLONE_BYTES, end);
	}
}

ZP_EXPORT int sigaltstack(const stack_t *restrict wanted, stack_t *restrict old)
{
	REAL(sigaltstack)

	if (wanted != NULL && (wanted->ss_flags & SS_DISABLE) == 0) {
		(void)zp_stack_pin(wanted->ss_sp, wanted->ss_size);
	}
	return real(wanted, old);
}

typedef void begin_fn(void);

#define CONTEXT_MAX 16

ZP_EXPORT void makecontext(ucontext_t *context, begin_fn *begin, int count, ...)
{
	long a[CONTEXT_MAX] = {0};
	va_list more;
	REAL(makecontext)

	va_start(more, count);
	for (int i = 0; i < count && i < CONTEXT_MAX; i++) {
		a[i] = va_arg(more, long);
	}
	va_end(more);
	(void)zp_stack_pin(context->uc_stack.ss_sp, context->uc_stack.ss_size);
	real(context, begin, count, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9],
	     a[10], a[11], a[12], a[13], a[14], a[15]);
}

/* ---- what libc touches with all signals blocked --------------------------------------------- */

ZP_EXPORT char *setlocale(int category, const char *name)
{
	char *got;
	REAL(setlocale)

	zp_inside++;
	got = real(category, name);
	zp_inside--;
	return got;
}

ZP_EXPORT locale_t newlocale(int categories, const char *name, locale_t base)
{
	locale_t got;
	REAL(newlocale)

	zp_inside++;
	got = real(categories, name, base);
	zp_inside--;
	return got;
}

ZP_EXPORT locale_t duplocale(locale_t locale)
{
	locale_t got;
	REAL(duplocale)

	zp_inside++;
	got = real(locale);
	zp_inside--;
	return got;
}
