/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - an array of small elements, indexed by slot number, whose memory comes into being as the
 * elements are first used.
 *
 * Theory: three levels. The root has one pointer for 2^19 elements (a store of 1 TiB: one page); a
 * middle node has 512 pointers; a leaf has 1024 elements. Nothing is proportional to the capacity
 * but the root. Nodes are never freed before the whole table is, so a pointer to an element stays
 * valid, and an element that exists can be looked up while others come into being.
 *
 * Locks: z_table_grow by one context at a time. z_table_at: any context, for elements whose growth
 * it has seen. Limits: 2^32 elements of at most 64 bytes. All RAM is charged to env.
 */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

#include <zpager/store.h>

#define Z_TABLE_LEAF 1024U
#define Z_TABLE_NODE 512U

struct z_table {
	const struct z_store_env *env; /* [I] */
	unsigned char ***root;         /* [I] */
	size_t root_pages;             /* [I] */
	size_t elem_bytes;             /* [I] */
	size_t leaf_pages;             /* [I] */
	size_t pages;                  /* [P] RAM held by it, root included */
};

/*
 * z_table_open - an empty table. env stays valid for its life.
 *   0 | Z_ERR_NOMEM no memory, or the budget does not allow it; *table is unusable but may be closed.
 */
Z_MUST_CHECK int z_table_open(struct z_table *table, const struct z_store_env *env, uint64_t limit,
			      size_t elem_bytes);

/* z_table_close - give the memory back. */
void z_table_close(struct z_table *table);

/*
 * z_table_grow - make element i exist, zeroed, if it does not. i: below the limit.
 *   0 | Z_ERR_NOSPC no memory, or the budget does not allow it; nothing changed.
 */
Z_MUST_CHECK int z_table_grow(struct z_table *table, uint32_t i);

/* z_table_at - the element i, which exists. */
static inline void *z_table_at(const struct z_table *table, uint32_t i)
{
	unsigned char *leaf;

	leaf = table->root[i / (Z_TABLE_LEAF * Z_TABLE_NODE)][i / Z_TABLE_LEAF % Z_TABLE_NODE];
	return leaf + (size_t)(i % Z_TABLE_LEAF) * table->elem_bytes;
}

/* z_table_has - does the element i exist? i: below the limit. */
static inline bool z_table_has(const struct z_table *table, uint32_t i)
{
	unsigned char **node;

	if (table->root == NULL) {
		return false;
	}
	node = table->root[i / (Z_TABLE_LEAF * Z_TABLE_NODE)];
	return node != NULL && node[i / Z_TABLE_LEAF % Z_TABLE_NODE] != NULL;
}

#endif /* STORE_TABLE_H */
