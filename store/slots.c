/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slots.c - the slot allocator of slots.h: purpose, theory, locks and limits stand there.
 *
 * A slot's word holds its state in the two lowest bits, and for a CACHED one its frame above them.
 * Links are slot numbers; next alone is used by the free list, next and prev by the queue.
 */
#include "slots.h"

#include "mem.h"

enum slot_state { SLOT_FREE, SLOT_TAKEN, SLOT_CACHED };

struct slot {
	uint32_t next;
	uint32_t prev;
	uint32_t word;
};

#define STATE_MASK  3U
#define FRAME_STEP  ((intptr_t) _Alignof(struct z_page_frame))
#define FRAME_REACH ((intptr_t)1 << 29)

static struct slot *slot_at(const struct z_slots *slots, uint32_t i)
{
	return z_table_at(&slots->table, i);
}

static enum slot_state state_of(const struct slot *slot)
{
	return (enum slot_state)(slot->word & STATE_MASK);
}

static void misuse(struct z_slots *slots, int line)
{
	if (slots->misuse == 0) {
		slots->misuse = line;
	}
}

/* The frame of a CACHED slot. */
static struct z_page_frame *frame_of(const struct z_slots *slots, const struct slot *slot)
{
	intptr_t steps = (intptr_t)(slot->word >> 2) - FRAME_REACH;

	return (struct z_page_frame *)((intptr_t)slots->base + steps * FRAME_STEP);
}

/* Steps from the first frame ever cached, made positive; not below 2 * FRAME_REACH: out of reach. */
static uintptr_t steps_of(const struct z_slots *slots, const struct z_page_frame *pf)
{
	uintptr_t bytes = (uintptr_t)pf - (uintptr_t)slots->base;

	return (bytes + (uintptr_t)(FRAME_REACH * FRAME_STEP)) / (uintptr_t)FRAME_STEP;
}

/* The word of the CACHED slot of a frame within reach. */
static uint32_t cached_word(uintptr_t steps)
{
	return ((uint32_t)steps << 2) | SLOT_CACHED;
}

int z_slots_open(struct z_slots *slots, const struct z_store_env *env, uint64_t capacity,
		 const struct z_slots_hooks *hooks, void *ctx)
{
	*slots = (struct z_slots){
		.ctx = ctx,
		.free_head = Z_SLOT_NONE,
		.oldest = Z_SLOT_NONE,
		.newest = Z_SLOT_NONE,
	};
	if (capacity < 2 || capacity > Z_SLOTS_MAX || capacity > UINTPTR_MAX / Z_PAGE_SIZE) {
		return Z_ERR_INVAL;
	}
	slots->capacity = (uint32_t)capacity;
	if (hooks != NULL) {
		slots->hooks = *hooks;
	}
	return z_table_open(&slots->table, env, capacity, sizeof(struct slot));
}

void z_slots_close(struct z_slots *slots)
{
	z_table_close(&slots->table);
}

static void push_free(struct z_slots *slots, uint32_t i)
{
	struct slot *slot = slot_at(slots, i);

	slot->word = SLOT_FREE;
	slot->next = slots->free_head;
	slots->free_head = i;
	slots->free_count++;
}

static uint32_t pop_free(struct z_slots *slots)
{
	uint32_t i = slots->free_head;
	struct slot *slot = slot_at(slots, i);

	slots->free_head = slot->next;
	slots->free_count--;
	slot->word = SLOT_TAKEN;
	return i;
}

/* One more slot on the free list, that was never used. false: capacity or memory is used up. */
static bool grow(struct z_slots *slots)
{
	uint32_t i = slots->fresh;

	if (i == slots->capacity) {
		return false;
	}
	/* The rest of a leaf comes with its first element. */
	if (i % Z_TABLE_LEAF == 0 && z_table_grow(&slots->table, i) != 0) {
		return false;
	}
	if (slots->hooks.grow != NULL && slots->hooks.grow(slots->ctx, i) != 0) {
		return false;
	}
	slots->fresh++;
	push_free(slots, i);
	return true;
}

static inline void queue_append(struct z_slots *slots, struct slot *slot, uint32_t i)
{
	slot->next = Z_SLOT_NONE;
	slot->prev = slots->newest;
	if (slots->newest == Z_SLOT_NONE) {
		slots->oldest = i;
	} else {
		slot_at(slots, slots->newest)->next = i;
	}
	slots->newest = i;
	slots->cached_count++;
}

static inline void queue_remove(struct z_slots *slots, const struct slot *slot)
{
	if (slot->prev == Z_SLOT_NONE) {
		slots->oldest = slot->next;
	} else {
		slot_at(slots, slot->prev)->next = slot->next;
	}
	if (slot->next == Z_SLOT_NONE) {
		slots->newest = slot->prev;
	} else {
		slot_at(slots, slot->next)->prev = slot->prev;
	}
	slots->cached_count--;
}

/* A CACHED slot ceases to be one; its frame, if it still says so, is no longer BACKED. */
static void forget_copy(struct z_slots *slots, uint32_t i)
{
	const struct slot *slot = slot_at(slots, i);
	struct z_page_frame *pf = frame_of(slots, slot);

	queue_remove(slots, slot);
	if (z_page_frame_is_backed(pf) && z_page_frame_store_get(pf) == i) {
		z_page_frame_backed_clear(pf);
	}
}

bool z_slots_steal(struct z_slots *slots)
{
	uint32_t i = slots->oldest;

	if (i == Z_SLOT_NONE) {
		return false;
	}
	forget_copy(slots, i);
	if (slots->hooks.drop != NULL) {
		slots->hooks.drop(slots->ctx, i);
	}
	push_free(slots, i);
	slots->stolen++;
	return true;
}

