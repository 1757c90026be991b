/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn.c - posix_spawn(), system(), popen() and the exec family, in signal mode.
 *
 * libc's child of posix_spawn() runs in the program's memory with all handlers reset: there a page
 * that is out would be the end, and so would a call that the filter keeps back. So whatever that
 * child looks at is not paged: the strings are copied, and the list of file actions is allocated
 * inside from the beginning. system() and popen() go past our posix_spawn() within libc, so they are
 * here too.
 *
 * The exec family is here for pointers on the stack to strings on the heap, which the filter does not
 * see; what it sees goes to exec.c.
 *
 * In monitor mode all of this is libc's.
 *
 * Locks: popen's list has a mutex.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"

extern char **environ;

/* ---- copies that are not paged ------------------------------------------------------------- */

struct copies {
	char *path;
	char **argv, **envp;
	void *block; /* all of it */
};

static size_t list_length(char *const *list)
{
	size_t n = 0;

	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): a list ends with NULL. */
	while (list != NULL && list[n] != NULL) {
		n++;
	}
	return n;
}

static size_t text_bytes(const char *text)
{
	return text != NULL ? strlen(text) + 1 : 0;
}

static size_t list_bytes(char *const *list, size_t n)
{
	size_t bytes = (n + 1) * sizeof(*list);

	for (size_t i = 0; i < n; i++) {
		bytes += text_bytes(list[i]);
	}
	return bytes;
}

static char *copy_text(const char *text, char **at)
{
	char *copy = *at;
	size_t bytes = text_bytes(text);

	memcpy(copy, text, bytes);
	*at += bytes;
	return copy;
}

static void copy_list(char *const *list, size_t n, char **copy, char **at)
{
	for (size_t i = 0; i < n; i++) {
		copy[i] = copy_text(list[i], at);
	}
	copy[n] = NULL;
}

/* false: no memory for it. */
static bool copy_all(struct copies *c, const char *path, char *const *argv, char *const *envp)
{
	size_t nargv = list_length(argv);
	size_t nenvp = list_length(envp);
	size_t bytes = text_bytes(path) + list_bytes(argv, nargv) + list_bytes(envp, nenvp);
	char *at;

	c->block = zp_private_alloc(bytes, ZP_HEAP_ALIGN);
	if (c->block == NULL) {
		return false;
	}
	c->argv = c->block;
	c->envp = c->argv + nargv + 1;
	at = (char *)(c->envp + nenvp + 1);
	c->path = copy_text(path, &at);
	copy_list(argv, nargv, c->argv, &at);
	copy_list(envp, nenvp, c->envp, &at);
	return true;
}

static bool wanted(void)
{
	return zp_signal_mode && !zp_inside && atomic_load(&zp_instance) != NULL;
}

/* ---- posix_spawn --------------------------------------------------------------------------- */

typedef int spawn_fn(pid_t *, const char *, const posix_spawn_file_actions_t *,
		     const posix_spawnattr_t *, char *const[], char *const[]);

static int spawn(spawn_fn *real, pid_t *pid_out, const char *path,
		 const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
		 char *const argv[], char *const envp[])
{
	posix_spawn_file_actions_t own_actions;
	posix_spawnattr_t own_attr;
	struct copies c;
	pid_t pid = 0;
	int error;

	if (!wanted()) {
		return real(pid_out, path, actions, attr, argv, envp);
	}
	if (!copy_all(&c, path, argv, envp)) {
		return ENOMEM;
	}
	if (actions != NULL) {
		own_actions = *actions;
	}
	if (attr != NULL) {
		own_attr = *attr;
	}
	error = real(&pid, c.path, actions != NULL ? &own_actions : NULL,
		     attr != NULL ? &own_attr : NULL, c.argv, c.envp);
	zp_private_free(c.block);
	if (error == 0 && pid_out != NULL) {
		*pid_out = pid;
	}
	return error;
}

#define REAL(name)                                                                                 \
	static __typeof__(&(name)) _Atomic real;                                                   \
	if (real == NULL) {                                                                        \
		real = (__typeof__(&(name)))zp_real(#name);                                        \
	}

ZP_EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
			  const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	REAL(posix_spawn)
	return spawn(real, pid, path, actions, attr, argv, envp);
}

