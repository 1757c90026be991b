/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what the files of the core share: the pager's structure and the functions that
 * cross file borders (prefix z__).
 *
 * Theory. All state is guarded by one lock, the pager lock. Data moves with the lock dropped (if
 * the configuration allows), and what protects a page meanwhile is its busy state: the frame is
 * LOADING or LEAVING and the page's entry is HELD. Whoever meets a busy page waits for the frame
 * and then looks again at the world, which may have changed: no pointer or entry read before a
 * wait is trusted after it.
 *
 * Functions named _locked want the pager lock; those marked "may drop" release and retake it.
 *
 * Lock letters: P pager lock; I fixed after creation; A atomic.
 */
#ifndef ZPAGER_CORE_INTERNAL_H
#define ZPAGER_CORE_INTERNAL_H

#include <stdatomic.h>

#include <zpager/pager.h>

#include "assert.h"
#include "mem.h"

/* A function that is part of the way of a fault: in a build for speed, where it is called. */
#ifdef __OPTIMIZE_SIZE__
#define Z__ON_THE_WAY static
#else
#define Z__ON_THE_WAY static inline __attribute__((always_inline))
#endif

#define Z_FRAME_NONE UINT32_MAX
#define Z_BANKS_MAX  64U

/* Frames that stay in service whatever the store charges: an instruction and its operands. */
#define Z_FRAMES_MIN 4U

struct z_region {
	uintptr_t va;         /* [P] first page */
	size_t pages;         /* [P] > 0 */
	unsigned int flags;   /* [P] Z_MAP_PINNED, Z_MAP_NORESERVE, Z__MAP_STORED */
	enum z_advice advice; /* [P] remembered for pages that come in */
};

/* Beside enum z_map_flags: the contents are the store's own, and are only read. */
#define Z__MAP_STORED 0x100U

struct z_frame_bank {
	uint32_t head; /* [P] first available frame, Z_FRAME_NONE if there is none */
	uint32_t free; /* [P] available frames */
	bool offline;  /* [P] its free frames are not given out */
};

/* A page that was evicted: enough to know it again, rarely another. */
struct z_ghost {
	uint32_t tag;     /* [P] 0: empty */
	uint32_t evicted; /* [P] the pager's eviction number, modulo 2^32 */
};

struct z_pager {
	struct z_pager_config cfg;   /* [I] */
	struct z_eviction_host host; /* [I] */
	void *eviction_state;        /* [I] the algorithm's own, guarded by P */
	z_key_t key;                 /* [P] what unlocking restores */

	struct z_frame_bank *banks;     /* [I] pointer */
	uint32_t nbanks;                /* [I] */
	uint32_t frames_per_bank;       /* [I] */
	uint32_t nram;                  /* [I] frames that are RAM */
	uint64_t banks_with_free;       /* [P] bit b: bank b is on-line and has a free frame */
	uint32_t free_count;            /* [P] available frames in on-line banks */
	uint32_t offline_free;          /* [P] available frames in off-line banks */
	uint32_t offline_banks;         /* [P] */
	uint32_t retired_head;          /* [P] list of retired frames */
	uint32_t retired_count;         /* [P] */
	_Atomic uint32_t retire_wanted; /* [A] by set_frames; the store's charge comes on top */
	_Atomic uint32_t charged;       /* [A] pages of RAM lent to the store */
	uint32_t resident_count;        /* [P] frames RESIDENT */
	uint32_t busy_count;            /* [P] frames CLAIMED, LOADING or LEAVING */
	uint32_t pinned_count;          /* [P] frames with pins > 0 */
	uint32_t held_count;            /* [P] frames held back from the algorithm */
	uint32_t held_hand;             /* [P] the frame to look at next for such a one */
	uint32_t frame_waiters;         /* [P] contexts that wait for any frame to come to rest */
	bool reclaiming;                /* [P] somebody evicts ahead of need, and has this: */
	void *reserve_room;             /* [I] pointer: the arrays of the big batch */
	uint32_t backed_hand; /* [P] frame at which the search for a backed page goes on */

	uint32_t drops;            /* [P] times that the lock was dropped, modulo 2^32 */
	unsigned int io_in_flight; /* [P] */
	unsigned int io_limit;     /* [I] */
	unsigned int io_waiters;   /* [P] */

	struct z_region *regions; /* [P] sorted by address */
	uint32_t nregions;        /* [P] */
	bool advised; /* [P] some region has had other advice than NORMAL: pages that come in are told of */
	size_t mapped_pages;    /* [P] */
	size_t committed_pages; /* [P] mapped without Z_MAP_NORESERVE */

