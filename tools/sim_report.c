/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_report.c - the figures of `zpager sim` as tables and as JSON.
 *
 * Definitions (docs/EVICTION.md): misses include the first references; misses / OPT is the quotient
 * for the same trace and size, its mean over cells is geometric; frames examined and soft faults are
 * a miss, their means over cells arithmetic; wb is write-backs and I/O pages read and written, each
 * divided by OPT's.
 *
 * Locks: none. Limits: none.
 */
#include <math.h>
#include <string.h>

#include "sim.h"

typedef unsigned long long big;

/* A table of more traces than that would be too wide. */
#define COLUMNS_MAX 20

static double per(uint64_t a, uint64_t b)
{
	return b > 0 ? (double)a / (double)b : 0;
}

static double ratio(const struct replay_result *r, const struct replay_result *opt)
{
	return per(r->misses, opt->misses);
}

static double io(const struct replay_result *r, const struct replay_result *opt)
{
	return per(r->read + r->written, opt->read + opt->written);
}

/* With 0 taken for 1: a mean of quotients needs numbers. */
static double written_ratio(const struct replay_result *r, const struct replay_result *opt)
{
	return per(r->written > 0 ? r->written : 1, opt->written > 0 ? opt->written : 1);
}

/* ---- one trace --------------------------------------------------------------------------- */

static void print_cell(const struct sim_plan *plan, const struct sim_trace *t, size_t size,
		       size_t algorithm)
{
	const struct replay_result *r = sim_cell(plan, t, size, algorithm);
	char text[SIM_SIZE_TEXT];
	char where[2 * SIM_SIZE_TEXT] = "";

	if (algorithm == 0) {
		(void)snprintf(where, sizeof(where), "%u%s%s", t->frames[size],
			       plan->sizes[size].percent ? "  " : "",
			       plan->sizes[size].percent ? sim_size_text(&plan->sizes[size], text)
							 : "");
	}
	(void)printf("%-14s %-11s %9llu %8llu %8.3f %9llu %9llu %7.2f %7.2f %5u %8.0f\n", where,
		     plan->algorithms[algorithm].name, (big)r->misses, (big)r->cold,
		     ratio(r, sim_cell(plan, t, size, 0)), (big)r->read, (big)r->written,
		     per(r->soft, r->misses), per(r->examined, r->misses), r->examined_most,
		     r->seconds * 1e3);
}

void sim_print_trace(const struct sim_plan *plan, const struct sim_trace *t)
{
	(void)printf("%s: %u pages, %llu references, %llu million instructions\n", t->name,
		     t->pages, (big)t->nrefs, (big)t->nticks);
	for (size_t i = 0; i < plan->nsizes; i++) {
		if (t->frames[i] < t->k) {
			(void)printf("the trace is reduced: misses are exact from %u frames on, "
				     "%u are fewer\n",
				     t->k, t->frames[i]);
		}
	}
	(void)printf("%-14s %-11s %9s %8s %8s %9s %9s %7s %7s %5s %8s\n", "frames", "algorithm",
		     "misses", "cold", "/ OPT", "read", "written", "soft", "exam", "most", "ms");
	for (size_t size = 0; size < plan->nsizes; size++) {
		for (size_t i = 0; i < plan->nalgorithms; i++) {
			print_cell(plan, t, size, i);
		}
	}
	(void)putchar('\n');
}

/* ---- all traces -------------------------------------------------------------------------- */

struct summary {
	double all, size[SIM_SIZES_MAX]; /* geometric means of misses / OPT */
	double worst;
	size_t worst_trace, worst_size;
	double soft, examined, io, written;
	uint32_t most;
	double refs_per_second;
};

static void add_cell(const struct sim_plan *plan, const struct sim_trace *traces, size_t trace,
		     size_t size, size_t algorithm, struct summary *s)
{
	const struct replay_result *r = sim_cell(plan, &traces[trace], size, algorithm);
	const struct replay_result *opt = sim_cell(plan, &traces[trace], size, 0);

	s->size[size] += log(ratio(r, opt));
	s->io += log(io(r, opt));
	s->written += log(written_ratio(r, opt));
	if (ratio(r, opt) > s->worst) {
		s->worst = ratio(r, opt);
		s->worst_trace = trace;
		s->worst_size = size;
	}
	s->soft += per(r->soft, r->misses);
	s->examined += per(r->examined, r->misses);
	s->most = r->examined_most > s->most ? r->examined_most : s->most;
}

