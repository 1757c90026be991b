/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - more memory than RAM: contents, banks, few frames.
 */
#include "board.h"

#include <zpager/mmu.h>

#include <cmocka.h>

#include "insn.h"

#define WORDS (Z_PAGE_SIZE / sizeof(uint64_t))

static uint64_t random_state;

/* xorshift64: the same on every run. */
static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t word_of(size_t page, size_t word, uint64_t version)
{
	return (page * WORDS + word) * UINT64_C(0x9e3779b97f4a7c15) + version;
}

static void write_page(uintptr_t va, size_t page, uint64_t version)
{
	for (size_t w = 0; w < WORDS; w += 31)
		world_set_word(va + page * Z_PAGE_SIZE + w * 8, word_of(page, w, version));
}

static bool page_is(uintptr_t va, size_t page, uint64_t version)
{
	for (size_t w = 0; w < WORDS; w += 31) {
		if (world_word(va + page * Z_PAGE_SIZE + w * 8) != word_of(page, w, version))
			return false;
	}
	return true;
}

#define MANY (4U * Z_NUM_PAGE_FRAMES)

static void contents_of_four_times_the_frames(void **state)
{
	static uint8_t version[MANY];
	uintptr_t va = world_map(MANY, RW);
	struct z_stats s;

	(void)state;
	random_state = 88172645463325252;
	for (size_t i = 0; i < MANY; i++) {
		version[i] = 0;
		write_page(va, i, 0);
	}
	for (size_t i = 0; i < 3000; i++) {
		size_t page = next_random() % MANY;

		assert_true(page_is(va, page, version[page]));
		if (next_random() % 2 == 0)
			write_page(va, page, ++version[page]);
		if (i % 500 == 0)
			world_check(Z_CHECK_PAGES);
	}
	for (size_t i = 0; i < MANY; i++)
		assert_true(page_is(va, i, version[i]));
	s = world_stats();
	assert_int_equal(s.pagefaults, s.pages_zeroed + s.pages_read);
	assert_int_equal(s.pages_zeroed, MANY);
	if (world_is_watched()) {
		assert_int_equal(s.pages_read, watch.page_in);
		assert_int_equal(s.pages_written, watch.page_out);
	}
	assert_int_equal(s.pages_written + s.pages_dropped, s.pagefaults - Z_NUM_PAGE_FRAMES);
	assert_int_equal(s.frames_resident, Z_NUM_PAGE_FRAMES);
}

static bool range_is_free(uintptr_t phys, size_t frames)
{
	for (size_t i = 0; i < frames; i++) {
		struct z_page_frame *pf = z_phys_to_page_frame(phys + i * Z_PAGE_SIZE);

		if (!z_page_frame_is_available(pf))
			return false;
	}
	return true;
}

#define BANK 16U

static void contract_42_range_emptied_by_frames(void **state)
{
	uintptr_t va = world_map(Z_NUM_PAGE_FRAMES, RW);

	(void)state;
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++)
		write_page(va, i, 1);
	assert_int_equal(z_free_page_count, 0);
	for (size_t i = 0; i < BANK; i++)
		assert_int_equal(z_page_frame_evict(Z_PHYS_RAM_START + (BANK + i) * Z_PAGE_SIZE),
				 0);
	assert_int_equal(z_free_page_count, BANK);
	assert_true(range_is_free(Z_PHYS_RAM_START + BANK * Z_PAGE_SIZE, BANK));
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++)
		assert_true(page_is(va, i, 1));
}

/* Off: stays empty whatever is touched; all of the memory is there with what is left. On again. */
static void contract_42_bank_off_and_on(void **state)
{
	uintptr_t first = Z_PHYS_RAM_START + BANK * Z_PAGE_SIZE;
	uintptr_t va = world_map(2 * Z_NUM_PAGE_FRAMES, RW);

	(void)state;
	for (size_t i = 0; i < 2 * Z_NUM_PAGE_FRAMES; i++)
		write_page(va, i, 2);
	assert_int_equal(z_pager_bank_offline(z_kernel_pager(), 1), 0);
	for (unsigned int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 2 * Z_NUM_PAGE_FRAMES; i++) {
			assert_true(page_is(va, i, 2 + round));
			write_page(va, i, 3 + round);
		}
		assert_true(range_is_free(first, BANK));
		assert_int_equal(world_stats().frames_resident, Z_NUM_PAGE_FRAMES - BANK);
	}
	assert_int_equal(z_pager_bank_online(z_kernel_pager(), 1), 0);
	for (size_t i = 0; i < 2 * Z_NUM_PAGE_FRAMES; i++)
		assert_true(page_is(va, i, 4));
	assert_int_equal(world_stats().frames_resident, Z_NUM_PAGE_FRAMES);
}

/* As many frames as one instruction needs pages, and the pages of others in all of them. */
static void progress_with_few_frames(uint32_t frames, bool straddle_code, bool code_paged,
				     bool straddle_data)
{
	uintptr_t other = world_map(8, RW);
	uintptr_t code = world_map(2, RW | Z_ACCESS_EXEC);
	uintptr_t data = world_map(2, RW);
	uintptr_t at = data + Z_PAGE_SIZE - (straddle_data ? 4 : 8);
	uintptr_t load_at = code + Z_PAGE_SIZE - (straddle_code ? INSN_STRADDLE : 16);
	uint64_t (*load)(uintptr_t) = (uint64_t(*)(uintptr_t))load_at;

	insn_put_load(load_at);
	world_set_word(at, 0x5152535455565758);
	for (size_t i = 0; i < 8; i++)
		write_page(other, i, 9);
	assert_int_equal(z_pager_set_frames(z_kernel_pager(), frames), 0);
	for (unsigned int round = 0; round < 10; round++) {
		assert_int_equal(code_paged ? load(at) : world_word(at), 0x5152535455565758);
		for (size_t i = 0; i < 8; i++)
			assert_true(page_is(other, i, 9));
	}
	assert_true(world_stats().frames_resident <= frames);
	assert_int_equal(z_pager_set_frames(z_kernel_pager(), Z_NUM_PAGE_FRAMES), 0);
}

static void progress_one_frame(void **state)
{
	(void)state;
	progress_with_few_frames(1, false, false, false);
}

static void progress_two_frames(void **state)
{
	(void)state;
	progress_with_few_frames(2, false, false, true);
}

static void progress_three_frames(void **state)
{
	(void)state;
	progress_with_few_frames(3, false, true, true);
}

static void progress_four_frames(void **state)
{
	(void)state;
	progress_with_few_frames(4, true, true, true);
}

void test_memory(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		CASE(contents_of_four_times_the_frames),
		CASE(contract_42_range_emptied_by_frames),
		CASE(contract_42_bank_off_and_on),
		CASE(progress_one_frame),
		CASE(progress_two_frames),
		CASE(progress_three_frames),
		CASE(progress_four_frames),
	};
#undef CASE

	(void)cmocka_run_group_tests_name(world->name, tests, NULL, NULL);
}
