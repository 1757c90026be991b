/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_gen.c - making operations up: mostly sensible in the state that the model is in.
 *
 * Theory. Ranges lie mostly inside what is mapped, near a place that moves slowly, so that pages are
 * used again and faults, clean copies and refaults happen; a part of the ranges is drawn from the
 * whole window, so that errors happen too.
 *
 * Locks: none.
 */
#include "model.h"

uint64_t model_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint32_t below(uint64_t *random, uint32_t n)
{
	return (uint32_t)(model_random(random) % n);
}

/* How often each kind comes, out of the sum. */
static const uint8_t weights[MODEL_KINDS] = {
	[MODEL_MAP] = 12,       [MODEL_UNMAP] = 6,        [MODEL_READ] = 22,
	[MODEL_WRITE] = 26,     [MODEL_LOAD64] = 4,       [MODEL_STORE64] = 4,
	[MODEL_PAGE_IN] = 5,    [MODEL_PAGE_OUT] = 6,     [MODEL_PIN] = 5,
	[MODEL_UNPIN] = 7,      [MODEL_ADVISE] = 6,       [MODEL_PROTECT] = 3,
	[MODEL_EVICT] = 4,      [MODEL_BANK_OFFLINE] = 2, [MODEL_BANK_ONLINE] = 3,
	[MODEL_SET_FRAMES] = 3, [MODEL_RECLAIM] = 2,      [MODEL_FAIL_STORE] = 3,
	[MODEL_FAIL_PORT] = 3,  [MODEL_QUIET] = 6,        [MODEL_NONSENSE] = 1,
};

static enum model_kind invent_kind(const struct model_run *r, uint64_t *random)
{
	uint32_t sum = 0;
	uint32_t at;
	int kind = 0;

	for (int i = 0; i < MODEL_KINDS; i++) {
		sum += weights[i];
	}
	at = below(random, sum);
	while (at >= weights[kind]) {
		at -= weights[kind++];
	}
	if (!r->cell.failures && (kind == MODEL_FAIL_STORE || kind == MODEL_FAIL_PORT)) {
		return MODEL_WRITE;
	}
	return (enum model_kind)kind;
}

/* A mapped page, if there is one; with pins if wanted and there is one. */
static uint32_t some_page(const struct model *m, uint64_t *random, bool pinned)
{
	uint32_t start = below(random, m->pages);
	uint32_t found = start;

	for (uint32_t i = 0; i < m->pages; i++) {
		uint32_t page = (start + i) % m->pages;

		if (m->page[page].mapped && (!pinned || m->page[page].pins > 0)) {
			return page;
		}
	}
	return found;
}

static void invent_range(const struct model *m, uint64_t *random, struct model_op *op)
{
	uint32_t longest;

	if (below(random, 12) == 0) {
		op->page = below(random, m->pages);
		op->n = below(random, m->pages + 2);
		return;
	}
	op->page = some_page(m, random, op->kind == MODEL_UNPIN);
	longest = op->kind == MODEL_PIN ? 1 + m->frames / 4 : 1 + m->frames;
	op->n = 1;
	while (op->n < longest && op->page + op->n < m->pages && m->page[op->page + op->n].mapped &&
	       (op->kind != MODEL_UNPIN || m->page[op->page + op->n].pins > 0) &&
	       below(random, 3) != 0) {
		op->n++;
	}
}

static void invent_map(const struct model_run *r, uint64_t *random, struct model_op *op)
{
	static const uint32_t flags[] = {0,           0, 0, 0, 0, Z_MAP_POPULATE, Z_MAP_NORESERVE,
					 Z_MAP_PINNED};
	static const uint32_t aligns[] = {1, 1, 1, 2, 8};
	const struct model *m = &r->m;

	op->page = below(random, m->pages);
	op->n = 1 + below(random, below(random, 4) == 0 ? m->pages : 6);
	op->prot = below(random, 5) == 0 ? below(random, 16) : SIM_WORLD_RW;
	op->flags = flags[below(random, 8)];
	op->flags |= below(random, 3) == 0 ? Z_MAP_FIXED : 0;
	op->aux = aligns[below(random, 5)];
	if ((op->flags & Z_MAP_PINNED) != 0) {
		op->n = 1 + below(random, 1 + m->frames / 4);
	}
}

static void invent_access(const struct model_run *r, uint64_t *random, struct model_op *op)
{
	const struct model *m = &r->m;

	op->page = some_page(m, random, false);
	op->aux = below(random, (uint32_t)Z_PAGE_SIZE - 8);
	switch (below(random, 4)) {
	case 0:
		op->bytes = 1 + below(random, 16);
		break;
	case 1:
		op->aux = 0;
		op->bytes = (uint32_t)Z_PAGE_SIZE;
		break;
	default:
		op->bytes = 1 + below(random, (uint32_t)Z_PAGE_SIZE * 3);
		break;
	}
	if (op->kind == MODEL_LOAD64 || op->kind == MODEL_STORE64) {
		op->aux = below(random, 2) == 0 ? (uint32_t)Z_PAGE_SIZE - 1 - below(random, 7)
						: op->aux;
	}
}

struct model_op model_invent(const struct model_run *r, uint64_t *random)
{
	const struct model *m = &r->m;
	struct model_op op = {.kind = invent_kind(r, random), .value = model_random(random)};

	op.aux = below(random, 4);
	op.n = 1 + below(random, 4);
	switch (op.kind) {
	case MODEL_MAP:
		invent_map(r, random, &op);
		break;
	case MODEL_READ:
	case MODEL_WRITE:
	case MODEL_LOAD64:
	case MODEL_STORE64:
		invent_access(r, random, &op);
		break;
	case MODEL_ADVISE:
		invent_range(m, random, &op);
		op.prot = below(random, Z_ADVICE_KEEP + 2);
		break;
	case MODEL_PROTECT:
		invent_range(m, random, &op);
		op.prot = below(random, 4) == 0 ? below(random, 16) : SIM_WORLD_RW;
		break;
	case MODEL_EVICT:
		op.page = below(random, m->frames);
		break;
	case MODEL_BANK_OFFLINE:
	case MODEL_BANK_ONLINE:
		op.page = below(random, m->banks);
		break;
	case MODEL_SET_FRAMES:
		op.page = below(random, 2) == 0 ? m->frames : 1 + below(random, m->frames);
		break;
	case MODEL_RECLAIM:
		op.page = below(random, m->frames + 2);
		break;
	default:
		invent_range(m, random, &op);
		break;
	}
	return op;
}
