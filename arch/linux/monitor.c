/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monitor.c - the thread that reads the userfaultfd and serves the faults of all others.
 *
 * Theory. Each event is one thread that waits for one page. It is served by z_pager_fault() and
 * woken exactly then: nothing else wakes anybody (all other calls say DONTWAKE), so no waiter can be
 * forgotten, whatever else happened to the page meanwhile. A waiter that was woken too early faults
 * again.
 *
 * A fault that cannot be served must neither hang nor read zeros: the page is poisoned, so that the
 * touch raises SIGBUS (a system call gets EFAULT), or, in kernels that cannot, the thread is sent
 * the signal. A page that came back later replaces the poison. A touch that the pager calls a bad
 * address is left to the kernel first, which raises SIGSEGV unless it could not take the range away.
 *
 * Locks: none but the gate; z_pager_fault() takes the pager lock. The thread blocks all signals and
 * touches no memory that could be paged. Limits: one thread; while it waits for a page that another
 * context is moving, other faults wait too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "instance.h"
#include "uffd_abi.h"

#define EVENTS      16
#define STACK_BYTES ((size_t)1024 * 1024) /* of which little is used */

/* The touch of this page by this thread shall end in SIGBUS. */
static void refuse(struct zpager *z, enum z_fault_result result, uintptr_t va, uint32_t tid)
{
	uintptr_t page = z_page_align_down(va);

	zl_report_fault(result, va);
	if (z->port.features->poison && zl_uffd_poison(z->port.uffd, page) == 0) {
		return;
	}
	if (tid != 0) {
		syscall(SYS_tgkill, getpid(), tid, SIGBUS);
	} else {
		kill(getpid(), SIGBUS);
	}
}

static void failed(struct zpager *z, enum z_fault_result result, uintptr_t va, uint32_t tid)
{
	struct zl_monitor *m = &z->monitor;
	bool kernels = result == Z_FAULT_BAD_ADDRESS || result == Z_FAULT_VIOLATION;
	bool again = m->bad_va == va && m->bad_tid == tid;

	m->bad_va = va;
	m->bad_tid = tid;
	if (!kernels || again) {
		refuse(z, result, va, tid);
	}
}

static void serve(struct zpager *z, const struct uffd_msg *msg)
{
	uint64_t flags = msg->arg.pagefault.flags;
	uintptr_t va = (uintptr_t)msg->arg.pagefault.address;
	uint32_t tid = z->port.features->thread_id ? msg->arg.pagefault.feat.ptid : 0;
	bool write = (flags & (UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP)) != 0;

	if (zl_gate_try(&z->gate, tid)) {
		enum z_fault_result result =
			z_pager_fault(z->pager, va, write ? Z_ACCESS_WRITE : Z_ACCESS_READ);
		zl_gate_out(&z->gate);
		if (result != Z_FAULT_RESOLVED) {
			failed(z, result, va, tid);
		} else {
			zl_reclaim_note(z);
			zl_tell_fault(z, va, write);
			zl_follow(&z->monitor.follow, tid);
		}
	} else {
		/* Somebody forks. The thread shall fault again; not so often that it is felt. */
		sched_yield();
	}
	zl_follow_wake(&z->monitor.follow, z->port.uffd, z_page_align_down(va));
}

static void *monitor_run(void *arg)
{
	struct zpager *z = arg;
	struct uffd_msg msgs[EVENTS];
	struct pollfd fds[2] = {{.fd = z->port.uffd, .events = POLLIN},
				{.fd = z->monitor.stop_fd, .events = POLLIN}};

	for (;;) {
		/* Under load there is always an event: ask for it first, and sleep only if not. */
		ssize_t n = read(z->port.uffd, msgs, sizeof(msgs));
		if (n <= 0) {
			(void)poll(fds, 2, -1);
			if (fds[1].revents != 0) {
				return NULL;
			}
			continue;
		}
		for (ssize_t i = 0; i < n / (ssize_t)sizeof(msgs[0]); i++) {
			if (msgs[i].event == UFFD_EVENT_PAGEFAULT) {
				serve(z, &msgs[i]);
			}
		}
	}
}

int zl_thread_start(pthread_t *thread, void *stack, size_t bytes, void *(*run)(void *),
		    struct zpager *z)
{
	pthread_attr_t attr;
	sigset_t all;
	sigset_t saved;

	if (pthread_attr_init(&attr) != 0) {
		return Z_ERR_NOMEM;
	}
	int error = pthread_attr_setstack(&attr, stack, bytes);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	if (error == 0) {
		error = pthread_create(thread, &attr, run, z);
	}
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	pthread_attr_destroy(&attr);
	return error == 0 ? 0 : Z_ERR_NOMEM;
}

int zl_monitor_start(struct zpager *z)
{
	struct zl_monitor *m = &z->monitor;

	zl_follow_init(&m->follow);
	m->stop_fd = eventfd(0, EFD_CLOEXEC);
	m->stack = zl_pages_alloc(STACK_BYTES);
	int error = m->stop_fd >= 0 && m->stack != NULL
			    ? zl_thread_start(&m->thread, m->stack, STACK_BYTES, monitor_run, z)
			    : Z_ERR_NOMEM;
	m->running = error == 0;
	if (error != 0) {
		zl_monitor_stop(z);
	}
	return error;
}

void zl_monitor_stop(struct zpager *z)
{
	struct zl_monitor *m = &z->monitor;
	uint64_t one = 1;

	if (m->running && write(m->stop_fd, &one, sizeof(one)) == (ssize_t)sizeof(one)) {
		pthread_join(m->thread, NULL);
	}
	m->running = false;
	if (m->stop_fd >= 0) {
		close(m->stop_fd);
		m->stop_fd = -1;
	}
	zl_follow_end(&m->follow);
	if (m->stack != NULL) {
		munmap(m->stack, STACK_BYTES);
		m->stack = NULL;
	}
}
