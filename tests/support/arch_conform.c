/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arch_conform.c - the suite that every port passes. See arch_conform.h.
 *
 * Written against the text of arch.h only. Where the contract leaves a choice (reads of a page that
 * is being written out; accessed bits of a port that cannot see reads) nothing is asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "arch_conform_steps.h"

#define RW (Z_ACCESS_READ | Z_ACCESS_WRITE)

static int setup(void **state)
{
	(void)state;
	return ac_port->setup(ac_port);
}

static int teardown(void **state)
{
	const char *problem = ac_port->problem != NULL ? ac_port->problem(ac_port) : NULL;

	(void)state;
	if (problem != NULL) {
		print_error("%s: %s\n", ac_port->name, problem);
	}
	ac_port->teardown(ac_port);
	return problem != NULL;
}

/* ---- the suite ---- */

static void description_makes_sense(void **state)
{
	(void)state;
	assert_non_null(ac_port->ops->name);
	assert_true(ac_port->ops->scratch_slots >= 1);
	assert_true(ac_port->vm_pages >= ARCH_CONFORM_PAGES);
	assert_true(ac_port->frames >= ARCH_CONFORM_FRAMES);
	assert_int_equal(ac_port->prot_mask & RW, RW);
	assert_true(ac_port->sees_reads || (ac_port->ops->caps & Z_ARCH_ACCESSED) == 0);
}

static void each_transition_of_the_diagram(void **state)
{
	(void)state;
	ac_expect(0, Z_ENTRY_UNMAPPED, 0);
	ac_map(0, 1, RW);
	ac_expect(0, Z_ENTRY_UNTOUCHED, RW);
	ac_hold(0, 1);
	ac_expect(0, Z_ENTRY_HELD, RW);
	assert_true(ac_entry(0).phys.v == ac_frame_phys(1).v);
	ac_fill_and_attach(0, 1, 7, Z_ATTACH_CLEAN);
	ac_expect(0, Z_ENTRY_IN, RW);
	assert_true(ac_entry(0).phys.v == ac_frame_phys(1).v);
	(void)ac_detach(0, 1);
	ac_expect(0, Z_ENTRY_HELD, RW);
	assert_true(ac_entry(0).phys.v == ac_frame_phys(1).v);
	ac_release(0, 1, 5 * Z_PAGE_SIZE, false);
	ac_expect(0, Z_ENTRY_OUT, RW);
	assert_true(ac_entry(0).loc.v == 5 * Z_PAGE_SIZE);
	ac_hold(0, 2);
	ac_expect(0, Z_ENTRY_HELD, RW);
	ac_release(0, 2, 5 * Z_PAGE_SIZE, false);
	ac_expect(0, Z_ENTRY_OUT, RW);
	ac_bring_in(0, 3, 8, Z_ATTACH_CLEAN);
	(void)ac_detach(0, 3);
	ac_release(0, 3, 0, true);
	ac_expect(0, Z_ENTRY_UNTOUCHED, RW);
	ac_hold(0, 4);
	ac_release(0, 4, 0, true);
	ac_expect(0, Z_ENTRY_UNTOUCHED, RW);
	ac_expect(1, Z_ENTRY_UNMAPPED, 0);
}

static void page_that_is_out_can_be_forgotten(void **state)
{
	(void)state;
	ac_map(0, 1, RW);
	ac_bring_in(0, 0, 1, Z_ATTACH_CLEAN);
	(void)ac_detach(0, 0);
	ac_release(0, 0, Z_PAGE_SIZE, false);
	ac_release(0, 0, 0, true);
	ac_expect(0, Z_ENTRY_UNTOUCHED, RW);
}

