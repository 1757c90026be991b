/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_slots.c - unit tests of the slot allocator and of the table under it (store/slots.h, table.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../store/slots.h"
#include "store_fixture.h"

#define FRAMES 16U

struct fixture {
	struct store_budget budget;
	struct z_store_env env;
	struct z_slots slots;
	struct z_page_frame frames[FRAMES];
	uint32_t refuse_from; /* the grow hook refuses slots from this one on */
	uint32_t dropped[FRAMES];
	uint32_t drops;
};

static int grow(void *ctx, uint32_t slot)
{
	struct fixture *f = ctx;

	return slot >= f->refuse_from ? Z_ERR_NOSPC : 0;
}

static void drop(void *ctx, uint32_t slot)
{
	struct fixture *f = ctx;

	f->dropped[f->drops++] = slot;
}

static void open_slots(struct fixture *f, uint64_t capacity)
{
	static const struct z_slots_hooks hooks = {grow, drop};

	assert_int_equal(z_slots_open(&f->slots, &f->env, capacity, &hooks, f), 0);
}

static uint32_t take(struct fixture *f, struct z_page_frame *pf, enum z_store_want want)
{
	uint32_t slot = Z_SLOT_NONE;

	assert_int_equal(z_slots_get(&f->slots, pf, want, &slot, NULL), 0);
	assert_true(z_slots_in_use(&f->slots, slot));
	return slot;
}

static void refused(struct fixture *f, enum z_store_want want)
{
	uint32_t slot = 4711;

	assert_int_equal(z_slots_get(&f->slots, NULL, want, &slot, NULL), Z_ERR_NOSPC);
	assert_int_equal(slot, 4711);
	assert_int_equal(z_slots_check(&f->slots), 0);
}

static void test_capacity_makes_sense(void **state)
{
	struct fixture *f = *state;
	const uint64_t bad[] = {0, 1, (uint64_t)Z_SLOTS_MAX + 1, UINT64_MAX};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(z_slots_open(&f->slots, &f->env, bad[i], NULL, NULL), Z_ERR_INVAL);
		z_slots_close(&f->slots);
	}
	open_slots(f, 2);
}

static void test_last_slot_is_for_a_fault(void **state)
{
	struct fixture *f = *state;

	open_slots(f, 3);
	(void)take(f, NULL, Z_WANT_FOR_EVICT);
	(void)take(f, NULL, Z_WANT_FOR_EVICT);
	refused(f, Z_WANT_FOR_EVICT);
	(void)take(f, NULL, Z_WANT_FOR_FAULT);
	refused(f, Z_WANT_FOR_FAULT);
	assert_int_equal(z_slots_used(&f->slots), 3);
}

static void test_held_back_also_when_growth_is_refused(void **state)
{
	struct fixture *f = *state;
	uint32_t slot;

	f->refuse_from = 2;
	open_slots(f, 100);
	slot = take(f, NULL, Z_WANT_FOR_EVICT);
	refused(f, Z_WANT_FOR_EVICT);
	(void)take(f, NULL, Z_WANT_FOR_FAULT);
	refused(f, Z_WANT_FOR_FAULT);
	f->refuse_from = 3;
	refused(f, Z_WANT_FOR_EVICT);
	(void)take(f, NULL, Z_WANT_FOR_FAULT);
	assert_true(z_slots_put(&f->slots, slot));
	assert_int_equal(take(f, NULL, Z_WANT_FOR_FAULT), slot);
}

