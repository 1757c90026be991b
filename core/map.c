/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.c - mapping, unmapping, permissions.
 *
 * Theory. Mapping is lazy: it takes addresses, a region and table memory, and no frame. It is
 * refused when what is promised could not be kept: with Z_COMMIT_STRICT the mapped pages never
 * exceed what frames and store hold together, less the one slot that the store keeps for faults,
 * so that running out is an error of a call and not of a touch. Each step that can fail comes
 * before the first that cannot be undone, or has its undo on the way out.
 *
 * Unmapping first waits until no page of the range is being moved, and then, without dropping the
 * lock, collects the frames, takes the addresses away (shoot-down complete) and frees the frames:
 * no CPU can reach a frame that is free.
 *
 * Locks: pager lock; dropped while waiting and while filling PINNED and POPULATE mappings.
 */
#include "internal.h"

#define Z_MAP_KNOWN (Z_MAP_PINNED | Z_MAP_POPULATE | Z_MAP_FIXED | Z_MAP_NORESERVE)

static size_t capacity(struct z_pager *p)
{
	struct z_store_stats s = {0};

	p->cfg.store->ops->stats(p->cfg.store, &s);
	return (size_t)(p->nram - p->retire_wanted) +
	       (s.capacity_pages > 0 ? (size_t)s.capacity_pages - 1 : 0);
}

static bool may_commit(struct z_pager *p, size_t pages, unsigned int flags)
{
	size_t limit;

	if ((flags & Z_MAP_NORESERVE) != 0)
		return true;
	limit = capacity(p);
	if (p->cfg.commit == Z_COMMIT_HEURISTIC)
		return pages <= limit;
	return p->committed_pages <= limit && pages <= limit - p->committed_pages;
}

static int place(struct z_pager *p, size_t pages, unsigned int flags, size_t align_pages,
		 uintptr_t *va)
{
	uintptr_t last = z__page_va(p->cfg.vm_base, p->cfg.vm_pages - 1);

	if ((flags & Z_MAP_FIXED) == 0)
		return z__region_gap(p, pages, align_pages, va);
	if (*va == p->cfg.vm_base || z__page_va(*va, pages) > last)
		return Z_ERR_INVAL;
	return z__region_is_free(p, *va, pages) ? Z_OK : Z_ERR_BUSY;
}

/* ---- unmapping --------------------------------------------------------------------------- */

static bool pin_forbids(struct z_pager *p, const struct z_page_frame *pf, uintptr_t va,
			enum z_pins_allowed allowed)
{
	bool by_mapping = allowed == Z_PINS_OF_MAPPING && pf->pins == 1 && z__region_pins(p, va);

	return pf->pins > 0 && !by_mapping;
}

int z__quiesce_locked(struct z_pager *p, uintptr_t va, size_t pages, enum z_pins_allowed allowed)
{
	size_t i = 0;

	if (!z__region_covers(p, va, pages))
		return Z_ERR_FAULT;
	while (i < pages) {
		uintptr_t page = z__page_va(va, i);
		struct z_entry e = z__entry(p, page);

		if (e.kind == Z_ENTRY_UNMAPPED)
			return Z_ERR_FAULT;
		if (e.kind == Z_ENTRY_HELD) {
			z__frame_wait_locked(p, z__frame_of_phys(p, e.phys));
			i = 0;
			continue;
		}
		if (e.kind == Z_ENTRY_IN &&
		    pin_forbids(p, z__frame_of_phys(p, e.phys), page, allowed))
			return Z_ERR_BUSY;
		i += z__step(p, page, pages - i, e.kind);
	}
	return Z_OK;
}

/* Take a frame from its page; it joins the chain through addr. */
static void detach_frame(struct z_pager *p, struct z_page_frame *pf, struct z_page_frame **chain)
{
	if (pf->pins > 0)
		p->pinned_count--;
	z__drop_copy_locked(p, pf);
	z__candidate_remove_locked(p, pf, Z_REMOVE_UNMAP);
	z__frame_move(p, pf, Z_FRAME_CLAIMED);
	pf->addr = *chain;
	*chain = pf;
}

