/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eviction_model_more.c - the plain forms of sieve, s3fifo, clockpro and mglru; see eviction_model.h.
 * Locks: none. Limits: EV_MODEL_FRAMES.
 */
#include "eviction_model_list.h"

#include "../../eviction/ghost.h"

enum { LOOKS_MAX = 64, MOVING_MAX = 43 };

static uint32_t limit_of(uint32_t count)
{
	return 2 * count < LOOKS_MAX ? 2 * count : LOOKS_MAX;
}

/* Of those that move what they look at. */
static uint32_t moving_limit(uint32_t count)
{
	return limit_of(count) < MOVING_MAX ? limit_of(count) : MOVING_MAX;
}

static bool is_used(uint8_t bits)
{
	return (bits & Z_INFO_ACCESSED) != 0;
}

static bool is_dirty(uint8_t bits)
{
	return (bits & Z_INFO_DIRTY) != 0;
}

/* Passed over for once: the one added last, and the one that the core did not take. */
static bool passed_over(const struct ev_model *m, uint32_t count, uint32_t frame, uint32_t refused)
{
	if (count < 2) {
		return false;
	}
	if (frame == refused) {
		return true;
	}
	return frame == m->newest && (count > 2 || refused == EV_MODEL_NONE);
}

static void forget(struct ev_model *m, uint32_t frame)
{
	m->newest = m->newest == frame ? EV_MODEL_NONE : m->newest;
	m->last = m->last == frame ? EV_MODEL_NONE : m->last;
	m->advised = m->advised == frame ? EV_MODEL_NONE : m->advised;
}

static void clear_notes(struct ev_model *m, uint32_t frame)
{
	m->mark[frame] = false;
	m->cold[frame] = false;
	m->first[frame] = false;
	m->waited[frame] = false;
}

static uint32_t chosen(struct ev_model *m, uint32_t frame, bool newest_passed)
{
	if (newest_passed || m->newest == frame) {
		m->newest = EV_MODEL_NONE;
	}
	m->last = frame;
	return frame;
}

static void more_refault(struct ev_model *m, uint32_t frame, uint32_t distance)
{
	(void)m;
	(void)frame;
	(void)distance;
}

/* ---- sieve: a in the order of arrival ------------------------------------------------------- */

static uint32_t sieve_next(const struct ev_model *m, uint32_t frame)
{
	uint32_t i = find(&m->a, frame) + 1;

	return i < m->a.len ? m->a.at[i] : EV_MODEL_NONE;
}

static uint32_t sieve_select(struct ev_model *m)
{
	uint32_t limit = limit_of(m->a.len);
	uint32_t refused = m->last;
	uint32_t first = EV_MODEL_NONE;
	bool newest_passed = false;

	if (m->a.len == 0) {
		return EV_MODEL_NONE;
	}
	earn(m, 1.75);
	for (uint32_t i = 0; i < limit; i++) {
		uint32_t frame = m->hand == EV_MODEL_NONE ? m->a.at[0] : m->hand;
		uint8_t bits;
		bool keep;

		m->hand = sieve_next(m, frame);
		if (passed_over(m, m->a.len, frame, refused)) {
			newest_passed = newest_passed || frame == m->newest;
			continue;
		}
		bits = look(m, frame);
		keep = is_used(bits) || m->mark[frame];
		if (!keep && is_dirty(bits) && !m->waited[frame] && !m->cold[frame] &&
		    m->saved >= 1) {
			m->waited[frame] = true;
			keep = true;
		} else {
			clear_notes(m, frame);
		}
		if (!keep) {
			return chosen(m, frame, newest_passed);
		}
		first = first == EV_MODEL_NONE ? frame : first;
	}
	return chosen(m, first, newest_passed);
}

static void sieve_add(struct ev_model *m, uint32_t frame, enum z_add_reason reason)
{
	append(&m->a, frame);
	m->newest = reason == Z_ADD_AHEAD ? m->newest : frame;
}

static void sieve_remove(struct ev_model *m, uint32_t frame, enum z_remove_reason reason)
{
	(void)reason;
	if (m->hand == frame) {
		m->hand = sieve_next(m, frame);
	}
	take_out(m, frame);
	clear_notes(m, frame);
	forget(m, frame);
}

