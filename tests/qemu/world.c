/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.c - the world of a test: see board.h.
 *
 * The store is the RAM store, or the one on the disk, behind a table of operations that looks, counts,
 * takes its time and fails when told to, and hands everything on. Locations of the RAM store are
 * changed on the way so that the one it gives first is 0: it keeps its slot 0 back for faults. On the
 * disk location 0 is the first page of the image.
 */
#include "board.h"

#include <zpager/mmu.h>

#include <cmocka.h>
#include <string.h>

#include "../../kernel/disk.h"
#include "../../kernel/ondemand.h"

struct watched_store {
	struct z_store store;
	struct z_store *inner;
};

struct watch watch;
const struct world_config *world;
bool world_disk_is_bad;

static struct watched_store store;
static size_t pages_before;

/* ---- the watched store --------------------------------------------------------------------------- */

static struct z_store *inner_of(struct z_store *s)
{
	return ((struct watched_store *)(void *)s)->inner;
}

/* Exchanges the locations of slots 0 and 1; all others stay as they are. Its own inverse. */
static z_loc_t changed(z_loc_t loc)
{
	if (world->store != WORLD_RAM)
		return loc;
	return loc.v <= Z_PAGE_SIZE ? z_loc(Z_PAGE_SIZE - loc.v) : loc;
}

static void look_at_books(const struct z_page_frame *pf)
{
	watch.unlocked += z_port_irqs_on();
	if (pf != NULL && !z_is_page_aligned((uintptr_t)pf->addr))
		watch.unaligned = (uintptr_t)pf->addr;
}

static int location_get(struct z_store *s, struct z_page_frame *pf, enum z_store_want want,
			z_loc_t *loc_out)
{
	int err;

	look_at_books(pf);
	if (watch.full != 0 && !z_page_frame_is_backed(pf))
		return Z_ERR_NOSPC;
	err = inner_of(s)->ops->location_get(inner_of(s), pf, want, loc_out);
	if (err != Z_OK)
		return err;
	*loc_out = changed(*loc_out);
	watch.location_0 = watch.location_0 || loc_out->v == 0;
	return Z_OK;
}

static void location_free(struct z_store *s, z_loc_t loc)
{
	look_at_books(NULL);
	inner_of(s)->ops->location_free(inner_of(s), changed(loc));
}

/* What others had done when the transfer began; there is one at a time. */
static uint64_t ticks_before;
static uint64_t counter_before;

static void transfer_begins(void)
{
	uint64_t until = z_port_now() + watch.spin_ns;

	watch.overlaps += watch.under_way++ != 0;
	watch.irqs_on += z_port_irqs_on();
	watch.scratch = z_port_mapping((uintptr_t)Z_SCRATCH_PAGE);
	ticks_before = kernel_ticks();
	counter_before = watch.counter != NULL ? *watch.counter : 0;
	while (z_port_now() < until)
		continue;
}

static void transfer_ends(void)
{
	watch.ticks += (unsigned int)(kernel_ticks() - ticks_before);
	watch.counted += watch.counter != NULL ? *watch.counter - counter_before : 0;
	watch.under_way--;
}

static int page_out(struct z_store *s, z_loc_t loc, const void *page)
{
	int err = Z_ERR_IO;

	transfer_begins();
	watch.page_out++;
	if (watch.fail_out == 0 || --watch.fail_out != 0)
		err = inner_of(s)->ops->page_out(inner_of(s), changed(loc), page);
	transfer_ends();
	return err;
}

static int page_in(struct z_store *s, z_loc_t loc, void *page)
{
	int err = Z_ERR_IO;

	transfer_begins();
	watch.page_in++;
	if (watch.fail_in == 0 || --watch.fail_in != 0)
		err = inner_of(s)->ops->page_in(inner_of(s), changed(loc), page);
	transfer_ends();
	return err;
}

static void page_finalize(struct z_store *s, struct z_page_frame *pf, z_loc_t loc)
{
	look_at_books(pf);
	inner_of(s)->ops->page_finalize(inner_of(s), pf, changed(loc));
}

static void stats(struct z_store *s, struct z_store_stats *out)
{
	inner_of(s)->ops->stats(inner_of(s), out);
}

static int check(struct z_store *s)
{
	return inner_of(s)->ops->check(inner_of(s));
}

static void close_store(struct z_store *s)
{
	inner_of(s)->ops->close(inner_of(s));
}

