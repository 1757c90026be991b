/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_work.c - the accesses of one cell of `zpager bench`.
 *
 * The work is the one of the peers' table: a region four times the budget, pages half random and
 * half one byte; 8-byte accesses; random is uniform over pages, sequential one access a page in
 * order, zipf 0.99 over pages with scattered ranks. Each page knows its number, every read checks it.
 * The region is filled before, and a tenth of the time passes as warm-up that is not counted.
 *
 * Randomness: xorshift, seeded by the thread's number, so that a run can be repeated.
 * Locks: none; threads share nothing but the region, and stop by the clock that each looks at.
 */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zpager/zpager.h>

#include "bench.h"

#define WORDS       (Z_PAGE_SIZE / 8)
#define THREADS_MAX 16
#define LOOK_EVERY  64
#define SKEW        0.99

struct zipf {
	double zeta, alpha, eta;
};

struct worker {
	const struct bench_cell *cell;
	uint64_t *region;
	uint64_t pages;
	struct zipf zipf;
	uint64_t random, at;
	uint64_t accesses, ns, wrong;
};

static uint64_t now_ns(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x * UINT64_C(0x2545F4914F6CDD1D);
}

/* The method of Gray et al. (1994): one power a sample, after one sum over all pages. */
static struct zipf zipf_of(uint64_t pages)
{
	double zeta = 0;
	double n = (double)pages;

	for (uint64_t i = 1; i <= pages; i++) {
		zeta += 1.0 / pow((double)i, SKEW);
	}
	return (struct zipf){
		.zeta = zeta,
		.alpha = 1.0 / (1.0 - SKEW),
		.eta = (1.0 - pow(2.0 / n, 1.0 - SKEW)) / (1.0 - (1.0 + pow(0.5, SKEW)) / zeta),
	};
}

static uint64_t zipf_page(struct worker *w)
{
	double u = (double)(next_random(&w->random) >> 11) / 9007199254740992.0;
	double uz = u * w->zipf.zeta;
	uint64_t rank;

	if (uz < 1.0) {
		rank = 0;
	} else if (uz < 1.0 + pow(0.5, SKEW)) {
		rank = 1;
	} else {
		rank = (uint64_t)((double)w->pages *
				  pow(w->zipf.eta * u - w->zipf.eta + 1.0, w->zipf.alpha));
	}
	return rank * UINT64_C(0x9E3779B97F4A7C15) % w->pages;
}

static uint64_t next_page(struct worker *w)
{
	switch (w->cell->pattern) {
	case BENCH_RANDOM:
		return next_random(&w->random) % w->pages;
	case BENCH_ZIPF:
		return zipf_page(w);
	default:
		w->at = w->at + 1 < w->pages ? w->at + 1 : 0;
		return w->at;
	}
}

static void access_page(struct worker *w, uint64_t page)
{
	volatile uint64_t *words = w->region + page * WORDS;
	uint64_t place = 1 + page % (WORDS / 2 - 1);

	if (w->cell->write) {
		words[place] = w->accesses;
	} else {
		w->wrong += words[0] != page;
	}
}

static void work(struct worker *w, uint64_t limit_ns, uint64_t limit_accesses)
{
	uint64_t begin = now_ns();

	w->accesses = 0;
	do {
		for (int i = 0; i < LOOK_EVERY; i++) {
			access_page(w, next_page(w));
			w->accesses++;
		}
		w->ns = now_ns() - begin;
	} while (w->ns < limit_ns && w->accesses < limit_accesses);
}

static void *run_worker(void *argument)
{
	struct worker *w = argument;

	work(w, w->cell->limit_ns, w->cell->limit_accesses);
	return NULL;
}

static void *warm_worker(void *argument)
{
	struct worker *w = argument;

	work(w, w->cell->limit_ns / 10, w->cell->limit_accesses / 10);
	return NULL;
}

