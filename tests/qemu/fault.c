/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault.c - faults by real instructions: the statements of the contract that only page tables can
 * show, and counters that are exact.
 */
#include "board.h"

#include <zpager/mmu.h>

#include <cmocka.h>

static void contract_46_touch_after_evict(void **state)
{
	uintptr_t va = world_map(1, RW);
	struct z_entry e;

	(void)state;
	world_set_word(va + 8, 0x1122334455667788);
	e = z_port_entry(va);
	assert_int_equal(e.kind, Z_ENTRY_IN);
	assert_int_equal(z_page_frame_evict(e.phys.v), 0);
	assert_int_equal(z_port_entry(va).kind, Z_ENTRY_OUT);
	assert_int_equal(z_free_page_count, Z_NUM_PAGE_FRAMES);
	assert_int_equal(world_word(va + 8), 0x1122334455667788);
	assert_int_equal(world_word(va), 0);
	assert_int_equal(watch.page_in, 1);
	assert_int_equal(watch.page_out, 1);
	assert_int_equal(z_free_page_count, Z_NUM_PAGE_FRAMES - 1);
}

static void contract_47_false_where_nothing_is(void **state)
{
	uintptr_t va = world_map(2, RW);
	const uintptr_t nothing[] = {
		0,
		8,
		va - 1,                           /* guard below */
		va + 2 * Z_PAGE_SIZE,             /* guard above */
		CONFIG_KERNEL_VM_BASE,            /* lowest page: never mapped */
		CONFIG_KERNEL_VM_BASE + 0x800000, /* the middle of nothing */
		(uintptr_t)Z_SCRATCH_PAGE,
		CONFIG_KERNEL_VM_BASE + CONFIG_KERNEL_VM_SIZE,
		CONFIG_KERNEL_VM_BASE - 1,
		Z_PHYS_RAM_START, /* frames are mapped nowhere else */
	};
	const uintptr_t no_address = (uintptr_t)1 << 50; /* of three levels, or of four */
	size_t free_before = z_free_page_count;

	(void)state;
	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
		assert_false(z_page_fault((void *)nothing[i]));
		assert_int_equal(world_probe(nothing[i], Z_ACCESS_READ),
				 Z_PROBE_FAULT + Z_FAULT_BAD_ADDRESS);
		assert_int_equal(world_probe(nothing[i], Z_ACCESS_WRITE),
				 Z_PROBE_FAULT + Z_FAULT_BAD_ADDRESS);
		assert_int_equal(world_stats().bad_faults, 3 * (i + 1));
	}
	/* A CPU may refuse it without saying what it was: then the core is not asked. */
	assert_false(z_page_fault((void *)no_address));
	assert_int_equal(world_probe(no_address, Z_ACCESS_READ),
			 Z_PROBE_FAULT + Z_FAULT_BAD_ADDRESS);
	assert_int_equal(world_probe(no_address, Z_ACCESS_WRITE),
			 Z_PROBE_FAULT + Z_FAULT_BAD_ADDRESS);
	assert_int_equal(z_free_page_count, free_before);
	assert_int_equal(world_stats().pagefaults, 0);
}

static void contract_48_true_when_nothing_is_to_be_done(void **state)
{
	uintptr_t va = world_map(1, RW);

	(void)state;
	world_set_word(va, 5);
	for (unsigned int i = 0; i < 3; i++)
		assert_true(z_page_fault((void *)(va + 7)));
	assert_int_equal(world_stats().pagefaults, 1);
	assert_int_equal(z_free_page_count, Z_NUM_PAGE_FRAMES - 1);
	assert_int_equal(world_word(va), 5);
}

static unsigned int calls_of_core;

static enum z_fault_result count_calls(uintptr_t va, unsigned int access)
{
	calls_of_core++;
	return z_pager_fault(z_kernel_pager(), va, access);
}

static void contract_49_violation_is_not_for_the_core(void **state)
{
	uintptr_t va = world_map(1, Z_ACCESS_READ);

	(void)state;
	world_in(va, 1);
	(void)world_word(va);
	kernel_set_fault_handler(count_calls);
	calls_of_core = 0;
	assert_int_equal(world_probe(va, Z_ACCESS_WRITE), Z_PROBE_FAULT + Z_FAULT_VIOLATION);
	assert_int_equal(world_probe(va, Z_ACCESS_EXEC), Z_PROBE_FAULT + Z_FAULT_VIOLATION);
	assert_int_equal(calls_of_core, 0);
	assert_int_equal(world_probe(va, Z_ACCESS_READ), Z_PROBE_OK);
	assert_int_equal(calls_of_core, 0);
}

