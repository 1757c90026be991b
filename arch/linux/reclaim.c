/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reclaim.c - the thread that keeps page frames free, so that a fault need not evict.
 *
 * Theory. After each fault whoever served it looks at the number of free frames, and wakes the thread if they
 * are fewer than `low`. It then evicts big batches until `low` and one batch more are free. How many are used up
 * meanwhile depends on how fast the program faults and on who has the processor: if less than a quarter of the
 * reserve was left when the thread was done it doubles `low`, and if most of it was left several times in a row it takes
 * an eighth off. A fault that finds no frame all the same evicts by itself, as without the thread.
 *
 * It is an option. A shoot-down that has to interrupt the other processor, and a lock that two processors want, can cost more
 * than the evictions that it takes off the faults (docs/DESIGN.md). With one processor there is no thread: it
 * would only take turns with the program; with few page frames the reserve would be a large part of them.
 *
 * Locks: the gate while inside the pager, and what z_pager_reclaim() takes. The thread blocks all signals and
 * touches no memory that could be paged. Limits: one thread; a full store makes it stop until the next wake-up.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <sched.h>
#include <sys/mman.h>

#include "instance.h"

#define STACK_BYTES ((size_t)256 * 1024)
#define LOW_LEAST   64U
#define BATCH_LEAST 128U /* where fewer leave at once there are too few frames for a reserve */
#define LOW_SHARE   16U  /* of the frames is the most that low may be */
#define CALM_TURNS  16U

static uint32_t frames_free(const struct zpager *z)
{
	return (uint32_t)__atomic_load_n(&z->reclaim.frames_free, __ATOMIC_RELAXED);
}

/* A turn is over that began with `low` wanted; the least that was free is known. */
static void adapt(struct zpager *z, uint32_t least)
{
	struct zl_reclaim *r = &z->reclaim;
	uint32_t low = atomic_load_explicit(&r->low, memory_order_relaxed);

	r->calm = least >= low / 2 ? r->calm + 1 : 0;
	if (least < low / 4) {
		low = low * 2 < z->budget.nframes / LOW_SHARE ? low * 2
							      : z->budget.nframes / LOW_SHARE;
	} else if (r->calm == CALM_TURNS) {
		low -= (low - LOW_LEAST) / 8;
		r->calm = 0;
	}
	atomic_store_explicit(&r->low, low, memory_order_relaxed);
}

/* Fill the reserve, batch by batch, so that the least of it is seen. */
static void fill(struct zpager *z)
{
	struct zl_reclaim *r = &z->reclaim;
	uint32_t low = atomic_load_explicit(&r->low, memory_order_relaxed);
	uint32_t least = low;
	int error = 0;

	while (error == 0 && frames_free(z) < low) {
		error = z_pager_reclaim(z->pager, frames_free(z) + r->batch);
		least = frames_free(z) < least + r->batch ? frames_free(z) - r->batch : least;
	}
	adapt(z, least);
}

static void *reclaim_run(void *arg)
{
	struct zpager *z = arg;
	struct zl_reclaim *r = &z->reclaim;

	while (atomic_load(&r->state) != ZL_RECLAIM_END) {
		uint32_t woken = ZL_RECLAIM_WOKEN;

		if (!atomic_compare_exchange_strong(&r->state, &woken, ZL_RECLAIM_BUSY)) {
			if (woken == ZL_RECLAIM_ASLEEP) {
				zl_futex_wait(&r->state, ZL_RECLAIM_ASLEEP);
			}
			continue;
		}
		zl_gate_pass(&z->gate);
		fill(z);
		zl_gate_out(&z->gate);
		woken = ZL_RECLAIM_BUSY;
		(void)atomic_compare_exchange_strong(&r->state, &woken, ZL_RECLAIM_ASLEEP);
	}
	return NULL;
}

void zl_reclaim_wake(struct zpager *z)
{
	uint32_t asleep = ZL_RECLAIM_ASLEEP;

	if (atomic_compare_exchange_strong(&z->reclaim.state, &asleep, ZL_RECLAIM_WOKEN)) {
		zl_futex_wake(&z->reclaim.state, 1);
	}
}

static bool one_processor(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1;
}

int zl_reclaim_start(struct zpager *z)
{
	struct zl_reclaim *r = &z->reclaim;

	r->running = false;
	r->stack = NULL;
	atomic_store(&r->low, 0);
	if (!r->wanted || r->batch < BATCH_LEAST || one_processor()) {
		return 0;
	}
	r->calm = 0;
	atomic_store(&r->state, ZL_RECLAIM_ASLEEP);
	r->stack = zl_pages_alloc(STACK_BYTES);
	int error = r->stack == NULL
			    ? Z_ERR_NOMEM
			    : zl_thread_start(&r->thread, r->stack, STACK_BYTES, reclaim_run, z);
	r->running = error == 0;
	if (error == 0) {
		atomic_store(&r->low, 2 * LOW_LEAST);
	} else {
		zl_reclaim_stop(z);
	}
	return error;
}

void zl_reclaim_stop(struct zpager *z)
{
	struct zl_reclaim *r = &z->reclaim;

	atomic_store(&r->low, 0);
	if (r->running) {
		atomic_store(&r->state, ZL_RECLAIM_END);
		zl_futex_wake(&r->state, INT_MAX);
		(void)pthread_join(r->thread, NULL);
		r->running = false;
	}
	if (r->stack != NULL) {
		munmap(r->stack, STACK_BYTES);
		r->stack = NULL;
	}
}
