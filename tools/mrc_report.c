/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mrc_report.c - from a miss-ratio curve to the memory that a program needs.
 *
 * Theory. A run with m page frames takes the plain run time and, for each miss of LRU that is not the
 * first touch of its page, the cost of one fault: pages that come in for the first time are zeros, or
 * come from the program's file, with any amount of memory. What this leaves out: the algorithm in use
 * is not LRU, faults of several threads overlap, and what does not fit the cache of the processor is
 * slower too.
 *
 * Locks: none.
 */
#include <math.h>

#include "mrc.h"

#define ROWS   20U
#define POINTS 100U

const double mrc_answers[MRC_ANSWERS] = {0.01, 0.05, 0.20};

static double factor_of(const struct mrc *m)
{
	return m->fault_us / 1e6 / m->seconds;
}

struct mrc_range mrc_slowdown(const struct mrc *m, uint64_t frames)
{
	struct pgt_shards_point p;

	pgt_shards_at(m->shards, frames, &p);
	return (struct mrc_range){p.misses * factor_of(m), p.low * factor_of(m),
				  p.high * factor_of(m)};
}

static double part_of(const struct mrc_range *r, int which)
{
	return which < 0 ? r->low : which > 0 ? r->high : r->middle;
}

/* which: -1 by the low curve, 1 by the high one. */
static double needs_by(const struct mrc *m, double slowdown, int which)
{
	uint64_t enough = (uint64_t)m->sum.pages + 1;
	uint64_t less = m->usual_pages > 0 ? m->usual_pages - 1 : 0;

	while (enough > less + 1) {
		uint64_t middle = less + (enough - less) / 2;
		struct mrc_range r = mrc_slowdown(m, middle);

		if (part_of(&r, which) <= slowdown) {
			enough = middle;
		} else {
			less = middle;
		}
	}
	return (double)(enough > less ? enough : less + 1);
}

struct mrc_range mrc_needs(const struct mrc *m, double slowdown)
{
	return (struct mrc_range){needs_by(m, slowdown, 0), needs_by(m, slowdown, -1),
				  needs_by(m, slowdown, 1)};
}

/* ---- text -------------------------------------------------------------------------------------- */

static double mib(double pages)
{
	return pages * MRC_PAGE_BYTES / (1024.0 * 1024.0);
}

static void print_head(const struct mrc *m, FILE *file)
{
	(void)fprintf(file, "\n%s touches %.1f MiB (%.0f pages)%s\n", m->program, mib(m->sum.pages),
		      m->sum.pages,
		      m->exact ? ", code and stack included" : " of heap and large mappings");
	for (size_t i = 0; i < MRC_ANSWERS; i++) {
		struct mrc_range r = mrc_needs(m, mrc_answers[i]);

		(void)fprintf(file, "  for %2.0f %% slowdown it needs %s%8.1f MiB",
			      mrc_answers[i] * 100,
			      r.middle <= (double)m->usual_pages ? "at most " : "        ",
			      mib(r.middle));
		if (r.low < r.high) {
			(void)fprintf(file, "   (%.1f to %.1f)", mib(r.low), mib(r.high));
		}
		(void)fputc('\n', file);
	}
}

static void print_basis(const struct mrc *m, FILE *file)
{
	(void)fprintf(file, "run time %.2f s, %s\na fault costs %.1f us, %s\n", m->seconds,
		      m->seconds_from, m->fault_us, m->fault_from);
	(void)fprintf(file, "%llu references, %s", (unsigned long long)m->sum.refs,
		      m->exact ? "all of them" : "the first touches of each page in");
	if (!m->exact) {
		(void)fprintf(file,
			      " %llu periods\nmost periods touched %.1f MiB or less: with less "
			      "memory than that there are more faults than here (>)",
			      (unsigned long long)m->periods, mib((double)m->usual_pages));
	}
	if (m->sum.rate < 1.0) {
		(void)fprintf(file,
			      "\nof the pages one in %.1f was followed; in brackets what 95 of 100 "
			      "such samples say",
			      1.0 / m->sum.rate);
	}
	(void)fputs("\nfaults are those of LRU; first touches are not among them\n", file);
	if (m->others > 0) {
		(void)fprintf(file, "%u programs that it started are not in these figures\n",
			      m->others);
	}
}

void mrc_table(const struct mrc *m, FILE *file)
{
	print_head(m, file);
	(void)fputs("\n      memory               faults     slowdown\n", file);
	for (uint32_t row = 1; row <= ROWS; row++) {
		uint64_t frames = (uint64_t)(m->sum.pages * row / ROWS);
		struct pgt_shards_point p;

		if (frames == 0) {
			continue;
		}
		pgt_shards_at(m->shards, frames, &p);
		(void)fprintf(file, "%8.1f MiB %3u %%  %c %12.0f %10.1f %%", mib((double)frames),
			      row * 100 / ROWS, frames < m->usual_pages ? '>' : ' ', p.misses,
			      p.misses * factor_of(m) * 100);
		if (p.low < p.high) {
			(void)fprintf(file, "   (%.1f to %.1f)", p.low * factor_of(m) * 100,
				      p.high * factor_of(m) * 100);
		}
		(void)fputc('\n', file);
	}
	print_basis(m, file);
}

/* ---- JSON -------------------------------------------------------------------------------------- */

void mrc_json(const struct mrc *m, FILE *file)
{
	(void)fputs("{\"program\": ", file);
	cmd_json_text(file, m->program);
	(void)fprintf(file,
		      ", \"exact\": %s, \"pages\": %.0f, \"references\": %llu, \"rate\": %.6g,\n"
		      " \"period_bytes\": %.0f, \"seconds\": %.6g, \"fault_us\": %.6g,\n"
		      " \"needs\": [",
		      m->exact ? "true" : "false", m->sum.pages, (unsigned long long)m->sum.refs,
		      m->sum.rate, (double)m->usual_pages * MRC_PAGE_BYTES, m->seconds,
		      m->fault_us);
	for (size_t i = 0; i < MRC_ANSWERS; i++) {
		struct mrc_range r = mrc_needs(m, mrc_answers[i]);

		(void)fprintf(file,
			      "%s\n  {\"slowdown\": %g, \"bytes\": %.0f, \"low\": %.0f, "
			      "\"high\": %.0f}",
			      i > 0 ? "," : "", mrc_answers[i], r.middle * MRC_PAGE_BYTES,
			      r.low * MRC_PAGE_BYTES, r.high * MRC_PAGE_BYTES);
	}
	(void)fputs("],\n \"curve\": [", file);
	for (uint32_t i = 1; i <= POINTS; i++) {
		uint64_t frames = (uint64_t)ceil(m->sum.pages * i / POINTS);
		struct pgt_shards_point p;

		pgt_shards_at(m->shards, frames > 0 ? frames : 1, &p);
		(void)fprintf(file,
			      "%s\n  {\"bytes\": %.0f, \"faults\": %.0f, \"low\": %.0f, "
			      "\"high\": %.0f, \"slowdown\": %.6g}",
			      i > 1 ? "," : "", (double)frames * MRC_PAGE_BYTES, p.misses, p.low,
			      p.high, p.misses * factor_of(m));
	}
	(void)fputs("]}\n", file);
}