static void sum_up(const struct sim_plan *plan, const struct sim_trace *traces, size_t n,
		   size_t algorithm, struct summary *s)
{
	double cells = (double)(n * plan->nsizes);
	double seconds = 0;
	double refs = 0;

	*s = (struct summary){.all = 0};
	for (size_t size = 0; size < plan->nsizes; size++) {
		for (size_t trace = 0; trace < n; trace++) {
			add_cell(plan, traces, trace, size, algorithm, s);
			seconds += sim_cell(plan, &traces[trace], size, algorithm)->seconds;
			refs += (double)traces[trace].nrefs;
		}
		s->all += s->size[size] / cells;
		s->size[size] = exp(s->size[size] / (double)n);
	}
	s->all = exp(s->all);
	s->io = exp(s->io / cells);
	s->written = exp(s->written / cells);
	s->soft /= cells;
	s->examined /= cells;
	s->refs_per_second = seconds > 0 ? refs / seconds : 0;
}

/* With many sizes, as for a picture, a column for each would be too much. */
static bool has_columns(const struct sim_plan *plan)
{
	return plan->nsizes > 1 && plan->nsizes <= 8;
}

static void print_head(const struct sim_plan *plan, size_t n)
{
	char text[SIM_SIZE_TEXT];

	(void)printf("misses / OPT, geometric mean of %zu traces x %zu sizes\n%-11s %7s", n,
		     plan->nsizes, "algorithm", "all");
	for (size_t size = 0; has_columns(plan) && size < plan->nsizes; size++) {
		(void)printf(" %7s", sim_size_text(&plan->sizes[size], text));
	}
	(void)printf("  %5s %-17s %6s %5s %5s %6s %6s %7s\n", "worst", "cell", "exam", "most",
		     "soft", "wb", "I/O", "Mref/s");
}

/* The smallest misses / OPT of a cell among the modules. */
static double best_ratio(const struct sim_plan *plan, const struct sim_trace *t, size_t size)
{
	double best = 0;

	for (size_t i = 0; i < plan->nalgorithms; i++) {
		double own = ratio(sim_cell(plan, t, size, i), sim_cell(plan, t, size, 0));

		if (plan->algorithms[i].kind == REPLAY_MODULE && (best == 0 || own < best)) {
			best = own;
		}
	}
	return best;
}

/* As if the best module were chosen for each cell: what an adaptive one is held against. */
static void print_best(const struct sim_plan *plan, const struct sim_trace *traces, size_t n)
{
	double mean[SIM_SIZES_MAX] = {0};
	double all = 0;
	size_t modules = 0;

	for (size_t i = 0; i < plan->nalgorithms; i++) {
		modules += plan->algorithms[i].kind == REPLAY_MODULE;
	}
	if (modules < 2) {
		return;
	}
	for (size_t size = 0; size < plan->nsizes; size++) {
		for (size_t trace = 0; trace < n; trace++) {
			mean[size] += log(best_ratio(plan, &traces[trace], size)) / (double)n;
		}
		all += mean[size] / (double)plan->nsizes;
	}
	(void)printf("%-11s %7.3f", "best module", exp(all));
	for (size_t size = 0; has_columns(plan) && size < plan->nsizes; size++) {
		(void)printf(" %7.3f", exp(mean[size]));
	}
	(void)puts("  chosen for each cell");
}

/* The mean over the sizes for each trace: who wins where. */
static void print_by_trace(const struct sim_plan *plan, const struct sim_trace *traces, size_t n)
{
	(void)printf("\nfor each trace\n%-11s", "algorithm");
	for (size_t trace = 0; trace < n; trace++) {
		(void)printf(" %9.9s", traces[trace].name);
	}
	(void)putchar('\n');
	for (size_t i = 0; i < plan->nalgorithms; i++) {
		(void)printf("%-11s", plan->algorithms[i].name);
		for (size_t trace = 0; trace < n; trace++) {
			double mean = 0;

			for (size_t size = 0; size < plan->nsizes; size++) {
				mean += log(ratio(sim_cell(plan, &traces[trace], size, i),
						  sim_cell(plan, &traces[trace], size, 0)));
			}
			(void)printf(" %9.3f", exp(mean / (double)plan->nsizes));
		}
		(void)putchar('\n');
	}
}

void sim_print_summary(const struct sim_plan *plan, const struct sim_trace *traces, size_t n)
{
	struct summary s;
	char text[SIM_SIZE_TEXT];
	char cell[PGT_NAME_BYTES + SIM_SIZE_TEXT];

	print_head(plan, n);
	for (size_t i = 0; i < plan->nalgorithms; i++) {
		sum_up(plan, traces, n, i, &s);
		(void)printf("%-11s %7.3f", plan->algorithms[i].name, s.all);
		for (size_t size = 0; has_columns(plan) && size < plan->nsizes; size++) {
			(void)printf(" %7.3f", s.size[size]);
		}
		(void)snprintf(cell, sizeof(cell), "%s %s", traces[s.worst_trace].name,
			       sim_size_text(&plan->sizes[s.worst_size], text));
		(void)printf("  %5.2f %-17s %6.2f %5u %5.2f %6.3f %6.3f %7.0f\n", s.worst, cell,
			     s.examined, s.most, s.soft, s.written, s.io, s.refs_per_second / 1e6);
	}
	print_best(plan, traces, n);
	if (n > 1 && n <= COLUMNS_MAX) {
		print_by_trace(plan, traces, n);
	}
}

