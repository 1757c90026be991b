/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_ops.c - each operation of model.h, done on the pager and on the model.
 *
 * Theory. The model says what the call has to return. Where room or a planned failure may come in
 * between, "loose", the errors of the world are allowed in place of success and in place of an error
 * that the call would have found later; never success in place of an error.
 *
 * Locks: none.
 */
#include <string.h>

#include "model.h"

/* Is err an error of the world and not of the arguments? */
static bool is_lack(int err)
{
	return err == Z_ERR_NOMEM || err == Z_ERR_NOSPC || err == Z_ERR_IO || err == Z_ERR_BUSY ||
	       err == Z_ERR_CORRUPT;
}

static bool expect(struct model_run *r, const char *call, int got, int wanted, bool loose)
{
	if (got == wanted || (loose && is_lack(got))) {
		return true;
	}
	return model_wrong(r, "%s: says %d (%s), should be %d (%s)%s", call, got, z_strerror(got),
			   wanted, z_strerror(wanted), loose ? " or a lack of room" : "");
}

/* ---- mapping ---- */

static bool do_map(struct model_run *r, const struct model_op *op)
{
	bool fills = (op->flags & (Z_MAP_PINNED | Z_MAP_POPULATE)) != 0;
	bool pins = (op->flags & Z_MAP_PINNED) != 0;
	uintptr_t wanted_va = model_va(op->page);
	uintptr_t va = wanted_va;
	uint32_t page = 0;
	int wanted = model_place(&r->m, op, &page);
	bool loose = r->m.planned;
	int got;

	if (fills && wanted == 0) {
		model_map(&r->m, op, page);
		loose = loose || !model_room(&r->m, pins ? 0 : 1);
		model_unmap(&r->m, page, op->n);
	}
	got = z_pager_map(r->w->pager, op->n, op->prot, op->flags, op->aux, &va);
	if (!expect(r, "map", got, wanted, loose)) {
		return false;
	}
	if (got != 0) {
		return va == wanted_va || model_wrong(r, "map: failed, but changed the address");
	}
	if (va != model_va(page)) {
		return model_wrong(r, "map: at page %zu, should be %u",
				   (size_t)(va - SIM_WORLD_VM) / Z_PAGE_SIZE, page);
	}
	model_map(&r->m, op, page);
	return true;
}

static bool do_unmap(struct model_run *r, const struct model_op *op)
{
	int wanted = model_can_unmap(&r->m, op->page, op->n);
	int got = z_pager_unmap(r->w->pager, model_va(op->page), op->n);

	if (!expect(r, "unmap", got, wanted, false)) {
		return false;
	}
	if (got == 0) {
		model_unmap(&r->m, op->page, op->n);
	}
	return true;
}

static bool do_protect(struct model_run *r, const struct model_op *op)
{
	int wanted = 0;
	int got;

	if (!model_range_ok(&r->m, op->page, op->n)) {
		wanted = Z_ERR_INVAL;
	} else if (!model_covers(&r->m, op->page, op->n)) {
		wanted = Z_ERR_FAULT;
	}
	got = z_pager_protect(r->w->pager, model_va(op->page), op->n, op->prot);
	if (!expect(r, "protect", got, wanted, r->m.planned)) {
		return false;
	}
	for (uint32_t i = 0; i < op->n && got == 0; i++) {
		r->m.page[op->page + i].prot = op->prot;
	}
	return true;
}

/* ---- accesses ---- */

static enum z_sim_result wanted_access(const struct model *m, uint32_t page, unsigned int access)
{
	if (page >= m->pages || !m->page[page].mapped) {
		return Z_SIM_BAD_ADDRESS;
	}
	return (access & ~m->page[page].prot) != 0 ? Z_SIM_VIOLATION : Z_SIM_OK;
}

/* needs_room: the access gets as far as a page that has to come in. */
static bool expect_access(struct model_run *r, const char *call, enum z_sim_result got,
			  enum z_sim_result wanted, uint32_t page, bool needs_room)
{
	bool loose = needs_room && !model_room(&r->m, 1);

	if (got == wanted ||
	    (loose && (got == Z_SIM_NO_MEMORY || (r->m.planned && got == Z_SIM_IO_ERROR)))) {
		return true;
	}
	return model_wrong(r, "%s of page %u: %s, should be %s%s", call, page,
			   z_sim_result_name(got), z_sim_result_name(wanted),
			   loose ? " or a lack of room" : "");
}

