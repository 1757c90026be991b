/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_report.c - what `zpager bench` prints: a table of all cells, the targets, and the same as JSON.
 *
 * The ratio of a line is its ns per access, divided by those of the peer that it is measured against, in
 * the same cell. Noise is half the distance between the fastest and the slowest round.
 *
 * Locks: none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <zpager/zpager.h>

#include "bench.h"
#include "cmd.h"

#define MIB (1024.0 * 1024.0)

const char *const bench_figure_names[BENCH_FIGURES] = {
	"ns_per_access",
	"ns_per_fault",
	"p50_ns",
	"p99_ns",
	"p999_ns",
	"faults_per_access",
	"cpu_ns_per_access",
	"written_bytes_per_access",
};

static void print_machine(const struct bench_plan *plan)
{
	const struct bench_options *o = &plan->options;
	struct utsname machine;
	char region[CMD_SIZE_TEXT];

	(void)uname(&machine);
	(void)printf("%s %s, %ld CPUs, %s\n", machine.sysname, machine.release,
		     sysconf(_SC_NPROCESSORS_ONLN), machine.machine);
	(void)printf("region %s, %.2f s a cell, %u round%s; pager options%s%s%s\n",
		     cmd_size_text(o->region_bytes, region), o->seconds, o->rounds,
		     o->rounds > 1 ? "s" : "", o->eviction != NULL ? " eviction " : "",
		     o->eviction != NULL ? o->eviction : "",
		     o->eviction != NULL ? "" : " as by default");
	(void)puts("sequential figures are of a page of 64 accesses; p50 to p99.9 are of accesses "
		   "that\n"
		   "fault (of all accesses where none does); CPU is of all threads; B writ. and "
		   "flt/acc\n"
		   "are per access; RAM is the most in MiB, all of it, and store what of it a "
		   "store (as\n"
		   "it says itself, touched or not) or zram had, which no limit counts\n");
}

static void print_number(double value, bool is_there)
{
	if (!is_there || isnan(value)) {
		(void)printf(" %8s", "-");
	} else if (value >= 100) {
		(void)printf(" %8.0f", value);
	} else {
		(void)printf(" %8.2f", value);
	}
}

static void print_cell(const struct bench_plan *plan, const struct bench_run *run,
		       unsigned int cell)
{
	const char *base = bench_baseline(run->peer->name);
	const struct bench_run *other = base != NULL ? bench_same_run(plan, base, run) : NULL;
	struct bench_figure f = bench_figure(run, cell, BENCH_NS_PER_ACCESS);
	double ratio = bench_ratio(run, other, cell, BENCH_NS_PER_ACCESS);

	(void)printf("%-18s %-8s %3u 1/%-2u %-10s %-5s", run->peer->name,
		     bench_content_names[run->content], run->threads, run->share,
		     bench_pattern_names[cell / BENCH_ACCESSES],
		     bench_access_names[cell % BENCH_ACCESSES]);
	if (f.n == 0) {
		(void)printf(" %10s\n", "no figure");
		return;
	}
	(void)printf(" %10.0f", f.median);
	if (f.n > 1) {
		(void)printf(" %4.0f %%", f.spread * 100);
	} else {
		(void)printf(" %6s", "-");
	}
	print_number(bench_figure(run, cell, BENCH_NS_PER_FAULT).median / 1000,
		     bench_figure(run, cell, BENCH_FAULTS_PER_ACCESS).median > 0);
	print_number(bench_figure(run, cell, BENCH_FAULTS_PER_ACCESS).median, true);
	for (unsigned int what = BENCH_P50; what <= BENCH_P999; what++) {
		print_number(bench_figure(run, cell, what).median / 1000, true);
	}
	print_number(bench_figure(run, cell, BENCH_CPU_PER_ACCESS).median / 1000, true);
	print_number(bench_figure(run, cell, BENCH_WRITTEN_PER_ACCESS).median, true);
	(void)printf(" %5.0f %5.0f", bench_ram(run) / MIB, bench_store(run) / MIB);
	print_number(ratio, true);
	(void)putchar('\n');
}

