/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.c - mmap(), munmap(), mremap(), mprotect() of a program whose large mappings are paged.
 *
 * Private anonymous mappings of ZPAGER_THRESHOLD bytes and more (256 KiB) lie in the pager's
 * window; everything else is the kernel's. Inside the window each call has to mean what it meant:
 * MAP_FIXED replaces, munmap takes parts, mremap moves, mprotect is the kernel's own.
 *
 * A range without any permission has to be out: the pager reads what it evicts through the
 * program's own address. Nothing can come in while nobody may touch it.
 *
 * What cannot be done in the window is refused as the kernel refuses (ENOMEM, EINVAL), with one
 * line on stderr: files, shared memory or code mapped over it, and mremap to a chosen address.
 *
 * Locks: none of ours.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload.h"

#define MOVE_STEP     ((size_t)2 << 20)
#define ALIGN_HUGE    ((size_t)2 << 20)
#define ALIGN_SEGMENT ((size_t)32 << 20)

static size_t threshold = (size_t)256 << 10; /* fixed after the pager is open */
static atomic_bool forbidden_ever;
static _Atomic uint64_t unpaged;

void zp_map_open(void)
{
	uint64_t wanted = zp_size(getenv(ZR_ENV_THRESHOLD));

	if (wanted >= Z_PAGE_SIZE) {
		threshold = (size_t)wanted;
	}
}

uint64_t zp_unpaged_bytes(void)
{
	return atomic_load(&unpaged);
}

int zp_errno(int error)
{
	if (error == 0) {
		return 0;
	}
	errno = -error;
	return -1;
}

static size_t whole_pages(size_t bytes)
{
	return (bytes + Z_PAGE_MASK) & ~(size_t)Z_PAGE_MASK;
}

static bool is_anonymous(int flags)
{
	return (flags & MAP_TYPE) == MAP_PRIVATE && (flags & MAP_ANONYMOUS) != 0;
}

static bool wants_paging(size_t bytes, int prot, int flags)
{
	const int never = MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_STACK | MAP_GROWSDOWN |
			  MAP_HUGETLB | MAP_LOCKED | MAP_32BIT;

	return is_anonymous(flags) && (flags & never) == 0 && (prot & PROT_EXEC) == 0 &&
	       bytes >= threshold && bytes <= SIZE_MAX - Z_PAGE_MASK;
}

static bool is_plain(int prot)
{
	return prot == (PROT_READ | PROT_WRITE);
}

/* The kernel's call, after which what is plain is forgotten. What is not was made known before. */
static int protect(void *address, size_t bytes, int prot)
{
	int error = zp_sys_mprotect(address, bytes, prot);

	if (error == 0 && is_plain(prot)) {
		zp_protected_remove(address, bytes);
	}
	return error;
}

/* The pager does not see the kernel's permissions, and has to know which pages nobody may read. */
static int tell_pager(struct zpager *z, void *address, size_t bytes, int prot)
{
	bool forbidden = (prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) == 0;

	if (forbidden) {
		atomic_store(&forbidden_ever, true);
	} else if (!atomic_load(&forbidden_ever)) {
		return 0;
	}
	return zpager_permit(z, address, bytes, forbidden ? 0 : 1);
}

/* The window may still carry the permissions of what was mapped there before. */
static int permit(struct zpager *z, void *address, size_t bytes, int prot)
{
	struct zp_entry entry;
	int error;

	bytes = whole_pages(bytes);
	if (!is_plain(prot)) {
		zp_protected_add(address, bytes);
	} else if (!zp_protected(address, bytes)) {
		return 0;
	}
	zp_enter(&entry);
	error = tell_pager(z, address, bytes, prot);
	zp_leave(&entry);
	return error != 0 ? zp_errno(error) : protect(address, bytes, prot);
}

static void *map_paged(struct zpager *z, size_t bytes, int prot)
{
	size_t align = 0;
	struct zp_entry entry;
	void *address;

	/* Allocators ask for more and cut off the ends if their chunks do not come aligned. */
	if (bytes >= ALIGN_SEGMENT) {
		align = ALIGN_SEGMENT;
	} else if (bytes >= ALIGN_HUGE) {
		align = ALIGN_HUGE;
	}
	zp_enter(&entry);
	address = zpager_map(z, bytes, align);
	zp_leave(&entry);
	if (address == NULL) {
		return MAP_FAILED;
	}
	if (permit(z, address, bytes, prot) != 0) {
		munmap(address, bytes);
		return MAP_FAILED;
	}
	return address;
}

static void unpin_all(struct zpager *z, char *address, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += Z_PAGE_SIZE) {
		while (zpager_unpin(z, address + at, Z_PAGE_SIZE) == 0) {
			continue;
		}
	}
}

