/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_transfer_common.c - statements 27 to 39: moving pages, finalize, and the start of a store.
 */
#include <string.h>

#include "contract_world.h"

#define CPUS 4

/* ---- contents ------------------------------------------------------------------------------- */

static void make_page(unsigned char *page, unsigned int kind, struct z_sim *sim)
{
	static const unsigned char all[] = {0x00, 0xff, 0x55};

	if (kind < 3) {
		memset(page, all[kind], Z_PAGE_SIZE);
		return;
	}
	for (size_t i = 0; i < Z_PAGE_SIZE; i++)
		page[i] = (unsigned char)z_sim_random(sim);
	if (kind == 3)
		memset(page + 1, 0, Z_PAGE_SIZE - 2);
}

static void contract_27_every_byte_comes_back(void **state)
{
	struct contract_world *w = contract_open(&(struct contract_params){.seed = 27});
	uintptr_t va = contract_map(w, 1);
	unsigned char page[CONFIG_MMU_PAGE_SIZE];
	unsigned char back[CONFIG_MMU_PAGE_SIZE];

	(void)state;
	for (unsigned int kind = 0; kind < 12; kind++) {
		make_page(page, kind, w->sim);
		assert_int_equal(z_sim_write(w->sim, va, page, Z_PAGE_SIZE), Z_SIM_OK);
		contract_out(w, va);
		assert_memory_equal(custom_store_bytes(z_sim_entry(w->sim, va).loc.v), page,
				    Z_PAGE_SIZE);
		assert_int_equal(z_sim_read(w->sim, va, back, Z_PAGE_SIZE), Z_SIM_OK);
		assert_memory_equal(back, page, Z_PAGE_SIZE);
		contract_check(w);
	}
	contract_close(w);
}

/* The recorder compares scratch with the frame and writes a byte through it, at each call. */
static void contract_28_scratch_is_the_source_frame(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 10);

	(void)state;
	for (size_t i = 0; i < 10; i++)
		contract_fill(w, contract_page(va, i), i);
	assert_int_equal(contract_count(w, CONTRACT_OUT), 10 - CONTRACT_FRAMES);
	contract_close(w);
}

static void contract_29_scratch_is_the_destination_frame(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 10);

	(void)state;
	for (size_t i = 0; i < 10; i++)
		contract_fill(w, contract_page(va, i), i);
	contract_forget(w);
	for (size_t i = 0; i < 10; i++) {
		unsigned int before = contract_count(w, CONTRACT_IN);
		bool out = contract_frame(contract_page(va, i)) == NULL;

		contract_verify(w, contract_page(va, i), i);
		assert_int_equal(contract_count(w, CONTRACT_IN), before + (out ? 1 : 0));
	}
	assert_true(contract_count(w, CONTRACT_IN) >= 10 - CONTRACT_FRAMES);
	contract_close(w);
}

/* ---- serialized ----------------------------------------------------------------------------- */

struct worker {
	uintptr_t own;    /* three pages that only this one touches */
	uintptr_t shared; /* read by all, never written */
	unsigned int wrong;
};

/* No assertion in here: it would leave the CPU's stack. */
static void work(struct z_sim *sim, void *arg)
{
	struct worker *me = arg;
	uint64_t value;

	z_sim_set_irqs(sim, !contract_run.irqs_off);
	for (uint64_t round = 1; round <= 12; round++) {
		for (size_t i = 0; i < 3; i++) {
			uintptr_t va = contract_page(me->own, i) + 8 * round;

			me->wrong += z_sim_store64(sim, va, round * 3 + i) != Z_SIM_OK;
		}
		for (size_t i = 0; i < 3; i++) {
			uintptr_t va = contract_page(me->own, i) + 8 * round;

			me->wrong += z_sim_load64(sim, va, &value) != Z_SIM_OK;
			me->wrong += value != round * 3 + i;
		}
		me->wrong += z_sim_load64(sim, me->shared, &value) != Z_SIM_OK;
		me->wrong += value != 4711;
	}
}

static void contract_30_moves_are_serialized(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct contract_world *w = contract_open(
			&(struct contract_params){.frames = 5, .cpus = CPUS, .seed = seed});
		uintptr_t shared = contract_map(w, 1);
		struct worker workers[CPUS];
		struct z_sim_task tasks[CPUS];

		assert_int_equal(z_sim_store64(w->sim, shared, 4711), Z_SIM_OK);
		for (size_t i = 0; i < CPUS; i++) {
			workers[i] = (struct worker){.own = contract_map(w, 3), .shared = shared};
			tasks[i] = (struct z_sim_task){work, &workers[i]};
		}
		assert_int_equal(z_sim_run(w->sim, tasks, CPUS, seed), 0);
		for (size_t i = 0; i < CPUS; i++)
			assert_int_equal(workers[i].wrong, 0);
		assert_true(contract_count(w, CONTRACT_OUT) > 20);
		assert_true(contract_count(w, CONTRACT_IN) > 20);
		z_sim_set_irqs(w->sim, !contract_run.irqs_off);
		contract_close(w);
	}
}