static bool same_bytes(struct model_run *r, uint32_t page, uint32_t offset,
		       const unsigned char *found, uint32_t bytes)
{
	const unsigned char *wanted = model_bytes(&r->m, page) + offset;

	for (uint32_t i = 0; i < bytes; i++) {
		if (found[i] != wanted[i]) {
			return model_wrong(r, "page %u, byte %u: is 0x%02x, should be 0x%02x", page,
					   offset + i, found[i], wanted[i]);
		}
	}
	return true;
}

/* The part of a READ or WRITE that lies in one page. */
static bool access_page(struct model_run *r, uint32_t page, uint32_t offset, unsigned char *data,
			uint32_t bytes, bool write)
{
	unsigned int access = write ? Z_ACCESS_WRITE : Z_ACCESS_READ;
	enum z_sim_result wanted = wanted_access(&r->m, page, access);
	enum z_sim_result got =
		z_sim_access(r->w->sim, model_va(page) + offset, access, data, bytes);

	if (!expect_access(r, write ? "write" : "read", got, wanted, page, wanted == Z_SIM_OK)) {
		return false;
	}
	if (got != Z_SIM_OK) {
		return true;
	}
	if (!write) {
		return same_bytes(r, page, offset, data, bytes);
	}
	memcpy(model_bytes(&r->m, page) + offset, data, bytes);
	return true;
}

static bool do_access(struct model_run *r, const struct model_op *op, bool write)
{
	unsigned char data[Z_PAGE_SIZE];
	uint32_t page = op->page;
	uint32_t offset = op->aux;
	uint32_t left = op->bytes;
	bool ok = true;

	while (left > 0 && ok) {
		uint32_t room = (uint32_t)Z_PAGE_SIZE - offset;
		uint32_t bytes = left < room ? left : room;

		model_pattern(data, bytes, op->value + page);
		ok = access_page(r, page, offset, data, bytes, write);
		left -= bytes;
		offset = 0;
		page++;
	}
	return ok;
}

/* A word, perhaps in two pages at once: an instruction that needs both. */
static bool do_word(struct model_run *r, const struct model_op *op, bool write)
{
	struct model *m = &r->m;
	unsigned int access = write ? Z_ACCESS_WRITE : Z_ACCESS_READ;
	uint32_t last = op->page + (op->aux + 7) / (uint32_t)Z_PAGE_SIZE;
	uintptr_t va = model_va(op->page) + op->aux;
	enum z_sim_result wanted = wanted_access(m, op->page, access);
	bool first_fits = wanted == Z_SIM_OK;
	enum z_sim_result got;
	uint64_t value = op->value;

	/* What is evicted ahead of need is not there for an instruction of two pages. */
	if (model_usable(m) < model_pinned(m) + 2 + m->low_water + m->batch / 8 + m->ahead) {
		return true;
	}
	if (first_fits) {
		wanted = wanted_access(m, last, access);
	}
	got = write ? z_sim_store64(r->w->sim, va, value) : z_sim_load64(r->w->sim, va, &value);
	if (!expect_access(r, write ? "store64" : "load64", got, wanted, op->page, first_fits) ||
	    got != Z_SIM_OK) {
		return r->text[0] == '\0';
	}
	if (write) {
		memcpy(model_bytes(m, op->page) + op->aux, &value, sizeof(value));
	} else if (memcmp(model_bytes(m, op->page) + op->aux, &value, sizeof(value)) != 0) {
		return model_wrong(r, "load64 of page %u, byte %u: 0x%llx", op->page, op->aux,
				   (unsigned long long)value);
	}
	return true;
}

/* ---- moving pages ---- */

/* The first page of a range that is not mapped, or (if wanted) is pinned; n if none. */
static uint32_t first_bad(const struct model *m, const struct model_op *op, bool pinned_is_bad,
			  int *err_out)
{
	for (uint32_t i = 0; i < op->n; i++) {
		const struct model_page *page = &m->page[op->page + i];

		if (!page->mapped || (pinned_is_bad && page->pins > 0)) {
			*err_out = page->mapped ? Z_ERR_BUSY : Z_ERR_FAULT;
			return i;
		}
	}
	*err_out = 0;
	return op->n;
}