static void contract_52_any_byte_of_the_page(void **state)
{
	static const uintptr_t offsets[] = {0, 1, 7, 0x7ff, 0xfff};
	uintptr_t va = world_map(1, RW);

	(void)state;
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		*(volatile unsigned char *)(va + offsets[i]) = (unsigned char)(i + 1);
		world_out(va, 1);
		assert_int_equal(*(volatile unsigned char *)(va + offsets[i]), i + 1);
		world_out(va, 1);
	}
	assert_int_equal(watch.unaligned, 0);
	assert_int_equal(watch.page_in, 2 * 5 - 1);
}

/* Three bytes in one page, five in the next. */
static void contract_52_access_in_two_pages(void **state)
{
	uintptr_t va = world_map(2, RW);
	uintptr_t at = va + Z_PAGE_SIZE - 3;

	(void)state;
	world_set_word(at, 0x0102030405060708);
	assert_int_equal(world_stats().pagefaults, 2);
	for (unsigned int out = 1; out < 4; out++) {
		for (uintptr_t page = 0; page < 2; page++) {
			if ((out & (1U << page)) != 0)
				world_out(va + page * Z_PAGE_SIZE, 1);
		}
		assert_int_equal(world_word(at), 0x0102030405060708 + out - 1);
		world_out(va, 2);
		world_set_word(at, 0x0102030405060708 + out);
	}
	assert_int_equal(*(volatile unsigned char *)(va + Z_PAGE_SIZE - 1), 6);
	assert_int_equal(*(volatile unsigned char *)(va + Z_PAGE_SIZE), 5);
}

static void contract_54_location_0(void **state)
{
	uintptr_t va = world_map(2, RW);

	(void)state;
	if (world->store != WORLD_RAM)
		skip();
	world_set_word(va, 0xabc);
	world_set_word(va + Z_PAGE_SIZE, 0xdef);
	world_out(va, 2);
	assert_true(watch.location_0);
	assert_true(z_port_entry(va).loc.v == 0 || z_port_entry(va + Z_PAGE_SIZE).loc.v == 0);
	assert_int_equal(world_word(va), 0xabc);
	assert_int_equal(world_word(va + Z_PAGE_SIZE), 0xdef);
}

/* Read, write, supervisor, not executable, the right frame; and nothing when nobody uses it. */
static void contract_08_scratch(void **state)
{
	uintptr_t va = world_map(1, RW);
	struct z_port_mapping during;

	(void)state;
	world_set_word(va, 1);
	world_out(va, 1);
	during = watch.scratch;
	assert_true(during.present);
	assert_int_equal(during.prot, RW);
	(void)world_word(va);
	assert_int_equal(watch.scratch.phys, z_port_entry(va).phys.v);
	assert_false(z_port_mapping((uintptr_t)Z_SCRATCH_PAGE).present);
	assert_int_equal(world_probe((uintptr_t)Z_SCRATCH_PAGE, RW | Z_ACCESS_USER),
			 Z_PROBE_FAULT + Z_FAULT_BAD_ADDRESS);
}

/* What the store is asked for, and how often the hardware has to come back. */
static void counters_are_exact(void **state)
{
	/* By faults: one more for dirty, if a page is read first; not knowing the access, for accessed. */
	uint64_t by_faults = world->soft_ad || !z_port_ad() ? 40 : 0;
	uint64_t unknown = world->spec ? by_faults : 0;
	uintptr_t va = world_map(40, RW);
	struct z_stats s;

	(void)state;
	for (size_t i = 0; i < 40; i++)
		world_set_word(va + i * Z_PAGE_SIZE, i);
	s = world_stats();
	assert_int_equal(s.pagefaults, 40);
	assert_int_equal(s.pagefaults_irq_unlocked, 40);
	assert_int_equal(s.pages_zeroed, 40);
	assert_int_equal(s.soft_faults, 2 * unknown);
	world_out(va, 40);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(world_word(va + i * Z_PAGE_SIZE), i);
	world_out(va, 40);
	s = world_stats();
	assert_int_equal(s.pagefaults, 80);
	assert_int_equal(s.pages_read, 40);
	assert_int_equal(s.pages_written, 40);
	assert_int_equal(s.pages_dropped, 40);
	assert_int_equal(s.eviction_dirty, 40);
	assert_int_equal(s.eviction_clean, 40);
	assert_int_equal(s.soft_faults, 3 * unknown);
	assert_int_equal(s.bad_faults + s.failed_faults, 0);
	assert_int_equal(s.pagefaults_irq_locked + s.pagefaults_in_isr, 0);
	assert_int_equal(watch.page_in, 40);
	assert_int_equal(watch.page_out, 40);
	for (size_t i = 0; i < 40; i++)
		(void)world_word(va + i * Z_PAGE_SIZE);
	for (size_t i = 0; i < 40; i++)
		world_set_word(va + i * Z_PAGE_SIZE, i);
	assert_int_equal(world_stats().soft_faults, 4 * unknown + by_faults);
}

