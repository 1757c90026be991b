/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ahead.c - reading ahead of scans.
 *
 * Theory. A fault is compared with the last one in its zone, a piece of the window of addresses: the
 * same step again (one page: twice; more: three times) makes a stream, of which several go on at
 * once, whoever they belong to. A stream reads a window of pages ahead and leaves the page behind the
 * window out: the fault there says that the scan has come by what was read, which nothing else would
 * say where the hardware keeps no accessed bit. So a window of n pages makes one fault of n + 1.
 *
 * Windows double with each fault that goes on, up to the configured size, a small part of the frames,
 * and half of the scratch mappings. A fault inside of a window is a page that left again before it was
 * touched: the window halves. Pages that are in are passed over; a window ends where a page is not
 * mapped, has other permissions, or is being moved.
 *
 * Pages that were never touched come in the same way, as zeros, if the configuration says so, while that many
 * frames stay free; a window is of the one kind of pages or the other. Since a window is about as long as what was
 * scanned before it, at most, a program has no more than twice the pages that it touched in order.
 *
 * Random faults pay for one comparison: of the step, and of a bit for each page that a stream waits
 * for. A fault that has such a bit by chance costs the stream a life; a stream without lives is over.
 *
 * Frames are made free before the window is taken, so it never evicts what it reads; then everything
 * is in hand, and nothing waits while it holds the frames: no cycle. A read that fails is nobody's
 * error: the page stays out, and whoever touches it will be told.
 *
 * Locks: pager lock held on entry and return; dropped while evicting and during the transfer. A
 * stream is looked at again afterwards. Limits: Z_BATCH_MAX pages a window, Z_STREAMS_MAX streams,
 * strides of Z_STRIDE_MAX pages.
 */
#include "ahead.h"

#ifdef CONFIG_ZPAGER_AHEAD

#define Z_STRIDE_MAX   32
#define Z_WINDOW_FIRST 4U
#define Z_LIVES        8U
/* Of the frames that pages compete for, one window takes at most this part. */
#define Z_WINDOW_SHARE 8U
/* Pages that a window may pass over because they are in. */
#define Z_STEPS_MAX 256U

/* ---- streams ----------------------------------------------------------------------------- */

static void publish(struct z_ahead *a)
{
	uint64_t bits = a->sequential ? ~UINT64_C(0) : 0;

	for (uint32_t i = 0; i < Z_STREAMS_MAX; i++) {
		if (a->streams[i].stride != 0)
			bits |= UINT64_C(1) << (a->streams[i].next / Z_PAGE_SIZE & 63U);
	}
	a->expected = bits;
}

/* Pages of the window that the hardware has seen a touch of. */
static uint32_t touched(struct z_pager *p, const struct z_stream *s)
{
	const struct z_arch_ops *arch = p->cfg.arch;
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->steps && (arch->caps & Z_ARCH_ACCESSED) != 0; i++) {
		uintptr_t va = s->first + (uintptr_t)s->stride * i;

		n += z__entry(p, va).kind == Z_ENTRY_IN &&
		     (arch->info(p->cfg.arch_ctx, va, false) & Z_INFO_ACCESSED) != 0;
	}
	return n;
}

/* So many pages of the window were of use, the others were not. */
static void judge(struct z_pager *p, struct z_stream *s, uint32_t used)
{
	uint32_t hits = used < s->unseen ? used : s->unseen;

	p->stats.ahead_hits += hits;
	p->stats.ahead_wasted += s->unseen - hits;
	s->unseen = 0;
}

static void end(struct z_pager *p, struct z_stream *s)
{
	judge(p, s, touched(p, s));
	s->stride = 0;
}

/* A free place, or that of the stream which has been quiet for longest. */
static struct z_stream *place(struct z_pager *p)
{
	struct z_ahead *a = p->ahead;
	struct z_stream *oldest = &a->streams[0];

	for (uint32_t i = 0; i < Z_STREAMS_MAX; i++) {
		struct z_stream *s = &a->streams[i];

		if (s->stride == 0)
			return s;
		if (a->windows - s->renewed > a->windows - oldest->renewed)
			oldest = s;
	}
	end(p, oldest);
	return oldest;
}

