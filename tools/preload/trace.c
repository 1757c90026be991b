/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.c - the faults of this process, told to `zpager trace`, and pages made to fault again.
 *
 * Theory. A page that is in tells nothing more. So every period all pages (or one in n, always
 * the same ones) are put out, into a store
 * in RAM, and the first touch of each in the next period is a fault, the first write to one that came
 * in by a read another. A program that touches so many pages that it would mostly serve faults gets
 * longer periods: a sweep has to wait until serving faults has taken no more than a COST-th of the
 * time since the last one.
 *
 * The word goes into the ring before the thread that faulted goes on, so the order is that of the
 * faults. If the ring is full the thread that serves faults sleeps: the program waits, nothing is lost.
 *
 * A forked child is not traced: its pager has faults too, but is not the owner of the ring.
 *
 * Locks: a flag, held for one word. Nothing here touches paged memory.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../pgt.h"
#include "../pgt_sink.h"
#include "../ring.h"
#include "preload.h"

#define DEFAULT_US 50000U
#define COST       8U /* what is counted is about a quarter of what a fault takes */
#define PAUSE_NS   1000000L

static struct ring *_Atomic ring; /* NULL: nobody wants to know */
static atomic_flag writing = ATOMIC_FLAG_INIT;
static uint64_t ticks; /* told so far; [writing] */
static uint64_t share; /* [I] pages with a hash below are put out */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec time;

	(void)clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static void sleep_ns(uint64_t ns)
{
	const struct timespec time = {.tv_sec = (time_t)(ns / 1000000000U),
				      .tv_nsec = (long)(ns % 1000000000U)};

	(void)syscall(SYS_nanosleep, &time, NULL);
}

static void put(struct ring *r, uint64_t word)
{
	uint64_t at = atomic_load_explicit(&r->written, memory_order_relaxed);

	while (at - atomic_load_explicit(&r->taken, memory_order_acquire) >= RING_WORDS) {
		sleep_ns(PAUSE_NS);
	}
	r->words[at % RING_WORDS] = word;
	atomic_store_explicit(&r->written, at + 1, memory_order_release);
}

static void lock(void)
{
	while (atomic_flag_test_and_set_explicit(&writing, memory_order_acquire)) {
		sleep_ns(PAUSE_NS / 10);
	}
}

static void put_ticks(struct ring *r)
{
	uint64_t ms = clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1000000U;

	for (; ticks < ms; ticks++) {
		put(r, RING_TICK);
	}
}

static void on_fault(void *context, const void *address, int is_write)
{
	struct ring *r = atomic_load(&ring);

	(void)context;
	if (r == NULL) {
		return;
	}
	lock();
	put_ticks(r);
	put(r,
	    (uintptr_t)address / Z_PAGE_SIZE << PGT_FLAG_BITS | (is_write ? PGT_WRITE : PGT_READ));
	atomic_flag_clear_explicit(&writing, memory_order_release);
}

static struct ring *open_ring(void)
{
	const char *path = getenv(ZR_ENV_RING);
	struct ring *r = MAP_FAILED;
	int32_t nobody = 0;
	struct stat status;
	int fd;

	if (path == NULL || path[0] == '\0') {
		return NULL;
	}
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		return NULL;
	}
	if (fstat(fd, &status) == 0 && (size_t)status.st_size >= sizeof(*r)) {
		r = zp_sys_mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	(void)syscall(SYS_close, fd);
	if (r == MAP_FAILED || r->magic != RING_MAGIC) {
		return NULL;
	}
	if (!atomic_compare_exchange_strong(&r->owner, &nobody, (int32_t)getpid()) &&
	    nobody != (int32_t)getpid()) {
		return NULL;
	}
	return r;
}

void zp_trace_open(struct zpager_options *options)
{
	if (getenv(ZR_ENV_PROBE) != NULL) {
		return;
	}
	atomic_store(&ring, open_ring());
	if (atomic_load(&ring) != NULL) {
		/* What another program used in this process before exec has been told. */
		ticks = clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1000000U;
		options->on_fault = on_fault;
	}
}

void zp_trace_forked(void)
{
	atomic_store(&ring, NULL);
}

/* How long bringing back the pages after the first so many took. First touches are not our doing. */
static uint64_t served_ns(struct zpager *z, uint64_t seen)
{
	struct z_stats stats;

	zpager_stats(z, &stats, NULL);
	if (stats.pagefaults == 0) {
		return 0;
	}
	return (stats.pages_read - seen) * (stats.fault_ns / stats.pagefaults);
}

static uint64_t pages_read(struct zpager *z)
{
	struct z_stats stats;

	zpager_stats(z, &stats, NULL);
	return stats.pages_read;
}

static int is_followed(void *context, const void *address)
{
	(void)context;
	return pgt_hash((uintptr_t)address / Z_PAGE_SIZE) < share;
}

static void sweep(struct zpager *z, struct ring *r)
{
	uint64_t begin = clock_ns(CLOCK_MONOTONIC);

	lock();
	put(r, RING_SWEEP);
	atomic_flag_clear_explicit(&writing, memory_order_release);
	/* What could not leave tells nothing in the next period; a fault that fails is told there. */
	(void)!zpager_page_out_all(z, share < UINT64_MAX ? is_followed : NULL, NULL);
	atomic_fetch_add(&r->sweep_ns, clock_ns(CLOCK_MONOTONIC) - begin);
}

static void *sweep_loop(void *argument)
{
	struct zpager *z = argument;
	struct ring *r = atomic_load(&ring);
	const char *text = getenv(ZR_ENV_PERIOD);
	uint64_t period = (text != NULL ? strtoull(text, NULL, 10) : DEFAULT_US) * 1000U;
	uint64_t begin = clock_ns(CLOCK_MONOTONIC);
	uint64_t seen = pages_read(z);

	for (;;) {
		sleep_ns(period);
		if (served_ns(z, seen) * COST > clock_ns(CLOCK_MONOTONIC) - begin) {
			continue;
		}
		sweep(z, r);
		begin = clock_ns(CLOCK_MONOTONIC);
		seen = pages_read(z);
	}
	return NULL;
}

/* Called inside: the thread is the pager's. */
void zp_trace_thread(struct zpager *z)
{
	pthread_t thread;

	if (atomic_load(&ring) != NULL) {
		share = PGT_HASH_SHARE(atomic_load(&ring)->one_in);
		(void)pthread_create(&thread, NULL, sweep_loop, z);
	}
}
