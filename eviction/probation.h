/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probation.h - what S3-FIFO and CLOCK-Pro have in common on accessed bits: new pages on probation,
 * pages that proved themselves, ghosts of those that were given up while on probation.
 *
 * Theory. Two queues. The small one is where a page begins; if more pages than its share are on it,
 * the victim comes from there, else from the main one, whose hand goes round as that of a clock. So
 * pages that are used once pass through the small queue and never cost the main one a frame.
 *
 * The head of the small queue, by its tag:
 *   FRESH  used: its bit is cleared and it goes round once more as SMALL; the bit may tell of no
 *          more than the touch that filled it. Not used: the victim.
 *   SMALL  used: to the main queue. Not used, dirty: once more round, as FRESH. Not used, clean:
 *          the victim. That is how clean pages are preferred: a dirty one is given up a turn of the
 *          small queue later, which is short, and saves the write if it was only between two uses. It
 *          costs a look, and is done only as long as looks are saved for it (looks.h).
 *   COLD   used: once more round. Not used: the victim, dirty or not, whatever the shares are.
 * The head of the main queue: used, to its tail; else the victim.
 *
 * A page passed over in one select is not its victim while the main queue has another: with few
 * frames its bit was cleared a moment ago and says nothing (HAZARDS B3). The frame added last, if
 * not read ahead, is no victim while there is another candidate, be it touched yet or not.
 *
 * The last victim, if it is still a candidate at the next select, was not taken by the core. It
 * goes to the tail of the other queue, so that all candidates get their turn.
 *
 * Limit of one select: min(2 * candidates, Z__LOOKS_MAX) looks, and no frame twice. If none gave a
 * victim: the first that is not used but dirty, else the first that went round the small queue,
 * else the first of the main one.
 *
 * Cost: O(1) amortised. On probation a page is looked at two times, or three if dirty and looks are
 * saved; every other look finds that a page was used since the one before. No timer.
 *
 * Advice: COLD puts the page at the head of the small queue; WILLNEED and NORMAL at the tail of the
 * main one. SEQUENTIAL and RANDOM do not say which page to give up: ignored.
 *
 * Memory: the user's structure, ghosts, links, in this order. State: 8 bytes a frame, and 4 for
 * ghosts. Locks: pager lock held in all of it, see eviction.h. Limits: those of queue.h.
 */
#ifndef ZPAGER_EVICTION_PROBATION_H
#define ZPAGER_EVICTION_PROBATION_H

#include "ghost.h"
#include "queue.h"

#define Z__PROB_LOOKS (2 * Z__LOOK_COST + 1) /* earned by a select: 2 1/4 */

enum { Z__SMALL_QUEUE, Z__MAIN_QUEUE, Z__PROB_QUEUES };

enum {
	Z__TAG_SMALL,
	Z__TAG_FRESH,
	Z__TAG_COLD,
	Z__TAG_MAIN, /* the only one on the main queue */
};

struct z__prob {
	struct z__cand c;
	struct z__ghosts ghosts;
	uint32_t small_len;  /* [P] candidates on the small queue */
	uint32_t share;      /* [P] above this the victim comes from the small queue */
	uint32_t newest;     /* [P] added last, or none */
	uint32_t last;       /* [P] the last victim, while it is a candidate, or none */
	uint32_t hand_steps; /* [P] looks at the main queue so far */
};

/* What one select has done so far. The first four are frames, or none. */
struct z__prob_turn {
	uint32_t refused; /* the last victim, which the core did not take */
	uint32_t small;   /* the first that went round on the small queue */
	uint32_t main;    /* the first that went round on the main queue */
	uint32_t waits;   /* the first that is not used but dirty */
	bool small_over;  /* every frame of the small queue was looked at */
	bool newest_passed;
	uint32_t small_spared; /* passed over on that queue; fixed during a select */
	uint32_t main_spared;
};

/* z__prob_bytes - ghosts and links. */
static inline size_t z__prob_bytes(uint32_t nframes)
{
	return z__ghost_bytes(nframes) + z__cand_bytes(nframes, Z__PROB_QUEUES);
}

/* z__prob_links - what follows the ghosts. */
static inline struct z__link *z__prob_links(struct z__ghost *memory, uint32_t nframes)
{
	size_t ghosts = z__ghost_bytes(nframes) / sizeof(*memory);

	return (struct z__link *)(void *)(memory + ghosts);
}

/*
 * z__prob_init - no candidates. memory: room for z__prob_bytes(), zeroed.
 *   0 | Z_ERR_INVAL more frames than an index can name.
 */
static inline int z__prob_init(struct z__prob *p, const struct z_eviction_host *host,
			       struct z__ghost *memory)
{
	p->small_len = 0;
	p->share = 0;
	p->newest = Z__NO_INDEX;
	p->last = Z__NO_INDEX;
	p->hand_steps = 0;
	z__ghosts_init(&p->ghosts, memory, host->nframes);
	return z__cand_init(&p->c, host, z__prob_links(memory, host->nframes), Z__PROB_QUEUES);
}

