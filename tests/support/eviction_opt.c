/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eviction_opt.c - see eviction_opt.h. Locks: none. Limits: memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_opt.h"

/* For each reference the position of the next one to the same page, n if there is none. */
static size_t *next_uses(const uint32_t *refs, size_t n, uint32_t npages)
{
	size_t *next = malloc((n + 1) * sizeof(*next));
	size_t *seen = malloc((npages + (size_t)1) * sizeof(*seen));

	assert_true(next != NULL && seen != NULL);
	for (uint32_t i = 0; i < npages; i++) {
		seen[i] = n;
	}
	for (size_t i = n; i > 0; i--) {
		next[i - 1] = seen[refs[i - 1]];
		seen[refs[i - 1]] = i - 1;
	}
	free(seen);
	return next;
}

static uint32_t farthest(const size_t *next_of_frame, uint32_t nframes)
{
	uint32_t best = 0;

	for (uint32_t f = 1; f < nframes; f++) {
		if (next_of_frame[f] > next_of_frame[best]) {
			best = f;
		}
	}
	return best;
}

uint64_t ev_opt_misses(const uint32_t *refs, size_t n, uint32_t npages, uint32_t nframes)
{
	size_t *next = next_uses(refs, n, npages);
	size_t *next_of_frame = malloc(nframes * sizeof(*next_of_frame));
	uint32_t *page_in = malloc(nframes * sizeof(*page_in));
	uint32_t *frame_of = malloc(npages * sizeof(*frame_of));
	uint32_t used = 0;
	uint64_t misses = 0;

	assert_true(next_of_frame != NULL && page_in != NULL && frame_of != NULL);
	memset(frame_of, 0xff, npages * sizeof(*frame_of));
	for (size_t i = 0; i < n; i++) {
		uint32_t frame = frame_of[refs[i]];

		if (frame == UINT32_MAX) {
			misses++;
			if (used < nframes) {
				frame = used++;
			} else {
				frame = farthest(next_of_frame, nframes);
				frame_of[page_in[frame]] = UINT32_MAX;
			}
			page_in[frame] = refs[i];
			frame_of[refs[i]] = frame;
		}
		next_of_frame[frame] = next[i];
	}
	free(next);
	free(next_of_frame);
	free(page_in);
	free(frame_of);
	return misses;
}
