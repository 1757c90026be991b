/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - a trace on its way into a file, and where references come from: the two ways to learn
 * what an unmodified program touches.
 *
 * Locks: none; references come from one thread, the rest is called by the main one before and after.
 */
#ifndef ZPAGER_TOOLS_RECORD_H
#define ZPAGER_TOOLS_RECORD_H

#include "cmd.h"
#include "pgt_sink.h"

struct record;

/*
 * record_open - keep: k of the trace that will be written; 0: a fortieth of the pages, at least 16.
 *   0, or an exit status; said why.
 */
int record_open(uint32_t keep, struct record **out);

/* record_sink - what references are to be put into. */
struct pgt_sink record_sink(struct record *r);

/* What became of it. */
struct record_result {
	uint64_t refs_in, refs, pages, ticks;
	uint32_t k;
};

/*
 * record_close - reduce, squeeze, write, and free.
 *   path: NULL: only free. name: of the program. 0, or an exit status; said why.
 */
int record_close(struct record *r, const char *path, const char *name,
		 struct record_result *result_out);

/* ---- exact.c: valgrind's lackey ---------------------------------------------------------------- */

/*
 * exact_run - run the program under valgrind; its references, all of them, go to the sink, in another
 * thread while this waits.
 *   0, or an exit status; said why. status_out as from wait4().
 */
int exact_run(char **command, enum child_output output, const struct pgt_sink *to, int *status_out);

/* ---- sample.c: soft faults under `zpager run` --------------------------------------------------- */

struct sample_options {
	char **command;
	const char *ram; /* as for --ram of run; NULL: a quarter of the machine's */
	uint32_t period_us;
	uint32_t
		one_in; /* 1: all pages; n: one page in n, always the same, nothing of the others */
};

struct sample_result {
	struct run_outcome run;
	uint64_t sweep_ns;
	uint64_t periods;
	uint64_t usual_pages; /* nine in ten references are from periods that touched no more */
};

/*
 * sample_run - run the program paged; the first touch of each page in each period goes to the sink,
 * in another thread while this waits. A tick is a millisecond of processor time.
 *   0, or an exit status; said why.
 */
int sample_run(const struct sample_options *options, const struct pgt_sink *to,
	       struct sample_result *out);

#endif /* ZPAGER_TOOLS_RECORD_H */
