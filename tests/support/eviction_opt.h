/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eviction_opt.h - the fewest misses that any algorithm can have on a trace.
 *
 * L. A. Belady, "A study of replacement algorithms for a virtual-storage computer" (1966): give up
 * the page whose next use is farthest away. Cost O(references + misses * frames): small traces.
 * Locks: none. Limits: memory.
 */
#ifndef ZPAGER_TESTS_EVICTION_OPT_H
#define ZPAGER_TESTS_EVICTION_OPT_H

#include <stddef.h>
#include <stdint.h>

/* ev_opt_misses - misses of the optimum over n references to pages below npages. */
uint64_t ev_opt_misses(const uint32_t *refs, size_t n, uint32_t npages, uint32_t nframes);

#endif /* ZPAGER_TESTS_EVICTION_OPT_H */
