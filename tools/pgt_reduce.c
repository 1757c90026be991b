/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgt_reduce.c - the safely allowed drop.
 *
 * Theory: S. F. Kaplan, Y. Smaragdakis, P. R. Wilson, "Flexible reference trace reduction for VM
 * simulations" (TOMACS 2003). Of three references t1 < t2 < t3 to one page that follow one another,
 * with fewer than k distinct other pages between t1 and t3, t2 is dropped: with k frames LRU and OPT
 * have the page from t1 to t3 anyway. Afterwards t1 and t3 are neighbours, and the rule goes on from
 * there.
 *
 * How many distinct pages came since t1 is not counted. All pages are in a list in the order of
 * their last reference; the page at place k + 1 was referenced before t1 exactly if at most k pages
 * were since, the page itself among them. A pointer to that place moves by one step a reference, so
 * the cost is O(1), and one look-up of the page.
 *
 * What is not decided yet waits in a list of records in order of time: for each page the last
 * reference that is kept ("anchor", t1), maybe handed on already, and the one after it ("waiting",
 * t2). A waiting reference whose anchor is older than the page at place k + 1 can never be dropped.
 * The list is handed on from its head as far as all is decided; at most about 2 k records wait.
 *
 * The flags of t2 go to t3, with PGT_HOT: the page was in use in between. A reference to the page of
 * the reference before is no new one, it only adds its flags. Ticks stay between the records where
 * they came; those of a dropped record go to the next.
 *
 * Locks: none. Limits: memory: 32 bytes and a table entry a page.
 */
#include <stdlib.h>

#include "pgt_reduce.h"

#define NONE UINT32_MAX

struct page {
	uint64_t anchor; /* when t1 was */
	uint64_t last;
	uint32_t newer, older; /* in the list of last references */
	uint32_t waiting;      /* record of t2, or NONE */
	uint32_t unused;
};

struct record {
	uint64_t time;
	uint32_t before, after; /* in order of time */
	uint32_t page;
	uint32_t ticks; /* that came just before it */
	uint32_t flags;
	bool kept;
};

struct pgt_reduce {
	struct pgt_sink to;
	uint32_t k;
	bool failed;
	uint64_t refs, time;
	uint32_t ticks; /* since the newest record */

	struct pgt_pages numbers;
	struct page *pages;
	uint32_t room;
	uint32_t newest; /* the list of pages */
	uint32_t listed; /* how many are in it */
	uint32_t edge;   /* the page at place k + 1, or NONE */

	struct record *records;
	uint32_t records_room, records_used;
	uint32_t free; /* chained by after */
	uint32_t head, tail;
};

/* ---- pages in the order of their last reference --------------------------------------------- */

static void unlink_page(struct pgt_reduce *r, uint32_t i)
{
	const struct page *p = &r->pages[i];

	if (p->newer != NONE) {
		r->pages[p->newer].older = p->older;
	} else {
		r->newest = p->older;
	}
	if (p->older != NONE) {
		r->pages[p->older].newer = p->newer;
	}
}

static void link_newest(struct pgt_reduce *r, uint32_t i)
{
	r->pages[i].newer = NONE;
	r->pages[i].older = r->newest;
	if (r->newest != NONE) {
		r->pages[r->newest].newer = i;
	}
	r->newest = i;
}

/* When the page at place k + 1 was referenced last; 0: there are not so many pages. */
static uint64_t edge_time(const struct pgt_reduce *r)
{
	return r->edge != NONE ? r->pages[r->edge].last : 0;
}

/* A page that is new goes to the front. */
static void enter_page(struct pgt_reduce *r, uint32_t i)
{
	link_newest(r, i);
	r->listed++;
	if (r->edge != NONE) {
		r->edge = r->pages[r->edge].newer;
	} else if (r->listed == r->k + 1) {
		r->edge = r->newest;
		while (r->pages[r->edge].older != NONE) {
			r->edge = r->pages[r->edge].older;
		}
	}
}

/* A page that is known goes to the front; those that were before it move by one place. */
static void renew_page(struct pgt_reduce *r, uint32_t i)
{
	bool shifts = r->edge != NONE && r->pages[i].last <= edge_time(r);

	if (i == r->newest) {
		return;
	}
	if (shifts) {
		r->edge = r->pages[r->edge].newer;
	}
	unlink_page(r, i);
	link_newest(r, i);
}

/* ---- records in order of time ---------------------------------------------------------------- */

static uint32_t new_record(struct pgt_reduce *r)
{
	uint32_t i = r->free;

	if (i != NONE) {
		r->free = r->records[i].after;
		return i;
	}
	if (r->records_used == r->records_room) {
		uint32_t room = r->records_room > 0 ? r->records_room * 2 : 1024;
		struct record *bigger = realloc(r->records, room * sizeof(*bigger));

		if (bigger == NULL) {
			return NONE;
		}
		r->records = bigger;
		r->records_room = room;
	}
	return r->records_used++;
}

static void append_record(struct pgt_reduce *r, uint32_t i)
{
	r->records[i].before = r->tail;
	r->records[i].after = NONE;
	if (r->tail != NONE) {
		r->records[r->tail].after = i;
	} else {
		r->head = i;
	}
	r->tail = i;
}

