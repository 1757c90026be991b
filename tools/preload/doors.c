/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doors.c - libc's functions for the calls that have addresses inside of structures, and syscall(),
 * by which any call can be made.
 *
 * The filter sees addresses in arguments only. Where the structure lies outside of the window and
 * something that it names lies in it, these serve the call; else libc's own function does. What libc
 * does with such calls by itself (netlink, the name service) has its buffers on the stack.
 *
 * Locks: none. Limits: a call that is served here is no cancellation point while it blocks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls.h"

#define VECTORS 1024

static long serve(long nr, long a, long b, long c, long d, long e, long f)
{
	struct zp_call call = {.nr = nr, .arg = {a, b, c, d, e, f}};
	char here;

	pthread_testcancel();
	return zp_or_errno(zp_serve(&call, (uintptr_t)&here));
}

/* Something in it is paged. */
static bool vector_is_paged(const struct iovec *v, long n)
{
	bool paged = false;

	for (long i = 0; i < n && i < VECTORS && !paged; i++) {
		paged = zp_is_paged((long)v[i].iov_base);
	}
	return paged;
}

static bool message_is_paged(const struct msghdr *m)
{
	return zp_is_paged((long)m->msg_name) || zp_is_paged((long)m->msg_control) ||
	       zp_is_paged((long)m->msg_iov) || vector_is_paged(m->msg_iov, (long)m->msg_iovlen);
}

/* Does the filter not see it? A structure that is paged itself it does see. */
static bool hidden(const void *structure)
{
	return zp_signal_mode && !zp_inside && structure != NULL && !zp_is_paged((long)structure);
}

static bool hidden_vector(const struct iovec *v, long n)
{
	return hidden(v) && vector_is_paged(v, n);
}

static bool hidden_message(const struct msghdr *m)
{
	return hidden(m) && message_is_paged(m);
}

static bool hidden_messages(const struct mmsghdr *m, unsigned int n)
{
	bool paged = false;

	for (unsigned int i = 0; hidden(m) && i < n && i < VECTORS && !paged; i++) {
		paged = message_is_paged(&m[i].msg_hdr);
	}
	return paged;
}

#define REAL(name)                                                                                 \
	static __typeof__(&(name)) _Atomic real;                                                   \
	if (real == NULL) {                                                                        \
		real = (__typeof__(&(name)))zp_real(#name);                                        \
	}

ZP_EXPORT ssize_t readv(int fd, const struct iovec *v, int n)
{
	REAL(readv)
	return hidden_vector(v, n) ? serve(SYS_readv, fd, (long)v, n, 0, 0, 0) : real(fd, v, n);
}

ZP_EXPORT ssize_t writev(int fd, const struct iovec *v, int n)
{
	REAL(writev)
	return hidden_vector(v, n) ? serve(SYS_writev, fd, (long)v, n, 0, 0, 0) : real(fd, v, n);
}

ZP_EXPORT ssize_t preadv(int fd, const struct iovec *v, int n, off_t at)
{
	REAL(preadv)
	return hidden_vector(v, n) ? serve(SYS_preadv, fd, (long)v, n, at, 0, 0)
				   : real(fd, v, n, at);
}

ZP_EXPORT ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	REAL(pwritev)
	return hidden_vector(v, n) ? serve(SYS_pwritev, fd, (long)v, n, at, 0, 0)
				   : real(fd, v, n, at);
}

ZP_EXPORT ssize_t preadv64(int fd, const struct iovec *v, int n, off64_t at)
{
	return preadv(fd, v, n, at);
}

ZP_EXPORT ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t at)
{
	return pwritev(fd, v, n, at);
}

ZP_EXPORT ssize_t preadv2(int fd, const struct iovec *v, int n, off_t at, int flags)
{
	REAL(preadv2)
	return hidden_vector(v, n) ? serve(SYS_preadv2, fd, (long)v, n, at, 0, flags)
				   : real(fd, v, n, at, flags);
}

ZP_EXPORT ssize_t pwritev2(int fd, const struct iovec *v, int n, off_t at, int flags)
{
	REAL(pwritev2)
	return hidden_vector(v, n) ? serve(SYS_pwritev2, fd, (long)v, n, at, 0, flags)
				   : real(fd, v, n, at, flags);
}

ZP_EXPORT ssize_t preadv64v2(int fd, const struct iovec *v, int n, off64_t at, int flags)
{
	return preadv2(fd, v, n, at, flags);
}

