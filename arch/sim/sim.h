/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.h - a machine in software, to test the pager to death.
 *
 * RAM (a memfd, so that a frame can be mapped twice), a page table for one paged window, one to
 * 64 CPUs, each with a TLB that can be stale, virtual time, interrupts, and simulated programs
 * that touch memory through all of that. What hardware does in hardware is done here the same way:
 *
 *   TLB     keeps copies of entries, dirty bit included. A write through a copy that is dirty
 *           already does not look at the table: whoever takes a page away without a shoot-down
 *           loses that write. A write through a clean copy walks, and sets the bit in the table.
 *   A, D    set by the walk; with config.soft_ad they are faults instead (as on an arm64 or a
 *           riscv64 without them), and the core's touch() sets them.
 *   faults  reach the core for a page that is not IN, and with soft_ad for a missing bit; never
 *           for an access that the permissions of a present page forbid.
 *
 * CPUs run as coroutines (z_sim_run). At each hook, access, lock, unlock and wait a random number
 * decides who runs on; the same seed gives the same run. Outside of z_sim_run the caller is CPU 0.
 *
 * With config.timed nothing of that is random, and the CPUs run side by side: each has a clock of its own,
 * and whoever is behind the others goes on. A CPU that waited, for the lock or for a page, comes out with the
 * clock of the one that it waited for. So a run says how long the work takes with so many CPUs, to the
 * nanosecond, given what each part of it costs.
 *
 * The hooks check how the core uses them: lock state, alignment, window, legal transitions of
 * entries, one page a frame, scratch slots, interrupt state after a fault. What is wrong is counted
 * and the first text kept (z_sim_errors, z_sim_error_text), in release builds too.
 *
 * Frames that are free or about to be filled hold junk, never what was there before.
 *
 * Locks: a simulated machine belongs to one host thread.
 * Limits: one window; scratch at a fixed address needs pages of the host's size or multiples.
 */
#ifndef ARCH_SIM_SIM_H
#define ARCH_SIM_SIM_H

#include <zpager/arch.h>

#define Z_SIM_CPUS_MAX     64
#define Z_SIM_SCRATCH_MAX  64
#define Z_SIM_OPERANDS_MAX 16

struct z_sim;
struct z_pager;

/* What a machine is made of. Zero means the value in brackets. */
struct z_sim_config {
	uint32_t frames;            /* page frames of RAM; at least 1 */
	uintptr_t ram_base;         /* physical address of the first; page-aligned */
	uintptr_t vm_base;          /* the paged window; page-aligned */
	size_t vm_pages;            /* at least 1 */
	unsigned int cpus;          /* [1] to 64 */
	unsigned int tlb_entries;   /* [16] a CPU, 1 to 16 */
	unsigned int scratch_slots; /* [8] to 64 */
	uintptr_t scratch_address;  /* scratch is mapped here, with one slot; [0] an alias in RAM */
	bool direct_save; /* as on Linux: Z_ARCH_DIRECT_SAVE, place, vacate, prepare, untouched */
	bool soft_ad;     /* accessed and dirty by soft faults */
	bool keep_frames; /* no junk in free frames: for measurements */
	bool lock_kept_for_io; /* scratch() may be called with the lock held (unlock_for_io off) */
	bool early_wakeups;    /* wait() now and then returns early */
	uint64_t seed;         /* of TLB replacement and, until z_sim_run, of all else */
	unsigned int switch_percent; /* [25] chance of a switch at each point */
	unsigned int max_retries; /* [1000] faults of one access before it counts as a livelock */
	uint64_t
		max_picks; /* [20 million] choices of a CPU in one run before it counts as endless */
	uint64_t hook_ns;  /* [100] virtual time that a hook takes */
	uint64_t access_ns; /* [1] virtual time that an access takes */
	bool timed;         /* a clock for each CPU */
	uint64_t locked_ns; /* [0] what holding the lock once takes besides the hooks */
	uint64_t place_ns;  /* [0] a page of place(), besides hook_ns */
	uint64_t vacate_ns; /* [0] a page of vacate() */
	uint64_t detach_ns; /* [0] a call of detach(): its shoot-down */
};

/*
 * z_sim_create - make a machine.
 *   0 | Z_ERR_INVAL configuration | Z_ERR_NOMEM the host has no memory for it; *out untouched.
 */
Z_MUST_CHECK int z_sim_create(const struct z_sim_config *config, struct z_sim **out);

/* z_sim_destroy - NULL is allowed. */
void z_sim_destroy(struct z_sim *sim);

/* z_sim_arch, z_sim_env - the tables to hand to z_pager_create(); the context of both is sim. */
const struct z_arch_ops *z_sim_arch(struct z_sim *sim);
const struct z_env_ops *z_sim_env(struct z_sim *sim);

