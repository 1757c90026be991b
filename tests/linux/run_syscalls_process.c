/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_syscalls_process.c - threads, locks, signals, timers and other programs, whose words, stacks and
 * arguments lie in memory that is out when the kernel looks at them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "syscalls_common.h"

extern char **environ;

#define STACK_PAGES ((size_t)16)

static pthread_t thread_of(void *(*run)(void *), void *argument)
{
	pthread_t thread;

	sc_must(pthread_create(&thread, NULL, run, argument) == 0, "a thread");
	return thread;
}

/* ---- futexes ---------------------------------------------------------------------------------- */

static atomic_bool waiting;

static void *wait_for_word(void *argument)
{
	_Atomic int *word = argument;

	atomic_store(&waiting, true);
	while (atomic_load(word) == 0) {
		(void)syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
	}
	return NULL;
}

static void until_waiting(void)
{
	while (!atomic_exchange(&waiting, false)) {
		(void)sched_yield();
	}
	/* It may not sleep yet; both orders have to work. */
	(void)usleep(2000);
}

static void test_futex(char *memory)
{
	_Atomic int *word = SC_AT(memory, 3), *other = SC_AT(memory, 4);
	struct timespec *limit = SC_AT(memory, 5);
	pthread_t thread;

	for (int round = 0; round < 5; round++) {
		atomic_store(word, 0);
		sc_out();
		thread = thread_of(wait_for_word, (void *)word);
		until_waiting();
		sc_push_out();
		atomic_store(word, 1);
		sc_push_out();
		(void)syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
		sc_result("join", pthread_join(thread, NULL));
	}
	*limit = (struct timespec){.tv_nsec = 1000000};
	atomic_store(word, 7);
	sc_out();
	sc_result("wait", syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 7, limit, NULL, 0));
	sc_out();
	sc_result("not that", syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 8, limit, NULL, 0));
	sc_out();
	sc_result("requeue", syscall(SYS_futex, word, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1L, other, 7));
}

