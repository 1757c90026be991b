/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.h - system calls on paged memory in signal mode: what the files of it share.
 *
 * filter.c decides which calls come to us, sigsys.c receives them, calls.c says what their
 * arguments are, serve.c and its relatives perform them with memory that the kernel can touch.
 */
#ifndef ZPAGER_PRELOAD_CALLS_H
#define ZPAGER_PRELOAD_CALLS_H

#include <errno.h>
#include <sys/uio.h>

#include "preload.h"

#define ZP_CALLS    512 /* numbers of system calls that the table knows are below */
#define ZP_POINTERS 5

/* How long the thing behind a pointer is. "Argument" is .size_arg, "unit" is .unit. */
enum zp_kind {
	ZP_NONE,    /* the list ends */
	ZP_FIXED,   /* unit bytes */
	ZP_COUNT,   /* argument times unit */
	ZP_RESULT,  /* the same; the call fills as many units as it returns */
	ZP_STRING,  /* to its 0 */
	ZP_SOCKLEN, /* what the 32 bits behind the argument say; filled as they say afterwards */
	ZP_FDSET,   /* argument 0 bits */
	ZP_PAGES,   /* a byte for each page of argument bytes */
	ZP_MESSAGE, /* argument + 8, filled: the result + 8 */
	ZP_INPLACE, /* the kernel has to have the memory itself: unit bytes are made resident */
	ZP_HAND,    /* a function of its own (.special) takes care */
};

enum zp_way {
	ZP_IN = 1,
	ZP_OUT = 2,
	ZP_BOTH = 3,
};

struct zp_pointer {
	uint8_t arg, kind, way, size_arg;
	uint16_t unit;
};

struct zp_call {
	long nr;
	long arg[6];
	long (*by)(
		const struct zp_call *call); /* who performs it: a value or -errno; NULL: zp_raw */
};

/* What one call has borrowed of the thread's scratch memory. */
struct zp_use {
	size_t before; /* what was in use */
	void *big;     /* mapped for this call, or NULL */
	size_t big_bytes;
};

typedef long zp_special(struct zp_call *call, struct zp_use *use);

struct zp_row {
	uint16_t nr;
	zp_special *special; /* NULL: the list of pointers says all */
	struct zp_pointer pointer[ZP_POINTERS];
};

/* calls.c: the rows, in the order of their numbers; NULL past the end. */
const struct zp_row *zp_row_at(size_t index);

/* zp_row_of - the row of a call; NULL: it has none. */
const struct zp_row *zp_row_of(long nr);

/* filter.c */

/* zp_raw - the system call by the one instruction that the filter lets pass. -errno on error. */
typedef long zp_raw_fn(long nr, long a, long b, long c, long d, long e, long f);
extern zp_raw_fn *zp_raw;

/*
 * zp_filter_install - map the exempt instruction, install the filter unless it is there already.
 *   window: where it begins. privileged_only: only if set-uid children keep their rights.
 *   Returns NULL, or a line that says why not.
 */
const char *zp_filter_install(uintptr_t window, bool privileged_only);

/* zp_filter_is_free - is it there already, or can it be had at no price to set-uid children? */
bool zp_filter_is_free(void);

/* What a trap of ours carries in si_errno. */
#define ZP_TRAP_MARK 0x5a50

/* scratch.c: memory of the thread that is not paged, for what the kernel shall touch. */

/* zp_scratch_begin, zp_scratch_end - a call begins with the program's stack at sp, and ends. */
void zp_scratch_begin(struct zp_use *use, uintptr_t sp);
void zp_scratch_end(struct zp_use *use);

/* zp_scratch_take - bytes with the same offset in their page as `like`; NULL: no memory. */
void *zp_scratch_take(struct zp_use *use, size_t bytes, const void *like);

/* serve.c */

#define ZP_CHUNK ((size_t)64 << 10) /* of a stream or file that are handed over at once */

/* zp_serve - perform the call, whatever of its memory is out. As the kernel: a value or -errno. */
long zp_serve(struct zp_call *call, uintptr_t sp);

static inline long zp_perform(const struct zp_call *call)
{
	if (call->by != NULL) {
		return call->by(call);
	}
	return zp_raw(call->nr, call->arg[0], call->arg[1], call->arg[2], call->arg[3],
		      call->arg[4], call->arg[5]);
}

/* zp_or_errno - what the kernel answers, as libc tells it. */
static inline long zp_or_errno(long result)
{
	if (result < 0 && result > -4096) {
		errno = (int)-result;
		return -1;
	}
	return result;
}

/* zp_is_paged - does it point into the window? */
bool zp_is_paged(long address);

/* zp_reach - how much of the range may be touched, from its begin; all of what is not paged. */
size_t zp_reach(long address, size_t bytes, bool write);

/* zp_readable - may all of it be read? */
static inline bool zp_readable(long address, size_t bytes)
{
	return zp_reach(address, bytes, false) == bytes;
}

/* zp_whole_only - can the call not be cut into several, because the descriptor keeps messages? */
bool zp_whole_only(long fd);

/* The calls that need more than the table, by kind. */
zp_special zp_do_read, zp_do_write, zp_do_recvfrom, zp_do_sendto, zp_do_ioctl, zp_do_futex,
	zp_do_execve, zp_do_readv, zp_do_writev, zp_do_sendmsg, zp_do_recvmsg, zp_do_sendmmsg,
	zp_do_recvmmsg, zp_do_process_vm, zp_do_vmsplice, zp_do_fcntl;

extern _Atomic uint64_t zp_served_calls;

#endif /* ZPAGER_PRELOAD_CALLS_H */
