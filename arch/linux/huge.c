/* SPDX-License-Identifier: Apache-2.0 */
/*
 * huge.c - 2 MiB of paged memory as one huge page, as long as nothing has to leave.
 *
 * Theory. The kernel puts no huge page where a userfaultfd waits for missing pages; pages come in one by one.
 * But MADV_COLLAPSE makes one of 512 pages that are all present and none of them write-protected. So
 * for each extent of 2 MiB the pages that are both are counted, and when the last one comes and free frames
 * abound, it is collapsed: once, in the fault of that page. RAM does not grow by it, nor does any count of
 * frames: 512 frames hold 512 pages as before.
 *
 * Leaving. MADV_DONTNEED of a part of a huge page takes the mapping away and returns no RAM, until all 512 are
 * gone or the kernel itself is short of memory: then the budget would be a lie. So before a page leaves, its
 * huge page is split. MADV_COLD of a part does that, and nothing else that matters here. An extent that was
 * ever full may be a huge page until it is split, whoever made it (khugepaged does, where huge pages are
 * for all): that is what the bit says, and splitting what is none costs one call.
 *
 * Locks: pager lock, held during the collapse, because another thread that faults would meet the kernel's own
 * lock for as long. Limits: mechanism "move" has none. A process that has forked makes none any more:
 * pages that are shared with a child would be copied. An extent whose pages came in clean, from the store,
 * is not full before each was written. Extents with different permissions inside are refused by the kernel.
 */
#include <errno.h>
#include <sys/mman.h>

#include "port.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif

#define EXTENT       (ZL_EXTENT_PAGES * Z_PAGE_SIZE)
#define WAS_FULL     UINT16_C(0x8000)
#define PAUSE_LENGTH 32U /* extents that are let pass after the kernel had no huge page to give */

static uintptr_t extent_start(uintptr_t va)
{
	return va & ~(uintptr_t)(EXTENT - 1);
}

static uint16_t *extent_of(const struct zl_port *port, uintptr_t va)
{
	return &port->extents[va / EXTENT - port->base / EXTENT];
}

static size_t table_bytes(const struct zl_port *port)
{
	return (port->pages / ZL_EXTENT_PAGES + 2) * sizeof(uint16_t);
}

int zl_huge_open(struct zl_port *port, const size_t *frames_free)
{
	port->frames_free = frames_free;
	port->extents = zl_pages_alloc(table_bytes(port));
	return port->extents != NULL ? 0 : Z_ERR_NOMEM;
}

void zl_huge_close(struct zl_port *port)
{
	if (port->extents != NULL) {
		munmap(port->extents, table_bytes(port));
	}
}

/* Beside that: twice an extent, of which one is what a collapse takes for a moment. */
static bool frames_abound(const struct zl_port *port)
{
	size_t free = __atomic_load_n(port->frames_free, __ATOMIC_RELAXED);

	return free >= 2 * ZL_EXTENT_PAGES && free >= zl_frames_abound(port->nframes);
}

static void collapse(struct zl_port *port, uintptr_t start)
{
	if (port->forked || !frames_abound(port)) {
		return;
	}
	if (port->huge_pause > 0) {
		port->huge_pause--;
		return;
	}
	if (madvise((void *)start, EXTENT, MADV_COLLAPSE) != 0 && errno != EINVAL) {
		port->huge_pause = PAUSE_LENGTH;
	}
}

void zl_huge_gain(struct zl_port *port, uintptr_t va)
{
	if (port->extents == NULL) {
		return;
	}
	uint16_t *extent = extent_of(port, va);
	(*extent)++;
	if ((*extent & ~WAS_FULL) == ZL_EXTENT_PAGES) {
		*extent |= WAS_FULL;
		collapse(port, extent_start(va));
	}
}

void zl_huge_lose(struct zl_port *port, uintptr_t va)
{
	if (port->extents != NULL) {
		(*extent_of(port, va))--;
	}
}

void zl_huge_split(struct zl_port *port, uintptr_t va)
{
	if (port->extents == NULL) {
		return;
	}
	uint16_t *extent = extent_of(port, va);
	if ((*extent & WAS_FULL) != 0) {
		(void)madvise((void *)va, Z_PAGE_SIZE, MADV_COLD);
		*extent &= (uint16_t)~WAS_FULL;
	}
}

static uint16_t count(const struct zl_port *port, uintptr_t from, uintptr_t to)
{
	uint16_t n = 0;

	for (uintptr_t va = from; va < to; va += Z_PAGE_SIZE) {
		n = (uint16_t)(n + zl_pt_is_writable(*zl_pt_at(port, va)));
	}
	return n;
}

void zl_huge_unmap(struct zl_port *port, uintptr_t va, size_t pages)
{
	uintptr_t end = va + pages * Z_PAGE_SIZE;
	uintptr_t next;

	for (uintptr_t at = va; port->extents != NULL && at < end; at = next) {
		uint16_t *extent = extent_of(port, at);

		next = extent_start(at) + EXTENT;
		if (next - at == EXTENT && next <= end) {
			/* Whole: it is dropped in one piece. */
			*extent = 0;
		} else if (*extent != 0) {
			zl_huge_split(port, at);
			*extent = (uint16_t)(*extent - count(port, at, next < end ? next : end));
		}
	}
}
