/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.c - stands in for the kernel in a Linux process, so that a program of user/ can be run and
 * tested there: the same system calls, with the C library of the host. No statistics.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <zpager/error.h>

#include "system.h"

static long map(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at != MAP_FAILED ? (long)at : Z_ERR_NOMEM;
}

static long time_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

long system_call(long number, unsigned long a, unsigned long b, unsigned long c)
{
	(void)c;
	switch (number) {
	case USER_CALL_EXIT:
		exit((int)a);
	case USER_CALL_WRITE:
		return write(STDOUT_FILENO, (const void *)a, b);
	case USER_CALL_MAP:
		return map(a);
	case USER_CALL_UNMAP:
		return munmap((void *)a, b) == 0 ? Z_OK : Z_ERR_INVAL;
	case USER_CALL_TIME:
		return time_ns();
	case USER_CALL_STATS:
		memset((void *)a, 0, sizeof(struct user_stats));
		return Z_OK;
	default:
		return Z_ERR_NOTSUP;
	}
}
