/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.c - one number from the user, divided: metadata first, the rest is page frames; what the
 * store and the page table take while running is taken out of the frames.
 *
 * Theory. The metadata of n frames grows with n, so n is found by lowering it until all fits. Frames
 * lent to the store are the core's charge; the page table (8 bytes a page) is charged the same way, in
 * whole pages, as pages are touched (table.h). Unless the user overcommits, what it may still come to is kept
 * free of the store's hand and of a lower budget. The store is held to three quarters of the budget, so that something is
 * left to work with.
 *
 * Locks: none; atomics. What a store charges while it is being opened is noted, and charged to the
 * pager as soon as that exists.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "instance.h"

#define FRAMES_LEAST    16U
#define FRAMES_KEPT     4U  /* z_pager_charge() leaves as many */
#define RESERVE_SHARE   32U /* of the frames leave in one batch at most */
#define RESERVE_MOST    512U
#define REGIONS_COUNTED 256U
#define STACK_TOUCHED   ((size_t)32 * 1024) /* of the monitor thread's stack */

static uint32_t power_of_two_below(uint32_t n)
{
	return n == 0 ? 0 : UINT32_C(1) << (31 - __builtin_clz(n));
}

/*
 * What leaves together, leaves with one shoot-down, and that is the dearest part of leaving: but what waits
 * to be used again is missing to the program.
 */
static uint32_t reserve_batch(uint32_t nframes)
{
	uint32_t share = nframes / RESERVE_SHARE;

	return share < RESERVE_MOST ? share : RESERVE_MOST;
}

/*
 * A pager pads the page that it compares contents in, for memory that is aligned to 64 only. Ours begins
 * with a page, and the padding is never touched.
 */
#define PADDING (Z_PAGE_SIZE - 64U)

/* The metadata of config->nframes frames, in bytes. Unused regions and padding have no RAM. */
static size_t metadata_of(struct zpager *z, struct z_pager_config *config)
{
	uint32_t regions = config->max_regions;

	config->ghosts = power_of_two_below(config->nframes);
	config->reserve_batch = reserve_batch(config->nframes);
	z->memory_bytes = z_pager_bytes(config);
	config->max_regions = REGIONS_COUNTED;
	size_t counted = z_pager_bytes(config) - PADDING;
	config->max_regions = regions;
	return counted + config->nframes * sizeof(struct z_page_frame) +
	       zl_port_fixed_bytes(z->mechanism, config->nframes, config->reserve_batch) +
	       STACK_TOUCHED + sizeof(struct zpager) + Z_PAGE_SIZE;
}

int zl_budget_frames(struct zpager *z, struct z_pager_config *config, char *text, size_t text_bytes)
{
	struct zl_budget *b = &z->budget;
	uint64_t frames = b->open_bytes / Z_PAGE_SIZE;
	uint64_t bytes = 0;

	b->ram_bytes = b->open_bytes;
	frames = frames < UINT32_MAX / 2 ? frames : UINT32_MAX / 2;
	for (; frames >= FRAMES_LEAST; frames -= bytes / Z_PAGE_SIZE + 1) {
		config->nframes = (uint32_t)frames;
		b->fixed_bytes = metadata_of(z, config);
		bytes = b->fixed_bytes + frames * Z_PAGE_SIZE;
		if (bytes <= b->open_bytes) {
			b->nframes = config->nframes;
			return 0;
		}
		bytes -= b->open_bytes;
		if (bytes / Z_PAGE_SIZE + 1 >= frames) {
			break;
		}
	}
	(void)snprintf(text, text_bytes,
		       "a budget of %llu KiB leaves no page frames beside the metadata: give at "
		       "least 1 MiB",
		       (unsigned long long)(b->open_bytes >> 10));
	return Z_ERR_INVAL;
}

static void note_in_service(struct zpager *z)
{
	const struct zl_budget *b = &z->budget;
	uint32_t out = b->store + b->table + b->put_aside;

	atomic_store_explicit(&z->port.in_service, out < b->nframes ? b->nframes - out : 1,
			      memory_order_relaxed);
}

/* Leaves of the page table that must be there when they are needed. */
static uint32_t promised(const struct zpager *z)
{
	return z->budget.overcommit == 0 ? z->port.table.later : 0;
}

/* How much store and page table may be charged together. */
static uint32_t room(const struct zpager *z)
{
	const struct zl_budget *b = &z->budget;
	uint64_t kept = (uint64_t)promised(z) + b->put_aside + FRAMES_KEPT;

	if (b->overcommit != 0) {
		return UINT32_MAX;
	}
	return kept < b->nframes ? (uint32_t)(b->nframes - kept) : 0;
}

static int charge_store(void *ctx, size_t pages)
{
	struct zpager *z = ctx;
	struct zl_budget *b = &z->budget;

	if (pages > b->store_limit) {
		return Z_ERR_NOSPC;
	}
	uint32_t n = (uint32_t)pages;
	if (z->pager == NULL) {
		if (b->store > b->store_limit - n) {
			return Z_ERR_NOSPC;
		}
	} else if (z_pager_charge(z->pager, n, b->store_limit + b->table) != 0) {
		return Z_ERR_NOSPC;
	}
	atomic_fetch_add(&b->store, n);
	/* After it is noted: a promise made meanwhile has seen it, or is seen here. */
	if (z->pager != NULL && b->store + b->table > room(z)) {
		atomic_fetch_sub(&b->store, n);
		z_pager_uncharge(z->pager, n);
		return Z_ERR_NOSPC;
	}
	note_in_service(z);
	zl_staging_came(&z->port, n);
	return 0;
}

