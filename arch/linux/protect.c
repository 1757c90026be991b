/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protect.c - taking write access away from pages that leave where they lie, with few shoot-downs.
 *
 * Theory. A call of UFFDIO_WRITEPROTECT costs one shoot-down, however long its range is. So pages of a batch that
 * are near each other by address are protected by one call over all that lies between them. What is absent there is
 * not touched by it. A page that stays and was writable loses that too, and its next write is a soft fault: one
 * such page is let pass for each page that leaves, no more.
 *
 * Whoever is the only thread of its process, is in the pager, and has all signals blocked, need not protect
 * anything: nobody is there to write.
 *
 * Locks: pager lock. Limits: a process made by the bare system call clone with CLONE_VM and without CLONE_THREAD or
 * CLONE_VFORK shares the memory and is no thread; zl_alone() does not see it.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "port.h"

#define GAP_MOST 512U /* pages between two that one call protects */

bool zl_alone(const struct zl_port *port)
{
	struct stat tasks;

	/* The directory has a link for each thread beside its own two. */
	return port->faults_in_thread && getpid() == port->pid &&
	       stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == 3;
}

/*
 * How many pages from `from` up to `to` would lose write access and are not to leave. SIZE_MAX: one is being filled;
 * it is placed without the lock, and nobody would know afterwards that it had been protected.
 */
static size_t bystanders(const struct zl_port *port, uintptr_t from, uintptr_t to)
{
	size_t n = 0;

	for (uintptr_t va = from; va < to; va += Z_PAGE_SIZE) {
		uint64_t e = *zl_pt_at(port, va);

		if (zl_pt_kind(e) == Z_ENTRY_HELD && (e & ZL_PT_PRESENT) == 0) {
			return SIZE_MAX;
		}
		n += zl_pt_is_writable(e);
	}
	return n;
}

static size_t worth_one_call(const struct zl_port *port, const struct z_page_op *ops,
			     const uint16_t *order, size_t n)
{
	size_t others = 0;
	size_t length = 1;

	for (; length < n; length++) {
		uintptr_t from = ops[order[length - 1]].va + Z_PAGE_SIZE;
		uintptr_t to = ops[order[length]].va;

		if (to - from > GAP_MOST * Z_PAGE_SIZE) {
			break;
		}
		size_t more = bystanders(port, from, to);
		if (more > length - others) {
			break;
		}
		others += more;
	}
	return length;
}

size_t zl_protect_some(struct zl_port *port, const struct z_page_op *ops, const uint16_t *order,
		       size_t n, int *error_out)
{
	size_t length = worth_one_call(port, ops, order, n);
	uintptr_t va = ops[order[0]].va;
	uintptr_t end = ops[order[length - 1]].va + Z_PAGE_SIZE;

	*error_out = zl_uffd_protect(port->uffd, va, end - va, true);
	if (*error_out != 0 && length > 1) {
		length = 1;
		end = va + Z_PAGE_SIZE;
		*error_out = zl_uffd_protect(port->uffd, va, Z_PAGE_SIZE, true);
	}
	for (; *error_out == 0 && va < end; va += Z_PAGE_SIZE) {
		uint64_t *e = zl_pt_at(port, va);

		if (zl_pt_is_writable(*e)) {
			*e |= ZL_PT_WP;
			zl_huge_lose(port, va);
		}
	}
	return length;
}
