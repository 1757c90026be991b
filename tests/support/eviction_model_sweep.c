/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eviction_model_sweep.c - the plain form of sweep: the hand stands before a.at[0]; see eviction_model.h.
 * Locks: none. Limits: EV_MODEL_FRAMES.
 */
#include "eviction_host.h"
#include "eviction_model_list.h"

/* 0: it goes; 1: it has credit; 2: it was used. */
static int sweep_look(struct ev_model *m, uint32_t frame)
{
	static const uint32_t turns[] = {1, 1, 2, 4};
	unsigned int credit = m->credit[frame];
	bool used;

	if (credit > 0) {
		m->chance = m->chance * 1664525U + 1013904223U;
		m->credit[frame] = (uint8_t)(credit - ((m->chance >> 16) % turns[credit] == 0));
	}
	if (m->credit[frame] == credit && credit > 0) {
		return 1;
	}
	used = (look(m, frame) & Z_INFO_ACCESSED) != 0;
	return credit > 0 ? 1 : 2 * used;
}

/* All were spared: with credit before used; the newest and the one named last after all others. */
static uint32_t sweep_first(const struct ev_model *m, const uint32_t *frames, const int *verdicts,
			    uint32_t n)
{
	for (int turn = 0; turn < 4; turn++) {
		for (uint32_t i = 0; i < n; i++) {
			bool last = frames[i] == m->newest || frames[i] == m->last;

			if (verdicts[i] == 1 + turn % 2 && last == (turn >= 2)) {
				return frames[i];
			}
		}
	}
	return EV_MODEL_NONE;
}

static uint32_t sweep_named(struct ev_model *m, uint32_t frame)
{
	m->credit[frame] = 1;
	m->newest = EV_MODEL_NONE;
	m->last = frame;
	return frame;
}

static uint32_t sweep_select(struct ev_model *m)
{
	uint32_t frames[64];
	int verdicts[64];
	uint32_t limit = smaller(m->a.len, 64);
	uint32_t first;

	if (limit == 0) {
		return EV_MODEL_NONE;
	}
	for (uint32_t i = 0; i < limit; i++) {
		frames[i] = m->a.at[0];
		move_to_tail(m, &m->a, frames[i]);
		verdicts[i] = sweep_look(m, frames[i]);
		if (verdicts[i] == 0) {
			return sweep_named(m, frames[i]);
		}
	}
	first = sweep_first(m, frames, verdicts, limit);
	move_to_tail(m, &m->a, first);
	return sweep_named(m, first);
}

/* The place in the list of the candidate that is next by page; a.len: there is none. */
static uint32_t sweep_beside(const struct ev_model *m, uint32_t frame)
{
	intptr_t best = INTPTR_MAX;
	uint32_t found = EV_MODEL_NONE;

	for (uint32_t other = 0; other < m->nframes; other++) {
		intptr_t rank = ev_near_rank((intptr_t)m->page[frame] - (intptr_t)m->page[other]);

		if (rank < best && has(&m->a, other)) {
			best = rank;
			found = other;
		}
	}
	return find(&m->a, found);
}

static void sweep_add(struct ev_model *m, uint32_t frame, enum z_add_reason reason)
{
	uint32_t at = sweep_beside(m, frame);
	unsigned int credit = m->back == frame ? m->back_credit : 1;

	if (at < m->a.len && m->page[m->a.at[at]] < m->page[frame]) {
		at++;
	} else if (at == 0) {
		at = m->a.len;
	}
	memmove(&m->a.at[at + 1], &m->a.at[at], (m->a.len - at) * sizeof(m->a.at[0]));
	m->a.at[at] = frame;
	m->a.len++;
	m->credit[frame] = (uint8_t)(reason == Z_ADD_AHEAD ? 0 : credit);
	m->back = EV_MODEL_NONE;
	m->newest = reason == Z_ADD_AHEAD ? m->newest : frame;
}

static void sweep_remove(struct ev_model *m, uint32_t frame, enum z_remove_reason reason)
{
	(void)reason;
	take_out(m, frame);
	m->newest = m->newest == frame ? EV_MODEL_NONE : m->newest;
	m->last = m->last == frame ? EV_MODEL_NONE : m->last;
}

static void sweep_refault(struct ev_model *m, uint32_t frame, uint32_t distance)
{
	m->back = frame;
	m->back_credit = distance < m->nframes / 8 ? 3 : distance < m->nframes / 3 ? 2 : 1;
}

static void sweep_advise(struct ev_model *m, uint32_t frame, enum z_advice advice)
{
	if (advice == Z_ADVICE_COLD) {
		take_out(m, frame);
		prepend(&m->a, frame);
		(void)look(m, frame);
		m->credit[frame] = 0;
	} else if (is_a_use(advice)) {
		move_to_tail(m, &m->a, frame);
		m->credit[frame] = m->credit[frame] > 0 ? m->credit[frame] : 1;
	}
}

const struct ev_model_ops ev_model_sweep = {"sweep",      sweep_select,   sweep_add,
					    sweep_remove, ev_no_accessed, sweep_refault,
					    sweep_advise};
