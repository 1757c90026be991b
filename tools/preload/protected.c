/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protected.c - which parts of the window may not be read and written like all others.
 *
 * Theory. mprotect() in the window is the kernel's own, and the kernel has no cheap question for a
 * permission: each system call on paged memory (serve.c) would ask it page by page. So the spans that were
 * protected are remembered here, a few of them, and pages outside of all are known to be plain. A span is
 * forgotten when all of it is plain again. It may say too much (part of it is plain), never too little: when
 * there are more than SPANS of them, all of the window counts as protected from then on.
 *
 * Locks: none. A slot is taken by its start and counts from when it has an end; the end is taken away
 * first. So a span that nobody is changing is seen by everyone, whatever happens in other slots.
 */
#include "preload.h"

#define SPANS 64

struct span {
	_Atomic uintptr_t from; /* 0: the slot is free */
	_Atomic uintptr_t to;   /* 0: not in force */
};

static struct span spans[SPANS];
static atomic_bool everywhere;

bool zp_protected(const void *address, size_t bytes)
{
	uintptr_t from = (uintptr_t)address;

	for (int i = 0; i < SPANS; i++) {
		uintptr_t to = atomic_load_explicit(&spans[i].to, memory_order_acquire);

		if (to > from &&
		    atomic_load_explicit(&spans[i].from, memory_order_relaxed) < from + bytes) {
			return true;
		}
	}
	return atomic_load_explicit(&everywhere, memory_order_relaxed);
}

/* Is all of it in a span already? */
static bool is_known(uintptr_t from, uintptr_t to)
{
	bool known = false;

	for (int i = 0; i < SPANS && !known; i++) {
		known = atomic_load_explicit(&spans[i].to, memory_order_acquire) >= to &&
			atomic_load_explicit(&spans[i].from, memory_order_relaxed) <= from;
	}
	return known;
}

void zp_protected_add(const void *address, size_t bytes)
{
	uintptr_t from = (uintptr_t)address;
	uintptr_t expected;

	if (is_known(from, from + bytes)) {
		return;
	}
	for (int i = 0; i < SPANS; i++) {
		expected = 0;
		if (atomic_compare_exchange_strong(&spans[i].from, &expected, from)) {
			atomic_store_explicit(&spans[i].to, from + bytes, memory_order_release);
			return;
		}
	}
	atomic_store(&everywhere, true);
}

void zp_protected_always(void)
{
	atomic_store(&everywhere, true);
}

void zp_protected_remove(const void *address, size_t bytes)
{
	uintptr_t from = (uintptr_t)address;
	uintptr_t to;

	for (int i = 0; i < SPANS; i++) {
		to = atomic_load_explicit(&spans[i].to, memory_order_acquire);
		if (to != 0 && to <= from + bytes &&
		    atomic_load_explicit(&spans[i].from, memory_order_relaxed) >= from &&
		    atomic_compare_exchange_strong(&spans[i].to, &to, 0)) {
			atomic_store_explicit(&spans[i].from, 0, memory_order_release);
		}
	}
}
