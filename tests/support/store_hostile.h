/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_hostile.h - a store around a store: makes chosen calls fail, and checks its caller.
 *
 *   struct store_hostile *h = store_hostile_open(inner);     takes inner over; close closes both
 *   store_hostile_fail(h, STORE_OUT, 3, 1, Z_ERR_IO);        the third page_out from now fails
 *   ... use store_hostile_store(h) as the store ...
 *   assert_null(store_hostile_violation(h));                 NULL: the contract was kept
 *
 * With no failure planned it behaves as the store inside. A call that is made to fail does not reach
 * it. What is checked, each time, of the caller: a location is one that was given and is not freed;
 * page_in only of a location that was written; page_finalize only after a page_in and with a frame
 * that is MAPPED; page_out not of a clean copy that was not asked for with location_get; no two page
 * operations on one location at once, none beside another if the store is not PARALLEL; no two
 * calls that want the pager lock at once. And of the store inside: tokens are page-aligned and given
 * to one owner at a time; a BACKED frame gets its own again; a page comes back as it went out; a
 * stolen copy's frame is not BACKED any more.
 *
 * The first violation is kept as text, with the last calls (store_hostile_print). The check
 * operation returns a line number if there was one, so z_pager_check level 2 finds it too.
 *
 * A sweep: for (n = 1; ; n++) { open; store_hostile_fail(h, STORE_ANY, n, 1, err); run;
 * if (!store_hostile_fired(h)) break; } - the n-th call of any kind that can fail.
 *
 * Locks: its own, so it is usable from threads. Hosted.
 */
#ifndef STORE_HOSTILE_H
#define STORE_HOSTILE_H

#include <zpager/store.h>

enum store_hostile_op {
	STORE_GET, /* location_get, not counting those of a BACKED frame, which cannot fail */
	STORE_OUT, /* page_out, and each page of page_out_many */
	STORE_IN,
	STORE_FREE,     /* cannot be made to fail; counted */
	STORE_FINALIZE, /* cannot be made to fail; counted */
	STORE_ANY,      /* any of GET, OUT, IN, counted together */
	STORE_OPS
};

struct store_hostile;

/* store_hostile_open - never fails (it ends the test program if there is no memory). */
struct store_hostile *store_hostile_open(struct z_store *inner);

/* store_hostile_store - to be given to the pager; its close operation closes inner too. */
struct z_store *store_hostile_store(struct store_hostile *hostile);

/*
 * store_hostile_fail - the nth call from now of this kind, and the times - 1 after it, fail.
 *   nth: from 1; 0 takes the plan back. err: what they return; for STORE_ANY with err 0, each kind
 *   fails in its own way: GET with NOSPC, OUT with IO, IN with IO. One plan for each op.
 */
void store_hostile_fail(struct store_hostile *hostile, enum store_hostile_op op, uint64_t nth,
			uint64_t times, int err);

/* store_hostile_fired - how many calls were made to fail so far. */
uint64_t store_hostile_fired(struct store_hostile *hostile);

/* store_hostile_calls - how many calls of the kind there were; page_out_many counts its pages. */
uint64_t store_hostile_calls(struct store_hostile *hostile, enum store_hostile_op op);

/* store_hostile_live - locations given and not known to be free: RESERVED and STORED, not CACHED. */
uint64_t store_hostile_live(struct store_hostile *hostile);

/* store_hostile_violation - the first breach of the contract, NULL if there was none. */
const char *store_hostile_violation(struct store_hostile *hostile);

/* store_hostile_print - the last calls and the violation, to stderr. */
void store_hostile_print(struct store_hostile *hostile);

/*
 * store_hostile_hook - called before each STORE_IN and STORE_OUT reaches the store, no lock held:
 *   a test can hold a page operation there, or let another context do something meanwhile.
 */
void store_hostile_hook(struct store_hostile *hostile,
			void (*hook)(void *ctx, enum store_hostile_op op, z_loc_t loc), void *ctx);

/* store_hostile_serial - say that the store is not PARALLEL, and check that the caller heeds it. */
void store_hostile_serial(struct store_hostile *hostile);

#endif /* STORE_HOSTILE_H */
