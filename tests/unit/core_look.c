/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_look.c - what can be seen of a pager: counters, the picture of the frames, the ring of events,
 * ghosts, and errors as text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../core/internal.h"
#include "../support/sim_world.h"

static void counters_count(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 3, .ghosts = 16});
	uintptr_t va = sim_world_map(w, 5, SIM_WORLD_RW, 0);
	struct z_stats s;
	uint64_t value;

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	s = sim_world_stats(w);
	assert_int_equal(s.pagefaults, 5);
	assert_int_equal(s.pagefaults_irq_unlocked, 5);
	assert_int_equal(s.pages_zeroed, 5);
	assert_int_equal(s.pages_read, 0);
	assert_int_equal(s.eviction_dirty, 2);
	assert_int_equal(s.pages_written, 2);
	assert_int_equal(s.batches, 2);
	assert_int_equal(s.refaults, 0);

	/* The first comes back, clean, and leaves again without a write. */
	assert_int_equal(z_pager_page_out(w->pager, va, 5, NULL), 0);
	assert_int_equal(z_sim_load64(w->sim, va, &value), Z_SIM_OK);
	assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
	s = sim_world_stats(w);
	assert_int_equal(s.pages_written, 5);
	assert_int_equal(s.eviction_clean, 1);
	assert_int_equal(s.pages_dropped, 1);
	assert_int_equal(s.refaults, 1);

	z_sim_set_irqs(w->sim, false);
	assert_int_equal(z_sim_load64(w->sim, va, &value), Z_SIM_OK);
	z_sim_set_irqs(w->sim, true);
	s = sim_world_stats(w);
	assert_int_equal(s.pagefaults_irq_locked, 1);
	assert_int_equal(s.pagefaults, 7);

	assert_int_equal(z_pager_fault(w->pager, va, Z_ACCESS_READ), Z_FAULT_RESOLVED);
	assert_int_equal(z_pager_fault(w->pager, va, Z_ACCESS_EXEC), Z_FAULT_VIOLATION);
	assert_int_equal(z_pager_fault(w->pager, va - 1, Z_ACCESS_READ), Z_FAULT_BAD_ADDRESS);
	s = sim_world_stats(w);
	assert_int_equal(s.soft_faults, 1);
	assert_int_equal(s.bad_faults, 2);
	assert_int_equal(s.pagefaults, 7);
	assert_true(s.fault_ns > 0);
	assert_int_equal(s.frames_free + s.frames_resident, 3);
	assert_int_equal(s.pages_mapped, 5);
	sim_world_close(w);
}

static void a_picture_of_the_frames(void **state)
{
	static const uint32_t holes[] = {7};
	struct sim_world *w = sim_world_open(
		&(struct sim_world_params){.frames = 8, .holes = holes, .nholes = 1});
	uintptr_t va = sim_world_map(w, 4, SIM_WORLD_RW, 0);
	struct z_page_frame *loading;
	struct z_page_frame *claimed;
	struct z_page_frame *leaving;
	char text[16];

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
	sim_world_verify(w, va, 0);
	assert_int_equal(z_pager_pin(w->pager, va + Z_PAGE_SIZE, 1), 0);
	assert_int_equal(z_pager_set_frames(w->pager, 6), 0);
	assert_int_equal(z_pager_dump(w->pager, text, sizeof(text) - 1), 8);
	assert_string_equal(text, "cPrr_..#");
	assert_int_equal(z_pager_dump(w->pager, text, 3), 3);
	assert_string_equal(text, "cPr");

	/* On the way, as another context would see it. */
	z__lock(w->pager);
	claimed = z__free_list_take_locked(w->pager);
	loading = z__free_list_take_locked(w->pager);
	z__frame_move(w->pager, loading, Z_FRAME_LOADING);
	leaving = sim_world_frame(w, va + 2 * Z_PAGE_SIZE);
	z__candidate_remove_locked(w->pager, leaving, Z_REMOVE_EVICT);
	z__frame_move(w->pager, leaving, Z_FRAME_LEAVING);
	z__unlock(w->pager);
	(void)z_pager_dump(w->pager, text, sizeof(text) - 1);
	assert_string_equal(text, "cPWr_-L#");
	assert_int_equal(z_pager_evict_frame(w->pager, z__frame_phys(w->pager, leaving)),
			 Z_ERR_AGAIN);
	z__lock(w->pager);
	z__frame_move(w->pager, leaving, Z_FRAME_RESIDENT);
	z__candidate_add_locked(w->pager, leaving, Z_ADD_FAILED);
	z__frame_move(w->pager, loading, Z_FRAME_CLAIMED);
	z__free_list_put_locked(w->pager, loading);
	z__free_list_put_locked(w->pager, claimed);
	z__unlock(w->pager);
	assert_int_equal(z_pager_unpin(w->pager, va + Z_PAGE_SIZE, 1), 0);
	sim_world_close(w);
}

