/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system.c - what every C library needs of the system below it, on our system calls.
 *
 * The console is the only file, and a program's memory comes from memory.c; what the C library wants
 * for itself (numbers printed in full length, say) it gets from a few pages here.
 *
 * Locks: none, a program has one thread.
 */
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#define LIBRARY_BYTES ((ptrdiff_t)64 << 10)

int main(void);

_Noreturn void program_start(void)
{
	int status = main();

	fflush(stdout);
	_exit(status);
}

_Noreturn void _exit(int status)
{
	for (;;)
		(void)system_call(USER_CALL_EXIT, (unsigned long)status, 0, 0);
}

void system_write(const void *from, size_t bytes)
{
	const char *at = from;

	while (bytes > 0) {
		long done = system_call(USER_CALL_WRITE, (unsigned long)at, bytes, 0);

		if (done <= 0)
			return;
		at += done;
		bytes -= (size_t)done;
	}
}

void *sbrk(ptrdiff_t more)
{
	static _Alignas(16) char pages[LIBRARY_BYTES];
	static ptrdiff_t used;
	char *end = pages + used;

	if (more < -used || more > LIBRARY_BYTES - used) {
		errno = ENOMEM;
		return (void *)-1;
	}
	used += more;
	return end;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
	long ns = system_call(USER_CALL_TIME, 0, 0, 0);

	(void)zone;
	t->tv_sec = ns / 1000000000;
	t->tv_usec = ns % 1000000000 / 1000;
	return 0;
}

_Noreturn void abort(void)
{
	static const char text[] = "aborted\n";

	system_write(text, sizeof(text) - 1);
	_exit(134);
}

/* ---- files: there is the console, and it can only be written ------------------------------------- */

static int refuse(int why)
{
	errno = why;
	return -1;
}

int open(const char *path, int flags, ...)
{
	(void)path;
	(void)flags;
	return refuse(ENOENT);
}

int close(int file)
{
	(void)file;
	return refuse(EBADF);
}

ssize_t read(int file, void *to, size_t bytes)
{
	(void)file;
	(void)to;
	(void)bytes;
	return refuse(EBADF);
}

ssize_t write(int file, const void *from, size_t bytes)
{
	if (file != STDOUT_FILENO && file != STDERR_FILENO)
		return refuse(EBADF);
	system_write(from, bytes);
	return (ssize_t)bytes;
}

off_t lseek(int file, off_t to, int from)
{
	(void)file;
	(void)to;
	(void)from;
	return refuse(ESPIPE);
}
