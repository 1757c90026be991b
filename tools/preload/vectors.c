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
#include <unistd.h>

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

/* How much a piece takes from the pool, its end included. */
#define CUT(bytes) (((size_t)(bytes) + 15) & ~(size_t)15)

/* Buffers of a sector and more lie in their page where the program's do: a device may ask for it. */
#define SECTOR 512

static void *cut_like(struct pool *pool, const struct iovec *v)
{
	if (v->iov_len >= SECTOR) {
		pool->at += ((uintptr_t)v->iov_base - (uintptr_t)pool->at) & Z_PAGE_MASK;
	}
	return cut(pool, v->iov_len);
}

/* What a vector needs of the pool for its paged buffers. -errno: it is none. */
static long paged_bytes(const struct iovec *v, size_t n, bool write)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i].iov_len > SSIZE_MAX) {
			return -EINVAL;
		}
		if (v[i].iov_len == 0 || !zp_is_paged((long)v[i].iov_base)) {
			continue;
		}
		if (zp_reach((long)v[i].iov_base, v[i].iov_len, write) < v[i].iov_len) {
			return -EFAULT;
		}
		bytes += CUT(v[i].iov_len) + (v[i].iov_len >= SECTOR ? Z_PAGE_SIZE : 0);
	}
	return bytes > SSIZE_MAX / 2 ? -EINVAL : (long)bytes;
}

/* The vector with each paged buffer replaced by one of the pool. */
static void stand_in(struct pool *pool, const struct iovec *user, struct iovec *own, size_t n,
		     bool fill)
{
	for (size_t i = 0; i < n; i++) {
		own[i] = user[i];
		if (user[i].iov_len > 0 && zp_is_paged((long)user[i].iov_base)) {
			own[i].iov_base = cut_like(pool, &user[i]);
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
	size_t most = SSIZE_MAX;
	struct pool pool;
	struct iovec *work;
	long paged;

	if (n > VECTORS) {
		return -EINVAL;
	}
	if (!zp_readable(call->arg[1], n * sizeof(*user))) {
		return -EFAULT;
	}
	paged = paged_bytes(user, n, reading);
	if (paged < 0) {
		return paged;
	}
	if (paged > (long)ZP_CHUNK && !zp_whole_only(call->arg[0])) {
		paged = (long)(ZP_CHUNK + n * (Z_PAGE_SIZE + 16));
		most = ZP_CHUNK;
	}
	pool.at = zp_scratch_take(use, 3 * n * sizeof(*work) + (size_t)paged + 16, NULL);
	if (pool.at == NULL) {
		return -ENOMEM;
	}
	work = cut(&pool, 3 * n * sizeof(*work));
	memcpy(work + 2 * n, user, n * sizeof(*work));
	return in_pieces(call, work + 2 * n, n, pool, work, most, reading);
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
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	const struct iovec *other = (const struct iovec *)call->arg[3];
	bool reading = call->nr == SYS_process_vm_readv;
	bool self = call->arg[0] == getpid();
	struct iovec *own, *theirs;
	struct pool pool;
	long paged, more = 0;
	long result;

	if (n > VECTORS || others > VECTORS) {
		return -EINVAL;
	}
	if (!zp_readable(call->arg[1], n * sizeof(*own)) ||
	    !zp_readable(call->arg[3], others * sizeof(*own))) {
		return -EFAULT;
	}
	paged = paged_bytes(user, n, reading);
	if (self) {
		more = paged_bytes(other, others, !reading);
	}
	if (paged < 0 || more < 0) {
		return paged < 0 ? paged : more;
	}
	pool.at = zp_scratch_take(
		use, (n + others + 2) * sizeof(*own) + (size_t)paged + (size_t)more, NULL);
	if (pool.at == NULL) {
		return -ENOMEM;
	}
	own = cut(&pool, n * sizeof(*own));
	theirs = cut(&pool, others * sizeof(*own));
	memcpy(theirs, other, others * sizeof(*own));
	stand_in(&pool, user, own, n, !reading);
	if (self) {
		stand_in(&pool, other, theirs, others, reading);
	}
	call->arg[1] = (long)own;
	call->arg[3] = (long)theirs;
	result = zp_perform(call);
	if (result > 0) {
		hand_out(reading ? user : other, reading ? own : theirs, reading ? n : others,
			 (size_t)result);
	}
	return result;
}

/* ---- sendmsg, recvmsg ---------------------------------------------------------------------- */

/* How much scratch memory a message needs; or -errno. */
static long message_bytes(const struct msghdr *m, bool sending)
{
	long paged;

	if (m->msg_iovlen > VECTORS) {
		return -EMSGSIZE;
	}
	if (!zp_readable((long)m->msg_iov, m->msg_iovlen * sizeof(struct iovec)) ||
	    !zp_readable((long)m->msg_name, m->msg_namelen) ||
	    !zp_readable((long)m->msg_control, m->msg_controllen)) {
		return -EFAULT;
	}
	paged = paged_bytes(m->msg_iov, m->msg_iovlen, !sending);
	return paged < 0 ? paged
			 : paged + (long)(CUT(m->msg_iovlen * sizeof(struct iovec)) +
					  CUT(m->msg_namelen) + CUT(m->msg_controllen));
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
	long bytes;
	long result;

	if (!zp_readable(call->arg[1], sizeof(*user))) {
		return -EFAULT;
	}
	bytes = message_bytes(user, sending);
	if (bytes < 0) {
		return bytes;
	}
	pool.at = zp_scratch_take(use, (size_t)bytes + 16, NULL);
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
		long more = message_bytes(&user[i].msg_hdr, sending);

		if (more < 0) {
			return more;
		}
		bytes += (size_t)more;
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
