/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eviction_host.h - a small host for one eviction algorithm: frames, their accessed and dirty bits,
 * and a plain set of the candidates to hold the algorithm against.
 *
 * Every call checks what the contract promises on the spot: sample() is only asked about
 * candidates, select gives a candidate or, if there is none, nothing, and the bytes after the state
 * stay as they were.
 *
 * Locks: none, one thread. Limits: memory.
 */
#ifndef ZPAGER_TESTS_EVICTION_HOST_H
#define ZPAGER_TESTS_EVICTION_HOST_H

#include <zpager/arch.h>
#include <zpager/eviction.h>

#define EV_NONE UINT32_MAX

#define EV_NEAR 32

/* How near a page is that lies so many pages below (negative: above); INTPTR_MAX: out of reach. */
static inline intptr_t ev_near_rank(intptr_t pages)
{
	if (pages > EV_NEAR || pages < -EV_NEAR || pages == 0) {
		return INTPTR_MAX;
	}
	return pages > 0 ? pages : EV_NEAR - pages;
}

struct ev_host {
	struct z_eviction_host host;
	const struct z_eviction_ops *ops;
	unsigned char *state;
	size_t state_bytes;
	uint8_t *bits;      /* enum z_page_info of each frame */
	bool *in;           /* is the frame a candidate? */
	bool always_hot;    /* clearing does not last: somebody touches the page at once */
	uint32_t count;     /* candidates */
	uint64_t samples;   /* calls of sample() so far */
	uint64_t most_once; /* most calls of sample() in one select */
	uint64_t selects;
};

void ev_open(struct ev_host *h, const struct z_eviction_ops *ops, uint32_t nframes);
void ev_close(struct ev_host *h);

/* ev_add - the frame, with both bits clear unless its eviction failed, becomes a candidate. */
void ev_add(struct ev_host *h, uint32_t frame, enum z_add_reason reason);
void ev_remove(struct ev_host *h, uint32_t frame, enum z_remove_reason reason);

/* ev_put_page - which page the frame holds from now on; before it is added. At first: its number. */
void ev_put_page(struct ev_host *h, uint32_t frame, uint32_t page);

/* ev_refault - the page that is about to be added was evicted so many evictions ago. */
void ev_refault(struct ev_host *h, uint32_t frame, uint32_t distance);

/* ev_touch - what the hardware does; ev_soft_fault - the same, and the algorithm is told. */
void ev_touch(struct ev_host *h, uint32_t frame, bool write);
void ev_soft_fault(struct ev_host *h, uint32_t frame);
void ev_advise(struct ev_host *h, uint32_t frame, enum z_advice advice);

/* ev_select - the victim's number, EV_NONE if there is no candidate. It stays a candidate. */
uint32_t ev_select(struct ev_host *h);

/* ev_evict - select and remove. */
uint32_t ev_evict(struct ev_host *h);

/* ev_check - the algorithm's own check finds nothing. */
void ev_check(const struct ev_host *h);

/* ev_random - the next number of a sequence (xorshift64*); *seed is its state, never 0. */
uint32_t ev_random(uint64_t *seed, uint32_t below);

/* ev_seed - where random tests start: ZPAGER_TEST_SEED, or the given number. Prints it. */
uint64_t ev_seed(uint64_t otherwise);

#endif /* ZPAGER_TESTS_EVICTION_HOST_H */
