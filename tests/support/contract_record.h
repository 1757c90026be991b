/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_record.h - a recording layer around a store and an eviction algorithm: writes down every
 * call with the state of the machine, and checks on each one what the contract says of all of them:
 *
 *   10 select with a free frame          28 29 scratch is the frame of the page, readable, writable
 *   11 select before init has returned   30 page_in or page_out beside another one
 *   12 23 32 interrupts on, or no lock   31 50 interrupts not as in the context that faulted
 *   14 a frame that is not evictable     33 37 finalize: another location, page or no page
 *   17 one token, two pages              19 a clean copy's location changed
 *   22 pf->addr is not the page's address
 *
 * The first violation is kept as text that begins with the number of the statement.
 * Locks: one host thread. Limits: one at a time; CONTRACT_LOG_MAX calls are kept, all are counted.
 */
#ifndef TESTS_SUPPORT_CONTRACT_RECORD_H
#define TESTS_SUPPORT_CONTRACT_RECORD_H

#include <zpager/pager.h>

#include "../../arch/sim/sim.h"

#define CONTRACT_LOG_MAX    4096
#define CONTRACT_TOKENS_MAX 1024

enum contract_op {
	CONTRACT_INIT,
	CONTRACT_SELECT,
	CONTRACT_GET,
	CONTRACT_FREE,
	CONTRACT_OUT,
	CONTRACT_IN,
	CONTRACT_FINALIZE,
	CONTRACT_OPS
};

struct contract_call {
	enum contract_op op;
	struct z_page_frame *pf; /* SELECT, GET, FINALIZE */
	uintptr_t va;            /* of the page, where one is known */
	uintptr_t loc;
	int result;
	unsigned int cpu;
	bool irqs_on;
	bool backed; /* pf, when the call began */
};

struct contract_token {
	uintptr_t loc;
	uintptr_t va;
	bool live; /* given, not freed, not dropped by finalize */
};

struct contract_record {
	struct z_store store;
	struct z_store *inner;
	const struct z_eviction_ops *inner_eviction;
	struct z_eviction_ops eviction;
	struct z_sim *sim;
	bool lock_kept; /* ALLOW_IRQ=n */
	bool irqs_on;   /* in the contexts that fault */

	struct contract_call log[CONTRACT_LOG_MAX];
	size_t calls;
	unsigned int count[CONTRACT_OPS];
	struct contract_token tokens[CONTRACT_TOKENS_MAX];
	size_t ntokens;
	unsigned int moving; /* page_in and page_out under way */
	uintptr_t loaded[Z_SIM_CPUS_MAX];
	bool has_loaded[Z_SIM_CPUS_MAX];
	char violation[160];

	struct z_page_frame *force; /* the next select answers this frame */

	/* Called in the middle of each call of a store's function, before it does its work. */
	void (*hook)(struct contract_record *r, enum contract_op op, uintptr_t loc);
	void *arg;
};

/* contract_record_open - put the layer around both; r is zeroed and lives as long as the pager. */
void contract_record_open(struct contract_record *r, struct z_sim *sim, struct z_store *inner,
			  const struct z_eviction_ops *eviction);

/* contract_record_forget - forget the log and the counts; not the tokens, not the violation. */
void contract_record_forget(struct contract_record *r);

/* contract_record_last - the last call of a kind, NULL if there was none. */
const struct contract_call *contract_record_last(const struct contract_record *r,
						 enum contract_op op);

/* contract_record_live - how many tokens are given out, clean copies included. */
size_t contract_record_live(const struct contract_record *r);

#endif /* TESTS_SUPPORT_CONTRACT_RECORD_H */
