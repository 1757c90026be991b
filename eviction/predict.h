/* SPDX-License-Identifier: Apache-2.0 */
/*
 * predict.h - how long until a page is used again? Learned from the pages that have been.
 *
 * Theory: a sum of small tables, each indexed by one thing that is known of a page, as branch and
 * reuse predictors of processors are built (D. Jimenez, E. Teran, "Multiperspective Reuse
 * Prediction", MICRO 2017). A cell of a table is a signed number; the sum of a page's cells is the
 * predicted logarithm of the time until its next use. When the use comes, the truth is compared
 * with what the sum says now, and a small part of the difference is added to each cell: least mean
 * squares, the rule of B. Widrow and M. Hoff (1960).
 *
 * What is known of a page (Z__TABLES):
 *   how long ago it was last seen in use, alone and with each of:
 *     the gap between the two uses before that
 *     how long it was out before it came in
 *     whether it is dirty
 *     how often it has been seen in use since it came in
 *     in which 1 MiB it lies
 *   in which 64 KiB it lies
 *
 * Time is counted in pages brought in, with the memory as the unit: Z__TICKS ticks are as many of
 * them as there are candidates. So nothing depends on the size of the memory. A use that is further
 * away than one memory counts as one memory away: whoever gives up such a page loses nothing, as
 * another use of it would have cost a fault anyhow.
 *
 * Before anything is learned the sum grows with the time since the last use, so the page that was
 * not used for longest goes first.
 *
 * Cost: seven additions a prediction, and about a hundred instructions a use that is learned from.
 * Memory: 4.8 KiB in all. Integers only. Locks: pager lock held, see eviction.h.
 * Limits: ages are known modulo 2^16 ticks, 256 times the memory.
 */
#ifndef ZPAGER_EVICTION_PREDICT_H
#define ZPAGER_EVICTION_PREDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "octave.h"

#define Z__TICKS 256U /* a memory's time */

enum {
	Z__AGES = 32,      /* classes of time since the last use: two an octave */
	Z__GAPS = 16,      /* classes of a gap: one an octave */
	Z__USES = 8,       /* uses counted; the last is "or more" */
	Z__PLACES = 512,   /* cells for places in the address space */
	Z__GAP_AHEAD = 14, /* it was brought in ahead of need, and not used yet */
	Z__GAP_NONE = 15,  /* it was used once only */
};

/* The tables, one behind the other. */
enum {
	Z__BY_AGE = 0,
	Z__BY_GAP = Z__BY_AGE + Z__AGES,
	Z__BY_AWAY = Z__BY_GAP + Z__GAPS * Z__AGES,
	Z__BY_DIRTY = Z__BY_AWAY + Z__GAPS * Z__AGES,
	Z__BY_USES = Z__BY_DIRTY + 2 * Z__AGES,
	Z__BY_NEAR = Z__BY_USES + Z__USES * Z__AGES,
	Z__BY_WIDE = Z__BY_NEAR + Z__PLACES,
	Z__CELLS = Z__BY_WIDE + Z__PLACES,
	Z__TABLES = 7,
};

/* Fixed point: this is one octave of time. */
#define Z__OCTAVE 2048

struct z__predictor {
	int16_t cell[Z__CELLS]; /* [P] octaves of a 64th of a memory */
};

/* All that a prediction asks about. Each member below the number of its classes. */
struct z__signs {
	uint16_t near, wide;
	uint8_t age, gap, away, uses;
	bool dirty;
};

/* z__age_class - of a time in ticks: 0 below a 64th of a memory, then two classes an octave. */
static inline uint8_t z__age_class(uint16_t ticks)
{
	uint32_t x = ticks / 4U;
	uint32_t n;

	if (x == 0) {
		return 0;
	}
	n = z__octave(x);
	return (uint8_t)(1 + 2 * n + (n > 0 ? x >> (n - 1) & 1U : 0));
}