ZP_EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
			   const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	REAL(posix_spawnp)
	return spawn(real, pid, file, actions, attr, argv, envp);
}

/* What these allocate is allocated inside. */
#define ACTION(name, parameters, arguments)                                                        \
	ZP_EXPORT int name parameters                                                              \
	{                                                                                          \
		int error;                                                                         \
		REAL(name)                                                                         \
		zp_inside++;                                                                       \
		error = real arguments;                                                            \
		zp_inside--;                                                                       \
		return error;                                                                      \
	}

typedef posix_spawn_file_actions_t actions_t;

ACTION(posix_spawn_file_actions_addopen,
       (actions_t *restrict a, int fd, const char *restrict path, int flags, mode_t mode),
       (a, fd, path, flags, mode))
ACTION(posix_spawn_file_actions_addclose, (actions_t * a, int fd), (a, fd))
ACTION(posix_spawn_file_actions_adddup2, (actions_t * a, int fd, int to), (a, fd, to))
ACTION(posix_spawn_file_actions_addchdir_np, (actions_t *restrict a, const char *restrict path),
       (a, path))
ACTION(posix_spawn_file_actions_addfchdir_np, (actions_t * a, int fd), (a, fd))
ACTION(posix_spawn_file_actions_addclosefrom_np, (actions_t * a, int from), (a, from))
ACTION(posix_spawn_file_actions_addtcsetpgrp_np, (actions_t * a, int terminal), (a, terminal))

/* ---- exec ---------------------------------------------------------------------------------- */

ZP_EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	struct zp_call call = {.nr = SYS_execve, .arg = {(long)path, (long)argv, (long)envp}};
	char here;
	REAL(execve)

	if (!wanted()) {
		return real(path, argv, envp);
	}
	errno = (int)-zp_serve(&call, (uintptr_t)&here);
	return -1;
}

ZP_EXPORT int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

ZP_EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	struct copies c;
	int error;
	REAL(execvpe)

	if (!wanted()) {
		return real(file, argv, envp);
	}
	if (!copy_all(&c, file, argv, envp)) {
		errno = ENOMEM;
		return -1;
	}
	error = real(c.path, c.argv, c.envp);
	zp_private_free(c.block);
	return error;
}

ZP_EXPORT int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

/* The arguments of execl and relatives as a list: first, then more until NULL. */
#define LIST(first, more)                                                                          \
	va_start(more, first);                                                                     \
	size_t n = 1;                                                                              \
	while (va_arg(more, char *) != NULL) {                                                     \
		n++;                                                                               \
	}                                                                                          \
	va_end(more);                                                                              \
	char *argv[n + 1];                                                                         \
	va_start(more, first);                                                                     \
	argv[0] = (char *)(uintptr_t)(first);                                                      \
	for (size_t i = 1; i <= n; i++) {                                                          \
		argv[i] = va_arg(more, char *);                                                    \
	}

ZP_EXPORT int execl(const char *path, const char *argument, ...)
{
	va_list more;
	LIST(argument, more)
	va_end(more);
	return execve(path, argv, environ);
}

ZP_EXPORT int execlp(const char *file, const char *argument, ...)
{
	va_list more;
	LIST(argument, more)
	va_end(more);
	return execvpe(file, argv, environ);
}

ZP_EXPORT int execle(const char *path, const char *argument, ...)
{
	va_list more;
	LIST(argument, more)
	char *const *envp = va_arg(more, char *const *);
	va_end(more);
	return execve(path, argv, envp);
}

/* ---- system, popen ------------------------------------------------------------------------- */

static int wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return -1;
		}
	}
	return status;
}

static int shell(const char *command, pid_t *pid_out, const actions_t *actions,
		 const posix_spawnattr_t *attr)
{
	char *const argv[] = {"sh", "-c", "--", (char *)(uintptr_t)command, NULL};

	return posix_spawn(pid_out, "/bin/sh", actions, attr, argv, environ);
}