static void free_chain(struct z_pager *p, struct z_page_frame *chain)
{
	while (chain != NULL) {
		struct z_page_frame *pf = chain;

		chain = pf->addr;
		pf->addr = NULL;
		z__free_list_put_locked(p, pf);
	}
}

/* The part of unmapping that cannot fail; the range is mapped and at rest. */
static void unmap_quiet(struct z_pager *p, uintptr_t va, size_t pages)
{
	struct z_page_frame *chain = NULL;
	size_t step;

	z__forget_out_locked(p, va, pages);
	for (size_t i = 0; i < pages; i += step) {
		struct z_entry e = z__entry(p, z__page_va(va, i));

		step = z__step(p, z__page_va(va, i), pages - i, e.kind);
		if (e.kind == Z_ENTRY_IN)
			detach_frame(p, z__frame_of_phys(p, e.phys), &chain);
	}
	p->cfg.arch->unmap(p->cfg.arch_ctx, va, pages);
	z__region_remove_locked(p, va, pages);
	free_chain(p, chain);
	z__event_locked(p, Z_EVENT_UNMAP, va, (int64_t)pages);
}

int z_pager_unmap(struct z_pager *p, uintptr_t va, size_t pages)
{
	int err;

	if (!z__range_ok(p, va, pages))
		return Z_ERR_INVAL;

	z__lock(p);
	err = z__quiesce_locked(p, va, pages, Z_PINS_OF_MAPPING);
	if (err == Z_OK)
		err = z__region_can_remove(p, va, pages);
	if (err == Z_OK)
		unmap_quiet(p, va, pages);
	z__unlock(p);
	return err;
}

/* ---- mapping ----------------------------------------------------------------------------- */

/* Fill the pages of a new mapping. On error the caller unmaps, pins included. */
static int populate(struct z_pager *p, uintptr_t va, size_t pages, unsigned int flags)
{
	struct z_page_frame *pf;
	int err = Z_OK;

	for (size_t i = 0; i < pages && err == Z_OK; i++) {
		err = z__ahead_locked(p, z__page_va(va, i), &pf);
		if (err == Z_OK && (flags & Z_MAP_PINNED) != 0)
			err = z__pin_frame_locked(p, pf);
	}
	return err;
}

static int map_locked(struct z_pager *p, size_t pages, unsigned int prot, unsigned int flags,
		      size_t align_pages, uintptr_t *va)
{
	int err;

	if (!may_commit(p, pages, flags))
		return Z_ERR_NOMEM;
	err = place(p, pages, flags, align_pages, va);
	if (err != Z_OK)
		return err;
	err = z__region_insert_locked(p, *va, pages, flags);
	if (err != Z_OK)
		return err;
	err = p->cfg.arch->map(p->cfg.arch_ctx, *va, pages, prot);
	if (err != Z_OK) {
		z__region_remove_locked(p, *va, pages);
		return err;
	}
	z__event_locked(p, Z_EVENT_MAP, *va, (int64_t)pages);
	if ((flags & (Z_MAP_PINNED | Z_MAP_POPULATE)) == 0)
		return Z_OK;

	err = populate(p, *va, pages, flags);
	if (err != Z_OK && z__quiesce_locked(p, *va, pages, Z_PINS_OF_MAPPING) == Z_OK)
		unmap_quiet(p, *va, pages);
	return err;
}

