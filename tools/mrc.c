/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mrc.c - `zpager mrc`: how much memory does this program need?
 *
 * Theory. References as by `zpager trace`, into a miss-ratio curve (pgt_shards.h) instead of a file;
 * the cost of a fault, measured here by a short run of `zpager bench` unless it is given; and the run
 * time with all the memory that the program wants. Sampled, that is the time of the run itself less
 * its faults, which cost what a fault from the store in RAM costs here. Exact, the program first runs
 * as it is and is timed, and then a second time under valgrind, unheard, with the same input.
 *
 * Locks: none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "mrc.h"
#include "record.h"

#define SAMPLES_DEFAULT 16384U
#define SAMPLES_MAX     (1U << 26)
#define PERIOD_DEFAULT  3000U /* microseconds */
#define PERIOD_MAX      60000000U
#define ONE_IN          16U /* pages are followed, sampled */
#define PROBE_REGION    ((uint64_t)32 << 20)
#define PROBE_S         0.2
#define STORE_DEFAULT   "tier:lz4:,file:"
#define TEXT_BYTES      256
#define TIME_LEAST      1e-3

struct options {
	bool exact, json;
	const char *svg, *output, *store, *period, *ram, *samples, *seconds, *fault_us;
	uint32_t sample_count, period_us;
	char **command;
};

static int help(void)
{
	(void)puts(
		"usage: zpager mrc [OPTIONS] -- PROGRAM [ARGUMENTS]\n"
		"\n"
		"Runs an unmodified program and prints how much memory it needs to be no more "
		"than\n"
		"1 %, 5 %, 20 % slower than with all it wants, on stderr, after its end.\n"
		"\n"
		"  --svg FILE      the curve as a picture\n"
		"  --json          the report as JSON\n"
		"  -o FILE         the report goes there\n"
		"  --exact         every reference, code and stack too, by valgrind (package\n"
		"                  valgrind). Runs the program twice: as it is, for the time, and\n"
		"                  unheard; only once with --time\n"
		"  --time S        run time with all the memory it wants, in seconds\n"
		"  --fault-us US   what a fault costs, in microseconds (default: measured here)\n"
		"  --store URI     for measuring that (default " STORE_DEFAULT ")\n"
		"  --samples N     pages that are followed at most (default 16384); as long as it\n"
		"                  touches no more the curve is exact for what was seen\n"
		"  --period MS, --ram SIZE   as for zpager trace\n"
		"\n"
		"Ends with the program's status or signal. docs/TRACING.md tells what the figures\n"
		"rest on.");
	return 0;
}

/* -1: go on; else the exit status. */
static int read_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{"exact", no_argument, NULL, 'x'},       {"json", no_argument, NULL, 'j'},
		{"svg", required_argument, NULL, 'v'},   {"output", required_argument, NULL, 'o'},
		{"store", required_argument, NULL, 's'}, {"period", required_argument, NULL, 'p'},
		{"ram", required_argument, NULL, 'r'},   {"samples", required_argument, NULL, 'n'},
		{"time", required_argument, NULL, 't'},  {"fault-us", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
	};
	const char **values[] = {
		['v'] = &options->svg,     ['o'] = &options->output,   ['s'] = &options->store,
		['p'] = &options->period,  ['r'] = &options->ram,      ['n'] = &options->samples,
		['t'] = &options->seconds, ['f'] = &options->fault_us,
	};
	int key;

	opterr = 0;
	while ((key = getopt_long(argc, argv, "+:o:h", known, NULL)) != -1) {
		switch (key) {
		case 'h':
			return help();
		case ':':
			return cmd_fail(EXIT_USAGE, "mrc: %s needs a value", argv[optind - 1]);
		case '?':
			return cmd_fail(EXIT_USAGE, "mrc: unknown option %s; see zpager mrc --help",
					argv[optind - 1]);
		case 'x':
			options->exact = true;
			break;
		case 'j':
			options->json = true;
			break;
		default:
			*values[key] = optarg;
		}
	}
	options->command = argv + optind;
	return -1;
}

