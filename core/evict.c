/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evict.c - giving page frames up: choosing victims and moving their contents to the store.
 *
 * Theory. Victims leave in batches, so that a port can take write access away from all of them with
 * one shoot-down. A batch goes through these phases:
 *
 *   take    the algorithm names a frame; the store gives a location for its page; the frame is
 *           LEAVING from now on. A page without a location is not taken: nothing to undo.
 *   detach  the port makes the pages unchangeable and reports the final dirty bits, taken by the
 *           removal itself. Only now is known who has to be written: dirty or not BACKED.
 *   write   the lock is off (if allowed); each page goes to its location.
 *   vacate  the frames are empty, in a port where that takes time; the lock is off for it
 *   settle  written and clean pages: the entry gets the location, the frame is free. Failed ones
 *           are resident again, dirty, their location given back: nothing is lost.
 *
 * The frame stays with its page until the data is safe. A page whose eviction failed is a
 * candidate again, so a store that is broken for one page does not stop the others.
 *
 * Locks: pager lock held on entry and return; dropped during write and vacate. Limits: Z_BATCH_MAX pages.
 */
#include "internal.h"

/* Different victims are tried that often before a failing store fails the caller. */
#define Z_EVICT_TRIES 4

/* Frames looked at under one hold of the lock in the search of a page that a full store has already. */
#define Z_LOOKS_AT_ONCE 64U

extern inline void z__candidate_add_locked(struct z_pager *p, struct z_page_frame *pf,
					   enum z_add_reason reason);
extern inline void z__candidate_remove_locked(struct z_pager *p, struct z_page_frame *pf,
					      enum z_remove_reason reason);
extern inline int z__evict_some_locked(struct z_pager *p, size_t max, enum z_store_want want,
				       struct z_page_frame **hand);

/* So many frames at least the algorithm has to choose from before those that are to be kept stay out. */
#define Z_CANDIDATES_LEAST 8U

struct batch {
	struct z_page_frame **hand; /* NULL, or where a frame may go instead of the free list */
	size_t n;
	size_t writes; /* from detach on: pages that have to be written */
	bool *write;   /* until detach: there is no clean copy */
	struct z_page_frame **pfs;
	struct z_page_op *ops;
	struct z_store_io *ios; /* of a write of several pages together, and whose page each is */
	uint32_t *op_of;
};

void z__drop_copy_locked(struct z_pager *p, struct z_page_frame *pf)
{
	z_loc_t loc;

	if (!z_page_frame_is_backed(pf))
		return;
	if (p->cfg.store->ops->location_get(p->cfg.store, pf, Z_WANT_FOR_EVICT, &loc) == Z_OK)
		p->cfg.store->ops->location_free(p->cfg.store, loc);
	z_page_frame_backed_clear(pf);
}

/* ---- frames that are held back --------------------------------------------------------------- */

void z__hold_locked(struct z_pager *p, struct z_page_frame *pf)
{
	if ((pf->flags & Z_PAGE_FRAME_QUEUED) == 0)
		return;
	z__candidate_remove_locked(p, pf, Z_REMOVE_PIN);
	p->held_count++;
}

void z__unhold_locked(struct z_pager *p, const struct z_page_frame *pf)
{
	p->held_count -= z__is_held(pf);
}

static uint32_t candidates(const struct z_pager *p)
{
	return p->resident_count - p->pinned_count - p->held_count;
}

/*
 * Give frames back to the algorithm while it has few: all that one instruction touches has to be among
 * those it does not choose, or the instruction never gets on. A look at some frames is enough unless it
 * has none at all; the next eviction goes on from there. May drop. Returns how many of n to evict.
 */
static size_t fill_candidates(struct z_pager *p, size_t n)
{
	size_t spare;

	for (uint32_t looked = 1; p->held_count > 0 && candidates(p) < Z_CANDIDATES_LEAST;
	     looked++) {
		struct z_page_frame *pf = &p->cfg.frames[p->held_hand];

		p->held_hand = (p->held_hand + 1) % p->cfg.nframes;
		if (z__is_held(pf)) {
			p->held_count--;
			z__candidate_add_locked(p, pf, Z_ADD_UNPIN);
		}
		if (looked % Z_LOOKS_AT_ONCE != 0)
			continue;
		if (candidates(p) > 0)
			break;
		if (p->cfg.unlock_for_io) {
			z__unlock(p);
			z__lock(p);
		}
	}
	spare = candidates(p) > Z_CANDIDATES_LEAST ? candidates(p) - Z_CANDIDATES_LEAST : 1;
	return n < spare ? n : spare;
}

