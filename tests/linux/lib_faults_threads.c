/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_faults_threads.c - threads that fault on one page and on different pages, while others map,
 * unmap, page out and pin. No increment is lost, no page is another's.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib_common.h"

#define THREADS 4
#define PAGES   512 /* twice the budget */
#define STEPS   1500

struct mode {
	const char *mode;
	const char *mechanism;
};

struct shared {
	struct zpager *z;
	char *region;
	pthread_barrier_t barrier;
	_Atomic int failures;
};

struct worker {
	struct shared *shared;
	uint64_t number;
	pthread_t thread;
};

/* A word of each page belongs to each thread, and one to all of them. */
static _Atomic uint64_t *common_word(struct shared *s, size_t page)
{
	return (_Atomic uint64_t *)(void *)(s->region + page * LIB_PAGE);
}

static uint64_t *own_word(struct shared *s, size_t page, uint64_t number)
{
	return (uint64_t *)(void *)(s->region + page * LIB_PAGE) + 8 * (number + 1);
}

LIB_TOUCHES_PAGES static void *count(void *arg)
{
	struct worker *w = arg;
	uint64_t random = w->number;

	for (int i = 0; i < STEPS; i++) {
		size_t page = lib_random(&random) % PAGES;
		atomic_fetch_add(common_word(w->shared, page), 1);
		(*own_word(w->shared, page, w->number))++;
	}
	return NULL;
}

/* All at once on the same page, page after page. */
LIB_TOUCHES_PAGES static void *together(void *arg)
{
	struct worker *w = arg;

	for (size_t page = 0; page < PAGES; page++) {
		pthread_barrier_wait(&w->shared->barrier);
		atomic_fetch_add(common_word(w->shared, page), 1);
	}
	return NULL;
}

/* Mappings of its own come and go; they always read as zeros first. */
LIB_TOUCHES_PAGES static void *map_and_unmap(void *arg)
{
	struct worker *w = arg;
	struct zpager *z = w->shared->z;
	uint64_t random = 77 + w->number;

	for (int i = 0; i < 150; i++) {
		size_t pages = 1 + lib_random(&random) % 20;
		char *p = zpager_map(z, pages * LIB_PAGE, 0);
		bool good = p != NULL;
		for (size_t k = 0; k < pages && good; k++) {
			good = p[k * LIB_PAGE] == 0;
			lib_fill(p + k * LIB_PAGE, k, w->number);
		}
		good = good && (i % 3 != 0 || zpager_page_out(z, p, pages * LIB_PAGE) == 0);
		for (size_t k = 0; k < pages && good; k++) {
			good = lib_is(p + k * LIB_PAGE, k, w->number);
		}
		if (!good || zpager_unmap(z, p, pages * LIB_PAGE) != 0) {
			w->shared->failures++;
		}
	}
	return NULL;
}

/* Pages go out and are pinned under the feet of the counters. */
static void *disturb(void *arg)
{
	struct worker *w = arg;
	uint64_t random = 99 + w->number;

	for (int i = 0; i < 200; i++) {
		void *p = w->shared->region + lib_random(&random) % (PAGES - 4) * LIB_PAGE;
		if (zpager_pin(w->shared->z, p, 2 * LIB_PAGE) != 0) {
			w->shared->failures++;
			continue;
		}
		int error = zpager_page_out(w->shared->z, p, 4 * LIB_PAGE);
		if (error != Z_ERR_BUSY || zpager_unpin(w->shared->z, p, 2 * LIB_PAGE) != 0) {
			w->shared->failures++;
		}
		error = zpager_page_out(w->shared->z, (char *)p + 2 * LIB_PAGE, 2 * LIB_PAGE);
		if (error != 0 && error != Z_ERR_BUSY) {
			w->shared->failures++;
		}
	}
	return NULL;
}

static void run(struct shared *s, void *(*const functions[])(void *), int n)
{
	struct worker workers[THREADS + 2];

	for (int i = 0; i < n; i++) {
		workers[i] = (struct worker){.shared = s, .number = (uint64_t)i};
		assert_int_equal(
			pthread_create(&workers[i].thread, NULL, functions[i], &workers[i]), 0);
	}
	for (int i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
	}
}

LIB_TOUCHES_PAGES static void check_sums(struct shared *s)
{
	uint64_t sum = 0;
	uint64_t own[THREADS] = {0};

	for (size_t page = 0; page < PAGES; page++) {
		sum += *common_word(s, page);
		for (uint64_t i = 0; i < THREADS; i++) {
			own[i] += *own_word(s, page, i);
		}
	}
	assert_int_equal(sum, THREADS * STEPS + THREADS * PAGES);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(own[i], STEPS);
	}
}

static void test_threads(void **state)
{
	struct mode *m = *state;
	struct shared s = {.z = lib_simple(MIB, m->mode, m->mechanism)};
	void *(*const phase1[])(void *) = {together, together, together, together};
	void *(*const phase2[])(void *) = {count, count, count, count, map_and_unmap, disturb};

	if (s.z == NULL) {
		skip();
	}
	s.region = zpager_map(s.z, PAGES * LIB_PAGE, 0);
	assert_non_null(s.region);
	assert_int_equal(pthread_barrier_init(&s.barrier, NULL, THREADS), 0);
	run(&s, phase1, THREADS);
	run(&s, phase2, THREADS + 2);
	assert_int_equal(s.failures, 0);
	check_sums(&s);
	lib_check(s.z, s.region, PAGES * LIB_PAGE);
	pthread_barrier_destroy(&s.barrier);
	lib_close(s.z);
}

int main(void)
{
	static struct mode modes[] = {{"monitor", "copy"},     {"monitor", "copy-move"},
				      {"monitor", "move"},     {"signal", "copy"},
				      {"signal", "copy-move"}, {"signal", "copy-recycle"},
				      {"signal", "move"}};
	struct CMUnitTest tests[6];
	static char names[6][32];

	for (int i = 0; i < 6; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%s %s", modes[i].mode,
			       modes[i].mechanism);
		tests[i] = (struct CMUnitTest){
			.name = names[i], .test_func = test_threads, .initial_state = &modes[i]};
	}
	return cmocka_run_group_tests_name("lib_faults_threads", tests, NULL, NULL);
}
