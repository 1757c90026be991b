/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.c - perform a system call whose memory may be out: by way of the thread's scratch memory.
 *
 * Theory. What the call reads is copied into scratch memory first, what it writes is copied out
 * afterwards; the copies are touches like any other, so a page that is out comes in by the usual
 * fault. Nothing can be lost by a failed call, because the kernel never meets a page that is out, and
 * nothing is pinned, so a call may block for ever and a signal handler may jump out of it. The price
 * is a copy, a tenth of a microsecond a page that is hot.
 *
 * Large buffers go through in pieces where that cannot be seen: files, and streams that block (a
 * piece that came back short ends it, as the kernel's own short count would). Messages stay whole.
 *
 * Words that the kernel needs in place (futex) are touched and the call repeated while it says
 * EFAULT: these calls do nothing before they have read the word.
 *
 * Locks: none. Runs in the program's context, signals included; errno is not touched.
 * Limits: memory that another thread unmaps during the call raises SIGSEGV.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "calls.h"

#define ATTEMPTS   1000 /* to hold a page that others evict */
#define SOME_BYTES 64   /* of a legacy ioctl, which does not tell its size */
#define STRING_MAX ((size_t)128 << 10)

_Atomic uint64_t zp_served_calls;

/* What one pointer of a call stands for. */
struct stand_in {
	void *user, *own;
	size_t bytes;
	const struct zp_pointer *what;
};

bool zp_is_paged(long address)
{
	struct zpager *z = atomic_load_explicit(&zp_instance, memory_order_acquire);

	/* NOLINTNEXTLINE(performance-no-int-to-ptr): an argument of a system call. */
	return z != NULL && zpager_contains(z, (const void *)address);
}

/*
 * May it be touched? The kernel says EINVAL where the permission is missing, and another error where
 * the page is out; it brings none in.
 */
static bool permitted(const char *page, bool write)
{
	long error = zp_raw(SYS_madvise, (long)page, Z_PAGE_SIZE,
			    write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ, 0, 0, 0);

	return error != -EINVAL && error != -ENOMEM;
}

size_t zp_reach(long address, size_t bytes, bool write)
{
	struct zpager *z = atomic_load_explicit(&zp_instance, memory_order_acquire);
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): an argument of a system call. */
	const char *from = (const char *)address;
	struct zp_entry entry;
	size_t reach = bytes;

	if (bytes == 0 || !zp_is_paged(address)) {
		return bytes;
	}
	zp_enter(&entry);
	if (zp_protected(from, bytes) || !zpager_is_mapped(z, from, bytes)) {
		reach = 0;
		while (reach < bytes) {
			const char *page = from + reach - (((uintptr_t)from + reach) & Z_PAGE_MASK);

			if (!zpager_is_mapped(z, page, 1) || !permitted(page, write)) {
				break;
			}
			reach = (size_t)(page + Z_PAGE_SIZE - from);
		}
		reach = reach < bytes ? reach : bytes;
	}
	zp_leave(&entry);
	return reach;
}

/* The bytes of a string with its 0; 0: it does not end in mapped memory. */
static size_t string_bytes(const char *text)
{
	size_t bytes = 0;

	while (bytes < STRING_MAX) {
		size_t in_page = Z_PAGE_SIZE - (((uintptr_t)text + bytes) & Z_PAGE_MASK);
		size_t length;

		if (!zp_readable((long)text + (long)bytes, 1)) {
			return 0;
		}
		length = strnlen(text + bytes, in_page);
		bytes += length;
		if (length < in_page) {
			return bytes + 1;
		}
	}
	return 0;
}

static size_t times(long count, size_t unit)
{
	size_t bytes;

	return count < 0 || __builtin_mul_overflow((size_t)count, unit, &bytes) ? SIZE_MAX : bytes;
}

static size_t bytes_of(const struct zp_pointer *p, const long *arg)
{
	uint32_t length;

	switch (p->kind) {
	case ZP_FIXED:
	case ZP_INPLACE:
		return p->unit;
	case ZP_COUNT:
	case ZP_RESULT:
		return times(arg[p->size_arg], p->unit);
	case ZP_MESSAGE:
		return arg[p->size_arg] < 0 ? SIZE_MAX : (size_t)arg[p->size_arg] + 8;
	case ZP_PAGES:
		return ((size_t)arg[p->size_arg] + Z_PAGE_MASK) / Z_PAGE_SIZE;
	case ZP_FDSET:
		return arg[0] < 0 ? 0 : ((size_t)arg[0] + 63) / 64 * 8;
	case ZP_SOCKLEN:
		/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
		memcpy(&length, (const void *)arg[p->size_arg], sizeof(length));
		return (int32_t)length < 0 ? 0 : length;
	default:
		/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
		return string_bytes((const char *)arg[p->arg]);
	}
}

