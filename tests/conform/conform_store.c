/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conform_store.c - what every store promises (include/zpager/store.h), tried on every store.
 *
 * One table of tests times one table of configurations (tests/support/store_fixture.c). Each test
 * opens its store anew and finds, after close, that memory and budget are where they were. The model
 * test prints its seed; ZPAGER_STORE_SEED=n runs it again with that one.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

#define FRAMES 2048U
#define CANARY ((uintptr_t)0xdeadbeef)

struct fixture {
	const struct store_config *config;
	struct store_budget budget;
	struct z_store *store;
	struct z_page_frame *frames; /* FRAMES of them, all MAPPED */
	z_loc_t *locs;
	unsigned char *page;
	unsigned char *other;
	char name[80];
};

/* ---- short forms ------------------------------------------------------------------------------ */

static int get(struct fixture *f, struct z_page_frame *pf, enum z_store_want want, z_loc_t *loc)
{
	return f->store->ops->location_get(f->store, pf, want, loc);
}

static void out(struct fixture *f, z_loc_t loc, enum store_page_kind kind, uint64_t seed)
{
	store_page_fill(f->page, kind, seed);
	assert_int_equal(f->store->ops->page_out(f->store, loc, f->page), 0);
}

static void in(struct fixture *f, z_loc_t loc, enum store_page_kind kind, uint64_t seed)
{
	memset(f->page, 0xa5, Z_PAGE_SIZE);
	store_page_fill(f->other, kind, seed);
	assert_int_equal(f->store->ops->page_in(f->store, loc, f->page), 0);
	assert_memory_equal(f->page, f->other, Z_PAGE_SIZE);
}

static void finalize(struct fixture *f, struct z_page_frame *pf, z_loc_t loc)
{
	f->store->ops->page_finalize(f->store, pf, loc);
}

static void check(struct fixture *f)
{
	assert_int_equal(f->store->ops->check(f->store), 0);
}

static struct z_store_stats stats(struct fixture *f)
{
	struct z_store_stats s;

	f->store->ops->stats(f->store, &s);
	s.used_pages -= store_config_image(f->config);
	s.stored_bytes -= store_config_image(f->config) * Z_PAGE_SIZE;
	return s;
}

static bool keeps_copies(const struct fixture *f)
{
	return (f->store->caps & Z_STORE_KEEPS_COPY) != 0;
}

