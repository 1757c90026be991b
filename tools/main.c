/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - the zpager program: finds the subcommand; one file (or a few) each.
 *
 * Locks: none; one thread until a subcommand makes more.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <zpager/zpager.h>

#include "cmd.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

static const struct command commands[] = {
	{"run", cmd_run, "run an unmodified program with less memory than it needs"},
	{"bench", cmd_bench, "print what accesses and faults cost on this machine"},
	{"probe", cmd_probe, "print what the mechanisms of paging cost on this machine"},
	{"sim", cmd_sim, "compare eviction algorithms with the optimum, on traces"},
	{"trace", cmd_trace, "write down which pages an unmodified program touches"},
	{"mrc", cmd_mrc, "print how much memory an unmodified program needs"},
	{"list", cmd_list, "list the stores and the eviction algorithms"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

int cmd_fail(int status, const char *format, ...)
{
	va_list more;

	(void)fflush(stdout);
	(void)fputs("zpager: ", stderr);
	va_start(more, format);
	(void)vfprintf(stderr, format, more);
	va_end(more);
	(void)fputc('\n', stderr);
	return status;
}

bool cmd_size(const char *text, uint64_t *bytes_out)
{
	static const char units[] = "KMGT";
	unsigned long long value;
	unsigned int shift = 0;
	const char *unit;
	char *end;

	if (text[0] < '0' || text[0] > '9' || strlen(text) > 18) {
		return false;
	}
	value = strtoull(text, &end, 10);
	if (*end != '\0') {
		unit = strchr(units, *end & ~0x20);
		if (unit == NULL || end[1] != '\0') {
			return false;
		}
		shift = 10U * (unsigned int)(unit - units + 1);
	}
	if (value > UINT64_MAX >> shift) {
		return false;
	}
	*bytes_out = (uint64_t)value << shift;
	return true;
}

uint64_t cmd_now_ns(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

bool cmd_number(const char *text, uint32_t otherwise, uint32_t most, uint32_t *out)
{
	char *end;
	unsigned long value;

	*out = otherwise;
	if (text == NULL) {
		return true;
	}
	value = strtoul(text, &end, 10);
	*out = (uint32_t)value;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && value > 0 && value <= most;
}

const char *cmd_size_text(uint64_t bytes, char text[CMD_SIZE_TEXT])
{
	const double mebi = 1024.0 * 1024.0;

	if (bytes >= UINT64_C(10) << 30) {
		(void)snprintf(text, CMD_SIZE_TEXT, "%.1f GiB", (double)bytes / mebi / 1024.0);
	} else {
		(void)snprintf(text, CMD_SIZE_TEXT, "%.1f MiB", (double)bytes / mebi);
	}
	return text;
}

bool cmd_can_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	return fd >= 0 && close(fd) == 0;
}

static int help(void)
{
	(void)puts("usage: zpager COMMAND [OPTIONS]\n");
	for (size_t i = 0; i < COMMANDS; i++) {
		(void)printf("  %-8s %s\n", commands[i].name, commands[i].summary);
	}
	(void)puts("\nzpager COMMAND --help tells more. zpager --version tells what this kernel "
		   "can do.");
	return 0;
}

static int version(void)
{
	(void)printf("zpager %s\n%s\n", ZP_BUILD_VERSION, zpager_features());
	return 0;
}

int main(int argc, char **argv)
{
	if (getenv(ZR_ENV_PROBE) != NULL) {
		/* The preload library has opened the pager by now, or has ended us. */
		return 0;
	}
	if (argc < 2) {
		(void)help();
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		return help();
	}
	if (strcmp(argv[1], "--version") == 0) {
		return version();
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			return commands[i].run(argc - 1, argv + 1);
		}
	}
	return cmd_fail(EXIT_USAGE, "there is no command \"%s\"; zpager --help lists them",
			argv[1]);
}
