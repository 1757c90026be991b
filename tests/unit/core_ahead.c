/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_ahead.c - reading ahead on the simulator: how many faults a scan has, to the fault; what is
 * read for nothing; failures; and that a program gets on with few frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"
#include "../support/store_hostile.h"

#define PAGES 2048U

static struct sim_world *world(uint32_t frames, uint32_t ahead)
{
	return sim_world_open(&(struct sim_world_params){
		.frames = frames,
		.vm_pages = PAGES + 64,
		.eviction = "clock",
		.batch = 8,
		.ahead = ahead,
		.scratch_slots = 64,
	});
}

/* Pages that know their number, all of them out. */
static uintptr_t filled(struct sim_world *w, size_t pages)
{
	uintptr_t va = sim_world_map(w, pages, SIM_WORLD_RW, 0);

	for (size_t i = 0; i < pages; i++) {
		assert_int_equal(z_sim_store64(w->sim, va + i * Z_PAGE_SIZE, i), Z_SIM_OK);
	}
	assert_int_equal(z_pager_page_out(w->pager, va, pages, NULL), 0);
	return va;
}

static void look(struct sim_world *w, uintptr_t va, size_t page)
{
	uint64_t value;

	assert_int_equal(z_sim_load64(w->sim, va + page * Z_PAGE_SIZE, &value), Z_SIM_OK);
	assert_int_equal(value, page);
}

static struct z_stats since(struct sim_world *w, const struct z_stats *before)
{
	struct z_stats s = sim_world_stats(w);

	s.pagefaults -= before->pagefaults;
	s.pages_read -= before->pages_read;
	s.pages_ahead -= before->pages_ahead;
	s.ahead_windows -= before->ahead_windows;
	s.ahead_hits -= before->ahead_hits;
	s.ahead_wasted -= before->ahead_wasted;
	s.ahead_errors -= before->ahead_errors;
	s.failed_faults -= before->failed_faults;
	return s;
}

/* Look at n pages: page i of the scan is first + i * stride. */
static struct z_stats scan(struct sim_world *w, uintptr_t va, size_t first, size_t n, long stride)
{
	struct z_stats before = sim_world_stats(w);

	for (size_t i = 0; i < n; i++) {
		look(w, va, (size_t)((long)first + (long)i * stride));
	}
	return since(w, &before);
}

/* Every page read ahead is come by, wasted, or in a window that is open. */
static void assert_adds_up(struct sim_world *w, uint32_t open_at_most)
{
	struct z_stats s = sim_world_stats(w);

	assert_true(s.ahead_hits + s.ahead_wasted <= s.pages_ahead);
	assert_in_range(s.pages_ahead - s.ahead_hits - s.ahead_wasted, 0, open_at_most);
	sim_world_check(w);
}

/* Faults at 0, 1, 2, and behind windows of 4, 8, 16 at 7, 16, 33; then one of 33 pages. */
static void one_scan(void **state)
{
	struct sim_world *w = world(640, 32);
	uintptr_t va = filled(w, PAGES);
	struct z_stats s = scan(w, va, 0, PAGES, 1);

	(void)state;
	assert_int_equal(s.pagefaults, 5 + (PAGES - 33 + 32) / 33);
	assert_int_equal(s.pages_read, PAGES);
	assert_int_equal(s.pages_ahead, PAGES - s.pagefaults);
	assert_int_equal(s.ahead_windows, s.pagefaults - 2);
	assert_int_equal(s.ahead_wasted, 0);
	assert_adds_up(w, 32);
	sim_world_close(w);
}

/* The last page lies in a zone of its own: one fault more. */
static void backwards(void **state)
{
	struct sim_world *w = world(640, 32);
	uintptr_t va = filled(w, PAGES);
	struct z_stats s = scan(w, va, PAGES - 1, PAGES, -1);

	(void)state;
	assert_int_equal(s.pagefaults, 6 + (PAGES - 34 + 32) / 33);
	assert_int_equal(s.pages_read, PAGES);
	assert_int_equal(s.ahead_wasted, 0);
	assert_adds_up(w, 32);
	sim_world_close(w);
}

