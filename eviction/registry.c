/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.c - the eviction algorithms of this build, by name and by number.
 *
 * Theory: a constant table. The order is the order of listings; nothing depends on it.
 * Cost: O(number of algorithms); only used when a pager is created, and by listings and tests.
 * Locks: none, everything is constant. Limits: none.
 */
#include <zpager/eviction.h>

static const struct z_eviction_ops *const algorithms[] = {
	&z_eviction_nru,   &z_eviction_clock,   &z_eviction_lru,
	&z_eviction_sieve, &z_eviction_s3fifo,  &z_eviction_clockpro,
	&z_eviction_mglru, &z_eviction_learned, &z_eviction_sweep,
};

static bool same_name(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

const struct z_eviction_ops *z_eviction_at(size_t i)
{
	return i < sizeof(algorithms) / sizeof(algorithms[0]) ? algorithms[i] : NULL;
}

const struct z_eviction_ops *z_eviction_find(const char *name)
{
	const struct z_eviction_ops *ops = NULL;

	if (name == NULL) {
		return NULL;
	}
	for (size_t i = 0; (ops = z_eviction_at(i)) != NULL; i++) {
		if (same_name(ops->name, name)) {
			return ops;
		}
	}
	return NULL;
}
