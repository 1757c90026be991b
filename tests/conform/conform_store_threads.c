/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conform_store_threads.c - every store used by several threads at once, as a pager would.
 *
 * One mutex stands for the pager lock: location_get, location_free and page_finalize run under it,
 * page_out and page_in run without it if the store is PARALLEL, and under a second mutex if not. Each
 * thread has data pages and frames of its own; the store is too small for all of them, so that clean
 * copies are stolen across threads and locations run out. Every page that comes back is compared.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

#define THREADS 4U
#define PAGES   40U /* of each thread */
#define FRAMES  10U /* of each thread */
#define STEPS   4000U

enum where { NOWHERE, RESIDENT, OUTSIDE };

struct data_page {
	enum where where;
	bool dirty;
	struct z_page_frame *pf;
	z_loc_t loc;
	uint64_t seed;
};

struct shared {
	const struct store_config *config;
	struct store_budget budget;
	struct z_store *store;
	struct z_page_frame *frames;
	pthread_mutex_t pager; /* the pager lock */
	pthread_mutex_t io;    /* for stores that are not PARALLEL */
};

struct worker {
	struct shared *shared;
	uint64_t random;
	struct z_page_frame *frames;
	struct data_page pages[PAGES];
	struct data_page *in_frame[FRAMES];
	unsigned char *page;
	unsigned char *other;
	const char *wrong; /* cmocka's asserts belong to the main thread */
};

static void lock(pthread_mutex_t *mutex)
{
	(void)pthread_mutex_lock(mutex);
}

static void unlock(pthread_mutex_t *mutex)
{
	(void)pthread_mutex_unlock(mutex);
}

static bool parallel(const struct shared *s)
{
	return (s->store->caps & Z_STORE_PARALLEL) != 0;
}

static int page_io(struct shared *s, z_loc_t loc, void *to, const void *from)
{
	int err;

	if (!parallel(s)) {
		lock(&s->io);
	}
	err = to != NULL ? s->store->ops->page_in(s->store, loc, to)
			 : s->store->ops->page_out(s->store, loc, from);
	if (!parallel(s)) {
		unlock(&s->io);
	}
	return err;
}

static void fill(void *page, uint64_t seed)
{
	store_page_fill(page, seed % PAGE_KINDS, seed);
}

static void evict(struct worker *w, struct data_page *page)
{
	struct shared *s = w->shared;
	bool backed;
	z_loc_t loc;
	int err;

	lock(&s->pager);
	backed = z_page_frame_is_backed(page->pf);
	err = s->store->ops->location_get(s->store, page->pf, Z_WANT_FOR_EVICT, &loc);
	unlock(&s->pager);
	if (err != 0) {
		w->wrong = backed ? "a BACKED frame was refused" : w->wrong;
		return;
	}
	if (page->dirty || !backed) {
		fill(w->page, page->seed);
		err = page_io(s, loc, NULL, w->page);
	}
	lock(&s->pager);
	if (err != 0) {
		w->wrong = err != Z_ERR_NOSPC || !backed ? "page_out failed" : w->wrong;
		s->store->ops->location_free(s->store, loc);
		z_page_frame_backed_clear(page->pf);
	} else {
		w->in_frame[page->pf - w->frames] = NULL;
		page->pf->flags = 0;
		z_page_frame_store_set(page->pf, 0);
		page->where = OUTSIDE;
		page->dirty = false;
		page->loc = loc;
	}
	unlock(&s->pager);
}

static void bring_back(struct worker *w, struct data_page *page)
{
	struct shared *s = w->shared;

	memset(w->page, 0xa5, Z_PAGE_SIZE);
	fill(w->other, page->seed);
	if (page_io(s, page->loc, w->page, NULL) != 0) {
		w->wrong = "page_in failed";
	} else if (memcmp(w->page, w->other, Z_PAGE_SIZE) != 0) {
		w->wrong = "a page came back different";
	}
	lock(&s->pager);
	page->pf->flags = Z_PAGE_FRAME_MAPPED;
	s->store->ops->page_finalize(s->store, page->pf, page->loc);
	unlock(&s->pager);
}

