/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learned.c - learned reuse: the victim is the page whose next use is predicted to be furthest away.
 *
 * Theory: the best choice is the page that is needed last (L. Belady, "A Study of Replacement
 * Algorithms for a Virtual-Storage Computer", 1966). predict.h learns, from accessed bits and from
 * pages that come back, how long until a page is used again; past.h holds what is known of each.
 * Such a choice among a sample of frames is as old as N. Beckmann, H. Chen, A. Cidon, "LHD" (NSDI
 * 2018); Z. Song et al., "Learning Relaxed Belady" (NSDI 2020) learn the distance, too. Here
 * everything is seen through accessed bits and is small integers.
 *
 * A hand goes round the candidates in the order of the frames. A select looks at the next ones, and
 * at the runners-up of the last select, LOOKS together; this is also how uses are noticed: an accessed
 * bit that was set since the last look. The one with the longest predicted distance is the victim, the
 * one unused for longest among equals; the next best are the runners-up. A dirty page is taken for
 * nearer than it is by DIRTY_COST, an eighth of an octave: over the traces of docs/EVICTION.md that
 * saves 3 of 100 writes for 1 of 1,000 faults.
 *
 * As long as the memory is filling there is no select; then an add looks at FILL frames, so that
 * accessed bits are not all set when the first victim is needed.
 *
 * A page that was used since the last look is no victim as long as another is looked at, whatever has
 * been learned; nor is, at the first look, one that was filled by a touch, which may not have happened again
 * by the time somebody else needs a frame (HAZARDS B3). So all that one instruction needs comes to be in
 * memory at the same time. A page read ahead of need has had no touch, and is taken for far away until
 * one is seen.
 *
 * A victim that is not taken by the core is not the next one if there is another, and goes again only
 * when all others that the select looks at have been victims, too.
 *
 * Limit of one select: LOOKS looks, cold pages included. Cost: about 250 instructions a look and more
 * if it learns, so 20,000 a fault where LOOKS is 64, three microseconds on a computer of today. That is
 * the price: it pays where a page-in takes a hundred microseconds or more. clockpro costs a fortieth of it and has 3.5 %
 * more faults.
 *
 * Advice: COLD pages are victims before all others unless touched first. WILLNEED and NORMAL count
 * as a use. SEQUENTIAL and RANDOM say what will be used, which is learned anyhow: ignored.
 * accessed is not needed: a soft fault also sets what sample() reports. refault is not needed: see
 * past.h.
 *
 * State: 6 bytes a frame and two bits and a little, ghosts 4 bytes a frame, 4.8 KiB of cells. Locks:
 * pager lock, see eviction.h. Limits: those of set.h and predict.h.
 */
#include <zpager/arch.h>
#include <zpager/eviction.h>

#include "looks.h"
#include "past.h"
#include "queue.h"
#include "set.h"

#define LOOKS      (Z__LOOKS_MAX < 64U ? Z__LOOKS_MAX : 64U)
#define RUNNERS_UP (LOOKS / 4U)
#define FILL       (LOOKS / 4U)
#define COLD_LOOKS (LOOKS / 4U)
#define DIRTY_COST (Z__OCTAVE / 8)
#define OLD        (200U * Z__TICKS) /* ticks that an age does not go beyond */

#define NONE       Z__NO_INDEX
#define FRAMES_MAX (UINT32_C(1) << 30)

struct learned {
	struct z_eviction_host host; /* [I] */
	struct z__set in;            /* [P] candidates */
	struct z__set cold;          /* [P] those advised COLD */
	struct z__departeds out;     /* [P] */
	struct z__past *past;        /* [P] by frame */
	uint32_t hand;               /* [P] the frame to look at next */
	uint32_t last;               /* [P] the last victim that may be in its frame yet, or NONE */
	uint32_t newest;             /* [P] filled since the last select, or NONE */
	uint32_t clock;              /* [P] time, in 2^16ths of a tick */
	uint32_t step;               /* [P] what one page brought in is in that */
	uint32_t memory;             /* [P] candidates, as step takes it */
	uint32_t credit;             /* [P] victims taken, less pages brought in since */
	uint32_t random;             /* [P] */
	uint32_t runners_up;         /* [P] how many */
	uint32_t runner_up[RUNNERS_UP];
	int wrong; /* [P] line of the first breach of pairing, 0 if none */
	struct z__predictor predictor;
};

/* One that may be the victim. */
struct choice {
	uint32_t frame;
	int32_t distance;
	uint16_t age;
	unsigned int reluctance; /* sum of reasons not to take it */
};

/* The higher, the weightier. */
enum {
	GIVEN = 1,  /* was a victim, and was not taken */
	USED = 2,   /* used since the last look */
	FRESH = 4,  /* filled by a touch, and not looked at since */
	NEWEST = 8, /* and the last of these, with no select since */
	LAST = 16,  /* was the last victim, and was not taken */
};

/* The best of those that one select has looked at: the victim, then the runners-up. */
struct ranking {
	uint32_t n;
	struct choice best[1 + RUNNERS_UP];
};

static size_t align(size_t bytes)
{
	return (bytes + 7U) & ~(size_t)7U;
}

static size_t past_bytes(uint32_t nframes)
{
	return align(nframes * sizeof(struct z__past));
}

static size_t learned_ghost_bytes(uint32_t nframes)
{
	return z__departed_bytes(nframes);
}

static size_t learned_state_bytes(uint32_t nframes)
{
	return align(sizeof(struct learned)) + z__departed_bytes(nframes) + past_bytes(nframes) +
	       2 * z__set_bytes(nframes);
}

static int learned_init(void *state, const struct z_eviction_host *host)
{
	struct learned *l = state;
	uint32_t n = host->nframes;
	char *room = (char *)state + align(sizeof(*l));

	if (n > FRAMES_MAX) {
		return Z_ERR_INVAL;
	}
	l->host = *host;
	l->out = (struct z__departeds){(struct z__departed *)(void *)room, z__departed_buckets(n)};
	room += z__departed_bytes(n);
	l->past = (struct z__past *)(void *)room;
	room += past_bytes(n);
	z__set_init(&l->in, (uint32_t *)(void *)room, n);
	room += z__set_bytes(n);
	z__set_init(&l->cold, (uint32_t *)(void *)room, n);
	l->last = NONE;
	l->newest = NONE;
	l->random = 1;
	z__predictor_init(&l->predictor);
	return Z_OK;
}

static uint16_t now(const struct learned *l)
{
	return (uint16_t)(l->clock >> 16);
}

/* One of n, evenly: G. Marsaglia, "Xorshift RNGs" (2003). */
static bool one_in(struct learned *l, uint32_t n)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 17;
	l->random ^= l->random << 5;
	return ((uint64_t)l->random * n) >> 32 == 0;
}

