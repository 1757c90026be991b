/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_dma.c - a page that a device may write to at any time (a buffer registered with io_uring) is
 * not taken out of the window: page-out says busy, eviction takes others, and what is read into the
 * buffer afterwards is found there.
 */
#define _GNU_SOURCE
#include <liburing.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../arch/linux/instance.h"
#include "lib_common.h"

#define PAGES  ((size_t)1024)
#define BUFFER ((size_t)8)

static void read_into_buffer(struct io_uring *ring, int fd, char *buffer)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;

	assert_non_null(sqe);
	io_uring_prep_read_fixed(sqe, fd, buffer, BUFFER * LIB_PAGE, 0, 0);
	assert_int_equal(io_uring_submit(ring), 1);
	assert_int_equal(io_uring_wait_cqe(ring, &cqe), 0);
	assert_int_equal(cqe->res, BUFFER * LIB_PAGE);
	io_uring_cqe_seen(ring, cqe);
}

static void test_registered_buffer(void **state)
{
	struct zpager *z = lib_simple(MIB, "monitor", *state);
	struct io_uring ring;
	static char plain[BUFFER * LIB_PAGE];

	if (z == NULL || !zl_probe()->move || io_uring_queue_init(4, &ring, 0) != 0) {
		skip();
	}
	char *p = zpager_map(z, PAGES * LIB_PAGE, 0);
	assert_non_null(p);
	for (size_t i = 0; i < PAGES; i++) {
		lib_fill(p + i * LIB_PAGE, i, 0);
	}
	struct iovec buffer = {.iov_base = p, .iov_len = BUFFER * LIB_PAGE};
	assert_int_equal(io_uring_register_buffers(&ring, &buffer, 1), 0);
	assert_int_equal(zpager_page_out(z, p, LIB_PAGE), Z_ERR_BUSY);
	for (size_t i = BUFFER; i < PAGES; i++) {
		assert_true(lib_is(p + i * LIB_PAGE, i, 0));
	}
	assert_int_equal(lib_resident(p, BUFFER * LIB_PAGE), BUFFER);

	int fd = memfd_create("lib_dma", MFD_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t i = 0; i < BUFFER; i++) {
		lib_fill(plain + i * LIB_PAGE, i, 9);
	}
	assert_int_equal(write(fd, plain, sizeof(plain)), sizeof(plain));
	read_into_buffer(&ring, fd, p);
	assert_memory_equal(p, plain, sizeof(plain));
	assert_int_equal(io_uring_unregister_buffers(&ring), 0);
	io_uring_queue_exit(&ring);
	close(fd);
	lib_check(z, p, PAGES * LIB_PAGE);
	for (size_t i = BUFFER; i < PAGES; i++) {
		assert_true(lib_is(p + i * LIB_PAGE, i, 0));
	}
	assert_memory_equal(p, plain, sizeof(plain));
	assert_int_equal(zpager_page_out(z, p, PAGES * LIB_PAGE), 0);
	lib_close(z);
}

int main(void)
{
	static char copy_move[] = "copy-move";
	static char move[] = "move";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_registered_buffer, copy_move),
		cmocka_unit_test_prestate(test_registered_buffer, move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
