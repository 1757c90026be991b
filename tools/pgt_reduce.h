/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgt_reduce.h - leave out references that no memory of k frames or more can notice.
 *
 * Locks: none, one thread an object.
 */
#ifndef ZPAGER_TOOLS_PGT_REDUCE_H
#define ZPAGER_TOOLS_PGT_REDUCE_H

#include "pgt.h"
#include "pgt_sink.h"

struct pgt_reduce;

/*
 * pgt_reduce_open - k: misses of LRU and OPT, and their write-backs, stay what they are for k frames
 *   or more; at least 1. 1 only makes one of references to one page that follow one another.
 *   to: where what is left goes, in order, some references late. Copied.
 *   NULL: no memory.
 */
struct pgt_reduce *pgt_reduce_open(uint32_t k, const struct pgt_sink *to);

/* pgt_reduce_sink - what references are to be put into. */
struct pgt_sink pgt_reduce_sink(struct pgt_reduce *r);

/*
 * pgt_reduce_close - hand on what is left and free the object.
 *   refs_out: references that came in. 0 | -1 there was no memory: what went on is not complete.
 */
int pgt_reduce_close(struct pgt_reduce *r, uint64_t *refs_out);

#endif /* ZPAGER_TOOLS_PGT_REDUCE_H */
