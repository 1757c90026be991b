/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ram.c - data pages that are out stay in RAM, uncompressed.
 *
 * For kernels that have RAM which cannot be paged into directly (slow, or off the bus that executes
 * code), for tests, and as the first part of a tier.
 *
 * Theory: slots (slots.h) and, for each run of 64 slots, one piece of memory made when the first of
 * them is used. A page is charged when its slot is first used; nothing is given back before close:
 * a slot once used is used again first.
 *
 * Locks: slots belong to the pager lock. page_in and page_out touch only the memory of their slot,
 * whose piece exists before the location is given: they run in parallel without any lock.
 * Limits: 2^32 - 2 pages. Freestanding.
 */
#include "ram.h"

#include "mem.h"
#include "slots.h"

#define PIECE_PAGES 64U

struct ram_store {
	struct z_store store;
	struct z_slots slots;  /* [P] */
	struct z_table pieces; /* [P] to grow; an element is a pointer to memory */
	uint64_t touched;      /* [P] pages charged for data */
	uint32_t reach;        /* [P] there is no piece for this slot and those above */
	bool keep_copies;      /* [I] */
	bool own;              /* [I] */
};

static struct ram_store *ram_of(struct z_store *store)
{
	return (struct ram_store *)store;
}

static size_t head_pages(void)
{
	return z_pages_for(sizeof(struct ram_store));
}

static void **piece_of(const struct ram_store *ram, uint32_t slot)
{
	return z_table_at(&ram->pieces, slot / PIECE_PAGES);
}

static unsigned char *page_of(const struct ram_store *ram, z_loc_t loc)
{
	uint32_t slot = z_loc_slot(loc);

	return (unsigned char *)*piece_of(ram, slot) + slot % PIECE_PAGES * Z_PAGE_SIZE;
}

/* How many pages the piece of this slot has: the last one may be short. */
static size_t piece_pages(const struct ram_store *ram, uint32_t slot)
{
	uint32_t left = ram->slots.capacity - slot / PIECE_PAGES * PIECE_PAGES;

	return left < PIECE_PAGES ? left : PIECE_PAGES;
}

/* Make the piece of this slot, if it is not there. */
static bool make_piece(struct ram_store *ram, uint32_t slot)
{
	const struct z_store_env *env = &ram->store.env;
	void **piece;

	if (z_table_grow(&ram->pieces, slot / PIECE_PAGES) != 0) {
		return false;
	}
	piece = piece_of(ram, slot);
	if (*piece == NULL) {
		*piece = env->alloc(env->ctx, piece_pages(ram, slot) * Z_PAGE_SIZE);
	}
	if (slot >= ram->reach) {
		ram->reach = slot + 1U;
	}
	return *piece != NULL;
}

static int ram_grow(void *ctx, uint32_t slot)
{
	struct ram_store *ram = ctx;

	/* Slots are used in turn: a piece was made for the first of its slots. */
	if ((slot % PIECE_PAGES == 0 && !make_piece(ram, slot)) ||
	    z_env_charge(&ram->store.env, 1) != 0) {
		return Z_ERR_NOSPC;
	}
	ram->touched++;
	return 0;
}

static int ram_location_get(struct z_store *store, struct z_page_frame *pf, enum z_store_want want,
			    z_loc_t *loc_out)
{
	uint32_t slot;
	int err = z_slots_get(&ram_of(store)->slots, pf, want, &slot, NULL);

	if (err == 0) {
		*loc_out = z_slot_loc(slot);
	}
	return err;
}

static void ram_location_free(struct z_store *store, z_loc_t loc)
{
	(void)z_slots_put(&ram_of(store)->slots, z_loc_slot(loc));
}

static int ram_page_out(struct z_store *store, z_loc_t loc, const void *page)
{
	memcpy(page_of(ram_of(store), loc), page, Z_PAGE_SIZE);
	return 0;
}

static int ram_page_in(struct z_store *store, z_loc_t loc, void *page)
{
	memcpy(page, page_of(ram_of(store), loc), Z_PAGE_SIZE);
	return 0;
}

static void ram_page_finalize(struct z_store *store, struct z_page_frame *pf, z_loc_t loc)
{
	struct ram_store *ram = ram_of(store);
	uint32_t slot = z_loc_slot(loc);

	if (!ram->keep_copies || !z_slots_cache(&ram->slots, slot, pf)) {
		(void)z_slots_put(&ram->slots, slot);
	}
}

