/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conform_eviction.c - what every eviction algorithm promises, against each one of the registry.
 *
 * The host (support/eviction_host.c) checks at every call that only candidates are sampled and
 * selected. Here: no candidates, few candidates, new candidates, victims that are not taken, any
 * order of calls, advice, work, memory. The order of victims is not judged here; that is in
 * unit_eviction_golden.c and unit_eviction_model.c.
 * Locks: none. Limits: work is counted, not timed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_host.h"
#include "eviction_sim.h"

#define LOOKS_MAX      64U
#define CONSTANT_BYTES 256U
#define LEARNED_BYTES  6144U /* what the learned one has learned */

static uint64_t looks_allowed(uint32_t count)
{
	return count * 2 < LOOKS_MAX ? count * 2 : LOOKS_MAX;
}

static void is_in_the_registry(void **state)
{
	const struct z_eviction_ops *ops = *state;
	size_t found = 0;

	assert_ptr_equal(z_eviction_find(ops->name), ops);
	assert_true(ops->name[0] != '\0' && strlen(ops->summary) > 0);
	assert_true(strlen(ops->summary) < 100 && strchr(ops->summary, '\n') == NULL);
	for (size_t i = 0; z_eviction_at(i) != NULL; i++) {
		found += strcmp(z_eviction_at(i)->name, ops->name) == 0 ? 1 : 0;
	}
	assert_int_equal(found, 1);
}

static void state_is_small(void **state)
{
	const struct z_eviction_ops *ops = *state;
	const uint32_t sizes[] = {0, 1, 2, 10, 1000, 100000, 1U << 20, 1U << 28};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t ghosts = ops->ghost_bytes != NULL ? ops->ghost_bytes(sizes[i]) : 0;

		size_t constant = ops == &z_eviction_learned ? LEARNED_BYTES : CONSTANT_BYTES;

		assert_true(ghosts <= (size_t)8 * sizes[i]);
		assert_true(ops->state_bytes(sizes[i]) <= (size_t)8 * sizes[i] + ghosts + constant);
	}
}

/* What docs/EVICTION.md says of each: bytes a frame without ghosts, in hundredths, and those of ghosts. */
static const struct {
	const char *name;
	size_t state;
	size_t ghosts;
} tabled[] = {
	{"nru", 800, 0},   {"clock", 800, 0},     {"lru", 800, 0},
	{"sieve", 800, 0}, {"s3fifo", 800, 400},  {"clockpro", 800, 400},
	{"mglru", 800, 0}, {"learned", 625, 400}, {"sweep", 800, 0},
};

static void state_is_as_tabled(void **state)
{
	const struct z_eviction_ops *ops = *state;
	const uint32_t small = 1U << 16;
	const uint32_t large = 1U << 20;
	const size_t frames = large - small;
	size_t ghosts = 0;
	size_t all = ops->state_bytes(large) - ops->state_bytes(small);
	size_t i = 0;

	if (ops->ghost_bytes != NULL) {
		ghosts = ops->ghost_bytes(large) - ops->ghost_bytes(small);
	}
	while (i < sizeof(tabled) / sizeof(tabled[0]) && strcmp(tabled[i].name, ops->name) != 0) {
		i++;
	}
	assert_true(i < sizeof(tabled) / sizeof(tabled[0]));
	assert_int_equal((all - ghosts) * 100 / frames, tabled[i].state);
	assert_int_equal(ghosts * 100 / frames, tabled[i].ghosts);
}

static void too_many_frames_are_refused(void **state)
{
	const struct z_eviction_ops *ops = *state;
	struct z_eviction_host host = {.nframes = UINT32_MAX};
	uint64_t small[CONSTANT_BYTES / 8] = {0};

	assert_int_equal(ops->init(small, &host), Z_ERR_INVAL);
}