static void test_oldest_copy_is_stolen(void **state)
{
	struct fixture *f = *state;
	uint32_t slots[4];

	open_slots(f, 4);
	for (uint32_t i = 0; i < 4; i++) {
		slots[i] = take(f, &f->frames[i], Z_WANT_FOR_FAULT);
	}
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t n = (i + 2) % 4; /* the order 2, 3, 0, 1 */

		assert_true(z_slots_cache(&f->slots, slots[n], &f->frames[n]));
		assert_int_equal(z_page_frame_store_get(&f->frames[n]), slots[n]);
	}
	assert_int_equal(z_slots_check(&f->slots), 0);
	assert_int_equal(take(f, &f->frames[9], Z_WANT_FOR_FAULT), slots[2]);
	assert_int_equal(f->drops, 1);
	assert_int_equal(f->dropped[0], slots[2]);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(z_page_frame_is_backed(&f->frames[i]), i != 2);
	}
	assert_int_equal(f->slots.stolen, 1);
	/* For eviction two are robbed, one of them to be held back. */
	assert_int_equal(take(f, &f->frames[9], Z_WANT_FOR_EVICT), slots[0]);
	assert_int_equal(f->slots.stolen, 3);
	assert_int_equal(f->slots.free_count, 1);
	assert_true(z_page_frame_is_backed(&f->frames[1]));
	assert_int_equal(z_slots_check(&f->slots), 0);
}

static void test_renewed_is_robbed_last(void **state)
{
	struct fixture *f = *state;
	uint32_t slots[3];

	open_slots(f, 3);
	for (uint32_t i = 0; i < 3; i++) {
		slots[i] = take(f, &f->frames[i], Z_WANT_FOR_FAULT);
		assert_true(z_slots_cache(&f->slots, slots[i], &f->frames[i]));
	}
	z_slots_renew(&f->slots, slots[0]);
	z_slots_renew(&f->slots, slots[2]);
	assert_int_equal(z_slots_check(&f->slots), 0);
	assert_int_equal(take(f, NULL, Z_WANT_FOR_FAULT), slots[1]);
	assert_int_equal(take(f, NULL, Z_WANT_FOR_FAULT), slots[0]);
	assert_true(z_page_frame_is_backed(&f->frames[2]));
	assert_int_equal(z_slots_check(&f->slots), 0);
}

static void test_refusal_robs_nobody(void **state)
{
	struct fixture *f = *state;
	uint32_t slot;

	open_slots(f, 2);
	(void)take(f, NULL, Z_WANT_FOR_FAULT);
	slot = take(f, &f->frames[0], Z_WANT_FOR_FAULT);
	assert_true(z_slots_cache(&f->slots, slot, &f->frames[0]));
	refused(f, Z_WANT_FOR_EVICT);
	assert_true(z_page_frame_is_backed(&f->frames[0]));
	assert_int_equal(take(f, NULL, Z_WANT_FOR_FAULT), slot);
	assert_false(z_page_frame_is_backed(&f->frames[0]));
}

static void test_backed_frame_gets_its_own(void **state)
{
	struct fixture *f = *state;
	uint32_t mine;
	uint32_t again = 0;
	bool is_again = false;

	open_slots(f, 8);
	(void)take(f, NULL, Z_WANT_FOR_EVICT);
	mine = take(f, &f->frames[3], Z_WANT_FOR_EVICT);
	assert_true(z_slots_cache(&f->slots, mine, &f->frames[3]));
	assert_int_equal(z_slots_get(&f->slots, &f->frames[3], Z_WANT_FOR_EVICT, &again, &is_again),
			 0);
	assert_true(is_again);
	assert_int_equal(again, mine);
	assert_int_equal(f->slots.cached_count, 0);
	/* Still BACKED: asked again, the same again, and now it can be no victim. */
	assert_int_equal(take(f, &f->frames[3], Z_WANT_FOR_EVICT), mine);
	assert_false(z_slots_steal(&f->slots));
	assert_int_equal(z_slots_check(&f->slots), 0);
}

static void test_freeing_a_copy_clears_backed(void **state)
{
	struct fixture *f = *state;
	uint32_t slot;

	open_slots(f, 8);
	slot = take(f, &f->frames[3], Z_WANT_FOR_EVICT);
	assert_true(z_slots_cache(&f->slots, slot, &f->frames[3]));
	assert_true(z_slots_put(&f->slots, slot));
	assert_false(z_page_frame_is_backed(&f->frames[3]));
	assert_int_equal(z_slots_check(&f->slots), 0);
	assert_int_equal(z_slots_used(&f->slots), 0);
}