/* Take locations for eviction and fill them with random pages until there are no more. */
static size_t fill_store(struct fixture *f)
{
	size_t n = 0;
	z_loc_t loc = z_loc(CANARY);

	while (get(f, &f->frames[n], Z_WANT_FOR_EVICT, &loc) == 0) {
		assert_true(n < FRAMES - 2);
		f->locs[n] = loc;
		out(f, loc, PAGE_RANDOM, n);
		n++;
		loc = z_loc(CANARY);
	}
	assert_true(loc.v == CANARY);
	return n;
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void test_round_trip_of_each_kind(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc;

	for (uint64_t seed = 0; seed < 20; seed++) {
		for (unsigned int kind = 0; kind < PAGE_KINDS; kind++) {
			assert_int_equal(get(f, &f->frames[0], Z_WANT_FOR_EVICT, &loc), 0);
			out(f, loc, kind, seed);
			in(f, loc, kind, seed);
			in(f, loc, kind, seed);
			f->store->ops->location_free(f->store, loc);
			check(f);
		}
	}
	assert_int_equal(stats(f).used_pages, 0);
}

static void test_overwrite_with_each_kind(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc;

	assert_int_equal(get(f, &f->frames[0], Z_WANT_FOR_EVICT, &loc), 0);
	for (unsigned int before = 0; before < PAGE_KINDS; before++) {
		for (unsigned int after = 0; after < PAGE_KINDS; after++) {
			out(f, loc, before, 1);
			out(f, loc, after, 2);
			in(f, loc, after, 2);
			check(f);
		}
	}
	f->store->ops->location_free(f->store, loc);
}

static void test_tokens_are_aligned_and_unique(void **state)
{
	struct fixture *f = *state;
	size_t n = fill_store(f);

	assert_true(n + 1 >= f->config->pages);
	for (size_t i = 0; i < n; i++) {
		assert_true(z_is_page_aligned(f->locs[i].v));
		for (size_t j = 0; j < i; j++) {
			assert_true(f->locs[i].v != f->locs[j].v);
		}
	}
	assert_int_equal(stats(f).used_pages, n);
}

static void test_full_store_keeps_one_for_a_fault(void **state)
{
	struct fixture *f = *state;
	size_t n = fill_store(f);
	size_t faults = 0;
	z_loc_t loc;

	while (get(f, &f->frames[n], Z_WANT_FOR_FAULT, &f->locs[n]) == 0) {
		out(f, f->locs[n], PAGE_RANDOM, n);
		assert_true(n < FRAMES - 2);
		faults++;
		n++;
	}
	assert_true(faults >= 1);
	if (f->config->most != 0) {
		assert_int_equal(n, f->config->most);
		assert_int_equal(faults, 1);
	}
	loc = z_loc(CANARY);
	assert_int_equal(get(f, &f->frames[n], Z_WANT_FOR_FAULT, &loc), Z_ERR_NOSPC);
	assert_int_equal(get(f, NULL, Z_WANT_FOR_EVICT, &loc), Z_ERR_NOSPC);
	assert_true(loc.v == CANARY);
	check(f);
	for (size_t i = 0; i < n; i++) {
		in(f, f->locs[i], PAGE_RANDOM, i);
	}
}

static void test_freed_space_is_given_again(void **state)
{
	struct fixture *f = *state;
	size_t n = fill_store(f);
	size_t again = 0;
	z_loc_t loc;

	for (size_t i = 0; i < n; i += 2) {
		f->store->ops->location_free(f->store, f->locs[i]);
	}
	check(f);
	for (size_t i = 0; i < n; i += 2) {
		if (get(f, &f->frames[i], Z_WANT_FOR_FAULT, &loc) == 0) {
			f->locs[i] = loc;
			out(f, loc, PAGE_RANDOM, i + FRAMES);
			again++;
		}
	}
	assert_int_equal(again, (n + 1) / 2);
	for (size_t i = 0; i < n; i++) {
		in(f, f->locs[i], PAGE_RANDOM, i % 2 == 0 ? i + FRAMES : i);
	}
	check(f);
}

static void test_no_frame_behind_it(void **state)
{
	struct fixture *f = *state;
	z_loc_t loc;

	assert_int_equal(get(f, NULL, Z_WANT_FOR_EVICT, &loc), 0);
	out(f, loc, PAGE_TEXT, 3);
	in(f, loc, PAGE_TEXT, 3);
	f->store->ops->location_free(f->store, loc);
	assert_int_equal(stats(f).used_pages, 0);
	check(f);
}

static void test_backed_frame_gets_its_own_again(void **state)
{
	struct fixture *f = *state;
	struct z_page_frame *pf = &f->frames[7];
	z_loc_t loc;
	z_loc_t again;

	assert_int_equal(get(f, pf, Z_WANT_FOR_EVICT, &loc), 0);
	out(f, loc, PAGE_TEXT, 1);
	in(f, loc, PAGE_TEXT, 1);
	finalize(f, pf, loc);
	assert_int_equal(z_page_frame_is_backed(pf), keeps_copies(f));
	assert_int_equal(stats(f).cached_pages, keeps_copies(f) ? 1 : 0);
	assert_int_equal(stats(f).used_pages, keeps_copies(f) ? 1 : 0);
	if (keeps_copies(f)) {
		assert_int_equal(get(f, pf, Z_WANT_FOR_EVICT, &again), 0);
		assert_true(again.v == loc.v);
		assert_int_equal(stats(f).cached_pages, 0);
		check(f);
		in(f, again, PAGE_TEXT, 1);
		out(f, again, PAGE_RANDOM, 2);
		in(f, again, PAGE_RANDOM, 2);
		f->store->ops->location_free(f->store, again);
	}
	check(f);
}

/* Bring back pages until the store has as many clean copies as it will have. */
static void make_copies(struct fixture *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		in(f, f->locs[i], PAGE_RANDOM, i);
		finalize(f, &f->frames[i], f->locs[i]);
	}
	check(f);
}

