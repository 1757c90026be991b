/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zpager.c - the functions of zpager.h that act on memory: bytes to pages, and an error into text.
 *
 * Locks: each comes in through the gate (gate.c) with all signals blocked. Results are written to
 * the caller's memory outside, because it may be paged by this very instance.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "instance.h"

#define RW (Z_ACCESS_READ | Z_ACCESS_WRITE | Z_ACCESS_USER)

struct range {
	uintptr_t va;
	size_t pages;
};

int zl_fail(struct zpager *z, int error, const char *format, ...)
{
	char text[ZL_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pthread_mutex_lock(&z->error_lock);
	memcpy(z->error, text, sizeof(text));
	pthread_mutex_unlock(&z->error_lock);
	return error;
}

const char *zpager_last_error(struct zpager *z)
{
	static _Thread_local char text[ZL_TEXT_MAX];

	pthread_mutex_lock(&z->error_lock);
	memcpy(text, z->error, sizeof(text));
	pthread_mutex_unlock(&z->error_lock);
	return text;
}

/* Rounded out to whole pages; false if that is no range. */
static bool round_out(const void *address, size_t bytes, struct range *out)
{
	uintptr_t va = (uintptr_t)address;
	uintptr_t last = va + bytes - 1;

	if (bytes == 0 || last < va || last > UINTPTR_MAX - Z_PAGE_SIZE) {
		return false;
	}
	out->va = z_page_align_down(va);
	out->pages = (z_page_align_down(last) - out->va) / Z_PAGE_SIZE + 1;
	return true;
}

/* What went wrong with a range, in words. */
static int range_error(struct zpager *z, int error, const char *what, const void *address,
		       size_t bytes)
{
	if (error == 0) {
		return 0;
	}
	return zl_fail(z, error, "%s of %zu bytes at %p: %s", what, bytes, address,
		       error == Z_ERR_INVAL ? "the range is empty or not in the window, or the "
					      "pages are not in that state"
					    : z_strerror(error));
}

int zpager_contains(const struct zpager *z, const void *address)
{
	return zl_port_contains(&z->port, (uintptr_t)address);
}

/* ---- mapping ------------------------------------------------------------------------------ */

static int map_pages(struct zpager *z, size_t pages, unsigned int flags, size_t align_pages,
		     uintptr_t *va)
{
	sigset_t saved;

	int error = zl_enter(z, &saved);
	if (error != 0) {
		return error;
	}
	flags |= z->budget.overcommit > 1 ? (unsigned int)Z_MAP_NORESERVE : 0U;
	error = z_pager_map(z->pager, pages, RW, flags, align_pages, va);
	if (error == 0) {
		z->budget.mapped += pages;
	}
	zl_leave(z, &saved);
	return error;
}

void *zpager_map(struct zpager *z, size_t bytes, size_t align_bytes)
{
	size_t pages = bytes / Z_PAGE_SIZE + ((bytes & Z_PAGE_MASK) != 0);
	size_t align_pages = align_bytes <= Z_PAGE_SIZE ? 1 : align_bytes / Z_PAGE_SIZE;
	uintptr_t va = 0;

	if (bytes == 0 || (align_bytes & (align_bytes - 1)) != 0) {
		(void)zl_fail(z, Z_ERR_INVAL,
			      "map of %zu bytes, aligned to %zu: the size must not be 0, the "
			      "alignment must be a power of two",
			      bytes, align_bytes);
		return NULL;
	}
	bool large = pages >= ZL_EXTENT_PAGES && align_pages < ZL_EXTENT_PAGES;
	int error = Z_ERR_NOMEM;
	if (large) {
		/* A huge page can lie there. */
		error = map_pages(z, pages, 0, ZL_EXTENT_PAGES, &va);
	}
	if (error == Z_ERR_NOMEM) {
		error = map_pages(z, pages, 0, align_pages, &va);
	}
	if (error != 0) {
		(void)zl_fail(z, error,
			      "map of %zu bytes: %s (more than RAM and store can hold, or no "
			      "addresses left in the window)",
			      bytes, z_strerror(error));
		return NULL;
	}
	return (void *)va;
}

int zpager_map_at(struct zpager *z, void *address, size_t bytes)
{
	struct range r;
	uintptr_t va = (uintptr_t)address;

	if (!round_out(address, bytes, &r) || !z_is_page_aligned(va)) {
		return range_error(z, Z_ERR_INVAL, "map", address, bytes);
	}
	return range_error(z, map_pages(z, r.pages, Z_MAP_FIXED, 1, &va), "map", address, bytes);
}

int zpager_unmap(struct zpager *z, void *address, size_t bytes)
{
	struct range r;
	sigset_t saved;

	if (!round_out(address, bytes, &r)) {
		return range_error(z, Z_ERR_INVAL, "unmap", address, bytes);
	}
	int error = zl_enter(z, &saved);
	if (error != 0) {
		return error;
	}
	error = z_pager_unmap(z->pager, r.va, r.pages);
	if (error == 0) {
		z->budget.mapped -= r.pages;
	}
	zl_leave(z, &saved);
	return range_error(z, error, "unmap", address, bytes);
}

int zpager_is_mapped(struct zpager *z, const void *address, size_t bytes)
{
	struct range r;
	sigset_t saved;

	if (!round_out(address, bytes, &r) || zl_enter(z, &saved) != 0) {
		return 0;
	}
	bool mapped = z_pager_is_mapped(z->pager, r.va, r.pages);
	zl_leave(z, &saved);
	return mapped;
}

/* ---- moving ------------------------------------------------------------------------------- */

int zpager_pin(struct zpager *z, const void *address, size_t bytes)
{
	struct range r;
	sigset_t saved;

	if (!round_out(address, bytes, &r)) {
		return range_error(z, Z_ERR_INVAL, "pin", address, bytes);
	}
	int error = zl_enter(z, &saved);
	if (error != 0) {
		return error;
	}
	error = z_pager_pin(z->pager, r.va, r.pages);
	zl_leave(z, &saved);
	return range_error(z, error, "pin", address, bytes);
}

int zpager_unpin(struct zpager *z, const void *address, size_t bytes)
{
	struct range r;
	sigset_t saved;

	if (!round_out(address, bytes, &r)) {
		return range_error(z, Z_ERR_INVAL, "unpin", address, bytes);
	}
	int error = zl_enter(z, &saved);
	if (error != 0) {
		return error;
	}
	error = z_pager_unpin(z->pager, r.va, r.pages);
	zl_leave(z, &saved);
	return range_error(z, error, "unpin", address, bytes);
}

int zpager_page_in(struct zpager *z, const void *address, size_t bytes)
{
	struct range r;
	sigset_t saved;

	if (!round_out(address, bytes, &r)) {
		return range_error(z, Z_ERR_INVAL, "page in", address, bytes);
	}
	int error = zl_enter(z, &saved);
	if (error != 0) {
		return error;
	}
	error = z_pager_page_in(z->pager, r.va, r.pages, NULL);
	zl_leave(z, &saved);
	return range_error(z, error, "page in", address, bytes);
}

int zpager_page_out(struct zpager *z, const void *address, size_t bytes)
{
	struct range r;
	sigset_t saved;

	if (!round_out(address, bytes, &r)) {
		return range_error(z, Z_ERR_INVAL, "page out", address, bytes);
	}
	int error = zl_enter(z, &saved);
	if (error != 0) {
		return error;
	}
	error = z_pager_page_out(z->pager, r.va, r.pages, NULL);
	zl_leave(z, &saved);
	return range_error(z, error, "page out", address, bytes);
}

int zpager_permit(struct zpager *z, void *address, size_t bytes, int accessible)
{
	struct range r;
	sigset_t saved;

	if (!round_out(address, bytes, &r)) {
		return range_error(z, Z_ERR_INVAL, "permit", address, bytes);
	}
	int error = zl_enter(z, &saved);
	if (error != 0) {
		return error;
	}
	error = z_pager_protect(z->pager, r.va, r.pages, accessible != 0 ? RW : 0);
	zl_leave(z, &saved);
	return range_error(z, error, "permit", address, bytes);
}

/* The question of zpager_page_out_all(), in the words of the core. */
struct question {
	int (*wanted)(void *context, const void *address);
	void *context;
};

static bool ask(void *context, uintptr_t va)
{
	const struct question *q = context;

	return q->wanted(q->context, (const void *)va) != 0;
}

int zpager_page_out_all(struct zpager *z, int (*wanted)(void *context, const void *address),
			void *context)
{
	struct question q = {wanted, context};
	sigset_t saved;
	int error = zl_enter(z, &saved);

	if (error == 0) {
		error = z_pager_evict_all(z->pager, wanted != NULL ? ask : NULL, &q, NULL);
		zl_leave(z, &saved);
	}
	return error == 0 ? 0
			  : zl_fail(z, error, "pages could not be put out: %s", z_strerror(error));
}

/* Dropping contents takes only pages that lie wholly inside; 0 pages is no error. */
static bool round_in(const void *address, size_t bytes, struct range *out)
{
	uintptr_t va = ((uintptr_t)address + Z_PAGE_MASK) & ~(uintptr_t)Z_PAGE_MASK;
	uintptr_t end = z_page_align_down((uintptr_t)address + bytes);

	out->va = va;
	out->pages = end > va ? (end - va) / Z_PAGE_SIZE : 0;
	return out->pages > 0;
}

int zpager_advise(struct zpager *z, void *address, size_t bytes, enum z_advice advice)
{
	struct range r;
	sigset_t saved;

	if (!round_out(address, bytes, &r)) {
		return range_error(z, Z_ERR_INVAL, "advice", address, bytes);
	}
	if ((advice == Z_ADVICE_DONTNEED || advice == Z_ADVICE_FREE) &&
	    !round_in(address, bytes, &r)) {
		return 0;
	}
	int error = zl_enter(z, &saved);
	if (error != 0) {
		return error;
	}
	error = z_pager_advise(z->pager, r.va, r.pages, advice);
	zl_leave(z, &saved);
	return range_error(z, error, "advice", address, bytes);
}

int zpager_set_ram(struct zpager *z, uint64_t ram_bytes)
{
	sigset_t saved;

	int error = zl_enter(z, &saved);
	if (error == 0) {
		error = zl_budget_set(z, ram_bytes);
		zl_leave(z, &saved);
	}
	return error;
}