/* The stream that waits for this page. */
static struct z_stream *waiting_for(struct z_ahead *a, uintptr_t va)
{
	for (uint32_t i = 0; i < Z_STREAMS_MAX; i++) {
		if (a->streams[i].stride != 0 && a->streams[i].next == va)
			return &a->streams[i];
	}
	return NULL;
}

/* The fault was let through by the bit of a stream that does not wait for it. */
static void age(struct z_pager *p, uintptr_t va)
{
	struct z_ahead *a = p->ahead;

	for (uint32_t i = 0; i < Z_STREAMS_MAX; i++) {
		struct z_stream *s = &a->streams[i];

		if (s->stride == 0 || ((s->next ^ va) / Z_PAGE_SIZE & 63U) != 0)
			continue;
		if (--s->lives == 0)
			end(p, s);
	}
	publish(a);
}

/* Steps from the beginning of the window to the page, if they are whole and not too many. */
static bool steps_to(const struct z_stream *s, uintptr_t va, uint32_t *steps_out)
{
	intptr_t distance = (intptr_t)(va - s->first);

	if (distance % s->stride != 0 || distance / s->stride < 0 ||
	    distance / s->stride > (intptr_t)s->steps + Z_STEPS_MAX)
		return false;
	*steps_out = (uint32_t)(distance / s->stride);
	return true;
}

/*
 * A stream of that stride which has the page in its window (what it read left too early), or had it
 * a little before it (the page that it waits for came in by other ways).
 */
static struct z_stream *lost(struct z_pager *p, uintptr_t va, intptr_t stride)
{
	for (uint32_t i = 0; i < Z_STREAMS_MAX; i++) {
		struct z_stream *s = &p->ahead->streams[i];
		uint32_t steps;

		if (s->stride != stride || !steps_to(s, va, &steps))
			continue;
		if (steps < s->steps)
			s->window = (s->window + 1) / 2;
		judge(p, s, steps);
		return s;
	}
	return NULL;
}

/* ---- a window ---------------------------------------------------------------------------- */

struct run {
	uint32_t n;
	unsigned int prot; /* of all of them */
	bool zeros;        /* all of them were never touched */
	struct z_page_frame *pfs[Z_BATCH_MAX];
	struct z_page_op ops[Z_BATCH_MAX];
	struct z_store_fill fills[Z_BATCH_MAX];
};

static bool takes_turns(const struct z_pager *p)
{
	return p->cfg.unlock_for_io && (p->cfg.store->caps & Z_STORE_PARALLEL) == 0;
}

/* Pages that can be in transfer at once without anybody waiting for it. */
static uint32_t mappings(const struct z_pager *p)
{
	uint32_t slots = p->cfg.arch->scratch_slots;
	uint32_t free = slots - (p->io_in_flight < slots ? p->io_in_flight : slots);

	if (takes_turns(p) && p->io_in_flight > 0)
		return 0;
	return free < (slots + 1) / 2 ? free : (slots + 1) / 2;
}

static uint32_t window_size(const struct z_pager *p, const struct z_stream *s)
{
	uint32_t share = (p->free_count + p->resident_count - p->pinned_count) / Z_WINDOW_SHARE;

	return s->window < share ? s->window : share;
}

/* Evict in batches until n frames are free, but not the page that was just loaded. May drop. */
static void make_room(struct z_pager *p, const struct z_request *r, uint32_t n)
{
	struct z_entry e = z__entry(p, r->va);
	uint32_t rounds = n / z__batch_size(p) + 1;
	int err = Z_OK;

	if (p->free_count >= n || p->reclaiming)
		return;
	if (e.kind == Z_ENTRY_IN && (r->access & ~e.prot) == 0)
		p->cfg.arch->touch(p->cfg.arch_ctx, r->va, r->access);
	p->reclaiming = true;
	/* What cannot be freed is not read ahead; others may take what is. */
	for (; p->free_count < n && rounds > 0 && err == Z_OK; rounds--)
		err = z__evict_some_locked(p, z__batch_size(p), Z_WANT_FOR_EVICT, NULL);
	p->reclaiming = false;
}

/* May a page that was never touched come in although nobody asked for it? n: how many will be. */
static bool zeros_may_come(const struct z_pager *p, uint32_t n)
{
	return p->cfg.zero_ahead > 0 && p->free_count >= p->cfg.zero_ahead + n;
}

