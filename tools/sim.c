/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.c - `zpager sim`: eviction algorithms and the optimum over traces of page references.
 *
 * One trace is in memory at a time. Its cells are independent of one another and are run by as many
 * threads as there are processors; the order in which they end changes no figure.
 *
 * Locks: cells are handed out by an atomic counter. Limits: those of sim.h.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "sim.h"

#define THREADS_MAX 64U

struct work {
	const struct sim_plan *plan;
	const struct pgt *trace;
	const uint32_t *next;
	struct sim_trace *out;
	atomic_size_t taken;
	atomic_int failed;
};

static void run_cell(struct work *w, size_t cell)
{
	const struct sim_plan *plan = w->plan;
	const struct replay_algorithm *a = &plan->algorithms[cell % plan->nalgorithms];
	struct replay_options o = plan->options;
	const char *error;

	o.frames = w->out->frames[cell / plan->nalgorithms];
	if (replay_run(w->trace, w->next, a, &o, &w->out->cells[cell], &error) != 0) {
		atomic_store(&w->failed, cmd_fail(EXIT_USAGE, "%s, %u frames, %s: %s", w->out->name,
						  o.frames, a->name, error));
	}
}

static void *worker(void *argument)
{
	struct work *w = argument;
	size_t cells = w->plan->nsizes * w->plan->nalgorithms;
	size_t cell;

	while ((cell = atomic_fetch_add(&w->taken, 1)) < cells && atomic_load(&w->failed) == 0) {
		run_cell(w, cell);
	}
	return NULL;
}

static int run_cells(struct work *w)
{
	pthread_t threads[THREADS_MAX];
	unsigned int started = 0;

	/* This thread works too; with fewer threads than wished it only takes longer. */
	while (started + 1 < w->plan->jobs && started < THREADS_MAX &&
	       pthread_create(&threads[started], NULL, worker, w) == 0) {
		started++;
	}
	(void)worker(w);
	for (unsigned int i = 0; i < started; i++) {
		(void)pthread_join(threads[i], NULL);
	}
	return atomic_load(&w->failed);
}

static uint32_t frames_of(const struct sim_size *size, uint32_t pages)
{
	double frames = size->percent ? size->value * pages / 100 + 0.5 : size->value;

	return frames < 1 ? 1 : (uint32_t)frames;
}

static void describe(const struct sim_plan *plan, const char *path, const struct pgt *t,
		     struct sim_trace *out)
{
	const char *base = strrchr(path, '/');

	base = base != NULL ? base + 1 : path;
	(void)snprintf(out->name, sizeof(out->name), "%s", t->name[0] != '\0' ? t->name : base);
	out->pages = t->pages.count;
	out->k = t->k;
	out->nrefs = t->nrefs;
	out->nticks = t->nticks;
	for (size_t i = 0; i < plan->nsizes; i++) {
		out->frames[i] = frames_of(&plan->sizes[i], out->pages);
	}
}

static int run_trace(const struct sim_plan *plan, const char *path, struct sim_trace *out)
{
	struct work w = {.plan = plan, .out = out};
	uint32_t *next = NULL;
	struct pgt *t;
	char err[256];
	int status;

	if (pgt_open(path, &t, err, sizeof(err)) != 0) {
		return cmd_fail(EXIT_USAGE, "%s", err);
	}
	out->cells = calloc(plan->nsizes * plan->nalgorithms, sizeof(*out->cells));
	if (t->nrefs > 0) {
		next = replay_next(t);
	}
	if (t->nrefs == 0) {
		status = cmd_fail(EXIT_USAGE, "%s: a trace without references", path);
	} else if (out->cells == NULL || next == NULL) {
		status = cmd_fail(EXIT_USAGE, "%s: out of memory, or too long", path);
	} else {
		describe(plan, path, t, out);
		w.trace = t;
		w.next = next;
		status = run_cells(&w);
	}
	free(next);
	pgt_close(t);
	return status;
}

static int report(const struct sim_plan *plan, const struct sim_trace *traces)
{
	if (plan->json) {
		sim_print_json(plan, traces, plan->npaths);
	} else {
		sim_print_summary(plan, traces, plan->npaths);
	}
	return plan->svg != NULL ? sim_picture(plan, traces, plan->npaths) : 0;
}

int cmd_sim(int argc, char **argv)
{
	static struct sim_plan plan;
	static struct sim_trace traces[SIM_TRACES_MAX];
	int status = sim_options(argc, argv, &plan);

	if (status >= 0) {
		return status;
	}
	status = 0;
	for (size_t i = 0; i < plan.npaths && status == 0; i++) {
		status = run_trace(&plan, plan.paths[i], &traces[i]);
		if (status == 0 && !plan.json && !plan.summary_only) {
			sim_print_trace(&plan, &traces[i]);
			(void)fflush(stdout);
		}
	}
	if (status == 0) {
		status = report(&plan, traces);
	}
	for (size_t i = 0; i < plan.npaths; i++) {
		free(traces[i].cells);
	}
	return status;
}