/* A step of three has to be seen three times: faults at steps 0, 1, 2, 3, 8, 17, 34. */
static void stride_of_three(void **state)
{
	struct sim_world *w = world(640, 32);
	uintptr_t va = filled(w, PAGES);
	struct z_stats s = scan(w, va, 0, PAGES / 3, 3);

	(void)state;
	assert_int_equal(s.pagefaults, 6 + (PAGES / 3 - 34 + 32) / 33);
	assert_int_equal(s.pages_read, s.pagefaults + s.pages_ahead);
	assert_in_range(s.pages_read, PAGES / 3, PAGES / 3 + 32);
	assert_int_equal(s.ahead_wasted, 0);
	sim_world_close(w);
}

static void four_scans(void **state)
{
	struct sim_world *w = world(2 * PAGES, 32);
	uintptr_t va = filled(w, PAGES);
	struct z_stats before = sim_world_stats(w);
	struct z_stats s;

	(void)state;
	for (size_t i = 0; i < PAGES / 4; i++) {
		for (size_t j = 0; j < 4; j++) {
			look(w, va, j * (PAGES / 4) + i);
		}
	}
	s = since(w, &before);
	/* As one scan of a quarter each; three of them end where another one has begun. */
	assert_int_equal(s.pagefaults, 4 * (5 + (PAGES / 4 - 33 + 32) / 33));
	assert_int_equal(s.pages_read, PAGES);
	assert_adds_up(w, 4 * 32);
	sim_world_close(w);
}

/* With few frames the windows of the four take each other's pages; most of it has to be of use. */
static void four_scans_in_little_room(void **state)
{
	struct sim_world *w = world(640, 32);
	uintptr_t va = filled(w, PAGES);
	struct z_stats before = sim_world_stats(w);
	struct z_stats s;

	(void)state;
	for (size_t i = 0; i < PAGES / 4; i++) {
		for (size_t j = 0; j < 4; j++) {
			look(w, va, j * (PAGES / 4) + i);
		}
	}
	s = since(w, &before);
	assert_in_range(s.pagefaults, 80, 128);
	assert_in_range(s.pages_read, PAGES, PAGES + PAGES / 8);
	assert_true(s.ahead_wasted * 10 < s.pages_ahead);
	assert_adds_up(w, 4 * 32);
	sim_world_close(w);
}

static void random_reads_nothing(void **state)
{
	struct sim_world *w = world(640, 32);
	uintptr_t va = filled(w, PAGES);
	struct z_stats before = sim_world_stats(w);
	struct z_stats s;

	(void)state;
	for (size_t i = 0; i < 20000; i++) {
		look(w, va, z_sim_random(w->sim) % PAGES);
	}
	s = since(w, &before);
	assert_true(s.pagefaults > 10000);
	assert_in_range(s.pages_ahead, 0, s.pagefaults / 500);
	assert_adds_up(w, 32);
	sim_world_close(w);
}

/* ---- advice ---- */

static void advice_random(void **state)
{
	struct sim_world *w = world(640, 32);
	uintptr_t va = filled(w, PAGES);
	struct z_stats s;

	(void)state;
	assert_int_equal(z_pager_advise(w->pager, va, PAGES, Z_ADVICE_RANDOM), 0);
	s = scan(w, va, 0, PAGES, 1);
	assert_int_equal(s.pagefaults, PAGES);
	assert_int_equal(s.pages_ahead, 0);
	sim_world_close(w);
}

/* The first fault already has the whole window. */
static void advice_sequential(void **state)
{
	struct sim_world *w = world(640, 32);
	uintptr_t va = filled(w, PAGES);
	struct z_stats s;

	(void)state;
	assert_int_equal(z_pager_advise(w->pager, va, PAGES, Z_ADVICE_SEQUENTIAL), 0);
	s = scan(w, va, 0, PAGES, 1);
	assert_int_equal(s.pagefaults, (PAGES + 32) / 33);
	assert_int_equal(s.pages_read, PAGES);
	sim_world_close(w);
}

