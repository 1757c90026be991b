/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault.c - making a page present.
 *
 * Theory. Four phases, straight down:
 *
 *   classify  what is the page's entry? present, being moved, to be loaded, not mapped, forbidden
 *   reserve   a frame: off the free list, else a victim's. If the lock was dropped meanwhile, look
 *             at the entry again; the frame stays in hand.
 *   transfer  the entry is HELD and the frame LOADING; the data comes in, with the lock off
 *   commit    the entry is IN, the frame RESIDENT, the store finalizes, waiters wake - or undo: the
 *             entry is what it was, the frame is free, nothing has been lost
 *
 * A context that finds the page being moved waits for the frame and starts again, so several
 * faults on one page cause one read. A context that waits for a frame has none, and a context that
 * has one waits only for a page whose mover has one too: no cycle.
 *
 * Locks: as said at each function in internal.h.
 */
#include "ahead.h"

/* ---- reserve ----------------------------------------------------------------------------- */

/* Make a frame free, or wait until somebody else has. *pf_out: it may be in hand already. */
Z__ON_THE_WAY int make_room(struct z_pager *p, struct z_page_frame **pf_out)
{
	int err = z__evict_some_locked(p, z__batch_size(p), Z_WANT_FOR_FAULT, pf_out);

	if (err == Z_OK || p->busy_count == 0)
		return err;
	p->frame_waiters++;
	z__wait_locked(p, &p->frame_waiters);
	p->frame_waiters--;
	return Z_OK;
}

/* A CLAIMED frame, evicting if none is free. */
Z__ON_THE_WAY int obtain(struct z_pager *p, struct z_page_frame **pf_out)
{
	int err = Z_OK;

	*pf_out = p->banks_with_free != 0 ? z__free_list_take_locked(p) : NULL;
	while (*pf_out == NULL && err == Z_OK) {
		err = make_room(p, pf_out);
		if (*pf_out == NULL)
			*pf_out = z__free_list_take_locked(p);
	}
	return *pf_out != NULL ? Z_OK : err;
}

/* ---- transfer ---------------------------------------------------------------------------- */

Z__ON_THE_WAY int transfer(struct z_pager *p, const struct z_entry *e, struct z_page_op *op,
			   enum z_attach_as *as, void **page_out)
{
	const struct z_arch_ops *arch = p->cfg.arch;
	int err = Z_OK;

	z__io_begin_locked(p);
	*page_out = arch->scratch(p->cfg.arch_ctx, op->va, op->phys, Z_SCRATCH_FILL);
	if (e->kind == Z_ENTRY_OUT) {
		err = p->cfg.store->ops->page_in(p->cfg.store, e->loc, *page_out);
	} else {
		memset(*page_out, 0, Z_PAGE_SIZE);
		*as = z__zeroed_as(arch, *as);
	}
	if (err == Z_OK && z__place_of(arch) != NULL)
		(void)arch->place(p->cfg.arch_ctx, op, 1, *as);
	z__io_end(p);
	return err;
}

/* ---- commit ------------------------------------------------------------------------------ */

static void undo_load(struct z_pager *p, struct z_page_frame *pf, const struct z_entry *e,
		      struct z_page_op *op, int err)
{
	op->loc = e->loc;
	op->untouched = e->kind == Z_ENTRY_UNTOUCHED;
	p->cfg.arch->release(p->cfg.arch_ctx, op, 1);
	z__frame_change(p, pf, Z_FRAME_LOADING, Z_FRAME_CLAIMED);
	z__event_locked(p, Z_EVENT_LOAD_UNDONE, op->va, err);
}

/* A ghost of an untouched page is of an earlier page at its address. */
Z__ON_THE_WAY void tell_refault(struct z_pager *p, struct z_page_frame *pf, bool read)
{
	uint32_t distance = z__ghost_take_locked(p, (uintptr_t)pf->addr);

	if (distance == 0 || !read)
		return;
	p->stats.refaults++;
	if (p->cfg.eviction->refault != NULL)
		p->cfg.eviction->refault(p->eviction_state, pf, distance);
}

Z__ON_THE_WAY void commit_load(struct z_pager *p, struct z_page_frame *pf, const struct z_entry *e,
			       enum z_add_reason reason)
{
	bool read = e->kind == Z_ENTRY_OUT;
	enum z_event_kind what = Z_EVENT_ZERO_FILL;