static void test_stealing_robs_the_oldest_and_no_other(void **state)
{
	struct fixture *f = *state;
	size_t n = fill_store(f);
	size_t before = 0;
	size_t after = 0;
	z_loc_t loc;

	make_copies(f, n);
	for (size_t i = 0; i < n; i++) {
		before += z_page_frame_is_backed(&f->frames[i]) ? 1U : 0U;
	}
	assert_int_equal(before, stats(f).cached_pages);
	if (!keeps_copies(f)) {
		assert_int_equal(before, 0);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct z_store_stats s = stats(f);

		if (get(f, &f->frames[FRAMES - 1], Z_WANT_FOR_FAULT, &loc) != 0) {
			break;
		}
		out(f, loc, PAGE_RANDOM, 1000 + i);
		assert_true(stats(f).cached_pages <= s.cached_pages);
	}
	assert_true(stats(f).stolen > 0);
	for (size_t i = 0; i < n; i++) {
		bool backed = z_page_frame_is_backed(&f->frames[i]);

		after += backed ? 1U : 0U;
		/* A queue: once one is not robbed, none after it is. */
		assert_true(f->config->tier || i == 0 || backed ||
			    !z_page_frame_is_backed(&f->frames[i - 1]));
	}
	assert_int_equal(after, stats(f).cached_pages);
	assert_true(after < before);
	for (size_t i = 0; i < n; i++) {
		if (z_page_frame_is_backed(&f->frames[i])) {
			assert_int_equal(get(f, &f->frames[i], Z_WANT_FOR_EVICT, &loc), 0);
			assert_true(loc.v == f->locs[i].v);
			in(f, loc, PAGE_RANDOM, i);
		}
	}
	check(f);
}

static void test_batch(void **state)
{
	struct fixture *f = *state;
	size_t n = f->config->pages / 2;
	struct z_store_io *ios;
	unsigned char *pages;

	if (f->store->ops->page_out_many == NULL) {
		assert_int_equal(f->store->caps & Z_STORE_BATCH, 0);
		return;
	}
	ios = calloc(n, sizeof(*ios));
	pages = aligned_alloc(Z_PAGE_SIZE, n * Z_PAGE_SIZE);
	assert_true(ios != NULL && pages != NULL);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(get(f, &f->frames[i], Z_WANT_FOR_EVICT, &ios[i].loc), 0);
		ios[i].page = pages + i * Z_PAGE_SIZE;
		ios[i].status = 77;
		store_page_fill(pages + i * Z_PAGE_SIZE, i % PAGE_KINDS, i);
	}
	assert_int_equal(f->store->ops->page_out_many(f->store, ios, n), 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(ios[i].status, 0);
		in(f, ios[i].loc, i % PAGE_KINDS, i);
	}
	check(f);
	free(ios);
	free(pages);
}

/* ---- the model: a plain pager of the smallest kind over the store ------------------------------ */

enum where { NOWHERE, RESIDENT, OUTSIDE };

#define MODEL_PAGES  96U
#define MODEL_FRAMES 24U

struct model_page {
	enum where where;
	bool dirty;
	struct z_page_frame *pf;
	z_loc_t loc;
	enum store_page_kind kind;
	uint64_t seed;
};

struct model {
	struct fixture *f;
	uint64_t random;
	struct model_page pages[MODEL_PAGES];
	struct model_page *in_frame[MODEL_FRAMES];
	unsigned int refused;
};

