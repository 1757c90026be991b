/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_run.c - a run of model.h from its beginning to its end, and what is checked on the way.
 *
 * After each operation: the machine's own checks, z_pager_check at level 2, the hostile store's
 * contract checks, counters that the model knows. At MODEL_QUIET and at the end: level 3 and every
 * byte in RAM. At the end: every byte through the simulated CPU, then everything is unmapped, and
 * all frames have to be free and the store empty.
 *
 * Locks: none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "model.h"

bool model_wrong(struct model_run *r, const char *format, ...)
{
	va_list arguments;

	if (r->text[0] == '\0') {
		va_start(arguments, format);
		vsnprintf(r->text, sizeof(r->text), format, arguments);
		va_end(arguments);
	}
	return false;
}

static struct z_store *wrap(void *arg, struct z_store *inner)
{
	struct model_run *r = arg;

	r->hostile = store_hostile_open(inner);
	return store_hostile_store(r->hostile);
}

static uint32_t window_of(const struct model_cell *cell)
{
	return cell->frames * 2 + 24;
}

static uint32_t banks_of(const struct model_cell *cell)
{
	if (cell->frames >= 16) {
		return 4;
	}
	return cell->frames >= 2 ? 2 : 1;
}

static void store_uri(const struct model_cell *cell, char *uri, size_t bytes)
{
	size_t large = (window_of(cell) + 4) * Z_PAGE_SIZE;
	size_t small = (window_of(cell) / 2) * Z_PAGE_SIZE;

	switch (cell->store) {
	case MODEL_RAM_NO_KEEP:
		snprintf(uri, bytes, "ram:size=%zu&keep=no", large);
		break;
	case MODEL_RAM_SMALL:
		snprintf(uri, bytes, "ram:size=%zu", small);
		break;
	case MODEL_LZ4:
		snprintf(uri, bytes, "lz4:size=%zu", large * 4);
		break;
	case MODEL_TIER:
		snprintf(uri, bytes, "tier:ram:size=%zu,ram:size=%zu", 8 * Z_PAGE_SIZE, large * 2);
		break;
	default:
		snprintf(uri, bytes, "ram:size=%zu", large);
		break;
	}
}

bool model_begin(struct model_run *r, const struct model_cell *cell)
{
	struct sim_world_params params;
	char uri[128];
	int err;

	*r = (struct model_run){.cell = *cell};
	store_uri(cell, uri, sizeof(uri));
	params = (struct sim_world_params){
		.frames = cell->frames,
		.vm_pages = window_of(cell),
		.banks = banks_of(cell),
		.max_regions = cell->max_regions,
		.eviction = cell->eviction,
		.store = uri,
		.batch = cell->batch,
		.low_water = cell->low_water,
		.ahead = cell->ahead,
		.ghosts = 16,
		.events = 8,
		.keep_lock_for_io = !cell->unlock_for_io,
		.commit = cell->commit,
		.soft_ad = cell->soft_ad,
		.direct_save = cell->direct_save,
		.tlb_entries = cell->soft_ad ? 2 : 16,
		.scratch_slots = cell->scratch_slots,
		.wrap_store = wrap,
		.wrap_arg = r,
	};
	err = sim_world_try_open(&params, &r->w);
	if (err != 0) {
		return model_wrong(r, "the world cannot be made: %s", z_strerror(err));
	}
	model_open(&r->m, cell, window_of(cell), banks_of(cell));
	r->m.capacity = sim_world_store_stats(r->w).capacity_pages;
	return true;
}

void model_quiet(struct model_run *r)
{
	for (int op = 0; op < STORE_OPS; op++) {
		store_hostile_fail(r->hostile, (enum store_hostile_op)op, 0, 0, 0);
	}
	for (int point = 0; point < Z_SIM_POINT_COUNT; point++) {
		z_sim_inject(r->w->sim, (enum z_sim_point)point, 0, 0, 0);
	}
	r->m.planned = false;
}

