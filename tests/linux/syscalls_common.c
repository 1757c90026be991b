/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscalls_common.c - system calls one by one: the driver, which starts a process for each test, and
 * what the tests themselves use there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "syscalls_common.h"

#define SAID_BYTES  16384
#define PRESS_BYTES ((size_t)8 << 20)
#define LIMIT_S     20
#define SKIPPED     77
#define OPTIONS_MAX 16
#define WINDOW      ((uintptr_t)0x200000000000)

struct said {
	char text[SAID_BYTES];
	size_t used;
};

static struct said said[2]; /* on plain, on paged memory; static memory is never paged */
static int now;             /* which of them is being filled */
static char *region;        /* that the test works on */

void sc_say(const char *format, ...)
{
	struct said *s = &said[now];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(s->text + s->used, sizeof(s->text) - s->used, format, args);
	va_end(args);
	s->used += (size_t)n;
	sc_must(s->used < sizeof(s->text), "room for what the test says");
}

void sc_sum(const char *name, const void *bytes, size_t n)
{
	const unsigned char *at = bytes;
	uint64_t sum = 14695981039346656037U;

	for (size_t i = 0; i < n; i++) {
		sum = (sum ^ at[i]) * 1099511628211U;
	}
	sc_say("%s: %zu bytes, %016llx\n", name, n, (unsigned long long)sum);
}

void sc_result(const char *name, long result)
{
	int error = errno;

	sc_say("%s: %ld %s\n", name, result, result < 0 ? strerrorname_np(error) : "");
}

void sc_must(bool done, const char *what)
{
	if (!done) {
		(void)fprintf(stderr, "cannot go on: %s (%s)\n", what, strerror(errno));
		_exit(1);
	}
}

void sc_skip(const char *why)
{
	(void)fprintf(stderr, "skipped: %s\n", why);
	_exit(SKIPPED);
}

static size_t resident(void)
{
	static unsigned char there[SC_PAGES];
	size_t n = 0;

	sc_must(mincore(region, SC_BYTES, there) == 0, "mincore");
	for (size_t i = 0; i < SC_PAGES; i++) {
		n += there[i] & 1;
	}
	return n;
}

static bool is_paged(void)
{
	return (uintptr_t)region - WINDOW < (uintptr_t)1 << 44;
}

void sc_push_out(void)
{
	int before = errno;

	if (is_paged()) {
		(void)madvise(region, SC_BYTES, MADV_PAGEOUT);
	}
	errno = before;
}

void sc_out(void)
{
	sc_push_out();
	sc_must(!is_paged() || resident() == 0, "the region is not out");
}

void sc_press(void)
{
	uint64_t *bulk =
		mmap(NULL, PRESS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	sc_must(bulk != MAP_FAILED, "memory to press with");
	for (size_t i = 0; i < PRESS_BYTES / sizeof(*bulk); i++) {
		bulk[i] = i * 0x9e3779b97f4a7c15U;
	}
	(void)munmap(bulk, PRESS_BYTES);
}

void *sc_put(char *memory, size_t offset, const void *thing, size_t bytes)
{
	return memcpy(memory + offset, thing, bytes);
}

int sc_file(int flags)
{
	static char data[SC_BYTES];
	char name[] = "zpager-syscalls-XXXXXX";
	int fd = mkstemp(name);
	int again;

	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] = (char)(i * i >> 7);
	}
	sc_must(fd >= 0 && write(fd, data, sizeof(data)) == (ssize_t)sizeof(data), "a file");
	again = open(name, flags);
	(void)unlink(name);
	(void)close(fd);
	sc_must(again >= 0 || errno == EINVAL, "a file");
	return again;
}

/* ---- one test, in the process that `zpager run` runs ---------------------------------------- */

static void on_region(const struct sc_test *test, int which, int more_flags)
{
	now = which;
	region = mmap(NULL, SC_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | more_flags, -1, 0);
	sc_must(region != MAP_FAILED, "a region");
	for (size_t i = 0; i < SC_BYTES; i++) {
		region[i] = (char)(i * 31 + (i >> 9));
	}
	sc_must(is_paged() == (which == 1), "a region of the kind that is wanted");
	test->run(region);
}

