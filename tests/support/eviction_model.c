/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eviction_model.c - see eviction_model.h. Locks: none. Limits: EV_MODEL_FRAMES.
 */
#include <string.h>

#include "eviction_model_list.h"

/* ---- clock: the hand stands before a.at[0] ------------------------------------------------- */

static uint32_t clock_select(struct ev_model *m)
{
	uint32_t first = m->a.at[0];
	uint32_t limit = smaller(m->a.len, 64);

	if (m->a.len == 0) {
		return EV_MODEL_NONE;
	}
	for (uint32_t i = 0; i < limit; i++) {
		uint32_t frame = m->a.at[0];
		bool used = (look(m, frame) & Z_INFO_ACCESSED) != 0 || m->mark[frame];

		m->mark[frame] = false;
		move_to_tail(m, &m->a, frame);
		if (!used) {
			m->mark[frame] = true;
			return frame;
		}
	}
	move_to_tail(m, &m->a, first);
	m->mark[first] = true;
	return first;
}

static void mark_add(struct ev_model *m, uint32_t frame, enum z_add_reason reason)
{
	append(&m->a, frame);
	m->mark[frame] = reason != Z_ADD_AHEAD;
}

static void any_remove(struct ev_model *m, uint32_t frame)
{
	take_out(m, frame);
	m->mark[frame] = false;
	m->cold[frame] = false;
	m->newest = m->newest == frame ? EV_MODEL_NONE : m->newest;
	m->last = m->last == frame ? EV_MODEL_NONE : m->last;
}

static void mark_advise(struct ev_model *m, uint32_t frame, enum z_advice advice)
{
	if (advice == Z_ADVICE_COLD) {
		take_out(m, frame);
		prepend(&m->a, frame);
		(void)look(m, frame);
		m->mark[frame] = false;
		m->cold[frame] = true;
	} else if (is_a_use(advice)) {
		move_to_tail(m, &m->a, frame);
		m->mark[frame] = true;
		m->cold[frame] = false;
	}
}

/* ---- lru: a is the young part, b the old ---------------------------------------------------- */

static uint32_t lru_take(struct ev_model *m, uint32_t frame)
{
	move_to_tail(m, &m->a, frame);
	m->mark[frame] = true;
	m->last = frame;
	return frame;
}

static void lru_pass_young(struct ev_model *m, uint32_t frame, bool spared)
{
	bool known = m->mark[frame];

	if (spared) {
		m->newest = m->newest == frame ? EV_MODEL_NONE : m->newest;
		m->last = m->last == frame ? EV_MODEL_NONE : m->last;
		move_to_tail(m, &m->a, frame);
		m->mark[frame] = true;
		return;
	}
	m->mark[frame] = false;
	if ((look(m, frame) & Z_INFO_ACCESSED) != 0 && !known) {
		move_to_tail(m, &m->a, frame);
	} else {
		move_to_tail(m, &m->b, frame);
	}
}

static uint32_t lru_select(struct ev_model *m)
{
	uint32_t count = m->a.len + m->b.len;
	uint32_t limit = smaller(2 * count, 64);
	uint32_t first = EV_MODEL_NONE;
	uint32_t young_looks = 0;

	if (count == 0) {
		return EV_MODEL_NONE;
	}
	for (uint32_t i = 0; i < limit; i++) {
		bool young = m->b.len == 0 || (m->b.len < 2 * count / 5 && young_looks < 4);
		uint32_t frame = young ? m->a.at[0] : m->b.at[0];
		bool spared = count > 1 && (frame == m->newest || frame == m->last);

		first = first == EV_MODEL_NONE && !spared ? frame : first;
		if (young) {
			young_looks++;
			lru_pass_young(m, frame, spared);
		} else if ((look(m, frame) & Z_INFO_ACCESSED) != 0) {
			move_to_tail(m, &m->a, frame);
		} else {
			return lru_take(m, frame);
		}
	}
	return lru_take(m, m->b.len > 0 ? m->b.at[0] : first);
}

static void lru_add(struct ev_model *m, uint32_t frame, enum z_add_reason reason)
{
	bool ahead = reason == Z_ADD_AHEAD;

	append(ahead && m->b.len > 0 ? &m->b : &m->a, frame);
	m->mark[frame] = !ahead;
	m->newest = ahead ? m->newest : frame;
}

