/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_world.h - the kernel's pager on the simulated machine, a store and an algorithm that were
 * written against the specified names, and layers between them that check every call.
 *
 *   pager -> recorder (contract_record.h) -> store_hostile -> z_store_custom -> z_backing_store_*
 *
 * Faults come in through z_page_fault. Each test opens a world for the settings of the run
 * (contract_run): ALLOW_IRQ or not, interrupts on or off in the contexts that fault, which algorithm.
 * contract_check after each step: errors of the machine, violations found by the layers, the core's
 * walker, and that each clean BACKED frame equals the store's copy (statement 2).
 *
 * Locks: one host thread.
 */
#ifndef TESTS_SUPPORT_CONTRACT_WORLD_H
#define TESTS_SUPPORT_CONTRACT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <zpager/mmu.h>
#include <zpager/pager.h>

#include "contract_custom.h"
#include "contract_record.h"
#include "store_hostile.h"

#define CONTRACT_RW     (Z_ACCESS_READ | Z_ACCESS_WRITE)
#define CONTRACT_FRAMES 4

/* The settings of a run of the suite. */
struct contract_run {
	bool lock_kept;                        /* ALLOW_IRQ=n */
	bool irqs_off;                         /* in the contexts that fault */
	const struct z_eviction_ops *eviction; /* NULL: the one behind z_eviction_select */
};

extern struct contract_run contract_run;

/* Zero means the value in brackets. */
struct contract_params {
	uint32_t frames;          /* [4] that are RAM; the others are RESERVED */
	uint32_t frames_per_bank; /* [all] */
	unsigned int cpus;        /* [1] */
	bool soft_ad;             /* accessed and dirty by soft faults */
	size_t store_pages;       /* [1024] if the store is bounded */
	size_t image_pages;       /* [0] pages that are in frames, and in the store, at boot */
	uint64_t seed;
};

struct contract_world {
	struct contract_params params;
	struct z_sim *sim;
	struct contract_record *record;
	struct store_hostile *hostile;
	struct z_pager *pager;
	struct z_pager_config config;
	void *memory;
};

/* contract_open - ends the test if something is wrong. *params may be NULL. */
struct contract_world *contract_open(const struct contract_params *params);

/* contract_close - contract_check, unmap all, everything is given back. */
void contract_close(struct contract_world *w);

/* contract_check - see above; ends the test if something is wrong. */
void contract_check(struct contract_world *w);

/* contract_map - zero-filled pages. Returns the first address. */
uintptr_t contract_map(struct contract_world *w, size_t pages);

/* The address of the i-th page of a mapping. */
static inline uintptr_t contract_page(uintptr_t va, size_t i)
{
	return va + i * Z_PAGE_SIZE;
}

/* contract_fill, contract_verify - a page full of a pattern, through the simulated CPU. */
void contract_fill(struct contract_world *w, uintptr_t va, uint64_t pattern);
void contract_verify(struct contract_world *w, uintptr_t va, uint64_t pattern);

/* contract_touch - read one byte: a page that was loaded stays clean. */
void contract_touch(struct contract_world *w, uintptr_t va);

/* contract_bytes - the page of that pattern, static. */
const void *contract_bytes(uintptr_t va, uint64_t pattern);

/* contract_image_va - the first page of the boot image. Its pages have the pattern 77. */
uintptr_t contract_image_va(void);

/* contract_frame - the frame that holds the page; NULL if it is not resident. */
struct z_page_frame *contract_frame(uintptr_t va);

/* contract_evict - z_page_frame_evict of the frame that holds this page; ends the test if none. */
int contract_evict(uintptr_t va);

/* contract_out - the same, and it has to succeed. */
void contract_out(struct contract_world *w, uintptr_t va);

/* contract_dirty - the dirty bit of a resident page. */
bool contract_dirty(struct contract_world *w, uintptr_t va);

/* contract_count - how often since contract_forget. */
unsigned int contract_count(const struct contract_world *w, enum contract_op op);
void contract_forget(struct contract_world *w);

/* contract_random_steps - n random touches, writes, evictions, unmaps; contract_check after each. */
void contract_random_steps(struct contract_world *w, unsigned int n);

/* contract_suite - all groups, for all settings. The main of tests/contract/custom_*.c. */
int contract_suite(void);

/* The groups: tests/contract/contract_*_common.c. Each returns the number of failed tests. */
int contract_flags(const char *name);
int contract_eviction(const char *name);
int contract_location(const char *name);
int contract_location_full(const char *name);
int contract_transfer(const char *name);
int contract_evicting(const char *name);
int contract_fault(const char *name);

#endif /* TESTS_SUPPORT_CONTRACT_WORLD_H */
