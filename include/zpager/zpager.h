/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zpager.h - paged memory for a Linux program: more memory than RAM, by the program's own choice.
 *
 * zpager_open() reserves a window of addresses; zpager_map() gives memory in it that behaves like
 * ordinary memory but takes at most the RAM of its budget; the rest is in the backing store.
 *
 * Errors: 0 or a negative number (enum z_err of error.h, the values of errno); the text of the
 * last error of an instance is zpager_last_error(). Threads: every function may be called from any
 * thread at any time, not from a signal handler. Sizes and addresses are in bytes; addresses and
 * sizes of ranges are rounded out to whole pages unless said otherwise.
 *
 * Fault modes. "signal": the fault is handled in the faulting thread (fast), but a system call
 * that is handed a pointer to a page that is out fails with EFAULT: pin what the kernel shall
 * touch. "monitor": a thread of the library handles faults; system calls just work. The default
 * ("auto") is monitor where the kernel permits it, else signal.
 */
#ifndef ZPAGER_ZPAGER_H
#define ZPAGER_ZPAGER_H

#include <stddef.h>
#include <stdint.h>

#include <zpager/error.h>
#include <zpager/stats.h>
#include <zpager/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ZPAGER_VERSION_MAJOR 0
#define ZPAGER_VERSION_MINOR 1

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

struct zpager;
struct z_eviction_ops;

/* What zpager_open() may be told. Zeroed: everything by default. */
struct zpager_options {
	uint64_t ram_bytes;     /* budget: frames, metadata, RAM of the store. 0: 256 MiB */
	const char *store;      /* URI; NULL: "tier:lz4:,file:" */
	const char *eviction;   /* name; NULL: "sweep" */
	const char *fault_mode; /* "signal", "monitor" or "auto"; NULL: "auto" */
	const char *mechanism;  /* "copy", "copy-recycle", "copy-move", "move", "auto" (NULL) */
	const char *reclaim;    /* who keeps frames free: "fault", "thread"; NULL: "fault" */
	uint64_t window_bytes;  /* addresses to reserve. 0: 1 TiB */
	/*
	 * 0: a map fails if not every page that is mapped could be kept, so no touch ever does for lack of room;
	 * 1: it fails only if it alone could never be kept; 2: it never fails for lack of room. With 1 and 2 a
	 * touch that finds no room (in the store, or in the budget for a page of the page table, which
	 * comes with the first touch of each 2 MiB) is SIGBUS, and nothing is lost.
	 */
	int overcommit;
	int inherit_on_fork; /* 1: zpager_fork_*() will be used; 0: children get SIGSEGV */

	/*
	 * An algorithm of the program's own instead of a name (eviction.h): it ranks pages by what
	 * the program knows of them, pf->addr says which page is in a frame. Its functions run as
	 * eviction.h says, in whichever thread needs a frame: they touch no paged memory and call
	 * nothing of this header. It outlives the instance. NULL: the name counts.
	 */
	const struct z_eviction_ops *eviction_ops;

	/*
	 * Called for each page fault that was served, before the thread that had it goes on. It runs
	 * in the thread that serves faults (or in a signal handler): it calls nothing of this header
	 * and touches no paged memory. In a forked child it is called too. NULL: nobody.
	 */
	void (*on_fault)(void *context, const void *address, int is_write);
	void *on_fault_context;
};

/*
 * zpager_open - make an instance.
 *   options: NULL for all defaults. error, error_bytes: where one line of text goes, may be NULL, 0.
 *   0 | Z_ERR_INVAL an option makes no sense or names nothing | Z_ERR_PERM the kernel does not let
 *   us use userfaultfd in that mode | Z_ERR_NOTSUP the kernel lacks what is needed | Z_ERR_NOMEM |
 *   an error of the store. *out untouched.
 *   May sleep; not from a signal handler.
 */
Z_MUST_CHECK int zpager_open(const struct zpager_options *options, char *error, size_t error_bytes,
			     struct zpager **out);

/*
 * zpager_close - unmap everything and free the instance.
 *   0 | Z_ERR_BUSY something is pinned; nothing changed.
 *   No thread may touch its memory any more.
 */
Z_MUST_CHECK int zpager_close(struct zpager *z);

/*
 * zpager_map - memory that reads as zeros until written.
 *   bytes: > 0, rounded up to pages. align_bytes: a power of two, or 0 for a page.
 *   Returns the address, or NULL: the text is in zpager_last_error().
 */
void *zpager_map(struct zpager *z, size_t bytes, size_t align_bytes);

/*
 * zpager_map_at - the same at a fixed address inside the window (zpager_contains), all of it
 * unmapped now. 0 | Z_ERR_BUSY | Z_ERR_NOMEM | Z_ERR_INVAL.
 */
Z_MUST_CHECK int zpager_map_at(struct zpager *z, void *address, size_t bytes);

/*
 * zpager_unmap - give memory back, whole mappings or parts.
 *   0 | Z_ERR_FAULT not all of it was mapped | Z_ERR_BUSY pinned; nothing changed.
 */
Z_MUST_CHECK int zpager_unmap(struct zpager *z, void *address, size_t bytes);

