/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgt_shards.h - how often LRU would miss, for every size of memory at once, from a sample of the
 * pages.
 *
 * Locks: none, one thread an object.
 */
#ifndef ZPAGER_TOOLS_PGT_SHARDS_H
#define ZPAGER_TOOLS_PGT_SHARDS_H

#include "pgt.h"
#include "pgt_sink.h"

struct pgt_shards;

/*
 * pgt_shards_open - samples: how many pages are followed at most. As long as there are no more, all
 *   are, and the curve is exact. one_in: 1, or only every so-manieth page is followed from the start.
 *   NULL: no memory.
 */
struct pgt_shards *pgt_shards_open(uint32_t samples, uint32_t one_in);
void pgt_shards_free(struct pgt_shards *s);

/* pgt_shards_sink - what references are to be put into. Ticks are ignored. */
struct pgt_sink pgt_shards_sink(struct pgt_shards *s);

/* What is known of all references together. */
struct pgt_shards_sum {
	uint64_t refs;
	double pages; /* distinct ones; an estimate if rate < 1 */
	double rate;  /* share of the pages that was followed at the end */
	bool failed;  /* there was no memory: what came later is not counted */
};

void pgt_shards_sum(const struct pgt_shards *s, struct pgt_shards_sum *out);

/* Misses with some number of frames, first touches not counted. */
struct pgt_shards_point {
	double misses;
	double low, high; /* 95 of 100 curves lie between, as far as the sample can tell */
};

/* pgt_shards_at - frames: at least 1. Cost: one pass over all distances. */
void pgt_shards_at(const struct pgt_shards *s, uint64_t frames, struct pgt_shards_point *out);

#endif /* ZPAGER_TOOLS_PGT_SHARDS_H */
