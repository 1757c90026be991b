/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pin.c - keeping pages in their frames.
 *
 * Theory. Pins are counted in the frame, so two owners need two unpins. A pinned frame is unknown
 * to the eviction algorithm. Pinning counts as a write where the mapping allows writing: what is
 * pinned may be written behind the MMU's back, by a device or by the kernel under us.
 *
 * Locks: pager lock; pinning may drop it while pages come in.
 */
#include "internal.h"

/* UINT16_MAX marks a hole in RAM. */
#define Z_PINS_MAX (UINT16_MAX - 1)

int z__pin_frame_locked(struct z_pager *p, struct z_page_frame *pf)
{
	if (pf->pins == Z_PINS_MAX)
		return Z_ERR_OVERFLOW;
	if (pf->pins++ == 0) {
		z__candidate_remove_locked(p, pf, Z_REMOVE_PIN);
		pf->flags = (uint8_t)(pf->flags | Z_PAGE_FRAME_PINNED);
		p->pinned_count++;
	}
	return Z_OK;
}

void z__unpin_frame_locked(struct z_pager *p, struct z_page_frame *pf)
{
	Z_ASSERT(pf->pins > 0);
	if (--pf->pins == 0) {
		pf->flags = (uint8_t)(pf->flags & ~Z_PAGE_FRAME_PINNED);
		p->pinned_count--;
		z__candidate_add_locked(p, pf, Z_ADD_UNPIN);
		if (p->advised)
			z__tell_advice_locked(p, pf);
	}
}

static int pin_page(struct z_pager *p, uintptr_t va)
{
	struct z_entry e = z__entry(p, va);
	struct z_request r = {va, e.prot & (Z_ACCESS_READ | Z_ACCESS_WRITE), Z_ADD_AHEAD};
	struct z_page_frame *pf;
	int err = z__resident_locked(p, &r, &pf);

	return err == Z_OK ? z__pin_frame_locked(p, pf) : err;
}

static void unpin_pages(struct z_pager *p, uintptr_t va, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		struct z_entry e = z__entry(p, z__page_va(va, i));

		z__unpin_frame_locked(p, z__frame_of_phys(p, e.phys));
	}
}

int z_pager_pin(struct z_pager *p, uintptr_t va, size_t pages)
{
	size_t done = 0;
	int err = Z_OK;

	if (!z__range_ok(p, va, pages))
		return Z_ERR_INVAL;

	z__lock(p);
	if (!z__region_covers(p, va, pages))
		err = Z_ERR_FAULT;
	while (done < pages && err == Z_OK) {
		err = pin_page(p, z__page_va(va, done));
		done += err == Z_OK;
	}
	if (err != Z_OK)
		unpin_pages(p, va, done);
	else
		z__event_locked(p, Z_EVENT_PIN, va, (int64_t)pages);
	z__unlock(p);
	return err;
}

static bool all_pinned(struct z_pager *p, uintptr_t va, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		struct z_entry e = z__entry(p, z__page_va(va, i));

		if (e.kind != Z_ENTRY_IN || !z_page_frame_is_pinned(z__frame_of_phys(p, e.phys)))
			return false;
	}
	return true;
}

int z_pager_unpin(struct z_pager *p, uintptr_t va, size_t pages)
{
	int err = Z_OK;

	if (!z__range_ok(p, va, pages))
		return Z_ERR_INVAL;

	z__lock(p);
	if (all_pinned(p, va, pages)) {
		unpin_pages(p, va, pages);
		z__event_locked(p, Z_EVENT_UNPIN, va, (int64_t)pages);
	} else {
		err = Z_ERR_INVAL;
	}
	z__unlock(p);
	return err;
}