void z_slots_renew(struct z_slots *slots, uint32_t i)
{
	struct slot *slot = slot_at(slots, i);

	queue_remove(slots, slot);
	queue_append(slots, slot, i);
}

/*
 * The slot of a BACKED frame leaves the queue and is TAKEN again; it may be that already. false: the frame
 * lies.
 */
static inline bool take_back(struct z_slots *slots, const struct z_page_frame *pf,
			     uint32_t *slot_out)
{
	uint64_t i = z_page_frame_store_get(pf);
	struct slot *slot;

	if (i >= slots->fresh) {
		return false;
	}
	slot = slot_at(slots, (uint32_t)i);
	if (slot->word == cached_word(steps_of(slots, pf))) {
		queue_remove(slots, slot);
		slot->word = SLOT_TAKEN;
	} else if (slot->word != SLOT_TAKEN) {
		return false;
	}
	*slot_out = (uint32_t)i;
	return true;
}

/* A free slot, a new one, a stolen one. */
static int take_another(struct z_slots *slots, enum z_store_want want, uint32_t *slot_out)
{
	uint32_t need = want == Z_WANT_FOR_FAULT ? 1 : 2;

	while (slots->free_count < need && grow(slots)) {
	}
	if (slots->free_count + slots->cached_count < need) {
		return Z_ERR_NOSPC;
	}
	while (slots->free_count < need) {
		(void)z_slots_steal(slots);
	}
	*slot_out = pop_free(slots);
	return 0;
}

int z_slots_get(struct z_slots *slots, struct z_page_frame *pf, enum z_store_want want,
		uint32_t *slot_out, bool *again_out)
{
	bool again = false;

	if (pf != NULL && z_page_frame_is_backed(pf)) {
		again = take_back(slots, pf, slot_out);
		if (!again) {
			misuse(slots, __LINE__);
		}
	}
	if (again_out != NULL) {
		*again_out = again;
	}
	return again ? 0 : take_another(slots, want, slot_out);
}

bool z_slots_uncache(struct z_slots *slots, uint32_t i)
{
	if (!z_slots_in_use(slots, i)) {
		misuse(slots, __LINE__);
		return false;
	}
	if (state_of(slot_at(slots, i)) == SLOT_CACHED) {
		forget_copy(slots, i);
		slot_at(slots, i)->word = SLOT_TAKEN;
	}
	return true;
}

bool z_slots_put(struct z_slots *slots, uint32_t i)
{
	if (!z_slots_uncache(slots, i)) {
		return false;
	}
	push_free(slots, i);
	return true;
}

bool z_slots_cache(struct z_slots *slots, uint32_t i, struct z_page_frame *pf)
{
	struct slot *slot = i < slots->fresh ? slot_at(slots, i) : NULL;
	uintptr_t steps;

	if (slot == NULL || state_of(slot) != SLOT_TAKEN) {
		misuse(slots, __LINE__);
		return false;
	}
	if (slots->base == NULL) {
		slots->base = pf;
	}
	steps = steps_of(slots, pf);
	if (steps >= 2 * (uintptr_t)FRAME_REACH) {
		return false;
	}
	slot->word = cached_word(steps);
	queue_append(slots, slot, i);
	z_page_frame_store_set(pf, i);
	z_page_frame_backed_set(pf);
	return true;
}

void z_slots_fetch(const struct z_slots *slots, uint32_t i)
{
	__builtin_prefetch(slot_at(slots, i), 1);
}

bool z_slots_in_use(const struct z_slots *slots, uint32_t i)
{
	return i < slots->fresh && state_of(slot_at(slots, i)) != SLOT_FREE;
}

bool z_slots_is_cached(const struct z_slots *slots, uint32_t i)
{
	return i < slots->fresh && state_of(slot_at(slots, i)) == SLOT_CACHED;
}

/* The queue: linked both ways, as long as it says, and its frames point back. */
static int check_queue(const struct z_slots *slots)
{
	uint32_t seen = 0;
	uint32_t prev = Z_SLOT_NONE;

	for (uint32_t i = slots->oldest; i != Z_SLOT_NONE; i = slot_at(slots, i)->next) {
		const struct slot *slot = slot_at(slots, i);
		const struct z_page_frame *pf = frame_of(slots, slot);

		if (++seen > slots->cached_count || slot->prev != prev ||
		    state_of(slot) != SLOT_CACHED) {
			return __LINE__;
		}
		if (!z_page_frame_is_backed(pf) || z_page_frame_store_get(pf) != i) {
			return __LINE__;
		}
		prev = i;
	}
	return seen == slots->cached_count && prev == slots->newest ? 0 : __LINE__;
}

static int check_free(const struct z_slots *slots)
{
	uint32_t seen = 0;

	for (uint32_t i = slots->free_head; i != Z_SLOT_NONE; i = slot_at(slots, i)->next) {
		if (++seen > slots->free_count || state_of(slot_at(slots, i)) != SLOT_FREE) {
			return __LINE__;
		}
	}
	return seen == slots->free_count ? 0 : __LINE__;
}

int z_slots_check(const struct z_slots *slots)
{
	uint32_t count[STATE_MASK + 1] = {0};
	int line;

	if (slots->misuse != 0) {
		return slots->misuse;
	}
	if (slots->fresh > slots->capacity) {
		return __LINE__;
	}
	for (uint32_t i = 0; i < slots->fresh; i++) {
		count[slot_at(slots, i)->word & STATE_MASK]++;
	}
	if (count[SLOT_FREE] != slots->free_count || count[SLOT_CACHED] != slots->cached_count ||
	    count[STATE_MASK] != 0) {
		return __LINE__;
	}
	line = check_free(slots);
	return line != 0 ? line : check_queue(slots);
}
