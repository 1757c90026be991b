/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uffd.c - thin wrappers: one ioctl a function, with the answers that are the same everywhere.
 *
 * EAGAIN of UFFDIO_COPY, UFFDIO_WRITEPROTECT: the address space is being changed by somebody
 * (only while a non-cooperative event is pending, which we never ask for), so a bounded number of
 * repetitions suffices. A byte count in the result field is never trusted without the return value:
 * copy = -EAGAIN has been misread as progress elsewhere.
 *
 * Locks: none. Limits: page size is Z_PAGE_SIZE, which is the kernel's.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <zpager/types.h>

#include "uffd.h"
#include "uffd_abi.h"

#define AGAIN_MAX 1000

static int device_open(void)
{
	int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	if (device < 0) {
		return -errno;
	}
	int fd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
	int error = errno;
	close(device);
	return fd < 0 ? -error : fd;
}

int zl_uffd_open(bool user_only_is_enough, enum zl_uffd_how *how_out, int *fd_out)
{
	int fd = -1;

	*how_out = ZL_UFFD_NONE;
	if (!user_only_is_enough) {
		fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
		if (fd < 0) {
			fd = device_open();
		}
		if (fd >= 0) {
			*how_out = ZL_UFFD_FULL;
			*fd_out = fd;
			return 0;
		}
	}
	fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (fd < 0) {
		return -errno;
	}
	*how_out = ZL_UFFD_USER_ONLY;
	*fd_out = fd;
	return 0;
}

int zl_uffd_agree(int fd, uint64_t features, uint64_t *features_out)
{
	struct uffdio_api api = {.api = UFFD_API, .features = features};

	if (ioctl(fd, UFFDIO_API, &api) != 0) {
		return -errno;
	}
	*features_out = api.features;
	return 0;
}

int zl_uffd_register(int fd, uintptr_t va, size_t bytes, uint64_t mode)
{
	struct uffdio_register arg = {.range = {.start = va, .len = bytes}, .mode = mode};

	return ioctl(fd, UFFDIO_REGISTER, &arg) == 0 ? 0 : -errno;
}

int zl_uffd_copy(int fd, uintptr_t va, const void *from, bool protect)
{
	uint64_t mode = UFFDIO_COPY_MODE_DONTWAKE | (protect ? UFFDIO_COPY_MODE_WP : 0);
	int result = 0;

	for (int i = 0; i < AGAIN_MAX; i++) {
		struct uffdio_copy arg = {
			.dst = va, .src = (uintptr_t)from, .len = Z_PAGE_SIZE, .mode = mode};
		result = ioctl(fd, UFFDIO_COPY, &arg) == 0 ? 0 : -errno;
		if (result != -EAGAIN) {
			break;
		}
	}
	return result;
}

size_t zl_uffd_copy_run(int fd, uintptr_t va, const void *from, size_t pages, bool protect)
{
	struct uffdio_copy arg = {
		.dst = va,
		.src = (uintptr_t)from,
		.len = pages * Z_PAGE_SIZE,
		.mode = UFFDIO_COPY_MODE_DONTWAKE | (protect ? UFFDIO_COPY_MODE_WP : 0),
	};

	if (ioctl(fd, UFFDIO_COPY, &arg) == 0) {
		return pages;
	}
	return arg.copy > 0 ? (size_t)arg.copy / Z_PAGE_SIZE : 0;
}

int zl_uffd_protect(int fd, uintptr_t va, size_t bytes, bool protect)
{
	uint64_t mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : UFFDIO_WRITEPROTECT_MODE_DONTWAKE;
	int result = 0;

	for (int i = 0; i < AGAIN_MAX; i++) {
		struct uffdio_writeprotect arg = {.range = {.start = va, .len = bytes},
						  .mode = mode};
		result = ioctl(fd, UFFDIO_WRITEPROTECT, &arg) == 0 ? 0 : -errno;
		if (result != -EAGAIN) {
			break;
		}
	}
	return result;
}

int zl_uffd_wake(int fd, uintptr_t va, size_t bytes)
{
	struct uffdio_range arg = {.start = va, .len = bytes};

	return ioctl(fd, UFFDIO_WAKE, &arg) == 0 ? 0 : -errno;
}

int zl_uffd_move(int fd, uintptr_t to, uintptr_t from, size_t bytes, size_t *moved_out)
{
	size_t moved = 0;
	int result = 0;

	for (int i = 0; i < AGAIN_MAX && moved < bytes; i++) {
		struct zl_uffdio_move arg = {.dst = to + moved,
					     .src = from + moved,
					     .len = bytes - moved,
					     .mode = UFFDIO_COPY_MODE_DONTWAKE};
		result = ioctl(fd, ZL_IOC_MOVE, &arg) == 0 ? 0 : -errno;
		if (arg.move > 0) {
			moved += (size_t)arg.move;
		}
		if (result != 0 && result != -EAGAIN) {
			break;
		}
	}
	*moved_out = moved;
	return moved == bytes ? 0 : (result != 0 ? result : -EAGAIN);
}

int zl_uffd_poison(int fd, uintptr_t va)
{
	struct zl_uffdio_poison arg = {.range = {.start = va, .len = Z_PAGE_SIZE}};

	return ioctl(fd, ZL_IOC_POISON, &arg) == 0 ? 0 : -errno;
}
