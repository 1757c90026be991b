/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bank.c - how much RAM is in service: banks off-line and on-line, the number of frames, and what
 * the store takes for itself.
 *
 * Theory. A bank that goes off-line gives out no frame from that moment on; then each of its frames
 * is emptied. On failure it comes back, with whatever has been evicted out and intact. The number
 * of frames is lowered by retiring free frames, evicting until there are enough.
 *
 * Locks: pager lock, dropped while pages move. Charging is lock-free.
 */
#include "internal.h"

static uint32_t bank_first(const struct z_pager *p, uint32_t bank)
{
	return bank * p->frames_per_bank;
}

static uint32_t bank_end(const struct z_pager *p, uint32_t bank)
{
	uint32_t end = bank_first(p, bank) + p->frames_per_bank;

	return end < p->cfg.nframes ? end : p->cfg.nframes;
}

static void set_offline(struct z_pager *p, uint32_t bank, bool offline)
{
	struct z_frame_bank *b = &p->banks[bank];

	if (b->offline == offline)
		return;
	b->offline = offline;
	p->banks_with_free &= ~(UINT64_C(1) << bank);
	if (offline) {
		p->offline_banks++;
		p->free_count -= b->free;
		p->offline_free += b->free;
	} else {
		p->offline_banks--;
		p->free_count += b->free;
		p->offline_free -= b->free;
		if (b->free > 0)
			p->banks_with_free |= UINT64_C(1) << bank;
	}
	if (p->cfg.free_count != NULL)
		*p->cfg.free_count = p->free_count;
	z__free_list_settle_locked(p);
}

static bool is_last_online(const struct z_pager *p, uint32_t bank)
{
	for (uint32_t b = 0; b < p->nbanks; b++) {
		if (b != bank && !p->banks[b].offline)
			return false;
	}
	return true;
}

static int empty_frame(struct z_pager *p, struct z_page_frame *pf)
{
	size_t freed;

	for (;;) {
		switch (z__frame_state(pf)) {
		case Z_FRAME_AVAILABLE:
		case Z_FRAME_RETIRED:
		case Z_FRAME_HOLE:
			return Z_OK;
		case Z_FRAME_RESIDENT:
			if (z_page_frame_is_pinned(pf))
				return Z_ERR_BUSY;
			return z__evict_locked(p, &pf, 1, Z_WANT_FOR_EVICT, NULL, &freed);
		default:
			z__frame_wait_locked(p, pf);
			break;
		}
	}
}

int z_pager_bank_offline(struct z_pager *p, uint32_t bank)
{
	int err = Z_OK;

	if (bank >= p->nbanks)
		return Z_ERR_INVAL;

	z__lock(p);
	if (is_last_online(p, bank))
		err = Z_ERR_NOMEM;
	else
		set_offline(p, bank, true);
	for (uint32_t i = bank_first(p, bank); i < bank_end(p, bank) && err == Z_OK; i++)
		err = empty_frame(p, &p->cfg.frames[i]);
	if (err == Z_OK)
		z__event_locked(p, Z_EVENT_BANK_OFFLINE, 0, bank);
	else
		set_offline(p, bank, false);
	z__unlock(p);
	return err;
}

int z_pager_bank_online(struct z_pager *p, uint32_t bank)
{
	if (bank >= p->nbanks)
		return Z_ERR_INVAL;

	z__lock(p);
	set_offline(p, bank, false);
	z__event_locked(p, Z_EVENT_BANK_ONLINE, 0, bank);
	z__unlock(p);
	return Z_OK;
}

int z_pager_set_frames(struct z_pager *p, uint32_t frames)
{
	int err = Z_OK;

	if (frames == 0 || frames > p->nram)
		return Z_ERR_INVAL;

	z__lock(p);
	if (frames <= p->charged) {
		err = Z_ERR_INVAL;
	} else {
		p->retire_wanted = p->nram - frames;
		z__event_locked(p, Z_EVENT_RESIZE, 0, frames);
	}
	z__free_list_settle_locked(p);
	while (err == Z_OK && p->retired_count < z__free_list_wanted_retired(p)) {
		uint32_t missing = z__free_list_wanted_retired(p) - p->retired_count;

		err = z__evict_some_locked(p, missing < p->cfg.batch ? missing : p->cfg.batch,
					   Z_WANT_FOR_EVICT, NULL);
	}
	z__unlock(p);
	return err;
}

int z_pager_charge(struct z_pager *p, uint32_t pages, uint32_t limit)
{
	uint32_t old = p->charged;

	do {
		uint32_t service = p->nram - p->retire_wanted;

		if (pages > limit || old > limit - pages ||
		    (uint64_t)old + pages + Z_FRAMES_MIN > service)
			return Z_ERR_NOSPC;
	} while (!atomic_compare_exchange_weak(&p->charged, &old, old + pages));
	return Z_OK;
}

void z_pager_uncharge(struct z_pager *p, uint32_t pages)
{
	p->charged -= pages;
}