int z_pager_map(struct z_pager *p, size_t pages, unsigned int prot, unsigned int flags,
		size_t align_pages, uintptr_t *va_inout)
{
	uintptr_t va = *va_inout;
	int err;

	if (pages == 0 || align_pages == 0 || (align_pages & (align_pages - 1)) != 0 ||
	    (flags & ~(unsigned int)Z_MAP_KNOWN) != 0)
		return Z_ERR_INVAL;
	if (pages > p->cfg.vm_pages - 2)
		return Z_ERR_NOMEM;
	if ((flags & Z_MAP_FIXED) != 0 && !z__range_ok(p, va, pages))
		return Z_ERR_INVAL;

	z__lock(p);
	err = map_locked(p, pages, prot, flags, align_pages, &va);
	z__unlock(p);
	if (err == Z_OK)
		*va_inout = va;
	return err;
}

/* A frame address that stands in an entry for the moment between hold and release, and is not used. */
static void point_at_store(struct z_pager *p, uintptr_t va, size_t pages, z_loc_t first)
{
	z_phys_t no_frame = z_phys(p->cfg.ram_base);

	for (size_t i = 0; i < pages; i++) {
		struct z_page_op op = {.va = z__page_va(va, i),
				       .phys = no_frame,
				       .loc = z_loc(first.v + i * Z_PAGE_SIZE)};

		p->cfg.arch->hold(p->cfg.arch_ctx, op.va, no_frame);
		p->cfg.arch->release(p->cfg.arch_ctx, &op, 1);
	}
}

int z_pager_map_stored(struct z_pager *p, size_t pages, unsigned int prot, unsigned int flags,
		       z_loc_t first, uintptr_t *va_inout)
{
	unsigned int how = flags | Z__MAP_STORED;
	uintptr_t va = *va_inout;
	int err;

	if (pages == 0 || (flags & ~(unsigned int)Z_MAP_FIXED) != 0 ||
	    (prot & Z_ACCESS_WRITE) != 0 || !z_is_page_aligned(first.v))
		return Z_ERR_INVAL;
	if (pages > p->cfg.vm_pages - 2)
		return Z_ERR_NOMEM;
	if ((flags & Z_MAP_FIXED) != 0 && !z__range_ok(p, va, pages))
		return Z_ERR_INVAL;

	z__lock(p);
	err = map_locked(p, pages, prot, how, 1, &va);
	if (err == Z_OK && z__prepare(p, va, pages) != Z_OK) {
		unmap_quiet(p, va, pages);
		err = Z_ERR_NOMEM;
	}
	if (err == Z_OK)
		point_at_store(p, va, pages, first);
	z__unlock(p);
	if (err == Z_OK)
		*va_inout = va;
	return err;
}

/* ---- the rest ---------------------------------------------------------------------------- */

int z_pager_protect(struct z_pager *p, uintptr_t va, size_t pages, unsigned int prot)
{
	int err = Z_ERR_FAULT;

	if (!z__range_ok(p, va, pages))
		return Z_ERR_INVAL;

	z__lock(p);
	if ((prot & Z_ACCESS_WRITE) != 0 && z__region_is_stored(p, va, pages))
		err = Z_ERR_PERM;
	else if (z__region_covers(p, va, pages))
		err = p->cfg.arch->protect(p->cfg.arch_ctx, va, pages, prot);
	z__unlock(p);
	return err;
}

bool z_pager_is_mapped(struct z_pager *p, uintptr_t va, size_t pages)
{
	bool mapped;

	if (!z__range_ok(p, va, pages))
		return false;
	z__lock(p);
	mapped = z__region_covers(p, va, pages);
	z__unlock(p);
	return mapped;
}

int z_pager_destroy(struct z_pager *p)
{
	int err = Z_OK;

	z__lock(p);
	if (p->busy_count > 0)
		err = Z_ERR_BUSY;
	for (uint32_t i = 0; i < p->nregions && err == Z_OK; i++)
		err = z__quiesce_locked(p, p->regions[i].va, p->regions[i].pages,
					Z_PINS_OF_MAPPING);
	while (p->nregions > 0 && err == Z_OK) {
		struct z_region last = p->regions[p->nregions - 1];

		unmap_quiet(p, last.va, last.pages);
	}
	z__unlock(p);
	return err;
}
