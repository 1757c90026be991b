/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_state.c - the reference model of model.h: arrays, and the answers that follow from them.
 *
 * Nothing here is clever, on purpose: a region is a run of pages with one number, a gap is looked
 * for page by page.
 *
 * Locks: none.
 */
#include <stdlib.h>
#include <string.h>

#include "model.h"

void model_open(struct model *m, const struct model_cell *cell, uint32_t pages, uint32_t banks)
{
	*m = (struct model){
		.pages = pages,
		.page = calloc(pages, sizeof(struct model_page)),
		.bytes = calloc(pages, Z_PAGE_SIZE),
		.next_region = 1,
		.frames = cell->frames,
		.banks = banks,
		.per_bank = (cell->frames + banks - 1) / banks,
		.service = cell->frames,
		.low_water = cell->low_water,
		.ahead = cell->ahead,
		.batch = cell->batch,
		.max_regions = cell->max_regions,
		.commit = cell->commit,
		.elastic = cell->store == MODEL_LZ4 || cell->store == MODEL_TIER,
	};
	if (m->page == NULL || m->bytes == NULL) {
		abort();
	}
	m->banks = (m->frames + m->per_bank - 1) / m->per_bank;
}

void model_close(struct model *m)
{
	free(m->page);
	free(m->bytes);
}

bool model_range_ok(const struct model *m, uint32_t page, uint32_t n)
{
	return n > 0 && page < m->pages && n <= m->pages - page;
}

bool model_covers(const struct model *m, uint32_t page, uint32_t n)
{
	for (uint32_t i = page; i < page + n; i++) {
		if (!m->page[i].mapped) {
			return false;
		}
	}
	return true;
}

uint32_t model_mapped(const struct model *m)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->pages; i++) {
		n += m->page[i].mapped;
	}
	return n;
}

static uint32_t committed(const struct model *m)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->pages; i++) {
		n += m->page[i].mapped && (m->page[i].flags & Z_MAP_NORESERVE) == 0;
	}
	return n;
}

uint32_t model_pinned(const struct model *m)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->pages; i++) {
		n += m->page[i].pins > 0;
	}
	return n;
}

uint32_t model_regions(const struct model *m)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i < m->pages; i++) {
		n += m->page[i].mapped &&
		     (!m->page[i - 1].mapped || m->page[i - 1].region != m->page[i].region);
	}
	return n;
}

static uint32_t offline_frames(const struct model *m)
{
	uint32_t n = 0;

	for (uint32_t b = 0; b < m->banks; b++) {
		uint32_t first = b * m->per_bank;
		uint32_t size = m->frames - first < m->per_bank ? m->frames - first : m->per_bank;

		n += (m->offline >> b & 1) != 0 ? size : 0;
	}
	return n;
}

uint32_t model_usable(const struct model *m)
{
	uint32_t offline = offline_frames(m);
	uint32_t retired = m->frames - m->service;

	/* A bank that is off-line counts as frames out of service. */
	return m->frames - (offline > retired ? offline : retired);
}

bool model_room(const struct model *m, uint32_t pages)
{
	uint32_t usable = model_usable(m);

	if (m->planned || usable < model_pinned(m) + pages) {
		return false;
	}
	return m->elastic ? model_mapped(m) * 2 <= m->capacity
			  : model_mapped(m) < usable + m->capacity;
}

bool model_room_out(const struct model *m)
{
	uint32_t mapped = model_mapped(m);

	return !m->planned && (m->elastic ? mapped * 2 : mapped + 1) <= m->capacity;
}

/* ---- mapping ---- */

static int may_commit(const struct model *m, const struct model_op *op)
{
	uint64_t limit = m->service + (m->capacity > 0 ? m->capacity - 1 : 0);
	uint64_t wanted = op->n;

	if ((op->flags & Z_MAP_NORESERVE) != 0) {
		return 0;
	}
	wanted += m->commit == Z_COMMIT_STRICT ? committed(m) : 0;
	return wanted <= limit ? 0 : Z_ERR_NOMEM;
}

static bool is_free(const struct model *m, uint32_t page, uint32_t n)
{
	for (uint32_t i = page; i < page + n; i++) {
		if (m->page[i].mapped) {
			return false;
		}
	}
	return true;
}

