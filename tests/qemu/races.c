/* SPDX-License-Identifier: Apache-2.0 */
/*
 * races.c - several threads in the pager at once, on as many CPUs as there are, with the walker over the
 * invariants running meanwhile.
 *
 * A thread cannot leave a test by a jump: it counts what is wrong, and the test looks at the sum.
 */
#include "board.h"

#include <zpager/mmu.h>

#include <cmocka.h>

#include "../../kernel/sched.h"

#define THREADS 4U
#define PAGES   (3U * Z_NUM_PAGE_FRAMES / 2U)

struct racer {
	struct thread *thread;
	unsigned int number;
	uint64_t random;
	unsigned int wrong;
	unsigned int done;
};

static struct racer racers[THREADS];
static uintptr_t area;
static volatile unsigned int arrived;
static volatile unsigned int round_now;
static unsigned int rounds;

static uint64_t next_random(struct racer *r)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return r->random;
}

/*
 * rounds: for one CPU. Several are emulated by as many threads of the host, which has fewer, and each
 * shoot-down waits for all of them: there it is an eighth.
 */
static void start(void (*function)(void *arg), unsigned int n)
{
	arrived = 0;
	round_now = 0;
	rounds = sched_cpus() > 1 ? n / 8 : n;
	for (unsigned int i = 0; i < THREADS; i++) {
		racers[i] = (struct racer){.number = i,
					   .random = UINT64_C(88172645463325252) + i * 7919};
		racers[i].thread = thread_start("racer", function, &racers[i]);
		assert_non_null(racers[i].thread);
	}
}

static bool all_done(void)
{
	unsigned int done = 0;

	for (unsigned int i = 0; i < THREADS; i++)
		done += __atomic_load_n(&racers[i].done, __ATOMIC_ACQUIRE);
	return done == THREADS;
}

/* The walker runs while they do; in the end nothing may have been wrong. */
static void watch_and_join(void)
{
	unsigned int wrong = 0;

	do {
		const char *what = "";
		int broken = z_pager_check(z_kernel_pager(), Z_CHECK_PAGES, &what);

		if (broken != 0)
			print_error("invariant %d: %s\n", broken, what);
		wrong += broken != 0;
		thread_sleep(KERNEL_TICK_NS);
	} while (!all_done());
	for (unsigned int i = 0; i < THREADS; i++) {
		(void)thread_join(racers[i].thread);
		wrong += racers[i].wrong;
	}
	assert_int_equal(wrong, 0);
}

static void finish(struct racer *r)
{
	__atomic_store_n(&r->done, 1, __ATOMIC_RELEASE);
}

/* All come together, then all touch the page at once. */
static void meet(void)
{
	unsigned int round = round_now;

	if (__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST) == THREADS) {
		arrived = 0;
		if (z_pager_page_out(z_kernel_pager(), area, 1, NULL) != 0)
			kernel_panic("the page cannot be put out", NULL);
		__atomic_store_n(&round_now, round + 1, __ATOMIC_SEQ_CST);
	}
	while (__atomic_load_n(&round_now, __ATOMIC_SEQ_CST) == round)
		thread_yield();
}

static void touch_one_page(void *arg)
{
	struct racer *r = arg;

	for (unsigned int i = 0; i < rounds; i++) {
		meet();
		r->wrong += world_word(area + 8) != 0xfeed;
	}
	finish(r);
}

static void contract_48_one_read_for_all(void **state)
{
	(void)state;
	area = world_map(1, RW);
	world_set_word(area + 8, 0xfeed);
	start(touch_one_page, 48);
	watch_and_join();
	if (world_is_watched())
		assert_int_equal(watch.page_in, rounds);
	assert_int_equal(world_stats().pages_read, rounds);
}

/* Each has a word of its own in every page, and knows what it wrote there. */
static void touch_many_pages(void *arg)
{
	static uint32_t last[THREADS][PAGES];
	struct racer *r = arg;
	uint32_t *mine = last[r->number];

	for (size_t i = 0; i < PAGES; i++)
		mine[i] = 0;
	for (unsigned int i = 0; i < rounds; i++) {
		size_t page = next_random(r) % PAGES;
		uintptr_t va = area + page * Z_PAGE_SIZE + r->number * 1000;

		r->wrong += world_word(va) != mine[page];
		if (next_random(r) % 2 == 0)
			world_set_word(va, ++mine[page]);
	}
	for (size_t i = 0; i < PAGES; i++)
		r->wrong += world_word(area + i * Z_PAGE_SIZE + r->number * 1000) != mine[i];
	finish(r);
}

