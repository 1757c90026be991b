/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_work.c - the accesses of `zpager bench`: the same code for every peer.
 *
 * Access is 8 bytes. Pages are chosen in blocks of BLOCK, outside of the time that counts, so that what
 * a choice costs is in no figure. The first word of a page is its number, and every read of it is
 * checked; a write puts a word that names the page and changes each time. Sequential touches each of the
 * 64 lines of a page, and its figures are of a page.
 *
 * A cell has three phases: a fifth of the time to warm up, the time that counts, and half of it again
 * with a look at the clock around every access. As many of the slowest of these as there were faults
 * are taken for the accesses that faulted; the others are hits. In the end pages are compared whole.
 *
 * Locks: none; threads share nothing but the region, and stop by the clock that each looks at.
 */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <zpager/types.h>

#include "bench.h"
#include "cmd.h"

#define WORDS        (Z_PAGE_SIZE / 8)
#define LINES        64U
#define LINE_WORDS   (WORDS / LINES)
#define BLOCK        64U
#define STRIDE       5U
#define SKEW         0.99
#define CHECKED      4000U
#define FEW          1000U /* one fault in more accesses than these counts as none */
#define NAME_SHIFT   24    /* a word that was written: number of the page, and a count below */
#define FIRST_ACCESS 1U    /* sequential writes word 1 of line 0, and word 1 of every other */

/* Latencies: STEPS steps to each doubling. */
#define STEPS   32U
#define BUCKETS ((size_t)40 * STEPS)

struct zipf {
	double zeta, alpha, eta, half;
};

struct worker {
	uint64_t *region;
	uint64_t pages, chase_pages;
	enum bench_pattern pattern;
	enum bench_access access;
	struct zipf zipf;
	uint64_t random, at;
	uint64_t limit_ns;
	bool latencies;
	uint64_t block[BLOCK];
	uint64_t accesses, ns, wrong;
	uint32_t histogram[BUCKETS];
};

typedef void visitor(struct worker *w, uint64_t page);

/* ---- which page ------------------------------------------------------------------------------ */

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
		.half = pow(0.5, SKEW),
	};
}

static uint64_t zipf_page(struct worker *w)
{
	double u = (double)(bench_random(&w->random) >> 11) / 9007199254740992.0;
	double uz = u * w->zipf.zeta;
	uint64_t rank;

	if (uz < 1.0) {
		rank = 0;
	} else if (uz < 1.0 + w->zipf.half) {
		rank = 1;
	} else {
		rank = (uint64_t)((double)w->pages *
				  pow(w->zipf.eta * u - w->zipf.eta + 1.0, w->zipf.alpha));
	}
	return rank * UINT64_C(0x9E3779B97F4A7C15) % w->pages;
}

static uint64_t next_page(struct worker *w)
{
	switch (w->pattern) {
	case BENCH_RANDOM:
		return bench_random(&w->random) % w->pages;
	case BENCH_ZIPF:
		return zipf_page(w);
	case BENCH_STRIDED:
		w->at += STRIDE;
		if (w->at >= w->pages) {
			w->at = (w->at + 1) % STRIDE;
		}
		return w->at;
	default:
		w->at = w->at + 1 < w->pages ? w->at + 1 : 0;
		return w->at;
	}
}

/* A walk through all of a power of two of pages, in no order; the number comes from memory. */
static uint64_t chase_next(const struct worker *w, uint64_t number)
{
	return (number * UINT64_C(0x5851F42D4C957F2D) + UINT64_C(0x14057B7EF767814F)) &
	       (w->chase_pages - 1);
}

/* ---- one access ------------------------------------------------------------------------------ */

static uint64_t written(uint64_t page, uint64_t count)
{
	return page << NAME_SHIFT | (count & ((1U << NAME_SHIFT) - 1));
}

static bool writes(const struct worker *w, uint64_t count)
{
	return w->access == BENCH_WRITE || (w->access == BENCH_BOTH && (count & 1) != 0);
}

static size_t place_of(uint64_t page)
{
	return 2 + page % (WORDS / 2 - 2);
}

static void visit_word(struct worker *w, uint64_t page)
{
	volatile uint64_t *words = w->region + page * WORDS;

	if (writes(w, w->accesses)) {
		words[place_of(page)] = written(page, w->accesses);
	} else {
		w->wrong += words[0] != page;
	}
}

static void visit_lines(struct worker *w, uint64_t page)
{
	volatile uint64_t *words = w->region + page * WORDS;

	if (writes(w, w->accesses)) {
		for (size_t line = 0; line < LINES; line++) {
			words[line * LINE_WORDS + FIRST_ACCESS] = written(page, w->accesses);
		}
		return;
	}
	w->wrong += words[0] != page;
	for (size_t line = 1; line < LINES; line++) {
		(void)words[line * LINE_WORDS];
	}
}