	struct z_ahead *ahead; /* [P] streams; NULL: nothing is read ahead */

	struct z_ghost *ghosts; /* [P] */
	uint32_t evictions;     /* [P] pages evicted, modulo 2^32 */

	struct z_event *events;  /* [P] */
	uint64_t event_sequence; /* [P] */
	struct z_stats stats;    /* [P] all but the "now" fields */
	unsigned char *compare;  /* [P] one page, for Z_CHECK_CONTENTS */
};

/*
 * Inline functions with external linkage are those that a fault comes by: a build for speed puts them
 * where they are called, a build for size has one copy, in the file named.
 */

/* ---- frame.c ---- */

enum z_frame_state {
	Z_FRAME_AVAILABLE,
	Z_FRAME_RETIRED,
	Z_FRAME_HOLE,
	Z_FRAME_CLAIMED,
	Z_FRAME_LOADING,
	Z_FRAME_RESIDENT,
	Z_FRAME_LEAVING,
};

#define Z_FRAME_STATE_FLAGS                                                                        \
	(Z_PAGE_FRAME_RESERVED | Z_PAGE_FRAME_MAPPED | Z_PAGE_FRAME_BUSY | Z_PAGE_FRAME_LOADING)

/* Of these a frame that may become a candidate has MAPPED alone. */
#define Z_FRAME_CANDIDATE_FLAGS                                                                    \
	(Z_PAGE_FRAME_QUEUED | Z_PAGE_FRAME_RESERVED | Z_PAGE_FRAME_MAPPED | Z_PAGE_FRAME_PINNED | \
	 Z_PAGE_FRAME_BUSY)

enum z_frame_state z__frame_state(const struct z_page_frame *pf);
/* Wake whoever waits for this frame, or for any. */
void z__frame_wake_waiters(struct z_pager *p, struct z_page_frame *pf);
void z__frame_wait_locked(struct z_pager *p, struct z_page_frame *pf); /* may drop */

static inline unsigned int z__frame_flags_of(enum z_frame_state state)
{
	switch (state) {
	case Z_FRAME_AVAILABLE:
		return 0;
	case Z_FRAME_CLAIMED:
		return Z_PAGE_FRAME_BUSY;
	case Z_FRAME_LOADING:
		return Z_PAGE_FRAME_BUSY | Z_PAGE_FRAME_LOADING;
	case Z_FRAME_RESIDENT:
		return Z_PAGE_FRAME_MAPPED;
	case Z_FRAME_LEAVING:
		return Z_PAGE_FRAME_MAPPED | Z_PAGE_FRAME_BUSY;
	default:
		return Z_PAGE_FRAME_RESERVED;
	}
}

/* The states, as bits, from which a frame may come to this one. */
static inline unsigned int z__frame_legal_from(enum z_frame_state to)
{
	switch (to) {
	case Z_FRAME_AVAILABLE:
		return BIT(Z_FRAME_CLAIMED) | BIT(Z_FRAME_RETIRED);
	case Z_FRAME_RETIRED:
		return BIT(Z_FRAME_AVAILABLE);
	case Z_FRAME_CLAIMED:
		return BIT(Z_FRAME_AVAILABLE) | BIT(Z_FRAME_LOADING) | BIT(Z_FRAME_LEAVING) |
		       BIT(Z_FRAME_RESIDENT);
	case Z_FRAME_LOADING:
		return BIT(Z_FRAME_CLAIMED);
	case Z_FRAME_RESIDENT:
		return BIT(Z_FRAME_LOADING) | BIT(Z_FRAME_LEAVING);
	case Z_FRAME_LEAVING:
		return BIT(Z_FRAME_RESIDENT);
	default:
		return 0;
	}
}

/* From one state's flags to another's, both of a legal move: counts, waiters, the frame itself. */
static inline __attribute__((always_inline)) void
z__frame_set_inline(struct z_pager *p, struct z_page_frame *pf, unsigned int was, unsigned int now)
{
	p->resident_count +=
		(uint32_t)(now == Z_PAGE_FRAME_MAPPED) - (uint32_t)(was == Z_PAGE_FRAME_MAPPED);
	p->busy_count += (uint32_t)((now & Z_PAGE_FRAME_BUSY) != 0) -
			 (uint32_t)((was & Z_PAGE_FRAME_BUSY) != 0);
	if ((was & Z_PAGE_FRAME_BUSY) != 0 && (now & Z_PAGE_FRAME_LOADING) == 0 &&
	    ((pf->flags & Z_PAGE_FRAME_WAITED) != 0 || p->frame_waiters > 0))
		z__frame_wake_waiters(p, pf);

	/* The page that was in it is gone when it is claimed, and every bit of that page. */
	if (now == Z_PAGE_FRAME_BUSY)
		*pf = (struct z_page_frame){.flags = Z_PAGE_FRAME_BUSY};
	else
		pf->flags = (uint8_t)((pf->flags & ~Z_FRAME_STATE_FLAGS) | now);
}