static void model_release_frame(struct model *m, struct model_page *page)
{
	m->in_frame[page->pf - m->f->frames] = NULL;
	page->pf->flags = 0;
	z_page_frame_store_set(page->pf, 0);
	page->pf = NULL;
}

static void model_write(struct model *m, struct model_page *page)
{
	page->dirty = true;
	page->kind = store_random(&m->random) % PAGE_KINDS;
	page->seed = store_random(&m->random);
}

static void model_evict(struct model *m, struct model_page *page, enum z_store_want want)
{
	bool backed = z_page_frame_is_backed(page->pf);
	z_loc_t loc;

	if (get(m->f, page->pf, want, &loc) != 0) {
		assert_false(backed);
		m->refused++;
		return;
	}
	if (backed) {
		assert_true(loc.v == page->loc.v);
	}
	if (page->dirty || !backed) {
		int err;

		store_page_fill(m->f->page, page->kind, page->seed);
		err = m->f->store->ops->page_out(m->f->store, loc, m->f->page);
		if (err != 0) {
			assert_int_equal(err, Z_ERR_NOSPC);
			assert_true(backed);
			m->f->store->ops->location_free(m->f->store, loc);
			z_page_frame_backed_clear(page->pf);
			return;
		}
	}
	model_release_frame(m, page);
	page->where = OUTSIDE;
	page->dirty = false;
	page->loc = loc;
}

/* A frame for the page: a free one, or another page's. NULL: the store took nothing. */
static struct z_page_frame *model_frame(struct model *m)
{
	size_t i = store_random(&m->random) % MODEL_FRAMES;

	if (m->in_frame[i] != NULL) {
		model_evict(m, m->in_frame[i], Z_WANT_FOR_FAULT);
	}
	return m->in_frame[i] == NULL ? &m->f->frames[i] : NULL;
}

static void model_touch(struct model *m, struct model_page *page)
{
	struct z_page_frame *pf = model_frame(m);

	if (pf == NULL) {
		return;
	}
	m->in_frame[pf - m->f->frames] = page;
	pf->flags = Z_PAGE_FRAME_MAPPED;
	page->pf = pf;
	if (page->where == NOWHERE) {
		model_write(m, page);
	} else {
		in(m->f, page->loc, page->kind, page->seed);
		finalize(m->f, pf, page->loc);
	}
	page->where = RESIDENT;
}

static void model_drop(struct model *m, struct model_page *page)
{
	z_loc_t loc = page->loc;

	if (page->where == RESIDENT) {
		if (z_page_frame_is_backed(page->pf)) {
			assert_int_equal(get(m->f, page->pf, Z_WANT_FOR_EVICT, &loc), 0);
			m->f->store->ops->location_free(m->f->store, loc);
		}
		model_release_frame(m, page);
	} else if (page->where == OUTSIDE) {
		m->f->store->ops->location_free(m->f->store, loc);
	}
	*page = (struct model_page){.where = NOWHERE};
}

static void model_step(struct model *m)
{
	struct model_page *page = &m->pages[store_random(&m->random) % MODEL_PAGES];
	uint64_t dice = store_random(&m->random) % 16;

	if (dice == 0) {
		model_drop(m, page);
	} else if (page->where != RESIDENT) {
		model_touch(m, page);
	} else if (dice < 6) {
		model_write(m, page);
	} else {
		model_evict(m, page, Z_WANT_FOR_EVICT);
	}
}

static void model_verify(struct model *m)
{
	struct z_store_stats s = stats(m->f);
	size_t used = 0;

	check(m->f);
	for (size_t i = 0; i < MODEL_PAGES; i++) {
		const struct model_page *page = &m->pages[i];

		used += page->where == OUTSIDE ? 1U : 0U;
		used += page->where == RESIDENT && z_page_frame_is_backed(page->pf) ? 1U : 0U;
		if (page->where == OUTSIDE) {
			in(m->f, page->loc, page->kind, page->seed);
		}
	}
	assert_int_equal(s.used_pages, used);
	assert_true(s.ram_bytes == s.beyond_bytes ||
		    s.ram_bytes <= atomic_load(&m->f->budget.charged) * Z_PAGE_SIZE);
}

