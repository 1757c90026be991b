/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_location_common.c - statements 16 to 26: locations. The recorder checks each of them on
 * every call of every test (numbers in its texts); here are the cases that a random run may miss.
 * A full store has a group of its own at the end.
 */
#include <string.h>

#include "contract_world.h"

_Static_assert(_Generic(z_backing_store_location_get,
			int (*)(struct z_page_frame *, uintptr_t *) : 1, default : 0),
	       "statement 24: the argument is the frame");

/* More pages than frames, all written: the first ones are out. */
static uintptr_t fill_pages(struct contract_world *w, size_t pages)
{
	uintptr_t va = contract_map(w, pages);

	for (size_t i = 0; i < pages; i++)
		contract_fill(w, contract_page(va, i), i);
	return va;
}

static void verify_pages(struct contract_world *w, uintptr_t va, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		contract_verify(w, contract_page(va, i), i);
}

static void contract_17_tokens_are_unique(void **state)
{
	struct contract_world *w = contract_open(&(struct contract_params){.seed = 17});
	uintptr_t va = fill_pages(w, 20);
	unsigned int out = 0;

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		struct z_entry a = z_sim_entry(w->sim, contract_page(va, i));

		out += a.kind == Z_ENTRY_OUT;
		for (size_t j = 0; j < i && a.kind == Z_ENTRY_OUT; j++) {
			struct z_entry b = z_sim_entry(w->sim, contract_page(va, j));

			assert_true(b.kind != Z_ENTRY_OUT || b.loc.v != a.loc.v);
		}
	}
	assert_int_equal(out, 20 - CONTRACT_FRAMES);
	assert_int_equal(contract_record_live(w->record), out);
	verify_pages(w, va, 20);
	contract_random_steps(w, 100);
	contract_close(w);
}

/* Aligned, and 0 is a token like any other: out and in again, twice, written and dropped. */
static void contract_18_aligned_and_zero_is_legal(void **state)
{
	struct contract_world *w = contract_open(NULL);
	bool first_is_zero = strcmp(custom_store_name, "zero") == 0;
	uintptr_t va = contract_map(w, 2);

	(void)state;
	for (unsigned int round = 0; round < 3; round++) {
		struct z_entry entry;

		contract_fill(w, va, round);
		contract_out(w, va);
		entry = z_sim_entry(w->sim, va);
		assert_true(z_is_page_aligned(entry.loc.v));
		if (first_is_zero)
			assert_int_equal(entry.loc.v, 0);
		contract_verify(w, va, round);
		contract_out(w, va);
		contract_verify(w, va, round);
	}
	contract_fill(w, va, 9);
	contract_out(w, va);
	assert_int_equal(z_pager_unmap(w->pager, va, 1), 0);
	assert_int_equal(contract_count(w, CONTRACT_FREE), 1);
	contract_close(w);
}

static void contract_19_the_same_token_again(void **state)
{
	struct contract_world *w = contract_open(NULL);
	const struct z_env_ops *env = z_sim_env(w->sim);
	uintptr_t va = contract_map(w, 1);
	uintptr_t out_at;
	uintptr_t again[2];

	(void)state;
	contract_fill(w, va, 1);
	contract_out(w, va);
	out_at = z_sim_entry(w->sim, va).loc.v;
	contract_touch(w, va);
	if (custom_store_keeps) {
		z_key_t key = env->lock(w->sim);

		for (size_t i = 0; i < 2; i++) {
			struct z_page_frame *pf = contract_frame(va);

			assert_int_equal(z_backing_store_location_get(pf, &again[i]), 0);
			assert_int_equal(again[i], out_at);
		}
		env->unlock(w->sim, key);
		contract_out(w, va);
		assert_int_equal(z_sim_entry(w->sim, va).loc.v, out_at);
		contract_fill(w, va, 2);
		contract_out(w, va);
		assert_int_equal(z_sim_entry(w->sim, va).loc.v, out_at);
		contract_verify(w, va, 2);
	}
	contract_close(w);
	if (!custom_store_keeps)
		skip();
}

