/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_world.h - a whole world in one call: a simulated machine, a store, an eviction algorithm and
 * a pager on them; and its end, which checks that nothing was left behind.
 *
 *	struct sim_world *w = sim_world_open(&(struct sim_world_params){.frames = 4});
 *	uintptr_t va = sim_world_map(w, 10, SIM_WORLD_RW, 0);
 *	assert_int_equal(z_sim_store64(w->sim, va, 1), Z_SIM_OK);
 *	sim_world_check(w);
 *	sim_world_close(w);
 *
 * sim_world_open, _check and _close end the test (cmocka) with a text that says what is wrong.
 * sim_world_try_open and sim_world_problem do the same without ending it: for sweeps of failures.
 *
 * Locks: none; one host thread.
 */
#ifndef TESTS_SUPPORT_SIM_WORLD_H
#define TESTS_SUPPORT_SIM_WORLD_H

#include <zpager/pager.h>

#include "../../arch/sim/sim.h"

#define SIM_WORLD_RW  (Z_ACCESS_READ | Z_ACCESS_WRITE)
#define SIM_WORLD_RAM ((uintptr_t)0x40000000)

/* The configuration's addresses; those of configs/host_defconfig where there is none. */
#ifdef CONFIG_KERNEL_VM_BASE
#define SIM_WORLD_VM      ((uintptr_t)CONFIG_KERNEL_VM_BASE)
#define SIM_WORLD_SCRATCH (SIM_WORLD_VM + (uintptr_t)CONFIG_KERNEL_VM_SIZE - Z_PAGE_SIZE)
#else
#define SIM_WORLD_VM      ((uintptr_t)0x200000000000)
#define SIM_WORLD_SCRATCH (SIM_WORLD_VM + (uintptr_t)0x1000000 - Z_PAGE_SIZE)
#endif

/* Virtual nanoseconds; see struct z_sim_config. */
struct sim_world_costs {
	uint64_t hook;
	uint64_t access;
	uint64_t locked;
	uint64_t place;
	uint64_t vacate;
	uint64_t detach;
};

/* Zero, or NULL, means the value in brackets. */
struct sim_world_params {
	uint32_t frames;             /* [4] */
	size_t vm_pages;             /* [256] the window, guard pages included */
	uint32_t banks;              /* [1] of equal size, the last may be shorter */
	uint32_t max_regions;        /* [32] */
	const char *eviction;        /* ["nru"] name */
	const char *store;           /* ["ram:size=N"] URI; N is room for the whole window */
	uint32_t batch;              /* [1] */
	uint32_t low_water;          /* [0] */
	uint32_t reserve_batch;      /* [0] */
	uint32_t ahead;              /* [0] */
	uint32_t ghosts;             /* [0] a power of two */
	uint32_t events;             /* [0] a power of two */
	bool keep_lock_for_io;       /* [false: unlock_for_io] ALLOW_IRQ=n */
	enum z_commit commit;        /* [strict] */
	bool charge;                 /* the store's RAM is taken out of the frames */
	bool soft_ad;                /* accessed and dirty by soft faults */
	bool direct_save;            /* a port as on Linux: see sim.h */
	bool keep_frames;            /* no junk in free frames: for measurements */
	bool early_wakeups;          /* wait() now and then returns early */
	unsigned int cpus;           /* [1] */
	unsigned int tlb_entries;    /* [16] */
	unsigned int switch_percent; /* [25] */
	unsigned int scratch_slots;  /* [8]; 1: at the specified address, SIM_WORLD_SCRATCH */
	const struct sim_world_costs
		*costs; /* [NULL] a clock for each CPU, and what costs how much */
	uint64_t seed;
	uint64_t fail_alloc; /* [0: none] this allocation of the store fails, from 1 */

	/* Frames that are holes: RESERVED from the start. */
	const uint32_t *holes;
	uint32_t nholes;

	/* An algorithm of the test's own, instead of a name. */
	const struct z_eviction_ops *eviction_ops;