static void locations_over_the_whole_range(void **state)
{
	uintptr_t loc = Z_PAGE_SIZE;

	(void)state;
	ac_map(0, 1, RW);
	ac_hold(0, 0);
	ac_release(0, 0, 0, false);
	ac_expect(0, Z_ENTRY_OUT, RW);
	assert_true(ac_entry(0).loc.v == 0);
	while (loc != 0) {
		ac_hold(0, 0);
		ac_release(0, 0, loc, false);
		ac_expect(0, Z_ENTRY_OUT, RW);
		assert_true(ac_entry(0).loc.v == loc);
		ac_protect(0, 1, Z_ACCESS_READ);
		assert_true(ac_entry(0).loc.v == loc);
		ac_protect(0, 1, RW);
		loc <<= 1;
	}
	loc = ~(uintptr_t)Z_PAGE_MASK;
	ac_hold(0, 0);
	ac_release(0, 0, loc, false);
	ac_expect(0, Z_ENTRY_OUT, RW);
	assert_true(ac_entry(0).loc.v == loc);
}

static void permissions_survive_a_thousand_cycles(void **state)
{
	(void)state;
	for (unsigned int prot = 1; prot < 16; prot++) {
		if ((prot & ~ac_port->prot_mask) != 0) {
			continue;
		}
		ac_map(prot, 1, prot);
		for (size_t i = 0; i < 1000 / 15 + 1; i++) {
			ac_bring_in(prot, i % ac_port->frames, (unsigned char)i, Z_ATTACH_CLEAN);
			ac_expect(prot, Z_ENTRY_IN, prot);
			(void)ac_detach(prot, i % ac_port->frames);
			ac_expect(prot, Z_ENTRY_HELD, prot);
			ac_release(prot, i % ac_port->frames, i * Z_PAGE_SIZE, false);
			ac_expect(prot, Z_ENTRY_OUT, prot);
		}
		ac_bring_in(prot, 0, 1, Z_ATTACH_CLEAN);
		if ((prot & Z_ACCESS_WRITE) == 0) {
			assert_int_equal(ac_try_access(prot, Z_ACCESS_WRITE),
					 ARCH_ACCESS_VIOLATION);
		}
		ac_unmap(prot, 1);
	}
}

static void protect_on_each_kind(void **state)
{
	(void)state;
	ac_map(0, 4, RW);
	ac_hold(1, 1);
	ac_release(1, 1, Z_PAGE_SIZE, false);
	ac_bring_in(2, 2, 22, Z_ATTACH_CLEAN);
	ac_write_byte(2, 2, 24);
	ac_hold(3, 3);
	ac_protect(0, 4, Z_ACCESS_READ);
	ac_expect(0, Z_ENTRY_UNTOUCHED, Z_ACCESS_READ);
	ac_expect(1, Z_ENTRY_OUT, Z_ACCESS_READ);
	ac_expect(2, Z_ENTRY_IN, Z_ACCESS_READ);
	ac_expect(3, Z_ENTRY_HELD, Z_ACCESS_READ);
	assert_true(ac_entry(1).loc.v == Z_PAGE_SIZE);
	ac_fill_and_attach(3, 3, 33, Z_ATTACH_CLEAN);
	assert_int_equal(ac_read_byte(2, 0), 22);
	assert_int_equal(ac_read_byte(3, 0), 33);
	assert_int_equal(ac_try_access(2, Z_ACCESS_WRITE), ARCH_ACCESS_VIOLATION);
	assert_int_equal(ac_try_access(3, Z_ACCESS_WRITE), ARCH_ACCESS_VIOLATION);
	ac_protect(2, 2, RW);
	ac_write_byte(2, 1, 23);
	ac_write_byte(3, 1, 34);
	assert_int_equal(ac_read_byte(2, 0), 22);
	assert_int_equal(ac_read_byte(2, 1), 23);
	assert_int_equal(ac_read_byte(2, 2), 24);
	assert_int_equal(ac_read_byte(3, 1), 34);
	ac_unmap(0, 4);
}

/* Written, then forbidden to write: it is still dirty. */
static void protect_keeps_dirty(void **state)
{
	(void)state;
	ac_map(0, 1, RW);
	ac_bring_in(0, 0, 1, Z_ATTACH_CLEAN);
	ac_write_byte(0, 0, 2);
	ac_protect(0, 1, Z_ACCESS_READ);
	assert_int_equal(ac_read_byte(0, 0), 2);
	assert_true(ac_detach(0, 0));
	ac_release(0, 0, 0, false);
}

