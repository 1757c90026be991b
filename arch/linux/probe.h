/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.h - what this kernel lets this process do.
 */
#ifndef ZL_PROBE_H
#define ZL_PROBE_H

#include "uffd.h"

struct zl_features {
	enum zl_uffd_how how;
	int error;         /* why not, if how is NONE */
	uint64_t features; /* UFFD_FEATURE_* */
	bool sigbus;
	bool thread_id;
	bool wp;
	bool wp_async;
	bool poison;
	bool move;
	bool vector_dontneed; /* process_madvise(MADV_DONTNEED) on ourselves */
	bool proc_mem;        /* /proc/self/mem reads PROT_NONE memory */
	bool huge;            /* the administrator has not forbidden huge pages */
};

/* zl_probe - the answer, found out at the first call. Any thread, not a signal handler. */
const struct zl_features *zl_probe(void);

/* zl_probe_runs_move_cheaply - as timed at the first call (probe_runs.c). Any thread, not a signal handler. */
bool zl_probe_runs_move_cheaply(void);

#endif /* ZL_PROBE_H */
