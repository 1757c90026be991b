/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_errors.c - what makes no sense is refused, with a line of text that says what to do, and
 * nothing is changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "lib_common.h"

struct bad {
	struct zpager_options options;
	int error;
	const char *text;
};

static void test_options(void **state)
{
	static const struct bad bads[] = {
		{{.ram_bytes = 1}, Z_ERR_INVAL, "at least"},
		{{.ram_bytes = 4096 * 16}, Z_ERR_INVAL, "at least"},
		{{.store = "nosuch:"}, Z_ERR_INVAL, "nosuch"},
		{{.store = "ram:size=banana"}, Z_ERR_INVAL, "banana"},
		{{.eviction = "nosuch"}, Z_ERR_INVAL, "clock"},
		{{.reclaim = "nosuch"}, Z_ERR_INVAL, "thread"},
		{{.fault_mode = "fast"}, Z_ERR_INVAL, "use signal, monitor or auto"},
		{{.mechanism = "teleport"},
		 Z_ERR_INVAL,
		 "use copy, copy-recycle, copy-move, move or auto"},
		{{.window_bytes = 4096}, Z_ERR_INVAL, "window"},
		{{.window_bytes = UINT64_MAX}, Z_ERR_INVAL, "window"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		struct zpager *z = (struct zpager *)&bads;
		char error[256] = "";
		int result = zpager_open(&bads[i].options, error, sizeof(error), &z);
		if (result == Z_ERR_NOTSUP) {
			skip();
		}
		if (result != bads[i].error || strstr(error, bads[i].text) == NULL) {
			fail_msg("option %zu: %d: %s", i, result, error);
		}
		assert_ptr_equal(z, &bads);
		assert_null(strchr(error, '\n'));
		assert_int_equal(zpager_open(&bads[i].options, NULL, 0, &z), bads[i].error);
	}
}

static void test_calls(void **state)
{
	struct zpager *z = lib_simple(MIB, NULL, NULL);
	char outside[8192];

	(void)state;
	if (z == NULL) {
		skip();
	}
	assert_string_equal(zpager_last_error(z), "");
	assert_null(zpager_map(z, 0, 0));
	assert_non_null(strstr(zpager_last_error(z), "must not be 0"));
	assert_null(zpager_map(z, 10, 3));
	assert_non_null(strstr(zpager_last_error(z), "power of two"));
	assert_null(zpager_map(z, (size_t)1 << 50, 0));
	assert_null(zpager_map(z, SIZE_MAX, 0));
	assert_null(zpager_map(z, 200 * MIB, 0)); /* more than frames and store hold */
	assert_non_null(strstr(zpager_last_error(z), "RAM and store"));

	char *p = zpager_map(z, 3 * LIB_PAGE, 0);
	assert_non_null(p);
	lib_fill(p, 0, 0);
	assert_int_equal(zpager_map_at(z, p, LIB_PAGE), Z_ERR_BUSY);
	assert_int_equal(zpager_map_at(z, p + 1, LIB_PAGE), Z_ERR_INVAL);
	assert_int_equal(zpager_map_at(z, outside, LIB_PAGE), Z_ERR_INVAL);
	assert_int_equal(zpager_unmap(z, outside, 1), Z_ERR_INVAL);
	assert_int_equal(zpager_unmap(z, p, 0), Z_ERR_INVAL);
	assert_int_equal(zpager_unmap(z, p, 4 * LIB_PAGE), Z_ERR_FAULT);
	assert_int_equal(zpager_unpin(z, p, 1), Z_ERR_INVAL);
	assert_int_equal(zpager_pin(z, p, 4 * LIB_PAGE), Z_ERR_FAULT);
	assert_int_equal(zpager_page_in(z, p + 3 * LIB_PAGE, 1), Z_ERR_FAULT);
	assert_int_equal(zpager_page_out(z, p, SIZE_MAX), Z_ERR_INVAL);
	assert_int_equal(zpager_advise(z, outside, 1, Z_ADVICE_COLD), Z_ERR_INVAL);
	assert_int_equal(zpager_pin(z, p, 1), 0);
	assert_int_equal(zpager_unmap(z, p, LIB_PAGE), Z_ERR_BUSY);
	assert_int_equal(zpager_page_out(z, p, 1), Z_ERR_BUSY);
	assert_int_equal(zpager_close(z), Z_ERR_BUSY);
	assert_true(lib_is(p, 0, 0));
	assert_int_equal(zpager_unpin(z, p, 1), 0);
	assert_int_equal(zpager_fork_prepare(z), Z_ERR_NOTSUP);
	assert_non_null(strstr(zpager_last_error(z), "inherit_on_fork"));
	assert_false(zpager_is_mapped(z, outside, 1));
	lib_check(z, p, 3 * LIB_PAGE);
	lib_close(z);
}

/* Addresses: alignment, fixed places, guards, all of them back after unmap. */
static void test_addresses(void **state)
{
	struct zpager_options options = {
		.ram_bytes = MIB, .store = LIB_RAM_STORE, .window_bytes = 4 * MIB, .overcommit = 1};
	struct zpager *z = lib_open(&options);

	(void)state;
	if (z == NULL) {
		skip();
	}
	for (int round = 0; round < 200; round++) {
		char *p = zpager_map(z, 1, 1 << 20);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % (1 << 20), 0);
		char *q = zpager_map(z, 2 * MIB, 0);
		assert_non_null(q);
		assert_null(zpager_map(z, 2 * MIB, 0));
		*p = *q = 1;
		assert_int_equal(zpager_unmap(z, q + MIB, LIB_PAGE), 0);
		assert_int_equal(zpager_map_at(z, q + MIB, LIB_PAGE), 0);
		assert_int_equal(q[MIB], 0);
		assert_int_equal(zpager_unmap(z, p, 1), 0);
		assert_int_equal(zpager_unmap(z, q, 2 * MIB), 0);
	}
	lib_close(z);
}

static void test_json(void **state)
{
	struct zpager *z = lib_simple(MIB, NULL, NULL);
	char text[4096];
	char little[20];

	(void)state;
	if (z == NULL) {
		skip();
	}
	size_t n = zpager_stats_json(z, text, sizeof(text));
	assert_int_equal(strlen(text), n);
	assert_true(text[0] == '{' && text[n - 1] == '}');
	assert_non_null(strstr(text, "\"budget_bytes\": 1048576"));
	assert_non_null(strstr(text, "\"pagefaults\": 0"));
	assert_int_equal(zpager_stats_json(z, little, sizeof(little)), n);
	assert_int_equal(strlen(little), sizeof(little) - 1);
	assert_int_equal(zpager_stats_json(z, NULL, 0), n);
	lib_close(z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
