/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.c - `zpager bench`: what accesses and faults cost on this machine, as a table or JSON.
 *
 * Every combination of pattern, read or write, threads, store, eviction and fault mode is a cell
 * with an instance of its own; an option narrows one of them to one value. A cell that cannot run
 * here (no rights, an unknown name) is a line that says why, and the exit status is 2 if none ran.
 *
 * Locks: none.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zpager/eviction.h>
#include <zpager/zpager.h>

#include "bench.h"
#include "cmd.h"

#define NAMES_MAX 16

struct bench_options {
	const char *store, *eviction, *fault_mode;
	uint64_t ram_bytes;
	bool json, quick;
};

struct names {
	const char *name[NAMES_MAX];
	size_t n;
};

struct printer {
	bool json;
	unsigned int rows, failed;
};

static const char *const patterns[] = {"random", "sequential", "zipf"};

static int help(void)
{
	(void)puts(
		"usage: zpager bench [OPTIONS]\n"
		"\n"
		"ns per access, ns per fault, pages in and out, for a region four times the "
		"budget.\n"
		"\n"
		"  --ram SIZE         the budget (default 32M)\n"
		"  --store URI        this store only (default: ram, lz4, file, the default tier)\n"
		"  --eviction NAME    this algorithm only (default: all)\n"
		"  --fault-mode MODE  this mode only (default: signal and monitor)\n"
		"  --json             one JSON object a cell, in an array\n"
		"  --quick            a tenth of the time: whether it runs, not how fast");
	return 0;
}

