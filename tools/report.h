/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - the page of memory that `zpager run` shares with the programs it runs.
 *
 * `zpager run` makes a memory file and names it in the environment (ZPAGER_REPORT, a path under
 * /proc). Each process with the preload library takes one slot and keeps its figures there, several
 * times a second and at its end, so that the summary is there however the process ends, SIGKILL
 * included.
 *
 * Concurrency: a slot is taken by one atomic add and then written by its owner only; the text of
 * the JSON object is double-buffered and switched by one atomic store. The reader copies.
 */
#ifndef ZPAGER_TOOLS_REPORT_H
#define ZPAGER_TOOLS_REPORT_H

#include <stdatomic.h>
#include <stdint.h>

#include <zpager/stats.h>

#define ZR_MAGIC      0x7a706731U
#define ZR_SLOTS      128
#define ZR_JSON_BYTES 8192
#define ZR_TEXT_BYTES 256
#define ZR_NAME_BYTES 64

/* The names in the environment: what `zpager run` tells the preload library. */
#define ZR_ENV_REPORT    "ZPAGER_REPORT"
#define ZR_ENV_RAM       "ZPAGER_RAM"
#define ZR_ENV_STORE     "ZPAGER_STORE"
#define ZR_ENV_EVICTION  "ZPAGER_EVICTION"
#define ZR_ENV_FAULTS    "ZPAGER_FAULT_MODE"
#define ZR_ENV_MECHANISM "ZPAGER_MECHANISM"
#define ZR_ENV_RECLAIM   "ZPAGER_RECLAIM"
#define ZR_ENV_THRESHOLD "ZPAGER_THRESHOLD"
#define ZR_ENV_PROBE     "ZPAGER_PROBE"

enum zr_state {
	ZR_EMPTY,
	ZR_OPEN,   /* the pager runs */
	ZR_FAILED, /* it could not be opened: see error */
};

struct zr_slot {
	_Atomic uint32_t state;
	int32_t pid;
	char program[ZR_NAME_BYTES];
	char error[ZR_TEXT_BYTES];
	char fault_mode[16];
	char mechanism[16];
	uint64_t budget_bytes;
	uint64_t mapped_peak_bytes; /* most that was mapped at one time, of the samples taken */
	uint64_t beyond_bytes;      /* most RAM of the store beyond the budget, likewise */
	uint64_t served_calls;      /* system calls on paged memory, in signal mode */
	uint64_t unpaged_bytes;     /* large anonymous mappings that are not paged, in all */
	struct z_stats stats;
	_Atomic uint32_t json_at;
	char json[2][ZR_JSON_BYTES];
};

struct zr_report {
	uint32_t magic;
	uint32_t bytes; /* sizeof of this: both sides are of one build */
	_Atomic uint32_t taken;
	struct zr_slot slot[ZR_SLOTS];
};

#endif /* ZPAGER_TOOLS_REPORT_H */
