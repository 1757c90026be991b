/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys.c - the system calls themselves, for code that must not meet our own interposed names.
 *
 * Locks: none. Any context; zp_real() outside of signal handlers only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload.h"

void *zp_sys_mmap(void *address, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel's answer is an address. */
	return (void *)syscall(SYS_mmap, address, bytes, prot, flags, fd, offset);
}

int zp_sys_munmap(void *address, size_t bytes)
{
	return (int)syscall(SYS_munmap, address, bytes);
}

int zp_sys_mprotect(void *address, size_t bytes, int prot)
{
	return (int)syscall(SYS_mprotect, address, bytes, prot);
}

int zp_sys_madvise(void *address, size_t bytes, int advice)
{
	return (int)syscall(SYS_madvise, address, bytes, advice);
}

/* zp_real - the next definition of a name after ours; its absence is a fault of the installation. */
void *zp_real(const char *name)
{
	void *symbol;

	zp_inside++;
	symbol = dlsym(RTLD_NEXT, name);
	zp_inside--;
	if (symbol == NULL) {
		static const char text[] = "zpager: the C library lacks a function: ";

		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		(void)!write(STDERR_FILENO, name, strlen(name));
		(void)!write(STDERR_FILENO, "\n", 1);
		abort();
	}
	return symbol;
}
