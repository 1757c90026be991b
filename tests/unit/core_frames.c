/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_frames.c - page frames in and out of service: banks and their free lists, holes, what a store
 * charges, commitment, advice, pins up to their limit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../core/internal.h"
#include "../support/sim_world.h"
#include "../support/store_hostile.h"

static uint32_t frame_number(struct sim_world *w, uintptr_t va)
{
	return (uint32_t)(sim_world_frame(w, va) - w->frames);
}

static void frames_come_from_the_lowest_bank(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 7, .banks = 3});
	uintptr_t va = sim_world_map(w, 7, SIM_WORLD_RW, 0);

	(void)state;
	for (uint32_t i = 0; i < 7; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
		assert_int_equal(frame_number(w, va + i * Z_PAGE_SIZE), i);
	}
	/* Of two free frames the one in the lower bank is taken, whichever came last. */
	assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
	assert_int_equal(z_pager_page_out(w->pager, va + 6 * Z_PAGE_SIZE, 1, NULL), 0);
	sim_world_verify(w, va + 6 * Z_PAGE_SIZE, 6);
	assert_int_equal(frame_number(w, va + 6 * Z_PAGE_SIZE), 0);
	sim_world_close(w);
}

static void an_offline_bank_stays_empty(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 6, .banks = 3});
	uintptr_t va = sim_world_map(w, 12, SIM_WORLD_RW, 0);

	(void)state;
	for (uint32_t i = 0; i < 12; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_bank_offline(w->pager, 1), 0);
	for (uint32_t i = 0; i < 12; i++) {
		sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
		assert_false(z_sim_frame_used(w->sim, z_phys(SIM_WORLD_RAM + 2 * Z_PAGE_SIZE)));
		assert_false(z_sim_frame_used(w->sim, z_phys(SIM_WORLD_RAM + 3 * Z_PAGE_SIZE)));
	}
	/* Again, and the others: the last one cannot go. */
	assert_int_equal(z_pager_bank_offline(w->pager, 1), 0);
	assert_int_equal(z_pager_bank_offline(w->pager, 0), 0);
	assert_int_equal(z_pager_bank_offline(w->pager, 2), Z_ERR_NOMEM);
	for (uint32_t b = 0; b < 3; b++) {
		assert_int_equal(z_pager_bank_online(w->pager, b), 0);
		assert_int_equal(z_pager_bank_online(w->pager, b), 0);
	}
	assert_int_equal(z_pager_bank_offline(w->pager, 3), Z_ERR_INVAL);
	assert_int_equal(z_pager_bank_online(w->pager, 3), Z_ERR_INVAL);
	sim_world_close(w);
}

static void a_bank_with_a_pin_stays_online(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 4, .banks = 2});
	uintptr_t va = sim_world_map(w, 4, SIM_WORLD_RW, 0);

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_pin(w->pager, va + Z_PAGE_SIZE, 1), 0);
	assert_int_equal(z_pager_bank_offline(w->pager, 0), Z_ERR_BUSY);
	assert_int_equal(sim_world_kind(w, va), Z_ENTRY_OUT);
	assert_int_equal(sim_world_stats(w).frames_free, 1);
	assert_int_equal(z_pager_unpin(w->pager, va + Z_PAGE_SIZE, 1), 0);
	for (uint32_t i = 0; i < 4; i++) {
		sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
	}
	sim_world_close(w);
}

static void holes_are_never_used(void **state)
{
	static const uint32_t holes[] = {0, 3};
	struct sim_world *w = sim_world_open(
		&(struct sim_world_params){.frames = 5, .holes = holes, .nholes = 2});
	uintptr_t va = sim_world_map(w, 6, SIM_WORLD_RW, 0);

	(void)state;
	for (uint32_t i = 0; i < 6; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
		assert_false(z_sim_frame_used(w->sim, z_phys(SIM_WORLD_RAM)));
		assert_false(z_sim_frame_used(w->sim, z_phys(SIM_WORLD_RAM + 3 * Z_PAGE_SIZE)));
	}
	assert_int_equal(z_pager_evict_frame(w->pager, z_phys(SIM_WORLD_RAM)), Z_ERR_INVAL);
	assert_int_equal(z_pager_set_frames(w->pager, 4), Z_ERR_INVAL);
	assert_int_equal(z_pager_set_frames(w->pager, 3), 0);
	sim_world_close(w);
}