/* z_sim_config_of - the configuration, with zeros replaced. */
const struct z_sim_config *z_sim_config_of(const struct z_sim *sim);

/* ---- who gets the faults ------------------------------------------------------------------ */

/* What a handler says: the values of enum z_fault_result. */
typedef int (*z_sim_fault_fn)(void *ctx, uintptr_t va, unsigned int access);

void z_sim_set_fault(struct z_sim *sim, z_sim_fault_fn fault, void *ctx);

/* z_sim_attach_pager - faults go to z_pager_fault(pager); NULL: every fault is a bad address. */
void z_sim_attach_pager(struct z_sim *sim, struct z_pager *pager);

/* ---- simulated programs ------------------------------------------------------------------- */

enum z_sim_result {
	Z_SIM_OK,
	Z_SIM_BAD_ADDRESS,
	Z_SIM_VIOLATION,
	Z_SIM_IO_ERROR,
	Z_SIM_NO_MEMORY,
	Z_SIM_LIVELOCK, /* recorded as an error too */
};

const char *z_sim_result_name(enum z_sim_result result);

/*
 * z_sim_read, z_sim_write - touch memory as a program does, page after page.
 *   On an error the pages before the failing one are done.
 */
enum z_sim_result z_sim_read(struct z_sim *sim, uintptr_t va, void *buffer, size_t bytes);
enum z_sim_result z_sim_write(struct z_sim *sim, uintptr_t va, const void *buffer, size_t bytes);

/*
 * z_sim_access - the same with any enum z_access bits: EXEC fetches into buffer, USER asks as user
 * mode. With WRITE the buffer is read. buffer may be NULL: nothing is copied (and nothing changes,
 * except A and D).
 */
enum z_sim_result z_sim_access(struct z_sim *sim, uintptr_t va, unsigned int access, void *buffer,
			       size_t bytes);

/* One operand of an instruction. */
struct z_sim_operand {
	uintptr_t va;
	unsigned int access;
	void *buffer; /* NULL: touched only */
	size_t bytes;
};

/*
 * z_sim_access_all - an instruction: succeeds only when all its pages are present at once, else
 * it faults on the first missing one and starts again.
 *   n: at most Z_SIM_OPERANDS_MAX. All or nothing.
 */
enum z_sim_result z_sim_access_all(struct z_sim *sim, const struct z_sim_operand *operands,
				   size_t n);

/*
 * z_sim_load64, z_sim_store64 - one instruction each, any alignment; an access that straddles two
 * pages needs both at once.
 */
enum z_sim_result z_sim_load64(struct z_sim *sim, uintptr_t va, uint64_t *value_out);
enum z_sim_result z_sim_store64(struct z_sim *sim, uintptr_t va, uint64_t value);

/* ---- looking inside: no lock, no cost, no side effect ------------------------------------- */

/* z_sim_entry - an entry; UNMAPPED outside of the window. */
struct z_entry z_sim_entry(const struct z_sim *sim, uintptr_t va);

/* z_sim_frame_data - a frame's bytes; NULL if it is no frame. */
void *z_sim_frame_data(const struct z_sim *sim, z_phys_t phys);

/* z_sim_frame_used - does an entry refer to this frame (IN, HELD)? */
bool z_sim_frame_used(const struct z_sim *sim, z_phys_t phys);

/* z_sim_frames_used - how many frames entries refer to. */
uint32_t z_sim_frames_used(const struct z_sim *sim);

/* z_sim_scratch_used - how many scratch mappings are in use. */
unsigned int z_sim_scratch_used(const struct z_sim *sim);

/* What the machine counted since it was made. */
struct z_sim_counters {
	uint64_t hooks;    /* calls of z_arch_ops */
	uint64_t accesses; /* by programs, page by page */
	uint64_t faults;   /* calls of the fault handler */
	uint64_t tlb_hits;
	uint64_t walks;
	uint64_t shootdowns; /* a range or a batch counts once */
	uint64_t locks;
	uint64_t contended; /* of these, with a wait */
	uint64_t held_ns;   /* virtual time that somebody had the lock */
	uint64_t waits;
	uint64_t wakes;
	uint64_t ticks;
};

const struct z_sim_counters *z_sim_counters_of(const struct z_sim *sim);

/* ---- CPUs, time, interrupts --------------------------------------------------------------- */

struct z_sim_task {
	void (*run)(struct z_sim *sim, void *arg);
	void *arg;
};

/*
 * z_sim_run - run n tasks, task i on CPU i, until all have ended.
 *   n: 1 to the number of CPUs. seed: of all decisions from here on.
 *   0 | Z_ERR_INVAL n, or called inside a run | Z_ERR_NOMEM stacks | Z_ERR_BUSY all tasks wait for
 *   something, or the run does not end: recorded as an error, tasks abandoned, the machine is not
 *   usable any more.
 */
