/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scaling_linux.c - one thread and two, each on pages of its own: faults of the library, and beside them the bare
 * mechanism, which is the most that the kernel allows.
 *
 *   scaling_linux [URI...]      default: ram:size=128M&own=yes lz4:size=128M&own=yes
 *
 * Library: signal mode, REGION bytes of which a quarter has room, half-random contents, random accesses of 8
 * bytes, read or written. Mechanism: UFFDIO_COPY of BATCH pages here and there, then one process_madvise for them all, per
 * page: one of what a fault with an eviction consists of, without a signal, a store, or a lock of ours.
 *
 * All lanes (of the library, the mechanism, and one that only computes: what two CPUs are worth here) are measured in
 * turn, each with one thread and with two, ROUNDS times; the figures are medians of what all threads did together.
 * Nothing is checked but that calls succeed.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <zpager/zpager.h>

#include "../arch/linux/uffd.h"
#include "../arch/linux/uffd_abi.h"
#include "pages.h"

#define REGION  ((size_t)64 << 20)
#define PAGES   (REGION / Z_PAGE_SIZE)
#define BATCH   64U
#define ROUNDS  11U
#define THREADS 2U
#define STEP_NS 250e6
#define LANES   16U

struct job;

struct lane {
	char name[48];
	uint64_t (*some)(const struct job *job, uint64_t *state); /* how many were done */
	char *region;
	int uffd;
	int pidfd;
	bool writes;
	double one[ROUNDS];
	double two[ROUNDS];
	double ratio[ROUNDS];
};

struct job {
	const struct lane *lane;
	pthread_barrier_t *start;
	unsigned int number;
	unsigned int threads;
	double done; /* accesses, or pages, a second */
};

static double now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(bool good, const char *what)
{
	if (!good) {
		perror(what);
		exit(1);
	}
}

static uint64_t compute_some(const struct job *job, uint64_t *state)
{
	(void)job;
	for (unsigned int i = 0; i < BATCH * BATCH; i++) {
		(void)bench_random(state);
		*(volatile uint64_t *)state ^= i;
	}
	return BATCH;
}

static uint64_t touch_some(const struct job *job, uint64_t *state)
{
	size_t mine = PAGES / job->threads;
	char *first = job->lane->region + job->number * mine * Z_PAGE_SIZE;

	for (unsigned int i = 0; i < BATCH; i++) {
		char *page = first + bench_random(state) % mine * Z_PAGE_SIZE;
		volatile uint64_t *word = (volatile uint64_t *)(void *)page;

		if (job->lane->writes) {
			*word = i;
		} else {
			(void)*word;
		}
	}
	return BATCH;
}

/* One page in each of BATCH equal parts comes and goes. */
static uint64_t copy_some(const struct job *job, uint64_t *state)
{
	static char page[Z_PAGE_SIZE] __attribute__((aligned(4096)));
	struct iovec ranges[BATCH];
	size_t mine = PAGES / job->threads;
	size_t part = mine / BATCH;
	char *first = job->lane->region + job->number * mine * Z_PAGE_SIZE;

	for (unsigned int i = 0; i < BATCH; i++) {
		size_t at = i * part + bench_random(state) % part;

		ranges[i] = (struct iovec){first + at * Z_PAGE_SIZE, Z_PAGE_SIZE};
		must(zl_uffd_copy(job->lane->uffd, (uintptr_t)ranges[i].iov_base, page, true) == 0,
		     "UFFDIO_COPY");
		*(volatile char *)ranges[i].iov_base;
	}
	must(syscall(SYS_process_madvise, job->lane->pidfd, ranges, BATCH, MADV_DONTNEED, 0) ==
		     (long)(BATCH * Z_PAGE_SIZE),
	     "process_madvise");
	return BATCH;
}

static void *run_job(void *arg)
{
	struct job *job = arg;
	uint64_t state = job->number + 1;
	uint64_t done = 0;
	double start;
	double end;

	(void)pthread_barrier_wait(job->start);
	start = now_ns();
	do {
		done += job->lane->some(job, &state);
		end = now_ns();
	} while (end - start < STEP_NS);
	job->done = (double)done / (end - start) * 1e9;
	return NULL;
}

