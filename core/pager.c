/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pager.c - making a pager out of its configuration.
 *
 * Theory. All memory comes from the caller in one piece; layout_of() alone knows what lies where,
 * so that the size asked for and the size used cannot differ.
 *
 * Locks: creation runs alone; the pager lock only where an algorithm is told of pages.
 */
#include "ahead.h"

#define Z_ALIGN 64U

/* Offsets into the caller's memory. */
struct layout {
	size_t banks;
	size_t regions;
	size_t ahead;
	size_t ghosts;
	size_t events;
	size_t eviction;
	size_t reserve_room;
	size_t compare;
	size_t end;
};

static size_t append(size_t *end, size_t bytes)
{
	size_t at = *end;

	*end = (at + bytes + Z_ALIGN - 1) & ~(size_t)(Z_ALIGN - 1);
	return at;
}

static uint32_t frames_per_bank(const struct z_pager_config *c)
{
	return c->frames_per_bank > 0 ? c->frames_per_bank : c->nframes;
}

static uint32_t bank_count(const struct z_pager_config *c)
{
	uint32_t per_bank = frames_per_bank(c);

	return (c->nframes + per_bank - 1) / per_bank;
}

static struct layout layout_of(const struct z_pager_config *c)
{
	struct layout l = {0};
	size_t end = 0;

	(void)append(&end, sizeof(struct z_pager));
	l.banks = append(&end, bank_count(c) * sizeof(struct z_frame_bank));
	l.regions = append(&end, (size_t)c->max_regions * sizeof(struct z_region));
	l.ahead = append(&end, z__ahead_most(c) > 0 ? sizeof(struct z_ahead) : 0);
	l.ghosts = append(&end, (size_t)z__ghosts(c) * sizeof(struct z_ghost));
	l.events = append(&end, (size_t)z__events(c) * sizeof(struct z_event));
	l.eviction = append(&end, c->eviction->state_bytes(c->nframes));
	l.reserve_room = append(&end, z__reserve_room_bytes(c));
	/* Page-aligned, as a store wants it; the memory need not be. */
	l.compare = append(&end, 2 * Z_PAGE_SIZE - Z_ALIGN);
	l.end = end;
	return l;
}

static bool is_power_of_two_or_zero(uint32_t n)
{
	return (n & (n - 1)) == 0;
}

static bool tables_given(const struct z_pager_config *c)
{
	return c->arch != NULL && c->env != NULL && c->eviction != NULL && c->store != NULL &&
	       c->frames != NULL;
}

static bool ram_makes_sense(const struct z_pager_config *c)
{
	return c->nframes > 0 && z_is_page_aligned(c->ram_base) && bank_count(c) <= Z_BANKS_MAX;
}

static bool window_makes_sense(const struct z_pager_config *c)
{
	return z_is_page_aligned(c->vm_base) && c->vm_pages >= 3 &&
	       c->vm_pages <= (UINTPTR_MAX - c->vm_base) / Z_PAGE_SIZE && c->max_regions > 0;
}

static bool makes_sense(const struct z_pager_config *c)
{
	return tables_given(c) && ram_makes_sense(c) && window_makes_sense(c) && c->batch > 0 &&
	       c->batch <= Z_BATCH_MAX && z__reserve_batch(c) <= Z_RESERVE_MAX &&
	       z__ahead_most(c) <= Z_BATCH_MAX && c->arch->scratch_slots > 0 &&
	       is_power_of_two_or_zero(z__ghosts(c)) && is_power_of_two_or_zero(z__events(c));
}

size_t z_pager_bytes(const struct z_pager_config *config)
{
	return makes_sense(config) ? layout_of(config).end : 0;
}

static unsigned int sample(void *core, const struct z_page_frame *pf, bool clear_accessed)
{
	struct z_pager *p = core;

	return p->cfg.arch->info(p->cfg.arch_ctx, (uintptr_t)pf->addr, clear_accessed);
}

/* The candidate in this page's frame, NULL if there is none. */
static const struct z_page_frame *candidate_at(struct z_pager *p, uintptr_t va)
{
	struct z_entry e = z__entry(p, va);
	const struct z_page_frame *pf;

	if (e.kind != Z_ENTRY_IN)
		return NULL;
	pf = z__frame_of_phys(p, e.phys);
	return (pf->flags & Z_PAGE_FRAME_QUEUED) != 0 ? pf : NULL;
}

static const struct z_page_frame *near(void *core, const struct z_page_frame *pf)
{
	struct z_pager *p = core;
	uintptr_t page = ((uintptr_t)pf->addr - p->cfg.vm_base) / Z_PAGE_SIZE;
	const struct z_page_frame *found = NULL;

	for (size_t i = 1; found == NULL && i <= Z__NEAR && i <= page; i++)
		found = candidate_at(p, z__page_va(p->cfg.vm_base, page - i));
	for (size_t i = 1; found == NULL && i <= Z__NEAR && page + i < p->cfg.vm_pages; i++)
		found = candidate_at(p, z__page_va(p->cfg.vm_base, page + i));
	return found;
}

/* Frames that hold pages already (a kernel's image) are resident from the start. */
static void adopt_image(struct z_pager *p)
{
	/* An algorithm may ask for entries, which want the lock. */
	z__lock(p);
	for (uint32_t i = 0; i < p->cfg.nframes; i++) {
		struct z_page_frame *pf = &p->cfg.frames[i];

		if (!z_page_frame_is_mapped(pf))
			continue;
		p->resident_count++;
		if (z_page_frame_is_pinned(pf)) {
			pf->pins = 1;
			p->pinned_count++;
		}
		z__candidate_add_locked(p, pf, Z_ADD_AHEAD);
	}
	z__unlock(p);
}

int z_pager_create(const struct z_pager_config *config, void *memory, struct z_pager **out)
{
	struct z_pager *p = memory;
	unsigned char *base = memory;
	struct layout l;
	int err = Z_OK;

	if (!makes_sense(config))
		return Z_ERR_INVAL;

	l = layout_of(config);
	p->cfg = *config;
	p->host = (struct z_eviction_host){p, config->frames, config->nframes, sample, near};
	p->banks = (struct z_frame_bank *)(void *)(base + l.banks);
	p->regions = (struct z_region *)(void *)(base + l.regions);
	p->ahead = z__ahead_most(config) > 0 ? (struct z_ahead *)(void *)(base + l.ahead) : NULL;
	p->ghosts = (struct z_ghost *)(void *)(base + l.ghosts);
	p->events = (struct z_event *)(void *)(base + l.events);
	p->eviction_state = base + l.eviction;
	p->reserve_room = base + l.reserve_room;
	p->compare = base + l.compare + (0 - (uintptr_t)(base + l.compare)) % Z_PAGE_SIZE;
	p->nbanks = bank_count(config);
	p->frames_per_bank = frames_per_bank(config);
	p->io_limit =
		(config->store->caps & Z_STORE_PARALLEL) != 0 ? config->arch->scratch_slots : 1;
	z__free_list_init(p);
	if (config->image_pages > 0)
		err = z__region_insert_locked(p, config->image_va, config->image_pages, 0);
	if (err == Z_OK)
		err = config->eviction->init(p->eviction_state, &p->host);
	if (err != Z_OK)
		return err;
	adopt_image(p);
	*out = p;
	return Z_OK;
}
