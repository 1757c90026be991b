/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tier.c - a small fast store A before a large slow one B.
 *
 * Theory: own slots, each of which knows where its page is: a location of A or of B. location_get
 * reserves a location in one of them at once, so a full tier is found out there and page_out cannot
 * fail for lack of space. Pages that are in A form a queue by age. When A has no room, the next
 * page_out - which holds no pager lock - moves a batch of the oldest ones to B; one that was read
 * since it came to the head gets a second chance. If nothing can be moved, the new page goes to B
 * itself. Clean copies in A are given up before any page is moved.
 *
 * A page that is being moved is off the queue; whoever wants to read or write it waits, whoever frees
 * it leaves that to the mover. If reading it from A fails it stays in A, and the error shows when it
 * is wanted.
 *
 * Locks: the tier's own lock, inside the pager lock, is for A and B what the pager lock is for this
 * store: their location_get and location_free run under it, with no frame. Their page operations run
 * without it. Frames (BACKED) are touched only with the pager lock held too. Not freestanding, because
 * of the lock and of the wait for a move.
 */
#include "hosted.h"
#include "mem.h"
#include "ram.h"
#include "slots.h"
#include "tier.h"

#define COPIES_DROP 8U /* for one location */
#define COPIES_LOOK 8U /* for each of them */
#define SLOTS_LIMIT ((uint64_t)1 << 28)

static struct tier_store *tier_of(struct z_store *store)
{
	return (struct tier_store *)store;
}

struct z_store *z_tier_part(struct z_store *store, int i)
{
	return tier_of(store)->parts[IN_A + i];
}

/* ---- locations of the parts; the tier's lock held --------------------------------------------- */

static bool entry_get(struct tier_store *tier, struct entry *entry, enum where where,
		      enum z_store_want want)
{
	if (!tier_part_get(tier, where, want, &entry->loc)) {
		return false;
	}
	entry->where = (uint8_t)where;
	entry->touched = false;
	return true;
}

static void entry_drop(struct tier_store *tier, uint32_t slot)
{
	struct entry *entry = tier_entry(tier, slot);

	tier_queue_remove(tier, slot);
	if (entry->where != IN_NONE) {
		tier_part_free(tier, entry->where, entry->loc);
	}
	entry->where = IN_NONE;
}

static void slot_drop(void *ctx, uint32_t slot)
{
	entry_drop(ctx, slot);
}

static int slot_grow(void *ctx, uint32_t slot)
{
	struct tier_store *tier = ctx;

	return z_table_grow(&tier->entries, slot);
}

void tier_slot_free(struct tier_store *tier, uint32_t slot)
{
	struct entry *entry;

	if (!z_slots_in_use(&tier->slots, slot) || tier_entry(tier, slot)->dead) {
		(void)z_slots_put(&tier->slots, Z_SLOT_NONE);
		return;
	}
	entry = tier_entry(tier, slot);
	if (entry->moving) {
		entry->dead = true;
		tier->dead++;
		return;
	}
	entry_drop(tier, slot);
	(void)z_slots_put(&tier->slots, slot);
}

/* Give up the oldest clean copy that is in A. Looks at a few; those in B go to the back of the queue. */
static bool drop_copy_in_a(struct tier_store *tier)
{
	for (uint32_t i = 0; i < COPIES_LOOK && tier->slots.oldest != Z_SLOT_NONE; i++) {
		uint32_t slot = tier->slots.oldest;

		if (tier_entry(tier, slot)->where == IN_A) {
			(void)z_slots_steal(&tier->slots);
			return true;
		}
		z_slots_renew(&tier->slots, slot);
	}
	return false;
}

/*
 * Room in A, at the cost of clean copies in it: a page that is nowhere else would have to be read and
 * written for the same room. Pager lock held.
 */
