/* SPDX-License-Identifier: Apache-2.0 */
/*
 * threads.c - threads and faults: who runs while one waits, stacks of user mode that are out.
 */
#include "board.h"

#include <zpager/mmu.h>

#include <cmocka.h>

#include "../../kernel/sched.h"
#include "../../kernel/user.h"

#define LONG_NS 5000000U

/* Ticks: a CPU that is emulated by a busy host may stand still for a while. */
#define PATIENCE 5000U

static volatile bool stop;
static volatile uint64_t counted;

static void count(void *arg)
{
	(void)arg;
	while (!stop)
		counted = counted + 1;
	thread_exit(17);
}

static void threads_take_turns(void **state)
{
	struct thread *t;
	uint64_t before;

	(void)state;
	stop = false;
	counted = 0;
	t = thread_start("counter", count, NULL);
	assert_non_null(t);
	for (unsigned int i = 0; i < 5; i++) {
		before = counted;
		for (unsigned int k = 0; k < PATIENCE && counted == before; k++)
			thread_sleep(KERNEL_TICK_NS);
		assert_true(counted > before);
	}
	/* Without giving the CPU away: the tick does. */
	before = counted;
	for (uint64_t until = z_port_now() + PATIENCE * (uint64_t)KERNEL_TICK_NS;
	     z_port_now() < until && counted == before;)
		continue;
	assert_true(counted > before);
	stop = true;
	assert_int_equal(thread_join(t), 17);
}

/*
 * One CPU: with ALLOW_IRQ others run during the transfer of a fault, without it nobody does. (More
 * CPUs run what they like.) The store measures, between its beginning and its end.
 */
static void others_run_while_one_waits_for_the_store(void **state)
{
	uintptr_t va = world_map(1, RW);
	struct thread *t;

	(void)state;
	if (sched_cpus() > 1 || !world_is_watched())
		skip();
	world_set_word(va, 8);
	world_out(va, 1);
	stop = false;
	t = thread_start("counter", count, NULL);
	assert_non_null(t);
	thread_sleep(3 * KERNEL_TICK_NS);
	watch.spin_ns = LONG_NS;
	watch.counter = &counted;
	assert_int_equal(world_word(va), 8);
	stop = true;
	(void)thread_join(t);
	assert_int_equal(watch.counted > 0, world->irq);
}

/* The disk itself, without a pretended delay: while its interrupt is awaited the other one runs. */
static void others_run_while_one_waits_for_the_disk(void **state)
{
	uintptr_t va = world_map(2 * Z_NUM_PAGE_FRAMES, RW);
	uint64_t switches;
	struct thread *t;

	(void)state;
	if (world->store != WORLD_BLOCK)
		skip();
	for (size_t i = 0; i < 2 * Z_NUM_PAGE_FRAMES; i++)
		world_set_word(va + i * Z_PAGE_SIZE, i);
	stop = false;
	t = thread_start("counter", count, NULL);
	assert_non_null(t);
	thread_sleep(2 * KERNEL_TICK_NS);
	switches = sched_switches();
	for (size_t i = 0; i < 2 * Z_NUM_PAGE_FRAMES; i++)
		assert_int_equal(world_word(va + i * Z_PAGE_SIZE), i);
	switches = sched_switches() - switches;
	stop = true;
	(void)thread_join(t);
	/* Each page that came from the disk was waited for, and the wait was somebody else's turn. */
	if (world->irq)
		assert_true(switches >= 2 * Z_NUM_PAGE_FRAMES);
}

/* ---- user mode ---------------------------------------------------------------------------------------- */

static uintptr_t user_page(unsigned int prot)
{
	uintptr_t va = world_map(1, RW);

	z_port_user_code((void *)va);
	assert_int_equal(z_pager_protect(z_kernel_pager(), va, 1, prot), 0);
	return va;
}

static void user_threads_end_with_what_they_did(void **state)
{
	uintptr_t code = user_page(RX | Z_ACCESS_USER);
	uintptr_t va = world_map(1, RW | Z_ACCESS_USER);
	unsigned long status;
	struct thread *t;

	(void)state;
	world_out(code, 1);
	t = user_start("reader", code + z_port_user_piece(Z_ACCESS_READ), 0, va + 3, 0);
	assert_non_null(t);
	status = thread_join(t);
	assert_int_equal(USER_WHY(status), Z_PROBE_OK);
	assert_int_equal(USER_VALUE(status), 0);
	t = user_start("astray", CONFIG_KERNEL_VM_BASE, 0, 0, 0);
	status = thread_join(t);
	assert_int_equal(USER_WHY(status), Z_PROBE_FAULT + Z_FAULT_BAD_ADDRESS);
	/* What is no instruction ends the thread, not the machine. */
	t = user_start("kernel text", (uintptr_t)&test_threads, 0, 0, 0);
	status = thread_join(t);
	assert_int_equal(USER_WHY(status), Z_PROBE_FAULT + Z_FAULT_VIOLATION);
}

static void many_user_threads_at_once(void **state)
{
	uintptr_t code = user_page(RX | Z_ACCESS_USER);
	uintptr_t va = world_map(8, RW | Z_ACCESS_USER);
	struct thread *t[8];

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		unsigned char byte = (unsigned char)(i + 40);

		assert_int_equal(user_probe(code, va + i * Z_PAGE_SIZE + i, Z_ACCESS_WRITE, &byte),
				 0);
	}
	world_out(va, 8);
	world_out(code, 1);
	for (size_t i = 0; i < 8; i++) {
		t[i] = user_start("reader", code + z_port_user_piece(Z_ACCESS_READ), 0,
				  va + i * Z_PAGE_SIZE + i, 0);
		assert_non_null(t[i]);
	}
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(USER_VALUE(thread_join(t[i])), i + 40);
}

void test_threads(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		CASE(threads_take_turns),
		CASE(others_run_while_one_waits_for_the_store),
		CASE(others_run_while_one_waits_for_the_disk),
		CASE(user_threads_end_with_what_they_did),
		CASE(many_user_threads_at_once),
	};
#undef CASE

	(void)cmocka_run_group_tests_name(world->name, tests, NULL, NULL);
}