/* Is this a page that a run may have, or go on with? */
static bool suits(const struct z_pager *p, const struct run *r, const struct z_entry *e)
{
	bool zeros = e->kind == Z_ENTRY_UNTOUCHED;

	if (!(zeros ? zeros_may_come(p, 1) : e->kind == Z_ENTRY_OUT) || e->prot == 0)
		return false;
	return r->n == 0 || (e->prot == r->prot && zeros == r->zeros);
}

/* Take a page that is not in into the run. false: it ends the run. */
static bool take(struct z_pager *p, struct run *r, uintptr_t va, const struct z_entry *e)
{
	struct z_page_frame *pf;

	if (!suits(p, r, e) || (p->advised && z__region_advice(p, va) == Z_ADVICE_RANDOM))
		return false;
	if (e->kind == Z_ENTRY_UNTOUCHED && z__prepare(p, va, 1) != Z_OK)
		return false;
	pf = z__free_list_take_locked(p);
	if (pf == NULL)
		return false;
	z__frame_change(p, pf, Z_FRAME_CLAIMED, Z_FRAME_LOADING);
	pf->addr = (void *)va;
	r->prot = e->prot;
	r->zeros = e->kind == Z_ENTRY_UNTOUCHED;
	r->pfs[r->n] = pf;
	r->ops[r->n] = (struct z_page_op){
		.va = va, .phys = z__frame_phys(p, pf), .loc = e->loc, .untouched = r->zeros};
	p->cfg.arch->hold(p->cfg.arch_ctx, va, r->ops[r->n].phys);
	r->n++;
	return true;
}

/* The pages that follow va, as far as they go; the stream waits for the one behind them. */
static void collect(struct z_pager *p, struct z_stream *s, uintptr_t va, uint32_t most,
		    struct run *r)
{
	uintptr_t at = va + (uintptr_t)s->stride;

	s->first = at;
	r->n = 0;
	for (s->steps = 0; s->steps < Z_STEPS_MAX && z__in_window(p, at); s->steps++) {
		struct z_entry e = z__entry(p, at);

		if (e.kind != Z_ENTRY_IN && (r->n == most || !take(p, r, at, &e)))
			break;
		at += (uintptr_t)s->stride;
	}
	s->next = at;
}

/* Lowest address first: as the store and the port may have them in one piece. */
static void turn_round(struct run *r)
{
	for (uint32_t i = 0, j = r->n; i + 1 < j; i++) {
		struct z_page_frame *pf = r->pfs[i];
		struct z_page_op op = r->ops[i];

		j--;
		r->pfs[i] = r->pfs[j];
		r->ops[i] = r->ops[j];
		r->pfs[j] = pf;
		r->ops[j] = op;
	}
}

static void read_singly(struct z_store *store, struct z_store_fill *fills, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		fills[i].status = store->ops->page_in(store, fills[i].loc, fills[i].page);
}

static void read_run(struct z_store *store, struct run *r)
{
	if (r->zeros) {
		for (uint32_t i = 0; i < r->n; i++)
			memset(r->fills[i].page, 0, Z_PAGE_SIZE);
	} else if (store->ops->page_in_many != NULL) {
		(void)store->ops->page_in_many(store, r->fills, r->n);
	} else {
		read_singly(store, r->fills, r->n);
	}
}

/* The pages that were read go where they belong, where the port does that without the lock. */
static void place_run(struct z_pager *p, struct run *r, enum z_attach_as as)
{
	uint32_t n;

	for (uint32_t i = 0; i < r->n; i += n) {
		n = 0;
		while (i + n < r->n && r->fills[i + n].status == Z_OK)
			n++;
		if (n > 0)
			(void)p->cfg.arch->place(p->cfg.arch_ctx, &r->ops[i], n, as);
		else
			n = 1;
	}
}

static void transfer(struct z_pager *p, struct run *r, enum z_attach_as as)
{
	struct z_store *store = p->cfg.store;
	unsigned int turns = takes_turns(p) ? 1 : r->n;

	z__io_begin_many_locked(p, turns);
	for (uint32_t i = 0; i < r->n; i++) {
		const struct z_page_op *op = &r->ops[i];

		r->fills[i] = (struct z_store_fill){
			.loc = op->loc,
			.page = p->cfg.arch->scratch(p->cfg.arch_ctx, op->va, op->phys,
						     Z_SCRATCH_FILL),
		};
	}
	read_run(store, r);
	if (z__place_of(p->cfg.arch) != NULL)
		place_run(p, r, as);
	z__io_end_many(p, turns);
}

