/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - `zpager run`: an unmodified program with its memory paged.
 *
 * In this order: read the options and refuse what makes no sense; look at the program; put the
 * options and the preload library into the environment; probe: run ourselves in that environment,
 * which opens the pager as the program will; only then run the program, and print the summary.
 *
 * Locks: none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zpager/eviction.h>

#include "cmd.h"

#define PRELOAD_FILE "libzpager-preload.so"
#define DEFAULT_RAM  "256M"
#define LEAST_RAM    ((uint64_t)1 << 20)

extern char **environ;

static int help(void)
{
	(void)puts(
		"usage: zpager run [OPTIONS] -- PROGRAM [ARGUMENTS]\n"
		"\n"
		"Runs an unmodified, dynamically linked program. Its heap and its large anonymous\n"
		"mappings are paged: they take at most SIZE of RAM, the rest is in the store.\n"
		"\n"
		"  --ram SIZE          the budget: 64M, 2G (default " DEFAULT_RAM ")\n"
		"  --store URI         where pages go; zpager list names them\n"
		"                      (default tier:lz4:,file: - compressed RAM, then a file)\n"
		"  --eviction NAME     who goes first; zpager list names them (default sweep)\n"
		"  --fault-mode MODE   auto (default): signal if it costs no rights, else monitor\n"
		"                      signal: faults are served where they happen; io_uring is\n"
		"                      refused; without CAP_SYS_ADMIN set-uid children lose their "
		"rights\n"
		"                      monitor: by a thread; slower, for every system call and "
		"stack\n"
		"  --reclaim WHO       who keeps page frames free: fault (default): whoever finds "
		"too\n"
		"                      few of them; thread: a thread, on another processor\n"
		"  --mechanism NAME    how pages move: auto (default), copy-move, copy-recycle or "
		"copy\n"
		"  --stats FILE        write all counters there, as JSON\n"
		"\n"
		"Ends with the program's status or signal, after one line of summary on stderr.\n"
		"2: something has to be changed, see the message; 126, 127: the program cannot be\n"
		"run, or found.");
	return 0;
}

static int unknown_eviction(const char *name)
{
	char names[256] = "";
	size_t used = 0;
	const struct z_eviction_ops *ops;

	for (size_t i = 0; (ops = z_eviction_at(i)) != NULL && used < sizeof(names); i++) {
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
					 i > 0 ? ", " : "", ops->name);
	}
	return cmd_fail(EXIT_USAGE,
			"--eviction %s: there is no algorithm of that name; use one of %s", name,
			names);
}

/* Not given counts as known. names ends with NULL. */
static bool is_one_of(const char *name, const char *const *names)
{
	while (name != NULL && *names != NULL && strcmp(name, *names) != 0) {
		names++;
	}
	return name == NULL || *names != NULL;
}

static int check_ram(struct run_options *options)
{
	uint64_t have = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	char text[CMD_SIZE_TEXT];

	if (!cmd_size(options->ram, &options->ram_bytes)) {
		return cmd_fail(EXIT_USAGE, "--ram %s: not a size; write it as 64M or 2G",
				options->ram);
	}
	if (options->ram_bytes < LEAST_RAM) {
		return cmd_fail(EXIT_USAGE,
				"--ram %s: too small; 1M is the least, 16M a good start",
				options->ram);
	}
	if (options->ram_bytes > have) {
		return cmd_fail(EXIT_USAGE, "--ram %s: more than this machine has (%s); say less",
				options->ram, cmd_size_text(have, text));
	}
	return 0;
}

static int check_options(struct run_options *options)
{
	static const char *const fault_modes[] = {"monitor", "signal", "auto", NULL};
	static const char *const reclaims[] = {"fault", "thread", NULL};
	static const char *const mechanisms[] = {"auto", "copy-move", "copy-recycle", "copy", NULL};
	int status = check_ram(options);

	if (status != 0) {
		return status;
	}
	if (options->eviction != NULL && z_eviction_find(options->eviction) == NULL) {
		return unknown_eviction(options->eviction);
	}
	if (!is_one_of(options->fault_mode, fault_modes)) {
		return cmd_fail(EXIT_USAGE, "--fault-mode %s: use monitor, signal or auto",
				options->fault_mode);
	}
	if (!is_one_of(options->reclaim, reclaims)) {
		return cmd_fail(EXIT_USAGE, "--reclaim %s: use fault or thread", options->reclaim);
	}
	if (!is_one_of(options->mechanism, mechanisms)) {
		return cmd_fail(EXIT_USAGE,
				"--mechanism %s: use auto, copy-move, copy-recycle or copy",
				options->mechanism);
	}
	if (options->stats != NULL && !cmd_can_write(options->stats)) {
		return cmd_fail(EXIT_USAGE, "--stats %s: %s", options->stats, strerror(errno));
	}
	if (options->command[0] == NULL) {
		return cmd_fail(EXIT_USAGE, "no program; usage: zpager run [OPTIONS] -- PROGRAM");
	}
	return 0;
}

