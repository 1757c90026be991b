/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mrc_picture.c - a miss-ratio curve as SVG: slowdown against memory, with the answers marked.
 *
 * The y axis is logarithmic; the faults are proportional to the slowdown and stand at the right. What
 * the error leaves open is filled; where the curve is too low, for less memory than is touched between
 * two looks, the panel is grey. Colours follow the reader's light or dark scheme.
 *
 * Locks: none. Limits: slowdowns below a tenth of the smallest answer lie on the floor.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "mrc.h"
#include "svg.h"

#define WIDTH   760
#define HEIGHT  440
#define LEFT    76.0
#define RIGHT   660.0
#define TOP     46.0
#define BOTTOM  380.0
#define POINTS  200U
#define STEPS_X 10

struct panel {
	FILE *file;
	const struct mrc *m;
	double pages;
	double y_first, y_last; /* log10 of the slowdown */
	struct mrc_range curve[POINTS];
	uint64_t frames[POINTS];
};

static const char rules[] = ".band{fill:#2f81f7;fill-opacity:0.22}\n"
			    ".curve{stroke:#2f81f7}\n"
			    ".unknown{fill:#57606a;fill-opacity:0.18}\n"
			    ".answer{fill:none;stroke:#e5534b;stroke-dasharray:5 4}\n";

static double x_of(const struct panel *p, double frames)
{
	return LEFT + frames / p->pages * (RIGHT - LEFT);
}

static double y_of(const struct panel *p, double slowdown)
{
	double y = slowdown > 0 ? log10(slowdown) : p->y_first;

	y = fmin(fmax(y, p->y_first), p->y_last);
	return BOTTOM - (y - p->y_first) / (p->y_last - p->y_first) * (BOTTOM - TOP);
}

static double mib(double pages)
{
	return pages * MRC_PAGE_BYTES / (1024.0 * 1024.0);
}

static void compute(struct panel *p)
{
	double highest = mrc_answers[MRC_ANSWERS - 1];

	p->pages = fmax(p->m->sum.pages, 1);
	for (uint32_t i = 0; i < POINTS; i++) {
		p->frames[i] = (uint64_t)ceil(p->pages * (i + 1) / POINTS);
		p->curve[i] = mrc_slowdown(p->m, p->frames[i]);
		highest = fmax(highest, p->curve[i].high);
	}
	p->y_first = log10(mrc_answers[0]) - 1;
	p->y_last = log10(highest) + 0.1;
}

static void grid(const struct panel *p)
{
	double faults = p->m->seconds * 1e6 / p->m->fault_us;

	for (int decade = (int)p->y_first; decade <= (int)floor(p->y_last); decade++) {
		double y = y_of(p, pow(10, decade));

		(void)fprintf(p->file, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", LEFT, y,
			      RIGHT);
		(void)fprintf(p->file,
			      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.4g %%</text>\n",
			      LEFT - 8, y + 4.5, pow(10, decade + 2));
		(void)fprintf(p->file, "<text x=\"%.1f\" y=\"%.1f\">%.0f</text>\n", RIGHT + 8,
			      y + 4.5, pow(10, decade) * faults);
	}
	for (int i = 0; i <= STEPS_X; i++) {
		double x = LEFT + (RIGHT - LEFT) * i / STEPS_X;

		(void)fprintf(p->file, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n", x, TOP,
			      BOTTOM);
		(void)fprintf(p->file,
			      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.3g</text>\n", x,
			      BOTTOM + 19, mib(p->pages * i / STEPS_X));
	}
	(void)fprintf(p->file, "<path class=\"axis\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", LEFT, TOP,
		      BOTTOM, RIGHT);
}

static void labels(const struct panel *p)
{
	(void)fprintf(p->file, "<text class=\"head\" x=\"%.1f\" y=\"28\">", LEFT);
	svg_text(p->file, p->m->program);
	(void)fprintf(p->file, "</text>\n<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
		      (LEFT + RIGHT) / 2, BOTTOM + 42);
	(void)fputs("memory in MiB, up to all that the program touches</text>\n", p->file);
	(void)fprintf(p->file,
		      "<text transform=\"translate(18 %.1f) rotate(-90)\" text-anchor=\"middle\">"
		      "slowdown</text>\n",
		      (TOP + BOTTOM) / 2);
	(void)fprintf(p->file, "<text x=\"%.1f\" y=\"28\">faults</text>\n", RIGHT + 8);
}

static void point(const struct panel *p, uint32_t i, double slowdown, char how)
{
	(void)fprintf(p->file, "%c%.1f %.1f", how, x_of(p, (double)p->frames[i]),
		      y_of(p, slowdown));
}

static void curves(const struct panel *p)
{
	(void)fputs("<path class=\"band\" d=\"", p->file);
	for (uint32_t i = 0; i < POINTS; i++) {
		point(p, i, p->curve[i].high, i > 0 ? 'L' : 'M');
	}
	for (uint32_t i = POINTS; i-- > 0;) {
		point(p, i, p->curve[i].low, 'L');
	}
	(void)fputs("Z\"/>\n<path class=\"curve\" d=\"", p->file);
	for (uint32_t i = 0; i < POINTS; i++) {
		point(p, i, p->curve[i].middle, i > 0 ? 'L' : 'M');
	}
	(void)fputs("\"/>\n", p->file);
	(void)fprintf(p->file,
		      "<rect class=\"unknown\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
		      "height=\"%.1f\"/>\n",
		      LEFT, TOP, x_of(p, fmin((double)p->m->usual_pages, p->pages)) - LEFT,
		      BOTTOM - TOP);
}

static void answers(const struct panel *p)
{
	for (size_t i = 0; i < MRC_ANSWERS; i++) {
		double need = mrc_needs(p->m, mrc_answers[i]).middle;
		double x = x_of(p, fmin(need, p->pages));
		double y = y_of(p, mrc_answers[i]);

		(void)fprintf(p->file, "<path class=\"answer\" d=\"M%.1f %.1fH%.1fV%.1f\"/>\n",
			      LEFT, y, x, BOTTOM);
		(void)fprintf(p->file, "<text x=\"%.1f\" y=\"%.1f\">%.0f %%: %.3g MiB</text>\n",
			      LEFT + 8, y - 5, mrc_answers[i] * 100, mib(need));
	}
}

int mrc_picture(const struct mrc *m, const char *path)
{
	static struct panel p;

	p.m = m;
	p.file = fopen(path, "we");
	if (p.file == NULL) {
		return cmd_fail(EXIT_USAGE, "--svg %s: %s", path, strerror(errno));
	}
	svg_begin(p.file, WIDTH, HEIGHT, "Slowdown against memory", rules, "");
	compute(&p);
	grid(&p);
	labels(&p);
	curves(&p);
	answers(&p);
	return svg_end(p.file, path);
}