static void test_frame_out_of_reach_is_not_cached(void **state)
{
	struct fixture *f = *state;
	uintptr_t far = (uintptr_t)&f->frames[0] + ((uintptr_t)5 << 30);
	uint32_t a;
	uint32_t b;

	open_slots(f, 8);
	a = take(f, &f->frames[0], Z_WANT_FOR_EVICT);
	b = take(f, &f->frames[1], Z_WANT_FOR_EVICT);
	assert_true(z_slots_cache(&f->slots, a, &f->frames[0]));
	assert_false(z_slots_cache(&f->slots, b, (struct z_page_frame *)far));
	assert_true(z_slots_put(&f->slots, b));
	assert_int_equal(z_slots_check(&f->slots), 0);
}

/* Each kind of misuse, on slots of its own: it is reported from then on, and changes nothing. */
static void test_misuse_is_reported(void **state)
{
	struct fixture *f = *state;

	for (unsigned int kind = 0; kind < 5; kind++) {
		uint32_t slot;

		open_slots(f, 8);
		slot = take(f, &f->frames[kind], Z_WANT_FOR_EVICT);
		assert_int_equal(z_slots_check(&f->slots), 0);
		if (kind == 0) {
			assert_true(z_slots_put(&f->slots, slot));
			assert_false(z_slots_put(&f->slots, slot));
		} else if (kind == 1) {
			assert_false(z_slots_put(&f->slots, 7));
		} else if (kind == 2) {
			assert_false(z_slots_put(&f->slots, Z_SLOT_NONE));
		} else if (kind == 3) {
			assert_true(z_slots_put(&f->slots, slot));
			assert_false(z_slots_cache(&f->slots, slot, &f->frames[kind]));
		} else {
			z_page_frame_backed_set(&f->frames[kind]);
			z_page_frame_store_set(&f->frames[kind], 7);
			(void)take(f, &f->frames[kind], Z_WANT_FOR_EVICT);
		}
		assert_int_not_equal(z_slots_check(&f->slots), 0);
		z_slots_close(&f->slots);
	}
	open_slots(f, 8);
}

static void test_check_sees_damage(void **state)
{
	struct fixture *f = *state;
	uint32_t slot;

	open_slots(f, 8);
	slot = take(f, &f->frames[0], Z_WANT_FOR_EVICT);
	assert_true(z_slots_cache(&f->slots, slot, &f->frames[0]));
	z_page_frame_backed_clear(&f->frames[0]);
	assert_int_not_equal(z_slots_check(&f->slots), 0);
	z_page_frame_backed_set(&f->frames[0]);
	assert_int_equal(z_slots_check(&f->slots), 0);
	z_page_frame_store_set(&f->frames[0], slot + 1);
	assert_int_not_equal(z_slots_check(&f->slots), 0);
	z_page_frame_store_set(&f->frames[0], slot);
	f->slots.free_count++;
	assert_int_not_equal(z_slots_check(&f->slots), 0);
	f->slots.free_count--;
	assert_int_equal(z_slots_check(&f->slots), 0);
}

/* A store of 16 TiB takes a few pages of RAM, until it is used. */
static void test_metadata_is_lazy_and_charged(void **state)
{
	struct fixture *f = *state;
	size_t at_first;

	open_slots(f, Z_SLOTS_MAX);
	assert_true(f->slots.table.pages * Z_PAGE_SIZE <= 64U * 1024U);
	assert_int_equal(f->slots.table.pages, atomic_load(&f->budget.charged));
	at_first = f->slots.table.pages;
	for (unsigned int i = 0; i < 10000; i++) {
		(void)take(f, NULL, Z_WANT_FOR_EVICT);
	}
	assert_true(f->slots.table.pages - at_first >= 10000U * 12U / Z_PAGE_SIZE);
	assert_true((f->slots.table.pages - at_first) * Z_PAGE_SIZE <= 11264U * 12U + Z_PAGE_SIZE);
	assert_int_equal(f->slots.table.pages, atomic_load(&f->budget.charged));
}

