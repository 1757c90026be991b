/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_create.c - making a pager: configurations of every kind of nonsense, an algorithm that does
 * not start, an image that is mapped already; and taking a pager apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

#define FRAMES 4U

static struct sim_world *w;

static int open_world(void **state)
{
	(void)state;
	w = sim_world_open(&(struct sim_world_params){.frames = FRAMES});
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	sim_world_close(w);
	return 0;
}

static void refused(const struct z_pager_config *config)
{
	struct z_pager *pager = NULL;
	static _Alignas(64) unsigned char memory[64];

	assert_int_equal(z_pager_bytes(config), 0);
	assert_int_equal(z_pager_create(config, memory, &pager), Z_ERR_INVAL);
	assert_null(pager);
}

#define REFUSED(field, value)                                                                      \
	do {                                                                                       \
		struct z_pager_config config = w->config;                                          \
                                                                                                   \
		config.field = (value);                                                            \
		refused(&config);                                                                  \
	} while (0)

static void nonsense_is_refused(void **state)
{
	struct z_arch_ops arch = *w->config.arch;

	(void)state;
	arch.scratch_slots = 0;
	REFUSED(arch, NULL);
	REFUSED(arch, &arch);
	REFUSED(env, NULL);
	REFUSED(eviction, NULL);
	REFUSED(store, NULL);
	REFUSED(frames, NULL);
	REFUSED(nframes, 0);
	REFUSED(ram_base, SIM_WORLD_RAM + 1);
	REFUSED(vm_base, SIM_WORLD_VM + 8);
	REFUSED(vm_pages, 2);
	REFUSED(vm_pages, SIZE_MAX / Z_PAGE_SIZE);
	REFUSED(max_regions, 0);
	REFUSED(batch, 0);
	REFUSED(batch, Z_BATCH_MAX + 1);
	REFUSED(reserve_batch, Z_RESERVE_MAX + 1);
	REFUSED(ghosts, 3);
	REFUSED(events, 6);
}

static void at_most_64_banks(void **state)
{
	struct z_pager_config config = w->config;

	(void)state;
	config.nframes = 130;
	config.frames_per_bank = 2;
	refused(&config);
	config.nframes = 128;
	assert_int_not_equal(z_pager_bytes(&config), 0);
	config.frames_per_bank = 0;
	assert_int_not_equal(z_pager_bytes(&config), 0);
}

static size_t no_state(uint32_t nframes)
{
	(void)nframes;
	return 0;
}

static int init_fails(void *state, const struct z_eviction_host *host)
{
	(void)state;
	(void)host;
	return Z_ERR_NOTSUP;
}

static void an_algorithm_that_does_not_start(void **state)
{
	static const struct z_eviction_ops ops = {
		.name = "broken", .state_bytes = no_state, .init = init_fails};
	struct sim_world *broken = NULL;

	(void)state;
	assert_int_equal(
		sim_world_try_open(&(struct sim_world_params){.eviction_ops = &ops}, &broken),
		Z_ERR_NOTSUP);
	assert_null(broken);
}

/* ---- an image ---------------------------------------------------------------------------- */

/* The port maps page i of the image to frame i, as start-up code does. */
static void map_image(struct z_sim *sim, size_t pages)
{
	const struct z_arch_ops *arch = z_sim_arch(sim);
	z_key_t key = z_sim_env(sim)->lock(sim);

	assert_int_equal(arch->map(sim, SIM_WORLD_VM + Z_PAGE_SIZE, pages, SIM_WORLD_RW), 0);
	for (size_t i = 0; i < pages; i++) {
		struct z_page_op op = {.va = SIM_WORLD_VM + (i + 1) * Z_PAGE_SIZE,
				       .phys = z_phys(SIM_WORLD_RAM + i * Z_PAGE_SIZE)};

		arch->hold(sim, op.va, op.phys);
		assert_int_equal(arch->attach(sim, &op, 1, Z_ATTACH_DIRTY), 0);
		memset(z_sim_frame_data(sim, op.phys), (int)i + 1, Z_PAGE_SIZE);
	}
	z_sim_env(sim)->unlock(sim, key);
}

