/* SPDX-License-Identifier: Apache-2.0 */
/*
 * svg.h - what the pictures of all subcommands have in common: head, style for the reader's light or
 * dark scheme, and text.
 *
 * Classes: text and .head, .paper, .grid, .axis, .curve. A picture adds rules of its own.
 */
#ifndef ZPAGER_TOOLS_SVG_H
#define ZPAGER_TOOLS_SVG_H

#include <stdio.h>

/*
 * svg_begin - head, title, style and paper. rules, dark_rules: more of the style, the latter for a dark
 * scheme; may be "".
 */
void svg_begin(FILE *file, int width, int height, const char *title, const char *rules,
	       const char *dark_rules);

/* svg_text - a text with what SVG does not take as it is written in its way. */
void svg_text(FILE *file, const char *text);

/* svg_end - the end of the picture; closes. 0, or an exit status; said why: --svg PATH. */
int svg_end(FILE *file, const char *path);

#endif /* ZPAGER_TOOLS_SVG_H */
