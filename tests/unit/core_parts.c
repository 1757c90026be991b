/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_parts.c - parts that are made differently: a store that takes many pages at once, a port
 * without interrupt service routines, an algorithm that offers what must not go, one that has only
 * what it must have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../core/internal.h"
#include "../support/sim_world.h"

/* ---- a store that takes many pages at once ----------------------------------------------------- */

static struct z_store_ops many_ops;
static size_t many_calls;
static size_t many_pages;
static size_t fail_from; /* of the pages of one call, the n-th and every second after it fails */

static size_t out_many(struct z_store *store, struct z_store_io *ios, size_t n)
{
	size_t failed = 0;

	many_calls++;
	many_pages += n;
	for (size_t i = 0; i < n; i++) {
		bool fails = fail_from > 0 && i + 1 >= fail_from && (i + 1 - fail_from) % 2 == 0;

		ios[i].status =
			fails ? Z_ERR_IO : many_ops.page_out(store, ios[i].loc, ios[i].page);
		failed += ios[i].status != Z_OK;
	}
	return failed;
}

static struct z_store *make_many(void *arg, struct z_store *inner)
{
	(void)arg;
	many_ops = *inner->ops;
	many_ops.page_out_many = out_many;
	inner->ops = &many_ops;
	inner->caps |= Z_STORE_BATCH;
	many_calls = 0;
	many_pages = 0;
	fail_from = 0;
	return inner;
}

#define PAGES 12U

static struct sim_world *open_many(bool direct_save, uintptr_t *va)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){
		.frames = 64, .batch = 8, .direct_save = direct_save, .wrap_store = make_many});

	*va = sim_world_map(w, PAGES, SIM_WORLD_RW, 0);
	for (uint32_t i = 0; i < PAGES; i++) {
		sim_world_fill(w, *va + i * Z_PAGE_SIZE, i);
	}
	return w;
}

static void verify_all(struct sim_world *w, uintptr_t va)
{
	for (uint32_t i = 0; i < PAGES; i++) {
		sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
	}
}

static void many_pages_in_one_call(void **state)
{
	uintptr_t va;
	struct sim_world *w = open_many(true, &va);

	(void)state;
	assert_int_equal(z_pager_page_out(w->pager, va, PAGES, NULL), 0);
	assert_int_equal(many_calls, 2);
	assert_int_equal(many_pages, PAGES);
	verify_all(w, va);
	/* Clean pages are not in the call, and one page alone takes no call of many. */
	sim_world_fill(w, va, 0);
	sim_world_fill(w, va + 3 * Z_PAGE_SIZE, 3);
	sim_world_fill(w, va + 11 * Z_PAGE_SIZE, 11);
	assert_int_equal(z_pager_page_out(w->pager, va, PAGES, NULL), 0);
	assert_int_equal(many_calls, 3);
	assert_int_equal(many_pages, PAGES + 2);
	assert_int_equal(sim_world_stats(w).pages_dropped, PAGES - 3);
	verify_all(w, va);
	sim_world_close(w);
}

static void some_of_many_fail(void **state)
{
	(void)state;
	for (size_t from = 1; from <= 8; from++) {
		uintptr_t va;
		struct sim_world *w = open_many(true, &va);
		size_t done = 0;

		fail_from = from;
		assert_int_equal(z_pager_page_out(w->pager, va, PAGES, &done), Z_ERR_IO);
		assert_int_equal(done, from - 1);
		assert_int_equal(sim_world_kind(w, va + (from - 1) * Z_PAGE_SIZE), Z_ENTRY_IN);
		sim_world_check_contents(w);
		fail_from = 0;
		verify_all(w, va);
		assert_int_equal(z_pager_page_out(w->pager, va, PAGES, NULL), 0);
		verify_all(w, va);
		sim_world_close(w);
	}
}

/* Scratch for saving takes a slot: then one page after another. */
static void not_many_without_scratch(void **state)
{
	uintptr_t va;
	struct sim_world *w = open_many(false, &va);

	(void)state;
	assert_int_equal(z_pager_page_out(w->pager, va, PAGES, NULL), 0);
	assert_int_equal(many_calls, 0);
	verify_all(w, va);
	sim_world_close(w);
}

/* ---- a port without interrupt service routines and clock --------------------------------------- */

