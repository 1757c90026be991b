/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mech_move.c - UFFDIO_MOVE: page frame i is the page at pool + i, and moves to the program's
 * address and back without being copied.
 *
 * Theory. Taking a page out is atomic, whoever writes to it, and a page that a device is writing to
 * is refused (EBUSY) instead of lost. A frame is filled and saved at its own place in the pool, so
 * there is no staging and no limit on scratch but a formal one. The price: no page arrives
 * write-protected, so every page counts as dirty, and each single move is a shoot-down.
 *
 * The pool is registered for write protection only (a destination has to be registered): so its
 * absent pages are the kernel's business, which gives a zero page at the first write. A frame keeps
 * its RAM when its page has left, for the next page; so the RAM in use can pass the frames in
 * service when some were retired. touched counts the frames that have RAM, and release() gives
 * RAM back while touched is above in_service.
 *
 * Answers of UFFDIO_MOVE: EBUSY pinned, or shared with a forked child: the page stays, Z_ERR_BUSY.
 * EAGAIN, also with a partial count: goes on where it stopped (zl_uffd_move). EEXIST: the place is
 * taken: going in, something that is not the page, dropped once and tried again; going out, a frame
 * that has RAM although its page is in the window: cannot be, but is answered the same way. ENOENT:
 * the program dropped the page behind our back (MADV_DONTNEED): it becomes a page of zeros.
 * EINVAL: other permissions, or mlock: going in, the page is copied; going out, it stays, BUSY.
 *
 * Locks: as arch.h says; the bitmap is written under the lock and by scratch(), hence atomic.
 * Limits: no forked child may share the pages (fork.c refuses); read-only pages cannot leave.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "port.h"

#define MOVE_SCRATCH_SLOTS 64

size_t zl_move_bitmap_bytes(uint32_t nframes)
{
	return ((size_t)nframes + 63) / 64 * sizeof(uint64_t);
}

int zl_move_open(struct zl_port *port)
{
	port->ops = zl_move_ops;
	atomic_store_explicit(&port->in_service, port->nframes, memory_order_relaxed);
	port->pool = zl_pages_alloc(port->nframes * Z_PAGE_SIZE);
	port->pool_touched = zl_pages_alloc(zl_move_bitmap_bytes(port->nframes));
	if (port->pool == NULL || port->pool_touched == NULL) {
		return Z_ERR_NOMEM;
	}
	return madvise(port->pool, port->nframes * Z_PAGE_SIZE, MADV_DONTFORK) == 0 ? 0
										    : Z_ERR_NOMEM;
}

static uintptr_t pool_page(const struct zl_port *port, z_phys_t phys)
{
	return (uintptr_t)port->pool + phys.v;
}

/* Mark the frame as having RAM or not; true if that is news. */
static bool mark(struct zl_port *port, z_phys_t phys, bool touched)
{
	uintptr_t i = phys.v / Z_PAGE_SIZE;
	uint64_t bit = UINT64_C(1) << (i % 64);
	uint64_t old =
		touched ? __atomic_fetch_or(&port->pool_touched[i / 64], bit, __ATOMIC_RELAXED)
			: __atomic_fetch_and(&port->pool_touched[i / 64], ~bit, __ATOMIC_RELAXED);

	if (((old & bit) != 0) == touched) {
		return false;
	}
	if (touched) {
		atomic_fetch_add_explicit(&port->touched, 1, memory_order_relaxed);
	} else {
		atomic_fetch_sub_explicit(&port->touched, 1, memory_order_relaxed);
	}
	return true;
}

static void *move_scratch(void *ctx, uintptr_t va, z_phys_t phys, enum z_scratch_use use)
{
	struct zl_port *port = ctx;
	volatile char *page = (volatile char *)pool_page(port, phys);

	(void)va;
	if (use == Z_SCRATCH_FILL && mark(port, phys, true)) {
		/* A read would map the kernel's zero page, which cannot move. */
		*page = 0;
	}
	return (void *)page;
}

static void move_scratch_done(void *ctx, uintptr_t va, z_phys_t phys, void *mapping,
			      enum z_scratch_use use)
{
	(void)ctx;
	(void)va;
	(void)phys;
	(void)mapping;
	(void)use;
}

/* Where the window is not writable, or locked, a page cannot move in: it is copied. */
static int copy_in(struct zl_port *port, const struct z_page_op *op)
{
	uintptr_t frame = pool_page(port, op->phys);

	if (zl_uffd_copy(port->uffd, op->va, (const void *)frame, false) != 0) {
		return Z_ERR_NOMEM;
	}
	(void)madvise((void *)frame, Z_PAGE_SIZE, MADV_DONTNEED);
	return 0;
}

static int move_in(struct zl_port *port, const struct z_page_op *op)
{
	size_t moved;
	int error =
		zl_uffd_move(port->uffd, op->va, pool_page(port, op->phys), Z_PAGE_SIZE, &moved);

	if (error == -EEXIST) {
		(void)madvise((void *)op->va, Z_PAGE_SIZE, MADV_DONTNEED);
		error = zl_uffd_move(port->uffd, op->va, pool_page(port, op->phys), Z_PAGE_SIZE,
				     &moved);
	}
	switch (error) {
	case 0:
		return 0;
	case -EINVAL:
		return copy_in(port, op);
	case -EBUSY:
		return Z_ERR_BUSY;
	case -EAGAIN:
		return Z_ERR_AGAIN;
	default:
		return Z_ERR_NOMEM;
	}
}