static bool do_page_io(struct model_run *r, const struct model_op *op, bool out)
{
	bool loose = out ? !model_room_out(&r->m) : !model_room(&r->m, 1);
	uint32_t wanted_done = 0;
	int wanted = Z_ERR_INVAL;
	size_t done = 0;
	int got;

	if (model_range_ok(&r->m, op->page, op->n)) {
		wanted_done = first_bad(&r->m, op, out, &wanted);
	}
	got = (out ? z_pager_page_out : z_pager_page_in)(r->w->pager, model_va(op->page), op->n,
							 &done);
	if (!expect(r, out ? "page_out" : "page_in", got, wanted, loose)) {
		return false;
	}
	if (done > wanted_done || (got == wanted && !loose && done != wanted_done)) {
		return model_wrong(r, "%s: %zu pages done, should be %u",
				   out ? "page_out" : "page_in", done, wanted_done);
	}
	for (uint32_t i = 0; i < done && out; i++) {
		if (sim_world_kind(r->w, model_va(op->page + i)) == Z_ENTRY_IN) {
			return model_wrong(r, "page_out: page %u is still in", op->page + i);
		}
	}
	return true;
}

/* How many pages of the range have no pin yet? */
static uint32_t unpinned(const struct model *m, const struct model_op *op)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < op->n; i++) {
		n += m->page[op->page + i].pins == 0;
	}
	return n;
}

static bool do_pin(struct model_run *r, const struct model_op *op)
{
	int wanted = Z_ERR_INVAL;
	bool loose = false;
	int got;

	if (model_range_ok(&r->m, op->page, op->n)) {
		wanted = model_covers(&r->m, op->page, op->n) ? 0 : Z_ERR_FAULT;
		loose = wanted == 0 && !model_room(&r->m, unpinned(&r->m, op));
	}
	got = z_pager_pin(r->w->pager, model_va(op->page), op->n);
	if (!expect(r, "pin", got, wanted, loose)) {
		return false;
	}
	for (uint32_t i = 0; i < op->n && got == 0; i++) {
		r->m.page[op->page + i].pins++;
		if (sim_world_kind(r->w, model_va(op->page + i)) != Z_ENTRY_IN) {
			return model_wrong(r, "pin: page %u is not in", op->page + i);
		}
	}
	return true;
}

static bool do_unpin(struct model_run *r, const struct model_op *op)
{
	bool good = model_range_ok(&r->m, op->page, op->n) && unpinned(&r->m, op) == 0;
	int got = z_pager_unpin(r->w->pager, model_va(op->page), op->n);

	if (!expect(r, "unpin", got, good ? 0 : Z_ERR_INVAL, false)) {
		return false;
	}
	for (uint32_t i = 0; i < op->n && got == 0; i++) {
		r->m.page[op->page + i].pins--;
	}
	return true;
}

/* Pages whose contents were dropped read as zeros. A port that cannot let go keeps a page. */
static void forget(struct model_run *r, const struct model_op *op)
{
	for (uint32_t i = 0; i < op->n; i++) {
		if (sim_world_kind(r->w, model_va(op->page + i)) == Z_ENTRY_UNTOUCHED) {
			memset(model_bytes(&r->m, op->page + i), 0, Z_PAGE_SIZE);
		}
	}
}

static bool do_advise(struct model_run *r, const struct model_op *op)
{
	enum z_advice advice = (enum z_advice)op->prot;
	bool drops = advice == Z_ADVICE_DONTNEED || advice == Z_ADVICE_FREE;
	int wanted = Z_ERR_INVAL;
	int got;

	if (model_range_ok(&r->m, op->page, op->n) && advice <= Z_ADVICE_KEEP) {
		wanted = model_covers(&r->m, op->page, op->n) ? 0 : Z_ERR_FAULT;
		if (wanted == 0 && drops) {
			(void)first_bad(&r->m, op, true, &wanted);
		}
	}
	got = z_pager_advise(r->w->pager, model_va(op->page), op->n, advice);
	if (!expect(r, "advise", got, wanted, r->m.planned && wanted == 0 && drops)) {
		return false;
	}
	if (wanted == 0 && drops) {
		forget(r, op);
	}
	for (uint32_t i = 0; i < op->n && got == 0 && drops; i++) {
		if (sim_world_kind(r->w, model_va(op->page + i)) != Z_ENTRY_UNTOUCHED) {
			return model_wrong(r, "advise: page %u is not forgotten", op->page + i);
		}
	}
	return true;
}

/* ---- frames ---- */