static void a_port_without_isrs_and_clock(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 4});
	struct z_env_ops env = *w->config.env;
	struct z_pager_config config = w->config;
	struct z_page_frame frames[4] = {{0}};
	struct z_pager *pager = NULL;
	uintptr_t va = 0;
	struct z_stats s;
	void *memory;

	(void)state;
	env.in_isr = NULL;
	env.irqs_locked = NULL;
	env.now = NULL;
	config.env = &env;
	config.frames = frames;
	memory = aligned_alloc(64, (z_pager_bytes(&config) + 63) / 64 * 64);
	memset(memory, 0, z_pager_bytes(&config));
	assert_int_equal(z_pager_create(&config, memory, &pager), 0);
	assert_int_equal(z_pager_map(pager, 2, SIM_WORLD_RW, 0, 1, &va), 0);
	assert_int_equal(z_pager_fault(pager, va, Z_ACCESS_WRITE), Z_FAULT_RESOLVED);
	assert_int_equal(z_pager_evict_frame(pager, z_phys(SIM_WORLD_RAM)), 0);
	z_pager_stats(pager, &s);
	assert_int_equal(s.pagefaults_irq_unlocked, 1);
	assert_int_equal(s.fault_ns, 0);
	assert_int_equal(s.pages_written, 1);
	assert_int_equal(z_pager_destroy(pager), 0);
	free(memory);
	sim_world_close(w);
}

/* ---- odd algorithms ---------------------------------------------------------------------------- */

struct odd {
	const struct z_eviction_host *host;
	struct z_page_frame *offer;
};

static struct z_page_frame *offered;

static size_t odd_bytes(uint32_t nframes)
{
	(void)nframes;
	return sizeof(struct odd);
}

static int odd_init(void *state, const struct z_eviction_host *host)
{
	((struct odd *)state)->host = host;
	return 0;
}

static struct z_page_frame *odd_select(void *state)
{
	(void)state;
	return offered;
}

static void odd_add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	(void)state;
	(void)pf;
	(void)reason;
}

static void odd_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	(void)state;
	(void)pf;
	(void)reason;
}

/* Only what it must have: no accessed, refault, advise, check. */
static const struct z_eviction_ops odd_ops = {
	.name = "odd",
	.state_bytes = odd_bytes,
	.init = odd_init,
	.select = odd_select,
	.add = odd_add,
	.remove = odd_remove,
};

static void what_must_not_go_is_not_taken(void **state)
{
	struct sim_world *w = sim_world_open(&(struct sim_world_params){
		.frames = 2, .eviction_ops = &odd_ops, .ghosts = 8, .soft_ad = true});
	uintptr_t va = sim_world_map(w, 3, SIM_WORLD_RW, 0);

	(void)state;
	offered = NULL;
	sim_world_fill(w, va, 0);
	sim_world_fill(w, va + Z_PAGE_SIZE, 1);
	assert_int_equal(z_pager_fault(w->pager, va + 2 * Z_PAGE_SIZE, Z_ACCESS_READ),
			 Z_FAULT_NO_MEMORY);
	assert_int_equal(z_pager_pin(w->pager, va, 1), 0);
	offered = sim_world_frame(w, va);
	assert_int_equal(z_pager_fault(w->pager, va + 2 * Z_PAGE_SIZE, Z_ACCESS_READ),
			 Z_FAULT_NO_MEMORY);
	assert_int_equal(z_pager_advise(w->pager, va, 3, Z_ADVICE_SEQUENTIAL), 0);
	assert_int_equal(z_pager_unpin(w->pager, va, 1), 0);
	sim_world_fill(w, va + 2 * Z_PAGE_SIZE, 2);
	assert_int_equal(sim_world_kind(w, va), Z_ENTRY_OUT);
	offered = sim_world_frame(w, va + Z_PAGE_SIZE);
	sim_world_verify(w, va, 0);
	assert_int_equal(sim_world_stats(w).refaults, 1);
	sim_world_check_contents(w);
	offered = sim_world_frame(w, va);
	sim_world_verify(w, va + Z_PAGE_SIZE, 1);
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_pages_in_one_call),
		cmocka_unit_test(some_of_many_fail),
		cmocka_unit_test(not_many_without_scratch),
		cmocka_unit_test(a_port_without_isrs_and_clock),
		cmocka_unit_test(what_must_not_go_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
