/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_record.c - the recording layer of contract_record.h.
 *
 * The operations of an eviction algorithm get only the algorithm's own state, so the one layer that
 * is open is found through a variable of this file.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <zpager/mmu.h>

#include "contract_record.h"

static struct contract_record *current;

__attribute__((format(printf, 2, 3))) static void violate(struct contract_record *r,
							  const char *format, ...)
{
	va_list args;

	if (r->violation[0] != '\0')
		return;
	va_start(args, format);
	(void)vsnprintf(r->violation, sizeof(r->violation), format, args);
	va_end(args);
}

static struct contract_call *note(struct contract_record *r, struct contract_call call)
{
	static struct contract_call overflow;
	struct contract_call *kept = &overflow;

	if (r->calls < CONTRACT_LOG_MAX)
		kept = &r->log[r->calls];
	call.cpu = z_sim_cpu(r->sim);
	call.irqs_on = z_sim_irqs_on(r->sim);
	*kept = call;
	r->calls++;
	r->count[call.op]++;
	return kept;
}

static void want_locked(struct contract_record *r, const char *numbers, const char *what)
{
	if (z_sim_irqs_on(r->sim))
		violate(r, "%s: %s with interrupts on", numbers, what);
	if (!z_sim_lock_held(r->sim))
		violate(r, "%s: %s without the pager lock", numbers, what);
}

static void call_hook(struct contract_record *r, enum contract_op op, uintptr_t loc)
{
	if (r->hook != NULL)
		r->hook(r, op, loc);
}

/* ---- tokens --------------------------------------------------------------------------------- */

static struct contract_token *token_of(struct contract_record *r, uintptr_t loc)
{
	for (size_t i = 0; i < r->ntokens; i++) {
		if (r->tokens[i].loc == loc)
			return &r->tokens[i];
	}
	if (r->ntokens == CONTRACT_TOKENS_MAX) {
		violate(r, "0: too many tokens for the test");
		return &r->tokens[0];
	}
	r->tokens[r->ntokens] = (struct contract_token){.loc = loc};
	return &r->tokens[r->ntokens++];
}

/* Is the page at va in a frame that says it has a clean copy? */
static bool page_is_backed(uintptr_t va)
{
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++) {
		struct z_page_frame *pf = &z_page_frames[i];

		if (z_page_frame_is_mapped(pf) && (uintptr_t)pf->addr == va)
			return z_page_frame_is_backed(pf);
	}
	return false;
}

static bool page_is_resident(uintptr_t va)
{
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++) {
		struct z_page_frame *pf = &z_page_frames[i];

		if (z_page_frame_is_mapped(pf) && !z_page_frame_is_busy(pf) &&
		    (uintptr_t)pf->addr == va)
			return true;
	}
	return false;
}

static void check_token(struct contract_record *r, uintptr_t loc, uintptr_t va, bool backed)
{
	struct contract_token *token = token_of(r, loc);
	bool stolen = page_is_resident(token->va) && !page_is_backed(token->va);

	if (!z_is_page_aligned(loc))
		violate(r, "18: location 0x%zx is not page-aligned", (size_t)loc);
	if (backed && (!token->live || token->va != va))
		violate(r, "19: a clean copy was at another location than 0x%zx", (size_t)loc);
	if (!backed && token->live && token->va != va && !stolen)
		violate(r, "17: location 0x%zx has two pages", (size_t)loc);
	for (size_t i = 0; i < r->ntokens; i++) {
		if (r->tokens[i].live && r->tokens[i].va == va && &r->tokens[i] != token)
			r->tokens[i].live = false; /* its copy was stolen, or is out of date */
	}
	token->va = va;
	token->live = true;
}

size_t contract_record_live(const struct contract_record *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->ntokens; i++)
		n += r->tokens[i].live;
	return n;
}

/* ---- store ---------------------------------------------------------------------------------- */

static struct contract_record *self(struct z_store *store)
{
	return (struct contract_record *)(void *)store;
}

static int record_get(struct z_store *store, struct z_page_frame *pf, enum z_store_want want,
		      z_loc_t *loc_out)
{
	struct contract_record *r = self(store);
	uintptr_t va = (uintptr_t)pf->addr;
	bool backed = z_page_frame_is_backed(pf);
	struct contract_call *call = note(
		r,
		(struct contract_call){.op = CONTRACT_GET, .pf = pf, .va = va, .backed = backed});
	struct z_entry entry = z_sim_entry(r->sim, va);

	want_locked(r, "23", "location_get");
	if (entry.kind != Z_ENTRY_IN || entry.phys.v != z_page_frame_to_phys(pf))
		violate(r, "22: pf->addr is not the page that is in the frame");
	call_hook(r, CONTRACT_GET, 0);
	call->result = r->inner->ops->location_get(r->inner, pf, want, loc_out);
	if (call->result == 0) {
		call->loc = loc_out->v;
		check_token(r, loc_out->v, va, backed);
	}
	return call->result;
}

