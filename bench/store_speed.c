/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_speed.c - what a store costs by itself, with no pager: nanoseconds a page out and in, with one
 * thread and with two at once, and how small the pages become, by kinds of contents:
 *
 *   store_speed [URI...]      default: lz4:
 *
 * Each thread has SOURCES different pages of a kind and PAGES locations, all in use. Then, as under a
 * pager, it brings 64 of them in, one by one and here and there, frees them, and puts 64 pages out at once.
 * A round does that PAGES / 64 times; the figure is the median of the rounds. One mutex stands for the
 * pager lock; what is done under it counts as part of out.
 *
 * Limits: pages that are put out are in the processor's caches more often than those that a pager moves.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <zpager/store.h>

#include "pages.h"

#define SOURCES 256U
#define PAGES   4096U
#define BATCH   64U
#define ROUNDS  7U
#define THREADS 2U

struct lane {
	struct z_store *store;
	pthread_mutex_t *pager;
	pthread_barrier_t *start;
	unsigned char *sources;
	unsigned char *target;
	z_loc_t locs[PAGES];
	double out_ns[ROUNDS + 1];
	double in_ns[ROUNDS + 1];
};

struct figures {
	double out_ns;
	double in_ns;
	double ratio; /* bytes of pages by bytes that are stored */
	double held;  /* bytes of RAM by bytes that are stored */
};

static double now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *pages_alloc(void *ctx, size_t bytes)
{
	void *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)ctx;
	return memory == MAP_FAILED ? NULL : memory;
}

static void pages_free(void *ctx, void *memory, size_t bytes)
{
	(void)ctx;
	(void)munmap(memory, bytes);
}

static void must(int err, const char *what)
{
	if (err != 0) {
		(void)fprintf(stderr, "store_speed: %s: %d\n", what, err);
		exit(1);
	}
}

/* Every SKIP-th location from the first on, so that they are not neighbours. */
#define SKIP (PAGES / BATCH)

static void out_batch(struct lane *lane, size_t first)
{
	const struct z_store_ops *ops = lane->store->ops;
	struct z_store_io ios[BATCH];

	(void)pthread_mutex_lock(lane->pager);
	for (size_t i = 0; i < BATCH; i++) {
		size_t at = first + i * SKIP;

		must(ops->location_get(lane->store, NULL, Z_WANT_FOR_EVICT, &lane->locs[at]),
		     "no location");
		ios[i].loc = lane->locs[at];
		ios[i].page = lane->sources + at % SOURCES * Z_PAGE_SIZE;
	}
	(void)pthread_mutex_unlock(lane->pager);
	if (ops->page_out_many != NULL) {
		must((int)ops->page_out_many(lane->store, ios, BATCH), "pages not taken");
		return;
	}
	for (size_t i = 0; i < BATCH; i++) {
		must(ops->page_out(lane->store, ios[i].loc, ios[i].page), "page not taken");
	}
}

static void in_batch(struct lane *lane, size_t first)
{
	const struct z_store_ops *ops = lane->store->ops;

	for (size_t i = 0; i < BATCH; i++) {
		must(ops->page_in(lane->store, lane->locs[first + i * SKIP], lane->target),
		     "page does not come back");
	}
	if (memcmp(lane->target,
		   lane->sources + (first + (BATCH - 1) * SKIP) % SOURCES * Z_PAGE_SIZE,
		   Z_PAGE_SIZE) != 0) {
		must(1, "another page came back");
	}
}

static void free_batch(struct lane *lane, size_t first)
{
	(void)pthread_mutex_lock(lane->pager);
	for (size_t i = 0; i < BATCH; i++) {
		lane->store->ops->location_free(lane->store, lane->locs[first + i * SKIP]);
	}
	(void)pthread_mutex_unlock(lane->pager);
}

static void one_round(struct lane *lane, double *out_ns, double *in_ns)
{
	*out_ns = 0;
	*in_ns = 0;
	for (size_t first = 0; first < SKIP; first++) {
		double t0 = now_ns();
		double t1;

		in_batch(lane, first);
		t1 = now_ns();
		free_batch(lane, first);
		out_batch(lane, first);
		*in_ns += (t1 - t0) / PAGES;
		*out_ns += (now_ns() - t1) / PAGES;
	}
}