static int one_test(const struct sc_test *test)
{
	on_region(test, 0, MAP_STACK); /* is never paged */
	on_region(test, 1, 0);
	if (said[0].used == 0) {
		(void)fprintf(stderr, "the test says nothing\n");
		return 1;
	}
	if (strcmp(said[0].text, said[1].text) != 0) {
		(void)fprintf(stderr, "on plain memory:\n%son paged memory:\n%s", said[0].text,
			      said[1].text);
		return 1;
	}
	return 0;
}

/* ---- the driver ------------------------------------------------------------------------------ */

/* The command line of one test; options are words between spaces. */
static void become(const char *zpager, const char *own, const char *test)
{
	static char words[1024];
	const char *given = getenv("ZPAGER_RUN_OPTIONS");
	const char *command[OPTIONS_MAX + 8] = {zpager, "run", "--ram", "4M"};
	size_t n = 4;

	(void)snprintf(words, sizeof(words), "%s", given != NULL ? given : "");
	for (char *word = strtok(words, " "); word != NULL && n < 4 + OPTIONS_MAX;
	     word = strtok(NULL, " ")) {
		command[n++] = word;
	}
	command[n++] = "--";
	command[n++] = own;
	command[n] = test;
	(void)setenv("ZPAGER_ONE_TEST", "1", 1);
	(void)execv(zpager, (char *const *)command);
	perror(zpager);
	_exit(1);
}

static void copy_out(FILE *from)
{
	char line[512];

	rewind(from);
	while (fgets(line, sizeof(line), from) != NULL) {
		(void)printf("    %s", line);
	}
}

/* Its status. A thread that waits for its own page has all signals blocked but this one. */
static int wait_for(pid_t child)
{
	const struct timespec limit = {.tv_sec = LIMIT_S};
	sigset_t ended;
	int status = 0;

	(void)sigemptyset(&ended);
	(void)sigaddset(&ended, SIGCHLD);
	if (sigtimedwait(&ended, NULL, &limit) != SIGCHLD) {
		(void)kill(child, SIGKILL); /* zpager takes the program along */
	}
	sc_must(waitpid(child, &status, 0) == child, "a child");
	return status;
}

/* 0, 1 or SKIPPED. */
static int drive(const char *zpager, const char *own, const char *test)
{
	FILE *text = tmpfile();
	sigset_t ended, before;
	pid_t child;
	int status;

	(void)sigemptyset(&ended);
	(void)sigaddset(&ended, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &ended, &before);
	sc_must(text != NULL, "a temporary file");
	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
		(void)dup2(fileno(text), STDERR_FILENO);
		(void)dup2(fileno(text), STDOUT_FILENO);
		become(zpager, own, test);
	}
	sc_must(child > 0, "a child");
	status = wait_for(child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		(void)printf("ok      %s\n", test);
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
		(void)printf("skipped %s\n", test);
		copy_out(text);
	} else {
		(void)printf("FAILED  %s, %s %d\n", test, WIFEXITED(status) ? "status" : "signal",
			     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
		copy_out(text);
	}
	(void)fclose(text);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static bool is_wanted(const char *name, char **names)
{
	while (*names != NULL && strcmp(*names, name) != 0) {
		names++;
	}
	return *names != NULL;
}

/* Sanitizers have a malloc of their own, so there is no preload library in their builds. */
static void find_zpager(char *path, size_t bytes)
{
	const char *build = getenv("ZPAGER_BUILD");
	const char *sanitize = getenv("ZPAGER_SANITIZE");

	(void)snprintf(path, bytes, "%s/bin/zpager", build != NULL ? build : "");
	if (build == NULL || access(path, X_OK) != 0 || (sanitize != NULL && sanitize[0] != 0)) {
		(void)puts("skipped: no zpager to run under");
		exit(SKIPPED);
	}
}

int sc_main(int argc, char **argv, const struct sc_test *tests)
{
	char zpager[4096];
	char own[4096] = "";
	int failed = 0;

	if (getenv("ZPAGER_ONE_TEST") != NULL) {
		while (tests->name != NULL && strcmp(tests->name, argv[1]) != 0) {
			tests++;
		}
		return tests->name != NULL ? one_test(tests) : 1;
	}
	find_zpager(zpager, sizeof(zpager));
	sc_must(readlink("/proc/self/exe", own, sizeof(own) - 1) > 0, "our own name");
	for (; tests->name != NULL; tests++) {
		if (argc < 2 || is_wanted(tests->name, argv + 1)) {
			int status = drive(zpager, own, tests->name);

			failed += status != 0 && status != SKIPPED;
		}
	}
	(void)printf("%d failed\n", failed);
	return failed > 0;
}
