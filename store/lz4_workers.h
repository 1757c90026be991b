/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lz4_workers.h - a few tables and buffers for compression, made once, lent to whoever needs one.
 *
 * Locks: a worker is locked while it is lent; taken before the store's lock. Hosted.
 */
#ifndef STORE_LZ4_WORKERS_H
#define STORE_LZ4_WORKERS_H

#include <pthread.h>
#include <zpager/store.h>

#define LZ4_WORKERS_MAX  8U
#define LZ4_WORKER_BYTES ((size_t)3 * CONFIG_MMU_PAGE_SIZE)

struct lz4_worker {
	pthread_mutex_t lock;
	uint16_t *places; /* Z_LZ_PLACES of them */
	char *buffer;     /* of LZ4_WORKER_BYTES */
};

struct lz4_workers {
	unsigned int count; /* one a CPU, at most LZ4_WORKERS_MAX */
	size_t pages;
	void *memory;
	struct lz4_worker each[LZ4_WORKERS_MAX];
};

/*
 * lz4_workers_open - one a CPU, but no more than fit in most_pages; one in any case.
 *   0 | Z_ERR_NOMEM; may be closed in any case. Their RAM is charged to env.
 */
Z_MUST_CHECK int lz4_workers_open(struct lz4_workers *workers, const struct z_store_env *env,
				  uint64_t most_pages);
void lz4_workers_close(struct lz4_workers *workers, const struct z_store_env *env);

/* lz4_worker_lock - one that is free, preferably this CPU's; waits if none is. */
struct lz4_worker *lz4_worker_lock(struct lz4_workers *workers);
void lz4_worker_unlock(struct lz4_worker *worker);

#endif /* STORE_LZ4_WORKERS_H */