static void contract_20_clean_and_backed_is_not_written(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 1);

	(void)state;
	contract_fill(w, va, 1);
	contract_out(w, va);
	assert_int_equal(contract_count(w, CONTRACT_OUT), 1);
	contract_verify(w, va, 1);
	contract_forget(w);
	contract_out(w, va);
	assert_int_equal(contract_count(w, CONTRACT_OUT), custom_store_keeps ? 0 : 1);
	contract_verify(w, va, 1);
	contract_forget(w);
	contract_fill(w, va, 2);
	contract_out(w, va);
	assert_int_equal(contract_count(w, CONTRACT_OUT), 1);
	contract_verify(w, va, 2);
	contract_close(w);
}

/* p0 and p1 have clean copies, p2 is out: the store of three is full. p3 goes out over a copy. */
static void contract_21_a_stolen_copy_is_written_again(void **state)
{
	struct contract_world *w = contract_open(&(struct contract_params){.store_pages = 3});
	uintptr_t va = contract_map(w, 4);
	uintptr_t robbed;
	uintptr_t other;

	(void)state;
	if (!custom_store_steals) {
		contract_close(w);
		skip();
	}
	for (size_t i = 0; i < 2; i++) {
		contract_fill(w, contract_page(va, i), i);
		contract_out(w, contract_page(va, i));
		contract_verify(w, contract_page(va, i), i);
		assert_true(z_page_frame_is_backed(contract_frame(contract_page(va, i))));
	}
	for (size_t i = 2; i < 4; i++) {
		contract_fill(w, contract_page(va, i), i);
		contract_out(w, contract_page(va, i));
	}
	robbed = z_page_frame_is_backed(contract_frame(va)) ? contract_page(va, 1) : va;
	other = robbed == va ? contract_page(va, 1) : va;
	assert_false(z_page_frame_is_backed(contract_frame(robbed)));
	assert_true(z_page_frame_is_backed(contract_frame(other)));
	assert_false(contract_dirty(w, robbed));

	contract_forget(w);
	contract_out(w, robbed);
	assert_int_equal(contract_count(w, CONTRACT_OUT), 1);
	assert_false(z_page_frame_is_backed(contract_frame(other)));
	assert_int_equal(contract_evict(other), Z_ERR_NOMEM);
	verify_pages(w, va, 4);
	contract_close(w);
}

static void contract_22_addr_is_the_page(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = fill_pages(w, 10);

	(void)state;
	assert_int_equal(contract_count(w, CONTRACT_GET), 10 - CONTRACT_FRAMES);
	for (size_t i = 0; i < w->record->calls; i++) {
		const struct contract_call *call = &w->record->log[i];

		if (call->op != CONTRACT_GET)
			continue;
		assert_true(call->va >= va && call->va < contract_page(va, 10));
		assert_int_equal(z_sim_entry(w->sim, call->va).loc.v, call->loc);
		if (!custom_store_bounded)
			assert_int_equal(call->loc, call->va);
	}
	verify_pages(w, va, 10);
	contract_close(w);
}

static void contract_23_get_and_free_with_interrupts_locked(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = fill_pages(w, 8);
	unsigned int seen = 0;

	(void)state;
	assert_int_equal(z_pager_unmap(w->pager, va, 8), 0);
	for (size_t i = 0; i < w->record->calls; i++) {
		const struct contract_call *call = &w->record->log[i];

		if (call->op == CONTRACT_GET || call->op == CONTRACT_FREE) {
			assert_false(call->irqs_on);
			seen++;
		}
	}
	assert_int_equal(seen, 2 * (8 - CONTRACT_FRAMES));
	contract_close(w);
}

static void contract_24_the_argument_is_the_frame(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 1);
	struct z_page_frame *pf;

	(void)state;
	contract_fill(w, va, 1);
	pf = contract_frame(va);
	contract_out(w, va);
	assert_ptr_equal(contract_record_last(w->record, CONTRACT_GET)->pf, pf);
	assert_int_equal(contract_record_last(w->record, CONTRACT_GET)->va, va);
	contract_close(w);
}

