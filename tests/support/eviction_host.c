/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eviction_host.c - see eviction_host.h. Locks: none. Limits: memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_host.h"

#define GUARD_BYTES 16
#define GUARD       0xa5
#define NEAR_FRAMES 512

static uint32_t number(const struct ev_host *h, const struct z_page_frame *pf)
{
	assert_true(pf >= h->host.frames && pf < h->host.frames + h->host.nframes);
	return (uint32_t)(pf - h->host.frames);
}

static unsigned int sample(void *core, const struct z_page_frame *pf, bool clear_accessed)
{
	struct ev_host *h = core;
	uint32_t i = number(h, pf);
	unsigned int bits = h->bits[i];

	assert_true(h->in[i]);
	h->samples++;
	if (clear_accessed && !h->always_hot) {
		h->bits[i] = (uint8_t)(bits & ~(unsigned int)Z_INFO_ACCESSED);
	}
	return bits;
}

/*
 * The closest candidate within reach below, else above; of equals the one with the lowest number. A large
 * database has no neighbours here: the search is for all frames.
 */
static const struct z_page_frame *near(void *core, const struct z_page_frame *pf)
{
	const struct ev_host *h = core;
	intptr_t best = INTPTR_MAX;
	uint32_t found = h->host.nframes;

	for (uint32_t i = 0; i < h->host.nframes && h->host.nframes <= NEAR_FRAMES; i++) {
		intptr_t pages = ((intptr_t)pf->addr - (intptr_t)h->host.frames[i].addr) /
				 (intptr_t)Z_PAGE_SIZE;
		intptr_t rank = ev_near_rank(pages);

		if (h->in[i] && &h->host.frames[i] != pf && rank < best) {
			best = rank;
			found = i;
		}
	}
	return found < h->host.nframes ? &h->host.frames[found] : NULL;
}

void ev_open(struct ev_host *h, const struct z_eviction_ops *ops, uint32_t nframes)
{
	size_t room = (size_t)nframes + 1;

	*h = (struct ev_host){.ops = ops, .state_bytes = ops->state_bytes(nframes)};
	h->state = calloc(1, h->state_bytes + GUARD_BYTES);
	h->bits = calloc(room, sizeof(*h->bits));
	h->in = calloc(room, sizeof(*h->in));
	h->host = (struct z_eviction_host){
		.core = h,
		.frames = calloc(room, sizeof(struct z_page_frame)),
		.nframes = nframes,
		.sample = sample,
		.near = near,
	};
	assert_true(h->state != NULL && h->bits != NULL && h->in != NULL && h->host.frames != NULL);
	memset(h->state + h->state_bytes, GUARD, GUARD_BYTES);
	for (uint32_t i = 0; i < nframes; i++) {
		ev_put_page(h, i, i);
	}
	assert_int_equal(ops->init(h->state, &h->host), 0);
}

void ev_close(struct ev_host *h)
{
	for (size_t i = 0; i < GUARD_BYTES; i++) {
		assert_int_equal(h->state[h->state_bytes + i], GUARD);
	}
	free(h->state);
	free(h->bits);
	free(h->in);
	free(h->host.frames);
}

void ev_add(struct ev_host *h, uint32_t frame, enum z_add_reason reason)
{
	assert_false(h->in[frame]);
	h->in[frame] = true;
	h->count++;
	if (reason != Z_ADD_FAILED) {
		h->bits[frame] = 0;
	}
	h->ops->add(h->state, &h->host.frames[frame], reason);
}

void ev_remove(struct ev_host *h, uint32_t frame, enum z_remove_reason reason)
{
	assert_true(h->in[frame]);
	h->ops->remove(h->state, &h->host.frames[frame], reason);
	h->in[frame] = false;
	h->count--;
}

void ev_put_page(struct ev_host *h, uint32_t frame, uint32_t page)
{
	assert_false(h->in[frame]);
	h->host.frames[frame].addr = (void *)(((uintptr_t)page + 1) * Z_PAGE_SIZE);
}

void ev_refault(struct ev_host *h, uint32_t frame, uint32_t distance)
{
	assert_false(h->in[frame]);
	if (h->ops->refault != NULL) {
		h->ops->refault(h->state, &h->host.frames[frame], distance);
	}
}

void ev_touch(struct ev_host *h, uint32_t frame, bool write)
{
	h->bits[frame] |= write ? Z_INFO_ACCESSED | Z_INFO_DIRTY : Z_INFO_ACCESSED;
}

void ev_soft_fault(struct ev_host *h, uint32_t frame)
{
	ev_touch(h, frame, false);
	if (h->ops->accessed != NULL) {
		h->ops->accessed(h->state, &h->host.frames[frame]);
	}
}

void ev_advise(struct ev_host *h, uint32_t frame, enum z_advice advice)
{
	if (h->ops->advise != NULL) {
		h->ops->advise(h->state, &h->host.frames[frame], advice);
	}
}

uint32_t ev_select(struct ev_host *h)
{
	uint64_t before = h->samples;
	struct z_page_frame *pf = h->ops->select(h->state);

	h->selects++;
	if (h->samples - before > h->most_once) {
		h->most_once = h->samples - before;
	}
	if (h->count == 0) {
		assert_null(pf);
		return EV_NONE;
	}
	assert_non_null(pf);
	assert_true(h->in[number(h, pf)]);
	return number(h, pf);
}

uint32_t ev_evict(struct ev_host *h)
{
	uint32_t frame = ev_select(h);

	if (frame != EV_NONE) {
		ev_remove(h, frame, Z_REMOVE_EVICT);
	}
	return frame;
}

void ev_check(const struct ev_host *h)
{
	if (h->ops->check != NULL) {
		assert_int_equal(h->ops->check(h->state), 0);
	}
}

uint32_t ev_random(uint64_t *seed, uint32_t below)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return (uint32_t)(((*seed * 0x2545f4914f6cdd1dULL) >> 32) * below >> 32);
}

uint64_t ev_seed(uint64_t otherwise)
{
	const char *text = getenv("ZPAGER_TEST_SEED");
	uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 0;

	seed = seed != 0 ? seed : otherwise;
	print_message("seed: ZPAGER_TEST_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}