/* ---- charging ---------------------------------------------------------------------------- */

static void what_the_store_charges_leaves_service(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 10});
	struct z_pager *p = w->pager;

	(void)state;
	assert_int_equal(z_pager_charge(p, 3, 2), Z_ERR_NOSPC);
	assert_int_equal(z_pager_charge(p, 3, 100), 0);
	assert_int_equal(z_pager_charge(p, 3, 5), Z_ERR_NOSPC);
	assert_int_equal(sim_world_stats(w).store_pages, 3);
	assert_int_equal(sim_world_stats(w).frames_retired, 3);
	assert_int_equal(sim_world_stats(w).frames_free, 7);
	/* An instruction and its operands stay. */
	assert_int_equal(z_pager_charge(p, 4, 100), Z_ERR_NOSPC);
	assert_int_equal(z_pager_charge(p, 3, 100), 0);
	assert_int_equal(z_pager_set_frames(p, 6), Z_ERR_INVAL);
	z_pager_uncharge(p, 6);
	assert_int_equal(sim_world_stats(w).frames_free, 10);
	sim_world_close(w);
}

static void a_charge_is_paid_by_the_next_free_frames(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 8});
	uintptr_t va = sim_world_map(w, 8, SIM_WORLD_RW, 0);

	(void)state;
	for (uint32_t i = 0; i < 8; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_charge(w->pager, 2, 8), 0);
	assert_int_equal(sim_world_stats(w).frames_retired, 0);
	assert_int_equal(z_pager_page_out(w->pager, va, 3, NULL), 0);
	assert_int_equal(sim_world_stats(w).frames_retired, 2);
	assert_int_equal(sim_world_stats(w).frames_free, 1);
	for (uint32_t i = 0; i < 8; i++) {
		sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
	}
	z_pager_uncharge(w->pager, 2);
	sim_world_close(w);
}

static void fewer_frames_than_pins(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 6});
	uintptr_t va = sim_world_map(w, 3, SIM_WORLD_RW, Z_MAP_PINNED);

	(void)state;
	assert_int_equal(z_pager_set_frames(w->pager, 2), Z_ERR_NOMEM);
	assert_int_equal(sim_world_stats(w).frames_retired, 3);
	assert_int_equal(z_pager_unmap(w->pager, va, 3), 0);
	assert_int_equal(sim_world_stats(w).frames_retired, 4);
	assert_int_equal(z_pager_set_frames(w->pager, 2), 0);
	sim_world_close(w);
}

/* ---- commitment -------------------------------------------------------------------------- */

static void strict_commitment(void **state)
{
	struct sim_world *w = sim_world_open(
		&(struct sim_world_params){.frames = 4, .store = "ram:size=32K", .vm_pages = 64});
	uintptr_t va = 0;
	uintptr_t all;

	(void)state;
	/* 4 frames and 8 slots, of which one is kept for faults. */
	assert_int_equal(z_pager_map(w->pager, 12, SIM_WORLD_RW, 0, 1, &va), Z_ERR_NOMEM);
	all = sim_world_map(w, 11, SIM_WORLD_RW, 0);
	assert_int_equal(z_pager_map(w->pager, 1, SIM_WORLD_RW, 0, 1, &va), Z_ERR_NOMEM);
	va = sim_world_map(w, 20, SIM_WORLD_RW, Z_MAP_NORESERVE);
	assert_int_equal(z_pager_unmap(w->pager, va, 20), 0);
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 11; i++) {
			sim_world_fill(w, all + i * Z_PAGE_SIZE, i);
		}
		for (uint32_t i = 0; i < 11; i++) {
			sim_world_verify(w, all + i * Z_PAGE_SIZE, i);
		}
	}
	assert_int_equal(z_pager_unmap(w->pager, all + 2 * Z_PAGE_SIZE, 3), 0);
	va = 0;
	assert_int_equal(z_pager_map(w->pager, 4, SIM_WORLD_RW, 0, 1, &va), Z_ERR_NOMEM);
	assert_int_equal(z_pager_map(w->pager, 3, SIM_WORLD_RW, 0, 1, &va), 0);
	sim_world_close(w);
}