static size_t move_attach(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as)
{
	struct zl_port *port = ctx;
	size_t failed = 0;

	(void)as;
	for (size_t i = 0; i < n; i++) {
		uint64_t *e = zl_pt_at(port, ops[i].va);
		ops[i].status = move_in(port, &ops[i]);
		if (ops[i].status == 0) {
			*e = zl_pt_make(Z_ENTRY_IN, *e, ops[i].phys.v) | ZL_PT_PRESENT |
			     ZL_PT_DIRTY;
		} else {
			failed++;
		}
	}
	return failed;
}

/* The program dropped the page itself: zeros in the frame are what it would have found. */
static int put_zeros(struct zl_port *port, z_phys_t phys)
{
	memset((void *)pool_page(port, phys), 0, Z_PAGE_SIZE);
	return 0;
}

static int move_out(struct zl_port *port, uintptr_t va, z_phys_t phys)
{
	uintptr_t frame = pool_page(port, phys);
	size_t moved;
	int error = zl_uffd_move(port->uffd, frame, va, Z_PAGE_SIZE, &moved);

	if (error == -EEXIST) {
		(void)madvise((void *)frame, Z_PAGE_SIZE, MADV_DONTNEED);
		error = zl_uffd_move(port->uffd, frame, va, Z_PAGE_SIZE, &moved);
	}
	if (error == -ENOENT) {
		return put_zeros(port, phys);
	}
	return error == 0 ? 0 : Z_ERR_BUSY;
}

/* Neighbours in the window that lie in neighbouring frames, so that one move takes them all. */
static size_t move_run(struct zl_port *port, const struct z_page_op *ops, const uint8_t *order,
		       size_t n)
{
	size_t length = 1;
	size_t moved = 0;

	while (length < n && ops[order[length]].va == ops[order[0]].va + length * Z_PAGE_SIZE &&
	       ops[order[length]].phys.v == ops[order[0]].phys.v + length * Z_PAGE_SIZE) {
		length++;
	}
	if (length > 1) {
		(void)zl_uffd_move(port->uffd, pool_page(port, ops[order[0]].phys),
				   ops[order[0]].va, length * Z_PAGE_SIZE, &moved);
	}
	return moved / Z_PAGE_SIZE;
}

static size_t detach_batch(struct zl_port *port, struct z_page_op *ops, size_t n)
{
	uint8_t order[Z_BATCH_MAX];
	size_t failed = 0;

	zl_sort_ops(ops, n, order);
	for (size_t i = 0; i < n;) {
		size_t run = move_run(port, ops, order + i, n - i);
		for (size_t end = i + (run > 0 ? run : 1); i < end; i++) {
			struct z_page_op *op = &ops[order[i]];
			uint64_t *e = zl_pt_at(port, op->va);
			op->status = run > 0 ? 0 : move_out(port, op->va, op->phys);
			if (op->status != 0) {
				failed++;
				continue;
			}
			op->dirty = true;
			*e = zl_pt_make(Z_ENTRY_HELD, *e, op->phys.v);
		}
	}
	return failed;
}

static void move_unmap(void *ctx, uintptr_t va, size_t pages)
{
	struct zl_port *port = ctx;
	const uint64_t *e = zl_pt_at(port, va);

	for (size_t i = 0; i < pages; i++) {
		if (zl_pt_kind(e[i]) == Z_ENTRY_IN) {
			(void)mark(port, z_phys(e[i] & ZL_PT_NUMBER), false);
		}
	}
	zl_op_unmap(ctx, va, pages);
}

static size_t move_detach(void *ctx, struct z_page_op *ops, size_t n)
{
	size_t failed = 0;

	for (size_t done = 0; done < n; done += Z_BATCH_MAX) {
		size_t part = n - done < Z_BATCH_MAX ? n - done : Z_BATCH_MAX;
		failed += detach_batch(ctx, ops + done, part);
	}
	return failed;
}

static bool too_many(struct zl_port *port)
{
	return atomic_load_explicit(&port->touched, memory_order_relaxed) >
	       atomic_load_explicit(&port->in_service, memory_order_relaxed);
}

static void move_release(void *ctx, struct z_page_op *ops, size_t n)
{
	struct zl_port *port = ctx;
	struct zl_drop drop = {.n = 0};

	for (size_t i = 0; i < n; i++) {
		uint64_t *e = zl_pt_at(port, ops[i].va);
		struct z_entry old = zl_pt_entry(*e);
		*e = ops[i].untouched ? zl_pt_make(Z_ENTRY_UNTOUCHED, *e, 0)
				      : zl_pt_make(Z_ENTRY_OUT, *e, ops[i].loc.v);
		if (old.kind == Z_ENTRY_HELD && too_many(port) && mark(port, old.phys, false)) {
			zl_drop_add(port, &drop, pool_page(port, old.phys));
		}
	}
	zl_drop_now(port, &drop);
}

const struct z_arch_ops zl_move_ops = {
	.name = "linux-move",
	.caps = Z_ARCH_DIRECT_SAVE,
	.scratch_slots = MOVE_SCRATCH_SLOTS,
	.map = zl_op_map,
	.unmap = move_unmap,
	.protect = zl_op_protect,
	.entry = zl_op_entry,
	.info = zl_op_info,
	.hold = zl_op_hold,
	.attach = move_attach,
	.detach = move_detach,
	.release = move_release,
	.scratch = move_scratch,
	.scratch_done = move_scratch_done,
	.touch = zl_op_touch,
};
