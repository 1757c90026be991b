/* SPDX-License-Identifier: Apache-2.0 */
/*
 * streams.c - libc's functions that hand bytes and events over: served at the door, where that spares the
 * trap.
 *
 * Theory. The filter brings every call on paged memory to us, by a signal of some microseconds. A server does three
 * such calls for each request (epoll_wait, read, write); by libc's names they are recognised here by one
 * comparison. They are performed by libc's own functions on memory that is not paged, so that they are points of
 * cancellation, restart and fail as ever. What comes by other ways (stdio, checked variants, bare calls) is trapped.
 *
 * Locks: none. The functions that stand behind are looked up when the library is loaded, since any of these may
 * be called in a signal handler. Limits: as doors.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls.h"

/* Each with the name that it has in libc. */
#define BEHIND(name) static __typeof__(&(name)) _Atomic libc_##name;

BEHIND(read)
BEHIND(write)
BEHIND(pread64)
BEHIND(pwrite64)
BEHIND(recv)
BEHIND(send)
BEHIND(recvfrom)
BEHIND(sendto)
BEHIND(epoll_wait)

#define LOOK_UP(name)                                                                              \
	if (libc_##name == NULL) {                                                                 \
		libc_##name = (__typeof__(&(name)))zp_real(#name);                                 \
	}

__attribute__((constructor)) static void look_up_all(void)
{
	LOOK_UP(read)
	LOOK_UP(write)
	LOOK_UP(pread64)
	LOOK_UP(pwrite64)
	LOOK_UP(recv)
	LOOK_UP(send)
	LOOK_UP(recvfrom)
	LOOK_UP(sendto)
	LOOK_UP(epoll_wait)
}

static long or_minus_errno(long result)
{
	return result < 0 ? -errno : result;
}

/* NOLINTBEGIN(performance-no-int-to-ptr): arguments of system calls. */

static long by_read(const struct zp_call *c)
{
	return or_minus_errno(libc_read((int)c->arg[0], (void *)c->arg[1], (size_t)c->arg[2]));
}

static long by_write(const struct zp_call *c)
{
	return or_minus_errno(
		libc_write((int)c->arg[0], (const void *)c->arg[1], (size_t)c->arg[2]));
}

static long by_pread(const struct zp_call *c)
{
	return or_minus_errno(
		libc_pread64((int)c->arg[0], (void *)c->arg[1], (size_t)c->arg[2], c->arg[3]));
}

static long by_pwrite(const struct zp_call *c)
{
	return or_minus_errno(libc_pwrite64((int)c->arg[0], (const void *)c->arg[1],
					    (size_t)c->arg[2], c->arg[3]));
}

static long by_recvfrom(const struct zp_call *c)
{
	return or_minus_errno(libc_recvfrom((int)c->arg[0], (void *)c->arg[1], (size_t)c->arg[2],
					    (int)c->arg[3], (struct sockaddr *)c->arg[4],
					    (socklen_t *)c->arg[5]));
}

static long by_sendto(const struct zp_call *c)
{
	return or_minus_errno(libc_sendto(
		(int)c->arg[0], (const void *)c->arg[1], (size_t)c->arg[2], (int)c->arg[3],
		(const struct sockaddr *)c->arg[4], (socklen_t)c->arg[5]));
}

static long by_epoll_wait(const struct zp_call *c)
{
	return or_minus_errno(libc_epoll_wait((int)c->arg[0], (struct epoll_event *)c->arg[1],
					      (int)c->arg[2], (int)c->arg[3]));
}

/* NOLINTEND(performance-no-int-to-ptr) */

static bool is_served(const void *memory)
{
	return zp_signal_mode && !zp_inside && zp_is_paged((long)memory);
}

static long serve(struct zp_call call)
{
	char here;

	return zp_or_errno(zp_serve(&call, (uintptr_t)&here));
}

ZP_EXPORT ssize_t read(int fd, void *to, size_t bytes)
{
	LOOK_UP(read)
	return is_served(to)
		       ? serve((struct zp_call){
				 .nr = SYS_read, .arg = {fd, (long)to, (long)bytes}, .by = by_read})
		       : libc_read(fd, to, bytes);
}

ZP_EXPORT ssize_t write(int fd, const void *from, size_t bytes)
{
	LOOK_UP(write)
	return is_served(from) ? serve((struct zp_call){.nr = SYS_write,
							.arg = {fd, (long)from, (long)bytes},
							.by = by_write})
			       : libc_write(fd, from, bytes);
}

ZP_EXPORT ssize_t pread64(int fd, void *to, size_t bytes, off64_t at)
{
	LOOK_UP(pread64)
	return is_served(to) ? serve((struct zp_call){
				       SYS_pread64, {fd, (long)to, (long)bytes, at}, by_pread})
			     : libc_pread64(fd, to, bytes, at);
}

ZP_EXPORT ssize_t pread(int fd, void *to, size_t bytes, off_t at)
{
	return pread64(fd, to, bytes, at);
}

ZP_EXPORT ssize_t pwrite64(int fd, const void *from, size_t bytes, off64_t at)
{
	LOOK_UP(pwrite64)
	return is_served(from)
		       ? serve((struct zp_call){
				 SYS_pwrite64, {fd, (long)from, (long)bytes, at}, by_pwrite})
		       : libc_pwrite64(fd, from, bytes, at);
}

ZP_EXPORT ssize_t pwrite(int fd, const void *from, size_t bytes, off_t at)
{
	return pwrite64(fd, from, bytes, at);
}

ZP_EXPORT ssize_t recvfrom(int fd, void *to, size_t bytes, int flags, struct sockaddr *whose,
			   socklen_t *whose_bytes)
{
	LOOK_UP(recvfrom)
	return is_served(to) ? serve((struct zp_call){.nr = SYS_recvfrom,
						      .arg = {fd, (long)to, (long)bytes, flags,
							      (long)whose, (long)whose_bytes},
						      .by = by_recvfrom})
			     : libc_recvfrom(fd, to, bytes, flags, whose, whose_bytes);
}

ZP_EXPORT ssize_t recv(int fd, void *to, size_t bytes, int flags)
{
	LOOK_UP(recv)
	return is_served(to) ? recvfrom(fd, to, bytes, flags, NULL, NULL)
			     : libc_recv(fd, to, bytes, flags);
}

ZP_EXPORT ssize_t sendto(int fd, const void *from, size_t bytes, int flags,
			 const struct sockaddr *whose, socklen_t whose_bytes)
{
	LOOK_UP(sendto)
	return is_served(from) ? serve((struct zp_call){.nr = SYS_sendto,
							.arg = {fd, (long)from, (long)bytes, flags,
								(long)whose, (long)whose_bytes},
							.by = by_sendto})
			       : libc_sendto(fd, from, bytes, flags, whose, whose_bytes);
}

ZP_EXPORT ssize_t send(int fd, const void *from, size_t bytes, int flags)
{
	LOOK_UP(send)
	return is_served(from) ? sendto(fd, from, bytes, flags, NULL, 0)
			       : libc_send(fd, from, bytes, flags);
}

ZP_EXPORT int epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
	LOOK_UP(epoll_wait)
	return is_served(events)
		       ? (int)serve((struct zp_call){
				 SYS_epoll_wait, {fd, (long)events, most, timeout}, by_epoll_wait})
		       : libc_epoll_wait(fd, events, most, timeout);
}
