/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_run.c - one run of `zpager bench` in a process of its own, and its end, whatever that is.
 *
 * The process writes its figures into memory shared with the driver as they come, so that one which the
 * kernel kills for lack of memory leaves the cells that it had finished, and a line that says so. One
 * that takes far longer than its cells may is killed, and that is said too.
 *
 * Locks: none. Signals: INT, TERM and HUP set a flag; the process is killed, and everything is taken
 * down in the ordinary way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "cmd.h"

#define FIRST_S     90.0 /* to fill the region, at most */
#define CELL_FACTOR 10.0
#define LOOK_NS     20000000
#define TRIES       3

/*
 * A cgroup has the program in it as well: what its libraries and its stack write, 1.3 MiB at most (Private_Dirty), and
 * page tables. A pager has metadata in its budget instead.
 */
#define MARGIN ((uint64_t)2 << 20)

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

void bench_catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}

bool bench_interrupted(void)
{
	return interrupted != 0;
}

static double limit_s(const struct bench_plan *plan, const struct bench_run *run)
{
	return FIRST_S +
	       CELL_FACTOR * plan->options.seconds * (double)__builtin_popcount(run->cells);
}

/* 0: it has ended, status is set; 1: it was too slow; -1: a signal asks us to end. */
static int wait_for(pid_t child, double seconds, int *status)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	uint64_t begin = cmd_now_ns();

	for (;;) {
		pid_t got = waitpid(child, status, WNOHANG);

		if (got == child) {
			return 0;
		}
		if (interrupted || (double)(cmd_now_ns() - begin) > seconds * 1e9) {
			(void)kill(child, SIGKILL);
			(void)waitpid(child, status, 0);
			return interrupted ? -1 : 1;
		}
		(void)nanosleep(&pause, NULL);
	}
}

static void say_end(struct bench_outcome *out, int how, int status)
{
	if (how == 1) {
		(void)snprintf(out->why, sizeof(out->why), "took too long and was ended");
	} else if (how == 0 && WIFSIGNALED(status) && out->why[0] == '\0') {
		(void)snprintf(out->why, sizeof(out->why), "ended by signal %d (%s)",
			       WTERMSIG(status), strsignal(WTERMSIG(status)));
	}
	if (out->wrong > 0) {
		(void)snprintf(out->why, sizeof(out->why), "%llu words came back WRONG",
			       (unsigned long long)out->wrong);
	}
}

static void run_process(const struct bench_plan *plan, const struct bench_run *run,
			struct bench_outcome *shared)
{
	pid_t child;
	int status = 0;
	int how;

	(void)fflush(NULL);
	child = fork();
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGINT, SIG_IGN);
		bench_child(plan, run, shared);
		_exit(0);
	}
	if (child < 0) {
		(void)snprintf(shared->why, sizeof(shared->why), "fork: %s", strerror(errno));
		return;
	}
	how = wait_for(child, limit_s(plan, run), &status);
	bench_host_end(run->peer->memory, shared);
	say_end(shared, how, status);
}

void bench_run_once(const struct bench_plan *plan, struct bench_run *run)
{
	struct bench_outcome *out = &run->outcomes[run->rounds];
	struct bench_outcome *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED) {
		return;
	}
	/* The kernel may find nothing to reclaim for a moment, and then kills: that is no figure. */
	for (int i = 0; i < TRIES && (i == 0 || shared->killed) && !interrupted; i++) {
		memset(shared, 0, sizeof(*shared));
		if (bench_host_begin(run->peer->memory,
				     plan->options.region_bytes / run->share + MARGIN,
				     shared->why) == 0) {
			run_process(plan, run, shared);
		}
	}
	*out = *shared;
	run->rounds += !bench_interrupted();
	(void)munmap(shared, sizeof(*shared));
}
