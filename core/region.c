/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region.c - which parts of the window are mapped.
 *
 * Theory. Regions are kept in an array sorted by address, found by bisection. A fault never comes
 * here (the page's entry says all it needs), so only mapping and unmapping pay for the number of
 * regions. A page that is not mapped separates regions that were placed by us, and the first and
 * the last page of the window are never mapped: guards on both sides of everything.
 *
 * Locks: everything with the pager lock held.
 */
#include "ahead.h"

static uintptr_t region_end(const struct z_region *r)
{
	return z__page_va(r->va, r->pages);
}

uint32_t z__region_find(const struct z_pager *p, uintptr_t va)
{
	uint32_t low = 0;
	uint32_t high = p->nregions;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (region_end(&p->regions[middle]) <= va)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool z__region_covers(const struct z_pager *p, uintptr_t va, size_t pages)
{
	uintptr_t end = z__page_va(va, pages);
	uint32_t i = z__region_find(p, va);

	while (i < p->nregions && p->regions[i].va <= va) {
		va = region_end(&p->regions[i]);
		if (va >= end)
			return true;
		i++;
	}
	return false;
}

bool z__region_is_free(const struct z_pager *p, uintptr_t va, size_t pages)
{
	uint32_t i = z__region_find(p, va);

	return i == p->nregions || p->regions[i].va >= z__page_va(va, pages);
}

bool z__region_pins(const struct z_pager *p, uintptr_t va)
{
	uint32_t i = z__region_find(p, va);

	return i < p->nregions && p->regions[i].va <= va &&
	       (p->regions[i].flags & Z_MAP_PINNED) != 0;
}

bool z__region_is_stored(const struct z_pager *p, uintptr_t va, size_t pages)
{
	uintptr_t end = z__page_va(va, pages);

	for (uint32_t i = z__region_find(p, va); i < p->nregions && p->regions[i].va < end; i++) {
		if ((p->regions[i].flags & Z__MAP_STORED) != 0)
			return true;
	}
	return false;
}

enum z_advice z__region_advice(const struct z_pager *p, uintptr_t va)
{
	uint32_t i = z__region_find(p, va);

	return i < p->nregions && p->regions[i].va <= va ? p->regions[i].advice : Z_ADVICE_NORMAL;
}

/* COLD does not last: a page that comes in is wanted. WILLNEED asks for something now. */
static bool lasts(enum z_advice advice)
{
	return advice == Z_ADVICE_NORMAL || advice == Z_ADVICE_SEQUENTIAL ||
	       advice == Z_ADVICE_RANDOM || advice == Z_ADVICE_KEEP;
}

void z__region_advise_locked(struct z_pager *p, uintptr_t va, size_t pages, enum z_advice advice)
{
	uintptr_t end = z__page_va(va, pages);

	if (!lasts(advice))
		return;
	for (uint32_t i = z__region_find(p, va); i < p->nregions && p->regions[i].va < end; i++) {
		if (p->regions[i].va >= va && region_end(&p->regions[i]) <= end) {
			p->regions[i].advice = advice;
			p->advised = p->advised || advice != Z_ADVICE_NORMAL;
		}
	}
	if (advice == Z_ADVICE_SEQUENTIAL && z__ahead_most(&p->cfg) > 0)
		z__ahead_advised_locked(p);
}

static uintptr_t align_up(uintptr_t va, size_t align_bytes)
{
	return (va + align_bytes - 1) & ~(uintptr_t)(align_bytes - 1);
}

int z__region_gap(const struct z_pager *p, size_t pages, size_t align_pages, uintptr_t *va_out)
{
	size_t align_bytes = align_pages * Z_PAGE_SIZE;
	uintptr_t last = z__page_va(p->cfg.vm_base, p->cfg.vm_pages - 1);
	uintptr_t from = p->cfg.vm_base + Z_PAGE_SIZE;

	for (uint32_t i = 0; i <= p->nregions; i++) {
		uintptr_t to = i < p->nregions ? p->regions[i].va - Z_PAGE_SIZE : last;
		uintptr_t va = align_up(from, align_bytes);

		if (va >= from && va < to && (to - va) / Z_PAGE_SIZE >= pages) {
			*va_out = va;
			return Z_OK;
		}
		if (i < p->nregions)
			from = region_end(&p->regions[i]) + Z_PAGE_SIZE;
	}
	return Z_ERR_NOMEM;
}

static void open_slot(struct z_pager *p, uint32_t i)
{
	memmove(&p->regions[i + 1], &p->regions[i],
		(size_t)(p->nregions - i) * sizeof(p->regions[0]));
	p->nregions++;
}

static void close_slot(struct z_pager *p, uint32_t i)
{
	p->nregions--;
	memmove(&p->regions[i], &p->regions[i + 1],
		(size_t)(p->nregions - i) * sizeof(p->regions[0]));
}

int z__region_insert_locked(struct z_pager *p, uintptr_t va, size_t pages, unsigned int flags)
{
	uint32_t i = z__region_find(p, va);
	/* What is filled at once may have to be cut out again, which must not split a region. */
	bool alone = (flags & (Z_MAP_PINNED | Z_MAP_POPULATE)) != 0;

	flags &= Z_MAP_PINNED | Z_MAP_NORESERVE | Z__MAP_STORED;
	if (!alone && i > 0 && region_end(&p->regions[i - 1]) == va &&
	    p->regions[i - 1].flags == flags) {
		p->regions[i - 1].pages += pages;
	} else {
		if (p->nregions == p->cfg.max_regions)
			return Z_ERR_NOMEM;
		open_slot(p, i);
		p->regions[i] = (struct z_region){va, pages, flags, Z_ADVICE_NORMAL};
	}
	p->mapped_pages += pages;
	p->committed_pages += (flags & Z_MAP_NORESERVE) == 0 ? pages : 0;
	return Z_OK;
}

int z__region_can_remove(const struct z_pager *p, uintptr_t va, size_t pages)
{
	const struct z_region *r = &p->regions[z__region_find(p, va)];
	bool splits = r->va < va && region_end(r) > z__page_va(va, pages);

	return splits && p->nregions == p->cfg.max_regions ? Z_ERR_NOMEM : Z_OK;
}

/* Cut [va, end) out of region i, which overlaps it. Returns the next region to look at. */
static uint32_t cut(struct z_pager *p, uint32_t i, uintptr_t va, uintptr_t end)
{
	struct z_region *r = &p->regions[i];
	uintptr_t old_end = region_end(r);
	uintptr_t from = r->va > va ? r->va : va;
	uintptr_t to = old_end < end ? old_end : end;
	size_t gone = (to - from) / Z_PAGE_SIZE;

	p->mapped_pages -= gone;
	p->committed_pages -= (r->flags & Z_MAP_NORESERVE) == 0 ? gone : 0;

	if (r->va < from && old_end > to) {
		open_slot(p, i + 1);
		p->regions[i + 1] =
			(struct z_region){to, (old_end - to) / Z_PAGE_SIZE, r->flags, r->advice};
		p->regions[i].pages = (from - r->va) / Z_PAGE_SIZE;
		return i + 2;
	}
	if (r->va < from) {
		r->pages = (from - r->va) / Z_PAGE_SIZE;
		return i + 1;
	}
	if (old_end > to) {
		r->va = to;
		r->pages = (old_end - to) / Z_PAGE_SIZE;
		return i + 1;
	}
	close_slot(p, i);
	return i;
}

void z__region_remove_locked(struct z_pager *p, uintptr_t va, size_t pages)
{
	uintptr_t end = z__page_va(va, pages);
	uint32_t i = z__region_find(p, va);

	while (i < p->nregions && p->regions[i].va < end)
		i = cut(p, i, va, end);
}
