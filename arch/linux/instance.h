/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instance.h - what a struct zpager is, and how its parts work together.
 *
 * Ways in. A function of zpager.h, the monitor thread, and the SIGBUS handler each come in through
 * the gate with all signals blocked, and only then may take the pager lock. The gate is open except
 * during fork, when only the forking thread may pass.
 *
 * Memory. Nothing of an instance comes from malloc, which may be paged by ourselves. What a caller
 * hands over by pointer is copied before or after, never touched inside, for it may be paged too.
 *
 * Lock letters: P pager lock; I fixed after open; A atomic; E error lock.
 */
#ifndef ZL_INSTANCE_H
#define ZL_INSTANCE_H

#include <pthread.h>
#include <signal.h>

#include <zpager/pager.h>
#include <zpager/zpager.h>

#include "follow.h"
#include "port.h"

#define ZL_TEXT_MAX 256

/* The gate: how many contexts are inside, and whether one of them keeps the others out. */
struct zl_gate {
	_Atomic uint32_t inside;
	_Atomic uint32_t closed; /* 0, or the thread that closed it */
};

/* The thread that reads the userfaultfd. All but the first four is the thread's own. */
struct zl_monitor {
	bool running;     /* [I] */
	pthread_t thread; /* [I] */
	int stop_fd;      /* [I] eventfd: stop */
	void *stack;      /* [I] */
	struct zl_follow follow;
	uintptr_t bad_va; /* the last fault that was refused */
	uint32_t bad_tid;
};

enum zl_reclaim_state {
	ZL_RECLAIM_ASLEEP,
	ZL_RECLAIM_WOKEN,
	ZL_RECLAIM_BUSY,
	ZL_RECLAIM_END,
};

/* The thread that keeps frames free; reclaim.c. */
struct zl_reclaim {
	bool wanted;            /* [I] by the options */
	bool running;           /* [I] */
	pthread_t thread;       /* [I] */
	void *stack;            /* [I] */
	uint32_t batch;         /* [I] victims a batch */
	size_t frames_free;     /* [P] written by the core; read as an atomic */
	_Atomic uint32_t state; /* [A] enum zl_reclaim_state */
	_Atomic uint32_t low;   /* [A] fewer free frames wake it; 0: nobody is there */
	uint32_t calm;          /* turns in a row that left most of the reserve; the thread's own */
};

/* Where the RAM goes; budget.c. Pages unless said otherwise. */
struct zl_budget {
	uint64_t ram_bytes;         /* [E] as the user set it last */
	uint64_t open_bytes;        /* [I] as it was at open */
	size_t fixed_bytes;         /* [I] metadata that does not change */
	uint32_t nframes;           /* [I] frames in the database */
	uint32_t store_limit;       /* [I] how much the store may take */
	_Atomic uint32_t store;     /* [A] charged by the store */
	_Atomic uint32_t table;     /* [A] charged for the page table */
	uint32_t unpaid;            /* [P] taken for it without a charge */
	_Atomic uint32_t put_aside; /* [A] frames out of service by set_ram */
	_Atomic uint64_t mapped;    /* [A] pages mapped */
	int overcommit;             /* [I] as in the options */
};

struct zpager {
	struct zl_port port;
	struct z_pager *pager;       /* [I] NULL while opening */
	struct z_store *store;       /* [I] */
	struct z_page_frame *frames; /* [I] */
	void *memory;                /* [I] of the pager */
	size_t memory_bytes;         /* [I] */
	struct zl_budget budget;
	struct zl_gate gate;
	struct zl_monitor monitor;
	struct zl_reclaim reclaim;
	bool *alive;    /* [I] its page is wiped in a forked child */
	bool sigbus;    /* [I] fault mode signal */
	bool user_only; /* [I] */
	bool inherit;   /* [I] */
	void (*on_fault)(void *context, const void *address, int is_write); /* [I] or NULL */
	void *on_fault_context;                                             /* [I] */
	int fork_pipe[2];      /* [P] between prepare and parent/child */
	sigset_t fork_signals; /* of the forking thread, meanwhile */
	const char *eviction;  /* [I] */
	const char *mechanism; /* [I] */
	char store_uri[4096];  /* [I] */
	pthread_mutex_t error_lock;
	char error[ZL_TEXT_MAX]; /* [E] */
};

/* ---- gate.c ------------------------------------------------------------------------------- */