static bool do_evict(struct model_run *r, const struct model_op *op)
{
	const struct z_page_frame *pf = &r->w->frames[op->page % r->m.frames];
	z_phys_t phys = z_phys(SIM_WORLD_RAM + op->page % r->m.frames * Z_PAGE_SIZE);
	bool loose = false;
	int wanted = 0;
	int got;

	if (z_page_frame_is_reserved(pf)) {
		wanted = Z_ERR_INVAL;
	} else if (z_page_frame_is_pinned(pf)) {
		wanted = Z_ERR_BUSY;
	} else {
		loose = z_page_frame_is_mapped(pf) && !model_room_out(&r->m);
	}
	got = z_pager_evict_frame(r->w->pager, phys);
	if (!expect(r, "evict_frame", got, wanted, loose)) {
		return false;
	}
	return got != 0 || !z_sim_frame_used(r->w->sim, phys) ||
	       model_wrong(r, "evict_frame: the frame is still used");
}

static bool bank_has_pin(const struct model_run *r, uint32_t bank)
{
	for (uint32_t i = bank * r->m.per_bank; i < (bank + 1) * r->m.per_bank; i++) {
		if (i < r->m.frames && z_page_frame_is_pinned(&r->w->frames[i])) {
			return true;
		}
	}
	return false;
}

static bool bank_is_empty(struct model_run *r, uint32_t bank)
{
	for (uint32_t i = bank * r->m.per_bank; i < (bank + 1) * r->m.per_bank; i++) {
		if (i < r->m.frames &&
		    z_sim_frame_used(r->w->sim, z_phys(SIM_WORLD_RAM + i * Z_PAGE_SIZE))) {
			return model_wrong(r, "bank_offline: frame %u is still used", i);
		}
	}
	return true;
}

static bool do_bank(struct model_run *r, const struct model_op *op, bool offline)
{
	uint64_t bit = op->page < 64 ? UINT64_C(1) << op->page : 0;
	uint64_t all = r->m.banks < 64 ? (UINT64_C(1) << r->m.banks) - 1 : UINT64_MAX;
	bool loose = offline && !model_room_out(&r->m);
	int wanted = 0;
	int got;

	if (op->page >= r->m.banks) {
		wanted = Z_ERR_INVAL;
		loose = false;
	} else if (offline && (r->m.offline | bit) == all) {
		wanted = Z_ERR_NOMEM;
	} else if (offline && bank_has_pin(r, op->page)) {
		wanted = Z_ERR_BUSY;
	}
	got = (offline ? z_pager_bank_offline : z_pager_bank_online)(r->w->pager, op->page);
	if (!expect(r, offline ? "bank_offline" : "bank_online", got, wanted, loose)) {
		return false;
	}
	if (got == 0 && offline) {
		r->m.offline |= bit;
		return bank_is_empty(r, op->page);
	}
	if (got == 0 || (offline && wanted != Z_ERR_NOMEM && wanted != Z_ERR_INVAL)) {
		r->m.offline &= ~bit;
	}
	return true;
}

static bool do_set_frames(struct model_run *r, const struct model_op *op)
{
	bool sense = op->page > 0 && op->page <= r->m.frames;
	bool loose;
	int got;

	if (sense) {
		r->m.service = op->page;
	}
	loose = sense && (!model_room_out(&r->m) || model_usable(&r->m) < model_pinned(&r->m));
	got = z_pager_set_frames(r->w->pager, op->page);
	return expect(r, "set_frames", got, sense ? 0 : Z_ERR_INVAL, loose);
}

static bool do_reclaim(struct model_run *r, const struct model_op *op)
{
	bool loose = !model_room_out(&r->m) || op->page + model_pinned(&r->m) > model_usable(&r->m);
	int got = z_pager_reclaim(r->w->pager, op->page);
	struct z_stats s = sim_world_stats(r->w);

	if (!expect(r, "reclaim", got, 0, loose)) {
		return false;
	}
	return got != 0 || s.frames_free >= op->page ||
	       model_wrong(r, "reclaim: %llu frames are free", (unsigned long long)s.frames_free);
}

/* ---- failures and nonsense ---- */

static bool do_fail_store(struct model_run *r, const struct model_op *op)
{
	static const enum store_hostile_op ops[] = {STORE_GET, STORE_OUT, STORE_IN, STORE_ANY};
	static const int errors[] = {Z_ERR_NOSPC, Z_ERR_IO, Z_ERR_IO, 0};

	store_hostile_fail(r->hostile, ops[op->aux % 4], op->n, 1 + op->value % 3,
			   errors[op->aux % 4]);
	r->m.planned = true;
	return true;
}

