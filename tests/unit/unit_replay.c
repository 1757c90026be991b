/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_replay.c - is what `zpager sim` counts true? The optimum against all schedules that there
 * are, the references against figures from the literature, the order of calls that a module sees
 * against the core's.
 *
 * Locks: none. Limits: small traces; the state of the search is a set of resident pages and a set of
 * dirty ones among at most SEARCH_PAGES.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_host.h"
#include "eviction_opt.h"
#include "replay.h"
#include "trace_make.h"

/* ---- helpers ----------------------------------------------------------------------------- */

static struct replay_result run(const struct pgt *t, const struct replay_algorithm *a,
				struct replay_options o)
{
	uint32_t *next = replay_next(t);
	struct replay_result r;
	const char *error;

	assert_non_null(next);
	if (replay_run(t, next, a, &o, &r, &error) != 0) {
		fail_msg("%s: %s", a->name, error);
	}
	free(next);
	return r;
}

static struct replay_result run_named(const struct pgt *t, const char *name, uint32_t frames)
{
	struct replay_algorithm a;

	assert_true(replay_find(name, &a));
	return run(t, &a, (struct replay_options){.frames = frames});
}

/* r read, w write: "r1 w2 " ... */
static struct pgt *trace_from(const char *text)
{
	struct pgt *t = trace_new("text");

	while (*text != '\0') {
		char *end;
		unsigned long number = strtoul(text + 1, &end, 10);

		trace_add(t, number, *text == 'w' ? PGT_WRITE : PGT_READ);
		text = end + (*end == ' ' ? 1 : 0);
	}
	return t;
}

/* ---- the optimum ------------------------------------------------------------------------- */

enum { SEARCH_PAGES = 5, SETS = 1 << SEARCH_PAGES, NEVER = 1000000 };

/* The least cost so far of being in each state: [resident][dirty]. */
typedef uint32_t costs[SETS][SETS];

static void reach(costs c, uint32_t resident, uint32_t dirty, uint32_t cost)
{
	if (cost < c[resident][dirty]) {
		c[resident][dirty] = cost;
	}
}

/* One reference from one state: a hit, or every page that there is as the victim. */
static void step(costs after, uint32_t resident, uint32_t dirty, uint32_t cost, uint32_t ref,
		 uint32_t frames, uint32_t write_cost)
{
	uint32_t page = 1U << pgt_page(ref);
	uint32_t writes = (ref & PGT_WRITE) != 0 ? page : 0;

	if ((resident & page) != 0) {
		reach(after, resident, dirty | writes, cost);
		return;
	}
	if ((uint32_t)__builtin_popcount(resident) < frames) {
		reach(after, resident | page, dirty | writes, cost + 1);
		return;
	}
	for (uint32_t victim = 1; victim < SETS; victim <<= 1) {
		if ((resident & victim) != 0) {
			reach(after, (resident & ~victim) | page, (dirty & ~victim) | writes,
			      cost + 1 + ((dirty & victim) != 0 ? write_cost : 0));
		}
	}
}

/* The least misses + write_cost * write-backs of all schedules. */
static uint32_t search(const struct pgt *t, uint32_t frames, uint32_t write_cost)
{
	static costs now, after;
	uint32_t best = NEVER;

	memset(now, 0x3f, sizeof(now));
	now[0][0] = 0;
	for (uint64_t i = 0; i < t->nrefs; i++) {
		memset(after, 0x3f, sizeof(after));
		for (uint32_t state = 0; state < SETS * SETS; state++) {
			uint32_t cost = now[state / SETS][state % SETS];

			if (cost < NEVER) {
				step(after, state / SETS, state % SETS, cost, t->refs[i], frames,
				     write_cost);
			}
		}
		memcpy(now, after, sizeof(now));
	}
	for (uint32_t state = 0; state < SETS * SETS; state++) {
		uint32_t cost = now[state / SETS][state % SETS];

		best = cost < best ? cost : best;
	}
	return best;
}

static struct pgt *random_trace(uint64_t *seed)
{
	struct pgt *t = trace_new("random");
	uint32_t pages = 2 + ev_random(seed, SEARCH_PAGES - 1);
	uint32_t length = 1 + ev_random(seed, 40);

