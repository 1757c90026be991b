/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vectors.c - system calls with addresses inside of structures: readv, sendmsg and their families.
 *
 * A call whose structure lies in the window comes here by the filter. One whose structure lies
 * elsewhere, on the stack as a rule, the filter cannot tell from any other; so these calls are also
 * taken at libc's door, where a program asks for them, and served only if a buffer is paged.
 *
 * Each call takes its scratch memory in one piece and cuts it up.
 *
 * Locks: none. Limits: vmsplice copies, which a reader of the pipe cannot tell. In process_vm_readv
 * and _writev only the caller's own buffers are looked after, not those of the other process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "calls.h"

#define VECTORS 1024 /* the kernel's limit */

struct pool {
	char *at;
};

static void *cut(struct pool *pool, size_t bytes)
{
	char *piece = pool->at;

	pool->at += (bytes + 15) & ~(size_t)15;
	return piece;
}

#define CUT(bytes) (((size_t)(bytes) + 15) & ~(size_t)15)

/* Bytes of the vector that are paged; SIZE_MAX: some of it is not mapped. */
static size_t paged_bytes(const struct iovec *v, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i].iov_len == 0 || !zp_is_paged((long)v[i].iov_base)) {
			continue;
		}
		if (v[i].iov_len > SSIZE_MAX || !zp_readable((long)v[i].iov_base, v[i].iov_len)) {
			return SIZE_MAX;
		}
		bytes += CUT(v[i].iov_len);
	}
	return bytes;
}

/* The vector with each paged buffer replaced by one of the pool. */
static void stand_in(struct pool *pool, const struct iovec *user, struct iovec *own, size_t n,
		     bool fill)
{
	for (size_t i = 0; i < n; i++) {
		own[i] = user[i];
		if (user[i].iov_len > 0 && zp_is_paged((long)user[i].iov_base)) {
			own[i].iov_base = cut(pool, user[i].iov_len);
			if (fill) {
				memcpy(own[i].iov_base, user[i].iov_base, user[i].iov_len);
			}
		}
	}
}

/* What arrived goes to where it belongs. */
static void hand_out(const struct iovec *user, const struct iovec *own, size_t n, size_t bytes)
{
	for (size_t i = 0; i < n && bytes > 0; i++) {
		size_t now = own[i].iov_len < bytes ? own[i].iov_len : bytes;

		if (own[i].iov_base != user[i].iov_base) {
			memcpy(user[i].iov_base, own[i].iov_base, now);
		}
		bytes -= now;
	}
}

/* ---- readv, writev ------------------------------------------------------------------------- */

/* Where a call that goes in pieces has come to. */
struct cursor {
	const struct iovec *v;
	size_t n, offset; /* in v[0] */
};

/* The next piece: at most so many bytes. Returns how many entries; *bytes_out: of how many bytes. */
static size_t next_piece(const struct cursor *c, struct iovec *piece, size_t most,
			 size_t *bytes_out)
{
	size_t offset = c->offset;
	size_t bytes = 0;
	size_t n = 0;

	while (n < c->n && bytes < most) {
		size_t left = c->v[n].iov_len - offset;
		size_t now = left < most - bytes ? left : most - bytes;

		piece[n].iov_base = (char *)c->v[n].iov_base + offset;
		piece[n].iov_len = now;
		bytes += now;
		offset = 0;
		n++;
	}
	*bytes_out = bytes;
	return n;
}

static void move_on(struct cursor *c, size_t bytes)
{
	while (c->n > 0 && bytes >= c->v->iov_len - c->offset) {
		bytes -= c->v->iov_len - c->offset;
		c->offset = 0;
		c->v++;
		c->n--;
	}
	c->offset += bytes;
}

static bool has_offset(const struct zp_call *call)
{
	return (call->nr == SYS_preadv || call->nr == SYS_pwritev || call->nr == SYS_preadv2 ||
		call->nr == SYS_pwritev2) &&
	       call->arg[3] != -1;
}

static bool goes_on(const struct zp_call *call, bool reading)
{
	struct stat status;

	if (!reading) {
		return true;
	}
	return zp_raw(SYS_fstat, call->arg[0], (long)&status, 0, 0, 0, 0) == 0 &&
	       S_ISREG(status.st_mode);
}

static long in_pieces(struct zp_call *call, const struct iovec *user, size_t n, struct pool pool,
		      struct iovec *work, size_t most, bool reading)
{
	struct cursor c = {user, n, 0};
	bool more = goes_on(call, reading);
	bool offset = has_offset(call);
	size_t done = 0;
	size_t bytes;
	long result;

