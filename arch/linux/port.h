/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port.h - the Linux port of arch.h: a window of addresses, its software page table, and one of the
 * mechanisms to bring pages in and out.
 *
 * The whole window is one PROT_NONE reservation, registered with one userfaultfd. Mapping is
 * mprotect, unmapping is mprotect back and MADV_DONTNEED: so a hole is a SIGSEGV by the kernel
 * itself, and no call but mprotect can run out of kernel memory.
 *
 * Frames. Mechanism "copy": a frame is only a number, RAM is what is present in the window. With
 * "copy-move" a dirty page leaves through the lobby, with "copy-recycle" runs of pages come from the staging
 * area and go there with their RAM; those are the only differences.
 * Mechanism "move": frame i is the page at pool + i, moved to the window and back.
 *
 * Lock letters: P pager lock; I fixed after open; A atomic.
 */
#ifndef ZL_PORT_H
#define ZL_PORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include <zpager/page_frame.h>

#include "env.h"
#include "probe.h"
#include "table.h"

#define ZL_SLOTS_MAX   64
#define ZL_LOBBY_PAGES 512

/* Staging pages: those that are filled at the same time, and those that keep the RAM of a batch that left. */
#define ZL_STAGING_WORDS 9
#define ZL_STAGING_MAX   (64 * ZL_STAGING_WORDS)

/* RAM that is kept too long is given back by so many pages with one call. */
#define ZL_GIVE_BACK 32

/* Ranges whose RAM is to be dropped, collected so that there is one shoot-down for all. */
struct zl_drop {
	size_t n;
	struct iovec *ranges; /* as many as a batch has pages */
};

/*
 * Staging of "copy": where a store fills a page, and what UFFDIO_COPY copies, or UFFDIO_MOVE moves, from.
 * Whoever has set the bit of a page in used has the page and its other bit.
 */
struct zl_staging {
	char *pages;                             /* [I] n of them; registered if it recycles */
	uint32_t n;                              /* [I] */
	bool recycles;                           /* [I] RAM that leaves the window may stay here */
	_Atomic uint64_t used[ZL_STAGING_WORDS]; /* [A] bit a page */
	_Atomic uint64_t ram[ZL_STAGING_WORDS];  /* [A] bit a page: it has RAM */
	_Atomic uint32_t *frame; /* [A] of each, what for: frame number + 1; 0: nothing */
	_Atomic uint32_t nram;   /* [A] bits of ram */
	_Atomic uint32_t owed;   /* [A] pages that came in with RAM from elsewhere */
};

struct zl_port {
	struct z_arch_ops ops; /* [I] what the core is given */
	struct zl_env env;
	const struct zl_features *features; /* [I] */
	uintptr_t base;                     /* [I] first byte of the window */
	size_t pages;                       /* [I] */
	struct zl_table table;
	int uffd;              /* [I] a forked child gets its own */
	bool faults_in_thread; /* [I] whoever faults is in the pager itself */
	pid_t pid;             /* [I] */
	int pidfd;             /* [I] ourselves, for process_madvise; -1: not used */
	int mem_fd;            /* [I] /proc/self/mem; -1: not used */

	struct zl_staging staging;

	/* Where "copy" moves dirty pages to; see lobby.c. NULL: it does not. */
	char *lobby;                              /* [I] ZL_LOBBY_PAGES pages, registered */
	uint64_t lobby_used[ZL_LOBBY_PAGES / 64]; /* [P] bit a place */
	bool forked;                              /* [P] pages may be shared with a child */

	/* Huge pages, with "copy"; see huge.c. */
	uint16_t *extents;         /* [P] how much of each extent is there; NULL: there are none */
	const size_t *frames_free; /* [I] the core's figure */
	uint32_t huge_pause;       /* [P] extents to let pass */

	uint32_t batch;     /* [I] pages that leave together at most */
	size_t array_bytes; /* [I] of the ranges of drop, of order, and of the frames of staging */
	uint16_t *order;    /* [P] a batch by address */
	pthread_mutex_t drop_lock; /* after P, or without it */
	struct zl_drop drop;       /* [drop_lock] empty when it is free */

	/* The pool of "move". */
	char *pool;                  /* [I] nframes pages, registered */
	uint32_t nframes;            /* [I] */
	uint64_t *pool_touched;      /* [A] bit a frame: the frame has RAM, wherever it is */
	_Atomic uint32_t touched;    /* [A] how many bits are set */
	_Atomic uint32_t in_service; /* [A] how many frames may have RAM */
	uint64_t *surplus; /* [P] bit a frame: its pool page is not the page, but a copy */
	z_phys_t surplus_list[ZL_SLOTS_MAX]; /* [P] */
	uint32_t nsurplus;                   /* [P] how many were made since they were dropped */
};

