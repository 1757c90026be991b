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

#define KEEP_MAX (1U << 24)

struct options {
	bool exact;
	const char *file, *keep;
	uint32_t keep_pages;
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
		"  --exact        every reference, code and stack too, by valgrind (package\n"
		"                 valgrind); some hundred times slower than without\n"
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
		{"keep", required_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char **values[] = {['o'] = &options->file, ['k'] = &options->keep};
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
	uint64_t pages = 0;

	if (options->command[0] == NULL) {
		return cmd_fail(EXIT_USAGE, "no program; usage: zpager trace [OPTIONS] -- PROGRAM");
	}
	if (options->keep != NULL &&
	    (!cmd_size(options->keep, &pages) || pages == 0 || pages > KEEP_MAX)) {
		return cmd_fail(EXIT_USAGE, "--keep %s: not a number of pages", options->keep);
	}
	options->keep_pages = (uint32_t)pages;
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

int cmd_trace(int argc, char **argv)
{
	struct options options = {0};
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
	status = exact_run(options.command, &to, &child_status, NULL);
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