	z__frame_change(p, pf, Z_FRAME_LOADING, Z_FRAME_RESIDENT);
	if (read) {
		p->cfg.store->ops->page_finalize(p->cfg.store, pf, e->loc);
		p->stats.pages_read++;
		what = Z_EVENT_PAGE_IN;
	} else {
		p->stats.pages_zeroed++;
	}
	z__event_locked(p, what, (uintptr_t)pf->addr, z__frame_number(p, pf));
	tell_refault(p, pf, read);
	z__candidate_add_locked(p, pf, reason);
	if (p->advised)
		z__tell_advice_locked(p, pf);
}

Z__ON_THE_WAY int load(struct z_pager *p, const struct z_entry *e, const struct z_request *r,
		       struct z_page_frame *pf)
{
	enum z_attach_as as = (r->access & Z_ACCESS_WRITE) != 0 ? Z_ATTACH_DIRTY : Z_ATTACH_CLEAN;
	struct z_page_op op;
	void *page;
	int err;

	op.va = r->va;
	op.phys = z__frame_phys(p, pf);
	op.status = Z_OK;
	z__frame_change(p, pf, Z_FRAME_CLAIMED, Z_FRAME_LOADING);
	pf->addr = (void *)r->va;
	p->cfg.arch->hold(p->cfg.arch_ctx, r->va, op.phys);

	err = transfer(p, e, &op, &as, &page);
	if (err != Z_OK)
		p->stats.read_errors++;
	else if (op.status != Z_OK || p->cfg.arch->attach(p->cfg.arch_ctx, &op, 1, as) > 0)
		err = op.status;
	else if (r->access != 0 && (p->cfg.arch->caps & Z_ARCH_TOUCH_LOADED) != 0)
		p->cfg.arch->touch(p->cfg.arch_ctx, r->va, r->access);

	if (err == Z_OK)
		commit_load(p, pf, e, r->why);
	else
		undo_load(p, pf, e, &op, err);
	p->cfg.arch->scratch_done(p->cfg.arch_ctx, r->va, op.phys, page, Z_SCRATCH_FILL);
	return err;
}

/* ---- all of it --------------------------------------------------------------------------- */

/* A page that is there already: let the port do its half, and the algorithm know. */
static struct z_page_frame *present(struct z_pager *p, const struct z_entry *e,
				    const struct z_request *r)
{
	struct z_page_frame *pf = z__frame_of_phys(p, e->phys);

	if (r->access == 0)
		return pf;
	p->cfg.arch->touch(p->cfg.arch_ctx, r->va, r->access);
	if ((pf->flags & Z_PAGE_FRAME_QUEUED) != 0 && p->cfg.eviction->accessed != NULL)
		p->cfg.eviction->accessed(p->eviction_state, pf);
	return pf;
}

/* The page is not to be loaded. Z_ERR_AGAIN: it was being moved, look again. */
static int answer(struct z_pager *p, const struct z_entry *e, const struct z_request *r,
		  struct z_page_frame **pf_out)
{
	if (e->kind == Z_ENTRY_UNMAPPED)
		return Z_ERR_FAULT;
	if ((r->access & ~e->prot) != 0)
		return Z_ERR_PERM;
	if (e->kind == Z_ENTRY_HELD) {
		z__frame_wait_locked(p, z__frame_of_phys(p, e->phys));
		return Z_ERR_AGAIN;
	}
	*pf_out = present(p, e, r);
	return Z_OK;
}

static bool has_to_be_loaded(const struct z_entry *e, const struct z_request *r)
{
	return (e->kind == Z_ENTRY_OUT || e->kind == Z_ENTRY_UNTOUCHED) &&
	       (r->access & ~e->prot) == 0;
}

/* One look at the page. Z_ERR_AGAIN: the world has changed, look again. */
Z__ON_THE_WAY int attempt(struct z_pager *p, const struct z_request *r, struct z_page_frame **hand,
			  struct z_page_frame **pf_out, bool *loaded)
{
	struct z_entry e = z__entry(p, r->va);
	int err;

