/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_fault_common.c - statements 46 to 54: z_page_fault. What is said of a real MMU is tested
 * on the simulated one here.
 */
#include <string.h>

#include "contract_world.h"

static void contract_46_the_page_comes_back(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 2);
	uint64_t faults;

	(void)state;
	contract_fill(w, va, 1);
	contract_out(w, va);
	contract_forget(w);
	assert_true(z_page_fault((void *)va));
	contract_check(w);
	assert_int_equal(z_sim_entry(w->sim, va).kind, Z_ENTRY_IN);
	assert_memory_equal(z_sim_frame_data(w->sim, z_sim_entry(w->sim, va).phys),
			    contract_bytes(va, 1), Z_PAGE_SIZE);
	assert_int_equal(contract_count(w, CONTRACT_IN), 1);
	/* By an instruction: it faults once and is run again. */
	contract_out(w, va);
	faults = z_sim_counters_of(w->sim)->faults;
	contract_verify(w, va, 1);
	assert_int_equal(z_sim_counters_of(w->sim)->faults, faults + 1);
	contract_close(w);
}

static void contract_47_not_mapped_is_false(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 3);
	uintptr_t base = (uintptr_t)CONFIG_KERNEL_VM_BASE;
	uintptr_t end = base + (uintptr_t)CONFIG_KERNEL_VM_SIZE;
	size_t free;

	(void)state;
	contract_fill(w, va, 1);
	contract_fill(w, contract_page(va, 1), 1);
	contract_out(w, contract_page(va, 1));
	assert_int_equal(z_pager_unmap(w->pager, contract_page(va, 1), 1), 0);
	const uintptr_t bad[] = {
		0,           va - 1,  contract_page(va, 1), contract_page(va, 3),  base,
		base - 1,    end - 1, end - Z_PAGE_SIZE,    end - 2 * Z_PAGE_SIZE, end,
		UINTPTR_MAX,
	};

	free = z_free_page_count;
	contract_forget(w);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unsigned char byte;

		assert_false(z_page_fault((void *)bad[i]));
		assert_int_equal(z_sim_read(w->sim, bad[i], &byte, 1), Z_SIM_BAD_ADDRESS);
		assert_int_equal(z_free_page_count, free);
		contract_check(w);
	}
	assert_int_equal(w->record->calls, 0);
	contract_verify(w, va, 1);
	contract_close(w);
}

static void contract_48_true_when_nothing_is_to_be_done(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 1);
	size_t free;

	(void)state;
	contract_fill(w, va, 1);
	contract_out(w, va);
	contract_touch(w, va);
	free = z_free_page_count;
	contract_forget(w);
	assert_true(z_page_fault((void *)va));
	assert_int_equal(w->record->calls, 0);
	assert_int_equal(z_free_page_count, free);
	contract_verify(w, va, 1);
	contract_close(w);
}

struct racer {
	uintptr_t va;
	unsigned int wrong;
};

static void race(struct z_sim *sim, void *arg)
{
	struct racer *me = arg;

	z_sim_set_irqs(sim, !contract_run.irqs_off);
	me->wrong += !z_page_fault((void *)me->va);
	me->wrong += z_sim_entry(sim, me->va).kind != Z_ENTRY_IN;
}

static void contract_48_races_cause_one_read(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct contract_world *w =
			contract_open(&(struct contract_params){.cpus = 2, .seed = seed});
		uintptr_t va = contract_map(w, 1);
		struct racer racers[2] = {{.va = va}, {.va = va + 123}};
		struct z_sim_task tasks[2] = {{race, &racers[0]}, {race, &racers[1]}};

		racers[1].va = va;
		contract_fill(w, va, seed);
		contract_out(w, va);
		contract_forget(w);
		assert_int_equal(z_sim_run(w->sim, tasks, 2, seed), 0);
		assert_int_equal(racers[0].wrong + racers[1].wrong, 0);
		assert_int_equal(contract_count(w, CONTRACT_IN), 1);
		assert_int_equal(contract_count(w, CONTRACT_FINALIZE), 1);
		z_sim_set_irqs(w->sim, !contract_run.irqs_off);
		contract_verify(w, va, seed);
		contract_close(w);
	}
}

