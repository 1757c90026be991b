/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - a trace through an eviction module, on an MMU that shows accessed and dirty bits.
 *
 * Theory. What the core does at a fault, and in what order (core/fault.c, core/evict.c), without
 * the core: select() and remove(EVICT) if no frame is free, the ghost of the victim, the page in
 * its frame, refault() if a ghost knows it, add(), and only then the touch that faulted. Ghosts are
 * the core's own table, of the size that the port for Linux gives it. One victim a fault, no
 * reserve of free frames, nothing pinned.
 *
 * An algorithm sees the frames and what sample() says, nothing else. A page is born clean: it is
 * taken for one that the store has a copy of, so only what the program writes is written back.
 *
 * The state of a page is one byte; a reference to a resident page is a look at it and an OR.
 *
 * Locks: none. Limits: see replay.h.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zpager/arch.h>

#include "../core/internal.h"
#include "replay.h"

/* The state of a page. The lowest bits are those of sample(). */
#define SEEN     4U /* was touched before */
#define RESIDENT 8U
#define TRAPS    16U /* soft: the next touch faults */

/* Two pages left together if there were fewer evictions between them than the frames divided by this. */
#define APART_SHARE 32U
#define IS_NEW      UINT32_MAX

struct machine {
	struct z_eviction_host host;
	const struct z_eviction_ops *ops;
	void *state;
	struct z_pager ghosts; /* only what core/ghost.c uses */
	const struct pgt *t;
	const struct replay_options *o;
	struct replay_result *r;
	uint8_t *bits;     /* by page */
	uint32_t *in;      /* by page: its frame, if it is resident */
	uint32_t *page_of; /* by frame */
	uint32_t used;     /* frames that were filled at least once */
	uint32_t once;     /* sample() in this choice of a victim */
	const char *error;
	uint64_t *order; /* page numbers ascending, and their pages */
	uint32_t *order_page;
};

static uint32_t page_in(const struct machine *m, const struct z_page_frame *pf)
{
	return m->page_of[pf - m->host.frames];
}

static unsigned int sample(void *core, const struct z_page_frame *pf, bool clear_accessed)
{
	struct machine *m = core;
	uint8_t *bits = &m->bits[page_in(m, pf)];
	unsigned int info = *bits & (Z_INFO_ACCESSED | Z_INFO_DIRTY);

	m->r->examined++;
	m->once++;
	if (clear_accessed) {
		*bits = (uint8_t)((*bits & ~(unsigned int)Z_INFO_ACCESSED) | TRAPS);
	}
	return info;
}

/* ---- the miss ---------------------------------------------------------------------------- */

/* A frame that is free now. wanted: the page that may not be its victim. NULL: there is none. */
static struct z_page_frame *evict(struct machine *m, uint32_t wanted)
{
	struct z_page_frame *pf;
	uint32_t page;

	m->once = 0;
	pf = m->ops->select(m->state);
	if (m->once > m->r->examined_most) {
		m->r->examined_most = m->once;
	}
	if (pf == NULL || (pf->flags & Z_PAGE_FRAME_QUEUED) == 0) {
		m->error = "gave up no frame, or one that is no candidate";
		return NULL;
	}
	page = page_in(m, pf);
	if (page == wanted) {
		return NULL;
	}
	m->ops->remove(m->state, pf, Z_REMOVE_EVICT);
	m->r->evictions++;
	m->r->written += (m->bits[page] & Z_INFO_DIRTY) != 0;
	m->bits[page] &= SEEN;
	z__ghost_note_locked(&m->ghosts, (uintptr_t)pf->addr);
	return pf;
}