static void no_candidate_no_victim(void **state)
{
	const uint32_t sizes[] = {0, 1, 5};
	struct ev_host h;

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint64_t samples;

		ev_open(&h, *state, sizes[k]);
		assert_int_equal(ev_select(&h), EV_NONE);
		ev_check(&h);
		for (uint32_t i = 0; i < sizes[k]; i++) {
			ev_add(&h, i, Z_ADD_FAULT);
		}
		samples = h.samples;
		for (uint32_t i = 0; i < sizes[k]; i++) {
			ev_remove(&h, i, Z_REMOVE_PIN);
		}
		assert_int_equal(ev_select(&h), EV_NONE);
		assert_int_equal(h.samples, samples);
		ev_check(&h);
		ev_close(&h);
	}
}

/* Every way in and out, with one, two and three candidates. */
static void few_candidates(void **state)
{
	struct ev_host h;
	uint64_t seed = ev_seed(7);

	for (uint32_t n = 1; n <= 3; n++) {
		ev_open(&h, *state, n);
		for (uint32_t i = 0; i < n; i++) {
			ev_add(&h, i, (enum z_add_reason)i);
		}
		for (uint32_t round = 0; round < 1000; round++) {
			uint32_t victim = ev_evict(&h);

			assert_int_not_equal(victim, EV_NONE);
			ev_check(&h);
			ev_add(&h, victim, (enum z_add_reason)(round % 4));
			if (ev_random(&seed, 2) == 0) {
				ev_touch(&h, ev_random(&seed, n), ev_random(&seed, 2) == 0);
			}
		}
		ev_close(&h);
	}
}

/* The bits of the others by pattern: none, accessed, dirty, both, any. */
static void set_bits(struct ev_host *h, uint32_t count, uint32_t pattern, uint64_t *seed)
{
	for (uint32_t i = 0; i < count; i++) {
		h->bits[i] = (uint8_t)(pattern < 4 ? pattern : ev_random(seed, 4));
	}
}

static void one_new_candidate(const struct z_eviction_ops *ops, uint32_t others, uint32_t pattern,
			      enum z_add_reason reason)
{
	struct ev_host h;
	uint64_t seed = 1 + others + pattern;
	uint32_t victim;

	ev_open(&h, ops, others + 1);
	for (uint32_t i = 0; i < others; i++) {
		ev_add(&h, i, Z_ADD_FAULT);
	}
	for (uint32_t i = 0; i < others % 5 + others; i++) {
		set_bits(&h, others, pattern, &seed);
		victim = ev_evict(&h);
		ev_add(&h, victim, (enum z_add_reason)(i % 4));
	}
	set_bits(&h, others, pattern, &seed);
	ev_add(&h, others, reason);
	victim = ev_select(&h);
	assert_int_not_equal(victim, others);
	ev_close(&h);
}

/* A frame just filled, unpinned or not evicted, untouched yet, is not the first victim. */
static void new_candidate_is_not_first(void **state)
{
	const enum z_add_reason reasons[] = {Z_ADD_FAULT, Z_ADD_UNPIN, Z_ADD_FAILED};

	for (uint32_t others = 1; others <= 140; others++) {
		for (uint32_t pattern = 0; pattern < 5; pattern++) {
			for (size_t k = 0; k < 3; k++) {
				one_new_candidate(*state, others, pattern, reasons[k]);
			}
		}
	}
}

/* The core need not take a victim: the next select gives another one, and all get their turn. */
static void victims_not_taken(void **state)
{
	const uint32_t sizes[] = {2, 3, 4, 10, 65, 300};
	struct ev_host h;

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint32_t n = sizes[k];
		uint32_t last = EV_NONE;
		uint32_t given = 0;
		bool *seen = calloc(n, sizeof(*seen));

		ev_open(&h, *state, n);
		for (uint32_t i = 0; i < n; i++) {
			ev_add(&h, i, Z_ADD_FAULT);
			ev_touch(&h, i, i % 2 == 0);
		}
		for (uint32_t i = 0; i < 4 * n; i++) {
			uint32_t victim = ev_select(&h);

			assert_int_not_equal(victim, last);
			last = victim;
			given += seen[victim] ? 0 : 1;
			seen[victim] = true;
		}
		assert_int_equal(given, n);
		ev_check(&h);
		ev_close(&h);
		free(seen);
	}
}

