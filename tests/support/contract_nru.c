/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_nru.c - an eviction algorithm as somebody else would write it: against the specified names
 * (mmu.h) alone. Not recently used, the simple way: one walk over all frames, starting behind the
 * last victim, takes the first frame of the lowest class; if every frame was in use, all start anew.
 *
 * Locks: interrupts are locked in select, as specified.
 */
#include <zpager/mmu.h>

#include "contract_custom.h"

#define INFO_ACCESSED 1U
#define INFO_DIRTY    2U

unsigned int custom_eviction_inits;
unsigned int custom_eviction_selects;
void (*custom_eviction_init_hook)(void);
bool custom_eviction_lies;
struct z_page_frame *custom_eviction_wild;

static size_t start;

void z_eviction_init(void)
{
	custom_eviction_inits++;
	start = 0;
	if (custom_eviction_init_hook != NULL) {
		custom_eviction_init_hook();
	}
}

static struct z_page_frame *frame_at(size_t i)
{
	return &z_page_frames[(start + i) % Z_NUM_PAGE_FRAMES];
}

/* 0: neither accessed nor dirty, 1: dirty, 2: accessed, 3: both. */
static unsigned int class_of(struct z_page_frame *pf)
{
	unsigned int info = z_page_frame_info(pf, false);

	return ((info & INFO_ACCESSED) != 0 ? 2U : 0U) + ((info & INFO_DIRTY) != 0 ? 1U : 0U);
}

static struct z_page_frame *lowest(unsigned int *class_out)
{
	struct z_page_frame *best = NULL;

	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++) {
		struct z_page_frame *pf = frame_at(i);

		if (z_page_frame_is_evictable(pf) && (best == NULL || class_of(pf) < *class_out)) {
			best = pf;
			*class_out = class_of(pf);
		}
	}
	return best;
}

static void start_anew(void)
{
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++) {
		if (z_page_frame_is_evictable(frame_at(i))) {
			(void)z_page_frame_info(frame_at(i), true);
		}
	}
}

struct z_page_frame *z_eviction_select(bool *dirty)
{
	unsigned int class = 0;
	struct z_page_frame *pf = lowest(&class);

	custom_eviction_selects++;
	if (custom_eviction_wild != NULL) {
		return custom_eviction_wild;
	}
	if (pf == NULL) {
		return NULL;
	}
	if (class >= 2) {
		start_anew();
	}
	*dirty = ((class & 1) != 0) != custom_eviction_lies;
	start = (size_t)(pf - z_page_frames) + 1;
	return pf;
}
