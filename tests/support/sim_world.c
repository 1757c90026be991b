/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_world.c - making and taking apart a simulated world. See sim_world.h.
 *
 * The window lies at CONFIG_KERNEL_VM_BASE; its addresses are simulated, so it may be larger than
 * CONFIG_KERNEL_VM_SIZE. The store is opened before the pager: what it charges by then is kept and
 * charged when the pager is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim_world.h"

#define PAGER_ALIGN ((size_t)64)

static void defaults(struct sim_world_params *p)
{
	p->frames = p->frames ? p->frames : 4;
	p->vm_pages = p->vm_pages ? p->vm_pages : 256;
	p->banks = p->banks ? p->banks : 1;
	p->max_regions = p->max_regions ? p->max_regions : 32;
	p->eviction = p->eviction ? p->eviction : "nru";
	p->batch = p->batch ? p->batch : 1;
	p->cpus = p->cpus ? p->cpus : 1;
	p->scratch_slots = p->scratch_slots ? p->scratch_slots : 8;
}

/* ---- charging: the store's RAM, if it counts ---- */

static int world_charge(void *ctx, size_t pages)
{
	struct sim_world *w = ctx;

	if (w->pager != NULL) {
		return z_pager_charge(w->pager, (uint32_t)pages, w->params.frames);
	}
	w->charged_early += (uint32_t)pages;
	return 0;
}

static void world_uncharge(void *ctx, size_t pages)
{
	struct sim_world *w = ctx;

	if (w->pager != NULL) {
		z_pager_uncharge(w->pager, (uint32_t)pages);
	}
}

static void *world_alloc(void *ctx, size_t bytes)
{
	struct sim_world *w = ctx;

	return z_sim_alloc(w->sim, bytes);
}

static void world_free(void *ctx, void *memory, size_t bytes)
{
	struct sim_world *w = ctx;

	z_sim_free(w->sim, memory, bytes);
}

/* ---- making ---- */

static int make_sim(struct sim_world *w)
{
	const struct sim_world_params *p = &w->params;
	struct z_sim_config config = {
		.frames = p->frames,
		.ram_base = SIM_WORLD_RAM,
		.vm_base = SIM_WORLD_VM,
		.vm_pages = p->vm_pages,
		.cpus = p->cpus,
		.tlb_entries = p->tlb_entries,
		.scratch_slots = p->scratch_slots,
		.scratch_address = p->scratch_slots == 1 ? SIM_WORLD_SCRATCH : 0,
		.direct_save = p->direct_save,
		.soft_ad = p->soft_ad,
		.keep_frames = p->keep_frames,
		.lock_kept_for_io = p->keep_lock_for_io,
		.early_wakeups = p->early_wakeups,
		.switch_percent = p->switch_percent,
		.seed = p->seed,
	};

	if (p->costs != NULL) {
		config.timed = true;
		config.hook_ns = p->costs->hook;
		config.access_ns = p->costs->access;
		config.locked_ns = p->costs->locked;
		config.place_ns = p->costs->place;
		config.vacate_ns = p->costs->vacate;
		config.detach_ns = p->costs->detach;
	}
	int err = z_sim_create(&config, &w->sim);

	if (err == 0) {
		z_sim_inject(w->sim, Z_SIM_POINT_ALLOC, p->fail_alloc, 1, Z_ERR_NOMEM);
	}
	return err;
}

static int make_store(struct sim_world *w)
{
	const struct sim_world_params *p = &w->params;
	struct z_store *inner = w->store;
	char uri[64];
	int err;

	snprintf(uri, sizeof(uri), "ram:size=%zu", (p->vm_pages + 2) * Z_PAGE_SIZE);
	w->store_env = (struct z_store_env){
		.ctx = w,
		.alloc = world_alloc,
		.free = world_free,
		.charge = p->charge ? world_charge : NULL,
		.uncharge = p->charge ? world_uncharge : NULL,
	};
	if (inner == NULL) {
		err = z_store_open(p->store != NULL ? p->store : uri, &w->store_env, w->text,
				   sizeof(w->text), &inner);
		if (err != 0) {
			return err;
		}
	}
	w->store = p->wrap_store != NULL ? p->wrap_store(p->wrap_arg, inner) : inner;
	if (w->store == NULL) {
		w->store = inner;
		return Z_ERR_NOMEM;
	}
	return 0;
}