	/* A store of the test's own, instead of a URI; the world closes it. */
	struct z_store *given_store;

	/*
	 * A store around the store, store_hostile for example. It takes over the inner store; the world
	 * closes what is returned. NULL returned: Z_ERR_NOMEM, and inner is closed by the world.
	 */
	struct z_store *(*wrap_store)(void *arg, struct z_store *inner);
	void *wrap_arg;
};

struct sim_world {
	struct sim_world_params params; /* with zeros replaced */
	struct z_sim *sim;
	struct z_store *store;
	struct z_pager *pager;
	struct z_page_frame *frames;
	struct z_pager_config config;
	struct z_store_env store_env;
	uint32_t charged_early; /* by the store, before there was a pager */
	uint64_t used_early;    /* pages of the store, the same: an image in it */
	void *memory;
	char text[256]; /* of the first problem */
};

/*
 * sim_world_open - make it; ends the test if that fails.
 * sim_world_try_open - 0 | any error of the parts; *out untouched, nothing left behind.
 */
struct sim_world *sim_world_open(const struct sim_world_params *params);
Z_MUST_CHECK int sim_world_try_open(const struct sim_world_params *params, struct sim_world **out);

/*
 * sim_world_close - unmap all, take the world apart, free it. Ends the test if something is wrong:
 *   an error of the simulated machine; z_pager_check at level 3 before and after unmapping; frames
 *   that are not free, or store pages in use, with nothing mapped; scratch in use; an entry that is
 *   not UNMAPPED; memory of the store not freed.
 * sim_world_abandon - free it with no check at all: after a test that broke it on purpose.
 */
void sim_world_close(struct sim_world *w);
void sim_world_abandon(struct sim_world *w);

/*
 * sim_world_end - as sim_world_close, but it returns what is wrong (static text), or NULL.
 */
const char *sim_world_end(struct sim_world *w);

/*
 * sim_world_check - errors of the machine, z_pager_check at level 2 and scratch; ends the test if
 *   something is wrong. Level 3 only in quiet: sim_world_check_contents.
 * sim_world_problem - the same for a level: NULL, or what is wrong (text of the world).
 */
void sim_world_check(struct sim_world *w);
void sim_world_check_contents(struct sim_world *w);
const char *sim_world_problem(struct sim_world *w, enum z_check_level level);

/* sim_world_map - z_pager_map with any address; ends the test if it fails. */
uintptr_t sim_world_map(struct sim_world *w, size_t pages, unsigned int prot, unsigned int flags);

/*
 * sim_world_run - n tasks on the simulated CPUs (z_sim_run), the same function on each; ends the test
 *   if they come to a deadlock. The seed is in the text. A failed assertion inside of a task ends
 *   the test, too; its world is lost then (and, with one scratch slot, the scratch address).
 */
void sim_world_run(struct sim_world *w, void (*run)(struct z_sim *sim, void *arg), void *arg,
		   unsigned int n, uint64_t seed);

/* sim_world_stats, sim_world_store_stats - copies. */
struct z_stats sim_world_stats(struct sim_world *w);
struct z_store_stats sim_world_store_stats(struct sim_world *w);

/* sim_world_frame - the frame structure that holds the page at va, NULL if it is not resident. */
struct z_page_frame *sim_world_frame(struct sim_world *w, uintptr_t va);

/* sim_world_kind - the kind of the entry at va. */
enum z_entry_kind sim_world_kind(struct sim_world *w, uintptr_t va);

/*
 * sim_world_fill, sim_world_verify - a page full of a pattern made of va and value, written and
 * compared through the simulated CPU. Both end the test on an error; verify says the first byte.
 */
void sim_world_fill(struct sim_world *w, uintptr_t va, uint64_t value);
void sim_world_verify(struct sim_world *w, uintptr_t va, uint64_t value);

#endif /* TESTS_SUPPORT_SIM_WORLD_H */