/* ---- what is in the way ---- */

/* A window ends before a page that was never touched, and before the end of the mapping. */
static void holes_and_ends(void **state)
{
	struct sim_world *w = world(640, 32);
	uintptr_t va = filled(w, 200);
	uintptr_t other = filled(w, 20);
	struct z_stats s;

	(void)state;
	assert_int_equal(other, va + 201 * Z_PAGE_SIZE);
	assert_int_equal(z_pager_advise(w->pager, va + 20 * Z_PAGE_SIZE, 10, Z_ADVICE_DONTNEED), 0);
	s = scan(w, va, 0, 20, 1);
	/* 0, 1, 2, 7, 16: the last window is of 17 to 19 alone. */
	assert_int_equal(s.pagefaults, 5);
	assert_int_equal(s.pages_read, 20);
	assert_int_equal(sim_world_kind(w, va + 20 * Z_PAGE_SIZE), Z_ENTRY_UNTOUCHED);
	assert_int_equal(sim_world_kind(w, va + 30 * Z_PAGE_SIZE), Z_ENTRY_OUT);

	s = scan(w, va, 150, 50, 1);
	/* 150, 151, 152, and with the window that the scan had before: 169; none of the other mapping. */
	assert_int_equal(s.pagefaults, 4);
	assert_int_equal(s.pages_read, 50);
	assert_int_equal(sim_world_kind(w, other), Z_ENTRY_OUT);
	assert_adds_up(w, 64);
	sim_world_close(w);
}

/* Permissions: those that forbid everything end a window; of those that differ one kind comes in. */
static void permissions(void **state)
{
	struct sim_world *w = world(640, 32);
	uintptr_t va = filled(w, 100);
	struct z_stats s;

	(void)state;
	assert_int_equal(z_pager_protect(w->pager, va, 50, Z_ACCESS_READ), 0);
	assert_int_equal(z_pager_protect(w->pager, va + 60 * Z_PAGE_SIZE, 40, 0), 0);
	s = scan(w, va, 0, 60, 1);
	/* 0, 1, 2, 7, 16, 33: to 49; 50: to 59. */
	assert_int_equal(s.pagefaults, 7);
	assert_int_equal(s.pages_read, 60);
	assert_int_equal(sim_world_kind(w, va + 60 * Z_PAGE_SIZE), Z_ENTRY_OUT);
	sim_world_close(w);
}

/* Pages that are in already are passed over; the window is of those that are out. */
static void pages_that_are_in(void **state)
{
	struct sim_world *w = world(640, 32);
	uintptr_t va = filled(w, 200);
	struct z_stats s;

	(void)state;
	assert_int_equal(z_pager_page_in(w->pager, va + 4 * Z_PAGE_SIZE, 50, NULL), 0);
	s = scan(w, va, 0, 80, 1);
	/* 0, 1, 2: 3 and 54 to 56; 57, 66. */
	assert_int_equal(s.pagefaults, 5);
	sim_world_close(w);
}

/* A scan of writes brings pages in as written: there is no second fault for each. */
static void writes(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 640,
									.vm_pages = PAGES + 64,
									.eviction = "clock",
									.batch = 8,
									.ahead = 32,
									.scratch_slots = 64,
									.soft_ad = true});
	uintptr_t va = filled(w, 300);
	struct z_stats before = sim_world_stats(w);
	struct z_stats s;

	(void)state;
	for (size_t i = 0; i < 300; i++) {
		assert_int_equal(z_sim_store64(w->sim, va + i * Z_PAGE_SIZE, i + 7), Z_SIM_OK);
	}
	s = since(w, &before);
	assert_int_equal(s.pagefaults, 5 + (300 - 33 + 32) / 33);
	for (size_t i = 100; i < 110; i++) {
		assert_int_equal(z_pager_page_out(w->pager, va + i * Z_PAGE_SIZE, 1, NULL), 0);
	}
	for (size_t i = 0; i < 300; i++) {
		uint64_t value;

		assert_int_equal(z_sim_load64(w->sim, va + i * Z_PAGE_SIZE, &value), Z_SIM_OK);
		assert_int_equal(value, i + 7);
	}
	sim_world_close(w);
}

