/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b41_wide_locations.c - HAZARDS B41: locations wider than 32 bits were cut off. A store around the RAM
 * store gives locations beyond 2^40.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"

#define BEYOND ((uintptr_t)1 << 41)

struct wide {
	struct z_store store;
	struct z_store *inner;
};

static struct wide wide;

static int wide_get(struct z_store *s, struct z_page_frame *pf, enum z_store_want want,
		    z_loc_t *loc_out)
{
	int err = wide.inner->ops->location_get(wide.inner, pf, want, loc_out);

	(void)s;
	loc_out->v += err == 0 ? BEYOND : 0;
	return err;
}

static z_loc_t narrow(z_loc_t loc)
{
	assert_true(loc.v >= BEYOND);
	return z_loc(loc.v - BEYOND);
}

static void wide_free(struct z_store *s, z_loc_t loc)
{
	(void)s;
	wide.inner->ops->location_free(wide.inner, narrow(loc));
}

static int wide_out(struct z_store *s, z_loc_t loc, const void *page)
{
	(void)s;
	return wide.inner->ops->page_out(wide.inner, narrow(loc), page);
}

static int wide_in(struct z_store *s, z_loc_t loc, void *page)
{
	(void)s;
	return wide.inner->ops->page_in(wide.inner, narrow(loc), page);
}

static void wide_finalize(struct z_store *s, struct z_page_frame *pf, z_loc_t loc)
{
	(void)s;
	wide.inner->ops->page_finalize(wide.inner, pf, narrow(loc));
}

static void wide_stats(struct z_store *s, struct z_store_stats *out)
{
	(void)s;
	wide.inner->ops->stats(wide.inner, out);
}

static int wide_check(struct z_store *s)
{
	(void)s;
	return wide.inner->ops->check(wide.inner);
}

static void wide_close(struct z_store *s)
{
	(void)s;
	wide.inner->ops->close(wide.inner);
}

static const struct z_store_ops wide_ops = {
	.name = "wide",
	.location_get = wide_get,
	.location_free = wide_free,
	.page_out = wide_out,
	.page_in = wide_in,
	.page_finalize = wide_finalize,
	.stats = wide_stats,
	.check = wide_check,
	.close = wide_close,
};

static struct z_store *make_wide(void *arg, struct z_store *inner)
{
	(void)arg;
	wide = (struct wide){.store = *inner, .inner = inner};
	wide.store.ops = &wide_ops;
	return &wide.store;
}

static void locations_are_not_cut_off(void **state)
{
	struct sim_world *w =
		sim_world_open(&(struct sim_world_params){.frames = 3, .wrap_store = make_wide});
	uintptr_t va = sim_world_map(w, 8, SIM_WORLD_RW, 0);

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 8; i++) {
			sim_world_fill(w, va + i * Z_PAGE_SIZE, i);
		}
		for (size_t i = 0; i < 8; i++) {
			sim_world_verify(w, va + i * Z_PAGE_SIZE, i);
		}
	}
	assert_int_equal(z_pager_page_out(w->pager, va, 8, NULL), 0);
	assert_true(z_sim_entry(w->sim, va).loc.v >= BEYOND);
	sim_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locations_are_not_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
