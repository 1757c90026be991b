/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgt_sink.h - who takes page references as they come: one interface between those who learn of
 * them (valgrind's lackey, faults of a paged program) and those who use them (reduction, a file, a
 * miss-ratio curve).
 *
 * Locks: none; one thread calls one sink.
 */
#ifndef ZPAGER_TOOLS_PGT_SINK_H
#define ZPAGER_TOOLS_PGT_SINK_H

#include <stdint.h>

struct pgt_sink {
	void *to;

	/* ref - a reference. number: of the page. flags: PGT_*, at least one of PGT_KINDS. */
	void (*ref)(void *to, uint64_t number, unsigned int flags);

	/* tick - the time of pgt.h has moved on by one. */
	void (*tick)(void *to);
};

/*
 * pgt_hash - a number that depends on all bits of a page's. Whoever follows one page in n follows
 * those with a hash below PGT_HASH_SHARE(n), so that all follow the same ones.
 * Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014): the finalizer.
 */
static inline uint64_t pgt_hash(uint64_t number)
{
	uint64_t x = number + UINT64_C(0x9E3779B97F4A7C15);

	x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
	return x ^ x >> 31;
}

#define PGT_HASH_SHARE(n) (UINT64_MAX / (n))

#endif /* ZPAGER_TOOLS_PGT_SINK_H */
