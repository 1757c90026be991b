/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_check.c - the walker finds what it says that it finds: each invariant is broken on purpose,
 * by hand in the pager's memory, and the number that comes back is looked at. (HAZARDS B18: a check
 * of the wrong sense never fired, and nobody had tried.) Invariant 4 cannot be broken from outside:
 * taking the lock settles it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../core/internal.h"
#include "../support/sim_world.h"

/* Frames: 0 resident and pinned, 1 and 2 resident, 3 out of service, 4 to 7 free; 2 banks. */
struct scene {
	struct sim_world *w;
	struct z_pager *p;
	struct z_page_frame *pf;
	uintptr_t va;
};

static struct scene scene_open(void)
{
	struct scene s;

	s.w = sim_world_open(&(struct sim_world_params){.frames = 8, .banks = 2});
	s.p = s.w->pager;
	s.pf = s.w->frames;
	s.va = sim_world_map(s.w, 5, SIM_WORLD_RW, 0);
	for (size_t i = 0; i < 4; i++) {
		sim_world_fill(s.w, s.va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_page_out(s.p, s.va + 3 * Z_PAGE_SIZE, 1, NULL), 0);
	assert_int_equal(z_pager_set_frames(s.p, 7), 0);
	assert_int_equal(z_pager_pin(s.p, s.va, 1), 0);
	/* A clean copy of page 1. */
	assert_int_equal(z_pager_page_out(s.p, s.va + Z_PAGE_SIZE, 1, NULL), 0);
	sim_world_verify(s.w, s.va + Z_PAGE_SIZE, 1);
	sim_world_check_contents(s.w);
	return s;
}

static struct z_page_frame *frame(const struct scene *s, size_t page)
{
	return sim_world_frame(s->w, s->va + page * Z_PAGE_SIZE);
}

static struct z_page_frame *free_frame(const struct scene *s)
{
	for (uint32_t i = 0; i < 8; i++) {
		if (s->pf[i].flags == 0) {
			return &s->pf[i];
		}
	}
	fail_msg("no frame is free");
	return NULL;
}

static struct z_page_frame *retired_frame(const struct scene *s)
{
	return &s->pf[s->p->retired_head];
}

/* ---- what is broken ---------------------------------------------------------------------- */

static void free_lost(struct scene *s)
{
	s->p->nram++;
	s->p->retire_wanted++;
}

static void bank_bit(struct scene *s)
{
	s->p->banks_with_free ^= 1U << 1;
}

static void bank_sum(struct scene *s)
{
	s->p->banks[1].free--;
}

static void offline_sum(struct scene *s)
{
	s->p->offline_free++;
	s->p->nram++;
}

static void flags_mixed(struct scene *s)
{
	retired_frame(s)->flags |= Z_PAGE_FRAME_MAPPED;
}

static void free_with_store_field(struct scene *s)
{
	free_frame(s)->store_lo = 7;
}

static void list_cut(struct scene *s)
{
	free_frame(s)->addr = NULL;
	s->p->banks[1].head = (uint32_t)(free_frame(s) - s->pf);
}

static void list_astray(struct scene *s)
{
	s->p->banks[1].head = (uint32_t)(frame(s, 0) - s->pf);
}

static void list_in_a_ring(struct scene *s)
{
	struct z_page_frame *pf = &s->pf[s->p->banks[1].head];

	pf->addr = (void *)(uintptr_t)(s->p->banks[1].head + 1);
}

static void retired_list(struct scene *s)
{
	s->p->retired_head = Z_FRAME_NONE;
}

static void pinned_without_pins(struct scene *s)
{
	frame(s, 0)->pins = 0;
}

static void pinned_and_busy(struct scene *s)
{
	frame(s, 0)->flags |= Z_PAGE_FRAME_BUSY;
}

static void not_queued(struct scene *s)
{
	frame(s, 1)->flags &= (uint8_t)~Z_PAGE_FRAME_QUEUED;
}

static void held_count(struct scene *s)
{
	s->p->held_count++;
}

static void pinned_count(struct scene *s)
{
	s->p->pinned_count++;
}

static void waited_at_rest(struct scene *s)
{
	frame(s, 1)->flags |= Z_PAGE_FRAME_WAITED;
}

static void backed_without_page(struct scene *s)
{
	retired_frame(s)->flags = Z_PAGE_FRAME_BUSY | Z_PAGE_FRAME_BACKED;
}

static void regions_overlap(struct scene *s)
{
	s->p->regions[1] = s->p->regions[0];
	s->p->nregions = 2;
}

static void region_of_no_pages(struct scene *s)
{
	s->p->regions[0].pages = 0;
}

static void region_past_the_end(struct scene *s)
{
	s->p->regions[0].pages = s->p->cfg.vm_pages;
}

static void mapped_pages(struct scene *s)
{
	s->p->mapped_pages++;
}

static void entry_missing(struct scene *s)
{
	s->p->regions[0].pages++;
	s->p->mapped_pages++;
}

static void address_wrong(struct scene *s)
{
	frame(s, 2)->addr = (void *)(s->va + 7 * Z_PAGE_SIZE);
}

static void frames_swapped(struct scene *s)
{
	struct z_page_frame *a = frame(s, 1);
	struct z_page_frame *b = frame(s, 2);
	void *addr = a->addr;

	a->addr = b->addr;
	b->addr = addr;
}

/* The port believes that the page is in, the core that it is on its way out. */
static void in_but_leaving(struct scene *s)
{
	struct z_page_frame *pf = frame(s, 2);

	z__candidate_remove_locked(s->p, pf, Z_REMOVE_EVICT);
	z__frame_move(s->p, pf, Z_FRAME_LEAVING);
}

static void frame_without_entry(struct scene *s)
{
	struct z_page_frame *pf = z__free_list_take_locked(s->p);

	z__frame_move(s->p, pf, Z_FRAME_LOADING);
	pf->addr = (void *)(s->va + 4 * Z_PAGE_SIZE);
}

static int unsound(void *state)
{
	(void)state;
	return 1;
}

static void algorithm_unsound(struct scene *s)
{
	static struct z_eviction_ops ops;

	ops = *s->p->cfg.eviction;
	ops.check = unsound;
	s->p->cfg.eviction = &ops;
}

static int store_is_unsound(struct z_store *store)
{
	(void)store;
	return 1;
}

static void store_is_empty(struct z_store *store, struct z_store_stats *out)
{
	(void)store;
	*out = (struct z_store_stats){0};
}

static void store_unsound(struct scene *s)
{
	static struct z_store_ops ops;

	ops = *s->w->store->ops;
	ops.check = store_is_unsound;
	s->w->store->ops = &ops;
}

static void store_forgetful(struct scene *s)
{
	static struct z_store_ops ops;

	ops = *s->w->store->ops;
	ops.check = NULL;
	ops.stats = store_is_empty;
	s->w->store->ops = &ops;
}

static void copy_differs(struct scene *s)
{
	unsigned char *data =
		z_sim_frame_data(s->w->sim, z_sim_entry(s->w->sim, s->va + Z_PAGE_SIZE).phys);

	data[Z_PAGE_SIZE - 1] ^= 1;
}

static int unreadable(struct z_store *store, z_loc_t loc, void *page)
{
	(void)store;
	(void)loc;
	(void)page;
	return Z_ERR_IO;
}

static void copy_unreadable(struct scene *s)
{
	static struct z_store_ops ops;

	ops = *s->w->store->ops;
	ops.page_in = unreadable;
	s->w->store->ops = &ops;
}

struct plant {
	const char *name;
	void (*damage)(struct scene *s);
	int number;
	enum z_check_level level; /* at which it is found, and not before */
};

static const struct plant plants[] = {
	{"a frame is lost", free_lost, 1, Z_CHECK_COUNTERS},
	{"the bit of a bank", bank_bit, 2, Z_CHECK_COUNTERS},
	{"the sum of the banks", bank_sum, 3, Z_CHECK_COUNTERS},
	{"the sum of the banks off-line", offline_sum, 3, Z_CHECK_COUNTERS},
	{"flags of two states", flags_mixed, 10, Z_CHECK_FRAMES},
	{"a free frame with a past", free_with_store_field, 11, Z_CHECK_FRAMES},
	{"a free list that is cut", list_cut, 12, Z_CHECK_FRAMES},
	{"a free list that goes astray", list_astray, 12, Z_CHECK_FRAMES},
	{"a free list in a ring", list_in_a_ring, 12, Z_CHECK_FRAMES},
	{"the retired list", retired_list, 13, Z_CHECK_FRAMES},
	{"PINNED without pins", pinned_without_pins, 14, Z_CHECK_FRAMES},
	{"PINNED and busy", pinned_and_busy, 14, Z_CHECK_FRAMES},
	{"evictable but not known", not_queued, 15, Z_CHECK_FRAMES},
	{"the count of frames held back", held_count, 15, Z_CHECK_FRAMES},
	{"the count of pins", pinned_count, 16, Z_CHECK_FRAMES},
	{"waited for at rest", waited_at_rest, 17, Z_CHECK_FRAMES},
	{"BACKED without a page", backed_without_page, 18, Z_CHECK_FRAMES},
	{"regions overlap", regions_overlap, 20, Z_CHECK_PAGES},
	{"a region of no pages", region_of_no_pages, 20, Z_CHECK_PAGES},
	{"a region past the end", region_past_the_end, 20, Z_CHECK_PAGES},
	{"the sum of the regions", mapped_pages, 21, Z_CHECK_PAGES},
	{"a region without entries", entry_missing, 22, Z_CHECK_PAGES},
	{"a frame of another address", address_wrong, 23, Z_CHECK_PAGES},
	{"two frames swapped", frames_swapped, 23, Z_CHECK_PAGES},
	{"IN, but leaving", in_but_leaving, 24, Z_CHECK_PAGES},
	{"a frame without an entry", frame_without_entry, 25, Z_CHECK_PAGES},
	{"the algorithm", algorithm_unsound, 30, Z_CHECK_PAGES},
	{"the store", store_unsound, 31, Z_CHECK_PAGES},
	{"the store has too few", store_forgetful, 32, Z_CHECK_PAGES},
	{"a copy that differs", copy_differs, 40, Z_CHECK_CONTENTS},
	{"a copy that cannot be read", copy_unreadable, 40, Z_CHECK_CONTENTS},
};

#define PLANTS (sizeof(plants) / sizeof(plants[0]))

static void planted(void **state)
{
	const struct plant *plant = *state;
	struct scene s = scene_open();
	z_key_t key = z_sim_env(s.w->sim)->lock(s.w->sim);
	const struct z_store_ops *ops = s.w->store->ops;
	const char *what = "";

	plant->damage(&s);
	z_sim_env(s.w->sim)->unlock(s.w->sim, key);
	if (plant->level > Z_CHECK_COUNTERS) {
		assert_int_equal(z_pager_check(s.p, plant->level - 1, NULL), 0);
	}
	assert_int_equal(z_pager_check(s.p, plant->level, &what), plant->number);
	assert_true(strlen(what) > 10);
	s.w->store->ops = ops;
	sim_world_abandon(s.w);
}

static void nothing_is_found_where_nothing_is(void **state)
{
	struct scene s = scene_open();
	const char *what = NULL;

	(void)state;
	assert_int_equal(z_pager_check(s.p, Z_CHECK_CONTENTS, &what), 0);
	assert_string_equal(what, "all invariants hold");
	assert_int_equal(z_pager_unpin(s.p, s.va, 1), 0);
	sim_world_close(s.w);
}

int main(void)
{
	struct CMUnitTest tests[PLANTS + 1];

	for (size_t i = 0; i < PLANTS; i++) {
		tests[i] = (struct CMUnitTest){.name = plants[i].name,
					       .test_func = planted,
					       .initial_state = (void *)(uintptr_t)&plants[i]};
	}
	tests[PLANTS] = (struct CMUnitTest)cmocka_unit_test(nothing_is_found_where_nothing_is);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
