/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_picture.c - miss-ratio curves as SVG: misses against memory, one panel a trace.
 *
 * The y axis is logarithmic and shows misses a million instructions, or a thousand references if
 * the trace has no ticks. Below OPT, which no algorithm can reach, the panel is filled. Algorithms
 * that only the simulator has are dashed. Text and axes follow the reader's light or dark scheme;
 * the colours of the curves can be read on both.
 *
 * Locks: none. Limits: COLOURS colours, then they come again with another dash.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "cmd.h"
#include "sim.h"
#include "svg.h"

#define WIDTH   860
#define HEIGHT  440 /* of a panel */
#define LEFT    76.0
#define RIGHT   690.0
#define TOP     46.0
#define BOTTOM  386.0
#define COLOURS 10

struct panel {
	FILE *file;
	const struct sim_plan *plan;
	const struct sim_trace *t;
	double x_first, x_last; /* per cent of the footprint */
	double y_first, y_last; /* log10 */
	double unit;            /* misses are divided by that */
};

static const char rules[] = ".opt{stroke:#24292f}\n"
			    ".below{fill:#57606a;fill-opacity:0.14}\n";
static const char dark_rules[] = ".opt{stroke:#e6edf3}\n"
				 ".below{fill:#8b949e;fill-opacity:0.22}\n";

static const char *const colours[COLOURS] = {
	"#2f81f7", "#e5534b", "#2da44e", "#d29922", "#a371f7",
	"#1b9aaa", "#db61a2", "#9a6700", "#6e7781", "#c2571a",
};

static double x_of(const struct panel *p, size_t size)
{
	double percent = 100.0 * p->t->frames[size] / p->t->pages;

	return LEFT + (percent - p->x_first) / (p->x_last - p->x_first) * (RIGHT - LEFT);
}

static double y_at(const struct panel *p, double log_value)
{
	return BOTTOM - (log_value - p->y_first) / (p->y_last - p->y_first) * (BOTTOM - TOP);
}

static double value_of(const struct panel *p, size_t size, size_t algorithm)
{
	return (double)sim_cell(p->plan, p->t, size, algorithm)->misses / p->unit;
}

static void limits(struct panel *p)
{
	double low = INFINITY;
	double high = 0;

	p->x_first = INFINITY;
	p->x_last = 0;
	for (size_t size = 0; size < p->plan->nsizes; size++) {
		double percent = 100.0 * p->t->frames[size] / p->t->pages;

		p->x_first = fmin(p->x_first, percent);
		p->x_last = fmax(p->x_last, percent);
		for (size_t i = 0; i < p->plan->nalgorithms; i++) {
			low = fmin(low, value_of(p, size, i));
			high = fmax(high, value_of(p, size, i));
		}
	}
	p->x_first = floor(p->x_first / 10) * 10;
	p->x_last = fmax(ceil(p->x_last / 10) * 10, p->x_first + 10);
	/* Some air above and below, and never an empty range. */
	p->y_first = log10(low) - 0.06;
	p->y_last = fmax(log10(high) + 0.04, p->y_first + 0.4);
}