static void touch(struct worker *w, struct data_page *page)
{
	size_t i = store_random(&w->random) % FRAMES;

	if (w->in_frame[i] != NULL) {
		evict(w, w->in_frame[i]);
	}
	if (w->in_frame[i] != NULL) {
		return;
	}
	w->in_frame[i] = page;
	page->pf = &w->frames[i];
	if (page->where == OUTSIDE) {
		bring_back(w, page);
	} else {
		page->dirty = true;
		lock(&w->shared->pager);
		page->pf->flags = Z_PAGE_FRAME_MAPPED;
		unlock(&w->shared->pager);
	}
	page->where = RESIDENT;
}

static void drop(struct worker *w, struct data_page *page)
{
	struct shared *s = w->shared;
	z_loc_t loc = page->loc;

	lock(&s->pager);
	if (page->where == OUTSIDE ||
	    (page->where == RESIDENT && z_page_frame_is_backed(page->pf) &&
	     s->store->ops->location_get(s->store, page->pf, Z_WANT_FOR_EVICT, &loc) == 0)) {
		s->store->ops->location_free(s->store, loc);
	}
	if (page->where == RESIDENT) {
		w->in_frame[page->pf - w->frames] = NULL;
		page->pf->flags = 0;
		z_page_frame_store_set(page->pf, 0);
	}
	unlock(&s->pager);
	*page = (struct data_page){.where = NOWHERE, .seed = store_random(&w->random)};
}

static void step(struct worker *w)
{
	struct data_page *page = &w->pages[store_random(&w->random) % PAGES];
	uint64_t dice = store_random(&w->random) % 16;

	if (dice == 0) {
		drop(w, page);
	} else if (page->where != RESIDENT) {
		touch(w, page);
	} else if (dice < 6) {
		page->dirty = true;
		page->seed = store_random(&w->random);
	} else {
		evict(w, page);
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < STEPS && w->wrong == NULL; i++) {
		step(w);
	}
	for (size_t i = 0; i < PAGES; i++) {
		drop(w, &w->pages[i]);
	}
	return NULL;
}

static void worker_init(struct worker *w, struct shared *s, unsigned int i)
{
	w->shared = s;
	w->random = 77 + i;
	w->frames = s->frames + (size_t)i * FRAMES;
	w->page = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	w->other = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	assert_true(w->page != NULL && w->other != NULL);
	for (size_t p = 0; p < PAGES; p++) {
		w->pages[p].seed = store_random(&w->random);
	}
}

static void test_threads(void **state)
{
	struct shared *s = *state;
	struct worker *workers = calloc(THREADS, sizeof(*workers));
	pthread_t threads[THREADS];
	struct z_store_stats stats;

	assert_non_null(workers);
	for (unsigned int i = 0; i < THREADS; i++) {
		worker_init(&workers[i], s, i);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, worker_main, &workers[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		if (workers[i].wrong != NULL) {
			fail_msg("thread %u: %s", i, workers[i].wrong);
		}
		free(workers[i].page);
		free(workers[i].other);
	}
	free(workers);
	assert_int_equal(s->store->ops->check(s->store), 0);
	s->store->ops->stats(s->store, &stats);
	assert_int_equal(stats.used_pages, store_config_image(s->config));
}

static int setup(void **state)
{
	struct shared *s = *state;

	store_budget_init(&s->budget);
	s->store = store_config_open(s->config, &s->budget);
	s->frames = calloc(THREADS * FRAMES, sizeof(*s->frames));
	(void)pthread_mutex_init(&s->pager, NULL);
	(void)pthread_mutex_init(&s->io, NULL);
	return s->frames != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	struct shared *s = *state;

	s->store->ops->close(s->store);
	free(s->frames);
	return atomic_load(&s->budget.charged) == 0 && atomic_load(&s->budget.allocated) == 0 ? 0
											      : -1;
}

int main(void)
{
	size_t n = 0;
	struct shared *shared;
	struct CMUnitTest *all;
	int failed;

	while (store_configs[n].uri != NULL) {
		n++;
	}
	shared = calloc(n, sizeof(*shared));
	all = calloc(n, sizeof(*all));
	for (size_t i = 0; i < n; i++) {
		shared[i].config = &store_configs[i];
		all[i] = (struct CMUnitTest){store_configs[i].name, test_threads, setup, teardown,
					     &shared[i]};
	}
	failed = _cmocka_run_group_tests("store_threads", all, n, NULL, NULL);
	free(all);
	free(shared);
	return failed;
}
