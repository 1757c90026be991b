/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mech_move.c - UFFDIO_MOVE: page frame i is the page at pool + i, and moves to the program's
 * address and back without being copied.
 *
 * Theory. Taking a page out is atomic, whoever writes to it, and a page that a device is writing to
 * is refused (EBUSY) instead of lost. A frame is filled and saved at its own place in the pool, so
 * there is no limit on scratch but a formal one. The price is a shoot-down for each single move.
 *
 * A moved page cannot arrive write-protected, and to protect it afterwards would be too late. So a
 * page that counts as just read is copied in, protected, and its place in the pool is surplus: one
 * call drops the RAM of a batch of them. Only a page that counts as written is moved in.
 *
 * The pool is registered for write protection only (a destination has to be registered): so its
 * absent pages are the kernel's business, which gives a zero page at the first write. A frame keeps
 * its RAM when its page has left, for the next page; so the RAM in use can pass the frames in
 * service when some were retired. touched counts the frames that have RAM, and release() gives
 * RAM back while touched is above in_service.
 *
 * Answers of UFFDIO_MOVE: EBUSY pinned, or shared with a forked child: the page stays, Z_ERR_BUSY.
 * EAGAIN, also with a partial count: goes on where it stopped (zl_uffd_move). EEXIST: the place is
 * taken: going in, something that is not the page, dropped once and tried again; going out, a place
 * that has RAM although its page is in the window: surplus, dropped and tried again. ENOENT:
 * the program dropped the page behind our back (MADV_DONTNEED): it becomes a page of zeros.
 * EINVAL: other permissions than the pool's, or mlock: the page is copied.
 *
 * Locks: as arch.h says; the bitmap is written under the lock and by scratch(), hence atomic.
 * Limits: no forked child may share the pages (choose_mechanism() refuses).
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
	port->surplus = zl_pages_alloc(zl_move_bitmap_bytes(port->nframes));
	if (port->pool == NULL || port->pool_touched == NULL || port->surplus == NULL) {
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

/* ---- coming in ----------------------------------------------------------------------------- */

/* Was the frame's place in the pool surplus? It is not any more. */
static bool take_surplus(struct zl_port *port, z_phys_t phys)
{
	uintptr_t i = phys.v / Z_PAGE_SIZE;
	uint64_t bit = UINT64_C(1) << (i % 64);
	bool was = (port->surplus[i / 64] & bit) != 0;

	port->surplus[i / 64] &= ~bit;
	return was;
}

static void drop_surplus(struct zl_port *port)
{
	zl_drop_begin(port);
	for (uint32_t i = 0; i < port->nsurplus; i++) {
		if (take_surplus(port, port->surplus_list[i])) {
			zl_drop_add(port, pool_page(port, port->surplus_list[i]));
		}
	}
	zl_drop_now(port);
	port->nsurplus = 0;
}

static void add_surplus(struct zl_port *port, z_phys_t phys)
{
	uintptr_t i = phys.v / Z_PAGE_SIZE;

	port->surplus[i / 64] |= UINT64_C(1) << (i % 64);
	port->surplus_list[port->nsurplus++] = phys;
	if (port->nsurplus >= zl_port_slots(port->nframes)) {
		drop_surplus(port);
	}
}

/* A frame that is to be filled: what lies in its place is overwritten, not dropped. */
static void move_hold(void *ctx, uintptr_t va, z_phys_t phys)
{
	(void)take_surplus(ctx, phys);
	zl_op_hold(ctx, va, phys);
}

static int copy_in(struct zl_port *port, const struct z_page_op *op, bool protect)
{
	const void *frame = (const void *)pool_page(port, op->phys);
	int error = zl_uffd_copy(port->uffd, op->va, frame, protect);

	if (error == -EEXIST) {
		(void)madvise((void *)op->va, Z_PAGE_SIZE, MADV_DONTNEED);
		error = zl_uffd_copy(port->uffd, op->va, frame, protect);
	}
	if (error != 0) {
		return error == -EAGAIN ? Z_ERR_AGAIN : Z_ERR_NOMEM;
	}
	add_surplus(port, op->phys);
	return 0;
}

/* Where the window is not writable, or locked, a page cannot move in: it is copied. */
static int move_in(struct zl_port *port, const struct z_page_op *op)
{
	size_t moved;

	if (zl_uffd_move(port->uffd, op->va, pool_page(port, op->phys), Z_PAGE_SIZE, &moved) == 0) {
		return 0;
	}
	return copy_in(port, op, false);
}

static size_t move_attach(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as)
{
	struct zl_port *port = ctx;
	bool clean = as == Z_ATTACH_CLEAN;
	uint64_t bits = ZL_PT_PRESENT | (clean ? ZL_PT_WP : ZL_PT_DIRTY);
	size_t failed = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t *e = zl_pt_at(port, ops[i].va);
		ops[i].status = clean ? copy_in(port, &ops[i], true) : move_in(port, &ops[i]);
		if (ops[i].status == 0) {
			*e = zl_pt_make(Z_ENTRY_IN, *e, ops[i].phys.v) | bits;
		} else {
			failed++;
		}
	}
	return failed;
}

/* ---- going out ----------------------------------------------------------------------------- */