static void only_writes_make_dirty(void **state)
{
	(void)state;
	ac_map(0, 1, RW);
	ac_bring_in(0, 0, 1, Z_ATTACH_CLEAN);
	assert_false(ac_detach(0, 0));
	ac_release(0, 0, 0, false);
	ac_bring_in(0, 1, 2, Z_ATTACH_CLEAN);
	assert_int_equal(ac_read_byte(0, 100), 2);
	assert_false(ac_detach(0, 1));
	ac_release(0, 1, 0, false);
	ac_bring_in(0, 2, 3, Z_ATTACH_CLEAN);
	ac_write_byte(0, Z_PAGE_SIZE - 1, 4);
	assert_true(ac_detach(0, 2));
	ac_release(0, 2, 0, false);
	ac_bring_in(0, 3, 5, Z_ATTACH_DIRTY);
	assert_true(ac_detach(0, 3));
	ac_release(0, 3, 0, false);
	ac_bring_in(0, 3, 6, Z_ATTACH_CLEAN);
	assert_false(ac_detach(0, 3));
	ac_release(0, 3, 0, false);
}

static void info_tells_what_happened(void **state)
{
	(void)state;
	ac_map(0, 1, RW);
	ac_bring_in(0, 0, 1, Z_ATTACH_CLEAN);
	assert_int_equal(ac_info(0, false) & Z_INFO_DIRTY, 0);
	ac_write_byte(0, 0, 2);
	assert_int_equal(ac_info(0, false) & Z_INFO_DIRTY, Z_INFO_DIRTY);
	assert_int_equal(ac_info(0, true) & Z_INFO_DIRTY, Z_INFO_DIRTY);
	assert_int_equal(ac_info(0, true) & Z_INFO_DIRTY, Z_INFO_DIRTY);
	assert_true(ac_detach(0, 0));
	ac_release(0, 0, 0, false);
	ac_bring_in(0, 0, 3, Z_ATTACH_DIRTY);
	assert_int_equal(ac_info(0, false) & Z_INFO_DIRTY, Z_INFO_DIRTY);
	ac_unmap(0, 1);
}

static void info_sees_reads(void **state)
{
	(void)state;
	if (!ac_port->sees_reads) {
		skip();
	}
	ac_map(0, 1, RW);
	ac_bring_in(0, 0, 1, Z_ATTACH_CLEAN);
	assert_int_equal(ac_info(0, false), 0);
	(void)ac_read_byte(0, 0);
	assert_int_equal(ac_info(0, false), Z_INFO_ACCESSED);
	assert_int_equal(ac_info(0, true), Z_INFO_ACCESSED);
	assert_int_equal(ac_info(0, false), 0);
	(void)ac_read_byte(0, 0);
	assert_int_equal(ac_info(0, true), Z_INFO_ACCESSED);
	ac_write_byte(0, 0, 2);
	assert_int_equal(ac_info(0, true), Z_INFO_ACCESSED | Z_INFO_DIRTY);
	assert_int_equal(ac_info(0, false), Z_INFO_DIRTY);
	ac_unmap(0, 1);
}

static void touch_is_remembered(void **state)
{
	(void)state;
	ac_map(0, 2, RW);
	ac_bring_in(0, 0, 1, Z_ATTACH_CLEAN);
	ac_bring_in(1, 1, 1, Z_ATTACH_CLEAN);
	ac_touch(0, Z_ACCESS_READ);
	ac_touch(1, Z_ACCESS_WRITE);
	assert_int_equal(ac_info(1, false) & Z_INFO_DIRTY, Z_INFO_DIRTY);
	if (ac_port->sees_reads) {
		assert_int_equal(ac_info(0, false), Z_INFO_ACCESSED);
		assert_int_equal(ac_info(1, false), Z_INFO_ACCESSED | Z_INFO_DIRTY);
	}
	assert_false(ac_detach(0, 0));
	assert_true(ac_detach(1, 1));
	ac_release(0, 0, 0, false);
	ac_release(1, 1, 0, false);
}