	if (!has_to_be_loaded(&e, r))
		return answer(p, &e, r, pf_out);
	if (e.kind == Z_ENTRY_UNTOUCHED && z__prepare(p, r->va, 1) != Z_OK)
		return Z_ERR_NOMEM;
	if (*hand == NULL) {
		uint32_t drops = p->drops;

		err = obtain(p, hand);
		if (err != Z_OK)
			return err;
		if (p->drops != drops)
			return Z_ERR_AGAIN;
	}
	err = load(p, &e, r, *hand);
	if (err != Z_OK)
		return err;
	*pf_out = *hand;
	*hand = NULL;
	*loaded = true;
	return Z_OK;
}

Z__ON_THE_WAY int resident(struct z_pager *p, const struct z_request *r,
			   struct z_page_frame **pf_out, bool *loaded_out)
{
	struct z_page_frame *hand = NULL;
	int err;

	*loaded_out = false;
	do {
		err = attempt(p, r, &hand, pf_out, loaded_out);
	} while (err == Z_ERR_AGAIN);

	if (hand != NULL)
		z__free_list_put_locked(p, hand);
	return err;
}

int z__resident_locked(struct z_pager *p, const struct z_request *r, struct z_page_frame **pf_out)
{
	bool loaded;

	return resident(p, r, pf_out, &loaded);
}

static enum z_fault_result result_of(int err)
{
	if (err == Z_OK)
		return Z_FAULT_RESOLVED;
	switch (err) {
	case Z_ERR_FAULT:
		return Z_FAULT_BAD_ADDRESS;
	case Z_ERR_PERM:
		return Z_FAULT_VIOLATION;
	case Z_ERR_IO:
	case Z_ERR_CORRUPT:
		return Z_FAULT_IO_ERROR;
	default:
		return Z_FAULT_NO_MEMORY;
	}
}

struct context {
	bool irq_locked;
	bool in_isr;
	uint64_t start;
};

static uint64_t now(struct z_pager *p)
{
	return p->cfg.env->now != NULL ? p->cfg.env->now(p->cfg.env_ctx) : 0;
}

static struct context context_of(struct z_pager *p)
{
	const struct z_env_ops *env = p->cfg.env;

	return (struct context){
		.irq_locked = env->irqs_locked != NULL && env->irqs_locked(p->cfg.env_ctx),
		.in_isr = env->in_isr != NULL && env->in_isr(p->cfg.env_ctx),
		.start = now(p),
	};
}

/* A page was loaded: the fault that the counters are about. z_pager_stats adds the three up. */
static void count_fault(struct z_pager *p, const struct context *c)
{
	if (c->in_isr)
		p->stats.pagefaults_in_isr++;
	else if (c->irq_locked)
		p->stats.pagefaults_irq_locked++;
	else
		p->stats.pagefaults_irq_unlocked++;
}

static void count_other(struct z_pager *p, int err)
{
	if (err == Z_OK)
		p->stats.soft_faults++;
	else if (err == Z_ERR_FAULT || err == Z_ERR_PERM)
		p->stats.bad_faults++;
	else
		p->stats.failed_faults++;
}

/* Keep a reserve, so that the next faults find a frame: one context at a time does it. */
static void evict_ahead(struct z_pager *p)
{
	/* A small part of the frames that pages compete for: what comes in may stay. */
	uint32_t most = (p->free_count + p->resident_count - p->pinned_count) / 4;

	if (p->free_count >= most || p->reclaiming)
		return;
	/* A failure here is nobody's yet: the fault that finds no frame will report it. */
	(void)z__evict_reserve_locked(p, SIZE_MAX);
}

enum z_fault_result z_pager_fault(struct z_pager *p, uintptr_t va, unsigned int access)
{
	struct z_request r = {z_page_align_down(va), access, Z_ADD_FAULT};
	struct context c = context_of(p);
	struct z_page_frame *pf;
	bool loaded = false;
	int err = Z_ERR_FAULT;

	z__lock(p);
	if (z__in_window(p, r.va))
		err = resident(p, &r, &pf, &loaded);
	if (loaded) {
		z__event_locked(p, Z_EVENT_FAULT, r.va, access);
		if (p->free_count < p->cfg.low_water)
			evict_ahead(p);
		z__ahead_after_locked(p, &r);
		count_fault(p, &c);
	} else {
		z__event_locked(p, err == Z_OK ? Z_EVENT_SOFT_FAULT : Z_EVENT_BAD_FAULT, r.va,
				access);
		count_other(p, err);
	}
	p->stats.fault_ns += now(p) - c.start;
	z__unlock(p);
	return result_of(err);
}
