/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smp_mixed.c - two to four simulated CPUs do everything at once: faults on pages that they share,
 * page_out, page_in, eviction of frames and banks, pins, advice, maps and unmaps of the same place,
 * and the walker. Many short runs; the seed chooses what the world is, what each CPU does and who
 * runs when.
 *
 * Oracles: each CPU has a word of its own in each shared page, increments it by a load and a store,
 * and knows what it has to find: no update is lost. A private mapping holds what its CPU wrote. In
 * the place that all map and unmap, a word is 0 or was written there since the last map.
 *
 *   ZPAGER_SEED=n  first seed (default 1); printed with a failure    ZPAGER_RUNS=n  (default 1500)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../support/model.h"

#define SHARED_PAGES 10U
#define STEPS        40U
#define CPUS_MAX     4U
#define PLACE_PAGE   100U
#define PLACE_PAGES  3U
#define PLACE_MAGIC  UINT64_C(0xabcd000000000000)

struct program {
	struct scene *scene;
	unsigned int cpu;
	uint64_t random;
	uint64_t count[SHARED_PAGES];
	uintptr_t mine; /* a private mapping, 0 if none */
	uint32_t mine_pages;
	uint64_t mine_value;
};

struct scene {
	struct sim_world *w;
	struct store_hostile *hostile;
	uintptr_t shared;
	struct program program[CPUS_MAX];
};

static uint32_t below(struct program *p, uint32_t n)
{
	return (uint32_t)(model_random(&p->random) % n);
}

static void wrong(struct program *p, const char *what, long detail)
{
	z_sim_error(p->scene->w->sim, "cpu %u: %s (%ld)", p->cpu, what, detail);
}

/* ---- what a CPU does ---- */

static void increment(struct program *p)
{
	struct z_sim *sim = p->scene->w->sim;
	uint32_t page = below(p, SHARED_PAGES);
	uintptr_t va = p->scene->shared + page * Z_PAGE_SIZE + 64 * (p->cpu + 1);
	uint64_t value = 0;
	enum z_sim_result result = z_sim_load64(sim, va, &value);

	if (result != Z_SIM_OK) {
		wrong(p, z_sim_result_name(result), page);
		return;
	}
	if (value != p->count[page]) {
		wrong(p, "an update was lost", page);
		p->count[page] = value;
	}
	result = z_sim_store64(sim, va, value + 1);
	if (result == Z_SIM_OK) {
		p->count[page]++;
	} else {
		wrong(p, z_sim_result_name(result), page);
	}
}

static void allowed(struct program *p, const char *what, int err, int also)
{
	if (err != 0 && err != Z_ERR_BUSY && err != also) {
		wrong(p, what, err);
	}
}

static void pin_for_a_while(struct program *p)
{
	struct z_pager *pager = p->scene->w->pager;
	uintptr_t va = p->scene->shared + below(p, SHARED_PAGES) * Z_PAGE_SIZE;
	int err = z_pager_pin(pager, va, 1);

	if (err != 0) {
		wrong(p, "pin", err);
		return;
	}
	increment(p);
	if (sim_world_kind(p->scene->w, va) != Z_ENTRY_IN) {
		wrong(p, "a pinned page is not in", 0);
	}
	err = z_pager_unpin(pager, va, 1);
	if (err != 0) {
		wrong(p, "unpin", err);
	}
}

static void move_pages(struct program *p)
{
	struct sim_world *w = p->scene->w;
	uint32_t page = below(p, SHARED_PAGES);
	uint32_t n = 1 + below(p, SHARED_PAGES - page);
	uintptr_t va = p->scene->shared + page * Z_PAGE_SIZE;

	switch (below(p, 6)) {
	case 0:
		allowed(p, "page_in", z_pager_page_in(w->pager, va, n, NULL), 0);
		break;
	case 1:
		allowed(p, "advise", z_pager_advise(w->pager, va, n, Z_ADVICE_COLD), 0);
		break;
	case 2:
		allowed(p, "willneed", z_pager_advise(w->pager, va, n, Z_ADVICE_WILLNEED), 0);
		break;
	default:
		allowed(p, "page_out", z_pager_page_out(w->pager, va, n, NULL), Z_ERR_NOSPC);
		break;
	}
}

static void move_frames(struct program *p)
{
	struct sim_world *w = p->scene->w;
	uint32_t frame = below(p, w->params.frames);
	uint32_t bank = below(p, 2);

	switch (below(p, 6)) {
	case 0:
		allowed(p, "bank_offline", z_pager_bank_offline(w->pager, bank), Z_ERR_NOMEM);
		break;
	case 1:
		allowed(p, "bank_online", z_pager_bank_online(w->pager, bank), 0);
		break;
	case 2:
		allowed(p, "set_frames",
			z_pager_set_frames(w->pager, w->params.frames - below(p, 2)), Z_ERR_NOMEM);
		break;
	case 3:
		allowed(p, "reclaim", z_pager_reclaim(w->pager, 1 + below(p, 2)), Z_ERR_NOMEM);
		break;
	default:
		frame = (uint32_t)z_pager_evict_frame(w->pager,
						      z_phys(SIM_WORLD_RAM + frame * Z_PAGE_SIZE));
		allowed(p, "evict_frame", (int)frame == Z_ERR_INVAL ? 0 : (int)frame, Z_ERR_AGAIN);
		break;
	}
}