/* Accessed and dirty made by faults: the call does not say what kind it was, all gets on, in the end
 * each write is known as one. */
static void contract_48_soft_accessed_and_dirty(void **state)
{
	struct contract_world *w =
		contract_open(&(struct contract_params){.soft_ad = true, .seed = 48});
	uintptr_t va = contract_map(w, 1);
	uint64_t faults;

	(void)state;
	contract_touch(w, va);
	assert_false(contract_dirty(w, va));
	assert_int_equal(z_sim_counters_of(w->sim)->faults, 2);
	contract_fill(w, va, 1);
	assert_true(contract_dirty(w, va));
	contract_out(w, va);
	faults = z_sim_counters_of(w->sim)->faults;
	assert_int_equal(z_sim_store64(w->sim, va, 5), Z_SIM_OK);
	assert_int_equal(z_sim_counters_of(w->sim)->faults, faults + 3);
	assert_true(contract_dirty(w, va));
	contract_random_steps(w, 120);
	contract_close(w);
}

static void contract_49_a_violation_does_not_come_here(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 1);
	uint64_t faults;

	(void)state;
	contract_fill(w, va, 1);
	assert_int_equal(z_pager_protect(w->pager, va, 1, Z_ACCESS_READ), 0);
	faults = z_sim_counters_of(w->sim)->faults;
	assert_int_equal(z_sim_store64(w->sim, va, 2), Z_SIM_VIOLATION);
	assert_int_equal(z_sim_counters_of(w->sim)->faults, faults);
	/* Out: one fault brings it in, then the write is what it is. Permissions have survived. */
	contract_out(w, va);
	assert_int_equal(z_sim_store64(w->sim, va, 2), Z_SIM_VIOLATION);
	assert_int_equal(z_sim_counters_of(w->sim)->faults, faults + 1);
	assert_int_equal(z_sim_access(w->sim, va, Z_ACCESS_READ | Z_ACCESS_USER, NULL, 1),
			 Z_SIM_VIOLATION);
	contract_verify(w, va, 1);
	assert_false(contract_dirty(w, va));
	contract_close(w);
}

static void contract_50_interrupts_off_all_the_way(void **state)
{
	struct contract_world *w = contract_open(NULL);
	bool irqs = z_sim_set_irqs(w->sim, false);
	uintptr_t va = contract_map(w, 8);

	(void)state;
	w->record->irqs_on = false;
	contract_forget(w);
	for (unsigned int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 8; i++) {
			assert_int_equal(z_sim_store64(w->sim, contract_page(va, i), i), Z_SIM_OK);
			assert_false(z_sim_irqs_on(w->sim));
		}
	}
	assert_true(contract_count(w, CONTRACT_IN) >= 8 - CONTRACT_FRAMES);
	assert_true(w->record->calls < CONTRACT_LOG_MAX);
	for (size_t i = 0; i < w->record->calls; i++)
		assert_false(w->record->log[i].irqs_on);
	z_sim_set_irqs(w->sim, irqs);
	w->record->irqs_on = irqs;
	contract_close(w);
}

static struct {
	unsigned int during_move;
	unsigned int outside;
	bool moving;
} ticks;

static void tick(struct z_sim *sim, void *arg)
{
	(void)sim;
	(void)arg;
	if (ticks.moving)
		ticks.during_move++;
	else
		ticks.outside++;
}

static void slow_page_in(struct contract_record *r, enum contract_op op, uintptr_t loc)
{
	(void)loc;
	if (op != CONTRACT_IN)
		return;
	ticks.moving = true;
	for (unsigned int i = 0; i < 10; i++)
		z_sim_advance(r->sim, 1000000);
	ticks.moving = false;
}

