/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_world.c - the world of contract_world.h, made and taken apart.
 *
 * The frame database is the kernel's: 64 frames; all but the first few are RESERVED, holes. The order
 * at start is the order of a kernel: frames and image, then store init, then eviction init.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract_world.h"

#define PAGER_ALIGN ((size_t)64)
#define IMAGE_VALUE 77U

struct contract_run contract_run;

/* ---- faults come in through the specified function ------------------------------------------ */

static int specified_fault(void *ctx, uintptr_t va, unsigned int access)
{
	(void)ctx;
	(void)access;
	return z_page_fault((void *)va) ? (int)Z_FAULT_RESOLVED : (int)Z_FAULT_BAD_ADDRESS;
}

/* ---- contents ------------------------------------------------------------------------------- */

const void *contract_bytes(uintptr_t va, uint64_t pattern)
{
	static uint64_t words[CONFIG_MMU_PAGE_SIZE / sizeof(uint64_t)];
	uint64_t x = pattern * 0x9e3779b97f4a7c15u ^ va;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		words[i] = x ^ (x >> 33);
	}
	return words;
}

uintptr_t contract_image_va(void)
{
	return (uintptr_t)CONFIG_KERNEL_VM_BASE + 16 * Z_PAGE_SIZE;
}

static const void *image_bytes(uintptr_t va)
{
	return contract_bytes(va, IMAGE_VALUE);
}

/* What a boot loader leaves: pages in frames, mapped, the frames marked. */
static void load_image(struct contract_world *w)
{
	const struct z_arch_ops *arch = z_sim_arch(w->sim);
	const struct z_env_ops *env = z_sim_env(w->sim);
	z_key_t key = env->lock(w->sim);
	uintptr_t first = contract_image_va();

	assert_int_equal(arch->map(w->sim, first, w->params.image_pages, CONTRACT_RW), 0);
	for (size_t i = 0; i < w->params.image_pages; i++) {
		uintptr_t va = contract_page(first, i);
		struct z_page_op op = {.va = va,
				       .phys = z_phys(z_page_frame_to_phys(&z_page_frames[i]))};

		arch->hold(w->sim, va, op.phys);
		memcpy(z_sim_frame_data(w->sim, op.phys), image_bytes(va), Z_PAGE_SIZE);
		assert_int_equal(arch->attach(w->sim, &op, 1, Z_ATTACH_CLEAN), 0);
		z_page_frames[i].addr = (void *)va;
		z_page_frames[i].flags = Z_PAGE_FRAME_MAPPED;
	}
	env->unlock(w->sim, key);
	custom_store_image = image_bytes;
	w->config.image_va = first;
	w->config.image_pages = w->params.image_pages;
}

/* ---- opening -------------------------------------------------------------------------------- */

static void make_machine(struct contract_world *w)
{
	struct z_sim_config config = {
		.frames = Z_NUM_PAGE_FRAMES,
		.ram_base = Z_PHYS_RAM_START,
		.vm_base = (uintptr_t)CONFIG_KERNEL_VM_BASE,
		.vm_pages = ((size_t)CONFIG_KERNEL_VM_SIZE - Z_VM_RESERVED) / Z_PAGE_SIZE,
		.cpus = w->params.cpus,
		.scratch_slots = 1,
		.scratch_address = (uintptr_t)Z_SCRATCH_PAGE,
		.soft_ad = w->params.soft_ad,
		.lock_kept_for_io = contract_run.lock_kept,
		.early_wakeups = w->params.cpus > 1,
		.seed = w->params.seed,
	};

	assert_int_equal(z_sim_create(&config, &w->sim), 0);
	z_sim_set_irqs(w->sim, !contract_run.irqs_off);
	z_sim_set_fault(w->sim, specified_fault, w);
}

