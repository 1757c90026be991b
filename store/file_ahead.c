/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_ahead.c - scans of a swap file are read ahead, asynchronously; the interface is in file_ahead.h.
 *
 * Theory. The core reads a scan window by window and waits for each. Pages that follow one another in
 * the program follow one another in the file, because they left together; so a run of some length that
 * is asked for makes a stream, and the chunks of the file behind it are read while the program works on
 * what it has. Who asks for them next copies them out of the chunks, or waits for what is under way. A
 * stream is a chunk deep at first, twice that each time that it goes on.
 *
 * A page is given out once. One that is written is forgotten, after the write: a read that was submitted
 * before may have either contents, one submitted later has the new ones, and nobody asks for a page
 * while it is being written. What cannot be read is not there: the caller reads it, and finds the error.
 * Chunks may hold pages that nobody will ask for, since they are in RAM or of no use; they go when
 * the stream has passed them, or when it is the one that has been quiet for longest.
 *
 * Linux's own asynchronous reads (io_submit) instead of io_uring: an io_uring completes in a thread of
 * the program, as if by a signal, and a program that sleeps in epoll_wait() then sees an EINTR that it
 * has not asked for. io_submit is asynchronous past the page cache alone, so without O_DIRECT
 * nothing is read ahead.
 *
 * Locks: its own lock, taken inside of no other and holding no other. One thread at a time waits for the
 * kernel, with the lock off; others wait for that one. Limits: STREAMS scans at once, upwards.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file_ahead.h"
#include "mem.h"
#include "slots.h"

#define CHUNK_PAGES 32U
#define CHUNKS      8U
#define DEPTH_MOST  4U /* chunks of one stream */
#define STREAMS     4U
#define RUN_LEAST   8U  /* pages of a run that begins a stream */
#define QUIET       16U /* so many runs of others later its chunks may be taken from it */

_Static_assert(CHUNKS *CHUNK_PAGES == Z_AHEAD_PAGES, "the room is that of all chunks");

enum chunk_state { CHUNK_FREE, CHUNK_LOADING, CHUNK_READY };

struct chunk {
	enum chunk_state state;
	uint32_t first;  /* slot */
	uint32_t have;   /* bit i: page i is good to be given out, as soon as it is there */
	uint32_t stream; /* whose it is */
};

struct stream {
	bool live;
	uint32_t at;    /* the slot that is asked for next */
	uint32_t end;   /* the first slot that was not read ahead */
	uint32_t depth; /* chunks */
	uint32_t asked; /* when it last went on */
};

struct z_file_ahead {
	pthread_mutex_t lock;
	pthread_cond_t came;
	int fd;                /* [I] */
	aio_context_t context; /* [I] 0: nothing is read ahead */
	char *pages;           /* [lock] of all chunks; NULL: not yet */
	bool waiting;          /* [lock] a thread waits for the kernel */
	uint32_t loading;      /* [lock] chunks */
	uint32_t clock;        /* [lock] runs of streams, modulo 2^32 */
	atomic_uint busy;      /* chunks that are not free, to be looked at without the lock */
	atomic_uint streaming; /* streams that live, likewise */
	atomic_ullong read;
	struct chunk chunks[CHUNKS];    /* [lock] */
	struct stream streams[STREAMS]; /* [lock] */
};

size_t z_ahead_bytes(void)
{
	return sizeof(struct z_file_ahead);
}

static char *page_of(const struct z_file_ahead *a, const struct chunk *c, uint32_t i)
{
	return a->pages + ((size_t)(c - a->chunks) * CHUNK_PAGES + i) * Z_PAGE_SIZE;
}

static void free_chunk(struct z_file_ahead *a, struct chunk *c)
{
	c->state = CHUNK_FREE;
	c->have = 0;
	atomic_fetch_sub(&a->busy, 1);
}

/* Nobody wants what is left of it; the kernel may still be at it. */
static void drop_chunk(struct z_file_ahead *a, struct chunk *c)
{
	c->have = 0;
	if (c->state == CHUNK_READY) {
		free_chunk(a, c);
	}
}

/* ---- the kernel ------------------------------------------------------------------------------ */

static void arrived(struct z_file_ahead *a, const struct io_event *event)
{
	struct chunk *c = &a->chunks[event->data];
	uint32_t pages = event->res > 0 ? (uint32_t)((uint64_t)event->res / Z_PAGE_SIZE) : 0;

	a->loading--;
	c->state = CHUNK_READY;
	if (pages < CHUNK_PAGES) {
		c->have &= (UINT32_C(1) << pages) - 1U;
	}
	if (c->have == 0) {
		free_chunk(a, c);
	}
	atomic_fetch_add_explicit(&a->read, (uint64_t)pages * Z_PAGE_SIZE, memory_order_relaxed);
}

