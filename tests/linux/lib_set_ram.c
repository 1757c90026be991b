/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_set_ram.c - the budget changes while running: what has to leave leaves, at once, seen from
 * outside; and comes back into use when the budget grows again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib_common.h"

#define PAGES ((size_t)2048)

/* RAM of the whole process, in pages: the pool of mechanism move counts too. */
static size_t process_pages(void)
{
	char text[128] = "";
	unsigned long total;
	unsigned long resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_int_equal(sscanf(text, "%lu %lu", &total, &resident), 2);
	return resident;
}

static void touch_all(char *p)
{
	for (size_t i = 0; i < PAGES; i++) {
		assert_true(lib_is(p + i * LIB_PAGE, i, 0));
	}
}

static void test_set_ram(void **state)
{
	struct zpager_options options = {.ram_bytes = 4 * MIB,
					 .store = "file:",
					 .fault_mode = "signal",
					 .mechanism = *state};
	struct zpager *z = lib_open(&options);
	struct zpager_info info;
	struct z_stats stats;

	if (z == NULL) {
		skip();
	}
	char *p = zpager_map(z, PAGES * LIB_PAGE, 0);
	assert_non_null(p);
	for (size_t i = 0; i < PAGES; i++) {
		lib_fill(p + i * LIB_PAGE, i, 0);
	}
	touch_all(p);
	size_t large = process_pages();
	assert_int_equal(zpager_set_ram(z, MIB), 0);
	zpager_stats(z, &stats, &info);
	assert_int_equal(info.budget_bytes, MIB);
	assert_true(info.frame_bytes + info.metadata_bytes <= MIB);
	assert_true(stats.frames_resident * LIB_PAGE <= info.frame_bytes);
	assert_true(lib_resident(p, PAGES * LIB_PAGE) <= stats.frames_resident);
	touch_all(p);
	/* The store is a file: what left is gone from this process. */
	assert_true(process_pages() + 3 * MIB / LIB_PAGE - 64 < large);
	lib_check(z, p, PAGES * LIB_PAGE);

	assert_int_equal(zpager_set_ram(z, 4 * MIB), 0);
	touch_all(p);
	/* Nothing has to leave, but free frames may still hold RAM. */
	large = process_pages();
	assert_int_equal(zpager_page_out(z, p, PAGES * LIB_PAGE), 0);
	assert_int_equal(zpager_set_ram(z, MIB), 0);
	assert_true(process_pages() + 3 * MIB / LIB_PAGE - 64 < large);
	assert_int_equal(zpager_set_ram(z, 4 * MIB), 0);
	touch_all(p);
	assert_true(lib_resident(p, PAGES * LIB_PAGE) > 3 * MIB / LIB_PAGE);
	assert_int_equal(zpager_set_ram(z, 5 * MIB), Z_ERR_INVAL);
	assert_non_null(strstr(zpager_last_error(z), "cannot grow"));
	assert_int_equal(zpager_set_ram(z, 1000), Z_ERR_INVAL);
	assert_non_null(strstr(zpager_last_error(z), "too small"));
	touch_all(p);
	lib_check(z, p, PAGES * LIB_PAGE);
	lib_close(z);
}

int main(void)
{
	static char copy[] = "copy";
	static char move[] = "move";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_set_ram, copy),
		cmocka_unit_test_prestate(test_set_ram, move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
