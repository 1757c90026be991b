/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.c - the program as a child of `zpager run`, as transparent as a child can be.
 *
 * It stays in our process group and session, so the terminal treats both alike: what the keyboard
 * sends reaches the program by itself, and we only wait. Signals that another process sends to us
 * are sent on. If we are killed, the program is too (PR_SET_PDEATHSIG). Its end is ours: the same
 * status, or death by the same signal.
 *
 * A child and not exec in place, because the summary has to appear whatever ends the program.
 *
 * Locks: none; one thread, all signals blocked and taken with sigwaitinfo().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"

static void be_silent(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0) {
		_exit(EXIT_CANNOT);
	}
	(void)dup2(null, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
}

/* Runs in the child; tells the error of exec through the pipe. */
static void exec_program(const char *path, char **command, const sigset_t *mask, pid_t parent,
			 int pipe_fd)
{
	int error;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) {
		_exit(EXIT_CANNOT);
	}
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	(void)execv(path, command);
	error = errno;
	(void)!write(pipe_fd, &error, sizeof(error));
	_exit(EXIT_CANNOT);
}

/* The signals that we take and send on: all but those that are about ourselves. */
static void taken_signals(sigset_t *set)
{
	static const int left[] = {SIGTSTP, SIGTTIN, SIGTTOU, SIGSEGV, SIGBUS,
				   SIGFPE,  SIGILL,  SIGTRAP, SIGABRT, SIGSYS};

	(void)sigfillset(set);
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		(void)sigdelset(set, left[i]);
	}
}

static bool is_for_program(const siginfo_t *info)
{
	/* From the terminal and the kernel the program, in the same group, has had it already. */
	return info->si_signo != SIGCHLD &&
	       (info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL);
}

static int wait_for(pid_t child, const sigset_t *taken, struct rusage *usage_out)
{
	siginfo_t info;
	int status = 0;

	for (;;) {
		pid_t ended = wait4(child, &status, WNOHANG, usage_out);

		if (ended == child || (ended < 0 && errno != EINTR)) {
			return status;
		}
		if (sigwaitinfo(taken, &info) > 0 && is_for_program(&info)) {
			(void)kill(child, info.si_signo);
		}
	}
}

int child_run(const char *path, char **command, enum child_output output, int *status_out,
	      struct rusage *usage_out)
{
	pid_t parent = getpid();
	sigset_t taken, before;
	int pipes[2];
	int error = 0;
	pid_t child;

	if (pipe2(pipes, O_CLOEXEC) != 0) {
		return cmd_fail(EXIT_CANNOT, "no pipe: %s", strerror(errno));
	}
	taken_signals(&taken);
	(void)sigprocmask(SIG_BLOCK, &taken, &before);
	child = fork();
	if (child < 0) {
		return cmd_fail(EXIT_CANNOT, "no process can be made: %s", strerror(errno));
	}
	if (child == 0) {
		if (output == CHILD_SILENT) {
			be_silent();
		}
		exec_program(path, command, &before, parent, pipes[1]);
	}
	(void)close(pipes[1]);
	*status_out = wait_for(child, &taken, usage_out);
	if (read(pipes[0], &error, sizeof(error)) == (ssize_t)sizeof(error)) {
		return cmd_fail(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT, "%s: %s", path,
				strerror(error));
	}
	(void)close(pipes[0]);
	/* Signals stay blocked: nothing shall end us before the summary is out. */
	return 0;
}

int child_end(int status)
{
	const struct rlimit none = {0, 0};
	sigset_t set;
	int number;

	if (WIFEXITED(status)) {
		return WEXITSTATUS(status);
	}
	number = WTERMSIG(status);
	/* The program has left its core; another one, of us, would only hide it. */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)signal(number, SIG_DFL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, number);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)raise(number);
	return 128 + number;
}