/* An instruction that needs `operands` pages at once, begun again at each fault. Returns faults. */
static uint32_t run_instruction(struct ev_sim *s, uint32_t first, uint32_t operands, bool lazy)
{
	uint32_t faults = 0;
	uint32_t k = 0;

	while (k < operands) {
		bool fault = ev_sim_fill(s, first + k);

		if (!fault || !lazy) {
			ev_touch(&s->h, s->frame_of[first + k], k % 2 == 1);
		}
		faults += fault ? 1 : 0;
		assert_true(faults <= 4 * operands);
		k = fault ? 0 : k + 1;
	}
	return faults;
}

/* lazy: the touch that faulted is only made when the instruction begins again. */
static void instructions_get_on(void **state)
{
	struct ev_sim s;
	uint64_t seed = ev_seed(11);

	for (uint32_t operands = 1; operands <= 6; operands++) {
		for (uint32_t spare = 1; spare <= 3; spare++) {
			ev_sim_open(&s, *state, operands + spare, 100);
			for (uint32_t round = 0; round < 2000; round++) {
				uint32_t first = ev_random(&seed, 100 - operands);

				(void)run_instruction(&s, first, operands, round % 2 == 0);
				ev_sim_ref(&s, ev_random(&seed, 100), round % 3 == 0);
				set_bits(&s.h, operands + spare, ev_random(&seed, 8), &seed);
			}
			ev_sim_close(&s);
		}
	}
}

struct fuzz {
	struct ev_host h;
	uint64_t seed;
	uint32_t n;
};

static void fuzz_one(struct fuzz *f)
{
	uint32_t i = ev_random(&f->seed, f->n);
	uint32_t victim;

	switch (ev_random(&f->seed, 8)) {
	case 0:
	case 1:
		if (!f->h.in[i]) {
			ev_add(&f->h, i, (enum z_add_reason)ev_random(&f->seed, 4));
		}
		break;
	case 2:
		if (f->h.in[i]) {
			ev_remove(&f->h, i, (enum z_remove_reason)ev_random(&f->seed, 3));
		}
		break;
	case 3:
		victim = ev_select(&f->h);
		if (victim != EV_NONE && ev_random(&f->seed, 4) != 0) {
			ev_remove(&f->h, victim, Z_REMOVE_EVICT);
		}
		break;
	case 4:
		ev_advise(&f->h, i, (enum z_advice)ev_random(&f->seed, Z_ADVICE_FREE + 1));
		break;
	case 5:
		ev_soft_fault(&f->h, i);
		break;
	default:
		ev_touch(&f->h, i, ev_random(&f->seed, 2) == 0);
	}
}

/* A million calls in any order that the contract allows, and advice about any frame. */
static void any_order_of_calls(void **state)
{
	const uint32_t sizes[] = {1, 2, 3, 7, 64, 300};
	struct fuzz f = {.seed = ev_seed(20240607)};

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		f.n = sizes[k];
		ev_open(&f.h, *state, f.n);
		for (uint32_t step = 0; step < 170000; step++) {
			fuzz_one(&f);
			if (step % 256 == 0 || (f.n < 4 && step < 20000)) {
				ev_check(&f.h);
			}
		}
		assert_true(f.h.most_once <= looks_allowed(f.n));
		ev_close(&f.h);
	}
}

enum workload { RANDOM, CYCLIC, LOOP };

/*
 * Looks a fault over a region four times the memory (LOOP: a quarter larger), the fill included. In a
 * loop an algorithm that misses seldom finds the more bits set between two misses.
 */
