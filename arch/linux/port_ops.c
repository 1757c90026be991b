/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_ops.c - the hooks that are the same for both mechanisms: mapping, permissions, looking at
 * entries, soft faults; and two helpers for batches.
 *
 * Mapping changes one permission of the reserved range and writes the entries. Unmapping gives the
 * permission up first, so that no touch can bring a page back, and drops the RAM then. If the kernel
 * has no memory to split its area (the limit on areas of a process), the range stays accessible to
 * the kernel but not to us: a touch is reported, found to be UNMAPPED, and answered by SIGBUS.
 *
 * Locks: pager lock held in all of them.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "port.h"

static int mmap_prot(unsigned int prot)
{
	return ((prot & Z_ACCESS_READ) != 0 ? PROT_READ : 0) |
	       ((prot & Z_ACCESS_WRITE) != 0 ? PROT_WRITE : 0) |
	       ((prot & Z_ACCESS_EXEC) != 0 ? PROT_EXEC : 0);
}

int zl_op_map(void *ctx, uintptr_t va, size_t pages, unsigned int prot)
{
	struct zl_port *port = ctx;
	size_t bytes = pages * Z_PAGE_SIZE;
	uint64_t *e = zl_pt_at(port, va);

	if (mprotect((void *)va, bytes, mmap_prot(prot)) != 0) {
		(void)mprotect((void *)va, bytes, PROT_NONE);
		return Z_ERR_NOMEM;
	}
	for (size_t i = 0; i < pages; i++) {
		e[i] = Z_ENTRY_UNTOUCHED | ((uint64_t)prot << ZL_PT_PROT_SHIFT);
	}
	return 0;
}

/* Zero the entries; pages of the table that become all zero go back to the kernel. */
static void clear_entries(struct zl_port *port, uintptr_t va, size_t pages)
{
	char *start = (char *)zl_pt_at(port, va);
	char *end = start + pages * sizeof(uint64_t);
	char *whole = (char *)z_page_align_down((uintptr_t)start + Z_PAGE_MASK);
	char *whole_end = (char *)z_page_align_down((uintptr_t)end);

	if (whole >= whole_end || madvise(whole, (size_t)(whole_end - whole), MADV_DONTNEED) != 0) {
		memset(start, 0, (size_t)(end - start));
		return;
	}
	memset(start, 0, (size_t)(whole - start));
	memset(whole_end, 0, (size_t)(end - whole_end));
}

void zl_op_unmap(void *ctx, uintptr_t va, size_t pages)
{
	struct zl_port *port = ctx;

	(void)mprotect((void *)va, pages * Z_PAGE_SIZE, PROT_NONE);
	(void)madvise((void *)va, pages * Z_PAGE_SIZE, MADV_DONTNEED);
	clear_entries(port, va, pages);
}

/* Is the page being read where it lies, without the lock? */
static bool is_being_saved(uint64_t e)
{
	return zl_pt_kind(e) == Z_ENTRY_HELD && (e & ZL_PT_PRESENT) != 0;
}

/*
 * New permissions for the kernel. A page that is being saved stays readable, or the store would
 * fault; a touch of it is then reported to us when it is out, and refused.
 */
static int protect_pieces(struct zl_port *port, uintptr_t va, size_t pages, unsigned int prot)
{
	const uint64_t *e = zl_pt_at(port, va);
	bool readable = (prot & Z_ACCESS_READ) != 0;
	size_t n;

	for (size_t i = 0; i < pages; i += n) {
		bool keep = !readable && is_being_saved(e[i]);
		for (n = 1; i + n < pages; n++) {
			if ((!readable && is_being_saved(e[i + n])) != keep) {
				break;
			}
		}
		int p = keep ? PROT_READ : mmap_prot(prot);
		if (mprotect((char *)va + i * Z_PAGE_SIZE, n * Z_PAGE_SIZE, p) != 0) {
			return Z_ERR_NOMEM;
		}
	}
	return 0;
}

int zl_op_protect(void *ctx, uintptr_t va, size_t pages, unsigned int prot)
{
	struct zl_port *port = ctx;
	uint64_t *e = zl_pt_at(port, va);

	if (protect_pieces(port, va, pages, prot) != 0) {
		for (size_t i = 0; i < pages; i++) {
			(void)protect_pieces(port, va + i * Z_PAGE_SIZE, 1, zl_pt_prot(e[i]));
		}
		return Z_ERR_NOMEM;
	}
	for (size_t i = 0; i < pages; i++) {
		uint64_t new = (e[i] & ~ZL_PT_PROT) | ((uint64_t)prot << ZL_PT_PROT_SHIFT);
		/* scratch() looks without lock */
		__atomic_store_n(&e[i], new, __ATOMIC_RELAXED);
	}
	return 0;
}