static const struct z_store_ops watched_ops = {
	.name = "watched",
	.location_get = location_get,
	.location_free = location_free,
	.page_out = page_out,
	.page_in = page_in,
	.page_finalize = page_finalize,
	.stats = stats,
	.check = check,
	.close = close_store,
};

/* ---- the world ------------------------------------------------------------------------------------ */

static int open_store(void)
{
	const struct z_store_env env = kernel_store_env();
	const struct z_block_options options = {
		.image_pages = ondemand_pages(), .keep_copies = true, .checksums = true};
	int err;

	if (world->store == WORLD_RAM)
		err = z_ram_store_open(&env, STORE_PAGES, true, &store.inner);
	else
		err = z_block_store_open(&env, disk_device(), &options, &store.inner);
	if (err == Z_OK)
		store.store = (struct z_store){
			.ops = &watched_ops, .caps = store.inner->caps, .env = store.inner->env};
	return err;
}

bool world_is_watched(void)
{
	return world->store != WORLD_CUSTOM;
}

int world_setup(void **state)
{
	struct kernel_pager_options options = {
		.eviction = world->eviction,
		.store = world_is_watched() ? &store.store : NULL,
		.unlock_for_io = world->irq,
		.soft_ad = world->soft_ad,
		.as_specified = world->spec,
		.metered = world->store == WORLD_BLOCK,
	};

	(void)state;
	pages_before = kernel_pages_left();
	watch = (struct watch){0};
	if (world_is_watched() && open_store() != Z_OK)
		return 1;
	return kernel_pager_start(&options);
}

static int close_world(void)
{
	const char *what = "";
	int broken = z_pager_check(z_kernel_pager(),
				   world_disk_is_bad ? Z_CHECK_PAGES : Z_CHECK_CONTENTS, &what);
	int err = kernel_pager_stop();

	if (broken != 0 || err != Z_OK)
		print_error("invariant %d (%s), stop %d\n", broken, what, err);
	return broken != 0 || err != Z_OK;
}

int world_teardown(void **state)
{
	(void)state;
	kernel_set_fault_handler(NULL);
	kernel_set_tick_hook(NULL);
	if (close_world() != 0)
		return 1;
	if (world_is_watched())
		store.store.ops->close(&store.store);
	if (watch.overlaps != 0 || watch.unlocked != 0 || watch.unaligned != 0) {
		print_error("store: %u overlaps, %u calls with interrupts on, address %lx\n",
			    watch.overlaps, watch.unlocked, (unsigned long)watch.unaligned);
		return 1;
	}
	if (kernel_pages_left() != pages_before) {
		print_error("%zu pages left, %zu before\n", kernel_pages_left(), pages_before);
		return 1;
	}
	return 0;
}

struct z_stats world_stats(void)
{
	struct z_stats s;

	z_pager_stats(z_kernel_pager(), &s);
	return s;
}

uintptr_t world_map(size_t pages, unsigned int prot)
{
	uintptr_t va = 0;

	assert_int_equal(z_pager_map(z_kernel_pager(), pages, prot, 0, 1, &va), 0);
	return va;
}

void world_out(uintptr_t va, size_t pages)
{
	assert_int_equal(z_pager_page_out(z_kernel_pager(), va, pages, NULL), 0);
	for (size_t i = 0; i < pages; i++)
		assert_true(z_port_entry(va + i * Z_PAGE_SIZE).kind != Z_ENTRY_IN);
}

void world_in(uintptr_t va, size_t pages)
{
	assert_int_equal(z_pager_page_in(z_kernel_pager(), va, pages, NULL), 0);
	for (size_t i = 0; i < pages; i++)
		assert_int_equal(z_port_entry(va + i * Z_PAGE_SIZE).kind, Z_ENTRY_IN);
}

void world_check(enum z_check_level level)
{
	const char *what = "";
	int broken = z_pager_check(z_kernel_pager(), level, &what);

	if (broken != 0)
		print_error("invariant %d: %s\n", broken, what);
	assert_int_equal(broken, 0);
}

unsigned int world_probe(uintptr_t va, unsigned int access)
{
	unsigned char byte = 0;

	return z_port_probe(va, access, &byte);
}

uint64_t world_word(uintptr_t va)
{
	return *(volatile uint64_t *)va;
}

void world_set_word(uintptr_t va, uint64_t value)
{
	*(volatile uint64_t *)va = value;
}