/* Of these the kernel writes the word itself, and waits for no pager: they work where they are locked. */
static void test_futexes_that_the_kernel_writes(char *memory)
{
	_Atomic int *word = SC_AT(memory, 3), *other = SC_AT(memory, 4);

	sc_result("mlock", mlock(word, 2 * SC_PAGE));
	atomic_store(other, 5);
	sc_push_out();
	sc_result("wake_op", syscall(SYS_futex, word, FUTEX_WAKE_OP_PRIVATE, 1, 1L, other,
				     FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_GT, 0)));
	sc_say("%d\n", atomic_load(other));
	atomic_store(word, 0);
	sc_push_out();
	sc_press();
	sc_result("lock_pi", syscall(SYS_futex, word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	sc_push_out();
	sc_result("unlock_pi", syscall(SYS_futex, word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	sc_result("munlock", munlock(word, 2 * SC_PAGE));
}

struct shared {
	pthread_mutex_t lock;
	char between[SC_PAGE];
	pthread_cond_t changed;
	char more[SC_PAGE];
	sem_t semaphore;
	pthread_barrier_t barrier;
	int turns;
};

static void *take_turns(void *argument)
{
	struct shared *shared = argument;

	(void)pthread_barrier_wait(&shared->barrier);
	for (int i = 0; i < 100; i++) {
		(void)pthread_mutex_lock(&shared->lock);
		while (shared->turns % 2 == 0) {
			(void)pthread_cond_wait(&shared->changed, &shared->lock);
		}
		shared->turns++;
		(void)pthread_cond_signal(&shared->changed);
		(void)pthread_mutex_unlock(&shared->lock);
	}
	(void)sem_post(&shared->semaphore);
	return NULL;
}

static void locks_of_kind(char *memory, int protocol)
{
	struct shared *shared = SC_AT(memory, 3);
	pthread_mutexattr_t kind;
	pthread_t thread;

	memset(shared, 0, sizeof(*shared));
	(void)pthread_mutexattr_init(&kind);
	(void)pthread_mutexattr_setprotocol(&kind, protocol);
	sc_result("mutex", pthread_mutex_init(&shared->lock, &kind));
	sc_result("cond", pthread_cond_init(&shared->changed, NULL));
	sc_result("sem", sem_init(&shared->semaphore, 0, 0));
	sc_result("barrier", pthread_barrier_init(&shared->barrier, NULL, 2));
	thread = thread_of(take_turns, shared);
	sc_push_out();
	(void)pthread_barrier_wait(&shared->barrier);
	for (int i = 0; i < 100; i++) {
		sc_push_out();
		(void)pthread_mutex_lock(&shared->lock);
		while (shared->turns % 2 == 1) {
			(void)pthread_cond_wait(&shared->changed, &shared->lock);
		}
		shared->turns++;
		sc_push_out();
		(void)pthread_cond_signal(&shared->changed);
		(void)pthread_mutex_unlock(&shared->lock);
	}
	sc_push_out();
	sc_result("sem", sem_wait(&shared->semaphore));
	sc_result("join", pthread_join(thread, NULL));
	sc_say("%d turns\n", shared->turns);
}

static void test_locks(char *memory)
{
	locks_of_kind(memory, PTHREAD_PRIO_NONE);
}

static void test_locks_with_priority(char *memory)
{
	locks_of_kind(memory, PTHREAD_PRIO_INHERIT);
}

static void *die_with_locks(void *argument)
{
	pthread_mutex_t *const *locks = argument;

	for (size_t i = 0; i < 4; i++) {
		(void)pthread_mutex_lock(locks[i]);
	}
	sc_push_out();
	return NULL;
}

/* The kernel walks the list of the locks, which lies in them, when the thread ends. */
static void test_robust_locks(char *memory)
{
	pthread_mutex_t *locks[4];
	pthread_mutexattr_t kind;

	(void)pthread_mutexattr_init(&kind);
	(void)pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
	for (size_t i = 0; i < 4; i++) {
		locks[i] = SC_AT(memory, 3 * i + 1);
		(void)pthread_mutex_init(locks[i], &kind);
	}
	sc_push_out(); /* their pages stay */
	sc_press();
	sc_result("join", pthread_join(thread_of(die_with_locks, (void *)locks), NULL));
	for (size_t i = 0; i < 4; i++) {
		int error;

		sc_push_out();
		error = pthread_mutex_lock(locks[i]);
		sc_say("%s\n", error == EOWNERDEAD ? "its owner is dead" : strerror(error));
		sc_result("again", pthread_mutex_consistent(locks[i]));
		sc_result("unlock", pthread_mutex_unlock(locks[i]));
		sc_result("destroy", pthread_mutex_destroy(locks[i]));
	}
	sc_out(); /* nothing is pinned any more */
}

/* ---- stacks ----------------------------------------------------------------------------------- */

static atomic_int handled;

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	sc_push_out();
	atomic_fetch_add(&handled, number + info->si_value.sival_int);
}

/* A thread whose stack, thread-local storage and registered words are out again and again. */
static void *live_on_stack(void *argument)
{
	static __thread char local[2 * SC_PAGE];
	volatile char more[4 * SC_PAGE];
	union sigval value = {.sival_int = 1000};
	int *ends = argument;

	for (size_t i = 0; i < 50; i++) {
		local[i * 100] = (char)i;
		more[i * 100] = (char)i;
		sc_push_out();
		(void)write(ends[1], (const char *)more + i * 100, 1);
		(void)sched_yield();
		sc_push_out();
		if (i % 10 == 0) {
			(void)pthread_sigqueue(pthread_self(), SIGUSR1, value);
		}
		(void)poll(NULL, 0, 1);
		sc_push_out();
		(void)read(ends[0], local + 100 * i, 1);
	}
	for (size_t i = 0; i < 50; i++) {
		sc_must(local[i * 100] == (char)i && more[i * 100] == (char)i,
			"what the thread wrote");
	}
	return argument;
}

static void test_thread_stack(char *memory)
{
	struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
	pthread_attr_t attr;
	pthread_t thread;
	void *result;
	int ends[2];

	atomic_store(&handled, 0);
	sc_must(pipe(ends) == 0 && sigaction(SIGUSR1, &act, NULL) == 0, "preparations");
	(void)pthread_attr_init(&attr);
	sc_result("stack", pthread_attr_setstack(&attr, SC_AT(memory, 4), 32 * SC_PAGE));
	sc_result("create", pthread_create(&thread, &attr, live_on_stack, ends));
	sc_result("join", pthread_join(thread, &result));
	sc_say("%d, handled %d\n", result == ends, atomic_load(&handled));
}

static void test_signal_stack(char *memory)
{
	struct sigaction *act = SC_AT(memory, 50);
	stack_t *stack = SC_AT(memory, 51);
	siginfo_t *info = SC_AT(memory, 52);
	sigset_t *set = SC_AT(memory, 53);
	union sigval value = {.sival_int = 500};
	stack_t off = {.ss_flags = SS_DISABLE};

	atomic_store(&handled, 0);
	*act = (struct sigaction){.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	sc_out();
	sc_result("sigaction", sigaction(SIGUSR2, act, NULL));
	*stack = (stack_t){.ss_sp = SC_AT(memory, 10), .ss_size = STACK_PAGES * SC_PAGE};
	sc_out();
	sc_result("sigaltstack", sigaltstack(stack, NULL));
	for (int i = 0; i < 20; i++) {
		sc_push_out();
		(void)sigqueue(getpid(), SIGUSR2, value);
	}
	sc_say("handled %d\n", atomic_load(&handled));
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGUSR2);
	sc_push_out();
	sc_result("sigprocmask", sigprocmask(SIG_BLOCK, set, NULL));
	(void)sigqueue(getpid(), SIGUSR2, value);
	sc_push_out();
	sc_result("sigpending", sigpending(SC_AT(memory, 54)));
	sc_push_out();
	sc_result("sigwaitinfo", sigwaitinfo(set, info));
	sc_say("%d %d\n", info->si_signo, info->si_value.sival_int);
	(void)sigqueue(getpid(), SIGUSR2, value);
	sc_push_out();
	sc_result("signalfd", read(signalfd(-1, set, 0), SC_AT(memory, 55), 1000));
	sc_say("%d\n", ((struct signalfd_siginfo *)SC_AT(memory, 55))->ssi_int);
	sc_push_out();
	sc_result("sigprocmask", sigprocmask(SIG_UNBLOCK, set, NULL));
	sc_result("sigaltstack", sigaltstack(&off, SC_AT(memory, 56)));
}

static int on_cloned_stack(void *argument)
{
	/* The parent's thread-local words are shared, so it calls nothing of libc. */
	volatile char more[4 * SC_PAGE];

	for (size_t i = 0; i < sizeof(more); i += 100) {
		more[i] = (char)i;
	}
	*(volatile int *)argument += 1 + more[0];
	return 5;
}

static void test_clone_with_vm(char *memory)
{
	pid_t *tid = SC_AT(memory, 30);
	int *word = SC_AT(memory, 31), status = 0;
	pid_t child;

	*word = 41;
	*tid = 0;
	sc_out();
	child = clone(on_cloned_stack, SC_AT(memory, 20), CLONE_VM | CLONE_PARENT_SETTID | SIGCHLD,
		      word, tid);
	sc_say("%d\n", child > 0 && *tid == child);
	sc_push_out();
	sc_result("wait", waitpid(child, &status, 0) == child ? 0 : -1);
	sc_say("%d %x\n", *word, (unsigned int)status);
}

/* ---- other programs --------------------------------------------------------------------------- */

/* argv and environment in the region, strings across pages. */
static char **arguments(char *memory, const char *script)
{
	char **list = SC_AT(memory, 2);

	list[0] = strcpy(memory + 4 * SC_PAGE - 3, "sh");
	list[1] = strcpy(memory + 6 * SC_PAGE - 1, "-c");
	list[2] = strcpy(memory + 8 * SC_PAGE - 4, script);
	list[3] = NULL;
	list[4] = strcpy(memory + 10 * SC_PAGE - 5, "WORD=from the environment");
	list[5] = NULL;
	(void)strcpy(SC_AT(memory, 12) - 3, "/bin/sh");
	return list;
}

static void status_and_words(pid_t child, int fd, char *memory)
{
	int status = 0;
	long n;

	sc_push_out();
	n = read(fd, SC_AT(memory, 20), 100);
	sc_result("read", n);
	sc_say("%.*s\n", (int)n, (char *)SC_AT(memory, 20));
	sc_push_out();
	sc_result("wait4", wait4(child, SC_AT(memory, 22), 0, SC_AT(memory, 23)) == child ? 0 : -1);
	status = *(int *)SC_AT(memory, 22);
	sc_say("status %x\n", (unsigned int)status);
}

static void test_vfork_and_exec(char *memory)
{
	char **list = arguments(memory, "echo $0 $WORD >&9; exit 3");
	int ends[2];
	pid_t child;

	sc_must(pipe(ends) == 0, "a pipe");
	sc_out();
	child = vfork();
	if (child == 0) {
		(void)dup2(ends[1], 9);
		(void)execve(SC_AT(memory, 12) - 3, list, list + 4);
		_exit(99);
	}
	status_and_words(child, ends[0], memory);
}

static void test_posix_spawn(char *memory)
{
	char **list = arguments(memory, "echo $0 $WORD >&9; exit 4");
	posix_spawn_file_actions_t *actions = SC_AT(memory, 14);
	int ends[2], error;
	pid_t *child = SC_AT(memory, 16);

	sc_must(pipe(ends) == 0, "a pipe");
	(void)posix_spawn_file_actions_init(actions);
	(void)posix_spawn_file_actions_adddup2(actions, ends[1], 9);
	(void)posix_spawn_file_actions_addclosefrom_np(actions, 10);
	sc_out();
	error = posix_spawn(child, SC_AT(memory, 12) - 3, actions, NULL, list, list + 4);
	sc_say("posix_spawn: %s\n", strerror(error));
	status_and_words(*child, ends[0], memory);
}

static void test_fork_and_exec(char *memory)
{
	char **list = arguments(memory, "echo $0 $WORD >&9; exit 5");
	int ends[2];
	pid_t child;

	sc_must(pipe(ends) == 0, "a pipe");
	sc_out();
	child = fork();
	if (child == 0) {
		(void)dup2(ends[1], 9);
		sc_push_out();
		(void)execve(SC_AT(memory, 12) - 3, list, list + 4);
		_exit(99);
	}
	status_and_words(child, ends[0], memory);
	sc_result("system", system(strcpy(SC_AT(memory, 24), "exit 6")));
}

static void test_timers(char *memory)
{
	struct sigevent *event = SC_AT(memory, 1);
	struct itimerspec *when = SC_AT(memory, 2);
	timer_t *timer = SC_AT(memory, 3);
	struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	struct rusage *usage = SC_AT(memory, 6);

	atomic_store(&handled, 0);
	sc_must(sigaction(SIGRTMIN, &act, NULL) == 0, "sigaction");
	*event = (struct sigevent){.sigev_notify = SIGEV_SIGNAL,
				   .sigev_signo = SIGRTMIN,
				   .sigev_value = {.sival_int = 77}};
	sc_out();
	sc_result("timer_create", timer_create(CLOCK_MONOTONIC, event, timer));
	*when = (struct itimerspec){.it_value = {.tv_nsec = 1000000}};
	sc_out();
	sc_result("timer_settime", timer_settime(*timer, 0, when, SC_AT(memory, 4)));
	while (atomic_load(&handled) == 0) {
		(void)usleep(1000);
	}
	sc_say("handled %d\n", atomic_load(&handled) - SIGRTMIN);
	sc_out();
	sc_result("timer_gettime", timer_gettime(*timer, SC_AT(memory, 5)));
	sc_out();
	sc_result("getrusage", getrusage(RUSAGE_SELF, usage));
	sc_result("timer_delete", timer_delete(*timer));
	sc_out();
	sc_result("affinity", sched_getaffinity(0, SC_PAGE, SC_AT(memory, 7)));
}

int main(int argc, char **argv)
{
	static const struct sc_test tests[] = {
		{"futex", test_futex},
		{"futexes_that_the_kernel_writes", test_futexes_that_the_kernel_writes},
		{"locks", test_locks},
		{"locks_with_priority", test_locks_with_priority},
		{"robust_locks", test_robust_locks},
		{"thread_stack", test_thread_stack},
		{"signal_stack", test_signal_stack},
		{"clone_with_vm", test_clone_with_vm},
		{"vfork_and_exec", test_vfork_and_exec},
		{"posix_spawn", test_posix_spawn},
		{"fork_and_exec", test_fork_and_exec},
		{"timers", test_timers},
		{NULL, NULL},
	};

	return sc_main(argc, argv, tests);
}