static int read_options(int argc, char **argv, struct bench_options *options)
{
	static const struct option known[] = {
		{"ram", required_argument, NULL, 'r'},
		{"store", required_argument, NULL, 's'},
		{"eviction", required_argument, NULL, 'e'},
		{"fault-mode", required_argument, NULL, 'f'},
		{"json", no_argument, NULL, 'j'},
		{"quick", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *ram = "32M";
	int key;

	opterr = 0;
	while ((key = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		switch (key) {
		case 'h':
			return help();
		case 'j':
			options->json = true;
			break;
		case 'q':
			options->quick = true;
			break;
		case 'r':
			ram = optarg;
			break;
		case 's':
			options->store = optarg;
			break;
		case 'e':
			options->eviction = optarg;
			break;
		case 'f':
			options->fault_mode = optarg;
			break;
		default:
			return cmd_fail(EXIT_USAGE, "bench: %s: see zpager bench --help",
					argv[optind - 1]);
		}
	}
	if (optind < argc) {
		return cmd_fail(EXIT_USAGE, "bench takes no argument, and got \"%s\"",
				argv[optind]);
	}
	if (!cmd_size(ram, &options->ram_bytes) || options->ram_bytes < (uint64_t)4 << 20) {
		return cmd_fail(EXIT_USAGE, "--ram %s: not a size of 4M or more", ram);
	}
	return -1;
}

static void add(struct names *names, const char *name)
{
	if (names->n < NAMES_MAX) {
		names->name[names->n++] = name;
	}
}

static void choose(const struct bench_options *options, struct names *stores,
		   struct names *evictions, struct names *modes)
{
	static char ram_store[64], lz4_store[64];
	unsigned long long mib = options->ram_bytes >> 20;
	const struct z_eviction_ops *ops;

	/* Stores in RAM beyond the budget, so that all have as many frames. */
	(void)snprintf(ram_store, sizeof(ram_store), "ram:size=%lluM&own=yes", 5 * mib);
	(void)snprintf(lz4_store, sizeof(lz4_store), "lz4:size=%lluM&own=yes", 5 * mib);
	if (options->store != NULL) {
		add(stores, options->store);
	} else {
		add(stores, ram_store);
		add(stores, lz4_store);
		add(stores, "file:");
		add(stores, "tier:lz4:,file:");
	}
	if (options->eviction != NULL) {
		add(evictions, options->eviction);
	}
	for (size_t i = 0; options->eviction == NULL && (ops = z_eviction_at(i)) != NULL; i++) {
		add(evictions, ops->name);
	}
	if (options->fault_mode != NULL) {
		add(modes, options->fault_mode);
	} else {
		add(modes, "signal");
		add(modes, "monitor");
	}
}

static void print_head(const struct printer *printer, const struct bench_options *options)
{
	char ram[CMD_SIZE_TEXT], region[CMD_SIZE_TEXT];

	if (printer->json) {
		(void)fputs("[", stdout);
		return;
	}
	(void)printf("budget %s, region %s; %s\n%-24s %-8s %-8s %-10s %-5s %3s %10s %10s %9s %9s\n",
		     cmd_size_text(options->ram_bytes, ram),
		     cmd_size_text(options->ram_bytes * 4, region), zpager_features(), "store",
		     "eviction", "mode", "pattern", "", "thr", "ns/access", "ns/fault", "in",
		     "out");
}

static void print_json(struct printer *printer, const struct bench_cell *cell,
		       const struct bench_result *result)
{
	(void)printf(
		"%s\n{\"store\": \"%s\", \"eviction\": \"%s\", \"fault_mode\": \"%s\", "
		"\"pattern\": \"%s\", \"write\": %s, \"threads\": %u, \"budget_bytes\": %llu, ",
		printer->rows > 0 ? "," : "", cell->store, cell->eviction, cell->fault_mode,
		patterns[cell->pattern], cell->write ? "true" : "false", cell->threads,
		(unsigned long long)cell->ram_bytes);
	(void)printf("\"accesses\": %llu, \"faults\": %llu, \"ns_per_access\": %.1f, "
		     "\"ns_per_fault\": %.1f, \"pages_in\": %llu, \"pages_out\": %llu, "
		     "\"store_beyond_bytes\": %llu}",
		     (unsigned long long)result->accesses, (unsigned long long)result->faults,
		     result->ns_per_access, result->ns_per_fault,
		     (unsigned long long)result->pages_in, (unsigned long long)result->pages_out,
		     (unsigned long long)result->beyond_bytes);
}

static void print_cell(struct printer *printer, const struct bench_cell *cell,
		       const struct bench_result *result)
{
	if (printer->json) {
		print_json(printer, cell, result);
	} else {
		(void)printf("%-24s %-8s %-8s %-10s %-5s %3u %10.0f %10.0f %9llu %9llu\n",
			     cell->store, cell->eviction, cell->fault_mode, patterns[cell->pattern],
			     cell->write ? "write" : "read", cell->threads, result->ns_per_access,
			     result->ns_per_fault, (unsigned long long)result->pages_in,
			     (unsigned long long)result->pages_out);
	}
	(void)fflush(stdout);
	printer->rows++;
}

static void run_cell(struct printer *printer, const struct bench_cell *cell)
{
	struct bench_result result;
	char text[256] = "";

	if (bench_measure(cell, &result, text, sizeof(text)) == 0) {
		print_cell(printer, cell, &result);
		return;
	}
	printer->failed++;
	(void)cmd_fail(0, "%s, %s, %s: %s", cell->store, cell->eviction, cell->fault_mode, text);
}

/* All patterns of one combination of store, eviction and mode. */
static void run_cells(struct printer *printer, struct bench_cell *cell)
{
	for (int i = 0; i < 12; i++) {
		cell->pattern = (enum bench_pattern)(i / 4);
		cell->write = (i & 2) != 0;
		cell->threads = (i & 1) != 0 ? 2 : 1;
		run_cell(printer, cell);
	}
}

int cmd_bench(int argc, char **argv)
{
	struct bench_options options = {0};
	struct names stores = {.n = 0}, evictions = {.n = 0}, modes = {.n = 0};
	int status = read_options(argc, argv, &options);
	struct printer printer = {.json = options.json};
	struct bench_cell cell;

	if (status >= 0) {
		return status;
	}
	choose(&options, &stores, &evictions, &modes);
	cell = (struct bench_cell){
		.ram_bytes = options.ram_bytes,
		.limit_ns = options.quick ? 50000000U : 500000000U,
		.limit_accesses = options.quick ? 50000U : 1000000U,
	};
	print_head(&printer, &options);
	for (size_t i = 0; i < stores.n * evictions.n * modes.n; i++) {
		cell.store = stores.name[i / modes.n / evictions.n];
		cell.eviction = evictions.name[i / modes.n % evictions.n];
		cell.fault_mode = modes.name[i % modes.n];
		run_cells(&printer, &cell);
	}
	if (options.json) {
		(void)fputs("\n]\n", stdout);
	}
	return printer.rows > 0 && printer.failed == 0 ? 0 : EXIT_USAGE;
}