	do {
		struct pool fresh = pool;
		struct iovec *piece = work;
		struct iovec *own = work + n;
		size_t count = next_piece(&c, piece, most, &bytes);

		stand_in(&fresh, piece, own, count, !reading);
		call->arg[1] = (long)own;
		call->arg[2] = (long)count;
		result = zp_perform(call);
		if (result < 0) {
			return done > 0 ? (long)done : result;
		}
		if (reading) {
			hand_out(piece, own, count, (size_t)result);
		}
		done += (size_t)result;
		call->arg[3] += offset ? result : 0;
		move_on(&c, (size_t)result);
	} while ((size_t)result == bytes && c.n > 0 && more);
	return (long)done;
}

static long vector(struct zp_call *call, struct zp_use *use, bool reading)
{
	size_t n = (size_t)call->arg[2];
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	const struct iovec *user = (const struct iovec *)call->arg[1];
	size_t paged, total;
	struct pool pool;
	struct iovec *work;

	if (n > VECTORS) {
		return -EINVAL;
	}
	if (!zp_readable(call->arg[1], n * sizeof(*user))) {
		return -EFAULT;
	}
	paged = paged_bytes(user, n);
	if (paged == SIZE_MAX) {
		return -EFAULT;
	}
	total = paged;
	if (paged > ZP_CHUNK && !zp_whole_only(call->arg[0])) {
		paged = ZP_CHUNK + n * 16;
		total = ZP_CHUNK;
	} else {
		total = SSIZE_MAX;
	}
	pool.at = zp_scratch_take(use, 3 * n * sizeof(*work) + paged + 16, NULL);
	if (pool.at == NULL) {
		return -ENOMEM;
	}
	work = cut(&pool, 3 * n * sizeof(*work));
	memcpy(work + 2 * n, user, n * sizeof(*work));
	return in_pieces(call, work + 2 * n, n, pool, work, total, reading);
}

long zp_do_readv(struct zp_call *call, struct zp_use *use)
{
	return vector(call, use, true);
}

long zp_do_writev(struct zp_call *call, struct zp_use *use)
{
	return vector(call, use, false);
}

/* The pages of a pipe would be the program's own; a copy is what its reader sees in any case. */
long zp_do_vmsplice(struct zp_call *call, struct zp_use *use)
{
	long flags = zp_raw(SYS_fcntl, call->arg[0], F_GETFL, 0, 0, 0, 0);
	bool reading = flags >= 0 && (flags & O_ACCMODE) == O_RDONLY;
	struct pollfd ready = {.fd = (int)call->arg[0], .events = reading ? POLLIN : POLLOUT};

	if ((call->arg[3] & SPLICE_F_NONBLOCK) != 0 &&
	    zp_raw(SYS_poll, (long)&ready, 1, 0, 0, 0, 0) == 0) {
		return -EAGAIN;
	}
	call->nr = reading ? SYS_readv : SYS_writev;
	return vector(call, use, reading);
}

long zp_do_process_vm(struct zp_call *call, struct zp_use *use)
{
	size_t n = (size_t)call->arg[2];
	size_t others = (size_t)call->arg[4];
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	const struct iovec *user = (const struct iovec *)call->arg[1];
	bool reading = call->nr == SYS_process_vm_readv;
	struct pool pool;
	struct iovec *own, *theirs;
	size_t paged;
	long result;

	if (n > VECTORS || others > VECTORS) {
		return -EINVAL;
	}
	if (!zp_readable(call->arg[1], n * sizeof(*own)) ||
	    !zp_readable(call->arg[3], others * sizeof(*own))) {
		return -EFAULT;
	}
	paged = paged_bytes(user, n);
	if (paged == SIZE_MAX) {
		return -EFAULT;
	}
	pool.at = zp_scratch_take(use, (n + others + 2) * sizeof(*own) + paged, NULL);
	if (pool.at == NULL) {
		return -ENOMEM;
	}
	own = cut(&pool, n * sizeof(*own));
	theirs = cut(&pool, others * sizeof(*own));
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	memcpy(theirs, (const void *)call->arg[3], others * sizeof(*own));
	stand_in(&pool, user, own, n, !reading);
	call->arg[1] = (long)own;
	call->arg[3] = (long)theirs;
	result = zp_perform(call);
	if (reading && result > 0) {
		hand_out(user, own, n, (size_t)result);
	}
	return result;
}

/* ---- sendmsg, recvmsg ---------------------------------------------------------------------- */