static bool get_in_a(struct tier_store *tier, struct entry *entry)
{
	for (uint32_t i = 0; !entry_get(tier, entry, IN_A, Z_WANT_FOR_EVICT); i++) {
		if (i == COPIES_DROP || !drop_copy_in_a(tier)) {
			atomic_store_explicit(&tier->wants_room, true, memory_order_relaxed);
			return false;
		}
	}
	return true;
}

static bool get_anywhere(struct tier_store *tier, struct entry *entry, enum z_store_want want)
{
	do {
		if (get_in_a(tier, entry) || entry_get(tier, entry, IN_B, want) ||
		    entry_get(tier, entry, IN_A, want)) {
			return true;
		}
	} while (z_slots_steal(&tier->slots));
	return false;
}

static int tier_location_get(struct z_store *store, struct z_page_frame *pf, enum z_store_want want,
			     z_loc_t *loc_out)
{
	struct tier_store *tier = tier_of(store);
	uint32_t slot;
	bool again;
	int err;

	(void)pthread_mutex_lock(&tier->lock);
	err = z_slots_get(&tier->slots, pf, want, &slot, &again);
	if (err == 0 && !again && !get_anywhere(tier, tier_entry(tier, slot), want)) {
		(void)z_slots_put(&tier->slots, slot);
		err = Z_ERR_NOSPC;
	}
	(void)pthread_mutex_unlock(&tier->lock);
	if (err == 0) {
		*loc_out = z_slot_loc(slot);
	}
	return err;
}

static void tier_location_free(struct z_store *store, z_loc_t loc)
{
	struct tier_store *tier = tier_of(store);

	(void)pthread_mutex_lock(&tier->lock);
	tier_slot_free(tier, z_loc_slot(loc));
	(void)pthread_mutex_unlock(&tier->lock);
}

/* ---- page operations -------------------------------------------------------------------------- */

/* The entry is ours alone from now on; the tier's lock held. */
static struct entry *begin(struct tier_store *tier, uint32_t slot)
{
	struct entry *entry = tier_entry(tier, slot);

	while (entry->moving) {
		(void)pthread_cond_wait(&tier->moved, &tier->lock);
	}
	entry->busy = true;
	return entry;
}

/* A page on its way to B takes a place in A if there is one now. */
static void prefer_a(struct tier_store *tier, struct entry *entry)
{
	z_loc_t loc;

	if (entry->where == IN_B && tier_part_get(tier, IN_A, Z_WANT_FOR_EVICT, &loc)) {
		tier_part_free(tier, IN_B, entry->loc);
		entry->where = IN_A;
		entry->loc = loc;
	}
}

/* One page of a batch of page-outs. */
struct out {
	struct z_store_io *io;
	struct entry *entry;
	bool todo;
};

/* Those that are still to do and have a location in that part; together if it can. */
static void write_part(struct tier_store *tier, enum where where, struct out *outs, size_t n)
{
	struct z_store *part = tier->parts[where];
	struct z_store_io ios[TIER_BATCH];
	struct out *of[TIER_BATCH];
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (outs[i].todo && outs[i].entry->where == (uint8_t)where) {
			of[count] = &outs[i];
			ios[count++] = (struct z_store_io){.loc = outs[i].entry->loc,
							   .page = outs[i].io->page};
		}
	}
	if (count > 1 && part->ops->page_out_many != NULL) {
		(void)part->ops->page_out_many(part, ios, count);
	} else {
		for (size_t i = 0; i < count; i++) {
			ios[i].status = part->ops->page_out(part, ios[i].loc, ios[i].page);
		}
	}
	for (size_t i = 0; i < count; i++) {
		of[i]->io->status = ios[i].status;
		of[i]->todo = false;
	}
}

/* A did not take it: B may. If B has no room either, A is asked once more, unless it is broken. */
static void after_a(struct tier_store *tier, struct out *out)
{
	z_loc_t loc;

	if (out->io->status == 0) {
		return;
	}
	out->todo = out->io->status == Z_ERR_NOSPC;
	if (tier_part_get(tier, IN_B, Z_WANT_FOR_FAULT, &loc)) {
		tier_part_free(tier, IN_A, out->entry->loc);
		out->entry->where = IN_B;
		out->entry->loc = loc;
		out->todo = true;
	}
}