/* ---- take -------------------------------------------------------------------------------- */

/* pf becomes the i-th of the batch; i is 0 if there is no other. */
static int take(struct z_pager *p, struct batch *b, size_t i, struct z_page_frame *pf,
		enum z_store_want want)
{
	struct z_page_op *op = &b->ops[Z_BATCH_MAX > 1 ? i : 0];
	int err;

	op->va = (uintptr_t)pf->addr;
	op->phys = z__frame_phys(p, pf);
	op->untouched = false;
	op->status = Z_OK;
	err = p->cfg.store->ops->location_get(p->cfg.store, pf, want, &op->loc);
	if (err != Z_OK)
		return err;

	i = Z_BATCH_MAX > 1 ? i : 0;
	z__candidate_remove_locked(p, pf, Z_REMOVE_EVICT);
	b->pfs[i] = pf;
	b->write[i] = !z_page_frame_is_backed(pf);
	z__frame_change(p, pf, Z_FRAME_RESIDENT, Z_FRAME_LEAVING);
	/* From here on the copy is no cached one: nobody's next location_get may steal it. */
	z_page_frame_backed_clear(pf);
	return Z_OK;
}

/* ---- undo -------------------------------------------------------------------------------- */

static void undo(struct z_pager *p, struct z_page_frame *pf, struct z_page_op *op, bool detached)
{
	int err = op->status;

	p->cfg.store->ops->location_free(p->cfg.store, op->loc);
	if (detached) {
		size_t failed = p->cfg.arch->attach(p->cfg.arch_ctx, op, 1, Z_ATTACH_DIRTY);

		Z_ASSERT(failed == 0);
		(void)failed;
	}
	z__frame_change(p, pf, Z_FRAME_LEAVING, Z_FRAME_RESIDENT);
	z__candidate_add_locked(p, pf, Z_ADD_FAILED);
	p->stats.failed_evictions++;
	z__event_locked(p, Z_EVENT_EVICT_UNDONE, op->va, err);
}

/* Remove the ops that have a status from the batch, undoing them. Returns the first error. */
static int undo_failed(struct z_pager *p, struct batch *b, bool detached)
{
	size_t kept = 0;
	int first = Z_OK;

	for (size_t i = 0; i < b->n; i++) {
		if (b->ops[i].status == Z_OK) {
			b->ops[kept] = b->ops[i];
			b->write[kept] = b->write[i];
			b->pfs[kept] = b->pfs[i];
			kept++;
			continue;
		}
		if (first == Z_OK)
			first = b->ops[i].status;
		undo(p, b->pfs[i], &b->ops[i], detached);
	}
	b->n = kept;
	return first;
}

/* ---- detach ------------------------------------------------------------------------------ */

/* What a victim is now is what it was when it was chosen: that was under the same hold of the lock. */
static void count_choice(struct z_pager *p, bool dirty)
{
	if (dirty)
		p->stats.eviction_dirty++;
	else
		p->stats.eviction_clean++;
}

/* The victims that the port cannot take now: chosen all the same, and counted as that. */
static int refused(struct z_pager *p, struct batch *b)
{
	const struct z_arch_ops *arch = p->cfg.arch;

	for (size_t i = 0; i < b->n; i++) {
		if (b->ops[i].status != Z_OK)
			count_choice(p, (arch->info(p->cfg.arch_ctx, b->ops[i].va, false) &
					 Z_INFO_DIRTY) != 0);
	}
	return undo_failed(p, b, false);
}

static int detach(struct z_pager *p, struct batch *b)
{
	int err = Z_OK;

	if (p->cfg.arch->detach(p->cfg.arch_ctx, b->ops, b->n) > 0)
		err = refused(p, b);
	b->writes = 0;
	for (size_t i = 0; i < b->n; i++) {
		count_choice(p, b->ops[i].dirty);
		b->write[i] = b->write[i] || b->ops[i].dirty;
		b->writes += b->write[i];
	}
	return err;
}

/* ---- write ------------------------------------------------------------------------------- */