	for (uint32_t i = 0; i < length; i++) {
		trace_add(t, ev_random(seed, pages),
			  ev_random(seed, 3) == 0 ? PGT_WRITE : PGT_READ);
	}
	return t;
}

/* opt has the fewest misses; opt-wb is between the best sum of misses and writes and opt's. */
static void optimum_against_all_schedules(void **state)
{
	uint64_t seed = ev_seed(2024);
	uint64_t least = 0;
	uint64_t heuristic = 0;
	uint64_t plain = 0;

	(void)state;
	for (uint32_t i = 0; i < 2000; i++) {
		struct pgt *t = random_trace(&seed);
		uint32_t frames = 1 + ev_random(&seed, 4);
		struct replay_result opt = run_named(t, "opt", frames);
		struct replay_result wb = run_named(t, "opt-wb", frames);
		uint32_t sum = search(t, frames, 1);

		assert_int_equal(opt.misses, search(t, frames, 0));
		assert_true(wb.misses + wb.written >= sum);
		assert_true(wb.misses + wb.written <= opt.misses + opt.written);
		assert_true(wb.misses >= opt.misses);
		least += sum;
		heuristic += wb.misses + wb.written;
		plain += opt.misses + opt.written;
		pgt_close(t);
	}
	print_message("misses and write-backs: least %llu, opt-wb %llu, opt %llu\n",
		      (unsigned long long)least, (unsigned long long)heuristic,
		      (unsigned long long)plain);
	assert_true(heuristic < plain);
	assert_true(heuristic * 100 <= least * 102);
}

/* On larger memories, against the same rule written down without a heap. */
static void optimum_against_plain_one(void **state)
{
	const uint32_t percents[] = {1, 10, 40, 90};
	struct pgt *t;

	(void)state;
	for (size_t i = 0; (t = trace_made(i)) != NULL; i++) {
		uint32_t *pages = malloc(t->nrefs * sizeof(*pages));

		assert_non_null(pages);
		for (uint64_t k = 0; k < t->nrefs; k++) {
			pages[k] = pgt_page(t->refs[k]);
		}
		for (size_t k = 0; k < sizeof(percents) / sizeof(percents[0]); k++) {
			uint32_t frames = t->pages.count * percents[k] / 100 + 1;

			assert_int_equal(run_named(t, "opt", frames).misses,
					 ev_opt_misses(pages, t->nrefs, t->pages.count, frames));
		}
		free(pages);
		pgt_close(t);
	}
}

/* A dirty page with the farther use against a clean one with the nearer. */
static void optimum_with_writes(void **state)
{
	struct pgt *t = trace_new("two");

	(void)state;
	trace_add(t, 1, PGT_WRITE);
	trace_add(t, 2, PGT_READ);
	for (uint32_t i = 0; i < 3; i++) {
		trace_add(t, 3, PGT_READ);
		trace_add(t, 2, PGT_READ);
	}
	trace_add(t, 1, PGT_READ);
	/* Two frames: 1 goes out, written, for 3; to spare the write 2 and 3 would share a frame. */
	assert_int_equal(run_named(t, "opt", 2).misses, 4);
	assert_int_equal(run_named(t, "opt", 2).written, 1);
	assert_int_equal(run_named(t, "opt-wb", 2).misses, 4);
	pgt_close(t);

	t = trace_new("clean");
	trace_add(t, 1, PGT_WRITE);
	trace_add(t, 2, PGT_READ);
	trace_add(t, 3, PGT_READ);
	trace_add(t, 2, PGT_READ);
	trace_add(t, 1, PGT_READ);
	/* opt: 1, written, for 3. opt-wb: 2 for 3, then 3, not used again, for 2: as many misses. */
	assert_int_equal(run_named(t, "opt", 2).misses + run_named(t, "opt", 2).written, 5);
	assert_int_equal(run_named(t, "opt-wb", 2).misses + run_named(t, "opt-wb", 2).written, 4);
	pgt_close(t);
}

/* ---- references -------------------------------------------------------------------------- */

