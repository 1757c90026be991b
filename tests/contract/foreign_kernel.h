/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreign_kernel.h - a tiny kernel that somebody else might have: written against the specified names
 * (mmu.h) alone, with its own frame database, page table, fault and evict, and a test of it. The
 * source that includes this says by Z_EXPORT_EVICTION and Z_EXPORT_STORE which of our parts it
 * gets under those names.
 *
 * Accesses are calls (foreign_access); accessed and dirty bits are kept there, as hardware would.
 * Interrupts are a flag, checked by the hooks. Eight frames, the others are reserved.
 */
#ifndef TESTS_CONTRACT_FOREIGN_KERNEL_H
#define TESTS_CONTRACT_FOREIGN_KERNEL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include <zpager/export.h>

#define FRAMES 8
#define PAGES  40

struct z_page_frame z_page_frames[Z_NUM_PAGE_FRAMES];
size_t z_free_page_count;

static struct {
	enum { ZERO, IN, OUT } state;
	struct z_page_frame *pf;
	uintptr_t loc;
	bool accessed;
	bool dirty;
} pte[PAGES];

static unsigned char *ram;
static int ram_fd;
static bool irqs_locked;
static unsigned int writes;
static unsigned int reads;
static unsigned int selects;
static unsigned int store_errors;

static uintptr_t page_va(size_t page)
{
	return (uintptr_t)CONFIG_KERNEL_VM_BASE + page * Z_PAGE_SIZE;
}

static size_t page_of(const void *addr)
{
	return ((uintptr_t)addr - (uintptr_t)CONFIG_KERNEL_VM_BASE) / Z_PAGE_SIZE;
}

static unsigned char *frame_bytes(struct z_page_frame *pf)
{
	return ram + (z_page_frame_to_phys(pf) - Z_PHYS_RAM_START);
}

/* ---- hooks of export.h ---------------------------------------------------------------------- */

unsigned int z_export_page_info(struct z_page_frame *pf, bool clear_accessed)
{
	size_t page = page_of(pf->addr);
	unsigned int info = (pte[page].accessed ? (unsigned int)Z_INFO_ACCESSED : 0U) |
			    (pte[page].dirty ? (unsigned int)Z_INFO_DIRTY : 0U);

	assert_true(irqs_locked);
	assert_true(z_page_frame_is_evictable(pf));
	if (clear_accessed)
		pte[page].accessed = false;
	return info;
}

void z_export_store_error(uintptr_t location, bool is_write, int err)
{
	(void)location;
	(void)is_write;
	(void)err;
	store_errors++;
}

/* ---- the kernel ----------------------------------------------------------------------------- */

static void map_scratch(struct z_page_frame *pf)
{
	void *at = mmap(Z_SCRATCH_PAGE, Z_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			ram_fd, (off_t)(z_page_frame_to_phys(pf) - Z_PHYS_RAM_START));

	assert_ptr_equal(at, Z_SCRATCH_PAGE);
}

static int evict(struct z_page_frame *pf)
{
	size_t page = page_of(pf->addr);
	uintptr_t loc = 0;

	if (z_backing_store_location_get(pf, &loc) != 0)
		return -12;
	if (pte[page].dirty || !z_page_frame_is_backed(pf)) {
		pf->flags = (uint8_t)(pf->flags | Z_PAGE_FRAME_BUSY);
		map_scratch(pf);
		irqs_locked = false;
		z_backing_store_page_out(loc);
		irqs_locked = true;
		writes++;
	}
	pte[page].state = OUT;
	pte[page].loc = loc;
	*pf = (struct z_page_frame){0};
	z_free_page_count++;
	return 0;
}

static struct z_page_frame *take_frame(void)
{
	struct z_page_frame *pf;
	uintptr_t phys;
	bool dirty = false;

	if (z_free_page_count == 0) {
		selects++;
		pf = z_eviction_select(&dirty);
		if (pf == NULL)
			return NULL;
		assert_true(z_page_frame_is_evictable(pf));
		assert_int_equal(dirty, pte[page_of(pf->addr)].dirty);
		if (evict(pf) != 0)
			return NULL;
	}
	Z_PAGE_FRAME_FOREACH(phys, pf)
	{
		if (z_page_frame_is_available(pf)) {
			z_free_page_count--;
			return pf;
		}
	}
	return NULL;
}

bool z_page_fault(void *addr)
{
	size_t page = page_of(addr);
	struct z_page_frame *pf;

	if (page >= PAGES)
		return false;
	irqs_locked = true;
	pf = take_frame();
	if (pf == NULL) {
		irqs_locked = false;
		return false;
	}
	map_scratch(pf);
	if (pte[page].state == OUT) {
		irqs_locked = false;
		z_backing_store_page_in(pte[page].loc);
		irqs_locked = true;
		reads++;
	} else {
		memset(Z_SCRATCH_PAGE, 0, Z_PAGE_SIZE);
	}
	pf->addr = (void *)page_va(page);
	pf->flags = Z_PAGE_FRAME_MAPPED;
	if (pte[page].state == OUT)
		z_backing_store_page_finalize(pf, pte[page].loc);
	pte[page].state = IN;
	pte[page].pf = pf;
	pte[page].accessed = false;
	pte[page].dirty = false;
	irqs_locked = false;
	return true;
}

int z_page_frame_evict(uintptr_t phys)
{
	struct z_page_frame *pf = z_phys_to_page_frame(phys);
	int err = 0;

	irqs_locked = true;
	if (z_page_frame_is_mapped(pf))
		err = evict(pf);
	irqs_locked = false;
	return err;
}

