/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lz4_zstd.h - zstd for pages, with all its memory from the store's surroundings.
 *
 * Theory: one coder, since only what nobody waits for is coded; as many decoders as there are workers,
 * since a fault waits for each. Their contexts are made at open in RAM that is charged (90 KiB each), so that
 * nothing is allocated later: the functions are called where malloc must not be, in a handler of signals.
 * What a frame would say about itself and every page has in common (magic number, size) is left out.
 *
 * Locks: a decoder's own while it works; the coder's is the caller's, who holds lock. Hosted.
 */
#ifndef STORE_LZ4_ZSTD_H
#define STORE_LZ4_ZSTD_H

#include <pthread.h>
#include <zpager/store.h>

#include "lz4_workers.h"

struct lz4_zstd_decoder {
	pthread_mutex_t lock;
	void *context;
};

struct lz4_zstd {
	pthread_mutex_t lock; /* of what follows; taken before the store's */
	void *coder;          /* NULL: not open */
	char *page;           /* a page to code... */
	char *coded;          /* ...and what it was, or becomes: a page, too */
	void *memory;         /* [I] */
	size_t pages;         /* [I] of it */
	unsigned int count;   /* [I] */
	struct lz4_zstd_decoder decoders[LZ4_WORKERS_MAX];
};

/* lz4_zstd_open - count: 1 to LZ4_WORKERS_MAX. 0 | Z_ERR_NOMEM; may be closed in any case. */
Z_MUST_CHECK int lz4_zstd_open(struct lz4_zstd *zstd, const struct z_store_env *env,
			       unsigned int count);
void lz4_zstd_close(struct lz4_zstd *zstd, const struct z_store_env *env);

/* lz4_zstd_code - page to coded. How many bytes; 0: more than most, or it does not work. */
size_t lz4_zstd_code(struct lz4_zstd *zstd, size_t most);

/* lz4_zstd_decode - false: damaged; page is undefined, nothing beyond it is. */
Z_MUST_CHECK bool lz4_zstd_decode(struct lz4_zstd *zstd, const char *from, size_t bytes,
				  void *page);

#endif /* STORE_LZ4_ZSTD_H */
