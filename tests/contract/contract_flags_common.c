/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_flags_common.c - statements 1 to 9: flags and predicates, the reserved page, what exists.
 * What depends on the configuration is also in contract_configs.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contract_world.h"

_Static_assert(Z_PAGE_FRAME_BACKED == BIT(4), "statement 1");
_Static_assert(Z_PAGE_FRAME_PINNED == BIT(0), "statement 1");
_Static_assert(Z_PAGE_FRAME_RESERVED == BIT(1), "statement 1");
_Static_assert(Z_PAGE_FRAME_MAPPED == BIT(2), "statement 1");
_Static_assert(Z_PAGE_FRAME_BUSY == BIT(3), "statement 1");
_Static_assert(Z_VM_RESERVED == CONFIG_MMU_PAGE_SIZE, "statement 6");
_Static_assert(_Generic(Z_SCRATCH_PAGE, void * : 1, default : 0), "statement 7");

static void contract_01_flag_bits(void **state)
{
	static const unsigned long bits[] = {Z_PAGE_FRAME_PINNED, Z_PAGE_FRAME_RESERVED,
					     Z_PAGE_FRAME_MAPPED, Z_PAGE_FRAME_BUSY,
					     Z_PAGE_FRAME_BACKED, Z_PAGE_FRAME_LOADING,
					     Z_PAGE_FRAME_WAITED, Z_PAGE_FRAME_QUEUED};
	unsigned long all = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		assert_int_equal(bits[i], BIT(i));
		assert_int_equal(all & bits[i], 0);
		all |= bits[i];
	}
	assert_int_equal(all, 0xff);
}

/* contract_check compares every clean BACKED frame with the store; here it has to have seen some. */
static void contract_02_backed_is_a_clean_copy(void **state)
{
	struct contract_world *w = contract_open(&(struct contract_params){.seed = 2});
	uintptr_t va = contract_map(w, 2);

	(void)state;
	contract_fill(w, va, 1);
	assert_false(z_page_frame_is_backed(contract_frame(va)));
	contract_out(w, va);
	contract_touch(w, va);
	assert_int_equal(z_page_frame_is_backed(contract_frame(va)), custom_store_keeps);
	assert_false(contract_dirty(w, va));
	contract_fill(w, va, 2);
	assert_true(contract_dirty(w, va));
	contract_verify(w, va, 2);
	contract_random_steps(w, 60);
	contract_close(w);
}

static void contract_03_is_backed_reads_one_bit(void **state)
{
	(void)state;
	for (unsigned int flags = 0; flags < 256; flags++) {
		struct z_page_frame pf = {.addr = &pf, .flags = (uint8_t)flags, .pins = 7};
		struct z_page_frame before = pf;

		assert_int_equal(z_page_frame_is_backed(&pf), (flags >> 4) & 1);
		assert_memory_equal(&pf, &before, sizeof(pf));
	}
}

static void contract_04_evictable_truth_table(void **state)
{
	(void)state;
	for (unsigned int flags = 0; flags < 256; flags++) {
		struct z_page_frame pf = {.flags = (uint8_t)flags};
		bool pinned = (flags & 1) != 0;
		bool reserved = (flags & 2) != 0;
		bool mapped = (flags & 4) != 0;
		bool busy = (flags & 8) != 0;

		assert_int_equal(z_page_frame_is_evictable(&pf),
				 !reserved && mapped && !pinned && !busy);
		assert_int_equal(z_page_frame_is_pinned(&pf), pinned);
		assert_int_equal(z_page_frame_is_reserved(&pf), reserved);
		assert_int_equal(z_page_frame_is_mapped(&pf), mapped);
		assert_int_equal(z_page_frame_is_busy(&pf), busy);
	}
}

static void available_frames_are_clear(void)
{
	size_t n = 0;

	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++) {
		struct z_page_frame *pf = &z_page_frames[i];
		bool used = z_page_frame_is_mapped(pf) || z_page_frame_is_busy(pf) ||
			    z_page_frame_is_reserved(pf);

		assert_int_equal(z_page_frame_is_available(pf), !used);
		n += z_page_frame_is_available(pf);
	}
	assert_int_equal(n, z_free_page_count);
}

