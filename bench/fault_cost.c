/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_cost.c - faults on the simulator with as many frames as wanted, for an instruction counter:
 *
 *   fault_cost ALGORITHM FRAMES FAULTS [AHEAD]
 *
 * Every frame holds a page from the start (an image), so that 10^6 frames cost no memory. Each
 * fault reads a page from the store and evicts another; between two faults a few resident pages are
 * used. The store keeps nothing. With few faults, no more than a quarter of the frames, machines of
 * every size are in the same state: half of the frames are in use, and nothing has gone round yet.
 * scripts/fault_cost.sh counts what z_pager_fault() costs. AHEAD: pages read ahead at most, 0 if it is not
 * given; faults are at random, so it says what looking for scans costs those that are none.
 *
 * Locks: none, one simulated CPU.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zpager/pager.h>

#include "../arch/sim/sim.h"

#define VM_BASE  ((uintptr_t)0x200000000000)
#define RAM_BASE ((uintptr_t)0x40000000)
#define OUT_SIZE 128U
#define EVENTS   8U
#define HITS     1

/* ---- a store that keeps nothing: what it costs is known by the names of its functions ---------- */

struct null_store {
	struct z_store store;
	uintptr_t next;
	uint64_t used;
};

static int null_location_get(struct z_store *store, struct z_page_frame *pf, enum z_store_want want,
			     z_loc_t *loc_out)
{
	struct null_store *null = (struct null_store *)store;

	(void)pf;
	(void)want;
	*loc_out = z_loc(null->next);
	null->next += Z_PAGE_SIZE;
	null->used++;
	return Z_OK;
}

static void null_location_free(struct z_store *store, z_loc_t loc)
{
	(void)loc;
	((struct null_store *)store)->used--;
}

static int null_page_out(struct z_store *store, z_loc_t loc, const void *page)
{
	(void)store;
	(void)loc;
	(void)page;
	return Z_OK;
}

static int null_page_in(struct z_store *store, z_loc_t loc, void *page)
{
	(void)store;
	(void)loc;
	(void)page;
	return Z_OK;
}

static void null_page_finalize(struct z_store *store, struct z_page_frame *pf, z_loc_t loc)
{
	(void)pf;
	null_location_free(store, loc);
}

static void null_stats(struct z_store *store, struct z_store_stats *out)
{
	*out = (struct z_store_stats){.capacity_pages = UINT32_MAX,
				      .used_pages = ((struct null_store *)store)->used};
}

static const struct z_store_ops null_ops = {
	.name = "null",
	.location_get = null_location_get,
	.location_free = null_location_free,
	.page_out = null_page_out,
	.page_in = null_page_in,
	.page_finalize = null_page_finalize,
	.stats = null_stats,
};

/* ---- the machine ------------------------------------------------------------------------------- */

static struct null_store store = {.store = {.ops = &null_ops, .caps = Z_STORE_PARALLEL}};
static struct z_sim *sim;
static struct z_pager *pager;
static uintptr_t out[OUT_SIZE]; /* pages that are in the store */

static void check(int good, const char *what)
{
	if (!good) {
		fprintf(stderr, "fault_cost: %s\n", what);
		exit(1);
	}
}

static uintptr_t page(size_t i)
{
	return VM_BASE + (i + 1) * Z_PAGE_SIZE;
}

static void map_image(struct z_page_frame *frames, uint32_t n)
{
	const struct z_arch_ops *arch = z_sim_arch(sim);
	z_key_t key = z_sim_env(sim)->lock(sim);
	int err = arch->map(sim, page(0), n, Z_ACCESS_READ | Z_ACCESS_WRITE);

	for (uint32_t i = 0; i < n && err == 0; i++) {
		struct z_page_op op = {.va = page(i), .phys = z_phys(RAM_BASE + i * Z_PAGE_SIZE)};

		arch->hold(sim, op.va, op.phys);
		err = (int)arch->attach(sim, &op, 1, Z_ATTACH_CLEAN);
		frames[i].flags = Z_PAGE_FRAME_MAPPED;
		frames[i].addr = (void *)op.va;
	}
	z_sim_env(sim)->unlock(sim, key);
	check(err == 0, "the image cannot be mapped");
}

