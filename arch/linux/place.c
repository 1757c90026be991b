/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - how pages come in from staging pages (staging.c): place() and attach() of "copy".
 *
 * Theory. Neighbours of the window whose staging pages are neighbours too come in with one call of UFFDIO_COPY. If
 * it stops on the way, what is left comes in page by page, which knows what to do about each.
 *
 * "copy-recycle" moves a long run with its RAM instead, which spares the copy and a page of the kernel's for each.
 * A moved page can be written at once. That is right for pages that count as written. One that counts as just
 * read has to be protected before anybody can write to it, which is sure where the caller is alone.
 *
 * Locks: pages are placed without a lock; attach with the pager lock held.
 */
#include <errno.h>
#include <sys/mman.h>

#include "port.h"
#include "uffd.h"

/* So long a run is moved: one shoot-down is shared by its pages. With other threads running it costs more. */
#define RUN_ALONE  8U
#define RUN_OTHERS 32U

bool zl_worth_moving(const struct zl_port *port, size_t pages, bool alone)
{
	return port->staging.recycles && pages >= (alone ? RUN_ALONE : RUN_OTHERS);
}

static const char *slot_page(const struct zl_port *port, uint32_t slot)
{
	return port->staging.pages + (size_t)slot * Z_PAGE_SIZE;
}

/* ---- place: what takes time, without the lock ---------------------------------------------- */

/* What UFFDIO_COPY may answer, in the words of attach(). */
static int attach_status(int error)
{
	switch (error) {
	case -EAGAIN:
		return Z_ERR_AGAIN;
	case -EBUSY:
		return Z_ERR_BUSY;
	default:
		return Z_ERR_NOMEM;
	}
}

static int place_one(struct zl_port *port, const struct z_page_op *op, uint32_t slot, bool protect)
{
	int error = zl_uffd_copy(port->uffd, op->va, slot_page(port, slot), protect);

	if (error == -EEXIST) {
		/* Not by us: HELD and absent is ours alone. Whatever it is, it is not the page. */
		(void)madvise((void *)op->va, Z_PAGE_SIZE, MADV_DONTNEED);
		error = zl_uffd_copy(port->uffd, op->va, slot_page(port, slot), protect);
	}
	if (error != 0) {
		return attach_status(error);
	}
	zl_slot_set_placed(port, slot);
	zl_staging_came(port, 1);
	return 0;
}

/* How many of the ops are neighbours in the window whose staging pages are neighbours from slot on. */
static size_t run_length(const struct zl_port *port, const struct z_page_op *ops, size_t n,
			 uint32_t slot)
{
	size_t length = 1;

	while (length < n && slot + length < port->staging.n &&
	       ops[length].va == ops[0].va + length * Z_PAGE_SIZE &&
	       zl_slot_is_of(port, slot + (uint32_t)length, ops[length].phys)) {
		length++;
	}
	return length;
}

/*
 * Pages of a run with their RAM, as many as the kernel takes. A page cannot arrive protected this way, and
 * protecting it afterwards is in time only if nobody else runs. Z_ERR_AGAIN: they are gone, read them again.
 */
static size_t move_run(struct zl_port *port, uintptr_t va, uint32_t slot, size_t run, bool protect,
		       int *status_out)
{
	size_t bytes;

	*status_out = 0;
	(void)zl_uffd_move(port->uffd, va, (uintptr_t)slot_page(port, slot), run * Z_PAGE_SIZE,
			   &bytes);
	zl_staging_left(port, slot, bytes / Z_PAGE_SIZE);
	if (bytes > 0 && protect && zl_uffd_protect(port->uffd, va, bytes, true) != 0) {
		(void)madvise((void *)va, bytes, MADV_DONTNEED);
		*status_out = Z_ERR_AGAIN;
	}
	return bytes / Z_PAGE_SIZE;
}