/* ---- mappings ---- */

static void map_mine(struct program *p)
{
	struct sim_world *w = p->scene->w;
	unsigned int flags = below(p, 2) != 0 ? Z_MAP_POPULATE : 0;
	int err;

	p->mine_pages = 1 + below(p, 3);
	p->mine_value = 0;
	err = z_pager_map(w->pager, p->mine_pages, SIM_WORLD_RW, flags, 1, &p->mine);
	if (err != 0) {
		wrong(p, "map", err);
		p->mine = 0;
	}
}

static void use_mine(struct program *p)
{
	struct sim_world *w = p->scene->w;
	uint64_t next = model_random(&p->random);

	for (uint32_t i = 0; i < p->mine_pages; i++) {
		uintptr_t va = p->mine + i * Z_PAGE_SIZE + 8 * i;
		uint64_t value = 0;

		if (z_sim_load64(w->sim, va, &value) != Z_SIM_OK || value != p->mine_value) {
			wrong(p, "a private page holds something else", (long)value);
		}
		if (z_sim_store64(w->sim, va, next) != Z_SIM_OK) {
			wrong(p, "a private page cannot be written", i);
		}
	}
	p->mine_value = next;
	if (below(p, 4) == 0) {
		allowed(p, "dontneed",
			z_pager_advise(w->pager, p->mine, p->mine_pages, Z_ADVICE_DONTNEED), 0);
		p->mine_value = 0;
	}
}

static void private_mapping(struct program *p)
{
	if (p->mine == 0) {
		map_mine(p);
	} else if (below(p, 3) != 0) {
		use_mine(p);
	} else {
		int err = z_pager_unmap(p->scene->w->pager, p->mine, p->mine_pages);

		if (err != 0) {
			wrong(p, "unmap", err);
		}
		p->mine = 0;
	}
}

/* A place that all map and unmap: who comes too late finds it so or so, never with old contents. */
static void common_place(struct program *p)
{
	struct sim_world *w = p->scene->w;
	uintptr_t va = model_va(PLACE_PAGE);
	uint64_t value = PLACE_MAGIC;
	enum z_sim_result result = Z_SIM_OK;
	unsigned int populate = below(p, 3) == 0 ? Z_MAP_POPULATE : 0;
	int err;

	switch (below(p, 4)) {
	case 0:
		/* FAULT: somebody unmapped it while it was populated. */
		err = z_pager_map(w->pager, PLACE_PAGES, SIM_WORLD_RW, Z_MAP_FIXED | populate, 1,
				  &va);
		allowed(p, "map fixed", err, populate != 0 ? Z_ERR_FAULT : 0);
		break;
	case 1:
		allowed(p, "unmap", z_pager_unmap(w->pager, va, PLACE_PAGES), Z_ERR_FAULT);
		break;
	case 2:
		result = z_sim_store64(w->sim, va + below(p, PLACE_PAGES) * Z_PAGE_SIZE, value);
		break;
	default:
		result = z_sim_load64(w->sim, va + below(p, PLACE_PAGES) * Z_PAGE_SIZE, &value);
		break;
	}
	if (result != Z_SIM_OK && result != Z_SIM_BAD_ADDRESS) {
		wrong(p, z_sim_result_name(result), 0);
	}
	if (value != PLACE_MAGIC && value != 0) {
		wrong(p, "the common place holds something of another page", (long)value);
	}
}

static void walk(struct program *p)
{
	const char *what;
	int bad = z_pager_check(p->scene->w->pager, Z_CHECK_PAGES, &what);

	if (bad != 0) {
		wrong(p, what, bad);
	}
}

static void run_program(struct z_sim *sim, void *arg)
{
	struct program *p = arg;

	for (uint32_t i = 0; i < STEPS && z_sim_errors(sim) == 0; i++) {
		switch (below(p, 16)) {
		case 0:
			pin_for_a_while(p);
			break;
		case 1:
		case 2:
		case 3:
			move_pages(p);
			break;
		case 4:
			move_frames(p);
			break;
		case 5:
		case 6:
			private_mapping(p);
			break;
		case 7:
		case 8:
			common_place(p);
			break;
		case 9:
			walk(p);
			break;
		default:
			increment(p);
			break;
		}
	}
}

/* ---- the world ---- */

static struct z_store *wrap(void *arg, struct z_store *inner)
{
	struct scene *s = arg;

