/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eviction_model_list.h - the lists of the models, and what several models do: arrays that are
 * shifted, membership that is searched for. Only for eviction_model*.c.
 * Locks: none. Limits: EV_MODEL_FRAMES.
 */
#ifndef ZPAGER_TESTS_EVICTION_MODEL_LIST_H
#define ZPAGER_TESTS_EVICTION_MODEL_LIST_H

#include <string.h>

#include "eviction_model.h"

static inline uint32_t find(const struct ev_list *l, uint32_t frame)
{
	uint32_t i = 0;

	while (i < l->len && l->at[i] != frame) {
		i++;
	}
	return i;
}

static inline bool has(const struct ev_list *l, uint32_t frame)
{
	return find(l, frame) < l->len;
}

static inline void drop(struct ev_list *l, uint32_t frame)
{
	uint32_t i = find(l, frame);

	if (i < l->len) {
		l->len--;
		memmove(&l->at[i], &l->at[i + 1], (l->len - i) * sizeof(l->at[0]));
	}
}

static inline void append(struct ev_list *l, uint32_t frame)
{
	l->at[l->len++] = frame;
}

static inline void prepend(struct ev_list *l, uint32_t frame)
{
	memmove(&l->at[1], &l->at[0], l->len * sizeof(l->at[0]));
	l->at[0] = frame;
	l->len++;
}

static inline void take_out(struct ev_model *m, uint32_t frame)
{
	drop(&m->a, frame);
	drop(&m->b, frame);
	drop(&m->c, frame);
}

static inline void move_to_tail(struct ev_model *m, struct ev_list *l, uint32_t frame)
{
	take_out(m, frame);
	append(l, frame);
}

static inline uint8_t look(struct ev_model *m, uint32_t frame)
{
	uint8_t bits = m->bits[frame];

	m->looks++;
	m->saved -= 1;
	if (!m->always_hot) {
		m->bits[frame] = bits & Z_INFO_DIRTY;
	}
	return bits;
}

static inline uint32_t smaller(uint32_t x, uint32_t y)
{
	return x < y ? x : y;
}

static inline void earn(struct ev_model *m, double looks)
{
	m->saved = (m->saved > 0 ? m->saved : 0) + looks;
	m->saved = m->saved < 64 ? m->saved : 64;
}

static inline bool is_a_use(enum z_advice advice)
{
	return advice == Z_ADVICE_WILLNEED || advice == Z_ADVICE_NORMAL;
}

static inline void ev_no_accessed(struct ev_model *m, uint32_t frame)
{
	(void)m;
	(void)frame;
}

#endif /* ZPAGER_TESTS_EVICTION_MODEL_LIST_H */
