/* SPDX-License-Identifier: Apache-2.0 */
/*
 * threads.c - pthread_create() of the pager and of the program.
 *
 * Threads of the pager are created inside, stay inside, and get stacks of our own: libc's cache of
 * stacks has vectors of thread-local storage that other threads allocated on the paged heap.
 *
 * Threads of the program are counted. A process ends when its last thread does, and libc counts
 * the pager's too, so a program whose main thread calls pthread_exit() would never end. The count
 * goes down in the last round of the destructors of thread-specific data, in which nothing of the
 * program's is left to be done.
 *
 * Locks: the count is atomic.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload.h"

#define STACK_BYTES ((size_t)512 << 10)

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

struct start {
	void *(*run)(void *);
	void *argument;
};

static _Atomic int threads = 1;  /* of the program, that we saw begin */
static _Atomic unsigned int own; /* of the pager */
static pthread_key_t key;        /* its value: the round of destructors, 1 while the thread runs */
static bool counting;            /* [I] */

/*
 * Is there no thread but the caller and the pager's? The links of the folder that lists them tell;
 * a main thread that ended is listed until the process ends. (A thread may have been made past us.)
 */
static bool is_last(void)
{
	struct stat status;
	unsigned int listed = 2 + own + 1 + (gettid() != getpid());

	return stat("/proc/self/task", &status) == 0 && (unsigned int)status.st_nlink == listed;
}

static void at_thread_end(void *value)
{
	uintptr_t round = (uintptr_t)value;

	if (round < PTHREAD_DESTRUCTOR_ITERATIONS) {
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): a number, never followed. */
		(void)pthread_setspecific(key, (void *)(round + 1));
		return;
	}
	zp_robust_pin();
	zp_scratch_thread_ends();
	if (atomic_fetch_sub(&threads, 1) == 1 && is_last()) {
		exit(0);
	}
}

void zp_threads_open(void)
{
	counting = pthread_key_create(&key, at_thread_end) == 0 &&
		   pthread_setspecific(key, (void *)1) == 0;
}

/* The forking thread is the only one; the pager makes its own again. */
void zp_threads_forked(void)
{
	atomic_store(&threads, 1);
	atomic_store(&own, 0);
}

static void *run_inside(void *argument)
{
	struct start start = *(struct start *)argument;

	zp_inside = 1;
	zp_private_free(argument);
	return start.run(start.argument);
}

static void *run_counted(void *argument)
{
	struct start start = *(struct start *)argument;

	zp_private_free(argument);
	(void)pthread_setspecific(key, (void *)1);
	return start.run(start.argument);
}

static int create_inside(create_fn *real, pthread_t *thread, struct start *start)
{
	pthread_attr_t attr;
	void *stack;
	int error;

	stack = zp_sys_mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (stack == MAP_FAILED) {
		return EAGAIN;
	}
	(void)zp_sys_mprotect(stack, Z_PAGE_SIZE, PROT_NONE);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstack(&attr, stack, STACK_BYTES);
	error = real(thread, &attr, run_inside, start);
	(void)pthread_attr_destroy(&attr);
	if (error != 0) {
		(void)zp_sys_munmap(stack, STACK_BYTES);
		return error;
	}
	atomic_fetch_add(&own, 1);
	return 0;
}

static int create_counted(create_fn *real, pthread_t *thread, const pthread_attr_t *attr,
			  struct start *start)
{
	size_t bytes = 0;
	void *stack = NULL;
	int error;

	if (attr != NULL && pthread_attr_getstack(attr, &stack, &bytes) == 0 && stack != NULL &&
	    !zp_stack_pin(stack, bytes)) {
		return EAGAIN;
	}
	atomic_fetch_add(&threads, 1);
	/* libc frees the vector of thread-local storage with all signals blocked. */
	zp_inside++;
	error = real(thread, attr, run_counted, start);
	zp_inside--;
	if (error != 0) {
		atomic_fetch_sub(&threads, 1);
	}
	return error;
}

ZP_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			     void *argument)
{
	static create_fn *_Atomic real;
	struct start *start;
	int error;

	if (real == NULL) {
		real = (create_fn *)zp_real("pthread_create");
	}
	if (!zp_inside && !counting) {
		return real(thread, attr, run, argument);
	}
	start = zp_private_alloc(sizeof(*start), ZP_HEAP_ALIGN);
	if (start == NULL) {
		return EAGAIN;
	}
	*start = (struct start){run, argument};
	error = zp_inside ? create_inside(real, thread, start)
			  : create_counted(real, thread, attr, start);
	if (error != 0) {
		zp_private_free(start);
	}
	return error;
}
