/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork.c - fork() of a program whose heap is paged.
 *
 * The pager gives the child its memory between the clone and the first touch of the heap. libc's
 * fork() leaves no such moment (its own child half touches FILE structures, which lie on the heap),
 * so this fork() is put together from libc's _Fork() and what libc does around it: the handlers of
 * pthread_atfork(), which we collect, and the locks of stdio. Not repeated, because nothing outside
 * of libc can: the locks of the dynamic linker and of the stack cache. They matter only if another
 * thread of the program was in dlopen() or pthread_create() at that moment, and the child then
 * calls the same; POSIX does not allow it to.
 *
 * The child's pager needs a thread before it can serve faults, and libc makes no thread without a
 * look at the locale and at the list of loaded libraries, both on the heap. These are pinned over
 * the fork, so that the child has them.
 *
 * Memory that the pager cannot give to a child: fork() fails with ENOMEM and a line says why.
 * vfork() and posix_spawn() share the memory and need nothing. daemon() and forkpty() call libc's
 * own fork(), so they are here too. A bare clone() without CLONE_VM gets a child whose heap is not
 * there: it is said, and the child dies of SIGSEGV at the first touch.
 *
 * Locks: the list of handlers has a mutex, held over the whole of fork().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <locale.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utmp.h>

#include "preload.h"

#define HANDLERS_MAX    128
#define FILE_LOCK_BYTES 16

struct handler {
	void (*prepare)(void);
	void (*parent)(void);
	void (*child)(void);
	void *owner;
};

/* libc gives these away for the sake of other implementations of fork(). */
extern void _IO_list_lock(void);
extern void _IO_list_unlock(void);
extern void _IO_list_resetlock(void);
extern void *_IO_iter_begin(void);
extern void *_IO_iter_end(void);
extern void *_IO_iter_next(void *iter);
extern FILE *_IO_iter_file(void *iter);

pid_t __fork(void);
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
		      void *owner);
void __cxa_finalize(void *owner);

typedef void finalize_fn(void *);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct handler handlers[HANDLERS_MAX]; /* under lock */
static size_t nhandlers;                      /* under lock */

/* pthread_atfork() of every library ends here. */
ZP_EXPORT int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
				void *owner)
{
	int error = ENOMEM;

	(void)pthread_mutex_lock(&lock);
	if (nhandlers < HANDLERS_MAX) {
		handlers[nhandlers++] = (struct handler){prepare, parent, child, owner};
		error = 0;
	}
	(void)pthread_mutex_unlock(&lock);
	return error;
}

/* Each library calls this when it is unloaded, with what it registered its handlers with. */
ZP_EXPORT void __cxa_finalize(void *owner)
{
	static finalize_fn *_Atomic real;
	size_t kept = 0;

	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; owner != NULL && i < nhandlers; i++) {
		if (handlers[i].owner != owner) {
			handlers[kept++] = handlers[i];
		}
	}
	nhandlers = owner != NULL ? kept : nhandlers;
	(void)pthread_mutex_unlock(&lock);
	if (real == NULL) {
		real = (finalize_fn *)zp_real("__cxa_finalize");
	}
	real(owner);
}

static void run_prepare(void)
{
	(void)pthread_mutex_lock(&lock);
	for (size_t i = nhandlers; i-- > 0;) {
		if (handlers[i].prepare != NULL) {
			handlers[i].prepare();
		}
	}
}

static void run_after(bool in_child)
{
	for (size_t i = 0; i < nhandlers; i++) {
		void (*run)(void) = in_child ? handlers[i].child : handlers[i].parent;

		if (run != NULL) {
			run();
		}
	}
	(void)pthread_mutex_unlock(&lock);
}

/* The locks of FILEs that threads held that are not here any more. */
static void free_files(void)
{
	for (void *at = _IO_iter_begin(); at != _IO_iter_end(); at = _IO_iter_next(at)) {
		FILE *file = _IO_iter_file(at);

		if (file->_lock != NULL) {
			memset(file->_lock, 0, FILE_LOCK_BYTES);
		}
	}
	_IO_list_resetlock();
}

/* ---- what a new thread of libc looks at, all of it inside ---------------------------------- */

#define LINK_MAP_BYTES 1536
#define LOCALE_BYTES   1536
#define PINS_MAX       1024

static const void *locale_data;    /* under lock: of the global locale, or NULL */
static const char *pins[PINS_MAX]; /* under lock: pages that are pinned over the fork */
static size_t npins;               /* under lock */

/* Where the global locale's character classes are. Outside: it allocates. */
static void find_locale(void)
{
	locale_t copy = duplocale(LC_GLOBAL_LOCALE);

	locale_data = NULL;
	if (copy != (locale_t)0) {
		locale_data = copy->__locales[LC_CTYPE];
		freelocale(copy);
	}
}

static int pin(struct zpager *z, const void *address, size_t bytes)
{
	const char *page = (const char *)address - ((uintptr_t)address & Z_PAGE_MASK);

	if (address == NULL || !zpager_contains(z, address)) {
		return 0;
	}
	for (; page < (const char *)address + bytes; page += Z_PAGE_SIZE) {
		int error = zpager_pin(z, page, Z_PAGE_SIZE);

		if (error == Z_ERR_FAULT) {
			continue; /* what it holds ends before */
		}
		if (error != 0) {
			return error;
		}
		pins[npins++] = page;
		if (npins == PINS_MAX) {
			return Z_ERR_NOMEM;
		}
	}
	return 0;
}

