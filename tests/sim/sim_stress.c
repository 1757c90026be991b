/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_stress.c - several simulated CPUs do everything at once: map, unmap, touch, protect, pin, page
 * out and in, drop, evict frames that belong to others, take banks off-line, change the number of
 * frames; with pages that cannot be detached or attached now and then.
 *
 * Each CPU has a region of its own and knows what must be in it; what it does to frames hits all.
 * The walker looks in between, at the end the world must be empty. A failure names the seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/sim_world.h"

#define CPUS   4
#define PAGES  8
#define SHARED 4 /* pages that all CPUs write to, each its own word */
#define FRAMES 18
#define BANKS  3
#define STEPS  150

struct player {
	uintptr_t va;
	uint64_t value[PAGES];   /* what the first word of each page holds */
	uint64_t shared[SHARED]; /* what its own word of each shared page holds */
	uint64_t random;
};

struct game {
	struct sim_world *w;
	struct player player[CPUS];
	uintptr_t shared;
	bool bank_busy; /* one CPU at a time plays with banks and the number of frames */
	uint64_t seed;
};

static uint64_t next(struct player *p, uint64_t below)
{
	p->random = p->random * 6364136223846793005u + 1442695040888963407u;
	return (p->random >> 33) % below;
}

static void expect_ok(const struct game *g, const char *what, int err)
{
	if (err != 0) {
		fail_msg("seed %llu, cpu %u: %s: %s", (unsigned long long)g->seed,
			 z_sim_cpu(g->w->sim), what, z_strerror(err));
	}
}

static void expect_access(const struct game *g, enum z_sim_result result, enum z_sim_result wanted)
{
	if (result != wanted) {
		fail_msg("seed %llu, cpu %u: access: %s, not %s", (unsigned long long)g->seed,
			 z_sim_cpu(g->w->sim), z_sim_result_name(result),
			 z_sim_result_name(wanted));
	}
}

static uintptr_t page_va(const struct player *p, uint64_t page)
{
	return p->va + page * Z_PAGE_SIZE;
}

static void verify(const struct game *g, const struct player *p, uint64_t page)
{
	uint64_t value = 0;

	expect_access(g, z_sim_load64(g->w->sim, page_va(p, page), &value), Z_SIM_OK);
	if (value != p->value[page]) {
		fail_msg("seed %llu, cpu %u, page %llu: %llx, not %llx",
			 (unsigned long long)g->seed, z_sim_cpu(g->w->sim),
			 (unsigned long long)page, (unsigned long long)value,
			 (unsigned long long)p->value[page]);
	}
}

static void write_page(const struct game *g, struct player *p, uint64_t page)
{
	p->value[page] = next(p, UINT32_MAX);
	expect_access(g, z_sim_store64(g->w->sim, page_va(p, page), p->value[page]), Z_SIM_OK);
}

/* Read and written shortly after: a page that is clean may be leaving just then. */
static void write_shared(const struct game *g, struct player *p)
{
	uint64_t page = next(p, SHARED);
	uintptr_t va = g->shared + page * Z_PAGE_SIZE + z_sim_cpu(g->w->sim) * 8;
	uint64_t value = 0;

	expect_access(g, z_sim_load64(g->w->sim, va, &value), Z_SIM_OK);
	if (value != p->shared[page]) {
		fail_msg("seed %llu, cpu %u, shared page %llu: %llx, not %llx",
			 (unsigned long long)g->seed, z_sim_cpu(g->w->sim),
			 (unsigned long long)page, (unsigned long long)value,
			 (unsigned long long)p->shared[page]);
	}
	p->shared[page]++;
	expect_access(g, z_sim_store64(g->w->sim, va, p->shared[page]), Z_SIM_OK);
}

static void map_again(const struct game *g, struct player *p)
{
	expect_ok(g, "unmap", z_pager_unmap(g->w->pager, p->va, PAGES));
	expect_ok(g, "map", z_pager_map(g->w->pager, PAGES, SIM_WORLD_RW, 0, 1, &p->va));
	for (size_t i = 0; i < PAGES; i++) {
		p->value[i] = 0;
	}
}

