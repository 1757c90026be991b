/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - the page table as memory: purpose, theory, locks and costs stand in table.h.
 *
 * Whatever can be refused is taken from the purse before the first change; what follows only writes.
 */
#include <string.h>
#include <sys/mman.h>

#include "port.h"

/* The pages of a range that lie in one leaf. */
struct part {
	size_t leaf;
	size_t first;
	size_t end;
	bool whole; /* all of the leaf's pages */
};

static size_t leaves_of(size_t pages)
{
	return (pages + ZL_LEAF_PAGES - 1) / ZL_LEAF_PAGES;
}

static struct part part_at(const struct zl_table *t, size_t first, size_t end)
{
	struct part part = {.leaf = first / ZL_LEAF_PAGES, .first = first};
	size_t leaf_end = (part.leaf + 1) * ZL_LEAF_PAGES;

	leaf_end = leaf_end < t->pages ? leaf_end : t->pages;
	part.end = end < leaf_end ? end : leaf_end;
	part.whole = first % ZL_LEAF_PAGES == 0 && part.end == leaf_end;
	return part;
}

static bool is_later(const struct zl_table *t, size_t leaf)
{
	return (t->leaf[leaf] & ZL_LEAF_LATER) != 0;
}

/* ---- payment ------------------------------------------------------------------------------ */

static int take(struct zl_table *t, uint32_t pages)
{
	if (pages == 0) {
		return 0;
	}
	int error = t->purse.take != NULL ? t->purse.take(t->purse.ctx, pages) : 0;

	if (error == 0) {
		t->taken += pages;
	}
	return error;
}

static void give(struct zl_table *t, uint32_t pages)
{
	t->taken -= pages;
	if (t->purse.give != NULL && pages > 0) {
		t->purse.give(t->purse.ctx, pages);
	}
}

static int promise(struct zl_table *t, uint32_t leaves)
{
	int error = 0;

	t->later += leaves;
	if (leaves > 0 && t->purse.promise != NULL) {
		error = t->purse.promise(t->purse.ctx);
	}
	if (error != 0) {
		t->later -= leaves;
	}
	return error;
}

/* ---- leaves ------------------------------------------------------------------------------- */

static void fill(struct zl_table *t, size_t first, size_t end, unsigned int prot)
{
	for (size_t i = first; i < end; i++) {
		t->pt[i] = zl_pt_untouched(prot);
	}
}

/* A leaf that was promised, and has been taken from the purse, comes into being. */
static void make(struct zl_table *t, size_t leaf)
{
	struct part all = part_at(t, leaf * ZL_LEAF_PAGES, t->pages);

	fill(t, all.first, all.end, t->leaf[leaf] & ZL_LEAF_PROT);
	t->leaf[leaf] = ZL_LEAF;
	t->later--;
}

static bool is_empty(const struct zl_table *t, size_t leaf)
{
	struct part all = part_at(t, leaf * ZL_LEAF_PAGES, t->pages);
	uint64_t any = 0;

	for (size_t i = all.first; i < all.end; i++) {
		any |= t->pt[i];
	}
	return any == 0;
}

/* ---- mapping ------------------------------------------------------------------------------ */

/* Pages of bytes that a mapping needs and nobody has paid for; mark: they are paid for now. */
static uint32_t bytes_missing(struct zl_table *t, size_t first, size_t pages, bool mark)
{
	size_t last = (first + pages - 1) / ZL_LEAF_PAGES / Z_PAGE_SIZE;
	uint32_t missing = 0;

	for (size_t i = first / ZL_LEAF_PAGES / Z_PAGE_SIZE; i <= last; i++) {
		uint64_t bit = UINT64_C(1) << i % 64;

		missing += (t->bytes_used[i / 64] & bit) == 0;
		if (mark) {
			t->bytes_used[i / 64] |= bit;
		}
	}
	return missing;
}

int zl_table_map(struct zl_table *t, size_t first, size_t pages, unsigned int prot)
{
	size_t end = first + pages;
	uint32_t now = bytes_missing(t, first, pages, false);
	uint32_t later = 0;
	struct part part;

	for (size_t i = first; i < end; i = part.end) {
		part = part_at(t, i, end);
		now += t->leaf[part.leaf] == 0 && !part.whole;
		later += t->leaf[part.leaf] == 0 && part.whole;
	}
	int error = take(t, now);
	if (error == 0 && promise(t, later) != 0) {
		give(t, now);
		error = Z_ERR_NOMEM;
	}
	if (error != 0) {
		return error;
	}
	(void)bytes_missing(t, first, pages, true);
	for (size_t i = first; i < end; i = part.end) {
		part = part_at(t, i, end);
		if (part.whole && t->leaf[part.leaf] == 0) {
			t->leaf[part.leaf] = (unsigned char)(ZL_LEAF_LATER | prot);
		} else {
			t->leaf[part.leaf] = ZL_LEAF;
			fill(t, part.first, part.end, prot);
		}
	}
	return 0;
}