static inline bool z__prob_is_main(const struct z__prob *p, uint32_t i)
{
	return z__tag(&p->c, i) == Z__TAG_MAIN;
}

static inline uint32_t z__prob_head(const struct z__prob *p, uint32_t queue)
{
	return z__after(&p->c, z__queue(&p->c, queue));
}

/* z__prob_place - a candidate goes before `at`, on the queue that the tag says. */
static inline void z__prob_place(struct z__prob *p, uint32_t i, uint32_t at, unsigned int tag)
{
	p->small_len -= z__prob_is_main(p, i) ? 0 : 1;
	p->small_len += tag == Z__TAG_MAIN ? 0 : 1;
	z__move_before(&p->c, i, at, tag);
}

static inline void z__prob_to_tail(struct z__prob *p, uint32_t i, unsigned int tag)
{
	uint32_t queue = tag == Z__TAG_MAIN ? Z__MAIN_QUEUE : Z__SMALL_QUEUE;

	z__prob_place(p, i, z__queue(&p->c, queue), tag);
}

/* z__prob_is_spared - passed over? Of two candidates the one that was refused is. */
static inline bool z__prob_is_spared(const struct z__prob *p, const struct z__prob_turn *t,
				     uint32_t i)
{
	bool both = t->refused != Z__NO_INDEX && t->refused != p->newest;

	return p->c.count > 1 &&
	       (i == t->refused || (i == p->newest && !(both && p->c.count == 2)));
}

/* z__prob_spared - how many of those that are passed over are on the main queue, or the small one. */
static inline uint32_t z__prob_spared(const struct z__prob *p, const struct z__prob_turn *t,
				      bool on_main)
{
	uint32_t n = 0;

	if (z__prob_is_spared(p, t, p->newest) && p->newest != Z__NO_INDEX) {
		n += z__prob_is_main(p, p->newest) == on_main ? 1 : 0;
	}
	if (t->refused != Z__NO_INDEX && t->refused != p->newest && p->c.count > 1) {
		n += z__prob_is_main(p, t->refused) == on_main ? 1 : 0;
	}
	return n;
}

/* z__prob_small_is_due - is the small queue to be looked at, not the main one? */
static inline bool z__prob_small_is_due(const struct z__prob *p, const struct z__prob_turn *t)
{
	uint32_t small = p->small_len - t->small_spared;
	uint32_t main = p->c.count - p->small_len - t->main_spared;

	if (small == 0 || main == 0) {
		return main == 0;
	}
	return z__tag(&p->c, z__prob_head(p, Z__SMALL_QUEUE)) == Z__TAG_COLD ||
	       (small > p->share && !t->small_over);
}

static inline void z__prob_note(uint32_t *slot, uint32_t i)
{
	if (*slot == Z__NO_INDEX) {
		*slot = i;
	}
}

/* z__prob_is_victim - look at the head of a queue, and move it on if it is not the victim. */
static inline bool z__prob_is_victim(struct z__prob *p, struct z__prob_turn *t, uint32_t i)
{
	unsigned int tag = z__tag(&p->c, i);
	unsigned int info = z__look_paid(&p->c, i);
	bool used = (info & Z_INFO_ACCESSED) != 0;
	bool dirty = (info & Z_INFO_DIRTY) != 0;

	p->hand_steps += tag == Z__TAG_MAIN ? 1 : 0;
	if (used && (tag == Z__TAG_MAIN || tag == Z__TAG_SMALL)) {
		z__prob_note(&t->main, i);
		z__prob_to_tail(p, i, Z__TAG_MAIN);
	} else if (used) {
		z__prob_note(&t->small, i);
		z__prob_to_tail(p, i, Z__TAG_SMALL);
	} else if (dirty && tag == Z__TAG_SMALL && z__look_saved(&p->c)) {
		z__prob_note(&t->small, i);
		z__prob_note(&t->waits, i);
		z__prob_to_tail(p, i, Z__TAG_FRESH);
	} else {
		return true;
	}
	return false;
}

/* z__prob_refused - the last victim is still here: to the tail of the other queue. */
static inline void z__prob_refused(struct z__prob *p)
{
	if (p->last != Z__NO_INDEX) {
		z__prob_to_tail(p, p->last,
				z__prob_is_main(p, p->last) ? Z__TAG_SMALL : Z__TAG_MAIN);
		p->last = Z__NO_INDEX;
	}
}

/* z__prob_of_looked_at - no look gave a victim. There is a candidate, and it was looked at. */
static inline uint32_t z__prob_of_looked_at(const struct z__prob_turn *t)
{
	if (t->waits != Z__NO_INDEX) {
		return t->waits;
	}
	return t->small != Z__NO_INDEX ? t->small : t->main;
}

