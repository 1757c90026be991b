/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_move.c - mechanism move keeps a copy of a page that was read in the pool for a while. When
 * the frame is given another page meanwhile, the drop of such copies must not take that page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "../../arch/linux/port.h"
#include "lib_common.h"

#define FRAMES 64

static struct zl_port port;

static uintptr_t va_of(size_t page)
{
	return port.base + (page + 1) * LIB_PAGE;
}

static void *fill_begin(size_t page, size_t frame, unsigned char byte)
{
	assert_int_equal(port.ops.prepare(&port, va_of(page), 1), 0);
	port.ops.hold(&port, va_of(page), z_phys(frame * LIB_PAGE));
	void *scratch =
		port.ops.scratch(&port, va_of(page), z_phys(frame * LIB_PAGE), Z_SCRATCH_FILL);
	memset(scratch, byte, LIB_PAGE);
	return scratch;
}

static void fill_end(size_t page, size_t frame, void *scratch)
{
	struct z_page_op op = {.va = va_of(page), .phys = z_phys(frame * LIB_PAGE)};

	assert_int_equal(port.ops.attach(&port, &op, 1, Z_ATTACH_CLEAN), 0);
	port.ops.scratch_done(&port, op.va, op.phys, scratch, Z_SCRATCH_FILL);
}

static void test_frame_given_another_page(void **state)
{
	struct zl_port_config config = {.mechanism = "move",
					.sigbus = true,
					.user_only = true,
					.window_bytes = 16 * MIB,
					.least_bytes = MIB,
					.nframes = FRAMES};
	char text[256];

	(void)state;
	if (zl_port_open(&port, &config, text, sizeof(text)) != 0) {
		printf("skipped: %s\n", text);
		skip();
	}
	unsigned int rw = Z_ACCESS_READ | Z_ACCESS_WRITE;
	assert_int_equal(port.ops.map(&port, va_of(0), 1, rw), 0);
	assert_int_equal(port.ops.map(&port, va_of(1), FRAMES, rw), 0);
	fill_end(0, 0, fill_begin(0, 0, 1));
	port.ops.unmap(&port, va_of(0), 1);

	void *scratch = fill_begin(1, 0, 2);
	for (size_t i = 1; i < FRAMES; i++) {
		fill_end(1 + i, i, fill_begin(1 + i, i, (unsigned char)(10 + i)));
	}
	fill_end(1, 0, scratch);

	const unsigned char *p = (const unsigned char *)va_of(1);
	for (size_t i = 0; i < FRAMES; i++) {
		unsigned char expected = (unsigned char)(i == 0 ? 2 : 10 + i);
		assert_int_equal(p[i * LIB_PAGE], expected);
		assert_int_equal(p[i * LIB_PAGE + LIB_PAGE - 1], expected);
	}
	port.ops.unmap(&port, va_of(1), FRAMES);
	zl_port_close(&port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_frame_given_another_page)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