/* The program dropped the page itself: zeros in the frame are what it would have found. */
static int put_zeros(struct zl_port *port, z_phys_t phys)
{
	memset((void *)pool_page(port, phys), 0, Z_PAGE_SIZE);
	return 0;
}

/* What may not be written, or is locked, cannot move: it is protected, copied and dropped. */
static int copy_out(struct zl_port *port, uintptr_t va, z_phys_t phys)
{
	void *frame = (void *)pool_page(port, phys);

	if (port->mem_fd < 0 || zl_uffd_protect(port->uffd, va, Z_PAGE_SIZE, true) != 0) {
		return Z_ERR_BUSY;
	}
	(void)take_surplus(port, phys);
	if (pread(port->mem_fd, frame, Z_PAGE_SIZE, (off_t)va) != (ssize_t)Z_PAGE_SIZE ||
	    madvise((void *)va, Z_PAGE_SIZE, MADV_DONTNEED) != 0) {
		*zl_pt_at(port, va) |= ZL_PT_WP;
		return Z_ERR_BUSY;
	}
	return 0;
}

static int move_out(struct zl_port *port, uintptr_t va, z_phys_t phys)
{
	uintptr_t frame = pool_page(port, phys);
	size_t moved;
	int error = zl_uffd_move(port->uffd, frame, va, Z_PAGE_SIZE, &moved);

	if (error == -EEXIST) {
		(void)take_surplus(port, phys);
		(void)madvise((void *)frame, Z_PAGE_SIZE, MADV_DONTNEED);
		error = zl_uffd_move(port->uffd, frame, va, Z_PAGE_SIZE, &moved);
	}
	if (error == -ENOENT) {
		return put_zeros(port, phys);
	}
	if (error == -EINVAL) {
		return copy_out(port, va, phys);
	}
	return error == 0 ? 0 : Z_ERR_BUSY;
}

/* Neighbours in the window that lie in neighbouring frames, so that one move takes them all. */
static size_t move_run(struct zl_port *port, const struct z_page_op *ops, const uint16_t *order,
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
	const uint16_t *order = port->order;
	size_t failed = 0;

	zl_sort_ops(port, ops, n);
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
			op->dirty = (*e & ZL_PT_DIRTY) != 0;
			*e = zl_pt_make(Z_ENTRY_HELD, *e, op->phys.v);
		}
	}
	return failed;
}

static void move_unmap(void *ctx, uintptr_t va, size_t pages)
{
	struct zl_port *port = ctx;
	size_t first = zl_page_of(port, va);

	for (size_t i = 0; i < pages; i++) {
		uint64_t e = zl_table_entry(&port->table, first + i);

		if (zl_pt_kind(e) == Z_ENTRY_IN) {
			(void)mark(port, z_phys(e & ZL_PT_FRAME), false);
		} else if (zl_pt_kind(e) == Z_ENTRY_UNTOUCHED && i + 1 < pages) {
			i += zl_table_untouched(&port->table, first + i + 1, pages - i - 1);
		}
	}
	zl_op_unmap(ctx, va, pages);
}

static size_t move_detach(void *ctx, struct z_page_op *ops, size_t n)
{
	struct zl_port *port = ctx;
	size_t failed = 0;

	for (size_t done = 0; done < n; done += port->batch) {
		size_t part = n - done < port->batch ? n - done : port->batch;
		failed += detach_batch(port, ops + done, part);
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

	zl_drop_begin(port);
	for (size_t i = 0; i < n; i++) {
		uint64_t *e = zl_pt_at(port, ops[i].va);
		struct z_entry old = zl_pt_entry(*e);
		*e = ops[i].untouched ? zl_pt_make(Z_ENTRY_UNTOUCHED, *e, 0)
				      : zl_pt_make(Z_ENTRY_OUT, *e, ops[i].loc.v);
		if (old.kind == Z_ENTRY_HELD && too_many(port) && mark(port, old.phys, false)) {
			zl_drop_add(port, pool_page(port, old.phys));
		}
	}
	zl_drop_now(port);
}

void zl_move_trim(struct zl_port *port, const struct z_page_frame *frames)
{
	zl_drop_begin(port);
	for (uint32_t i = 0; i < port->nframes && port->pool != NULL; i++) {
		z_phys_t phys = z_phys(i * Z_PAGE_SIZE);
		if (z_page_frame_is_reserved(&frames[i]) && mark(port, phys, false)) {
			zl_drop_add(port, pool_page(port, phys));
		}
	}
	zl_drop_now(port);
}

const struct z_arch_ops zl_move_ops = {
	.name = "linux-move",
	.caps = Z_ARCH_DIRECT_SAVE | Z_ARCH_DIRTY_FAULTS,
	.scratch_slots = MOVE_SCRATCH_SLOTS,
	.map = zl_op_map,
	.unmap = move_unmap,
	.protect = zl_op_protect,
	.entry = zl_op_entry,
	.info = zl_op_info,
	.hold = move_hold,
	.attach = move_attach,
	.detach = move_detach,
	.release = move_release,
	.scratch = move_scratch,
	.scratch_done = move_scratch_done,
	.touch = zl_op_touch,
	.prepare = zl_op_prepare,
	.untouched = zl_op_untouched,
};
