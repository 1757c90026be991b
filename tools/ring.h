/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.h - how the faults of a traced program reach `zpager trace` and `zpager mrc`: a ring of words
 * in a memory file, named in the environment (a path under /proc).
 *
 * One process writes, the first that opens it, even after an exec; one reads. A word is a reference,
 * page number << PGT_FLAG_BITS | flags; RING_TICK, a millisecond of processor time of the program has
 * passed; or RING_SWEEP, all its pages have been put out.
 *
 * Concurrency: the writers take turns by a lock of their own. A word is written, then written grows;
 * it is read, then taken grows. Who finds the ring full waits for room.
 */
#ifndef ZPAGER_TOOLS_RING_H
#define ZPAGER_TOOLS_RING_H

#include <stdatomic.h>
#include <stdint.h>

#define ZR_ENV_RING   "ZPAGER_TRACE"
#define ZR_ENV_PERIOD "ZPAGER_TRACE_US"

#define RING_MAGIC 0x7a707231U
#define RING_WORDS 65536U
#define RING_TICK  0U
#define RING_SWEEP 16U /* no reference: without flags */

struct ring {
	uint32_t magic;
	uint32_t one_in;       /* which pages are put out: see PGT_HASH_SHARE */
	_Atomic int32_t owner; /* the process that writes; 0: nobody yet */
	_Atomic uint64_t written, taken;
	_Atomic uint64_t sweep_ns; /* time that the sweeps have taken */
	uint64_t words[RING_WORDS];
};

#endif /* ZPAGER_TOOLS_RING_H */
