/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow.c - the monitor thread stays on the CPU of the thread that it serves.
 *
 * Theory. Waking a thread on another CPU costs ten times a wake-up on the same CPU (an interrupt,
 * and a CPU that has to leave its sleep), twice a fault. So, while one thread faults many times in a
 * row, the monitor binds itself to the CPU where that thread runs. Alone that does not help: when
 * the monitor wakes the thread, the scheduler finds this CPU busy with the monitor and an idle one
 * beside it, and puts the thread there. But a CPU that runs nothing but SCHED_IDLE counts as idle:
 * so the monitor is SCHED_IDLE for the moment of the wake-up. The thread stays and takes the CPU at
 * once; the monitor comes back to its own policy when the thread sleeps in its next fault, or after
 * a few milliseconds if it does not. That is why it is only done while one thread faults alone.
 *
 * Coming back needs CAP_SYS_NICE or a sufficient RLIMIT_NICE, which is tried out by a thread made
 * for it; without, the monitor is only bound.
 *
 * Locks: none. Limits: needs UFFD_FEATURE_THREAD_ID.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zpager/types.h>

#include "follow.h"
#include "uffd.h"

#define LOOK_EVERY 32 /* faults; a look costs about 5 us */
#define ALONE      64 /* faults of one thread in a row */

static void *try_to_come_back(void *arg)
{
	struct sched_param none = {0};
	bool *works = arg;

	*works = sched_getscheduler(0) == SCHED_OTHER &&
		 sched_setscheduler(0, SCHED_IDLE, &none) == 0 &&
		 sched_setscheduler(0, SCHED_OTHER, &none) == 0;
	return NULL;
}

void zl_follow_init(struct zl_follow *f)
{
	bool tried = f->tried;
	bool may_yield = f->may_yield;
	pthread_t thread;

	*f = (struct zl_follow){.fd = -1, .cpu = -1, .tried = true, .may_yield = may_yield};
	if (tried) {
		/* A forked child: nobody serves the faults of a new thread yet. */
		return;
	}
	if (pthread_create(&thread, NULL, try_to_come_back, &f->may_yield) == 0) {
		pthread_join(thread, NULL);
	}
}

void zl_follow_end(struct zl_follow *f)
{
	if (f->fd >= 0) {
		close(f->fd);
		f->fd = -1;
	}
}

/* Field 39 of /proc/PID/stat, the CPU that the thread ran on last; -1 if it cannot be told. */
static int cpu_of(int stat_fd)
{
	char text[1024];
	ssize_t n = pread(stat_fd, text, sizeof(text) - 1, 0);

	if (n <= 0) {
		return -1;
	}
	text[n] = 0;
	const char *p = strrchr(text, ')'); /* the name, field 2, may hold anything */
	for (int field = 2; p != NULL && field < 39; field++) {
		p = strchr(p + 1, ' ');
	}
	return p != NULL ? atoi(p + 1) : -1;
}

static int open_stat(uint32_t tid)
{
	char path[64] = "/proc/self/task/";
	char digits[16];
	size_t at = sizeof(digits);
	size_t n = strlen(path);

	while (tid != 0) {
		digits[--at] = (char)('0' + tid % 10);
		tid /= 10;
	}
	memcpy(path + n, digits + at, sizeof(digits) - at);
	memcpy(path + n + sizeof(digits) - at, "/stat", sizeof("/stat"));
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void bind_to(struct zl_follow *f, int cpu)
{
	cpu_set_t set;

	if (cpu < 0 || cpu >= CPU_SETSIZE || cpu == f->cpu) {
		return;
	}
	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == 0) {
		f->cpu = cpu;
	}
}

static void look(struct zl_follow *f)
{
	if (f->stat_of != f->tid) {
		zl_follow_end(f);
		f->stat_of = f->tid;
		f->fd = open_stat(f->tid);
	}
	if (f->fd >= 0) {
		bind_to(f, cpu_of(f->fd));
	}
}

void zl_follow(struct zl_follow *f, uint32_t tid)
{
	f->run = tid == f->tid ? f->run + 1 : 0;
	f->tid = tid;
	if (tid != 0 && ++f->count >= LOOK_EVERY) {
		f->count = 0;
		look(f);
	}
}

void zl_follow_wake(struct zl_follow *f, int uffd, uintptr_t page)
{
	struct sched_param none = {0};
	bool yield = f->may_yield && f->cpu >= 0 && f->run >= ALONE;

	if (yield) {
		(void)sched_setscheduler(0, SCHED_IDLE, &none);
	}
	(void)zl_uffd_wake(uffd, page, Z_PAGE_SIZE);
	if (yield) {
		(void)sched_setscheduler(0, SCHED_OTHER, &none);
	}
}