static void make(const struct z_eviction_ops *eviction, uint32_t n, uint32_t ahead)
{
	struct z_sim_config machine = {.frames = n,
				       .ram_base = RAM_BASE,
				       .vm_base = VM_BASE,
				       .vm_pages = (size_t)n + OUT_SIZE + 8,
				       .keep_frames = true};
	struct z_pager_config config = {.eviction = eviction,
					.store = &store.store,
					.nframes = n,
					.ram_base = RAM_BASE,
					.vm_base = VM_BASE,
					.vm_pages = machine.vm_pages,
					.max_regions = 8,
					.batch = 1,
					.ahead = ahead,
					.events = EVENTS,
					.ghosts = 1024,
					.unlock_for_io = true,
					.image_va = page(0),
					.image_pages = n};
	void *memory;

	check(z_sim_create(&machine, &sim) == 0, "no memory for the machine");
	config.arch = z_sim_arch(sim);
	config.arch_ctx = sim;
	config.env = z_sim_env(sim);
	config.env_ctx = sim;
	config.frames = calloc(n, sizeof(struct z_page_frame));
	check(config.frames != NULL, "no memory for the frames");
	map_image(config.frames, n);
	memory = aligned_alloc(64, (z_pager_bytes(&config) + 63) / 64 * 64);
	check(memory != NULL, "no memory for the pager");
	memset(memory, 0, z_pager_bytes(&config));
	check(z_pager_create(&config, memory, &pager) == 0, "no pager");
	z_sim_attach_pager(sim, pager);
}

/* The page that left last. */
static uintptr_t victim(void)
{
	const struct z_event *events;
	uint64_t last = 0;
	uintptr_t va = 0;
	uint32_t size;

	events = z_pager_events(pager, &size);
	for (uint32_t i = 0; i < size; i++) {
		if ((events[i].kind == Z_EVENT_PAGE_OUT || events[i].kind == Z_EVENT_DROP) &&
		    events[i].sequence > last) {
			last = events[i].sequence;
			va = events[i].va;
		}
	}
	return va;
}

static void touch(uintptr_t va, bool write)
{
	unsigned int access = write ? Z_ACCESS_WRITE : Z_ACCESS_READ;

	check(z_sim_access(sim, va, access, NULL, 1) == Z_SIM_OK, "an access failed");
}

static void run(uint32_t n, uint64_t faults)
{
	for (uint64_t i = 0; i < faults; i++) {
		size_t which = z_sim_random(sim) % OUT_SIZE;

		touch(out[which], i % 2 == 0);
		out[which] = victim();
		for (int hit = 0; hit < HITS; hit++) {
			uintptr_t va = page(z_sim_random(sim) % n);

			if (z_sim_entry(sim, va).kind == Z_ENTRY_IN) {
				touch(va, hit == 0);
			}
		}
	}
}

/* Every frame was in use once, and OUT_SIZE pages are out. */
static void warm_up(uint32_t n)
{
	uintptr_t va = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (z_sim_random(sim) % 2 == 0) {
			touch(page(i), z_sim_random(sim) % 2 == 0);
		}
	}
	check(z_pager_map(pager, OUT_SIZE, Z_ACCESS_READ | Z_ACCESS_WRITE, 0, 1, &va) == 0,
	      "no room for pages");
	for (size_t i = 0; i < OUT_SIZE; i++) {
		touch(va + i * Z_PAGE_SIZE, true);
		out[i] = victim();
	}
}

int main(int argc, char **argv)
{
	const struct z_eviction_ops *eviction = argc >= 4 ? z_eviction_find(argv[1]) : NULL;
	uint32_t n = argc >= 4 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0;
	uint64_t faults = argc >= 4 ? strtoull(argv[3], NULL, 0) : 0;
	uint32_t ahead = argc == 5 ? (uint32_t)strtoul(argv[4], NULL, 0) : 0;
	struct z_stats before;
	struct z_stats after;

	if (eviction == NULL || n < 16) {
		fprintf(stderr, "usage: fault_cost ALGORITHM FRAMES FAULTS [AHEAD]\n");
		return 2;
	}
	make(eviction, n, ahead);
	warm_up(n);
	z_pager_stats(pager, &before);
	run(n, faults);
	z_pager_stats(pager, &after);
	check(z_sim_errors(sim) == 0, z_sim_error_text(sim));
	printf("%llu faults before, %llu after, %llu read\n", (unsigned long long)before.pagefaults,
	       (unsigned long long)after.pagefaults, (unsigned long long)after.pages_read);
	return 0;
}