static void fill(uint64_t *region, uint64_t pages)
{
	uint64_t random = 88172645463325252U;

	for (uint64_t page = 0; page < pages; page++) {
		uint64_t *words = region + page * WORDS;

		words[0] = page;
		for (size_t i = 1; i < WORDS / 2; i++) {
			words[i] = next_random(&random);
		}
		memset(words + WORDS / 2, (int)(page & 0x7f), Z_PAGE_SIZE / 2);
	}
}

static int in_threads(struct worker *workers, unsigned int n, void *(*run)(void *))
{
	pthread_t threads[THREADS_MAX];
	unsigned int started = 0;

	while (started < n &&
	       pthread_create(&threads[started], NULL, run, &workers[started]) == 0) {
		started++;
	}
	for (unsigned int i = 0; i < started; i++) {
		(void)pthread_join(threads[i], NULL);
	}
	return started == n ? 0 : Z_ERR_NOMEM;
}

static void results(const struct worker *workers, const struct bench_cell *cell,
		    const struct z_stats *before, const struct z_stats *after,
		    struct bench_result *out)
{
	uint64_t ns = 0;

	for (unsigned int i = 0; i < cell->threads; i++) {
		out->accesses += workers[i].accesses;
		ns += workers[i].ns;
	}
	out->faults = after->pagefaults - before->pagefaults;
	out->pages_in = after->pages_read - before->pages_read;
	out->pages_out = after->pages_written - before->pages_written;
	out->ns_per_access = (double)ns / (double)out->accesses;
	out->ns_per_fault = out->faults > 0 ? (double)ns / (double)out->faults : 0;
}

static int measure_open(struct zpager *z, const struct bench_cell *cell, struct bench_result *out,
			char *text, size_t text_bytes)
{
	uint64_t pages = cell->ram_bytes * 4 / Z_PAGE_SIZE;
	uint64_t *region = zpager_map(z, pages * Z_PAGE_SIZE, 0);
	struct worker workers[THREADS_MAX];
	struct z_stats before, after;
	struct zpager_info info;
	uint64_t wrong = 0;
	int error;

	if (region == NULL) {
		(void)snprintf(text, text_bytes, "%s", zpager_last_error(z));
		return Z_ERR_NOMEM;
	}
	fill(region, pages);
	for (unsigned int i = 0; i < cell->threads; i++) {
		workers[i] = (struct worker){
			.cell = cell,
			.region = region,
			.pages = pages,
			.zipf = i == 0 && cell->pattern == BENCH_ZIPF ? zipf_of(pages)
								      : workers[0].zipf,
			.random = UINT64_C(0x9E3779B97F4A7C15) * (i + 1),
			.at = pages / cell->threads * i,
		};
	}
	error = in_threads(workers, cell->threads, warm_worker);
	zpager_stats(z, &before, &info);
	error = error != 0 ? error : in_threads(workers, cell->threads, run_worker);
	zpager_stats(z, &after, &info);
	for (unsigned int i = 0; i < cell->threads; i++) {
		wrong += workers[i].wrong;
	}
	if (error != 0 || wrong != 0) {
		(void)snprintf(text, text_bytes, "%s",
			       error != 0 ? z_strerror(error) : "a page came back WRONG");
		return error != 0 ? error : Z_ERR_CORRUPT;
	}
	results(workers, cell, &before, &after, out);
	out->beyond_bytes = info.store_beyond_bytes;
	return 0;
}

int bench_measure(const struct bench_cell *cell, struct bench_result *out, char *text,
		  size_t text_bytes)
{
	const struct zpager_options options = {
		.ram_bytes = cell->ram_bytes,
		.store = cell->store,
		.eviction = cell->eviction,
		.fault_mode = cell->fault_mode,
		.overcommit = 1,
	};
	struct zpager *z;
	int error = zpager_open(&options, text, text_bytes, &z);

	*out = (struct bench_result){0};
	if (error != 0) {
		return error;
	}
	error = measure_open(z, cell, out, text, text_bytes);
	if (zpager_close(z) != 0 && error == 0) {
		(void)snprintf(text, text_bytes, "the pager cannot be closed");
		error = Z_ERR_BUSY;
	}
	return error;
}
