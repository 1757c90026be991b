/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_syscalls_async.c - the kernel, a device or another process works on the program's pages beside
 * the program: pages that are in a pipe or on their way through a socket, reads and writes that end
 * later, buffers that are registered, other processes that look in.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <liburing.h>

#include "syscalls_common.h"

/* What is in the pipe are the pages themselves: that they go out meanwhile must not be seen. */
static void test_vmsplice(char *memory)
{
	static char back[8 * SC_PAGE];
	struct iovec *v = SC_AT(memory, 40);
	int ends[2];

	sc_must(pipe(ends) == 0, "a pipe");
	v[0] = (struct iovec){memory + 100, 2 * SC_PAGE};
	v[1] = (struct iovec){memory + 10 * SC_PAGE, 4 * SC_PAGE - 100};
	sc_out();
	sc_result("vmsplice", vmsplice(ends[1], v, 2, 0));
	sc_push_out();
	sc_press();
	sc_result("read", read(ends[0], back, sizeof(back)));
	sc_sum("what came through", back, 6 * SC_PAGE - 100);
	sc_sum("memory", memory, 20 * SC_PAGE);
	/* And out of a pipe into memory. */
	sc_result("write", write(ends[1], back, 5000));
	v[0].iov_len = 1000;
	sc_out();
	sc_result("vmsplice", vmsplice(ends[0], v, 1, 0));
	sc_out();
	sc_sum("memory", memory, 20 * SC_PAGE);
}

static int connected(int *other)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
	socklen_t length = sizeof(name);
	int listener = socket(AF_INET, SOCK_STREAM, 0), mine = socket(AF_INET, SOCK_STREAM, 0);

	sc_must(bind(listener, (struct sockaddr *)&name, length) == 0 && listen(listener, 1) == 0 &&
			getsockname(listener, (struct sockaddr *)&name, &length) == 0 &&
			connect(mine, (struct sockaddr *)&name, length) == 0,
		"a connection");
	*other = accept(listener, NULL, NULL);
	(void)close(listener);
	return mine;
}

static void test_zero_copy_send(char *memory)
{
	static char back[SC_BYTES];
	int other, one = 1, mine = connected(&other);
	long sent;

	if (setsockopt(mine, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) != 0) {
		sc_skip("this kernel has no MSG_ZEROCOPY");
	}
	sc_out();
	sent = send(mine, memory + 10, 20 * SC_PAGE, MSG_ZEROCOPY);
	sc_result("send", sent);
	sc_push_out();
	sc_press();
	sc_result("recv", recv(other, back, (size_t)sent, MSG_WAITALL));
	sc_sum("what came", back, (size_t)sent);
	sc_sum("memory", memory, SC_BYTES);
}

static void test_process_vm(char *memory)
{
	struct iovec *here = SC_AT(memory, 50), *there = SC_AT(memory, 51);
	pid_t self = getpid();

	here[0] = (struct iovec){memory + 10, 3 * SC_PAGE};
	here[1] = (struct iovec){memory + 5 * SC_PAGE, 3 * SC_PAGE};
	there[0] = (struct iovec){memory + 20 * SC_PAGE + 7, 5 * SC_PAGE};
	there[1] = (struct iovec){memory + 30 * SC_PAGE, SC_PAGE};
	sc_out();
	sc_result("process_vm_readv", process_vm_readv(self, here, 2, there, 2, 0));
	sc_out();
	sc_sum("memory", memory, 50 * SC_PAGE);
	here[1].iov_base = memory + 40 * SC_PAGE + 1;
	sc_out();
	sc_result("process_vm_writev", process_vm_writev(self, here, 2, there, 2, 0));
	sc_out();
	sc_sum("memory", memory, 50 * SC_PAGE);
}

/*
 * Through /proc/pid/mem the kernel does not wait for a pager: it refuses what is out, and to write what is clean, with EIO. It must not
 * give anything else instead, and the rest works.
 */
static void test_proc_mem(char *memory)
{
	static char back[3 * SC_PAGE];
	int fd = open("/proc/self/mem", O_RDWR);
	off_t at = (off_t)(uintptr_t)memory + 40960;

	sc_must(fd >= 0, "/proc/self/mem");
	sc_out();
	if (pread(fd, back, sizeof(back), at) == (ssize_t)sizeof(back)) {
		sc_must(memcmp(back, memory + 40960, sizeof(back)) == 0, "what was read is right");
	} else {
		sc_must(errno == EIO, "EIO");
	}
	sc_sum("there", memory + 40960, sizeof(back));
	sc_result("pread", pread(fd, back, sizeof(back), at));
	sc_sum("read", back, sizeof(back));
	memory[45054] = memory[45056] =
		0; /* pages that were not written since they came in count as out */
	sc_result("pwrite", pwrite(fd, "hello", 5, at + 4094));
	sc_out();
	sc_sum("memory", memory, SC_BYTES);
}