static void what_is_not_there_faults(void **state)
{
	(void)state;
	assert_int_equal(ac_try_access(0, Z_ACCESS_READ), ARCH_ACCESS_FAULT);
	ac_map(0, 1, RW);
	assert_int_equal(ac_try_access(0, Z_ACCESS_READ), ARCH_ACCESS_FAULT);
	assert_int_equal(ac_try_access(0, Z_ACCESS_WRITE), ARCH_ACCESS_FAULT);
	ac_hold(0, 0);
	assert_int_equal(ac_try_access(0, Z_ACCESS_READ), ARCH_ACCESS_FAULT);
	ac_fill_and_attach(0, 0, 9, Z_ATTACH_CLEAN);
	assert_int_equal(ac_read_byte(0, 0), 9);
	ac_write_byte(0, 0, 10);
	(void)ac_detach(0, 0);
	assert_int_equal(ac_try_access(0, Z_ACCESS_WRITE), ARCH_ACCESS_FAULT);
	ac_release(0, 0, 0, false);
	assert_int_equal(ac_try_access(0, Z_ACCESS_READ), ARCH_ACCESS_FAULT);
	assert_int_equal(ac_try_access(0, Z_ACCESS_WRITE), ARCH_ACCESS_FAULT);
}

static void unmap_of_each_kind(void **state)
{
	(void)state;
	ac_map(1, 3, RW);
	ac_bring_in(2, 0, 5, Z_ATTACH_CLEAN);
	assert_int_equal(ac_read_byte(2, 0), 5);
	ac_hold(3, 1);
	ac_release(3, 1, Z_PAGE_SIZE, false);
	ac_unmap(0, 5); /* UNMAPPED, UNTOUCHED, IN, OUT, UNMAPPED */
	for (size_t page = 0; page < 5; page++) {
		ac_expect(page, Z_ENTRY_UNMAPPED, 0);
		assert_int_equal(ac_try_access(page, Z_ACCESS_READ), ARCH_ACCESS_FAULT);
	}
	ac_map(0, 5, Z_ACCESS_READ);
	ac_expect(2, Z_ENTRY_UNTOUCHED, Z_ACCESS_READ);
	ac_bring_in(4, 0, 6, Z_ATTACH_CLEAN);
	assert_int_equal(ac_read_byte(4, 0), 6);
	ac_unmap(0, 5);
}

static void evicted_page_can_be_put_back(void **state)
{
	struct z_page_op op = ac_op_of(0, 0);
	z_key_t key;

	(void)state;
	ac_map(0, 1, RW);
	ac_bring_in(0, 0, 1, Z_ATTACH_CLEAN);
	ac_write_byte(0, 10, 77);
	for (unsigned int i = 0; i < 3; i++) {
		assert_true(ac_detach(0, 0));
		key = ac_lock();
		assert_int_equal(ac_port->ops->attach(ac_port->ctx, &op, 1, Z_ATTACH_DIRTY), 0);
		assert_int_equal(op.status, 0);
		ac_unlock(key);
		ac_expect(0, Z_ENTRY_IN, RW);
		assert_int_equal(ac_read_byte(0, 10), 77);
		assert_int_equal(ac_read_byte(0, 11), 1);
	}
	ac_unmap(0, 1);
}

static void scratch_for_saving_shows_the_page(void **state)
{
	unsigned char *scratch;

	(void)state;
	ac_map(0, 1, RW);
	ac_bring_in(0, 3, 0x11, Z_ATTACH_CLEAN);
	ac_write_byte(0, 0, 0xaa);
	ac_write_byte(0, Z_PAGE_SIZE - 1, 0xbb);
	assert_true(ac_detach(0, 3));
	scratch = ac_port->ops->scratch(ac_port->ctx, ac_page_va(0), ac_frame_phys(3),
					Z_SCRATCH_SAVE);
	assert_non_null(scratch);
	assert_true(z_is_page_aligned((uintptr_t)scratch));
	assert_int_equal(scratch[0], 0xaa);
	assert_int_equal(scratch[1], 0x11);
	assert_int_equal(scratch[Z_PAGE_SIZE - 1], 0xbb);
	ac_port->ops->scratch_done(ac_port->ctx, ac_page_va(0), ac_frame_phys(3), scratch,
				   Z_SCRATCH_SAVE);
	ac_release(0, 3, 0, false);
}