/* Touch it where it is. An atomic addition of nothing is a write that changes nothing. */
static void touch(long address, size_t bytes)
{
	for (long at = address; at < address + (long)bytes; at = (at | (long)Z_PAGE_MASK) + 1) {
		/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
		(void)__atomic_fetch_add((unsigned char *)at, 0, __ATOMIC_RELAXED);
	}
}

static long perform_touching(struct zp_call *call, const long *address, const size_t *bytes, int n)
{
	long result = -EFAULT;

	for (int i = 0; i < ATTEMPTS && result == -EFAULT; i++) {
		for (int k = 0; k < n; k++) {
			if (!zp_readable(address[k], bytes[k])) {
				return -EFAULT;
			}
			touch(address[k], bytes[k]);
		}
		result = zp_perform(call);
	}
	return result;
}

/* 0, or -errno: one pointer is replaced. */
static long stand_in(const struct zp_pointer *p, const long *before, struct zp_call *call,
		     struct zp_use *use, struct stand_in *s)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	void *user = (void *)before[p->arg];
	size_t bytes;

	if (p->kind == ZP_SOCKLEN && !zp_readable(before[p->size_arg], sizeof(uint32_t))) {
		return -EFAULT;
	}
	bytes = bytes_of(p, before);
	if (bytes == SIZE_MAX) {
		return -EINVAL;
	}
	if ((p->kind == ZP_STRING && bytes == 0) ||
	    zp_reach(before[p->arg], bytes, (p->way & ZP_OUT) != 0) < bytes) {
		return -EFAULT;
	}
	*s = (struct stand_in){user, zp_scratch_take(use, bytes, user), bytes, p};
	if (s->own == NULL) {
		return -ENOMEM;
	}
	if ((p->way & ZP_IN) != 0 || p->kind == ZP_FIXED) {
		memcpy(s->own, user, bytes);
	}
	call->arg[p->arg] = (long)s->own;
	return 0;
}

/* How much of it did the call fill? */
static size_t filled(const struct stand_in *s, const struct zp_call *call, long result)
{
	const struct zp_pointer *p = s->what;
	size_t bytes = s->bytes;
	size_t got = bytes;
	uint32_t length;

	if (p->kind == ZP_RESULT) {
		got = result < 0 ? 0 : (size_t)result * p->unit;
	} else if (p->kind == ZP_MESSAGE) {
		got = result < 0 ? 0 : (size_t)result + 8;
	} else if (p->kind == ZP_SOCKLEN) {
		/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
		memcpy(&length, (const void *)call->arg[p->size_arg], sizeof(length));
		got = result < 0 ? 0 : length;
	} else if (result < 0 && result != -EINTR) {
		got = 0;
	}
	return got < bytes ? got : bytes;
}

/* By the table alone. before: the arguments as the program gave them. */
static long by_table(const struct zp_row *row, struct zp_call *call, struct zp_use *use)
{
	struct stand_in in[ZP_POINTERS];
	long before[6];
	long here[ZP_POINTERS];
	size_t here_bytes[ZP_POINTERS];
	int n = 0;
	int nhere = 0;
	long result;

	memcpy(before, call->arg, sizeof(before));
	for (int i = 0; i < ZP_POINTERS && row->pointer[i].kind != ZP_NONE; i++) {
		const struct zp_pointer *p = &row->pointer[i];

		if (p->kind == ZP_HAND || !zp_is_paged(before[p->arg])) {
			continue;
		}
		if (p->kind == ZP_INPLACE) {
			here[nhere] = before[p->arg];
			here_bytes[nhere++] = p->unit;
			continue;
		}
		result = stand_in(p, before, call, use, &in[n++]);
		if (result != 0) {
			return result;
		}
	}
	if (row->special != NULL) {
		result = row->special(call, use);
	} else {
		result = nhere > 0 ? perform_touching(call, here, here_bytes, nhere)
				   : zp_perform(call);
	}
	for (int i = 0; i < n; i++) {
		if ((in[i].what->way & ZP_OUT) != 0) {
			memcpy(in[i].user, in[i].own, filled(&in[i], call, result));
		}
	}
	return result;
}