static void test_model(void **state)
{
	const char *text = getenv("ZPAGER_STORE_SEED");
	struct model *m = calloc(1, sizeof(*m));
	uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20240601;

	assert_non_null(m);
	m->f = *state;
	m->random = seed;
	print_message("ZPAGER_STORE_SEED=%" PRIu64 "\n", seed);
	for (unsigned int i = 0; i < MODEL_FRAMES; i++) {
		m->f->frames[i].flags = 0;
	}
	for (unsigned int step = 0; step < 100000; step++) {
		model_step(m);
		if (step % 2500 == 0) {
			model_verify(m);
		}
	}
	model_verify(m);
	for (size_t i = 0; i < MODEL_PAGES; i++) {
		model_drop(m, &m->pages[i]);
	}
	assert_int_equal(stats(m->f).used_pages, 0);
	assert_int_equal(stats(m->f).stored_bytes, 0);
	check(m->f);
	free(m);
}

/* ---- the suite -------------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct fixture *f = *state;

	store_budget_init(&f->budget);
	f->store = store_config_open(f->config, &f->budget);
	f->frames = calloc(FRAMES, sizeof(*f->frames));
	f->locs = calloc(FRAMES, sizeof(*f->locs));
	f->page = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	f->other = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	for (size_t i = 0; i < FRAMES; i++) {
		f->frames[i].flags = Z_PAGE_FRAME_MAPPED;
	}
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->store->ops->close(f->store);
	free(f->frames);
	free(f->locs);
	free(f->page);
	free(f->other);
	if (atomic_load(&f->budget.charged) != 0 || atomic_load(&f->budget.allocated) != 0) {
		print_error("%s: close left %zu pages charged, %zu bytes allocated\n", f->name,
			    atomic_load(&f->budget.charged), atomic_load(&f->budget.allocated));
		return -1;
	}
	return 0;
}

static const struct {
	const char *name;
	CMUnitTestFunction function;
} tests[] = {
	{"round_trip_of_each_kind", test_round_trip_of_each_kind},
	{"overwrite_with_each_kind", test_overwrite_with_each_kind},
	{"tokens_are_aligned_and_unique", test_tokens_are_aligned_and_unique},
	{"full_store_keeps_one_for_a_fault", test_full_store_keeps_one_for_a_fault},
	{"freed_space_is_given_again", test_freed_space_is_given_again},
	{"no_frame_behind_it", test_no_frame_behind_it},
	{"backed_frame_gets_its_own_again", test_backed_frame_gets_its_own_again},
	{"stealing_robs_the_oldest_and_no_other", test_stealing_robs_the_oldest_and_no_other},
	{"batch", test_batch},
	{"model", test_model},
};

#define TESTS (sizeof(tests) / sizeof(tests[0]))

int main(void)
{
	size_t configs = 0;
	size_t n = 0;
	struct fixture *fixtures;
	struct CMUnitTest *all;
	int failed;

	while (store_configs[configs].uri != NULL) {
		configs++;
	}
	fixtures = calloc(configs * TESTS, sizeof(*fixtures));
	all = calloc(configs * TESTS, sizeof(*all));
	for (size_t c = 0; c < configs; c++) {
		for (size_t t = 0; t < TESTS; t++, n++) {
			struct fixture *f = &fixtures[n];

			f->config = &store_configs[c];
			(void)snprintf(f->name, sizeof(f->name), "%s/%s", f->config->name,
				       tests[t].name);
			all[n] =
				(struct CMUnitTest){f->name, tests[t].function, setup, teardown, f};
		}
	}
	failed = _cmocka_run_group_tests("store", all, n, NULL, NULL);
	free(all);
	free(fixtures);
	return failed;
}