static void contract_51_the_timer_ticks_during_a_slow_page_in(void **state)
{
	struct contract_world *w = contract_open(NULL);
	bool may_tick = !contract_run.lock_kept && !contract_run.irqs_off;
	uintptr_t va = contract_map(w, 1);

	(void)state;
	memset(&ticks, 0, sizeof(ticks));
	contract_fill(w, va, 1);
	contract_out(w, va);
	w->record->hook = slow_page_in;
	z_sim_set_tick(w->sim, tick, NULL, 1000000);
	contract_verify(w, va, 1);
	z_sim_set_tick(w->sim, NULL, NULL, 1000000);
	assert_int_equal(ticks.during_move, may_tick ? 10 : 0);
	/* What was held back comes as soon as interrupts are on again: one tick, it was pending. */
	assert_int_equal(ticks.outside > 0, contract_run.lock_kept && !contract_run.irqs_off);
	contract_close(w);
}

static void contract_52_any_byte_of_the_page(void **state)
{
	static const size_t offsets[] = {0, 1, 0x7ff, CONFIG_MMU_PAGE_SIZE - 1};
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 2);
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		contract_fill(w, va, i);
		contract_out(w, va);
		contract_forget(w);
		assert_true(z_page_fault((void *)(va + offsets[i])));
		assert_int_equal(w->record->calls, 2);
		assert_int_equal(w->record->log[0].op, CONTRACT_IN);
		assert_int_equal(w->record->log[1].va, va);
		contract_verify(w, va, i);
		assert_null(contract_frame(contract_page(va, 1)));
	}
	/* An access that straddles two pages wants both at once. */
	assert_int_equal(z_sim_store64(w->sim, contract_page(va, 1) - 4, 0x1122334455667788), 0);
	contract_out(w, va);
	contract_out(w, contract_page(va, 1));
	contract_forget(w);
	assert_int_equal(z_sim_load64(w->sim, contract_page(va, 1) - 4, &value), Z_SIM_OK);
	assert_int_equal(value, 0x1122334455667788);
	assert_int_equal(contract_count(w, CONTRACT_IN), 2);
	contract_close(w);
}

/* ---- failures at fault time ----------------------------------------------------------------- */

/* Touch each page; what fails once succeeds when it is tried again, and nothing is lost. */
static unsigned int scenario(struct contract_world *w, uintptr_t va)
{
	unsigned int failed = 0;

	for (unsigned int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 8; i++) {
			uintptr_t page = contract_page(va, i);

			if (!z_page_fault((void *)page)) {
				failed++;
				contract_check(w);
				assert_true(z_page_fault((void *)page));
			}
			if (round == 0)
				contract_fill(w, page, i + 1);
			else
				contract_verify(w, page, i + 1);
		}
	}
	return failed;
}

static void contract_53_a_store_that_fails_once(void **state)
{
	unsigned int failed = 0;
	bool fired = true;

	(void)state;
	for (uint64_t n = 1; fired; n++) {
		struct contract_world *w = contract_open(NULL);
		uintptr_t va = contract_map(w, 8);

		store_hostile_fail(w->hostile, STORE_ANY, n, 1, 0);
		failed += scenario(w, va);
		fired = store_hostile_fired(w->hostile) > 0;
		contract_close(w);
		assert_true(n < 200);
	}
	assert_true(failed > 0);
}

static void contract_53_a_port_that_fails_once(void **state)
{
	static const enum z_sim_point points[] = {Z_SIM_POINT_ATTACH, Z_SIM_POINT_DETACH};
	unsigned int fired = 0;

	(void)state;
	for (size_t p = 0; p < 2; p++) {
		for (uint64_t n = 1; n < 24; n++) {
			struct contract_world *w = contract_open(NULL);
			uintptr_t va = contract_map(w, 8);

			z_sim_inject(w->sim, points[p], n, 1, p == 0 ? Z_ERR_NOMEM : Z_ERR_BUSY);
			(void)scenario(w, va);
			fired += z_sim_point_failed(w->sim, points[p]) > 0;
			z_sim_inject(w->sim, points[p], 0, 0, 0);
			contract_close(w);
		}
	}
	assert_true(fired > 10);
}

