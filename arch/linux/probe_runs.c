/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_runs.c - are runs of pages cheaper to move, with their RAM, than to copy in and to drop?
 *
 * It depends on the machine: moving takes mappings away, which costs a hundred nanoseconds a page on one and
 * three microseconds on another whose page tables a hypervisor shadows; copying makes the kernel give out
 * and take back a page each time. So both are timed, with one run in and out, the best of a few rounds. It takes some
 * hundred microseconds, once a process. A wrong answer costs time and nothing else.
 *
 * Locks: pthread_once.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <zpager/types.h>

#include "port.h"
#include "uffd_abi.h"

#define RUN    32U
#define BYTES  (RUN * Z_PAGE_SIZE)
#define ROUNDS 3

static bool cheap;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static bool copy_in_and_drop(int fd, uintptr_t window, const char *staging)
{
	return zl_uffd_copy_run(fd, window, staging, RUN, true) == RUN &&
	       madvise((void *)window, BYTES, MADV_DONTNEED) == 0;
}

static bool move_in_and_out(int fd, uintptr_t window, const char *staging)
{
	size_t moved;

	return zl_uffd_move(fd, window, (uintptr_t)staging, BYTES, &moved) == 0 &&
	       zl_uffd_protect(fd, window, BYTES, true) == 0 &&
	       zl_uffd_move(fd, (uintptr_t)staging, window, BYTES, &moved) == 0;
}

/* The best of a few; UINT64_MAX: it does not work. */
static uint64_t best_of(bool (*way)(int, uintptr_t, const char *), int fd, char *window,
			char *staging)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < ROUNDS; i++) {
		for (size_t page = 0; page < RUN; page++) {
			staging[page * Z_PAGE_SIZE] = (char)i;
		}
		uint64_t start = now_ns();
		if (!way(fd, (uintptr_t)window, staging)) {
			return UINT64_MAX;
		}
		uint64_t took = now_ns() - start;
		best = took < best ? took : best;
	}
	return best;
}

static bool compare(int fd, char *window, char *staging)
{
	const uint64_t want = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_MOVE;
	uint64_t have;

	if (zl_uffd_agree(fd, want, &have) != 0 ||
	    zl_uffd_register(fd, (uintptr_t)window, BYTES,
			     UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP) != 0 ||
	    zl_uffd_register(fd, (uintptr_t)staging, BYTES, UFFDIO_REGISTER_MODE_WP) != 0) {
		return false;
	}
	uint64_t copied = best_of(copy_in_and_drop, fd, window, staging);
	uint64_t moved = best_of(move_in_and_out, fd, window, staging);
	return moved < copied - copied / 4;
}

static void measure(void)
{
	char *window = zl_pages_alloc(BYTES);
	char *staging = zl_pages_alloc(BYTES);
	enum zl_uffd_how how;
	int fd;

	if (window != NULL && staging != NULL && zl_probe()->move &&
	    zl_uffd_open(true, &how, &fd) == 0) {
		cheap = compare(fd, window, staging);
		(void)close(fd);
	}
	if (window != NULL) {
		munmap(window, BYTES);
	}
	if (staging != NULL) {
		munmap(staging, BYTES);
	}
}

bool zl_probe_runs_move_cheaply(void)
{
	(void)pthread_once(&once, measure);
	return cheap;
}
