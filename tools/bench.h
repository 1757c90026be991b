/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.h - what the files of `zpager bench` share.
 *
 * A peer is a way to have more memory than RAM (or a limit to compare with). A run is one process: one
 * peer, kind of contents, number of threads and share of RAM; it fills its region and then does cells,
 * one after the other: a pattern with reads, writes or both. All runs are done in turn, `rounds` times;
 * a figure is the median over the rounds. A run that dies leaves what it had finished.
 */
#ifndef ZPAGER_TOOLS_BENCH_H
#define ZPAGER_TOOLS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "bench_content.h"

enum bench_pattern {
	BENCH_RANDOM,     /* uniform over pages */
	BENCH_SEQUENTIAL, /* every line of every page in order; figures are of a page */
	BENCH_ZIPF,       /* 0.99 over pages, ranks scattered */
	BENCH_STRIDED,    /* every fifth page */
	BENCH_CHASE,      /* the next page is known when this one was read */
	BENCH_PATTERNS,
};

enum bench_access {
	BENCH_READ,
	BENCH_WRITE,
	BENCH_BOTH, /* half of them each */
	BENCH_ACCESSES,
};

#define BENCH_CELLS       (BENCH_PATTERNS * BENCH_ACCESSES)
#define BENCH_CELL(p, a)  ((unsigned int)(p)*BENCH_ACCESSES + (unsigned int)(a))
#define BENCH_BIT(p, a)   (1U << BENCH_CELL(p, a))
#define BENCH_RUNS_MAX    256U
#define BENCH_ROUNDS_MAX  9U
#define BENCH_THREADS_MAX 16U
#define BENCH_WHY_BYTES   160

/* Where the memory of a run comes from. */
enum bench_memory {
	BENCH_PAGER,
	BENCH_PLAIN,       /* anonymous memory, nobody limits it */
	BENCH_PLAIN_HUGE,  /* the same with MADV_HUGEPAGE */
	BENCH_ZRAM,        /* the same in a memory cgroup, swap on zram */
	BENCH_SWAPFILE,    /* the same, swap in a file */
	BENCH_MMAP,        /* a file mapped, in a memory cgroup */
	BENCH_MMAP_RANDOM, /* the same with MADV_RANDOM */
	BENCH_PREAD,       /* no memory: one page read from the disk, past the page cache */
};

struct bench_peer {
	const char *name;
	enum bench_memory memory;
	const char *store; /* of a pager; %SIZE and %DIR are put in. NULL: --store */
	const char *fault_mode;
	bool fits; /* all of the region has room */
	const char *summary;
};

extern const struct bench_peer bench_peers[];
extern const size_t bench_peer_count;

/* bench_find_peer - NULL: there is none of that name. */
const struct bench_peer *bench_find_peer(const char *name);

struct bench_result {
	bool done;
	uint64_t accesses, faults;
	double ns_per_access;  /* wall time of one thread */
	double ns_per_fault;   /* wall time of one thread, per fault of one */
	double p50, p99, p999; /* ns: the accesses that fault, or (if none does) all */
	double cpu_s;
	double written_bytes;
};

enum {
	BENCH_NS_PER_ACCESS,
	BENCH_NS_PER_FAULT,
	BENCH_P50,
	BENCH_P99,
	BENCH_P999,
	BENCH_FAULTS_PER_ACCESS,
	BENCH_CPU_PER_ACCESS, /* ns, of all threads */
	BENCH_WRITTEN_PER_ACCESS,
	BENCH_FIGURES,
};

/* What one run of a process gives; lies in memory that it shares with the driver. */
struct bench_outcome {
	struct bench_result cells[BENCH_CELLS];
	bool started;
	uint64_t ram_bytes;        /* what the process and its page cache took at most */
	uint64_t store_bytes;      /* RAM of the store or of zram besides, at most */
	uint64_t checked;          /* pages that were compared whole at the end */
	uint64_t wrong;            /* words that were not what they have to be */
	bool killed;               /* by the kernel, for lack of memory in its cgroup */
	char why[BENCH_WHY_BYTES]; /* what was wrong; "": nothing */
};

struct bench_run {
	const struct bench_peer *peer;
	enum bench_content content;
	unsigned int threads;
	unsigned int share; /* RAM is 1/share of the region */
	uint32_t cells;     /* BENCH_BIT()s */
	struct bench_outcome outcomes[BENCH_ROUNDS_MAX];
	unsigned int rounds; /* outcomes that there are */
	const char *skipped; /* why it cannot run here; NULL: it can */
};

struct bench_options {
	const char *peers, *patterns, *accesses, *threads, *contents, *shares;
	const char *store, *eviction, *fault_mode, *dir, *json, *svg;
	uint64_t region_bytes;
	double seconds; /* of a cell; half as long again for the latencies */
	uint32_t rounds;
	bool quick;
};

struct bench_plan {
	struct bench_options options;
	struct bench_run runs[BENCH_RUNS_MAX];
	size_t n;
};