/* How much scratch memory a message needs; SIZE_MAX: it does not lie in mapped memory. */
static size_t message_bytes(const struct msghdr *m)
{
	size_t paged;

	if (m->msg_iovlen > VECTORS ||
	    !zp_readable((long)m->msg_iov, m->msg_iovlen * sizeof(struct iovec)) ||
	    !zp_readable((long)m->msg_name, m->msg_namelen) ||
	    !zp_readable((long)m->msg_control, m->msg_controllen)) {
		return SIZE_MAX;
	}
	paged = paged_bytes(m->msg_iov, m->msg_iovlen);
	return paged == SIZE_MAX ? SIZE_MAX
				 : paged + 2 * CUT(m->msg_iovlen * sizeof(struct iovec)) +
					   CUT(m->msg_namelen) + CUT(m->msg_controllen);
}

/* own: a message that says the same with memory that is not paged. */
static void message_begin(struct pool *pool, const struct msghdr *user, struct msghdr *own,
			  bool sending)
{
	size_t n = user->msg_iovlen;
	struct iovec *v = cut(pool, n * sizeof(*v));

	*own = *user;
	own->msg_iov = v;
	stand_in(pool, user->msg_iov, v, n, sending);
	if (user->msg_name != NULL && user->msg_namelen > 0) {
		own->msg_name = cut(pool, user->msg_namelen);
		memcpy(own->msg_name, user->msg_name, user->msg_namelen);
	}
	if (user->msg_control != NULL && user->msg_controllen > 0) {
		own->msg_control = cut(pool, user->msg_controllen);
		memcpy(own->msg_control, user->msg_control, user->msg_controllen);
	}
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void message_arrived(struct msghdr *user, const struct msghdr *own, size_t bytes)
{
	hand_out(user->msg_iov, own->msg_iov, user->msg_iovlen, bytes);
	if (own->msg_name != NULL) {
		memcpy(user->msg_name, own->msg_name, least(user->msg_namelen, own->msg_namelen));
	}
	if (own->msg_control != NULL) {
		memcpy(user->msg_control, own->msg_control,
		       least(user->msg_controllen, own->msg_controllen));
	}
	user->msg_namelen = own->msg_namelen;
	user->msg_controllen = own->msg_controllen;
	user->msg_flags = own->msg_flags;
}

static long message(struct zp_call *call, struct zp_use *use, bool sending)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	struct msghdr *user = (struct msghdr *)call->arg[1];
	struct msghdr own;
	struct pool pool;
	size_t bytes;
	long result;

	if (!zp_readable(call->arg[1], sizeof(*user))) {
		return -EFAULT;
	}
	bytes = message_bytes(user);
	if (bytes == SIZE_MAX) {
		return user->msg_iovlen > VECTORS ? -EMSGSIZE : -EFAULT;
	}
	pool.at = zp_scratch_take(use, bytes + 16, NULL);
	if (pool.at == NULL) {
		return -ENOMEM;
	}
	message_begin(&pool, user, &own, sending);
	call->arg[1] = (long)&own;
	result = zp_perform(call);
	if (!sending && result >= 0) {
		message_arrived(user, &own, (size_t)result);
	}
	return result;
}

long zp_do_sendmsg(struct zp_call *call, struct zp_use *use)
{
	return message(call, use, true);
}

long zp_do_recvmsg(struct zp_call *call, struct zp_use *use)
{
	return message(call, use, false);
}

static long messages(struct zp_call *call, struct zp_use *use, bool sending)
{
	size_t n = least((size_t)call->arg[2] & UINT32_MAX, VECTORS);
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	struct mmsghdr *user = (struct mmsghdr *)call->arg[1];
	size_t bytes = CUT(n * sizeof(*user));
	struct mmsghdr *own;
	struct pool pool;
	long result;

	if (!zp_readable(call->arg[1], n * sizeof(*user))) {
		return -EFAULT;
	}
	for (size_t i = 0; i < n; i++) {
		size_t more = message_bytes(&user[i].msg_hdr);

		if (more == SIZE_MAX) {
			return -EFAULT;
		}
		bytes += more;
	}
	pool.at = zp_scratch_take(use, bytes + 16, NULL);
	if (pool.at == NULL) {
		return -ENOMEM;
	}
	own = cut(&pool, n * sizeof(*own));
	for (size_t i = 0; i < n; i++) {
		message_begin(&pool, &user[i].msg_hdr, &own[i].msg_hdr, sending);
		own[i].msg_len = user[i].msg_len;
	}
	call->arg[1] = (long)own;
	call->arg[2] = (long)n;
	result = zp_perform(call);
	for (long i = 0; i < result; i++) {
		if (!sending) {
			message_arrived(&user[i].msg_hdr, &own[i].msg_hdr, own[i].msg_len);
		}
		user[i].msg_len = own[i].msg_len;
	}
	return result;
}

long zp_do_sendmmsg(struct zp_call *call, struct zp_use *use)
{
	return messages(call, use, true);
}

long zp_do_recvmmsg(struct zp_call *call, struct zp_use *use)
{
	return messages(call, use, false);
}
