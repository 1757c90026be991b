/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - the walker over the state: every invariant of docs/INVARIANTS.md, by its number.
 *
 * Theory. Each level includes the lower ones. A check function returns the number of the first
 * invariant that fails, 0 if all hold. Levels 0 to 2 may run at any time: they look at one moment,
 * under the lock. Level 3 moves pages through the port and the store and wants quiet.
 *
 * Locks: pager lock throughout.
 */
#include "internal.h"

#define Z_INVARIANTS(X)                                                                            \
	X(1, "free, retired, resident and busy frames add up to RAM")                              \
	X(2, "a bank's bit is set iff it is on-line and has a free frame")                         \
	X(3, "free frames of the banks add up to the free counts, on-line and off-line")           \
	X(4, "as many frames are retired as wanted, or none is free")                              \
	X(10, "flags of a frame are one of the states")                                            \
	X(11, "an available frame has no flag, pin or store field")                                \
	X(12, "the free list of a bank holds exactly its available frames")                        \
	X(13, "the retired list holds exactly the retired frames")                                 \
	X(14, "PINNED is set iff there are pins, and only on a resident frame")                    \
	X(15, "a frame is known to the algorithm iff evictable, not held")                         \
	X(16, "the counts of resident, busy and pinned frames are right")                          \
	X(17, "only a busy frame is waited for")                                                   \
	X(18, "BACKED only on a frame that holds a page")                                          \
	X(20, "regions are sorted, apart, inside the window")                                      \
	X(21, "mapped pages are the sum of the regions")                                           \
	X(22, "every page of a region has an entry that is mapped")                                \
	X(23, "an entry with a frame and the frame's address agree")                               \
	X(24, "an IN entry has a resident frame, a HELD one a busy frame")                         \
	X(25, "every frame that holds a page is in exactly one entry")                             \
	X(30, "the eviction algorithm's state is sound")                                           \
	X(31, "the store's state is sound")                                                        \
	X(32, "the store holds at least the pages that are out")                                   \
	X(40, "a clean BACKED frame equals its copy in the store")

static const char *invariant_text(int number)
{
	switch (number) {
#define Z_INVARIANT_CASE(n, text)                                                                  \
	case n:                                                                                    \
		return text;
		Z_INVARIANTS(Z_INVARIANT_CASE)
#undef Z_INVARIANT_CASE
	default:
		return "all invariants hold";
	}
}

/* ---- level 0 ----------------------------------------------------------------------------- */

static int check_counters(struct z_pager *p)
{
	uint32_t free[2] = {0, 0}; /* of banks on-line, off-line */

	if (p->free_count + p->offline_free + p->retired_count + p->resident_count +
		    p->busy_count !=
	    p->nram)
		return 1;
	for (uint32_t b = 0; b < p->nbanks; b++) {
		bool usable = !p->banks[b].offline && p->banks[b].free > 0;

		if (usable != ((p->banks_with_free >> b & 1) != 0))
			return 2;
		free[p->banks[b].offline] += p->banks[b].free;
	}
	if (free[0] != p->free_count || free[1] != p->offline_free)
		return 3;
	if (p->retired_count > z__free_list_wanted_retired(p) ||
	    (p->retired_count < z__free_list_wanted_retired(p) && p->free_count > 0))
		return 4;
	return 0;
}

/* ---- level 1 ----------------------------------------------------------------------------- */

static int check_frame(const struct z_page_frame *pf)
{
	enum z_frame_state state = z__frame_state(pf);
	bool busy = z_page_frame_is_busy(pf);
	bool queued = (pf->flags & Z_PAGE_FRAME_QUEUED) != 0;

	if ((pf->flags & Z_PAGE_FRAME_RESERVED) != 0 &&
	    (pf->flags & ~(unsigned int)Z_PAGE_FRAME_RESERVED) != 0)
		return 10;
	if (state == Z_FRAME_AVAILABLE &&
	    (pf->flags != 0 || pf->pins != 0 || z_page_frame_store_get(pf) != 0))
		return 11;
	if (state != Z_FRAME_HOLE && z_page_frame_is_pinned(pf) != (pf->pins > 0))
		return 14;
	if (z_page_frame_is_pinned(pf) && state != Z_FRAME_RESIDENT)
		return 14;
	if (queued && !z_page_frame_is_evictable(pf))
		return 15;
	if ((pf->flags & Z_PAGE_FRAME_WAITED) != 0 && !busy)
		return 17;
	if (z_page_frame_is_backed(pf) && !z_page_frame_is_mapped(pf))
		return 18;
	return 0;
}

