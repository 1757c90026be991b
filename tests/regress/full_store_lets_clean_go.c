/* SPDX-License-Identifier: Apache-2.0 */
/*
 * full_store_lets_clean_go.c - a full store has no room for a dirty page, but a page that it has already
 * needs none.
 *
 * The fault failed when the algorithm named a page that the store could not take, although there was a
 * page of the image, clean and backed, that could have gone. There is one such page here, in the last
 * frame, among many that the store cannot take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim_world.h"
#include "store_device.h"
#include "store_fixture.h"

#define FRAMES 200U
#define SLOTS  4U
#define PAGES  (FRAMES - 1 + SLOTS) /* of data: with them, and the image, all is full */

static struct sim_world *open_world(struct store_device *device, struct store_budget *budget,
				    struct sim_world_params params)
{
	const struct z_block_options options = {.image_pages = 1, .keep_copies = true};
	const struct z_store_env env = store_budget_env(budget);

	store_page_fill(store_device_page(device, 0), PAGE_RANDOM, 1);
	assert_int_equal(z_block_store_open(&env, &device->device, &options, &params.given_store),
			 0);
	params.frames = FRAMES;
	params.vm_pages = 2 * FRAMES;
	return sim_world_open(&params);
}

/* Every frame in use and every slot; the image page in the last frame, pinned so far. */
static uintptr_t fill(struct sim_world *w, uintptr_t va)
{
	uintptr_t image = 0;

	assert_int_equal(z_pager_map_stored(w->pager, 1, Z_ACCESS_READ, 0, z_loc(0), &image), 0);
	for (size_t i = 0; i < PAGES; i++) {
		if (i == FRAMES - 1) {
			assert_int_equal(z_pager_pin(w->pager, image, 1), 0);
		}
		sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
	}
	assert_ptr_equal(sim_world_frame(w, image), &w->frames[FRAMES - 1]);
	assert_int_equal(z_pager_fault(w->pager, va + PAGES * Z_PAGE_SIZE, Z_ACCESS_READ),
			 Z_FAULT_NO_MEMORY);
	assert_int_equal(z_pager_unpin(w->pager, image, 1), 0);
	return image;
}

static void clean_goes(const char *eviction, bool keep_lock)
{
	struct store_device *device = store_device_open(1 + SLOTS, false);
	struct store_budget budget;
	struct sim_world *w;
	uintptr_t image;
	uintptr_t va;

	store_budget_init(&budget);
	w = open_world(
		device, &budget,
		(struct sim_world_params){.eviction = eviction, .keep_lock_for_io = keep_lock});
	va = sim_world_map(w, PAGES + 2, SIM_WORLD_RW, Z_MAP_NORESERVE);
	image = fill(w, va);

	assert_int_equal(z_sim_store64(w->sim, va + PAGES * Z_PAGE_SIZE, 1), Z_SIM_OK);
	assert_int_equal(sim_world_kind(w, image), Z_ENTRY_OUT);
	sim_world_check(w);
	/* It was the only one. */
	assert_int_equal(z_sim_store64(w->sim, va + (PAGES + 1) * Z_PAGE_SIZE, 1), Z_SIM_NO_MEMORY);
	sim_world_check(w);
	assert_int_equal(z_pager_unmap(w->pager, va + PAGES * Z_PAGE_SIZE, 2), 0);
	for (size_t i = 0; i < PAGES; i++) {
		sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
	}
	sim_world_close(w);
	store_device_close(device);
}

static void a_full_store_lets_clean_pages_go(void **state)
{
	(void)state;
	for (size_t i = 0; z_eviction_at(i) != NULL; i++) {
		clean_goes(z_eviction_at(i)->name, false);
		clean_goes(z_eviction_at(i)->name, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_store_lets_clean_pages_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
