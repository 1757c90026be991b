/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b37_foreign_frame.c - HAZARDS B37: an "accessed" event was believed to be about RAM.
 *
 * Events about frames just before and just after the database, far away, between two frames, and
 * about frames that are no candidates change nothing: no look, no change of state.
 * Locks: the other half of B37, a read without the lock, is excluded by the contract (the pager
 * lock is held in all operations). Limits: none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_host.h"

enum { FRAMES = 6, IN = 3 };

static void tell(struct ev_host *h, uintptr_t where)
{
	struct z_page_frame *pf = (struct z_page_frame *)where;

	if (h->ops->accessed != NULL) {
		h->ops->accessed(h->state, pf);
	}
	if (h->ops->advise != NULL) {
		h->ops->advise(h->state, pf, Z_ADVICE_COLD);
		h->ops->advise(h->state, pf, Z_ADVICE_WILLNEED);
	}
}

static void nothing_changes(void **state)
{
	unsigned char before[8192];
	struct ev_host h;
	uint64_t samples;
	uintptr_t base;

	ev_open(&h, *state, FRAMES);
	assert_true(h.state_bytes <= sizeof(before));
	for (uint32_t i = 0; i < IN; i++) {
		ev_add(&h, i, Z_ADD_FAULT);
	}
	samples = h.samples;
	memcpy(before, h.state, h.state_bytes);
	base = (uintptr_t)h.host.frames;
	tell(&h, base - sizeof(struct z_page_frame));
	tell(&h, base - 1);
	tell(&h, base + 1);
	tell(&h, base + sizeof(struct z_page_frame) / 2);
	tell(&h, base + FRAMES * sizeof(struct z_page_frame));
	tell(&h, 0);
	tell(&h, UINTPTR_MAX);
	for (uint32_t i = IN; i < FRAMES; i++) {
		tell(&h, base + i * sizeof(struct z_page_frame));
	}
	assert_memory_equal(h.state, before, h.state_bytes);
	assert_int_equal(h.samples, samples);
	ev_check(&h);
	ev_close(&h);
}

int main(void)
{
	int failed = 0;

	for (size_t i = 0; z_eviction_at(i) != NULL; i++) {
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate(nothing_changes,
						  (void *)(uintptr_t)z_eviction_at(i)),
		};

		failed += cmocka_run_group_tests_name(z_eviction_at(i)->name, tests, NULL, NULL);
	}
	return failed;
}
