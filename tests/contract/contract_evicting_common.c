/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_evicting_common.c - statements 40 to 45: z_page_frame_evict.
 */
#include <string.h>

#include "contract_world.h"

static struct z_page_frame before[Z_NUM_PAGE_FRAMES];

static void remember_frames(void)
{
	memcpy(before, z_page_frames, sizeof(before));
}

static void frames_are_as_before(void)
{
	assert_memory_equal(z_page_frames, before, sizeof(before));
}

static uintptr_t phys_of(uintptr_t va)
{
	return z_page_frame_to_phys(contract_frame(va));
}

static void contract_40_evict_frees_the_frame(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 3);

	(void)state;
	for (size_t i = 0; i < 3; i++)
		contract_fill(w, contract_page(va, i), i);
	for (size_t i = 0; i < 3; i++) {
		struct z_page_frame *pf = contract_frame(contract_page(va, i));
		size_t free = z_free_page_count;

		contract_out(w, contract_page(va, i));
		assert_int_equal(z_free_page_count, free + 1);
		assert_true(z_page_frame_is_available(pf));
	}
	for (size_t i = 0; i < 3; i++)
		contract_verify(w, contract_page(va, i), i);
	contract_close(w);
}

static void contract_41_nothing_in_it_nothing_done(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 2);
	uintptr_t phys;

	(void)state;
	contract_fill(w, va, 1);
	phys = phys_of(va);
	contract_out(w, va);
	contract_forget(w);
	remember_frames();
	/* The frame that was just emptied, and all that never held a page. */
	for (size_t i = 0; i < CONTRACT_FRAMES; i++)
		assert_int_equal(z_page_frame_evict(Z_PHYS_RAM_START + i * Z_PAGE_SIZE), 0);
	assert_int_equal(z_page_frame_evict(phys), 0);
	assert_int_equal(w->record->calls, 0);
	frames_are_as_before();
	contract_check(w);
	contract_close(w);
}

/* Four banks of four frames, all full; the highest is emptied, and stays empty off-line. */
static void contract_42_a_bank_can_be_emptied(void **state)
{
	struct contract_world *w =
		contract_open(&(struct contract_params){.frames = 16, .frames_per_bank = 4});
	uintptr_t va = contract_map(w, 30);
	struct z_page_frame *bank = &z_page_frames[12];

	(void)state;
	for (size_t i = 0; i < 16; i++)
		contract_fill(w, contract_page(va, i), i);
	for (size_t i = 0; i < 4; i++) {
		assert_true(z_page_frame_is_mapped(&bank[i]));
		assert_int_equal(z_page_frame_evict(z_page_frame_to_phys(&bank[i])), 0);
	}
	for (size_t i = 0; i < 4; i++)
		assert_true(z_page_frame_is_available(&bank[i]));
	assert_int_equal(z_free_page_count, 4);
	assert_int_equal(z_pager_bank_offline(w->pager, 3), 0);
	assert_int_equal(z_free_page_count, 0);
	for (size_t i = 16; i < 30; i++)
		contract_fill(w, contract_page(va, i), i);
	for (size_t i = 0; i < 30; i++)
		contract_verify(w, contract_page(va, i), i);
	for (size_t i = 0; i < 4; i++)
		assert_true(z_page_frame_is_available(&bank[i]));
	assert_int_equal(z_pager_bank_online(w->pager, 3), 0);
	assert_int_equal(z_free_page_count, 4);
	contract_close(w);
}

static void contract_43_not_from_an_isr(void **state)
{
	struct contract_world *w = contract_open(NULL);
	bool irqs = z_sim_irqs_on(w->sim);
	uintptr_t va = contract_map(w, 1);
	int err;

	(void)state;
	contract_fill(w, va, 1);
	remember_frames();
	contract_forget(w);
	z_sim_set_irqs(w->sim, false);
	z_sim_set_isr(w->sim, true);
	w->record->irqs_on = false;
	err = contract_evict(va);
	z_sim_set_isr(w->sim, false);
	z_sim_set_irqs(w->sim, irqs);
	w->record->irqs_on = irqs;
	if (contract_run.lock_kept) {
		assert_int_equal(err, 0);
	} else {
		assert_int_equal(err, Z_ERR_PERM);
		assert_int_equal(w->record->calls, 0);
		frames_are_as_before();
	}
	contract_verify(w, va, 1);
	contract_close(w);
}