static void print_troubles(const struct bench_run *run)
{
	unsigned int troubles = 0;
	const char *last = "";

	for (unsigned int i = 0; i < run->rounds; i++) {
		if (run->outcomes[i].why[0] != '\0') {
			troubles++;
			last = run->outcomes[i].why;
		}
	}
	if (troubles > 0) {
		(void)printf("%-18s %-8s %3u 1/%-2u in %u of %u runs: %s\n", run->peer->name,
			     bench_content_names[run->content], run->threads, run->share, troubles,
			     run->rounds, last);
	}
}

static void print_table(const struct bench_plan *plan)
{
	(void)printf("%-18s %-8s %3s %-4s %-10s %-5s %10s %6s %8s %8s %8s %8s %8s %8s %8s %5s %5s "
		     "%8s\n",
		     "peer", "contents", "thr", "RAM", "pattern", "", "ns/access", "noise",
		     "us/fault", "flt/acc", "p50 us", "p99 us", "p99.9 us", "CPU us", "B writ.",
		     "RAM", "store", "ratio");
	for (size_t i = 0; i < plan->n; i++) {
		const struct bench_run *run = &plan->runs[i];

		if (run->skipped != NULL) {
			(void)printf("%-18s %-8s %3u 1/%-2u skipped: %s\n", run->peer->name,
				     bench_content_names[run->content], run->threads, run->share,
				     run->skipped);
			continue;
		}
		for (unsigned int cell = 0; cell < BENCH_CELLS; cell++) {
			if ((run->cells & 1U << cell) != 0) {
				print_cell(plan, run, cell);
			}
		}
		print_troubles(run);
	}
}

static const char *reached(const struct bench_target *target, char text[32])
{
	if (isnan(target->got)) {
		return "not measured";
	}
	if (target->got <= target->wanted) {
		return "reached";
	}
	(void)snprintf(text, 32, "missed by %.2f", target->got - target->wanted);
	return text;
}

static void print_targets(const struct bench_plan *plan)
{
	struct bench_target targets[BENCH_TARGETS_MAX];
	size_t n = bench_targets(plan, targets);
	char text[32];

	(void)printf("\n%-28s %-30s %6s %8s %8s\n", "target against", "of", "cells", "at most",
		     "ratio");
	for (size_t i = 0; i < n; i++) {
		(void)printf("%-28s %-30s %6u %8.2f", targets[i].against, targets[i].what,
			     targets[i].cells, targets[i].wanted);
		print_number(targets[i].got, true);
		(void)printf("  %s\n", reached(&targets[i], text));
	}
	(void)puts("LLNL umap is no peer here: compare with a build of it by hand");
}

