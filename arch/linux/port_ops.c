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

	if (mprotect((void *)va, bytes, mmap_prot(prot)) != 0 ||
	    zl_table_map(&port->table, zl_page_of(port, va), pages, prot) != 0) {
		(void)mprotect((void *)va, bytes, PROT_NONE);
		return Z_ERR_NOMEM;
	}
	return 0;
}

void zl_op_unmap(void *ctx, uintptr_t va, size_t pages)
{
	struct zl_port *port = ctx;

	zl_huge_unmap(port, va, pages);
	(void)mprotect((void *)va, pages * Z_PAGE_SIZE, PROT_NONE);
	(void)madvise((void *)va, pages * Z_PAGE_SIZE, MADV_DONTNEED);
	zl_table_unmap(&port->table, zl_page_of(port, va), pages);
}

/* Is the page being read where it lies, without the lock? */
static bool is_being_saved(uint64_t e)
{
	return zl_pt_kind(e) == Z_ENTRY_HELD && (e & ZL_PT_PRESENT) != 0;
}

/* Pages from va on that are alike: with the same permissions, and being saved or not; 1 at least. */
static size_t alike(const struct zl_port *port, uintptr_t va, size_t pages)
{
	const struct zl_table *t = &port->table;
	size_t first = zl_page_of(port, va);
	uint64_t e = zl_table_entry(t, first);
	size_t n = 0;

	while (n < pages) {
		uint64_t other = zl_table_entry(t, first + n);
		size_t leaf_end = ZL_LEAF_PAGES - (first + n) % ZL_LEAF_PAGES;
		size_t left = pages - n < leaf_end ? pages - n : leaf_end;
		size_t later = zl_table_untouched(t, first + n, left);

		if (zl_pt_prot(other) != zl_pt_prot(e) ||
		    is_being_saved(other) != is_being_saved(e)) {
			break;
		}
		n += later > 0 ? later : 1;
	}
	return n;
}

/*
 * New permissions for the kernel. A page that is being saved stays readable, or the store would
 * fault; a touch of it is then reported to us when it is out, and refused.
 */
static int protect_pieces(struct zl_port *port, uintptr_t va, size_t pages, unsigned int prot)
{
	bool readable = (prot & Z_ACCESS_READ) != 0;
	size_t n;

	for (size_t i = 0; i < pages; i += n) {
		uintptr_t page = va + i * Z_PAGE_SIZE;
		int p = mmap_prot(prot);

		n = readable ? pages : alike(port, page, pages - i);
		if (!readable &&
		    is_being_saved(zl_table_entry(&port->table, zl_page_of(port, page)))) {
			p = PROT_READ;
		}
		if (mprotect((void *)page, n * Z_PAGE_SIZE, p) != 0) {
			return Z_ERR_NOMEM;
		}
	}
	return 0;
}

/* The permissions that the entries still say, after protect_pieces() has failed. */
static void protect_as_before(struct zl_port *port, uintptr_t va, size_t pages)
{
	size_t n;

	for (size_t i = 0; i < pages; i += n) {
		uintptr_t page = va + i * Z_PAGE_SIZE;
		uint64_t e = zl_table_entry(&port->table, zl_page_of(port, page));

		n = alike(port, page, pages - i);
		(void)protect_pieces(port, page, n, zl_pt_prot(e));
	}
}

int zl_op_protect(void *ctx, uintptr_t va, size_t pages, unsigned int prot)
{
	struct zl_port *port = ctx;
	size_t first = zl_page_of(port, va);

	if (zl_table_protect_begin(&port->table, first, pages) != 0) {
		return Z_ERR_NOMEM;
	}
	if (protect_pieces(port, va, pages, prot) != 0) {
		protect_as_before(port, va, pages);
		return Z_ERR_NOMEM;
	}
	zl_table_protect(&port->table, first, pages, prot);
	return 0;
}

struct z_entry zl_op_entry(void *ctx, uintptr_t va)
{
	const struct zl_port *port = ctx;

	return zl_pt_entry(zl_table_entry(&port->table, zl_page_of(port, va)));
}

int zl_op_prepare(void *ctx, uintptr_t va, size_t pages)
{
	struct zl_port *port = ctx;

	return zl_table_prepare(&port->table, zl_page_of(port, va), pages);
}

size_t zl_op_untouched(void *ctx, uintptr_t va, size_t pages)
{
	const struct zl_port *port = ctx;

	return zl_table_untouched(&port->table, zl_page_of(port, va), pages);
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

static void now_writable(struct zl_port *port, uintptr_t va)
{
	uint64_t *e = zl_pt_at(port, va);

	if ((*e & ZL_PT_WP) != 0) {
		*e &= ~ZL_PT_WP;
		zl_huge_gain(port, va);
	}
}

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
			now_writable(port, va);
			return;
		}
	}
	if (zl_uffd_copy(port->uffd, va, zeros, false) == 0) {
		*e |= ZL_PT_DIRTY;
		now_writable(port, va);
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
