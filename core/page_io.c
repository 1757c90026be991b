/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_io.c - moving ranges of pages in and out by request, and advice.
 *
 * Theory. Each page of a range is handled like a fault or an eviction of its own; page_out groups
 * neighbours into batches. Nothing here knows more than fault.c and evict.c.
 *
 * Locks: each function takes the pager lock once and may drop it inside.
 */
#include "internal.h"

int z_pager_page_in(struct z_pager *p, uintptr_t va, size_t pages, size_t *done_out)
{
	struct z_page_frame *pf;
	size_t done = 0;
	int err = Z_OK;

	if (!z__range_ok(p, va, pages))
		err = Z_ERR_INVAL;
	if (err == Z_OK) {
		z__lock(p);
		while (done < pages && err == Z_OK) {
			err = z__ahead_locked(p, z__page_va(va, done), &pf);
			done += err == Z_OK;
		}
		z__unlock(p);
	}
	if (done_out != NULL)
		*done_out = done;
	return err;
}

/*
 * Collect resident pages from va on into pfs. *seen_out: pages looked at that need nothing more
 * than the eviction of what was collected. Stops with Z_ERR_AGAIN after waiting for a busy page.
 */
static int collect(struct z_pager *p, uintptr_t va, size_t pages, struct z_page_frame **pfs,
		   uint32_t *n_out, size_t *seen_out)
{
	uint32_t n = 0;
	size_t seen = 0;
	int err = Z_OK;

	while (seen < pages && n < p->cfg.batch && err == Z_OK) {
		uintptr_t page = z__page_va(va, seen);
		struct z_entry e = z__entry(p, page);
		struct z_page_frame *pf;

		if (e.kind == Z_ENTRY_UNMAPPED) {
			err = Z_ERR_FAULT;
		} else if (e.kind == Z_ENTRY_HELD) {
			if (n > 0)
				break;
			z__frame_wait_locked(p, z__frame_of_phys(p, e.phys));
			err = Z_ERR_AGAIN;
		} else if (e.kind == Z_ENTRY_IN) {
			pf = z__frame_of_phys(p, e.phys);
			if (z_page_frame_is_pinned(pf))
				err = Z_ERR_BUSY;
			else
				pfs[n++] = pf;
		}
		seen += err == Z_OK ? z__step(p, page, pages - seen, e.kind) : 0;
	}
	*n_out = n;
	*seen_out = seen;
	return err;
}

/* One batch of a page_out. *done_out: pages that are out now. */
static int page_out_some(struct z_pager *p, uintptr_t va, size_t pages, size_t *done_out)
{
	struct z_page_frame *pfs[Z_BATCH_MAX];
	uint32_t n;
	size_t freed;
	int collected = collect(p, va, pages, pfs, &n, done_out);
	int err;

	if (n == 0)
		return collected;
	err = z__evict_locked(p, pfs, n, Z_WANT_FOR_EVICT, NULL, &freed);
	if (err == Z_OK)
		return collected;
	/* Which pages of the batch went is for the entries to tell. */
	for (size_t i = 0; i < *done_out;) {
		struct z_entry e = z__entry(p, z__page_va(va, i));

		if (e.kind == Z_ENTRY_IN)
			*done_out = i;
		else
			i += z__step(p, z__page_va(va, i), *done_out - i, e.kind);
	}
	return err;
}

int z_pager_page_out(struct z_pager *p, uintptr_t va, size_t pages, size_t *done_out)
{
	size_t done = 0;
	int err = Z_OK;

	if (!z__range_ok(p, va, pages))
		err = Z_ERR_INVAL;
	if (err == Z_OK) {
		z__lock(p);
		while (done < pages && (err == Z_OK || err == Z_ERR_AGAIN)) {
			size_t more = 0;

			err = page_out_some(p, z__page_va(va, done), pages - done, &more);
			done += more;
		}
		z__unlock(p);
	}
	if (done_out != NULL)
		*done_out = done;
	return err;
}

/* ---- advice ------------------------------------------------------------------------------ */

/* Page in while frames are free: a hint never costs anybody else a page. */
static void will_need(struct z_pager *p, uintptr_t va, size_t pages)
{
	struct z_page_frame *pf;
	int err = Z_OK;

	for (size_t i = 0; i < pages && err == Z_OK && p->free_count > p->cfg.low_water; i++)
		err = z__ahead_locked(p, z__page_va(va, i), &pf);
}

/* What is to be kept is held back until other advice comes; WILLNEED says less. */
static void tell(struct z_pager *p, struct z_page_frame *pf, enum z_advice advice)
{
	if (z__is_held(pf)) {
		if (advice == Z_ADVICE_KEEP || advice == Z_ADVICE_WILLNEED)
			return;
		z__unhold_locked(p, pf);
		z__candidate_add_locked(p, pf, Z_ADD_UNPIN);
	}
	if (advice == Z_ADVICE_KEEP)
		z__hold_locked(p, pf);
	else if (p->cfg.eviction->advise != NULL && (pf->flags & Z_PAGE_FRAME_QUEUED) != 0)
		p->cfg.eviction->advise(p->eviction_state, pf, advice);
}