static void done_with(struct z_pager *p, const struct run *r, uint32_t i)
{
	p->cfg.arch->scratch_done(p->cfg.arch_ctx, r->ops[i].va, r->ops[i].phys, r->fills[i].page,
				  Z_SCRATCH_FILL);
}

static void undo(struct z_pager *p, struct run *r, uint32_t i, int err)
{
	struct z_page_op *op = &r->ops[i];

	p->cfg.arch->release(p->cfg.arch_ctx, op, 1);
	z__frame_change(p, r->pfs[i], Z_FRAME_LOADING, Z_FRAME_CLAIMED);
	z__event_locked(p, Z_EVENT_LOAD_UNDONE, op->va, err);
	p->stats.ahead_errors++;
	done_with(p, r, i);
	z__free_list_put_locked(p, r->pfs[i]);
}

static void commit(struct z_pager *p, struct run *r, uint32_t i)
{
	struct z_page_frame *pf = r->pfs[i];

	z__frame_change(p, pf, Z_FRAME_LOADING, Z_FRAME_RESIDENT);
	if (r->zeros) {
		p->stats.pages_zeroed++;
	} else {
		p->cfg.store->ops->page_finalize(p->cfg.store, pf, r->ops[i].loc);
		p->stats.pages_read++;
	}
	p->stats.pages_ahead++;
	z__event_locked(p, r->zeros ? Z_EVENT_ZERO_FILL : Z_EVENT_PAGE_IN, r->ops[i].va,
			z__frame_number(p, pf));
	z__candidate_add_locked(p, pf, Z_ADD_AHEAD);
	if (p->advised)
		z__tell_advice_locked(p, pf);
	done_with(p, r, i);
}

/* Undo what could not be read or placed; the others move up. */
static void drop_failed(struct z_pager *p, struct run *r)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < r->n; i++) {
		if (r->fills[i].status != Z_OK || r->ops[i].status != Z_OK) {
			p->stats.read_errors += r->fills[i].status != Z_OK;
			undo(p, r, i,
			     r->fills[i].status != Z_OK ? r->fills[i].status : r->ops[i].status);
			continue;
		}
		r->pfs[kept] = r->pfs[i];
		r->ops[kept] = r->ops[i];
		r->fills[kept] = r->fills[i];
		kept++;
	}
	r->n = kept;
}

/* Bring the pages of the run in. Returns how many came. May drop. */
static uint32_t bring_in(struct z_pager *p, struct run *r, enum z_attach_as as)
{
	uint32_t came = 0;

	transfer(p, r, as);
	drop_failed(p, r);
	if (r->n > 0)
		(void)p->cfg.arch->attach(p->cfg.arch_ctx, r->ops, r->n, as);
	for (uint32_t i = 0; i < r->n; i++) {
		if (r->ops[i].status == Z_OK) {
			commit(p, r, i);
			came++;
		} else {
			undo(p, r, i, r->ops[i].status);
		}
	}
	return came;
}

/* The window did not come in whole: wait for the first page that is missing. */
static void shorten(struct z_pager *p, struct z_stream *s)
{
	for (uint32_t i = 0; i < s->steps; i++) {
		uintptr_t va = s->first + (uintptr_t)s->stride * i;

		if (z__entry(p, va).kind != Z_ENTRY_IN) {
			s->steps = i;
			s->next = va;
		}
	}
}

static enum z_attach_as attach_as(const struct z_pager *p, const struct run *r, bool dirty)
{
	enum z_attach_as as =
		dirty && (r->prot & Z_ACCESS_WRITE) != 0 ? Z_ATTACH_DIRTY : Z_ATTACH_CLEAN;

	return r->zeros ? z__zeroed_as(p->cfg.arch, as) : as;
}

/* How many frames the window is worth; for zeros nothing has to leave. */
static uint32_t window_wanted(struct z_pager *p, const struct z_stream *s, uintptr_t va)
{
	uintptr_t next = va + (uintptr_t)s->stride;
	uint32_t most = window_size(p, s);

	if (z__in_window(p, next) && z__entry(p, next).kind == Z_ENTRY_UNTOUCHED &&
	    !zeros_may_come(p, most))
		return 0;
	return most;
}