/* z__prob_find - the victim: at least one candidate, and no more looks than this. */
static inline uint32_t z__prob_find(struct z__prob *p, struct z__prob_turn *t, uint32_t limit)
{
	for (uint32_t looks = 0; looks < limit; looks++) {
		bool small = z__prob_small_is_due(p, t);
		uint32_t i = z__prob_head(p, small ? Z__SMALL_QUEUE : Z__MAIN_QUEUE);

		if (z__prob_is_spared(p, t, i)) {
			t->newest_passed = t->newest_passed || i == p->newest;
			z__prob_to_tail(p, i, z__tag(&p->c, i));
		} else if (i == t->small && !t->small_over) {
			t->small_over = true;
			if (t->waits != Z__NO_INDEX) {
				break;
			}
		} else if (i == t->main || i == t->small) {
			break;
		} else if (z__prob_is_victim(p, t, i)) {
			return i;
		}
	}
	return z__prob_of_looked_at(t);
}

static inline struct z_page_frame *z__prob_select(struct z__prob *p)
{
	uint32_t limit = z__looks_moving_limit(&p->c);
	struct z__prob_turn t = {.refused = p->last,
				 .small = Z__NO_INDEX,
				 .main = Z__NO_INDEX,
				 .waits = Z__NO_INDEX};

	if (limit == 0) {
		return NULL;
	}
	p->c.saved = z__looks_earn(p->c.saved, Z__PROB_LOOKS);
	z__prob_refused(p);
	t.small_spared = z__prob_spared(p, &t, false);
	t.main_spared = z__prob_spared(p, &t, true);
	p->last = z__prob_find(p, &t, limit);
	if (t.newest_passed || p->newest == p->last) {
		p->newest = Z__NO_INDEX;
	}
	return z__frame(&p->c, p->last);
}

/*
 * z__prob_add - a new candidate. known: it goes to the main queue.
 *   Returns its number or Z__NO_INDEX.
 */
static inline uint32_t z__prob_add(struct z__prob *p, const struct z_page_frame *pf,
				   enum z_add_reason reason, bool known)
{
	uint32_t queue = known ? Z__MAIN_QUEUE : Z__SMALL_QUEUE;
	uint32_t i =
		z__cand_add(&p->c, pf, z__queue(&p->c, queue), known ? Z__TAG_MAIN : Z__TAG_FRESH);

	if (i != Z__NO_INDEX) {
		p->small_len += known ? 0 : 1;
		p->newest = reason == Z_ADD_AHEAD ? p->newest : i;
	}
	return i;
}

static inline void z__prob_unspare(struct z__prob *p, uint32_t i)
{
	p->newest = p->newest == i ? Z__NO_INDEX : p->newest;
	p->last = p->last == i ? Z__NO_INDEX : p->last;
}

/* z__prob_remove - i: of a candidate, or Z__NO_INDEX. */
static inline void z__prob_remove(struct z__prob *p, uint32_t i)
{
	if (i != Z__NO_INDEX) {
		p->small_len -= z__prob_is_main(p, i) ? 0 : 1;
		z__prob_unspare(p, i);
	}
	z__cand_remove(&p->c, i);
}

static inline void z__prob_advise(struct z__prob *p, const struct z_page_frame *pf,
				  enum z_advice advice)
{
	uint32_t i = z__candidate_index(&p->c, pf);

	if (i == Z__NO_INDEX) {
		return;
	}
	if (advice == Z_ADVICE_COLD) {
		(void)z__look_paid(&p->c, i);
		z__prob_unspare(p, i);
		z__prob_place(p, i, z__prob_head(p, Z__SMALL_QUEUE), Z__TAG_COLD);
	} else if (advice == Z_ADVICE_WILLNEED || advice == Z_ADVICE_NORMAL) {
		z__prob_unspare(p, i);
		z__prob_to_tail(p, i, Z__TAG_MAIN);
	}
}

static inline bool z__prob_noted_is_sound(const struct z__prob *p, uint32_t i)
{
	return i == Z__NO_INDEX || (i < p->c.host.nframes && z__is_candidate(&p->c, i));
}

/* z__prob_check - 0 if the state is sound, else a line. */
static inline int z__prob_check(const struct z__prob *p)
{
	uint32_t small = 0;
	uint32_t main = 0;
	int line = z__cand_check(&p->c);

	if (line == 0) {
		line = z__queue_check(&p->c, z__queue(&p->c, Z__SMALL_QUEUE), 0, 0, &small);
	}
	if (line == 0) {
		line = z__queue_check(&p->c, z__queue(&p->c, Z__MAIN_QUEUE), 3, Z__TAG_MAIN, &main);
	}
	if (line == 0 && (small != p->small_len || small + main != p->c.count)) {
		line = __LINE__;
	}
	if (line == 0 &&
	    !(z__prob_noted_is_sound(p, p->newest) && z__prob_noted_is_sound(p, p->last))) {
		line = __LINE__;
	}
	for (uint32_t i = z__prob_head(p, Z__SMALL_QUEUE); line == 0 && i < p->c.host.nframes;
	     i = z__after(&p->c, i)) {
		line = z__prob_is_main(p, i) ? __LINE__ : 0;
	}
	return line;
}

#endif /* ZPAGER_EVICTION_PROBATION_H */
