/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_syscalls.c - data in and out, structures, arrays and strings: every argument that a pointer
 * leads to lies in memory that is out, the pointers in structures lead to such memory too.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "syscalls_common.h"

#define LEAP 7777 /* bytes that start and end within pages */

static void test_read_write(char *memory)
{
	static char back[SC_BYTES];
	int fd = sc_file(O_RDWR);

	sc_out();
	sc_result("pwrite", pwrite(fd, memory + 100, 20 * SC_PAGE, LEAP));
	sc_out();
	sc_result("pread", pread(fd, memory + 30 * SC_PAGE + 50, 20 * SC_PAGE, 10));
	sc_out();
	sc_result("read", read(fd, memory + 3, LEAP));
	sc_out();
	sc_result("write", write(fd, memory + SC_PAGE - 1, 2));
	sc_result("file", pread(fd, back, sizeof(back), 0));
	sc_sum("file", back, sizeof(back));
	sc_out();
	sc_sum("memory", memory, SC_BYTES);
	/* The end of the file lies in the middle of a page; the rest of the memory is untouched. */
	sc_out();
	sc_result("short", pread(fd, memory, SC_BYTES, SC_BYTES - LEAP));
	sc_result("too far", pread(fd, memory, SC_BYTES, 2 * SC_BYTES));
	sc_out();
	sc_sum("memory", memory, SC_BYTES);
	(void)close(fd);
}

static void test_vectors(char *memory)
{
	int fd = sc_file(O_RDWR);
	struct iovec *v = SC_AT(memory, 40);

	for (size_t i = 0; i < 20; i++) {
		v[i] = (struct iovec){memory + (2 * i + 1) * SC_PAGE - 5, 10 + 100 * i};
	}
	sc_out();
	sc_result("writev", writev(fd, v, 20));
	sc_out();
	sc_result("preadv", preadv(fd, v, 15, 1000));
	sc_out();
	sc_result("pwritev", pwritev(fd, v + 3, 10, 77));
	sc_out();
	sc_result("preadv2", preadv2(fd, v, 18, 5000, 0));
	sc_out();
	sc_result("pwritev2", pwritev2(fd, v, 4, 33, RWF_DSYNC));
	sc_result("lseek", lseek(fd, 0, SEEK_SET));
	sc_out();
	sc_result("readv", readv(fd, v, 20));
	v[1].iov_len = (size_t)-1;
	sc_out();
	sc_result("a length that cannot be", readv(fd, v, 20));
	sc_out();
	sc_sum("memory", memory, 40 * SC_PAGE);
	(void)close(fd);
}

static void test_bad_addresses(char *memory)
{
	char *volatile nowhere = (char *)8;
	int fd = sc_file(O_RDWR);
	struct iovec *v = SC_AT(memory, 40);

	sc_out();
	sc_result("read to nowhere", read(fd, nowhere, 100));
	v[0] = (struct iovec){memory, 1000};
	v[1] = (struct iovec){nowhere, 1000};
	sc_out();
	sc_result("readv in part", readv(fd, v, 2));
	sc_must(munmap(SC_AT(memory, 50), SC_PAGE) == 0, "munmap");
	sc_push_out();
	sc_result("into a hole", pread(fd, SC_AT(memory, 49), 3 * SC_PAGE, 0));
	sc_sum("before the hole", SC_AT(memory, 49), SC_PAGE);
	sc_must(mprotect(SC_AT(memory, 52), SC_PAGE, PROT_READ) == 0, "mprotect");
	sc_push_out();
	sc_result("not to be written", pread(fd, SC_AT(memory, 52), 100, 0));
	sc_result("but read", pwrite(fd, SC_AT(memory, 52), 100, 0));
	(void)close(fd);
}

static struct msghdr *message(char *memory, size_t page, const int *pass, size_t npass)
{
	struct msghdr *m = SC_AT(memory, page);
	struct iovec *v = SC_AT(memory, page + 1);
	struct cmsghdr *c = SC_AT(memory, page + 2);

