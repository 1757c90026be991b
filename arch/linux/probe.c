/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.c - ask the kernel once what it can do, by trying it on a page.
 *
 * A feature bit is believed for userfaultfd; process_madvise and /proc/self/mem are tried, because
 * their permission checks differ between versions of the kernel and security modules.
 *
 * Locks: pthread_once. Limits: what a seccomp filter forbids later is not noticed: open early.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <zpager/types.h>
#include <zpager/zpager.h>

#include "probe.h"
#include "uffd_abi.h"

static struct zl_features found;
static char line[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool try_vector_dontneed(char *page)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct iovec v = {.iov_base = page, .iov_len = Z_PAGE_SIZE};

	if (pidfd < 0) {
		return false;
	}
	*(volatile char *)page = 1;
	long done = syscall(SYS_process_madvise, pidfd, &v, 1, MADV_DONTNEED, 0);
	close(pidfd);
	return done == (long)Z_PAGE_SIZE && *(volatile char *)page == 0;
}

static bool try_proc_mem(char *page)
{
	char byte = 0;
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		return false;
	}
	*(volatile char *)page = 42;
	bool works = mprotect(page, Z_PAGE_SIZE, PROT_NONE) == 0 &&
		     pread(fd, &byte, 1, (off_t)(uintptr_t)page) == 1 && byte == 42;
	close(fd);
	return works;
}

/* The word in brackets is the choice; MADV_COLLAPSE would not ask. */
static bool huge_allowed(void)
{
	char text[128] = "";
	int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		return false;
	}
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 && strstr(text, "[never]") == NULL;
}

static void probe_uffd(void)
{
	int fd;

	found.error = zl_uffd_open(false, &found.how, &fd);
	if (found.error != 0) {
		return;
	}
	found.error = zl_uffd_agree(fd, 0, &found.features);
	close(fd);
	if (found.error != 0) {
		found.how = ZL_UFFD_NONE;
		return;
	}
	found.sigbus = (found.features & UFFD_FEATURE_SIGBUS) != 0;
	found.thread_id = (found.features & UFFD_FEATURE_THREAD_ID) != 0;
	found.wp = (found.features & UFFD_FEATURE_PAGEFAULT_FLAG_WP) != 0;
	found.wp_async = (found.features & UFFD_FEATURE_WP_ASYNC) != 0;
	found.poison = (found.features & UFFD_FEATURE_POISON) != 0;
	found.move = (found.features & UFFD_FEATURE_MOVE) != 0;
}

static const char *how_name(enum zl_uffd_how how)
{
	static const char *const names[] = {"no", "yes", "user mode only"};

	return names[how];
}

static void probe(void)
{
	char *page =
		mmap(NULL, Z_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	probe_uffd();
	found.huge = huge_allowed();
	if (page != MAP_FAILED) {
		found.vector_dontneed = try_vector_dontneed(page);
		found.proc_mem = try_proc_mem(page);
		munmap(page, Z_PAGE_SIZE);
	}
	snprintf(line, sizeof(line),
		 "userfaultfd: %s; SIGBUS: %s; THREAD_ID: %s; WP: %s; WP_ASYNC: %s; POISON: %s; "
		 "MOVE: %s; process_madvise: %s",
		 how_name(found.how), found.sigbus ? "yes" : "no", found.thread_id ? "yes" : "no",
		 found.wp ? "yes" : "no", found.wp_async ? "yes" : "no",
		 found.poison ? "yes" : "no", found.move ? "yes" : "no",
		 found.vector_dontneed ? "yes" : "no");
}

const struct zl_features *zl_probe(void)
{
	pthread_once(&once, probe);
	return &found;
}

const char *zpager_features(void)
{
	pthread_once(&once, probe);
	return line;
}
