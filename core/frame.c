/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.c - the states of a page frame and the only function that changes them.
 *
 * Theory. page_frame.h lists the states; they are encoded in the specified flags. A move along an
 * edge that is not in the table is a bug of ours. Each move keeps the counts of resident and busy
 * frames right and wakes whoever waits for this frame or for any frame.
 *
 *   AVAILABLE <-> RETIRED           LOADING -> RESIDENT | CLAIMED (undone)
 *   AVAILABLE -> CLAIMED            RESIDENT -> LEAVING | CLAIMED (unmapped)
 *   CLAIMED -> AVAILABLE | LOADING  LEAVING -> CLAIMED | RESIDENT (undone)
 *
 * Locks: everything with the pager lock held.
 */
#include "internal.h"

#define Z_FRAME_STATE_FLAGS                                                                        \
	(Z_PAGE_FRAME_RESERVED | Z_PAGE_FRAME_MAPPED | Z_PAGE_FRAME_BUSY | Z_PAGE_FRAME_LOADING)

static const uint8_t state_flags[] = {
	[Z_FRAME_AVAILABLE] = 0,
	[Z_FRAME_RETIRED] = Z_PAGE_FRAME_RESERVED,
	[Z_FRAME_HOLE] = Z_PAGE_FRAME_RESERVED,
	[Z_FRAME_CLAIMED] = Z_PAGE_FRAME_BUSY,
	[Z_FRAME_LOADING] = Z_PAGE_FRAME_BUSY | Z_PAGE_FRAME_LOADING,
	[Z_FRAME_RESIDENT] = Z_PAGE_FRAME_MAPPED,
	[Z_FRAME_LEAVING] = Z_PAGE_FRAME_MAPPED | Z_PAGE_FRAME_BUSY,
};

/* legal_from[to]: the states, as bits, from which a frame may come. */
static const uint8_t legal_from[] = {
	[Z_FRAME_AVAILABLE] = BIT(Z_FRAME_CLAIMED) | BIT(Z_FRAME_RETIRED),
	[Z_FRAME_RETIRED] = BIT(Z_FRAME_AVAILABLE),
	[Z_FRAME_HOLE] = 0,
	[Z_FRAME_CLAIMED] = BIT(Z_FRAME_AVAILABLE) | BIT(Z_FRAME_LOADING) | BIT(Z_FRAME_LEAVING) |
			    BIT(Z_FRAME_RESIDENT),
	[Z_FRAME_LOADING] = BIT(Z_FRAME_CLAIMED),
	[Z_FRAME_RESIDENT] = BIT(Z_FRAME_LOADING) | BIT(Z_FRAME_LEAVING),
	[Z_FRAME_LEAVING] = BIT(Z_FRAME_RESIDENT),
};

enum z_frame_state z__frame_state(const struct z_page_frame *pf)
{
	switch (pf->flags & Z_FRAME_STATE_FLAGS) {
	case 0:
		return Z_FRAME_AVAILABLE;
	case Z_PAGE_FRAME_BUSY:
		return Z_FRAME_CLAIMED;
	case Z_PAGE_FRAME_BUSY | Z_PAGE_FRAME_LOADING:
		return Z_FRAME_LOADING;
	case Z_PAGE_FRAME_MAPPED:
		return Z_FRAME_RESIDENT;
	case Z_PAGE_FRAME_MAPPED | Z_PAGE_FRAME_BUSY:
		return Z_FRAME_LEAVING;
	default:
		return pf->pins == UINT16_MAX ? Z_FRAME_HOLE : Z_FRAME_RETIRED;
	}
}

static bool is_busy_state(enum z_frame_state state)
{
	return state == Z_FRAME_CLAIMED || state == Z_FRAME_LOADING || state == Z_FRAME_LEAVING;
}

static void wake_waiters(struct z_pager *p, struct z_page_frame *pf)
{
	if ((pf->flags & Z_PAGE_FRAME_WAITED) != 0) {
		pf->flags = (uint8_t)(pf->flags & ~Z_PAGE_FRAME_WAITED);
		p->cfg.env->wake(p->cfg.env_ctx, pf);
	}
	if (p->frame_waiters > 0)
		p->cfg.env->wake(p->cfg.env_ctx, &p->frame_waiters);
}

void z__frame_move(struct z_pager *p, struct z_page_frame *pf, enum z_frame_state to)
{
	enum z_frame_state from = z__frame_state(pf);

	Z_ASSERT((legal_from[to] & BIT(from)) != 0);

	p->resident_count +=
		(uint32_t)(to == Z_FRAME_RESIDENT) - (uint32_t)(from == Z_FRAME_RESIDENT);
	p->busy_count += (uint32_t)is_busy_state(to) - (uint32_t)is_busy_state(from);
	if (is_busy_state(from) && to != Z_FRAME_LOADING)
		wake_waiters(p, pf);

	pf->flags = (uint8_t)((pf->flags & ~Z_FRAME_STATE_FLAGS) | state_flags[to]);
	if (to == Z_FRAME_CLAIMED) {
		/* The page that was in it is gone, and every bit of it. */
		pf->flags = Z_PAGE_FRAME_BUSY;
		pf->addr = NULL;
		pf->pins = 0;
		z_page_frame_store_set(pf, 0);
	}
}

void z__frame_wait_locked(struct z_pager *p, struct z_page_frame *pf)
{
	pf->flags = (uint8_t)(pf->flags | Z_PAGE_FRAME_WAITED);
	p->stats.fault_waits++;
	z__event_locked(p, Z_EVENT_WAIT, (uintptr_t)pf->addr, z__frame_number(p, pf));
	z__wait_locked(p, pf);
}
