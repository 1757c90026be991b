/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board.h - what the tests on a board share: the groups, and the world that most of them start from:
 * the kernel's pager on the real page tables, with a RAM store that is watched.
 */
#ifndef QEMU_BOARD_H
#define QEMU_BOARD_H

#include "../../kernel/kernel.h"

#define RW (Z_ACCESS_READ | Z_ACCESS_WRITE)
#define RX (Z_ACCESS_READ | Z_ACCESS_EXEC)

/* ---- the world ------------------------------------------------------------------------------------ */

enum world_store {
	WORLD_RAM,
	WORLD_BLOCK,  /* on the disk, behind the image */
	WORLD_CUSTOM, /* somebody else's, on the specified functions; not watched */
};

struct world_config {
	const char *name;
	const char *eviction; /* NULL: somebody else's, on the specified functions */
	enum world_store store;
	bool irq;     /* CONFIG_DEMAND_PAGING_ALLOW_IRQ */
	bool soft_ad; /* accessed and dirty by faults */
	bool spec;    /* the trap handler calls z_page_fault */
};

#define STORE_PAGES 512U

/* What the watched store saw; set to 0 at each start. */
struct watch {
	unsigned int page_in;
	unsigned int page_out;
	unsigned int irqs_on;   /* in page_in and page_out */
	unsigned int under_way; /* page_in or page_out now: never 2 */
	unsigned int overlaps;
	unsigned int ticks;    /* that came while one was under way */
	unsigned int unlocked; /* location_get, location_free, page_finalize with interrupts on */
	uintptr_t unaligned;   /* an address of a page with more than a page's bits */
	bool location_0;       /* was given once */
	struct z_port_mapping scratch; /* in the last page_in or page_out */
	uint64_t spin_ns;              /* how long page_in and page_out take, at least */
	int fail_in;                   /* page_in number so many fails with Z_ERR_IO; 0: none */
	int fail_out;
	const volatile uint64_t *counter; /* somebody else counts there; NULL: nobody */
	uint64_t counted;                 /* how far it came while one was under way */
	unsigned int full;                /* location_get fails while it is not 0 */
};

extern struct watch watch;
extern const struct world_config *world;

/* world_disk_is_bad - the tear-down does not ask the store for its copies. */
extern bool world_disk_is_bad;

/* world_setup, world_teardown - around each test; the tear-down checks that nothing is left. */
int world_setup(void **state);
int world_teardown(void **state);

/* world_stats - the pager's counters. */
struct z_stats world_stats(void);

/* world_map - map pages anywhere. */
uintptr_t world_map(size_t pages, unsigned int prot);

/* world_out, world_in - every page of a range is out, is resident, afterwards. */
void world_out(uintptr_t va, size_t pages);
void world_in(uintptr_t va, size_t pages);

/* world_check - the invariants hold; 3 with contents. */
void world_check(enum z_check_level level);

/* world_probe - touch one byte; READ gives *byte. */
unsigned int world_probe(uintptr_t va, unsigned int access);

/* world_word - the word at an address, by a plain load; world_set_word by a plain store. */
uint64_t world_word(uintptr_t va);
void world_set_word(uintptr_t va, uint64_t value);

/* world_is_watched - does the world's store fill `watch`, and fail when told to? */
bool world_is_watched(void);

/* ---- the groups: each prints its result lines ------------------------------------------------------- */

void test_conform(void);
void test_fault(void);
void test_matrix(void);
void test_irq(void);
void test_memory(void);
void test_k_mem(void);
void test_threads(void);
void test_races(void);
void test_ondemand(void);
void test_disk(const char *fault);
void test_day(void);
void test_cost(void);
void test_bench(void);

#endif /* QEMU_BOARD_H */