static void uncharge_store(void *ctx, size_t pages)
{
	struct zpager *z = ctx;

	atomic_fetch_sub(&z->budget.store, (uint32_t)pages);
	if (z->pager != NULL) {
		z_pager_uncharge(z->pager, (uint32_t)pages);
	}
	note_in_service(z);
}

static void *alloc_pages(void *ctx, size_t bytes)
{
	(void)ctx;
	return zl_pages_alloc(bytes);
}

static void free_pages(void *ctx, void *memory, size_t bytes)
{
	(void)ctx;
	if (memory != NULL) {
		munmap(memory, bytes);
	}
}

void zl_budget_env(struct zpager *z, struct z_store_env *env)
{
	uint64_t pages = z->budget.open_bytes / Z_PAGE_SIZE;

	z->budget.store_limit = (uint32_t)(pages / 4 * 3);
	*env = (struct z_store_env){.ctx = z,
				    .alloc = alloc_pages,
				    .free = free_pages,
				    .charge = charge_store,
				    .uncharge = uncharge_store};
}

int zl_budget_begin(struct zpager *z)
{
	uint32_t noted = z->budget.store;

	note_in_service(z);
	return noted == 0 ? 0 : z_pager_charge(z->pager, noted, UINT32_MAX);
}

/* ---- the page table ------------------------------------------------------------------------- */

static int take_for_table(void *ctx, uint32_t pages)
{
	struct zpager *z = ctx;

	if (z_pager_charge(z->pager, pages, UINT32_MAX) != 0) {
		return Z_ERR_NOMEM;
	}
	z->budget.table += pages;
	note_in_service(z);
	zl_staging_came(&z->port, pages);
	return 0;
}

static void take_for_table_anyway(void *ctx, uint32_t pages)
{
	struct zpager *z = ctx;

	if (take_for_table(ctx, pages) != 0) {
		z->budget.unpaid += pages;
	}
}

static void give_of_table(void *ctx, uint32_t pages)
{
	struct zpager *z = ctx;
	struct zl_budget *b = &z->budget;
	uint32_t unpaid = pages < b->unpaid ? pages : b->unpaid;

	b->unpaid -= unpaid;
	b->table -= pages - unpaid;
	z_pager_uncharge(z->pager, pages - unpaid);
	note_in_service(z);
}

/* What is promised counts already. */
static int promise_for_table(void *ctx)
{
	const struct zpager *z = ctx;

	return z->budget.store + z->budget.table <= room(z) ? 0 : Z_ERR_NOMEM;
}

void zl_budget_purse(struct zpager *z, struct zl_purse *purse)
{
	*purse = (struct zl_purse){.take = take_for_table,
				   .take_anyway = take_for_table_anyway,
				   .give = give_of_table,
				   .promise = promise_for_table,
				   .ctx = z};
}

/* ---- figures, and another budget ------------------------------------------------------------ */

uint64_t zl_budget_metadata(const struct zpager *z)
{
	return z->budget.fixed_bytes + (uint64_t)z->port.table.taken * Z_PAGE_SIZE;
}

int zl_budget_set(struct zpager *z, uint64_t ram_bytes)
{
	struct zl_budget *b = &z->budget;

	if (ram_bytes > b->open_bytes) {
		return zl_fail(z, Z_ERR_INVAL,
			       "the budget cannot grow past what it was at open (%llu KiB)",
			       (unsigned long long)(b->open_bytes >> 10));
	}
	uint64_t taken = b->fixed_bytes + (FRAMES_LEAST + (uint64_t)promised(z)) * Z_PAGE_SIZE;
	if (ram_bytes < taken) {
		return zl_fail(z, Z_ERR_INVAL,
			       "a budget of %llu KiB is too small: the metadata takes %llu KiB",
			       (unsigned long long)(ram_bytes >> 10),
			       (unsigned long long)(taken >> 10));
	}
	uint64_t frames = (ram_bytes - b->fixed_bytes) / Z_PAGE_SIZE;
	frames = frames < b->nframes ? frames : b->nframes;
	uint32_t old = atomic_exchange(&b->put_aside, b->nframes - (uint32_t)frames);
	note_in_service(z);
	int error = z_pager_set_frames(z->pager, (uint32_t)frames);
	zl_staging_came(&z->port, b->nframes - frames);
	if (error == Z_ERR_INVAL) {
		atomic_store(&b->put_aside, old);
		note_in_service(z);
		return zl_fail(z, error,
			       "a budget of %llu KiB is too small: the store holds %llu KiB of it",
			       (unsigned long long)(ram_bytes >> 10),
			       (unsigned long long)b->store * Z_PAGE_SIZE >> 10);
	}
	b->ram_bytes = ram_bytes;
	z_key_t key = zl_env_ops.lock(&z->port.env);
	zl_move_trim(&z->port, z->frames);
	zl_env_ops.unlock(&z->port.env, key);
	if (error != 0) {
		return zl_fail(z, error, "the budget was lowered, but not all of it was freed: %s",
			       z_strerror(error));
	}
	return 0;
}
