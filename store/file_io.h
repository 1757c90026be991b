/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_io.h - swap files as such: made, read, written, punched, copied. Linux; no state of its own.
 *
 * Every function handles short transfers and EINTR, and returns 0 or one of Z_ERR_IO, Z_ERR_NOSPC.
 */
#ifndef STORE_FILE_IO_H
#define STORE_FILE_IO_H

#include <limits.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "hosted.h"

/* What the file system says of a file. */
struct z_file_room {
	uint64_t free_bytes;  /* that we may use */
	uint64_t limit_bytes; /* of a file: RLIMIT_FSIZE */
	bool in_ram;          /* tmpfs or ramfs */
};

/*
 * z_file_make - a file nobody else can open: O_TMPFILE, or made and unlinked; mode 0600, O_CLOEXEC,
 *   its descriptor out of the way of the program's own. path: a directory, or the file to make.
 *   *direct_out: it is read and written past the page cache. 0 | Z_ERR_IO, *error says why.
 */
Z_MUST_CHECK int z_file_make(const char *path, enum z_file_direct direct,
			     const struct z_error_text *error, int *fd_out, bool *direct_out);

/* z_file_room - 0 | Z_ERR_IO. */
Z_MUST_CHECK int z_file_room(int fd, struct z_file_room *out);

Z_MUST_CHECK int z_file_read(int fd, void *to, size_t bytes, uint64_t offset);
Z_MUST_CHECK int z_file_write(int fd, const void *from, size_t bytes, uint64_t offset);

/* z_file_write_run - pages that lie one after the other in the file; iov is spoiled. */
Z_MUST_CHECK int z_file_write_run(int fd, struct iovec *iov, size_t n, uint64_t offset);

/* z_file_read_run - the same the other way. */
Z_MUST_CHECK int z_file_read_run(int fd, struct iovec *iov, size_t n, uint64_t offset);

/* z_file_punch - the bytes need no disk any more. A file system that cannot do it is no error. */
void z_file_punch(int fd, uint64_t offset, uint64_t bytes);

/*
 * z_file_copy - bytes of one file to the same offset of another, as far as the first one goes.
 *   buffer: one page, used where the kernel cannot copy by itself.
 */
Z_MUST_CHECK int z_file_copy(int from, int to, uint64_t offset, uint64_t bytes, void *buffer);

/* z_file_disk_bytes - what the file takes on its device. */
uint64_t z_file_disk_bytes(int fd);

/* z_file_error - an errno as an error of ours. */
int z_file_error(int number);

/* ---- io_uring (file_uring.c): one ring, used by one context at a time ---- */

struct z_uring;

/* z_uring_bytes, z_uring_open - memory for it comes from the caller. 0 | Z_ERR_NOTSUP. */
size_t z_uring_bytes(void);
Z_MUST_CHECK int z_uring_open(struct z_uring *ring);

/* z_uring_close - inherited: it is the parent's, by a fork; only let go of it. */
void z_uring_close(struct z_uring *ring, bool inherited);

/* A run of pages to be written at once. */
struct z_uring_run {
	struct iovec *iov;
	unsigned int n; /* of iov */
	size_t bytes;
	uint64_t offset;
	bool done; /* out: all of it is written; if not, nothing is known of it */
};

#define Z_URING_DEPTH 64U

/*
 * z_uring_write - write up to Z_URING_DEPTH runs. Returns false if the ring is broken and must be
 * closed; runs that are not done are the caller's to write, in any case.
 */
Z_MUST_CHECK bool z_uring_write(struct z_uring *ring, int fd, struct z_uring_run *runs, size_t n);

#endif /* STORE_FILE_IO_H */