/* Where only parts are mapped munmap takes those: page by page, which hardly anybody does. */
static int unmap_parts(struct zpager *z, char *address, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += Z_PAGE_SIZE) {
		int error;

		if (!zpager_is_mapped(z, address + at, Z_PAGE_SIZE)) {
			continue;
		}
		error = zpager_unmap(z, address + at, Z_PAGE_SIZE);
		if (error != 0) {
			return error;
		}
	}
	return 0;
}

static int unmap_paged(struct zpager *z, char *address, size_t bytes)
{
	struct zp_entry entry;
	int error;

	zp_enter(&entry);
	error = zpager_unmap(z, address, bytes);
	if (error == Z_ERR_BUSY) {
		unpin_all(z, address, bytes);
		error = zpager_unmap(z, address, bytes);
	}
	if (error == Z_ERR_FAULT) {
		error = unmap_parts(z, address, bytes);
	}
	zp_leave(&entry);
	return zp_errno(error);
}

/* MAP_FIXED in the window: what is mapped there goes, as the kernel would have it. */
static void *map_over(struct zpager *z, void *address, size_t bytes, int prot, int flags)
{
	static atomic_bool said;
	struct zp_entry entry;
	int error;

	if (!is_anonymous(flags) || (prot & PROT_EXEC) != 0 ||
	    !zpager_contains(z, (char *)address + bytes - 1)) {
		zp_note(&said, "a file, shared memory or code cannot be mapped over paged memory");
		errno = ENOMEM;
		return MAP_FAILED;
	}
	if ((flags & MAP_FIXED_NOREPLACE) == 0 && unmap_paged(z, address, bytes) != 0) {
		return MAP_FAILED;
	}
	zp_enter(&entry);
	error = zpager_map_at(z, address, bytes);
	zp_leave(&entry);
	if (error != 0) {
		errno = error == Z_ERR_BUSY ? EEXIST : -error;
		return MAP_FAILED;
	}
	return permit(z, address, bytes, prot) == 0 ? address : MAP_FAILED;
}

static void *map_plain(void *address, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	void *got = zp_sys_mmap(address, bytes, prot, flags, fd, offset);

	if (!zp_inside && got != MAP_FAILED && is_anonymous(flags) && prot != PROT_NONE &&
	    (flags & MAP_STACK) == 0 && bytes >= threshold) {
		atomic_fetch_add_explicit(&unpaged, bytes, memory_order_relaxed);
	}
	return got;
}

/* NOLINTBEGIN(performance-no-int-to-ptr): arguments that were pointers. */
static long mmap_args(const long *a)
{
	return (long)mmap((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], a[5]);
}

static long munmap_args(const long *a)
{
	return munmap((void *)a[0], (size_t)a[1]);
}

static long mremap_args(const long *a)
{
	return (long)mremap((void *)a[0], (size_t)a[1], (size_t)a[2], (int)a[3], (void *)a[4]);
}

static long mprotect_args(const long *a)
{
	return mprotect((void *)a[0], (size_t)a[1], (int)a[2]);
}

static long pkey_mprotect_args(const long *a)
{
	return pkey_mprotect((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3]);
}

ZP_EXPORT void *mmap(void *address, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	struct zpager *z;
	void *got;

	if (ZP_UNLIKELY(zp_stack_is_paged())) {
		const long args[] = {(long)address, (long)bytes, prot, flags, fd, offset};

		return (void *)zp_on_private_stack(mmap_args, args);
	}
	if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0 && bytes > 0) {
		z = zp_paged(address);
		if (z != NULL) {
			return map_over(z, address, whole_pages(bytes), prot, flags);
		}
	}
	z = wants_paging(bytes, prot, flags) ? zp_pager() : NULL;
	if (z == NULL) {
		return map_plain(address, bytes, prot, flags, fd, offset);
	}
	got = map_paged(z, bytes, prot);
	if (got == MAP_FAILED && prot == PROT_NONE) {
		/* A reservation of addresses that no store could ever hold is not memory yet. */
		return map_plain(address, bytes, prot, flags, fd, offset);
	}
	if (got == MAP_FAILED) {
		errno = ENOMEM;
	}
	return got;
}

ZP_EXPORT void *mmap64(void *address, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	return mmap(address, bytes, prot, flags, fd, offset);
}

ZP_EXPORT int munmap(void *address, size_t bytes)
{
	struct zpager *z = zp_paged(address);

	if (z == NULL) {
		return zp_sys_munmap(address, bytes);
	}
	if (ZP_UNLIKELY(zp_stack_is_paged())) {
		const long args[ZP_CALL_ARGS] = {(long)address, (long)bytes};

		return (int)zp_on_private_stack(munmap_args, args);
	}
	if (!z_is_page_aligned((uintptr_t)address) || bytes == 0 ||
	    !zpager_contains(z, (char *)address + whole_pages(bytes) - 1)) {
		errno = EINVAL;
		return -1;
	}
	return unmap_paged(z, address, whole_pages(bytes));
}

