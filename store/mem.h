/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem.h - the four functions on memory that a freestanding program has to bring along, and the
 * arithmetic of pages that all stores share. Freestanding: no header of a C library is needed.
 */
#ifndef STORE_MEM_H
#define STORE_MEM_H

#include <zpager/store.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memset(void *at, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);

static inline size_t z_pages_for(size_t bytes)
{
	return (bytes + Z_PAGE_SIZE - 1U) / Z_PAGE_SIZE;
}

/* z_env_charge, z_env_uncharge - the hooks of the surroundings, which may be missing. */
static inline int z_env_charge(const struct z_store_env *env, size_t pages)
{
	return env->charge != NULL ? env->charge(env->ctx, pages) : 0;
}

static inline void z_env_uncharge(const struct z_store_env *env, size_t pages)
{
	if (pages != 0 && env->uncharge != NULL) {
		env->uncharge(env->ctx, pages);
	}
}

/* z_env_take - zeroed pages that are charged. NULL: none, and nothing is charged. */
static inline void *z_env_take(const struct z_store_env *env, size_t pages)
{
	void *memory;

	if (z_env_charge(env, pages) != 0) {
		return NULL;
	}
	memory = env->alloc(env->ctx, pages * Z_PAGE_SIZE);
	if (memory == NULL) {
		z_env_uncharge(env, pages);
	}
	return memory;
}

/* z_env_give - the opposite of z_env_take. */
static inline void z_env_give(const struct z_store_env *env, void *memory, size_t pages)
{
	if (memory != NULL) {
		env->free(env->ctx, memory, pages * Z_PAGE_SIZE);
		z_env_uncharge(env, pages);
	}
}

#endif /* STORE_MEM_H */