/* Full for good: each fault that needs a victim is refused, whatever is there stays right. */
static void contract_53_full_store_loses_nothing(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 8);

	(void)state;
	store_hostile_fail(w->hostile, STORE_GET, 1, UINT32_MAX, Z_ERR_NOSPC);
	for (size_t i = 0; i < CONTRACT_FRAMES; i++)
		contract_fill(w, contract_page(va, i), i);
	for (size_t i = CONTRACT_FRAMES; i < 8; i++) {
		assert_false(z_page_fault((void *)contract_page(va, i)));
		assert_int_equal(z_sim_entry(w->sim, contract_page(va, i)).kind, Z_ENTRY_UNTOUCHED);
		contract_check(w);
	}
	for (size_t i = 0; i < CONTRACT_FRAMES; i++)
		contract_verify(w, contract_page(va, i), i);
	store_hostile_fail(w->hostile, STORE_GET, 0, 0, 0);
	for (size_t i = CONTRACT_FRAMES; i < 8; i++)
		contract_fill(w, contract_page(va, i), i);
	for (size_t i = 0; i < 8; i++)
		contract_verify(w, contract_page(va, i), i);
	contract_close(w);
}

static void contract_53_read_error_page_stays_out(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 1);
	struct z_entry out;
	size_t free;

	(void)state;
	contract_fill(w, va, 1);
	contract_out(w, va);
	out = z_sim_entry(w->sim, va);
	free = z_free_page_count;
	store_hostile_fail(w->hostile, STORE_IN, 1, 3, Z_ERR_IO);
	for (unsigned int i = 0; i < 3; i++) {
		assert_false(z_page_fault((void *)va));
		assert_int_equal(z_sim_entry(w->sim, va).kind, Z_ENTRY_OUT);
		assert_int_equal(z_sim_entry(w->sim, va).loc.v, out.loc.v);
		assert_int_equal(z_free_page_count, free);
		contract_check(w);
	}
	assert_int_equal(contract_count(w, CONTRACT_FINALIZE), 0);
	contract_verify(w, va, 1);
	contract_close(w);
}

/* ---- the token in the page table ------------------------------------------------------------ */

static void contract_54_tokens_survive_the_page_table(void **state)
{
	struct contract_world *w = contract_open(NULL);
	const struct z_arch_ops *arch = z_sim_arch(w->sim);
	const struct z_env_ops *env = z_sim_env(w->sim);
	uintptr_t va = contract_map(w, 1);
	struct z_page_op op = {.va = va, .phys = z_phys(Z_PHYS_RAM_START)};
	z_key_t key = env->lock(w->sim);

	(void)state;
	for (unsigned int bit = 0; bit < 2 * sizeof(uintptr_t) * 8; bit++) {
		uintptr_t one = (uintptr_t)1 << (bit / 2);
		uintptr_t token = z_page_align_down(bit % 2 == 0 ? one : ~one);
		struct z_entry entry;

		arch->hold(w->sim, va, op.phys);
		op.loc = z_loc(token);
		arch->release(w->sim, &op, 1);
		entry = z_sim_entry(w->sim, va);
		assert_int_equal(entry.kind, Z_ENTRY_OUT);
		assert_int_equal(entry.loc.v, token);
		assert_int_equal(entry.prot, CONTRACT_RW);
	}
	op.untouched = true;
	arch->release(w->sim, &op, 1);
	env->unlock(w->sim, key);
	contract_fill(w, va, 1);
	contract_out(w, va);
	contract_verify(w, va, 1);
	contract_close(w);
}

int contract_fault(const char *name)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contract_46_the_page_comes_back),
		cmocka_unit_test(contract_47_not_mapped_is_false),
		cmocka_unit_test(contract_48_true_when_nothing_is_to_be_done),
		cmocka_unit_test(contract_48_races_cause_one_read),
		cmocka_unit_test(contract_48_soft_accessed_and_dirty),
		cmocka_unit_test(contract_49_a_violation_does_not_come_here),
		cmocka_unit_test(contract_50_interrupts_off_all_the_way),
		cmocka_unit_test(contract_51_the_timer_ticks_during_a_slow_page_in),
		cmocka_unit_test(contract_52_any_byte_of_the_page),
		cmocka_unit_test(contract_53_a_store_that_fails_once),
		cmocka_unit_test(contract_53_a_port_that_fails_once),
		cmocka_unit_test(contract_53_full_store_loses_nothing),
		cmocka_unit_test(contract_53_read_error_page_stays_out),
		cmocka_unit_test(contract_54_tokens_survive_the_page_table),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