void z__frame_set(struct z_pager *p, struct z_page_frame *pf, unsigned int was, unsigned int now);

#ifdef __OPTIMIZE_SIZE__
#define Z__FRAME_SET z__frame_set
#else
#define Z__FRAME_SET z__frame_set_inline
#endif

/*
 * z__frame_change - the move along an edge of frame.c's table. from: the state that it is in. Both
 * are constants wherever a fault comes by, and what the compiler leaves is a few stores; a build for
 * size has one copy of it, in frame.c.
 */
static inline __attribute__((always_inline)) void z__frame_change(struct z_pager *p,
								  struct z_page_frame *pf,
								  enum z_frame_state from,
								  enum z_frame_state to)
{
	Z_ASSERT((pf->flags & Z_FRAME_STATE_FLAGS) == z__frame_flags_of(from) &&
		 (z__frame_legal_from(to) & BIT(from)) != 0);
	Z__FRAME_SET(p, pf, z__frame_flags_of(from), z__frame_flags_of(to));
}

/* The same from whatever state it is in, for callers that no fault comes by. */
void z__frame_move(struct z_pager *p, struct z_page_frame *pf, enum z_frame_state to);

static inline uint32_t z__frame_number(const struct z_pager *p, const struct z_page_frame *pf)
{
	return (uint32_t)(pf - p->cfg.frames);
}

static inline z_phys_t z__frame_phys(const struct z_pager *p, const struct z_page_frame *pf)
{
	return z_phys(p->cfg.ram_base + (uintptr_t)z__frame_number(p, pf) * Z_PAGE_SIZE);
}

/* NULL if there is no such frame. */
static inline struct z_page_frame *z__frame_of_phys(const struct z_pager *p, z_phys_t phys)
{
	uintptr_t number = (phys.v - p->cfg.ram_base) / Z_PAGE_SIZE;

	return phys.v >= p->cfg.ram_base && number < p->cfg.nframes ? &p->cfg.frames[number] : NULL;
}

/* So many pages to each side is where an algorithm's neighbour is looked for. */
#define Z__NEAR 32U

/* ---- free_list.c ---- */

/* An available frame becomes CLAIMED, NULL if there is none. */
struct z_page_frame *z__free_list_take_locked(struct z_pager *p);
/* A CLAIMED frame becomes available, or is retired if frames are owed. */
void z__free_list_put_locked(struct z_pager *p, struct z_page_frame *pf);
void z__free_list_init(struct z_pager *p);

/* Charging is lock-free: the figure may be another the next time. */
inline uint32_t z__free_list_wanted_retired(const struct z_pager *p)
{
	uint32_t owed = atomic_load_explicit(&p->retire_wanted, memory_order_relaxed) +
			atomic_load_explicit(&p->charged, memory_order_relaxed);

	return owed > p->offline_free ? owed - p->offline_free : 0;
}

/* Retire or un-retire until as many frames are out of service as are wanted, or none is free. */
void z__free_list_adjust_locked(struct z_pager *p);

inline void z__free_list_settle_locked(struct z_pager *p)
{
	if (p->retired_count != z__free_list_wanted_retired(p))
		z__free_list_adjust_locked(p);
}

/* ---- lock.c ---- */

inline void z__lock(struct z_pager *p)
{
	z_key_t key = p->cfg.env->lock(p->cfg.env_ctx);

	p->key = key;
	z__free_list_settle_locked(p);
}

inline void z__unlock(struct z_pager *p)
{
	p->drops++;
	p->cfg.env->unlock(p->cfg.env_ctx, p->key);
}

void z__wait_locked(struct z_pager *p, const void *channel); /* may drop */

/*
 * Around the transfer itself: a turn, if transfers are limited, and the lock off, if allowed. If it is
 * not allowed nobody else can be met in a transfer.
 */