static void contract_05_available_has_no_flag(void **state)
{
	struct contract_world *w = contract_open(&(struct contract_params){.seed = 5});
	uintptr_t va = contract_map(w, 1);

	(void)state;
	for (unsigned int flags = 0; flags < 256; flags++) {
		struct z_page_frame pf = {.flags = (uint8_t)flags};

		assert_int_equal(z_page_frame_is_available(&pf), flags == 0);
	}
	/* BACKED, in a frame that becomes free: by eviction, and by unmapping. */
	contract_fill(w, va, 1);
	for (unsigned int round = 0; round < 2; round++) {
		contract_out(w, va);
		available_frames_are_clear();
		contract_touch(w, va);
	}
	assert_int_equal(z_pager_unmap(w->pager, va, 1), 0);
	available_frames_are_clear();
	assert_int_equal(z_free_page_count, CONTRACT_FRAMES);
	contract_random_steps(w, 60);
	available_frames_are_clear();
	contract_close(w);
}

static void contract_06_one_page_is_reserved(void **state)
{
	(void)state;
	assert_int_equal(Z_VM_RESERVED, Z_PAGE_SIZE);
}

static void contract_07_scratch_is_the_last_page(void **state)
{
	uintptr_t end = (uintptr_t)CONFIG_KERNEL_VM_BASE + (uintptr_t)CONFIG_KERNEL_VM_SIZE;
	uintptr_t scratch = (uintptr_t)Z_SCRATCH_PAGE;
	struct contract_world *w = contract_open(NULL);
	size_t pages = 1024;
	uintptr_t va = 0;

	(void)state;
	assert_int_equal(scratch, end - Z_PAGE_SIZE);
	/* All that can be mapped, in smaller and smaller pieces: none of it reaches scratch. */
	while (pages > 0) {
		int err = z_pager_map(w->pager, pages, CONTRACT_RW, Z_MAP_NORESERVE, 1, &va);

		if (err == 0)
			assert_true(contract_page(va, pages) <= scratch);
		else
			pages /= 2;
	}
	va = scratch;
	assert_int_not_equal(z_pager_map(w->pager, 1, CONTRACT_RW, Z_MAP_FIXED, 1, &va), 0);
	assert_false(z_pager_is_mapped(w->pager, scratch, 1));
	contract_close(w);
}

/* Can the host kernel read a byte there? */
static bool is_readable(const void *address)
{
	int fds[2];
	bool readable;

	assert_int_equal(pipe(fds), 0);
	readable = write(fds[1], address, 1) == 1;
	(void)close(fds[0]);
	(void)close(fds[1]);
	return readable;
}

/* The permissions of the mapping at an address, as the host kernel writes them. */
static void permissions_of(const void *address, char permissions[5])
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	assert_non_null(maps);
	(void)strcpy(permissions, "none");
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long first;
		unsigned long end;
		char found[5];

		if (sscanf(line, "%lx-%lx %4s", &first, &end, found) == 3 &&
		    first <= (uintptr_t)address && (uintptr_t)address < end)
			(void)strcpy(permissions, found);
	}
	(void)fclose(maps);
}

static unsigned int scratch_looks;

static void look_at_scratch(struct contract_record *r, enum contract_op op, uintptr_t loc)
{
	char permissions[5];

	(void)r;
	(void)loc;
	if (op != CONTRACT_OUT && op != CONTRACT_IN)
		return;
	scratch_looks++;
	permissions_of(Z_SCRATCH_PAGE, permissions);
	assert_string_equal(permissions, "rw-s");
}

static void contract_08_scratch_is_out_of_reach(void **state)
{
	struct contract_world *w = contract_open(NULL);
	uintptr_t va = contract_map(w, 1);
	unsigned char byte;

	(void)state;
	scratch_looks = 0;
	w->record->hook = look_at_scratch;
	contract_fill(w, va, 1);
	contract_out(w, va);
	contract_touch(w, va);
	assert_int_equal(scratch_looks, 2);
	assert_false(is_readable(Z_SCRATCH_PAGE));
	assert_int_equal(z_sim_access(w->sim, (uintptr_t)Z_SCRATCH_PAGE,
				      Z_ACCESS_READ | Z_ACCESS_USER, &byte, 1),
			 Z_SIM_BAD_ADDRESS);
	assert_int_equal(z_sim_access(w->sim, (uintptr_t)Z_SCRATCH_PAGE, Z_ACCESS_READ, &byte, 1),
			 Z_SIM_BAD_ADDRESS);
	contract_close(w);
}

