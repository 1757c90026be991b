/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.h - one trace, one memory size, one eviction algorithm: how many misses?
 *
 * The algorithms are those of the registry, the same object code that the pager uses, and a few
 * that only a simulator can have: the optimum, which knows the future, and references to compare
 * with. All are reached through replay_at() and replay_find().
 *
 * Locks: none; a trace is only read, so several threads may replay one at the same time.
 * Limits: fewer than 2^32 - 2 references.
 */
#ifndef ZPAGER_TOOLS_REPLAY_H
#define ZPAGER_TOOLS_REPLAY_H

#include <zpager/eviction.h>

#include "pgt.h"

enum replay_class {
	REPLAY_MODULE,    /* of the registry */
	REPLAY_OPTIMUM,   /* knows the future */
	REPLAY_REFERENCE, /* only here: not bound to what an MMU shows */
};

enum replay_access {
	REPLAY_BITS, /* the MMU sets accessed bits by itself */
	REPLAY_SOFT, /* a page whose bit was cleared traps, and the algorithm is told */
	REPLAY_NONE, /* no accessed bit: the first write to a clean page traps, and is told; as on Linux */
};

struct replay_options {
	uint32_t frames; /* 1 or more */
	enum replay_access access;
	uint32_t readaround; /* pages of the aligned block that a miss brings in; 0, 1: that page */
	bool together; /* of these only those that left when the page did, or never were in like it */
};

/* What is counted. A fault is a miss: a reference to a page that is in no frame. */
struct replay_result {
	uint64_t misses;        /* cold ones included */
	uint64_t cold;          /* first references among them */
	uint64_t read;          /* pages brought in, those ahead of need included */
	uint64_t written;       /* victims that were written to since they came in */
	uint64_t evictions;     /* victims */
	uint64_t soft;          /* touches of a resident page whose accessed bit was clear */
	uint64_t examined;      /* calls of sample() */
	uint32_t examined_most; /* within one choice of a victim */
	double seconds;         /* of this thread's processor time */
};

struct replay_algorithm {
	const char *name;
	const char *summary;
	enum replay_class kind;
	const struct z_eviction_ops *ops; /* NULL: run by `special` */
	int (*special)(const struct pgt *t, const uint32_t *next, const struct replay_options *o,
		       struct replay_result *r);
};

/*
 * replay_at - the i-th algorithm, false past the end: the registry in its order, then the others.
 * replay_find - by name. A name of the registry hides one of ours.
 */
bool replay_at(size_t i, struct replay_algorithm *out);
bool replay_find(const char *name, struct replay_algorithm *out);

/*
 * replay_next - for each reference the position of the next one to the same page, the number of
 * references if there is none. NULL: no memory, or too many references. To be freed.
 */
uint32_t *replay_next(const struct pgt *t);

/*
 * replay_run - the whole trace.
 *   next: of replay_next(); only the optimum looks at it.
 *   0 | -1 and *error_out says why.
 */
int replay_run(const struct pgt *t, const uint32_t *next, const struct replay_algorithm *a,
	       const struct replay_options *o, struct replay_result *r, const char **error_out);

/* What replay_run() runs for the algorithms that only the simulator has (replay_algorithm.special). */
int replay_opt(const struct pgt *t, const uint32_t *next, const struct replay_options *o,
	       struct replay_result *r);
int replay_opt_wb(const struct pgt *t, const uint32_t *next, const struct replay_options *o,
		  struct replay_result *r);
int replay_true_lru(const struct pgt *t, const uint32_t *next, const struct replay_options *o,
		    struct replay_result *r);

extern const struct z_eviction_ops replay_fifo;
extern const struct z_eviction_ops replay_random;

#endif /* ZPAGER_TOOLS_REPLAY_H */
