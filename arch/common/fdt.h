/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fdt.h - reading a flattened device tree, event by event, as it lies in memory (format: the
 * Devicetree Specification, chapter 5, version 17). No allocation, no C library, nothing written.
 *
 * A damaged tree gives an error, never a touch outside of the bytes that its header says.
 */
#ifndef ARCH_COMMON_FDT_H
#define ARCH_COMMON_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fdt_event {
	FDT_NODE,     /* a node begins: name */
	FDT_NODE_END, /* the innermost node ends */
	FDT_PROPERTY, /* of the innermost node: name, value, bytes */
	FDT_END,      /* the tree has ended as it should */
	FDT_BAD,      /* it is damaged here */
};

/* A walk through the tree; name, value and bytes are those of the last event. */
struct fdt_walk {
	const char *name;
	const unsigned char *value;
	size_t bytes;

	const unsigned char *structure;
	size_t structure_bytes;
	const char *strings;
	size_t strings_bytes;
	size_t at;
	unsigned int depth;
};

/*
 * fdt_begin - start a walk. blob: aligned to 4, and readable as far as its header says.
 *   0 | Z_ERR_INVAL it is not a device tree, or one of an unknown version.
 */
int fdt_begin(struct fdt_walk *walk, const void *blob);

/* fdt_next - the next event. After FDT_END and FDT_BAD there is none. */
enum fdt_event fdt_next(struct fdt_walk *walk);

/*
 * fdt_cells - the number of that many cells (0 to 2) from the i-th cell of a value on, false if the
 * value is too short, or the number needs more than 64 bits.
 */
bool fdt_cells(const unsigned char *value, size_t bytes, size_t i, unsigned int cells,
	       uint64_t *out);

/* fdt_has - is this string one of the value's list of strings? */
bool fdt_has(const unsigned char *value, size_t bytes, const char *string);

/* fdt_same - are two strings equal? */
bool fdt_same(const char *a, const char *b);

#endif /* ARCH_COMMON_FDT_H */