static bool fill(struct machine *m, uint32_t page, unsigned int dirty, enum z_add_reason reason,
		 uint32_t wanted)
{
	struct z_page_frame *pf;
	uint32_t distance;

	pf = m->used < m->host.nframes ? &m->host.frames[m->used++] : evict(m, wanted);
	if (pf == NULL) {
		return false;
	}
	*pf = (struct z_page_frame){
		.addr = (void *)(uintptr_t)(m->t->pages.number[page] * Z_PAGE_SIZE),
		.flags = Z_PAGE_FRAME_MAPPED,
	};
	m->page_of[pf - m->host.frames] = page;
	m->r->read++;
	distance = z__ghost_take_locked(&m->ghosts, (uintptr_t)pf->addr);
	m->in[page] = (uint32_t)(pf - m->host.frames);
	m->bits[page] = (uint8_t)(m->bits[page] | RESIDENT | TRAPS | dirty);
	if (distance != 0 && m->ops->refault != NULL) {
		m->ops->refault(m->state, pf, distance);
	}
	pf->flags = (uint8_t)(pf->flags | Z_PAGE_FRAME_QUEUED);
	m->ops->add(m->state, pf, reason);
	return true;
}

/* The first place in `order` whose page number is not below. */
static uint32_t place(const struct machine *m, uint64_t number)
{
	uint32_t low = 0;
	uint32_t high = m->t->pages.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (m->order[middle] < number) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static const struct z_page_frame *candidate_of(const struct machine *m, uint32_t at)
{
	uint32_t page = m->order_page[at];
	const struct z_page_frame *pf = &m->host.frames[m->in[page]];

	return (m->bits[page] & RESIDENT) != 0 && (pf->flags & Z_PAGE_FRAME_QUEUED) != 0 ? pf
											 : NULL;
}

/* As core/pager.c: so many pages to each side, the lower side first. */
static const struct z_page_frame *near(void *core, const struct z_page_frame *pf)
{
	const struct machine *m = core;
	uint64_t number = m->t->pages.number[page_in(m, pf)];
	uint32_t at = place(m, number);
	const struct z_page_frame *found = NULL;

	for (uint32_t i = at; found == NULL && i-- > 0 && number - m->order[i] <= Z__NEAR;) {
		found = candidate_of(m, i);
	}
	for (uint32_t i = at + 1;
	     found == NULL && i < m->t->pages.count && m->order[i] - number <= Z__NEAR; i++) {
		found = candidate_of(m, i);
	}
	return found;
}

/*
 * When a page left: the number of its eviction, as far as the core's ghosts remember it; IS_NEW: it was never
 * in; 0: it left, and it is not known when.
 */
static uint32_t left(struct machine *m, uint32_t page)
{
	uint32_t tag = z__ghost_tag(m->t->pages.number[page] * Z_PAGE_SIZE);
	const struct z_ghost *g = z__ghost_slot(&m->ghosts, tag);

	if (g->tag == tag) {
		return g->evicted;
	}
	return (m->bits[page] & SEEN) == 0 ? IS_NEW : 0;
}

/* Did both leave at about the same time, or is neither known to have left? */
static bool left_together(const struct machine *m, uint32_t one, uint32_t other)
{
	uint32_t apart = m->host.nframes / APART_SHARE;

	if (one == 0 || other == 0 || one == IS_NEW || other == IS_NEW) {
		return one == other && one == IS_NEW;
	}
	apart = apart > 0 ? apart : 1;
	return one - other + apart <= 2 * apart;
}

/*
 * The other pages of the aligned block, until one of them would push out the page that is wanted. when: that
 * page left.
 */
static void fill_around(struct machine *m, uint32_t page, uint32_t when)
{
	uint64_t first = m->t->pages.number[page] / m->o->readaround * m->o->readaround;

	for (uint32_t i = place(m, first);
	     i < m->t->pages.count && m->order[i] < first + m->o->readaround; i++) {
		uint32_t other = m->order_page[i];

		if ((m->bits[other] & RESIDENT) != 0 ||
		    (m->o->together && !left_together(m, when, left(m, other)))) {
			continue;
		}
		if (!fill(m, other, 0, Z_ADD_AHEAD, page)) {
			break;
		}
	}
}

static void miss(struct machine *m, uint32_t page, unsigned int touch)
{
	uint32_t when = left(m, page);

	m->r->misses++;
	m->r->cold += (m->bits[page] & SEEN) == 0;
	if (!fill(m, page, touch & Z_INFO_DIRTY, Z_ADD_FAULT, UINT32_MAX)) {
		return;
	}
	if (m->o->readaround > 1) {
		fill_around(m, page, when);
	}
	m->bits[page] = (uint8_t)((m->bits[page] | touch) & ~TRAPS);
}

/* ---- the run ----------------------------------------------------------------------------- */

static void soft_fault(struct machine *m, uint32_t page, unsigned int touch)
{
	m->bits[page] = (uint8_t)((m->bits[page] | touch) & ~TRAPS);
	m->r->soft++;
	if (m->ops->accessed != NULL) {
		m->ops->accessed(m->state, &m->host.frames[m->in[page]]);
	}
}

static inline unsigned int touch_of(uint32_t ref)
{
	return SEEN | Z_INFO_ACCESSED | (ref & PGT_WRITE);
}

_Static_assert((unsigned int)Z_INFO_DIRTY == PGT_WRITE, "a reference's flag is the page's bit");

static void run_bits(struct machine *m)
{
	const uint32_t *refs = m->t->refs;
	uint64_t soft = 0;

	for (uint64_t i = 0; i < m->t->nrefs && m->error == NULL; i++) {
		uint32_t page = pgt_page(refs[i]);
		unsigned int bits = m->bits[page];

		if ((bits & RESIDENT) == 0) {
			miss(m, page, touch_of(refs[i]));
			continue;
		}
		soft += (bits & Z_INFO_ACCESSED) == 0;
		m->bits[page] = (uint8_t)(bits | touch_of(refs[i]));
	}
	m->r->soft = soft;
}

static void run_soft(struct machine *m)
{
	const uint32_t *refs = m->t->refs;

	for (uint64_t i = 0; i < m->t->nrefs && m->error == NULL; i++) {
		uint32_t page = pgt_page(refs[i]);
		unsigned int bits = m->bits[page];

		if ((bits & RESIDENT) == 0) {
			miss(m, page, touch_of(refs[i]));
		} else if ((bits & TRAPS) != 0) {
			soft_fault(m, page, touch_of(refs[i]));
		} else {
			m->bits[page] = (uint8_t)(bits | touch_of(refs[i]));
		}
	}
}

static void run_none(struct machine *m)
{
	const uint32_t *refs = m->t->refs;

	for (uint64_t i = 0; i < m->t->nrefs && m->error == NULL; i++) {
		uint32_t page = pgt_page(refs[i]);
		unsigned int bits = m->bits[page];

		if ((bits & RESIDENT) == 0) {
			miss(m, page, touch_of(refs[i]));
		} else if ((refs[i] & PGT_WRITE) != 0 && (bits & Z_INFO_DIRTY) == 0) {
			soft_fault(m, page, touch_of(refs[i]));
		}
	}
}

static int by_number(const void *a, const void *b, void *numbers)
{
	const uint64_t *number = numbers;
	uint64_t x = number[*(const uint32_t *)a];
	uint64_t y = number[*(const uint32_t *)b];

	return x < y ? -1 : x > y;
}

static bool sort_pages(struct machine *m)
{
	const struct pgt_pages *p = &m->t->pages;

	m->order = malloc((p->count + (size_t)1) * sizeof(*m->order));
	m->order_page = malloc((p->count + (size_t)1) * sizeof(*m->order_page));
	if (m->order == NULL || m->order_page == NULL) {
		return false;
	}
	for (uint32_t i = 0; i < p->count; i++) {
		m->order_page[i] = i;
	}
	qsort_r(m->order_page, p->count, sizeof(*m->order_page), by_number, p->number);
	for (uint32_t i = 0; i < p->count; i++) {
		m->order[i] = p->number[m->order_page[i]];
	}
	return true;
}

static uint32_t power_of_two_below(uint32_t n)
{
	uint32_t power = 1;

	while (power <= n / 2) {
		power *= 2;
	}
	return power;
}

static bool machine_open(struct machine *m)
{
	uint32_t frames = m->o->frames;
	size_t pages = m->t->pages.count + (size_t)1;

	m->ghosts.cfg.ghosts = power_of_two_below(frames);
	m->ghosts.ghosts = calloc(m->ghosts.cfg.ghosts, sizeof(*m->ghosts.ghosts));
	m->bits = calloc(pages, sizeof(*m->bits));
	m->in = calloc(pages, sizeof(*m->in));
	m->page_of = calloc(frames, sizeof(*m->page_of));
	m->state = calloc(1, m->ops->state_bytes(frames));
	m->host = (struct z_eviction_host){
		.core = m,
		.frames = calloc(frames, sizeof(*m->host.frames)),
		.nframes = frames,
		.sample = sample,
		.near = near,
	};
	if (m->ghosts.ghosts == NULL || m->bits == NULL || m->in == NULL || m->page_of == NULL ||
	    m->state == NULL || m->host.frames == NULL || !sort_pages(m)) {
		m->error = "out of memory";
	} else if (m->ops->init(m->state, &m->host) != 0) {
		m->error = "cannot have so many frames";
	}
	return m->error == NULL;
}

static void machine_close(struct machine *m)
{
	free(m->ghosts.ghosts);
	free(m->bits);
	free(m->in);
	free(m->page_of);
	free(m->state);
	free(m->host.frames);
	free(m->order);
	free(m->order_page);
}

static const char *run_module(const struct pgt *t, const struct z_eviction_ops *ops,
			      const struct replay_options *o, struct replay_result *r)
{
	struct machine m = {.ops = ops, .t = t, .o = o, .r = r};

	if (machine_open(&m)) {
		if (o->access == REPLAY_NONE) {
			run_none(&m);
		} else if (o->access == REPLAY_SOFT) {
			run_soft(&m);
		} else {
			run_bits(&m);
		}
		if (m.error == NULL && ops->check != NULL && ops->check(m.state) != 0) {
			m.error = "finds its own state not sound";
		}
	}
	machine_close(&m);
	return m.error;
}

static double processor_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int replay_run(const struct pgt *t, const uint32_t *next, const struct replay_algorithm *a,
	       const struct replay_options *o, struct replay_result *r, const char **error_out)
{
	double start = processor_seconds();

	*r = (struct replay_result){.misses = 0};
	*error_out = NULL;
	if (a->ops != NULL) {
		*error_out = run_module(t, a->ops, o, r);
	} else if (a->special(t, next, o, r) != 0) {
		*error_out = "out of memory";
	}
	r->seconds = processor_seconds() - start;
	return *error_out == NULL ? 0 : -1;
}

/* ---- the list ---------------------------------------------------------------------------- */

static const struct replay_algorithm own[] = {
	{"fifo", "first in, first out", REPLAY_REFERENCE, &replay_fifo, NULL},
	{"random", "any page, by a fixed sequence", REPLAY_REFERENCE, &replay_random, NULL},
	{"true-lru", "exact least recently used: sees every reference", REPLAY_REFERENCE, NULL,
	 replay_true_lru},
	{"opt", "the fewest misses that there can be (Belady)", REPLAY_OPTIMUM, NULL, replay_opt},
	{"opt-wb", "few misses and write-backs together, knowing the future", REPLAY_OPTIMUM, NULL,
	 replay_opt_wb},
};

#define OWN (sizeof(own) / sizeof(own[0]))

bool replay_at(size_t i, struct replay_algorithm *out)
{
	size_t modules = 0;

	while (z_eviction_at(modules) != NULL) {
		modules++;
	}
	if (i < modules) {
		const struct z_eviction_ops *ops = z_eviction_at(i);

		*out = (struct replay_algorithm){ops->name, ops->summary, REPLAY_MODULE, ops, NULL};
		return true;
	}
	if (i - modules < OWN) {
		*out = own[i - modules];
		return true;
	}
	return false;
}

bool replay_find(const char *name, struct replay_algorithm *out)
{
	for (size_t i = 0; replay_at(i, out); i++) {
		if (strcmp(out->name, name) == 0) {
			return true;
		}
	}
	return false;
}
