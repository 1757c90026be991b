/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_counts.c - exact numbers of faults, reads, writes and drops, for plain accesses by one CPU,
 * against a reimplementation of clock and of first-in-first-out with plain arrays.
 *
 * The reference knows pages, not frames: a list of resident pages in the order of the sweep, moved
 * about by copying; a bit for used, dirty, and for a copy in the store. It follows the text of
 * eviction/clock.c: a new page goes in just behind the hand and counts as used; the first page not
 * used since the hand came by is the victim; if all were used, the first one looked at. (Fewer pages
 * than the 64 that one select of clock looks at.)
 *
 * Locks: none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/model.h"

#define PAGES      48U
#define REFERENCES 3000U

struct ref_page {
	bool resident;
	bool stored; /* the store has it, or had it when it came in last and keeps the copy */
	bool out;
	bool dirty;
	bool used;
};

struct reference {
	struct ref_page page[PAGES];
	uint32_t ring[PAGES]; /* resident pages; the hand is before ring[0] */
	uint32_t n;
	uint32_t frames;
	bool second_chance;
	bool keeps;
	uint64_t faults;
	uint64_t read;
	uint64_t written;
	uint64_t dropped;
};

/* The first page of the ring goes to its end. */
static void rotate(struct reference *r)
{
	uint32_t first = r->ring[0];

	memmove(r->ring, r->ring + 1, (r->n - 1) * sizeof(r->ring[0]));
	r->ring[r->n - 1] = first;
}

/* The victim, off the ring. If all were used, a whole turn has brought back the first one. */
static uint32_t choose(struct reference *r)
{
	uint32_t victim;

	for (uint32_t looks = 0; looks < r->n && r->page[r->ring[0]].used; looks++) {
		if (!r->second_chance) {
			break;
		}
		r->page[r->ring[0]].used = false;
		rotate(r);
	}
	victim = r->ring[0];
	memmove(r->ring, r->ring + 1, (r->n - 1) * sizeof(r->ring[0]));
	r->n--;
	return victim;
}

static void evict(struct reference *r)
{
	struct ref_page *page = &r->page[choose(r)];
	bool clean = page->stored && !page->dirty;

	r->dropped += clean;
	r->written += !clean;
	*page = (struct ref_page){.stored = true, .out = true};
}

static void refer(struct reference *r, uint32_t i, bool write)
{
	struct ref_page *page = &r->page[i];

	if (!page->resident) {
		if (r->n == r->frames) {
			evict(r);
		}
		r->faults++;
		r->read += page->out;
		page->stored = page->out && r->keeps;
		page->out = false;
		page->resident = true;
		r->ring[r->n++] = i;
	}
	page->used = true;
	page->dirty = page->dirty || write;
}

/* ---- first in, first out, as an algorithm of the pager ---------------------------------------- */

struct fifo {
	const struct z_eviction_host *host;
	struct z_page_frame *queue[64];
	uint32_t n;
};

static size_t fifo_bytes(uint32_t nframes)
{
	(void)nframes;
	return sizeof(struct fifo);
}

static int fifo_init(void *state, const struct z_eviction_host *host)
{
	((struct fifo *)state)->host = host;
	return host->nframes <= 64 ? 0 : Z_ERR_INVAL;
}

static struct z_page_frame *fifo_select(void *state)
{
	struct fifo *f = state;

	return f->n > 0 ? f->queue[0] : NULL;
}

static void fifo_add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	struct fifo *f = state;

	(void)reason;
	f->queue[f->n++] = pf;
}

static void fifo_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	struct fifo *f = state;
	uint32_t i = 0;

	(void)reason;
	while (f->queue[i] != pf) {
		i++;
	}
	memmove(f->queue + i, f->queue + i + 1, (f->n - i - 1) * sizeof(f->queue[0]));
	f->n--;
}

static const struct z_eviction_ops fifo_ops = {
	.name = "fifo",
	.state_bytes = fifo_bytes,
	.init = fifo_init,
	.select = fifo_select,
	.add = fifo_add,
	.remove = fifo_remove,
};

/* ---- comparison ------------------------------------------------------------------------------- */

/* Loops, and jumps near by, as programs do; now and then far away. */
static uint32_t next_page(uint64_t *random, uint32_t last)
{
	uint64_t bits = model_random(random);

	switch (bits % 4) {
	case 0:
		return (uint32_t)(bits >> 8) % PAGES;
	case 1:
		return (last + 1) % PAGES;
	default:
		return (last + (uint32_t)(bits >> 8) % 5) % PAGES;
	}
}

static void compare(struct sim_world *w, const struct reference *r, uint64_t step)
{
	struct z_stats s = sim_world_stats(w);

	if (s.pagefaults != r->faults || s.pages_read != r->read || s.pages_written != r->written ||
	    s.pages_dropped != r->dropped) {
		fail_msg("%u frames, keeps %d, after %llu references: faults %llu, should be %llu; "
			 "read %llu, %llu; written %llu, %llu; dropped %llu, %llu",
			 r->frames, r->keeps, (unsigned long long)step,
			 (unsigned long long)s.pagefaults, (unsigned long long)r->faults,
			 (unsigned long long)s.pages_read, (unsigned long long)r->read,
			 (unsigned long long)s.pages_written, (unsigned long long)r->written,
			 (unsigned long long)s.pages_dropped, (unsigned long long)r->dropped);
	}
}

static void run(struct sim_world_params params, bool second_chance, bool keeps, uint64_t seed)
{
	struct reference r = {
		.frames = params.frames, .second_chance = second_chance, .keeps = keeps};
	uint64_t random = seed;
	struct sim_world *w;
	uintptr_t va;
	uint32_t page = 0;

	params.store = keeps ? NULL : "ram:size=4M&keep=no";
	w = sim_world_open(&params);
	va = sim_world_map(w, PAGES, SIM_WORLD_RW, 0);
	for (uint64_t i = 0; i < REFERENCES; i++) {
		bool write = model_random(&random) % 3 == 0;

		page = next_page(&random, page);
		refer(&r, page, write);
		assert_int_equal(z_sim_access(w->sim, va + page * Z_PAGE_SIZE,
					      write ? Z_ACCESS_WRITE : Z_ACCESS_READ, NULL, 1),
				 Z_SIM_OK);
		compare(w, &r, i);
	}
	assert_true(r.written > 0 && (!keeps || r.dropped > 0));
	sim_world_close(w);
}

static const uint32_t frame_counts[] = {1, 2, 3, 4, 7, 16, 40};

static void clock_counts_exactly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(frame_counts) / sizeof(frame_counts[0]); i++) {
		for (uint64_t seed = 1; seed <= 4; seed++) {
			struct sim_world_params params = {.frames = frame_counts[i],
							  .eviction = "clock",
							  .soft_ad = seed == 4};

			run(params, true, seed % 2 == 0, seed);
		}
	}
}

static void fifo_counts_exactly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(frame_counts) / sizeof(frame_counts[0]); i++) {
		for (uint64_t seed = 1; seed <= 4; seed++) {
			struct sim_world_params params = {.frames = frame_counts[i],
							  .eviction_ops = &fifo_ops,
							  .soft_ad = seed == 4};

			run(params, false, seed % 2 == 0, seed);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clock_counts_exactly),
		cmocka_unit_test(fifo_counts_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