long zp_serve(struct zp_call *call, uintptr_t sp)
{
	const struct zp_row *row = zp_row_of(call->nr);
	struct zp_use use;
	long result;

	if (row == NULL) {
		return zp_perform(call);
	}
	atomic_fetch_add_explicit(&zp_served_calls, 1, memory_order_relaxed);
	zp_scratch_begin(&use, sp);
	result = by_table(row, call, &use);
	zp_scratch_end(&use);
	return result;
}

/* ---- buffers of bytes --------------------------------------------------------------------- */

static bool is_file(long fd)
{
	struct stat status;

	return zp_raw(SYS_fstat, fd, (long)&status, 0, 0, 0, 0) == 0 &&
	       (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
}

bool zp_whole_only(long fd)
{
	int type = 0;
	socklen_t bytes = sizeof(type);

	return zp_raw(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, (long)&type, (long)&bytes, 0) == 0 &&
	       type != SOCK_STREAM;
}

static void advance(struct zp_call *call, const struct zp_call *first, size_t done)
{
	if (call->nr == SYS_pread64 || call->nr == SYS_pwrite64) {
		call->arg[3] = first->arg[3] + (long)done;
	}
}

/* Nothing of the buffer can be touched, or there is none: the kernel says what that means. */
static long nothing(struct zp_call *call)
{
	call->arg[1] = call->arg[2] > 0 ? -1 : 0;
	return zp_perform(call);
}

long zp_do_write(struct zp_call *call, struct zp_use *use)
{
	struct zp_call first = *call;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	const char *user = (const char *)call->arg[1];
	size_t bytes = zp_reach(call->arg[1], (size_t)call->arg[2], false);
	size_t piece = bytes;
	size_t done = 0;
	char *own;
	long result;

	if (bytes == 0 || call->arg[2] < 0) {
		return nothing(call);
	}
	if (bytes > ZP_CHUNK && !zp_whole_only(call->arg[0])) {
		piece = ZP_CHUNK;
	}
	own = zp_scratch_take(use, piece, user);
	if (own == NULL) {
		return -ENOMEM;
	}
	do {
		size_t now = bytes - done < piece ? bytes - done : piece;

		memcpy(own, user + done, now);
		call->arg[1] = (long)own;
		call->arg[2] = (long)now;
		advance(call, &first, done);
		result = zp_perform(call);
		if (result < 0) {
			return done > 0 ? (long)done : result;
		}
		done += (size_t)result;
		if ((size_t)result < now) {
			break;
		}
	} while (done < bytes);
	return (long)done;
}

/* again: go on when a piece came back full. */
static long read_pieces(struct zp_call *call, struct zp_use *use, size_t piece, bool again)
{
	struct zp_call first = *call;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	char *user = (char *)call->arg[1];
	size_t bytes = (size_t)call->arg[2];
	size_t done = 0;
	char *own = zp_scratch_take(use, piece, user);
	long result;

	if (own == NULL) {
		return -ENOMEM;
	}
	do {
		size_t now = bytes - done < piece ? bytes - done : piece;
		size_t got;

		call->arg[1] = (long)own;
		call->arg[2] = (long)now;
		advance(call, &first, done);
		result = zp_perform(call);
		if (result < 0) {
			return done > 0 ? (long)done : result;
		}
		/* A message that was longer may be told in full (MSG_TRUNC). */
		got = (size_t)result < now ? (size_t)result : now;
		memcpy(user + done, own, got);
		done += (size_t)result;
		if ((size_t)result < now) {
			break;
		}
	} while (again && done < bytes);
	return (long)done;
}

long zp_do_read(struct zp_call *call, struct zp_use *use)
{
	size_t bytes = zp_reach(call->arg[1], (size_t)call->arg[2], true);

	if (bytes == 0 || call->arg[2] < 0) {
		return nothing(call);
	}
	call->arg[2] = (long)bytes;
	if (bytes <= ZP_CHUNK || zp_whole_only(call->arg[0])) {
		return read_pieces(call, use, bytes, false);
	}
	return read_pieces(call, use, ZP_CHUNK, is_file(call->arg[0]));
}

long zp_do_sendto(struct zp_call *call, struct zp_use *use)
{
	return zp_is_paged(call->arg[1]) ? zp_do_write(call, use) : zp_perform(call);
}

long zp_do_recvfrom(struct zp_call *call, struct zp_use *use)
{
	size_t bytes = zp_reach(call->arg[1], (size_t)call->arg[2], true);
	bool all = (call->arg[3] & MSG_WAITALL) != 0 && (call->arg[3] & MSG_PEEK) == 0;

	if (!zp_is_paged(call->arg[1])) {
		return zp_perform(call);
	}
	if (bytes == 0 || call->arg[2] < 0) {
		return nothing(call);
	}
	call->arg[2] = (long)bytes;
	if (bytes <= ZP_CHUNK || zp_whole_only(call->arg[0])) {
		return read_pieces(call, use, bytes, false);
	}
	return read_pieces(call, use, ZP_CHUNK, all);
}

/* ---- one by one --------------------------------------------------------------------------- */

/* New ones tell their size and direction; for the old ones the kernel gets the memory itself. */
long zp_do_ioctl(struct zp_call *call, struct zp_use *use)
{
	unsigned long request = (unsigned long)call->arg[1];
	size_t bytes = _IOC_SIZE(request);
	size_t here = SOME_BYTES;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	char *user = (char *)call->arg[2];
	char *own;
	long result;

	if (bytes == 0 || _IOC_DIR(request) == _IOC_NONE) {
		if (!zp_readable(call->arg[2], here)) {
			here = Z_PAGE_SIZE - ((uintptr_t)user & Z_PAGE_MASK);
		}
		return perform_touching(call, &call->arg[2], &here, 1);
	}
	if (!zp_readable(call->arg[2], bytes)) {
		return -EFAULT;
	}
	own = zp_scratch_take(use, bytes, user);
	if (own == NULL) {
		return -ENOMEM;
	}
	memcpy(own, user, bytes);
	call->arg[2] = (long)own;
	result = zp_perform(call);
	if ((_IOC_DIR(request) & _IOC_READ) != 0) {
		memcpy(user, own, bytes);
	}
	return result;
}

/* Locks and owners have a structure behind the argument; all else has a number. */
long zp_do_fcntl(struct zp_call *call, struct zp_use *use)
{
	bool owner = call->arg[1] == F_GETOWN_EX || call->arg[1] == F_SETOWN_EX;
	size_t bytes = owner ? sizeof(struct f_owner_ex) : sizeof(struct flock);
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	char *user = (char *)call->arg[2];
	char *own;
	long result;

	if (!zp_readable(call->arg[2], bytes)) {
		return -EFAULT;
	}
	own = zp_scratch_take(use, bytes, user);
	if (own == NULL) {
		return -ENOMEM;
	}
	memcpy(own, user, bytes);
	call->arg[2] = (long)own;
	result = zp_perform(call);
	if (result >= 0 && (call->arg[1] == F_GETOWN_EX || call->arg[1] == F_GETLK ||
			    call->arg[1] == F_OFD_GETLK)) {
		memcpy(user, own, bytes);
	}
	return result;
}

/* The fourth argument is a time, or a number. */
long zp_do_futex(struct zp_call *call, struct zp_use *use)
{
	long what = call->arg[1] & FUTEX_CMD_MASK;
	bool waits = what == FUTEX_WAIT || what == FUTEX_WAIT_BITSET || what == FUTEX_LOCK_PI ||
		     what == FUTEX_LOCK_PI2 || what == FUTEX_WAIT_REQUEUE_PI;
	bool second = what == FUTEX_REQUEUE || what == FUTEX_CMP_REQUEUE || what == FUTEX_WAKE_OP ||
		      what == FUTEX_WAIT_REQUEUE_PI || what == FUTEX_CMP_REQUEUE_PI;
	const size_t bytes[2] = {4, 4};
	long words[2];
	int n = 0;

	if (waits && zp_is_paged(call->arg[3])) {
		char *own = zp_scratch_take(use, 16, NULL);

		if (own == NULL || !zp_readable(call->arg[3], 16)) {
			return own == NULL ? -ENOMEM : -EFAULT;
		}
		/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
		memcpy(own, (const void *)call->arg[3], 16);
		call->arg[3] = (long)own;
	}
	if (zp_is_paged(call->arg[0])) {
		words[n++] = call->arg[0];
	}
	if (second && zp_is_paged(call->arg[4])) {
		words[n++] = call->arg[4];
	}
	return n > 0 ? perform_touching(call, words, bytes, n) : zp_perform(call);
}