static void tell_range(struct z_pager *p, uintptr_t va, size_t pages, enum z_advice advice)
{
	size_t step;

	for (size_t i = 0; i < pages; i += step) {
		struct z_entry e = z__entry(p, z__page_va(va, i));

		step = z__step(p, z__page_va(va, i), pages - i, e.kind);
		if (e.kind == Z_ENTRY_IN)
			tell(p, z__frame_of_phys(p, e.phys), advice);
	}
}

void z__tell_advice_locked(struct z_pager *p, struct z_page_frame *pf)
{
	enum z_advice advice = z__region_advice(p, (uintptr_t)pf->addr);

	if (advice != Z_ADVICE_NORMAL)
		tell(p, pf, advice);
}

static void forget_batch(struct z_pager *p, struct z_page_op *ops, size_t n)
{
	if (n == 0)
		return;
	p->cfg.arch->release(p->cfg.arch_ctx, ops, n);
	for (size_t i = 0; i < n; i++)
		p->cfg.store->ops->location_free(p->cfg.store, ops[i].loc);
}

void z__forget_out_locked(struct z_pager *p, uintptr_t va, size_t pages)
{
	struct z_page_op ops[Z_BATCH_MAX];
	size_t n = 0;
	size_t step;

	for (size_t i = 0; i < pages; i += step) {
		struct z_entry e = z__entry(p, z__page_va(va, i));

		step = z__step(p, z__page_va(va, i), pages - i, e.kind);
		if (e.kind != Z_ENTRY_OUT)
			continue;
		ops[n++] = (struct z_page_op){
			.va = z__page_va(va, i), .loc = e.loc, .untouched = true};
		if (n == Z_BATCH_MAX) {
			forget_batch(p, ops, n);
			n = 0;
		}
	}
	forget_batch(p, ops, n);
}

/* Take the resident pages of a range out of their frames, as far as the port can. */
static size_t detach_resident(struct z_pager *p, uintptr_t va, size_t pages, struct z_page_op *ops,
			      size_t *failed_out)
{
	size_t n = 0;
	size_t kept = 0;

	for (size_t i = 0; i < pages; i++) {
		struct z_entry e = z__entry(p, z__page_va(va, i));

		if (e.kind == Z_ENTRY_IN)
			ops[n++] = (struct z_page_op){
				.va = z__page_va(va, i), .phys = e.phys, .untouched = true};
	}
	*failed_out = n > 0 ? p->cfg.arch->detach(p->cfg.arch_ctx, ops, n) : 0;
	for (size_t i = 0; i < n; i++) {
		if (ops[i].status == Z_OK)
			ops[kept++] = ops[i];
	}
	return kept;
}

/* Drop the contents of up to Z_BATCH_MAX resident pages, none of them held or pinned. */
static int drop_batch(struct z_pager *p, uintptr_t va, size_t pages)
{
	struct z_page_op ops[Z_BATCH_MAX];
	size_t failed;
	size_t n = detach_resident(p, va, pages, ops, &failed);

	if (n > 0 && z__vacate_of(p->cfg.arch) != NULL)
		p->cfg.arch->vacate(p->cfg.arch_ctx, ops, n);
	if (n > 0)
		p->cfg.arch->release(p->cfg.arch_ctx, ops, n);
	for (size_t i = 0; i < n; i++) {
		struct z_page_frame *pf = z__frame_of_phys(p, ops[i].phys);

		z__drop_copy_locked(p, pf);
		z__candidate_remove_locked(p, pf, Z_REMOVE_UNMAP);
		z__frame_move(p, pf, Z_FRAME_CLAIMED);
		z__free_list_put_locked(p, pf);
	}
	return failed > 0 ? Z_ERR_BUSY : Z_OK;
}

static int drop(struct z_pager *p, uintptr_t va, size_t pages)
{
	int err = z__quiesce_locked(p, va, pages, Z_PINS_NONE);
	size_t n;

	if (err == Z_OK)
		z__forget_out_locked(p, va, pages);
	for (size_t i = 0; i < pages && err == Z_OK; i += n) {
		uintptr_t page = z__page_va(va, i);

		n = z__step(p, page, pages - i, z__entry(p, page).kind);
		if (n > 1)
			continue;
		n = pages - i < Z_BATCH_MAX ? pages - i : Z_BATCH_MAX;
		err = drop_batch(p, page, n);
	}
	return err;
}

int z_pager_advise(struct z_pager *p, uintptr_t va, size_t pages, enum z_advice advice)
{
	bool drops = advice == Z_ADVICE_DONTNEED || advice == Z_ADVICE_FREE;
	int err = Z_OK;

	if (!z__range_ok(p, va, pages) || advice > Z_ADVICE_KEEP)
		return Z_ERR_INVAL;

	z__lock(p);
	if (!z__region_covers(p, va, pages)) {
		err = Z_ERR_FAULT;
	} else if (drops && z__region_is_stored(p, va, pages)) {
		err = Z_ERR_PERM;
	} else if (drops) {
		err = drop(p, va, pages);
	} else {
		z__region_advise_locked(p, va, pages, advice);
		tell_range(p, va, pages, advice);
		if (advice == Z_ADVICE_WILLNEED)
			will_need(p, va, pages);
	}
	z__unlock(p);
	return err;
}
