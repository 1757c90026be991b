/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_picture.c - the figures of `zpager bench` as SVG: ns per access, one group of bars a cell.
 *
 * One panel for each kind of contents, number of threads and share of RAM that ran; the axis is
 * logarithmic. A bar that is missing is a peer without a figure. Colours follow the peer.
 *
 * Locks: none.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "cmd.h"
#include "svg.h"

#define WIDTH    900
#define HEIGHT   320 /* of a panel */
#define LEGEND   30
#define LEFT     70.0
#define RIGHT    880.0
#define TOP      44.0
#define BOTTOM   270.0
#define Y_FIRST  1.0 /* log10 of ns */
#define Y_LAST   6.0
#define COLOURS  11
#define PER_LINE 5U
#define COLUMN   160

struct panel {
	FILE *file;
	const struct bench_plan *plan;
	const struct bench_run *first; /* whose contents, threads and share they are */
};

static const char *const colours[COLOURS] = {
	"#2f81f7", "#e5534b", "#1b9aaa", "#2da44e", "#d29922", "#a371f7",
	"#db61a2", "#9a6700", "#57a6ff", "#6e7781", "#c2571a",
};

static const char *colour_of(const struct bench_peer *peer)
{
	return colours[(size_t)(peer - bench_peers) % COLOURS];
}

static double y_of(double ns)
{
	double y = fmin(fmax(log10(fmax(ns, 1)), Y_FIRST), Y_LAST);

	return BOTTOM - (y - Y_FIRST) / (Y_LAST - Y_FIRST) * (BOTTOM - TOP);
}

static bool is_of(const struct panel *p, const struct bench_run *run)
{
	return run->content == p->first->content && run->threads == p->first->threads &&
	       run->share == p->first->share;
}

static uint32_t cells_of(const struct panel *p)
{
	uint32_t cells = 0;

	for (size_t i = 0; i < p->plan->n; i++) {
		cells |= is_of(p, &p->plan->runs[i]) ? p->plan->runs[i].cells : 0;
	}
	return cells;
}

static size_t peers_of(const struct panel *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->plan->n; i++) {
		n += is_of(p, &p->plan->runs[i]);
	}
	return n;
}

static void axes(const struct panel *p)
{
	static const char *const units[] = {"10 ns", "100 ns", "1 us", "10 us", "100 us", "1 ms"};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		double y = y_of(pow(10, (double)i + 1));

		(void)fprintf(p->file, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", LEFT, y,
			      RIGHT);
		(void)fprintf(p->file,
			      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
			      LEFT - 8, y + 4.5, units[i]);
	}
	(void)fprintf(p->file, "<path class=\"axis\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", LEFT, TOP,
		      BOTTOM, RIGHT);
	(void)fprintf(p->file,
		      "<text class=\"head\" x=\"%.1f\" y=\"28\">time of an access: contents %s, %u "
		      "thread%s, RAM for 1/%u</text>\n",
		      LEFT, bench_content_names[p->first->content], p->first->threads,
		      p->first->threads > 1 ? "s" : "", p->first->share);
}

static void bars(const struct panel *p, unsigned int cell, double left, double width)
{
	double x = left;

	for (size_t i = 0; i < p->plan->n; i++) {
		const struct bench_run *run = &p->plan->runs[i];
		struct bench_figure f = bench_figure(run, cell, BENCH_NS_PER_ACCESS);

		if (!is_of(p, run)) {
			continue;
		}
		if (f.n > 0) {
			(void)fprintf(p->file,
				      "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
				      "fill=\"%s\"><title>%s: %.0f ns</title></rect>\n",
				      x, y_of(f.median), width * 0.9, BOTTOM - y_of(f.median),
				      colour_of(run->peer), run->peer->name, f.median);
		}
		x += width;
	}
	(void)fprintf(p->file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s %s</text>\n",
		      (left + x) / 2, BOTTOM + 20, bench_pattern_names[cell / BENCH_ACCESSES],
		      bench_access_names[cell % BENCH_ACCESSES]);
}

static void draw(const struct panel *p, int row)
{
	uint32_t cells = cells_of(p);
	double group = (RIGHT - LEFT) / fmax(__builtin_popcount(cells), 1);
	double bar = group * 0.86 / fmax((double)peers_of(p), 1);
	double x = LEFT + group * 0.07;

	(void)fprintf(p->file, "<g transform=\"translate(0 %d)\">\n", row * HEIGHT);
	axes(p);
	for (unsigned int cell = 0; cell < BENCH_CELLS; cell++) {
		if ((cells & 1U << cell) != 0) {
			bars(p, cell, x, bar);
			x += group;
		}
	}
	(void)fputs("</g>\n", p->file);
}

static void legend(FILE *file, int y)
{
	for (size_t i = 0; i < bench_peer_count; i++) {
		int x = (int)LEFT + (int)(i % PER_LINE) * COLUMN;
		int line = y + (int)(i / PER_LINE) * LEGEND;

		(void)fprintf(file,
			      "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"%s\"/>\n"
			      "<text x=\"%d\" y=\"%d\">%s</text>\n",
			      x, line, colours[i % COLOURS], x + 18, line + 11,
			      bench_peers[i].name);
	}
}

/* Is this the first run of its contents, threads and share? */
static bool is_first(const struct bench_plan *plan, size_t number)
{
	const struct panel p = {.plan = plan, .first = &plan->runs[number]};

	for (size_t i = 0; i < number; i++) {
		if (is_of(&p, &plan->runs[i])) {
			return false;
		}
	}
	return true;
}

int bench_write_picture(const struct bench_plan *plan)
{
	FILE *file = fopen(plan->options.svg, "we");
	int panels = 0;
	int row = 0;

	if (file == NULL) {
		return cmd_fail(EXIT_USAGE, "--svg %s: %s", plan->options.svg, strerror(errno));
	}
	for (size_t i = 0; i < plan->n; i++) {
		panels += is_first(plan, i);
	}
	svg_begin(file, WIDTH, panels * HEIGHT + 3 * LEGEND, "Time of an access, by peer", "", "");
	for (size_t i = 0; i < plan->n; i++) {
		const struct panel p = {.file = file, .plan = plan, .first = &plan->runs[i]};

		if (is_first(plan, i)) {
			draw(&p, row++);
		}
	}
	legend(file, panels * HEIGHT);
	return svg_end(file, plan->options.svg);
}
