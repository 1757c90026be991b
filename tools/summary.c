/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary.c - what `zpager run` says at the end: one line on stderr, and the file of --stats.
 *
 * The figures come from the shared page (report.h): one slot for each process and each exec that
 * was paged; the peak RSS is the kernel's, of the program and the children that it waited for.
 * Processes that still run in the background count as far as they have come.
 *
 * Locks: none; slots are read while others may write them, a figure may be a period old.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "cmd.h"

struct sums {
	uint64_t faults, in, ahead, wasted, out, fault_ns, failed, unpaged, beyond, served;
	uint64_t budget;       /* of the program itself */
	unsigned int programs; /* slots beside the first */
	bool signal;           /* fault mode of the first */
};

static uint32_t slots_taken(const struct zr_report *report)
{
	uint32_t taken = atomic_load(&report->taken);

	return taken < ZR_SLOTS ? taken : ZR_SLOTS;
}

static void add_up(const struct zr_report *report, struct sums *sums)
{
	*sums = (struct sums){.budget = report->slot[0].budget_bytes};
	for (uint32_t i = 0; i < slots_taken(report); i++) {
		const struct zr_slot *slot = &report->slot[i];

		sums->faults += slot->stats.pagefaults;
		sums->in += slot->stats.pages_read;
		sums->ahead += slot->stats.pages_ahead;
		sums->wasted += slot->stats.ahead_wasted;
		sums->out += slot->stats.pages_written;
		sums->fault_ns += slot->stats.fault_ns;
		sums->failed += slot->stats.failed_faults;
		sums->unpaged += slot->unpaged_bytes;
		sums->beyond += slot->beyond_bytes;
		sums->served += slot->served_calls;
	}
	sums->signal = strcmp(report->slot[0].fault_mode, "signal") == 0;
	sums->programs = atomic_load(&report->taken) > 0 ? atomic_load(&report->taken) - 1 : 0;
}

static void print_extras(const struct sums *sums)
{
	char text[CMD_SIZE_TEXT];

	if (sums->ahead > 0) {
		(void)fprintf(stderr, "; %llu pages read ahead, %llu of them for nothing",
			      (unsigned long long)sums->ahead, (unsigned long long)sums->wasted);
	}
	if (sums->signal) {
		(void)fprintf(stderr, "; signal mode, %llu system calls on paged memory",
			      (unsigned long long)sums->served);
	}
	if (sums->programs > 0) {
		(void)fprintf(stderr, "; +%u processes under it, each with its own budget",
			      sums->programs);
	}
	if (sums->unpaged > 0) {
		(void)fprintf(stderr, "; %s mapped that cannot be paged",
			      cmd_size_text(sums->unpaged, text));
	}
	if (sums->beyond > 0) {
		(void)fprintf(stderr, "; %s of store RAM beyond the budget",
			      cmd_size_text(sums->beyond, text));
	}
	if (sums->failed > 0) {
		(void)fprintf(stderr, "; %llu faults FAILED", (unsigned long long)sums->failed);
	}
}

void summary_print(const struct zr_report *report, const struct rusage *usage, int status)
{
	char budget[CMD_SIZE_TEXT];
	char peak[CMD_SIZE_TEXT];
	struct sums sums;

	if (atomic_load(&report->taken) == 0) {
		(void)cmd_fail(0, "the program ran without paging: the library was not loaded");
		return;
	}
	add_up(report, &sums);
	(void)fprintf(stderr,
		      "zpager: budget %s, peak RSS %s, %llu faults, %llu pages in, %llu out, "
		      "%.2f s in faults",
		      cmd_size_text(sums.budget, budget),
		      cmd_size_text((uint64_t)usage->ru_maxrss * 1024, peak),
		      (unsigned long long)sums.faults, (unsigned long long)sums.in,
		      (unsigned long long)sums.out, (double)sums.fault_ns / 1e9);
	print_extras(&sums);
	(void)fputc('\n', stderr);
	if (sums.signal && WIFSIGNALED(status) &&
	    (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS)) {
		(void)cmd_fail(
			0,
			"it was ended by %s in signal mode; if it has stacks of its own "
			"(coroutines), or without zpager it is not, try --fault-mode monitor",
			WTERMSIG(status) == SIGSEGV ? "SIGSEGV" : "SIGBUS");
	}
}

void cmd_json_text(FILE *file, const char *text)
{
	(void)fputc('"', file);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\') {
			(void)fputc('\\', file);
		}
		(void)fputc((unsigned char)*text < ' ' ? '?' : *text, file);
	}
	(void)fputc('"', file);
}

static void json_slot(FILE *file, const struct zr_slot *slot)
{
	const char *pager = slot->json[atomic_load(&slot->json_at) & 1];

	(void)fprintf(file, "{\"pid\": %d, \"program\": ", slot->pid);
	cmd_json_text(file, slot->program);
	(void)fprintf(file,
		      ", \"paged\": %s, \"unpaged_bytes\": %llu, \"mapped_peak_bytes\": %llu, "
		      "\"served_calls\": %llu",
		      atomic_load(&slot->state) == ZR_OPEN ? "true" : "false",
		      (unsigned long long)slot->unpaged_bytes,
		      (unsigned long long)slot->mapped_peak_bytes,
		      (unsigned long long)slot->served_calls);
	(void)fprintf(file, ", \"pager\": %s}", pager[0] != '\0' ? pager : "null");
}

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

int summary_json(const char *path, const struct zr_report *report, const struct rusage *usage,
		 int status)
{
	FILE *file = fopen(path, "we");
	struct sums sums;

	if (file == NULL) {
		return cmd_fail(EXIT_USAGE, "--stats %s: %s", path, strerror(errno));
	}
	add_up(report, &sums);
	(void)fprintf(file, "{\"exit_status\": %d, \"signal\": %d, ",
		      WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		      WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	(void)fprintf(file, "\"budget_bytes\": %llu, \"peak_rss_bytes\": %llu, ",
		      (unsigned long long)sums.budget, (unsigned long long)usage->ru_maxrss * 1024);
	(void)fprintf(file, "\"user_seconds\": %.3f, \"system_seconds\": %.3f, ",
		      seconds(&usage->ru_utime), seconds(&usage->ru_stime));
	(void)fprintf(file,
		      "\"faults\": %llu, \"pages_in\": %llu, \"pages_out\": %llu, "
		      "\"fault_seconds\": %.6f, \"processes\": [",
		      (unsigned long long)sums.faults, (unsigned long long)sums.in,
		      (unsigned long long)sums.out, (double)sums.fault_ns / 1e9);
	for (uint32_t i = 0; i < slots_taken(report); i++) {
		(void)fputs(i > 0 ? ",\n" : "\n", file);
		json_slot(file, &report->slot[i]);
	}
	(void)fputs("]}\n", file);
	if (ferror(file) != 0 || fclose(file) != 0) {
		return cmd_fail(EXIT_USAGE, "--stats %s: cannot be written", path);
	}
	return 0;
}