/* Ten times the size of the store goes through it, while one page stays out and intact. */
static void contract_25_free_places_are_used_again(void **state)
{
	struct contract_world *w = contract_open(&(struct contract_params){.store_pages = 4});
	uintptr_t kept = contract_map(w, 1);

	(void)state;
	contract_fill(w, kept, 100);
	contract_out(w, kept);
	for (unsigned int round = 0; round < 14; round++) {
		uintptr_t va = contract_map(w, 3);

		for (size_t i = 0; i < 3; i++) {
			contract_fill(w, contract_page(va, i), round);
			contract_out(w, contract_page(va, i));
		}
		contract_verify(w, contract_page(va, 1), round);
		assert_int_equal(z_pager_unmap(w->pager, va, 3), 0);
		contract_check(w);
		assert_int_equal(contract_record_live(w->record), 1);
	}
	contract_verify(w, kept, 100);
	contract_close(w);
}

/* Never touched, resident, resident with a copy, out: each has its own number of frees. */
static void contract_26_freed_once_and_only_what_was_given(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 10);
	unsigned int with_copy = custom_store_keeps ? 1 : 0;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		contract_fill(w, contract_page(va, i), i);
	contract_out(w, va);
	contract_out(w, contract_page(va, 1));
	contract_touch(w, contract_page(va, 1));
	contract_forget(w);
	assert_int_equal(z_pager_unmap(w->pager, va, 10), 0);
	assert_int_equal(contract_count(w, CONTRACT_FREE), 1 + with_copy);
	assert_int_equal(contract_record_live(w->record), 0);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(z_sim_entry(w->sim, contract_page(va, i)).kind, Z_ENTRY_UNMAPPED);
	assert_int_equal(z_free_page_count, CONTRACT_FRAMES);
	contract_close(w);
}

/* ---- a store that is full ------------------------------------------------------------------- */

/* Two pages out fill the store, two more are resident. */
static uintptr_t fill_store(struct contract_world *w)
{
	uintptr_t va = contract_map(w, 6);

	for (size_t i = 0; i < 4; i++)
		contract_fill(w, contract_page(va, i), i);
	contract_out(w, va);
	contract_out(w, contract_page(va, 1));
	return va;
}

static void contract_16_full_changes_nothing(void **state)
{
	struct contract_world *w = contract_open(&(struct contract_params){.store_pages = 2});
	static struct z_page_frame before[Z_NUM_PAGE_FRAMES];
	const struct z_env_ops *env = z_sim_env(w->sim);
	uintptr_t va = fill_store(w);
	uintptr_t canary = 0x5a5a5000;
	z_key_t key;

	(void)state;
	memcpy(before, z_page_frames, sizeof(before));
	if (custom_store_bounded) {
		key = env->lock(w->sim);
		assert_int_equal(
			z_backing_store_location_get(contract_frame(contract_page(va, 2)), &canary),
			-12);
		env->unlock(w->sim, key);
	} else {
		store_hostile_fail(w->hostile, STORE_GET, 1, UINT32_MAX, Z_ERR_NOSPC);
	}
	assert_int_equal(canary, 0x5a5a5000);
	assert_memory_equal(z_page_frames, before, sizeof(before));
	contract_forget(w);
	assert_int_equal(contract_evict(contract_page(va, 2)), -12);
	assert_int_equal(contract_count(w, CONTRACT_GET), 1);
	assert_int_equal(contract_count(w, CONTRACT_OUT), 0);
	assert_memory_equal(z_page_frames, before, sizeof(before));
	contract_check(w);
	store_hostile_fail(w->hostile, STORE_GET, 0, 0, 0);
	verify_pages(w, va, 4);
	contract_close(w);
}

int contract_location(const char *name)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contract_17_tokens_are_unique),
		cmocka_unit_test(contract_18_aligned_and_zero_is_legal),
		cmocka_unit_test(contract_19_the_same_token_again),
		cmocka_unit_test(contract_20_clean_and_backed_is_not_written),
		cmocka_unit_test(contract_21_a_stolen_copy_is_written_again),
		cmocka_unit_test(contract_22_addr_is_the_page),
		cmocka_unit_test(contract_23_get_and_free_with_interrupts_locked),
		cmocka_unit_test(contract_24_the_argument_is_the_frame),
		cmocka_unit_test(contract_25_free_places_are_used_again),
		cmocka_unit_test(contract_26_freed_once_and_only_what_was_given),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int contract_location_full(const char *name)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contract_16_full_changes_nothing),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