/* ---- failures ---- */

static struct z_store *make_hostile(void *arg, struct z_store *inner)
{
	struct store_hostile **hostile = arg;

	*hostile = store_hostile_open(inner);
	return store_hostile_store(*hostile);
}

/* Each read of a scan fails once: nobody is told of those ahead, and all pages are right. */
static void failing_reads(void **state)
{
	(void)state;
	for (uint64_t nth = 1; nth <= 70; nth++) {
		struct store_hostile *hostile;
		struct sim_world *w =
			sim_world_open(&(struct sim_world_params){.frames = 64,
								  .vm_pages = 256,
								  .eviction = "clock",
								  .batch = 8,
								  .ahead = 8,
								  .scratch_slots = 64,
								  .wrap_store = make_hostile,
								  .wrap_arg = &hostile});
		uintptr_t va = filled(w, 64);
		uint32_t told = 0;
		struct z_stats s;

		store_hostile_fail(hostile, STORE_IN, nth, 1, Z_ERR_IO);
		for (size_t i = 0; i < 64; i++) {
			uint64_t value;

			if (z_sim_load64(w->sim, va + i * Z_PAGE_SIZE, &value) != Z_SIM_OK) {
				told++;
				i--;
				continue;
			}
			assert_int_equal(value, i);
		}
		s = sim_world_stats(w);
		assert_int_equal(s.read_errors, store_hostile_fired(hostile));
		assert_int_equal(s.read_errors, s.ahead_errors + told);
		assert_int_equal(s.read_errors, nth <= 64);
		assert_true(told == 0 || s.ahead_errors == 0);
		assert_null(store_hostile_violation(hostile));
		assert_adds_up(w, 8);
		store_hostile_fail(hostile, STORE_IN, 0, 0, 0);
		sim_world_close(w);
	}
}

/* The port refuses pages: they are out again, and come in when they are touched. */
static void failing_attach(void **state)
{
	(void)state;
	for (uint64_t nth = 4; nth <= 30; nth++) {
		struct sim_world *w = world(64, 8);
		uintptr_t va = filled(w, 64);
		struct z_stats s;

		z_sim_inject(w->sim, Z_SIM_POINT_ATTACH, nth, 1, Z_ERR_NOMEM);
		s = sim_world_stats(w);
		for (size_t i = 0; i < 64; i++) {
			uint64_t value;

			if (z_sim_load64(w->sim, va + i * Z_PAGE_SIZE, &value) != Z_SIM_OK) {
				i--;
				continue;
			}
			assert_int_equal(value, i);
		}
		s = since(w, &s);
		assert_int_equal(s.ahead_errors + s.failed_faults, 1);
		assert_adds_up(w, 8);
		sim_world_close(w);
	}
}

/* ---- few frames, many CPUs ---- */

static void few_frames(void **state)
{
	(void)state;
	for (uint32_t frames = 1; frames <= 16; frames++) {
		struct sim_world *w = world(frames, 32);
		uintptr_t va = filled(w, 100);
		struct z_stats s = scan(w, va, 0, 100, 1);

		assert_true(frames >= 8 || s.pages_ahead == 0);
		assert_true(frames < 8 || s.pages_ahead > 0);
		s = scan(w, va, 99, 100, -1);
		assert_adds_up(w, 16);
		sim_world_close(w);
	}
}

#define SMP_PAGES 96U

struct smp {
	struct sim_world *w;
	uintptr_t va;
	uint32_t started;
};

