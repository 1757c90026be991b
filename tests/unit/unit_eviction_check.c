/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_eviction_check.c - the registry, and that the algorithms' own check() finds what is wrong:
 * calls that are not paired, and any damaged link.
 *
 * Locks: none. Limits: check() may miss a damaged tag, which is only a hint.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_host.h"

static void registry_finds_whole_names(void **state)
{
	(void)state;
	assert_ptr_equal(z_eviction_find("nru"), &z_eviction_nru);
	assert_ptr_equal(z_eviction_find("clock"), &z_eviction_clock);
	assert_ptr_equal(z_eviction_find("lru"), &z_eviction_lru);
	assert_ptr_equal(z_eviction_find("sieve"), &z_eviction_sieve);
	assert_ptr_equal(z_eviction_find("s3fifo"), &z_eviction_s3fifo);
	assert_ptr_equal(z_eviction_find("clockpro"), &z_eviction_clockpro);
	assert_ptr_equal(z_eviction_find("mglru"), &z_eviction_mglru);
	assert_ptr_equal(z_eviction_find("learned"), &z_eviction_learned);
	assert_null(z_eviction_find("clo"));
	assert_null(z_eviction_find("clocks"));
	assert_null(z_eviction_find("Clock"));
	assert_null(z_eviction_find(""));
	assert_null(z_eviction_find(NULL));
	assert_null(z_eviction_at(SIZE_MAX));
}

static void open_full(struct ev_host *h, const struct z_eviction_ops *ops, uint32_t n, uint32_t in)
{
	ev_open(h, ops, n);
	for (uint32_t i = 0; i < in; i++) {
		ev_add(h, i, Z_ADD_FAULT);
		ev_touch(h, i, i % 2 == 0);
	}
	for (uint32_t i = 0; i < 3 * in; i++) {
		(void)ev_select(h);
	}
	ev_check(h);
}

/* The breach is reported, changes nothing else, and is not forgotten. */
static void unpaired_calls_are_found(void **state)
{
	struct z_page_frame foreign = {0};
	struct ev_host h;

	for (uint32_t how = 0; how < 4; how++) {
		open_full(&h, *state, 6, 4);
		switch (how) {
		case 0:
			h.ops->add(h.state, &h.host.frames[1], Z_ADD_FAULT);
			break;
		case 1:
			h.ops->remove(h.state, &h.host.frames[5], Z_REMOVE_PIN);
			break;
		case 2:
			h.ops->add(h.state, &foreign, Z_ADD_FAULT);
			break;
		default:
			h.ops->remove(h.state, &foreign, Z_REMOVE_UNMAP);
		}
		assert_int_not_equal(h.ops->check(h.state), 0);
		for (uint32_t i = 0; i < 4; i++) {
			assert_int_not_equal(ev_evict(&h), EV_NONE);
		}
		assert_int_equal(ev_evict(&h), EV_NONE);
		assert_int_not_equal(h.ops->check(h.state), 0);
		ev_close(&h);
	}
}

/*
 * What says who is a candidate is the last part of the state: links, 4-byte words, two a frame and two a
 * sentinel, or of the learned algorithm two sets of one word.
 */
static void damaged_links_are_found(void **state)
{
	const uint32_t n = 6;
	const size_t links_bytes = *state == &z_eviction_learned ? 8 : (size_t)(n + 1) * 8;
	struct ev_host h;

	for (uint32_t in = 0; in <= n; in++) {
		open_full(&h, *state, n, in);
		for (size_t at = h.state_bytes - links_bytes; at + 4 <= h.state_bytes; at += 4) {
			for (size_t bit = 0; bit < 30; bit++) {
				h.state[at + bit / 8] ^= (unsigned char)(1U << bit % 8);
				assert_int_not_equal(h.ops->check(h.state), 0);
				h.state[at + bit / 8] ^= (unsigned char)(1U << bit % 8);
			}
		}
		ev_check(&h);
		ev_close(&h);
	}
}

int main(void)
{
	const struct CMUnitTest registry[] = {cmocka_unit_test(registry_finds_whole_names)};
	int failed = cmocka_run_group_tests_name("registry", registry, NULL, NULL);

	for (size_t i = 0; z_eviction_at(i) != NULL; i++) {
		void *ops = (void *)(uintptr_t)z_eviction_at(i);
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate(unpaired_calls_are_found, ops),
			cmocka_unit_test_prestate(damaged_links_are_found, ops),
		};

		failed += cmocka_run_group_tests_name(z_eviction_at(i)->name, tests, NULL, NULL);
	}
	return failed;
}