static void sieve_advise(struct ev_model *m, uint32_t frame, enum z_advice advice)
{
	if (advice == Z_ADVICE_COLD) {
		uint32_t at;

		(void)look(m, frame);
		sieve_remove(m, frame, Z_REMOVE_PIN);
		m->cold[frame] = true;
		at = m->hand == EV_MODEL_NONE ? 0 : find(&m->a, m->hand);
		memmove(&m->a.at[at + 1], &m->a.at[at], (m->a.len - at) * sizeof(m->a.at[0]));
		m->a.at[at] = frame;
		m->a.len++;
		m->hand = frame;
	} else if (is_a_use(advice)) {
		clear_notes(m, frame);
		m->mark[frame] = true;
	}
}

/* ---- ghosts ---------------------------------------------------------------------------------- */

/* The bucket alone comes from the hash; pages are compared as such. */
static struct ev_ghost_bucket *bucket_of(struct ev_model *m, uint32_t frame)
{
	void *addr = (void *)(((uintptr_t)m->page[frame] + 1) * Z_PAGE_SIZE);
	uint64_t buckets = m->nframes / 8;

	return buckets == 0 ? NULL : &m->ghosts[(z__ghost_hash(addr) >> 32) * buckets >> 32];
}

static bool ghost_take(struct ev_model *m, uint32_t frame, uint64_t *stamp)
{
	struct ev_ghost_bucket *b = bucket_of(m, frame);

	for (uint32_t i = 0; b != NULL && i < b->len; i++) {
		if (b->at[i].page == m->page[frame]) {
			*stamp = b->at[i].stamp;
			b->len--;
			memmove(&b->at[i], &b->at[i + 1], (b->len - i) * sizeof(b->at[0]));
			return true;
		}
	}
	return false;
}

static void ghost_put(struct ev_model *m, uint32_t frame)
{
	struct ev_ghost_bucket *b = bucket_of(m, frame);
	uint64_t old;

	if (b == NULL) {
		return;
	}
	(void)ghost_take(m, frame, &old);
	b->len = b->len < EV_MODEL_WAYS ? b->len : EV_MODEL_WAYS - 1;
	memmove(&b->at[1], &b->at[0], b->len * sizeof(b->at[0]));
	b->at[0] = (struct ev_ghost){m->page[frame], m->steps};
	b->len++;
}

/* ---- s3fifo and clockpro: a is the small list, b the main one -------------------------------- */

/* Candidates of a list that are not passed over. */
static uint32_t to_look_at(const struct ev_model *m, const struct ev_list *l, uint32_t refused)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->len; i++) {
		n += passed_over(m, m->a.len + m->b.len, l->at[i], refused) ? 0 : 1;
	}
	return n;
}

struct prob_seen {
	uint32_t small; /* the first that went round there */
	uint32_t main;
	uint32_t waits;
	bool small_over;
};

static void see(uint32_t *slot, uint32_t frame)
{
	*slot = *slot == EV_MODEL_NONE ? frame : *slot;
}

static bool prob_in_small(const struct ev_model *m, const struct prob_seen *seen, uint32_t refused,
			  uint32_t share)
{
	uint32_t small = to_look_at(m, &m->a, refused);

	if (small == 0 || to_look_at(m, &m->b, refused) == 0) {
		return small != 0;
	}
	return m->cold[m->a.at[0]] || (small > share && !seen->small_over);
}

/* One look. Is it the victim? */
static bool prob_judge(struct ev_model *m, struct prob_seen *seen, uint32_t frame)
{
	bool in_main = has(&m->b, frame);
	bool second = !in_main && !m->first[frame] && !m->cold[frame];
	uint8_t bits = look(m, frame);

	m->steps += in_main ? 1 : 0;
	if (is_used(bits) && (in_main || second)) {
		see(&seen->main, frame);
		move_to_tail(m, &m->b, frame);
	} else if (is_used(bits)) {
		see(&seen->small, frame);
		clear_notes(m, frame);
		move_to_tail(m, &m->a, frame);
	} else if (second && is_dirty(bits) && m->saved >= 1) {
		see(&seen->small, frame);
		see(&seen->waits, frame);
		m->first[frame] = true;
		move_to_tail(m, &m->a, frame);
	} else {
		return true;
	}
	return false;
}

static uint32_t prob_fallback(const struct prob_seen *seen)
{
	if (seen->waits != EV_MODEL_NONE) {
		return seen->waits;
	}
	return seen->small != EV_MODEL_NONE ? seen->small : seen->main;
}