static void the_picture_has_lines(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 70});
	char text[80];

	(void)state;
	assert_int_equal(z_pager_dump(w->pager, text, sizeof(text) - 1), 71);
	assert_int_equal(text[64], '\n');
	assert_int_equal(z_pager_dump(w->pager, text, 64), 64);
	assert_int_equal(strlen(text), 64);
	sim_world_close(w);
}

static void the_ring_keeps_the_last_events(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 2, .events = 4});
	uintptr_t va = sim_world_map(w, 1, SIM_WORLD_RW, 0);
	const struct z_event *events;
	uint32_t size = 0;

	(void)state;
	events = z_pager_events(w->pager, &size);
	assert_int_equal(size, 4);
	assert_int_equal(events[0].sequence, 1);
	assert_int_equal(events[0].kind, Z_EVENT_MAP);
	assert_int_equal(events[0].va, va);
	assert_int_equal(events[0].argument, 1);
	assert_int_equal(events[1].sequence, 0);
	assert_int_equal(z_pager_fault(w->pager, va, Z_ACCESS_WRITE), Z_FAULT_RESOLVED);
	assert_int_equal(events[1].kind, Z_EVENT_ZERO_FILL);
	assert_int_equal(events[2].kind, Z_EVENT_FAULT);
	assert_int_equal(events[2].argument, Z_ACCESS_WRITE);
	assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
	assert_int_equal(events[3].kind, Z_EVENT_PAGE_OUT);
	assert_int_equal(z_pager_unmap(w->pager, va, 1), 0);
	assert_int_equal(events[0].sequence, 5);
	assert_int_equal(events[0].kind, Z_EVENT_UNMAP);
	sim_world_close(w);
}

static void events_have_names(void **state)
{
	(void)state;
	assert_string_equal(z_event_name(Z_EVENT_MAP), "MAP");
	assert_string_equal(z_event_name(Z_EVENT_RESIZE), "RESIZE");
	assert_string_equal(z_event_name(Z_EVENT_RESIZE + 1), "?");
}

/* A ghost knows how long ago, and is forgotten when asked. */
static void ghosts_know_the_distance(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.ghosts = 1024});
	struct sim_world *none = sim_world_open(&(struct sim_world_params){.frames = 2});
	uintptr_t va = SIM_WORLD_VM;

	(void)state;
	assert_int_equal(z__ghost_take_locked(w->pager, va), 0);
	z__ghost_note_locked(w->pager, va);
	z__ghost_note_locked(w->pager, va + Z_PAGE_SIZE);
	z__ghost_note_locked(w->pager, va + 2 * Z_PAGE_SIZE);
	assert_int_equal(z__ghost_take_locked(w->pager, va), 3);
	assert_int_equal(z__ghost_take_locked(w->pager, va), 0);
	assert_int_equal(z__ghost_take_locked(w->pager, va + 2 * Z_PAGE_SIZE), 1);
	z__ghost_note_locked(none->pager, va);
	assert_int_equal(z__ghost_take_locked(none->pager, va), 0);
	sim_world_close(w);
	sim_world_close(none);
}

/* A page whose contents were given up, or another one at its address, does not come back. */
static void a_new_page_is_no_refault(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.ghosts = 64});
	uintptr_t va = sim_world_map(w, 2, SIM_WORLD_RW, 0);

	(void)state;
	sim_world_fill(w, va, 1);
	sim_world_fill(w, va + Z_PAGE_SIZE, 2);
	assert_int_equal(z_pager_page_out(w->pager, va, 2, NULL), 0);
	assert_int_equal(z_pager_advise(w->pager, va, 1, Z_ADVICE_DONTNEED), 0);
	sim_world_fill(w, va, 3);
	assert_int_equal(sim_world_stats(w).refaults, 0);
	assert_int_equal(z_pager_unmap(w->pager, va, 2), 0);
	assert_int_equal(sim_world_map(w, 2, SIM_WORLD_RW, 0), va);
	sim_world_fill(w, va + Z_PAGE_SIZE, 4);
	assert_int_equal(sim_world_stats(w).refaults, 0);
	sim_world_close(w);
}

static void every_error_has_a_text(void **state)
{
	static const int errors[] = {
		Z_OK,       Z_ERR_PERM,  Z_ERR_IO,    Z_ERR_AGAIN,   Z_ERR_NOMEM,    Z_ERR_FAULT,
		Z_ERR_BUSY, Z_ERR_INVAL, Z_ERR_NOSPC, Z_ERR_CORRUPT, Z_ERR_OVERFLOW, Z_ERR_NOTSUP,
		1};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(z_strerror(errors[i]), z_strerror(errors[j]));
		}
	}
	assert_string_equal(z_strerror(1), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_count),
		cmocka_unit_test(a_picture_of_the_frames),
		cmocka_unit_test(the_picture_has_lines),
		cmocka_unit_test(the_ring_keeps_the_last_events),
		cmocka_unit_test(events_have_names),
		cmocka_unit_test(ghosts_know_the_distance),
		cmocka_unit_test(a_new_page_is_no_refault),
		cmocka_unit_test(every_error_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