/* Length of a list of frames that are all in the given state; UINT32_MAX if one is not. */
static uint32_t list_length(const struct z_pager *p, uint32_t head, enum z_frame_state state)
{
	uint32_t n = 0;

	while (head != Z_FRAME_NONE && n <= p->cfg.nframes) {
		const struct z_page_frame *pf = &p->cfg.frames[head];

		if (z__frame_state(pf) != state)
			return UINT32_MAX;
		head = (uint32_t)(uintptr_t)pf->addr - 1U;
		n++;
	}
	return n;
}

struct census {
	uint32_t available;
	uint32_t retired;
	uint32_t resident;
	uint32_t busy;
	uint32_t pinned;
	uint32_t held;
};

static void count_frame(struct census *c, const struct z_page_frame *pf)
{
	switch (z__frame_state(pf)) {
	case Z_FRAME_AVAILABLE:
		c->available++;
		break;
	case Z_FRAME_RETIRED:
		c->retired++;
		break;
	case Z_FRAME_RESIDENT:
		c->resident++;
		c->pinned += z_page_frame_is_pinned(pf);
		c->held += z__is_held(pf);
		break;
	case Z_FRAME_HOLE:
		break;
	default:
		c->busy++;
		break;
	}
}

static int check_lists(struct z_pager *p, const struct census *c)
{
	uint32_t listed = 0;

	for (uint32_t b = 0; b < p->nbanks; b++) {
		uint32_t n = list_length(p, p->banks[b].head, Z_FRAME_AVAILABLE);

		if (n != p->banks[b].free)
			return 12;
		listed += n;
	}
	if (listed != c->available)
		return 12;
	if (list_length(p, p->retired_head, Z_FRAME_RETIRED) != p->retired_count ||
	    p->retired_count != c->retired)
		return 13;
	return 0;
}

static int check_frames(struct z_pager *p)
{
	struct census c = {0};

	for (uint32_t i = 0; i < p->cfg.nframes; i++) {
		int bad = check_frame(&p->cfg.frames[i]);

		if (bad != 0)
			return bad;
		count_frame(&c, &p->cfg.frames[i]);
	}
	if (c.held != p->held_count)
		return 15;
	if (c.resident != p->resident_count || c.busy != p->busy_count ||
	    c.pinned != p->pinned_count)
		return 16;
	return check_lists(p, &c);
}

/* ---- level 2 ----------------------------------------------------------------------------- */

static int check_regions(const struct z_pager *p)
{
	uintptr_t from = z__page_va(p->cfg.vm_base, 1);
	uintptr_t last = z__page_va(p->cfg.vm_base, p->cfg.vm_pages - 1);
	size_t pages = 0;

	for (uint32_t i = 0; i < p->nregions; i++) {
		const struct z_region *r = &p->regions[i];

		if (r->pages == 0 || r->va < from || z__page_va(r->va, r->pages) > last)
			return 20;
		from = z__page_va(r->va, r->pages);
		pages += r->pages;
	}
	return pages == p->mapped_pages ? 0 : 21;
}

struct entry_census {
	uint32_t with_frame;
	uint64_t out;
};

/* *kind_out: of the entry. */
static int check_entry(struct z_pager *p, uintptr_t va, struct entry_census *c,
		       enum z_entry_kind *kind_out)
{
	struct z_entry e = z__entry(p, va);
	const struct z_page_frame *pf;

	*kind_out = e.kind;

	if (e.kind == Z_ENTRY_UNMAPPED)
		return 22;
	c->out += e.kind == Z_ENTRY_OUT;
	if (e.kind != Z_ENTRY_IN && e.kind != Z_ENTRY_HELD)
		return 0;

	c->with_frame++;
	pf = z__frame_of_phys(p, e.phys);
	if (pf == NULL || (uintptr_t)pf->addr != va)
		return 23;
	if (e.kind == Z_ENTRY_IN)
		return z__frame_state(pf) == Z_FRAME_RESIDENT ? 0 : 24;
	return z_page_frame_is_busy(pf) ? 0 : 24;
}

static int check_entries(struct z_pager *p, const struct z_region *r, struct entry_census *c)
{
	enum z_entry_kind kind;
	int bad = 0;

	for (size_t n = 0; n < r->pages && bad == 0;) {
		uintptr_t va = z__page_va(r->va, n);

		bad = check_entry(p, va, c, &kind);
		n += z__step(p, va, r->pages - n, kind);
	}
	return bad;
}