static uint32_t candidate_index(const struct learned *l, const struct z_page_frame *pf)
{
	uint32_t i = z__frame_index(&l->host, pf);

	return i != NONE && z__set_has(&l->in, i) ? i : NONE;
}

/* Time since the last known use. It stays within what 16 bits can tell. */
static uint16_t age_of(const struct learned *l, struct z__past *p)
{
	uint16_t age = (uint16_t)(now(l) - p->last);

	if (age > OLD) {
		age = OLD;
		p->last = (uint16_t)(now(l) - OLD);
	}
	return age;
}

/* Sample the bits of a page, learn from a use, and say what is expected of it. */
static struct choice look(struct learned *l, uint32_t i)
{
	struct z_page_frame *pf = &l->host.frames[i];
	struct z__past *p = &l->past[i];
	struct z__place at = z__place_of(pf->addr);
	unsigned int info = l->host.sample(l->host.core, pf, true);
	bool dirty = (info & Z_INFO_DIRTY) != 0;
	struct choice c = {.frame = i};
	struct z__signs s;

	c.age = age_of(l, p);
	if ((info & Z_INFO_ACCESSED) != 0) {
		z__past_used(&l->predictor, p, &at, c.age);
		p->uses = (p->uses + (p->uses < Z__USES - 1U ? 1U : 0U)) & 7U;
		c.age = 0;
	}
	c.reluctance = (info & Z_INFO_ACCESSED) != 0 ? USED : 0;
	c.reluctance += (p->given ? GIVEN : 0U) + (p->fresh ? FRESH : 0U);
	c.reluctance += (i == l->newest ? NEWEST : 0U) + (i == l->last ? LAST : 0U);
	p->fresh = 0;
	p->looks = (uint8_t)(p->looks + (p->looks < UINT8_MAX));
	s = z__signs_of(p, &at, z__age_class(c.age), dirty);
	if (one_in(l, p->looks)) {
		p->age = s.age & 31U;
		p->dirty = dirty;
	}
	c.distance = z__predict(&l->predictor, &s) - (dirty ? DIRTY_COST : 0);
	return c;
}