/* Both return the number of pages that failed. */
static size_t write_singly(struct z_pager *p, struct batch *b)
{
	const struct z_arch_ops *arch = p->cfg.arch;
	size_t failed = 0;

	for (size_t i = 0; i < b->n; i++) {
		struct z_page_op *op = &b->ops[i];
		void *page;

		if (!b->write[i])
			continue;
		page = arch->scratch(p->cfg.arch_ctx, op->va, op->phys, Z_SCRATCH_SAVE);
		op->status = p->cfg.store->ops->page_out(p->cfg.store, op->loc, page);
		arch->scratch_done(p->cfg.arch_ctx, op->va, op->phys, page, Z_SCRATCH_SAVE);
		failed += op->status != Z_OK;
	}
	return failed;
}

static size_t write_together(struct z_pager *p, struct batch *b)
{
	const struct z_arch_ops *arch = p->cfg.arch;
	uint32_t n = 0;
	size_t failed;

	for (uint32_t i = 0; i < b->n; i++) {
		struct z_page_op *op = &b->ops[i];

		if (!b->write[i])
			continue;
		b->op_of[n] = i;
		b->ios[n++] = (struct z_store_io){
			.loc = op->loc,
			.page = arch->scratch(p->cfg.arch_ctx, op->va, op->phys, Z_SCRATCH_SAVE),
		};
	}
	failed = p->cfg.store->ops->page_out_many(p->cfg.store, b->ios, n);
	for (uint32_t i = 0; i < n; i++) {
		struct z_page_op *op = &b->ops[b->op_of[i]];
		void *page = (void *)(uintptr_t)b->ios[i].page;

		op->status = b->ios[i].status;
		arch->scratch_done(p->cfg.arch_ctx, op->va, op->phys, page, Z_SCRATCH_SAVE);
	}
	return failed;
}

/* Write those that have to be, undo those that could not be. Returns the first error. */
static int write_out(struct z_pager *p, struct batch *b)
{
	size_t failed;

	if (b->writes == 0)
		return Z_OK;
	z__io_begin_locked(p);
	if (Z_BATCH_MAX > 1 && b->writes > 1 && (p->cfg.store->caps & Z_STORE_BATCH) != 0 &&
	    (p->cfg.arch->caps & Z_ARCH_DIRECT_SAVE) != 0)
		failed = write_together(p, b);
	else
		failed = write_singly(p, b);
	z__io_end(p);
	p->stats.write_errors += failed;
	return failed > 0 ? undo_failed(p, b, true) : Z_OK;
}

/* ---- vacate ------------------------------------------------------------------------------ */

/* Whoever is left in the batch is safe in the store, and still HELD. */
static void vacate(struct z_pager *p, const struct batch *b)
{
	if (z__vacate_of(p->cfg.arch) == NULL || b->n == 0)
		return;
	z__io_begin_locked(p);
	p->cfg.arch->vacate(p->cfg.arch_ctx, b->ops, b->n);
	z__io_end(p);
}

/* ---- settle ------------------------------------------------------------------------------ */

/* May this frame, the only one of its batch, go to the caller instead of the free list? */
static bool may_be_handed(const struct z_pager *p, const struct batch *b)
{
	return b->hand != NULL && b->n == 1 && p->offline_banks == 0 &&
	       p->retired_count == z__free_list_wanted_retired(p);
}

static void dropped(struct z_pager *p, z_loc_t loc)
{
	p->stats.pages_dropped++;
	if (p->cfg.store->ops->page_unwritten != NULL)
		p->cfg.store->ops->page_unwritten(p->cfg.store, loc);
}

static void settle(struct z_pager *p, struct batch *b)
{
	if (b->n == 0)
		return;
	p->cfg.arch->release(p->cfg.arch_ctx, b->ops, b->n);
	for (size_t i = 0; i < b->n; i++) {
		const struct z_page_op *op = &b->ops[i];
		struct z_page_frame *pf = b->pfs[i];
		enum z_event_kind what = Z_EVENT_DROP;

		if (b->write[i]) {
			what = Z_EVENT_PAGE_OUT;
			p->stats.pages_written++;
		} else {
			dropped(p, op->loc);
		}
		z__event_locked(p, what, op->va, z__frame_number(p, pf));
		z__ghost_note_locked(p, op->va);
		z__frame_change(p, pf, Z_FRAME_LEAVING, Z_FRAME_CLAIMED);
		if (may_be_handed(p, b))
			*b->hand = pf;
		else
			z__free_list_put_locked(p, pf);
	}
}

/* ---- all of it --------------------------------------------------------------------------- */