void z__io_unlock(struct z_pager *p);
void z__io_relock(struct z_pager *p);

/* The same for a transfer that takes several turns at once, which the caller has seen to be free. */
void z__io_begin_many_locked(struct z_pager *p, unsigned int turns);
void z__io_end_many(struct z_pager *p, unsigned int turns);

inline void z__io_begin_locked(struct z_pager *p) /* may drop; the lock is off if allowed */
{
	if (p->cfg.unlock_for_io)
		z__io_unlock(p);
}

inline void z__io_end(struct z_pager *p) /* lock held again on return */
{
	if (p->cfg.unlock_for_io)
		z__io_relock(p);
}

/* ---- region.c ---- */

/* Index of the first region that ends behind va; nregions if there is none. */
uint32_t z__region_find(const struct z_pager *p, uintptr_t va);
bool z__region_covers(const struct z_pager *p, uintptr_t va, size_t pages);
/* 0 | Z_ERR_NOMEM no gap of that size. */
int z__region_gap(const struct z_pager *p, size_t pages, size_t align_pages, uintptr_t *va_out);
bool z__region_is_free(const struct z_pager *p, uintptr_t va, size_t pages);
int z__region_insert_locked(struct z_pager *p, uintptr_t va, size_t pages, unsigned int flags);
/* Can the range be cut out of the table? 0 | Z_ERR_NOMEM it needs one region too many. */
int z__region_can_remove(const struct z_pager *p, uintptr_t va, size_t pages);
void z__region_remove_locked(struct z_pager *p, uintptr_t va, size_t pages);
/* Is the page in a region that was mapped with Z_MAP_PINNED? */
bool z__region_pins(const struct z_pager *p, uintptr_t va);

/* Is a page of the range in a region of z_pager_map_stored()? */
bool z__region_is_stored(const struct z_pager *p, uintptr_t va, size_t pages);

/* What was said of the region of a page. */
enum z_advice z__region_advice(const struct z_pager *p, uintptr_t va);

/* Remember advice for the regions that lie in the range, if it is of the kind that lasts. */
void z__region_advise_locked(struct z_pager *p, uintptr_t va, size_t pages, enum z_advice advice);

/* ---- page_io.c, fault.c, evict.c ---- */

/* Act on what was said of the region of a page that has just become a candidate. */
void z__tell_advice_locked(struct z_pager *p, struct z_page_frame *pf);

/* What is asked of a page. Constant while it is answered. */
struct z_request {
	uintptr_t va;
	unsigned int access;   /* enum z_access bits; 0: none known, permissions do not matter */
	enum z_add_reason why; /* what the algorithm is told if the page has to be loaded */
};

/*
 * z__resident_locked - make one mapped page resident; the lock may drop, but not between the moment
 * that the page is in and the return. *pf_out is its frame. Errors: enum z_err; Z_ERR_FAULT not
 * mapped, Z_ERR_PERM the permissions forbid the access.
 */
int z__resident_locked(struct z_pager *p, const struct z_request *r, struct z_page_frame **pf_out);

/* The same for a page that is wanted, but not touched yet. */
static inline int z__ahead_locked(struct z_pager *p, uintptr_t va, struct z_page_frame **pf_out)
{
	struct z_request r = {.va = va, .why = Z_ADD_AHEAD};

	return z__resident_locked(p, &r, pf_out);
}

/*
 * z__evict_locked - evict up to n frames: those of pfs, all of them evictable, or if that is NULL those
 *   that the algorithm chooses. May drop. Returns the first error; *freed_out.
 *   hand: NULL, or where NULL is: a single frame is left there, CLAIMED, instead of going to the
 *   free list only to be taken from it, if nothing else has a claim to it.
 */
int z__evict_locked(struct z_pager *p, struct z_page_frame **pfs, size_t n, enum z_store_want want,
		    struct z_page_frame **hand, size_t *freed_out);
int z__evict_another_locked(struct z_pager *p, size_t max, enum z_store_want want,
			    struct z_page_frame **hand, int err);

/*
 * z__evict_some_locked - let the algorithm choose up to max victims and evict them; others, if these cannot
 *   be. May drop. For a fault with a full store, one that the store has already is looked for.
 *   0 at least one frame was freed | Z_ERR_NOMEM no victim | an error met.
 */
inline int z__evict_some_locked(struct z_pager *p, size_t max, enum z_store_want want,
				struct z_page_frame **hand)
{
	size_t freed;
	int err = z__evict_locked(p, NULL, max, want, hand, &freed);