/* ---- JSON -------------------------------------------------------------------------------- */

static void json_text(const char *text)
{
	(void)putchar('"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\') {
			(void)putchar('\\');
		}
		(void)putchar(*text);
	}
	(void)putchar('"');
}

static const char *const kinds[] = {"module", "optimum", "reference"};

static void json_cell(const struct sim_plan *plan, const struct sim_trace *t, size_t size,
		      size_t algorithm)
{
	const struct replay_result *r = sim_cell(plan, t, size, algorithm);

	(void)printf("{\"frames\": %u, \"percent\": %.3f, \"algorithm\": \"%s\", "
		     "\"kind\": \"%s\", \"misses\": %llu, \"cold\": %llu, \"misses_to_opt\": %.6f, "
		     "\"read\": %llu, \"written\": %llu, \"evictions\": %llu, ",
		     t->frames[size], 100 * per(t->frames[size], t->pages),
		     plan->algorithms[algorithm].name, kinds[plan->algorithms[algorithm].kind],
		     (big)r->misses, (big)r->cold, ratio(r, sim_cell(plan, t, size, 0)),
		     (big)r->read, (big)r->written, (big)r->evictions);
	(void)printf("\"soft\": %llu, \"examined\": %llu, \"examined_most\": %u, "
		     "\"seconds\": %.6f}",
		     (big)r->soft, (big)r->examined, r->examined_most, r->seconds);
}

static void json_trace(const struct sim_plan *plan, const struct sim_trace *t)
{
	(void)fputs("{\"name\": ", stdout);
	json_text(t->name);
	(void)printf(", \"pages\": %u, \"references\": %llu, \"million_instructions\": %llu, "
		     "\"exact_from_frames\": %u, \"cells\": [",
		     t->pages, (big)t->nrefs, (big)t->nticks, t->k);
	for (size_t cell = 0; cell < plan->nsizes * plan->nalgorithms; cell++) {
		(void)fputs(cell > 0 ? ",\n  " : "\n  ", stdout);
		json_cell(plan, t, cell / plan->nalgorithms, cell % plan->nalgorithms);
	}
	(void)fputs("]}", stdout);
}

static void json_summary(const struct sim_plan *plan, const struct sim_trace *traces, size_t n,
			 size_t algorithm)
{
	char text[SIM_SIZE_TEXT];
	struct summary s;

	sum_up(plan, traces, n, algorithm, &s);
	(void)printf("{\"algorithm\": \"%s\", \"misses_to_opt\": %.6f, \"by_size\": {",
		     plan->algorithms[algorithm].name, s.all);
	for (size_t size = 0; size < plan->nsizes; size++) {
		(void)printf("%s\"%s\": %.6f", size > 0 ? ", " : "",
			     sim_size_text(&plan->sizes[size], text), s.size[size]);
	}
	(void)printf("}, \"worst\": %.6f, \"worst_trace\": ", s.worst);
	json_text(traces[s.worst_trace].name);
	(void)printf(", \"worst_size\": \"%s\", \"examined_per_miss\": %.6f, "
		     "\"examined_most\": %u, \"soft_per_miss\": %.6f, \"written_to_opt\": %.6f, "
		     "\"io_to_opt\": %.6f, "
		     "\"references_per_second\": %.0f}",
		     sim_size_text(&plan->sizes[s.worst_size], text), s.examined, s.most, s.soft,
		     s.written, s.io, s.refs_per_second);
}

void sim_print_json(const struct sim_plan *plan, const struct sim_trace *traces, size_t n)
{
	(void)printf("{\"access\": \"%s\", \"readaround\": %u, \"together\": %s,\n\"traces\": [",
		     sim_access_names[plan->options.access],
		     plan->options.readaround > 1 ? plan->options.readaround : 1,
		     plan->options.together ? "true" : "false");
	for (size_t i = 0; i < n; i++) {
		(void)fputs(i > 0 ? ",\n" : "\n", stdout);
		json_trace(plan, &traces[i]);
	}
	(void)fputs("],\n\"summary\": [", stdout);
	for (size_t i = 0; i < plan->nalgorithms; i++) {
		(void)fputs(i > 0 ? ",\n" : "\n", stdout);
		json_summary(plan, traces, n, i);
	}
	(void)fputs("]}\n", stdout);
}