static bool do_fail_port(struct model_run *r, const struct model_op *op)
{
	static const enum z_sim_point points[] = {Z_SIM_POINT_MAP, Z_SIM_POINT_PROTECT,
						  Z_SIM_POINT_ATTACH, Z_SIM_POINT_DETACH,
						  Z_SIM_POINT_PREPARE};
	static const int errors[] = {Z_ERR_NOMEM, Z_ERR_NOMEM, Z_ERR_NOMEM, Z_ERR_BUSY,
				     Z_ERR_NOMEM};
	unsigned int which = op->aux % 5;

	z_sim_inject(r->w->sim, points[which], op->n, 1 + op->value % 3,
		     which == 2 && op->value % 2 == 0 ? Z_ERR_AGAIN : errors[which]);
	r->m.planned = true;
	return true;
}

static bool do_nonsense(struct model_run *r, const struct model_op *op)
{
	struct z_pager *p = r->w->pager;
	uintptr_t va = model_va(op->page) + 1;
	uintptr_t low = SIM_WORLD_VM - Z_PAGE_SIZE;
	const int got[] = {
		z_pager_map(p, 0, SIM_WORLD_RW, 0, 1, &va),
		z_pager_map(p, 1, SIM_WORLD_RW, 0, 0, &va),
		z_pager_map(p, 1, SIM_WORLD_RW, 0, 3, &va),
		z_pager_map(p, 1, SIM_WORLD_RW, 16, 1, &va),
		z_pager_map(p, 1, SIM_WORLD_RW, Z_MAP_FIXED, 1, &va),
		z_pager_unmap(p, va, 1),
		z_pager_unmap(p, low, 1),
		z_pager_protect(p, model_va(op->page), 0, SIM_WORLD_RW),
		z_pager_page_in(p, model_va(1), r->m.pages, NULL),
		z_pager_page_out(p, va, 1, NULL),
		z_pager_pin(p, model_va(1), SIZE_MAX),
		z_pager_unpin(p, low, 2),
		z_pager_advise(p, va, 1, Z_ADVICE_COLD),
		z_pager_advise(p, model_va(1), 1, (enum z_advice)(Z_ADVICE_KEEP + 1)),
		z_pager_evict_frame(p, z_phys(SIM_WORLD_RAM + 1)),
		z_pager_evict_frame(p, z_phys(SIM_WORLD_RAM - Z_PAGE_SIZE)),
		z_pager_evict_frame(p, z_phys(SIM_WORLD_RAM + r->m.frames * Z_PAGE_SIZE)),
		z_pager_set_frames(p, 0),
		z_pager_set_frames(p, r->m.frames + 1),
		z_pager_bank_offline(p, r->m.banks),
		z_pager_bank_online(p, UINT32_MAX),
	};

	for (size_t i = 0; i < sizeof(got) / sizeof(got[0]); i++) {
		if (got[i] != Z_ERR_INVAL) {
			return model_wrong(r, "senseless call %zu: says %d", i, got[i]);
		}
	}
	return z_pager_fault(p, low, Z_ACCESS_READ) == Z_FAULT_BAD_ADDRESS ||
	       model_wrong(r, "a fault below the window is not a bad address");
}

bool model_do(struct model_run *r, const struct model_op *op)
{
	switch (op->kind) {
	case MODEL_MAP:
		return do_map(r, op);
	case MODEL_UNMAP:
		return do_unmap(r, op);
	case MODEL_READ:
	case MODEL_WRITE:
		return do_access(r, op, op->kind == MODEL_WRITE);
	case MODEL_LOAD64:
	case MODEL_STORE64:
		return do_word(r, op, op->kind == MODEL_STORE64);
	case MODEL_PAGE_IN:
	case MODEL_PAGE_OUT:
		return do_page_io(r, op, op->kind == MODEL_PAGE_OUT);
	case MODEL_PIN:
		return do_pin(r, op);
	case MODEL_UNPIN:
		return do_unpin(r, op);
	case MODEL_ADVISE:
		return do_advise(r, op);
	case MODEL_PROTECT:
		return do_protect(r, op);
	case MODEL_EVICT:
		return do_evict(r, op);
	case MODEL_BANK_OFFLINE:
	case MODEL_BANK_ONLINE:
		return do_bank(r, op, op->kind == MODEL_BANK_OFFLINE);
	case MODEL_SET_FRAMES:
		return do_set_frames(r, op);
	case MODEL_RECLAIM:
		return do_reclaim(r, op);
	case MODEL_FAIL_STORE:
		return do_fail_store(r, op);
	case MODEL_FAIL_PORT:
		return do_fail_port(r, op);
	case MODEL_QUIET:
		model_quiet(r);
		return true;
	case MODEL_NONSENSE:
		return do_nonsense(r, op);
	case MODEL_KINDS:
		break;
	}
	return model_wrong(r, "no such operation");
}