static void ram_stats(struct z_store *store, struct z_store_stats *out)
{
	const struct ram_store *ram = ram_of(store);
	uint64_t metadata = head_pages() + ram->slots.table.pages + ram->pieces.pages;

	*out = (struct z_store_stats){
		.capacity_pages = ram->slots.capacity,
		.used_pages = z_slots_used(&ram->slots),
		.cached_pages = ram->slots.cached_count,
		.stolen = ram->slots.stolen,
		.ram_bytes = (ram->touched + metadata) * Z_PAGE_SIZE,
		.stored_bytes = (uint64_t)z_slots_used(&ram->slots) * Z_PAGE_SIZE,
	};
	out->raw = out->used_pages;
	out->beyond_bytes = ram->own ? out->ram_bytes : 0;
}

static int ram_check(struct z_store *store)
{
	const struct ram_store *ram = ram_of(store);

	if (ram->touched != ram->slots.fresh) {
		return __LINE__;
	}
	return z_slots_check(&ram->slots);
}

static void ram_close(struct z_store *store)
{
	struct ram_store *ram = ram_of(store);
	const struct z_store_env env = store->env;

	/* A piece may exist without a slot of it in use: prepared, or refused by the budget. */
	for (uint64_t slot = 0; slot < ram->reach; slot += PIECE_PAGES) {
		if (z_table_has(&ram->pieces, (uint32_t)slot / PIECE_PAGES)) {
			void *piece = *piece_of(ram, (uint32_t)slot);

			if (piece != NULL) {
				env.free(env.ctx, piece,
					 piece_pages(ram, (uint32_t)slot) * Z_PAGE_SIZE);
			}
		}
	}
	z_env_uncharge(&env, (size_t)ram->touched);
	z_table_close(&ram->pieces);
	z_slots_close(&ram->slots);
	z_env_give(&env, ram, head_pages());
}

const struct z_store_ops z_ram_ops = {
	.name = "ram",
	.location_get = ram_location_get,
	.location_free = ram_location_free,
	.page_out = ram_page_out,
	.page_in = ram_page_in,
	.page_finalize = ram_page_finalize,
	.stats = ram_stats,
	.check = Z_IF_CHECK(ram_check),
	.close = ram_close,
};

int z_ram_open(const struct z_store_env *env, uint64_t pages, bool keep_copies, bool own,
	       struct z_store **out)
{
	static const struct z_slots_hooks hooks = {.grow = ram_grow};
	struct z_store_env used = *env;
	struct ram_store *ram;
	int err;

	if (own) {
		used.charge = NULL;
		used.uncharge = NULL;
	}
	if (z_env_charge(&used, head_pages()) != 0) {
		return Z_ERR_NOSPC;
	}
	ram = used.alloc(used.ctx, head_pages() * Z_PAGE_SIZE);
	if (ram == NULL) {
		z_env_uncharge(&used, head_pages());
		return Z_ERR_NOMEM;
	}
	ram->store.ops = &z_ram_ops;
	ram->store.caps = Z_STORE_PARALLEL | (keep_copies ? Z_STORE_KEEPS_COPY : 0U);
	ram->store.env = used;
	ram->keep_copies = keep_copies;
	ram->own = own;
	err = z_slots_open(&ram->slots, &ram->store.env, pages, &hooks, ram);
	if (err == 0) {
		err = z_table_open(&ram->pieces, &ram->store.env, pages / PIECE_PAGES + 1U,
				   sizeof(void *));
	}
	if (err != 0) {
		ram_close(&ram->store);
		return err;
	}
	*out = &ram->store;
	return 0;
}

int z_ram_store_prepare(struct z_store *store)
{
	struct ram_store *ram = ram_of(store);

	for (uint64_t slot = 0; slot < ram->slots.capacity; slot += PIECE_PAGES) {
		if (!make_piece(ram, (uint32_t)slot) ||
		    z_table_grow(&ram->slots.table, (uint32_t)slot) != 0) {
			return Z_ERR_NOMEM;
		}
	}
	return 0;
}

int z_ram_store_open(const struct z_store_env *env, size_t pages, bool keep_copies,
		     struct z_store **out)
{
	return z_ram_open(env, pages, keep_copies, false, out);
}
