/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_syscalls_signals.c - system calls on memory that is out, while signals come: interrupted, repeated,
 * jumped out of, cancelled; and what a program does with the signals that signal mode needs itself.
 *
 * Each test begins by setting back what its run on plain memory left in the process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "syscalls_common.h"

static atomic_int alarms;
static int late_end; /* where the handler writes, so that a repeated call ends */
static sigjmp_buf place;

static void on_alarm(int number)
{
	(void)number;
	atomic_fetch_add(&alarms, 1);
	if (late_end >= 0) {
		(void)!write(late_end, "late", 4);
	}
}

static void jump(int number)
{
	(void)number;
	siglongjmp(place, 1);
}

static void handle(int number, void (*handler)(int), int flags)
{
	struct sigaction act = {.sa_handler = handler, .sa_flags = flags};

	sc_must(sigaction(number, &act, NULL) == 0, "sigaction");
}

static void alarm_soon(void)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 20000}};

	sc_must(setitimer(ITIMER_REAL, &soon, NULL) == 0, "a timer");
}

static void test_interrupted(char *memory)
{
	int ends[2];

	sc_must(pipe(ends) == 0, "a pipe");
	late_end = -1;
	atomic_store(&alarms, 0);
	handle(SIGALRM, on_alarm, 0);
	sc_out();
	alarm_soon();
	sc_result("read", read(ends[0], memory + 5, 10000));
	sc_say("%d\n", atomic_load(&alarms));
	late_end = ends[1];
	handle(SIGALRM, on_alarm, SA_RESTART);
	sc_push_out();
	alarm_soon();
	sc_result("read again", read(ends[0], memory + 5, 10000));
	sc_say("%d %.4s\n", atomic_load(&alarms), memory + 5);
}

/* More often than scratch memory could nest, then a call of every size. */
static void test_jumped_out(char *memory)
{
	char *volatile to = memory;
	volatile int jumps = 0;
	int ends[2];

	sc_must(pipe(ends) == 0, "a pipe");
	handle(SIGALRM, jump, SA_NODEFER);
	while (jumps < 30) {
		if (sigsetjmp(place, 1) == 0) {
			alarm_soon();
			sc_push_out();
			(void)!read(ends[0], to, 60000);
		}
		jumps = jumps + 1;
	}
	sc_say("%d jumps\n", jumps);
	sc_must(write(ends[1], "after all", 9) == 9, "write");
	sc_push_out();
	sc_result("read", read(ends[0], memory + 3, 60000));
	sc_say("%.9s\n", memory + 3);
}

static void cleaned(void *argument)
{
	*(int *)argument = 1;
}

struct blocked {
	char *memory;
	int fd, cleaned;
};

static void *block(void *argument)
{
	struct blocked *b = argument;

	pthread_cleanup_push(cleaned, &b->cleaned);
	(void)!read(b->fd, b->memory + 100, 5000);
	pthread_cleanup_pop(0);
	return NULL;
}

static void test_cancelled(char *memory)
{
	struct blocked b = {.memory = memory};
	pthread_t thread;
	void *result;
	int ends[2];

	sc_must(pipe(ends) == 0, "a pipe");
	b.fd = ends[0];
	sc_out();
	sc_must(pthread_create(&thread, NULL, block, &b) == 0, "a thread");
	(void)usleep(30000);
	sc_result("cancel", pthread_cancel(thread));
	sc_result("join", pthread_join(thread, &result));
	sc_say("%d %d\n", result == PTHREAD_CANCELED, b.cleaned);
}

static void say_mask(const char *name, const sigset_t *set)
{
	sc_say("%s: %d %d %d\n", name, sigismember(set, SIGBUS), sigismember(set, SIGSYS),
	       sigismember(set, SIGUSR1));
}

static char *region;

static void touch_region(int number)
{
	(void)number;
	sc_push_out();
	region[SC_PAGE * 3]++;
	sc_push_out();
	sc_result("read", read(-1, region, 100));
}

static void test_masks(char *memory)
{
	sigset_t *set = SC_AT(memory, 1), *before = SC_AT(memory, 2);
	sigset_t all_but_alarm;

	region = memory;
	(void)sigemptyset(set);
	sc_must(sigprocmask(SIG_SETMASK, set, NULL) == 0, "an empty mask");
	(void)sigfillset(set);
	sc_out();
	sc_result("block all", sigprocmask(SIG_SETMASK, set, before));
	say_mask("before", before);
	sc_push_out();
	sc_result("read", read(-1, memory + 9, 100));
	memory[10 * SC_PAGE]++;
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGSYS);
	sc_push_out();
	sc_result("unblock one", pthread_sigmask(SIG_UNBLOCK, set, before));
	say_mask("before", before);
	sc_push_out();
	sc_result("ask", sigprocmask(SIG_BLOCK, NULL, before));
	say_mask("now", before);
	handle(SIGALRM, touch_region, 0);
	(void)sigfillset(&all_but_alarm);
	(void)sigdelset(&all_but_alarm, SIGALRM);
	alarm_soon();
	sc_result("sigsuspend", sigsuspend(&all_but_alarm));
	sc_say("%d\n", memory[SC_PAGE * 3]);
}

static atomic_int got;

static void count_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	atomic_fetch_add(&got, number == info->si_signo && info->si_code <= 0 ? 1 : 100);
}

static void test_own_handlers(char *memory)
{
	struct sigaction *act = SC_AT(memory, 1), *old = SC_AT(memory, 2);
	const int numbers[2] = {SIGBUS, SIGSYS};

	atomic_store(&got, 0);
	for (size_t i = 0; i < 2; i++) {
		handle(numbers[i], SIG_DFL, 0);
		*act = (struct sigaction){.sa_sigaction = count_signal, .sa_flags = SA_SIGINFO};
		sc_push_out();
		sc_result("sigaction", sigaction(numbers[i], act, old));
		sc_say("%d\n", old->sa_handler == SIG_DFL);
		sc_push_out();
		sc_result("raise", raise(numbers[i]));
		sc_push_out();
		sc_result("ask", sigaction(numbers[i], NULL, old));
		sc_say("%d %d\n", old->sa_sigaction == count_signal, atomic_load(&got));
		memory[10 * SC_PAGE]++;
		sc_result("read", read(-1, memory + 11 * SC_PAGE, 100));
	}
}

static void test_shells(char *memory)
{
	char *command = SC_AT(memory, 1);
	FILE *pipe_end;
	char *line = SC_AT(memory, 3);

	(void)strcpy(command, "echo one; exit 3");
	sc_out();
	pipe_end = popen(command, "r");
	sc_must(pipe_end != NULL, "popen");
	sc_push_out();
	sc_say("%s", fgets(line, 100, pipe_end));
	sc_result("pclose", pclose(pipe_end));
	(void)strcpy(command, "read x; exit $x");
	sc_push_out();
	pipe_end = popen(command, "w");
	sc_must(pipe_end != NULL, "popen");
	(void)fputs("7\n", pipe_end);
	sc_result("pclose", pclose(pipe_end));
	(void)strcpy(command, "kill -9 $$");
	sc_push_out();
	sc_result("system", system(command));
	sc_result("is there a shell", system(NULL) != 0);
}

int main(int argc, char **argv)
{
	static const struct sc_test tests[] = {
		{"interrupted", test_interrupted},
		{"jumped_out", test_jumped_out},
		{"cancelled", test_cancelled},
		{"masks", test_masks},
		{"own_handlers", test_own_handlers},
		{"shells", test_shells},
		{NULL, NULL},
	};

	return sc_main(argc, argv, tests);
}
