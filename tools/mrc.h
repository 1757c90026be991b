/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mrc.h - what `zpager mrc` has found out about a program, and how it is told.
 */
#ifndef ZPAGER_TOOLS_MRC_H
#define ZPAGER_TOOLS_MRC_H

#include <stdio.h>

#include "cmd.h"
#include "pgt_shards.h"

#define MRC_PAGE_BYTES 4096.0

struct mrc {
	const char *program;
	bool exact;
	const struct pgt_shards *shards;
	struct pgt_shards_sum sum;
	double seconds; /* run time with all the memory that it wants */
	const char *seconds_from;
	double fault_us; /* what a fault costs */
	const char *fault_from;
	uint64_t periods;
	uint64_t usual_pages; /* touched in a period: with fewer the curve is too low. 0: exact */
	uint32_t others;      /* processes under it, which were not looked at */
};

/* A figure, and the limits of its error. */
struct mrc_range {
	double middle, low, high;
};

/* mrc_slowdown - of a run with so many page frames: 0.05 is five per cent longer. */
struct mrc_range mrc_slowdown(const struct mrc *m, uint64_t frames);

/* mrc_needs - the fewest page frames, usual_pages at least, with which the slowdown is not more. */
struct mrc_range mrc_needs(const struct mrc *m, double slowdown);

/* The slowdowns of the answer. */
#define MRC_ANSWERS 3
extern const double mrc_answers[MRC_ANSWERS];

/* mrc_table, mrc_json - the report. */
void mrc_table(const struct mrc *m, FILE *file);
void mrc_json(const struct mrc *m, FILE *file);

/* mrc_picture - slowdown against memory as SVG. 0, or an exit status; said why. */
int mrc_picture(const struct mrc *m, const char *path);

#endif /* ZPAGER_TOOLS_MRC_H */
