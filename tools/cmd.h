/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd.h - what the files of the zpager program share: one function a subcommand, and helpers.
 *
 * Exit statuses: 0; the program's own (run); 2 for whatever the user has to change; 126 for a
 * program that cannot be run, 127 for one that cannot be found.
 */
#ifndef ZPAGER_TOOLS_CMD_H
#define ZPAGER_TOOLS_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>

#include "report.h"

#define EXIT_USAGE     2
#define EXIT_CANNOT    126
#define EXIT_NOT_FOUND 127

int cmd_run(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_sim(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_mrc(int argc, char **argv);

/* cmd_fail - "zpager: ..." on stderr; returns the status. */
int cmd_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* cmd_size - "64M", "2G", "4096": bytes. false: it is none, or too large. */
bool cmd_size(const char *text, uint64_t *bytes_out);

/* cmd_now_ns - a clock that only goes forward. */
uint64_t cmd_now_ns(void);

/* cmd_number - 1 to most; NULL: otherwise. false: it is no such number. */
bool cmd_number(const char *text, uint32_t otherwise, uint32_t most, uint32_t *out);

/* cmd_size_text - bytes as "64.0 MiB" into a buffer of the caller; returns it. */
#define CMD_SIZE_TEXT 24
const char *cmd_size_text(uint64_t bytes, char text[CMD_SIZE_TEXT]);

/* cmd_json_text - a text as JSON has it, quotes included. */
void cmd_json_text(FILE *file, const char *text);

/* cmd_can_write - the file is made if it is not there; false: errno says why not. */
bool cmd_can_write(const char *path);

/* What `zpager run` was told. NULL: not said. */
struct run_options {
	const char *ram, *store, *eviction, *fault_mode, *mechanism, *reclaim, *stats;
	uint64_t ram_bytes;
	char **command;
};

#define RUN_PATH_BYTES 4096

/*
 * program_check - can the library be put into this program?
 *   path_out: RUN_PATH_BYTES, the file that will be executed. 0, or the exit status; said why.
 */
int program_check(const char *name, char *path_out);

/* program_find - where it is, path_out as above, whether or not it can be paged. */
int program_find(const char *name, char *path_out);

/*
 * child_run - run the program in a child and wait: signals go to it, its end is returned.
 *   status_out, usage_out: as from wait4(). Signals are blocked afterwards, until child_end().
 *   0, or an exit status; said why.
 */
enum child_output {
	CHILD_SPEAKS, /* its stdout and stderr are ours */
	CHILD_SILENT, /* they are thrown away */
};

int child_run(const char *path, char **command, enum child_output output, int *status_out,
	      struct rusage *usage_out);

/* How a paged program ended, and what it left in the report. */
struct run_outcome {
	struct zr_report *report;
	int status; /* as from wait4() */
	struct rusage usage;
	uint64_t wall_ns;
};

/* run_paged - run the program as `zpager run` does. 0, or an exit status; said why. */
int run_paged(const struct run_options *options, struct run_outcome *out);

/* child_end - end as the program did: the same status, or by the same signal. */
int child_end(int status);

/* summary_print - a line on stderr, and a hint if it seems to need one. summary_json - the file of --stats; 0 or an exit status. */
void summary_print(const struct zr_report *report, const struct rusage *usage, int status);
int summary_json(const char *path, const struct zr_report *report, const struct rusage *usage,
		 int status);

#endif /* ZPAGER_TOOLS_CMD_H */