/* What all threads do in a second. */
static double run(const struct lane *lane, unsigned int threads)
{
	pthread_barrier_t start;
	pthread_t thread[THREADS];
	struct job jobs[THREADS];
	double sum = 0;

	must(pthread_barrier_init(&start, NULL, threads) == 0, "barrier");
	for (unsigned int i = 0; i < threads; i++) {
		jobs[i] = (struct job){lane, &start, i, threads, 0};
		must(pthread_create(&thread[i], NULL, run_job, &jobs[i]) == 0, "thread");
	}
	for (unsigned int i = 0; i < threads; i++) {
		(void)pthread_join(thread[i], NULL);
		sum += jobs[i].done;
	}
	(void)pthread_barrier_destroy(&start);
	return sum;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct lane lanes[LANES];
static unsigned int nlanes;

static struct lane *add_lane(const char *what, const char *how)
{
	must(nlanes < LANES, "too many stores");
	struct lane *lane = &lanes[nlanes++];

	(void)snprintf(lane->name, sizeof(lane->name), "%.28s, %s", what, how);
	return lane;
}

static void add_mechanism(void)
{
	struct lane *lane = add_lane("COPY and DONTNEED", "bare");
	enum zl_uffd_how how;
	uint64_t have;

	lane->some = copy_some;
	lane->pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	must(zl_uffd_open(true, &how, &lane->uffd) == 0, "userfaultfd");
	must(zl_uffd_agree(lane->uffd, UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_SIGBUS,
			   &have) == 0,
	     "userfaultfd");
	lane->region =
		mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(lane->region != MAP_FAILED, "mmap");
	must(madvise(lane->region, REGION, MADV_NOHUGEPAGE) == 0, "madvise");
	must(zl_uffd_register(lane->uffd, (uintptr_t)lane->region, REGION,
			      UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP) == 0,
	     "UFFDIO_REGISTER");
}

/* The instance lives as long as the process. */
static void add_store(const char *uri)
{
	struct zpager_options options = {
		.ram_bytes = REGION / 4, .store = uri, .fault_mode = "signal", .overcommit = 1};
	struct zpager *z;
	char error[256];

	if (zpager_open(&options, error, sizeof(error), &z) != 0) {
		fprintf(stderr, "%s: %s\n", uri, error);
		exit(1);
	}
	char *region = zpager_map(z, REGION, 0);
	must(region != NULL, "zpager_map");
	for (size_t i = 0; i < PAGES; i++) {
		bench_page_fill((unsigned char *)region + i * Z_PAGE_SIZE, BENCH_HALF, i);
	}
	for (int writes = 0; writes < 2; writes++) {
		struct lane *lane = add_lane(uri, writes ? "write" : "read");

		lane->some = touch_some;
		lane->region = region;
		lane->writes = writes != 0;
	}
}

static void print(struct lane *lane)
{
	qsort(lane->one, ROUNDS, sizeof(double), by_size);
	qsort(lane->two, ROUNDS, sizeof(double), by_size);
	qsort(lane->ratio, ROUNDS, sizeof(double), by_size);
	printf("%-34s %10.0f %10.0f %8.2f %7.2f-%.2f\n", lane->name, 1e9 / lane->one[ROUNDS / 2],
	       1e9 / lane->two[ROUNDS / 2], lane->ratio[ROUNDS / 2], lane->ratio[0],
	       lane->ratio[ROUNDS - 1]);
}

int main(int argc, char **argv)
{
	add_lane("computing", "64 steps")->some = compute_some;
	add_mechanism();
	if (argc < 2) {
		add_store("ram:size=128M&own=yes");
		add_store("lz4:size=128M&own=yes");
	}
	for (int i = 1; i < argc; i++) {
		add_store(argv[i]);
	}
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (struct lane *lane = lanes; lane < lanes + nlanes; lane++) {
			lane->one[round] = run(lane, 1);
			lane->two[round] = run(lane, 2);
			lane->ratio[round] = lane->two[round] / lane->one[round];
		}
	}
	printf("%-34s %10s %10s %8s %12s\n", "ns an access, or a page", "1 thread", "2 threads",
	       "ratio", "least-most");
	for (struct lane *lane = lanes; lane < lanes + nlanes; lane++) {
		print(lane);
	}
	return 0;
}