	s->hostile = store_hostile_open(inner);
	return store_hostile_store(s->hostile);
}

static void scene_open(struct scene *s, uint64_t *random)
{
	static const char *const evictions[] = {"nru",    "clock",    "lru",   "sieve",
						"s3fifo", "clockpro", "mglru", "learned"};
	static const char *const stores[] = {NULL, "ram:size=1M&keep=no", "ram:size=112K",
					     "lz4:size=4M"};
	uint64_t bits = model_random(random);
	uint32_t cpus = 2 + (uint32_t)(bits % 3);
	bool fixed = (bits >> 8 & 3) == 0;

	s->w = sim_world_open(&(struct sim_world_params){
		.cpus = cpus,
		.frames = 2 * (cpus + 2) + (uint32_t)(bits >> 10 & 3),
		.banks = 2,
		.vm_pages = 128,
		.eviction = evictions[(bits >> 16) % (sizeof(evictions) / sizeof(evictions[0]))],
		.store = stores[(bits >> 20) % 4],
		.batch = (bits >> 24 & 1) != 0 ? 4 : 1,
		.low_water = (uint32_t)(bits >> 25 & 1),
		.ahead = (bits >> 40 & 1) != 0 ? 8 : 0,
		.keep_lock_for_io = (bits >> 26 & 3) == 0,
		.early_wakeups = (bits >> 28 & 1) != 0,
		.soft_ad = (bits >> 29 & 1) != 0,
		.scratch_slots = fixed ? 1 : 8,
		.direct_save = !fixed && (bits >> 30 & 1) != 0,
		.switch_percent = 10 + (unsigned int)(bits >> 32) % 60,
		.commit = Z_COMMIT_HEURISTIC,
		.ghosts = 8,
		.wrap_store = wrap,
		.wrap_arg = s,
	});
	s->shared = sim_world_map(s->w, SHARED_PAGES, SIM_WORLD_RW, 0);
	for (unsigned int i = 0; i < cpus; i++) {
		s->program[i] =
			(struct program){.scene = s, .cpu = i, .random = model_random(random)};
	}
}

/* All that the CPUs counted is there, read by one CPU at the end. */
static const char *scene_verify(struct scene *s)
{
	for (uint32_t b = 0; b < 2; b++) {
		if (z_pager_bank_online(s->w->pager, b) != 0) {
			return "bank_online at the end";
		}
	}
	for (unsigned int cpu = 0; cpu < s->w->params.cpus; cpu++) {
		for (uint32_t page = 0; page < SHARED_PAGES; page++) {
			uint64_t value = 0;
			uintptr_t va = s->shared + page * Z_PAGE_SIZE + 64 * (cpu + 1);

			if (z_sim_load64(s->w->sim, va, &value) != Z_SIM_OK ||
			    value != s->program[cpu].count[page]) {
				return "an update was lost, seen at the end";
			}
		}
	}
	return store_hostile_violation(s->hostile);
}

/* One run; NULL, or what was wrong. */
static const char *run(uint64_t seed, uint64_t *trace_out)
{
	static char text[512];
	struct z_sim_task tasks[CPUS_MAX];
	struct scene s = {0};
	uint64_t random = seed;
	const char *what = NULL;

	scene_open(&s, &random);
	for (unsigned int i = 0; i < s.w->params.cpus; i++) {
		tasks[i] = (struct z_sim_task){run_program, &s.program[i]};
	}
	if (z_sim_run(s.w->sim, tasks, s.w->params.cpus, seed) != 0 ||
	    z_sim_errors(s.w->sim) != 0) {
		what = z_sim_error_text(s.w->sim);
	} else {
		what = scene_verify(&s);
	}
	*trace_out = z_sim_trace(s.w->sim) ^ s.program[0].random;
	if (what != NULL) {
		strncpy(text, what, sizeof(text) - 1);
		store_hostile_print(s.hostile);
		sim_world_abandon(s.w);
		return text;
	}
	return sim_world_end(s.w);
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoul(text, NULL, 0) : otherwise;
}

static void everything_at_once(void **state)
{
	unsigned long first = setting("ZPAGER_SEED", 1);
	unsigned long runs = setting("ZPAGER_RUNS", 1500);

	(void)state;
	for (unsigned long seed = first; seed < first + runs; seed++) {
		uint64_t trace;
		const char *what = run(seed, &trace);

		if (what != NULL) {
			fail_msg("%s; replay with ZPAGER_SEED=%lu ZPAGER_RUNS=1", what, seed);
		}
	}
}

static void the_same_seed_is_the_same_run(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		uint64_t first;
		uint64_t second;

		assert_null(run(seed, &first));
		assert_null(run(seed, &second));
		assert_int_equal(first, second);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_at_once),
		cmocka_unit_test(the_same_seed_is_the_same_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