/* What to make a port of. */
struct zl_port_config {
	const char *mechanism; /* "copy", "copy-recycle", "copy-move" or "move" */
	bool sigbus;           /* faults raise SIGBUS in the faulting thread; else they are read */
	bool user_only;        /* UFFD_USER_MODE_ONLY is enough */
	uint64_t window_bytes; /* wanted */
	uint64_t least_bytes;  /* what is taken if that cannot be had */
	uint32_t nframes;
	uint32_t batch;            /* pages that leave together at most; 0: Z_BATCH_MAX */
	struct zl_purse purse;     /* who pays for the page table */
	const size_t *frames_free; /* where the core keeps that figure; NULL: no huge pages */
};

/*
 * zl_port_open - reserve, register, allocate. port: zeroed.
 *   text, text_bytes: a line that says what went wrong.
 *   0 | Z_ERR_PERM | Z_ERR_NOTSUP | Z_ERR_NOMEM, nothing is left behind.
 * zl_port_close - give it all back. Nobody may be inside; nothing may be mapped.
 */
int zl_port_open(struct zl_port *port, const struct zl_port_config *config, char *text,
		 size_t text_bytes);
void zl_port_close(struct zl_port *port);

/* zl_port_reopen - after fork, in the child: a userfaultfd of its own over the whole window. */
int zl_port_reopen(struct zl_port *port, bool sigbus, bool user_only);

/* zl_port_inherit - shall a forked child get the window (1), or SIGSEGV (0)? */
int zl_port_inherit(struct zl_port *port, bool inherit);

/* zl_port_fixed_bytes - RAM of a port besides frames and page table, at most. */
size_t zl_port_fixed_bytes(const char *mechanism, uint32_t nframes, uint32_t batch);

static inline bool zl_port_contains(const struct zl_port *port, uintptr_t va)
{
	return va - port->base < port->pages * Z_PAGE_SIZE;
}

static inline size_t zl_page_of(const struct zl_port *port, uintptr_t va)
{
	return (va - port->base) / Z_PAGE_SIZE;
}

/* The entry of a page that was prepared, or is OUT, IN or HELD. */
static inline uint64_t *zl_pt_at(const struct zl_port *port, uintptr_t va)
{
	return &port->table.pt[zl_page_of(port, va)];
}

/* ---- shared by the mechanisms (port_ops.c) ------------------------------------------------ */

int zl_op_map(void *ctx, uintptr_t va, size_t pages, unsigned int prot);
void zl_op_unmap(void *ctx, uintptr_t va, size_t pages);
int zl_op_protect(void *ctx, uintptr_t va, size_t pages, unsigned int prot);
struct z_entry zl_op_entry(void *ctx, uintptr_t va);
unsigned int zl_op_info(void *ctx, uintptr_t va, bool clear_accessed);
void zl_op_hold(void *ctx, uintptr_t va, z_phys_t phys);
void zl_op_touch(void *ctx, uintptr_t va, unsigned int access);
int zl_op_prepare(void *ctx, uintptr_t va, size_t pages);
size_t zl_op_untouched(void *ctx, uintptr_t va, size_t pages);

/*
 * zl_drop_begin - nobody else collects until zl_drop_now. zl_drop_add - one more page. zl_drop_now - drop
 * what was collected, with one shoot-down for all.
 */
void zl_drop_begin(struct zl_port *port);
void zl_drop_add(struct zl_port *port, uintptr_t va);
void zl_drop_now(struct zl_port *port);

/* zl_sort_ops - port->order[] becomes the indices of ops by address. n <= port->batch. */
void zl_sort_ops(struct zl_port *port, const struct z_page_op *ops, size_t n);

extern const struct z_arch_ops zl_copy_ops;
extern const struct z_arch_ops zl_move_ops;

/* zl_port_slots - how many staging pages "copy" takes for so many frames. */
uint32_t zl_port_slots(uint32_t nframes);

/* zl_move_open - the pool. 0 | Z_ERR_NOMEM. zl_move_bitmap_bytes - metadata of n frames. */
int zl_move_open(struct zl_port *port);
size_t zl_move_bitmap_bytes(uint32_t nframes);

/* zl_move_trim - give back the RAM of frames out of service; looks at all. Pager lock held. */
void zl_move_trim(struct zl_port *port, const struct z_page_frame *frames);

/* ---- protect.c ---------------------------------------------------------------------------- */

/* zl_alone - is the caller the only one who could write to paged memory now, and will be until it returns? */
bool zl_alone(const struct zl_port *port);

/*
 * zl_protect_some - write-protect the pages order[0], order[1], ... of ops, sorted by address, as far as
 * one call should go. n > 0. Returns how many of them, at least 1; *error_out is 0, or why none of these is.
 */
size_t zl_protect_some(struct zl_port *port, const struct z_page_op *ops, const uint16_t *order,
		       size_t n, int *error_out);

/* ---- staging.c ---------------------------------------------------------------------------- */

/*
 * zl_staging_pages - how many there are; a mechanism that recycles has room for the RAM of a batch.
 * zl_staging_open - make them; frame: so many words, zeroed, that outlive them. 0 | Z_ERR_NOMEM.
 */