static int run_batch(struct z_pager *p, struct batch *b)
{
	int detach_error;
	int write_error;

	p->stats.batches++;
	detach_error = detach(p, b);
	write_error = write_out(p, b);
	vacate(p, b);
	settle(p, b);
	return detach_error != Z_OK ? detach_error : write_error;
}

/* As z__evict_locked(), with the arrays of b. */
Z__ON_THE_WAY int evict_batch(struct z_pager *p, struct batch *b, struct z_page_frame **pfs,
			      size_t n, enum z_store_want want, size_t *freed_out)
{
	int take_error = Z_OK;
	int err = Z_OK;
	size_t taken = 0;

	if (pfs == NULL && p->held_count > 0)
		n = fill_candidates(p, n);
	while (taken < n && take_error == Z_OK) {
		struct z_page_frame *pf =
			pfs != NULL ? pfs[taken] : p->cfg.eviction->select(p->eviction_state);

		if (pf == NULL || !z_page_frame_is_evictable(pf))
			take_error = Z_ERR_NOMEM;
		else
			take_error = take(p, b, taken, pf, want);
		taken += take_error == Z_OK;
	}
	b->n = taken;
	if (taken > 0)
		err = run_batch(p, b);
	*freed_out = b->n;
	return err != Z_OK ? err : take_error;
}

int z__evict_locked(struct z_pager *p, struct z_page_frame **pfs, size_t n, enum z_store_want want,
		    struct z_page_frame **hand, size_t *freed_out)
{
	bool write[Z_BATCH_MAX];
	struct z_page_frame *victims[Z_BATCH_MAX];
	struct z_page_op ops[Z_BATCH_MAX];
	struct z_store_io ios[Z_BATCH_MAX];
	uint32_t op_of[Z_BATCH_MAX];
	struct batch b = {.hand = hand,
			  .write = write,
			  .pfs = victims,
			  .ops = ops,
			  .ios = ios,
			  .op_of = op_of};

	return evict_batch(p, &b, pfs, n, want, freed_out);
}

/* The arrays of the big batch; whoever has set reclaiming has them. */
static struct batch big_batch(const struct z_pager *p)
{
	size_t n = z__reserve_batch(&p->cfg);
	struct batch b = {.ops = p->reserve_room};

	b.ios = (struct z_store_io *)(void *)(b.ops + n);
	b.pfs = (struct z_page_frame **)(void *)(b.ios + n);
	b.op_of = (uint32_t *)(void *)(b.pfs + n);
	b.write = (bool *)(void *)(b.op_of + n);
	return b;
}

size_t z__reserve_room_bytes(const struct z_pager_config *c)
{
	return z__reserve_batch(c) *
	       (sizeof(struct z_page_op) + sizeof(struct z_store_io) +
		sizeof(struct z_page_frame *) + sizeof(uint32_t) + sizeof(bool));
}

/* Victims of a big batch: as configured, but never a large part of the frames that are in service. */
static size_t big_batch_size(const struct z_pager *p)
{
	uint32_t share = (p->nram - p->retired_count) / 8;

	return share < z__reserve_batch(&p->cfg) ? share : z__reserve_batch(&p->cfg);
}

/* Of an ahead-batch: small, or big if there is room for one and enough frames. */
static int fill_reserve(struct z_pager *p, size_t max)
{
	size_t small = z__batch_size(p);
	size_t big = big_batch_size(p);
	size_t freed = 0;
	struct batch b;
	int err;

	if (max <= small || big <= small)
		return z__evict_some_locked(p, max < small ? max : small, Z_WANT_FOR_EVICT, NULL);
	b = big_batch(p);
	err = evict_batch(p, &b, NULL, max < big ? max : big, Z_WANT_FOR_EVICT, &freed);
	return freed > 0 ? Z_OK : z__evict_another_locked(p, small, Z_WANT_FOR_EVICT, NULL, err);
}

int z__evict_reserve_locked(struct z_pager *p, size_t max)
{
	size_t small = z__batch_size(p);
	int err;

	if (p->reclaiming)
		return z__evict_some_locked(p, max < small ? max : small, Z_WANT_FOR_EVICT, NULL);
	p->reclaiming = true;
	err = fill_reserve(p, max);
	p->reclaiming = false;
	return err;
}

/*
 * The next candidate that the store has a place for already, from where the last search ended; NULL if
 * there is none. May drop.
 */