/* Copies step by step and gives up what was copied, so that both are never there in full. */
static void *move_paged(struct zpager *z, char *old, size_t had, size_t bytes)
{
	char *fresh = map_paged(z, bytes, PROT_READ | PROT_WRITE);

	if (fresh == MAP_FAILED) {
		return MAP_FAILED;
	}
	for (size_t at = 0; at < had; at += MOVE_STEP) {
		size_t step = had - at < MOVE_STEP ? had - at : MOVE_STEP;

		memcpy(fresh + at, old + at, step);
		(void)unmap_paged(z, old + at, step);
	}
	return fresh;
}

static void *remap_paged(struct zpager *z, char *old, size_t had, size_t bytes, int flags)
{
	struct zp_entry entry;
	bool mapped;
	int error;

	zp_enter(&entry);
	mapped = zpager_is_mapped(z, old, had) != 0;
	zp_leave(&entry);
	if (!mapped) {
		errno = EFAULT;
		return MAP_FAILED;
	}
	if (bytes <= had) {
		if (bytes < had && unmap_paged(z, old + bytes, had - bytes) != 0) {
			return MAP_FAILED;
		}
		return old;
	}
	zp_enter(&entry);
	error = zpager_map_at(z, old + had, bytes - had);
	zp_leave(&entry);
	if (error == 0 && permit(z, old + had, bytes - had, PROT_READ | PROT_WRITE) == 0) {
		return old;
	}
	if ((flags & MREMAP_MAYMOVE) == 0) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return move_paged(z, old, had, bytes);
}

ZP_EXPORT void *mremap(void *old, size_t had, size_t bytes, int flags, ...)
{
	static atomic_bool said;
	struct zpager *z = zp_paged(old);
	void *wanted = NULL;
	va_list more;

	if ((flags & MREMAP_FIXED) != 0) {
		va_start(more, flags);
		wanted = va_arg(more, void *);
		va_end(more);
	}
	if (ZP_UNLIKELY(zp_stack_is_paged())) {
		const long args[ZP_CALL_ARGS] = {(long)old, (long)had, (long)bytes, flags,
						 (long)wanted};

		return (void *)zp_on_private_stack(mremap_args, args);
	}
	if (z == NULL && (wanted == NULL || zp_paged(wanted) == NULL)) {
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel's answer is an address. */
		return (void *)syscall(SYS_mremap, old, had, bytes, flags, wanted);
	}
	if (z == NULL || (flags & ~MREMAP_MAYMOVE) != 0) {
		zp_note(&said, "mremap of paged memory to a chosen address is not supported");
		errno = ENOMEM;
		return MAP_FAILED;
	}
	if (had == 0 || bytes == 0 || !z_is_page_aligned((uintptr_t)old)) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	return remap_paged(z, old, whole_pages(had), whole_pages(bytes), flags);
}

/* 0: the range is ready for the kernel's mprotect; else errno is set. */
static int prepare_protect(struct zpager *z, void *address, size_t bytes, int prot)
{
	struct zp_entry entry;
	int error = 0;

	zp_enter(&entry);
	if (!zpager_is_mapped(z, address, bytes)) {
		error = Z_ERR_NOMEM;
	} else if ((prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) == 0) {
		error = zpager_page_out(z, address, bytes);
	}
	if (error == 0) {
		error = tell_pager(z, address, bytes, prot);
	}
	zp_leave(&entry);
	if (!is_plain(prot)) {
		zp_protected_add(address, bytes);
	}
	return error == 0 ? 0 : zp_errno(Z_ERR_NOMEM);
}

ZP_EXPORT int mprotect(void *address, size_t bytes, int prot)
{
	struct zpager *z = zp_paged(address);

	if (ZP_UNLIKELY(zp_stack_is_paged())) {
		const long args[ZP_CALL_ARGS] = {(long)address, (long)bytes, prot};

		return (int)zp_on_private_stack(mprotect_args, args);
	}
	if (z != NULL && bytes > 0 && prepare_protect(z, address, whole_pages(bytes), prot) != 0) {
		return -1;
	}
	return z != NULL ? protect(address, whole_pages(bytes), prot)
			 : zp_sys_mprotect(address, bytes, prot);
}

ZP_EXPORT int pkey_mprotect(void *address, size_t bytes, int prot, int key)
{
	struct zpager *z = zp_paged(address);

	if (ZP_UNLIKELY(zp_stack_is_paged())) {
		const long args[ZP_CALL_ARGS] = {(long)address, (long)bytes, prot, key};

		return (int)zp_on_private_stack(pkey_mprotect_args, args);
	}
	if (z != NULL && bytes > 0 && prepare_protect(z, address, whole_pages(bytes), prot) != 0) {
		return -1;
	}
	if (z != NULL) {
		/* A key forbids what the permission allows, and outlives other permissions. */
		zp_protected_always();
	}
	return (int)syscall(SYS_pkey_mprotect, address, bytes, prot, key);
}
/* NOLINTEND(performance-no-int-to-ptr) */
