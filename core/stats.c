/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.c - counters as one consistent copy, and the picture of all frames.
 *
 * Locks: pager lock for the copy.
 */
#include "internal.h"

void z_pager_stats(struct z_pager *p, struct z_stats *out)
{
	z__lock(p);
	*out = p->stats;
	out->pagefaults =
		out->pagefaults_irq_locked + out->pagefaults_irq_unlocked + out->pagefaults_in_isr;
	out->frames_free = p->free_count;
	out->frames_resident = p->resident_count;
	out->frames_retired = p->retired_count;
	out->pages_mapped = p->mapped_pages;
	out->pages_pinned = p->pinned_count;
	out->store_pages = p->charged;
	z__unlock(p);
}

static char frame_char(const struct z_page_frame *pf)
{
	switch (z__frame_state(pf)) {
	case Z_FRAME_AVAILABLE:
		return '.';
	case Z_FRAME_RETIRED:
		return '_';
	case Z_FRAME_HOLE:
		return '#';
	case Z_FRAME_CLAIMED:
		return '-';
	case Z_FRAME_LOADING:
		return 'L';
	case Z_FRAME_LEAVING:
		return 'W';
	default:
		break;
	}
	if (z_page_frame_is_pinned(pf))
		return 'P';
	return z_page_frame_is_backed(pf) ? 'c' : 'r';
}

size_t z_pager_dump(struct z_pager *p, char *text, size_t max)
{
	size_t n = 0;

	z__lock(p);
	for (uint32_t i = 0; i < p->cfg.nframes && n < max; i++) {
		text[n++] = frame_char(&p->cfg.frames[i]);
		if ((i + 1) % 64 == 0 && n < max)
			text[n++] = '\n';
	}
	z__unlock(p);
	text[n] = '\0';
	return n;
}
