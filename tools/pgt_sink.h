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

#endif /* ZPAGER_TOOLS_PGT_SINK_H */
