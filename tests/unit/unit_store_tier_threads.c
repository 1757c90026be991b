/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_tier_threads.c - a page that is wanted, or written anew, while a tier moves it down.
 *
 * The store below is hooked: while the batch of moves is on its way, another thread asks for a page
 * of the batch. It has to wait for the end of the move and then find the page below.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../../store/hosted.h"
#include "store_fixture.h"

#define A_PAGES 20U
#define B_PAGES 60U
#define MOVED   7U /* a page of the batch */

struct fixture {
	struct store_budget budget;
	struct z_store_env env;
	struct z_store *store;
	struct store_hostile *a;
	struct store_hostile *b;
	z_loc_t locs[A_PAGES];
	unsigned char *page;  /* of the main thread */
	unsigned char *wants; /* of the other */
	unsigned char *other;
	pthread_t thread;
	int err;
	void *(*thread_main)(void *);
};

static void *read_it(void *arg)
{
	struct fixture *f = arg;

	f->err = f->store->ops->page_in(f->store, f->locs[MOVED], f->wants);
	return NULL;
}

static void *write_it(void *arg)
{
	struct fixture *f = arg;

	f->err = f->store->ops->page_out(f->store, f->locs[MOVED], f->wants);
	return NULL;
}

/* The other thread gets a while to do the wrong thing; doing the right one takes no time of ours. */
static void start_other(void *ctx, enum store_hostile_op op, z_loc_t loc)
{
	const struct timespec while_ = {.tv_nsec = 30 * 1000 * 1000};
	struct fixture *f = ctx;

	(void)op;
	(void)loc;
	store_hostile_hook(f->b, NULL, NULL);
	assert_int_equal(pthread_create(&f->thread, NULL, f->thread_main, f), 0);
	(void)nanosleep(&while_, NULL);
}

/* Fill A; the next page makes 16 pages go down, and the other thread is started meanwhile. */
static void move_down(struct fixture *f)
{
	for (size_t i = 0; i < A_PAGES; i++) {
		if (i == A_PAGES - 1) {
			store_hostile_hook(f->b, start_other, f);
		}
		assert_int_equal(
			f->store->ops->location_get(f->store, NULL, Z_WANT_FOR_EVICT, &f->locs[i]),
			0);
		store_page_fill(f->page, PAGE_RANDOM, i);
		assert_int_equal(f->store->ops->page_out(f->store, f->locs[i], f->page), 0);
	}
	assert_int_equal(pthread_join(f->thread, NULL), 0);
	assert_int_equal(f->err, 0);
}

static void check(struct fixture *f)
{
	assert_null(store_hostile_violation(f->a));
	assert_null(store_hostile_violation(f->b));
	assert_int_equal(f->store->ops->check(f->store), 0);
}

static void test_wanted_while_it_goes_down(void **state)
{
	struct fixture *f = *state;

	f->thread_main = read_it;
	move_down(f);
	store_page_fill(f->page, PAGE_RANDOM, MOVED);
	assert_memory_equal(f->wants, f->page, Z_PAGE_SIZE);
	assert_int_equal(store_hostile_calls(f->a, STORE_IN), 16);
	assert_int_equal(store_hostile_calls(f->b, STORE_IN), 1);
	check(f);
}

static void test_written_while_it_goes_down(void **state)
{
	struct fixture *f = *state;

	f->thread_main = write_it;
	store_page_fill(f->wants, PAGE_TEXT, 99);
	move_down(f);
	assert_int_equal(f->store->ops->page_in(f->store, f->locs[MOVED], f->page), 0);
	assert_memory_equal(f->page, f->wants, Z_PAGE_SIZE);
	for (size_t i = 0; i < A_PAGES; i++) {
		store_page_fill(f->other, PAGE_RANDOM, i);
		assert_int_equal(f->store->ops->page_in(f->store, f->locs[i], f->page), 0);
		assert_int_equal(memcmp(f->page, f->other, Z_PAGE_SIZE) == 0, i != MOVED);
	}
	check(f);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct z_store *a = NULL;
	struct z_store *b = NULL;

	store_budget_init(&f->budget);
	f->env = store_budget_env(&f->budget);
	f->page = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	f->wants = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	f->other = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	assert_int_equal(z_ram_store_open(&f->env, A_PAGES, true, &a), 0);
	assert_int_equal(z_ram_store_open(&f->env, B_PAGES, true, &b), 0);
	f->a = store_hostile_open(a);
	f->b = store_hostile_open(b);
	*state = f;
	return z_tier_open(&f->env, store_hostile_store(f->a), store_hostile_store(f->b), true,
			   &f->store);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->store->ops->close(f->store);
	free(f->page);
	free(f->wants);
	free(f->other);
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wanted_while_it_goes_down, setup, teardown),
		cmocka_unit_test_setup_teardown(test_written_while_it_goes_down, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