static void make_frames(const struct contract_world *w)
{
	for (size_t i = w->params.frames; i < Z_NUM_PAGE_FRAMES; i++)
		z_page_frames[i].flags = Z_PAGE_FRAME_RESERVED;
}

static void make_store(struct contract_world *w)
{
	const struct z_eviction_ops *eviction =
		contract_run.eviction != NULL ? contract_run.eviction : &z_eviction_custom;
	struct z_store *custom;

	custom_store_inits = 0;
	custom_store_misuse = NULL;
	custom_store_capacity = w->params.store_pages;
	custom_eviction_inits = 0;
	custom_eviction_selects = 0;
	custom = z_store_custom_open();
	w->hostile = store_hostile_open(custom);
	w->record = calloc(1, sizeof(*w->record));
	assert_non_null(w->record);
	/* The hostile store cannot know of copies that it has not seen go out. */
	contract_record_open(w->record, w->sim,
			     w->params.image_pages > 0 ? custom : store_hostile_store(w->hostile),
			     eviction);
	w->record->lock_kept = contract_run.lock_kept;
	w->record->irqs_on = !contract_run.irqs_off;
	w->config.store = &w->record->store;
	w->config.eviction = &w->record->eviction;
}

static void make_pager(struct contract_world *w)
{
	size_t bytes;

	w->config.arch = z_sim_arch(w->sim);
	w->config.arch_ctx = w->sim;
	w->config.env = z_sim_env(w->sim);
	w->config.env_ctx = w->sim;
	w->config.frames_per_bank = w->params.frames_per_bank;
	w->config.max_regions = 64;
	w->config.batch = 1;
	w->config.commit = Z_COMMIT_HEURISTIC;
	w->config.unlock_for_io = !contract_run.lock_kept;
	bytes = z_kernel_pager_bytes(&w->config);
	assert_true(bytes > 0);
	w->memory = aligned_alloc(PAGER_ALIGN, (bytes + PAGER_ALIGN - 1) & ~(PAGER_ALIGN - 1));
	assert_non_null(w->memory);
	memset(w->memory, 0, bytes);
	assert_int_equal(z_kernel_pager_init(&w->config, w->memory), 0);
	w->pager = z_kernel_pager();
}

struct contract_world *contract_open(const struct contract_params *params)
{
	static struct contract_world world;
	struct contract_world *w = &world;

	if (w->sim != NULL)
		fail_msg("a test before this one failed; there is one kernel's pager");
	memset(w, 0, sizeof(*w));
	if (params != NULL)
		w->params = *params;
	if (w->params.frames == 0)
		w->params.frames = CONTRACT_FRAMES;
	if (w->params.cpus == 0)
		w->params.cpus = 1;
	if (w->params.store_pages == 0)
		w->params.store_pages = 1024;
	make_machine(w);
	make_frames(w);
	if (w->params.image_pages > 0)
		load_image(w);
	make_store(w);
	make_pager(w);
	contract_check(w);
	return w;
}

void contract_close(struct contract_world *w)
{
	contract_check(w);
	store_hostile_fail(w->hostile, STORE_ANY, 0, 0, 0);
	assert_int_equal(z_kernel_pager_exit(), 0);
	assert_null(z_kernel_pager());
	assert_int_equal(contract_record_live(w->record), 0);
	assert_int_equal(store_hostile_live(w->hostile), 0);
	assert_null(store_hostile_violation(w->hostile));
	assert_string_equal(w->record->violation, "");
	assert_int_equal(z_sim_frames_used(w->sim), 0);
	assert_int_equal(z_sim_errors(w->sim), 0);
	store_hostile_store(w->hostile)->ops->close(store_hostile_store(w->hostile));
	z_sim_destroy(w->sim);
	w->sim = NULL;
	free(w->record);
	free(w->memory);
	custom_store_image = NULL;
	custom_store_init_hook = NULL;
	custom_eviction_init_hook = NULL;
	custom_eviction_lies = false;
	custom_eviction_wild = NULL;
}