/* ---- bench_plan.c ---------------------------------------------------------------------------- */

/* bench_plan_make - what runs: the default set, or the product of what was chosen. 0, or said why. */
int bench_plan_make(struct bench_plan *plan);

extern const char *const bench_pattern_names[BENCH_PATTERNS];
extern const char *const bench_access_names[BENCH_ACCESSES];

/* ---- bench_run.c ----------------------------------------------------------------------------- */

/* bench_run_once - in a process of its own; the outcome is the next of the run. */
void bench_run_once(const struct bench_plan *plan, struct bench_run *run);

/* bench_interrupted - a signal asks us to end; the process that ran is gone. */
bool bench_interrupted(void);
void bench_catch_signals(void);

/* ---- bench_work.c ---------------------------------------------------------------------------- */

/* What the work needs to know of who gives the memory. */
struct bench_memory_ops {
	uint64_t *region;
	uint64_t pages;
	uint64_t (*faults)(void *context);
	uint64_t (*written_bytes)(void *context);
	void *context;
};

/* bench_work - fill the region, do the cells of the run, check the contents. */
void bench_work(const struct bench_plan *plan, const struct bench_run *run,
		const struct bench_memory_ops *memory, struct bench_outcome *out);

/* bench_cpu_seconds - of this process, all threads, user and system. */
double bench_cpu_seconds(void);

/* bench_percentiles - p50, p99, p999 of n figures in ns, which are put in order. */
void bench_percentiles(double *figures, size_t n, struct bench_result *out);

/* ---- bench_memory.c -------------------------------------------------------------------------- */

/* bench_child - all that the process of a run does; its outcome is shared with the driver. */
void bench_child(const struct bench_plan *plan, const struct bench_run *run,
		 struct bench_outcome *out);

/*
 * bench_fault_cost - what a fault of a pager costs in this process: reading and writing at random, a
 * quarter of the region resident, the mean of both in microseconds. 0 or -1, and a line of text.
 */
int bench_fault_cost(const char *store, uint64_t region_bytes, double seconds, double *us_out,
		     char *text, size_t text_bytes);

/* ---- bench_host.c ---------------------------------------------------------------------------- */

/*
 * bench_host_open - find what this machine can give: a memory cgroup, zram, a swap file. What was set up
 * is taken down by bench_host_close(), or by a process that waits for our end, whatever that is.
 */
void bench_host_open(const struct bench_plan *plan);
void bench_host_close(void);

/* bench_host_lacks - why this kind of memory cannot be had here; NULL: it can. */
const char *bench_host_lacks(enum bench_memory memory);

/*
 * bench_host_begin - before a run: swap on, and an empty cgroup with this limit. 0 or -1, why filled.
 * bench_host_join - in the child: into the cgroup. bench_host_end - after it: what it took, swap off.
 */
int bench_host_begin(enum bench_memory memory, uint64_t limit_bytes, char *why);
int bench_host_join(enum bench_memory memory);
void bench_host_end(enum bench_memory memory, struct bench_outcome *out);

/* ---- bench_program.c ------------------------------------------------------------------------- */

/*
 * bench_program - a program in a cgroup of this size with swap on the peer "zram" or "swapfile"; its
 * end is ours. The options of the plan are set. An exit status; said why.
 */
int bench_program(struct bench_plan *plan, const char *name, const char *ram, char **command);

/* ---- bench_stat.c ---------------------------------------------------------------------------- */

/* A figure over the rounds; n 0: there is none. */
struct bench_figure {
	double median;
	double spread; /* of half of (most - least), as a part of the median */
	size_t n;
};

struct bench_figure bench_figure(const struct bench_run *run, unsigned int cell, unsigned int what);
double bench_ram(const struct bench_run *run);   /* bytes, the store's included; the most */
double bench_store(const struct bench_run *run); /* of these, of the store or zram */

/* A target: what it asks for, and what was got. */
struct bench_target {
	const char *against, *what;
	double wanted;
	double got;         /* NAN: nothing to compare */
	unsigned int cells; /* ratios that it is made of */
};

#define BENCH_TARGETS_MAX 24U

/* bench_ratio - run a against run b in a cell; NAN: one of them has no figure. */
double bench_ratio(const struct bench_run *a, const struct bench_run *b, unsigned int cell,
		   unsigned int what);
const struct bench_run *bench_same_run(const struct bench_plan *plan, const char *peer,
				       const struct bench_run *as);
/* bench_baseline - whom the figures of a peer are divided by; NULL: nobody. */
const char *bench_baseline(const char *peer);

size_t bench_targets(const struct bench_plan *plan, struct bench_target out[BENCH_TARGETS_MAX]);

/* ---- bench_report.c, bench_picture.c --------------------------------------------------------- */

extern const char *const bench_figure_names[BENCH_FIGURES];

void bench_print(const struct bench_plan *plan);
int bench_write_json(const struct bench_plan *plan);
int bench_write_picture(const struct bench_plan *plan);

#endif /* ZPAGER_TOOLS_BENCH_H */