/*
 * zpager_pin - bring in and keep in RAM until zpager_unpin. Pins nest.
 *   0 | Z_ERR_FAULT | Z_ERR_NOMEM too much is pinned | Z_ERR_IO | Z_ERR_CORRUPT; nothing pinned.
 * zpager_unpin - take back one pin. 0 | Z_ERR_INVAL not pinned.
 */
Z_MUST_CHECK int zpager_pin(struct zpager *z, const void *address, size_t bytes);
Z_MUST_CHECK int zpager_unpin(struct zpager *z, const void *address, size_t bytes);

/* zpager_page_in, zpager_page_out - bring in, or put out, now. Errors as in pager.h. */
Z_MUST_CHECK int zpager_page_in(struct zpager *z, const void *address, size_t bytes);
Z_MUST_CHECK int zpager_page_out(struct zpager *z, const void *address, size_t bytes);

/*
 * zpager_page_out_all - put out every page that is in now and not pinned; the next touch of each is a
 * fault. wanted: NULL, or says which pages by their address: it calls nothing of this header and
 * touches no paged memory. 0 | Z_ERR_NOSPC, Z_ERR_IO some could not leave. Waits for the store.
 */
Z_MUST_CHECK int zpager_page_out_all(struct zpager *z,
				     int (*wanted)(void *context, const void *address),
				     void *context);

/*
 * zpager_advise - what the program knows. DONTNEED and FREE only act on pages that lie wholly
 * inside the range. SEQUENTIAL, RANDOM and KEEP also hold for pages of a whole mapping that come in
 * later, until NORMAL. 0 | Z_ERR_FAULT | Z_ERR_BUSY | Z_ERR_INVAL.
 */
Z_MUST_CHECK int zpager_advise(struct zpager *z, void *address, size_t bytes, enum z_advice advice);

/*
 * zpager_permit - forbid (accessible 0) or permit again (1) every access to mapped memory; its contents
 * stay. A touch of what is forbidden is SIGSEGV, or SIGBUS. Who calls mprotect on such memory says so here
 * too: a page that may not be read is saved by other means, and is not brought in ahead.
 *   0 | Z_ERR_FAULT not all of it was mapped | Z_ERR_NOMEM nothing changed.
 */
Z_MUST_CHECK int zpager_permit(struct zpager *z, void *address, size_t bytes, int accessible);

/*
 * zpager_set_ram - change the budget while running.
 *   0 | Z_ERR_INVAL too small, or larger than the budget at open | Z_ERR_NOSPC, Z_ERR_IO the store
 *   cannot take what has to leave; as much as possible was done.
 */
Z_MUST_CHECK int zpager_set_ram(struct zpager *z, uint64_t ram_bytes);

/* zpager_contains - is this address inside the window? Constant time, any context. */
int zpager_contains(const struct zpager *z, const void *address);

/* zpager_is_mapped - is every page of the range mapped? */
int zpager_is_mapped(struct zpager *z, const void *address, size_t bytes);

/* What zpager_stats() tells beside the counters of the pager. All in bytes. */
struct zpager_info {
	uint64_t budget_bytes;
	uint64_t frame_bytes;        /* page frames in service now */
	uint64_t metadata_bytes;     /* frame database, page table, regions, rings */
	uint64_t store_ram_bytes;    /* RAM of the store */
	uint64_t store_beyond_bytes; /* of these, not in the budget (by the user's choice) */
	uint64_t store_used_bytes;   /* data pages in the store */
	uint64_t store_disk_bytes;
	uint64_t mapped_bytes;
	const char *store; /* as opened */
	const char *eviction;
	const char *fault_mode; /* in use */
	const char *mechanism;  /* in use */
	const void *window;     /* its first byte */
};

void zpager_stats(struct zpager *z, struct z_stats *stats_out, struct zpager_info *info_out);

/*
 * zpager_stats_json - the same as a JSON object, in text.
 *   Returns the length that was needed, without the 0, as snprintf does.
 */
size_t zpager_stats_json(struct zpager *z, char *text, size_t max);

/* zpager_last_error - the last error of the instance as a line of English; never NULL. */
const char *zpager_last_error(struct zpager *z);

/*
 * zpager_features - one line of what was found on this kernel ("uffd: yes, user-mode-only: no,
 * MOVE, WP, WP_ASYNC, ..."), for --version and bug reports. Static storage, filled at the first
 * call.
 */
const char *zpager_features(void);

/*
 * zpager_fork_prepare, _parent, _child - around fork(), for those who keep a child correct: the
 * child gets its own copy of every page, with a pager and a store of its own.
 *   prepare: 0 | an error: do not fork. parent: after fork, in the parent, child_pid as fork said
 *   (or -1); waits until the child has copied what it needs of the store. child: in the child;
 *   0 | an error: the memory cannot be used, end the child.
 *   Only with options.inherit_on_fork.
 */
Z_MUST_CHECK int zpager_fork_prepare(struct zpager *z);
void zpager_fork_parent(struct zpager *z, int child_pid);
Z_MUST_CHECK int zpager_fork_child(struct zpager *z);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif /* ZPAGER_ZPAGER_H */