static void read_only_for_a_while(const struct game *g, struct player *p, uint64_t page)
{
	uintptr_t va = page_va(p, page);

	expect_ok(g, "protect", z_pager_protect(g->w->pager, va, 1, Z_ACCESS_READ));
	verify(g, p, page);
	expect_access(g, z_sim_store64(g->w->sim, va, 1), Z_SIM_VIOLATION);
	expect_ok(g, "protect", z_pager_protect(g->w->pager, va, 1, SIM_WORLD_RW));
	verify(g, p, page);
}

static void pinned_for_a_while(const struct game *g, struct player *p, uint64_t page)
{
	uintptr_t va = page_va(p, page);
	z_phys_t phys;

	expect_ok(g, "pin", z_pager_pin(g->w->pager, va, 1));
	phys = z_sim_entry(g->w->sim, va).phys;
	write_page(g, p, page);
	verify(g, p, (page + 1) % PAGES);
	verify(g, p, page);
	assert_int_equal(z_sim_entry(g->w->sim, va).kind, Z_ENTRY_IN);
	assert_true(z_sim_entry(g->w->sim, va).phys.v == phys.v);
	expect_ok(g, "unpin", z_pager_unpin(g->w->pager, va, 1));
}

/* A page that the port cannot give up now is not dropped, and says so. */
static void drop(const struct game *g, struct player *p, uint64_t page)
{
	int err = z_pager_advise(g->w->pager, page_va(p, page), 1, Z_ADVICE_DONTNEED);

	if (err != Z_ERR_BUSY) {
		expect_ok(g, "advise", err);
		p->value[page] = 0;
	}
	verify(g, p, page);
}

/* 0, or one of the errors that are allowed when others are at work and pages are busy. */
static void allow_busy(const struct game *g, const char *what, int err)
{
	if (err != Z_ERR_BUSY && err != Z_ERR_AGAIN && err != Z_ERR_NOMEM) {
		expect_ok(g, what, err);
	}
}

/* Whoever it belongs to. A frame that is out of service is none that can be evicted. */
static void evict_any(const struct game *g, struct player *p)
{
	uint32_t frame = (uint32_t)next(p, FRAMES);
	int err = z_pager_evict_frame(g->w->pager, z_phys(SIM_WORLD_RAM + frame * Z_PAGE_SIZE));

	if (err != Z_ERR_INVAL) {
		allow_busy(g, "evict", err);
	}
}

static void play_with_banks(struct game *g, struct player *p)
{
	uint32_t bank = (uint32_t)next(p, BANKS);

	if (g->bank_busy) {
		return;
	}
	g->bank_busy = true;
	if (next(p, 2) == 0) {
		allow_busy(g, "offline", z_pager_bank_offline(g->w->pager, bank));
		verify(g, p, 0);
		expect_ok(g, "online", z_pager_bank_online(g->w->pager, bank));
	} else {
		allow_busy(g, "fewer", z_pager_set_frames(g->w->pager, FRAMES - 4));
		verify(g, p, 0);
		expect_ok(g, "more", z_pager_set_frames(g->w->pager, FRAMES));
	}
	g->bank_busy = false;
}

static void step(struct game *g, struct player *p)
{
	struct z_pager *pager = g->w->pager;
	uint64_t page = next(p, PAGES);
	const char *what = NULL;

	switch (next(p, 20)) {
	case 0:
		map_again(g, p);
		break;
	case 1:
		read_only_for_a_while(g, p, page);
		break;
	case 2:
		pinned_for_a_while(g, p, page);
		break;
	case 3:
		drop(g, p, page);
		break;
	case 4:
		play_with_banks(g, p);
		break;
	case 5:
		allow_busy(g, "page_out", z_pager_page_out(pager, p->va, PAGES, NULL));
		break;
	case 6:
		expect_ok(g, "page_in", z_pager_page_in(pager, p->va, 3, NULL));
		break;
	case 7:
		evict_any(g, p);
		break;
	case 8:
		allow_busy(g, "reclaim", z_pager_reclaim(pager, 3));
		break;
	case 9:
		if (z_pager_check(pager, Z_CHECK_PAGES, &what) != 0) {
			fail_msg("seed %llu: %s", (unsigned long long)g->seed, what);
		}
		break;
	case 10:
	case 11:
	case 12:
		write_page(g, p, page);
		break;
	case 13:
	case 14:
	case 15:
		verify(g, p, page);
		break;
	case 16:
		allow_busy(g, "page_out", z_pager_page_out(pager, g->shared, SHARED, NULL));
		break;
	default:
		write_shared(g, p);
		break;
	}
}