/* The chosen page is not asked for: the next one is found in the page that was read. */
static void visit_chased(struct worker *w, uint64_t page)
{
	volatile uint64_t *words = w->region + w->at * WORDS;
	uint64_t number = words[0];

	(void)page;
	w->wrong += number != w->at;
	if (writes(w, w->accesses)) {
		words[place_of(w->at)] = written(w->at, w->accesses);
	}
	w->at = chase_next(w, number);
}

static visitor *visitor_of(enum bench_pattern pattern)
{
	switch (pattern) {
	case BENCH_SEQUENTIAL:
		return visit_lines;
	case BENCH_CHASE:
		return visit_chased;
	default:
		return visit_word;
	}
}

/* ---- phases ---------------------------------------------------------------------------------- */

static uint32_t bucket_of(uint64_t ns)
{
	double place = ns > 0 ? log2((double)ns) * STEPS : 0;

	return place < BUCKETS - 1 ? (uint32_t)place : BUCKETS - 1;
}

static double bucket_ns(uint32_t bucket)
{
	return exp2((bucket + 0.5) / STEPS);
}

static void timed_block(struct worker *w, visitor *visit)
{
	for (size_t i = 0; i < BLOCK; i++) {
		uint64_t begin = cmd_now_ns();
		uint64_t ns;

		visit(w, w->block[i]);
		ns = cmd_now_ns() - begin;
		w->histogram[bucket_of(ns)]++;
		w->ns += ns;
		w->accesses++;
	}
}

static void plain_block(struct worker *w, visitor *visit)
{
	uint64_t begin = cmd_now_ns();

	for (size_t i = 0; i < BLOCK; i++) {
		visit(w, w->block[i]);
		w->accesses++;
	}
	w->ns += cmd_now_ns() - begin;
}

static void *run_worker(void *argument)
{
	struct worker *w = argument;
	visitor *visit = visitor_of(w->pattern);
	uint64_t begin = cmd_now_ns();

	w->accesses = 0;
	w->ns = 0;
	do {
		for (size_t i = 0; w->pattern != BENCH_CHASE && i < BLOCK; i++) {
			w->block[i] = next_page(w);
		}
		if (w->latencies) {
			timed_block(w, visit);
		} else {
			plain_block(w, visit);
		}
	} while (cmd_now_ns() - begin < w->limit_ns);
	return NULL;
}

static bool in_threads(struct worker *workers, unsigned int n, uint64_t ns, bool latencies)
{
	pthread_t threads[BENCH_THREADS_MAX];
	unsigned int started = 0;

	for (unsigned int i = 0; i < n; i++) {
		workers[i].limit_ns = ns;
		workers[i].latencies = latencies;
	}
	while (started < n &&
	       pthread_create(&threads[started], NULL, run_worker, &workers[started]) == 0) {
		started++;
	}
	for (unsigned int i = 0; i < started; i++) {
		(void)pthread_join(threads[i], NULL);
	}
	return started == n;
}