/* Read the window behind the page of a fault. May drop. */
static void open_window(struct z_pager *p, struct z_stream *s, const struct z_request *request)
{
	bool write = (request->access & Z_ACCESS_WRITE) != 0;
	/* Pages that would be written one by one come in as written: no second fault. */
	bool dirty = write && s->wrote;
	uint32_t id = s->id;
	uint32_t most = window_wanted(p, s, request->va);
	uint32_t came;
	struct run r;

	s->wrote = write;
	s->lives = Z_LIVES;
	s->renewed = ++p->ahead->windows;
	make_room(p, request, most);
	if (s->id != id || s->next != request->va || s->stride == 0)
		return;
	if (most > mappings(p))
		most = mappings(p);
	collect(p, s, request->va, most, &r);
	publish(p->ahead);
	if (r.n == 0)
		return;
	if (s->stride < 0)
		turn_round(&r);
	most = r.n;
	came = bring_in(p, &r, attach_as(p, &r, dirty));
	p->stats.ahead_windows++;
	if (s->id != id || s->stride == 0) {
		p->stats.ahead_wasted += came;
		return;
	}
	s->unseen += came;
	if (came < most) {
		shorten(p, s);
		publish(p->ahead);
	}
}

/* ---- faults ------------------------------------------------------------------------------ */

static void go_on(struct z_pager *p, struct z_stream *s, const struct z_request *r)
{
	bool grows = s->unseen > 0;

	judge(p, s, s->unseen);
	if (grows)
		s->window = s->window * 2 < p->cfg.ahead ? s->window * 2 : p->cfg.ahead;
	open_window(p, s, r);
}

static void begin(struct z_pager *p, const struct z_request *r, intptr_t stride, bool sure)
{
	struct z_stream *s = lost(p, r->va, stride);

	if (s == NULL) {
		uint32_t first = Z_WINDOW_FIRST < p->cfg.ahead ? Z_WINDOW_FIRST : p->cfg.ahead;

		s = place(p);
		*s = (struct z_stream){
			.stride = stride,
			.window = sure ? p->cfg.ahead : first,
			.id = ++p->ahead->ids,
			.wrote = (r->access & Z_ACCESS_WRITE) != 0,
		};
	}
	s->next = r->va;
	open_window(p, s, r);
}

/* Is there something to bring in behind this one? */
static bool may_come(struct z_pager *p, uintptr_t va)
{
	enum z_entry_kind kind = z__in_window(p, va) ? z__entry(p, va).kind : Z_ENTRY_UNMAPPED;

	return kind == Z_ENTRY_OUT || (kind == Z_ENTRY_UNTOUCHED && zeros_may_come(p, 1));
}

/* How often the step has been the same; this time included. */
static uint32_t times(struct z_candidate *c, uint32_t step)
{
	uint32_t equal = step == (uint32_t)c->step ? (uint32_t)(c->step >> 32) + 1 : 0;

	c->step = (uint64_t)equal << 32 | step;
	return equal;
}

void z__ahead_look_locked(struct z_pager *p, const struct z_request *r, struct z_candidate *c,
			  uint32_t step)
{
	struct z_stream *s = waiting_for(p->ahead, r->va);
	enum z_advice advice = p->advised ? z__region_advice(p, r->va) : Z_ADVICE_NORMAL;
	bool sure = advice == Z_ADVICE_SEQUENTIAL;
	int32_t pages = (int32_t)step;
	uint32_t equal = times(c, step);

	if (s != NULL) {
		go_on(p, s, r);
		return;
	}
	age(p, r->va);
	if (equal < (pages == 1 || pages == -1 ? 1U : 2U)) {
		if (!sure)
			return;
		pages = pages == -1 ? -1 : 1;
	}
	if (pages == 0 || pages > Z_STRIDE_MAX || pages < -Z_STRIDE_MAX ||
	    advice == Z_ADVICE_RANDOM ||
	    !may_come(p, r->va + (uintptr_t)(intptr_t)pages * Z_PAGE_SIZE))
		return;
	begin(p, r, (intptr_t)pages * (intptr_t)Z_PAGE_SIZE, sure);
}

void z__ahead_advised_locked(struct z_pager *p)
{
	p->ahead->sequential = true;
	publish(p->ahead);
}

#endif
