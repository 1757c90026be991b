/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exact.c - every reference of a program, by running it under valgrind's lackey.
 *
 * Theory. Lackey prints a line for each instruction and each access, a few million a second, into a
 * descriptor of our choice; valgrind moves that above what the program may use, so stdin, stdout and
 * stderr stay the program's own. A thread of ours reads the other end while the main one waits as
 * `zpager run` does. Valgrind ends as the program did, by the same signal if it was one. A child
 * that the program left behind may keep the descriptor open: so the thread stops when the program has
 * ended and the pipe is empty, not only at its end.
 *
 * Locks: none; the sink belongs to the thread until it is joined.
 * Limits: what the program makes by fork() is not traced; threads run one at a time under valgrind;
 * 50 to 500 times as slow as without.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "pgt_lackey.h"
#include "record.h"

#define PIPE_BYTES (1 << 20)
#define READ_BYTES ((size_t)1 << 17)
#define PAUSE_NS   5000000L

struct reader {
	int fd;       /* end of the pipe */
	int ended_fd; /* eventfd: the program has ended */
	struct pgt_lackey lackey;
	char text[READ_BYTES];
};

/*
 * false: there is no more. Lackey writes each line by itself: to be woken for each would cost more
 * than all the rest, so little text means to let more of it come.
 */
static bool read_some(struct reader *r)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_NS};
	ssize_t n = read(r->fd, r->text, sizeof(r->text));

	if (n > 0) {
		pgt_lackey_feed(&r->lackey, r->text, (size_t)n);
	}
	if (n > 0 && (size_t)n < sizeof(r->text) / 2) {
		(void)nanosleep(&pause, NULL);
	}
	return n > 0 || (n < 0 && errno == EINTR);
}

static void *read_loop(void *argument)
{
	struct reader *r = argument;
	struct pollfd fds[2] = {{.fd = r->fd, .events = POLLIN},
				{.fd = r->ended_fd, .events = POLLIN}};

	bool ended = false;

	for (;;) {
		if (poll(fds, 2, -1) < 0) {
			continue;
		}
		if ((fds[0].revents & POLLIN) != 0) {
			if (!read_some(r)) {
				return NULL;
			}
		} else if (fds[0].revents != 0 || ended) {
			return NULL;
		} else {
			/* Text may have come while poll() looked: empty once more is empty. */
			ended = fds[1].revents != 0;
		}
	}
}

static int find_valgrind(char *path)
{
	const char *folders = getenv("PATH");

	while (folders != NULL && *folders != '\0') {
		size_t length = strcspn(folders, ":");

		(void)snprintf(path, RUN_PATH_BYTES, "%.*s/valgrind", (int)length, folders);
		if (length > 0 && access(path, X_OK) == 0) {
			return 0;
		}
		folders += length + (folders[length] == ':');
	}
	return cmd_fail(EXIT_USAGE, "exact traces need valgrind, which is not here: install the "
				    "package valgrind, or leave --exact out");
}

/* valgrind OPTIONS -- COMMAND, to be freed by the caller; words: room for what has to be printed. */
static char **make_command(char **command, int log_fd, char words[32])
{
	static char options[][32] = {
		"valgrind",
		"--tool=lackey",
		"--trace-mem=yes",
		"--basic-counts=no",
		"--vgdb=no",
		"--trace-children=no",
		"--child-silent-after-fork=yes",
	};
	static char separator[] = "--";
	size_t fixed = sizeof(options) / sizeof(options[0]);
	size_t given = 0;
	char **all;

	while (command[given] != NULL) {
		given++;
	}
	all = calloc(fixed + given + 3, sizeof(*all));
	if (all == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < fixed; i++) {
		all[i] = options[i];
	}
	(void)snprintf(words, 32, "--log-fd=%d", log_fd);
	all[fixed] = words;
	all[fixed + 1] = separator;
	memcpy(&all[fixed + 2], command, given * sizeof(*command));
	return all;
}

static int start_reader(struct reader *r, pthread_t *thread)
{
	sigset_t all, before;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, NULL, read_loop, r);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* The write end is open here as well, so the end of the program is told by ended_fd alone. */
static int run_with_pipe(struct reader *r, const char *valgrind, char **command,
			 enum child_output output, int *status_out)
{
	uint64_t one = 1;
	char words[32];
	int pipes[2];
	pthread_t thread;
	struct rusage usage;
	char **all;
	int status;

	if (pipe(pipes) != 0) {
		return cmd_fail(EXIT_CANNOT, "no pipe: %s", strerror(errno));
	}
	(void)fcntl(pipes[0], F_SETFD, FD_CLOEXEC);
	(void)fcntl(pipes[0], F_SETPIPE_SZ, PIPE_BYTES);
	r->fd = pipes[0];
	all = make_command(command, pipes[1], words);
	if (all == NULL || start_reader(r, &thread) != 0) {
		return cmd_fail(EXIT_CANNOT, "no thread to read the trace");
	}
	status = child_run(valgrind, all, output, status_out, &usage);
	(void)!write(r->ended_fd, &one, sizeof(one));
	(void)pthread_join(thread, NULL);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	free(all);
	return status;
}

int exact_run(char **command, enum child_output output, const struct pgt_sink *to, int *status_out)
{
	char valgrind[RUN_PATH_BYTES];
	char program[RUN_PATH_BYTES];
	struct reader *r;
	int status = find_valgrind(valgrind);

	if (status == 0) {
		status = program_find(command[0], program);
	}
	if (status != 0) {
		return status;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		return cmd_fail(EXIT_CANNOT, "no memory to read the trace");
	}
	r->lackey.to = *to;
	r->ended_fd = eventfd(0, EFD_CLOEXEC);
	status = run_with_pipe(r, valgrind, command, output, status_out);
	if (status == 0 && r->lackey.instructions == 0) {
		status = cmd_fail(EXIT_CANNOT, "valgrind could not run %s, see its lines above",
				  command[0]);
	}
	(void)close(r->ended_fd);
	free(r);
	return status;
}