/* The record is gone; its ticks belong to what comes after it. */
static void remove_record(struct pgt_reduce *r, uint32_t i, uint32_t ticks)
{
	struct record *o = &r->records[i];

	if (o->after != NONE) {
		r->records[o->after].before = o->before;
		r->records[o->after].ticks += ticks;
	} else {
		r->tail = o->before;
		r->ticks += ticks;
	}
	if (o->before != NONE) {
		r->records[o->before].after = o->after;
	} else {
		r->head = o->after;
	}
	o->after = r->free;
	r->free = i;
}

static void hand_on_ticks(struct pgt_reduce *r, uint32_t ticks)
{
	for (; ticks > 0; ticks--) {
		r->to.tick(r->to.to);
	}
}

/* The oldest record goes on: it is kept. */
static void hand_on(struct pgt_reduce *r)
{
	uint32_t i = r->head;
	const struct record *o = &r->records[i];
	struct page *p = &r->pages[o->page];

	if (p->waiting == i) {
		p->anchor = o->time;
		p->waiting = NONE;
	}
	hand_on_ticks(r, o->ticks);
	r->to.ref(r->to.to, r->numbers.number[o->page], o->flags);
	remove_record(r, i, 0);
}

/* The newest one stays, for more references to its page may follow. */
static void hand_on_decided(struct pgt_reduce *r)
{
	uint64_t edge = edge_time(r);

	while (r->head != r->tail) {
		const struct record *o = &r->records[r->head];

		if (!o->kept && r->pages[o->page].anchor >= edge) {
			return;
		}
		hand_on(r);
	}
}

/* ---- references ------------------------------------------------------------------------------ */

static uint32_t page_of(struct pgt_reduce *r, uint64_t number, bool *new_out)
{
	uint32_t count = r->numbers.count;
	uint32_t i = pgt_pages_index(&r->numbers, number);

	*new_out = r->numbers.count != count;
	if (i != PGT_NO_PAGE && i >= r->room) {
		uint32_t room = r->room > 0 ? r->room * 2 : 1024;
		struct page *bigger = realloc(r->pages, room * sizeof(*bigger));

		if (bigger == NULL) {
			return PGT_NO_PAGE;
		}
		r->pages = bigger;
		r->room = room;
	}
	return i;
}

/* The page has been here before: is what waits dropped? Returns the flags that it leaves behind. */
static unsigned int settle_waiting(struct pgt_reduce *r, struct page *p)
{
	unsigned int flags = 0;

	if (p->waiting == NONE) {
		return 0;
	}
	if (p->anchor >= edge_time(r)) {
		flags = r->records[p->waiting].flags | PGT_HOT;
		remove_record(r, p->waiting, r->records[p->waiting].ticks);
	} else {
		r->records[p->waiting].kept = true;
		p->anchor = r->records[p->waiting].time;
	}
	p->waiting = NONE;
	return flags;
}

static void take(struct pgt_reduce *r, uint32_t page, bool is_new, unsigned int flags)
{
	uint32_t i = new_record(r);
	struct page *p = &r->pages[page];

	if (i == NONE) {
		r->failed = true;
		return;
	}
	r->time++;
	if (is_new) {
		p->anchor = r->time;
		p->waiting = NONE;
		enter_page(r, page);
	} else {
		flags |= settle_waiting(r, p);
		p->waiting = i;
		renew_page(r, page);
	}
	p->last = r->time;
	r->records[i] = (struct record){
		.time = r->time, .page = page, .ticks = r->ticks, .flags = flags, .kept = is_new};
	r->ticks = 0;
	append_record(r, i);
	hand_on_decided(r);
}

static void reduce_ref(void *to, uint64_t number, unsigned int flags)
{
	struct pgt_reduce *r = to;
	bool is_new;
	uint32_t page;

	if (r->failed) {
		return;
	}
	r->refs++;
	if (r->tail != NONE && r->numbers.number[r->records[r->tail].page] == number) {
		r->records[r->tail].flags |= flags;
		return;
	}
	page = page_of(r, number, &is_new);
	if (page == PGT_NO_PAGE) {
		r->failed = true;
		return;
	}
	take(r, page, is_new, flags);
}

static void reduce_tick(void *to)
{
	((struct pgt_reduce *)to)->ticks++;
}

/* ---- the object ------------------------------------------------------------------------------ */

struct pgt_reduce *pgt_reduce_open(uint32_t k, const struct pgt_sink *to)
{
	struct pgt_reduce *r = calloc(1, sizeof(*r));

	if (r != NULL) {
		r->to = *to;
		r->k = k;
		r->newest = r->edge = r->free = r->head = r->tail = NONE;
	}
	return r;
}

struct pgt_sink pgt_reduce_sink(struct pgt_reduce *r)
{
	return (struct pgt_sink){r, reduce_ref, reduce_tick};
}

int pgt_reduce_close(struct pgt_reduce *r, uint64_t *refs_out)
{
	int status = r->failed ? -1 : 0;

	while (r->head != NONE) {
		hand_on(r);
	}
	hand_on_ticks(r, r->ticks);
	*refs_out = r->refs;
	pgt_pages_free(&r->numbers);
	free(r->pages);
	free(r->records);
	free(r);
	return status;
}
