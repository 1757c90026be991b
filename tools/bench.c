/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.c - `zpager bench`: the pager and its peers on the same work, in turn, as ratios.
 *
 * Options, then the plan (bench_plan.c), then round after round every run of it in a process of its own
 * (bench_run.c), and at the end the table, the targets, JSON and a picture. What cannot run here is a
 * line that says why. Exit status 2: an option makes no sense, or nothing ran; 1: contents came back
 * wrong; 130: interrupted.
 *
 * Locks: none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zpager/eviction.h>

#include "bench.h"
#include "cmd.h"

#define LEAST_REGION ((uint64_t)16 << 20)
#define INTERRUPTED  130

static struct bench_plan plan;

static int help(void)
{
	(void)puts(
		"usage: zpager bench [OPTIONS]\n"
		"\n"
		"The pager and its peers on the same work, in turn: ns per access and per fault, "
		"latency\n"
		"of an access that faults, CPU, RAM as seen from outside, bytes written; then "
		"ratios and\n"
		"targets. Swap, zram and a memory cgroup need root and are taken down in the end.\n"
		"\n"
		"Without a choice of runs it is the set that the targets need. Lists have commas:\n"
		"  --peers LIST      --list names them\n"
		"  --patterns LIST   random, sequential, zipf, strided, chase\n"
		"  --access LIST     read, write, both\n"
		"  --threads LIST    1 to 16\n"
		"  --contents LIST   half, hi, text, zero, counters, heap\n"
		"  --budgets LIST    RAM as a part of the region: 1/2, 1/4, 1/8\n"
		"  --store URI, --fault-mode MODE   for the peer named zpager\n"
		"  --eviction NAME   for all pagers\n"
		"\n"
		"  --region SIZE     (default 512M)\n"
		"  --seconds S       of a cell (default 1.0); half as long again for the "
		"latencies\n"
		"  --rounds N        each run so often (default 3)\n"
		"  --quick           region 128M, 0.3 s, 1 round, fewer peers\n"
		"  --dir PATH        where files go (default /var/tmp)\n"
		"  --json FILE       all figures\n"
		"  --svg FILE        a picture\n"
		"  --list            the peers\n"
		"\n"
		"  --on PEER --ram SIZE -- PROGRAM   zram or swapfile: an unmodified program in a "
		"cgroup\n"
		"                    of that size, as a counterpart of zpager run");
	return 0;
}

static int list(void)
{
	for (size_t i = 0; i < bench_peer_count; i++) {
		(void)printf("%-20s %s\n", bench_peers[i].name, bench_peers[i].summary);
	}
	return 0;
}

enum {
	OPTION_PEERS = 256,
	OPTION_PATTERNS,
	OPTION_ACCESS,
	OPTION_THREADS,
	OPTION_CONTENTS,
	OPTION_BUDGETS,
	OPTION_STORE,
	OPTION_FAULT_MODE,
	OPTION_EVICTION,
	OPTION_REGION,
	OPTION_SECONDS,
	OPTION_ROUNDS,
	OPTION_QUICK,
	OPTION_DIR,
	OPTION_JSON,
	OPTION_SVG,
	OPTION_LIST,
	OPTION_ON,
	OPTION_RAM,
};

static const struct option known[] = {
	{"peers", required_argument, NULL, OPTION_PEERS},
	{"patterns", required_argument, NULL, OPTION_PATTERNS},
	{"access", required_argument, NULL, OPTION_ACCESS},
	{"threads", required_argument, NULL, OPTION_THREADS},
	{"contents", required_argument, NULL, OPTION_CONTENTS},
	{"budgets", required_argument, NULL, OPTION_BUDGETS},
	{"store", required_argument, NULL, OPTION_STORE},
	{"fault-mode", required_argument, NULL, OPTION_FAULT_MODE},
	{"eviction", required_argument, NULL, OPTION_EVICTION},
	{"region", required_argument, NULL, OPTION_REGION},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"rounds", required_argument, NULL, OPTION_ROUNDS},
	{"quick", no_argument, NULL, OPTION_QUICK},
	{"dir", required_argument, NULL, OPTION_DIR},
	{"json", required_argument, NULL, OPTION_JSON},
	{"svg", required_argument, NULL, OPTION_SVG},
	{"list", no_argument, NULL, OPTION_LIST},
	{"on", required_argument, NULL, OPTION_ON},
	{"ram", required_argument, NULL, OPTION_RAM},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* What is text or a number still to be looked at. */
struct given {
	const char *region, *seconds, *rounds, *on, *ram;
};

static const char **text_of(struct bench_options *o, struct given *given, int key)
{
	switch (key) {
	case OPTION_PEERS:
		return &o->peers;
	case OPTION_PATTERNS:
		return &o->patterns;
	case OPTION_ACCESS:
		return &o->accesses;
	case OPTION_THREADS:
		return &o->threads;
	case OPTION_CONTENTS:
		return &o->contents;
	case OPTION_BUDGETS:
		return &o->shares;
	case OPTION_STORE:
		return &o->store;
	case OPTION_FAULT_MODE:
		return &o->fault_mode;
	case OPTION_EVICTION:
		return &o->eviction;
	case OPTION_DIR:
		return &o->dir;
	case OPTION_JSON:
		return &o->json;
	case OPTION_SVG:
		return &o->svg;
	case OPTION_REGION:
		return &given->region;
	case OPTION_SECONDS:
		return &given->seconds;
	case OPTION_ROUNDS:
		return &given->rounds;
	case OPTION_ON:
		return &given->on;
	case OPTION_RAM:
		return &given->ram;
	default:
		return NULL;
	}
}

