/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - the lazily allocated array of table.h: purpose, theory, locks and limits stand there.
 */
#include "table.h"

#include "mem.h"

#define SPAN ((uint64_t)Z_TABLE_LEAF * Z_TABLE_NODE)

static size_t node_pages(void)
{
	return z_pages_for(Z_TABLE_NODE * sizeof(void *));
}

int z_table_open(struct z_table *table, const struct z_store_env *env, uint64_t limit,
		 size_t elem_bytes)
{
	*table = (struct z_table){
		.env = env,
		.root_pages = z_pages_for((size_t)((limit + SPAN - 1U) / SPAN) * sizeof(void *)),
		.elem_bytes = elem_bytes,
		.leaf_pages = z_pages_for(Z_TABLE_LEAF * elem_bytes),
	};
	table->root = z_env_take(env, table->root_pages);
	if (table->root == NULL) {
		return Z_ERR_NOMEM;
	}
	table->pages = table->root_pages;
	return 0;
}

void z_table_close(struct z_table *table)
{
	size_t nodes = table->root_pages * Z_PAGE_SIZE / sizeof(void *);

	if (table->root == NULL) {
		return;
	}
	for (size_t n = 0; n < nodes; n++) {
		unsigned char **node = table->root[n];

		for (size_t l = 0; node != NULL && l < Z_TABLE_NODE; l++) {
			z_env_give(table->env, node[l], table->leaf_pages);
		}
		z_env_give(table->env, node, node_pages());
	}
	z_env_give(table->env, table->root, table->root_pages);
	table->root = NULL;
	table->pages = 0;
}

int z_table_grow(struct z_table *table, uint32_t i)
{
	unsigned char ***node = &table->root[i / SPAN];
	unsigned char **leaf;

	if (*node == NULL) {
		*node = z_env_take(table->env, node_pages());
		if (*node == NULL) {
			return Z_ERR_NOSPC;
		}
		table->pages += node_pages();
	}
	leaf = &(*node)[i / Z_TABLE_LEAF % Z_TABLE_NODE];
	if (*leaf == NULL) {
		*leaf = z_env_take(table->env, table->leaf_pages);
		if (*leaf == NULL) {
			return Z_ERR_NOSPC;
		}
		table->pages += table->leaf_pages;
	}
	return 0;
}