/* A positive number, or 0 if there is no text. */
static bool read_number(const char *text, double *out)
{
	char *end;

	*out = 0;
	if (text == NULL) {
		return true;
	}
	*out = strtod(text, &end);
	return *end == '\0' && *out > 0 && *out < 1e9;
}

static int check_numbers(struct options *options, struct mrc *m)
{
	uint64_t bytes;

	if (!cmd_number(options->samples, SAMPLES_DEFAULT, SAMPLES_MAX, &options->sample_count)) {
		return cmd_fail(EXIT_USAGE, "--samples %s: not a number of pages",
				options->samples);
	}
	if (!cmd_number(options->period, PERIOD_DEFAULT, PERIOD_MAX, &options->period_us)) {
		return cmd_fail(EXIT_USAGE, "--period %s: not a number of microseconds",
				options->period);
	}
	if (options->ram != NULL && !cmd_size(options->ram, &bytes)) {
		return cmd_fail(EXIT_USAGE, "--ram %s: not a size; write it as 64M or 2G",
				options->ram);
	}
	if (!read_number(options->seconds, &m->seconds)) {
		return cmd_fail(EXIT_USAGE, "--time %s: not a number of seconds", options->seconds);
	}
	if (!read_number(options->fault_us, &m->fault_us)) {
		return cmd_fail(EXIT_USAGE, "--fault-us %s: not a number of microseconds",
				options->fault_us);
	}
	return 0;
}

static int check_options(struct options *options, struct mrc *m)
{
	if (options->command[0] == NULL) {
		return cmd_fail(EXIT_USAGE, "no program; usage: zpager mrc [OPTIONS] -- PROGRAM");
	}
	if (options->svg != NULL && !cmd_can_write(options->svg)) {
		return cmd_fail(EXIT_USAGE, "--svg %s: %s", options->svg, strerror(errno));
	}
	if (options->output != NULL && !cmd_can_write(options->output)) {
		return cmd_fail(EXIT_USAGE, "%s: %s", options->output, strerror(errno));
	}
	if (options->store == NULL) {
		options->store = STORE_DEFAULT;
	}
	return check_numbers(options, m);
}

/* ---- what a fault costs ------------------------------------------------------------------------ */

static int probe(const char *store, double *us_out)
{
	char text[TEXT_BYTES] = "";

	if (bench_fault_cost(store, PROBE_REGION, PROBE_S, us_out, text, sizeof(text)) != 0) {
		return cmd_fail(EXIT_USAGE,
				"the cost of a fault cannot be measured: %s; give it (--fault-us)",
				text);
	}
	return 0;
}

static int find_cost(const struct options *options, struct mrc *m)
{
	if (m->fault_us > 0) {
		m->fault_from = "as given";
		return 0;
	}
	m->fault_from = "measured here at random, page out and page in";
	return probe(options->store, &m->fault_us);
}

/* ---- sampled ----------------------------------------------------------------------------------- */

static uint64_t faults_in(const struct zr_report *report)
{
	return report->slot[0].stats.pagefaults + report->slot[0].stats.soft_faults;
}

/* At least what the program has computed, in a program of many threads all of the time. */
static void estimate_time(struct mrc *m, const struct run_outcome *run, double fault_us)
{
	double wall = (double)run->wall_ns / 1e9;
	double user =
		(double)run->usage.ru_utime.tv_sec + (double)run->usage.ru_utime.tv_usec / 1e6;
	double least = user < wall ? user : wall;

	m->seconds = wall - (double)faults_in(run->report) * fault_us / 1e6;
	m->seconds_from = "of this run, less what its faults cost";
	if (m->seconds < least || m->seconds <= 0) {
		m->seconds = least > TIME_LEAST ? least : TIME_LEAST;
		m->seconds_from = "the processor time of this run; --time says it better";
	}
}

static int run_sampled(const struct options *options, const struct pgt_sink *to, struct mrc *m,
		       int *status_out)
{
	struct sample_options sample = {options->command, options->ram, options->period_us, ONE_IN};
	struct sample_result result;
	double own_us = 0;
	int status = m->seconds > 0 ? 0 : probe("ram:size=64M&own=yes", &own_us);

	if (status == 0) {
		status = sample_run(&sample, to, &result);
	}
	if (status != 0) {
		return status;
	}
	*status_out = result.run.status;
	m->periods = result.periods;
	m->usual_pages = result.usual_pages;
	m->others = atomic_load(&result.run.report->taken);
	m->others -= m->others > 0;
	m->seconds_from = "as given";
	if (m->seconds <= 0) {
		estimate_time(m, &result.run, own_us);
	}
	return 0;
}

