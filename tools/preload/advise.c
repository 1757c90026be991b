/* SPDX-License-Identifier: Apache-2.0 */
/*
 * advise.c - what a program says about its paged memory: madvise(), mlock() and relatives.
 *
 * Advice that means something to the pager goes to it; advice about huge pages, dumps, merging and
 * inheritance is accepted and has no effect; what would destroy pages (REMOVE, HWPOISON) is refused.
 * mlock() pins, so locked memory counts in full against the budget. mlockall() is refused: the
 * kernel would bring in the whole window.
 *
 * Locks: none of ours.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload.h"

/* Advice that the kernel has and old headers lack. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum what {
	ADVISE,
	PAGE_IN,
	PAGE_OUT,
	IGNORE,
	REFUSE,
};

struct rule {
	int advice;
	enum what what;
	enum z_advice to;
};

static const struct rule rules[] = {
	{MADV_NORMAL, ADVISE, Z_ADVICE_NORMAL},
	{MADV_SEQUENTIAL, ADVISE, Z_ADVICE_SEQUENTIAL},
	{MADV_RANDOM, ADVISE, Z_ADVICE_RANDOM},
	{MADV_WILLNEED, ADVISE, Z_ADVICE_WILLNEED},
	{MADV_COLD, ADVISE, Z_ADVICE_COLD},
	{MADV_DONTNEED, ADVISE, Z_ADVICE_DONTNEED},
	{MADV_FREE, ADVISE, Z_ADVICE_FREE},
	{MADV_PAGEOUT, PAGE_OUT, Z_ADVICE_NORMAL},
	{MADV_POPULATE_READ, PAGE_IN, Z_ADVICE_NORMAL},
	{MADV_POPULATE_WRITE, PAGE_IN, Z_ADVICE_NORMAL},
	{MADV_HUGEPAGE, IGNORE, Z_ADVICE_NORMAL},
	{MADV_NOHUGEPAGE, IGNORE, Z_ADVICE_NORMAL},
	{MADV_COLLAPSE, IGNORE, Z_ADVICE_NORMAL},
	{MADV_MERGEABLE, IGNORE, Z_ADVICE_NORMAL},
	{MADV_UNMERGEABLE, IGNORE, Z_ADVICE_NORMAL},
	{MADV_DONTDUMP, IGNORE, Z_ADVICE_NORMAL},
	{MADV_DODUMP, IGNORE, Z_ADVICE_NORMAL},
	{MADV_DOFORK, IGNORE, Z_ADVICE_NORMAL},
};

static const struct rule *find_rule(int advice)
{
	static const struct rule refused = {0, REFUSE, Z_ADVICE_NORMAL};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].advice == advice) {
			return &rules[i];
		}
	}
	return &refused;
}

static size_t whole_pages(size_t bytes)
{
	return (bytes + Z_PAGE_MASK) & ~(size_t)Z_PAGE_MASK;
}

/* What the kernel answers where the pager says FAULT (not mapped) or BUSY (pinned). */
static int as_madvise(int error)
{
	switch (error) {
	case Z_ERR_FAULT:
		return zp_errno(Z_ERR_NOMEM);
	case Z_ERR_BUSY:
		return zp_errno(Z_ERR_INVAL);
	default:
		return zp_errno(error);
	}
}

static int apply(struct zpager *z, void *address, size_t bytes, const struct rule *rule)
{
	switch (rule->what) {
	case ADVISE:
		return zpager_advise(z, address, bytes, rule->to);
	case PAGE_IN:
		return zpager_page_in(z, address, bytes);
	case PAGE_OUT:
		return zpager_page_out(z, address, bytes);
	case IGNORE:
		return 0;
	default:
		return Z_ERR_INVAL;
	}
}

/* NOLINTBEGIN(performance-no-int-to-ptr): arguments that were pointers. */
static long madvise_args(const long *a)
{
	return madvise((void *)a[0], (size_t)a[1], (int)a[2]);
}

static long mlock_args(const long *a)
{
	return mlock((const void *)a[0], (size_t)a[1]);
}

static long munlock_args(const long *a)
{
	return munlock((const void *)a[0], (size_t)a[1]);
}