static void test_budget_used_up_by_metadata(void **state)
{
	struct fixture *f = *state;
	uint32_t n = 0;
	uint32_t slot;

	open_slots(f, 1U << 20);
	f->budget.limit_pages = atomic_load(&f->budget.charged) + 4U; /* a node and one leaf */
	while (z_slots_get(&f->slots, NULL, Z_WANT_FOR_EVICT, &slot, NULL) == 0) {
		n++;
	}
	assert_int_equal(n, Z_TABLE_LEAF - 1U);
	(void)take(f, NULL, Z_WANT_FOR_FAULT);
	refused(f, Z_WANT_FOR_FAULT);
}

static void test_no_memory_at_open(void **state)
{
	struct fixture *f = *state;

	atomic_store(&f->budget.allocs_left, 0);
	assert_int_equal(z_slots_open(&f->slots, &f->env, 8, NULL, NULL), Z_ERR_NOMEM);
	assert_int_equal(atomic_load(&f->budget.charged), 0);
}

static void test_tokens(void **state)
{
	(void)state;
	assert_int_equal(z_slot_loc(0).v, 0);
	assert_int_equal(z_slot_loc(3).v, 3 * Z_PAGE_SIZE);
	assert_int_equal(z_loc_slot(z_loc(3 * Z_PAGE_SIZE)), 3);
	assert_int_equal(z_loc_slot(z_loc(3 * Z_PAGE_SIZE + 1)), Z_SLOT_NONE);
	assert_int_equal(z_loc_slot(z_loc(UINTPTR_MAX & ~Z_PAGE_MASK)), Z_SLOT_NONE);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	store_budget_init(&f->budget);
	f->env = store_budget_env(&f->budget);
	f->refuse_from = UINT32_MAX;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	size_t left;

	z_slots_close(&f->slots);
	left = atomic_load(&f->budget.charged) + atomic_load(&f->budget.allocated);
	free(f);
	return left == 0 ? 0 : -1;
}

/* What a prepared RAM store allocated at the start is all that it ever allocates. */
static void test_prepared_store_allocates_no_more(void **state)
{
	const size_t pages = 130; /* two pieces of 64 and a short one */
	struct fixture *f = *state;
	struct z_store *ram;
	size_t allocated;
	z_loc_t loc;

	assert_int_equal(z_ram_store_open(&f->env, pages, true, &ram), 0);
	allocated = atomic_load(&f->budget.allocated);
	assert_int_equal(z_ram_store_prepare(ram), 0);
	assert_true(atomic_load(&f->budget.allocated) >= allocated + pages * Z_PAGE_SIZE);
	allocated = atomic_load(&f->budget.allocated);
	for (size_t i = 0; i < pages; i++)
		assert_int_equal(ram->ops->location_get(ram, NULL, Z_WANT_FOR_FAULT, &loc), 0);
	assert_int_equal(ram->ops->location_get(ram, NULL, Z_WANT_FOR_FAULT, &loc), Z_ERR_NOSPC);
	assert_int_equal(atomic_load(&f->budget.allocated), allocated);
	assert_int_equal(ram->ops->check(ram), 0);
	ram->ops->close(ram);
}

/* Closed at once, it gives back what it never used: the tear-down counts. */
static void test_prepared_store_gives_all_back(void **state)
{
	struct fixture *f = *state;
	struct z_store *ram;

	assert_int_equal(z_ram_store_open(&f->env, 200, true, &ram), 0);
	assert_int_equal(z_ram_store_prepare(ram), 0);
	ram->ops->close(ram);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_capacity_makes_sense),
		TEST(test_last_slot_is_for_a_fault),
		TEST(test_held_back_also_when_growth_is_refused),
		TEST(test_oldest_copy_is_stolen),
		TEST(test_renewed_is_robbed_last),
		TEST(test_refusal_robs_nobody),
		TEST(test_backed_frame_gets_its_own),
		TEST(test_freeing_a_copy_clears_backed),
		TEST(test_frame_out_of_reach_is_not_cached),
		TEST(test_misuse_is_reported),
		TEST(test_check_sees_damage),
		TEST(test_metadata_is_lazy_and_charged),
		TEST(test_budget_used_up_by_metadata),
		TEST(test_no_memory_at_open),
		TEST(test_tokens),
		TEST(test_prepared_store_allocates_no_more),
		TEST(test_prepared_store_gives_all_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
