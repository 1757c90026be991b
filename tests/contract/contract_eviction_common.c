/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_eviction_common.c - statements 10 to 15: what the kernel asks of an eviction algorithm,
 * and what it does with an answer that is wrong.
 */
#include "contract_world.h"

static bool is_custom(void)
{
	return contract_run.eviction == NULL;
}

static void contract_10_select_only_without_a_free_frame(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 12);

	(void)state;
	for (size_t i = 0; i < CONTRACT_FRAMES; i++) {
		assert_int_equal(z_free_page_count, CONTRACT_FRAMES - i);
		contract_fill(w, contract_page(va, i), i);
		assert_int_equal(contract_count(w, CONTRACT_SELECT), 0);
	}
	assert_int_equal(z_free_page_count, 0);
	for (size_t i = CONTRACT_FRAMES; i < 12; i++) {
		contract_fill(w, contract_page(va, i), i);
		assert_int_equal(contract_count(w, CONTRACT_SELECT), i - CONTRACT_FRAMES + 1);
	}
	/* A frame is free again: no select for the next fault. */
	assert_int_equal(z_pager_unmap(w->pager, contract_page(va, 11), 1), 0);
	contract_verify(w, va, 0);
	assert_int_equal(contract_count(w, CONTRACT_SELECT), 8);
	contract_close(w);
}

static unsigned int refused;

static void fault_too_early(void)
{
	uintptr_t va = (uintptr_t)CONFIG_KERNEL_VM_BASE + Z_PAGE_SIZE;

	refused += z_page_fault((void *)va) ? 0 : 1;
	refused += z_page_frame_evict(Z_PHYS_RAM_START) == Z_ERR_INVAL ? 1 : 0;
	refused += z_kernel_pager() == NULL ? 1 : 0;
}

static void contract_11_never_before_init(void **state)
{
	struct contract_world *w;

	(void)state;
	if (!is_custom())
		skip();
	refused = 0;
	custom_eviction_init_hook = fault_too_early;
	w = contract_open(NULL);
	assert_int_equal(refused, 3);
	assert_int_equal(custom_eviction_selects, 0);
	assert_int_equal(w->record->log[0].op, CONTRACT_INIT);
	contract_random_steps(w, 30);
	assert_true(custom_eviction_selects > 0);
	contract_close(w);
}

static void contract_12_select_with_interrupts_locked(void **state)
{
	struct contract_world *w = contract_open(NULL);
	unsigned int selects = 0;

	(void)state;
	contract_random_steps(w, 60);
	for (size_t i = 0; i < w->record->calls; i++) {
		if (w->record->log[i].op == CONTRACT_SELECT) {
			assert_false(w->record->log[i].irqs_on);
			selects++;
		}
	}
	assert_true(selects > 0);
	contract_close(w);
}

/* Of three frames one is clean; it is the lowest class, and is not the last that is looked at. */
static void contract_13_dirty_is_of_the_victim(void **state)
{
	struct contract_world *w;
	const struct z_env_ops *env;
	struct z_page_frame *pf;
	bool dirty;
	uintptr_t va;

	(void)state;
	if (!is_custom())
		skip();
	for (size_t clean = 0; clean < 3; clean++) {
		w = contract_open(&(struct contract_params){.frames = 3});
		env = z_sim_env(w->sim);
		va = contract_map(w, 3);
		for (size_t i = 0; i < 3; i++) {
			if (i == clean)
				contract_touch(w, contract_page(va, i));
			else
				contract_fill(w, contract_page(va, i), i);
		}
		z_key_t key = env->lock(w->sim);

		dirty = true;
		pf = z_eviction_select(&dirty);
		env->unlock(w->sim, key);
		assert_ptr_equal(pf, contract_frame(contract_page(va, clean)));
		assert_false(dirty);
		contract_close(w);
	}
}

/* What the algorithm says of dirty is wrong each time: the core reads the bit itself. */
static void contract_13_a_wrong_dirty_does_no_harm(void **state)
{
	struct contract_world *w = contract_open(NULL);

	(void)state;
	custom_eviction_lies = true;
	contract_random_steps(w, 120);
	contract_close(w);
}