static int make_frames(struct sim_world *w)
{
	w->frames = calloc(w->params.frames, sizeof(*w->frames));
	if (w->frames == NULL) {
		return Z_ERR_NOMEM;
	}
	for (uint32_t i = 0; i < w->params.nholes; i++) {
		w->frames[w->params.holes[i]].flags = Z_PAGE_FRAME_RESERVED;
	}
	return 0;
}

static int make_pager(struct sim_world *w)
{
	const struct sim_world_params *p = &w->params;
	size_t bytes;
	int err;

	w->config = (struct z_pager_config){
		.arch = z_sim_arch(w->sim),
		.arch_ctx = w->sim,
		.env = z_sim_env(w->sim),
		.env_ctx = w->sim,
		.eviction =
			p->eviction_ops != NULL ? p->eviction_ops : z_eviction_find(p->eviction),
		.store = w->store,
		.frames = w->frames,
		.nframes = p->frames,
		.frames_per_bank = (p->frames + p->banks - 1) / p->banks,
		.ram_base = SIM_WORLD_RAM,
		.vm_base = SIM_WORLD_VM,
		.vm_pages = p->vm_pages,
		.max_regions = p->max_regions,
		.batch = p->batch,
		.low_water = p->low_water,
		.reserve_batch = p->reserve_batch,
		.ahead = p->ahead,
		.ghosts = p->ghosts,
		.events = p->events,
		.unlock_for_io = !p->keep_lock_for_io,
		.commit = p->commit,
	};
	bytes = (z_pager_bytes(&w->config) + PAGER_ALIGN - 1) & ~(PAGER_ALIGN - 1);
	if (bytes == 0) {
		return Z_ERR_INVAL;
	}
	w->memory = aligned_alloc(PAGER_ALIGN, bytes);
	if (w->memory == NULL) {
		return Z_ERR_NOMEM;
	}
	memset(w->memory, 0, bytes);
	err = z_pager_create(&w->config, w->memory, &w->pager);
	if (err == 0 && w->charged_early > 0) {
		err = z_pager_charge(w->pager, w->charged_early, p->frames);
	}
	return err;
}

void sim_world_abandon(struct sim_world *w)
{
	if (w->store != NULL) {
		w->pager = NULL;
		w->store->ops->close(w->store);
	}
	z_sim_destroy(w->sim);
	free(w->memory);
	free(w->frames);
	free(w);
}

static int world_make(struct sim_world *w)
{
	int err = make_sim(w);

	if (err == 0) {
		err = make_store(w);
	}
	if (err == 0) {
		err = make_frames(w);
	}
	if (err == 0) {
		err = make_pager(w);
	}
	return err;
}

int sim_world_try_open(const struct sim_world_params *params, struct sim_world **out)
{
	struct sim_world *w = calloc(1, sizeof(*w));
	int err;

	if (w == NULL) {
		return Z_ERR_NOMEM;
	}
	w->params = *params;
	w->store = params->given_store;
	defaults(&w->params);
	err = world_make(w);
	if (err != 0) {
		sim_world_abandon(w);
		return err;
	}
	z_sim_attach_pager(w->sim, w->pager);
	w->used_early = sim_world_store_stats(w).used_pages;
	*out = w;
	return 0;
}

struct sim_world *sim_world_open(const struct sim_world_params *params)
{
	struct sim_world *w = NULL;
	int err = sim_world_try_open(params, &w);

	if (err != 0) {
		fail_msg("sim_world_open: %s", z_strerror(err));
	}
	return w;
}

/* ---- checking ---- */