/* Is a the better victim? */
static bool before(const struct choice *a, const struct choice *b)
{
	if (a->reluctance != b->reluctance) {
		return a->reluctance < b->reluctance;
	}
	return a->distance != b->distance ? a->distance > b->distance : a->age > b->age;
}

static void rank(struct ranking *r, struct choice c)
{
	uint32_t at;

	if (r->n == 1 + RUNNERS_UP) {
		if (!before(&c, &r->best[RUNNERS_UP])) {
			return;
		}
		r->n--;
	}
	for (at = r->n; at > 0 && before(&c, &r->best[at - 1]); at--) {
		r->best[at] = r->best[at - 1];
	}
	r->best[at] = c;
	r->n++;
}

/* The candidate under the hand, which goes on. There is one. */
static uint32_t next(struct learned *l)
{
	uint32_t i = z__set_next(&l->in, l->hand);

	if (i == Z__SET_END) {
		i = z__set_next(&l->in, 0);
	}
	l->hand = i + 1;
	return i;
}

/* A cold page that was not touched since, NONE if none is found. *looks: what is left of the looks. */
static uint32_t coldest(struct learned *l, uint32_t *looks)
{
	uint32_t n = l->cold.count < COLD_LOOKS ? l->cold.count : COLD_LOOKS;

	while (n-- > 0) {
		uint32_t i = z__set_next(&l->cold, 0);

		z__set_remove(&l->cold, i);
		*looks -= 1;
		if ((look(l, i).reluctance & USED) == 0) {
			return i;
		}
		l->past[i].given = 1; /* the second look of this select will not find it used */
	}
	return NONE;
}

/* Look at the runners-up of the last select that are candidates yet. How many there were. */
static uint32_t look_at_runners_up(struct learned *l, struct ranking *r, uint32_t looks)
{
	uint32_t looked = 0;

	for (uint32_t k = 0; k < l->runners_up && looked < looks; k++) {
		if (l->past[l->runner_up[k]].runner_up) {
			rank(r, look(l, l->runner_up[k]));
			looked++;
		}
	}
	return looked;
}

/* Who is best has been found. All have been victims: then each may be one again. */
static void keep_runners_up(struct learned *l, const struct ranking *r)
{
	bool forgive = (r->best[0].reluctance & GIVEN) != 0;

	for (uint32_t k = 0; k < l->runners_up; k++) {
		l->past[l->runner_up[k]].runner_up = 0;
	}
	l->runners_up = r->n - 1;
	for (uint32_t k = 0; k < l->runners_up; k++) {
		uint32_t i = r->best[1 + k].frame;

		l->runner_up[k] = i;
		l->past[i].runner_up = 1;
		l->past[i].given = l->past[i].given && !forgive;
	}
}

/* The victim is given. If it is not taken, others go before it. */
static struct z_page_frame *give(struct learned *l, uint32_t i)
{
	l->past[i].given = 1;
	l->last = i;
	l->newest = NONE;
	return &l->host.frames[i];
}

static struct z_page_frame *learned_select(void *state)
{
	struct learned *l = state;
	struct ranking r = {0};
	uint32_t looks = LOOKS;
	uint32_t looked;
	uint32_t cold;

	if (l->in.count == 0) {
		return NULL;
	}
	cold = coldest(l, &looks);
	if (cold != NONE) {
		return give(l, cold);
	}
	looked = look_at_runners_up(l, &r, looks);
	for (uint32_t steps = 0; steps < l->in.count && looked < looks; steps++) {
		uint32_t i = next(l);

		if (!l->past[i].runner_up) {
			rank(&r, look(l, i));
			looked++;
		}
	}
	keep_runners_up(l, &r);
	return give(l, r.best[0].frame);
}

/* A page has come in: time goes on. */
static void tick(struct learned *l)
{
	uint32_t n = l->in.count;

	if (n > l->memory || n < l->memory - l->memory / 4) {
		l->memory = n;
		l->step = (Z__TICKS << 16) / n;
	}
	l->clock += l->step;
}