static void y_line(const struct panel *p, double value)
{
	double y = y_at(p, log10(value));

	(void)fprintf(p->file, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", LEFT, y, RIGHT);
	(void)fprintf(p->file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.10g</text>\n",
		      LEFT - 8, y + 4.5, value);
}

static void grid(const struct panel *p)
{
	static const double steps[] = {1, 2, 5};

	for (int decade = (int)floor(p->y_first); decade <= (int)p->y_last; decade++) {
		for (size_t i = 0; i < 3; i++) {
			double value = steps[i] * pow(10, decade);

			if (log10(value) >= p->y_first && log10(value) <= p->y_last) {
				y_line(p, value);
			}
		}
	}
	for (double percent = p->x_first; percent <= p->x_last; percent += 10) {
		double x =
			LEFT + (percent - p->x_first) / (p->x_last - p->x_first) * (RIGHT - LEFT);

		(void)fprintf(p->file, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n", x, TOP,
			      BOTTOM);
		(void)fprintf(p->file,
			      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g %%</text>\n",
			      x, BOTTOM + 19, percent);
	}
	(void)fprintf(p->file, "<path class=\"axis\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", LEFT, TOP,
		      BOTTOM, RIGHT);
}

static void labels(const struct panel *p)
{
	(void)fprintf(p->file, "<text class=\"head\" x=\"%.1f\" y=\"28\">", LEFT);
	svg_text(p->file, p->t->name);
	(void)fprintf(p->file, "</text>\n<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
		      (LEFT + RIGHT) / 2, BOTTOM + 42);
	(void)fprintf(p->file, "memory, of the %u pages that the program touches</text>\n",
		      p->t->pages);
	(void)fprintf(p->file,
		      "<text transform=\"translate(20 %.1f) rotate(-90)\" text-anchor=\"middle\">"
		      "misses per %s</text>\n",
		      (TOP + BOTTOM) / 2,
		      p->t->nticks > 0 ? "million instructions" : "thousand references");
}

static void points(const struct panel *p, size_t algorithm)
{
	for (size_t size = 0; size < p->plan->nsizes; size++) {
		(void)fprintf(p->file, "%s%.1f %.1f", size > 0 ? "L" : "M", x_of(p, size),
			      y_at(p, log10(value_of(p, size, algorithm))));
	}
}

static void line_style(FILE *file, const struct sim_plan *plan, size_t algorithm)
{
	bool dashed = plan->algorithms[algorithm].kind != REPLAY_MODULE;

	if (algorithm == 0) {
		(void)fputs("class=\"curve opt\"", file);
		return;
	}
	(void)fprintf(file, "class=\"curve\" stroke=\"%s\"", colours[(algorithm - 1) % COLOURS]);
	if (dashed || algorithm > COLOURS) {
		(void)fprintf(file, " stroke-dasharray=\"%s\"", dashed ? "5 4" : "10 3");
	}
}

/* An optimum of another cost than misses would lie on the floor, or just above. */
static bool is_drawn(const struct sim_plan *plan, size_t algorithm)
{
	return algorithm == 0 || plan->algorithms[algorithm].kind != REPLAY_OPTIMUM;
}

static void curves(const struct panel *p)
{
	(void)fputs("<path class=\"below\" d=\"", p->file);
	points(p, 0);
	(void)fprintf(p->file, "V%.1fH%.1fZ\"/>\n", BOTTOM, x_of(p, 0));
	for (size_t i = p->plan->nalgorithms; i-- > 0;) {
		if (is_drawn(p->plan, i)) {
			(void)fputs("<path ", p->file);
			line_style(p->file, p->plan, i);
			(void)fputs(" d=\"", p->file);
			points(p, i);
			(void)fputs("\"/>\n", p->file);
		}
	}
}

static void legend(const struct panel *p)
{
	double y = TOP + 8;

	for (size_t i = 0; i < p->plan->nalgorithms; i++) {
		if (!is_drawn(p->plan, i)) {
			continue;
		}
		(void)fputs("<path ", p->file);
		line_style(p->file, p->plan, i);
		(void)fprintf(p->file, " d=\"M%.1f %.1fh26\"/>\n", RIGHT + 18, y);
		(void)fprintf(p->file, "<text x=\"%.1f\" y=\"%.1f\">%s%s</text>\n", RIGHT + 52,
			      y + 4.5, p->plan->algorithms[i].name, i == 0 ? ", the floor" : "");
		y += 20;
	}
}

static void draw(FILE *file, const struct sim_plan *plan, const struct sim_trace *t, size_t row)
{
	struct panel p = {.file = file, .plan = plan, .t = t};

	p.unit = t->nticks > 0 ? (double)t->nticks : (double)t->nrefs / 1000;
	limits(&p);
	(void)fprintf(file, "<g transform=\"translate(0 %zu)\">\n", row * HEIGHT);
	grid(&p);
	labels(&p);
	curves(&p);
	legend(&p);
	(void)fputs("</g>\n", file);
}

int sim_picture(const struct sim_plan *plan, const struct sim_trace *traces, size_t n)
{
	FILE *file = fopen(plan->svg, "w");

	if (file == NULL) {
		return cmd_fail(EXIT_USAGE, "--svg %s: %s", plan->svg, strerror(errno));
	}
	svg_begin(file, WIDTH, (int)n * HEIGHT,
		  "Misses against memory, for eviction algorithms and the optimum", rules,
		  dark_rules);
	for (size_t i = 0; i < n; i++) {
		draw(file, plan, &traces[i], i);
	}
	return svg_end(file, plan->svg);
}
