/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open.c - the pager of this process: opened at the first allocation, never closed.
 *
 * The first call comes from the dynamic linker or from whichever constructor runs first, when there
 * is one thread; later callers wait. Failure ends the process: to run on without paging would break
 * the promise of the budget without a word.
 *
 * Locks: the state word; the opener holds it as OPENING.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload.h"

enum state {
	CLOSED,
	OPENING,
	OPEN,
};

ZP_THREAD int zp_inside;
struct zpager *_Atomic zp_instance;
static _Atomic int state;

void zp_enter(struct zp_entry *entry)
{
	uint64_t all = ~(uint64_t)0;

	entry->saved_errno = errno;
	if (zp_signal_mode) {
		all &= ~((uint64_t)1 << (SIGBUS - 1) | (uint64_t)1 << (SIGSYS - 1));
	}
	(void)syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &entry->mask, sizeof(all));
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &entry->cancel_state);
	zp_inside++;
}

void zp_leave(const struct zp_entry *entry)
{
	zp_inside--;
	(void)pthread_setcancelstate(entry->cancel_state, NULL);
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &entry->mask, NULL, sizeof(entry->mask));
	errno = entry->saved_errno;
}

uint64_t zp_size(const char *text)
{
	static const char units[] = "KMGT";
	unsigned long long value;
	unsigned int shift = 0;
	const char *unit;
	char *end;

	if (text == NULL || text[0] < '0' || text[0] > '9') {
		return 0;
	}
	value = strtoull(text, &end, 10);
	unit = *end != '\0' ? strchr(units, *end & ~0x20) : NULL;
	if (unit != NULL) {
		shift = 10U * (unsigned int)(unit - units + 1);
	}
	return value > UINT64_MAX >> shift ? 0 : (uint64_t)value << shift;
}

void zp_note(atomic_bool *said, const char *what)
{
	char line[ZR_TEXT_BYTES];
	int length;

	if (atomic_exchange(said, true)) {
		return;
	}
	length = snprintf(line, sizeof(line), "zpager: %s: %s\n", program_invocation_short_name,
			  what);
	(void)!write(STDERR_FILENO, line, (size_t)length);
}

static void options_from_environment(struct zpager_options *options)
{
	options->ram_bytes = zp_size(getenv(ZR_ENV_RAM));
	options->store = getenv(ZR_ENV_STORE);
	options->eviction = getenv(ZR_ENV_EVICTION);
	options->fault_mode = getenv(ZR_ENV_FAULTS);
	options->mechanism = getenv(ZR_ENV_MECHANISM);
	options->reclaim = getenv(ZR_ENV_RECLAIM);
	if (options->fault_mode == NULL) {
		options->fault_mode = "auto";
	}
	options->overcommit = 1;
	options->inherit_on_fork = 1;
}

static void give_up(const char *error)
{
	zp_report_failed(error);
	if (getenv(ZR_ENV_PROBE) == NULL) {
		(void)fprintf(stderr, "zpager: %s: %s\n", program_invocation_short_name, error);
	}
	(void)syscall(SYS_exit_group, 2);
	abort();
}

/* "auto" that turns out to be impossible as signal mode is monitor mode. */
static struct zpager *open_in_mode(struct zpager_options *options)
{
	bool free_choice = strcmp(options->fault_mode, "auto") == 0;
	char error[ZR_TEXT_BYTES] = "";
	const char *why = NULL;
	struct zpager *z = NULL;

	options->fault_mode = zp_sigbus_open(options->fault_mode);
	if (zpager_open(options, error, sizeof(error), &z) != 0) {
		give_up(error[0] != '\0' ? error : "the pager cannot be opened");
	}
	if (zp_signal_mode) {
		why = zp_sigsys_open(z, free_choice);
	}
	if (why != NULL && free_choice && zpager_close(z) == 0) {
		options->fault_mode = "monitor";
		return open_in_mode(options);
	}
	if (why != NULL) {
		give_up(why);
	}
	return z;
}

static struct zpager *open_inside(void)
{
	struct zpager_options options = {0};
	struct zp_fd_fill fill;
	struct zpager *z;

	zp_report_open();
	options_from_environment(&options);
	zp_trace_open(&options);
	zp_map_open();
	zp_fds_push_high(&fill);
	z = open_in_mode(&options);
	zp_fds_settle(&fill);
	zp_report_opened(z);
	zp_report_thread();
	zp_trace_thread(z);
	return z;
}

struct zpager *zp_pager_open(void)
{
	int expected = CLOSED;
	struct zp_entry entry;
	struct zpager *z;

	if (!atomic_compare_exchange_strong(&state, &expected, OPENING)) {
		while (atomic_load(&state) == OPENING) {
			sched_yield();
		}
		return atomic_load(&zp_instance);
	}
	zp_enter(&entry);
	z = open_inside();
	zp_leave(&entry);
	atomic_store(&zp_instance, z);
	atomic_store(&state, OPEN);
	return z;
}

__attribute__((constructor)) static void at_start(void)
{
	zp_heap_open();
	zp_threads_open();
}