static void count_work(const struct z_eviction_ops *ops, uint32_t n, enum workload kind)
{
	struct ev_sim s;
	uint64_t seed = 3 + n;
	uint32_t npages = kind == LOOP ? n + n / 4 : 4 * n;

	ev_sim_open(&s, ops, n, npages);
	for (uint64_t i = 0; s.misses < (uint64_t)n * 8; i++) {
		uint32_t page = (uint32_t)(i % npages);

		ev_sim_ref(&s, kind == RANDOM ? ev_random(&seed, npages) : page, i % 3 == 0);
	}
	print_message("%s %u frames, workload %d: %llu looks in %llu faults, most %llu\n",
		      ops->name, n, (int)kind, (unsigned long long)s.h.samples,
		      (unsigned long long)s.misses, (unsigned long long)s.h.most_once);
	if (ops != &z_eviction_learned) { /* it chooses from a sample, which is its price */
		assert_true(s.h.samples <= (kind == LOOP ? 4U : 3U) * s.misses);
	}
	assert_true(s.h.most_once <= looks_allowed(n));
	ev_sim_close(&s);
}

static void work_is_bounded(void **state)
{
	const uint32_t sizes[] = {10, 1000, 100000};

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		count_work(*state, sizes[k], RANDOM);
		count_work(*state, sizes[k], CYCLIC);
		count_work(*state, sizes[k], LOOP);
	}
}

/* Everything is touched between two faults: the worst there is. */
static void work_is_bounded_when_all_is_hot(void **state)
{
	const uint32_t sizes[] = {1, 2, 3, 10, 31, 32, 33, 64, 65, 1000};
	struct ev_host h;

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint32_t n = sizes[k];

		ev_open(&h, *state, n);
		for (uint32_t i = 0; i < n; i++) {
			ev_add(&h, i, Z_ADD_FAULT);
		}
		for (uint32_t i = 0; i < 500; i++) {
			h.always_hot = i % 5 == 0;
			memset(h.bits, i % 2 == 0 ? Z_INFO_ACCESSED : 3, n);
			ev_add(&h, ev_evict(&h), Z_ADD_FAULT);
		}
		assert_true(h.most_once <= looks_allowed(n));
		ev_check(&h);
		ev_close(&h);
	}
}

/* A full memory in a usual state: the first `n` frames, touched, aged by some evictions. */
static void open_aged(struct ev_host *h, const struct z_eviction_ops *ops, uint32_t n,
		      uint64_t *seed)
{
	ev_open(h, ops, n);
	for (uint32_t i = 0; i < n; i++) {
		ev_add(h, i, Z_ADD_FAULT);
	}
	for (uint32_t i = 0; i < 3 * n; i++) {
		uint32_t victim = ev_evict(h);

		ev_add(h, victim, Z_ADD_FAULT);
		ev_touch(h, victim, ev_random(seed, 2) == 0);
		ev_touch(h, ev_random(seed, n), ev_random(seed, 2) == 0);
	}
}

static void cold_is_the_next_victim(void **state)
{
	struct ev_host h;
	uint64_t seed = ev_seed(5);

	for (uint32_t n = 1; n <= 80; n++) {
		for (uint32_t pattern = 0; pattern < 5; pattern++) {
			uint32_t cold = ev_random(&seed, n);

			open_aged(&h, *state, n, &seed);
			set_bits(&h, n, pattern, &seed);
			ev_advise(&h, cold, Z_ADVICE_COLD);
			ev_check(&h);
			assert_int_equal(ev_evict(&h), cold);
			ev_check(&h);
			ev_close(&h);
		}
	}
}

/*
 * COLD is taken back by a touch, or by WILLNEED or NORMAL, if another page is idle: neither new nor
 * the last victim that was not taken.
 */
static void cold_is_taken_back(void **state)
{
	struct ev_host h;
	uint64_t seed = ev_seed(6);

	for (uint32_t n = 3; n <= 80; n++) {
		for (uint32_t how = 0; how < 3; how++) {
			uint32_t cold = ev_random(&seed, n);

			open_aged(&h, *state, n, &seed);
			for (uint32_t i = 0; i < 2 * n; i++) {
				set_bits(&h, n, 0, &seed);
				(void)ev_select(&h);
			}
			ev_advise(&h, cold, Z_ADVICE_COLD);
			if (how == 0) {
				ev_touch(&h, cold, false);
			} else {
				ev_advise(&h, cold, how == 1 ? Z_ADVICE_WILLNEED : Z_ADVICE_NORMAL);
			}
			assert_int_not_equal(ev_evict(&h), cold);
			ev_check(&h);
			ev_close(&h);
		}
	}
}

