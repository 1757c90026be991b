/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_program.c - `zpager bench --on PEER -- PROGRAM`: an unmodified program with the kernel's swap.
 *
 * The counterpart of `zpager run`: the program runs in a memory cgroup with swap on zram or in a file,
 * and what was set up is taken down. It gets the signals INT, TERM and HUP that reach us.
 *
 * Locks: none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "cmd.h"

/* Waits for its end; a signal that reaches us is sent on, once. */
static int wait_for_program(pid_t child)
{
	bool told = false;
	int status = 0;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
		if (bench_interrupted() && !told) {
			(void)kill(child, SIGTERM);
			told = true;
		}
	}
	return status;
}

static void run_command(enum bench_memory memory, char **command)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (bench_host_join(memory) != 0) {
		_exit(cmd_fail(EXIT_USAGE, "the cgroup does not take the program: %s",
			       strerror(errno)));
	}
	(void)execvp(command[0], command);
	_exit(cmd_fail(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT, "%s: %s", command[0],
		       strerror(errno)));
}

static int run_limited(const struct bench_peer *peer, uint64_t ram_bytes, char **command)
{
	struct bench_outcome out = {.started = true};
	char ram[CMD_SIZE_TEXT], store[CMD_SIZE_TEXT];
	int status;
	pid_t child;

	if (bench_host_begin(peer->memory, ram_bytes, out.why) != 0) {
		return cmd_fail(EXIT_USAGE, "--on %s: %s", peer->name, out.why);
	}
	(void)fflush(NULL);
	child = fork();
	if (child == 0) {
		run_command(peer->memory, command);
	}
	status = child > 0 ? wait_for_program(child) : EXIT_CANNOT << 8;
	bench_host_end(peer->memory, &out);
	(void)fprintf(stderr, "zpager: %s: RAM %s at most, of it %s in zram%s%s\n", peer->name,
		      cmd_size_text(out.ram_bytes, ram), cmd_size_text(out.store_bytes, store),
		      out.why[0] != '\0' ? "; " : "", out.why);
	bench_host_close();
	return child_end(status);
}

int bench_program(struct bench_plan *plan, const char *name, const char *ram, char **command)
{
	const struct bench_peer *peer = bench_find_peer(name);
	uint64_t ram_bytes;
	const char *why;
	int status;

	if (peer == NULL || (peer->memory != BENCH_ZRAM && peer->memory != BENCH_SWAPFILE)) {
		return cmd_fail(EXIT_USAGE, "--on %s: use zram or swapfile", name);
	}
	if (ram == NULL || !cmd_size(ram, &ram_bytes) || ram_bytes == 0) {
		return cmd_fail(EXIT_USAGE, "--on %s wants --ram SIZE", name);
	}
	if (command[0] == NULL) {
		return cmd_fail(EXIT_USAGE, "--on %s wants a program after --", name);
	}
	plan->n = 1;
	plan->runs[0].peer = peer;
	bench_catch_signals();
	bench_host_open(plan);
	why = bench_host_lacks(peer->memory);
	status = why != NULL ? cmd_fail(EXIT_USAGE, "--on %s: %s", name, why)
			     : run_limited(peer, ram_bytes, command);
	bench_host_close();
	return status;
}