ZP_EXPORT int madvise(void *address, size_t bytes, int advice)
{
	struct zpager *z = zp_paged(address);
	struct zp_entry entry;
	int error;

	if (z == NULL) {
		return zp_sys_madvise(address, bytes, advice);
	}
	if (ZP_UNLIKELY(zp_stack_is_paged())) {
		const long args[ZP_CALL_ARGS] = {(long)address, (long)bytes, advice};

		return (int)zp_on_private_stack(madvise_args, args);
	}
	if (!z_is_page_aligned((uintptr_t)address)) {
		errno = EINVAL;
		return -1;
	}
	if (bytes == 0) {
		return 0;
	}
	zp_enter(&entry);
	error = apply(z, address, whole_pages(bytes), find_rule(advice));
	zp_leave(&entry);
	return as_madvise(error);
}

ZP_EXPORT int posix_madvise(void *address, size_t bytes, int advice)
{
	int before = errno;
	int error = 0;

	/* By its standard this one never destroys contents. */
	if (advice != POSIX_MADV_DONTNEED && madvise(address, bytes, advice) != 0) {
		error = errno;
	}
	errno = before;
	return error;
}

ZP_EXPORT int mlock(const void *address, size_t bytes)
{
	struct zpager *z = zp_paged(address);
	struct zp_entry entry;
	int error;

	if (z == NULL) {
		return (int)syscall(SYS_mlock, address, bytes);
	}
	if (ZP_UNLIKELY(zp_stack_is_paged())) {
		const long args[ZP_CALL_ARGS] = {(long)address, (long)bytes};

		return (int)zp_on_private_stack(mlock_args, args);
	}
	zp_enter(&entry);
	error = bytes == 0 ? 0 : zpager_pin(z, address, bytes);
	zp_leave(&entry);
	return error == 0 ? 0 : zp_errno(Z_ERR_NOMEM);
}

ZP_EXPORT int mlock2(const void *address, size_t bytes, unsigned int flags)
{
	if (zp_paged(address) == NULL) {
		return (int)syscall(SYS_mlock2, address, bytes, flags);
	}
	return mlock(address, bytes);
}

static long unpin_args(const long *a)
{
	zp_unpin((const void *)a[0], (size_t)a[1]);
	return 0;
}

void zp_unpin(const void *address, size_t bytes)
{
	struct zpager *z = zp_paged(address);
	struct zp_entry entry;

	if (z == NULL) {
		return;
	}
	if (ZP_UNLIKELY(zp_stack_is_paged())) {
		const long args[ZP_CALL_ARGS] = {(long)address, (long)bytes};

		(void)zp_on_private_stack(unpin_args, args);
		return;
	}
	zp_enter(&entry);
	if (zpager_unpin(z, address, bytes) != 0) {
		/* Unmapped meanwhile, or unlocked by the program: then there is no pin any more. */
	}
	zp_leave(&entry);
}

ZP_EXPORT int munlock(const void *address, size_t bytes)
{
	struct zpager *z = zp_paged(address);
	uintptr_t first = z_page_align_down((uintptr_t)address);
	uintptr_t end = (uintptr_t)address + bytes;
	struct zp_entry entry;

	if (z == NULL) {
		return (int)syscall(SYS_munlock, address, bytes);
	}
	if (ZP_UNLIKELY(zp_stack_is_paged())) {
		const long args[ZP_CALL_ARGS] = {(long)address, (long)bytes};

		return (int)zp_on_private_stack(munlock_args, args);
	}
	/* Locks of the kernel do not nest, and unlocking what is not locked is no error. */
	zp_enter(&entry);
	for (uintptr_t page = first; page < end; page += Z_PAGE_SIZE) {
		while (zpager_unpin(z, (const void *)page, Z_PAGE_SIZE) == 0) {
			continue;
		}
	}
	zp_leave(&entry);
	return 0;
}

ZP_EXPORT int mlockall(int flags)
{
	static atomic_bool said;

	if (zp_pager() == NULL) {
		return (int)syscall(SYS_mlockall, flags);
	}
	zp_note(&said, "mlockall is refused: all memory cannot be locked and be paged");
	errno = ENOMEM;
	return -1;
}

ZP_EXPORT int munlockall(void)
{
	return zp_pager() == NULL ? (int)syscall(SYS_munlockall) : 0;
}
/* NOLINTEND(performance-no-int-to-ptr) */