struct z_entry zl_op_entry(void *ctx, uintptr_t va)
{
	return zl_pt_entry(*zl_pt_at(ctx, va));
}

unsigned int zl_op_info(void *ctx, uintptr_t va, bool clear_accessed)
{
	uint64_t *e = zl_pt_at(ctx, va);
	unsigned int info = 0;

	if ((*e & ZL_PT_ACCESSED) != 0) {
		info |= Z_INFO_ACCESSED;
	}
	if ((*e & ZL_PT_DIRTY) != 0) {
		info |= Z_INFO_DIRTY;
	}
	if (clear_accessed) {
		*e &= ~ZL_PT_ACCESSED;
	}
	return info;
}

void zl_op_hold(void *ctx, uintptr_t va, z_phys_t phys)
{
	uint64_t *e = zl_pt_at(ctx, va);

	*e = zl_pt_make(Z_ENTRY_HELD, *e, phys.v);
}

static const char zeros[Z_PAGE_SIZE] __attribute__((aligned(4096)));

/*
 * A page that is IN is present, so that a fault on it is over already, or is about write-protection.
 * Should the program have dropped the page behind our back (MADV_DONTNEED), it gets the zeros that
 * it asked for; otherwise UFFDIO_COPY finds the page there and changes nothing.
 */
void zl_op_touch(void *ctx, uintptr_t va, unsigned int access)
{
	struct zl_port *port = ctx;
	uint64_t *e = zl_pt_at(port, va);

	*e |= ZL_PT_ACCESSED;
	if ((access & Z_ACCESS_WRITE) != 0) {
		*e |= ZL_PT_DIRTY;
		if ((*e & ZL_PT_WP) != 0 &&
		    zl_uffd_protect(port->uffd, va, Z_PAGE_SIZE, false) == 0) {
			*e &= ~ZL_PT_WP;
			return;
		}
	}
	if (zl_uffd_copy(port->uffd, va, zeros, false) == 0) {
		*e = (*e | ZL_PT_DIRTY) & ~ZL_PT_WP;
	}
}

/* By Shell's method: the batches of an algorithm that goes by address come nearly in order. */
void zl_sort_ops(struct zl_port *port, const struct z_page_op *ops, size_t n)
{
	static const size_t gaps[] = {301, 132, 57, 23, 10, 4, 1};
	uint16_t *order = port->order;

	for (size_t i = 0; i < n; i++) {
		order[i] = (uint16_t)i;
	}
	for (size_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
		for (size_t i = gaps[g]; i < n; i++) {
			uint16_t one = order[i];
			size_t at = i;

			while (at >= gaps[g] && ops[order[at - gaps[g]]].va > ops[one].va) {
				order[at] = order[at - gaps[g]];
				at -= gaps[g];
			}
			order[at] = one;
		}
	}
}

void zl_drop_begin(struct zl_port *port)
{
	(void)pthread_mutex_lock(&port->drop_lock);
}

/* One call for all that was collected. */
static void drop_ranges(struct zl_port *port, struct zl_drop *drop)
{
	size_t first = 0;
	size_t bytes = 0;

	for (size_t i = 0; i < drop->n; i++) {
		bytes += drop->ranges[i].iov_len;
	}
	if (port->pidfd >= 0 && drop->n > 1) {
		long done = syscall(SYS_process_madvise, port->pidfd, drop->ranges, drop->n,
				    MADV_DONTNEED, 0);
		if (done == (long)bytes) {
			first = drop->n;
		}
	}
	for (; first < drop->n; first++) {
		(void)madvise(drop->ranges[first].iov_base, drop->ranges[first].iov_len,
			      MADV_DONTNEED);
	}
	drop->n = 0;
}

void zl_drop_add(struct zl_port *port, uintptr_t va)
{
	struct zl_drop *drop = &port->drop;

	if (drop->n > 0) {
		struct iovec *last = &drop->ranges[drop->n - 1];
		if ((uintptr_t)last->iov_base + last->iov_len == va) {
			last->iov_len += Z_PAGE_SIZE;
			return;
		}
	}
	if (drop->n == port->batch) {
		drop_ranges(port, drop);
	}
	drop->ranges[drop->n].iov_base = (void *)va;
	drop->ranges[drop->n].iov_len = Z_PAGE_SIZE;
	drop->n++;
}

void zl_drop_now(struct zl_port *port)
{
	drop_ranges(port, &port->drop);
	(void)pthread_mutex_unlock(&port->drop_lock);
}