static int check_numbers(struct bench_options *o, const struct given *given)
{
	const char *region = given->region != NULL ? given->region : o->quick ? "128M" : "512M";
	char *end = "";

	if (!cmd_size(region, &o->region_bytes) || o->region_bytes < LEAST_REGION) {
		return cmd_fail(EXIT_USAGE, "--region %s: not a size of 16M or more", region);
	}
	o->seconds = given->seconds != NULL ? strtod(given->seconds, &end) : o->quick ? 0.3 : 1.0;
	if (*end != '\0' || !(o->seconds >= 0.01 && o->seconds <= 600)) {
		return cmd_fail(EXIT_USAGE, "--seconds %s: not from 0.01 to 600", given->seconds);
	}
	if (!cmd_number(given->rounds, o->quick ? 1 : 3, BENCH_ROUNDS_MAX, &o->rounds)) {
		return cmd_fail(EXIT_USAGE, "--rounds %s: not a number from 1 to %u", given->rounds,
				BENCH_ROUNDS_MAX);
	}
	return 0;
}

static int check_names(const struct bench_options *o)
{
	if (o->eviction != NULL && z_eviction_find(o->eviction) == NULL) {
		return cmd_fail(EXIT_USAGE, "--eviction %s: no algorithm of that name",
				o->eviction);
	}
	if (o->fault_mode != NULL && strcmp(o->fault_mode, "signal") != 0 &&
	    strcmp(o->fault_mode, "monitor") != 0) {
		return cmd_fail(EXIT_USAGE, "--fault-mode %s: use signal or monitor",
				o->fault_mode);
	}
	if (access(o->dir, W_OK | X_OK) != 0) {
		return cmd_fail(EXIT_USAGE, "--dir %s: %s", o->dir, strerror(errno));
	}
	if (o->json != NULL && !cmd_can_write(o->json)) {
		return cmd_fail(EXIT_USAGE, "--json %s: %s", o->json, strerror(errno));
	}
	if (o->svg != NULL && !cmd_can_write(o->svg)) {
		return cmd_fail(EXIT_USAGE, "--svg %s: %s", o->svg, strerror(errno));
	}
	return 0;
}

static int read_options(int argc, char **argv, struct bench_options *o)
{
	struct given given = {0};
	int status = 0;
	int key;

	opterr = 0;
	o->dir = "/var/tmp";
	while ((key = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		const char **text = text_of(o, &given, key);

		if (text != NULL) {
			*text = optarg;
		} else if (key == OPTION_QUICK) {
			o->quick = true;
		} else if (key == OPTION_LIST) {
			return list();
		} else if (key == 'h') {
			return help();
		} else {
			return cmd_fail(EXIT_USAGE, "bench: %s: see zpager bench --help",
					argv[optind - 1]);
		}
	}
	if (optind < argc && given.on == NULL) {
		return cmd_fail(EXIT_USAGE, "bench takes no argument, and got \"%s\"",
				argv[optind]);
	}
	status = check_numbers(o, &given);
	if (status == 0) {
		status = check_names(o);
	}
	if (status == 0 && given.on != NULL) {
		return bench_program(&plan, given.on, given.ram, argv + optind);
	}
	return status != 0 ? status : -1;
}

static void say_run(const struct bench_run *run, unsigned int round, size_t number)
{
	(void)fprintf(stderr, "bench: round %u of %u, %zu of %zu: %s, %s, %u thread%s, 1/%u\n",
		      round + 1, plan.options.rounds, number + 1, plan.n, run->peer->name,
		      bench_content_names[run->content], run->threads, run->threads > 1 ? "s" : "",
		      run->share);
}

static void run_all(void)
{
	for (unsigned int round = 0; round < plan.options.rounds; round++) {
		for (size_t i = 0; i < plan.n && !bench_interrupted(); i++) {
			struct bench_run *run = &plan.runs[i];

			if (run->skipped == NULL) {
				say_run(run, round, i);
				bench_run_once(&plan, run);
			}
		}
	}
}

/* The exit status: did anything run, and was all of it right? */
static int verdict(void)
{
	bool ran = false;
	bool wrong = false;

	for (size_t i = 0; i < plan.n; i++) {
		for (unsigned int j = 0; j < plan.runs[i].rounds; j++) {
			ran |= plan.runs[i].outcomes[j].started;
			wrong |= plan.runs[i].outcomes[j].wrong > 0;
		}
	}
	if (wrong) {
		return 1;
	}
	return ran ? 0 : EXIT_USAGE;
}

int cmd_bench(int argc, char **argv)
{
	int status = read_options(argc, argv, &plan.options);

	if (status >= 0) {
		return status;
	}
	status = bench_plan_make(&plan);
	if (status != 0) {
		return status;
	}
	bench_catch_signals();
	bench_host_open(&plan);
	for (size_t i = 0; i < plan.n; i++) {
		plan.runs[i].skipped = bench_host_lacks(plan.runs[i].peer->memory);
	}
	run_all();
	bench_host_close();
	bench_print(&plan);
	status = plan.options.json != NULL ? bench_write_json(&plan) : 0;
	if (status == 0 && plan.options.svg != NULL) {
		status = bench_write_picture(&plan);
	}
	if (bench_interrupted()) {
		return cmd_fail(INTERRUPTED,
				"bench: interrupted; the figures are of what had ended");
	}
	return status == 0 ? verdict() : status;
}
