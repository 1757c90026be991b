/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.c - the states of a page frame; z__frame_change() of internal.h alone moves it between them.
 *
 * Theory. page_frame.h lists the states; they are encoded in the specified flags. A move along an
 * edge that is not here is a bug of ours. Each move keeps the counts of resident and busy frames
 * right and wakes whoever waits for this frame or for any frame.
 *
 *   AVAILABLE <-> RETIRED           LOADING -> RESIDENT | CLAIMED (undone)
 *   AVAILABLE -> CLAIMED            RESIDENT -> LEAVING | CLAIMED (unmapped)
 *   CLAIMED -> AVAILABLE | LOADING  LEAVING -> CLAIMED | RESIDENT (undone)
 *
 * Locks: everything with the pager lock held.
 */
#include "internal.h"

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

void z__frame_wake_waiters(struct z_pager *p, struct z_page_frame *pf)
{
	if ((pf->flags & Z_PAGE_FRAME_WAITED) != 0) {
		pf->flags = (uint8_t)(pf->flags & ~Z_PAGE_FRAME_WAITED);
		p->cfg.env->wake(p->cfg.env_ctx, pf);
	}
	if (p->frame_waiters > 0)
		p->cfg.env->wake(p->cfg.env_ctx, &p->frame_waiters);
}

void z__frame_set(struct z_pager *p, struct z_page_frame *pf, unsigned int was, unsigned int now)
{
	z__frame_set_inline(p, pf, was, now);
}

void z__frame_move(struct z_pager *p, struct z_page_frame *pf, enum z_frame_state to)
{
	Z_ASSERT((z__frame_legal_from(to) & BIT(z__frame_state(pf))) != 0);
	z__frame_set(p, pf, pf->flags & Z_FRAME_STATE_FLAGS, z__frame_flags_of(to));
}

void z__frame_wait_locked(struct z_pager *p, struct z_page_frame *pf)
{
	pf->flags = (uint8_t)(pf->flags | Z_PAGE_FRAME_WAITED);
	p->stats.fault_waits++;
	z__event_locked(p, Z_EVENT_WAIT, (uintptr_t)pf->addr, z__frame_number(p, pf));
	z__wait_locked(p, pf);
}
