/* SPDX-License-Identifier: Apache-2.0 */
/*
 * types.h - the scalar types and compile-time constants that every contract shares.
 *
 * Virtual addresses are plain uintptr_t. Physical addresses and store locations are one-member
 * structures, so that a location handed over where a physical address is wanted does not compile;
 * the machine code is the same. The structures are passed by value.
 *
 * Page size: CONFIG_MMU_PAGE_SIZE, a power of two, 4096 unless the configuration says otherwise.
 * Freestanding: needs only the compiler's own headers.
 */
#ifndef ZPAGER_TYPES_H
#define ZPAGER_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef CONFIG_MMU_PAGE_SIZE
#define CONFIG_MMU_PAGE_SIZE 4096
#endif

#define Z_PAGE_SIZE ((size_t)CONFIG_MMU_PAGE_SIZE)
#define Z_PAGE_MASK (Z_PAGE_SIZE - 1U)

/* The largest number of pages that one batch of evictions may hold (kept on the stack). */
#ifdef CONFIG_ZPAGER_BATCH_MAX
#define Z_BATCH_MAX CONFIG_ZPAGER_BATCH_MAX
#else
#define Z_BATCH_MAX 64
#endif

/* The largest number of pages of one that is evicted ahead of need (kept in the pager's memory). */
#define Z_RESERVE_MAX 1024

#ifndef BIT
#define BIT(n) (1UL << (n))
#endif

/* Z_IF_CHECK - a function for the check of a table of operations, or NULL if that is configured. */
#ifdef CONFIG_ZPAGER_CHECK
#define Z_IF_CHECK(function) (function)
#else
#define Z_IF_CHECK(function) (0 ? (function) : NULL)
#endif

#define Z_MUST_CHECK __attribute__((warn_unused_result))

/* A physical address: names a page frame. Page-aligned where a contract says "frame". */
typedef struct {
	uintptr_t v;
} z_phys_t;

/* A location: the token a backing store gave for a data page. Page-aligned, opaque, may be 0. */
typedef struct {
	uintptr_t v;
} z_loc_t;

static inline z_phys_t z_phys(uintptr_t v)
{
	return (z_phys_t){v};
}

static inline z_loc_t z_loc(uintptr_t v)
{
	return (z_loc_t){v};
}

static inline uintptr_t z_page_align_down(uintptr_t addr)
{
	return addr & ~(uintptr_t)Z_PAGE_MASK;
}

static inline bool z_is_page_aligned(uintptr_t addr)
{
	return (addr & Z_PAGE_MASK) == 0;
}

/* How an address was touched; also the permissions of a mapping. */
enum z_access {
	Z_ACCESS_READ = 1,
	Z_ACCESS_WRITE = 2,
	Z_ACCESS_EXEC = 4,
	Z_ACCESS_USER = 8, /* by user mode; in a permission: user mode may */
};

/* What a program knows about the future use of its pages. */
enum z_advice {
	Z_ADVICE_NORMAL,
	Z_ADVICE_SEQUENTIAL,
	Z_ADVICE_RANDOM,
	Z_ADVICE_WILLNEED,
	Z_ADVICE_COLD,
	Z_ADVICE_DONTNEED, /* contents may be dropped: the next touch finds zeros */
	Z_ADVICE_FREE,     /* the same, at leisure; here it is done at once */
	Z_ADVICE_KEEP,     /* other pages go first, as long as there are some */
};

#endif /* ZPAGER_TYPES_H */