double bench_cpu_seconds(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* The latency that a part of the accesses which fault stays below: of all, or of the slowest. */
static double percentile(const uint64_t *histogram, uint64_t slowest, double part)
{
	double above = (double)slowest * (1.0 - part);
	uint64_t seen = 0;
	uint32_t bucket = BUCKETS;

	while (bucket-- > 0) {
		seen += histogram[bucket];
		if (seen > 0 && (double)seen >= above) {
			break;
		}
	}
	return bucket < BUCKETS ? bucket_ns(bucket) : 0;
}

static int compare(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;

	return (*x > *y) - (*x < *y);
}

void bench_percentiles(double *figures, size_t n, struct bench_result *out)
{
	double last = (double)(n - 1);

	qsort(figures, n, sizeof(*figures), compare);
	out->p50 = figures[(size_t)(last * 0.5)];
	out->p99 = figures[(size_t)(last * 0.99)];
	out->p999 = figures[(size_t)(last * 0.999)];
}

static void latencies_of(const struct worker *workers, unsigned int threads, uint64_t faults,
			 struct bench_result *out)
{
	static uint64_t all[BUCKETS];
	uint64_t n = 0;

	memset(all, 0, sizeof(all));
	for (unsigned int i = 0; i < threads; i++) {
		for (size_t j = 0; j < BUCKETS; j++) {
			all[j] += workers[i].histogram[j];
			n += workers[i].histogram[j];
		}
	}
	/* A few faults that any program has are not what its accesses do. */
	faults = faults * FEW < n || faults > n ? n : faults;
	out->p50 = percentile(all, faults, 0.5);
	out->p99 = percentile(all, faults, 0.99);
	out->p999 = percentile(all, faults, 0.999);
}

static bool cell(const struct bench_run *run, struct worker *workers, double seconds,
		 const struct bench_memory_ops *memory, struct bench_result *out)
{
	uint64_t limit_ns = (uint64_t)(seconds * 1e9);
	uint64_t faults, ns = 0;
	double cpu, bytes;

	if (!in_threads(workers, run->threads, limit_ns / 5, false)) {
		return false;
	}
	faults = memory->faults(memory->context);
	bytes = (double)memory->written_bytes(memory->context);
	cpu = bench_cpu_seconds();
	if (!in_threads(workers, run->threads, limit_ns, false)) {
		return false;
	}
	out->cpu_s = bench_cpu_seconds() - cpu;
	out->faults = memory->faults(memory->context) - faults;
	out->written_bytes = (double)memory->written_bytes(memory->context) - bytes;
	out->accesses = 0;
	for (unsigned int i = 0; i < run->threads; i++) {
		out->accesses += workers[i].accesses;
		ns += workers[i].ns;
	}
	out->ns_per_access = (double)ns / (double)out->accesses;
	out->ns_per_fault = out->faults > 0 ? (double)ns / (double)out->faults : 0;
	faults = memory->faults(memory->context);
	if (!in_threads(workers, run->threads, limit_ns / 2, true)) {
		return false;
	}
	latencies_of(workers, run->threads, memory->faults(memory->context) - faults, out);
	out->done = true;
	return true;
}

/* ---- the whole of a run ---------------------------------------------------------------------- */

static void fill(const struct bench_run *run, const struct bench_memory_ops *memory)
{
	for (uint64_t page = 0; page < memory->pages; page++) {
		bench_content_fill(run->content, page, memory->region + page * WORDS);
	}
}

/* A word is as it was filled, or as it was written by an access to this page. */
static void check(const struct bench_run *run, const struct bench_memory_ops *memory,
		  struct bench_outcome *out)
{
	uint64_t random = 4711;
	uint64_t want[WORDS];

	for (size_t i = 0; i < CHECKED; i++) {
		uint64_t page = bench_random(&random) % memory->pages;
		const uint64_t *words = memory->region + page * WORDS;

		bench_content_fill(run->content, page, want);
		for (size_t j = 0; j < WORDS; j++) {
			bool may_be_written = j > 0 && words[j] >> NAME_SHIFT == page;

			out->wrong += words[j] != want[j] && !may_be_written;
		}
		out->checked++;
	}
}

static uint64_t power_of_two(uint64_t n)
{
	uint64_t power = 1;

	while (power * 2 <= n) {
		power *= 2;
	}
	return power;
}

static void set_up(struct worker *w, const struct bench_run *run,
		   const struct bench_memory_ops *memory, unsigned int thread, unsigned int number)
{
	uint64_t share = memory->pages / run->threads;

	w->region = memory->region;
	w->pages = memory->pages;
	w->chase_pages = power_of_two(memory->pages);
	w->pattern = (enum bench_pattern)(number / BENCH_ACCESSES);
	w->access = (enum bench_access)(number % BENCH_ACCESSES);
	w->random = UINT64_C(0x9E3779B97F4A7C15) * (thread + 1 + number * BENCH_THREADS_MAX);
	w->at = share * thread % w->chase_pages;
	memset(w->histogram, 0, sizeof(w->histogram));
}

void bench_work(const struct bench_plan *plan, const struct bench_run *run,
		const struct bench_memory_ops *memory, struct bench_outcome *out)
{
	struct worker *workers = calloc(run->threads, sizeof(*workers));

	if (workers == NULL) {
		(void)snprintf(out->why, sizeof(out->why), "no memory for the threads");
		return;
	}
	fill(run, memory);
	out->started = true;
	for (unsigned int i = 0; i < run->threads; i++) {
		workers[i].zipf = i == 0 ? zipf_of(memory->pages) : workers[0].zipf;
	}
	for (unsigned int number = 0; number < BENCH_CELLS; number++) {
		if ((run->cells & 1U << number) == 0) {
			continue;
		}
		for (unsigned int i = 0; i < run->threads; i++) {
			set_up(&workers[i], run, memory, i, number);
		}
		if (!cell(run, workers, plan->options.seconds, memory, &out->cells[number])) {
			(void)snprintf(out->why, sizeof(out->why), "a thread cannot be made");
			break;
		}
	}
	for (unsigned int i = 0; i < run->threads; i++) {
		out->wrong += workers[i].wrong;
	}
	check(run, memory, out);
	free(workers);
}
