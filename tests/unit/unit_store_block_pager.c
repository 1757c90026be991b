/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_block_pager.c - a store on a block device under a pager on the simulated machine: image
 * pages beside others, and a device that fails once, at each place in turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_world.h"
#include "store_device.h"
#include "store_fixture.h"

#define IMAGE 5U  /* pages */
#define SLOTS 12U /* pages behind the image */

struct fixture {
	struct store_budget budget;
	struct z_store_env env;
	struct store_device *device;
	unsigned char *page;
	unsigned char *other;
};

static uint64_t image_seed(size_t i)
{
	return 1000 + i;
}

static z_loc_t image_loc(size_t i)
{
	return z_loc(i * Z_PAGE_SIZE);
}

static void assert_image(struct store_device *device, unsigned char *expected)
{
	for (size_t i = 0; i < IMAGE; i++) {
		store_page_fill(expected, PAGE_RANDOM, image_seed(i));
		assert_memory_equal(store_device_page(device, i), expected, Z_PAGE_SIZE);
	}
}

#define FRAMES 4U
#define OTHERS (SLOTS + FRAMES - 1 - IMAGE) /* as many other pages as a strict pager maps */

/* The pages of the image, mapped: their entries say where they are, nothing has been read. */
static uintptr_t map_image(struct sim_world *w, unsigned int prot)
{
	uintptr_t va = 0;

	assert_int_equal(z_pager_map_stored(w->pager, IMAGE, prot, 0, image_loc(0), &va), 0);
	return va;
}

/* The same with the right to write, which z_pager_map_stored refuses. */
static uintptr_t map_image_against_the_contract(struct sim_world *w, unsigned int prot)
{
	const struct z_arch_ops *arch = z_sim_arch(w->sim);
	uintptr_t va = sim_world_map(w, IMAGE, prot, 0);
	z_key_t key = z_sim_env(w->sim)->lock(w->sim);

	for (size_t i = 0; i < IMAGE; i++) {
		struct z_page_op op = {.va = va + i * Z_PAGE_SIZE, .loc = image_loc(i)};

		op.phys = z_phys(SIM_WORLD_RAM + (FRAMES - 1) * Z_PAGE_SIZE);
		arch->hold(w->sim, op.va, op.phys);
		arch->release(w->sim, &op, 1);
	}
	z_sim_env(w->sim)->unlock(w->sim, key);
	return va;
}

static struct sim_world *open_world(struct fixture *f)
{
	const struct z_block_options options = {
		.image_pages = IMAGE, .keep_copies = true, .checksums = true};
	struct z_store *store = NULL;

	f->device = store_device_open(IMAGE + SLOTS, false);
	for (uint64_t i = 0; i < IMAGE; i++) {
		store_page_fill(store_device_page(f->device, i), PAGE_RANDOM, image_seed(i));
	}
	assert_int_equal(z_block_store_open(&f->env, &f->device->device, &options, &store), 0);
	return sim_world_open(&(struct sim_world_params){.frames = FRAMES, .given_store = store});
}

/* The store ends with the world. */
static void close_world(struct fixture *f, struct sim_world *w)
{
	sim_world_close(w);
	assert_image(f->device, f->other);
	store_device_close(f->device);
	f->device = NULL;
}

static void assert_image_at(struct fixture *f, struct sim_world *w, uintptr_t va, size_t i)
{
	assert_int_equal(z_sim_read(w->sim, va + i * Z_PAGE_SIZE, f->page, Z_PAGE_SIZE), Z_SIM_OK);
	store_page_fill(f->other, PAGE_RANDOM, image_seed(i));
	assert_memory_equal(f->page, f->other, Z_PAGE_SIZE);
}

static void test_image_pages_come_and_go_without_a_write(void **state)
{
	struct fixture *f = *state;
	struct sim_world *w = open_world(f);
	uintptr_t va = map_image(w, Z_ACCESS_READ | Z_ACCESS_EXEC);

	sim_world_check(w);
	for (size_t round = 0; round < 4; round++) {
		for (size_t i = 0; i < IMAGE; i++) {
			assert_image_at(f, w, va, i);
			sim_world_check(w);
		}
	}
	sim_world_check_contents(w);
	assert_true(sim_world_stats(w).pages_read > FRAMES * 4);
	assert_int_equal(sim_world_stats(w).pages_written, 0);
	assert_int_equal(atomic_load(&f->device->calls[STORE_DEVICE_WRITE]), 0);
	close_world(f, w);
}

static void test_image_beside_other_pages(void **state)
{
	struct fixture *f = *state;
	struct sim_world *w = open_world(f);
	uintptr_t image = map_image(w, Z_ACCESS_READ);
	uintptr_t va = sim_world_map(w, OTHERS, SIM_WORLD_RW, 0);

	for (uint64_t round = 1; round < 6; round++) {
		for (size_t i = 0; i < OTHERS; i++) {
			if (round > 1) {
				sim_world_verify(w, va + i * Z_PAGE_SIZE, round - 1);
			}
			sim_world_fill(w, va + i * Z_PAGE_SIZE, round);
			assert_image_at(f, w, image, i % IMAGE);
			sim_world_check(w);
		}
	}
	sim_world_check_contents(w);
	close_world(f, w);
}

