/* SPDX-License-Identifier: Apache-2.0 */
/*
 * svg.c - head, style, text and end of an SVG picture (svg.h).
 *
 * Locks: none.
 */
#include "cmd.h"
#include "svg.h"

static const char style[] = "text{font:13px system-ui,sans-serif;fill:#24292f}\n"
			    ".head{font-weight:600;font-size:15px}\n"
			    ".paper{fill:#ffffff}\n"
			    ".grid{stroke:#d0d7de;stroke-width:1}\n"
			    ".axis{stroke:#57606a;stroke-width:1;fill:none}\n"
			    ".curve{fill:none;stroke-width:2;stroke-linejoin:round}\n";

static const char dark_style[] = "text{fill:#e6edf3}\n"
				 ".paper{fill:#0d1117}\n"
				 ".grid{stroke:#30363d}\n"
				 ".axis{stroke:#8b949e}\n";

void svg_begin(FILE *file, int width, int height, const char *title, const char *rules,
	       const char *dark_rules)
{
	(void)fprintf(file,
		      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
		      "width=\"%d\" height=\"%d\" role=\"img\">\n<title>",
		      width, height, width, height);
	svg_text(file, title);
	(void)fprintf(
		file,
		"</title>\n<style>\n%s%s@media (prefers-color-scheme: dark){\n%s%s}\n</style>\n"
		"<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n",
		style, rules, dark_style, dark_rules);
}

void svg_text(FILE *file, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<':
			(void)fputs("&lt;", file);
			break;
		case '&':
			(void)fputs("&amp;", file);
			break;
		default:
			(void)fputc(*text, file);
		}
	}
}

int svg_end(FILE *file, const char *path)
{
	bool bad;

	(void)fputs("</svg>\n", file);
	bad = ferror(file) != 0;
	if (fclose(file) != 0 || bad) {
		return cmd_fail(EXIT_USAGE, "--svg %s: cannot be written", path);
	}
	return 0;
}
