/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lz4_workers.c - the workers of lz4_workers.h: purpose and locks stand there.
 */
#define _GNU_SOURCE
#include "lz4_workers.h"

#include <sched.h>
#include <unistd.h>

#include "coder.h"
#include "mem.h"

struct lz4_worker *lz4_worker_lock(struct lz4_workers *workers)
{
	int cpu = sched_getcpu();
	unsigned int first = cpu < 0 ? 0 : (unsigned int)cpu % workers->count;

	for (unsigned int i = 0; i < workers->count; i++) {
		struct lz4_worker *worker = &workers->each[(first + i) % workers->count];

		if (pthread_mutex_trylock(&worker->lock) == 0) {
			return worker;
		}
	}
	(void)pthread_mutex_lock(&workers->each[first].lock);
	return &workers->each[first];
}

void lz4_worker_unlock(struct lz4_worker *worker)
{
	(void)pthread_mutex_unlock(&worker->lock);
}

int lz4_workers_open(struct lz4_workers *workers, const struct z_store_env *env,
		     uint64_t most_pages)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t each = LZ4_WORKER_BYTES + Z_LZ_PLACES * sizeof(uint16_t);
	uint64_t count = most_pages * Z_PAGE_SIZE / each;
	unsigned char *at;

	count = cpus > 0 && count > (uint64_t)cpus ? (uint64_t)cpus : count;
	count = count > LZ4_WORKERS_MAX ? LZ4_WORKERS_MAX : count;
	count = count == 0 ? 1 : count;
	workers->pages = z_pages_for(count * each);
	at = z_env_take(env, workers->pages);
	if (at == NULL) {
		return Z_ERR_NOMEM;
	}
	workers->memory = at;
	workers->count = (unsigned int)count;
	for (unsigned int i = 0; i < count; i++) {
		(void)pthread_mutex_init(&workers->each[i].lock, NULL);
		workers->each[i].buffer = (char *)at + i * each;
		workers->each[i].places = (uint16_t *)(void *)(at + i * each + LZ4_WORKER_BYTES);
	}
	return 0;
}

void lz4_workers_close(struct lz4_workers *workers, const struct z_store_env *env)
{
	for (unsigned int i = 0; i < workers->count; i++) {
		(void)pthread_mutex_destroy(&workers->each[i].lock);
	}
	if (workers->memory != NULL) {
		z_env_give(env, workers->memory, workers->pages);
	}
}