static void many_pages(void **state)
{
	(void)state;
	area = world_map(PAGES, RW);
	start(touch_many_pages, 320);
	watch_and_join();
	assert_int_equal(world_stats().failed_faults, 0);
}

/* One writes without a pause while the others take the page away from it: no write may be lost. */
static void write_or_evict(void *arg)
{
	struct racer *r = arg;
	uint64_t value = 0;

	for (unsigned int i = 0; i < rounds; i++) {
		if (r->number == 0) {
			for (unsigned int k = 0; k < 50; k++) {
				r->wrong += world_word(area) != value;
				world_set_word(area, ++value);
			}
			continue;
		}
		struct z_entry e = z_port_entry(area);

		if (e.kind == Z_ENTRY_IN)
			(void)!z_page_frame_evict(e.phys.v);
		thread_yield();
	}
	finish(r);
}

static void b32_no_write_is_lost(void **state)
{
	(void)state;
	area = world_map(1, RW);
	start(write_or_evict, 160);
	watch_and_join();
	assert_int_equal(world_word(area), rounds * 50);
}

static void map_use_unmap(struct racer *r)
{
	size_t pages = 1 + next_random(r) % 6;
	uintptr_t va = 0;

	if (z_pager_map(z_kernel_pager(), pages, RW, 0, 1, &va) != 0) {
		r->wrong++;
		return;
	}
	for (size_t i = 0; i < pages; i++) {
		r->wrong += world_word(va + i * Z_PAGE_SIZE + 16) != 0;
		world_set_word(va + i * Z_PAGE_SIZE + 16, i + r->number);
	}
	if (next_random(r) % 2 == 0)
		r->wrong += z_pager_page_out(z_kernel_pager(), va, pages, NULL) != 0;
	if (next_random(r) % 4 == 0) {
		r->wrong += z_pager_pin(z_kernel_pager(), va, pages) != 0;
		r->wrong += z_pager_unpin(z_kernel_pager(), va, pages) != 0;
	}
	r->wrong += z_pager_protect(z_kernel_pager(), va, pages, Z_ACCESS_READ) != 0;
	for (size_t i = 0; i < pages; i++)
		r->wrong += world_word(va + i * Z_PAGE_SIZE + 16) != i + r->number;
	r->wrong += z_pager_unmap(z_kernel_pager(), va, pages) != 0;
}

static void map_and_touch(void *arg)
{
	struct racer *r = arg;

	for (unsigned int i = 0; i < rounds; i++) {
		size_t page = next_random(r) % PAGES;

		map_use_unmap(r);
		r->wrong += world_word(area + page * Z_PAGE_SIZE) != page;
	}
	finish(r);
}

static void mapping_and_unmapping_meanwhile(void **state)
{
	(void)state;
	area = world_map(PAGES, RW);
	for (size_t i = 0; i < PAGES; i++)
		world_set_word(area + i * Z_PAGE_SIZE, i);
	start(map_and_touch, 40);
	watch_and_join();
	assert_int_equal(world_stats().failed_faults, 0);
}

/* Banks go off-line and come back while everybody faults. */
static void banks_meanwhile(void **state)
{
	(void)state;
	area = world_map(PAGES, RW);
	start(touch_many_pages, 160);
	for (unsigned int i = 0; i < 6; i++) {
		int err = z_pager_bank_offline(z_kernel_pager(), 1 + i % 3);

		assert_true(err == 0 || err == Z_ERR_BUSY);
		thread_sleep(2 * KERNEL_TICK_NS);
		if (err == 0)
			assert_int_equal(z_pager_bank_online(z_kernel_pager(), 1 + i % 3), 0);
	}
	watch_and_join();
}

void test_races(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		CASE(contract_48_one_read_for_all),
		CASE(many_pages),
		CASE(b32_no_write_is_lost),
		CASE(mapping_and_unmapping_meanwhile),
		CASE(banks_meanwhile),
	};
#undef CASE

	(void)cmocka_run_group_tests_name(world->name, tests, NULL, NULL);
}