/* Against the contract: mapped with the right to write. Nothing is lost, and nothing overwritten. */
static void test_a_written_image_page_gets_a_place_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct sim_world *w = open_world(f);
	uintptr_t va = map_image_against_the_contract(w, SIM_WORLD_RW);

	assert_image_at(f, w, va, 1);
	sim_world_fill(w, va + Z_PAGE_SIZE, 42);
	assert_int_equal(z_pager_page_out(w->pager, va + Z_PAGE_SIZE, 1, NULL), Z_ERR_BUSY);
	sim_world_check(w);
	assert_int_equal(sim_world_kind(w, va + Z_PAGE_SIZE), Z_ENTRY_IN);
	assert_int_equal(z_pager_page_out(w->pager, va + Z_PAGE_SIZE, 1, NULL), 0);
	assert_int_equal(sim_world_kind(w, va + Z_PAGE_SIZE), Z_ENTRY_OUT);
	assert_image(f->device, f->other);
	for (size_t i = 0; i < IMAGE; i++) {
		if (i != 1) {
			assert_image_at(f, w, va, i);
		}
	}
	sim_world_verify(w, va + Z_PAGE_SIZE, 42);
	close_world(f, w);
}

static void test_what_would_change_the_image_is_refused(void **state)
{
	struct fixture *f = *state;
	struct sim_world *w = open_world(f);
	uintptr_t va = map_image(w, Z_ACCESS_READ);
	uintptr_t other = va;

	assert_int_equal(z_pager_map_stored(w->pager, 1, SIM_WORLD_RW, 0, image_loc(0), &other),
			 Z_ERR_INVAL);
	assert_int_equal(z_pager_map_stored(w->pager, 1, Z_ACCESS_READ, 0, z_loc(1), &other),
			 Z_ERR_INVAL);
	assert_int_equal(
		z_pager_map_stored(w->pager, 1, Z_ACCESS_READ, Z_MAP_FIXED, image_loc(0), &other),
		Z_ERR_BUSY);
	assert_int_equal(other, va);
	assert_int_equal(z_pager_protect(w->pager, va, IMAGE, SIM_WORLD_RW), Z_ERR_PERM);
	assert_int_equal(z_pager_advise(w->pager, va, 1, Z_ADVICE_DONTNEED), Z_ERR_PERM);
	assert_int_equal(z_pager_advise(w->pager, va, 1, Z_ADVICE_FREE), Z_ERR_PERM);
	assert_int_equal(z_pager_advise(w->pager, va, 1, Z_ADVICE_COLD), 0);
	assert_int_equal(z_pager_protect(w->pager, va, 1, Z_ACCESS_READ | Z_ACCESS_EXEC), 0);
	assert_image_at(f, w, va, 0);
	sim_world_check(w);
	/* Unmapped and mapped again it is what it was; a part of it can be mapped alone. */
	assert_int_equal(z_pager_unmap(w->pager, va, IMAGE), 0);
	other = 0;
	assert_int_equal(z_pager_map_stored(w->pager, 2, Z_ACCESS_READ, 0, image_loc(3), &other),
			 0);
	assert_int_equal(z_sim_read(w->sim, other + Z_PAGE_SIZE, f->page, Z_PAGE_SIZE), Z_SIM_OK);
	store_page_fill(f->other, PAGE_RANDOM, image_seed(4));
	assert_memory_equal(f->page, f->other, Z_PAGE_SIZE);
	close_world(f, w);
}

/* The nth read or write fails, for each n: an error or none, and the next try finds all bytes. */
static bool run_with_failure(struct fixture *f, enum store_device_op op, uint64_t nth)
{
	struct sim_world *w = open_world(f);
	uintptr_t image = map_image(w, Z_ACCESS_READ);
	uintptr_t va = sim_world_map(w, OTHERS, SIM_WORLD_RW, 0);
	uint64_t errors = 0;
	bool fired;

	store_device_fail(f->device, op, nth, Z_ERR_IO);
	for (uint64_t i = 0; i < 3 * OTHERS; i++) {
		uintptr_t at = va + i % OTHERS * Z_PAGE_SIZE;
		uint64_t value = 0;

		if (i >= OTHERS) {
			while (z_sim_load64(w->sim, at, &value) != Z_SIM_OK) {
				assert_true(++errors < 2);
				sim_world_check(w);
			}
			assert_int_equal(value, i - OTHERS);
		}
		while (z_sim_store64(w->sim, at, i) != Z_SIM_OK) {
			assert_true(++errors < 2);
			sim_world_check(w);
		}
		while (z_sim_load64(w->sim, image + i % IMAGE * Z_PAGE_SIZE, &value) != Z_SIM_OK) {
			assert_true(++errors < 2);
			sim_world_check(w);
		}
		assert_image_at(f, w, image, i % IMAGE);
	}
	fired = atomic_load(&f->device->calls[op]) >= nth;
	store_device_fail(f->device, op, 0, 0);
	/* A failed write is answered by another victim, a failed read by the fault's error. */
	assert_int_equal(errors, fired && op == STORE_DEVICE_READ ? 1 : 0);
	close_world(f, w);
	return fired;
}

static void test_nth_failure_of_the_device(void **state)
{
	struct fixture *f = *state;

	for (unsigned int op = 0; op < STORE_DEVICE_OPS; op++) {
		uint64_t n = 1;

		while (run_with_failure(f, op, n)) {
			n++;
		}
		assert_true(n > SLOTS);
	}
}

/* ---- the suite -------------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	store_budget_init(&f->budget);
	f->env = store_budget_env(&f->budget);
	f->page = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	f->other = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	bool left = atomic_load(&f->budget.charged) != 0 || atomic_load(&f->budget.allocated) != 0;

	store_device_close(f->device);
	free(f->page);
	free(f->other);
	free(f);
	return left ? -1 : 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_image_pages_come_and_go_without_a_write),
		TEST(test_image_beside_other_pages),
		TEST(test_a_written_image_page_gets_a_place_of_its_own),
		TEST(test_what_would_change_the_image_is_refused),
		TEST(test_nth_failure_of_the_device),
	};

	return cmocka_run_group_tests_name("block_pager", tests, NULL, NULL);
}