/* SIGINT and SIGQUIT are for the command while it runs; SIGCHLD waits. */
static int run_shell(const char *command)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction interrupt, quit;
	posix_spawnattr_t attr;
	sigset_t child, before, reset;
	int status = 127 << 8;
	pid_t pid;

	(void)sigaction(SIGINT, &ignore, &interrupt);
	(void)sigaction(SIGQUIT, &ignore, &quit);
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &child, &before);
	(void)sigemptyset(&reset);
	if (interrupt.sa_handler != SIG_IGN) {
		(void)sigaddset(&reset, SIGINT);
	}
	if (quit.sa_handler != SIG_IGN) {
		(void)sigaddset(&reset, SIGQUIT);
	}
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setsigmask(&attr, &before);
	(void)posix_spawnattr_setsigdefault(&attr, &reset);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	if (shell(command, &pid, NULL, &attr) == 0) {
		status = wait_for(pid);
	}
	(void)posix_spawnattr_destroy(&attr);
	(void)sigaction(SIGINT, &interrupt, NULL);
	(void)sigaction(SIGQUIT, &quit, NULL);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

ZP_EXPORT int system(const char *command)
{
	REAL(system)

	if (!wanted()) {
		return real(command);
	}
	return command == NULL ? run_shell("exit 0") == 0 : run_shell(command);
}

/* What popen() has open. */
struct pipe_end {
	struct pipe_end *next;
	FILE *file;
	pid_t pid;
};

static pthread_mutex_t pipes_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pipe_end *pipes; /* under pipes_lock */

/* The command does not get the pipes of earlier ones. */
static void close_others(actions_t *actions, int as)
{
	(void)pthread_mutex_lock(&pipes_lock);
	for (const struct pipe_end *end = pipes; end != NULL; end = end->next) {
		int fd = fileno(end->file);

		if (fd != as) {
			(void)posix_spawn_file_actions_addclose(actions, fd);
		}
	}
	(void)pthread_mutex_unlock(&pipes_lock);
}

static pid_t start(const char *command, int theirs, int as)
{
	actions_t actions;
	pid_t pid = -1;
	int error = posix_spawn_file_actions_init(&actions);

	if (error == 0) {
		close_others(&actions, as);
		error = posix_spawn_file_actions_adddup2(&actions, theirs, as);
		if (error == 0) {
			error = shell(command, &pid, &actions, NULL);
		}
		(void)posix_spawn_file_actions_destroy(&actions);
	}
	errno = error != 0 ? error : errno;
	return error == 0 ? pid : -1;
}

static FILE *open_pipe(const char *command, bool reading, bool keep)
{
	struct pipe_end *end = malloc(sizeof(*end));
	int ours = reading ? 0 : 1;
	int ends[2];

	if (end == NULL || pipe2(ends, O_CLOEXEC) != 0) {
		free(end);
		return NULL;
	}
	end->file = fdopen(ends[ours], reading ? "r" : "w");
	end->pid = end->file != NULL ? start(command, ends[!ours], !ours) : -1;
	(void)close(ends[!ours]);
	if (end->pid < 0) {
		int error = errno;

		(void)(end->file != NULL ? fclose(end->file) : close(ends[ours]));
		free(end);
		errno = error;
		return NULL;
	}
	if (keep) {
		(void)fcntl(ends[ours], F_SETFD, 0);
	}
	(void)pthread_mutex_lock(&pipes_lock);
	end->next = pipes;
	pipes = end;
	(void)pthread_mutex_unlock(&pipes_lock);
	return end->file;
}

ZP_EXPORT FILE *popen(const char *command, const char *mode)
{
	REAL(popen)

	if (!wanted()) {
		return real(command, mode);
	}
	if (mode[0] != 'r' && mode[0] != 'w') {
		errno = EINVAL;
		return NULL;
	}
	return open_pipe(command, mode[0] == 'r', strchr(mode, 'e') == NULL);
}

ZP_EXPORT int pclose(FILE *file)
{
	struct pipe_end **at = &pipes;
	struct pipe_end *end;
	int status;
	REAL(pclose)

	(void)pthread_mutex_lock(&pipes_lock);
	while (*at != NULL && (*at)->file != file) {
		at = &(*at)->next;
	}
	end = *at;
	if (end != NULL) {
		*at = end->next;
	}
	(void)pthread_mutex_unlock(&pipes_lock);
	if (end == NULL) {
		return real(file);
	}
	(void)fclose(file);
	status = wait_for(end->pid);
	free(end);
	return status;
}