static void record_free(struct z_store *store, z_loc_t loc)
{
	struct contract_record *r = self(store);
	struct contract_token *token = token_of(r, loc.v);

	note(r, (struct contract_call){.op = CONTRACT_FREE, .va = token->va, .loc = loc.v});
	want_locked(r, "23", "location_free");
	if (!token->live)
		violate(r, "26: location 0x%zx is freed but not in use", (size_t)loc.v);
	if (z_sim_entry(r->sim, token->va).kind == Z_ENTRY_OUT)
		violate(r, "26: location 0x%zx is freed and the page table has it", (size_t)loc.v);
	token->live = false;
	call_hook(r, CONTRACT_FREE, loc.v);
	r->inner->ops->location_free(r->inner, loc);
}

/* The frame whose page is being moved. */
static struct z_page_frame *frame_moving(uintptr_t va, unsigned int loading)
{
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++) {
		struct z_page_frame *pf = &z_page_frames[i];

		if (z_page_frame_is_busy(pf) && (uintptr_t)pf->addr == va &&
		    (pf->flags & Z_PAGE_FRAME_LOADING) == loading)
			return pf;
	}
	return NULL;
}

/* The frame is seen through scratch: what is there, and a byte written there. */
static bool is_alias(unsigned char *scratch, unsigned char *frame)
{
	bool same = memcmp(scratch, frame, Z_PAGE_SIZE) == 0;
	size_t at = Z_PAGE_SIZE - 1;

	scratch[at] ^= 0xff;
	same = same && scratch[at] == frame[at];
	scratch[at] ^= 0xff;
	return same;
}

static void check_scratch(struct contract_record *r, const char *number, uintptr_t va,
			  unsigned int loading, void *page)
{
	struct z_page_frame *pf = frame_moving(va, loading);
	void *data = pf == NULL ? NULL : z_sim_frame_data(r->sim, z_phys(z_page_frame_to_phys(pf)));

	if (page != Z_SCRATCH_PAGE)
		violate(r, "%s: the page is not at Z_SCRATCH_PAGE", number);
	else if (data == NULL || !is_alias(page, data))
		violate(r, "%s: scratch is not the frame of page 0x%zx", number, (size_t)va);
}

static void begin_move(struct contract_record *r, enum contract_op op, uintptr_t loc)
{
	bool wanted = r->irqs_on && !r->lock_kept;

	if (r->moving++ != 0)
		violate(r, "30: two pages are moved at once");
	if (z_sim_irqs_on(r->sim) != wanted)
		violate(r, "31: interrupts are %s during a move", wanted ? "off" : "on");
	if (z_sim_lock_held(r->sim) != r->lock_kept)
		violate(r, "31: the lock is %s during a move", r->lock_kept ? "not held" : "held");
	z_sim_yield(r->sim);
	call_hook(r, op, loc);
}

static int record_out(struct z_store *store, z_loc_t loc, const void *page)
{
	struct contract_record *r = self(store);
	uintptr_t va = token_of(r, loc.v)->va;
	struct contract_call *call =
		note(r, (struct contract_call){.op = CONTRACT_OUT, .va = va, .loc = loc.v});

	begin_move(r, CONTRACT_OUT, loc.v);
	check_scratch(r, "28", va, 0, (void *)(uintptr_t)page);
	call->result = r->inner->ops->page_out(r->inner, loc, page);
	z_sim_yield(r->sim);
	r->moving--;
	return call->result;
}

static int record_in(struct z_store *store, z_loc_t loc, void *page)
{
	struct contract_record *r = self(store);
	uintptr_t va = token_of(r, loc.v)->va;
	struct contract_call *call =
		note(r, (struct contract_call){.op = CONTRACT_IN, .va = va, .loc = loc.v});

	begin_move(r, CONTRACT_IN, loc.v);
	check_scratch(r, "29", va, Z_PAGE_FRAME_LOADING, page);
	call->result = r->inner->ops->page_in(r->inner, loc, page);
	z_sim_yield(r->sim);
	r->moving--;
	if (call->result == 0) {
		r->loaded[z_sim_cpu(r->sim)] = loc.v;
		r->has_loaded[z_sim_cpu(r->sim)] = true;
	}
	return call->result;
}