/* ---- programs ------------------------------------------------------------------------------- */

static unsigned char *foreign_access(size_t page, bool write)
{
	if (pte[page].state != IN && !z_page_fault((void *)(page_va(page) + 1)))
		return NULL;
	pte[page].accessed = true;
	pte[page].dirty |= write;
	return frame_bytes(pte[page].pf);
}

static void foreign_start(void)
{
	memset(pte, 0, sizeof(pte));
	memset(z_page_frames, 0, sizeof(z_page_frames));
	for (size_t i = FRAMES; i < Z_NUM_PAGE_FRAMES; i++)
		z_page_frames[i].flags = Z_PAGE_FRAME_RESERVED;
	z_free_page_count = FRAMES;
	ram_fd = memfd_create("ram", MFD_CLOEXEC);
	assert_true(ram_fd >= 0);
	assert_int_equal(ftruncate(ram_fd, (off_t)Z_PHYS_RAM_SIZE), 0);
	ram = mmap(NULL, Z_PHYS_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, ram_fd, 0);
	assert_ptr_not_equal(ram, MAP_FAILED);
	z_backing_store_init();
	z_eviction_init();
}

static void make_bytes(unsigned char *page, uint64_t value)
{
	for (size_t i = 0; i < Z_PAGE_SIZE; i++)
		page[i] = (unsigned char)((value = value * 6364136223846793005u + 1) >> 56);
}

static void *env_alloc(void *ctx, size_t bytes)
{
	void *memory = aligned_alloc(Z_PAGE_SIZE, (bytes + Z_PAGE_MASK) & ~Z_PAGE_MASK);

	(void)ctx;
	return memory != NULL ? memset(memory, 0, bytes) : NULL;
}

static void env_free(void *ctx, void *memory, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(memory);
}

/* For Z_EXPORT_STORE: a RAM store of so many pages. */
static inline struct z_store *foreign_open_ram(size_t pages, bool keep_copies)
{
	static const struct z_store_env env = {.alloc = env_alloc, .free = env_free};
	struct z_store *store = NULL;

	assert_int_equal(z_ram_store_open(&env, pages, keep_copies, &store), 0);
	return store;
}

/* ---- the tests ------------------------------------------------------------------------------ */

/* A page that cannot go because the store is full stays as it is. */
static void evict_or_full(size_t page)
{
	struct z_page_frame *pf = pte[page].pf;
	size_t free = z_free_page_count;
	int err = z_page_frame_evict(z_page_frame_to_phys(pf));

	if (err == 0) {
		assert_int_equal(pte[page].state, OUT);
		assert_int_equal(z_free_page_count, free + 1);
	} else {
		assert_int_equal(err, -12);
		assert_int_equal(pte[page].state, IN);
		assert_int_equal(z_free_page_count, free);
	}
}

/* 4000 random reads, writes and evictions; every byte is what was written last. */
static void random_run(void)
{
	uint64_t value[PAGES] = {0};
	unsigned char page[CONFIG_MMU_PAGE_SIZE];
	uint64_t random = 12345;

	for (unsigned int step = 0; step < 4000; step++) {
		size_t i = (random = random * 6364136223846793005u + 1442695040888963407u) >> 33;
		unsigned int what = (unsigned int)(i % 7);
		unsigned char *bytes;

		i = (i / 7) % PAGES;
		if (what == 0 && pte[i].state == IN) {
			evict_or_full(i);
			continue;
		}
		bytes = foreign_access(i, what < 3);
		assert_non_null(bytes);
		if (what < 3) {
			value[i] = step + 1;
			make_bytes(bytes, value[i]);
			continue;
		}
		memset(page, 0, sizeof(page));
		if (value[i] != 0)
			make_bytes(page, value[i]);
		assert_memory_equal(bytes, page, Z_PAGE_SIZE);
	}
}

static void foreign_kernel_random(void **state)
{
	(void)state;
	random_run();
	assert_true(selects > 100);
	assert_true(reads > 100);
	assert_true(writes > 100);
	assert_int_equal(store_errors, 0);
}

/* One page is touched between any two others: no algorithm of ours gives it up. */
static void foreign_kernel_spares_what_is_used(void **state)
{
	unsigned int before;

	(void)state;
	assert_non_null(foreign_access(0, false));
	before = reads;
	for (unsigned int round = 0; round < 4; round++) {
		for (size_t i = 1; i < PAGES; i++) {
			assert_non_null(foreign_access(i, false));
			assert_int_equal(pte[0].state, IN);
			assert_non_null(foreign_access(0, false));
		}
	}
	assert_true(reads > before);
}

static void foreign_kernel_no_victim(void **state)
{
	size_t out = PAGES;

	(void)state;
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++) {
		if (z_page_frame_is_mapped(&z_page_frames[i]))
			z_page_frames[i].flags |= (uint8_t)Z_PAGE_FRAME_PINNED;
	}
	for (size_t i = 0; i < PAGES; i++)
		out = pte[i].state != IN ? i : out;
	assert_int_equal(z_free_page_count, 0);
	assert_false(z_page_fault((void *)page_va(out)));
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++)
		z_page_frames[i].flags &= (uint8_t)~Z_PAGE_FRAME_PINNED;
	assert_true(z_page_fault((void *)page_va(out)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_kernel_random),
		cmocka_unit_test(foreign_kernel_spares_what_is_used),
		cmocka_unit_test(foreign_kernel_no_victim),
	};

	foreign_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif /* TESTS_CONTRACT_FOREIGN_KERNEL_H */
