/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy_stolen_in_batch.c - a page that is leaving with its clean copy must not lose the copy's place to
 * the next page of the same batch.
 *
 * A store that finds clean copies by the BACKED flags of frames, as one written against the specified
 * functions may, saw the flag of a page that had been given its location again and was on its way
 * out: it handed the location to a second page. The flag goes when the location is asked for now.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sim_world.h"

/* One slot. */
struct one {
	struct z_store store;
	struct z_page_frame *copy_in; /* the frame that was filled from it */
	bool used;
	unsigned char page[CONFIG_MMU_PAGE_SIZE];
};

static int one_get(struct z_store *store, struct z_page_frame *pf, enum z_store_want want,
		   z_loc_t *loc_out)
{
	struct one *one = (struct one *)store;

	(void)want;
	if (!z_page_frame_is_backed(pf) && one->used) {
		if (one->copy_in == NULL || !z_page_frame_is_backed(one->copy_in)) {
			return Z_ERR_NOSPC;
		}
		z_page_frame_backed_clear(one->copy_in);
		one->copy_in = NULL;
	}
	one->used = true;
	*loc_out = z_loc(0);
	return 0;
}

static void one_free(struct z_store *store, z_loc_t loc)
{
	(void)loc;
	((struct one *)store)->used = false;
}

static int one_out(struct z_store *store, z_loc_t loc, const void *page)
{
	(void)loc;
	memcpy(((struct one *)store)->page, page, Z_PAGE_SIZE);
	return 0;
}

static int one_in(struct z_store *store, z_loc_t loc, void *page)
{
	(void)loc;
	memcpy(page, ((struct one *)store)->page, Z_PAGE_SIZE);
	return 0;
}

static void one_finalize(struct z_store *store, struct z_page_frame *pf, z_loc_t loc)
{
	(void)loc;
	((struct one *)store)->copy_in = pf;
	z_page_frame_backed_set(pf);
}

static void one_stats(struct z_store *store, struct z_store_stats *out)
{
	*out = (struct z_store_stats){.capacity_pages = 1,
				      .used_pages = ((struct one *)store)->used ? 1 : 0};
}

static void one_close(struct z_store *store)
{
	(void)store;
}

static const struct z_store_ops one_ops = {
	.name = "one",
	.location_get = one_get,
	.location_free = one_free,
	.page_out = one_out,
	.page_in = one_in,
	.page_finalize = one_finalize,
	.stats = one_stats,
	.close = one_close,
};

static void copy_stolen_in_batch(void **state)
{
	struct one one = {.store = {.ops = &one_ops}};
	struct sim_world *w = sim_world_open(&(struct sim_world_params){
		.frames = 2, .batch = 2, .given_store = &one.store, .commit = Z_COMMIT_HEURISTIC});
	uintptr_t va = sim_world_map(w, 2, SIM_WORLD_RW, 0);
	size_t done = 9;

	(void)state;
	sim_world_fill(w, va, 1);
	assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
	sim_world_verify(w, va, 1);
	sim_world_fill(w, va + Z_PAGE_SIZE, 2);
	assert_true(z_page_frame_is_backed(sim_world_frame(w, va)));

	assert_int_equal(z_pager_page_out(w->pager, va, 2, &done), Z_ERR_NOSPC);
	assert_int_equal(done, 1);
	sim_world_check(w);
	assert_int_equal(sim_world_kind(w, va), Z_ENTRY_OUT);
	assert_int_equal(sim_world_kind(w, va + Z_PAGE_SIZE), Z_ENTRY_IN);
	sim_world_verify(w, va + Z_PAGE_SIZE, 2);
	sim_world_verify(w, va, 1);
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copy_stolen_in_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
