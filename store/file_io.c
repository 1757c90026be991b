/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_io.c - swap files as such; purpose and limits in file_io.h.
 */
#define _GNU_SOURCE
#include "file_io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Programs count on low descriptors: shells use 3 to 9, others take the lowest free one. */
#define LOWEST_FD 500

int z_file_error(int number)
{
	return number == ENOSPC || number == EDQUOT || number == EFBIG ? Z_ERR_NOSPC : Z_ERR_IO;
}

static int raise_fd(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, LOWEST_FD);

	if (high < 0) {
		return fd;
	}
	(void)close(fd);
	return high;
}

/* In a directory, for file systems without O_TMPFILE. */
static int make_named(const char *directory)
{
	char name[PATH_MAX];
	int length = snprintf(name, sizeof(name), "%s/zpager-swap-XXXXXX", directory);
	int fd;

	if (length < 0 || (size_t)length >= sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0) {
		(void)unlink(name);
	}
	return fd;
}

static int make_in(const char *directory)
{
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		fd = make_named(directory);
	}
	return fd;
}

static int make_at(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);

	if (fd >= 0) {
		(void)unlink(path);
	}
	return fd;
}

/* Some file systems take the flag and refuse the transfer. A limit on files would be a signal. */
static bool writes_page(int fd)
{
	static const char page[Z_PAGE_SIZE] __attribute__((aligned(Z_PAGE_SIZE)));
	struct z_file_room room;

	return z_file_room(fd, &room) == 0 && room.limit_bytes >= Z_PAGE_SIZE &&
	       pwrite(fd, page, sizeof(page), 0) == (ssize_t)sizeof(page) && ftruncate(fd, 0) == 0;
}

/* Past the page cache, if that is wanted; on a file system in RAM it makes no sense. */
static bool make_direct(int fd, enum z_file_direct direct)
{
	struct z_file_room room;
	int flags = fcntl(fd, F_GETFL);

	if (direct == Z_DIRECT_NO || flags < 0 || z_file_room(fd, &room) != 0 ||
	    (direct == Z_DIRECT_IF_POSSIBLE && room.in_ram)) {
		return false;
	}
	if (fcntl(fd, F_SETFL, flags | O_DIRECT) == 0 && writes_page(fd)) {
		return true;
	}
	(void)fcntl(fd, F_SETFL, flags);
	return false;
}

int z_file_make(const char *path, enum z_file_direct direct, const struct z_error_text *error,
		int *fd_out, bool *direct_out)
{
	struct stat status;
	bool directory = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
	int fd = directory ? make_in(path) : make_at(path);

	if (fd < 0 && errno == EEXIST) {
		return z_error_say(error, Z_ERR_IO,
				   "store file: %s exists already; give a directory or a new name",
				   path);
	}
	if (fd < 0) {
		return z_error_say(
			error, Z_ERR_IO,
			"store file: cannot make a swap file in %s: %s; give a directory "
			"that can be written to, as in file:/var/tmp?size=1G",
			path, strerror(errno));
	}
	*direct_out = make_direct(fd, direct);
	if (direct == Z_DIRECT_YES && !*direct_out) {
		(void)close(fd);
		return z_error_say(error, Z_ERR_IO,
				   "store file: %s cannot do direct=yes; leave it out", path);
	}
	*fd_out = raise_fd(fd);
	return 0;
}

int z_file_room(int fd, struct z_file_room *out)
{
	struct statfs fs;
	struct rlimit limit;

	if (fstatfs(fd, &fs) != 0 || getrlimit(RLIMIT_FSIZE, &limit) != 0) {
		return Z_ERR_IO;
	}
	out->free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_frsize;
	out->limit_bytes = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
	out->in_ram = fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
	return 0;
}

int z_file_read(int fd, void *to, size_t bytes, uint64_t offset)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = pread(fd, (char *)to + done, bytes - done, (off_t)(offset + done));

		if (n > 0) {
			done += (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			return Z_ERR_IO;
		}
	}
	return 0;
}

int z_file_write(int fd, const void *from, size_t bytes, uint64_t offset)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n =
			pwrite(fd, (const char *)from + done, bytes - done, (off_t)(offset + done));

		if (n > 0) {
			done += (size_t)n;
		} else if (n == 0) {
			return Z_ERR_IO;
		} else if (errno != EINTR) {
			return z_file_error(errno);
		}
	}
	return 0;
}

/* Some bytes of a run are done. Returns how many buffers are through. */
static size_t advance(struct iovec *iov, size_t bytes)
{
	size_t n = 0;

	while (bytes > 0) {
		size_t part = bytes < iov[n].iov_len ? bytes : iov[n].iov_len;

		iov[n].iov_base = (char *)iov[n].iov_base + part;
		iov[n].iov_len -= part;
		bytes -= part;
		n += iov[n].iov_len == 0 ? 1U : 0U;
	}
	return n;
}

typedef ssize_t transfer_fn(int fd, const struct iovec *iov, int n, off_t offset);

static int transfer_run(transfer_fn *transfer, int fd, struct iovec *iov, size_t n, uint64_t offset)
{
	while (n != 0) {
		ssize_t bytes = transfer(fd, iov, (int)n, (off_t)offset);

		if (bytes == 0) {
			return Z_ERR_IO;
		}
		if (bytes < 0 && errno != EINTR) {
			return z_file_error(errno);
		}
		if (bytes > 0) {
			size_t through = advance(iov, (size_t)bytes);

			offset += (uint64_t)bytes;
			iov += through;
			n -= through;
		}
	}
	return 0;
}

int z_file_write_run(int fd, struct iovec *iov, size_t n, uint64_t offset)
{
	return transfer_run(pwritev, fd, iov, n, offset);
}

int z_file_read_run(int fd, struct iovec *iov, size_t n, uint64_t offset)
{
	return transfer_run(preadv, fd, iov, n, offset) == 0 ? 0 : Z_ERR_IO;
}

void z_file_punch(int fd, uint64_t offset, uint64_t bytes)
{
	(void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			(off_t)bytes);
}

/* By way of a buffer; stops where the first file ends. */
static int copy_by_hand(int from, int to, uint64_t offset, uint64_t bytes, void *buffer)
{
	for (uint64_t done = 0; done < bytes; done += Z_PAGE_SIZE) {
		int err;

		if (z_file_read(from, buffer, Z_PAGE_SIZE, offset + done) != 0) {
			struct stat status;

			return fstat(from, &status) == 0 &&
					       (uint64_t)status.st_size <= offset + done
				       ? 0
				       : Z_ERR_IO;
		}
		err = z_file_write(to, buffer, Z_PAGE_SIZE, offset + done);
		if (err != 0) {
			return err;
		}
	}
	return 0;
}

int z_file_copy(int from, int to, uint64_t offset, uint64_t bytes, void *buffer)
{
	uint64_t done = 0;

	while (done < bytes) {
		off_t in = (off_t)(offset + done);
		off_t out = in;
		ssize_t n = copy_file_range(from, &in, to, &out, bytes - done, 0);

		if (n == 0) {
			return 0;
		}
		if (n > 0) {
			done += (uint64_t)n;
		} else if (errno == ENOSPC || errno == EDQUOT) {
			return Z_ERR_NOSPC;
		} else if (errno != EINTR) {
			done -= done % Z_PAGE_SIZE;
			return copy_by_hand(from, to, offset + done, bytes - done, buffer);
		}
	}
	return 0;
}

uint64_t z_file_disk_bytes(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 ? (uint64_t)status.st_blocks * 512U : 0;
}
