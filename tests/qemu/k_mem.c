/* SPDX-License-Identifier: Apache-2.0 */
/*
 * k_mem.c - k_mem_map and its family: flags, errors, pins, statistics, histograms.
 */
#include "board.h"

#include <zpager/mmu.h>

#include <cmocka.h>

#include "../../kernel/sched.h"
#include "insn.h"

#define SIZE (4U * Z_PAGE_SIZE)

static void map_and_unmap(void **state)
{
	size_t free_before = k_mem_free_get();
	unsigned char *memory = k_mem_map(SIZE, K_MEM_PERM_RW);

	(void)state;
	assert_non_null(memory);
	assert_int_equal(k_mem_free_get(), free_before);
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(memory[i], 0);
	assert_int_equal(k_mem_free_get(), free_before - SIZE);
	assert_int_equal(world_probe((uintptr_t)memory - 1, Z_ACCESS_READ),
			 Z_PROBE_FAULT + Z_FAULT_BAD_ADDRESS);
	assert_int_equal(world_probe((uintptr_t)memory + SIZE, Z_ACCESS_READ),
			 Z_PROBE_FAULT + Z_FAULT_BAD_ADDRESS);
	assert_int_equal(k_mem_unmap(memory, SIZE), 0);
	assert_int_equal(k_mem_free_get(), free_before);
	assert_int_equal(world_probe((uintptr_t)memory, Z_ACCESS_READ),
			 Z_PROBE_FAULT + Z_FAULT_BAD_ADDRESS);
	assert_int_equal(k_mem_unmap(memory, SIZE), Z_ERR_FAULT);
}

static void flags_are_permissions(void **state)
{
	unsigned char *memory = k_mem_map(SIZE, K_MEM_PERM_RW | K_MEM_PERM_EXEC);
	uintptr_t va = (uintptr_t)memory;

	(void)state;
	insn_put_return(va);
	assert_int_equal(world_probe(va, Z_ACCESS_EXEC), Z_PROBE_OK);
	assert_int_equal(k_mem_update_flags(memory, SIZE, 0), 0);
	assert_int_equal(world_probe(va, Z_ACCESS_READ), Z_PROBE_OK);
	assert_int_equal(world_probe(va, Z_ACCESS_WRITE), Z_PROBE_FAULT + Z_FAULT_VIOLATION);
	assert_int_equal(world_probe(va, Z_ACCESS_EXEC), Z_PROBE_FAULT + Z_FAULT_VIOLATION);
	assert_int_equal(k_mem_update_flags(memory, SIZE, K_MEM_PERM_RW | K_MEM_PERM_USER), 0);
	assert_int_equal(z_port_entry(va).prot, RW | Z_ACCESS_USER);
	assert_int_equal(k_mem_unmap(memory, SIZE), 0);
}

static void what_makes_no_sense_is_refused(void **state)
{
	unsigned char *memory = k_mem_map(SIZE, K_MEM_PERM_RW);

	(void)state;
	assert_true(k_mem_map(0, K_MEM_PERM_RW) == NULL);
	assert_true(k_mem_map(1, K_MEM_PERM_RW) == NULL);
	assert_true(k_mem_map(SIZE, K_MEM_PERM_RW | K_MEM_CACHE_NONE) == NULL);
	assert_true(k_mem_map(SIZE, 1U << 30) == NULL);
	assert_true(k_mem_map(CONFIG_KERNEL_VM_SIZE, K_MEM_PERM_RW) == NULL);
	assert_int_equal(k_mem_page_out(memory + 1, SIZE), Z_ERR_INVAL);
	assert_int_equal(k_mem_page_in(memory, 5), Z_ERR_INVAL);
	assert_int_equal(k_mem_pin(memory, 0), Z_ERR_INVAL);
	assert_int_equal(k_mem_unpin(memory, SIZE), Z_ERR_INVAL);
	assert_int_equal(k_mem_page_in(memory, SIZE + Z_PAGE_SIZE), Z_ERR_FAULT);
	assert_int_equal(k_mem_unmap(memory, SIZE), 0);
}

