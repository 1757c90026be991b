/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_protect.c - permissions are taken away while a page is being saved: the store goes on
 * reading it, and the program may not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../arch/linux/port.h"
#include "lib_common.h"

static bool kernel_may_read(uintptr_t va)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	ssize_t n = write(ends[1], (void *)va, 1);
	close(ends[0]);
	close(ends[1]);
	return n == 1;
}

static void bring_in(struct zl_port *port, struct z_page_op *op, unsigned char byte)
{
	assert_int_equal(port->ops.prepare(port, op->va, 1), 0);
	port->ops.hold(port, op->va, op->phys);
	void *scratch = port->ops.scratch(port, op->va, op->phys, Z_SCRATCH_FILL);
	memset(scratch, byte, LIB_PAGE);
	assert_int_equal(port->ops.attach(port, op, 1, Z_ATTACH_DIRTY), 0);
	port->ops.scratch_done(port, op->va, op->phys, scratch, Z_SCRATCH_FILL);
}

static void release(struct zl_port *port, struct z_page_op *op)
{
	if (port->ops.vacate != NULL) {
		port->ops.vacate(port, op, 1);
	}
	port->ops.release(port, op, 1);
}

static void test_protect_while_saving(void **state)
{
	static struct zl_port port;
	struct zl_port_config config = {.mechanism = *state,
					.sigbus = true,
					.user_only = true,
					.window_bytes = 16 * MIB,
					.least_bytes = MIB,
					.nframes = 16};
	unsigned int rw = Z_ACCESS_READ | Z_ACCESS_WRITE;
	struct z_page_op ops[3];
	char text[256];

	if (zl_port_open(&port, &config, text, sizeof(text)) != 0) {
		printf("skipped: %s\n", text);
		skip();
	}
	uintptr_t va = port.base + LIB_PAGE;
	assert_int_equal(port.ops.map(&port, va, 3, rw), 0);
	for (size_t i = 0; i < 3; i++) {
		ops[i] = (struct z_page_op){.va = va + i * LIB_PAGE, .phys = z_phys(i * LIB_PAGE)};
		bring_in(&port, &ops[i], (unsigned char)(i + 1));
	}
	assert_int_equal(port.ops.detach(&port, &ops[1], 1), 0);
	const unsigned char *save = port.ops.scratch(&port, ops[1].va, ops[1].phys, Z_SCRATCH_SAVE);
	assert_int_equal(port.ops.protect(&port, va, 3, 0), 0);
	assert_int_equal(save[0], 2);
	assert_int_equal(save[LIB_PAGE - 1], 2);
	assert_false(kernel_may_read(va));
	assert_false(kernel_may_read(va + 2 * LIB_PAGE));
	port.ops.scratch_done(&port, ops[1].va, ops[1].phys, (void *)(uintptr_t)save,
			      Z_SCRATCH_SAVE);
	release(&port, &ops[1]);
	assert_false(kernel_may_read(va + LIB_PAGE));

	/* What may not even be read can leave too. */
	assert_int_equal(port.ops.detach(&port, &ops[0], 1), 0);
	save = port.ops.scratch(&port, ops[0].va, ops[0].phys, Z_SCRATCH_SAVE);
	assert_int_equal(save[100], 1);
	port.ops.scratch_done(&port, ops[0].va, ops[0].phys, (void *)(uintptr_t)save,
			      Z_SCRATCH_SAVE);
	release(&port, &ops[0]);

	assert_int_equal(port.ops.protect(&port, va, 3, rw), 0);
	assert_true(kernel_may_read(va + 2 * LIB_PAGE));
	assert_int_equal(*(unsigned char *)(va + 2 * LIB_PAGE), 3);
	port.ops.unmap(&port, va, 3);
	zl_port_close(&port);
}

int main(void)
{
	static char copy[] = "copy";
	static char copy_move[] = "copy-move";
	static char move[] = "move";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_protect_while_saving, copy),
		cmocka_unit_test_prestate(test_protect_while_saving, copy_move),
		cmocka_unit_test_prestate(test_protect_while_saving, move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
