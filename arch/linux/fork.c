/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork.c - a child with its own copy of every page.
 *
 * Theory. prepare closes the gate, so that no page is being moved, and lets the kernel copy the
 * window to the child like any other memory: pages that are present are shared copy-on-write, the
 * software page table, the metadata and what a store keeps in RAM are the child's own. What the
 * child lacks is a userfaultfd of its own address space (the inherited one still means the parent's,
 * and must never be used), a thread to serve it, and a swap file of its own. The parent does not
 * touch its swap file until the child says that it has copied it, or is dead.
 *
 * Write protection by userfaultfd does not survive fork: in the child every page that is present
 * counts as dirty and not protected. Without inherit_on_fork the window is not copied: a touch in
 * the child is SIGSEGV, and a call is refused, because the page with the mark of life is wiped.
 *
 * Locks: the gate is held from prepare to parent, by the forking thread, with signals blocked.
 * Limits: until zpager_fork_child() has run, a touch in the child of a page that is out would
 * silently find zeros: it has to be the first thing that the child does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "instance.h"

static void close_end(struct zpager *z, int end)
{
	if (z->fork_pipe[end] >= 0) {
		close(z->fork_pipe[end]);
		z->fork_pipe[end] = -1;
	}
}

/* Neither forking nor forked any more. */
static void end_fork(struct zpager *z)
{
	sigset_t saved = z->fork_signals;

	close_end(z, 0);
	close_end(z, 1);
	zl_gate_open(&z->gate);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
}

int zpager_fork_prepare(struct zpager *z)
{
	sigset_t all;
	sigset_t saved;

	if (!z->inherit) {
		return zl_fail(z, Z_ERR_NOTSUP,
			       "fork is prepared only for instances opened with inherit_on_fork");
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	zl_gate_close(&z->gate);
	z->fork_signals = saved;
	if (pipe2(z->fork_pipe, O_CLOEXEC) != 0) {
		z->fork_pipe[0] = z->fork_pipe[1] = -1;
		end_fork(z);
		return zl_fail(z, Z_ERR_NOMEM, "no pipe for the child: too many open files");
	}
	if (zl_port_inherit(&z->port, true) != 0) {
		(void)zl_port_inherit(&z->port, false);
		end_fork(z);
		return zl_fail(z, Z_ERR_NOMEM, "the window cannot be handed to the child");
	}
	return 0;
}

void zpager_fork_parent(struct zpager *z, int child_pid)
{
	char byte;

	close_end(z, 1);
	if (child_pid > 0) {
		while (read(z->fork_pipe[0], &byte, 1) < 0 && errno == EINTR) {
		}
	}
	(void)zl_port_inherit(&z->port, false);
	end_fork(z);
}

static void forget_protection(struct zpager *z)
{
	for (uint32_t i = 0; i < z->budget.nframes; i++) {
		struct z_page_frame *pf = &z->frames[i];
		if (z_page_frame_is_mapped(pf)) {
			uint64_t *e = zl_pt_at(&z->port, (uintptr_t)pf->addr);
			*e |= ZL_PT_DIRTY;
			if ((*e & ZL_PT_WP) != 0) {
				*e &= ~ZL_PT_WP;
				zl_huge_gain(&z->port, (uintptr_t)pf->addr);
			}
		}
	}
}

static int serve_again(struct zpager *z)
{
	z->reclaim.running = false;
	zl_reclaim_stop(z);
	int error = zl_reclaim_start(z);

	if (error != 0 || z->sigbus) {
		return error;
	}
	z->monitor.running = false;
	zl_monitor_stop(z);
	return zl_monitor_start(z);
}

int zpager_fork_child(struct zpager *z)
{
	pthread_mutex_init(&z->error_lock, NULL);
	atomic_store(&z->gate.inside, 0);
	atomic_store(&z->gate.closed, zl_thread_id());
	/* Our end of the pipe goes last: its number is low, and must not become that of a new descriptor. */
	int error = zl_port_reopen(&z->port, z->sigbus, z->user_only);
	if (error == 0) {
		error = zl_port_inherit(&z->port, false);
	}
	if (error == 0) {
		forget_protection(z);
		error = z_store_after_fork(z->store);
	}
	if (error == 0) {
		*z->alive = true;
		error = serve_again(z);
	}
	if (error == 0 && write(z->fork_pipe[1], "", 1) != 1) {
		error = Z_ERR_IO;
	}
	end_fork(z);
	return error == 0 ? 0
			  : zl_fail(z, error, "the child gets no paged memory of its own: %s",
				    z_strerror(error));
}