void bench_print(const struct bench_plan *plan)
{
	print_machine(plan);
	print_table(plan);
	print_targets(plan);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_number(FILE *file, const char *name, double value)
{
	if (isnan(value)) {
		(void)fprintf(file, ", \"%s\": null", name);
	} else {
		(void)fprintf(file, ", \"%s\": %.4f", name, value);
	}
}

static void json_cell(FILE *file, const struct bench_plan *plan, const struct bench_run *run,
		      unsigned int cell)
{
	const char *base = bench_baseline(run->peer->name);
	const struct bench_run *other = base != NULL ? bench_same_run(plan, base, run) : NULL;

	(void)fprintf(file, "\n  {\"pattern\": \"%s\", \"access\": \"%s\", \"rounds\": %zu",
		      bench_pattern_names[cell / BENCH_ACCESSES],
		      bench_access_names[cell % BENCH_ACCESSES],
		      bench_figure(run, cell, BENCH_NS_PER_ACCESS).n);
	for (unsigned int what = 0; what < BENCH_FIGURES; what++) {
		struct bench_figure f = bench_figure(run, cell, what);

		json_number(file, bench_figure_names[what], f.n > 0 ? f.median : NAN);
	}
	json_number(file, "noise", bench_figure(run, cell, BENCH_NS_PER_ACCESS).spread);
	json_number(file, "ratio", bench_ratio(run, other, cell, BENCH_NS_PER_ACCESS));
	(void)fputc('}', file);
}

static void json_outcomes(FILE *file, const struct bench_run *run)
{
	unsigned long long checked = 0;
	unsigned long long wrong = 0;
	const char *before = "";

	for (unsigned int i = 0; i < run->rounds; i++) {
		checked += run->outcomes[i].checked;
		wrong += run->outcomes[i].wrong;
	}
	(void)fprintf(file, ", \"pages_checked\": %llu, \"words_wrong\": %llu, \"troubles\": [",
		      checked, wrong);
	for (unsigned int i = 0; i < run->rounds; i++) {
		if (run->outcomes[i].why[0] != '\0') {
			(void)fputs(before, file);
			cmd_json_text(file, run->outcomes[i].why);
			before = ", ";
		}
	}
	(void)fputc(']', file);
}

static void json_run(FILE *file, const struct bench_plan *plan, const struct bench_run *run)
{
	const char *before = "";

	(void)fprintf(file,
		      "\n {\"peer\": \"%s\", \"contents\": \"%s\", \"threads\": %u, "
		      "\"share\": %u, \"skipped\": ",
		      run->peer->name, bench_content_names[run->content], run->threads, run->share);
	if (run->skipped != NULL) {
		cmd_json_text(file, run->skipped);
	} else {
		(void)fputs("null", file);
	}
	(void)fprintf(file, ", \"ram_bytes\": %.0f, \"store_bytes\": %.0f", bench_ram(run),
		      bench_store(run));
	json_outcomes(file, run);
	(void)fputs(", \"cells\": [", file);
	for (unsigned int cell = 0; run->skipped == NULL && cell < BENCH_CELLS; cell++) {
		if ((run->cells & 1U << cell) != 0) {
			(void)fputs(before, file);
			json_cell(file, plan, run, cell);
			before = ",";
		}
	}
	(void)fputs("]}", file);
}

static void json_targets(FILE *file, const struct bench_plan *plan)
{
	struct bench_target targets[BENCH_TARGETS_MAX];
	size_t n = bench_targets(plan, targets);

	for (size_t i = 0; i < n; i++) {
		(void)fprintf(file, "%s\n {\"against\": \"%s\", \"of\": \"%s\", \"cells\": %u",
			      i > 0 ? "," : "", targets[i].against, targets[i].what,
			      targets[i].cells);
		json_number(file, "wanted", targets[i].wanted);
		json_number(file, "got", targets[i].got);
		(void)fputc('}', file);
	}
}

int bench_write_json(const struct bench_plan *plan)
{
	const struct bench_options *o = &plan->options;
	FILE *file = fopen(o->json, "we");
	time_t now = time(NULL);
	struct utsname machine;
	char date[32];
	struct tm tm;

	if (file == NULL) {
		return cmd_fail(EXIT_USAGE, "--json %s: %s", o->json, strerror(errno));
	}
	(void)uname(&machine);
	(void)strftime(date, sizeof(date), "%Y-%m-%d", gmtime_r(&now, &tm));
	(void)fprintf(file, "{\"date\": \"%s\", \"kernel\": ", date);
	cmd_json_text(file, machine.release);
	(void)fprintf(file,
		      ", \"cpus\": %ld, \"region_bytes\": %llu, \"seconds\": %.3f, "
		      "\"rounds\": %u, \"features\": ",
		      sysconf(_SC_NPROCESSORS_ONLN), (unsigned long long)o->region_bytes,
		      o->seconds, o->rounds);
	cmd_json_text(file, zpager_features());
	(void)fputs(", \"runs\": [", file);
	for (size_t i = 0; i < plan->n; i++) {
		(void)fputs(i > 0 ? "," : "", file);
		json_run(file, plan, &plan->runs[i]);
	}
	(void)fputs("], \"targets\": [", file);
	json_targets(file, plan);
	(void)fputs("]}\n", file);
	return fclose(file) == 0 ? 0
				 : cmd_fail(EXIT_USAGE, "--json %s: cannot be written", o->json);
}