/* The kernel does not tell what has come: nothing is given out, and no chunk used again. */
static void forget_all(struct z_file_ahead *a)
{
	for (uint32_t i = 0; i < CHUNKS; i++) {
		a->chunks[i].have = 0;
	}
}

/* Take in what has come, least of it at least. Lock held, dropped to wait. */
static void collect(struct z_file_ahead *a, long least)
{
	struct timespec none = {0, 0};
	struct io_event events[CHUNKS];
	long n;

	a->waiting = true;
	if (least > 0) {
		(void)pthread_mutex_unlock(&a->lock);
	}
	do {
		n = syscall(SYS_io_getevents, a->context, least, (long)CHUNKS, events,
			    least > 0 ? NULL : &none);
	} while (n < 0 && errno == EINTR);
	if (least > 0) {
		(void)pthread_mutex_lock(&a->lock);
	}
	a->waiting = false;
	for (long i = 0; i < n; i++) {
		arrived(a, &events[i]);
	}
	if (n < 0) {
		forget_all(a);
	}
	(void)pthread_cond_broadcast(&a->came);
}

static void wait_for_one(struct z_file_ahead *a)
{
	if (a->waiting) {
		(void)pthread_cond_wait(&a->came, &a->lock);
	} else {
		collect(a, 1);
	}
}

static bool submit(struct z_file_ahead *a, const struct chunk *c)
{
	struct iocb block = {
		.aio_data = (uint64_t)(c - a->chunks),
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)a->fd,
		.aio_buf = (uintptr_t)page_of(a, c, 0),
		.aio_nbytes = (uint64_t)CHUNK_PAGES * Z_PAGE_SIZE,
		.aio_offset = (int64_t)c->first * (int64_t)Z_PAGE_SIZE,
	};
	struct iocb *blocks[] = {&block};

	return syscall(SYS_io_submit, a->context, 1L, blocks) == 1;
}

/* ---- streams --------------------------------------------------------------------------------- */

static void end_stream(struct z_file_ahead *a, struct stream *s)
{
	for (uint32_t i = 0; i < CHUNKS; i++) {
		if (a->chunks[i].state != CHUNK_FREE && &a->streams[a->chunks[i].stream] == s) {
			drop_chunk(a, &a->chunks[i]);
		}
	}
	if (s->live) {
		s->live = false;
		atomic_fetch_sub(&a->streaming, 1);
	}
}

static uint32_t quiet_for(const struct z_file_ahead *a, const struct stream *s)
{
	return a->clock - s->asked;
}

/* A place for a stream: one that is free, or that of the quietest. */
static struct stream *stream_place(struct z_file_ahead *a)
{
	struct stream *quietest = &a->streams[0];

	for (uint32_t i = 0; i < STREAMS; i++) {
		struct stream *s = &a->streams[i];

		if (!s->live) {
			return s;
		}
		if (quiet_for(a, s) > quiet_for(a, quietest)) {
			quietest = s;
		}
	}
	return quietest;
}

static struct chunk *chunk_place(struct z_file_ahead *a)
{
	for (uint32_t turn = 0; turn < 2; turn++) {
		for (uint32_t i = 0; i < CHUNKS; i++) {
			if (a->chunks[i].state == CHUNK_FREE) {
				return &a->chunks[i];
			}
		}
		for (uint32_t i = 0; i < STREAMS; i++) {
			if (a->streams[i].live && quiet_for(a, &a->streams[i]) > QUIET) {
				end_stream(a, &a->streams[i]);
			}
		}
	}
	return NULL;
}

/* The chunks that a stream has gone by. */
static void drop_passed(struct z_file_ahead *a, const struct stream *s, uint32_t slot)
{
	for (uint32_t i = 0; i < CHUNKS; i++) {
		struct chunk *c = &a->chunks[i];

		if (c->state != CHUNK_FREE && &a->streams[c->stream] == s &&
		    c->first + CHUNK_PAGES <= slot) {
			drop_chunk(a, c);
		}
	}
}

static void read_on(struct z_file_ahead *a, struct stream *s)
{
	while (s->end - s->at < s->depth * CHUNK_PAGES && s->end < Z_SLOTS_MAX - CHUNK_PAGES) {
		struct chunk *c = chunk_place(a);

		if (c == NULL) {
			return;
		}
		*c = (struct chunk){
			.state = CHUNK_LOADING,
			.first = s->end,
			.have = UINT32_MAX,
			.stream = (uint32_t)(s - a->streams),
		};
		atomic_fetch_add(&a->busy, 1);
		if (!submit(a, c)) {
			free_chunk(a, c);
			return;
		}
		a->loading++;
		s->end += CHUNK_PAGES;
	}
}

