/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window.c - the reservation of addresses.
 *
 * The first window lies at 0x200000000000 if nothing is there, the next ones 1 TiB apart, so that
 * "is this address ours" is one comparison and the top bits tell it to a seccomp filter too. Where
 * the addresses are taken (a sanitizer's shadow), the kernel chooses. Where the process may not
 * have that much address space (RLIMIT_AS, strict overcommit), half as much is tried, and so on.
 *
 * Locks: none. The kernel decides races for an address (MAP_FIXED_NOREPLACE).
 */
#include <sys/mman.h>

#include "port.h"

#define FIRST UINT64_C(0x200000000000)
#define STEP  UINT64_C(0x10000000000)
#define TRIES 16

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static void *reserve_at(uint64_t va, uint64_t bytes)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	int fixed = va != 0 ? MAP_FIXED_NOREPLACE : 0;
	void *p = mmap((void *)(uintptr_t)va, bytes, PROT_NONE, flags | fixed, -1, 0);

	if (p == MAP_FAILED) {
		return NULL;
	}
	if (va != 0 && (uintptr_t)p != va) {
		/* A kernel before 4.17 took the address for a hint. */
		munmap(p, bytes);
		return NULL;
	}
	return p;
}

static void *reserve(uint64_t bytes)
{
	for (uint64_t i = 0; i < TRIES; i++) {
		void *p = reserve_at(FIRST + i * STEP, bytes);
		if (p != NULL) {
			return p;
		}
	}
	return reserve_at(0, bytes);
}

int zl_window_reserve(uint64_t *bytes_inout, uint64_t least_bytes, uintptr_t *base_out)
{
	uint64_t bytes = *bytes_inout;
	void *p = reserve(bytes);

	while (p == NULL && bytes / 2 >= least_bytes) {
		bytes = (bytes / 2) & ~(uint64_t)Z_PAGE_MASK;
		p = reserve(bytes);
	}
	if (p == NULL) {
		return Z_ERR_NOMEM;
	}
	if (madvise(p, bytes, MADV_DONTFORK) != 0) {
		munmap(p, bytes);
		return Z_ERR_NOMEM;
	}
	*base_out = (uintptr_t)p;
	*bytes_inout = bytes;
	return 0;
}

void *zl_pages_alloc(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		return NULL;
	}
	(void)madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}