/* Two scan up, one down, one jumps about; all of them look at what they find, two count up. */
static void smp_task(struct z_sim *sim, void *arg)
{
	struct smp *smp = arg;
	uint32_t me = smp->started++;

	for (uint32_t round = 0; round < 1; round++) {
		for (uint32_t i = 0; i < SMP_PAGES; i++) {
			uint32_t page = me == 0 ? i : SMP_PAGES - 1 - i;
			uint64_t value;

			if (me == 1) {
				page = (i + SMP_PAGES / 2) % SMP_PAGES;
			} else if (me == 3) {
				page = (uint32_t)(z_sim_random(sim) % SMP_PAGES);
			}
			assert_int_equal(z_sim_load64(sim, smp->va + page * Z_PAGE_SIZE, &value),
					 Z_SIM_OK);
			assert_int_equal(value, page);
			assert_int_equal(z_sim_store64(sim,
						       smp->va + page * Z_PAGE_SIZE + 8 + 8 * me,
						       round * SMP_PAGES + i),
					 Z_SIM_OK);
		}
	}
}

static void many_cpus(void **state)
{
	static const char *const algorithms[] = {"clock", "nru", "lru", "s3fifo"};

	(void)state;
	for (uint64_t seed = 1; seed <= 16; seed++) {
		struct smp smp = {0};
		struct z_stats s;

		smp.w = sim_world_open(
			&(struct sim_world_params){.frames = seed & 1 ? 24 : 64,
						   .vm_pages = 256,
						   .eviction = algorithms[seed % 4],
						   .batch = seed & 2 ? 4 : 1,
						   .ahead = 8,
						   .cpus = 4,
						   .soft_ad = (seed & 4) != 0,
						   .keep_lock_for_io = (seed & 24) == 8,
						   .early_wakeups = (seed & 1) != 0,
						   .scratch_slots = (seed & 7) == 7 ? 1 : 8,
						   .seed = seed});
		smp.va = filled(smp.w, SMP_PAGES);
		sim_world_run(smp.w, smp_task, &smp, 4, seed);
		s = sim_world_stats(smp.w);
		assert_true(s.pages_ahead > 0);
		assert_adds_up(smp.w, 16 * 8);
		sim_world_close(smp.w);
	}
}

/* ---- many at once ---- */

static uint32_t batches;
static uint32_t largest;

static struct z_store_ops batching;

static size_t read_many(struct z_store *store, struct z_store_fill *fills, size_t n)
{
	size_t failed = 0;

	batches++;
	largest = n > largest ? (uint32_t)n : largest;
	for (size_t i = 0; i < n; i++) {
		/* Neighbours, the lowest first, also of a scan that goes down. */
		assert_true(i == 0 || fills[i].loc.v > fills[i - 1].loc.v);
		fills[i].status = store->ops->page_in(store, fills[i].loc, fills[i].page);
		failed += fills[i].status != 0;
	}
	return failed;
}

static struct z_store *make_batching(void *arg, struct z_store *inner)
{
	(void)arg;
	batching = *inner->ops;
	batching.page_in_many = read_many;
	inner->ops = &batching;
	return inner;
}

static void one_call_for_a_window(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){
		.frames = 1024,
		.vm_pages = PAGES + 64,
		.eviction = "clock",
		.batch = 8,
		.ahead = 32,
		.scratch_slots = 64,
		.wrap_store = make_batching,
	});
	uintptr_t va = filled(w, 512);
	struct z_stats s;

	(void)state;
	batches = 0;
	s = scan(w, va, 511, 512, -1);
	assert_int_equal(s.ahead_windows, batches);
	assert_int_equal(largest, 32);
	assert_int_equal(s.pages_read, 512);
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_scan),
		cmocka_unit_test(backwards),
		cmocka_unit_test(stride_of_three),
		cmocka_unit_test(four_scans),
		cmocka_unit_test(four_scans_in_little_room),
		cmocka_unit_test(random_reads_nothing),
		cmocka_unit_test(advice_random),
		cmocka_unit_test(advice_sequential),
		cmocka_unit_test(holes_and_ends),
		cmocka_unit_test(permissions),
		cmocka_unit_test(pages_that_are_in),
		cmocka_unit_test(writes),
		cmocka_unit_test(failing_reads),
		cmocka_unit_test(failing_attach),
		cmocka_unit_test(few_frames),
		cmocka_unit_test(many_cpus),
		cmocka_unit_test(one_call_for_a_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
