/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_uring.c - batches of writes through io_uring; the interface is in file_io.h.
 *
 * Theory: all runs of a batch are submitted with one system call and waited for. Whatever does not go
 * as it should - a short write, an error, a ring that does not take it - is left to the caller, who
 * writes that run in the plain way and so finds the true error. No write is under way any more when
 * z_uring_write returns.
 *
 * Locks: one context at a time. liburing allocates nothing on the heap for what is used here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include <string.h>
#include <unistd.h>

#include "file_io.h"

struct z_uring {
	struct io_uring ring;
};

size_t z_uring_bytes(void)
{
	return sizeof(struct z_uring);
}

/* Does the kernel know vectored writes? */
static bool can_write(struct io_uring *ring)
{
	union {
		struct io_uring_probe probe;
		char room[sizeof(struct io_uring_probe) + 256 * sizeof(struct io_uring_probe_op)];
	} u;

	memset(&u, 0, sizeof(u));
	return io_uring_register_probe(ring, &u.probe, 256) == 0 &&
	       io_uring_opcode_supported(&u.probe, IORING_OP_WRITEV) != 0;
}

int z_uring_open(struct z_uring *ring)
{
	if (io_uring_queue_init(Z_URING_DEPTH, &ring->ring, 0) != 0) {
		return Z_ERR_NOTSUP;
	}
	if (!can_write(&ring->ring)) {
		io_uring_queue_exit(&ring->ring);
		return Z_ERR_NOTSUP;
	}
	return 0;
}

void z_uring_close(struct z_uring *ring, bool inherited)
{
	if (inherited) {
		/* Its mappings were not inherited; something else may be there by now. */
		(void)close(ring->ring.ring_fd);
	} else {
		io_uring_queue_exit(&ring->ring);
	}
}

/* Take in what has been completed of count submitted writes. */
static bool collect(struct io_uring *ring, struct z_uring_run *runs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct io_uring_cqe *cqe;
		size_t run;
		int err;

		do {
			err = io_uring_wait_cqe(ring, &cqe);
		} while (err == -EINTR || err == -EAGAIN);
		if (err != 0) {
			return false;
		}
		run = (size_t)io_uring_cqe_get_data64(cqe);
		runs[run].done = cqe->res > 0 && (size_t)cqe->res == runs[run].bytes;
		io_uring_cqe_seen(ring, cqe);
	}
	return true;
}

bool z_uring_write(struct z_uring *uring, int fd, struct z_uring_run *runs, size_t n)
{
	struct io_uring *ring = &uring->ring;
	size_t submitted = 0;
	int err = 0;

	for (size_t i = 0; i < n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

		runs[i].done = false;
		if (sqe == NULL) {
			return false;
		}
		io_uring_prep_writev(sqe, fd, runs[i].iov, runs[i].n, runs[i].offset);
		io_uring_sqe_set_data64(sqe, i);
	}
	while (submitted < n && (err >= 0 || err == -EINTR)) {
		err = io_uring_submit(ring);
		submitted += err > 0 ? (size_t)err : 0;
	}
	return collect(ring, runs, submitted) && submitted == n;
}
