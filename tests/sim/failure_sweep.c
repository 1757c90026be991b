/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failure_sweep.c - each scenario with the 1st, 2nd, ... n-th thing that can fail failing, until it
 * passes untouched: calls of the store, hooks of the port, allocations; and with another CPU coming
 * in at the 1st, 2nd, ... n-th release of the pager lock.
 *
 * After each: what a failed call promised, z_pager_check at level 3, all contents; then the same
 * call again with nothing failing, which has to succeed, and all of it once more. Nothing depends
 * on assertions, so the release build runs this too. (After littlefs' sweep of power losses.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_world.h"
#include "../support/store_hostile.h"

#define PAGES_MAX 40U
#define FOR_EVER  UINT64_C(1000000)

struct sweep {
	const struct scenario *scenario;
	struct sim_world *w;
	struct store_hostile *hostile;
	uintptr_t va;
	uint64_t want[PAGES_MAX]; /* contents, page by page */
	bool zero[PAGES_MAX];     /* forgotten: reads as zeros */
	uintptr_t extra;          /* what act mapped */
	int result;               /* of act */
	bool busy;                /* another CPU is at work too */
	char where[160];
};

struct scenario {
	const char *name;
	struct sim_world_params params;
	uint32_t pages;
	void (*prepare)(struct sweep *s); /* after all pages were written */
	int (*act)(struct sweep *s);
	void (*failed)(struct sweep *s); /* what a failed act promised */
};

static uintptr_t page(const struct sweep *s, uint32_t i)
{
	return s->va + i * Z_PAGE_SIZE;
}

static int error_of(enum z_sim_result result)
{
	static const int errors[] = {
		[Z_SIM_OK] = 0,
		[Z_SIM_BAD_ADDRESS] = Z_ERR_FAULT,
		[Z_SIM_VIOLATION] = Z_ERR_PERM,
		[Z_SIM_IO_ERROR] = Z_ERR_IO,
		[Z_SIM_NO_MEMORY] = Z_ERR_NOMEM,
		[Z_SIM_LIVELOCK] = Z_ERR_AGAIN,
	};

	return errors[result];
}

/* ---- acts -------------------------------------------------------------------------------- */

static int read_first(struct sweep *s)
{
	uint64_t value;

	return error_of(z_sim_load64(s->w->sim, page(s, 0), &value));
}

static int read_all(struct sweep *s)
{
	uint64_t value;
	int err = 0;

	for (uint32_t i = 0; i < s->scenario->pages && err == 0; i++) {
		err = error_of(z_sim_load64(s->w->sim, page(s, i), &value));
	}
	return err;
}

/* Write back what is there: dirty, but the same. */
static int write_first(struct sweep *s)
{
	uint64_t value;
	int err = error_of(z_sim_load64(s->w->sim, page(s, 0), &value));

	return err != 0 ? err : error_of(z_sim_store64(s->w->sim, page(s, 0), value));
}

static int map_some(struct sweep *s, unsigned int flags)
{
	uintptr_t va = 1;
	int err;

	if (s->extra != 0) {
		return 0;
	}
	err = z_pager_map(s->w->pager, 3, SIM_WORLD_RW, flags, 1, &va);
	if (err == 0) {
		s->extra = va;
	} else if (va != 1) {
		z_sim_error(s->w->sim, "a failed map changed the address");
	}
	return err;
}

static int map_lazy(struct sweep *s)
{
	return map_some(s, 0);
}

static int map_populate(struct sweep *s)
{
	return map_some(s, Z_MAP_POPULATE);
}

static int map_pinned(struct sweep *s)
{
	return map_some(s, Z_MAP_PINNED);
}

static void nothing_mapped(struct sweep *s)
{
	struct z_stats stats = sim_world_stats(s->w);

	assert_int_equal(stats.pages_mapped, s->scenario->pages);
	assert_int_equal(stats.pages_pinned, 0);
}

static int page_in_all(struct sweep *s)
{
	size_t done = 0;
	int err = z_pager_page_in(s->w->pager, s->va, s->scenario->pages, &done);

	if ((err == 0) != (done == s->scenario->pages)) {
		z_sim_error(s->w->sim, "page_in: %zu done, %d", done, err);
	}
	return err;
}

static int page_out_all(struct sweep *s)
{
	size_t done = 0;
	int err = z_pager_page_out(s->w->pager, s->va, s->scenario->pages, &done);

	for (uint32_t i = 0; i < done && !s->busy; i++) {
		if (sim_world_kind(s->w, page(s, i)) == Z_ENTRY_IN) {
			z_sim_error(s->w->sim, "page_out: page %u is in, %zu done", i, done);
		}
	}
	if ((err == 0) != (done == s->scenario->pages)) {
		z_sim_error(s->w->sim, "page_out: %zu done, %d", done, err);
	}
	return err;
}

static int out_and_in(struct sweep *s)
{
	int err = page_out_all(s);

	return err != 0 ? err : page_in_all(s);
}

static int pin_three(struct sweep *s)
{
	int err = z_pager_pin(s->w->pager, s->va, 3);

	if (err == 0 && z_pager_unpin(s->w->pager, s->va, 3) != 0) {
		z_sim_error(s->w->sim, "unpin failed");
	}
	return err;
}

static void nothing_pinned(struct sweep *s)
{
	assert_int_equal(sim_world_stats(s->w).pages_pinned, 0);
}

static int unmap_and_map(struct sweep *s)
{
	uintptr_t va = page(s, 1);
	int err = 0;

	if (z_pager_is_mapped(s->w->pager, va, 2)) {
		err = z_pager_unmap(s->w->pager, va, 2);
	}
	if (err == 0) {
		s->zero[1] = true;
		s->zero[2] = true;
		err = z_pager_map(s->w->pager, 2, SIM_WORLD_RW, Z_MAP_FIXED, 1, &va);
	}
	return err;
}

static int forget_three(struct sweep *s)
{
	int err = z_pager_advise(s->w->pager, s->va, 3, Z_ADVICE_DONTNEED);

	/* A page that the port cannot let go stays; the others are forgotten. */
	for (uint32_t i = 0; i < 3; i++) {
		s->zero[i] = s->zero[i] || err == 0 ||
			     sim_world_kind(s->w, page(s, i)) == Z_ENTRY_UNTOUCHED;
	}
	return err;
}

static int will_need(struct sweep *s)
{
	return z_pager_advise(s->w->pager, s->va, s->scenario->pages, Z_ADVICE_WILLNEED);
}

static int bank_off_and_on(struct sweep *s)
{
	int err = z_pager_bank_offline(s->w->pager, 0);

	return err != 0 ? err : z_pager_bank_online(s->w->pager, 0);
}

static int shrink_and_grow(struct sweep *s)
{
	int err = z_pager_set_frames(s->w->pager, 2);

	return err != 0 ? err : z_pager_set_frames(s->w->pager, s->w->params.frames);
}

static void grow_back(struct sweep *s)
{
	assert_int_equal(z_pager_set_frames(s->w->pager, s->w->params.frames), 0);
}

static int reclaim_two(struct sweep *s)
{
	return z_pager_reclaim(s->w->pager, 2);
}

static int evict_frames(struct sweep *s)
{
	int err = 0;

	for (uint32_t i = 0; i < s->w->params.frames && err == 0; i++) {
		z_phys_t phys = z_phys(SIM_WORLD_RAM + i * Z_PAGE_SIZE);

		err = z_pager_evict_frame(s->w->pager, phys);
		if (err == 0 && !s->busy && z_sim_frame_used(s->w->sim, phys)) {
			z_sim_error(s->w->sim, "evict_frame: frame %u is used", i);
		}
	}
	return err;
}

static int protect_all(struct sweep *s)
{
	int err = z_pager_protect(s->w->pager, s->va, s->scenario->pages, Z_ACCESS_READ);

	return err != 0 ? err
			: z_pager_protect(s->w->pager, s->va, s->scenario->pages, SIM_WORLD_RW);
}

/* ---- preparations ------------------------------------------------------------------------ */

static void all_out(struct sweep *s)
{
	assert_int_equal(z_pager_page_out(s->w->pager, s->va, s->scenario->pages, NULL), 0);
}

/* Clean copies in the store, pages in frames. */
static void all_clean(struct sweep *s)
{
	all_out(s);
	assert_int_equal(read_all(s), 0);
}

static void all_read(struct sweep *s)
{
	assert_int_equal(read_all(s), 0);
}

#define SMALL_STORE "ram:size=32K"

static const struct scenario scenarios[] = {
	{"a fault with an eviction", {.frames = 4}, 6, NULL, read_first, NULL},
	{"a fault that writes", {.frames = 4}, 6, NULL, write_first, NULL},
	{"faults with batches", {.frames = 16, .batch = 4}, 24, NULL, read_all, NULL},
	{"faults with a reserve", {.frames = 8, .low_water = 2}, 12, NULL, read_all, NULL},
	{"batches at once",
	 {.frames = 32, .batch = 8, .direct_save = true},
	 40,
	 NULL,
	 read_all,
	 NULL},
	{"map", {.frames = 4}, 6, NULL, map_lazy, nothing_mapped},
	{"map populate", {.frames = 4}, 6, NULL, map_populate, nothing_mapped},
	{"map populate, prepared",
	 {.frames = 4, .direct_save = true},
	 6,
	 NULL,
	 map_populate,
	 nothing_mapped},
	{"map pinned", {.frames = 4}, 6, NULL, map_pinned, nothing_mapped},
	{"page_in", {.frames = 8}, 6, all_out, page_in_all, NULL},
	{"page_in of more than RAM", {.frames = 3}, 6, all_out, page_in_all, NULL},
	{"page_out", {.frames = 8, .batch = 4}, 6, NULL, page_out_all, NULL},
	{"page_out of clean pages", {.frames = 8, .batch = 4}, 6, all_clean, page_out_all, NULL},
	{"pin", {.frames = 4}, 6, NULL, pin_three, nothing_pinned},
	{"unmap a part", {.frames = 4}, 6, NULL, unmap_and_map, NULL},
	{"forget", {.frames = 4}, 6, NULL, forget_three, NULL},
	{"forget clean pages", {.frames = 8}, 6, all_clean, forget_three, NULL},
	{"will need", {.frames = 4}, 6, all_out, will_need, NULL},
	{"bank off-line", {.frames = 6, .banks = 2}, 8, NULL, bank_off_and_on, NULL},
	{"fewer frames", {.frames = 8, .batch = 4}, 10, NULL, shrink_and_grow, grow_back},
	{"reclaim", {.frames = 4}, 6, NULL, reclaim_two, NULL},
	{"evict every frame", {.frames = 4}, 6, NULL, evict_frames, NULL},
	{"protect", {.frames = 4}, 6, NULL, protect_all, NULL},
	{"refault of a clean page", {.frames = 4}, 6, all_clean, read_all, NULL},
	{"stolen copies", {.frames = 4, .store = SMALL_STORE}, 10, all_read, read_all, NULL},
	{"demotion of a tier",
	 {.frames = 4, .store = "tier:ram:size=16K,ram:size=1M"},
	 14,
	 NULL,
	 read_all,
	 NULL},
	{"lz4 grows", {.frames = 4, .store = "lz4:size=1M"}, 14, NULL, read_all, NULL},
	{"lz4 grows out of the frames",
	 {.frames = 128, .batch = 4, .charge = true, .store = "lz4:size=1M"},
	 16,
	 NULL,
	 out_and_in,
	 NULL},
	{"lock kept", {.frames = 4, .keep_lock_for_io = true}, 6, NULL, read_all, NULL},
	{"one scratch", {.frames = 4, .scratch_slots = 1, .batch = 4}, 6, NULL, page_out_all, NULL},
};

/* ---- running ----------------------------------------------------------------------------- */

enum point {
	POINT_STORE = Z_SIM_POINT_COUNT,
};

struct plan {
	const char *name;
	int point; /* enum z_sim_point, or POINT_STORE */
	int error;
	uint64_t times;
};

static const struct plan plans[] = {
	{"store", POINT_STORE, 0, 1},
	{"store, and all after it", POINT_STORE, 0, FOR_EVER},
	{"map()", Z_SIM_POINT_MAP, Z_ERR_NOMEM, 1},
	{"protect()", Z_SIM_POINT_PROTECT, Z_ERR_NOMEM, 1},
	{"attach()", Z_SIM_POINT_ATTACH, Z_ERR_NOMEM, 1},
	{"attach() again", Z_SIM_POINT_ATTACH, Z_ERR_AGAIN, 1},
	{"attach() for ever", Z_SIM_POINT_ATTACH, Z_ERR_BUSY, FOR_EVER},
	{"detach()", Z_SIM_POINT_DETACH, Z_ERR_BUSY, 1},
	{"detach() for ever", Z_SIM_POINT_DETACH, Z_ERR_BUSY, FOR_EVER},
	{"prepare()", Z_SIM_POINT_PREPARE, Z_ERR_NOMEM, 1},
	{"allocation", Z_SIM_POINT_ALLOC, Z_ERR_NOMEM, 1},
	{"unlock", Z_SIM_POINT_UNLOCK, Z_ERR_AGAIN, 1},
};

static struct z_store *wrap(void *arg, struct z_store *inner)
{
	struct sweep *s = arg;

	s->hostile = store_hostile_open(inner);
	return store_hostile_store(s->hostile);
}

static void set_plan(struct sweep *s, const struct plan *plan, uint64_t nth)
{
	if (plan->point == POINT_STORE) {
		store_hostile_fail(s->hostile, STORE_ANY, nth, plan->times, plan->error);
	} else {
		z_sim_inject(s->w->sim, (enum z_sim_point)plan->point, nth, plan->times,
			     plan->error);
	}
}

static bool fired(struct sweep *s, const struct plan *plan)
{
	return plan->point == POINT_STORE
		       ? store_hostile_fired(s->hostile) > 0
		       : z_sim_point_failed(s->w->sim, (enum z_sim_point)plan->point) > 0;
}

static void open_sweep(struct sweep *s, const struct scenario *scenario)
{
	struct sim_world_params params = scenario->params;

	*s = (struct sweep){.scenario = scenario};
	params.wrap_store = wrap;
	params.wrap_arg = s;
	params.cpus = 2;
	params.vm_pages = 128;
	params.commit = Z_COMMIT_HEURISTIC;
	s->w = sim_world_open(&params);
	s->va = sim_world_map(s->w, scenario->pages, SIM_WORLD_RW, 0);
	for (uint32_t i = 0; i < scenario->pages; i++) {
		s->want[i] = i * 2 + 1;
		sim_world_fill(s->w, page(s, i), s->want[i]);
	}
	assert_int_equal(z_sim_errors(s->w->sim), 0);
	if (scenario->prepare != NULL) {
		scenario->prepare(s);
	}
}

static void check(struct sweep *s)
{
	const char *what = sim_world_problem(s->w, Z_CHECK_CONTENTS);

	if (what == NULL) {
		what = store_hostile_violation(s->hostile);
	}
	if (what != NULL) {
		store_hostile_print(s->hostile);
		fail_msg("%s: %s", s->where, what);
	}
}

static void check_contents(struct sweep *s)
{
	static const unsigned char zeros[Z_PAGE_SIZE];
	unsigned char found[Z_PAGE_SIZE];

	for (uint32_t i = 0; i < s->scenario->pages; i++) {
		if (!z_pager_is_mapped(s->w->pager, page(s, i), 1)) {
			assert_true(s->zero[i] && s->result != 0);
		} else if (!s->zero[i]) {
			sim_world_verify(s->w, page(s, i), s->want[i]);
		} else if (z_sim_read(s->w->sim, page(s, i), found, sizeof(found)) != Z_SIM_OK ||
			   memcmp(found, zeros, sizeof(zeros)) != 0) {
			fail_msg("%s: page %u is not zero", s->where, i);
		}
	}
}

static void act_task(struct z_sim *sim, void *arg)
{
	struct sweep *s = arg;

	(void)sim;
	s->result = s->scenario->act(s);
}

/* The other CPU: it moves the same pages about, and changes nothing in them. */
static void other_task(struct z_sim *sim, void *arg)
{
	struct sweep *s = arg;
	uint64_t value;

	for (uint32_t i = 0; i < s->scenario->pages; i++) {
		enum z_sim_result result = z_sim_load64(sim, page(s, i) + 8, &value);

		if (result == Z_SIM_OK && i % 2 == 0 && !s->zero[i]) {
			(void)z_sim_access(sim, page(s, i), Z_ACCESS_WRITE, NULL, 1);
		}
		if (i % 3 == 2) {
			int err = z_pager_page_out(s->w->pager, page(s, i - 2), 3, NULL);

			if (err == Z_ERR_IO || err == Z_ERR_INVAL) {
				z_sim_error(sim, "page_out by the other CPU: %d", err);
			}
		}
	}
}

static void act(struct sweep *s, const struct plan *plan)
{
	struct z_sim_task tasks[] = {{act_task, s}, {other_task, s}};

	if (plan->point != Z_SIM_POINT_UNLOCK) {
		s->result = s->scenario->act(s);
		return;
	}
	s->busy = true;
	assert_int_equal(z_sim_run(s->w->sim, tasks, 2, 7), 0);
	s->busy = false;
}

/* One run with the n-th failing. false: nothing failed, the sweep is over. */
static bool run(const struct scenario *scenario, const struct plan *plan, uint64_t nth)
{
	struct sweep s;
	bool more;

	open_sweep(&s, scenario);
	snprintf(s.where, sizeof(s.where), "%s, failing: %s, number %llu", scenario->name,
		 plan->name, (unsigned long long)nth);
	set_plan(&s, plan, nth);
	act(&s, plan);
	more = fired(&s, plan);
	set_plan(&s, plan, 0);

	if (!more && s.result != 0) {
		fail_msg("%s: nothing failed, but it says %s", s.where, z_strerror(s.result));
	}
	check(&s);
	if (s.result != 0 && scenario->failed != NULL) {
		scenario->failed(&s);
	}
	check_contents(&s);
	check(&s);
	s.result = scenario->act(&s);
	if (s.result != 0) {
		fail_msg("%s: again without failure: %s", s.where, z_strerror(s.result));
	}
	check_contents(&s);
	check(&s);
	sim_world_close(s.w);
	return more;
}

static void sweep(const struct plan *plan)
{
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		uint64_t nth = 1;

		while (run(&scenarios[i], plan, nth)) {
			nth++;
			assert_true(nth < 3000);
		}
	}
}

static void each_plan(void **state)
{
	sweep(*state);
}

int main(void)
{
	struct CMUnitTest tests[sizeof(plans) / sizeof(plans[0])];

	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		tests[i] = (struct CMUnitTest){.name = plans[i].name,
					       .test_func = each_plan,
					       .initial_state = (void *)(uintptr_t)&plans[i]};
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
