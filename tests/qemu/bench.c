/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.c - how many faults an algorithm takes for a string of references, beside the fewest possible.
 *
 * Workloads, for n frames:
 *   scan  1.5 n pages read in turn, 8 times: every page goes just before it is needed, so that an
 *         algorithm that goes by age alone faults at every reference
 *   mix   2 n pages, 80 of 100 references to a fifth of them, drawn by a fixed seed; every fourth writes
 *
 * The optimum is L. Belady's ("A Study of Replacement Algorithms for Virtual-Storage Computer", 1966):
 * the page that goes is the one whose next use is farthest. Next uses come from one walk over the
 * string from its end; then each miss looks at all frames, which is good enough for a few thousand.
 *
 * Lines: `SCAN algorithm workload frames=n: faults, optimum, references`. That no algorithm is below the
 * optimum, and none at more faults than references, is asserted; the optimum itself is checked against
 * a loop of one page more than frames, whose figure is known by reasoning.
 */
#include "rig.h"

#include <cmocka.h>

#define SCAN_TURNS 8U
#define MIX_REFS   24U /* a frame */
#define NEVER      UINT32_MAX

struct refs {
	uint32_t *page;
	uint32_t *next; /* of the same page, NEVER if there is none */
	uint32_t n;
	uint32_t pages;
};

struct workload {
	const char *name;
	uint32_t (*pages)(uint32_t frames);
	uint32_t (*count)(uint32_t frames);
	void (*make)(struct refs *r);
};

static const uint32_t frame_counts[] = {64, 256};
static const char *const algorithms[] = {"nru",    "clock",    "lru",   "sieve",
					 "s3fifo", "clockpro", "mglru", "learned"};
static const struct workload *workload;

/* ---- the strings ----------------------------------------------------------------------------------- */

static uint32_t scan_pages(uint32_t frames)
{
	return frames + frames / 2;
}

static uint32_t scan_count(uint32_t frames)
{
	return scan_pages(frames) * SCAN_TURNS;
}

static void make_scan(struct refs *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		r->page[i] = i % r->pages;
}

static uint32_t mix_pages(uint32_t frames)
{
	return 2 * frames;
}

static uint32_t mix_count(uint32_t frames)
{
	return MIX_REFS * frames;
}

/* The hot fifth is spread over the pages, so that it is no range. */
static void make_mix(struct refs *r)
{
	uint64_t seed = 88172645463325252U;

	for (uint32_t i = 0; i < r->n; i++) {
		uint32_t draw;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		draw = (uint32_t)(seed >> 32);
		if (draw % 100 < 80)
			r->page[i] = draw / 100 % (r->pages / 5) * 5;
		else
			r->page[i] = draw / 100 % r->pages;
	}
}

static const struct workload workloads[] = {
	{"scan", scan_pages, scan_count, make_scan},
	{"mix", mix_pages, mix_count, make_mix},
};

static struct refs refs_make(uint32_t frames)
{
	struct refs r = {.n = workload->count(frames), .pages = workload->pages(frames)};

	r.page = kernel_alloc(r.n * sizeof(uint32_t));
	r.next = kernel_alloc(r.n * sizeof(uint32_t));
	assert_non_null(r.page);
	assert_non_null(r.next);
	workload->make(&r);
	return r;
}

static void refs_free(struct refs *r)
{
	kernel_free(r->page, r->n * sizeof(uint32_t));
	kernel_free(r->next, r->n * sizeof(uint32_t));
}

/* ---- the optimum ----------------------------------------------------------------------------------- */

static void find_next_uses(struct refs *r)
{
	uint32_t *seen = kernel_alloc(r->pages * sizeof(uint32_t));

	assert_non_null(seen);
	for (uint32_t page = 0; page < r->pages; page++)
		seen[page] = NEVER;
	for (uint32_t i = r->n; i-- > 0;) {
		r->next[i] = seen[r->page[i]];
		seen[r->page[i]] = i;
	}
	kernel_free(seen, r->pages * sizeof(uint32_t));
}

/* What a frame holds: the page, and when it is used next. */
struct held {
	uint32_t page;
	uint32_t next;
};

/* Where the page is; else an empty place, else where the farthest next use is. */
static uint32_t find_place(const struct held *held, uint32_t used, uint32_t frames, uint32_t page)
{
	uint32_t farthest = 0;

	for (uint32_t i = 0; i < used; i++) {
		if (held[i].page == page)
			return i;
		if (held[i].next > held[farthest].next)
			farthest = i;
	}
	return used < frames ? used : farthest;
}

static uint32_t optimum(struct refs *r, uint32_t frames)
{
	struct held *held = kernel_alloc(frames * sizeof(*held));
	uint32_t used = 0;
	uint32_t faults = 0;

	assert_non_null(held);
	find_next_uses(r);
	for (uint32_t i = 0; i < r->n; i++) {
		uint32_t at = find_place(held, used, frames, r->page[i]);

		if (at == used)
			used++;
		else if (held[at].page == r->page[i])
			faults--;
		faults++;
		held[at] = (struct held){r->page[i], r->next[i]};
	}
	kernel_free(held, frames * sizeof(*held));
	return faults;
}

/* ---- the run --------------------------------------------------------------------------------------- */

static uint32_t faults_of(const struct refs *r, const struct rig_config *config)
{
	struct z_stats stats;
	struct rig rig;

	rig_open(&rig, config);
	for (uint32_t i = 0; i < r->n; i++) {
		if (workload->make == make_mix && i % 4 == 0)
			world_set_word(rig_page(&rig, r->page[i]), i);
		else
			(void)world_word(rig_page(&rig, r->page[i]));
	}
	z_pager_stats(rig.pager, &stats);
	rig_close(&rig);
	return (uint32_t)stats.pagefaults;
}

static void compare(uint32_t frames)
{
	struct refs r = refs_make(frames);
	uint32_t fewest = optimum(&r, frames);

	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		const struct rig_config config = {.eviction = algorithms[i],
						  .frames = frames,
						  .pages = r.pages,
						  .unlock_for_io = true,
						  .copies = true};
		uint32_t faults;

		if (!rig_fits(&config))
			continue;
		faults = faults_of(&r, &config);
		kernel_print("SCAN %s %s frames=%u: faults %u, optimum %u, references %u\n",
			     algorithms[i], workload->name, (unsigned int)frames,
			     (unsigned int)faults, (unsigned int)fewest, (unsigned int)r.n);
		assert_true(faults >= fewest);
		assert_true(faults <= r.n);
	}
	refs_free(&r);
}

static void against_the_optimum(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(frame_counts) / sizeof(frame_counts[0]); i++)
		compare(frame_counts[i]);
}

/* A loop of n + 1 pages in n frames: n + 1 faults to begin with, then one in each n references. */
static void optimum_of_a_loop(void **state)
{
	const uint32_t frames = 9;
	struct refs r = {.n = 91, .pages = 10};

	(void)state;
	r.page = kernel_alloc(r.n * sizeof(uint32_t));
	r.next = kernel_alloc(r.n * sizeof(uint32_t));
	make_scan(&r);
	assert_int_equal(optimum(&r, frames), 10 + 9);
	refs_free(&r);
}

void test_bench(void)
{
	const struct CMUnitTest check[] = {cmocka_unit_test(optimum_of_a_loop)};
	const struct CMUnitTest run[] = {cmocka_unit_test(against_the_optimum)};

	(void)cmocka_run_group_tests_name("optimum", check, NULL, NULL);
	for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
		workload = &workloads[i];
		(void)cmocka_run_group_tests_name(workload->name, run, NULL, NULL);
	}
}