/* At most TIER_BATCH. Returns how many failed. */
static size_t out_some(struct tier_store *tier, struct z_store_io *ios, size_t n)
{
	struct out outs[TIER_BATCH];
	size_t failed = 0;

	tier_demote(tier);
	(void)pthread_mutex_lock(&tier->lock);
	for (size_t i = 0; i < n; i++) {
		uint32_t slot = z_loc_slot(ios[i].loc);

		outs[i] = (struct out){&ios[i], begin(tier, slot), true};
		tier_queue_remove(tier, slot);
		prefer_a(tier, outs[i].entry);
	}
	(void)pthread_mutex_unlock(&tier->lock);
	write_part(tier, IN_A, outs, n);
	(void)pthread_mutex_lock(&tier->lock);
	for (size_t i = 0; i < n; i++) {
		if (!outs[i].todo) {
			after_a(tier, &outs[i]);
		}
	}
	(void)pthread_mutex_unlock(&tier->lock);
	write_part(tier, IN_B, outs, n);
	write_part(tier, IN_A, outs, n);
	(void)pthread_mutex_lock(&tier->lock);
	for (size_t i = 0; i < n; i++) {
		outs[i].entry->busy = false;
		failed += ios[i].status != 0;
		if (ios[i].status == 0 && outs[i].entry->where == IN_A) {
			tier_queue_append(tier, z_loc_slot(ios[i].loc));
		}
	}
	(void)pthread_mutex_unlock(&tier->lock);
	return failed;
}

static size_t tier_page_out_many(struct z_store *store, struct z_store_io *ios, size_t n)
{
	size_t failed = 0;

	for (size_t done = 0; done < n; done += TIER_BATCH) {
		size_t some = n - done < TIER_BATCH ? n - done : TIER_BATCH;

		failed += out_some(tier_of(store), ios + done, some);
	}
	return failed;
}

static int tier_page_out(struct z_store *store, z_loc_t loc, const void *page)
{
	struct z_store_io io = {.loc = loc, .page = page};

	(void)out_some(tier_of(store), &io, 1);
	return io.status;
}

static int tier_page_in(struct z_store *store, z_loc_t loc, void *page)
{
	struct tier_store *tier = tier_of(store);
	uint32_t slot = z_loc_slot(loc);
	struct z_store *part;
	struct entry *entry;
	int err;

	(void)pthread_mutex_lock(&tier->lock);
	entry = begin(tier, slot);
	part = tier->parts[entry->where];
	(void)pthread_mutex_unlock(&tier->lock);
	err = part->ops->page_in(part, entry->loc, page);
	(void)pthread_mutex_lock(&tier->lock);
	entry->busy = false;
	entry->touched = true;
	(void)pthread_mutex_unlock(&tier->lock);
	return err;
}

/* Pages of one part that follow one another are read together, so that it can do it with one call. */
static size_t read_part(struct tier_store *tier, struct z_store *part, struct z_store_fill *fills,
			size_t n)
{
	struct z_store_fill inner[Z_BATCH_MAX];
	size_t failed = 0;

	(void)pthread_mutex_lock(&tier->lock);
	for (size_t i = 0; i < n; i++) {
		inner[i] = (struct z_store_fill){
			.loc = tier_entry(tier, z_loc_slot(fills[i].loc))->loc,
			.page = fills[i].page,
		};
	}
	(void)pthread_mutex_unlock(&tier->lock);
	if (part->ops->page_in_many != NULL) {
		failed = part->ops->page_in_many(part, inner, n);
	} else {
		for (size_t i = 0; i < n; i++) {
			inner[i].status = part->ops->page_in(part, inner[i].loc, inner[i].page);
			failed += inner[i].status != 0 ? 1U : 0U;
		}
	}
	for (size_t i = 0; i < n; i++) {
		fills[i].status = inner[i].status;
	}
	return failed;
}

