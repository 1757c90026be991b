/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_fault.c - rows of `zpager probe`: a fault from the touch to the next instruction, answered in
 * the faulting thread (SIGBUS) or by another thread, and the wake-up of a thread.
 *
 * An empty handler is called again and again by the same access, since nothing was done about it;
 * its row is the difference between a fault with IDLE idle calls before the answer and one without.
 *
 * Locks: none; a monitor thread and the one that faults meet only in the kernel.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "probe.h"
#include "../arch/linux/uffd_abi.h"

#define FAULTS 64U
#define SLOW   24U /* faults of a round, where each takes a wake-up */
#define IDLE   16
#define ROUNDS 5U
#define ASLEEP 100000 /* ns until a thread certainly sleeps */

enum {
	ANSWER_EMPTY,
	ANSWER_ZERO,
	ANSWER_COPY,
	ANSWER_MOVE,
	ANSWER_COPY_WRITE,
};

enum {
	OTHER_READ,
	OTHER_SPIN,
	SAME_READ,
	SAME_POLL,
};

static struct probe *probed; /* for the handler */
static int answer;
static volatile int idle_calls;

struct monitor {
	struct probe *p;
	bool polls;
	int cpu;
};

static void answer_fault(char *page)
{
	size_t offset = (size_t)(page - probed->area);

	if (idle_calls > 0) {
		idle_calls--;
		return;
	}
	switch (answer) {
	case ANSWER_COPY:
	case ANSWER_COPY_WRITE:
		(void)probe_copy(probed->signal_uffd, page, probed->from, 1);
		break;
	case ANSWER_MOVE:
		(void)probe_move(probed->signal_uffd, page, probed->side + offset, 1);
		break;
	default:
		(void)probe_zero(probed->signal_uffd, page);
	}
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	uintptr_t page = (uintptr_t)info->si_addr & ~(uintptr_t)(Z_PAGE_SIZE - 1);
	int saved = errno;

	(void)number;
	(void)context;
	answer_fault((char *)page);
	errno = saved;
}

static double signal_round(struct probe *p, int idle)
{
	uint64_t begin;

	probe_absent(p->area, FAULTS);
	probe_absent(p->side, FAULTS);
	if (answer == ANSWER_MOVE) {
		probe_present(p, p->signal_uffd, p->side, FAULTS);
	}
	begin = cmd_now_ns();
	for (size_t i = 0; i < FAULTS; i++) {
		volatile char *page = p->area + i * Z_PAGE_SIZE;

		idle_calls = idle;
		if (answer == ANSWER_COPY_WRITE) {
			*page = 1;
		} else {
			(void)*page;
		}
	}
	return ((double)(cmd_now_ns() - begin) - p->clock_ns) / FAULTS;
}

static double run_signal(struct probe *p, const struct probe_row *row)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct sigaction before;
	double figures[PROBE_ROUNDS];

	if (row->kind == ANSWER_MOVE && !p->can_move) {
		p->why_not = "this kernel has no UFFDIO_MOVE";
		return NAN;
	}
	probed = p;
	answer = (int)row->kind;
	(void)sigaction(SIGBUS, &action, &before);
	for (size_t i = 0; i < PROBE_ROUNDS; i++) {
		if (answer == ANSWER_EMPTY) {
			figures[i] = (signal_round(p, IDLE) - signal_round(p, 0)) / IDLE;
		} else {
			figures[i] = signal_round(p, 0);
		}
	}
	(void)sigaction(SIGBUS, &before, NULL);
	return probe_median(figures, PROBE_ROUNDS);
}

/* The last page of the watched area ends the monitor. */
static void *monitor(void *argument)
{
	struct monitor *m = argument;
	char *last = m->p->watched + (PROBE_PAGES - 1) * Z_PAGE_SIZE;
	struct uffd_msg message;
	char *page = NULL;

	probe_pin(m->cpu);
	while (page != last) {
		struct pollfd look = {.fd = m->p->monitor_uffd, .events = POLLIN};

		if (m->polls) {
			(void)poll(&look, 1, -1);
		}
		if (read(m->p->monitor_uffd, &message, sizeof(message)) != sizeof(message)) {
			continue;
		}
		page = (char *)(uintptr_t)(message.arg.pagefault.address &
					   ~(uint64_t)(Z_PAGE_SIZE - 1));
		(void)probe_copy(m->p->monitor_uffd, page, m->p->from, 1);
	}
	return NULL;
}