/* Leaves from first to end have no mapped page any more: all that exist go back in one call. */
static void give_leaves(struct zl_table *t, size_t first, size_t end)
{
	size_t bytes = (end - first) * Z_PAGE_SIZE;
	uint32_t exist = 0;

	for (size_t leaf = first; leaf < end; leaf++) {
		exist += t->leaf[leaf] == ZL_LEAF;
		t->later -= is_later(t, leaf);
	}
	if (exist > 0 && madvise(&t->pt[first * ZL_LEAF_PAGES], bytes, MADV_DONTNEED) != 0) {
		memset(&t->pt[first * ZL_LEAF_PAGES], 0, bytes);
	}
	memset(&t->leaf[first], 0, end - first);
	give(t, exist);
}

static void unmap_part(struct zl_table *t, const struct part *part)
{
	if (is_later(t, part->leaf)) {
		t->taken++;
		if (t->purse.take_anyway != NULL) {
			t->purse.take_anyway(t->purse.ctx, 1);
		}
		make(t, part->leaf);
	}
	memset(&t->pt[part->first], 0, (part->end - part->first) * sizeof(uint64_t));
	if (is_empty(t, part->leaf)) {
		give_leaves(t, part->leaf, part->leaf + 1);
	}
}

void zl_table_unmap(struct zl_table *t, size_t first, size_t pages)
{
	size_t end = first + pages;
	size_t i = first;

	while (i < end) {
		struct part part = part_at(t, i, end);
		size_t leaf = part.leaf;

		if (!part.whole) {
			unmap_part(t, &part);
			i = part.end;
			continue;
		}
		while (i < end && part.whole) {
			i = part.end;
			part = part_at(t, i, end);
		}
		give_leaves(t, leaf, leaves_of(i));
	}
}

/* ---- leaves that are needed now ------------------------------------------------------------- */

/* Make the leaves of a range; edges: only those that the range covers in part. */
static int make_some(struct zl_table *t, size_t first, size_t pages, bool edges)
{
	size_t end = first + pages;
	uint32_t need = 0;
	struct part part;

	for (size_t i = first; i < end; i = part.end) {
		part = part_at(t, i, end);
		need += is_later(t, part.leaf) && !(edges && part.whole);
	}
	int error = take(t, need);
	for (size_t i = first; need > 0 && error == 0 && i < end; i = part.end) {
		part = part_at(t, i, end);
		if (is_later(t, part.leaf) && !(edges && part.whole)) {
			make(t, part.leaf);
		}
	}
	return error;
}

int zl_table_prepare(struct zl_table *t, size_t first, size_t pages)
{
	return make_some(t, first, pages, false);
}

int zl_table_protect_begin(struct zl_table *t, size_t first, size_t pages)
{
	return make_some(t, first, pages, true);
}

void zl_table_protect(struct zl_table *t, size_t first, size_t pages, unsigned int prot)
{
	size_t end = first + pages;
	struct part part;

	for (size_t i = first; i < end; i = part.end) {
		part = part_at(t, i, end);
		if (is_later(t, part.leaf)) {
			t->leaf[part.leaf] = (unsigned char)(ZL_LEAF_LATER | prot);
			continue;
		}
		for (size_t k = part.first; k < part.end; k++) {
			uint64_t new =
				(t->pt[k] & ~ZL_PT_PROT) | ((uint64_t)prot << ZL_PT_PROT_SHIFT);
			/* scratch() looks without lock */
			__atomic_store_n(&t->pt[k], new, __ATOMIC_RELAXED);
		}
	}
}

size_t zl_table_untouched(const struct zl_table *t, size_t first, size_t pages)
{
	size_t end = first + pages;
	size_t i = first;

	while (i < end && is_later(t, i / ZL_LEAF_PAGES)) {
		i = part_at(t, i, end).end;
	}
	return i - first;
}

/* ---- opening ------------------------------------------------------------------------------ */

static size_t pt_bytes(size_t pages)
{
	return leaves_of(pages) * Z_PAGE_SIZE;
}

int zl_table_open(struct zl_table *t, size_t pages, const struct zl_purse *purse)
{
	t->pages = pages;
	t->purse = *purse;
	t->pt = zl_pages_alloc(pt_bytes(pages));
	t->leaf = zl_pages_alloc(leaves_of(pages));
	return t->pt != NULL && t->leaf != NULL ? 0 : Z_ERR_NOMEM;
}

void zl_table_close(struct zl_table *t)
{
	if (t->pt != NULL) {
		munmap(t->pt, pt_bytes(t->pages));
	}
	if (t->leaf != NULL) {
		munmap(t->leaf, leaves_of(t->pages));
	}
}
