/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.h - our eviction algorithms and stores under the specified names, for somebody else's kernel
 * that calls them. One line in one of its source files:
 *
 *	Z_EXPORT_EVICTION(z_eviction_clock);   defines z_eviction_init, z_eviction_select
 *	Z_EXPORT_STORE(my_store);              defines z_backing_store_*; an expression, see below
 *
 * That kernel uses our page_frame.h, defines z_page_frames (mmu.h) and gives the hooks below.
 *
 * Eviction. Our algorithms are told of every change of a frame; the specified interface tells of
 * none. So select first walks over z_page_frames and tells the algorithm what has changed since the
 * last time: O(frames) a select, with 8 bytes a frame for what it was told. A frame that went and
 * came back with the same page in between is not noticed: the algorithm takes it for one that
 * stayed. The frame that select returns counts as evicted.
 *
 * Store. The specified page_out and page_in cannot fail; ours can: z_export_store_error says so. The
 * specified location_get does not say who asks: each caller may have the last place. Two things
 * that our core does and that kernel has to do too: clear all flags of a frame that gets another
 * page; and before it unmaps a resident BACKED page, free the copy (location_get, location_free).
 *
 * Locks: as the specification says of each function. Limits: one algorithm, one store a program.
 */
#ifndef ZPAGER_EXPORT_H
#define ZPAGER_EXPORT_H

#include <zpager/arch.h>
#include <zpager/eviction.h>
#include <zpager/mmu.h>
#include <zpager/store.h>

#if defined(CONFIG_MMU) && defined(CONFIG_DEMAND_PAGING)

/* ---- hooks, given by the kernel ---------------------------------------------------------------- */

/*
 * z_export_page_info - enum z_page_info bits of the page in a frame that is evictable.
 *   clear_accessed: clear the accessed bit too. Context: interrupts locked, inside select.
 */
unsigned int z_export_page_info(struct z_page_frame *pf, bool clear_accessed);

/*
 * z_export_store_error - a page_out (is_write) or page_in of this location failed: the copy in the
 * store, or the page in scratch, is undefined. err: enum z_err. There is no way back through the
 * specified function; what to do is the kernel's choice. Context: of page_out, page_in.
 */
void z_export_store_error(uintptr_t location, bool is_write, int err);

/* ---- eviction ------------------------------------------------------------------------------------ */

/* Room for the algorithm's state. Define it larger before the include if select says NULL. */
#ifndef Z_EXPORT_STATE_BYTES
#define Z_EXPORT_STATE_BYTES (1024 + 32 * (size_t)Z_NUM_PAGE_FRAMES)
#endif

struct z_export_eviction {
	const struct z_eviction_ops *ops; /* NULL: not ready */
	void *told[Z_NUM_PAGE_FRAMES];    /* the page that the algorithm was told is in the frame */
	_Alignas(64) unsigned char state[Z_EXPORT_STATE_BYTES];
};

static inline unsigned int z_export__sample(void *core, const struct z_page_frame *pf,
					    bool clear_accessed)
{
	(void)core;
	return z_export_page_info(&z_page_frames[pf - z_page_frames], clear_accessed);
}

static inline void z_export__eviction_init(struct z_export_eviction *e,
					   const struct z_eviction_ops *ops)
{
	const struct z_eviction_host host = {
		.frames = z_page_frames,
		.nframes = Z_NUM_PAGE_FRAMES,
		.sample = z_export__sample,
	};

	if (ops->state_bytes(Z_NUM_PAGE_FRAMES) <= sizeof(e->state) &&
	    ops->init(e->state, &host) == Z_OK)
		e->ops = ops;
}

/* Tell the algorithm of one frame, if anything has changed. */
static inline void z_export__sync(struct z_export_eviction *e, struct z_page_frame *pf)
{
	void **told = &e->told[pf - z_page_frames];
	void *now = z_page_frame_is_evictable(pf) ? pf->addr : NULL;

	if (*told == now)
		return;
	if (*told != NULL)
		e->ops->remove(e->state, pf, Z_REMOVE_UNMAP);
	if (now != NULL)
		e->ops->add(e->state, pf, Z_ADD_FAULT);
	*told = now;
}

static inline struct z_page_frame *z_export__select(struct z_export_eviction *e, bool *dirty)
{
	struct z_page_frame *pf;

	*dirty = false;
	if (e->ops == NULL)
		return NULL;
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++)
		z_export__sync(e, &z_page_frames[i]);
	pf = e->ops->select(e->state);
	if (pf == NULL)
		return NULL;
	*dirty = (z_export_page_info(pf, false) & Z_INFO_DIRTY) != 0;
	e->ops->remove(e->state, pf, Z_REMOVE_EVICT);
	e->told[pf - z_page_frames] = NULL;
	return pf;
}

#define Z_EXPORT_EVICTION(algorithm)                                                               \
	static struct z_export_eviction z_export_eviction;                                         \
	void z_eviction_init(void)                                                                 \
	{                                                                                          \
		z_export__eviction_init(&z_export_eviction, &(algorithm));                         \
	}                                                                                          \
	struct z_page_frame *z_eviction_select(bool *dirty)                                        \
	{                                                                                          \
		return z_export__select(&z_export_eviction, dirty);                                \
	}                                                                                          \
	_Static_assert(1, "ends with a semicolon")

/* ---- store --------------------------------------------------------------------------------------- */

static inline int z_export__location_get(struct z_store *store, struct z_page_frame *pf,
					 uintptr_t *location)
{
	z_loc_t loc;

	if (store == NULL || store->ops->location_get(store, pf, Z_WANT_FOR_FAULT, &loc) != Z_OK)
		return Z_ERR_NOMEM;
	*location = loc.v;
	return 0;
}

static inline void z_export__page_out(struct z_store *store, uintptr_t location)
{
	int err = store->ops->page_out(store, z_loc(location), Z_SCRATCH_PAGE);

	if (err != Z_OK)
		z_export_store_error(location, true, err);
}

static inline void z_export__page_in(struct z_store *store, uintptr_t location)
{
	int err = store->ops->page_in(store, z_loc(location), Z_SCRATCH_PAGE);

	if (err != Z_OK)
		z_export_store_error(location, false, err);
}

/* open: an expression, evaluated in init, of type struct z_store *; NULL: the store is always full. */
#define Z_EXPORT_STORE(open)                                                                       \
	static struct z_store *z_export_store;                                                     \
	void z_backing_store_init(void)                                                            \
	{                                                                                          \
		z_export_store = (open);                                                           \
	}                                                                                          \
	int z_backing_store_location_get(struct z_page_frame *pf, uintptr_t *location)             \
	{                                                                                          \
		return z_export__location_get(z_export_store, pf, location);                       \
	}                                                                                          \
	void z_backing_store_location_free(uintptr_t location)                                     \
	{                                                                                          \
		z_export_store->ops->location_free(z_export_store, z_loc(location));               \
	}                                                                                          \
	void z_backing_store_page_out(uintptr_t location)                                          \
	{                                                                                          \
		z_export__page_out(z_export_store, location);                                      \
	}                                                                                          \
	void z_backing_store_page_in(uintptr_t location)                                           \
	{                                                                                          \
		z_export__page_in(z_export_store, location);                                       \
	}                                                                                          \
	void z_backing_store_page_finalize(struct z_page_frame *pf, uintptr_t location)            \
	{                                                                                          \
		z_export_store->ops->page_finalize(z_export_store, pf, z_loc(location));           \
	}                                                                                          \
	_Static_assert(1, "ends with a semicolon")

#endif

#endif /* ZPAGER_EXPORT_H */
