/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ghost.h - addresses of pages that an eviction algorithm gave up lately.
 *
 * Theory: buckets of four entries, chosen by a hash of the address. A bucket is a queue: a new
 * ghost goes in front, what was last falls out. So a table of n entries remembers about the last n
 * evictions, some a little longer and some not as long, and needs no clock of its own. The
 * algorithm may store a stamp with each ghost, and decide by its age.
 *
 * An entry is half a word of hash and half a word of stamp. Two pages of one bucket are taken for
 * one another in one of 65,536 cases; a ghost is a hint, so that is all that comes of it. A word of
 * 0 is an empty entry.
 *
 * The core's own ghosts (core/ghost.c) tell the distance of every eviction. These here are for
 * algorithms that must know from which of their queues a page went.
 *
 * Cost: O(1), four words; 4 bytes an entry, at most one entry for two frames, none below 8 frames.
 * Locks: pager lock held in all of it, see eviction.h. Limits: a stamp is known modulo 65,536.
 */
#ifndef ZPAGER_EVICTION_GHOST_H
#define ZPAGER_EVICTION_GHOST_H

#include <zpager/page_frame.h>

#define Z__GHOST_WAYS       4U
#define Z__GHOST_FRAMES     8U /* frames for which there is one bucket */
#define Z__GHOST_STAMP_BITS 16
#define Z__GHOST_STAMP_MASK 0xffffU
#define Z__GHOST_NONE       UINT32_MAX

struct z__ghosts {
	uint32_t *entry;  /* [P] hash in the high half, stamp in the low */
	uint32_t buckets; /* [I] */
};

static inline uint32_t z__ghost_buckets(uint32_t nframes)
{
	return nframes / Z__GHOST_FRAMES;
}

static inline size_t z__ghost_bytes(uint32_t nframes)
{
	return (size_t)z__ghost_buckets(nframes) * Z__GHOST_WAYS * sizeof(uint32_t);
}

/* z__ghosts_init - no ghosts. entry: room for z__ghost_bytes(), zeroed. */
static inline void z__ghosts_init(struct z__ghosts *g, uint32_t *entry, uint32_t nframes)
{
	*g = (struct z__ghosts){entry, z__ghost_buckets(nframes)};
}

/* z__ghost_hash - the high half chooses the bucket, the low half is what an entry keeps: never 0. */
static inline uint64_t z__ghost_hash(const void *addr)
{
	uint64_t x = ((uint64_t)(uintptr_t)addr / Z_PAGE_SIZE + 1) * UINT64_C(0x9E3779B97F4A7C15);

	return (x ^ (x >> 32)) | 1U;
}

static inline uint32_t *z__ghost_bucket(const struct z__ghosts *g, uint64_t hash)
{
	uint64_t i = ((hash >> 32) * g->buckets) >> 32;

	return g->entry + i * Z__GHOST_WAYS;
}

static inline uint32_t z__ghost_key(uint64_t hash)
{
	return (uint32_t)hash & Z__GHOST_STAMP_MASK;
}

/*
 * z__ghost_take - is there a ghost of this address? It is one no longer.
 *   Returns its stamp, or Z__GHOST_NONE.
 */
static inline uint32_t z__ghost_take(struct z__ghosts *g, const void *addr)
{
	uint64_t hash = z__ghost_hash(addr);
	uint32_t *bucket = z__ghost_bucket(g, hash);
	uint32_t stamp = Z__GHOST_NONE;
	uint32_t kept = 0;

	if (g->buckets == 0) {
		return Z__GHOST_NONE;
	}
	for (uint32_t way = 0; way < Z__GHOST_WAYS; way++) {
		if (bucket[way] >> Z__GHOST_STAMP_BITS == z__ghost_key(hash)) {
			stamp = bucket[way] & Z__GHOST_STAMP_MASK;
		} else {
			bucket[kept++] = bucket[way];
		}
	}
	while (kept < Z__GHOST_WAYS) {
		bucket[kept++] = 0;
	}
	return stamp;
}

/* z__ghost_put - the page at this address went. An older ghost of it is replaced. */
static inline void z__ghost_put(struct z__ghosts *g, const void *addr, uint32_t stamp)
{
	uint64_t hash = z__ghost_hash(addr);
	uint32_t *bucket = z__ghost_bucket(g, hash);

	if (g->buckets == 0) {
		return;
	}
	(void)z__ghost_take(g, addr);
	for (uint32_t way = Z__GHOST_WAYS - 1; way > 0; way--) {
		bucket[way] = bucket[way - 1];
	}
	bucket[0] = z__ghost_key(hash) << Z__GHOST_STAMP_BITS | (stamp & Z__GHOST_STAMP_MASK);
}

#endif /* ZPAGER_EVICTION_GHOST_H */
