/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_options.c - the command line of `zpager sim`.
 *
 * Lists are separated by commas and may be given in several options of one kind. Sizes are frames,
 * per cent of a trace's footprint, or a range FIRST:LAST:STEP of either.
 *
 * Locks: none. Limits: those of sim.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "sim.h"

#define FRAMES_MAX 4e9

const char *const sim_access_names[3] = {
	[REPLAY_BITS] = "bits", [REPLAY_SOFT] = "soft", [REPLAY_NONE] = "none"};

static const char usage[] =
	"usage: zpager sim --trace FILE[,FILE...] [OPTIONS]\n\n"
	"Runs eviction algorithms over traces of page references (zpager trace records them), on\n"
	"an MMU that shows accessed and dirty bits, and compares them with the optimum.\n\n"
	"  --trace FILE,...      traces, format PGT2, plain or zstd\n"
	"  --frames SIZE,...     memory: 1000 (frames), 25% (of the pages that the trace "
	"touches),\n"
	"                        5%:95%:5% (from, to, step); default 10%,25%,50%,75%,\n"
	"                        with --svg 5%:100%:5%\n"
	"  --eviction NAME,...   algorithms, or all (default)\n"
	"  --access HOW          bits (default): the MMU sets the accessed bit; soft: a page "
	"whose\n"
	"                        bit was cleared traps at the next touch, and the algorithm is "
	"told;\n"
	"                        none: only the first write to a page that was read in is told, "
	"as\n"
	"                        in a Linux process\n"
	"  --readaround N        a miss brings in the aligned block of N pages\n"
	"  --together            of the block only pages that left when the missing one did, or "
	"that\n"
	"                        were never in, like it\n"
	"  --json                all figures as JSON\n"
	"  --svg FILE            misses against memory as a picture\n"
	"  --summary             only the means over all traces\n"
	"  --jobs N              threads; default: one a processor\n\n"
	"algorithms:\n";

static int help(void)
{
	static const char *const where[] = {"", " [simulator only]", " [simulator only]"};
	struct replay_algorithm a;

	(void)fputs(usage, stdout);
	for (size_t i = 0; replay_at(i, &a); i++) {
		(void)printf("  %-10s %s%s\n", a.name, a.summary, where[a.kind]);
	}
	return 0;
}

/* ---- lists ------------------------------------------------------------------------------- */

/* For each item of a list; item is changed. 0, or an exit status. */
static int each(char *list, struct sim_plan *plan, int (*take)(struct sim_plan *, char *))
{
	char *rest = list;
	int status = 0;

	while (rest != NULL && status == 0) {
		status = take(plan, strsep(&rest, ","));
	}
	return status;
}

static int take_trace(struct sim_plan *plan, char *path)
{
	if (plan->npaths == SIM_TRACES_MAX || path[0] == '\0') {
		return cmd_fail(EXIT_USAGE, "--trace wants file names, at most %d", SIM_TRACES_MAX);
	}
	plan->paths[plan->npaths++] = path;
	return 0;
}