/* ---- interrupts ----------------------------------------------------------------------------- */

static void contract_31_interrupts_during_a_move(void **state)
{
	struct contract_world *w = contract_open(NULL);
	bool wanted = !contract_run.lock_kept && !contract_run.irqs_off;
	uintptr_t va = contract_map(w, 8);
	unsigned int moves = 0;

	(void)state;
	for (size_t i = 0; i < 8; i++)
		contract_fill(w, contract_page(va, i), i);
	for (size_t i = 0; i < 8; i++)
		contract_verify(w, contract_page(va, i), i);
	for (size_t i = 0; i < w->record->calls; i++) {
		const struct contract_call *call = &w->record->log[i];

		if (call->op == CONTRACT_IN || call->op == CONTRACT_OUT) {
			assert_int_equal(call->irqs_on, wanted);
			moves++;
		}
	}
	assert_true(moves >= 2 * (8 - CONTRACT_FRAMES));
	contract_close(w);
}

/* ---- finalize ------------------------------------------------------------------------------- */

static void contract_32_finalize_after_page_in_with_interrupts_locked(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 1);
	const struct contract_call *log = w->record->log;

	(void)state;
	contract_fill(w, va, 1);
	contract_out(w, va);
	contract_forget(w);
	contract_touch(w, va);
	assert_int_equal(w->record->calls, 2);
	assert_int_equal(log[0].op, CONTRACT_IN);
	assert_int_equal(log[1].op, CONTRACT_FINALIZE);
	assert_false(log[1].irqs_on);
	contract_close(w);
}

static void contract_33_finalize_gets_the_same_location(void **state)
{
	struct contract_world *w = contract_open(&(struct contract_params){.seed = 33});
	unsigned int seen = 0;

	(void)state;
	contract_random_steps(w, 80);
	for (size_t i = 1; i < w->record->calls; i++) {
		const struct contract_call *call = &w->record->log[i];

		if (call->op != CONTRACT_FINALIZE)
			continue;
		assert_int_equal(call[-1].op, CONTRACT_IN);
		assert_int_equal(call[-1].loc, call->loc);
		seen++;
	}
	assert_true(seen > 0);
	assert_int_equal(seen, contract_count(w, CONTRACT_IN));
	contract_close(w);
}

/* An array beside the frames, written in finalize and looked at when the page leaves. */
static struct {
	uintptr_t loc[Z_NUM_PAGE_FRAMES];
	unsigned int compared;
	unsigned int wrong;
} side;

static void keep_side(struct contract_record *r, enum contract_op op, uintptr_t loc)
{
	const struct contract_call *call = contract_record_last(r, op);
	size_t i;

	if (op == CONTRACT_FINALIZE) {
		side.loc[call->pf - z_page_frames] = loc;
	} else if (op == CONTRACT_OUT && !custom_store_bounded) {
		call = contract_record_last(r, CONTRACT_GET);
		i = (size_t)(call->pf - z_page_frames);
		side.compared += side.loc[i] != 0;
		side.wrong += side.loc[i] != 0 && side.loc[i] != loc;
		side.loc[i] = 0;
	} else if (op == CONTRACT_GET && call->backed) {
		side.compared++;
		side.wrong += side.loc[call->pf - z_page_frames] == 0;
	}
}

static void contract_34_frame_data_is_safe_in_finalize(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 3);

	(void)state;
	memset(&side, 0, sizeof(side));
	w->record->hook = keep_side;
	for (unsigned int round = 0; round < 4; round++) {
		for (size_t i = 0; i < 3; i++) {
			contract_fill(w, contract_page(va, i), round);
			contract_out(w, contract_page(va, i));
			contract_touch(w, contract_page(va, i));
		}
	}
	assert_int_equal(side.wrong, 0);
	assert_true(custom_store_keeps ? side.compared >= 9 : true);
	contract_close(w);
}

static void contract_35_backed_set_in_finalize(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 1);

	(void)state;
	contract_fill(w, va, 1);
	contract_out(w, va);
	for (unsigned int round = 0; round < 5; round++) {
		contract_forget(w);
		contract_verify(w, va, 1);
		assert_int_equal(z_page_frame_is_backed(contract_frame(va)), custom_store_keeps);
		contract_out(w, va);
		assert_int_equal(contract_count(w, CONTRACT_OUT), custom_store_keeps ? 0 : 1);
	}
	contract_close(w);
}

/* ---- when is a page written? ---------------------------------------------------------------- */

