/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.c - `zpager trace`: the page references of an unmodified program, into a file.
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

#include "pgt.h"
#include "record.h"

#define KEEP_MAX   (1U << 24)
#define PERIOD_MAX 60000U
#define DEFAULT_MS 50U

struct options {
	bool exact;
	const char *file, *keep, *period, *ram;
	uint32_t keep_pages, period_ms;
	char **command;
	char default_file[PGT_NAME_BYTES + 16];
	char name[PGT_NAME_BYTES];
};

static int help(void)
{
	(void)puts(
		"usage: zpager trace [OPTIONS] -- PROGRAM [ARGUMENTS]\n"
		"\n"
		"Writes down which pages an unmodified program touches, in which order, for zpager "
		"sim.\n"
		"\n"
		"The heap and the large anonymous mappings are paged, as by zpager run, and put\n"
		"out once a period; the first touches in each period are written down.\n"
		"\n"
		"  --period MS    length of a period (default 50); longer where faults would take\n"
		"                 too much of it\n"
		"  --ram SIZE     what the program may take (default a quarter of the machine's)\n"
		"  --exact        instead: every reference, code and stack too, by valgrind\n"
		"                 (package valgrind); some hundred times slower than without\n"
		"  -o FILE        the trace (default PROGRAM.pgt.zst)\n"
		"  --keep PAGES   leave out only what a memory of so many pages or more cannot\n"
		"                 notice; 1: keep all (default a fortieth of the pages touched)\n"
		"\n"
		"Ends with the program's status or signal, after one line on stderr.\n"
		"docs/TRACING.md tells what is exact and what is sampled.");
	return 0;
}

/* -1: go on; else the exit status. */
static int read_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{"exact", no_argument, NULL, 'x'},
		{"output", required_argument, NULL, 'o'},
		{"period", required_argument, NULL, 'p'},
		{"ram", required_argument, NULL, 'r'},
		{"keep", required_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char **values[] = {['o'] = &options->file,
				 ['k'] = &options->keep,
				 ['p'] = &options->period,
				 ['r'] = &options->ram};
	int key;

	opterr = 0;
	while ((key = getopt_long(argc, argv, "+:o:h", known, NULL)) != -1) {
		if (key == 'h') {
			return help();
		}
		if (key == ':') {
			return cmd_fail(EXIT_USAGE, "trace: %s needs a value", argv[optind - 1]);
		}
		if (key == '?') {
			return cmd_fail(EXIT_USAGE,
					"trace: unknown option %s; see zpager trace --help",
					argv[optind - 1]);
		}
		if (key == 'x') {
			options->exact = true;
		} else {
			*values[key] = optarg;
		}
	}
	options->command = argv + optind;
	return -1;
}

/* The program's name without folders, fit for the header of a trace. */
static void make_name(struct options *options)
{
	const char *slash = strrchr(options->command[0], '/');

	(void)snprintf(options->name, sizeof(options->name), "%s",
		       slash != NULL ? slash + 1 : options->command[0]);
	for (char *at = options->name; *at != '\0'; at++) {
		if ((unsigned char)*at <= ' ') {
			*at = '_';
		}
	}
	if (options->file == NULL) {
		(void)snprintf(options->default_file, sizeof(options->default_file), "%s.pgt.zst",
			       options->name);
		options->file = options->default_file;
	}
}

static int check_options(struct options *options)
{
	uint64_t bytes;

	if (options->command[0] == NULL) {
		return cmd_fail(EXIT_USAGE, "no program; usage: zpager trace [OPTIONS] -- PROGRAM");
	}
	if (!cmd_number(options->keep, 0, KEEP_MAX, &options->keep_pages)) {
		return cmd_fail(EXIT_USAGE, "--keep %s: not a number of pages", options->keep);
	}
	if (!cmd_number(options->period, DEFAULT_MS, PERIOD_MAX, &options->period_ms)) {
		return cmd_fail(EXIT_USAGE, "--period %s: not a number of milliseconds",
				options->period);
	}
	if (options->ram != NULL && !cmd_size(options->ram, &bytes)) {
		return cmd_fail(EXIT_USAGE, "--ram %s: not a size; write it as 64M or 2G",
				options->ram);
	}
	make_name(options);
	if (!cmd_can_write(options->file)) {
		return cmd_fail(EXIT_USAGE, "%s: %s", options->file, strerror(errno));
	}
	return 0;
}

static void say(const struct options *options, const struct record_result *result)
{
	(void)fprintf(stderr,
		      "zpager: %s: %llu pages, %llu references kept of %llu, %llu ticks, for "
		      "memories of %u pages and more\n",
		      options->file, (unsigned long long)result->pages,
		      (unsigned long long)result->refs, (unsigned long long)result->refs_in,
		      (unsigned long long)result->ticks, result->k);
}

static int learn(const struct options *options, const struct pgt_sink *to, int *status_out)
{
	struct sample_options sample = {
		.command = options->command,
		.ram = options->ram,
		.period_us = options->period_ms * 1000,
		.one_in = 1,
	};
	struct sample_result result;
	int status;

	if (options->exact) {
		return exact_run(options->command, CHILD_SPEAKS, to, status_out);
	}
	status = sample_run(&sample, to, &result);
	*status_out = result.run.status;
	if (status == 0) {
		(void)fprintf(stderr,
			      "zpager: sampled in %llu periods; nine in ten references are from "
			      "such that touched %llu pages or fewer\n",
			      (unsigned long long)result.periods,
			      (unsigned long long)result.usual_pages);
	}
	return status;
}

int cmd_trace(int argc, char **argv)
{
	struct options options = {.command = argv};
	struct record_result result;
	struct record *record;
	struct pgt_sink to;
	int child_status;
	int status = read_options(argc, argv, &options);

	if (status >= 0) {
		return status;
	}
	status = check_options(&options);
	if (status == 0) {
		status = record_open(options.keep_pages, &record);
	}
	if (status != 0) {
		return status;
	}
	to = record_sink(record);
	status = learn(&options, &to, &child_status);
	if (status != 0) {
		(void)record_close(record, NULL, NULL, NULL);
		return status;
	}
	status = record_close(record, options.file, options.name, &result);
	if (status != 0) {
		return status;
	}
	say(&options, &result);
	return child_end(child_status);
}