static void an_image_is_taken_over(void **state)
{
	struct sim_world *image = sim_world_open(&(struct sim_world_params){.frames = FRAMES});
	struct z_pager_config config = image->config;
	struct z_page_frame frames[FRAMES] = {{0}};
	uintptr_t va = SIM_WORLD_VM + Z_PAGE_SIZE;
	struct z_pager *pager = NULL;
	unsigned char byte = 0;
	size_t free_count = 0;
	struct z_stats s;
	void *memory;

	(void)state;
	map_image(image->sim, 3);
	config.frames = frames;
	config.image_va = va;
	config.image_pages = 3;
	config.free_count = &free_count;
	for (size_t i = 0; i < 3; i++) {
		frames[i].flags = Z_PAGE_FRAME_MAPPED;
		frames[i].addr = (void *)(va + i * Z_PAGE_SIZE);
	}
	frames[0].flags |= Z_PAGE_FRAME_PINNED;
	memory = aligned_alloc(64, (z_pager_bytes(&config) + 63) / 64 * 64);
	memset(memory, 0, z_pager_bytes(&config));
	assert_int_equal(z_pager_create(&config, memory, &pager), 0);
	z_sim_attach_pager(image->sim, pager);

	assert_int_equal(z_pager_check(pager, Z_CHECK_CONTENTS, NULL), 0);
	assert_int_equal(free_count, 1);
	z_pager_stats(pager, &s);
	assert_int_equal(s.frames_resident, 3);
	assert_int_equal(s.pages_pinned, 1);
	assert_int_equal(s.pages_mapped, 3);
	assert_int_equal(z_pager_page_out(pager, va, 1, NULL), Z_ERR_BUSY);
	assert_int_equal(z_pager_page_out(pager, va + Z_PAGE_SIZE, 2, NULL), 0);
	assert_int_equal(free_count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(z_sim_read(image->sim, va + i * Z_PAGE_SIZE, &byte, 1), Z_SIM_OK);
		assert_int_equal(byte, i + 1);
	}
	assert_int_equal(z_pager_destroy(pager), Z_ERR_BUSY);
	assert_int_equal(z_pager_unpin(pager, va, 1), 0);
	assert_int_equal(z_pager_destroy(pager), 0);
	assert_int_equal(free_count, FRAMES);
	free(memory);
	z_sim_attach_pager(image->sim, image->pager);
	sim_world_close(image);
}

/* ---- the end ----------------------------------------------------------------------------- */

static void destroy_wants_no_pins(void **state)
{
	uintptr_t va = sim_world_map(w, 3, SIM_WORLD_RW, 0);

	(void)state;
	sim_world_fill(w, va, 1);
	assert_int_equal(z_pager_pin(w->pager, va + Z_PAGE_SIZE, 1), 0);
	assert_int_equal(z_pager_destroy(w->pager), Z_ERR_BUSY);
	assert_true(z_pager_is_mapped(w->pager, va, 3));
	sim_world_verify(w, va, 1);
	assert_int_equal(z_pager_unpin(w->pager, va + Z_PAGE_SIZE, 1), 0);
	assert_int_equal(z_pager_destroy(w->pager), 0);
	assert_int_equal(sim_world_stats(w).pages_mapped, 0);
	assert_int_equal(sim_world_store_stats(w).used_pages, 0);
}

static int destroy_result;

static void destroy_task(struct z_sim *sim, void *arg)
{
	(void)sim;
	(void)arg;
	destroy_result = z_pager_destroy(w->pager);
}

static void fault_task(struct z_sim *sim, void *arg)
{
	uint64_t value;

	(void)z_sim_load64(sim, *(uintptr_t *)arg, &value);
}

/* Another context in the middle of a transfer: BUSY, nothing changed. */
static void destroy_wants_nobody_inside(void **state)
{
	struct sim_world_params params = {.frames = 2, .cpus = 2, .switch_percent = 50};
	bool was_busy = false;
	bool was_done = false;

	(void)state;
	for (uint64_t seed = 1; seed < 60; seed++) {
		struct sim_world *two = sim_world_open(&params);
		uintptr_t va = sim_world_map(two, 4, SIM_WORLD_RW, 0);
		struct z_sim_task tasks[] = {{fault_task, &va}, {destroy_task, NULL}};
		struct sim_world *outer = w;

		for (size_t i = 0; i < 4; i++) {
			sim_world_fill(two, va + i * Z_PAGE_SIZE, i);
		}
		w = two;
		assert_int_equal(z_sim_run(two->sim, tasks, 2, seed), 0);
		w = outer;
		assert_true(destroy_result == 0 || destroy_result == Z_ERR_BUSY);
		was_busy = was_busy || destroy_result == Z_ERR_BUSY;
		was_done = was_done || destroy_result == 0;
		assert_int_equal(sim_world_stats(two).pages_mapped, destroy_result == 0 ? 0 : 4);
		sim_world_close(two);
	}
	assert_true(was_busy && was_done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nonsense_is_refused, open_world, close_world),
		cmocka_unit_test_setup_teardown(at_most_64_banks, open_world, close_world),
		cmocka_unit_test(an_algorithm_that_does_not_start),
		cmocka_unit_test(an_image_is_taken_over),
		cmocka_unit_test_setup_teardown(destroy_wants_no_pins, open_world, close_world),
		cmocka_unit_test_setup_teardown(destroy_wants_nobody_inside, open_world,
						close_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