/* The example with which Belady, Nelson and Shedler showed that more memory can be worse. */
static void textbook_figures(void **state)
{
	const uint32_t refs[] = {1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5};
	struct pgt *t = trace_of(refs, sizeof(refs) / sizeof(refs[0]));

	(void)state;
	assert_int_equal(run_named(t, "fifo", 3).misses, 9);
	assert_int_equal(run_named(t, "fifo", 4).misses, 10);
	assert_int_equal(run_named(t, "true-lru", 3).misses, 10);
	assert_int_equal(run_named(t, "true-lru", 4).misses, 8);
	assert_int_equal(run_named(t, "opt", 3).misses, 7);
	assert_int_equal(run_named(t, "opt", 4).misses, 6);
	pgt_close(t);
}

/* Two frames; the victims are 1, dirty, then 3 and 2, dirty again (fifo: 2, then 3). */
static void written_victims(void **state)
{
	struct pgt *t = trace_from("w1 r2 r3 w2 r4 r5");

	(void)state;
	assert_int_equal(run_named(t, "true-lru", 2).written, 2);
	assert_int_equal(run_named(t, "fifo", 2).written, 2);
	assert_int_equal(run_named(t, "true-lru", 2).evictions, 3);
	assert_int_equal(run_named(t, "true-lru", 3).written, 1);
	pgt_close(t);
}

/* Random choice on a loop of n + 1 pages misses about once in (n + 1) / 2 references; a model. */
static void random_is_random(void **state)
{
	enum { FRAMES = 50, REFS = 40000 };
	static uint32_t refs[REFS];
	struct replay_result r;
	struct pgt *t;

	(void)state;
	for (uint32_t i = 0; i < REFS; i++) {
		refs[i] = i % (FRAMES + 1);
	}
	t = trace_of(refs, REFS);
	r = run_named(t, "random", FRAMES);
	/* The page that is out is at a place spread evenly ahead: 26 references to the next miss. */
	assert_in_range(r.misses, REFS / 28, REFS / 24);
	pgt_close(t);
}

/* ---- sums that have to be right for everybody ---------------------------------------------- */

static void check_sums(const struct pgt *t, const struct replay_algorithm *a,
		       struct replay_options o, uint64_t floor)
{
	struct replay_result r = run(t, a, o);
	uint64_t pages = t->pages.count;
	uint64_t kept = o.frames < pages ? o.frames : pages;

	assert_int_equal(r.cold, pages);
	assert_int_equal(r.read, r.misses);
	assert_int_equal(r.evictions, r.misses - kept);
	assert_true(r.written <= r.evictions && r.misses >= floor);
	assert_true(o.frames < pages || r.misses == pages);
}

static void sums_are_right(void **state)
{
	const uint32_t sizes[] = {1, 2, 3, 37, 256, 5000};
	struct replay_algorithm a;
	struct pgt *t;

	(void)state;
	for (size_t i = 0; (t = trace_made(i)) != NULL; i++) {
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
			struct replay_options o = {.frames = sizes[k]};
			uint64_t floor = run_named(t, "opt", sizes[k]).misses;

			for (size_t n = 0; replay_at(n, &a); n++) {
				o.access = REPLAY_BITS;
				check_sums(t, &a, o, floor);
				o.access = REPLAY_SOFT;
				check_sums(t, &a, o, floor);
			}
		}
		pgt_close(t);
	}
}

/* ---- what a module sees ------------------------------------------------------------------- */

/* A module that gives up the oldest candidate, looks at it first, and writes down its calls. */
static struct {
	struct z_eviction_host host;
	char log[4096];
	size_t length;
	struct z_page_frame *row[8];
	uint32_t n;
} spy;

static void spy_log(char what, const struct z_page_frame *pf, unsigned int detail)
{
	assert_true(spy.length + 16 < sizeof(spy.log));
	spy.length += (size_t)sprintf(spy.log + spy.length, "%c%u.%u ", what,
				      (unsigned int)((uintptr_t)pf->addr / Z_PAGE_SIZE), detail);
}

static size_t spy_bytes(uint32_t nframes)
{
	return nframes;
}

static int spy_init(void *state, const struct z_eviction_host *host)
{
	(void)state;
	memset(&spy, 0, sizeof(spy));
	spy.host = *host;
	return 0;
}