static void heuristic_commitment(void **state)
{
	struct sim_world *w =
		sim_world_open(&(struct sim_world_params){.frames = 4,
							  .store = "ram:size=32K",
							  .vm_pages = 64,
							  .commit = Z_COMMIT_HEURISTIC});
	uintptr_t va = 0;

	(void)state;
	assert_int_equal(z_pager_map(w->pager, 12, SIM_WORLD_RW, 0, 1, &va), Z_ERR_NOMEM);
	(void)sim_world_map(w, 11, SIM_WORLD_RW, 0);
	(void)sim_world_map(w, 11, SIM_WORLD_RW, 0);
	sim_world_close(w);
}

/* ---- advice ------------------------------------------------------------------------------ */

static void will_need_costs_nobody_a_page(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 6});
	uintptr_t va = sim_world_map(w, 8, SIM_WORLD_RW, 0);

	(void)state;
	for (uint32_t i = 0; i < 6; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_page_out(w->pager, va, 2, NULL), 0);
	assert_int_equal(z_pager_advise(w->pager, va, 8, Z_ADVICE_WILLNEED), 0);
	assert_int_equal(sim_world_stats(w).frames_free, 0);
	assert_int_equal(sim_world_stats(w).eviction_dirty, 2);
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(sim_world_kind(w, va + i * Z_PAGE_SIZE), Z_ENTRY_IN);
	}
	assert_int_equal(sim_world_kind(w, va + 6 * Z_PAGE_SIZE), Z_ENTRY_UNTOUCHED);
	sim_world_close(w);
}

/* ---- pins -------------------------------------------------------------------------------- */

static void pins_have_a_limit(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 4});
	uintptr_t va = sim_world_map(w, 2, SIM_WORLD_RW, 0);

	(void)state;
	for (uint32_t i = 0; i < UINT16_MAX - 1; i++) {
		assert_int_equal(z_pager_pin(w->pager, va + Z_PAGE_SIZE, 1), 0);
	}
	assert_int_equal(z_pager_pin(w->pager, va + Z_PAGE_SIZE, 1), Z_ERR_OVERFLOW);
	/* The page before it is not pinned by the call that failed. */
	assert_int_equal(z_pager_pin(w->pager, va, 2), Z_ERR_OVERFLOW);
	assert_int_equal(z_pager_unpin(w->pager, va, 1), Z_ERR_INVAL);
	sim_world_check_contents(w);
	for (uint32_t i = 0; i < UINT16_MAX - 1; i++) {
		assert_int_equal(z_pager_unpin(w->pager, va + Z_PAGE_SIZE, 1), 0);
	}
	assert_int_equal(z_pager_unpin(w->pager, va + Z_PAGE_SIZE, 1), Z_ERR_INVAL);
	sim_world_close(w);
}

static void eviction_in_an_isr(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 4});
	struct sim_world *locked =
		sim_world_open(&(struct sim_world_params){.frames = 4, .keep_lock_for_io = true});
	uintptr_t va = sim_world_map(w, 1, SIM_WORLD_RW, 0);
	uintptr_t other = sim_world_map(locked, 1, SIM_WORLD_RW, 0);

	(void)state;
	sim_world_fill(w, va, 1);
	sim_world_fill(locked, other, 1);
	z_sim_set_isr(w->sim, true);
	assert_int_equal(z_pager_evict_frame(w->pager, z_phys(SIM_WORLD_RAM)), Z_ERR_PERM);
	z_sim_set_isr(w->sim, false);
	assert_int_equal(sim_world_kind(w, va), Z_ENTRY_IN);
	z_sim_set_isr(locked->sim, true);
	assert_int_equal(z_pager_evict_frame(locked->pager, z_phys(SIM_WORLD_RAM)), 0);
	sim_world_verify(locked, other, 1);
	z_sim_set_isr(locked->sim, false);
	assert_int_equal(sim_world_stats(locked).pagefaults_in_isr, 1);
	sim_world_close(w);
	sim_world_close(locked);
}

static bool is_even(void *context, uintptr_t va)
{
	return (va - *(uintptr_t *)context) / Z_PAGE_SIZE % 2 == 0;
}

