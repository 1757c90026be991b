/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block.c - data pages that are out lie on a block device.
 *
 * Theory. A location is the number of a page of the device, times the page size. The first pages
 * may be an image that was on the device before the store was: its locations are valid without
 * location_get, and the copy on the device is for ever. The pages behind it are slots (slots.h).
 *
 * Slots and not a bitmap: a bitmap tells free from taken, but a clean copy has to be stolen oldest
 * first, in constant time with the pager lock held, and its frame has to be found to clear BACKED.
 * That takes a link and a frame for each slot in any case, and a free list in the same words gives
 * a slot without a search.
 *
 * Image pages. page_finalize always keeps the image as the clean copy of the frame; nothing of it
 * is ever stolen or freed, so a frame of an image page says in its store field which one it is (the
 * capacity in slots plus its number), and no other book is kept. The image is mapped without the
 * right to write, so such a page leaves clean. If one comes out dirty nevertheless, page_out
 * refuses with Z_ERR_BUSY and the image stays as it is. The core then makes the page resident
 * again, no longer BACKED, and looks for another victim; when that page's turn comes again
 * location_get gives it a slot like any other's.
 *
 * Checksums: 64 bits for each slot, in RAM, folded over the words of the page. Each step of the fold
 * is a bijection of the sum and one of the word, so a page with one wrong word is always found;
 * another page, or an older one, but for one chance in 2^64 or so. It is no defence against an
 * attacker. Image pages have none: nobody knows how they have to look.
 *
 * Locks: slots belong to the pager lock. page_in and page_out touch the sum of their slot, which
 * exists before the location is given, and counters that are atomic; so the store is as parallel as
 * its device.
 * Limits: 2^32 - 2 slots. 12 bytes of RAM a slot, 8 more with checksums. Nothing survives a restart
 * but the image. Freestanding.
 */
#include <stdatomic.h>

#include "mem.h"
#include "slots.h"

struct block_store {
	struct z_store store;
	const struct z_block_device *device; /* [I] */
	struct z_slots slots;                /* [P] slot i is page image_pages + i of the device */
	struct z_table sums;                 /* [P] to grow; an element is the sum of a slot */
	uint64_t image_pages;                /* [I] */
	bool keep_copies;                    /* [I] */
	bool checksums;                      /* [I] */
	atomic_uint_least64_t written;       /* bytes */
	atomic_uint_least64_t read;          /* bytes */
};

static struct block_store *block_of(struct z_store *store)
{
	return (struct block_store *)store;
}

static size_t head_pages(void)
{
	return z_pages_for(sizeof(struct block_store));
}

/* ---- locations --------------------------------------------------------------------------------- */

static uint64_t page_of(z_loc_t loc)
{
	return loc.v / Z_PAGE_SIZE;
}

static bool in_image(const struct block_store *block, z_loc_t loc)
{
	return page_of(loc) < block->image_pages;
}

/* The slot of a location behind the image; Z_SLOT_NONE if it cannot be one of ours. */
static uint32_t slot_of(const struct block_store *block, z_loc_t loc)
{
	uint64_t slot = page_of(loc) - block->image_pages;

	return z_is_page_aligned(loc.v) && slot < block->slots.capacity ? (uint32_t)slot
									: Z_SLOT_NONE;
}

/* Is the image the clean copy of what is in this frame? If so, where. */
static bool image_of(const struct block_store *block, const struct z_page_frame *pf,
		     z_loc_t *loc_out)
{
	uint64_t field = z_page_frame_store_get(pf);

	if (!z_page_frame_is_backed(pf) || field < block->slots.capacity) {
		return false;
	}
	*loc_out = z_loc((uintptr_t)(field - block->slots.capacity) * Z_PAGE_SIZE);
	return true;
}

/* ---- checksums --------------------------------------------------------------------------------- */

#define SUM_FACTOR 0x9e3779b97f4a7c15U /* odd: 2^64 divided by the golden ratio */

static uint64_t sum_of(const void *page)
{
	const uint64_t *words = page;
	uint64_t sum = 0;

	for (size_t i = 0; i < Z_PAGE_SIZE / sizeof(*words); i++) {
		sum = (sum ^ words[i]) * SUM_FACTOR;
		sum ^= sum >> 32;
	}
	return sum;
}

static int block_grow(void *ctx, uint32_t slot)
{
	struct block_store *block = ctx;

	return block->checksums ? z_table_grow(&block->sums, slot) : 0;
}

/* ---- operations -------------------------------------------------------------------------------- */

static int block_location_get(struct z_store *store, struct z_page_frame *pf,
			      enum z_store_want want, z_loc_t *loc_out)
{
	struct block_store *block = block_of(store);
	uint32_t slot;
	int err;

	if (pf != NULL && image_of(block, pf, loc_out)) {
		return 0;
	}
	err = z_slots_get(&block->slots, pf, want, &slot, NULL);
	if (err == 0) {
		*loc_out = z_loc((uintptr_t)(block->image_pages + slot) * Z_PAGE_SIZE);
	}
	return err;
}

static void block_location_free(struct z_store *store, z_loc_t loc)
{
	struct block_store *block = block_of(store);

	if (!in_image(block, loc)) {
		(void)z_slots_put(&block->slots, slot_of(block, loc));
	}
}