static uint32_t frames_with_page(const struct z_pager *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->cfg.nframes; i++) {
		const struct z_page_frame *pf = &p->cfg.frames[i];
		enum z_frame_state state = z__frame_state(pf);

		n += state == Z_FRAME_RESIDENT || state == Z_FRAME_LOADING ||
		     state == Z_FRAME_LEAVING;
	}
	return n;
}

static int check_pages(struct z_pager *p)
{
	struct entry_census c = {0};
	struct z_store_stats store = {0};
	int bad = check_regions(p);

	for (uint32_t i = 0; i < p->nregions && bad == 0; i++)
		bad = check_entries(p, &p->regions[i], &c);
	if (bad != 0)
		return bad;
	if (c.with_frame != frames_with_page(p))
		return 25;
	if (p->cfg.eviction->check != NULL && p->cfg.eviction->check(p->eviction_state) != 0)
		return 30;
	if (p->cfg.store->ops->check != NULL && p->cfg.store->ops->check(p->cfg.store) != 0)
		return 31;
	p->cfg.store->ops->stats(p->cfg.store, &store);
	return store.used_pages >= c.out ? 0 : 32;
}

/* ---- level 3 ----------------------------------------------------------------------------- */

/* Read the copy of a BACKED page into p->compare; the store still has it afterwards. */
static int read_copy(struct z_pager *p, struct z_page_frame *pf)
{
	struct z_store *store = p->cfg.store;
	z_loc_t loc;
	int err = store->ops->location_get(store, pf, Z_WANT_FOR_EVICT, &loc);

	if (err != Z_OK)
		return err;
	z_page_frame_backed_clear(pf);
	z__io_begin_locked(p);
	err = store->ops->page_in(store, loc, p->compare);
	z__io_end(p);
	store->ops->page_finalize(store, pf, loc);
	return err;
}

/* Is the page in this frame equal to p->compare? The page is as it was afterwards. */
static bool equals_copy(struct z_pager *p, struct z_page_op *op)
{
	void *page;
	bool equal;

	z__io_begin_locked(p);
	page = p->cfg.arch->scratch(p->cfg.arch_ctx, op->va, op->phys, Z_SCRATCH_SAVE);
	equal = memcmp(page, p->compare, Z_PAGE_SIZE) == 0;
	p->cfg.arch->scratch_done(p->cfg.arch_ctx, op->va, op->phys, page, Z_SCRATCH_SAVE);
	z__io_end(p);
	return equal;
}

static int check_copy(struct z_pager *p, struct z_page_frame *pf)
{
	struct z_page_op op = {.va = (uintptr_t)pf->addr, .phys = z__frame_phys(p, pf)};
	unsigned int info = p->cfg.arch->info(p->cfg.arch_ctx, op.va, false);
	bool equal;

	if (!z_page_frame_is_backed(pf) || (info & Z_INFO_DIRTY) != 0)
		return 0;
	if (read_copy(p, pf) != Z_OK)
		return 40;
	if (p->cfg.arch->detach(p->cfg.arch_ctx, &op, 1) > 0)
		return 0;
	equal = equals_copy(p, &op);
	if (p->cfg.arch->attach(p->cfg.arch_ctx, &op, 1,
				op.dirty ? Z_ATTACH_DIRTY : Z_ATTACH_CLEAN) > 0)
		return 24;
	if ((info & Z_INFO_ACCESSED) != 0)
		p->cfg.arch->touch(p->cfg.arch_ctx, op.va, z__entry(p, op.va).prot & Z_ACCESS_READ);
	return equal ? 0 : 40;
}

static int check_contents(struct z_pager *p)
{
	int bad = 0;

	for (uint32_t i = 0; i < p->cfg.nframes && bad == 0; i++) {
		if (z__frame_state(&p->cfg.frames[i]) == Z_FRAME_RESIDENT)
			bad = check_copy(p, &p->cfg.frames[i]);
	}
	return bad;
}

int z_pager_check(struct z_pager *p, enum z_check_level level, const char **what_out)
{
	int bad;

	z__lock(p);
	bad = check_counters(p);
	if (bad == 0 && level >= Z_CHECK_FRAMES)
		bad = check_frames(p);
	if (bad == 0 && level >= Z_CHECK_PAGES)
		bad = check_pages(p);
	if (bad == 0 && level >= Z_CHECK_CONTENTS && p->busy_count == 0 &&
	    (p->cfg.store->caps & Z_STORE_KEEPS_COPY) != 0)
		bad = check_contents(p);
	z__unlock(p);
	if (what_out != NULL)
		*what_out = invariant_text(bad);
	return bad;
}
