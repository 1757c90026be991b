/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lobby.c - where dirty pages wait until they are stored, when the kernel has UFFDIO_MOVE.
 *
 * Theory. Write protection stops the program's writes, but not a device that was told to write to
 * the page before (an O_DIRECT read, io_uring): what it writes after the copy was made is lost with
 * the page. Moving the page out of the window is refused for such a page (EBUSY), costs the same
 * shoot-down as protecting it, and later needs no second one to take the mapping away. The lobby is
 * a range of addresses without RAM of its own: the page that is moved brings it along.
 *
 * A page that the program has never written since it came in needs none of this: it is protected,
 * so a device cannot have been told to write to it.
 *
 * EBUSY is also the answer for a page that is still shared with a forked child. Writing to it makes
 * it ours alone; nothing is changed by or-ing zero into it.
 *
 * Locks: pager lock, but for zl_lobby_page(). Limits: LOBBY_PAGES pages can be on their way out at
 * once; what finds no place is protected and copied where it lies.
 */
#include <errno.h>
#include <sys/mman.h>

#include "port.h"

int zl_lobby_open(struct zl_port *port)
{
	port->lobby = zl_pages_alloc(ZL_LOBBY_PAGES * Z_PAGE_SIZE);
	return port->lobby != NULL ? 0 : Z_ERR_NOMEM;
}

void *zl_lobby_page(const struct zl_port *port, uint32_t place)
{
	return port->lobby + place * Z_PAGE_SIZE;
}

static bool taken(const struct zl_port *port, uint32_t place)
{
	return (port->lobby_used[place / 64] >> (place % 64) & 1) != 0;
}

static void set_taken(struct zl_port *port, uint32_t place, bool value)
{
	uint64_t bit = UINT64_C(1) << (place % 64);

	port->lobby_used[place / 64] =
		value ? port->lobby_used[place / 64] | bit : port->lobby_used[place / 64] & ~bit;
}

/* The first free places in a row, at most so many; how many. */
static uint32_t find_places(const struct zl_port *port, size_t want, uint32_t *first_out)
{
	uint32_t first = 0;
	uint32_t n = 0;

	while (first < ZL_LOBBY_PAGES && taken(port, first)) {
		first++;
	}
	while (n < want && first + n < ZL_LOBBY_PAGES && !taken(port, first + n)) {
		n++;
	}
	*first_out = first;
	return n;
}

size_t zl_lobby_leave(struct zl_port *port, uintptr_t va, size_t pages, uint32_t *place_out,
		      int *error_out)
{
	size_t moved = 0;
	uint32_t n = find_places(port, pages, place_out);

	*error_out = -ENOSPC;
	if (n == 0) {
		return 0;
	}
	uintptr_t to = (uintptr_t)zl_lobby_page(port, *place_out);
	*error_out = zl_uffd_move(port->uffd, to, va, n * Z_PAGE_SIZE, &moved);
	if (*error_out == -EBUSY && moved == 0 && port->forked) {
		(void)__atomic_fetch_or((volatile char *)va, 0, __ATOMIC_RELAXED);
		*error_out = zl_uffd_move(port->uffd, to, va, Z_PAGE_SIZE, &moved);
	}
	for (uint32_t i = 0; i < moved / Z_PAGE_SIZE; i++) {
		set_taken(port, *place_out + i, true);
	}
	return moved / Z_PAGE_SIZE;
}

int zl_lobby_return(struct zl_port *port, uint32_t place, uintptr_t va)
{
	void *page = zl_lobby_page(port, place);
	size_t moved;
	int error = zl_uffd_move(port->uffd, va, (uintptr_t)page, Z_PAGE_SIZE, &moved);

	if (error != 0) {
		error = zl_uffd_copy(port->uffd, va, page, false);
		if (error != 0) {
			return error;
		}
		(void)madvise(page, Z_PAGE_SIZE, MADV_DONTNEED);
	}
	set_taken(port, place, false);
	return 0;
}

void zl_lobby_free(struct zl_port *port, uint32_t place)
{
	set_taken(port, place, false);
}