static const char *problem(struct sim_world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static const char *problem(struct sim_world *w, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(w->text, sizeof(w->text), format, arguments);
	va_end(arguments);
	return w->text;
}

static const char *sim_problem(struct sim_world *w)
{
	if (z_sim_errors(w->sim) == 0) {
		return NULL;
	}
	return problem(w, "%u errors of the machine, first: %s", z_sim_errors(w->sim),
		       z_sim_error_text(w->sim));
}

const char *sim_world_problem(struct sim_world *w, enum z_check_level level)
{
	const char *what = NULL;
	int number;

	if (z_sim_errors(w->sim) != 0) {
		return sim_problem(w);
	}
	number = z_pager_check(w->pager, level, &what);
	if (number != 0) {
		return problem(w, "invariant %d: %s", number, what);
	}
	if (z_sim_scratch_used(w->sim) != 0) {
		return problem(w, "%u scratch mappings in use", z_sim_scratch_used(w->sim));
	}
	return sim_problem(w);
}

static void check_level(struct sim_world *w, enum z_check_level level)
{
	const char *what = sim_world_problem(w, level);

	if (what != NULL) {
		fail_msg("%s", what);
	}
}

void sim_world_check(struct sim_world *w)
{
	check_level(w, Z_CHECK_PAGES);
}

void sim_world_check_contents(struct sim_world *w)
{
	check_level(w, Z_CHECK_CONTENTS);
}

/* ---- taking apart ---- */

static bool mapped(const struct sim_world *w, size_t page)
{
	return page < w->params.vm_pages &&
	       z_sim_entry(w->sim, SIM_WORLD_VM + page * Z_PAGE_SIZE).kind != Z_ENTRY_UNMAPPED;
}

/* All runs of mapped entries. */
static const char *unmap_all(struct sim_world *w)
{
	size_t page = 0;

	while (page < w->params.vm_pages) {
		size_t n = 0;
		int err;

		while (mapped(w, page + n)) {
			n++;
		}
		err = n == 0 ? 0 : z_pager_unmap(w->pager, SIM_WORLD_VM + page * Z_PAGE_SIZE, n);
		if (err != 0) {
			return problem(w, "unmap of pages %zu to %zu of the window: %s", page,
				       page + n - 1, z_strerror(err));
		}
		page += n + 1;
	}
	return NULL;
}

static const char *empty_problem(struct sim_world *w)
{
	struct z_stats s = sim_world_stats(w);
	struct z_store_stats store = sim_world_store_stats(w);
	const char *what = sim_world_problem(w, Z_CHECK_CONTENTS);

	if (what != NULL) {
		return what;
	}
	if (s.frames_free + s.frames_retired != w->params.frames - w->params.nholes) {
		return problem(w, "nothing mapped, but of %u frames %llu free, %llu retired",
			       w->params.frames - w->params.nholes,
			       (unsigned long long)s.frames_free,
			       (unsigned long long)s.frames_retired);
	}
	if (s.pages_mapped != 0 || s.pages_pinned != 0 || z_sim_frames_used(w->sim) != 0) {
		return problem(w, "nothing mapped, but %llu counted, %llu pinned, %u in frames",
			       (unsigned long long)s.pages_mapped,
			       (unsigned long long)s.pages_pinned, z_sim_frames_used(w->sim));
	}
	if (store.used_pages != w->used_early) {
		return problem(w, "nothing mapped, but %llu pages of the store are in use",
			       (unsigned long long)(store.used_pages - w->used_early));
	}
	return NULL;
}

static const char *before_destroy(struct sim_world *w)
{
	const char *what = sim_world_problem(w, Z_CHECK_CONTENTS);

	if (what == NULL) {
		what = unmap_all(w);
	}
	return what != NULL ? what : empty_problem(w);
}

static const char *close_parts(struct sim_world *w)
{
	int err = z_pager_destroy(w->pager);

	if (err != 0) {
		return problem(w, "z_pager_destroy: %s", z_strerror(err));
	}
	w->pager = NULL;
	z_sim_attach_pager(w->sim, NULL);
	w->store->ops->close(w->store);
	w->store = NULL;
	if (z_sim_alloc_bytes(w->sim) != 0) {
		return problem(w, "the store left %zu bytes", z_sim_alloc_bytes(w->sim));
	}
	return sim_problem(w);
}

const char *sim_world_end(struct sim_world *w)
{
	static char text[sizeof(w->text)];
	const char *what = sim_problem(w);

	if (what == NULL) {
		what = before_destroy(w);
	}
	if (what == NULL) {
		what = close_parts(w);
	}
	if (what != NULL) {
		snprintf(text, sizeof(text), "%s", what);
	}
	sim_world_abandon(w);
	return what != NULL ? text : NULL;
}

void sim_world_close(struct sim_world *w)
{
	const char *what = sim_world_end(w);

	if (what != NULL) {
		fail_msg("%s", what);
	}
}

/* ---- conveniences ---- */

uintptr_t sim_world_map(struct sim_world *w, size_t pages, unsigned int prot, unsigned int flags)
{
	uintptr_t va = 0;

	assert_int_equal(z_pager_map(w->pager, pages, prot, flags, 1, &va), 0);
	return va;
}

void sim_world_run(struct sim_world *w, void (*run)(struct z_sim *sim, void *arg), void *arg,
		   unsigned int n, uint64_t seed)
{
	struct z_sim_task tasks[Z_SIM_CPUS_MAX];
	int err;

	assert_in_range(n, 1, Z_SIM_CPUS_MAX);
	for (unsigned int i = 0; i < n; i++) {
		tasks[i] = (struct z_sim_task){run, arg};
	}
	err = z_sim_run(w->sim, tasks, n, seed);
	if (err != 0) {
		fail_msg("seed %llu: %s: %s", (unsigned long long)seed, z_strerror(err),
			 z_sim_error_text(w->sim));
	}
}

struct z_stats sim_world_stats(struct sim_world *w)
{
	struct z_stats stats;

	z_pager_stats(w->pager, &stats);
	return stats;
}

struct z_store_stats sim_world_store_stats(struct sim_world *w)
{
	struct z_store_stats stats = {0};

	w->store->ops->stats(w->store, &stats);
	return stats;
}

struct z_page_frame *sim_world_frame(struct sim_world *w, uintptr_t va)
{
	struct z_entry e = z_sim_entry(w->sim, va);

	if (e.kind != Z_ENTRY_IN && e.kind != Z_ENTRY_HELD) {
		return NULL;
	}
	return &w->frames[(e.phys.v - SIM_WORLD_RAM) / Z_PAGE_SIZE];
}

enum z_entry_kind sim_world_kind(struct sim_world *w, uintptr_t va)
{
	return z_sim_entry(w->sim, va).kind;
}

static void pattern(unsigned char *page, uintptr_t va, uint64_t value)
{
	uint64_t word = (value + 1) * 0x9e3779b97f4a7c15u ^ (uint64_t)va;

	for (size_t i = 0; i < Z_PAGE_SIZE; i += sizeof(word)) {
		word = word * 6364136223846793005u + 1442695040888963407u;
		memcpy(page + i, &word, sizeof(word));
	}
}

void sim_world_fill(struct sim_world *w, uintptr_t va, uint64_t value)
{
	unsigned char page[Z_PAGE_SIZE];

	pattern(page, va, value);
	assert_int_equal(z_sim_write(w->sim, va, page, sizeof(page)), Z_SIM_OK);
}

void sim_world_verify(struct sim_world *w, uintptr_t va, uint64_t value)
{
	unsigned char wanted[Z_PAGE_SIZE];
	unsigned char found[Z_PAGE_SIZE];

	pattern(wanted, va, value);
	assert_int_equal(z_sim_read(w->sim, va, found, sizeof(found)), Z_SIM_OK);
	for (size_t i = 0; i < Z_PAGE_SIZE; i++) {
		if (found[i] != wanted[i]) {
			fail_msg("page 0x%zx, byte %zu: 0x%02x instead of 0x%02x", (size_t)va, i,
				 found[i], wanted[i]);
		}
	}
}