static void contract_44_full_store_page_intact(void **state)
{
	struct contract_world *w = contract_open(&(struct contract_params){.store_pages = 2});
	uintptr_t va = contract_map(w, 3);
	struct z_entry entry;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		contract_fill(w, contract_page(va, i), i);
	contract_out(w, va);
	contract_out(w, contract_page(va, 1));
	if (!custom_store_bounded)
		store_hostile_fail(w->hostile, STORE_GET, 1, UINT32_MAX, Z_ERR_NOSPC);
	entry = z_sim_entry(w->sim, contract_page(va, 2));
	remember_frames();
	for (unsigned int tries = 0; tries < 3; tries++) {
		struct z_entry now;

		assert_int_equal(contract_evict(contract_page(va, 2)), -12);
		now = z_sim_entry(w->sim, contract_page(va, 2));
		assert_int_equal(now.kind, Z_ENTRY_IN);
		assert_int_equal(now.phys.v, entry.phys.v);
		assert_int_equal(now.prot, entry.prot);
		assert_memory_equal(z_sim_frame_data(w->sim, now.phys),
				    contract_bytes(contract_page(va, 2), 2), Z_PAGE_SIZE);
		frames_are_as_before();
		contract_check(w);
	}
	store_hostile_fail(w->hostile, STORE_GET, 0, 0, 0);
	for (size_t i = 0; i < 3; i++)
		contract_verify(w, contract_page(va, i), i);
	contract_close(w);
}

/* A write error is the store's, not the page's: it stays where it is and may be tried again. */
static void contract_44_write_error_page_intact(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 1);
	struct z_page_frame *pf;

	(void)state;
	contract_fill(w, va, 1);
	pf = contract_frame(va);
	store_hostile_fail(w->hostile, STORE_OUT, 1, 1, Z_ERR_IO);
	assert_int_equal(contract_evict(va), Z_ERR_IO);
	contract_check(w);
	assert_ptr_equal(contract_frame(va), pf);
	assert_true(contract_dirty(w, va));
	assert_int_equal(contract_record_live(w->record), 0);
	contract_out(w, va);
	contract_verify(w, va, 1);
	contract_close(w);
}

static void contract_45_what_cannot_be_evicted(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 1);
	uintptr_t phys;

	(void)state;
	contract_fill(w, va, 1);
	assert_int_equal(z_pager_pin(w->pager, va, 1), 0);
	phys = phys_of(va);
	remember_frames();
	contract_forget(w);
	assert_int_equal(z_page_frame_evict(phys), Z_ERR_BUSY);
	assert_int_equal(z_page_frame_evict(phys + 1), Z_ERR_INVAL);
	assert_int_equal(z_page_frame_evict(phys + Z_PAGE_SIZE - 1), Z_ERR_INVAL);
	assert_int_equal(z_page_frame_evict(Z_PHYS_RAM_START + CONTRACT_FRAMES * Z_PAGE_SIZE),
			 Z_ERR_INVAL);
	assert_int_equal(z_page_frame_evict(Z_PHYS_RAM_END), Z_ERR_INVAL);
	assert_int_equal(z_page_frame_evict(UINTPTR_MAX - Z_PAGE_SIZE + 1), Z_ERR_INVAL);
	assert_int_equal(w->record->calls, 0);
	frames_are_as_before();
	assert_int_equal(z_pager_unpin(w->pager, va, 1), 0);
	contract_out(w, va);
	contract_verify(w, va, 1);
	contract_close(w);
	assert_int_equal(z_page_frame_evict(phys), Z_ERR_INVAL);
}

static int busy_answer[2];

static void evict_busy(struct contract_record *r, enum contract_op op, uintptr_t loc)
{
	uintptr_t phys = (uintptr_t)r->arg;

	(void)loc;
	if (op == CONTRACT_OUT)
		busy_answer[0] = z_page_frame_evict(phys);
	else if (op == CONTRACT_IN)
		busy_answer[1] = z_page_frame_evict(phys);
}

static void contract_45_busy_frame(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 1);

	(void)state;
	if (contract_run.lock_kept) {
		/* Nobody can meet a busy frame: the lock is held as long as it is one. */
		contract_close(w);
		skip();
	}
	busy_answer[0] = 0;
	busy_answer[1] = 0;
	contract_fill(w, va, 1);
	w->record->arg = (void *)phys_of(va);
	w->record->hook = evict_busy;
	contract_out(w, va);
	contract_verify(w, va, 1);
	assert_int_equal(busy_answer[0], Z_ERR_AGAIN);
	assert_int_equal(busy_answer[1], Z_ERR_AGAIN);
	contract_close(w);
}

int contract_evicting(const char *name)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contract_40_evict_frees_the_frame),
		cmocka_unit_test(contract_41_nothing_in_it_nothing_done),
		cmocka_unit_test(contract_42_a_bank_can_be_emptied),
		cmocka_unit_test(contract_43_not_from_an_isr),
		cmocka_unit_test(contract_44_full_store_page_intact),
		cmocka_unit_test(contract_44_write_error_page_intact),
		cmocka_unit_test(contract_45_what_cannot_be_evicted),
		cmocka_unit_test(contract_45_busy_frame),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