static size_t place_run(struct zl_port *port, uintptr_t va, uint32_t slot, size_t run, bool protect,
			int *status_out)
{
	bool alone = zl_worth_moving(port, run, true) && zl_alone(port);
	size_t done = 0;

	*status_out = 0;
	if (alone || (!protect && zl_worth_moving(port, run, false))) {
		done = move_run(port, va, slot, run, protect, status_out);
	}
	if (done == 0) {
		done = zl_uffd_copy_run(port->uffd, va, slot_page(port, slot), run, protect);
		zl_staging_came(port, done);
	}
	return done;
}

/* Some of the ops, the first at least; its status may be an error. Returns how many. */
static size_t place_some(struct zl_port *port, struct z_page_op *ops, size_t n, bool protect,
			 uint32_t *slot_inout)
{
	uint32_t slot = zl_slot_find(port, ops[0].phys, *slot_inout);
	size_t done = 0;
	int status = 0;

	if (slot == port->staging.n) {
		ops[0].status = Z_ERR_AGAIN;
		return 1;
	}
	size_t run = run_length(port, ops, n, slot);
	if (run > 1) {
		done = place_run(port, ops[0].va, slot, run, protect, &status);
	}
	for (size_t i = 0; i < done; i++) {
		ops[i].status = status;
		if (status == 0) {
			zl_slot_set_placed(port, slot + (uint32_t)i);
		}
	}
	if (done == 0) {
		ops[0].status = place_one(port, &ops[0], slot, protect);
		done = 1;
	}
	*slot_inout = slot + (uint32_t)done;
	return done;
}

size_t zl_copy_place(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as)
{
	uint32_t slot = 0;
	size_t failed = 0;
	size_t some;

	for (size_t i = 0; i < n; i += some) {
		some = place_some(ctx, ops + i, n - i, as == Z_ATTACH_CLEAN, &slot);
		failed += ops[i].status != 0 ? some : 0;
	}
	return failed;
}

/* ---- attach ------------------------------------------------------------------------------- */

static void attached(struct zl_port *port, struct z_page_op *op, bool clean)
{
	uint64_t *e = zl_pt_at(port, op->va);
	uint64_t bits = ZL_PT_PRESENT | (clean ? ZL_PT_WP : ZL_PT_DIRTY);

	*e = zl_pt_make(Z_ENTRY_IN, *e, op->phys.v) | bits;
	op->status = 0;
}

static int attach_one(struct zl_port *port, struct z_page_op *op, bool clean, uint32_t *slot_inout)
{
	uint64_t *e = zl_pt_at(port, op->va);

	if ((*e & ZL_PT_LOBBY) != 0) {
		/* A page-out is undone. */
		if (zl_lobby_return(port, zl_pt_place(*e), op->va) != 0) {
			return Z_ERR_NOMEM;
		}
		attached(port, op, false);
	} else if ((*e & ZL_PT_PRESENT) == 0) {
		uint32_t slot = zl_slot_find(port, op->phys, *slot_inout);
		if (slot == port->staging.n) {
			return Z_ERR_AGAIN;
		}
		*slot_inout = slot + 1;
		int error = zl_slot_is_placed(port, slot) ? 0 : place_one(port, op, slot, clean);
		if (error != 0) {
			return error;
		}
		attached(port, op, clean);
	} else {
		bool still = !clean && zl_uffd_protect(port->uffd, op->va, Z_PAGE_SIZE, false) != 0;
		attached(port, op, clean);
		if (still) {
			/* The first write will be reported and lift it. */
			*e |= ZL_PT_WP;
		}
	}
	return 0;
}

size_t zl_copy_attach(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as)
{
	uint32_t slot = 0;
	size_t failed = 0;

	for (size_t i = 0; i < n; i++) {
		ops[i].status = attach_one(ctx, &ops[i], as == Z_ATTACH_CLEAN, &slot);
		failed += ops[i].status != 0;
		if (ops[i].status == 0 && zl_pt_is_writable(*zl_pt_at(ctx, ops[i].va))) {
			zl_huge_gain(ctx, ops[i].va);
		}
	}
	return failed;
}