static void scratch_for_filling_becomes_the_page(void **state)
{
	struct z_page_op op = ac_op_of(0, 2);
	unsigned char *scratch;
	z_key_t key;

	(void)state;
	ac_map(0, 1, RW);
	ac_hold(0, 2);
	scratch = ac_port->ops->scratch(ac_port->ctx, op.va, op.phys, Z_SCRATCH_FILL);
	assert_non_null(scratch);
	assert_true(z_is_page_aligned((uintptr_t)scratch));
	for (size_t i = 0; i < Z_PAGE_SIZE; i++) {
		scratch[i] = (unsigned char)(i ^ (i >> 8));
	}
	key = ac_lock();
	assert_int_equal(ac_port->ops->attach(ac_port->ctx, &op, 1, Z_ATTACH_CLEAN), 0);
	ac_port->ops->scratch_done(ac_port->ctx, op.va, op.phys, scratch, Z_SCRATCH_FILL);
	ac_unlock(key);
	for (size_t i = 0; i < Z_PAGE_SIZE; i += 61) {
		assert_int_equal(ac_read_byte(0, i), (unsigned char)(i ^ (i >> 8)));
	}
	ac_unmap(0, 1);
}

static void all_scratch_slots_at_once(void **state)
{
	size_t n = ac_port->ops->scratch_slots < ARCH_CONFORM_FRAMES ? ac_port->ops->scratch_slots
								     : ARCH_CONFORM_FRAMES;
	unsigned char *scratch[ARCH_CONFORM_FRAMES];
	struct z_page_op ops[ARCH_CONFORM_FRAMES];
	z_key_t key;

	(void)state;
	ac_map(0, n, RW);
	for (size_t i = 0; i < n; i++) {
		ac_hold(i, i);
		ops[i] = ac_op_of(i, i);
		scratch[i] =
			ac_port->ops->scratch(ac_port->ctx, ops[i].va, ops[i].phys, Z_SCRATCH_FILL);
	}
	for (size_t i = 0; i < n; i++) {
		memset(scratch[i], (int)(i + 1), Z_PAGE_SIZE);
	}
	key = ac_lock();
	assert_int_equal(ac_port->ops->attach(ac_port->ctx, ops, n, Z_ATTACH_CLEAN), 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(ops[i].status, 0);
		ac_port->ops->scratch_done(ac_port->ctx, ops[i].va, ops[i].phys, scratch[i],
					   Z_SCRATCH_FILL);
	}
	ac_unlock(key);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(ac_read_byte(i, 0), i + 1);
		assert_int_equal(ac_read_byte(i, Z_PAGE_SIZE - 1), i + 1);
	}
	ac_unmap(0, n);
}

/* Pages 0, 2, 4, ... in one batch; every other of them was written. */
static void batches(void **state)
{
	struct z_page_op ops[ARCH_CONFORM_FRAMES];
	z_key_t key;

	(void)state;
	ac_map(0, ARCH_CONFORM_PAGES, RW);
	for (size_t i = 0; i < ARCH_CONFORM_FRAMES; i++) {
		ops[i] = ac_op_of(2 * i, i);
		ac_bring_in(2 * i, i, (unsigned char)i, Z_ATTACH_CLEAN);
		if (i % 2 == 1) {
			ac_write_byte(2 * i, 5, 0xee);
		}
	}
	key = ac_lock();
	assert_int_equal(ac_port->ops->detach(ac_port->ctx, ops, ARCH_CONFORM_FRAMES), 0);
	ac_unlock(key);
	for (size_t i = 0; i < ARCH_CONFORM_FRAMES; i++) {
		assert_int_equal(ops[i].status, 0);
		assert_int_equal(ops[i].dirty, i % 2 == 1);
		ac_expect(2 * i, Z_ENTRY_HELD, RW);
		/* The shoot-down was for all of them, not for the first alone. */
		assert_int_equal(ac_try_access(2 * i, Z_ACCESS_WRITE), ARCH_ACCESS_FAULT);
		ops[i].loc = z_loc((i + 1) * Z_PAGE_SIZE);
		ops[i].untouched = i % 4 == 0;
	}
	ac_vacate(ops, ARCH_CONFORM_FRAMES);
	key = ac_lock();
	ac_port->ops->release(ac_port->ctx, ops, ARCH_CONFORM_FRAMES);
	ac_unlock(key);
	for (size_t i = 0; i < ARCH_CONFORM_FRAMES; i++) {
		ac_expect(2 * i, i % 4 == 0 ? Z_ENTRY_UNTOUCHED : Z_ENTRY_OUT, RW);
		assert_true(i % 4 == 0 || ac_entry(2 * i).loc.v == (i + 1) * Z_PAGE_SIZE);
		ac_expect(2 * i + 1, Z_ENTRY_UNTOUCHED, RW);
	}
	ac_unmap(0, ARCH_CONFORM_PAGES);
}