static void *run(void *arg)
{
	struct lane *lane = arg;

	for (size_t first = 0; first < SKIP; first++) {
		out_batch(lane, first);
	}
	for (size_t round = 0; round <= ROUNDS; round++) {
		(void)pthread_barrier_wait(lane->start);
		one_round(lane, &lane->out_ns[round], &lane->in_ns[round]);
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The first round does not count: the store has to get its memory. */
static double median(double *rounds)
{
	qsort(rounds + 1, ROUNDS, sizeof(double), by_value);
	return rounds[1 + ROUNDS / 2];
}

/* The lanes at once; what is left in the store is the last round. */
static struct figures run_lanes(struct lane *lanes, struct z_store *store, unsigned int n)
{
	struct figures sum = {0};
	pthread_mutex_t pager = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
	pthread_barrier_t start;
	pthread_t threads[THREADS];

	(void)pthread_barrier_init(&start, NULL, n);
	for (unsigned int i = 0; i < n; i++) {
		lanes[i].store = store;
		lanes[i].pager = &pager;
		lanes[i].start = &start;
		must(pthread_create(&threads[i], NULL, run, &lanes[i]), "no thread");
	}
	for (unsigned int i = 0; i < n; i++) {
		(void)pthread_join(threads[i], NULL);
		sum.out_ns += median(lanes[i].out_ns) / n;
		sum.in_ns += median(lanes[i].in_ns) / n;
	}
	(void)pthread_barrier_destroy(&start);
	return sum;
}

static struct figures measure(struct lane *lanes, const char *uri, enum bench_kind kind,
			      unsigned int n)
{
	const struct z_store_env env = {.alloc = pages_alloc, .free = pages_free};
	struct z_store_stats stats;
	struct z_store *store = NULL;
	struct figures figures;
	char error[200] = "";

	if (z_store_open(uri, &env, error, sizeof(error), &store) != 0) {
		(void)fprintf(stderr, "store_speed: %s\n", error);
		exit(1);
	}
	for (unsigned int i = 0; i < n; i++) {
		for (size_t page = 0; page < SOURCES; page++) {
			bench_page_fill(lanes[i].sources + page * Z_PAGE_SIZE, kind,
					i * SOURCES + page);
		}
	}
	figures = run_lanes(lanes, store, n);
	store->ops->stats(store, &stats);
	figures.ratio = (double)n * PAGES * Z_PAGE_SIZE / (double)stats.stored_bytes;
	figures.held = (double)stats.ram_bytes / (double)stats.stored_bytes;
	store->ops->close(store);
	return figures;
}

static void print_table(struct lane *lanes, const char *uri)
{
	printf("%s\n%-10s %8s %8s %8s %8s %7s %7s %6s %6s\n", uri, "contents", "out ns", "in ns",
	       "out 2thr", "in 2thr", "out x", "in x", "ratio", "held");
	for (enum bench_kind kind = 0; kind < BENCH_KINDS; kind++) {
		struct figures one = measure(lanes, uri, kind, 1);
		struct figures two = measure(lanes, uri, kind, 2);

		printf("%-10s %8.0f %8.0f %8.0f %8.0f %7.2f %7.2f %6.2f %6.2f\n",
		       bench_kind_name(kind), one.out_ns, one.in_ns, two.out_ns, two.in_ns,
		       2 * one.out_ns / two.out_ns, 2 * one.in_ns / two.in_ns, two.ratio, two.held);
	}
}

int main(int argc, char **argv)
{
	static struct lane lanes[THREADS];

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		lanes[i].sources = pages_alloc(NULL, SOURCES * Z_PAGE_SIZE);
		lanes[i].target = pages_alloc(NULL, Z_PAGE_SIZE);
	}
	printf("ns a page, median of %u rounds of %u pages; x: pages a second of two threads by "
	       "one\n",
	       ROUNDS, PAGES);
	if (argc < 2) {
		print_table(lanes, "lz4:");
	}
	for (int i = 1; i < argc; i++) {
		print_table(lanes, argv[i]);
	}
	return 0;
}
