/* SPDX-License-Identifier: Apache-2.0 */
/*
 * staging.c - how pages come in by UFFDIO_COPY: staging pages, and the attach() of "copy".
 *
 * Theory. A store fills a staging page, and the kernel copies from there. The lowest free one is
 * taken, because it is warm, and because pages that are filled together then lie beside each other:
 * neighbours of the window whose staging pages are neighbours too come in with one call. If it stops
 * on the way, what is left comes in page by page, which knows what to do about each.
 *
 * Locks: staging pages are taken and given with atomics alone; attach with the pager lock held.
 */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#include "port.h"
#include "uffd.h"

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

static const char *slot_find(struct zl_port *port, z_phys_t phys)
{
	for (uint32_t i = 0; i < port->nslots; i++) {
		uint64_t key = atomic_load_explicit(&port->slot_frame[i], memory_order_relaxed);
		if (key == frame_key(phys)) {
			return port->slots + (size_t)i * Z_PAGE_SIZE;
		}
	}
	return NULL;
}

/* Is this the staging page of the frame? */
static bool slot_is(const struct zl_port *port, const char *slot, z_phys_t phys)
{
	size_t i = (size_t)(slot - port->slots) / Z_PAGE_SIZE;

	return i < port->nslots &&
	       atomic_load_explicit(&port->slot_frame[i], memory_order_relaxed) == frame_key(phys);
}

/* ---- attach ------------------------------------------------------------------------------- */

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

static int attach_absent(struct zl_port *port, const struct z_page_op *op, bool protect)
{
	const char *slot = slot_find(port, op->phys);

	if (slot == NULL) {
		return Z_ERR_AGAIN;
	}
	int error = zl_uffd_copy(port->uffd, op->va, slot, protect);
	if (error == -EEXIST) {
		/* Not by us: HELD and absent is ours alone. Whatever it is, it is not the page. */
		(void)madvise((void *)op->va, Z_PAGE_SIZE, MADV_DONTNEED);
		error = zl_uffd_copy(port->uffd, op->va, slot, protect);
	}
	return error == 0 ? 0 : attach_status(error);
}

static bool is_absent(uint64_t e)
{
	return (e & (ZL_PT_LOBBY | ZL_PT_PRESENT)) == 0;
}

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
		int error = attach_absent(port, op, clean);
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

/* How many of the ops are filled pages, neighbours in the window and in the staging area. */
static size_t run_length(struct zl_port *port, const struct z_page_op *ops, size_t n,
			 const char **slot_out)
{
	size_t length = 1;

	*slot_out = is_absent(*zl_pt_at(port, ops[0].va)) ? slot_find(port, ops[0].phys) : NULL;
	while (*slot_out != NULL && length < n &&
	       ops[length].va == ops[0].va + length * Z_PAGE_SIZE &&
	       is_absent(*zl_pt_at(port, ops[length].va)) &&
	       slot_is(port, *slot_out + length * Z_PAGE_SIZE, ops[length].phys)) {
		length++;
	}
	return length;
}

size_t zl_copy_attach(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as)
{
	struct zl_port *port = ctx;
	bool clean = as == Z_ATTACH_CLEAN;
	size_t failed = 0;
	size_t done;

	for (size_t i = 0; i < n; i += done) {
		const char *slot;
		size_t run = run_length(port, ops + i, n - i, &slot);
		done = run > 1 ? zl_uffd_copy_run(port->uffd, ops[i].va, slot, run, clean) : 0;
		for (size_t j = 0; j < done; j++) {
			attached(port, &ops[i + j], clean);
		}
		if (done == 0) {
			ops[i].status = attach_one(port, &ops[i], clean);
			failed += ops[i].status != 0;
			done = 1;
		}
	}
	return failed;
}