static void advice_about_others_is_ignored(void **state)
{
	struct ev_host h;
	uint64_t before;

	ev_open(&h, *state, 4);
	ev_add(&h, 1, Z_ADD_FAULT);
	before = h.samples;
	for (int a = Z_ADVICE_NORMAL; a <= Z_ADVICE_FREE; a++) {
		ev_advise(&h, 0, (enum z_advice)a);
		ev_advise(&h, 3, (enum z_advice)a);
	}
	ev_soft_fault(&h, 2);
	assert_int_equal(h.samples, before);
	ev_check(&h);
	assert_int_equal(ev_evict(&h), 1);
	assert_int_equal(ev_evict(&h), EV_NONE);
	ev_close(&h);
}

/* A hot set is kept while cold pages stream by: once memory has turned over, none is missed. */
static void hot_pages_stay(void **state)
{
	enum { FRAMES = 40, HOT = 10, PAGES = 1000 };
	struct ev_sim s;

	ev_sim_open(&s, *state, FRAMES, PAGES);
	for (uint32_t i = 0; i < 5000; i++) {
		for (uint32_t hot = 0; hot < HOT; hot++) {
			assert_true(!ev_sim_ref(&s, hot, false) || i < 2 * FRAMES);
		}
		ev_sim_ref(&s, HOT + i % (PAGES - HOT), true);
	}
	ev_sim_close(&s);
}

/* A hot set is kept while pages are read ahead that nobody ever touches, 8 for each use of the set. */
static void read_ahead_pushes_nothing_out(void **state)
{
	enum { FRAMES = 40, HOT = 20, AHEAD = 8, PAGES = 1000 };
	struct ev_sim s;

	ev_sim_open(&s, *state, FRAMES, PAGES);
	for (uint32_t i = 0; i < 5000; i++) {
		for (uint32_t hot = 0; hot < HOT; hot++) {
			assert_true(!ev_sim_ref(&s, hot, hot % 2 == 0) || i < 2 * FRAMES / AHEAD);
		}
		for (uint32_t k = 0; k < AHEAD; k++) {
			ev_sim_ahead(&s, HOT + (i * AHEAD + k) % (PAGES - HOT));
		}
	}
	ev_sim_close(&s);
}

static const struct CMUnitTest suite[] = {
	cmocka_unit_test(is_in_the_registry),
	cmocka_unit_test(state_is_small),
	cmocka_unit_test(state_is_as_tabled),
	cmocka_unit_test(too_many_frames_are_refused),
	cmocka_unit_test(no_candidate_no_victim),
	cmocka_unit_test(few_candidates),
	cmocka_unit_test(new_candidate_is_not_first),
	cmocka_unit_test(victims_not_taken),
	cmocka_unit_test(instructions_get_on),
	cmocka_unit_test(any_order_of_calls),
	cmocka_unit_test(work_is_bounded),
	cmocka_unit_test(work_is_bounded_when_all_is_hot),
	cmocka_unit_test(cold_is_the_next_victim),
	cmocka_unit_test(cold_is_taken_back),
	cmocka_unit_test(advice_about_others_is_ignored),
	cmocka_unit_test(hot_pages_stay),
	cmocka_unit_test(read_ahead_pushes_nothing_out),
};

#define SUITE_SIZE (sizeof(suite) / sizeof(suite[0]))

int main(void)
{
	int failed = 0;
	size_t i;

	for (i = 0; z_eviction_at(i) != NULL; i++) {
		struct CMUnitTest tests[SUITE_SIZE];

		for (size_t k = 0; k < SUITE_SIZE; k++) {
			tests[k] = suite[k];
			tests[k].initial_state = (void *)(uintptr_t)z_eviction_at(i);
		}
		failed += _cmocka_run_group_tests(z_eviction_at(i)->name, tests, SUITE_SIZE, NULL,
						  NULL);
	}
	return failed + (i == 0 ? 1 : 0);
}
