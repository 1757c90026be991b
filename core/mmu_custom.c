/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmu_custom.c - the specified interface, calls from us: an eviction algorithm and a backing store
 * that somebody wrote against the specified functions, as tables of operations.
 *
 * Theory. The algorithm is asked for a frame and nothing else: it walks z_page_frames itself, so it
 * needs no add and no remove. What it says of the dirty bit is not used: the core reads that bit
 * when the mapping is gone. A frame that is not in the database counts as no answer.
 *
 * The store moves pages through Z_SCRATCH_PAGE, where the port's scratch has to map them: any other
 * address is refused, so the core's walker cannot look at clean copies either. It says nothing of
 * its size and its use: used_pages counts the locations that it gave and that are not clean
 * copies, and the pages of an image, which is what the core's own check wants; the capacity is what the
 * window can hold.
 *
 * In a file of its own, so that only who uses it has to have the specified functions.
 * Locks: as said in eviction.h and store.h; the count is guarded by the pager lock.
 */
#include <zpager/mmu.h>

#if defined(CONFIG_MMU) && defined(CONFIG_DEMAND_PAGING)

#include <zpager/eviction.h>
#include <zpager/store.h>

/* ---- eviction -------------------------------------------------------------------------------- */

static size_t state_bytes(uint32_t nframes)
{
	(void)nframes;
	return 0;
}

static int init(void *state, const struct z_eviction_host *host)
{
	(void)state;
	(void)host;
	z_eviction_init();
	return Z_OK;
}

static struct z_page_frame *select_frame(void *state)
{
	bool dirty = false;
	struct z_page_frame *pf = z_eviction_select(&dirty);

	(void)state;
	return pf >= z_page_frames && pf < z_page_frames + Z_NUM_PAGE_FRAMES ? pf : NULL;
}

static void add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	(void)state;
	(void)pf;
	(void)reason;
}

static void remove_frame(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	(void)state;
	(void)pf;
	(void)reason;
}

const struct z_eviction_ops z_eviction_custom = {
	.name = "custom",
	.summary = "somebody else's, linked in under the names of the specification",
	.state_bytes = state_bytes,
	.init = init,
	.select = select_frame,
	.add = add,
	.remove = remove_frame,
};

/* ---- store ----------------------------------------------------------------------------------- */

size_t z_store_custom_image_pages;

/* Nobody asked for it, and nobody gives it back. */
static bool in_image(z_loc_t loc)
{
	return loc.v / Z_PAGE_SIZE < z_store_custom_image_pages;
}

struct custom_store {
	struct z_store store;
	uint64_t given; /* [P] locations RESERVED or STORED */
};

static struct custom_store *self(struct z_store *store)
{
	return (struct custom_store *)(void *)store;
}

static int location_get(struct z_store *store, struct z_page_frame *pf, enum z_store_want want,
			z_loc_t *loc_out)
{
	uintptr_t location = 0;
	int err = z_backing_store_location_get(pf, &location);

	(void)want;
	if (err != 0)
		return Z_ERR_NOSPC;
	*loc_out = z_loc(location);
	self(store)->given += !in_image(*loc_out);
	return Z_OK;
}

static void location_free(struct z_store *store, z_loc_t loc)
{
	self(store)->given -= !in_image(loc);
	z_backing_store_location_free(loc.v);
}

static int page_out(struct z_store *store, z_loc_t loc, const void *page)
{
	(void)store;
	if (page != Z_SCRATCH_PAGE)
		return Z_ERR_NOTSUP;
	z_backing_store_page_out(loc.v);
	return Z_OK;
}

static int page_in(struct z_store *store, z_loc_t loc, void *page)
{
	(void)store;
	if (page != Z_SCRATCH_PAGE)
		return Z_ERR_NOTSUP;
	z_backing_store_page_in(loc.v);
	return Z_OK;
}

static void page_finalize(struct z_store *store, struct z_page_frame *pf, z_loc_t loc)
{
	self(store)->given -= !in_image(loc);
	z_backing_store_page_finalize(pf, loc.v);
}

static void stats(struct z_store *store, struct z_store_stats *out)
{
	*out = (struct z_store_stats){
		.capacity_pages = (uint64_t)CONFIG_KERNEL_VM_SIZE / CONFIG_MMU_PAGE_SIZE,
		.used_pages = self(store)->given + z_store_custom_image_pages,
	};
}

/* More were given back than were given? What else there is to check, the store's owner knows. */
static int check(struct z_store *store)
{
	return self(store)->given > UINT64_MAX / 2 ? __LINE__ : 0;
}

static void close_store(struct z_store *store)
{
	self(store)->given = 0;
}

static const struct z_store_ops store_ops = {
	.name = "custom",
	.location_get = location_get,
	.location_free = location_free,
	.page_out = page_out,
	.page_in = page_in,
	.page_finalize = page_finalize,
	.stats = stats,
	.check = check,
	.close = close_store,
};

struct z_store *z_store_custom_open(void)
{
	static struct custom_store custom;

	custom = (struct custom_store){.store = {.ops = &store_ops}};
	z_backing_store_init();
	return &custom.store;
}

#endif