/*
 * zl_enter, zl_leave - a function of zpager.h begins and ends; signals are blocked between.
 *   0 | Z_ERR_PERM this is a forked child that has no instance: not inside, text is set.
 */
int zl_enter(struct zpager *z, sigset_t *saved);
void zl_leave(struct zpager *z, const sigset_t *saved);

/* zl_gate_pass - come in, waiting while it is closed to us. zl_gate_out - leave. */
void zl_gate_pass(struct zl_gate *gate);
void zl_gate_out(struct zl_gate *gate);

/* zl_gate_try - come in if the gate is open to thread tid, else return false. */
bool zl_gate_try(struct zl_gate *gate, uint32_t tid);

/* zl_gate_close - keep others out and wait until they are. zl_gate_open - let them in. */
void zl_gate_close(struct zl_gate *gate);
void zl_gate_open(struct zl_gate *gate);

/* ---- monitor.c, reclaim.c, sigbus.c ------------------------------------------------------------------ */

/* zl_monitor_start, zl_monitor_stop - the thread. 0 | Z_ERR_NOMEM. */
int zl_monitor_start(struct zpager *z);
void zl_monitor_stop(struct zpager *z);

/* zl_thread_start - a thread with all signals blocked on a stack of ours. 0 | Z_ERR_NOMEM. */
int zl_thread_start(pthread_t *thread, void *stack, size_t bytes, void *(*run)(void *),
		    struct zpager *z);

/* zl_reclaim_start, zl_reclaim_stop - the thread, where it makes sense. 0 | Z_ERR_NOMEM. */
int zl_reclaim_start(struct zpager *z);
void zl_reclaim_stop(struct zpager *z);
void zl_reclaim_wake(struct zpager *z);

/* zl_reclaim_note - after each fault. Async-signal-safe. */
static inline void zl_reclaim_note(struct zpager *z)
{
	if (__atomic_load_n(&z->reclaim.frames_free, __ATOMIC_RELAXED) <
	    atomic_load_explicit(&z->reclaim.low, memory_order_relaxed)) {
		zl_reclaim_wake(z);
	}
}

/*
 * zl_sigbus_start - faults of the instance are served in the handler of SIGBUS from now on.
 *   0 | Z_ERR_NOMEM too many instances | Z_ERR_PERM the handler could not be installed.
 */
int zl_sigbus_start(struct zpager *z);
void zl_sigbus_stop(struct zpager *z);

/*
 * zl_sigbus_action - what sigaction(SIGBUS, ...) of the program means while our handler stands:
 *   new (may be NULL) becomes what is called for faults that are not ours; *old (may be NULL) is
 *   what was. Returns false, nothing done, if our handler is not installed.
 */
bool zl_sigbus_action(const struct sigaction *new_action, struct sigaction *old_action);

/* zl_tell_fault - a fault was served: tell who asked for it in the options. */
static inline void zl_tell_fault(const struct zpager *z, uintptr_t va, bool write)
{
	if (z->on_fault != NULL) {
		z->on_fault(z->on_fault_context, (const void *)va, write);
	}
}

/* zl_report_fault - one line to stderr about a fault that cannot be served. Async-signal-safe. */
void zl_report_fault(enum z_fault_result result, uintptr_t va);

/* ---- budget.c ----------------------------------------------------------------------------- */

/* zl_budget_frames - fill in how many frames the budget gives, and fixed_bytes. 0 | Z_ERR_INVAL. */
int zl_budget_frames(struct zpager *z, struct z_pager_config *config, char *text,
		     size_t text_bytes);

/* zl_budget_begin - the pager is there: charge it with what was charged before. */
int zl_budget_begin(struct zpager *z);

/* zl_budget_env - what the store is given. */
void zl_budget_env(struct zpager *z, struct z_store_env *env);

/* zl_budget_purse - who pays for the page table. */
void zl_budget_purse(struct zpager *z, struct zl_purse *purse);

/* zl_budget_set - zpager_set_ram(). */
int zl_budget_set(struct zpager *z, uint64_t ram_bytes);

/* zl_budget_metadata - bytes of RAM that are neither frames nor the store's. */
uint64_t zl_budget_metadata(const struct zpager *z);

/* ---- zpager.c ----------------------------------------------------------------------------- */

/* zl_fail - remember a line of text as the last error; returns the error. */
int zl_fail(struct zpager *z, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* zl_thread_id - the kernel's number of the calling thread. */
uint32_t zl_thread_id(void);

#endif /* ZL_INSTANCE_H */