static struct z_page_frame *next_backed(struct z_pager *p)
{
	for (uint32_t looked = 1; looked <= p->cfg.nframes; looked++) {
		struct z_page_frame *pf = &p->cfg.frames[p->backed_hand];

		p->backed_hand = (p->backed_hand + 1) % p->cfg.nframes;
		if (z_page_frame_is_backed(pf) && z_page_frame_is_evictable(pf))
			return pf;
		if (p->cfg.unlock_for_io && looked % Z_LOOKS_AT_ONCE == 0) {
			z__unlock(p);
			z__lock(p);
		}
	}
	return NULL;
}

/*
 * No frame was freed; is there another victim to try? *chosen: it, or NULL if the algorithm is to choose.
 * If the store is full only a page that it has already can go. That costs a search, so a fault alone gets it.
 */
static bool try_another(struct z_pager *p, int err, enum z_store_want want,
			struct z_page_frame **chosen)
{
	*chosen = NULL;
	if (err == Z_ERR_NOSPC && want == Z_WANT_FOR_FAULT) {
		*chosen = next_backed(p);
		return *chosen != NULL;
	}
	return err == Z_ERR_IO || err == Z_ERR_BUSY;
}

int z__evict_another_locked(struct z_pager *p, size_t max, enum z_store_want want,
			    struct z_page_frame **hand, int err)
{
	struct z_page_frame *chosen;
	size_t freed = 0;
	int tries = Z_EVICT_TRIES - 1;

	while (freed == 0 && tries > 0 && try_another(p, err, want, &chosen)) {
		err = chosen == NULL ? z__evict_locked(p, NULL, max, want, hand, &freed)
				     : z__evict_locked(p, &chosen, 1, want, hand, &freed);
		tries--;
	}
	return freed > 0 ? Z_OK : err;
}

/* ---- entry points ------------------------------------------------------------------------ */

int z_pager_evict_frame(struct z_pager *p, z_phys_t phys)
{
	struct z_page_frame *pf = z__frame_of_phys(p, phys);
	size_t freed;
	int err;

	if (p->cfg.unlock_for_io && p->cfg.env->in_isr != NULL &&
	    p->cfg.env->in_isr(p->cfg.env_ctx))
		return Z_ERR_PERM;
	if (!z_is_page_aligned(phys.v) || pf == NULL)
		return Z_ERR_INVAL;

	z__lock(p);
	switch (z__frame_state(pf)) {
	case Z_FRAME_AVAILABLE:
		err = Z_OK;
		break;
	case Z_FRAME_RESIDENT:
		err = z_page_frame_is_pinned(pf)
			      ? Z_ERR_BUSY
			      : z__evict_locked(p, &pf, 1, Z_WANT_FOR_EVICT, NULL, &freed);
		break;
	case Z_FRAME_RETIRED:
	case Z_FRAME_HOLE:
		err = Z_ERR_INVAL;
		break;
	default:
		err = Z_ERR_AGAIN;
		break;
	}
	z__unlock(p);
	return err;
}

int z_pager_evict_all(struct z_pager *p, bool (*wanted)(void *context, uintptr_t va), void *context,
		      uint32_t *evicted_out)
{
	struct z_page_frame *pfs[Z_BATCH_MAX];
	uint32_t evicted = 0;
	size_t n = 0;
	int err = Z_OK;

	z__lock(p);
	uint32_t left = p->resident_count;
	for (uint32_t i = 0; i < p->cfg.nframes && left > 0; i++) {
		struct z_page_frame *pf = &p->cfg.frames[i];
		size_t freed = 0;
		int one = Z_OK;

		left -= z__frame_state(pf) == Z_FRAME_RESIDENT;
		if (z_page_frame_is_evictable(pf) &&
		    (wanted == NULL || wanted(context, (uintptr_t)pf->addr)))
			pfs[n++] = pf;
		if (n == z__batch_size(p) || (n > 0 && (left == 0 || i + 1 == p->cfg.nframes))) {
			one = z__evict_locked(p, pfs, n, Z_WANT_FOR_EVICT, NULL, &freed);
			evicted += (uint32_t)freed;
			n = 0;
		}
		if (err == Z_OK)
			err = one;
	}
	z__unlock(p);
	if (evicted_out != NULL)
		*evicted_out = evicted;
	return err;
}

int z_pager_reclaim(struct z_pager *p, uint32_t frames_free)
{
	int err = Z_OK;

	z__lock(p);
	while (p->free_count < frames_free && err == Z_OK) {
		err = z__evict_reserve_locked(p, frames_free - p->free_count);
	}
	z__unlock(p);
	return err;
}
