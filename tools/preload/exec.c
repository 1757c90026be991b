/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec.c - execve and execveat of paged strings, in signal mode.
 *
 * The kernel reads path, arguments and environment before it takes the old memory away, so all of it
 * is copied to scratch memory. In a child of vfork() that scratch memory is the parent's thread's,
 * which waits; what the child took is found to be over by the parent's next call.
 *
 * Locks: none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "calls.h"

#define STRINGS_MAX ((size_t)1 << 20) /* pointers */

/* How many pointers, the NULL included; 0: the list is not there, or not mapped. */
static size_t count(char *const *list)
{
	size_t n = 0;

	while (list != NULL && n < STRINGS_MAX) {
		if ((n == 0 || ((uintptr_t)&list[n] & Z_PAGE_MASK) < sizeof(*list)) &&
		    !zp_readable((long)&list[n], sizeof(*list))) {
			return 0;
		}
		if (list[n++] == NULL) {
			return n;
		}
	}
	return 0;
}

static size_t text_bytes(const char *text)
{
	return text != NULL && zp_is_paged((long)text) ? strlen(text) + 1 : 0;
}

static size_t list_bytes(char *const *list, size_t n)
{
	size_t bytes = n * sizeof(*list);

	for (size_t i = 0; list != NULL && i + 1 < n; i++) {
		bytes += text_bytes(list[i]);
	}
	return bytes;
}

static char *copy_text(char *text, char **at)
{
	size_t bytes = text_bytes(text);
	char *copy = *at;

	if (bytes == 0) {
		return text;
	}
	memcpy(copy, text, bytes);
	*at += bytes;
	return copy;
}

/* The texts go to *at, the pointers to *list_at. */
static char **copy_list(char *const *list, size_t n, char ***list_at, char **at)
{
	char **copy = *list_at;

	for (size_t i = 0; i < n; i++) {
		copy[i] = copy_text(list[i], at);
	}
	*list_at += n;
	return copy;
}

long zp_do_execve(struct zp_call *call, struct zp_use *use)
{
	int first = call->nr == SYS_execveat ? 1 : 0;
	/* NOLINTBEGIN(performance-no-int-to-ptr): arguments of a system call. */
	char *path = (char *)call->arg[first];
	char *const *argv = (char *const *)call->arg[first + 1];
	char *const *envp = (char *const *)call->arg[first + 2];
	/* NOLINTEND(performance-no-int-to-ptr) */
	size_t nargv = count(argv);
	size_t nenvp = count(envp);
	char **lists;
	char *at;

	if ((argv != NULL && nargv == 0) || (envp != NULL && nenvp == 0) ||
	    !zp_readable((long)path, 1)) {
		return -EFAULT;
	}
	lists = zp_scratch_take(
		use, list_bytes(argv, nargv) + list_bytes(envp, nenvp) + text_bytes(path) + 16,
		NULL);
	if (lists == NULL) {
		return -ENOMEM;
	}
	at = (char *)(lists + nargv + nenvp);
	call->arg[first] = (long)copy_text(path, &at);
	if (argv != NULL) {
		call->arg[first + 1] = (long)copy_list(argv, nargv, &lists, &at);
	}
	if (envp != NULL) {
		call->arg[first + 2] = (long)copy_list(envp, nenvp, &lists, &at);
	}
	return zp_perform(call);
}