static struct z_page_frame *spy_select(void *state)
{
	struct z_page_frame *pf = spy.row[0];

	(void)state;
	if (spy.n == 0) {
		return NULL;
	}
	spy_log('l', pf, spy.host.sample(spy.host.core, pf, true));
	return pf;
}

static void spy_add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	(void)state;
	assert_true(z_page_frame_is_evictable(pf));
	spy_log(reason == Z_ADD_AHEAD ? 'a' : 'f', pf, spy.host.sample(spy.host.core, pf, false));
	spy.row[spy.n++] = pf;
}

static void spy_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	(void)state;
	assert_int_equal(reason, Z_REMOVE_EVICT);
	assert_ptr_equal(pf, spy.row[0]);
	spy_log('r', pf, 0);
	memmove(spy.row, spy.row + 1, --spy.n * sizeof(spy.row[0]));
}

static void spy_accessed(void *state, struct z_page_frame *pf)
{
	(void)state;
	spy_log('s', pf, spy.host.sample(spy.host.core, pf, false));
}

static void spy_refault(void *state, struct z_page_frame *pf, uint32_t distance)
{
	(void)state;
	spy_log('g', pf, distance);
}

static const struct z_eviction_ops spy_ops = {
	.name = "spy",
	.state_bytes = spy_bytes,
	.init = spy_init,
	.select = spy_select,
	.add = spy_add,
	.remove = spy_remove,
	.accessed = spy_accessed,
	.refault = spy_refault,
};

static const struct replay_algorithm spy_algorithm = {"spy", "", REPLAY_MODULE, &spy_ops, NULL};

static void expect_calls(const char *calls)
{
	if (strcmp(spy.log, calls) != 0) {
		fail_msg("calls:  %s\nwanted: %s", spy.log, calls);
	}
}

/* The number behind the point: bits of sample() (1 accessed, 2 dirty), or the refault's distance. */
static void calls_with_bits(void **state)
{
	struct pgt *t = trace_from("r1 w2 w2 r3 r2 w1 w1 r4");
	struct replay_result r = run(t, &spy_algorithm, (struct replay_options){.frames = 2});

	(void)state;
	/* f2.2: the fault was a write, and the touch itself comes after add. */
	expect_calls("f1.0 f2.2 l1.1 r1.0 f3.0 l2.3 r2.0 g1.2 f1.2 l3.1 r3.0 f4.0 ");
	assert_int_equal(r.misses, 5);
	assert_int_equal(r.cold, 4);
	assert_int_equal(r.written, 1);
	assert_int_equal(r.evictions, 3);
	assert_int_equal(r.soft, 0);
	pgt_close(t);
}

/* Looked at with the bit cleared, but not given up: the next touch traps once. */
static struct z_page_frame *looks_at_both(void *state)
{
	(void)spy_select(state);
	(void)spy.host.sample(spy.host.core, spy.row[1], true);
	return spy.row[0];
}

static void calls_with_soft_faults(void **state)
{
	struct z_eviction_ops ops = spy_ops;
	struct replay_algorithm a = {"spy", "", REPLAY_MODULE, &ops, NULL};
	struct pgt *t = trace_from("r1 r2 r3 r2 w2 r3 w2");
	struct replay_options o = {.frames = 2, .access = REPLAY_SOFT};
	struct replay_result r;

	(void)state;
	ops.select = looks_at_both;
	r = run(t, &a, o);
	expect_calls("f1.0 f2.0 l1.1 r1.0 f3.0 s2.1 ");
	assert_int_equal(r.soft, 1);
	assert_int_equal(r.misses, 3);
	/* With bits the same touch is counted, and nobody is told. */
	o.access = REPLAY_BITS;
	r = run(t, &a, o);
	expect_calls("f1.0 f2.0 l1.1 r1.0 f3.0 ");
	assert_int_equal(r.soft, 1);
	pgt_close(t);
}

