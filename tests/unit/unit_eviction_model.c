/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_eviction_model.c - each algorithm against its plain model, on random sequences of calls.
 *
 * After each call the victim, the bits that are left, the number of looks and the set of candidates
 * must be the same. An algorithm without a model fails: the model is part of adding one. The learned
 * one has none: its victims follow from sums of cells that all uses so far have changed, and a model
 * would be the same sums again. It is held to what must be true of any (unit_eviction_fuzz, conform),
 * to its predictor (unit_learned), and to exact figures on traces (eval).
 * Locks: none. Limits: sizes up to EV_MODEL_FRAMES.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_host.h"
#include "eviction_model.h"

struct pair {
	struct ev_host h;
	struct ev_model m;
	uint64_t seed;
	uint32_t n;
	uint32_t hits; /* touches of 16 calls */
};

static void both_add(struct pair *p, uint32_t frame, enum z_add_reason reason)
{
	if (reason == Z_ADD_FAULT || reason == Z_ADD_AHEAD) {
		p->m.page[frame] = ev_random(&p->seed, 2 * p->n);
		ev_put_page(&p->h, frame, p->m.page[frame]);
	}
	if (reason == Z_ADD_FAULT && ev_random(&p->seed, 3) == 0) {
		uint32_t distance = 1 + ev_random(&p->seed, p->n);

		ev_refault(&p->h, frame, distance);
		p->m.ops->refault(&p->m, frame, distance);
	}
	ev_add(&p->h, frame, reason);
	p->m.bits[frame] = p->h.bits[frame];
	p->m.ops->add(&p->m, frame, reason);
}

static void both_remove(struct pair *p, uint32_t frame, enum z_remove_reason reason)
{
	ev_remove(&p->h, frame, reason);
	p->m.ops->remove(&p->m, frame, reason);
}

static void both_touch(struct pair *p, uint32_t frame, bool write)
{
	ev_touch(&p->h, frame, write);
	p->m.bits[frame] = p->h.bits[frame];
}

/* All is in use, and after every second call of this stays so, whatever is cleared. */
static void both_touch_all(struct pair *p)
{
	for (uint32_t i = 0; i < p->n; i++) {
		both_touch(p, i, ev_random(&p->seed, 8) == 0);
	}
	p->h.always_hot = !p->h.always_hot;
	p->m.always_hot = p->h.always_hot;
}

static void both_advise(struct pair *p, uint32_t frame)
{
	enum z_advice advice = (enum z_advice)ev_random(&p->seed, Z_ADVICE_FREE + 1);

	ev_advise(&p->h, frame, advice);
	if (p->h.in[frame]) {
		p->m.ops->advise(&p->m, frame, advice);
	}
}

static void both_soft_fault(struct pair *p, uint32_t frame)
{
	ev_soft_fault(&p->h, frame);
	p->m.bits[frame] = p->h.bits[frame];
	if (p->h.in[frame]) {
		p->m.ops->accessed(&p->m, frame);
	}
}

static void both_select(struct pair *p)
{
	uint32_t victim = ev_select(&p->h);

	assert_int_equal(p->m.ops->select(&p->m), victim);
	if (victim != EV_NONE && ev_random(&p->seed, 8) != 0) {
		both_remove(p, victim, Z_REMOVE_EVICT);
	}
}

static void same_state(const struct pair *p)
{
	assert_int_equal(p->h.samples, p->m.looks);
	assert_memory_equal(p->h.bits, p->m.bits, p->n);
	for (uint32_t i = 0; i < p->n; i++) {
		assert_int_equal(p->h.in[i], ev_model_has(&p->m, i));
	}
	ev_check(&p->h);
}

static void step(struct pair *p)
{
	uint32_t frame = ev_random(&p->seed, p->n);
	uint32_t what = ev_random(&p->seed, 64);

	if (p->hits >= 5 && ev_random(&p->seed, 256) == 0) {
		both_touch_all(p);
	} else if (ev_random(&p->seed, 16) < p->hits) {
		both_touch(p, frame, ev_random(&p->seed, 3) == 0);
	} else if (what < 30) {
		if (!p->h.in[frame]) {
			both_add(p, frame, (enum z_add_reason)ev_random(&p->seed, 4));
		}
	} else if (what < 54) {
		both_select(p);
	} else if (what < 58) {
		both_advise(p, frame);
	} else if (what < 61) {
		both_soft_fault(p, frame);
	} else if (p->h.in[frame]) {
		both_remove(p, frame, (enum z_remove_reason)ev_random(&p->seed, 3));
	}
}

static void same_as_model(void **state)
{
	const uint32_t sizes[] = {1, 2, 3, 4, 8, 9, 31, 33, 64, 66, 200, EV_MODEL_FRAMES};
	static struct pair p;

	p.seed = ev_seed(977);
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		for (p.hits = 0; p.hits < 16; p.hits += 5) {
			p.n = sizes[k];
			ev_open(&p.h, *state, p.n);
			assert_true(ev_model_open(&p.m, p.h.ops->name, p.n));
			for (uint32_t i = 0; i < p.n; i++) {
				p.m.page[i] = i;
			}
			for (uint32_t i = 0; i < 15000; i++) {
				step(&p);
				if (i % 16 == 0) {
					same_state(&p);
				}
			}
			ev_close(&p.h);
		}
	}
}

int main(void)
{
	int failed = 0;

	for (size_t i = 0; z_eviction_at(i) != NULL; i++) {
		if (z_eviction_at(i) == &z_eviction_learned) {
			continue;
		}
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate(same_as_model,
						  (void *)(uintptr_t)z_eviction_at(i)),
		};

		failed += cmocka_run_group_tests_name(z_eviction_at(i)->name, tests, NULL, NULL);
	}
	return failed;
}
