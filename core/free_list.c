/* SPDX-License-Identifier: Apache-2.0 */
/*
 * free_list.c - available frames by bank, and frames out of service.
 *
 * Theory. Each bank of RAM has its own list; a word of bits says which on-line banks have a free
 * frame, and a frame is always taken from the lowest of them, so that high banks empty by
 * themselves and an off-line bank stays empty. Taking and putting are O(1).
 *
 * Frames out of service ("retired") are on a list of their own. How many there should be is the
 * sum of what set_frames asked for and what the store has charged, less the free frames of off-line
 * banks, which are out of service anyway. Charging is lock-free, so the sum can change at any
 * moment; settling retires or returns frames whenever the lock is taken or a frame is put back. When
 * more is owed than is free, every frame that comes free pays first. Commonly nothing is owed that
 * is not paid, and settling is one comparison (internal.h).
 *
 * The link of both lists is the frame number plus one, kept in addr, so that 0 ends a list.
 * Locks: everything with the pager lock held.
 */
#include "internal.h"

extern inline uint32_t z__free_list_wanted_retired(const struct z_pager *p);
extern inline void z__free_list_settle_locked(struct z_pager *p);

static uint32_t link_get(const struct z_page_frame *pf)
{
	return (uint32_t)(uintptr_t)pf->addr - 1U;
}

static void link_set(struct z_page_frame *pf, uint32_t number)
{
	pf->addr = (void *)(uintptr_t)(number + 1U);
}

static void publish_free_count(struct z_pager *p)
{
	if (p->cfg.free_count != NULL)
		__atomic_store_n(p->cfg.free_count, p->free_count, __ATOMIC_RELAXED);
}

static void push(struct z_pager *p, struct z_page_frame *pf)
{
	uint32_t number = z__frame_number(p, pf);
	uint32_t bank = number / p->frames_per_bank;
	struct z_frame_bank *b = &p->banks[bank];

	link_set(pf, b->head);
	b->head = number;
	b->free++;
	if (b->offline) {
		p->offline_free++;
		return;
	}
	p->banks_with_free |= UINT64_C(1) << bank;
	p->free_count++;
	publish_free_count(p);
}

/*
 * By hand: the compiler's built-in is a call into its library on some targets. bits is not 0. The
 * lowest bit alone times this number has another pattern in the highest six bits for each bit.
 */
static uint32_t lowest_bit(uint64_t bits)
{
	static const uint8_t bit_of[64] = {
		0,  1,  2,  53, 3,  7,  54, 27, 4,  38, 41, 8,  34, 55, 48, 28,
		62, 5,  39, 46, 44, 42, 22, 9,  24, 35, 59, 56, 49, 18, 29, 11,
		63, 52, 6,  26, 37, 40, 33, 47, 61, 45, 43, 21, 23, 58, 17, 10,
		51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
	};

	/* Commonly there is one bank. */
	if ((bits & 1) != 0)
		return 0;
	return bit_of[((bits & (~bits + 1)) * UINT64_C(0x022FDD63CC95386D)) >> 58];
}

/* The first free frame of the lowest on-line bank, off its list but still AVAILABLE. */
static inline struct z_page_frame *pop(struct z_pager *p)
{
	if (p->banks_with_free == 0)
		return NULL;

	uint32_t bank = lowest_bit(p->banks_with_free);
	struct z_frame_bank *b = &p->banks[bank];
	struct z_page_frame *pf = &p->cfg.frames[b->head];

	b->head = link_get(pf);
	b->free--;
	if (b->free == 0)
		p->banks_with_free &= p->banks_with_free - 1;
	p->free_count--;
	publish_free_count(p);
	pf->addr = NULL;
	return pf;
}

static void retire(struct z_pager *p, struct z_page_frame *pf)
{
	z__frame_change(p, pf, Z_FRAME_AVAILABLE, Z_FRAME_RETIRED);
	link_set(pf, p->retired_head);
	p->retired_head = z__frame_number(p, pf);
	p->retired_count++;
}

static void return_to_service(struct z_pager *p)
{
	struct z_page_frame *pf = &p->cfg.frames[p->retired_head];

	p->retired_head = link_get(pf);
	p->retired_count--;
	pf->addr = NULL;
	z__frame_change(p, pf, Z_FRAME_RETIRED, Z_FRAME_AVAILABLE);
	push(p, pf);
}

void z__free_list_adjust_locked(struct z_pager *p)
{
	while (p->retired_count > z__free_list_wanted_retired(p))
		return_to_service(p);
	while (p->retired_count < z__free_list_wanted_retired(p) && p->free_count > 0)
		retire(p, pop(p));
}

struct z_page_frame *z__free_list_take_locked(struct z_pager *p)
{
	struct z_page_frame *pf = pop(p);

	if (pf != NULL)
		z__frame_change(p, pf, Z_FRAME_AVAILABLE, Z_FRAME_CLAIMED);
	return pf;
}

void z__free_list_put_locked(struct z_pager *p, struct z_page_frame *pf)
{
	z__frame_change(p, pf, Z_FRAME_CLAIMED, Z_FRAME_AVAILABLE);
	push(p, pf);
	z__free_list_settle_locked(p);
}

void z__free_list_init(struct z_pager *p)
{
	p->retired_head = Z_FRAME_NONE;
	for (uint32_t b = 0; b < p->nbanks; b++)
		p->banks[b].head = Z_FRAME_NONE;
	for (uint32_t i = p->cfg.nframes; i-- > 0;) {
		struct z_page_frame *pf = &p->cfg.frames[i];

		if (z_page_frame_is_reserved(pf))
			pf->pins = UINT16_MAX;
		else
			p->nram++;
		if (pf->flags == 0)
			push(p, pf);
	}
}