static void contract_14_the_frame_is_evictable(void **state)
{
	struct contract_world *w = contract_open(&(struct contract_params){.seed = 14});
	uintptr_t va = contract_map(w, 12);
	unsigned int pinned = 0;

	(void)state;
	for (unsigned int step = 0; step < 200; step++) {
		uintptr_t page = contract_page(va, z_sim_random(w->sim) % 12);
		struct z_page_frame *pf = contract_frame(page);
		bool is_pinned = pf != NULL && z_page_frame_is_pinned(pf);
		const struct contract_call *select;

		contract_forget(w);
		if (is_pinned) {
			assert_int_equal(z_pager_unpin(w->pager, page, 1), 0);
			pinned--;
		} else if (pinned < 3 && z_sim_random(w->sim) % 2 == 0) {
			assert_int_equal(z_pager_pin(w->pager, page, 1), 0);
			pinned++;
		} else {
			contract_touch(w, page);
		}
		contract_check(w);
		assert_true(contract_count(w, CONTRACT_SELECT) <= 1);
		select = contract_record_last(w->record, CONTRACT_SELECT);
		if (select != NULL) {
			assert_non_null(select->pf);
			assert_int_equal(z_sim_entry(w->sim, select->va).kind, Z_ENTRY_OUT);
		}
	}
	for (size_t i = 0; i < 12; i++) {
		struct z_page_frame *pf = contract_frame(contract_page(va, i));

		if (pf != NULL && z_page_frame_is_pinned(pf))
			assert_int_equal(z_pager_unpin(w->pager, contract_page(va, i), 1), 0);
	}
	contract_close(w);
}

static void contract_14_no_victim_is_survived(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 8);

	(void)state;
	for (size_t i = 0; i < CONTRACT_FRAMES; i++)
		contract_fill(w, contract_page(va, i), i);
	assert_int_equal(z_pager_pin(w->pager, va, CONTRACT_FRAMES), 0);
	assert_false(z_page_fault((void *)contract_page(va, 5)));
	contract_check(w);
	assert_int_equal(z_sim_entry(w->sim, contract_page(va, 5)).kind, Z_ENTRY_UNTOUCHED);
	assert_null(contract_record_last(w->record, CONTRACT_SELECT)->pf);
	assert_int_equal(z_pager_unpin(w->pager, va, CONTRACT_FRAMES), 0);
	contract_fill(w, contract_page(va, 5), 5);
	for (size_t i = 0; i < CONTRACT_FRAMES; i++)
		contract_verify(w, contract_page(va, i), i);
	contract_close(w);
}

/* Answers that are no evictable frame: free, reserved, pinned, not in the database at all. */
static void contract_14_a_wrong_answer_is_survived(void **state)
{
	static struct z_page_frame foreign = {.flags = Z_PAGE_FRAME_MAPPED};
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 8);
	struct z_page_frame *wrong[3];

	(void)state;
	if (!is_custom()) {
		contract_close(w);
		skip();
	}
	for (size_t i = 0; i < CONTRACT_FRAMES; i++)
		contract_fill(w, contract_page(va, i), i);
	assert_int_equal(z_pager_pin(w->pager, va, 1), 0);
	wrong[0] = &foreign;
	wrong[1] = &z_page_frames[CONTRACT_FRAMES];
	wrong[2] = contract_frame(va);
	for (size_t i = 0; i < 3; i++) {
		custom_eviction_wild = wrong[i];
		assert_false(z_page_fault((void *)contract_page(va, 6)));
		contract_check(w);
		assert_int_equal(z_sim_entry(w->sim, contract_page(va, 6)).kind, Z_ENTRY_UNTOUCHED);
	}
	custom_eviction_wild = NULL;
	assert_int_equal(z_pager_unpin(w->pager, va, 1), 0);
	for (size_t i = 0; i < CONTRACT_FRAMES; i++)
		contract_verify(w, contract_page(va, i), i);
	contract_close(w);
}

static unsigned int inits_before_store;

static void note_order(void)
{
	inits_before_store = custom_eviction_inits;
}

static void contract_15_init_once_at_start(void **state)
{
	struct contract_world *w;

	(void)state;
	inits_before_store = 99;
	custom_store_init_hook = note_order;
	w = contract_open(NULL);
	assert_int_equal(inits_before_store, 0);
	assert_int_equal(custom_eviction_inits, is_custom() ? 1 : 0);
	assert_int_equal(contract_count(w, CONTRACT_INIT), 1);
	assert_int_equal(w->record->log[0].op, CONTRACT_INIT);
	contract_random_steps(w, 30);
	assert_int_equal(contract_count(w, CONTRACT_INIT), 1);
	/* A second pager of the kernel is refused, and does not come as far as an init. */
	assert_int_equal(z_kernel_pager_init(&w->config, NULL), Z_ERR_BUSY);
	assert_int_equal(contract_count(w, CONTRACT_INIT), 1);
	assert_int_equal(custom_store_inits, 1);
	contract_close(w);
}

int contract_eviction(const char *name)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contract_10_select_only_without_a_free_frame),
		cmocka_unit_test(contract_11_never_before_init),
		cmocka_unit_test(contract_12_select_with_interrupts_locked),
		cmocka_unit_test(contract_13_dirty_is_of_the_victim),
		cmocka_unit_test(contract_13_a_wrong_dirty_does_no_harm),
		cmocka_unit_test(contract_14_the_frame_is_evictable),
		cmocka_unit_test(contract_14_no_victim_is_survived),
		cmocka_unit_test(contract_14_a_wrong_answer_is_survived),
		cmocka_unit_test(contract_15_init_once_at_start),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