static void unpin(struct zpager *z)
{
	while (npins > 0) {
		if (zpager_unpin(z, pins[--npins], Z_PAGE_SIZE) != 0) {
			abort();
		}
	}
}

static int pin_all(struct zpager *z)
{
	int error = pin(z, locale_data, LOCALE_BYTES);

	for (const struct link_map *map = _r_debug.r_map; map != NULL && error == 0;
	     map = map->l_next) {
		error = pin(z, map, LINK_MAP_BYTES);
	}
	return error;
}

/* Inside: the pager of the child, its descriptors high again, its reporter. */
static void begin_child(struct zpager *z)
{
	struct zp_fd_fill fill;

	zp_threads_forked();
	zp_fds_push_high(&fill);
	if (zpager_fork_child(z) != 0) {
		(void)fprintf(stderr, "zpager: a forked child cannot have its memory: %s\n",
			      zpager_last_error(z));
		(void)syscall(SYS_exit_group, 2);
	}
	zp_fds_settle(&fill);
	zp_trace_forked();
	zp_report_forked();
	zp_report_thread();
}

/* Inside, signals blocked: the clone itself. */
static pid_t fork_inside(struct zpager *z, int *errno_out)
{
	int error = pin_all(z);
	pid_t pid;

	if (error == 0) {
		error = zpager_fork_prepare(z);
	}
	if (error != 0) {
		static atomic_bool said;
		char text[ZR_TEXT_BYTES];

		(void)snprintf(text, sizeof(text), "fork is refused: %s", zpager_last_error(z));
		zp_note(&said, text);
		unpin(z);
		*errno_out = ENOMEM;
		return -1;
	}
	zp_private_lock();
	pid = _Fork();
	*errno_out = errno;
	zp_private_unlock();
	if (pid == 0) {
		begin_child(z);
	} else {
		zpager_fork_parent(z, pid);
	}
	unpin(z);
	return pid;
}

static long fork_args(const long *unused)
{
	(void)unused;
	return fork();
}

ZP_EXPORT pid_t fork(void)
{
	struct zpager *z = zp_pager();
	struct zp_entry entry;
	int error = 0;
	pid_t pid;

	if (z == NULL) {
		return _Fork();
	}
	if (ZP_UNLIKELY(zp_stack_is_paged())) {
		const long none[ZP_CALL_ARGS] = {0};

		return (pid_t)zp_on_private_stack(fork_args, none);
	}
	run_prepare();
	find_locale();
	_IO_list_lock();
	zp_enter(&entry);
	pid = fork_inside(z, &error);
	zp_leave(&entry);
	if (pid == 0) {
		free_files();
	} else {
		_IO_list_unlock();
	}
	run_after(pid == 0);
	if (pid < 0) {
		errno = error;
	}
	return pid;
}

ZP_EXPORT pid_t __fork(void)
{
	return fork();
}

ZP_EXPORT int daemon(int stay, int keep_files)
{
	pid_t pid = fork();
	int null;

	if (pid < 0) {
		return -1;
	}
	if (pid > 0) {
		_exit(0);
	}
	if (setsid() < 0) {
		return -1;
	}
	if (!stay) {
		(void)!chdir("/");
	}
	null = keep_files ? -1 : open("/dev/null", O_RDWR);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
	}
	if (null > STDERR_FILENO) {
		(void)close(null);
	}
	return 0;
}

ZP_EXPORT pid_t forkpty(int *master_out, char *name, const struct termios *terminal,
			const struct winsize *size)
{
	int slave;
	pid_t pid;

	if (openpty(master_out, &slave, name, terminal, size) != 0) {
		return -1;
	}
	pid = fork();
	if (pid == 0) {
		(void)close(*master_out);
		if (login_tty(slave) != 0) {
			_exit(1);
		}
		return 0;
	}
	(void)close(slave);
	if (pid < 0) {
		(void)close(*master_out);
	}
	return pid;
}

typedef int clone_fn(int (*)(void *), void *, int, void *, pid_t *, void *, pid_t *);

ZP_EXPORT int clone(int (*run)(void *), void *stack, int flags, void *argument, ...)
{
	static clone_fn *_Atomic real;
	static atomic_bool said;
	pid_t *parent_tid, *child_tid;
	void *tls;
	va_list more;

	va_start(more, argument);
	parent_tid = va_arg(more, pid_t *);
	tls = va_arg(more, void *);
	child_tid = va_arg(more, pid_t *);
	va_end(more);
	if (real == NULL) {
		real = (clone_fn *)zp_real("clone");
	}
	if ((flags & CLONE_VM) == 0) {
		zp_note(&said, "clone without CLONE_VM: the child has no paged memory; use fork");
	}
	zp_stack_below(stack);
	/* The kernel writes these by itself, without a word if it cannot. */
	if ((flags & CLONE_PARENT_SETTID) != 0) {
		(void)zp_stack_pin(parent_tid, sizeof(*parent_tid));
	}
	if ((flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) != 0) {
		(void)zp_stack_pin(child_tid, sizeof(*child_tid));
	}
	return real(run, stack, flags, argument, parent_tid, tls, child_tid);
}
