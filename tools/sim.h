/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.h - what the files of `zpager sim` share: what was asked for, and the figures.
 *
 * A cell is one algorithm on one trace with one memory size. The first algorithm of a plan is
 * always `opt`, the base of all ratios.
 */
#ifndef ZPAGER_TOOLS_SIM_H
#define ZPAGER_TOOLS_SIM_H

#include <stdio.h>

#include "replay.h"

#define SIM_ALGORITHMS_MAX 32
#define SIM_SIZES_MAX      128
#define SIM_TRACES_MAX     256
#define SIM_SIZE_TEXT      24

struct sim_size {
	double value; /* frames, or per cent of a trace's footprint */
	bool percent;
};

struct sim_plan {
	const char *paths[SIM_TRACES_MAX];
	size_t npaths;
	struct sim_size sizes[SIM_SIZES_MAX];
	size_t nsizes;
	struct replay_algorithm algorithms[SIM_ALGORITHMS_MAX];
	size_t nalgorithms;
	struct replay_options options; /* but for frames */
	unsigned int jobs;
	bool json, summary_only;
	const char *svg; /* NULL: no picture */
};

/* The words for enum replay_access. */
extern const char *const sim_access_names[3];

/* What is known of a trace after its run; the trace itself is closed then. */
struct sim_trace {
	char name[PGT_NAME_BYTES];
	uint32_t pages, k;
	uint64_t nrefs, nticks;
	uint32_t frames[SIM_SIZES_MAX];
	struct replay_result *cells; /* [size * nalgorithms + algorithm] */
};

static inline const struct replay_result *
sim_cell(const struct sim_plan *plan, const struct sim_trace *t, size_t size, size_t algorithm)
{
	return &t->cells[size * plan->nalgorithms + algorithm];
}

/* sim_options - the command line. -1: run the plan; else the exit status. */
int sim_options(int argc, char **argv, struct sim_plan *plan);

/* sim_size_text - "25%" or "1000" into a buffer of the caller; returns it. */
const char *sim_size_text(const struct sim_size *size, char text[SIM_SIZE_TEXT]);

/* sim_print_trace - the table of one trace. sim_print_summary - geometric means over all of them. */
void sim_print_trace(const struct sim_plan *plan, const struct sim_trace *t);
void sim_print_summary(const struct sim_plan *plan, const struct sim_trace *traces, size_t n);
void sim_print_json(const struct sim_plan *plan, const struct sim_trace *traces, size_t n);

/* sim_picture - the curves of each trace as SVG into the file. 0, or an exit status; said why. */
int sim_picture(const struct sim_plan *plan, const struct sim_trace *traces, size_t n);

#endif /* ZPAGER_TOOLS_SIM_H */
