/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ghost.h - addresses of pages that an eviction algorithm gave up lately.
 *
 * Theory: buckets of four entries, chosen by a hash of the address. A bucket is a queue: a new
 * ghost goes in front, what was last falls out. So a table of n entries remembers about the last n
 * evictions, some a little longer and some not as long, and needs no clock of its own. The
 * algorithm may store a stamp with each ghost, and decide by its age.
 *
 * An entry keeps half of the hash. Two pages of one bucket are taken for one another once in 2^32;
 * a ghost is a hint, so that is all that comes of it. A key of 0 is an empty entry.
 *
 * The core's own ghosts (core/ghost.c) tell the distance of every eviction. These here are for
 * algorithms that must know from which of their queues a page went.
 *
 * Cost: O(1), four entries; 8 bytes an entry, one entry for two frames, none below 8 frames.
 * Locks: pager lock held in all of it, see eviction.h. Limits: a stamp is known modulo 2^32.
 */
#ifndef ZPAGER_EVICTION_GHOST_H
#define ZPAGER_EVICTION_GHOST_H

#include <zpager/page_frame.h>

#define Z__GHOST_WAYS   4U
#define Z__GHOST_FRAMES 8U /* frames for which there is one bucket */

struct z__ghost {
	uint32_t key;   /* [P] 0: none */
	uint32_t stamp; /* [P] the algorithm's */
};

struct z__ghosts {
	struct z__ghost *entry; /* [P] */
	uint32_t buckets;       /* [I] */
};

static inline uint32_t z__ghost_buckets(uint32_t nframes)
{
	return nframes / Z__GHOST_FRAMES;
}

static inline size_t z__ghost_bytes(uint32_t nframes)
{
	return (size_t)z__ghost_buckets(nframes) * Z__GHOST_WAYS * sizeof(struct z__ghost);
}

/* z__ghosts_init - no ghosts. entry: room for z__ghost_bytes(), zeroed. */
static inline void z__ghosts_init(struct z__ghosts *g, struct z__ghost *entry, uint32_t nframes)
{
	*g = (struct z__ghosts){entry, z__ghost_buckets(nframes)};
}

/* z__ghost_hash - the high half chooses the bucket; the low half, never 0, is the key. */
static inline uint64_t z__ghost_hash(const void *addr)
{
	uint64_t x = ((uint64_t)(uintptr_t)addr / Z_PAGE_SIZE + 1) * UINT64_C(0x9E3779B97F4A7C15);

	return (x ^ (x >> 32)) | 1U;
}

static inline struct z__ghost *z__ghost_bucket(const struct z__ghosts *g, uint64_t hash)
{
	uint64_t i = ((hash >> 32) * g->buckets) >> 32;

	return g->entry + i * Z__GHOST_WAYS;
}

/*
 * z__ghost_take - is there a ghost of this address? It is one no longer.
 *   stamp_out: its stamp, if there is one.
 */
static inline bool z__ghost_take(struct z__ghosts *g, const void *addr, uint32_t *stamp_out)
{
	uint64_t hash = z__ghost_hash(addr);
	struct z__ghost *bucket = z__ghost_bucket(g, hash);
	uint32_t way = 0;

	if (g->buckets == 0) {
		return false;
	}
	while (way < Z__GHOST_WAYS && bucket[way].key != (uint32_t)hash) {
		way++;
	}
	if (way == Z__GHOST_WAYS) {
		return false;
	}
	*stamp_out = bucket[way].stamp;
	for (; way + 1 < Z__GHOST_WAYS; way++) {
		bucket[way] = bucket[way + 1];
	}
	bucket[way] = (struct z__ghost){0, 0};
	return true;
}

/* z__ghost_put - the page at this address went. An older ghost of it is replaced. */
static inline void z__ghost_put(struct z__ghosts *g, const void *addr, uint32_t stamp)
{
	uint64_t hash = z__ghost_hash(addr);
	struct z__ghost *bucket = z__ghost_bucket(g, hash);
	uint32_t old;

	if (g->buckets == 0) {
		return;
	}
	(void)z__ghost_take(g, addr, &old);
	for (uint32_t way = Z__GHOST_WAYS - 1; way > 0; way--) {
		bucket[way] = bucket[way - 1];
	}
	bucket[0] = (struct z__ghost){(uint32_t)hash, stamp};
}

#endif /* ZPAGER_EVICTION_GHOST_H */