/* z__age_middle - a time of that class, in ticks. */
static inline uint16_t z__age_middle(uint8_t class)
{
	uint32_t n = (class - 1U) / 2;

	if (class == 0) {
		return 0;
	}
	return (uint16_t)((UINT32_C(4) << n) + ((UINT32_C(2) << n) * ((class - 1U) % 2)) +
			  (UINT32_C(1) << n));
}

/* z__gap_class - one class an octave, below Z__GAP_AHEAD. */
static inline uint8_t z__gap_class(uint16_t ticks)
{
	uint32_t x = ticks / 4U;
	uint32_t n = x == 0 ? 0 : 1 + z__octave(x);

	return (uint8_t)(n < Z__GAP_AHEAD ? n : Z__GAP_AHEAD - 1);
}

/* z__distance - the logarithm of a time until a use, as the cells add up to it. */
static inline int32_t z__distance(uint16_t ticks)
{
	uint32_t x = ticks + 4U;
	uint32_t n;

	if (x > Z__TICKS) {
		x = Z__TICKS;
	}
	n = z__octave(x);
	return (int32_t)((n - 2) * Z__OCTAVE + ((x * Z__OCTAVE) >> n) - Z__OCTAVE);
}

/* The distance of a page that is not used again as long as anybody remembers it. */
#define Z__NEVER (6 * Z__OCTAVE)

static inline void z__cells(const struct z__signs *s, uint16_t cells_out[Z__TABLES])
{
	cells_out[0] = (uint16_t)(Z__BY_AGE + s->age);
	cells_out[1] = (uint16_t)(Z__BY_GAP + s->gap * Z__AGES + s->age);
	cells_out[2] = (uint16_t)(Z__BY_AWAY + s->away * Z__AGES + s->age);
	cells_out[3] = (uint16_t)(Z__BY_DIRTY + s->dirty * Z__AGES + s->age);
	cells_out[4] = (uint16_t)(Z__BY_USES + s->uses * Z__AGES + s->age);
	cells_out[5] = (uint16_t)(Z__BY_NEAR + s->near);
	cells_out[6] = (uint16_t)(Z__BY_WIDE + ((s->wide ^ (s->age * 67U)) % Z__PLACES));
}

static inline int32_t z__sum(const struct z__predictor *p, const uint16_t cells[Z__TABLES])
{
	int32_t sum = 0;

	for (unsigned int t = 0; t < Z__TABLES; t++) {
		sum += p->cell[cells[t]];
	}
	return sum;
}

/* z__predict - the logarithm of the time until the next use. */
static inline int32_t z__predict(const struct z__predictor *p, const struct z__signs *s)
{
	uint16_t cells[Z__TABLES];

	z__cells(s, cells);
	return z__sum(p, cells);
}

/* z__learn - a page with these signs was used again at that distance. */
static inline void z__learn(struct z__predictor *p, const struct z__signs *s, int32_t distance)
{
	uint16_t cells[Z__TABLES];
	int32_t step;

	z__cells(s, cells);
	step = (distance - z__sum(p, cells)) / 128;
	for (unsigned int t = 0; t < Z__TABLES; t++) {
		int32_t cell = p->cell[cells[t]] + step;

		cell = cell > INT16_MAX ? INT16_MAX : cell < INT16_MIN ? INT16_MIN : cell;
		p->cell[cells[t]] = (int16_t)cell;
	}
}

/* z__predictor_init - the older, the further away; what was read ahead in vain, further still. */
static inline void z__predictor_init(struct z__predictor *p)
{
	for (int age = 0; age < Z__AGES; age++) {
		p->cell[Z__BY_AGE + age] = (int16_t)(3 * Z__OCTAVE + age * Z__OCTAVE / 4);
		p->cell[Z__BY_GAP + Z__GAP_AHEAD * Z__AGES + age] = 3 * Z__OCTAVE;
	}
}

#endif /* ZPAGER_EVICTION_PREDICT_H */
