/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample.c - a sample of the references of a program, from its faults under `zpager run`.
 *
 * Theory. The preload library puts all paged pages out once a period and tells each fault through a
 * ring (ring.h, preload/trace.c). So the sink gets for each period the pages touched in it, each once,
 * in the order of their first touch, and once more if a page was read first and written later. What is
 * put out stays in RAM, uncompressed, beside the frames; only what finds no room there goes to a file.
 *
 * A thread of ours empties the ring every POLL_NS, which is long before it is full, while the main
 * one waits as `zpager run` does.
 *
 * Locks: none; the sink belongs to the thread until it is joined.
 * Limits: paged memory only: heap and large anonymous mappings of the program itself, not of its
 * children. Pinned pages are seen once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "pgt.h"
#include "record.h"
#include "ring.h"

#define POLL_NS   2000000L
#define PATH_ROOM 64

struct reader {
	struct ring *ring;
	const struct pgt_sink *to;
	uint64_t share; /* as the writer has it */
	_Atomic bool ended;
	uint64_t sweeps;
	uint32_t *touched; /* pages of each period that touched any */
	size_t periods, periods_room;
	struct pgt_pages pages;
	uint32_t *seen; /* by index of the page: the period in which it was counted last */
	uint32_t room;  /* of seen */
	uint64_t pages_now;
};

/* How many pages a period touches is for the user's eyes: without memory it is not counted. */
static void count_page(struct reader *r, uint64_t number)
{
	uint32_t page = pgt_pages_index(&r->pages, number);
	uint32_t period = (uint32_t)r->sweeps + 1;

	if (page == PGT_NO_PAGE) {
		return;
	}
	if (page >= r->room) {
		uint32_t room = r->pages.room;
		uint32_t *bigger = realloc(r->seen, room * sizeof(*bigger));

		if (bigger == NULL) {
			return;
		}
		memset(bigger + r->room, 0, (room - r->room) * sizeof(*bigger));
		r->seen = bigger;
		r->room = room;
	}
	if (r->seen[page] != period) {
		r->seen[page] = period;
		r->pages_now++;
	}
}

static void end_period(struct reader *r)
{
	if (r->pages_now > 0 && r->periods == r->periods_room) {
		size_t room = r->periods_room > 0 ? r->periods_room * 2 : 1024;
		uint32_t *bigger = realloc(r->touched, room * sizeof(*bigger));

		if (bigger == NULL) {
			return;
		}
		r->touched = bigger;
		r->periods_room = room;
	}
	if (r->pages_now > 0) {
		r->touched[r->periods++] = (uint32_t)r->pages_now;
	}
	r->sweeps++;
	r->pages_now = 0;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Nine in ten of the references that were seen are from periods that touched no more than that. */
static uint64_t usual_pages(struct reader *r)
{
	uint64_t all = 0;
	uint64_t some = 0;
	size_t i = 0;

	end_period(r);
	if (r->periods == 0) {
		return 0;
	}
	qsort(r->touched, r->periods, sizeof(*r->touched), by_size);
	for (size_t j = 0; j < r->periods; j++) {
		all += r->touched[j];
	}
	do {
		some += r->touched[i++];
	} while (some * 10 < all * 9);
	return r->touched[i - 1];
}

static void take_word(struct reader *r, uint64_t word)
{
	if (word == RING_TICK) {
		r->to->tick(r->to->to);
	} else if (word == RING_SWEEP) {
		end_period(r);
	} else {
		uint64_t number = word >> PGT_FLAG_BITS;

		if (pgt_hash(number) >= r->share) {
			return;
		}
		count_page(r, number);
		r->to->ref(r->to->to, number, (unsigned int)word & PGT_FLAGS);
	}
}

static void empty_ring(struct reader *r)
{
	uint64_t at = atomic_load(&r->ring->taken);
	uint64_t end = atomic_load_explicit(&r->ring->written, memory_order_acquire);

	for (; at != end; at++) {
		take_word(r, r->ring->words[at % RING_WORDS]);
		atomic_store_explicit(&r->ring->taken, at + 1, memory_order_release);
	}
}

static void *read_loop(void *argument)
{
	static const struct timespec pause = {.tv_nsec = POLL_NS};
	struct reader *r = argument;

	while (!atomic_load(&r->ended)) {
		(void)nanosleep(&pause, NULL);
		empty_ring(r);
	}
	empty_ring(r);
	return NULL;
}

static struct ring *make_ring(const struct sample_options *options)
{
	int fd = memfd_create("zpager-trace", MFD_CLOEXEC);
	struct ring *ring = MAP_FAILED;
	char text[PATH_ROOM];

	if (fd >= 0 && ftruncate(fd, sizeof(*ring)) == 0) {
		ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	if (ring == MAP_FAILED) {
		return NULL;
	}
	ring->magic = RING_MAGIC;
	ring->one_in = options->one_in;
	(void)snprintf(text, sizeof(text), "/proc/%d/fd/%d", (int)getpid(), fd);
	(void)setenv(ZR_ENV_RING, text, 1);
	(void)snprintf(text, sizeof(text), "%u", options->period_us);
	(void)setenv(ZR_ENV_PERIOD, text, 1);
	return ring;
}

static int run_and_read(struct reader *r, const struct run_options *run, struct sample_result *out)
{
	sigset_t all, before;
	pthread_t thread;
	int status;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	status = pthread_create(&thread, NULL, read_loop, r);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (status != 0) {
		return cmd_fail(EXIT_CANNOT, "no thread to read the trace");
	}
	status = run_paged(run, &out->run);
	atomic_store(&r->ended, true);
	(void)pthread_join(thread, NULL);
	return status;
}

int sample_run(const struct sample_options *options, const struct pgt_sink *to,
	       struct sample_result *out)
{
	uint64_t have = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	struct reader reader = {
		.ring = make_ring(options), .to = to, .share = PGT_HASH_SHARE(options->one_in)};
	struct run_options run = {.ram = options->ram, .command = options->command};
	char store[PATH_ROOM];
	char ram[PATH_ROOM];
	int status;

	*out = (struct sample_result){0};
	if (reader.ring == NULL) {
		return cmd_fail(EXIT_USAGE, "no memory for the trace: %s", strerror(errno));
	}
	(void)snprintf(ram, sizeof(ram), "%lluM", (unsigned long long)(have / 4 >> 20));
	(void)snprintf(store, sizeof(store),
		       "tier:ram:size=%lluM&own=yes,file:", (unsigned long long)(have / 4 >> 20));
	run.store = store;
	if (run.ram == NULL) {
		run.ram = ram;
	}
	status = run_and_read(&reader, &run, out);
	out->sweep_ns = atomic_load(&reader.ring->sweep_ns);
	out->usual_pages = usual_pages(&reader) * options->one_in;
	out->periods = reader.sweeps;
	free(reader.touched);
	pgt_pages_free(&reader.pages);
	free(reader.seen);
	(void)munmap(reader.ring, sizeof(*reader.ring));
	return status;
}