	v[0] = (struct iovec){memory + (page + 3) * SC_PAGE - 20, 60};
	v[1] = (struct iovec){memory + (page + 4) * SC_PAGE - 30, 5000};
	*m = (struct msghdr){.msg_iov = v, .msg_iovlen = 2, .msg_control = c};
	m->msg_controllen = CMSG_SPACE(8 * sizeof(int));
	if (npass > 0) {
		m->msg_controllen = CMSG_SPACE(npass * sizeof(int));
		*c = (struct cmsghdr){CMSG_LEN(npass * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(c), pass, npass * sizeof(int));
	}
	return m;
}

static void test_messages_and_rights(char *memory)
{
	int pair[2], pass[2], got[2];
	struct msghdr *out, *in;

	sc_must(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0 && pipe(pass) == 0, "a pair");
	out = message(memory, 0, pass, 2);
	in = message(memory, 10, NULL, 0);
	sc_out();
	sc_result("sendmsg", sendmsg(pair[0], out, 0));
	sc_out();
	sc_result("peek", recvmsg(pair[1], in, MSG_PEEK));
	in->msg_controllen = CMSG_SPACE(8 * sizeof(int));
	sc_out();
	sc_result("recvmsg", recvmsg(pair[1], in, MSG_CMSG_CLOEXEC));
	sc_say("control %zu flags %x\n", in->msg_controllen, (unsigned int)in->msg_flags);
	memcpy(got, CMSG_DATA((struct cmsghdr *)in->msg_control), sizeof(got));
	sc_out();
	sc_result("through what came", write(got[1], memory, 5));
	sc_out();
	sc_result("and back", read(pass[0], memory + SC_PAGE, 100));
	sc_out();
	sc_sum("data", SC_AT(memory, 13), 3 * SC_PAGE);
	sc_result("nothing is left", recv(pair[1], memory, 1, MSG_DONTWAIT));
}

static void test_datagrams(char *memory)
{
	int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_un *name = SC_AT(memory, 1);
	socklen_t *length = SC_AT(memory, 2);

	*name = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(name->sun_path + 1, 80, "zpager-syscalls-%d-%p", (int)getpid(), memory);
	sc_out();
	sc_result("bind", bind(b, (struct sockaddr *)name, sizeof(*name)));
	sc_out();
	for (int i = 0; i < 20; i++) {
		/* Each is there once, whole, and in turn. */
		*(int *)SC_AT(memory, 3) = i;
		sc_out();
		sc_result("sendto", sendto(a, SC_AT(memory, 3), 1000 + (size_t)i, MSG_DONTWAIT,
					   (struct sockaddr *)name, sizeof(*name)));
		if (i % 5 != 4) {
			continue;
		}
		for (int j = i - 4; j <= i; j++) {
			*length = sizeof(*name);
			sc_out();
			sc_result("recvfrom", recvfrom(b, SC_AT(memory, 5), 3000, MSG_DONTWAIT,
						       SC_AT(memory, 6), length));
			sc_say("%d is %d, from %u\n", j, *(int *)SC_AT(memory, 5), *length);
		}
	}
	*length = sizeof(*name);
	sc_out();
	sc_result("getsockname", getsockname(b, SC_AT(memory, 8), length));
	sc_say("%u bytes, the same %d\n", *length, memcmp(SC_AT(memory, 8), name, *length));
	*length = sizeof(int);
	sc_out();
	sc_result("getsockopt", getsockopt(a, SOL_SOCKET, SO_TYPE, SC_AT(memory, 9), length));
	*(int *)SC_AT(memory, 9) = 1;
	sc_out();
	sc_result("setsockopt", setsockopt(a, SOL_SOCKET, SO_PASSCRED, SC_AT(memory, 9), 4));
}

static void test_many_messages(char *memory)
{
	struct mmsghdr *all = SC_AT(memory, 0);
	struct iovec *v = SC_AT(memory, 1);
	int pair[2];

	sc_must(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0, "a pair");
	for (size_t i = 0; i < 8; i++) {
		v[i] = (struct iovec){memory + (i + 3) * SC_PAGE - 50, 100 + i};
		all[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = v + i, .msg_iovlen = 1}};
	}
	sc_out();
	sc_result("sendmmsg", sendmmsg(pair[0], all, 8, 0));
	for (size_t i = 0; i < 8; i++) {
		v[i].iov_base = memory + (i + 20) * SC_PAGE - 30;
		v[i].iov_len = 500;
	}
	*(struct timespec *)SC_AT(memory, 2) = (struct timespec){.tv_sec = 1};
	sc_out();
	sc_result("recvmmsg", recvmmsg(pair[1], all, 8, 0, SC_AT(memory, 2)));
	for (size_t i = 0; i < 8; i++) {
		sc_say("%u bytes\n", all[i].msg_len);
	}
	sc_sum("data", SC_AT(memory, 19), 10 * SC_PAGE);
}

