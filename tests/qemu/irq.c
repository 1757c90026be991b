/* SPDX-License-Identifier: Apache-2.0 */
/*
 * irq.c - interrupts and faults, both settings of ALLOW_IRQ, with the tick of the timer running.
 */
#include "board.h"

#include <zpager/mmu.h>

#include <cmocka.h>

/* Longer than a tick. */
#define LONG_NS 3000000U

static void contract_31_51_interrupts_in_the_transfer(void **state)
{
	uintptr_t va = world_map(1, RW);

	(void)state;
	world_set_word(va, 3);
	watch.spin_ns = LONG_NS;
	world_out(va, 1);
	assert_int_equal(world_word(va), 3);
	assert_int_equal(watch.page_in + watch.page_out, 2);
	assert_int_equal(watch.irqs_on, world->irq ? 2 : 0);
	assert_int_equal(watch.ticks > 0, world->irq);
	assert_true(z_port_irqs_on());
}

static void contract_50_fault_with_interrupts_locked(void **state)
{
	uintptr_t va = world_map(1, RW);
	unsigned long key;
	uint64_t word;

	(void)state;
	world_set_word(va, 4);
	world_out(va, 1);
	watch.irqs_on = 0;
	watch.ticks = 0;
	watch.spin_ns = LONG_NS;
	key = z_port_irq_lock();
	word = world_word(va);
	assert_false(z_port_irqs_on());
	z_port_irq_restore(key);
	assert_int_equal(word, 4);
	assert_int_equal(watch.page_in, 1);
	assert_int_equal(watch.irqs_on, 0);
	assert_int_equal(watch.ticks, 0);
	assert_int_equal(world_stats().pagefaults_irq_locked, 1);
	assert_int_equal(world_stats().pagefaults_irq_unlocked, 1);
}

static uintptr_t isr_phys;
static int isr_result;
static volatile unsigned int isr_calls;

static void evict_in_isr(void)
{
	if (isr_calls == 0)
		isr_result = z_page_frame_evict(isr_phys);
	isr_calls = isr_calls + 1;
}

static void wait_for_isr(void)
{
	uint64_t until = z_port_now() + UINT64_C(1000000000);

	while (isr_calls == 0 && z_port_now() < until)
		continue;
	kernel_set_tick_hook(NULL);
	assert_true(isr_calls > 0);
}

static void contract_43_evict_in_an_isr(void **state)
{
	uintptr_t va = world_map(1, RW);

	(void)state;
	world_set_word(va, 6);
	isr_phys = z_port_entry(va).phys.v;
	isr_calls = 0;
	kernel_set_tick_hook(evict_in_isr);
	wait_for_isr();
	assert_int_equal(isr_result, world->irq ? Z_ERR_PERM : 0);
	assert_int_equal(z_port_entry(va).kind, world->irq ? Z_ENTRY_IN : Z_ENTRY_OUT);
	assert_int_equal(world_word(va), 6);
}

static uintptr_t isr_page;

static void touch_in_isr(void)
{
	if (isr_calls == 0)
		world_set_word(isr_page, world_word(isr_page) + 1);
	isr_calls = isr_calls + 1;
}

/* Nothing is under way, so a fault of an interrupt is like any other; it is counted as one. */
static void fault_of_an_isr(void **state)
{
	uintptr_t va = world_map(1, RW);

	(void)state;
	world_set_word(va, 10);
	world_out(va, 1);
	isr_page = va;
	isr_calls = 0;
	kernel_set_tick_hook(touch_in_isr);
	wait_for_isr();
	assert_int_equal(world_word(va), 11);
	assert_int_equal(world_stats().pagefaults_in_isr, 1);
	assert_int_equal(watch.irqs_on, world->irq ? 1 : 0);
}

static void count_in_isr(void)
{
	world_set_word(isr_page, world_word(isr_page) + 1);
	isr_calls = isr_calls + 1;
}

/* An interrupt in the fault window works on a pinned page while others come and go. */
static void isr_on_a_pinned_page_while_pages_move(void **state)
{
	uintptr_t pinned = world_map(1, RW);
	uintptr_t va = world_map(2 * Z_NUM_PAGE_FRAMES, RW);
	unsigned int seen;

	(void)state;
	assert_int_equal(z_pager_pin(z_kernel_pager(), pinned, 1), 0);
	isr_page = pinned;
	isr_calls = 0;
	watch.spin_ns = 50000;
	kernel_set_tick_hook(count_in_isr);
	for (size_t i = 0; i < 4 * Z_NUM_PAGE_FRAMES; i++)
		world_set_word(va + i * 67 % (2 * Z_NUM_PAGE_FRAMES) * Z_PAGE_SIZE, i);
	kernel_set_tick_hook(NULL);
	seen = isr_calls;
	assert_true(seen > 0);
	assert_int_equal(watch.ticks > 0, world->irq);
	assert_int_equal(world_word(pinned), seen);
	assert_int_equal(z_pager_unpin(z_kernel_pager(), pinned, 1), 0);
}

void test_irq(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		CASE(contract_31_51_interrupts_in_the_transfer),
		CASE(contract_50_fault_with_interrupts_locked),
		CASE(contract_43_evict_in_an_isr),
		CASE(fault_of_an_isr),
		CASE(isr_on_a_pinned_page_while_pages_move),
	};
#undef CASE

	(void)cmocka_run_group_tests_name(world->name, tests, NULL, NULL);
}
