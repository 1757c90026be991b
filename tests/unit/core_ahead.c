/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_ahead.c - reading ahead on the simulator: how many faults a scan has, to the fault; what is
 * read for nothing; failures; and that a program gets on with few frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
		.eviction = "lru",
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

static void print(const char *name, const struct z_stats *s)
{
	printf("%s: %llu faults, %llu read, %llu ahead, %llu windows, %llu hits, %llu wasted\n", name,
	       (unsigned long long)s->pagefaults, (unsigned long long)s->pages_read,
	       (unsigned long long)s->pages_ahead, (unsigned long long)s->ahead_windows,
	       (unsigned long long)s->ahead_hits, (unsigned long long)s->ahead_wasted);
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

static void one_scan(void **state)
{
	struct sim_world *w = world(640, 32);
	uintptr_t va = filled(w, PAGES);
	struct z_stats s = scan(w, va, 0, PAGES, 1);

	(void)state;
	print("one scan", &s);
	sim_world_close(w);
}

static void backwards(void **state)
{
	struct sim_world *w = world(640, 32);
	uintptr_t va = filled(w, PAGES);
	struct z_stats s = scan(w, va, PAGES - 1, PAGES, -1);

	(void)state;
	print("backwards", &s);
	sim_world_close(w);
}

static void stride_of_three(void **state)
{
	struct sim_world *w = world(640, 32);
	uintptr_t va = filled(w, PAGES);
	struct z_stats s = scan(w, va, 0, PAGES / 3, 3);

	(void)state;
	print("stride 3", &s);
	sim_world_close(w);
}

static void four_scans(void **state)
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
	print("four scans", &s);
	sim_world_close(w);
}

static void at_random(void **state)
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
	print("random", &s);
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_scan),
		cmocka_unit_test(backwards),
		cmocka_unit_test(stride_of_three),
		cmocka_unit_test(four_scans),
		cmocka_unit_test(at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
