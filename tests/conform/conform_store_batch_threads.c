/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conform_store_batch_threads.c - batches put out by several threads at once, into every store that may
 * be used so (Z_STORE_PARALLEL), and into one with much RAM of its own.
 *
 * Each thread takes a few locations, puts that many pages out with one call where there is such a call,
 * brings all of them in, backwards, and frees them: objects of the others move about meanwhile. Every page
 * that comes back is compared. One mutex stands for the pager lock.
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
#define MOST    12U /* pages of a batch; all threads together have room in each store */
#define ROUNDS  250U

struct shared {
	const struct store_config *config;
	struct store_budget budget;
	struct z_store *store;
	pthread_mutex_t pager;
};

struct worker {
	struct shared *shared;
	uint64_t random;
	unsigned char *pages; /* MOST of them, and one for what comes back */
	const char *wrong;    /* cmocka's asserts belong to the main thread */
};

static const struct store_config much = {"lz4_own_much", "lz4:size=64M&own=yes", 64, 0, false,
					 false};

/* Locations for n pages, as many as there are; the pages are filled. Returns how many. */
static size_t take(struct worker *w, struct z_store_io *ios, size_t n)
{
	struct z_store *store = w->shared->store;
	size_t got = 0;

	(void)pthread_mutex_lock(&w->shared->pager);
	while (got < n &&
	       store->ops->location_get(store, NULL, Z_WANT_FOR_EVICT, &ios[got].loc) == 0) {
		got++;
	}
	(void)pthread_mutex_unlock(&w->shared->pager);
	for (size_t i = 0; i < got; i++) {
		unsigned char *page = w->pages + i * Z_PAGE_SIZE;

		store_page_fill(page, store_random(&w->random) % PAGE_KINDS,
				store_random(&w->random));
		ios[i].page = page;
		ios[i].status = 77;
	}
	return got;
}

static size_t put_out(struct z_store *store, struct z_store_io *ios, size_t n)
{
	size_t failed = 0;

	if (store->ops->page_out_many != NULL) {
		return store->ops->page_out_many(store, ios, n);
	}
	for (size_t i = 0; i < n; i++) {
		ios[i].status = store->ops->page_out(store, ios[i].loc, ios[i].page);
		failed += ios[i].status != 0;
	}
	return failed;
}

static void one_batch(struct worker *w)
{
	struct z_store *store = w->shared->store;
	unsigned char *back = w->pages + MOST * Z_PAGE_SIZE;
	struct z_store_io ios[MOST];
	size_t n = take(w, ios, 1 + store_random(&w->random) % MOST);

	if (put_out(store, ios, n) != 0) {
		w->wrong = "page_out_many failed";
	}
	for (size_t i = n; i-- > 0 && w->wrong == NULL;) {
		if (ios[i].status != 0 || store->ops->page_in(store, ios[i].loc, back) != 0) {
			w->wrong = "a page does not come back";
		} else if (memcmp(back, ios[i].page, Z_PAGE_SIZE) != 0) {
			w->wrong = "a page came back different";
		}
	}
	(void)pthread_mutex_lock(&w->shared->pager);
	for (size_t i = 0; i < n; i++) {
		store->ops->location_free(store, ios[i].loc);
	}
	(void)pthread_mutex_unlock(&w->shared->pager);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < ROUNDS && w->wrong == NULL; i++) {
		one_batch(w);
	}
	return NULL;
}

static void test_batches(void **state)
{
	struct shared *s = *state;
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	struct z_store_stats stats;

	if ((s->store->caps & Z_STORE_PARALLEL) == 0) {
		return;
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.shared = s, .random = 9 + i};
		workers[i].pages = aligned_alloc(Z_PAGE_SIZE, (MOST + 1) * Z_PAGE_SIZE);
		assert_non_null(workers[i].pages);
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
		free(workers[i].pages);
	}
	assert_int_equal(s->store->ops->check(s->store), 0);
	s->store->ops->stats(s->store, &stats);
	assert_int_equal(stats.used_pages, store_config_image(s->config));
}

static int setup(void **state)
{
	struct shared *s = *state;

	store_budget_init(&s->budget);
	s->store = store_config_open(s->config, &s->budget);
	(void)pthread_mutex_init(&s->pager, NULL);
	return 0;
}

static int teardown(void **state)
{
	struct shared *s = *state;

	s->store->ops->close(s->store);
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
	shared = calloc(n + 1, sizeof(*shared));
	all = calloc(n + 1, sizeof(*all));
	for (size_t i = 0; i <= n; i++) {
		shared[i].config = i < n ? &store_configs[i] : &much;
		all[i] = (struct CMUnitTest){shared[i].config->name, test_batches, setup, teardown,
					     &shared[i]};
	}
	failed = _cmocka_run_group_tests("store_batch_threads", all, n + 1, NULL, NULL);
	free(all);
	free(shared);
	return failed;
}