static void frame_moves_from_page_to_page(void **state)
{
	(void)state;
	ac_map(0, ARCH_CONFORM_PAGES, RW);
	for (size_t i = 0; i < ARCH_CONFORM_PAGES; i++) {
		ac_bring_in(i, 0, (unsigned char)(i + 1), Z_ATTACH_CLEAN);
		assert_int_equal(ac_read_byte(i, 17), i + 1);
		ac_write_byte(i, 17, 0);
		assert_true(ac_detach(i, 0));
		ac_release(i, 0, i * Z_PAGE_SIZE, false);
		assert_int_equal(ac_try_access(i, Z_ACCESS_READ), ARCH_ACCESS_FAULT);
	}
	ac_unmap(0, ARCH_CONFORM_PAGES);
}

static void window_to_its_edges(void **state)
{
	size_t last = ac_port->vm_pages - 1;

	(void)state;
	ac_map(0, ac_port->vm_pages, RW);
	ac_bring_in(0, 0, 1, Z_ATTACH_CLEAN);
	ac_bring_in(last, 1, 2, Z_ATTACH_CLEAN);
	ac_write_byte(last, Z_PAGE_SIZE - 1, 3);
	assert_int_equal(ac_read_byte(0, 0), 1);
	assert_int_equal(ac_read_byte(last, 0), 2);
	assert_int_equal(ac_read_byte(last, Z_PAGE_SIZE - 1), 3);
	ac_unmap(0, ac_port->vm_pages);
	ac_expect(0, Z_ENTRY_UNMAPPED, 0);
	ac_expect(last, Z_ENTRY_UNMAPPED, 0);
}

static void surroundings(void **state)
{
	const struct z_env_ops *env = ac_port->env;
	uint64_t before = env->now(ac_port->env_ctx);
	z_key_t key;

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		uint64_t after = env->now(ac_port->env_ctx);

		assert_true(after >= before);
		before = after;
		key = env->lock(ac_port->env_ctx);
		env->wake(ac_port->env_ctx, &before);
		env->unlock(ac_port->env_ctx, key);
	}
	assert_true(env->in_isr == NULL || !env->in_isr(ac_port->env_ctx));
	assert_true(env->irqs_locked == NULL || !env->irqs_locked(ac_port->env_ctx));
}

int arch_conform_run(struct arch_under_test *port)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(description_makes_sense),
		CASE(each_transition_of_the_diagram),
		CASE(page_that_is_out_can_be_forgotten),
		CASE(locations_over_the_whole_range),
		CASE(permissions_survive_a_thousand_cycles),
		CASE(protect_on_each_kind),
		CASE(protect_keeps_dirty),
		CASE(only_writes_make_dirty),
		CASE(info_tells_what_happened),
		CASE(info_sees_reads),
		CASE(touch_is_remembered),
		CASE(what_is_not_there_faults),
		CASE(unmap_of_each_kind),
		CASE(evicted_page_can_be_put_back),
		CASE(scratch_for_saving_shows_the_page),
		CASE(scratch_for_filling_becomes_the_page),
		CASE(all_scratch_slots_at_once),
		CASE(batches),
		CASE(frame_moves_from_page_to_page),
		CASE(window_to_its_edges),
		CASE(surroundings),
	};
#undef CASE

	ac_port = port;
	if (ac_port->setup(port) != 0) {
		print_message("%s: not possible here, skipped\n", ac_port->name);
		return 77;
	}
	ac_port->teardown(port);
	return cmocka_run_group_tests_name(ac_port->name, tests, NULL, NULL);
}