/* Would pages at this place go on the region before? What is filled at once stays alone. */
static bool joins(const struct model *m, const struct model_op *op, uint32_t page)
{
	return (op->flags & (Z_MAP_PINNED | Z_MAP_POPULATE)) == 0 && m->page[page - 1].mapped &&
	       m->page[page - 1].flags == (op->flags & Z_MAP_NORESERVE);
}

int model_place(const struct model *m, const struct model_op *op, uint32_t *page_out)
{
	uint32_t page = op->page;
	int err;

	if (op->n > m->pages - 2) {
		return Z_ERR_NOMEM;
	}
	if ((op->flags & Z_MAP_FIXED) != 0 && !model_range_ok(m, page, op->n)) {
		return Z_ERR_INVAL;
	}
	err = may_commit(m, op);
	if (err != 0) {
		return err;
	}
	if ((op->flags & Z_MAP_FIXED) != 0) {
		if (page == 0 || page + op->n > m->pages - 1) {
			return Z_ERR_INVAL;
		}
		if (!is_free(m, page, op->n)) {
			return Z_ERR_BUSY;
		}
	} else {
		/* The lowest place with an unmapped page on both sides. */
		for (page = 1; page + op->n <= m->pages - 1; page++) {
			if ((model_va(page) / Z_PAGE_SIZE) % op->aux == 0 &&
			    is_free(m, page - 1, op->n + 2)) {
				break;
			}
		}
		if (page + op->n > m->pages - 1) {
			return Z_ERR_NOMEM;
		}
	}
	if (model_regions(m) == m->max_regions && !joins(m, op, page)) {
		return Z_ERR_NOMEM;
	}
	*page_out = page;
	return 0;
}

void model_map(struct model *m, const struct model_op *op, uint32_t page)
{
	uint32_t stored = op->flags & (Z_MAP_PINNED | Z_MAP_NORESERVE);
	uint32_t region = joins(m, op, page) ? m->page[page - 1].region : m->next_region++;

	for (uint32_t i = page; i < page + op->n; i++) {
		m->page[i] = (struct model_page){
			.mapped = true,
			.prot = op->prot,
			.flags = stored,
			.region = region,
			.pins = (stored & Z_MAP_PINNED) != 0,
		};
		memset(model_bytes(m, i), 0, Z_PAGE_SIZE);
	}
}

int model_can_unmap(const struct model *m, uint32_t page, uint32_t n)
{
	const struct model_page *last;
	bool splits;

	if (!model_range_ok(m, page, n)) {
		return Z_ERR_INVAL;
	}
	if (!model_covers(m, page, n)) {
		return Z_ERR_FAULT;
	}
	for (uint32_t i = page; i < page + n; i++) {
		uint32_t own = (m->page[i].flags & Z_MAP_PINNED) != 0;

		if (m->page[i].pins > own) {
			return Z_ERR_BUSY;
		}
	}
	last = &m->page[page + n - 1];
	splits = m->page[page - 1].mapped && m->page[page - 1].region == m->page[page].region &&
		 last[1].mapped && last[1].region == last->region &&
		 last->region == m->page[page].region;
	return splits && model_regions(m) == m->max_regions ? Z_ERR_NOMEM : 0;
}

void model_unmap(struct model *m, uint32_t page, uint32_t n)
{
	uint32_t region = m->page[page + n - 1].region;
	uint32_t tail = m->next_region++;

	for (uint32_t i = page; i < page + n; i++) {
		m->page[i] = (struct model_page){0};
	}
	for (uint32_t i = page + n; m->page[i].mapped && m->page[i].region == region; i++) {
		m->page[i].region = tail;
	}
}

/* ---- contents ---- */

void model_pattern(unsigned char *to, uint32_t bytes, uint64_t value)
{
	uint64_t x = value;

	for (uint32_t i = 0; i < bytes; i++) {
		if (value % 4 == 0) {
			to[i] = (unsigned char)(value >> (8 * (i % 8)));
		} else if (value % 4 == 1) {
			to[i] = (unsigned char)(value >> (i / 64 % 32));
		} else {
			x = x * 6364136223846793005u + 1442695040888963407u;
			to[i] = (unsigned char)(x >> 56);
		}
	}
}