static void test_poll_select_epoll(char *memory)
{
	struct pollfd *polled = SC_AT(memory, 0);
	struct timespec *wait = SC_AT(memory, 1);
	fd_set *set = SC_AT(memory, 2);
	struct timeval *tv = SC_AT(memory, 3);
	struct epoll_event *event = SC_AT(memory, 4), *events = (void *)(memory + 6 * SC_PAGE - 12);
	int ends[2], epoll = epoll_create1(0);

	sc_must(pipe(ends) == 0 && write(ends[1], "x", 1) == 1, "a pipe");
	polled[0] = (struct pollfd){ends[0], POLLIN, 0};
	polled[1] = (struct pollfd){ends[1], POLLOUT | POLLIN, 0};
	sc_out();
	sc_result("poll", poll(polled, 2, 0));
	sc_say("%x %x\n", (unsigned int)polled[0].revents, (unsigned int)polled[1].revents);
	*wait = (struct timespec){.tv_nsec = 1000000};
	sigemptyset(SC_AT(memory, 8));
	sc_out();
	sc_result("ppoll", ppoll(polled, 2, wait, SC_AT(memory, 8)));
	FD_ZERO(set);
	FD_SET(ends[0], set);
	*tv = (struct timeval){.tv_usec = 1000};
	sc_out();
	sc_result("select", select(ends[1] + 1, set, NULL, NULL, tv));
	sc_say("%d\n", FD_ISSET(ends[0], set) != 0);
	sc_out();
	sc_result("pselect", pselect(ends[1] + 1, NULL, set, NULL, wait, SC_AT(memory, 8)));
	*event = (struct epoll_event){.events = EPOLLIN, .data.u64 = 0x1234567890};
	sc_out();
	sc_result("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], event));
	event->events = EPOLLOUT;
	sc_out();
	sc_result("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], event));
	sc_out();
	sc_result("epoll_wait", epoll_wait(epoll, events, 8, 0));
	sc_say("%llx\n", (unsigned long long)events[1].data.u64);
	sc_out();
	sc_result("epoll_pwait", epoll_pwait(epoll, events, 8, 0, SC_AT(memory, 8)));
}

static void test_offsets(char *memory)
{
	int from = sc_file(O_RDWR), to = sc_file(O_RDWR), ends[2];
	loff_t *in = SC_AT(memory, 0), *out = SC_AT(memory, 1);

	sc_must(pipe(ends) == 0, "a pipe");
	*in = 1000;
	sc_out();
	sc_result("sendfile", sendfile(to, from, in, 10000));
	sc_say("%lld\n", (long long)*in);
	*out = 77;
	sc_out();
	sc_result("copy_file_range", copy_file_range(from, in, to, out, 9000, 0));
	sc_say("%lld %lld\n", (long long)*in, (long long)*out);
	sc_out();
	sc_result("splice", splice(from, in, ends[1], NULL, 5000, 0));
	sc_out();
	sc_result("splice", splice(ends[0], NULL, to, out, 5000, 0));
	sc_say("%lld %lld\n", (long long)*in, (long long)*out);
	sc_out();
	sc_result("pread", pread(to, memory, SC_BYTES, 0));
	sc_out();
	sc_sum("file", memory, SC_BYTES);
}

static void test_strings(char *memory)
{
	char *name = memory + SC_PAGE - 5, *other = memory + 3 * SC_PAGE - 7;
	int fd;

	(void)snprintf(name, 64, "zpager-syscalls-%d", (int)getpid());
	(void)snprintf(other, 64, "zpager-syscalls-%d-other", (int)getpid());
	sc_out();
	fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
	sc_say("open: %d\n", fd >= 0);
	sc_out();
	sc_result("rename", rename(name, other));
	sc_out();
	sc_result("access", access(name, F_OK));
	sc_out();
	sc_result("symlink", symlink(other, name));
	sc_out();
	sc_result("readlink", readlink(name, SC_AT(memory, 5) - 3, 100));
	sc_say("%d\n", strncmp(SC_AT(memory, 5) - 3, other, strlen(other)));
	sc_out();
	sc_result("fsetxattr", fsetxattr(fd, strcpy(SC_AT(memory, 6), "user.test"), name, 7, 0));
	sc_out();
	(void)fgetxattr(fd, SC_AT(memory, 6), SC_AT(memory, 7), 100);
	sc_sum("xattr", SC_AT(memory, 7), 7);
	sc_out();
	sc_result("stat", stat(name, SC_AT(memory, 8)));
	sc_say("%lld\n", (long long)((struct stat *)SC_AT(memory, 8))->st_size);
	((struct timespec *)SC_AT(memory, 9))[0] = (struct timespec){.tv_sec = 1000000000};
	((struct timespec *)SC_AT(memory, 9))[1] = (struct timespec){.tv_sec = 1000000001};
	sc_out();
	sc_result("utimensat", utimensat(AT_FDCWD, other, SC_AT(memory, 9), 0));
	sc_out();
	sc_result("statx", statx(AT_FDCWD, name, 0, STATX_ALL, SC_AT(memory, 10)));
	sc_say("%lld\n", (long long)((struct statx *)SC_AT(memory, 10))->stx_mtime.tv_sec);
	sc_out();
	sc_result("unlink", unlink(name));
	sc_out();
	sc_result("unlink", unlink(other));
	sc_result("write", write(fd, other, 10));
}

static void test_folder(char *memory)
{
	char name[] = "zpager-syscalls-XXXXXX", file[64];
	unsigned int n = 0;
	int fd;
	long got;

	sc_must(mkdtemp(name) != NULL, "a folder");
	for (int i = 0; i < 100; i++) {
		(void)snprintf(file, sizeof(file), "%s/%d", name, i);
		(void)close(open(file, O_CREAT | O_WRONLY, 0600));
	}
	fd = open(name, O_RDONLY | O_DIRECTORY);
	do {
		sc_out();
		got = syscall(SYS_getdents64, fd, memory + SC_PAGE - 100, 1000);
		for (long at = 0; at < got;) {
			struct dirent64 *entry = (void *)(memory + SC_PAGE - 100 + at);

			n += (unsigned int)atoi(entry->d_name) + 1;
			at += entry->d_reclen;
		}
	} while (got > 0);
	sc_result("the end", got);
	sc_say("sum of the names %u\n", n);
	sc_out();
	sc_say("getcwd: %d\n", syscall(SYS_getcwd, memory, SC_PAGE) > 0 && memory[0] == '/');
	for (int i = 0; i < 100; i++) {
		(void)snprintf(file, sizeof(file), "%s/%d", name, i);
		(void)unlink(file);
	}
	(void)rmdir(name);
}

static void test_what_the_kernel_tells(char *memory)
{
	struct timespec *time = (void *)(memory + SC_PAGE - 8), clear = {0};
	int ends[2], timer;

	sc_out();
	sc_result("uname", uname(SC_AT(memory, 2)));
	sc_say("%s\n", ((struct utsname *)SC_AT(memory, 2))->sysname);
	sc_out();
	sc_result("sysinfo", sysinfo(SC_AT(memory, 3)));
	sc_out();
	sc_result("clock_gettime", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, time));
	sc_say("%d\n", time->tv_sec > 0);
	*time = clear;
	sc_out();
	sc_result("the same by the vDSO", clock_gettime(CLOCK_MONOTONIC, time));
	sc_say("%d\n", time->tv_sec > 0);
	*time = (struct timespec){.tv_nsec = 1000};
	sc_out();
	sc_result("nanosleep", nanosleep(time, time));
	sc_out();
	sc_result("getrandom", getrandom(memory + 100, 2 * SC_PAGE, 0));
	sc_out();
	sc_result("getrlimit", syscall(SYS_prlimit64, 0, 7, NULL, SC_AT(memory, 4)));
	sc_out();
	sc_result("mincore", mincore(memory, SC_BYTES, SC_AT(memory, 6)));
	sc_must(pipe(ends) == 0 && write(ends[1], "abc", 3) == 3, "a pipe");
	sc_out();
	sc_result("FIONREAD", ioctl(ends[0], FIONREAD, SC_AT(memory, 5)));
	sc_say("%d\n", *(int *)SC_AT(memory, 5));
	sc_out();
	sc_result("TCGETS", ioctl(ends[0], TCGETS, SC_AT(memory, 5)));
	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	*(struct itimerspec *)SC_AT(memory, 8) = (struct itimerspec){.it_value.tv_nsec = 1};
	sc_out();
	sc_result("timerfd_settime", timerfd_settime(timer, 0, SC_AT(memory, 8), SC_AT(memory, 9)));
	sc_out();
	sc_result("its read", read(timer, SC_AT(memory, 10), 8));
}

int main(int argc, char **argv)
{
	static const struct sc_test tests[] = {
		{"read_write", test_read_write},
		{"vectors", test_vectors},
		{"bad_addresses", test_bad_addresses},
		{"messages_and_rights", test_messages_and_rights},
		{"datagrams", test_datagrams},
		{"many_messages", test_many_messages},
		{"poll_select_epoll", test_poll_select_epoll},
		{"offsets", test_offsets},
		{"strings", test_strings},
		{"folder", test_folder},
		{"what_the_kernel_tells", test_what_the_kernel_tells},
		{NULL, NULL},
	};

	return sc_main(argc, argv, tests);
}