static void prob_give_back(struct ev_model *m, uint32_t refused)
{
	if (refused != EV_MODEL_NONE) {
		clear_notes(m, refused);
		move_to_tail(m, has(&m->b, refused) ? &m->a : &m->b, refused);
	}
}

static uint32_t prob_select(struct ev_model *m, uint32_t share)
{
	struct prob_seen seen = {EV_MODEL_NONE, EV_MODEL_NONE, EV_MODEL_NONE, false};
	uint32_t limit = moving_limit(m->a.len + m->b.len);
	uint32_t refused = m->last;
	bool newest_passed = false;

	if (limit == 0) {
		return EV_MODEL_NONE;
	}
	prob_give_back(m, refused);
	earn(m, 2.25);
	for (uint32_t i = 0; i < limit; i++) {
		struct ev_list *l = prob_in_small(m, &seen, refused, share) ? &m->a : &m->b;
		uint32_t frame = l->at[0];

		if (passed_over(m, m->a.len + m->b.len, frame, refused)) {
			newest_passed = newest_passed || frame == m->newest;
			move_to_tail(m, l, frame);
			continue;
		}
		if (frame == seen.small && !seen.small_over) {
			seen.small_over = true;
			if (seen.waits != EV_MODEL_NONE) {
				break;
			}
			continue;
		}
		if (frame == seen.small || frame == seen.main) {
			break;
		}
		if (prob_judge(m, &seen, frame)) {
			return chosen(m, frame, newest_passed);
		}
	}
	return chosen(m, prob_fallback(&seen), newest_passed);
}

static void prob_add(struct ev_model *m, uint32_t frame, enum z_add_reason reason, bool known)
{
	known = known && reason == Z_ADD_FAULT;
	append(known ? &m->b : &m->a, frame);
	m->first[frame] = !known;
	m->newest = reason == Z_ADD_AHEAD ? m->newest : frame;
}

static void prob_advise(struct ev_model *m, uint32_t frame, enum z_advice advice)
{
	if (advice == Z_ADVICE_COLD) {
		(void)look(m, frame);
		take_out(m, frame);
		prepend(&m->a, frame);
	} else if (is_a_use(advice)) {
		move_to_tail(m, &m->b, frame);
	} else {
		return;
	}
	forget(m, frame);
	clear_notes(m, frame);
	m->cold[frame] = advice == Z_ADVICE_COLD;
}

static uint32_t s3fifo_select(struct ev_model *m)
{
	return prob_select(m, (m->a.len + m->b.len) / 8);
}

static void s3fifo_add(struct ev_model *m, uint32_t frame, enum z_add_reason reason)
{
	uint64_t stamp;

	prob_add(m, frame, reason, reason != Z_ADD_AHEAD && ghost_take(m, frame, &stamp));
}

static void s3fifo_remove(struct ev_model *m, uint32_t frame, enum z_remove_reason reason)
{
	if (reason == Z_REMOVE_EVICT && has(&m->a, frame)) {
		ghost_put(m, frame);
	}
	take_out(m, frame);
	clear_notes(m, frame);
	forget(m, frame);
}

static uint32_t clockpro_select(struct ev_model *m)
{
	uint32_t most = (m->a.len + m->b.len) / 5;

	return prob_select(m, m->share < most ? m->share : most);
}

static void clockpro_share(struct ev_model *m, int change)
{
	int64_t share = (int64_t)m->share + change;

	share = share < m->nframes / 8 ? m->nframes / 8 : share;
	m->share = share > m->nframes / 5 ? m->nframes / 5 : (uint32_t)share;
}

static void clockpro_add(struct ev_model *m, uint32_t frame, enum z_add_reason reason)
{
	uint64_t stamp = 0;
	bool passed = reason != Z_ADD_AHEAD && ghost_take(m, frame, &stamp) &&
		      m->steps - stamp <= m->b.len / 2;

	if (passed) {
		clockpro_share(m, 2);
	}
	prob_add(m, frame, reason, passed);
}

static void clockpro_remove(struct ev_model *m, uint32_t frame, enum z_remove_reason reason)
{
	bool tested = reason == Z_REMOVE_EVICT && has(&m->a, frame);

	s3fifo_remove(m, frame, reason);
	if (tested) {
		clockpro_share(m, -1);
	}
}

/* ---- mglru: a is the young list, b the middle one, c the old one ------------------------------ */

