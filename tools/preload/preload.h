/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preload.h - what the files of the preload library share.
 *
 * The one rule of this library: whatever the pager does, in whichever thread, never touches paged
 * memory. So a thread is either "outside" (the program's code) or "inside" (the pager's). Inside,
 * malloc() and its family give private memory, and mmap() and its family are plain system calls.
 *
 * zp_enter() and zp_leave() bracket every call of zpager_*(): they set the thread's state, hold all
 * signals back (a handler that touched paged memory while the pager's lock is held would never
 * return) and make cancellation wait. Threads that are created inside stay inside for life.
 */
#ifndef ZPAGER_PRELOAD_H
#define ZPAGER_PRELOAD_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <zpager/zpager.h>

#include "../report.h"

#define ZP_EXPORT      __attribute__((visibility("default")))
#define ZP_THREAD      __thread __attribute__((tls_model("initial-exec")))
#define ZP_LIKELY(x)   __builtin_expect(!!(x), 1)
#define ZP_UNLIKELY(x) __builtin_expect(!!(x), 0)

#define ZP_HEAP_ALIGN 16U

/* How deep this thread is inside of the pager; 0: it runs the program. */
extern ZP_THREAD int zp_inside;

/* The instance; NULL until it is open. Never closed: closing under a fault would show zeros. */
extern struct zpager *_Atomic zp_instance;

/* What has to be given back by zp_leave(). */
struct zp_entry {
	uint64_t mask;
	int cancel_state;
	int saved_errno;
};

void zp_enter(struct zp_entry *entry);
void zp_leave(const struct zp_entry *entry);

/*
 * zp_pager - the open instance; opens it at the first call of the process.
 *   NULL inside. A pager that cannot be opened ends the process with one line and status 2.
 */
struct zpager *zp_pager_open(void);

static inline struct zpager *zp_pager(void)
{
	struct zpager *z = atomic_load_explicit(&zp_instance, memory_order_acquire);

	if (ZP_UNLIKELY(zp_inside)) {
		return NULL;
	}
	return ZP_LIKELY(z != NULL) ? z : zp_pager_open();
}

/* zp_paged - the instance if the address is in its window and we are outside, else NULL. */
static inline struct zpager *zp_paged(const void *address)
{
	struct zpager *z = atomic_load_explicit(&zp_instance, memory_order_acquire);

	if (z == NULL || zp_inside || !zpager_contains(z, address)) {
		return NULL;
	}
	return z;
}

/*
 * stack.c: what goes inside must not do so on a stack that is paged. So
 * an interposed function that finds its stack paged calls itself again by zp_on_private_stack(), with
 * its arguments as numbers.
 */
#define ZP_CALL_ARGS 6
typedef long zp_call_fn(const long *args);
long zp_on_private_stack(zp_call_fn *run, const long *args);

static inline bool zp_stack_is_paged(void)
{
	return zp_paged(__builtin_frame_address(0)) != NULL;
}

/* zp_size - a size as text ("64M"); 0 if it is none. */
uint64_t zp_size(const char *text);

/* zp_note - one line to stderr, at most once for each place: the program does what we cannot. */
void zp_note(atomic_bool *said, const char *what);

/* private.c: memory that is never paged; for code that runs inside. */
void *zp_private_alloc(size_t bytes, size_t align);
void zp_private_free(void *memory);
size_t zp_private_size(const void *memory);
bool zp_private_owns(const void *memory);
void zp_private_lock(void);
void zp_private_unlock(void);

/* heap.c */
void zp_heap_open(void);

/* sys.c: the system calls themselves, errno set as libc does. */
void *zp_sys_mmap(void *address, size_t bytes, int prot, int flags, int fd, off_t offset);
int zp_sys_munmap(void *address, size_t bytes);
int zp_sys_mprotect(void *address, size_t bytes, int prot);
int zp_sys_madvise(void *address, size_t bytes, int advice);
void *zp_real(const char *name);

/* map.c */
void zp_map_open(void);
uint64_t zp_unpaged_bytes(void);

int zp_errno(int error);

/*
 * protected.c: what of the window is not plainly readable and writable. zp_protected - may some of the range
 * be that? zp_protected_add - before it becomes so. zp_protected_remove - all of it is plain again.
 * zp_protected_always - from now on all of it may be. Whole pages; any thread, signal handlers too.
 */
bool zp_protected(const void *address, size_t bytes);
void zp_protected_add(const void *address, size_t bytes);
void zp_protected_remove(const void *address, size_t bytes);
void zp_protected_always(void);

/* fds.c: the pager's file descriptors lie high, and the program cannot close them. */
struct zp_fd_fill {
	int low, high;   /* [low, high) was free and is held by copies of one descriptor */
	uint64_t before; /* what was open above, as bits */
	uint64_t held[16];
};
void zp_fds_push_high(struct zp_fd_fill *fill);
void zp_fds_settle(const struct zp_fd_fill *fill);

/* report.c */
void zp_report_open(void);
void zp_report_failed(const char *error);
void zp_report_opened(struct zpager *z);
void zp_report_now(void);
void zp_report_thread(void);
void zp_report_forked(void);

/* trace.c: faults are told to `zpager trace`, if it runs us. */
void zp_trace_open(struct zpager_options *options);
void zp_trace_thread(struct zpager *z);
void zp_trace_forked(void);

/* sigbus.c */

/* zp_sigbus_open - returns the mode that was chosen: "auto" is one of the others by then. */
const char *zp_sigbus_open(const char *fault_mode);
extern bool zp_signal_mode;

/* zp_signal_keep - SIGBUS or SIGSYS is ours from now on. 0, or -1 and errno. */
int zp_signal_keep(int number, const struct sigaction *ours);

/* zp_signal_to_program - what the program would have had of such a signal. */
void zp_signal_to_program(int number, siginfo_t *info, void *context);

/*
 * sigsys.c: zp_sigsys_open - system calls on paged memory are served from now on.
 *   privileged_only: not if set-uid children would lose their rights by it.
 *   Returns NULL, or a line that says why it cannot be.
 */
const char *zp_sigsys_open(struct zpager *z, bool privileged_only);

/* zp_served - how many system calls were served. */
uint64_t zp_served(void);

/* stacks.c */

/* zp_stack_pin - a stack, in signal mode, stays in RAM. false: too much is pinned already. */
bool zp_stack_pin(const void *low, size_t bytes);

/* zp_stack_below - the same for a stack of which only the end is known. */
void zp_stack_below(const void *end);

/* scratch.c */
void zp_scratch_thread_ends(void);

/* advise.c: takes back one pin that mlock() gave. */
void zp_unpin(const void *address, size_t bytes);

/* threads.c */
void zp_threads_open(void);
void zp_threads_forked(void);

#endif /* ZPAGER_PRELOAD_H */