static void contract_36_written_unless_clean_and_backed(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 4);

	(void)state;
	/* p0 clean, not BACKED: zeros that were only read. p1 dirty, not BACKED. p2, p3 BACKED. */
	contract_touch(w, va);
	contract_fill(w, contract_page(va, 1), 1);
	for (size_t i = 2; i < 4; i++) {
		contract_fill(w, contract_page(va, i), i);
		contract_out(w, contract_page(va, i));
		contract_touch(w, contract_page(va, i));
	}
	contract_fill(w, contract_page(va, 3), 4);
	for (size_t i = 0; i < 4; i++) {
		bool dirty = i == 1 || i == 3;
		bool backed = i >= 2 && custom_store_keeps;
		struct z_page_frame *pf = contract_frame(contract_page(va, i));

		assert_int_equal(contract_dirty(w, contract_page(va, i)), dirty);
		assert_int_equal(z_page_frame_is_backed(pf), backed);
		contract_forget(w);
		contract_out(w, contract_page(va, i));
		assert_int_equal(contract_count(w, CONTRACT_OUT), dirty || !backed ? 1 : 0);
	}
	contract_verify(w, contract_page(va, 1), 1);
	contract_verify(w, contract_page(va, 2), 2);
	contract_verify(w, contract_page(va, 3), 4);
	contract_close(w);
}

static unsigned int finalized;
static unsigned int finalized_wrong;

static void look_at_frame(struct contract_record *r, enum contract_op op, uintptr_t loc)
{
	const struct contract_call *call = contract_record_last(r, op);

	(void)loc;
	if (op != CONTRACT_FINALIZE)
		return;
	finalized++;
	finalized_wrong += !z_page_frame_is_mapped(call->pf) || z_page_frame_is_busy(call->pf) ||
			   z_page_frame_is_backed(call->pf) || (uintptr_t)r->arg != call->va ||
			   z_sim_entry(r->sim, call->va).kind != Z_ENTRY_IN;
}

static void contract_37_the_frame_is_mapped_at_finalize(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 2);

	(void)state;
	finalized = 0;
	finalized_wrong = 0;
	w->record->hook = look_at_frame;
	for (size_t i = 0; i < 2; i++) {
		contract_fill(w, contract_page(va, i), i);
		contract_out(w, contract_page(va, i));
	}
	for (size_t i = 0; i < 2; i++) {
		w->record->arg = (void *)contract_page(va, i);
		contract_verify(w, contract_page(va, i), i);
	}
	assert_int_equal(finalized, 2);
	assert_int_equal(finalized_wrong, 0);
	contract_close(w);
}

/* ---- the start of a store ------------------------------------------------------------------- */

static unsigned int refused;

static void fault_in_store_init(void)
{
	refused += !z_page_fault((void *)contract_image_va());
	refused += z_kernel_pager() == NULL;
	refused += custom_eviction_inits == 0;
}

static void contract_38_no_move_before_init_has_returned(void **state)
{
	struct contract_world *w;
	uintptr_t va;

	(void)state;
	refused = 0;
	custom_store_init_hook = fault_in_store_init;
	w = contract_open(NULL);
	assert_int_equal(refused, 3);
	assert_int_equal(custom_store_inits, 1);
	/* And at once after it: the first fault may already move pages. */
	va = contract_map(w, 1);
	contract_fill(w, va, 1);
	contract_out(w, va);
	contract_verify(w, va, 1);
	assert_int_equal(custom_store_inits, 1);
	contract_close(w);
}

static void contract_39_boot_pages_are_backed(void **state)
{
	struct contract_world *w = contract_open(&(struct contract_params){.image_pages = 2});
	uintptr_t va = contract_image_va();

	(void)state;
	assert_int_equal(z_free_page_count, CONTRACT_FRAMES - 2);
	for (size_t i = 0; i < 2; i++) {
		struct z_page_frame *pf = contract_frame(contract_page(va, i));

		assert_non_null(pf);
		assert_int_equal(z_page_frame_is_backed(pf), custom_store_keeps);
		contract_out(w, contract_page(va, i));
	}
	assert_int_equal(contract_count(w, CONTRACT_OUT), custom_store_keeps ? 0 : 2);
	assert_int_equal(z_free_page_count, CONTRACT_FRAMES);
	contract_verify(w, va, 77);
	contract_verify(w, contract_page(va, 1), 77);
	contract_fill(w, va, 5);
	contract_forget(w);
	contract_out(w, va);
	assert_int_equal(contract_count(w, CONTRACT_OUT), 1);
	contract_verify(w, va, 5);
	contract_close(w);
}

int contract_transfer(const char *name)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contract_27_every_byte_comes_back),
		cmocka_unit_test(contract_28_scratch_is_the_source_frame),
		cmocka_unit_test(contract_29_scratch_is_the_destination_frame),
		cmocka_unit_test(contract_30_moves_are_serialized),
		cmocka_unit_test(contract_31_interrupts_during_a_move),
		cmocka_unit_test(contract_32_finalize_after_page_in_with_interrupts_locked),
		cmocka_unit_test(contract_33_finalize_gets_the_same_location),
		cmocka_unit_test(contract_34_frame_data_is_safe_in_finalize),
		cmocka_unit_test(contract_35_backed_set_in_finalize),
		cmocka_unit_test(contract_36_written_unless_clean_and_backed),
		cmocka_unit_test(contract_37_the_frame_is_mapped_at_finalize),
		cmocka_unit_test(contract_38_no_move_before_init_has_returned),
		cmocka_unit_test(contract_39_boot_pages_are_backed),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
