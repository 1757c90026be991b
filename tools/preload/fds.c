/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fds.c - the pager's file descriptors inside of a program that does not know of them.
 *
 * A program may count on the lowest free number (shells do), close everything above 2 (daemons do),
 * or put a file onto a number of its choice (shells again). So the pager is opened while all low
 * numbers are taken, which puts its descriptors just below the limit, and the calls that close or
 * replace descriptors leave them alone: to the program they are not open.
 *
 * What the pager opens later (open() inside) is moved up at once.
 *
 * Locks: none; the set is atomic. Raw system calls bypass all this.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload.h"

#define HIGHEST 1024 /* numbers above are unfit for select(), whatever the limit says */
#define ROOM    48   /* numbers that are left to the pager below the limit */
#define TOO_FEW 128

static _Atomic int set_first;     /* the number of bit 0 */
static _Atomic uint64_t set_bits; /* numbers set_first + bit are the pager's */

static bool is_ours(int fd)
{
	return set_bits != 0 && !zp_inside && fd >= set_first && fd < set_first + 64 &&
	       (set_bits >> (fd - set_first) & 1) != 0;
}

/* Which of the numbers [first, first + ROOM) are open, as bits. */
static uint64_t open_above(int first)
{
	uint64_t bits = 0;

	for (int i = 0; i < ROOM; i++) {
		if (syscall(SYS_fcntl, first + i, F_GETFD) >= 0) {
			bits |= (uint64_t)1 << i;
		}
	}
	return bits;
}

/* Takes every free number below the limit less ROOM. Without room (a tiny limit): takes none. */
void zp_fds_push_high(struct zp_fd_fill *fill)
{
	struct rlimit limit;
	int fd;

	*fill = (struct zp_fd_fill){.low = 0, .high = 0};
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < TOO_FEW) {
		return;
	}
	fill->high = (limit.rlim_cur < HIGHEST ? (int)limit.rlim_cur : HIGHEST) - ROOM;
	fill->before = open_above(fill->high);
	fd = eventfd(0, EFD_CLOEXEC);
	fill->low = fd;
	while (fd >= 0 && fd < fill->high) {
		fill->held[fd / 64] |= (uint64_t)1 << (fd % 64);
		fd = (int)syscall(SYS_fcntl, fill->low, F_DUPFD_CLOEXEC, fd + 1);
	}
	if (fd >= fill->high) {
		(void)syscall(SYS_close, fd);
	}
}

/* Gives the low numbers back, and remembers what the pager opened above them. */
void zp_fds_settle(const struct zp_fd_fill *fill)
{
	if (fill->high != 0) {
		set_first = fill->high;
		set_bits = open_above(fill->high) & ~fill->before;
	}
	for (int fd = 0; fd < fill->high; fd++) {
		if ((fill->held[fd / 64] >> (fd % 64) & 1) != 0) {
			(void)syscall(SYS_close, fd);
		}
	}
}

/* A descriptor that was opened inside: up, and remembered. */
static int move_up(int fd)
{
	int high;

	if (fd < 0 || set_first == 0 || fd >= set_first) {
		return fd;
	}
	high = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, set_first);
	if (high < 0 || high >= set_first + 64) {
		return fd;
	}
	(void)syscall(SYS_close, fd);
	set_bits |= (uint64_t)1 << (high - set_first);
	return high;
}

static mode_t mode_of(int flags, va_list more)
{
	return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
}

typedef int open_fn(int, const char *, int, ...);

static int open_any(int folder, const char *path, int flags, mode_t mode)
{
	static open_fn *_Atomic real;

	if (zp_inside) {
		return move_up((int)syscall(SYS_openat, folder, path, flags, mode));
	}
	if (real == NULL) {
		real = (open_fn *)zp_real("openat");
	}
	return real(folder, path, flags, mode);
}

ZP_EXPORT int open(const char *path, int flags, ...)
{
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = mode_of(flags, more);
	va_end(more);
	return open_any(AT_FDCWD, path, flags, mode);
}

ZP_EXPORT int openat(int folder, const char *path, int flags, ...)
{
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = mode_of(flags, more);
	va_end(more);
	return open_any(folder, path, flags, mode);
}

static int not_open(void)
{
	errno = EBADF;
	return -1;
}

ZP_EXPORT int close(int fd)
{
	static int (*_Atomic real)(int);

	if (is_ours(fd)) {
		return not_open();
	}
	if (zp_inside) {
		if (fd >= set_first && fd < set_first + 64) {
			set_bits &= ~((uint64_t)1 << (fd - set_first));
		}
		return (int)syscall(SYS_close, fd);
	}
	if (real == NULL) {
		real = (int (*)(int))zp_real("close");
	}
	return real(fd);
}

/* The ranges between the pager's descriptors, one system call each. */
ZP_EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	unsigned int from = first;

	if (first > last) {
		errno = EINVAL;
		return -1;
	}
	for (unsigned int bit = 0; bit < 64 && !zp_inside; bit++) {
		unsigned int fd = (unsigned int)set_first + bit;

		if ((set_bits >> bit & 1) == 0 || fd < from || fd > last) {
			continue;
		}
		if (fd > from && syscall(SYS_close_range, from, fd - 1, flags) != 0) {
			return -1;
		}
		from = fd + 1;
	}
	return from > last ? 0 : (int)syscall(SYS_close_range, from, last, flags);
}

ZP_EXPORT void closefrom(int first)
{
	(void)close_range(first < 0 ? 0 : (unsigned int)first, UINT_MAX, 0);
}

ZP_EXPORT int dup2(int from, int to)
{
	if (is_ours(from) || is_ours(to)) {
		return not_open();
	}
	return (int)syscall(SYS_dup2, from, to);
}

ZP_EXPORT int dup3(int from, int to, int flags)
{
	if (is_ours(from) || is_ours(to)) {
		return not_open();
	}
	return (int)syscall(SYS_dup3, from, to, flags);
}