static size_t tier_page_in_many(struct z_store *store, struct z_store_fill *fills, size_t n)
{
	struct tier_store *tier = tier_of(store);
	uint8_t where[Z_BATCH_MAX];
	size_t failed = 0;
	size_t run;

	(void)pthread_mutex_lock(&tier->lock);
	for (size_t i = 0; i < n; i++) {
		where[i] = (uint8_t)begin(tier, z_loc_slot(fills[i].loc))->where;
	}
	(void)pthread_mutex_unlock(&tier->lock);
	for (size_t at = 0; at < n; at += run) {
		for (run = 1; at + run < n && where[at + run] == where[at]; run++) {
		}
		failed += read_part(tier, tier->parts[where[at]], fills + at, run);
	}
	(void)pthread_mutex_lock(&tier->lock);
	for (size_t i = 0; i < n; i++) {
		struct entry *entry = tier_entry(tier, z_loc_slot(fills[i].loc));

		entry->busy = false;
		entry->touched = true;
	}
	(void)pthread_mutex_unlock(&tier->lock);
	return failed;
}

static void tier_page_finalize(struct z_store *store, struct z_page_frame *pf, z_loc_t loc)
{
	struct tier_store *tier = tier_of(store);
	uint32_t slot = z_loc_slot(loc);

	(void)pthread_mutex_lock(&tier->lock);
	if (!tier->keep_copies || !z_slots_in_use(&tier->slots, slot) ||
	    tier_entry(tier, slot)->moving || !z_slots_cache(&tier->slots, slot, pf)) {
		tier_slot_free(tier, slot);
	}
	(void)pthread_mutex_unlock(&tier->lock);
}

/* ---- looking at it, open, close ---------------------------------------------------------------- */

static size_t head_pages(void)
{
	return z_pages_for(sizeof(struct tier_store));
}

/* Of A only RAM is sure to hold what it says; how much a compressing store holds depends. */
static uint64_t sure_pages(const struct tier_store *tier, const struct z_store_stats *a,
			   const struct z_store_stats *b)
{
	bool sure = tier->parts[IN_A]->ops == &z_ram_ops;

	return b->capacity_pages + (sure ? a->capacity_pages : 0);
}

static void tier_stats(struct z_store *store, struct z_store_stats *out)
{
	struct tier_store *tier = tier_of(store);
	struct z_store_stats a;
	struct z_store_stats b;

	(void)pthread_mutex_lock(&tier->lock);
	tier->parts[IN_A]->ops->stats(tier->parts[IN_A], &a);
	tier->parts[IN_B]->ops->stats(tier->parts[IN_B], &b);
	*out = (struct z_store_stats){
		.capacity_pages = sure_pages(tier, &a, &b),
		.used_pages = z_slots_used(&tier->slots) - tier->dead,
		.cached_pages = tier->slots.cached_count,
		.stolen = tier->slots.stolen,
		.ram_bytes = a.ram_bytes + b.ram_bytes +
			     (head_pages() + TIER_BATCH + tier->slots.table.pages +
			      tier->entries.pages) *
				     Z_PAGE_SIZE,
		.disk_bytes = a.disk_bytes + b.disk_bytes,
		.stored_bytes = a.stored_bytes + b.stored_bytes,
		.same_filled = a.same_filled + b.same_filled,
		.raw = a.raw + b.raw,
		.recoded = a.recoded + b.recoded,
		.written_bytes = a.written_bytes + b.written_bytes,
		.read_bytes = a.read_bytes + b.read_bytes,
		.demoted = tier->demoted,
		.beyond_bytes = a.beyond_bytes + b.beyond_bytes,
	};
	(void)pthread_mutex_unlock(&tier->lock);
}