static void test_direct_io(char *memory)
{
	int fd = sc_file(O_RDWR | O_DIRECT);
	struct iovec *v = SC_AT(memory, 63);

	if (fd < 0) {
		sc_skip("no O_DIRECT in this file system");
	}
	for (int round = 0; round < 4; round++) {
		sc_out();
		sc_result("pread", pread(fd, memory + 512, 30 * SC_PAGE, 4096));
		sc_out();
		sc_result("pwrite", pwrite(fd, memory + 20 * SC_PAGE, 20 * SC_PAGE, 8192));
		v[0] = (struct iovec){SC_AT(memory, 7), SC_PAGE};
		v[1] = (struct iovec){SC_AT(memory, 9), 3 * SC_PAGE};
		sc_out();
		sc_result("preadv", preadv(fd, v, 2, 0));
		sc_press();
	}
	sc_out();
	sc_sum("memory", memory, 60 * SC_PAGE);
}

static void test_aio(char *memory)
{
	struct iocb *io = SC_AT(memory, 60), **list = SC_AT(memory, 61);
	struct io_event *done = SC_AT(memory, 62);
	int fd = sc_file(O_RDWR | O_DIRECT);
	aio_context_t context = 0;
	long n;

	if (fd < 0 || syscall(SYS_io_setup, 16, &context) != 0) {
		sc_skip("no asynchronous I/O here");
	}
	for (size_t i = 0; i < 8; i++) {
		io[i] = (struct iocb){.aio_data = i,
				      .aio_lio_opcode =
					      i % 2 == 0 ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE,
				      .aio_fildes = (uint32_t)fd,
				      .aio_buf = (uintptr_t)memory + i * 5 * SC_PAGE,
				      .aio_nbytes = 4 * SC_PAGE,
				      .aio_offset = (long long)(i * 5 * SC_PAGE)};
		list[i] = &io[i];
	}
	sc_out();
	n = syscall(SYS_io_submit, context, 8, list);
	sc_result("io_submit", n);
	sc_push_out();
	sc_press();
	sc_push_out();
	sc_result("io_getevents", syscall(SYS_io_getevents, context, n, n, done, NULL));
	n = 0;
	for (size_t i = 0; i < 8; i++) {
		n += (long)done[i].res;
	}
	sc_result("bytes", n);
	sc_push_out();
	sc_sum("memory", memory, 60 * SC_PAGE);
	sc_result("file", pread(fd, memory, SC_BYTES, 0));
	sc_sum("file", memory, SC_BYTES);
	(void)syscall(SYS_io_destroy, context);
}

static struct io_uring *ring_of(unsigned int flags)
{
	static struct io_uring ring;

	if (io_uring_queue_init(16, &ring, flags) != 0) {
		sc_skip("no io_uring here");
	}
	return &ring;
}

static void wait_ring(struct io_uring *ring, unsigned int n)
{
	long sum = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct io_uring_cqe *done;

		sc_must(io_uring_wait_cqe(ring, &done) == 0, "io_uring_wait_cqe");
		sum += done->res;
		io_uring_cqe_seen(ring, done);
	}
	sc_result("results", sum);
}

/* Reads, writes and a read from a pipe that ends when there is something, the pages out by then. */
static void ring_work(char *memory, unsigned int flags)
{
	struct io_uring *ring = ring_of(flags);
	struct iovec *v = SC_AT(memory, 60);
	int fd = sc_file(O_RDWR), ends[2];

	sc_must(pipe(ends) == 0, "a pipe");
	v[0] = (struct iovec){SC_AT(memory, 20), 300};
	v[1] = (struct iovec){memory + 22 * SC_PAGE - 9, 3000};
	io_uring_prep_read(io_uring_get_sqe(ring), fd, memory + 11, 5 * SC_PAGE, 999);
	io_uring_prep_write(io_uring_get_sqe(ring), fd, SC_AT(memory, 10), 5 * SC_PAGE, 100000);
	io_uring_prep_readv(io_uring_get_sqe(ring), fd, v, 2, 0);
	io_uring_prep_read(io_uring_get_sqe(ring), ends[0], memory + 30 * SC_PAGE - 3, 100, 0);
	sc_out();
	sc_result("submit", io_uring_submit(ring));
	sc_push_out();
	sc_press();
	sc_push_out();
	sc_result("write", write(ends[1], "0123456789", 10));
	wait_ring(ring, 4);
	sc_push_out();
	sc_sum("memory", memory, 60 * SC_PAGE);
	io_uring_queue_exit(ring);
}

