/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.c - `zpager list`: the stores and eviction algorithms that are built in, one line each.
 *
 * Locks: none.
 */
#include <stdio.h>

#include <zpager/eviction.h>
#include <zpager/store.h>

#include "cmd.h"

int cmd_list(int argc, char **argv)
{
	const struct z_eviction_ops *ops;
	const char *summary;
	const char *name;

	if (argc > 1) {
		return cmd_fail(EXIT_USAGE, "list takes no argument, and got \"%s\"", argv[1]);
	}
	(void)puts("stores (--store NAME:OPTIONS):");
	for (size_t i = 0; (name = z_store_name_at(i, &summary)) != NULL; i++) {
		(void)printf("  %-8s %s\n", name, summary);
	}
	(void)puts("\neviction algorithms (--eviction NAME):");
	for (size_t i = 0; (ops = z_eviction_at(i)) != NULL; i++) {
		(void)printf("  %-8s %s\n", ops->name, ops->summary);
	}
	return 0;
}