	return freed > 0 ? Z_OK : z__evict_another_locked(p, max, want, hand, err);
}

/*
 * z__evict_reserve_locked - evict up to max frames of the algorithm's choice in one batch ahead of need, a big one
 *   if nobody else is at it. May drop. 0 at least one frame was freed | errors as z__evict_some_locked.
 * z__reserve_room_bytes - what it needs of the pager's memory.
 */
int z__evict_reserve_locked(struct z_pager *p, size_t max);
size_t z__reserve_room_bytes(const struct z_pager_config *config);

/* Victims a batch: as configured, but never a large part of the frames that are in service. */
static inline uint32_t z__batch_size(const struct z_pager *p)
{
	uint32_t share = (p->nram - p->retired_count) / 8;

	if (Z_BATCH_MAX == 1)
		return 1;
	if (share > p->cfg.batch)
		return p->cfg.batch;
	return share > 0 ? share : 1;
}

/* Forget the clean copy of a resident frame, if the store has one. */
void z__drop_copy_locked(struct z_pager *p, struct z_page_frame *pf);

/* Pages of the range that are out become untouched; then, and only then, their locations are freed. */
void z__forget_out_locked(struct z_pager *p, uintptr_t va, size_t pages);

/*
 * Frames whose page has advice KEEP are held back: evictable, but no candidate, so the algorithm does not
 * choose them. An eviction gives some back to it when it has few others (evict.c).
 *
 * z__hold_locked - a candidate is held back; nothing for other frames.
 * z__unhold_locked - a frame is not held back any more, and no candidate yet; nothing for other frames.
 */
void z__hold_locked(struct z_pager *p, struct z_page_frame *pf);
void z__unhold_locked(struct z_pager *p, const struct z_page_frame *pf);

static inline bool z__is_held(const struct z_page_frame *pf)
{
	return (pf->flags & Z_PAGE_FRAME_QUEUED) == 0 && z_page_frame_is_evictable(pf);
}

/* Tell the algorithm; both do nothing if it has been told already. */
inline void z__candidate_add_locked(struct z_pager *p, struct z_page_frame *pf,
				    enum z_add_reason reason)
{
	if ((pf->flags & Z_FRAME_CANDIDATE_FLAGS) != Z_PAGE_FRAME_MAPPED)
		return;
	pf->flags = (uint8_t)(pf->flags | Z_PAGE_FRAME_QUEUED);
	p->cfg.eviction->add(p->eviction_state, pf, reason);
}

inline void z__candidate_remove_locked(struct z_pager *p, struct z_page_frame *pf,
				       enum z_remove_reason reason)
{
	if ((pf->flags & Z_PAGE_FRAME_QUEUED) == 0) {
		z__unhold_locked(p, pf);
		return;
	}
	p->cfg.eviction->remove(p->eviction_state, pf, reason);
	pf->flags = (uint8_t)(pf->flags & ~Z_PAGE_FRAME_QUEUED);
}

/* ---- map.c ---- */

enum z_pins_allowed {
	Z_PINS_NONE,
	Z_PINS_OF_MAPPING, /* the one that Z_MAP_PINNED made */
};

/*
 * z__quiesce_locked - wait until no page of the range is being moved. May drop, but not between the
 * moment that this is so and the return.
 *   0 | Z_ERR_FAULT not all of it is mapped | Z_ERR_BUSY a page is pinned.
 */
int z__quiesce_locked(struct z_pager *p, uintptr_t va, size_t pages, enum z_pins_allowed allowed);

/* ---- pin.c ---- */

int z__pin_frame_locked(struct z_pager *p, struct z_page_frame *pf);
void z__unpin_frame_locked(struct z_pager *p, struct z_page_frame *pf);

/* ---- ghost.c ---- */