static void reads_keep_clean_and_writes_make_dirty(void **state)
{
	uintptr_t va = world_map(2, RW);

	(void)state;
	world_set_word(va, 1);
	world_set_word(va + Z_PAGE_SIZE, 1);
	world_out(va, 2);
	for (unsigned int i = 2; i < 10; i++) {
		unsigned int before = watch.page_out;

		assert_int_equal(world_word(va), 1);
		assert_int_equal(world_word(va + Z_PAGE_SIZE), i - 1);
		world_set_word(va + Z_PAGE_SIZE + 8 * i, i);
		world_set_word(va + Z_PAGE_SIZE, i);
		world_out(va, 2);
		assert_int_equal(watch.page_out - before, 1);
	}
}

/* Nothing is written, so nothing but the removal itself makes the hart forget the translation. */
static void dropped_page_is_gone_at_once(void **state)
{
	uintptr_t va = world_map(1, RW);
	uint64_t faults;

	(void)state;
	world_set_word(va, 1);
	world_out(va, 1);
	for (unsigned int i = 0; i < 5; i++) {
		(void)world_word(va);
		faults = world_stats().pagefaults;
		world_out(va, 1);
		assert_int_equal(world_stats().pages_dropped, i + 1);
		(void)world_word(va);
		assert_int_equal(world_stats().pagefaults, faults + 1);
	}
}

/* EIO on the way in: the instruction cannot go on, nothing is lost, and it works the next time. */
static void read_error_is_told_and_nothing_lost(void **state)
{
	uintptr_t va = world_map(1, RW);
	unsigned int told = world->spec ? Z_FAULT_BAD_ADDRESS : Z_FAULT_IO_ERROR;

	(void)state;
	world_set_word(va, 77);
	world_out(va, 1);
	watch.fail_in = 1;
	assert_int_equal(world_probe(va, Z_ACCESS_READ), Z_PROBE_FAULT + told);
	assert_int_equal(z_port_entry(va).kind, Z_ENTRY_OUT);
	assert_int_equal(z_free_page_count, Z_NUM_PAGE_FRAMES);
	assert_int_equal(world_word(va), 77);
	assert_int_equal(world_stats().read_errors, 1);
}

static void write_error_leaves_the_page(void **state)
{
	uintptr_t va = world_map(1, RW);
	uintptr_t phys;

	(void)state;
	world_set_word(va, 78);
	phys = z_port_entry(va).phys.v;
	watch.fail_out = 1;
	assert_int_equal(z_page_frame_evict(phys), Z_ERR_IO);
	assert_int_equal(z_port_entry(va).phys.v, phys);
	assert_int_equal(world_word(va), 78);
	watch.full = 1;
	assert_int_equal(z_page_frame_evict(phys), -12);
	assert_int_equal(world_word(va), 78);
	watch.full = 0;
	assert_int_equal(z_page_frame_evict(phys), 0);
	assert_int_equal(world_word(va), 78);
}

/* No frame can be had, for the store takes nothing: defined, and over as soon as it does. */
static void full_store_fails_the_fault_alone(void **state)
{
	uintptr_t va = world_map(Z_NUM_PAGE_FRAMES + 1, RW);
	uintptr_t last = va + Z_NUM_PAGE_FRAMES * Z_PAGE_SIZE;
	unsigned int told = world->spec ? Z_FAULT_BAD_ADDRESS : Z_FAULT_NO_MEMORY;

	(void)state;
	watch.full = 1;
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++)
		world_set_word(va + i * Z_PAGE_SIZE, i);
	assert_int_equal(world_probe(last, Z_ACCESS_WRITE), Z_PROBE_FAULT + told);
	watch.full = 0;
	world_set_word(last, 99);
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++)
		assert_int_equal(world_word(va + i * Z_PAGE_SIZE), i);
	assert_int_equal(world_word(last), 99);
}

void test_fault(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		CASE(contract_46_touch_after_evict),
		CASE(contract_47_false_where_nothing_is),
		CASE(contract_48_true_when_nothing_is_to_be_done),
		CASE(contract_49_violation_is_not_for_the_core),
		CASE(contract_52_any_byte_of_the_page),
		CASE(contract_52_access_in_two_pages),
		CASE(contract_54_location_0),
		CASE(contract_08_scratch),
		CASE(counters_are_exact),
		CASE(reads_keep_clean_and_writes_make_dirty),
		CASE(dropped_page_is_gone_at_once),
		CASE(read_error_is_told_and_nothing_lost),
		CASE(write_error_leaves_the_page),
		CASE(full_store_fails_the_fault_alone),
	};
#undef CASE

	(void)cmocka_run_group_tests_name(world->name, tests, NULL, NULL);
}