/* The head of the middle list, or of the young one if that is empty, grows older. */
static void mglru_age(struct ev_model *m, uint32_t frame)
{
	if (has(&m->a, frame)) {
		move_to_tail(m, &m->b, frame);
	} else if (m->saved >= 1 && is_used(look(m, frame))) {
		move_to_tail(m, &m->a, frame);
	} else {
		move_to_tail(m, &m->c, frame);
	}
	if (m->b.len < (m->a.len + m->b.len + m->c.len) / 5 && m->a.len > 0) {
		move_to_tail(m, &m->b, m->a.at[0]);
	}
}

static bool mglru_judge(struct ev_model *m, uint32_t frame)
{
	uint8_t bits = look(m, frame);
	bool was_first = m->first[frame];
	bool advised = m->advised == frame;

	m->advised = advised ? EV_MODEL_NONE : m->advised;
	m->first[frame] = false;
	if (is_used(bits)) {
		move_to_tail(m, was_first ? &m->c : &m->a, frame);
		return false;
	}
	if (is_dirty(bits) && !was_first && !advised && m->saved >= 1) {
		m->first[frame] = true;
		move_to_tail(m, &m->c, frame);
		return false;
	}
	return true;
}

static uint32_t mglru_take(struct ev_model *m, uint32_t frame, bool newest_passed)
{
	m->first[frame] = false;
	m->advised = m->advised == frame ? EV_MODEL_NONE : m->advised;
	move_to_tail(m, &m->a, frame);
	return chosen(m, frame, newest_passed);
}

static uint32_t mglru_select(struct ev_model *m)
{
	uint32_t count = m->a.len + m->b.len + m->c.len;
	uint32_t refused = m->last;
	uint32_t first = EV_MODEL_NONE;
	uint32_t aged = 0;
	bool newest_passed = false;

	if (count == 0) {
		return EV_MODEL_NONE;
	}
	earn(m, 2);
	for (uint32_t i = 0; i < moving_limit(count); i++) {
		bool old = m->c.len > 0 && (m->c.len >= count / 5 || aged >= 4);
		uint32_t frame = old ? m->c.at[0] : m->b.len > 0 ? m->b.at[0] : m->a.at[0];

		if (passed_over(m, count, frame, refused)) {
			newest_passed = newest_passed || frame == m->newest;
			m->first[frame] = false;
			move_to_tail(m, &m->a, frame);
			continue;
		}
		first = first == EV_MODEL_NONE ? frame : first;
		if (!old) {
			aged++;
			mglru_age(m, frame);
		} else if (mglru_judge(m, frame)) {
			return mglru_take(m, frame, newest_passed);
		}
	}
	return mglru_take(m, first, newest_passed);
}

static void mglru_add(struct ev_model *m, uint32_t frame, enum z_add_reason reason)
{
	bool back = m->back == frame && reason == Z_ADD_FAULT;

	m->back = EV_MODEL_NONE;
	append(back ? &m->a : &m->c, frame);
	m->first[frame] = !back;
	m->newest = reason == Z_ADD_AHEAD ? m->newest : frame;
}

static void mglru_refault(struct ev_model *m, uint32_t frame, uint32_t distance)
{
	m->back = distance <= m->nframes / 2 ? frame : m->back;
}

static void mglru_advise(struct ev_model *m, uint32_t frame, enum z_advice advice)
{
	if (advice == Z_ADVICE_COLD) {
		(void)look(m, frame);
		sieve_remove(m, frame, Z_REMOVE_PIN);
		prepend(&m->c, frame);
		m->advised = frame;
	} else if (is_a_use(advice)) {
		sieve_remove(m, frame, Z_REMOVE_PIN);
		append(&m->a, frame);
	}
}

const struct ev_model_ops ev_models_more[EV_MODELS_MORE] = {
	{"sieve", sieve_select, sieve_add, sieve_remove, ev_no_accessed, more_refault,
	 sieve_advise},
	{"s3fifo", s3fifo_select, s3fifo_add, s3fifo_remove, ev_no_accessed, more_refault,
	 prob_advise},
	{"clockpro", clockpro_select, clockpro_add, clockpro_remove, ev_no_accessed, more_refault,
	 prob_advise},
	{"mglru", mglru_select, mglru_add, sieve_remove, ev_no_accessed, mglru_refault,
	 mglru_advise},
};
