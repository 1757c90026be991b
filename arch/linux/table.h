/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - the software page table (pt.h) as memory: which pages of it exist, and who pays for them.
 *
 * Theory. The table is one array of 8 bytes for each page of the window, and the kernel gives a page of it
 * when that is first written: a leaf, for 512 pages of the window. A leaf comes into being with the first
 * touch of one of these, so a mapping costs nothing before. Until then one byte says all that is
 * to be known of the 512:
 *
 *   0                  no leaf: all are UNMAPPED
 *   ZL_LEAF_LATER|prot no leaf: all are UNTOUCHED, with these permissions; it will be needed
 *   ZL_LEAF            the leaf says it
 *
 * An entry that reads 0 therefore needs a look at the byte; any other stands for itself. A mapping that
 * covers 512 pages in part makes the leaf at once. A leaf whose entries are all 0 again is given back.
 *
 * What it costs: 8 bytes a page where pages are used in clusters, and 4 KiB for one that lies alone in its 2 MiB, as
 * in a page table of hardware. The bytes: 4 KiB for each 8 GiB of which a page was ever mapped.
 *
 * Payment. Leaves and pages of bytes are taken from a purse before they are written, and a leaf that will be needed is
 * promised there when it is mapped: a purse that keeps promises does not refuse it later, so that the call fails
 * and not the touch. Unmapping a part of 512 untouched pages needs the leaf and must not fail: it is then taken
 * whatever the purse says.
 *
 * Locks: pager lock held [P]; the counts are read by anybody [A].
 */
#ifndef ZL_TABLE_H
#define ZL_TABLE_H

#include <stdatomic.h>

#include "pt.h"

#define ZL_LEAF_PAGES 512U
#define ZL_LEAF       0x40U
#define ZL_LEAF_LATER 0x80U
#define ZL_LEAF_PROT  0x0fU

#define ZL_WINDOW_MOST  (UINT64_C(1) << 46)
#define ZL_LATER_PAGES  (ZL_WINDOW_MOST / Z_PAGE_SIZE / ZL_LEAF_PAGES / Z_PAGE_SIZE)
#define ZL_LATER_GROUPS (ZL_LATER_PAGES / 64)

/* Who pays, in pages; NULL: nobody is asked. take, promise: 0 | Z_ERR_NOMEM. promise: can `later` leaves be kept free? */
struct zl_purse {
	int (*take)(void *ctx, uint32_t pages);
	void (*take_anyway)(void *ctx, uint32_t pages);
	void (*give)(void *ctx, uint32_t pages);
	int (*promise)(void *ctx);
	void *ctx;
};

struct zl_table {
	uint64_t *pt;                         /* [I] entries of pt.h, each [P] */
	unsigned char *leaf;                  /* [I] the byte of each 512 pages, each [P] */
	size_t pages;                         /* [I] */
	struct zl_purse purse;                /* [I] */
	_Atomic uint32_t taken;               /* [A] pages of RAM taken from the purse */
	_Atomic uint32_t later;               /* [A] leaves that are promised */
	uint64_t bytes_used[ZL_LATER_GROUPS]; /* [P] bit a page of bytes: it is taken */
};

/* zl_table_open - pages: at most ZL_WINDOW_MOST bytes. 0 | Z_ERR_NOMEM; may be closed in any case. */
int zl_table_open(struct zl_table *t, size_t pages, const struct zl_purse *purse);
void zl_table_close(struct zl_table *t);

/* zl_table_map - entries 0 become UNTOUCHED. 0 | Z_ERR_NOMEM nothing changed. */
int zl_table_map(struct zl_table *t, size_t first, size_t pages, unsigned int prot);

/* zl_table_unmap - entries become 0. */
void zl_table_unmap(struct zl_table *t, size_t first, size_t pages);

/*
 * zl_table_protect_begin - after it zl_table_protect of the range cannot fail. 0 | Z_ERR_NOMEM nothing changed.
 * zl_table_protect - other permissions; entries that change are stored atomically.
 */
int zl_table_protect_begin(struct zl_table *t, size_t first, size_t pages);
void zl_table_protect(struct zl_table *t, size_t first, size_t pages, unsigned int prot);

/* zl_table_prepare - the leaves of mapped pages exist from now on. 0 | Z_ERR_NOMEM nothing changed. */
int zl_table_prepare(struct zl_table *t, size_t first, size_t pages);

/* zl_table_untouched - how many pages from first on are UNTOUCHED and without a leaf. */
size_t zl_table_untouched(const struct zl_table *t, size_t first, size_t pages);

/* zl_table_entry - what pt.h says of a page, leaf or not. */
static inline uint64_t zl_table_entry(const struct zl_table *t, size_t page)
{
	uint64_t e = t->pt[page];
	unsigned int leaf;

	if (e != 0) {
		return e;
	}
	leaf = t->leaf[page / ZL_LEAF_PAGES];
	return (leaf & ZL_LEAF_LATER) == 0 ? 0 : zl_pt_untouched(leaf & ZL_LEAF_PROT);
}

#endif /* ZL_TABLE_H */