/* -1: go on; else the exit status. */
static int read_options(int argc, char **argv, struct run_options *options)
{
	static const struct option known[] = {
		{"ram", required_argument, NULL, 'r'},
		{"store", required_argument, NULL, 's'},
		{"eviction", required_argument, NULL, 'e'},
		{"fault-mode", required_argument, NULL, 'f'},
		{"mechanism", required_argument, NULL, 'm'},
		{"reclaim", required_argument, NULL, 'c'},
		{"stats", required_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char **values[] = {
		['r'] = &options->ram,       ['s'] = &options->store,
		['e'] = &options->eviction,  ['f'] = &options->fault_mode,
		['m'] = &options->mechanism, ['j'] = &options->stats,
		['c'] = &options->reclaim,
	};
	int key;

	opterr = 0;
	while ((key = getopt_long(argc, argv, "+:h", known, NULL)) != -1) {
		if (key == 'h') {
			return help();
		}
		if (key == ':') {
			return cmd_fail(EXIT_USAGE, "run: %s needs a value", argv[optind - 1]);
		}
		if (key == '?') {
			return cmd_fail(EXIT_USAGE, "run: unknown option %s; see zpager run --help",
					argv[optind - 1]);
		}
		*values[key] = optarg;
	}
	options->command = argv + optind;
	return -1;
}

/* The library lies beside us in a build (../lib) and after installation. */
static int find_library(char *path)
{
	char own[RUN_PATH_BYTES];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	if (length > 0) {
		own[length] = '\0';
		slash = strrchr(own, '/');
		*slash = '\0';
		if (snprintf(path, RUN_PATH_BYTES, "%s/../lib/" PRELOAD_FILE, own) <
			    RUN_PATH_BYTES &&
		    access(path, R_OK) == 0) {
			return 0;
		}
	}
	return cmd_fail(EXIT_USAGE, "%s is not beside the program (../lib); build or install again",
			PRELOAD_FILE);
}

static void set_or_clear(const char *name, const char *value)
{
	if (value != NULL) {
		(void)setenv(name, value, 1);
	} else {
		(void)unsetenv(name);
	}
}

static int set_environment(const struct run_options *options, int report_fd)
{
	char library[RUN_PATH_BYTES];
	char list[2 * RUN_PATH_BYTES];
	char report[64];
	const char *others = getenv("LD_PRELOAD");
	int status = find_library(library);

	if (status != 0) {
		return status;
	}
	if (strpbrk(library, ": ") != NULL) {
		return cmd_fail(EXIT_USAGE,
				"%s: a path with a space or colon cannot be preloaded; move it",
				library);
	}
	(void)snprintf(list, sizeof(list), "%s%s%s", library, others != NULL ? ":" : "",
		       others != NULL ? others : "");
	(void)snprintf(report, sizeof(report), "/proc/%d/fd/%d", (int)getpid(), report_fd);
	set_or_clear("LD_PRELOAD", list);
	set_or_clear(ZR_ENV_REPORT, report);
	set_or_clear(ZR_ENV_RAM, options->ram);
	set_or_clear(ZR_ENV_STORE, options->store);
	set_or_clear(ZR_ENV_EVICTION, options->eviction);
	set_or_clear(ZR_ENV_FAULTS, options->fault_mode);
	set_or_clear(ZR_ENV_MECHANISM, options->mechanism);
	set_or_clear(ZR_ENV_RECLAIM, options->reclaim);
	return 0;
}

static struct zr_report *make_report(int *fd_out)
{
	int fd = memfd_create("zpager-report", MFD_CLOEXEC);
	struct zr_report *report;

	if (fd < 0 || ftruncate(fd, sizeof(*report)) != 0) {
		return NULL;
	}
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (report == MAP_FAILED) {
		return NULL;
	}
	report->magic = ZR_MAGIC;
	report->bytes = sizeof(*report);
	*fd_out = fd;
	return report;
}

/* Opens the pager in a process of our own, in the program's environment. */
static int probe(struct zr_report *report)
{
	char *const arguments[] = {"zpager", NULL};
	int status = 0;
	pid_t child;
	int error;

	(void)setenv(ZR_ENV_PROBE, "1", 1);
	error = posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ);
	(void)unsetenv(ZR_ENV_PROBE);
	if (error != 0 || waitpid(child, &status, 0) != child) {
		return cmd_fail(EXIT_USAGE, "the pager cannot be tried: %s", strerror(error));
	}
	if (atomic_load(&report->slot[0].state) == ZR_FAILED) {
		return cmd_fail(EXIT_USAGE, "%s", report->slot[0].error);
	}
	if (atomic_load(&report->slot[0].state) != ZR_OPEN || status != 0) {
		return cmd_fail(EXIT_USAGE, "the preload library cannot be loaded, see the lines "
					    "above; is libmimalloc2.0 installed?");
	}
	memset(&report->slot[0], 0, sizeof(report->slot[0]));
	atomic_store(&report->taken, 0);
	return 0;
}

int run_paged(const struct run_options *options, struct run_outcome *out)
{
	char path[RUN_PATH_BYTES];
	int report_fd;
	uint64_t begin;
	int status = program_check(options->command[0], path);

	if (status != 0) {
		return status;
	}
	*out = (struct run_outcome){.report = make_report(&report_fd)};
	if (out->report == NULL) {
		return cmd_fail(EXIT_USAGE, "no memory for the summary: %s", strerror(errno));
	}
	status = set_environment(options, report_fd);
	if (status == 0) {
		status = probe(out->report);
	}
	if (status == 0) {
		begin = cmd_now_ns();
		status = child_run(path, options->command, CHILD_SPEAKS, &out->status, &out->usage);
		out->wall_ns = cmd_now_ns() - begin;
	}
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct run_options options = {.ram = DEFAULT_RAM};
	struct run_outcome outcome;
	int status = read_options(argc, argv, &options);

	if (status >= 0) {
		return status;
	}
	status = check_options(&options);
	if (status == 0) {
		status = run_paged(&options, &outcome);
	}
	if (status != 0) {
		return status;
	}
	summary_print(outcome.report, &outcome.usage, outcome.status);
	if (options.stats != NULL) {
		status =
			summary_json(options.stats, outcome.report, &outcome.usage, outcome.status);
	}
	return status != 0 ? status : child_end(outcome.status);
}
