/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgt_lackey.h - the text that valgrind's tool lackey prints with --trace-mem=yes, as references.
 *
 * Locks: none, one thread an object.
 */
#ifndef ZPAGER_TOOLS_PGT_LACKEY_H
#define ZPAGER_TOOLS_PGT_LACKEY_H

#include <stddef.h>

#include "pgt_sink.h"

#define PGT_LACKEY_LINE 128 /* longer lines are none of ours */

struct pgt_lackey {
	struct pgt_sink to;
	uint64_t instructions;
	char part[PGT_LACKEY_LINE]; /* of a line that is not complete yet */
	size_t part_length;
};

/* pgt_lackey_feed - the next piece of the text, cut anywhere. l: zeroed but for the sink. */
void pgt_lackey_feed(struct pgt_lackey *l, const char *text, size_t length);

#endif /* ZPAGER_TOOLS_PGT_LACKEY_H */