/* Sizes of tables; 0 by configuration leaves nothing of what fills them. */
#ifdef CONFIG_ZPAGER_GHOSTS
#define z__ghosts(config) ((config)->ghosts)
#else
#define z__ghosts(config) ((void)(config), 0U)
#endif
typedef size_t z__place_fn(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as);
typedef void z__vacate_fn(void *ctx, const struct z_page_op *ops, size_t n);
typedef int z__prepare_fn(void *ctx, uintptr_t va, size_t pages);
typedef size_t z__untouched_fn(void *ctx, uintptr_t va, size_t pages);
#ifdef CONFIG_ZPAGER_RESERVE
#define z__reserve_batch(config) ((config)->reserve_batch)
#define z__place_of(arch)        ((arch)->place)
#define z__vacate_of(arch)       ((arch)->vacate)
#define z__prepare_of(arch)      ((arch)->prepare)
#define z__untouched_of(arch)    ((arch)->untouched)
#else
#define z__place_of(arch)        ((void)(arch), (z__place_fn *)NULL)
#define z__vacate_of(arch)       ((void)(arch), (z__vacate_fn *)NULL)
#define z__prepare_of(arch)      ((void)(arch), (z__prepare_fn *)NULL)
#define z__untouched_of(arch)    ((void)(arch), (z__untouched_fn *)NULL)
#define z__reserve_batch(config) ((void)(config), 0U)
#endif
#ifdef CONFIG_ZPAGER_EVENTS
#define z__events(config) ((config)->events)
#else
#define z__events(config) ((void)(config), 0U)
#endif

/* The number of a page, never 0: the tag of its ghost. */
inline uint32_t z__ghost_tag(uintptr_t va)
{
	return (uint32_t)(va / Z_PAGE_SIZE) | 0x80000000U;
}

/* Neighbours have different places; so, mostly, have pages that are a power of two apart. */
inline struct z_ghost *z__ghost_slot(struct z_pager *p, uint32_t tag)
{
	return &p->ghosts[(tag ^ tag >> 7) & (z__ghosts(&p->cfg) - 1)];
}

inline void z__ghost_note_locked(struct z_pager *p, uintptr_t va)
{
	uint32_t tag = z__ghost_tag(va);

	if (z__ghosts(&p->cfg) == 0)
		return;
	p->evictions++;
	*z__ghost_slot(p, tag) = (struct z_ghost){tag, p->evictions};
}

/* Evictions since this page was evicted, 0 if that is not known. Forgets it. */
inline uint32_t z__ghost_take_locked(struct z_pager *p, uintptr_t va)
{
	uint32_t tag = z__ghost_tag(va);
	struct z_ghost *g;

	if (z__ghosts(&p->cfg) == 0)
		return 0;
	g = z__ghost_slot(p, tag);
	if (g->tag != tag)
		return 0;
	g->tag = 0;
	return p->evictions - g->evicted + 1U;
}

/* ---- trace.c ---- */

inline void z__event_locked(struct z_pager *p, enum z_event_kind kind, uintptr_t va,
			    int64_t argument)
{
	struct z_event *e;

	if (z__events(&p->cfg) == 0)
		return;
	e = &p->events[p->event_sequence & (z__events(&p->cfg) - 1)];
	p->event_sequence++;
	*e = (struct z_event){p->event_sequence, va, argument, (uint8_t)kind};
}

/* ---- small helpers ---- */

static inline uintptr_t z__page_va(uintptr_t first, size_t index)
{
	return first + index * Z_PAGE_SIZE;
}

static inline struct z_entry z__entry(struct z_pager *p, uintptr_t va)
{
	return p->cfg.arch->entry(p->cfg.arch_ctx, va);
}

/* How many pages from va on, at least that one, need no look of a walk that passes by UNTOUCHED ones. */
static inline size_t z__step(struct z_pager *p, uintptr_t va, size_t pages, enum z_entry_kind kind)
{
	size_t n = 0;

	if (kind == Z_ENTRY_UNTOUCHED && z__untouched_of(p->cfg.arch) != NULL)
		n = p->cfg.arch->untouched(p->cfg.arch_ctx, va, pages);
	return n > 0 ? n : 1;
}

/* Memory that the port's table wants before the page can be held. 0 | Z_ERR_NOMEM. */
static inline int z__prepare(struct z_pager *p, uintptr_t va, size_t pages)
{
	return z__prepare_of(p->cfg.arch) != NULL ? p->cfg.arch->prepare(p->cfg.arch_ctx, va, pages)
						  : Z_OK;
}

static inline bool z__in_window(const struct z_pager *p, uintptr_t va)
{
	return va >= p->cfg.vm_base && va - p->cfg.vm_base < p->cfg.vm_pages * Z_PAGE_SIZE;
}

/* Is this a range of whole pages inside the window? */
static inline bool z__range_ok(const struct z_pager *p, uintptr_t va, size_t pages)
{
	return z_is_page_aligned(va) && z__in_window(p, va) && pages > 0 &&
	       pages <= p->cfg.vm_pages - (va - p->cfg.vm_base) / Z_PAGE_SIZE;
}

#endif /* ZPAGER_CORE_INTERNAL_H */