Z_MUST_CHECK int z_sim_run(struct z_sim *sim, const struct z_sim_task *tasks, unsigned int n,
			   uint64_t seed);

/* z_sim_dead - did a run end with Z_ERR_BUSY? */
bool z_sim_dead(const struct z_sim *sim);

/* z_sim_yield - a point where another CPU, or a tick, may come in: for stores, mocks and tests. */
void z_sim_yield(struct z_sim *sim);

/* z_sim_switches, z_sim_trace - how often the CPU changed, and a hash of who came when. */
uint64_t z_sim_switches(const struct z_sim *sim);
uint64_t z_sim_trace(const struct z_sim *sim);

/* z_sim_random - a random number of the machine's own sequence. */
uint64_t z_sim_random(struct z_sim *sim);

/* z_sim_cpu - the CPU that runs. */
unsigned int z_sim_cpu(const struct z_sim *sim);

/*
 * z_sim_now - virtual nanoseconds; with config.timed those of the running CPU, and after a run those of the
 * CPU that ended last. z_sim_advance - let time pass, as device I/O does.
 */
uint64_t z_sim_now(const struct z_sim *sim);
void z_sim_advance(struct z_sim *sim, uint64_t ns);

/* z_sim_lock_held - does the running CPU hold the pager lock? */
bool z_sim_lock_held(const struct z_sim *sim);

/* z_sim_irqs_on - are interrupts on, on the running CPU? z_sim_set_irqs returns what was. */
bool z_sim_irqs_on(const struct z_sim *sim);
bool z_sim_set_irqs(struct z_sim *sim, bool on);

/* z_sim_set_isr - the running CPU is, or is not, in an interrupt service routine. */
void z_sim_set_isr(struct z_sim *sim, bool in_isr);

/*
 * z_sim_set_tick - a timer: tick runs as an interrupt service routine, at a switch point of a CPU
 * whose interrupts are on, every period_ns of virtual time. NULL: none.
 */
void z_sim_set_tick(struct z_sim *sim, void (*tick)(struct z_sim *sim, void *arg), void *arg,
		    uint64_t period_ns);

/* ---- making things fail ------------------------------------------------------------------- */

enum z_sim_point {
	Z_SIM_POINT_MAP,     /* map() fails */
	Z_SIM_POINT_PROTECT, /* protect() fails */
	Z_SIM_POINT_ATTACH,  /* attach() of one page fails */
	Z_SIM_POINT_DETACH,  /* detach() of one page fails */
	Z_SIM_POINT_PREPARE, /* prepare() fails */
	Z_SIM_POINT_UNLOCK,  /* after unlock() another CPU runs, if one can; the error is unused */
	Z_SIM_POINT_ALLOC,   /* z_sim_alloc() fails; the error is unused */
	Z_SIM_POINT_SHOOTDOWN, /* a shoot-down is left out: the machine is broken; error unused */
	Z_SIM_POINT_COUNT,
};

/*
 * z_sim_inject - the nth call of that point from now on fails, and times - 1 calls after it.
 *   nth: from 1; 0: no more failures. error: enum z_err.
 */
void z_sim_inject(struct z_sim *sim, enum z_sim_point point, uint64_t nth, uint64_t times,
		  int error);

/* z_sim_point_calls - how often the point was passed. z_sim_point_failed - how often it failed. */
uint64_t z_sim_point_calls(const struct z_sim *sim, enum z_sim_point point);
uint64_t z_sim_point_failed(const struct z_sim *sim, enum z_sim_point point);

/* ---- memory for stores: counted, can fail ------------------------------------------------- */

/* z_sim_alloc, z_sim_free - alloc and free of struct z_store_env; ctx is the machine. */
void *z_sim_alloc(void *ctx, size_t bytes);
void z_sim_free(void *ctx, void *memory, size_t bytes);
size_t z_sim_alloc_bytes(const struct z_sim *sim);

/* ---- what was wrong ----------------------------------------------------------------------- */

/* z_sim_errors - how many violations of a contract were seen. */
unsigned int z_sim_errors(const struct z_sim *sim);

/* z_sim_error_text - the first of them, "" if none. */
const char *z_sim_error_text(const struct z_sim *sim);

/* z_sim_forget_errors - for tests that provoke them. */
void z_sim_forget_errors(struct z_sim *sim);

/* z_sim_error - record one: for mocks and wrappers. */
void z_sim_error(struct z_sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* z_sim_set_error_fn - called at each error, NULL: not. */
void z_sim_set_error_fn(struct z_sim *sim, void (*fn)(void *ctx, const char *text), void *ctx);

#endif /* ARCH_SIM_SIM_H */
