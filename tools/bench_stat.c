/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_stat.c - figures of `zpager bench` over its rounds, ratios of two peers, and the targets.
 *
 * Ratios are of medians, cell by cell, of runs with the same contents, threads and share of RAM, which
 * took turns. A mean of ratios is the geometric one. A target without a figure stands there without one.
 *
 * Locks: none.
 */
#include <math.h>
#include <string.h>

#include "bench.h"
#include "probe.h"

#define EVERY ((1U << BENCH_CELLS) - 1)

static double part(double figure, const struct bench_result *r)
{
	return r->accesses > 0 ? figure / (double)r->accesses : 0;
}

static double value_of(const struct bench_result *r, unsigned int what)
{
	switch (what) {
	case BENCH_NS_PER_ACCESS:
		return r->ns_per_access;
	case BENCH_NS_PER_FAULT:
		return r->ns_per_fault;
	case BENCH_P50:
		return r->p50;
	case BENCH_P99:
		return r->p99;
	case BENCH_P999:
		return r->p999;
	case BENCH_FAULTS_PER_ACCESS:
		return part((double)r->faults, r);
	case BENCH_CPU_PER_ACCESS:
		return part(r->cpu_s * 1e9, r);
	default:
		return part(r->written_bytes, r);
	}
}

struct bench_figure bench_figure(const struct bench_run *run, unsigned int cell, unsigned int what)
{
	double values[BENCH_ROUNDS_MAX];
	struct bench_figure figure = {0};

	for (unsigned int i = 0; i < run->rounds; i++) {
		if (run->outcomes[i].cells[cell].done && run->outcomes[i].wrong == 0) {
			values[figure.n++] = value_of(&run->outcomes[i].cells[cell], what);
		}
	}
	if (figure.n > 0) {
		figure.median = probe_median(values, figure.n);
		if (figure.median > 0) {
			figure.spread = (values[figure.n - 1] - values[0]) / 2 / figure.median;
		}
	}
	return figure;
}

double bench_ram(const struct bench_run *run)
{
	double most = 0;

	for (unsigned int i = 0; i < run->rounds; i++) {
		const struct bench_outcome *o = &run->outcomes[i];

		most = fmax(most, (double)o->ram_bytes);
	}
	return most;
}

double bench_store(const struct bench_run *run)
{
	double most = 0;

	for (unsigned int i = 0; i < run->rounds; i++) {
		most = fmax(most, (double)run->outcomes[i].store_bytes);
	}
	return most;
}

double bench_ratio(const struct bench_run *a, const struct bench_run *b, unsigned int cell,
		   unsigned int what)
{
	struct bench_figure x, y;

	if (a == NULL || b == NULL) {
		return NAN;
	}
	x = bench_figure(a, cell, what);
	y = bench_figure(b, cell, what);
	return x.n > 0 && y.n > 0 && y.median > 0 ? x.median / y.median : NAN;
}

const struct bench_run *bench_same_run(const struct bench_plan *plan, const char *peer,
				       const struct bench_run *as)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct bench_run *run = &plan->runs[i];

		if (strcmp(run->peer->name, peer) == 0 && run->content == as->content &&
		    run->threads == as->threads && run->share == as->share) {
			return run;
		}
	}
	return NULL;
}

const char *bench_baseline(const char *peer)
{
	static const char *const pairs[][2] = {
		{"zpager-lz4", "zram"},      {"zpager-lz4-monitor", "zram"},
		{"zpager-file", "swapfile"}, {"zpager-fits", "plain"},
		{"plain-huge", "plain"},     {"zpager", "zram"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (strcmp(pairs[i][0], peer) == 0) {
			return pairs[i][1];
		}
	}
	return NULL;
}

/* Which ratios a target is made of. */
struct rule {
	const char *peer, *against, *what, *text;
	uint32_t cells;
	unsigned int figure;
	bool worst; /* the largest ratio; else the geometric mean */
	double wanted;
};

#define SEQUENTIAL                                                                                 \
	(BENCH_BIT(BENCH_SEQUENTIAL, BENCH_READ) | BENCH_BIT(BENCH_SEQUENTIAL, BENCH_WRITE))
#define RANDOM_READ BENCH_BIT(BENCH_RANDOM, BENCH_READ)

static const struct rule rules[] = {
	{"zpager-lz4", "zram", "all cells, geometric mean", "Linux swap on zram", EVERY,
	 BENCH_NS_PER_ACCESS, false, 0.40},
	{"zpager-lz4", "zram", "the worst cell", "Linux swap on zram", EVERY, BENCH_NS_PER_ACCESS,
	 true, 0.80},
	{"zpager-lz4", "zram", "sequential, geometric mean", "Linux swap on zram", SEQUENTIAL,
	 BENCH_NS_PER_ACCESS, false, 0.20},
	{"zpager-lz4", "zram", "p99 of a fault, random read", "Linux swap on zram", RANDOM_READ,
	 BENCH_P99, false, 0.10},
	{"zpager-file", "swapfile", "all cells, geometric mean", "Linux swap file", EVERY,
	 BENCH_NS_PER_ACCESS, false, 0.40},
	{"zpager-file", "pread", "a fault of random read", "one raw pread", RANDOM_READ,
	 BENCH_NS_PER_FAULT, false, 1.15},
	{"zpager-file", "mmap", "sequential, the worst cell", "mmap of a file", SEQUENTIAL,
	 BENCH_NS_PER_ACCESS, true, 1.0},
	{"zpager-fits", "plain", "the worst cell", "plain memory, all resident", EVERY,
	 BENCH_NS_PER_ACCESS, true, 1.02},
};

static void include(struct bench_target *target, const struct rule *rule, double ratio,
		    double *logs)
{
	if (isnan(ratio)) {
		return;
	}
	target->cells++;
	*logs += log(ratio);
	if (rule->worst) {
		target->got = target->cells == 1 ? ratio : fmax(target->got, ratio);
	} else {
		target->got = exp(*logs / target->cells);
	}
}

static struct bench_target apply(const struct bench_plan *plan, const struct rule *rule)
{
	struct bench_target target = {
		.against = rule->text,
		.what = rule->what,
		.wanted = rule->wanted,
		.got = NAN,
	};
	double logs = 0;

	for (size_t i = 0; i < plan->n; i++) {
		const struct bench_run *run = &plan->runs[i];
		const struct bench_run *other = bench_same_run(plan, rule->against, run);

		for (unsigned int cell = 0; cell < BENCH_CELLS; cell++) {
			if (strcmp(run->peer->name, rule->peer) == 0 &&
			    (run->cells & rule->cells & 1U << cell) != 0) {
				include(&target, rule, bench_ratio(run, other, cell, rule->figure),
					&logs);
			}
		}
	}
	return target;
}

size_t bench_targets(const struct bench_plan *plan, struct bench_target out[BENCH_TARGETS_MAX])
{
	size_t n = sizeof(rules) / sizeof(rules[0]);

	for (size_t i = 0; i < n; i++) {
		out[i] = apply(plan, &rules[i]);
	}
	return n;
}
