/* SPDX-License-Identifier: Apache-2.0 */
/*
 * day.c - 24 hours of uptime, with the time of the emulator running ahead while everybody sleeps.
 *
 * Each minute wakes a thread, which pages and looks at what it left the last time; each hour the
 * invariants are walked. A counter or a time that overflows within a day would show.
 */
#include "board.h"

#include <zpager/mmu.h>

#include <cmocka.h>

#include "../../kernel/sched.h"

#define MINUTE_NS UINT64_C(60000000000)
#define MINUTES   (24U * 60U)
#define PAGES     (2U * Z_NUM_PAGE_FRAMES)

static void a_day(void **state)
{
	uintptr_t va = world_map(PAGES, RW);
	uint64_t start = z_port_now();
	uint64_t ticks = kernel_ticks();

	(void)state;
	z_port_tick(MINUTE_NS / 60);
	for (size_t i = 0; i < PAGES; i++)
		world_set_word(va + i * Z_PAGE_SIZE, i);
	for (unsigned int minute = 0; minute < MINUTES; minute++) {
		uint64_t before = z_port_now();

		thread_sleep(MINUTE_NS);
		assert_true(z_port_now() - before >= MINUTE_NS);
		assert_true(z_port_now() - before < MINUTE_NS + MINUTE_NS / 20);
		for (size_t i = 0; i < 8; i++) {
			size_t page = (minute * 8 + i) % PAGES;

			assert_int_equal(world_word(va + page * Z_PAGE_SIZE),
					 page + minute / (PAGES / 8));
			world_set_word(va + page * Z_PAGE_SIZE, page + minute / (PAGES / 8) + 1);
		}
		if (minute % 60 == 0)
			world_check(Z_CHECK_PAGES);
	}
	z_port_tick(KERNEL_TICK_NS);
	assert_true(z_port_now() - start >= MINUTES * MINUTE_NS);
	assert_true(kernel_ticks() - ticks >= MINUTES * 60);
	kernel_print("UPTIME %u s, %u faults\n", (unsigned int)(z_port_now() / 1000000000U),
		     (unsigned int)world_stats().pagefaults);
}

void test_day(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_day, world_setup, world_teardown),
	};

	(void)cmocka_run_group_tests_name(world->name, tests, NULL, NULL);
}