static void test_uring(char *memory)
{
	ring_work(memory, 0);
}

/* The kernel's own thread touches the pages. */
static void test_uring_polling_thread(char *memory)
{
	ring_work(memory, IORING_SETUP_SQPOLL);
}

/*
 * Registered memory is pinned by the kernel for good, and what it writes there has to be seen. The
 * mechanism of older kernels, copy, cannot notice the kernel's pins: README says so.
 */
static void test_uring_registered(char *memory)
{
	const char *mechanism = getenv("ZPAGER_MECHANISM");
	struct io_uring *ring = ring_of(0);
	struct iovec v = {memory, 16 * SC_PAGE};
	int fd = sc_file(O_RDWR);

	if (mechanism != NULL && strcmp(mechanism, "copy") == 0) {
		sc_skip("mechanism copy gives registered buffers away");
	}
	sc_out();
	sc_result("register", io_uring_register_buffers(ring, &v, 1));
	for (unsigned int round = 0; round < 4; round++) {
		sc_push_out();
		sc_press();
		io_uring_prep_read_fixed(io_uring_get_sqe(ring), fd, memory + 100, 10 * SC_PAGE,
					 round * 1000, 0);
		io_uring_prep_write_fixed(io_uring_get_sqe(ring), fd, SC_AT(memory, 12),
					  3 * SC_PAGE, 50 * SC_PAGE, 0);
		sc_result("submit", io_uring_submit(ring));
		wait_ring(ring, 2);
		sc_sum("memory", memory, 20 * SC_PAGE);
		memory[12 * SC_PAGE] ^= (char)round;
	}
	sc_result("file", pread(fd, SC_AT(memory, 20), 3 * SC_PAGE, 50 * SC_PAGE));
	sc_sum("file", SC_AT(memory, 20), 3 * SC_PAGE);
	io_uring_queue_exit(ring);
	/* Pages that are pinned no more can go. */
	sc_push_out();
	sc_press();
	sc_sum("memory", memory, SC_BYTES);
}

/* A tracer peeks and pokes as /proc/pid/mem does; it is a forked child, which has a pager of its own. */
static void test_ptrace(char *memory)
{
	pid_t self = getpid(), child;
	int status, ready[2];
	long word;

	sc_must(pipe(ready) == 0, "a pipe");
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	child = fork();
	if (child == 0) {
		char go;

		/* The parent sleeps in waitpid() meanwhile. */
		bool good = read(ready[0], &go, 1) == 1 &&
			    ptrace(PTRACE_SEIZE, self, NULL, NULL) == 0 &&
			    ptrace(PTRACE_INTERRUPT, self, NULL, NULL) == 0 &&
			    waitpid(self, NULL, __WALL) == self;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, self, memory + 5 * SC_PAGE, NULL);
		good = good && (errno == EIO || word == *(long *)SC_AT(memory, 5)) &&
		       ptrace(PTRACE_PEEKDATA, self, SC_AT(memory, 8), NULL) ==
			       *(long *)SC_AT(memory, 8) &&
		       ptrace(PTRACE_POKEDATA, self, SC_AT(memory, 8), 4711L) == 0;
		(void)ptrace(PTRACE_DETACH, self, NULL, NULL);
		_exit(good ? 0 : 1);
	}
	sc_must(child > 0, "fork");
	sc_out();
	*(long *)SC_AT(memory, 8) = 1;
	sc_result("go", write(ready[1], "x", 1));
	sc_result("wait", waitpid(child, &status, 0) == child ? 0 : -1);
	sc_say("status %x, poked %ld\n", (unsigned int)status, *(long *)SC_AT(memory, 8));
}

int main(int argc, char **argv)
{
	static const struct sc_test tests[] = {
		{"vmsplice", test_vmsplice},
		{"zero_copy_send", test_zero_copy_send},
		{"process_vm", test_process_vm},
		{"proc_mem", test_proc_mem},
		{"direct_io", test_direct_io},
		{"aio", test_aio},
		{"uring", test_uring},
		{"uring_polling_thread", test_uring_polling_thread},
		{"uring_registered", test_uring_registered},
		{"ptrace", test_ptrace},
		{NULL, NULL},
	};

	return sc_main(argc, argv, tests);
}
