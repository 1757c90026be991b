/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - the figures of this process, kept where `zpager run` can read them after its end.
 *
 * A thread of our own copies them into this process's slot of the shared page several times a second
 * (a process that is killed has a summary too, old by at most one period), and the end of the
 * process does it once more. Without `zpager run` (the library preloaded by hand) there is no page,
 * and nothing is reported.
 *
 * Locks: the writer of the slot holds a flag; whoever finds it taken leaves.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "preload.h"

#define PERIOD_MS 100

static struct zr_report *report;     /* [I] */
static struct zr_slot *_Atomic slot; /* NULL: nothing to report to */
static atomic_flag writing = ATOMIC_FLAG_INIT;

static struct zr_slot *take_slot(void)
{
	uint32_t at = atomic_fetch_add(&report->taken, 1);
	struct zr_slot *mine;

	if (at >= ZR_SLOTS) {
		return NULL;
	}
	mine = &report->slot[at];
	mine->pid = (int32_t)getpid();
	(void)snprintf(mine->program, sizeof(mine->program), "%s", program_invocation_short_name);
	return mine;
}

void zp_report_open(void)
{
	const char *path = getenv(ZR_ENV_REPORT);
	struct stat status;
	void *memory;
	int fd;

	if (path == NULL || path[0] == '\0') {
		return;
	}
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		return;
	}
	memory = MAP_FAILED;
	if (fstat(fd, &status) == 0 && (size_t)status.st_size >= sizeof(*report)) {
		memory = zp_sys_mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				     0);
	}
	(void)syscall(SYS_close, fd);
	if (memory == MAP_FAILED) {
		return;
	}
	report = memory;
	if (report->magic == ZR_MAGIC && report->bytes == sizeof(*report)) {
		atomic_store(&slot, take_slot());
	}
}

void zp_report_failed(const char *error)
{
	struct zr_slot *mine = atomic_load(&slot);

	if (mine != NULL) {
		(void)snprintf(mine->error, sizeof(mine->error), "%s", error);
		atomic_store(&mine->state, ZR_FAILED);
	}
}

static void write_slot(struct zpager *z, struct zr_slot *mine)
{
	struct zpager_info info;
	uint32_t next = 1 - (atomic_load(&mine->json_at) & 1);

	zpager_stats(z, &mine->stats, &info);
	mine->budget_bytes = info.budget_bytes;
	if (info.store_beyond_bytes > mine->beyond_bytes) {
		mine->beyond_bytes = info.store_beyond_bytes;
	}
	mine->unpaged_bytes = zp_unpaged_bytes();
	mine->served_calls = zp_served();
	if (info.mapped_bytes > mine->mapped_peak_bytes) {
		mine->mapped_peak_bytes = info.mapped_bytes;
	}
	(void)snprintf(mine->fault_mode, sizeof(mine->fault_mode), "%s", info.fault_mode);
	(void)snprintf(mine->mechanism, sizeof(mine->mechanism), "%s", info.mechanism);
	(void)zpager_stats_json(z, mine->json[next], ZR_JSON_BYTES);
	atomic_store(&mine->json_at, next);
}

static long report_args(const long *unused)
{
	(void)unused;
	zp_report_now();
	return 0;
}

void zp_report_now(void)
{
	struct zpager *z = atomic_load(&zp_instance);
	struct zr_slot *mine = atomic_load(&slot);
	struct zp_entry entry;

	if (z == NULL || mine == NULL || zp_inside) {
		return;
	}
	if (ZP_UNLIKELY(zp_stack_is_paged())) {
		const long none[ZP_CALL_ARGS] = {0};

		(void)zp_on_private_stack(report_args, none);
		return;
	}
	if (atomic_flag_test_and_set_explicit(&writing, memory_order_acquire)) {
		return;
	}
	zp_enter(&entry);
	write_slot(z, mine);
	zp_leave(&entry);
	atomic_flag_clear_explicit(&writing, memory_order_release);
}

static void *report_loop(void *unused)
{
	const struct timespec period = {.tv_nsec = PERIOD_MS * 1000000L};

	(void)unused;
	for (;;) {
		struct zpager *z = atomic_load(&zp_instance);
		struct zr_slot *mine = atomic_load(&slot);

		(void)syscall(SYS_nanosleep, &period, NULL);
		if (z == NULL || mine == NULL ||
		    atomic_flag_test_and_set_explicit(&writing, memory_order_acquire)) {
			continue;
		}
		write_slot(z, mine);
		atomic_flag_clear_explicit(&writing, memory_order_release);
	}
	return NULL;
}

/* Called inside: the thread is the pager's. Without it a killed process has no figures. */
void zp_report_thread(void)
{
	pthread_t thread;

	if (atomic_load(&slot) != NULL) {
		(void)pthread_create(&thread, NULL, report_loop, NULL);
	}
}

void zp_report_opened(struct zpager *z)
{
	struct zr_slot *mine = atomic_load(&slot);

	if (mine == NULL) {
		return;
	}
	write_slot(z, mine);
	atomic_store(&mine->state, ZR_OPEN);
}

/* In a forked child: a slot of its own. The parent's thread is not here any more. */
void zp_report_forked(void)
{
	struct zr_slot *mine;

	atomic_flag_clear(&writing);
	if (report == NULL) {
		return;
	}
	mine = take_slot();
	atomic_store(&slot, mine);
	if (mine != NULL) {
		atomic_store(&mine->state, ZR_OPEN);
	}
}

__attribute__((destructor)) static void at_exit(void)
{
	zp_report_now();
}

ZP_EXPORT void _exit(int status)
{
	zp_report_now();
	for (;;) {
		(void)syscall(SYS_exit_group, status);
	}
}

ZP_EXPORT void _Exit(int status)
{
	_exit(status);
}