static void record_finalize(struct z_store *store, struct z_page_frame *pf, z_loc_t loc)
{
	struct contract_record *r = self(store);
	struct contract_token *token = token_of(r, loc.v);
	unsigned int cpu = z_sim_cpu(r->sim);
	struct z_entry entry = z_sim_entry(r->sim, (uintptr_t)pf->addr);

	note(r, (struct contract_call){.op = CONTRACT_FINALIZE,
				       .pf = pf,
				       .va = (uintptr_t)pf->addr,
				       .loc = loc.v,
				       .backed = z_page_frame_is_backed(pf)});
	want_locked(r, "32", "page_finalize");
	if (!r->has_loaded[cpu] || r->loaded[cpu] != loc.v)
		violate(r, "33: page_finalize of 0x%zx, not of what page_in brought",
			(size_t)loc.v);
	if (!z_page_frame_is_mapped(pf) || (uintptr_t)pf->addr != token->va)
		violate(r, "37: the frame does not carry the page's address, or is not MAPPED");
	if (entry.phys.v != z_page_frame_to_phys(pf))
		violate(r, "37: the frame is not the page's");
	r->has_loaded[cpu] = false;
	call_hook(r, CONTRACT_FINALIZE, loc.v);
	r->inner->ops->page_finalize(r->inner, pf, loc);
	token->live = z_page_frame_is_backed(pf);
}

static void record_stats(struct z_store *store, struct z_store_stats *out)
{
	struct z_store *inner = self(store)->inner;

	inner->ops->stats(inner, out);
}

static int record_check(struct z_store *store)
{
	struct z_store *inner = self(store)->inner;

	return inner->ops->check != NULL ? inner->ops->check(inner) : 0;
}

static const struct z_store_ops store_ops = {
	.name = "record",
	.location_get = record_get,
	.location_free = record_free,
	.page_out = record_out,
	.page_in = record_in,
	.page_finalize = record_finalize,
	.stats = record_stats,
	.check = record_check,
};

/* ---- eviction ------------------------------------------------------------------------------- */

static int record_init(void *state, const struct z_eviction_host *host)
{
	int err = current->inner_eviction->init(state, host);

	note(current, (struct contract_call){.op = CONTRACT_INIT, .result = err});
	return err;
}

static struct z_page_frame *record_select(void *state)
{
	struct contract_record *r = current;
	struct contract_call *call = note(r, (struct contract_call){.op = CONTRACT_SELECT});
	struct z_page_frame *pf;

	want_locked(r, "12", "select");
	if (z_free_page_count > 0)
		violate(r, "10: select with %zu free frames", z_free_page_count);
	if (r->count[CONTRACT_INIT] != 1)
		violate(r, "11: select before init has returned");
	pf = r->force != NULL ? r->force : r->inner_eviction->select(state);
	r->force = NULL;
	call->pf = pf;
	call->va = pf != NULL ? (uintptr_t)pf->addr : 0;
	return pf;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* The copies that the store has of pages that are in frames at boot. */
static void note_boot_copies(struct contract_record *r)
{
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++) {
		struct z_page_frame *pf = &z_page_frames[i];
		uintptr_t loc;

		if (!z_page_frame_is_backed(pf) || z_backing_store_location_get(pf, &loc) != 0)
			continue;
		*token_of(r, loc) = (struct contract_token){loc, (uintptr_t)pf->addr, true};
	}
}

void contract_record_open(struct contract_record *r, struct z_sim *sim, struct z_store *inner,
			  const struct z_eviction_ops *eviction)
{
	r->store = (struct z_store){.ops = &store_ops, .caps = inner->caps, .env = inner->env};
	r->inner = inner;
	r->inner_eviction = eviction;
	r->eviction = *eviction;
	r->eviction.init = record_init;
	r->eviction.select = record_select;
	r->sim = sim;
	current = r;
	note_boot_copies(r);
}

void contract_record_forget(struct contract_record *r)
{
	unsigned int inits = r->count[CONTRACT_INIT];

	r->calls = 0;
	memset(r->count, 0, sizeof(r->count));
	r->count[CONTRACT_INIT] = inits;
}

const struct contract_call *contract_record_last(const struct contract_record *r,
						 enum contract_op op)
{
	size_t n = r->calls < CONTRACT_LOG_MAX ? r->calls : CONTRACT_LOG_MAX;

	for (size_t i = n; i-- > 0;) {
		if (r->log[i].op == op)
			return &r->log[i];
	}
	return NULL;
}