uint32_t zl_staging_pages(uint32_t nframes, uint32_t batch, bool recycles);
int zl_staging_open(struct zl_port *port, bool recycles, _Atomic uint32_t *frame);
void zl_staging_close(struct zl_port *port);

/* zl_staging_forget - in a forked child: what is kept is dropped; its RAM is shared with the parent. */
void zl_staging_forget(struct zl_port *port);

/* zl_slot_take - a staging page for the frame. zl_slot_give - it is not needed any more. */
char *zl_slot_take(struct zl_port *port, z_phys_t phys);
void zl_slot_give(struct zl_port *port, const char *slot);

/* zl_slot_find - the number of the staging page of a frame, first tried at hint; n if there is none. */
uint32_t zl_slot_find(const struct zl_port *port, z_phys_t phys, uint32_t hint);

/* zl_slot_is_of - is it the staging page of that frame, not placed yet? */
bool zl_slot_is_of(const struct zl_port *port, uint32_t slot, z_phys_t phys);

/* zl_slot_set_placed - the page is in the window already. zl_slot_is_placed - is it? */
void zl_slot_set_placed(struct zl_port *port, uint32_t slot);
bool zl_slot_is_placed(const struct zl_port *port, uint32_t slot);

/*
 * zl_staging_left - the RAM of the pages from slot on has been moved away.
 * zl_staging_came - pages came into the window with RAM that was not here: as much of what is kept goes.
 * zl_staging_keep - take pages from va on out of the window with their RAM, as many as there is room for.
 *   Returns how many; the rest is still there. The caller holds drop_lock.
 */
void zl_staging_left(struct zl_port *port, uint32_t slot, size_t pages);
void zl_staging_came(struct zl_port *port, size_t pages);
size_t zl_staging_keep(struct zl_port *port, uintptr_t va, size_t pages);

/* ---- place.c ------------------------------------------------------------------------------ */

/* zl_worth_moving - is a run of so many pages moved cheaper than it is copied? alone: see zl_alone. */
bool zl_worth_moving(const struct zl_port *port, size_t pages, bool alone);

/* zl_copy_place, zl_copy_attach - hooks of "copy". */
size_t zl_copy_place(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as);
size_t zl_copy_attach(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as);

/* ---- huge.c ------------------------------------------------------------------------------- */

#define ZL_EXTENT_PAGES ((size_t)512) /* what a huge page has */

/* zl_frames_abound - with so many free frames of these there is no pressure. */
static inline uint32_t zl_frames_abound(uint32_t nframes)
{
	return nframes / 16;
}

/* zl_huge_open - there may be some. frames_free: how many frames are free now. 0 | Z_ERR_NOMEM. */
int zl_huge_open(struct zl_port *port, const size_t *frames_free);
void zl_huge_close(struct zl_port *port);

/* zl_huge_gain - the page is present and writable from now on. zl_huge_lose - it is not any more. */
void zl_huge_gain(struct zl_port *port, uintptr_t va);
void zl_huge_lose(struct zl_port *port, uintptr_t va);

/* zl_huge_split - the page is present and about to leave: alone. */
void zl_huge_split(struct zl_port *port, uintptr_t va);

/* zl_huge_unmap - the pages are about to be unmapped; their entries are still there. */
void zl_huge_unmap(struct zl_port *port, uintptr_t va, size_t pages);

/* ---- lobby.c ------------------------------------------------------------------------------ */

int zl_lobby_open(struct zl_port *port);

/*
 * zl_lobby_leave - pages from va on leave the window, atomically each; at most so many.
 *   Returns how many; they lie from *place_out on. 0: *error_out says why the first one did not:
 *   -ENOSPC no place | -EBUSY under DMA | -EINVAL not writable, or locked | -ENOENT not there.
 */
size_t zl_lobby_leave(struct zl_port *port, uintptr_t va, size_t pages, uint32_t *place_out,
		      int *error_out);

/* zl_lobby_page - the page itself. */
void *zl_lobby_page(const struct zl_port *port, uint32_t place);

/* zl_lobby_return - back to the window. zl_lobby_free - the place has no page any more. */
int zl_lobby_return(struct zl_port *port, uint32_t place, uintptr_t va);
void zl_lobby_free(struct zl_port *port, uint32_t place);

/* ---- window.c ----------------------------------------------------------------------------- */

/*
 * zl_window_reserve - addresses, PROT_NONE, not inherited by children.
 *   *bytes_inout: wanted; what there is now, at least least_bytes. 0 | Z_ERR_NOMEM.
 */
int zl_window_reserve(uint64_t *bytes_inout, uint64_t least_bytes, uintptr_t *base_out);

/* zl_pages_alloc - anonymous memory that costs nothing until touched; NULL if there is none. */
void *zl_pages_alloc(size_t bytes);

#endif /* ZL_PORT_H */