/* ---- checking ------------------------------------------------------------------------------- */

static void check_copies(struct contract_world *w)
{
	const struct z_env_ops *env = z_sim_env(w->sim);
	z_key_t key = env->lock(w->sim);

	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++) {
		struct z_page_frame *pf = &z_page_frames[i];
		uintptr_t loc;

		if (!z_page_frame_is_backed(pf) || z_page_frame_is_busy(pf) ||
		    (z_page_frame_info(pf, false) & Z_INFO_DIRTY) != 0)
			continue;
		assert_int_equal(z_backing_store_location_get(pf, &loc), 0);
		assert_memory_equal(z_sim_frame_data(w->sim, z_phys(z_page_frame_to_phys(pf))),
				    custom_store_bytes(loc), Z_PAGE_SIZE);
	}
	env->unlock(w->sim, key);
}

void contract_check(struct contract_world *w)
{
	const char *what = NULL;

	if (z_sim_errors(w->sim) != 0)
		fail_msg("the machine says: %s", z_sim_error_text(w->sim));
	if (w->record->violation[0] != '\0')
		fail_msg("violation of %s", w->record->violation);
	if (store_hostile_violation(w->hostile) != NULL)
		fail_msg("hostile: %s", store_hostile_violation(w->hostile));
	if (custom_store_misuse != NULL)
		fail_msg("the store says: %s", custom_store_misuse);
	if (z_pager_check(w->pager, Z_CHECK_PAGES, &what) != 0)
		fail_msg("check: %s", what);
	assert_int_equal(z_sim_scratch_used(w->sim), 0);
	assert_int_equal(z_sim_irqs_on(w->sim), !contract_run.irqs_off);
	check_copies(w);
}

/* ---- acting --------------------------------------------------------------------------------- */

uintptr_t contract_map(struct contract_world *w, size_t pages)
{
	uintptr_t va = 0;

	assert_int_equal(z_pager_map(w->pager, pages, CONTRACT_RW, 0, 1, &va), 0);
	return va;
}

void contract_fill(struct contract_world *w, uintptr_t va, uint64_t pattern)
{
	assert_int_equal(z_sim_write(w->sim, va, contract_bytes(va, pattern), Z_PAGE_SIZE),
			 Z_SIM_OK);
	contract_check(w);
}

void contract_verify(struct contract_world *w, uintptr_t va, uint64_t pattern)
{
	unsigned char page[CONFIG_MMU_PAGE_SIZE];

	assert_int_equal(z_sim_read(w->sim, va, page, Z_PAGE_SIZE), Z_SIM_OK);
	assert_memory_equal(page, contract_bytes(va, pattern), Z_PAGE_SIZE);
	contract_check(w);
}

void contract_touch(struct contract_world *w, uintptr_t va)
{
	unsigned char byte;

	assert_int_equal(z_sim_read(w->sim, va, &byte, 1), Z_SIM_OK);
	contract_check(w);
}

struct z_page_frame *contract_frame(uintptr_t va)
{
	uintptr_t phys;
	struct z_page_frame *pf;

	Z_PAGE_FRAME_FOREACH(phys, pf)
	{
		if (z_page_frame_is_mapped(pf) && z_page_frame_to_virt(pf) == (void *)va)
			return pf;
	}
	return NULL;
}

int contract_evict(uintptr_t va)
{
	struct z_page_frame *pf = contract_frame(va);

	assert_non_null(pf);
	return z_page_frame_evict(z_page_frame_to_phys(pf));
}

void contract_out(struct contract_world *w, uintptr_t va)
{
	assert_int_equal(contract_evict(va), 0);
	assert_int_equal(z_sim_entry(w->sim, va).kind, Z_ENTRY_OUT);
	contract_check(w);
}

