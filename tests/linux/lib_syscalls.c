/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_syscalls.c - system calls on pages that are out: in monitor mode they just work; in signal
 * mode they fail with EFAULT, lose nothing, and work once the memory is pinned.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../arch/linux/instance.h"
#include "lib_common.h"

#define PAGES 8
#define BYTES (PAGES * LIB_PAGE)

struct world {
	struct zpager *z;
	char *p;
	char plain[BYTES];
	int fd;
};

/* A region of patterns that is out, a file that holds the same. */
static bool make(struct world *w, const char *mode)
{
	w->z = lib_simple(MIB, mode, "copy");
	if (w->z == NULL) {
		return false;
	}
	w->p = zpager_map(w->z, BYTES, 0);
	assert_non_null(w->p);
	for (size_t i = 0; i < PAGES; i++) {
		lib_fill(w->p + i * LIB_PAGE, i, 5);
	}
	memcpy(w->plain, w->p, BYTES);
	w->fd = memfd_create("lib_syscalls", MFD_CLOEXEC);
	assert_true(w->fd >= 0);
	assert_int_equal(write(w->fd, w->plain, BYTES), BYTES);
	assert_int_equal(zpager_page_out(w->z, w->p, BYTES), 0);
	return true;
}

static void unmake(struct world *w)
{
	close(w->fd);
	lib_close(w->z);
}

static void test_monitor_serves_the_kernel(void **state)
{
	static struct world w;
	static char back[BYTES];
	int ends[2];

	(void)state;
	if (zl_probe()->how != ZL_UFFD_FULL || !make(&w, "monitor")) {
		skip();
	}
	assert_int_equal(pwrite(w.fd, w.p, BYTES, 0),
			 BYTES); /* the kernel reads pages that are out */
	assert_int_equal(pread(w.fd, back, BYTES, 0), BYTES);
	assert_memory_equal(back, w.plain, BYTES);

	assert_int_equal(zpager_page_out(w.z, w.p, BYTES), 0);
	w.plain[1] ^= 1;
	assert_int_equal(pwrite(w.fd, w.plain, BYTES, 0), BYTES);
	assert_int_equal(pread(w.fd, w.p, BYTES, 0), BYTES); /* and writes them */
	assert_int_equal(zpager_page_out(w.z, w.p, BYTES), 0);
	assert_memory_equal(w.p, w.plain, BYTES);

	/* A page that is resident and clean is write-protected; the kernel writes it all the same. */
	assert_int_equal(zpager_page_out(w.z, w.p, BYTES), 0);
	assert_int_equal(w.p[0], w.plain[0]);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "hello", 5), 5);
	assert_int_equal(read(ends[0], w.p, BYTES), 5);
	assert_int_equal(zpager_page_out(w.z, w.p, BYTES), 0);
	assert_memory_equal(w.p, "hello", 5);
	assert_memory_equal(w.p + 5, w.plain + 5, BYTES - 5);
	close(ends[0]);
	close(ends[1]);
	unmake(&w);
}

static void test_signal_says_efault(void **state)
{
	static struct world w;
	int ends[2];

	(void)state;
	if (!make(&w, "signal")) {
		skip();
	}
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], w.p, 16), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(write(ends[1], "hello", 5), 5);
	assert_int_equal(read(ends[0], w.p, 5), -1);
	assert_int_equal(errno, EFAULT);

	assert_int_equal(zpager_pin(w.z, w.p, BYTES), 0);
	assert_int_equal(read(ends[0], w.p, 5), 5);
	assert_int_equal(write(ends[1], w.p, 5), 5);
	assert_memory_equal(w.p, "hello", 5);
	assert_int_equal(zpager_unpin(w.z, w.p, BYTES), 0);
	close(ends[0]);
	close(ends[1]);
	unmake(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_monitor_serves_the_kernel),
		cmocka_unit_test(test_signal_says_efault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