static bool has(const struct sim_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->nalgorithms; i++) {
		if (strcmp(plan->algorithms[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static int take_algorithm(struct sim_plan *plan, char *name)
{
	bool all = strcmp(name, "all") == 0;
	struct replay_algorithm a;
	bool found = false;

	for (size_t i = 0; replay_at(i, &a); i++) {
		if (!all && strcmp(a.name, name) != 0) {
			continue;
		}
		found = true;
		if (!has(plan, a.name) && plan->nalgorithms < SIM_ALGORITHMS_MAX) {
			plan->algorithms[plan->nalgorithms++] = a;
		}
	}
	if (!found) {
		return cmd_fail(EXIT_USAGE,
				"--eviction %s: there is no such algorithm; zpager sim --help "
				"lists them",
				name);
	}
	return 0;
}

/* ---- sizes ------------------------------------------------------------------------------- */

static bool read_size(const char *text, struct sim_size *out)
{
	char *end;

	if (text[0] < '0' || text[0] > '9') {
		return false;
	}
	out->value = strtod(text, &end);
	out->percent = *end == '%';
	end += out->percent ? 1 : 0;
	return *end == '\0' && out->value > 0 && out->value <= (out->percent ? 1000 : FRAMES_MAX);
}

static bool add_size(struct sim_plan *plan, struct sim_size size)
{
	if (plan->nsizes == SIM_SIZES_MAX) {
		return false;
	}
	plan->sizes[plan->nsizes++] = size;
	return true;
}

static int take_size(struct sim_plan *plan, char *text)
{
	char *rest = text;
	const char *part[4] = {NULL};
	struct sim_size first, last, step;
	bool good;
	size_t n = 0;

	while (rest != NULL && n < 4) {
		part[n++] = strsep(&rest, ":");
	}
	good = read_size(part[0], &first);
	if (n == 1) {
		good = good && add_size(plan, first);
	} else {
		good = good && n == 3 && read_size(part[1], &last) && read_size(part[2], &step) &&
		       first.percent == last.percent && last.percent == step.percent;
		/* A little more than the last, for steps that are no binary fractions. */
		for (int i = 0; good && first.value + i * step.value <= last.value + 1e-6; i++) {
			good = add_size(plan, (struct sim_size){first.value + i * step.value,
								first.percent});
		}
	}
	if (!good) {
		return cmd_fail(EXIT_USAGE,
				"--frames %s: not a number of frames, a percentage or a range "
				"FIRST:LAST:STEP of at most %d sizes",
				part[0], SIM_SIZES_MAX);
	}
	return 0;
}

const char *sim_size_text(const struct sim_size *size, char text[SIM_SIZE_TEXT])
{
	(void)snprintf(text, SIM_SIZE_TEXT, "%.10g%s", size->value, size->percent ? "%" : "");
	return text;
}

/* ---- all --------------------------------------------------------------------------------- */

static int number(const char *option, const char *text, uint32_t most, uint32_t *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || value == 0 || value > most) {
		return cmd_fail(EXIT_USAGE, "--%s %s: not a number from 1 to %u", option, text,
				most);
	}
	*out = (uint32_t)value;
	return 0;
}

static int take_access(struct sim_plan *plan, const char *text)
{
	for (size_t i = 0; i < sizeof(sim_access_names) / sizeof(sim_access_names[0]); i++) {
		if (strcmp(text, sim_access_names[i]) == 0) {
			plan->options.access = (enum replay_access)i;
			return 0;
		}
	}
	return cmd_fail(EXIT_USAGE, "--access %s: not bits, soft or none", text);
}

/* 0 | an exit status, said why | -1 no such option */
static int take_option(struct sim_plan *plan, int option)
{
	switch (option) {
	case 't':
		return each(optarg, plan, take_trace);
	case 'f':
		return each(optarg, plan, take_size);
	case 'e':
		return each(optarg, plan, take_algorithm);
	case 'a':
		return take_access(plan, optarg);
	case 'r':
		return number("readaround", optarg, 1U << 20, &plan->options.readaround);
	case 'J':
		return number("jobs", optarg, 64, &plan->jobs);
	case 'j':
		plan->json = true;
		return 0;
	case 'T':
		plan->options.together = true;
		return 0;
	case 's':
		plan->summary_only = true;
		return 0;
	case 'v':
		plan->svg = optarg;
		return 0;
	default:
		return -1;
	}
}

/* What was not said. */
static int complete(struct sim_plan *plan)
{
	char sizes[] = "10%,25%,50%,75%";
	char curve[] = "5%:100%:5%";
	char all[] = "all";
	int status = 0;

	if (plan->npaths == 0) {
		return cmd_fail(EXIT_USAGE, "sim wants --trace FILE; zpager sim --help tells more");
	}
	if (plan->nalgorithms == 1) {
		status = take_algorithm(plan, all);
	}
	if (status == 0 && plan->nsizes == 0) {
		status = each(plan->svg != NULL ? curve : sizes, plan, take_size);
	}
	return status;
}

int sim_options(int argc, char **argv, struct sim_plan *plan)
{
	static const struct option known[] = {
		{"trace", required_argument, NULL, 't'},
		{"frames", required_argument, NULL, 'f'},
		{"eviction", required_argument, NULL, 'e'},
		{"access", required_argument, NULL, 'a'},
		{"readaround", required_argument, NULL, 'r'},
		{"together", no_argument, NULL, 'T'},
		{"jobs", required_argument, NULL, 'J'},
		{"svg", required_argument, NULL, 'v'},
		{"json", no_argument, NULL, 'j'},
		{"summary", no_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	char floor[] = "opt";
	int status = take_algorithm(plan, floor);
	int option;

	opterr = 0;
	plan->jobs = processors > 0 && processors < 64 ? (unsigned int)processors : 1;
	while (status == 0 && (option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		if (option == 'h') {
			return help();
		}
		status = take_option(plan, option);
	}
	if (status < 0) {
		return cmd_fail(EXIT_USAGE, "sim: %s: see zpager sim --help", argv[optind - 1]);
	}
	if (status == 0 && optind < argc) {
		status =
			cmd_fail(EXIT_USAGE, "sim takes no argument, and got \"%s\"", argv[optind]);
	}
	if (status == 0) {
		status = complete(plan);
	}
	return status == 0 ? -1 : status;
}