static struct stream *stream_at(struct z_file_ahead *a, uint32_t slot)
{
	for (uint32_t i = 0; i < STREAMS; i++) {
		struct stream *s = &a->streams[i];

		if (s->live && slot >= s->at && slot <= s->end) {
			return s;
		}
	}
	return NULL;
}

static struct stream *begin_stream(struct z_file_ahead *a, uint32_t end)
{
	struct stream *s = stream_place(a);

	end_stream(a, s);
	*s = (struct stream){.live = true, .end = end};
	atomic_fetch_add(&a->streaming, 1);
	return s;
}

void z_ahead_asked(struct z_file_ahead *a, uint32_t first, uint32_t n)
{
	struct stream *s;

	if (a->context == 0 || (n < RUN_LEAST && atomic_load(&a->streaming) == 0)) {
		return;
	}
	(void)pthread_mutex_lock(&a->lock);
	if (a->loading > 0 && !a->waiting) {
		collect(a, 0);
	}
	s = stream_at(a, first);
	if (s == NULL && n >= RUN_LEAST && a->pages != NULL) {
		s = begin_stream(a, first + n);
	}
	if (s != NULL) {
		s->asked = ++a->clock;
		s->at = first + n;
		s->end = s->end > s->at ? s->end : s->at;
		s->depth = s->depth * 2 < DEPTH_MOST ? s->depth * 2 : DEPTH_MOST;
		s->depth = s->depth > 0 ? s->depth : 1;
		drop_passed(a, s, first);
		read_on(a, s);
	}
	(void)pthread_mutex_unlock(&a->lock);
}

/* ---- pages ----------------------------------------------------------------------------------- */

/* The chunk that has the page of slot to give out, now or soon. */
static struct chunk *chunk_with(struct z_file_ahead *a, uint32_t slot)
{
	for (uint32_t i = 0; i < CHUNKS; i++) {
		struct chunk *c = &a->chunks[i];

		if (slot - c->first < CHUNK_PAGES && (c->have >> (slot - c->first) & 1U) != 0) {
			return c;
		}
	}
	return NULL;
}

static void give_up(struct z_file_ahead *a, struct chunk *c, uint32_t slot)
{
	c->have &= ~(UINT32_C(1) << (slot - c->first));
	if (c->have == 0) {
		drop_chunk(a, c);
	}
}

bool z_ahead_take(struct z_file_ahead *a, uint32_t slot, void *page)
{
	struct chunk *c;

	if (atomic_load(&a->busy) == 0) {
		return false;
	}
	(void)pthread_mutex_lock(&a->lock);
	for (c = chunk_with(a, slot); c != NULL && c->state == CHUNK_LOADING;
	     c = chunk_with(a, slot)) {
		wait_for_one(a);
	}
	if (c != NULL) {
		(void)memcpy(page, page_of(a, c, slot - c->first), Z_PAGE_SIZE);
		give_up(a, c, slot);
	}
	(void)pthread_mutex_unlock(&a->lock);
	return c != NULL;
}

void z_ahead_forget(struct z_file_ahead *a, uint32_t slot)
{
	struct chunk *c;

	if (atomic_load(&a->busy) == 0) {
		return;
	}
	(void)pthread_mutex_lock(&a->lock);
	while ((c = chunk_with(a, slot)) != NULL) {
		give_up(a, c, slot);
	}
	(void)pthread_mutex_unlock(&a->lock);
}

/* ---- open, close ----------------------------------------------------------------------------- */

/* Without a context, if the kernel gives none, nothing is ever read ahead. */
void z_ahead_open(struct z_file_ahead *a, int fd)
{
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_cond_init(&a->came, NULL);
	a->fd = fd;
	if (syscall(SYS_io_setup, CHUNKS, &a->context) != 0) {
		a->context = 0;
	}
}

void z_ahead_room(struct z_file_ahead *a, char *room)
{
	(void)pthread_mutex_lock(&a->lock);
	a->pages = room;
	(void)pthread_mutex_unlock(&a->lock);
}

void z_ahead_close(struct z_file_ahead *a)
{
	if (a->context != 0) {
		/* Waits for what is under way. */
		(void)syscall(SYS_io_destroy, a->context);
	}
	(void)pthread_mutex_destroy(&a->lock);
	(void)pthread_cond_destroy(&a->came);
}

void z_ahead_after_fork(struct z_file_ahead *a, int fd)
{
	memset(a->chunks, 0, sizeof(a->chunks));
	memset(a->streams, 0, sizeof(a->streams));
	atomic_store(&a->busy, 0);
	atomic_store(&a->streaming, 0);
	a->loading = 0;
	a->waiting = false;
	a->context = 0;
	z_ahead_open(a, fd);
}

uint64_t z_ahead_read(struct z_file_ahead *a)
{
	return atomic_load_explicit(&a->read, memory_order_relaxed);
}