static void pins_nest_and_hold(void **state)
{
	unsigned char *memory = k_mem_map(SIZE, K_MEM_PERM_RW);

	(void)state;
	assert_int_equal(k_mem_pin(memory, SIZE), 0);
	assert_int_equal(k_mem_pin(memory, SIZE), 0);
	assert_int_equal(k_mem_page_out(memory, SIZE), Z_ERR_BUSY);
	assert_int_equal(k_mem_unpin(memory, SIZE), 0);
	assert_int_equal(k_mem_page_out(memory, SIZE), Z_ERR_BUSY);
	assert_int_equal(k_mem_unmap(memory, SIZE), Z_ERR_BUSY);
	assert_int_equal(k_mem_unpin(memory, SIZE), 0);
	assert_int_equal(k_mem_page_out(memory, SIZE), 0);
	assert_int_equal(z_port_entry((uintptr_t)memory).kind, Z_ENTRY_OUT);
	assert_int_equal(k_mem_page_in(memory, SIZE), 0);
	assert_int_equal(z_port_entry((uintptr_t)memory).kind, Z_ENTRY_IN);
	assert_int_equal(k_mem_unmap(memory, SIZE), 0);
	memory = k_mem_map(SIZE, K_MEM_PERM_RW | K_MEM_MAP_LOCK);
	assert_int_equal(z_port_entry((uintptr_t)memory).kind, Z_ENTRY_IN);
	assert_int_equal(k_mem_page_out(memory, SIZE), Z_ERR_BUSY);
	assert_int_equal(k_mem_unmap(memory, SIZE), 0);
}

/* ---- statistics ------------------------------------------------------------------------------------ */

static void touch_all(void *arg)
{
	uintptr_t va = (uintptr_t)arg;

	for (size_t i = 0; i < 2 * Z_NUM_PAGE_FRAMES; i++)
		world_set_word(va + i * Z_PAGE_SIZE, i);
}

static unsigned long sum(const struct k_mem_paging_histogram_t *h)
{
	unsigned long all = 0;

	for (size_t i = 0; i < K_MEM_HISTOGRAM_BINS; i++)
		all += h->counts[i];
	return all;
}

/* The main thread has done nothing yet; a second one has all faults and evictions to itself. */
static void statistics_of_threads_and_histograms(void **state)
{
	unsigned char *memory = k_mem_map(2 * Z_NUM_PAGE_FRAMES * Z_PAGE_SIZE, K_MEM_PERM_RW);
	struct k_mem_paging_histogram_t out;
	struct k_mem_paging_histogram_t in;
	struct k_mem_paging_histogram_t chosen;
	struct k_mem_paging_stats_t before;
	struct k_mem_paging_stats_t main;
	struct k_mem_paging_stats_t all;
	struct thread *t;

	(void)state;
	if (world->store != WORLD_BLOCK)
		skip();
	k_mem_paging_thread_stats_get(thread_current(), &before);
	t = thread_start("toucher", touch_all, memory);
	assert_non_null(t);
	(void)thread_join(t);
	k_mem_paging_thread_stats_get(thread_current(), &main);
	k_mem_paging_stats_get(&all);
	assert_int_equal(main.pagefaults.cnt, before.pagefaults.cnt);
	assert_int_equal(main.eviction.dirty, before.eviction.dirty);
	assert_int_equal(all.pagefaults.cnt, 2 * Z_NUM_PAGE_FRAMES);
	assert_int_equal(all.pagefaults.irq_unlocked, 2 * Z_NUM_PAGE_FRAMES);
	assert_int_equal(all.eviction.dirty, Z_NUM_PAGE_FRAMES);

	(void)world_word((uintptr_t)memory);
	(void)world_word((uintptr_t)memory + 2 * Z_NUM_PAGE_FRAMES * Z_PAGE_SIZE - 8);
	k_mem_paging_thread_stats_get(thread_current(), &main);
	k_mem_paging_stats_get(&all);
	assert_int_equal(main.pagefaults.cnt - before.pagefaults.cnt,
			 all.pagefaults.cnt - 2 * Z_NUM_PAGE_FRAMES);
	assert_int_equal(main.eviction.dirty - before.eviction.dirty,
			 all.eviction.dirty - Z_NUM_PAGE_FRAMES);
	k_mem_paging_histogram_eviction_get(&chosen);
	k_mem_paging_histogram_backing_store_page_in_get(&in);
	k_mem_paging_histogram_backing_store_page_out_get(&out);
	assert_int_equal(sum(&chosen), world_stats().eviction_dirty + world_stats().eviction_clean);
	assert_int_equal(sum(&in), watch.page_in);
	assert_int_equal(sum(&out), watch.page_out);
	for (size_t i = 1; i < K_MEM_HISTOGRAM_BINS; i++)
		assert_true(in.bounds[i] > in.bounds[i - 1]);
	assert_int_equal(in.bounds[K_MEM_HISTOGRAM_BINS - 1], ~0UL);
}

void test_k_mem(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		CASE(map_and_unmap),
		CASE(flags_are_permissions),
		CASE(what_makes_no_sense_is_refused),
		CASE(pins_nest_and_hold),
		CASE(statistics_of_threads_and_histograms),
	};
#undef CASE

	(void)cmocka_run_group_tests_name(world->name, tests, NULL, NULL);
}
