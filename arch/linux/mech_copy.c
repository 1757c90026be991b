/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mech_copy.c - pages come in by UFFDIO_COPY from a staging page (staging.c) and leave by
 * write-protection and MADV_DONTNEED; page frames are only counted.
 *
 * Theory. Filling by COPY adds a mapping and so needs no shoot-down, the dearest thing when several
 * threads run. A page attached as just read arrives write-protected: its first write is reported
 * and sets DIRTY; while it stays clean, leaving needs neither protection nor a write. A dirty page
 * leaves in three steps: detach protects it (protect.c), the store reads it where it
 * lies, release drops the RAM of a whole batch with one shoot-down. A write to a protected page is
 * reported, and waits in the core until the page is out, or is back. With a lobby (lobby.c) a dirty
 * page is not protected but moved there; clean ones, which are protected, stay where they are.
 *
 * "copy-recycle" is the same with runs of pages moved instead, in (place.c) and out (here, staging.c).
 *
 * scratch: FILL gives a staging page. SAVE gives the page itself, unless the program may not read
 * it: then a new page with a copy read through /proc/self/mem.
 *
 * Locks: as arch.h says; scratch and scratch_done use atomics only.
 * Limits: without a lobby, a device that writes by DMA into a page that is leaving (O_DIRECT reads,
 * io_uring's registered buffers) writes to a page that is dropped: pin such buffers.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "port.h"

static bool may_read(uint64_t e)
{
	return (zl_pt_prot(e) & Z_ACCESS_READ) != 0;
}

static void *copy_scratch(void *ctx, uintptr_t va, z_phys_t phys, enum z_scratch_use use)
{
	struct zl_port *port = ctx;

	if (use == Z_SCRATCH_FILL) {
		return zl_slot_take(port, phys);
	}
	uint64_t e = __atomic_load_n(zl_pt_at(port, va), __ATOMIC_RELAXED);
	if ((e & ZL_PT_LOBBY) != 0) {
		return zl_lobby_page(port, zl_pt_place(e));
	}
	if (may_read(e)) {
		return (void *)va;
	}
	char *slot = zl_pages_alloc(Z_PAGE_SIZE);
	if (slot == NULL ||
	    pread(port->mem_fd, slot, Z_PAGE_SIZE, (off_t)va) != (ssize_t)Z_PAGE_SIZE) {
		/* detach() only lets such pages go where this was seen to work. */
		__builtin_trap();
	}
	return slot;
}

static void copy_scratch_done(void *ctx, uintptr_t va, z_phys_t phys, void *mapping,
			      enum z_scratch_use use)
{
	struct zl_port *port = ctx;
	size_t at = (size_t)((uintptr_t)mapping - (uintptr_t)port->lobby);
	bool in_lobby = port->lobby != NULL && at < ZL_LOBBY_PAGES * Z_PAGE_SIZE;

	(void)phys;
	if (use == Z_SCRATCH_FILL) {
		zl_slot_give(port, mapping);
	} else if ((uintptr_t)mapping != va && !in_lobby) {
		munmap(mapping, Z_PAGE_SIZE);
	}
}

/* ---- leaving ------------------------------------------------------------------------------- */

/* Pages order[0], order[1], ... that are writable and neighbours: how many. */
static size_t run_length(struct zl_port *port, const struct z_page_op *ops, const uint16_t *order,
			 size_t n)
{
	size_t length = 0;

	while (length < n && ops[order[length]].va == ops[order[0]].va + length * Z_PAGE_SIZE &&
	       (*zl_pt_at(port, ops[order[length]].va) & ZL_PT_WP) == 0) {
		length++;
	}
	return length;
}

/* The page is HELD from now on, where bits say that it is. */
static void held(struct zl_port *port, struct z_page_op *op, uint64_t bits)
{
	uint64_t *e = zl_pt_at(port, op->va);

	op->dirty = (*e & ZL_PT_DIRTY) != 0;
	op->status = 0;
	if (zl_pt_is_writable(*e)) {
		zl_huge_lose(port, op->va);
	}
	*e = zl_pt_make(Z_ENTRY_HELD, *e, *e & ZL_PT_FRAME) | bits;
}

/* Hold a page where it lies; it is protected already, or (status) could not be. */
static size_t hold_in_place(struct zl_port *port, struct z_page_op *op, int status)
{
	bool readable = may_read(*zl_pt_at(port, op->va)) || port->mem_fd >= 0;

	op->status = readable ? status : Z_ERR_BUSY;
	if (op->status != 0) {
		return 1;
	}
	held(port, op, ZL_PT_PRESENT | ZL_PT_WP);
	return 0;
}

/* Take the pages of a run, or some of them; *failed_inout counts those that stay. How many. */
static size_t detach_run(struct zl_port *port, struct z_page_op *ops, const uint16_t *order,
			 size_t n, size_t *failed_inout)
{
	uintptr_t va = ops[order[0]].va;
	uint32_t place;
	int error;

	size_t moved = zl_lobby_leave(port, va, n, &place, &error);
	for (size_t i = 0; i < moved; i++) {
		held(port, &ops[order[i]],
		     ZL_PT_LOBBY | (uint64_t)(place + i) << ZL_PT_PLACE_SHIFT);
	}
	if (moved > 0) {
		return moved;
	}
	if (error == -EBUSY || error == -EAGAIN) {
		ops[order[0]].status = Z_ERR_BUSY;
		(*failed_inout)++;
		return 1;
	}
	if (error == -ENOENT) {
		/* The program dropped the page behind our back: zeros are what it wants to find. */
		zl_op_touch(port, va, Z_ACCESS_READ);
	}
	size_t one = zl_protect_some(port, ops, order, 1, &error);
	*failed_inout += hold_in_place(port, &ops[order[0]], error == 0 ? 0 : Z_ERR_BUSY);
	return one;
}

/* Without a lobby all stay where they are. */
static size_t detach_in_place(struct zl_port *port, struct z_page_op *ops, size_t n)
{
	const uint16_t *order = port->order;
	bool alone = zl_alone(port);
	size_t failed = 0;

	for (size_t i = 0; i < n;) {
		size_t end = i + 1;
		int error = 0;

		if (!alone && (*zl_pt_at(port, ops[order[i]].va) & ZL_PT_WP) == 0) {
			end = i + zl_protect_some(port, ops, order + i, n - i, &error);
		}
		for (; i < end; i++) {
			failed += hold_in_place(port, &ops[order[i]], error == 0 ? 0 : Z_ERR_BUSY);
		}
	}
	return failed;
}

static size_t detach_batch(struct zl_port *port, struct z_page_op *ops, size_t n)
{
	const uint16_t *order = port->order;
	size_t failed = 0;

	zl_sort_ops(port, ops, n);
	for (size_t i = 0; i < n; i++) {
		zl_huge_split(port, ops[order[i]].va);
	}
	if (port->lobby == NULL) {
		return detach_in_place(port, ops, n);
	}
	for (size_t i = 0; i < n;) {
		size_t run = run_length(port, ops, order + i, n - i);
		if (run > 0) {
			i += detach_run(port, ops, order + i, run, &failed);
		} else {
			failed += hold_in_place(port, &ops[order[i]], 0);
			i++;
		}
	}
	return failed;
}

static size_t copy_detach(void *ctx, struct z_page_op *ops, size_t n)
{
	struct zl_port *port = ctx;
	size_t failed = 0;

	for (size_t done = 0; done < n; done += port->batch) {
		size_t part = n - done < port->batch ? n - done : port->batch;
		failed += detach_batch(port, ops + done, part);
	}
	return failed;
}

/* The RAM of a page goes, in the window or in the lobby. */
static void vacate_one(struct zl_port *port, uintptr_t va)
{
	uint64_t e = __atomic_load_n(zl_pt_at(port, va), __ATOMIC_RELAXED);

	zl_drop_add(port,
		    (e & ZL_PT_LOBBY) != 0 ? (uintptr_t)zl_lobby_page(port, zl_pt_place(e)) : va);
}

/* Of a run of neighbours, how many are to be kept in staging; the others are to be dropped. */
static size_t keep(struct zl_port *port, uintptr_t va, size_t pages, bool alone)
{
	return zl_worth_moving(port, pages, alone) ? zl_staging_keep(port, va, pages) : 0;
}

static void copy_vacate(void *ctx, const struct z_page_op *ops, size_t n)
{
	struct zl_port *port = ctx;
	bool alone = zl_worth_moving(port, n, true) && zl_alone(port);

	zl_drop_begin(port);
	for (size_t first = 0; first < n;) {
		size_t end = first + 1;

		while (end < n && ops[end].va == ops[end - 1].va + Z_PAGE_SIZE) {
			end++;
		}
		first += keep(port, ops[first].va, end - first, alone);
		for (; first < end; first++) {
			vacate_one(port, ops[first].va);
		}
	}
	zl_drop_now(port);
}

static void copy_release(void *ctx, struct z_page_op *ops, size_t n)
{
	struct zl_port *port = ctx;

	for (size_t i = 0; i < n; i++) {
		uint64_t *e = zl_pt_at(port, ops[i].va);

		if ((*e & ZL_PT_LOBBY) != 0 && zl_pt_kind(*e) == Z_ENTRY_HELD) {
			zl_lobby_free(port, zl_pt_place(*e));
		}
		*e = ops[i].untouched ? zl_pt_make(Z_ENTRY_UNTOUCHED, *e, 0)
				      : zl_pt_make(Z_ENTRY_OUT, *e, ops[i].loc.v);
	}
}

const struct z_arch_ops zl_copy_ops = {
	.name = "linux-copy",
	.caps = Z_ARCH_DIRECT_SAVE | Z_ARCH_DIRTY_FAULTS,
	.scratch_slots = ZL_SLOTS_MAX,
	.map = zl_op_map,
	.unmap = zl_op_unmap,
	.protect = zl_op_protect,
	.entry = zl_op_entry,
	.info = zl_op_info,
	.hold = zl_op_hold,
	.attach = zl_copy_attach,
	.detach = copy_detach,
	.release = copy_release,
	.scratch = copy_scratch,
	.scratch_done = copy_scratch_done,
	.touch = zl_op_touch,
	.place = zl_copy_place,
	.vacate = copy_vacate,
	.prepare = zl_op_prepare,
	.untouched = zl_op_untouched,
};
