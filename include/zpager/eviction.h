/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eviction.h - what an eviction algorithm gives: which page frame to give up.
 *
 * An algorithm is a table of operations; several live in one binary and are chosen by name. It
 * returns only what only it knows: select() gives a frame or none. The core reads the dirty bit,
 * checks that the frame is evictable, and may in the end not evict it.
 *
 * The core tells every algorithm of every change; add and remove are strictly paired:
 *   add      the frame became a candidate: it was filled, or unpinned, or an eviction failed
 *   remove   it is one no longer: chosen and leaving, pinned, unmapped
 * so an algorithm never sees an unevictable frame in its own structures. A frame that select()
 * returned is removed by the core with Z_REMOVE_EVICT before its contents go.
 *
 * Pre-conditions of all operations: pager lock held, interrupts locked; no operation sleeps,
 * allocates, or touches pageable memory. Cost: O(1) amortised a call, no walk of all frames.
 *
 * Memory: the core allocates state_bytes(n) bytes once, zeroed, aligned for any scalar; at most
 * 8 bytes a frame besides a constant and ghost_bytes(n).
 *
 * Source: the specification (z_eviction_select, z_eviction_init); upstream's later tracking calls
 * (add, remove, accessed).
 */
#ifndef ZPAGER_EVICTION_H
#define ZPAGER_EVICTION_H

#include <zpager/error.h>
#include <zpager/page_frame.h>

/* What the core lends to an algorithm. Fixed after init. */
struct z_eviction_host {
	void *core;
	struct z_page_frame *frames; /* [I] the frame database; index = frame number */
	uint32_t nframes;            /* [I] */

	/*
	 * sample - enum z_page_info bits of the page in a frame that add() named.
	 *   clear_accessed: start a new observation period for it.
	 */
	unsigned int (*sample)(void *core, const struct z_page_frame *pf, bool clear_accessed);

	/*
	 * near - a candidate whose page lies close to that of pf by address: the closest below, else the
	 *   closest above; NULL: there is none. pf: the frame that add() is about, no candidate yet.
	 */
	const struct z_page_frame *(*near)(void *core, const struct z_page_frame *pf);
};

enum z_add_reason {
	Z_ADD_FAULT,  /* filled because it was touched */
	Z_ADD_AHEAD,  /* filled ahead of need: not touched yet */
	Z_ADD_UNPIN,  /* was pinned until now */
	Z_ADD_FAILED, /* its eviction failed; it is still the same page */
};

enum z_remove_reason {
	Z_REMOVE_EVICT, /* it leaves for the store: a ghost may be kept under pf->addr */
	Z_REMOVE_PIN,
	Z_REMOVE_UNMAP, /* the page is gone for good: no ghost */
};

struct z_eviction_ops {
	const char *name;
	const char *summary; /* one line for --help */

	/* state_bytes - bytes of state for n frames. */
	size_t (*state_bytes)(uint32_t nframes);

	/*
	 * ghost_bytes - how many of these remember pages that are out: at most 8 bytes a frame. NULL:
	 * none. For reports and tests; nothing is allocated by it.
	 */
	size_t (*ghost_bytes)(uint32_t nframes);

	/*
	 * init - prepare zeroed state. select() is never called before this has returned.
	 *   0 | an error: the pager is not created.
	 */
	int (*init)(void *state, const struct z_eviction_host *host);

	/* select - a frame that add() named and remove() has not, or NULL if there is none. */
	struct z_page_frame *(*select)(void *state);

	void (*add)(void *state, struct z_page_frame *pf, enum z_add_reason reason);
	void (*remove)(void *state, struct z_page_frame *pf, enum z_remove_reason reason);

	/* accessed - a soft fault showed that the page in this frame is in use. May be NULL. */
	void (*accessed)(void *state, struct z_page_frame *pf);

	/*
	 * refault - the page that is about to be added was evicted not long ago.
	 *   distance: evictions since then, 1 or more. Called before add(). May be NULL.
	 */
	void (*refault)(void *state, struct z_page_frame *pf, uint32_t distance);

	/*
	 * advise - the program said something about this resident page. May be NULL. Never KEEP: the core
	 *   removes such pages, and adds some when there are few others.
	 */
	void (*advise)(void *state, struct z_page_frame *pf, enum z_advice advice);

	/* check - 0 if the state is sound, else the line that found it is not. May be NULL. */
	int (*check)(void *state);
};

/*
 * z_eviction_find - an algorithm by name.
 *   Returns NULL if there is none of that name.
 * z_eviction_at - the i-th algorithm, NULL past the end: for listings and matrices of tests.
 */
const struct z_eviction_ops *z_eviction_find(const char *name);
const struct z_eviction_ops *z_eviction_at(size_t i);

extern const struct z_eviction_ops z_eviction_nru;
extern const struct z_eviction_ops z_eviction_clock;
extern const struct z_eviction_ops z_eviction_lru;
extern const struct z_eviction_ops z_eviction_sieve;
extern const struct z_eviction_ops z_eviction_s3fifo;
extern const struct z_eviction_ops z_eviction_clockpro;
extern const struct z_eviction_ops z_eviction_mglru;
extern const struct z_eviction_ops z_eviction_learned;
extern const struct z_eviction_ops z_eviction_sweep;

#endif /* ZPAGER_EVICTION_H */
