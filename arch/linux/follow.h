/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow.h - the monitor thread stays on the CPU of the thread that it serves.
 */
#ifndef ZL_FOLLOW_H
#define ZL_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

/* The monitor thread's own. */
struct zl_follow {
	uint32_t tid;     /* who faulted last */
	uint32_t run;     /* faults of that thread in a row */
	uint32_t count;   /* faults since we looked where it runs */
	uint32_t stat_of; /* the thread whose stat file is open */
	int fd;           /* that file, or -1 */
	int cpu;          /* where we are bound to, or -1 */
	bool tried;       /* may_yield is known */
	bool may_yield;   /* we can become SCHED_IDLE and come back */
};

/* zl_follow_init, zl_follow_end - any thread, while the monitor is not running. */
void zl_follow_init(struct zl_follow *f);
void zl_follow_end(struct zl_follow *f);

/* zl_follow - thread tid (0: not known) has faulted. */
void zl_follow(struct zl_follow *f, uint32_t tid);

/* zl_follow_wake - wake who waits for the page, so that it goes on where it is. */
void zl_follow_wake(struct zl_follow *f, int uffd, uintptr_t page);

#endif /* ZL_FOLLOW_H */
