/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_internal.h - the state of the simulated machine, for arch/sim only.
 *
 * One host thread, so no field needs a lock of the host; what the simulated CPUs share is changed
 * only between two switch points.
 */
#ifndef ARCH_SIM_SIM_INTERNAL_H
#define ARCH_SIM_SIM_INTERNAL_H

#include <stdio.h>
#include <ucontext.h>

#include "../common/soft_pt.h"
#include "sim.h"

#define SIM_TLB_MAX      16
#define SIM_MAPPINGS_MAX (Z_SIM_SCRATCH_MAX + Z_BATCH_MAX)
#define SIM_DETACHED     Z_SPT_PROTECTED /* in a HELD or UNMAPPED entry: it was IN */
#define SIM_PLACED       Z_SPT_ACCESSED  /* in a HELD entry */
#define SIM_VACATED      Z_SPT_DIRTY     /* in a HELD entry */
#define SIM_PREPARED     Z_SPT_ACCESSED  /* in an UNTOUCHED entry */
#define SIM_NO_CPU       (-1)
#define SIM_NO_FRAME     UINT32_MAX
#define SIM_TEXT_MAX     512
#define SIM_STACK_SIZE   ((size_t)512 * 1024)

enum sim_cpu_state {
	SIM_CPU_IDLE, /* no task, or its task has ended */
	SIM_CPU_RUNNABLE,
	SIM_CPU_WANTS_LOCK,
	SIM_CPU_WAITS,
};

struct sim_tlb_entry {
	bool valid;
	size_t page; /* index in the window */
	z_spt_t copy;
};

struct sim_cpu {
	struct sim_tlb_entry tlb[SIM_TLB_MAX];
	bool irqs_on;
	bool in_isr;
	enum sim_cpu_state state;
	const void *channel; /* WAITS */
	uintptr_t fault_va;  /* the fault it is in, for texts */
	uint64_t clock_ns;   /* with config.timed */
	bool in_fault;
	struct z_sim_task task;
	ucontext_t context;
	void *stack;
	void *fiber; /* of the address sanitizer */
};

struct sim_scratch {
	bool used;
	uintptr_t va;
	z_phys_t phys;
	enum z_scratch_use use;
	void *mapping;
};

struct sim_point {
	uint64_t calls;
	uint64_t failed;
	uint64_t fail_from; /* number of the first call that fails; 0: none */
	uint64_t fail_times;
	int error;
};

struct z_sim {
	struct z_sim_config config;
	struct z_arch_ops arch;
	struct z_sim_counters counters;

	int memfd;
	unsigned char *ram;
	z_spt_t *table; /* one a page of the window */
	size_t *owner;  /* one a frame: page index + 1, or 0 */
	uint32_t frames_used;
	struct sim_scratch scratch[SIM_MAPPINGS_MAX];
	bool scratch_mapped; /* something is mapped at config.scratch_address */

	z_sim_fault_fn fault;
	void *fault_ctx;

	struct sim_cpu cpu[Z_SIM_CPUS_MAX];
	unsigned int current;
	int lock_owner;
	unsigned long lock_turn; /* how often the lock was taken: part of the key */
	uint64_t random;
	uint64_t now_ns;        /* without config.timed */
	uint64_t lock_taken_ns; /* when, by its owner's clock */
	uint64_t lock_free_ns;  /* since when, if it is */

	bool running;
	bool dead;
	bool avoid_current; /* the next switch goes to another CPU */
	unsigned int lonely_waits;
	ucontext_t main_context;
	void *main_fiber;
	const void *main_stack; /* what the address sanitizer says of the host's stack */
	size_t main_stack_size;
	uint64_t switches;
	uint64_t trace;

	void (*tick)(struct z_sim *sim, void *arg);
	void *tick_arg;
	uint64_t tick_period_ns;
	uint64_t tick_next_ns;

	struct sim_point point[Z_SIM_POINT_COUNT];
	size_t alloc_bytes;

	unsigned int errors;
	char text[SIM_TEXT_MAX];
	void (*error_fn)(void *ctx, const char *text);
	void *error_ctx;
};

/* sim_pass - time passes for the running CPU. */
void sim_pass(struct z_sim *sim, uint64_t ns);

/* sim_point_fails - count a call of a point; 0, or the error that it has to give. */
int sim_point_fails(struct z_sim *sim, enum z_sim_point point);

/* sim_page - index of a page of the window; false if it is not in it. */
bool sim_page(const struct z_sim *sim, uintptr_t va, size_t *page_out);

/* sim_frame - index of a frame; SIM_NO_FRAME if there is none, or the address is not aligned. */
uint32_t sim_frame(const struct z_sim *sim, z_phys_t phys);
unsigned char *sim_frame_bytes(const struct z_sim *sim, uint32_t frame);

/* sim_frame_junk - nothing of what was in the frame may be seen again. */
void sim_frame_junk(struct z_sim *sim, uint32_t frame);

/* TLBs. */
void sim_tlb_drop(struct sim_cpu *cpu, size_t page);
void sim_tlb_insert(struct z_sim *sim, struct sim_cpu *cpu, size_t page, z_spt_t copy);
struct sim_tlb_entry *sim_tlb_find(struct sim_cpu *cpu, size_t page);

/* sim_shootdown - no CPU keeps a copy of the entries of these pages; ops or a range. */
void sim_shootdown_range(struct z_sim *sim, size_t page, size_t pages);
void sim_shootdown_ops(struct z_sim *sim, const struct z_page_op *ops, size_t n);

/* Tables of hooks, and the scheduler's half of the lock. */
void sim_arch_init(struct z_sim *sim);
void *sim_scratch(void *ctx, uintptr_t va, z_phys_t phys, enum z_scratch_use use);
void sim_scratch_done(void *ctx, uintptr_t va, z_phys_t phys, void *mapping,
		      enum z_scratch_use use);

/* sim_hook - count a hook, let time pass, and give others a chance. */
void sim_hook(struct z_sim *sim);

/* sim_block - the running CPU cannot go on: state and channel are set; returns when it can. */
void sim_block(struct z_sim *sim);

/* sim_switch_other - let another CPU run if one can. */
void sim_switch_other(struct z_sim *sim);

/* sim_dump - who does what, into text. */
void sim_dump(const struct z_sim *sim, char *text, size_t max);

static inline struct sim_cpu *sim_current(struct z_sim *sim)
{
	return &sim->cpu[sim->current];
}

#endif /* ARCH_SIM_SIM_INTERNAL_H */