static double monitor_round(struct probe *p)
{
	uint64_t begin;

	probe_absent(p->watched, PROBE_PAGES);
	begin = cmd_now_ns();
	for (size_t i = 0; i < SLOW; i++) {
		(void)*(volatile char *)(p->watched + i * Z_PAGE_SIZE);
	}
	return (double)(cmd_now_ns() - begin) / SLOW;
}

static double run_monitor(struct probe *p, const struct probe_row *row)
{
	bool blocks = row->kind == OTHER_READ || row->kind == SAME_READ;
	bool same = row->kind == SAME_READ || row->kind == SAME_POLL;
	struct monitor m = {
		.p = p, .polls = row->kind == SAME_POLL, .cpu = same ? p->cpu : p->other_cpu};
	double figures[ROUNDS];
	pthread_t thread;

	if (p->monitor_uffd < 0 || m.cpu < 0) {
		p->why_not = m.cpu < 0 ? "there is one CPU" : "no second userfaultfd";
		return NAN;
	}
	(void)fcntl(p->monitor_uffd, F_SETFL, blocks ? 0 : O_NONBLOCK);
	if (pthread_create(&thread, NULL, monitor, &m) != 0) {
		p->why_not = "no thread";
		return NAN;
	}
	for (size_t i = 0; i < ROUNDS; i++) {
		figures[i] = monitor_round(p);
	}
	(void)*(volatile char *)(p->watched + (PROBE_PAGES - 1) * Z_PAGE_SIZE);
	(void)pthread_join(thread, NULL);
	return probe_median(figures, ROUNDS);
}

struct sleeper {
	_Atomic uint32_t word; /* the futex; 2: end */
	int cpu;
};

static void *sleep_often(void *argument)
{
	struct sleeper *s = argument;

	probe_pin(s->cpu);
	while (atomic_load(&s->word) != 2) {
		(void)syscall(SYS_futex, &s->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	}
	return NULL;
}

/* What the call costs that wakes a thread which sleeps on the other core. */
static double run_wake(struct probe *p, const struct probe_row *row)
{
	struct sleeper s = {.cpu = p->other_cpu};
	struct timespec pause = {.tv_nsec = ASLEEP};
	double figures[SLOW];
	pthread_t thread;

	(void)row;
	if (s.cpu < 0 || pthread_create(&thread, NULL, sleep_often, &s) != 0) {
		p->why_not = s.cpu < 0 ? "there is one CPU" : "no thread";
		return NAN;
	}
	for (size_t i = 0; i < SLOW; i++) {
		uint64_t begin;

		(void)nanosleep(&pause, NULL);
		begin = cmd_now_ns();
		(void)syscall(SYS_futex, &s.word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		figures[i] = (double)(cmd_now_ns() - begin) - p->clock_ns;
	}
	atomic_store(&s.word, 2);
	(void)syscall(SYS_futex, &s.word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	(void)pthread_join(thread, NULL);
	return probe_median(figures, SLOW);
}

const struct probe_row probe_fault_rows[] = {
	{"signal to the faulting thread, empty handler", run_signal, 1, ANSWER_EMPTY, false},
	{"signal + ZEROPAGE, a read", run_signal, 1, ANSWER_ZERO, false},
	{"signal + COPY, a read", run_signal, 1, ANSWER_COPY, false},
	{"signal + COPY, a write", run_signal, 1, ANSWER_COPY_WRITE, false},
	{"signal + MOVE, a read", run_signal, 1, ANSWER_MOVE, false},
	{"monitor on another core, blocking read + COPY", run_monitor, 1, OTHER_READ, true},
	{"monitor on another core, spinning read + COPY", run_monitor, 1, OTHER_SPIN, true},
	{"monitor on the same core, blocking read + COPY", run_monitor, 1, SAME_READ, true},
	{"monitor on the same core, poll and read + COPY", run_monitor, 1, SAME_POLL, true},
	{"waking a thread on the other core, for who wakes", run_wake, 1, 0, true},
};
const size_t probe_fault_count = sizeof(probe_fault_rows) / sizeof(probe_fault_rows[0]);