static void lru_accessed(struct ev_model *m, uint32_t frame)
{
	move_to_tail(m, &m->a, frame);
	m->mark[frame] = true;
}

static void lru_advise(struct ev_model *m, uint32_t frame, enum z_advice advice)
{
	if (advice == Z_ADVICE_COLD) {
		(void)look(m, frame);
		any_remove(m, frame);
		prepend(&m->b, frame);
	} else if (is_a_use(advice)) {
		lru_accessed(m, frame);
	}
}

/* ---- nru: a is the ring, b those set aside --------------------------------------------------- */

static uint32_t nru_fallback(struct ev_model *m, const uint32_t first[3])
{
	uint32_t frame = m->b.len > 0 ? m->b.at[0] : EV_MODEL_NONE;

	for (uint32_t i = 0; i < 3; i++) {
		frame = frame == EV_MODEL_NONE ? first[i] : frame;
	}
	move_to_tail(m, &m->a, frame);
	return frame;
}

static uint32_t nru_select(struct ev_model *m)
{
	uint32_t first[3] = {EV_MODEL_NONE, EV_MODEL_NONE, EV_MODEL_NONE};
	uint32_t count = m->a.len + m->b.len;
	uint32_t limit = smaller(2 * count, 64);

	if (count == 0) {
		return EV_MODEL_NONE;
	}
	earn(m, 2);
	for (uint32_t work = 0; work < limit;) {
		bool aside = m->a.len == 0 || (m->b.len > count / 16 && !m->cold[m->a.at[0]]);
		uint32_t frame = aside ? m->b.at[0] : m->a.at[0];
		uint8_t bits = aside && m->saved < 1 ? 0 : look(m, frame);
		bool is_new = m->mark[frame];
		bool keep = m->cold[frame] || aside || (bits & Z_INFO_DIRTY) == 0;
		/* 0: class 2, 1: class 3, 2: new ones */
		uint32_t kind = is_new ? 2U : (uint32_t)((bits & Z_INFO_DIRTY) != 0);

		work += aside ? 2 : 1;
		m->mark[frame] = false;
		m->cold[frame] = false;
		if (is_new || (bits & Z_INFO_ACCESSED) != 0) {
			first[kind] = first[kind] == EV_MODEL_NONE ? frame : first[kind];
			move_to_tail(m, &m->a, frame);
		} else if (keep) {
			move_to_tail(m, &m->a, frame);
			return frame;
		} else {
			move_to_tail(m, &m->b, frame);
			work++;
		}
	}
	return nru_fallback(m, first);
}

/* ---- the table -------------------------------------------------------------------------------- */

static void forget_nothing(struct ev_model *m, uint32_t frame, enum z_remove_reason reason)
{
	(void)reason;
	any_remove(m, frame);
}

static void no_refault(struct ev_model *m, uint32_t frame, uint32_t distance)
{
	(void)m;
	(void)frame;
	(void)distance;
}

static const struct ev_model_ops models[] = {
	{"clock", clock_select, mark_add, forget_nothing, ev_no_accessed, no_refault, mark_advise},
	{"lru", lru_select, lru_add, forget_nothing, lru_accessed, no_refault, lru_advise},
	{"nru", nru_select, mark_add, forget_nothing, ev_no_accessed, no_refault, mark_advise},
};

static const struct ev_model_ops *find_model(const char *name)
{
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		if (strcmp(models[i].name, name) == 0) {
			return &models[i];
		}
	}
	for (size_t i = 0; i < EV_MODELS_MORE; i++) {
		if (strcmp(ev_models_more[i].name, name) == 0) {
			return &ev_models_more[i];
		}
	}
	return strcmp(name, ev_model_sweep.name) == 0 ? &ev_model_sweep : NULL;
}

bool ev_model_open(struct ev_model *m, const char *name, uint32_t nframes)
{
	memset(m, 0, sizeof(*m));
	m->nframes = nframes;
	m->newest = EV_MODEL_NONE;
	m->last = EV_MODEL_NONE;
	m->hand = EV_MODEL_NONE;
	m->back = EV_MODEL_NONE;
	m->advised = EV_MODEL_NONE;
	m->share = nframes / 8;
	m->ops = find_model(name);
	return m->ops != NULL;
}

bool ev_model_has(const struct ev_model *m, uint32_t frame)
{
	return has(&m->a, frame) || has(&m->b, frame) || has(&m->c, frame);
}