ZP_EXPORT ssize_t pwritev64v2(int fd, const struct iovec *v, int n, off64_t at, int flags)
{
	return pwritev2(fd, v, n, at, flags);
}

ZP_EXPORT ssize_t vmsplice(int fd, const struct iovec *v, size_t n, unsigned int flags)
{
	REAL(vmsplice)
	return hidden_vector(v, (long)n) ? serve(SYS_vmsplice, fd, (long)v, (long)n, flags, 0, 0)
					 : real(fd, v, n, flags);
}

ZP_EXPORT ssize_t process_vm_readv(pid_t pid, const struct iovec *v, unsigned long n,
				   const struct iovec *theirs, unsigned long others,
				   unsigned long flags)
{
	REAL(process_vm_readv)
	return hidden_vector(v, (long)n) ? serve(SYS_process_vm_readv, pid, (long)v, (long)n,
						 (long)theirs, (long)others, (long)flags)
					 : real(pid, v, n, theirs, others, flags);
}

ZP_EXPORT ssize_t process_vm_writev(pid_t pid, const struct iovec *v, unsigned long n,
				    const struct iovec *theirs, unsigned long others,
				    unsigned long flags)
{
	REAL(process_vm_writev)
	return hidden_vector(v, (long)n) ? serve(SYS_process_vm_writev, pid, (long)v, (long)n,
						 (long)theirs, (long)others, (long)flags)
					 : real(pid, v, n, theirs, others, flags);
}

ZP_EXPORT ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	REAL(sendmsg)
	return hidden_message(m) ? serve(SYS_sendmsg, fd, (long)m, flags, 0, 0, 0)
				 : real(fd, m, flags);
}

ZP_EXPORT ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	REAL(recvmsg)
	return hidden_message(m) ? serve(SYS_recvmsg, fd, (long)m, flags, 0, 0, 0)
				 : real(fd, m, flags);
}

ZP_EXPORT int sendmmsg(int fd, struct mmsghdr *m, unsigned int n, int flags)
{
	REAL(sendmmsg)
	return hidden_messages(m, n) ? (int)serve(SYS_sendmmsg, fd, (long)m, n, flags, 0, 0)
				     : real(fd, m, n, flags);
}

ZP_EXPORT int recvmmsg(int fd, struct mmsghdr *m, unsigned int n, int flags, struct timespec *time)
{
	REAL(recvmmsg)
	return hidden_messages(m, n)
		       ? (int)serve(SYS_recvmmsg, fd, (long)m, n, flags, (long)time, 0)
		       : real(fd, m, n, flags, time);
}

/* ---- syscall() ----------------------------------------------------------------------------- */

static bool is_hidden_call(const struct zp_call *call)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): an argument of a system call. */
	const void *second = (const void *)call->arg[1];

	switch (call->nr) {
	case SYS_readv:
	case SYS_writev:
	case SYS_preadv:
	case SYS_pwritev:
	case SYS_preadv2:
	case SYS_pwritev2:
	case SYS_vmsplice:
	case SYS_process_vm_readv:
	case SYS_process_vm_writev:
		return hidden_vector(second, call->arg[2]);
	case SYS_sendmsg:
	case SYS_recvmsg:
		return hidden_message(second);
	case SYS_sendmmsg:
	case SYS_recvmmsg:
		return hidden_messages(second, (unsigned int)call->arg[2]);
	default:
		return false;
	}
}

#if defined(__x86_64__)

static long bare(const struct zp_call *call)
{
	register long d __asm__("r10") = call->arg[3];
	register long e __asm__("r8") = call->arg[4];
	register long f __asm__("r9") = call->arg[5];
	long result = call->nr;

	__asm__ volatile("syscall"
			 : "+a"(result)
			 : "D"(call->arg[0]), "S"(call->arg[1]), "d"(call->arg[2]), "r"(d), "r"(e),
			   "r"(f)
			 : "rcx", "r11", "memory");
	return result;
}

ZP_EXPORT long syscall(long number, ...)
{
	struct zp_call call = {.nr = number};
	va_list more;

	va_start(more, number);
	for (int i = 0; i < 6; i++) {
		call.arg[i] = va_arg(more, long);
	}
	va_end(more);
	if (is_hidden_call(&call)) {
		return serve(number, call.arg[0], call.arg[1], call.arg[2], call.arg[3],
			     call.arg[4], call.arg[5]);
	}
	return zp_or_errno(bare(&call));
}

#endif
