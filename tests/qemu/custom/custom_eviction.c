/* SPDX-License-Identifier: Apache-2.0 */
/*
 * custom_eviction.c - an eviction algorithm, written as somebody would who has nothing but the
 * specification: z_eviction_select over z_page_frames. Second chance: the hand goes round the frames; a
 * page that was accessed since it last came by stays, and its accessed bit is cleared; the first
 * that was not goes.
 *
 * The bits of a page come from z_page_frame_info, which stands for the architecture's function of the
 * specification that gives and clears them.
 *
 * Locks: interrupts are locked in select, as specified. Limits: a walk over all frames when every
 * page was accessed; one that is pinned or busy costs a look.
 */
#include <zpager/arch.h>
#include <zpager/mmu.h>

static size_t hand;

void z_eviction_init(void)
{
	hand = 0;
}

/* Twice round finds any page that can go: the first round has cleared its bit. One look more, for
 * a page that is accessed in between on another CPU: then it goes nevertheless. */
struct z_page_frame *z_eviction_select(bool *dirty)
{
	for (size_t i = 0; i <= 2U * Z_NUM_PAGE_FRAMES; i++) {
		struct z_page_frame *pf = &z_page_frames[hand];
		bool last_round = i > Z_NUM_PAGE_FRAMES;
		unsigned int info;

		hand = (hand + 1) % Z_NUM_PAGE_FRAMES;
		if (!z_page_frame_is_evictable(pf))
			continue;
		info = z_page_frame_info(pf, true);
		if ((info & Z_INFO_ACCESSED) == 0 || last_round) {
			*dirty = (info & Z_INFO_DIRTY) != 0;
			return pf;
		}
	}
	return NULL;
}