/* ---- exact ------------------------------------------------------------------------------------- */

/* Can a second run read what the first one has read? *at_out: from where on. */
static bool input_comes_again(off_t *at_out)
{
	*at_out = lseek(STDIN_FILENO, 0, SEEK_CUR);
	return *at_out >= 0 || isatty(STDIN_FILENO) != 0;
}

static int run_plain(const struct options *options, struct mrc *m, int *status_out)
{
	char path[RUN_PATH_BYTES];
	struct rusage usage;
	uint64_t begin;
	int status = program_find(options->command[0], path);

	if (status != 0) {
		return status;
	}
	begin = cmd_now_ns();
	status = child_run(path, options->command, CHILD_SPEAKS, status_out, &usage);
	m->seconds = (double)(cmd_now_ns() - begin) / 1e9;
	m->seconds_from = "measured, plain";
	return status;
}

static int run_exact(const struct options *options, const struct pgt_sink *to, struct mrc *m,
		     int *status_out)
{
	int second;
	int status;
	off_t at;

	m->seconds_from = "as given";
	if (m->seconds > 0) {
		return exact_run(options->command, CHILD_SPEAKS, to, status_out);
	}
	if (!input_comes_again(&at)) {
		return cmd_fail(EXIT_USAGE,
				"--exact runs the program twice, but its input can be read once "
				"only: give it a file, or the run time (--time)");
	}
	status = run_plain(options, m, status_out);
	if (status != 0) {
		return status;
	}
	if (at >= 0) {
		(void)lseek(STDIN_FILENO, at, SEEK_SET);
	}
	return exact_run(options->command, CHILD_SILENT, to, &second);
}

/* ---- all --------------------------------------------------------------------------------------- */

static int tell(const struct options *options, struct mrc *m)
{
	FILE *file = options->output != NULL ? fopen(options->output, "we") : stderr;
	bool bad;

	if (file == NULL) {
		return cmd_fail(EXIT_USAGE, "%s: %s", options->output, strerror(errno));
	}
	if (options->json) {
		mrc_json(m, file);
	} else {
		mrc_table(m, file);
	}
	bad = ferror(file) != 0;
	if (options->output != NULL && (fclose(file) != 0 || bad)) {
		return cmd_fail(EXIT_USAGE, "%s: cannot be written", options->output);
	}
	return options->svg != NULL ? mrc_picture(m, options->svg) : 0;
}

static int measure(const struct options *options, struct mrc *m, int *status_out)
{
	struct pgt_shards *shards = pgt_shards_open(options->sample_count, m->exact ? 1 : ONE_IN);
	struct pgt_sink to;
	int status;

	if (shards == NULL) {
		return cmd_fail(EXIT_USAGE, "no memory to follow %u pages", options->sample_count);
	}
	m->shards = shards;
	to = pgt_shards_sink(shards);
	status = m->exact ? run_exact(options, &to, m, status_out)
			  : run_sampled(options, &to, m, status_out);
	if (status == 0) {
		pgt_shards_sum(shards, &m->sum);
		status = m->sum.failed ? cmd_fail(EXIT_USAGE, "no memory for the curve")
				       : tell(options, m);
	}
	pgt_shards_free(shards);
	return status;
}

int cmd_mrc(int argc, char **argv)
{
	struct options options = {.command = argv};
	struct mrc m = {0};
	int child_status = 0;
	int status = read_options(argc, argv, &options);

	if (status >= 0) {
		return status;
	}
	m.program = options.command[0];
	m.exact = options.exact;
	status = check_options(&options, &m);
	if (status == 0) {
		status = find_cost(&options, &m);
	}
	if (status == 0) {
		status = measure(&options, &m, &child_status);
	}
	return status != 0 ? status : child_end(child_status);
}