/* Every slot in use has a location, and no other slot has one. */
static int check_entries(const struct tier_store *tier)
{
	for (uint32_t slot = 0; slot < tier->slots.fresh; slot++) {
		bool used = z_slots_in_use(&tier->slots, slot);

		if (used != (tier_entry(tier, slot)->where != IN_NONE)) {
			return __LINE__;
		}
	}
	return tier_queue_check(tier);
}

static int tier_check(struct z_store *store)
{
	struct tier_store *tier = tier_of(store);
	int line;

	(void)pthread_mutex_lock(&tier->lock);
	line = check_entries(tier);
	line = line != 0 ? line : z_slots_check(&tier->slots);
	for (int i = IN_A; i <= IN_B && line == 0; i++) {
		line = tier->parts[i]->ops->check(tier->parts[i]);
	}
	(void)pthread_mutex_unlock(&tier->lock);
	return line;
}

static void close_own(struct tier_store *tier)
{
	const struct z_store_env env = tier->store.env;

	z_env_give(&env, tier->pages, TIER_BATCH);
	z_table_close(&tier->entries);
	z_slots_close(&tier->slots);
	(void)pthread_cond_destroy(&tier->moved);
	(void)pthread_mutex_destroy(&tier->lock);
	z_env_give(&env, tier, head_pages());
}

static void tier_close(struct z_store *store)
{
	struct tier_store *tier = tier_of(store);

	tier->parts[IN_A]->ops->close(tier->parts[IN_A]);
	tier->parts[IN_B]->ops->close(tier->parts[IN_B]);
	close_own(tier);
}

const struct z_store_ops z_tier_ops = {
	.name = "tier",
	.location_get = tier_location_get,
	.location_free = tier_location_free,
	.page_out = tier_page_out,
	.page_out_many = tier_page_out_many,
	.page_in = tier_page_in,
	.page_in_many = tier_page_in_many,
	.page_finalize = tier_page_finalize,
	.stats = tier_stats,
	.check = tier_check,
	.close = tier_close,
};

/* Slots are as many as can be: A and B set the limit. */
static int open_parts(struct tier_store *tier)
{
	static const struct z_slots_hooks hooks = {.grow = slot_grow, .drop = slot_drop};
	uint64_t slots = SLOTS_LIMIT < UINTPTR_MAX / Z_PAGE_SIZE ? SLOTS_LIMIT : SLOTS_LIMIT / 256U;
	int err = z_slots_open(&tier->slots, &tier->store.env, slots, &hooks, tier);
	if (err == 0) {
		err = z_table_open(&tier->entries, &tier->store.env, slots, sizeof(struct entry));
	}
	tier->pages = err == 0 ? z_env_take(&tier->store.env, TIER_BATCH) : NULL;
	return tier->pages != NULL ? 0 : Z_ERR_NOMEM;
}

int z_tier_open(const struct z_store_env *env, struct z_store *a, struct z_store *b,
		bool keep_copies, struct z_store **out)
{
	struct tier_store *tier = z_env_take(env, head_pages());

	if (tier == NULL) {
		return Z_ERR_NOMEM;
	}
	tier->store.ops = &z_tier_ops;
	tier->store.caps = (a->caps & b->caps & (unsigned int)Z_STORE_PARALLEL) |
			   ((a->caps | b->caps) & (unsigned int)Z_STORE_BATCH) |
			   (keep_copies ? Z_STORE_KEEPS_COPY : 0U);
	tier->store.env = *env;
	tier->parts[IN_A] = a;
	tier->parts[IN_B] = b;
	tier->keep_copies = keep_copies;
	tier->oldest = Z_SLOT_NONE;
	tier->newest = Z_SLOT_NONE;
	(void)pthread_mutex_init(&tier->lock, NULL);
	(void)pthread_cond_init(&tier->moved, NULL);
	if (open_parts(tier) != 0) {
		close_own(tier);
		return Z_ERR_NOMEM;
	}
	*out = &tier->store;
	return 0;
}
