/* SPDX-License-Identifier: Apache-2.0 */
/*
 * staging.c - how pages come in by UFFDIO_COPY: staging pages, place() and attach() of "copy".
 *
 * Theory. A store fills a staging page, and the kernel copies from there. The lowest free one is
 * taken, because it is warm, and because pages that are filled together then lie beside each other:
 * neighbours of the window whose staging pages are neighbours too come in with one call. If it stops
 * on the way, what is left comes in page by page, which knows what to do about each.
 *
 * Locks: staging pages are taken and given with atomics alone, and pages are placed without a lock; attach
 * with the pager lock held.
 */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#include "port.h"
#include "uffd.h"

#define SLOT_PLACED (UINT64_C(1) << 63) /* in slot_frame: the page is in the window already */

static uint64_t frame_key(z_phys_t phys)
{
	return phys.v / Z_PAGE_SIZE + 1;
}

char *zl_slot_take(struct zl_port *port, z_phys_t phys)
{
	uint64_t all = port->nslots == 64 ? ~UINT64_C(0) : (UINT64_C(1) << port->nslots) - 1;
	uint64_t used = atomic_load_explicit(&port->slots_used, memory_order_relaxed);

	for (;;) {
		uint64_t free = ~used & all;
		if (free == 0) {
			/* The core has broken its promise of scratch_slots: wait, never NULL. */
			sched_yield();
			used = atomic_load_explicit(&port->slots_used, memory_order_relaxed);
			continue;
		}
		int i = __builtin_ctzll(free);
		if (atomic_compare_exchange_weak_explicit(
			    &port->slots_used, &used, used | (UINT64_C(1) << i),
			    memory_order_acquire, memory_order_relaxed)) {
			atomic_store_explicit(&port->slot_frame[i], frame_key(phys),
					      memory_order_relaxed);
			return port->slots + (size_t)i * Z_PAGE_SIZE;
		}
	}
}

void zl_slot_give(struct zl_port *port, const char *slot)
{
	size_t i = (size_t)(slot - port->slots) / Z_PAGE_SIZE;

	atomic_store_explicit(&port->slot_frame[i], 0, memory_order_relaxed);
	atomic_fetch_and_explicit(&port->slots_used, ~(UINT64_C(1) << i), memory_order_release);
}

/* The staging page of this frame; nslots if there is none. */
static uint32_t slot_find(const struct zl_port *port, z_phys_t phys)
{
	uint32_t i = 0;

	while (i < port->nslots &&
	       (atomic_load_explicit(&port->slot_frame[i], memory_order_relaxed) & ~SLOT_PLACED) !=
		       frame_key(phys)) {
		i++;
	}
	return i;
}

static bool is_placed(const struct zl_port *port, uint32_t slot)
{
	return (atomic_load_explicit(&port->slot_frame[slot], memory_order_relaxed) &
		SLOT_PLACED) != 0;
}

static void set_placed(struct zl_port *port, uint32_t slot)
{
	atomic_fetch_or_explicit(&port->slot_frame[slot], SLOT_PLACED, memory_order_relaxed);
}

static const char *slot_page(const struct zl_port *port, uint32_t slot)
{
	return port->slots + (size_t)slot * Z_PAGE_SIZE;
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
	set_placed(port, slot);
	return 0;
}

/* How many of the ops are neighbours in the window whose staging pages are neighbours from slot on. */
static uint32_t run_length(const struct zl_port *port, const struct z_page_op *ops, size_t n,
			   uint32_t slot)
{
	uint32_t length = 1;

	while (length < n && slot + length < port->nslots &&
	       ops[length].va == ops[0].va + length * Z_PAGE_SIZE &&
	       atomic_load_explicit(&port->slot_frame[slot + length], memory_order_relaxed) ==
		       frame_key(ops[length].phys)) {
		length++;
	}
	return length;
}

/* Some of the ops, the first at least; its status may be an error. Returns how many. */
static size_t place_some(struct zl_port *port, struct z_page_op *ops, size_t n, bool protect)
{
	uint32_t slot = slot_find(port, ops[0].phys);
	size_t done = 0;

	if (slot == port->nslots) {
		ops[0].status = Z_ERR_AGAIN;
		return 1;
	}
	uint32_t run = run_length(port, ops, n, slot);
	if (run > 1) {
		done = zl_uffd_copy_run(port->uffd, ops[0].va, slot_page(port, slot), run, protect);
	}
	for (uint32_t i = 0; i < done; i++) {
		set_placed(port, slot + i);
		ops[i].status = 0;
	}
	if (done > 0) {
		return done;
	}
	ops[0].status = place_one(port, &ops[0], slot, protect);
	return 1;
}

size_t zl_copy_place(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as)
{
	size_t failed = 0;
	size_t some;

	for (size_t i = 0; i < n; i += some) {
		some = place_some(ctx, ops + i, n - i, as == Z_ATTACH_CLEAN);
		failed += ops[i].status != 0;
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

static int attach_one(struct zl_port *port, struct z_page_op *op, bool clean)
{
	uint64_t *e = zl_pt_at(port, op->va);

	if ((*e & ZL_PT_LOBBY) != 0) {
		/* A page-out is undone. */
		if (zl_lobby_return(port, zl_pt_place(*e), op->va) != 0) {
			return Z_ERR_NOMEM;
		}
		attached(port, op, false);
	} else if ((*e & ZL_PT_PRESENT) == 0) {
		uint32_t slot = slot_find(port, op->phys);
		if (slot == port->nslots) {
			return Z_ERR_AGAIN;
		}
		int error = is_placed(port, slot) ? 0 : place_one(port, op, slot, clean);
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
	size_t failed = 0;

	for (size_t i = 0; i < n; i++) {
		ops[i].status = attach_one(ctx, &ops[i], as == Z_ATTACH_CLEAN);
		failed += ops[i].status != 0;
	}
	return failed;
}