/* No victim was needed for this page: look at some that are there already. */
static void look_while_filling(struct learned *l)
{
	uint32_t n = l->in.count < FILL ? l->in.count : FILL;

	if (l->credit > 0) {
		l->credit--;
		return;
	}
	while (n-- > 0) {
		(void)look(l, next(l));
	}
}

/* What is known of a page that comes in. A use is learned from if it was one. */
static struct z__past arrival(struct learned *l, const void *addr, bool used)
{
	struct z__place at = z__place_of(addr);
	struct z__past p;

	if (!z__departed_take(&l->out, &at, &p)) {
		p = (struct z__past){.gap = Z__GAP_NONE};
	} else if (used) {
		uint16_t ticks = (uint16_t)(now(l) - p.last);

		z__past_used(&l->predictor, &p, &at, ticks);
		p.away = (1U + z__gap_class(ticks)) & 15U;
	}
	p.gap = used ? p.gap : Z__GAP_AHEAD;
	return p;
}

static void learned_add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	struct learned *l = state;
	uint32_t i = z__frame_index(&l->host, pf);
	struct z__past *p;

	if (i == NONE || z__set_has(&l->in, i)) {
		l->wrong = l->wrong != 0 ? l->wrong : __LINE__;
		return;
	}
	p = &l->past[i];
	if (reason == Z_ADD_FAULT || reason == Z_ADD_AHEAD) {
		look_while_filling(l);
		*p = arrival(l, pf->addr, reason == Z_ADD_FAULT);
		p->uses = 0;
		p->age = 0;
		p->dirty = 0;
		p->looks = 1;
	}
	z__set_add(&l->in, i);
	tick(l);
	p->last = now(l);
	p->fresh = reason != Z_ADD_AHEAD;
	l->newest = reason != Z_ADD_AHEAD ? i : l->newest;
	p->given = reason == Z_ADD_FAILED;
}

static void learned_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	struct learned *l = state;
	uint32_t i = candidate_index(l, pf);
	struct z__place at;

	if (i == NONE) {
		l->wrong = l->wrong != 0 ? l->wrong : __LINE__;
		return;
	}
	z__set_remove(&l->in, i);
	z__set_remove(&l->cold, i);
	l->past[i].runner_up = 0;
	l->last = l->last == i ? NONE : l->last;
	l->newest = l->newest == i ? NONE : l->newest;
	if (reason == Z_REMOVE_EVICT) {
		at = z__place_of(pf->addr);
		z__departed_put(&l->out, &l->predictor, &at, &l->past[i]);
		l->credit++;
	}
}

static void learned_advise(void *state, struct z_page_frame *pf, enum z_advice advice)
{
	struct learned *l = state;
	uint32_t i = candidate_index(l, pf);

	if (i == NONE) {
		return;
	}
	if (advice == Z_ADVICE_COLD) {
		(void)look(l, i);
		l->past[i].last = (uint16_t)(now(l) - OLD);
		z__set_add(&l->cold, i);
	} else if (advice == Z_ADVICE_WILLNEED || advice == Z_ADVICE_NORMAL) {
		z__set_remove(&l->cold, i);
		l->past[i].last = now(l);
		l->past[i].looks = 0;
		l->past[i].fresh = 1;
	}
}

static int learned_check(void *state)
{
	const struct learned *l = state;

	if (!z__set_is_sound(&l->in) || !z__set_is_sound(&l->cold)) {
		return __LINE__;
	}
	for (uint32_t i = z__set_next(&l->cold, 0); i != Z__SET_END;
	     i = z__set_next(&l->cold, i + 1)) {
		if (!z__set_has(&l->in, i)) {
			return __LINE__;
		}
	}
	if (l->hand > l->host.nframes || l->runners_up > RUNNERS_UP) {
		return __LINE__;
	}
	return l->wrong;
}

const struct z_eviction_ops z_eviction_learned = {
	.name = "learned",
	.summary = "learns when pages are used again: the one that is needed last goes",
	.state_bytes = learned_state_bytes,
	.ghost_bytes = learned_ghost_bytes,
	.init = learned_init,
	.select = learned_select,
	.add = learned_add,
	.remove = learned_remove,
	.advise = learned_advise,
	.check = Z_IF_CHECK(learned_check),
};