static void play(struct z_sim *sim, void *arg)
{
	struct game *g = arg;
	struct player *p = &g->player[z_sim_cpu(sim)];

	for (unsigned int i = 0; i < STEPS; i++) {
		step(g, p);
	}
	for (uint64_t page = 0; page < PAGES; page++) {
		verify(g, p, page);
	}
}

/* What all games together have met: else they test less than they say. */
static struct z_stats met;

static void count_met(struct sim_world *w)
{
	struct z_stats stats = sim_world_stats(w);

	met.fault_waits += stats.fault_waits;
	met.failed_evictions += stats.failed_evictions;
	met.pages_dropped += stats.pages_dropped;
	met.pages_written += stats.pages_written;
	met.refaults += stats.refaults;
}

static void all_was_met(void **state)
{
	(void)state;
	assert_true(met.fault_waits > 1000);
	assert_true(met.failed_evictions > 100);
	assert_true(met.pages_dropped > 1000);
	assert_true(met.pages_written > 1000);
	assert_true(met.refaults > 1000);
}

static void play_once(const struct sim_world_params *params, uint64_t seed, bool hostile)
{
	struct game g = {.w = sim_world_open(params), .seed = seed};

	for (unsigned int i = 0; i < CPUS; i++) {
		g.player[i].random = seed * CPUS + i;
		g.player[i].va = sim_world_map(g.w, PAGES, SIM_WORLD_RW, 0);
	}
	if (hostile) {
		z_sim_inject(g.w->sim, Z_SIM_POINT_DETACH, 5 + seed % 7, 2, Z_ERR_BUSY);
		z_sim_inject(g.w->sim, Z_SIM_POINT_UNLOCK, 9 + seed, 200, 0);
	}
	g.shared = sim_world_map(g.w, SHARED, SIM_WORLD_RW, 0);
	sim_world_run(g.w, play, &g, CPUS, seed);
	sim_world_check(g.w);
	count_met(g.w);
	sim_world_close(g.w);
}

static struct sim_world_params params_of(uint64_t seed)
{
	size_t algorithms = 0;

	while (z_eviction_at(algorithms) != NULL) {
		algorithms++;
	}
	return (struct sim_world_params){
		.frames = FRAMES,
		.banks = BANKS,
		.cpus = CPUS,
		.eviction = z_eviction_at(seed % algorithms)->name,
		.batch = seed & 1 ? 4 : 1,
		.low_water = seed & 2 ? 3 : 0,
		.ahead = seed & 8 ? 8 : 0,
		.soft_ad = (seed & 4) != 0,
		.keep_lock_for_io = (seed & 24) == 24,
		.scratch_slots = seed & 32 ? 1 : 8,
		.early_wakeups = (seed & 64) != 0,
		.tlb_entries = seed & 128 ? 2 : 16,
		.ghosts = 32,
		.events = 64,
	};
}

static void everything_at_once(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 256; seed++) {
		struct sim_world_params params = params_of(seed);

		play_once(&params, seed, false);
	}
}

static void everything_at_once_with_busy_pages(void **state)
{
	(void)state;
	for (uint64_t seed = 1000; seed < 1128; seed++) {
		struct sim_world_params params = params_of(seed);

		play_once(&params, seed, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_at_once),
		cmocka_unit_test(everything_at_once_with_busy_pages),
		cmocka_unit_test(all_was_met),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
