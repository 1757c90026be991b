/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ondemand.c - code and constants of the kernel that are on the disk until they are used.
 */
#include "board.h"

#include <zpager/mmu.h>

#include <cmocka.h>

#include "../../kernel/ondemand.h"

#define TABLE_WORDS 2048U

/* Four pages of it, each with a number that only the disk knows. */
static __ondemand_rodata const uint64_t table[TABLE_WORDS] = {
	[0] = 11, [600] = 13, [1100] = 17, [2047] = 19};

static __ondemand_func uint64_t sum_of_table(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < TABLE_WORDS; i++)
		sum += ((const volatile uint64_t *)table)[i];
	return sum;
}

static __ondemand_func uint64_t descend(unsigned int depth)
{
	return depth == 0 ? sum_of_table() : descend(depth - 1) + 1;
}

static int setup(void **state)
{
	int err = world_setup(state);

	return err != 0 ? err : ondemand_start();
}

static void code_and_constants_come_from_the_disk(void **state)
{
	struct z_stats s;

	(void)state;
	assert_int_equal(z_port_entry((uintptr_t)&sum_of_table).kind, Z_ENTRY_OUT);
	assert_int_equal(z_port_entry((uintptr_t)table).kind, Z_ENTRY_OUT);
	assert_int_equal(descend(5), 11 + 13 + 17 + 19 + 5);
	s = world_stats();
	assert_int_equal(s.pages_read, s.pagefaults);
	assert_int_equal(s.pages_zeroed, 0);
	/* All of it was read once; now it is all there. */
	assert_int_equal(descend(7), 11 + 13 + 17 + 19 + 7);
	assert_int_equal(world_stats().pagefaults, s.pagefaults);
}

/* Clean for ever: it leaves without a write, and comes back the same. */
static void it_leaves_without_a_write(void **state)
{
	uintptr_t other = world_map(2 * Z_NUM_PAGE_FRAMES, RW);
	uint64_t writes = 0;

	(void)state;
	for (unsigned int round = 0; round < 3; round++) {
		assert_int_equal(descend(round), 11 + 13 + 17 + 19 + round);
		writes = world_stats().pages_written;
		assert_int_equal(z_pager_page_out(z_kernel_pager(),
						  CONFIG_KERNEL_VM_BASE + Z_PAGE_SIZE,
						  ondemand_pages(), NULL),
				 0);
		assert_int_equal(world_stats().pages_written, writes);
		for (size_t i = 0; i < 2 * Z_NUM_PAGE_FRAMES; i++)
			world_set_word(other + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(descend(1), 11 + 13 + 17 + 19 + 1);
}

static void it_cannot_be_written(void **state)
{
	uintptr_t va = (uintptr_t)table;

	(void)state;
	assert_int_equal(world_probe(va, Z_ACCESS_WRITE), Z_PROBE_FAULT + Z_FAULT_VIOLATION);
	assert_int_equal(world_probe((uintptr_t)&descend, Z_ACCESS_WRITE),
			 Z_PROBE_FAULT + Z_FAULT_VIOLATION);
	assert_int_equal(world_probe(va, Z_ACCESS_EXEC), Z_PROBE_FAULT + Z_FAULT_VIOLATION);
	assert_int_equal(z_pager_protect(z_kernel_pager(), va, 1, RW), Z_ERR_PERM);
	assert_int_equal(z_pager_advise(z_kernel_pager(), va, 1, Z_ADVICE_DONTNEED), Z_ERR_PERM);
	assert_int_equal(sum_of_table(), 11 + 13 + 17 + 19);
}

void test_ondemand(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, world_teardown)
	const struct CMUnitTest tests[] = {
		CASE(code_and_constants_come_from_the_disk),
		CASE(it_leaves_without_a_write),
		CASE(it_cannot_be_written),
	};
#undef CASE

	(void)cmocka_run_group_tests_name(world->name, tests, NULL, NULL);
}