static void calls_with_read_around(void **state)
{
	struct pgt *t = trace_from("r8 r9 r11 r17 r9 r16");
	struct replay_options o = {.frames = 4, .readaround = 4};
	struct replay_result r = run(t, &spy_algorithm, o);

	(void)state;
	/* Page 10 is none of the program's. 16 comes with 17 and pushes out 8, the oldest. */
	expect_calls("f8.0 a9.0 a11.0 f17.0 l8.1 r8.0 a16.0 ");
	assert_int_equal(r.misses, 2);
	assert_int_equal(r.cold, 2);
	assert_int_equal(r.read, 5);
	pgt_close(t);

	/* 9 comes with 8 and goes untouched: its first reference is a cold miss all the same. */
	t = trace_from("r8 r16 r20 r9");
	o.frames = 2;
	r = run(t, &spy_algorithm, o);
	expect_calls("f8.0 a9.0 l8.1 r8.0 f16.0 l9.0 r9.0 f20.0 l16.1 r16.0 g9.2 f9.0 l20.1 r20.0 "
		     "a8.0 ");
	assert_int_equal(r.cold, 4);
	pgt_close(t);

	/* With one frame, what is read ahead may not push out the page that is wanted. */
	t = trace_from("r8 r9");
	o.frames = 1;
	r = run(t, &spy_algorithm, o);
	assert_int_equal(r.misses, 2);
	assert_int_equal(r.read, 2);
	pgt_close(t);
}

static void calls_with_pages_that_left_together(void **state)
{
	struct pgt *t = trace_from("r8 r16 r8 r9 r10 r11");
	struct replay_options o = {.frames = 3, .readaround = 4, .together = true};
	struct replay_result r = run(t, &spy_algorithm, o);

	(void)state;
	/*
	 * 8, 9 and 10 were never in and come together; 11 would push out 8. When 8 is back, 9 left one eviction
	 * after it and comes, too; 10 left two after it, and 11 was never in. So nothing comes with 10, nor with 11.
	 */
	expect_calls("f8.0 a9.0 a10.0 l8.0 l8.1 r8.0 f16.0 l9.0 r9.0 g8.2 f8.0 l10.0 r10.0 g9.2 "
		     "a9.0 l16.1 r16.0 f10.0 l8.1 r8.0 f11.0 ");
	assert_int_equal(r.misses, 5);
	pgt_close(t);
}

static struct z_page_frame *gives_none(void *state)
{
	(void)state;
	return NULL;
}

static struct z_page_frame *gives_a_free_one(void *state)
{
	(void)state;
	spy.row[0]->flags = Z_PAGE_FRAME_MAPPED;
	return spy.row[0];
}

static int is_not_sound(void *state)
{
	(void)state;
	return 1;
}

/* A run with a module that breaks its contract ends, and says how. */
static void broken_modules_are_noticed(void **state)
{
	struct z_eviction_ops ops = spy_ops;
	struct replay_algorithm a = {"spy", "", REPLAY_MODULE, &ops, NULL};
	struct pgt *t = trace_from("r1 r2 r3");
	struct replay_options o = {.frames = 2};
	struct replay_result r;
	const char *error;

	(void)state;
	assert_int_equal(replay_run(t, NULL, &a, &o, &r, &error), 0);
	ops.select = gives_none;
	assert_int_equal(replay_run(t, NULL, &a, &o, &r, &error), -1);
	assert_non_null(strstr(error, "no frame"));
	ops.select = gives_a_free_one;
	assert_int_equal(replay_run(t, NULL, &a, &o, &r, &error), -1);
	assert_non_null(strstr(error, "no candidate"));
	ops.select = spy_select;
	ops.check = is_not_sound;
	assert_int_equal(replay_run(t, NULL, &a, &o, &r, &error), -1);
	assert_non_null(strstr(error, "not sound"));
	pgt_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(optimum_against_all_schedules),
		cmocka_unit_test(optimum_against_plain_one),
		cmocka_unit_test(optimum_with_writes),
		cmocka_unit_test(textbook_figures),
		cmocka_unit_test(written_victims),
		cmocka_unit_test(random_is_random),
		cmocka_unit_test(sums_are_right),
		cmocka_unit_test(calls_with_bits),
		cmocka_unit_test(calls_with_soft_faults),
		cmocka_unit_test(calls_with_read_around),
		cmocka_unit_test(calls_with_pages_that_left_together),
		cmocka_unit_test(broken_modules_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