static int block_page_out(struct z_store *store, z_loc_t loc, const void *page)
{
	struct block_store *block = block_of(store);
	int err;

	if (in_image(block, loc)) {
		return Z_ERR_BUSY;
	}
	err = block->device->ops->write(block->device->ctx, page_of(loc), page);
	if (err != 0) {
		return err;
	}
	if (block->checksums) {
		*(uint64_t *)z_table_at(&block->sums, slot_of(block, loc)) = sum_of(page);
	}
	atomic_fetch_add_explicit(&block->written, Z_PAGE_SIZE, memory_order_relaxed);
	return 0;
}

static int block_page_in(struct z_store *store, z_loc_t loc, void *page)
{
	struct block_store *block = block_of(store);
	int err = block->device->ops->read(block->device->ctx, page_of(loc), page);

	if (err != 0) {
		return err;
	}
	atomic_fetch_add_explicit(&block->read, Z_PAGE_SIZE, memory_order_relaxed);
	if (block->checksums && !in_image(block, loc)) {
		const uint64_t *sum = z_table_at(&block->sums, slot_of(block, loc));

		err = *sum == sum_of(page) ? 0 : Z_ERR_CORRUPT;
	}
	return err;
}

static void block_page_finalize(struct z_store *store, struct z_page_frame *pf, z_loc_t loc)
{
	struct block_store *block = block_of(store);

	if (in_image(block, loc)) {
		z_page_frame_store_set(pf, block->slots.capacity + page_of(loc));
		z_page_frame_backed_set(pf);
	} else if (!block->keep_copies || !z_slots_cache(&block->slots, slot_of(block, loc), pf)) {
		(void)z_slots_put(&block->slots, slot_of(block, loc));
	}
}

static void block_stats(struct z_store *store, struct z_store_stats *out)
{
	struct block_store *block = block_of(store);
	uint64_t metadata = head_pages() + block->slots.table.pages + block->sums.pages;

	*out = (struct z_store_stats){
		.capacity_pages = block->slots.capacity,
		.used_pages = block->image_pages + z_slots_used(&block->slots),
		.cached_pages = block->slots.cached_count,
		.stolen = block->slots.stolen,
		.ram_bytes = metadata * Z_PAGE_SIZE,
		.written_bytes = atomic_load_explicit(&block->written, memory_order_relaxed),
		.read_bytes = atomic_load_explicit(&block->read, memory_order_relaxed),
	};
	out->raw = out->used_pages;
	out->stored_bytes = out->used_pages * Z_PAGE_SIZE;
	out->disk_bytes = out->stored_bytes;
}

static int block_check(struct z_store *store)
{
	const struct block_store *block = block_of(store);

	if (block->checksums && block->slots.fresh != 0 &&
	    !z_table_has(&block->sums, block->slots.fresh - 1U)) {
		return __LINE__;
	}
	return z_slots_check(&block->slots);
}

static void block_close(struct z_store *store)
{
	struct block_store *block = block_of(store);
	const struct z_store_env env = store->env;

	z_table_close(&block->sums);
	z_slots_close(&block->slots);
	z_env_give(&env, block, head_pages());
}

static const struct z_store_ops block_ops = {
	.name = "block",
	.location_get = block_location_get,
	.location_free = block_location_free,
	.page_out = block_page_out,
	.page_in = block_page_in,
	.page_finalize = block_page_finalize,
	.stats = block_stats,
	.check = block_check,
	.close = block_close,
};

/* ---- opening ----------------------------------------------------------------------------------- */

static unsigned int caps_of(const struct z_block_device *device,
			    const struct z_block_options *options)
{
	unsigned int caps = 0;

	if (device->parallel) {
		caps |= Z_STORE_PARALLEL;
	}
	if (options->keep_copies || options->image_pages != 0) {
		caps |= Z_STORE_KEEPS_COPY;
	}
	return caps;
}

int z_block_store_open(const struct z_store_env *env, const struct z_block_device *device,
		       const struct z_block_options *options, struct z_store **out)
{
	static const struct z_slots_hooks hooks = {.grow = block_grow};
	struct block_store *block;
	int err;

	if (options->image_pages > device->pages || device->pages > UINTPTR_MAX / Z_PAGE_SIZE) {
		return Z_ERR_INVAL;
	}
	if (z_env_charge(env, head_pages()) != 0) {
		return Z_ERR_NOSPC;
	}
	block = env->alloc(env->ctx, head_pages() * Z_PAGE_SIZE);
	if (block == NULL) {
		z_env_uncharge(env, head_pages());
		return Z_ERR_NOMEM;
	}
	block->store.ops = &block_ops;
	block->store.caps = caps_of(device, options);
	block->store.env = *env;
	block->device = device;
	block->image_pages = options->image_pages;
	block->keep_copies = options->keep_copies;
	block->checksums = options->checksums;
	err = z_slots_open(&block->slots, &block->store.env, device->pages - options->image_pages,
			   &hooks, block);
	if (err == 0 && options->checksums) {
		err = z_table_open(&block->sums, &block->store.env, block->slots.capacity,
				   sizeof(uint64_t));
	}
	if (err != 0) {
		block_close(&block->store);
		return err;
	}
	*out = &block->store;
	return 0;
}