/* Types and signatures: what does not match does not compile. */
static void contract_09_everything_exists(void **state)
{
	static struct z_page_frame *(*const select)(bool *) = z_eviction_select;
	static void (*const init)(void) = z_eviction_init;
	static int (*const get)(struct z_page_frame *, uintptr_t *) = z_backing_store_location_get;
	static void (*const moves[])(uintptr_t) = {
		z_backing_store_location_free, z_backing_store_page_out, z_backing_store_page_in};
	static void (*const finalize)(struct z_page_frame *, uintptr_t) =
		z_backing_store_page_finalize;
	static void (*const store_init)(void) = z_backing_store_init;
	static int (*const evict)(uintptr_t) = z_page_frame_evict;
	static bool (*const fault)(void *) = z_page_fault;

	(void)state;
	assert_non_null(select);
	assert_non_null(init);
	assert_non_null(get);
	for (size_t i = 0; i < 3; i++)
		assert_non_null(moves[i]);
	assert_non_null(finalize);
	assert_non_null(store_init);
	assert_non_null(evict);
	assert_non_null(fault);
	assert_int_equal(sizeof(z_page_frames) / sizeof(z_page_frames[0]), Z_NUM_PAGE_FRAMES);
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++) {
		uintptr_t phys = Z_PHYS_RAM_START + i * Z_PAGE_SIZE;

		assert_int_equal(z_page_frame_to_phys(&z_page_frames[i]), phys);
		assert_ptr_equal(z_phys_to_page_frame(phys), &z_page_frames[i]);
		assert_true(z_is_page_frame(phys));
	}
	assert_false(z_is_page_frame(Z_PHYS_RAM_END));
}

static void *new_memory(const struct z_pager_config *config)
{
	size_t bytes = (z_kernel_pager_bytes(config) + 63) & ~(size_t)63;
	void *memory;

	assert_true(bytes > 0);
	memory = aligned_alloc(64, bytes);
	assert_non_null(memory);
	return memset(memory, 0, bytes);
}

/* No algorithm named: that of Kconfig; no store: refused, unless Kconfig says custom. */
static void contract_09_kconfig_chooses(void **state)
{
	struct contract_world *w = contract_open(NULL);
	struct z_pager_config config = w->config;
	void *memory;
	uintptr_t va;

	(void)state;
	assert_int_equal(z_kernel_pager_exit(), 0);
	assert_int_equal(z_kernel_pager_exit(), 0);
	assert_false(z_page_fault((void *)(uintptr_t)CONFIG_KERNEL_VM_BASE));
	config.eviction = NULL;
	config.store = NULL;
	memory = new_memory(&config);
	assert_int_equal(z_kernel_pager_init(&config, memory), Z_ERR_INVAL);
	assert_null(z_kernel_pager());
	config.store = w->config.store;
	assert_int_equal(z_kernel_pager_init(&config, memory), 0);
	w->pager = z_kernel_pager();
	assert_int_equal(z_free_page_count, Z_NUM_PAGE_FRAMES);
	va = contract_map(w, Z_NUM_PAGE_FRAMES + 20);
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES + 20; i++)
		contract_fill(w, contract_page(va, i), i);
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES + 20; i++)
		contract_verify(w, contract_page(va, i), i);
	contract_close(w);
	free(memory);
}

int contract_flags(const char *name)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contract_01_flag_bits),
		cmocka_unit_test(contract_02_backed_is_a_clean_copy),
		cmocka_unit_test(contract_03_is_backed_reads_one_bit),
		cmocka_unit_test(contract_04_evictable_truth_table),
		cmocka_unit_test(contract_05_available_has_no_flag),
		cmocka_unit_test(contract_06_one_page_is_reserved),
		cmocka_unit_test(contract_07_scratch_is_the_last_page),
		cmocka_unit_test(contract_08_scratch_is_out_of_reach),
		cmocka_unit_test(contract_09_everything_exists),
		cmocka_unit_test(contract_09_kconfig_chooses),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
