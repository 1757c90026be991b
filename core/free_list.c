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
 * more is owed than is free, every frame that comes free pays first.
 *
 * The link of both lists is the frame number plus one, kept in addr, so that 0 ends a list.
 * Locks: everything with the pager lock held.
 */
#include "internal.h"

static uint32_t link_get(const struct z_page_frame *pf)
{
	return (uint32_t)(uintptr_t)pf->addr - 1U;
}

static void link_set(struct z_page_frame *pf, uint32_t number)
{
	pf->addr = (void *)(uintptr_t)(number + 1U);
}

static struct z_frame_bank *bank_of(struct z_pager *p, uint32_t number)
{
	return &p->banks[number / p->frames_per_bank];
}

static void count_free(struct z_pager *p, uint32_t bank, int change)
{
	p->banks[bank].free += (uint32_t)change;
	if (p->banks[bank].offline)
		return;
	p->free_count += (uint32_t)change;
	if (p->banks[bank].free > 0)
		p->banks_with_free |= UINT64_C(1) << bank;
	else
		p->banks_with_free &= ~(UINT64_C(1) << bank);
	if (p->cfg.free_count != NULL)
		*p->cfg.free_count = p->free_count;
}

static void push(struct z_pager *p, struct z_page_frame *pf)
{
	uint32_t number = z__frame_number(p, pf);
	struct z_frame_bank *bank = bank_of(p, number);

	link_set(pf, bank->head);
	bank->head = number;
	count_free(p, number / p->frames_per_bank, 1);
}

/* By hand: the compiler's built-in is a call into its library on some targets. bits is not 0. */
static uint32_t lowest_bit(uint64_t bits)
{
	uint32_t n = 0;

	for (uint32_t half = 32; half > 0; half /= 2) {
		if ((bits & ((UINT64_C(1) << half) - 1)) == 0) {
			bits >>= half;
			n += half;
		}
	}
	return n;
}

/* The first free frame of the lowest on-line bank, off its list but still AVAILABLE. */
static struct z_page_frame *pop(struct z_pager *p)
{
	if (p->banks_with_free == 0)
		return NULL;

	uint32_t bank = lowest_bit(p->banks_with_free);
	struct z_page_frame *pf = &p->cfg.frames[p->banks[bank].head];

	p->banks[bank].head = link_get(pf);
	count_free(p, bank, -1);
	pf->addr = NULL;
	return pf;
}

static void retire(struct z_pager *p, struct z_page_frame *pf)
{
	z__frame_move(p, pf, Z_FRAME_RETIRED);
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
	z__frame_move(p, pf, Z_FRAME_AVAILABLE);
	push(p, pf);
}

uint32_t z__free_list_wanted_retired(const struct z_pager *p)
{
	uint32_t owed = p->retire_wanted + p->charged;
	uint32_t counted = p->free_count + p->retired_count + p->resident_count + p->busy_count;
	uint32_t offline_free = p->nram - counted;

	return owed > offline_free ? owed - offline_free : 0;
}

void z__free_list_settle_locked(struct z_pager *p)
{
	while (p->retired_count > z__free_list_wanted_retired(p))
		return_to_service(p);
	while (p->retired_count < z__free_list_wanted_retired(p) && p->free_count > 0)
		retire(p, pop(p));
}

struct z_page_frame *z__free_list_take_locked(struct z_pager *p)
{
	z__free_list_settle_locked(p);

	struct z_page_frame *pf = pop(p);

	if (pf != NULL)
		z__frame_move(p, pf, Z_FRAME_CLAIMED);
	return pf;
}

void z__free_list_put_locked(struct z_pager *p, struct z_page_frame *pf)
{
	z__frame_move(p, pf, Z_FRAME_AVAILABLE);
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