bool contract_dirty(struct contract_world *w, uintptr_t va)
{
	const struct z_env_ops *env = z_sim_env(w->sim);
	z_key_t key = env->lock(w->sim);
	unsigned int info = z_page_frame_info(contract_frame(va), false);

	env->unlock(w->sim, key);
	return (info & Z_INFO_DIRTY) != 0;
}

unsigned int contract_count(const struct contract_world *w, enum contract_op op)
{
	return w->record->count[op];
}

void contract_forget(struct contract_world *w)
{
	contract_record_forget(w->record);
}

/* ---- random steps --------------------------------------------------------------------------- */

#define RANDOM_PAGES 12

struct random_state {
	uintptr_t va;
	uint64_t pattern[RANDOM_PAGES]; /* 0: never written */
};

static void verify_or_zero(struct contract_world *w, uintptr_t va, uint64_t pattern)
{
	static const unsigned char zeros[CONFIG_MMU_PAGE_SIZE];
	unsigned char page[CONFIG_MMU_PAGE_SIZE];

	if (pattern != 0) {
		contract_verify(w, va, pattern);
		return;
	}
	assert_int_equal(z_sim_read(w->sim, va, page, Z_PAGE_SIZE), Z_SIM_OK);
	assert_memory_equal(page, zeros, Z_PAGE_SIZE);
}

static void random_step(struct contract_world *w, struct random_state *s)
{
	size_t i = z_sim_random(w->sim) % RANDOM_PAGES;
	uintptr_t va = contract_page(s->va, i);

	switch (z_sim_random(w->sim) % 8) {
	case 0:
	case 1:
	case 2:
		verify_or_zero(w, va, s->pattern[i]);
		break;
	case 3:
	case 4:
		s->pattern[i] = z_sim_random(w->sim) | 1;
		contract_fill(w, va, s->pattern[i]);
		break;
	case 5:
		if (contract_frame(va) != NULL)
			contract_out(w, va);
		break;
	case 6:
		assert_int_equal(z_pager_page_in(w->pager, va, 1, NULL), 0);
		break;
	default:
		assert_int_equal(z_pager_unmap(w->pager, va, 1), 0);
		assert_int_equal(
			z_pager_map(w->pager, 1, CONTRACT_RW, Z_MAP_FIXED, 1, &(uintptr_t){va}), 0);
		s->pattern[i] = 0;
		break;
	}
	contract_check(w);
}

void contract_random_steps(struct contract_world *w, unsigned int n)
{
	struct random_state s = {.va = contract_map(w, RANDOM_PAGES)};

	for (unsigned int i = 0; i < n; i++)
		random_step(w, &s);
	for (size_t i = 0; i < RANDOM_PAGES; i++)
		verify_or_zero(w, contract_page(s.va, i), s.pattern[i]);
}

/* ---- all runs ------------------------------------------------------------------------------- */

static int run_groups(void)
{
	static int (*const groups[])(const char *name) = {
		contract_flags,    contract_eviction, contract_location, contract_location_full,
		contract_transfer, contract_evicting, contract_fault,
	};
	char name[128];
	int failed = 0;

	(void)snprintf(name, sizeof(name), "%s, %s, ALLOW_IRQ=%s, irqs %s", custom_store_name,
		       contract_run.eviction != NULL ? contract_run.eviction->name : "custom nru",
		       contract_run.lock_kept ? "n" : "y", contract_run.irqs_off ? "off" : "on");
	(void)printf("# %s\n", name);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		failed += groups[i](name);
	return failed;
}

int contract_suite(void)
{
	static const struct z_eviction_ops *const algorithms[] = {NULL, &z_eviction_clock};
	int failed = 0;

	for (unsigned int i = 0; i < 8 && failed == 0; i++) {
		contract_run.lock_kept = (i & 1) != 0;
		contract_run.irqs_off = (i & 2) != 0;
		contract_run.eviction = algorithms[i >> 2];
		failed += run_groups();
	}
	return failed == 0 ? 0 : 1;
}
