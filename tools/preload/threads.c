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
 * A thread may be given a stack in paged memory (pthread_attr_setstack). libc puts the thread's own words
 * at its top: thread-local storage, which code inside touches too, and the word by which the kernel tells
 * that the thread ended, which it does not write to a page that is out (pthread_join() would wait for
 * ever). So the top is pinned, until a later pthread_create() of this kind finds that the thread is gone.
 *
 * Locks: none; the count and the states of the tops are atomic.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload.h"

#define STACK_BYTES ((size_t)512 << 10)
#define TOPS_MAX    256
#define TOP_BYTES   ((size_t)16 << 10) /* beside the thread-local storage of what is loaded */

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

struct start {
	void *(*run)(void *);
	void *argument;
	struct top *top; /* of a stack that is paged; or NULL */
};

struct top {
	void *address;
	size_t bytes;
	_Atomic pid_t tid; /* FREE, BEGINNING or of the thread */
};

enum {
	FREE = 0,
	BEGINNING = -1,
};

static _Atomic int threads = 1;  /* of the program, that we saw begin */
static _Atomic unsigned int own; /* of the pager */
static pthread_key_t key;        /* its value: the round of destructors, 1 while the thread runs */
static bool counting;            /* [I] */
static struct top tops[TOPS_MAX];

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

/* ---- stacks that are paged ------------------------------------------------------------------ */

static int add_storage(struct dl_phdr_info *info, size_t bytes, void *sum)
{
	(void)bytes;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type == PT_TLS) {
			*(size_t *)sum += info->dlpi_phdr[i].p_memsz + info->dlpi_phdr[i].p_align;
		}
	}
	return 0;
}

/* Free again are the tops of threads that have ended. */
static struct top *take_top(void)
{
	for (size_t i = 0; i < TOPS_MAX; i++) {
		pid_t tid = atomic_load(&tops[i].tid);

		if (tid == BEGINNING ||
		    (tid != FREE &&
		     (syscall(SYS_tgkill, getpid(), tid, 0) == 0 || errno != ESRCH))) {
			continue;
		}
		if (atomic_compare_exchange_strong(&tops[i].tid, &tid, BEGINNING)) {
			if (tid != FREE) {
				zp_unpin(tops[i].address, tops[i].bytes);
			}
			return &tops[i];
		}
	}
	return NULL;
}

/* 0, and a top if the stack is paged; else an error number. */
static int pin_top(const pthread_attr_t *attr, struct top **top_out)
{
	size_t storage = TOP_BYTES;
	size_t bytes = 0;
	void *stack = NULL;
	struct top *top;

	*top_out = NULL;
	if (attr == NULL || pthread_attr_getstack(attr, &stack, &bytes) != 0 || stack == NULL ||
	    zp_paged(stack) == NULL) {
		return 0;
	}
	(void)dl_iterate_phdr(add_storage, &storage);
	storage = storage < bytes ? storage : bytes;
	top = take_top();
	if (top == NULL) {
		return EAGAIN;
	}
	top->address = (char *)stack + bytes - storage;
	top->bytes = storage;
	if (mlock(top->address, storage) != 0) {
		atomic_store(&top->tid, FREE);
		return EAGAIN;
	}
	*top_out = top;
	return 0;
}

static void drop_top(struct top *top)
{
	if (top != NULL) {
		zp_unpin(top->address, top->bytes);
		atomic_store(&top->tid, FREE);
	}
}

static void *run_counted(void *argument)
{
	struct start start = *(struct start *)argument;

	if (start.top != NULL) {
		atomic_store(&start.top->tid, gettid());
	}
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
	int error = pin_top(attr, &start->top);

	if (error != 0) {
		return error;
	}
	if (attr != NULL && pthread_attr_getstack(attr, &stack, &bytes) == 0 && stack != NULL &&
	    !zp_stack_pin(stack, bytes)) {
		drop_top(start->top);
		return EAGAIN;
	}
	atomic_fetch_add(&threads, 1);
	/* libc frees the vector of thread-local storage with all signals blocked. */
	zp_inside++;
	error = real(thread, attr, run_counted, start);
	zp_inside--;
	if (error != 0) {
		drop_top(start->top);
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
	*start = (struct start){run, argument, NULL};
	error = zp_inside ? create_inside(real, thread, start)
			  : create_counted(real, thread, attr, start);
	if (error != 0) {
		zp_private_free(start);
	}
	return error;
}
