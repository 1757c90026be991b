/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.h - one cell of `zpager bench`: what is measured, and the figures.
 */
#ifndef ZPAGER_TOOLS_BENCH_H
#define ZPAGER_TOOLS_BENCH_H

#include <stdbool.h>
#include <stdint.h>

enum bench_pattern {
	BENCH_RANDOM,
	BENCH_SEQUENTIAL,
	BENCH_ZIPF,
};

struct bench_cell {
	enum bench_pattern pattern;
	bool write;
	unsigned int threads;
	const char *store, *eviction, *fault_mode;
	uint64_t ram_bytes;      /* the region is four times as large */
	uint64_t limit_ns;       /* at most so long */
	uint64_t limit_accesses; /* and at most so many, of a thread */
};

struct bench_result {
	uint64_t accesses, faults, pages_in, pages_out;
	double ns_per_access; /* wall time of one thread */
	double ns_per_fault;  /* wall time of all threads, per fault */
	uint64_t beyond_bytes;
};

/* bench_measure - 0, or an error with a line in text. Contents are checked while reading. */
int bench_measure(const struct bench_cell *cell, struct bench_result *out, char *text,
		  size_t text_bytes);

#endif /* ZPAGER_TOOLS_BENCH_H */