static void those_that_are_wanted_leave(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 12, .batch = 4});
	uintptr_t va = sim_world_map(w, 11, SIM_WORLD_RW, 0);
	uint32_t evicted = 0;

	(void)state;
	for (uint32_t i = 0; i < 11; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_evict_all(w->pager, is_even, &va, &evicted), 0);
	assert_int_equal(evicted, 6);
	for (uint32_t i = 0; i < 11; i++) {
		assert_int_equal(sim_world_kind(w, va + i * Z_PAGE_SIZE),
				 i % 2 == 0 ? Z_ENTRY_OUT : Z_ENTRY_IN);
	}
	sim_world_close(w);
}

static struct z_store *make_hostile(void *arg, struct z_store *inner)
{
	struct store_hostile **hostile = arg;

	*hostile = store_hostile_open(inner);
	return store_hostile_store(*hostile);
}

/* One page cannot be written: the others leave all the same, and it is resident and intact. */
static void all_leave_but_the_broken(void **state)
{
	struct store_hostile *hostile = NULL;
	struct sim_world *w = sim_world_open(&(struct sim_world_params){
		.frames = 12, .batch = 4, .wrap_store = make_hostile, .wrap_arg = &hostile});
	uintptr_t va = sim_world_map(w, 10, SIM_WORLD_RW, 0);
	uint32_t evicted = 0;

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	store_hostile_fail(hostile, STORE_OUT, 3, 1, Z_ERR_IO);
	assert_int_equal(z_pager_evict_all(w->pager, NULL, NULL, &evicted), Z_ERR_IO);
	assert_int_equal(evicted, 9);
	assert_int_equal(sim_world_stats(w).frames_resident, 1);
	assert_int_equal(z_pager_evict_all(w->pager, NULL, NULL, &evicted), 0);
	assert_int_equal(evicted, 1);
	for (uint32_t i = 0; i < 10; i++) {
		sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
	}
	sim_world_close(w);
}

static void all_leave_but_the_pinned(void **state)
{
	static const uint32_t holes[] = {2};
	struct sim_world *w = sim_world_open(
		&(struct sim_world_params){.frames = 80, .holes = holes, .nholes = 1, .batch = 4});
	uintptr_t va = sim_world_map(w, 70, SIM_WORLD_RW, 0);
	uint32_t evicted = 99;

	(void)state;
	assert_int_equal(z_pager_evict_all(w->pager, NULL, NULL, &evicted), 0);
	assert_int_equal(evicted, 0);
	for (uint32_t i = 0; i < 70; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_pin(w->pager, va + 9 * Z_PAGE_SIZE, 1), 0);
	assert_int_equal(z_pager_evict_all(w->pager, NULL, NULL, &evicted), 0);
	assert_int_equal(evicted, 69);
	assert_int_equal(sim_world_stats(w).frames_resident, 1);
	assert_int_equal(sim_world_kind(w, va + 9 * Z_PAGE_SIZE), Z_ENTRY_IN);
	for (uint32_t i = 0; i < 70; i++) {
		sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_evict_all(w->pager, NULL, NULL, NULL), 0);
	assert_int_equal(sim_world_stats(w).pages_written, 69);
	assert_int_equal(sim_world_stats(w).eviction_clean, 69);
	assert_int_equal(z_pager_unpin(w->pager, va + 9 * Z_PAGE_SIZE, 1), 0);
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_leave_but_the_pinned),
		cmocka_unit_test(all_leave_but_the_broken),
		cmocka_unit_test(those_that_are_wanted_leave),
		cmocka_unit_test(frames_come_from_the_lowest_bank),
		cmocka_unit_test(an_offline_bank_stays_empty),
		cmocka_unit_test(a_bank_with_a_pin_stays_online),
		cmocka_unit_test(holes_are_never_used),
		cmocka_unit_test(what_the_store_charges_leaves_service),
		cmocka_unit_test(a_charge_is_paid_by_the_next_free_frames),
		cmocka_unit_test(fewer_frames_than_pins),
		cmocka_unit_test(strict_commitment),
		cmocka_unit_test(heuristic_commitment),
		cmocka_unit_test(will_need_costs_nobody_a_page),
		cmocka_unit_test(pins_have_a_limit),
		cmocka_unit_test(eviction_in_an_isr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