/* Every page that is in a frame holds the bytes that it should. */
static bool frames_right(struct model_run *r)
{
	for (uint32_t i = 0; i < r->m.pages; i++) {
		struct z_entry e = z_sim_entry(r->w->sim, model_va(i));

		if ((e.kind != Z_ENTRY_UNMAPPED) != r->m.page[i].mapped) {
			return model_wrong(r, "page %u: mapped is wrong", i);
		}
		if (e.kind != Z_ENTRY_UNMAPPED && e.prot != r->m.page[i].prot) {
			return model_wrong(r, "page %u: permissions %u, should be %u", i, e.prot,
					   r->m.page[i].prot);
		}
		if (e.kind == Z_ENTRY_IN && memcmp(z_sim_frame_data(r->w->sim, e.phys),
						   model_bytes(&r->m, i), Z_PAGE_SIZE) != 0) {
			return model_wrong(r, "page %u: its frame holds other bytes", i);
		}
	}
	return true;
}

static bool counters_right(struct model_run *r)
{
	struct z_stats s = sim_world_stats(r->w);

	if (s.pages_mapped != model_mapped(&r->m) || s.pages_pinned != model_pinned(&r->m)) {
		return model_wrong(r, "mapped %llu, should be %u; pinned %llu, should be %u",
				   (unsigned long long)s.pages_mapped, model_mapped(&r->m),
				   (unsigned long long)s.pages_pinned, model_pinned(&r->m));
	}
	return true;
}

static bool state_right(struct model_run *r, enum z_check_level level)
{
	const char *what = sim_world_problem(r->w, level);

	if (what == NULL) {
		what = store_hostile_violation(r->hostile);
	}
	return what == NULL ? counters_right(r) : model_wrong(r, "%s", what);
}

static bool mapped_right(struct model_run *r, const struct model_op *op)
{
	uint32_t n = op->n % r->m.pages + 1;
	uint32_t page = op->page % r->m.pages;
	bool wanted = model_range_ok(&r->m, page, n) && model_covers(&r->m, page, n);

	return z_pager_is_mapped(r->w->pager, model_va(page), n) == wanted ||
	       model_wrong(r, "is_mapped(page %u, %u) should be %d", page, n, wanted);
}

bool model_step(struct model_run *r, const struct model_op *op)
{
	if (!model_do(r, op) || !state_right(r, Z_CHECK_PAGES) || !mapped_right(r, op)) {
		return false;
	}
	return op->kind != MODEL_QUIET ||
	       (frames_right(r) && state_right(r, Z_CHECK_CONTENTS) && frames_right(r));
}

/* All the RAM there is, and no pins, so that every page can be read. */
static bool at_ease(struct model_run *r)
{
	struct model_op op = {.kind = MODEL_SET_FRAMES, .page = r->m.frames};
	bool ok = true;

	model_quiet(r);
	for (uint32_t i = 0; i < r->m.pages && ok; i++) {
		struct model_op unpin = {.kind = MODEL_UNPIN, .page = i, .n = 1};

		while (r->m.page[i].pins > 0 && ok) {
			ok = model_do(r, &unpin);
		}
	}
	for (uint32_t b = 0; b < r->m.banks && ok; b++) {
		struct model_op online = {.kind = MODEL_BANK_ONLINE, .page = b};

		ok = model_do(r, &online);
	}
	return ok && model_do(r, &op);
}

static bool all_right(struct model_run *r)
{
	bool ok = true;

	for (uint32_t i = 0; i < r->m.pages && ok; i++) {
		struct model_op protect = {
			.kind = MODEL_PROTECT, .page = i, .n = 1, .prot = SIM_WORLD_RW};
		struct model_op read = {
			.kind = MODEL_READ, .page = i, .bytes = (uint32_t)Z_PAGE_SIZE};

		if (r->m.page[i].mapped) {
			ok = model_do(r, &protect) && model_do(r, &read);
		}
	}
	return ok;
}

static bool all_checks(struct model_run *r)
{
	return at_ease(r) && frames_right(r) && state_right(r, Z_CHECK_CONTENTS) && all_right(r) &&
	       state_right(r, Z_CHECK_CONTENTS);
}

bool model_end(struct model_run *r)
{
	const char *what;

	if (r->w == NULL) {
		return false;
	}
	if (r->text[0] == '\0' && all_checks(r)) {
		what = sim_world_end(r->w);
		if (what != NULL) {
			(void)model_wrong(r, "at the end: %s", what);
		}
	} else {
		store_hostile_print(r->hostile);
		sim_world_abandon(r->w);
	}
	model_close(&r->m);
	return r->text[0] == '\0';
}
