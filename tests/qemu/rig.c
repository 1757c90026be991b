/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig.c - the pager for measurements of rig.h.
 *
 * Its page frames are memory of the kernel's own, so there can be as many as the board has RAM for;
 * hooks and scratch take any physical address. A stretch begins when the lock was got and ends when it
 * is given back or waited with: what the environment itself does is not counted, nor the few
 * instructions of a trap before interrupts go on.
 *
 * Locks: the stretch is noted while the lock is held. Limits: one thread, one rig at a time.
 */
#include "rig.h"

#include <cmocka.h>

static struct z_pager *faulting;

/* ---- the environment ------------------------------------------------------------------------------ */

static uint64_t stretch_start;
static uint64_t stretch_longest;

static void stretch_ends(void)
{
	uint64_t used = z_port_instructions() - stretch_start;

	if (used > stretch_longest)
		stretch_longest = used;
}

static z_key_t watched_lock(void *ctx)
{
	z_key_t key = kernel_env.lock(ctx);

	stretch_start = z_port_instructions();
	return key;
}

static void watched_unlock(void *ctx, z_key_t key)
{
	stretch_ends();
	kernel_env.unlock(ctx, key);
}

static z_key_t watched_wait(void *ctx, const void *channel, z_key_t key)
{
	stretch_ends();
	key = kernel_env.wait(ctx, channel, key);
	stretch_start = z_port_instructions();
	return key;
}

static const struct z_env_ops *watched_env(void)
{
	static struct z_env_ops env;

	env = kernel_env;
	env.lock = watched_lock;
	env.unlock = watched_unlock;
	env.wait = watched_wait;
	return &env;
}

uint64_t rig_longest(void)
{
	uint64_t longest = stretch_longest;

	stretch_longest = 0;
	return longest;
}

/* ---- the pager ------------------------------------------------------------------------------------ */

static enum z_fault_result rig_fault(uintptr_t va, unsigned int access)
{
	return z_pager_fault(faulting, va, access);
}

static struct z_pager_config pager_config(const struct rig_config *c)
{
	struct z_pager_config config = {
		.env = c->watch_lock ? watched_env() : &kernel_env,
		.eviction = z_eviction_find(c->eviction),
		.nframes = c->frames,
		.vm_base = (uintptr_t)CONFIG_KERNEL_VM_BASE,
		.vm_pages = ((size_t)CONFIG_KERNEL_VM_SIZE - Z_VM_RESERVED) / Z_PAGE_SIZE,
		.max_regions = 16,
		.batch = 1,
		.ghosts = 64,
		.events = 64,
		.unlock_for_io = c->unlock_for_io,
		.commit = Z_COMMIT_HEURISTIC,
	};

	config.arch = z_port_arch(false, &config.arch_ctx);
	return config;
}

/* Each page has a place in the store, and one is held back for faults. */
static size_t store_pages(const struct rig_config *c)
{
	return c->pages + 2;
}

static size_t pages_for(size_t bytes)
{
	return (bytes + Z_PAGE_MASK) / Z_PAGE_SIZE;
}

bool rig_fits(const struct rig_config *c)
{
	size_t metadata = pages_for(c->frames * sizeof(struct z_page_frame)) +
			  pages_for(rig_pager_bytes(c->eviction, c->frames)) +
			  pages_for(store_pages(c) * 16) + 16;

	return c->pages + 2 <= (CONFIG_KERNEL_VM_SIZE - Z_VM_RESERVED) / Z_PAGE_SIZE &&
	       c->frames + store_pages(c) + metadata <= kernel_pages_left();
}

size_t rig_pager_bytes(const char *eviction, uint32_t frames)
{
	const struct rig_config c = {.eviction = eviction, .frames = frames};
	struct z_store placeholder = {0};
	struct z_page_frame none;
	struct z_pager_config config = pager_config(&c);

	config.store = &placeholder;
	config.frames = &none;
	return z_pager_bytes(&config);
}

void rig_open(struct rig *rig, const struct rig_config *c)
{
	const struct z_store_env env = kernel_store_env();
	struct z_pager_config config = pager_config(c);

	*rig = (struct rig){.config = *c};
	assert_int_equal(z_ram_store_open(&env, store_pages(c), c->copies, &rig->store), Z_OK);
	assert_int_equal(z_ram_store_prepare(rig->store), Z_OK);
	rig->frames = kernel_alloc(c->frames * sizeof(struct z_page_frame));
	rig->ram = kernel_alloc(c->frames * Z_PAGE_SIZE);
	assert_non_null(rig->frames);
	assert_non_null(rig->ram);

	config.store = rig->store;
	config.frames = rig->frames;
	config.ram_base = (uintptr_t)rig->ram;
	rig->memory_bytes = z_pager_bytes(&config);
	rig->memory = kernel_alloc(rig->memory_bytes);
	assert_non_null(rig->memory);
	assert_int_equal(z_pager_create(&config, rig->memory, &rig->pager), Z_OK);
	assert_int_equal(z_pager_map(rig->pager, c->pages, RW, 0, 1, &rig->va), Z_OK);
	faulting = rig->pager;
	kernel_set_fault_handler(rig_fault);
	(void)rig_longest();
}

void rig_close(struct rig *rig)
{
	const char *what;

	assert_int_equal(z_pager_check(rig->pager, Z_CHECK_PAGES, &what), 0);
	kernel_set_fault_handler(NULL);
	assert_int_equal(z_pager_destroy(rig->pager), Z_OK);
	rig->store->ops->close(rig->store);
	kernel_free(rig->memory, rig->memory_bytes);
	kernel_free(rig->ram, rig->config.frames * Z_PAGE_SIZE);
	kernel_free(rig->frames, rig->config.frames * sizeof(struct z_page_frame));
}
