/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pager.h - one pager: a paged window of virtual addresses, page frames for it, an eviction
 * algorithm, a backing store, and the operations on them.
 *
 * Several pagers can live in one program. A pager takes all its memory at creation, from the
 * caller; nothing is allocated later.
 *
 * Context, unless a function says otherwise: any context that may take the pager lock and wait
 * (so not an ISR); takes the pager lock; drops it during store I/O if config.unlock_for_io; the
 * caller holds no lock that the fault path could need. Ranges: va page-aligned, pages > 0, and
 * wholly inside the window, else Z_ERR_INVAL with nothing changed. Functions on a range work page
 * by page from the start; *done_out (may be NULL) says how many pages were completed, and those
 * stay done when a later page fails.
 *
 * Lock order and the protocol of busy pages: docs/LOCKING.md. Invariants: docs/INVARIANTS.md.
 */
#ifndef ZPAGER_PAGER_H
#define ZPAGER_PAGER_H

#include <zpager/arch.h>
#include <zpager/error.h>
#include <zpager/eviction.h>
#include <zpager/page_frame.h>
#include <zpager/stats.h>
#include <zpager/store.h>
#include <zpager/trace.h>
#include <zpager/types.h>

struct z_pager;

enum z_commit {
	Z_COMMIT_STRICT,    /* mapping fails when frames and store could not hold every page */
	Z_COMMIT_HEURISTIC, /* only a single map larger than all of it fails; touches may */
};

/* Everything that a pager is made of. Pointers stay valid for the life of the pager. */
struct z_pager_config {
	const struct z_arch_ops *arch;
	void *arch_ctx;
	const struct z_env_ops *env;
	void *env_ctx;
	const struct z_eviction_ops *eviction;
	struct z_store *store;

	/*
	 * Page frames: frame i has the physical address ram_base + i * Z_PAGE_SIZE. frames points to
	 * nframes structures; zeroed ones are RAM, RESERVED ones are holes. A frame that is MAPPED
	 * already (a kernel image's page) is taken over as resident; if BACKED, the store knows it.
	 * The RAM is divided into banks of frames_per_bank frames (the last may be short); at most
	 * 64 banks; 0: one bank.
	 */
	struct z_page_frame *frames;
	uint32_t nframes;
	uint32_t frames_per_bank;
	uintptr_t ram_base;

	/* The paged window. The lowest and the highest page are never mapped: they are guards. */
	uintptr_t vm_base;
	size_t vm_pages;
	uint32_t max_regions; /* at least 1 */

	uint32_t batch; /* victims a batch, 1 to Z_BATCH_MAX; 1: exactly as specified */
	/*
	 * Evict a batch ahead when fewer frames are free (or than a quarter of those that are not
	 * pinned, if that is less); 0: only when none is.
	 */
	uint32_t low_water;
	/*
	 * Victims of a batch that is evicted ahead, up to Z_RESERVE_MAX; 0, and always without
	 * CONFIG_ZPAGER_RESERVE: as batch. For ports where a shoot-down is dear: big batches have
	 * their arrays in the pager's memory, some 80 bytes a page.
	 */
	uint32_t reserve_batch;
	/*
	 * Read ahead of scans, so many pages at once at most, up to Z_BATCH_MAX; 0: not at all, as
	 * specified, and always without CONFIG_ZPAGER_AHEAD.
	 */
	uint32_t ahead;
	/*
	 * In scans, pages that were never touched come in ahead too, while so many frames stay free; 0:
	 * they do not.
	 */
	uint32_t zero_ahead;
	uint32_t ghosts;    /* entries to recognise refaults by, a power of two, or 0 */
	uint32_t events;    /* size of the event ring, a power of two, or 0 */
	bool unlock_for_io; /* ALLOW_IRQ: drop the lock during store I/O */
	enum z_commit commit;

	/* A range that is mapped already at creation (a kernel image); 0 pages: none. */
	uintptr_t image_va;
	size_t image_pages;

	size_t *free_count; /* NULL, or where the number of available frames is kept, stored atomically */
};

/* ---- creation ---------------------------------------------------------------------------- */

/*
 * z_pager_bytes - how much memory z_pager_create() wants for this configuration.
 *   Returns 0 if the configuration makes no sense.
 */
size_t z_pager_bytes(const struct z_pager_config *config);

/*
 * z_pager_create - make a pager in the caller's memory. Calls eviction init exactly once.
 *   memory: zeroed, z_pager_bytes() bytes, aligned to 64; never pageable.
 *   0 | Z_ERR_INVAL configuration | an error of the eviction algorithm's init; *out untouched.
 *   Context: start-up, one CPU, no faults yet.
 */
Z_MUST_CHECK int z_pager_create(const struct z_pager_config *config, void *memory,
				struct z_pager **out);

/*
 * z_pager_destroy - unmap everything and let go. The store stays open; its owner closes it.
 *   0 | Z_ERR_BUSY a page is pinned by somebody or another context is inside; nothing changed.
 */
Z_MUST_CHECK int z_pager_destroy(struct z_pager *pager);

/* ---- mapping ----------------------------------------------------------------------------- */

enum z_map_flags {
	Z_MAP_PINNED = 1,   /* filled now and pinned until unmapped */
	Z_MAP_POPULATE = 2, /* filled now; may be evicted later */
	Z_MAP_FIXED = 4,    /* at *va_inout exactly; Z_ERR_BUSY if something is there */
	Z_MAP_NORESERVE = 8 /* not counted in the commitment */
};

/*
 * z_pager_map - map zero-filled pages, lazily filled, with an unmapped guard page on both sides.
 *   pages: > 0. prot: enum z_access bits. align_pages: a power of two, 1 for any.
 *   va_inout: in, the address wanted with Z_MAP_FIXED; out, the address of the first page.
 *   0 | Z_ERR_NOMEM no address space, no region left, commitment exceeded, no table memory, no
 *   frame for PINNED | Z_ERR_BUSY FIXED | Z_ERR_INVAL | Z_ERR_NOSPC, Z_ERR_IO while making room for
 *   PINNED or POPULATE | Z_ERR_FAULT another context unmapped it while it was being filled. On any
 *   error nothing stays mapped, *va_inout untouched.
 */
Z_MUST_CHECK int z_pager_map(struct z_pager *pager, size_t pages, unsigned int prot,
			     unsigned int flags, size_t align_pages, uintptr_t *va_inout);

/*
 * z_pager_map_stored - map pages that the store holds already (an image on its device): page i is at
 * location first + i * Z_PAGE_SIZE, and is brought in at the first touch.
 *   pages: > 0. prot: without Z_ACCESS_WRITE. flags: 0 or Z_MAP_FIXED. The locations are the store's
 *   for ever: it accepts location_free of them, keeps a clean copy after each page_in, and never
 *   gives them to another page (see z_block_store_open). They are counted in the commitment like other
 *   pages: they compete for the frames.
 *   0 | errors as z_pager_map | Z_ERR_INVAL also for Z_ACCESS_WRITE or an unaligned location.
 *   Of such pages z_pager_protect and z_pager_advise refuse what would change them: Z_ERR_PERM.
 */
Z_MUST_CHECK int z_pager_map_stored(struct z_pager *pager, size_t pages, unsigned int prot,
				    unsigned int flags, z_loc_t first, uintptr_t *va_inout);

/*
 * z_pager_unmap - unmap pages: a whole region, or a part of one or of several.
 *   Waits for pages that are being moved. Locations and frames are freed.
 *   0 | Z_ERR_INVAL | Z_ERR_FAULT not all of it is mapped; nothing changed | Z_ERR_BUSY a page is
 *   pinned by somebody other than Z_MAP_PINNED; nothing changed | Z_ERR_NOMEM the hole would need
 *   one more region than there is room for; nothing changed.
 */
Z_MUST_CHECK int z_pager_unmap(struct z_pager *pager, uintptr_t va, size_t pages);

/*
 * z_pager_protect - change permissions of mapped pages, resident or not; contents stay.
 *   0 | Z_ERR_INVAL | Z_ERR_FAULT not all mapped | Z_ERR_PERM | Z_ERR_NOMEM; nothing changed.
 */
Z_MUST_CHECK int z_pager_protect(struct z_pager *pager, uintptr_t va, size_t pages,
				 unsigned int prot);

/* z_pager_is_mapped - is every page of the range mapped? */
bool z_pager_is_mapped(struct z_pager *pager, uintptr_t va, size_t pages);

/* ---- faults ------------------------------------------------------------------------------ */

enum z_fault_result {
	Z_FAULT_RESOLVED,    /* retry the instruction */
	Z_FAULT_BAD_ADDRESS, /* not mapped, not ours */
	Z_FAULT_VIOLATION,   /* mapped, but the permissions forbid this access */
	Z_FAULT_IO_ERROR,    /* the store could not read the page; it is still out, retry allowed */
	Z_FAULT_NO_MEMORY,   /* no frame, no victim, or the store is full; nothing lost */
};

/*
 * z_pager_fault - make a page present after a fault.
 *   va: any byte. access: enum z_access bits of the faulting access.
 *   Four phases: classify, reserve a frame, I/O, commit or undo. Faults of several contexts on one
 *   page cause one read of the store.
 *   Context: the port's fault handler; waits with the lock released. The whole path keeps the
 *   interrupt state that the caller had, except that the lock itself locks interrupts.
 */
enum z_fault_result z_pager_fault(struct z_pager *pager, uintptr_t va, unsigned int access);

/* ---- moving pages ------------------------------------------------------------------------ */

/*
 * z_pager_evict_frame - empty one page frame and make it available.
 *   0 also when there was nothing in it | Z_ERR_INVAL not RAM, reserved, unaligned | Z_ERR_BUSY
 *   pinned | Z_ERR_AGAIN another context is moving it | Z_ERR_NOSPC store full | Z_ERR_IO |
 *   Z_ERR_PERM called in an ISR with unlock_for_io. On error the page is resident and intact.
 */
Z_MUST_CHECK int z_pager_evict_frame(struct z_pager *pager, z_phys_t phys);

/*
 * z_pager_evict_all - evict each page that is resident now, once, in the order of the frames.
 *   Pages that are pinned or being moved stay, and so do most that come in meanwhile.
 *   wanted: NULL, or says which pages to evict; called with the pager lock held; it does
 *   not sleep and touches no pageable memory. evicted_out (may be NULL): how many left.
 *   Cost: a look at each frame up to the last one in use.
 *   0 | Z_ERR_NOSPC, Z_ERR_IO the first error; the other pages left all the same.
 */
Z_MUST_CHECK int z_pager_evict_all(struct z_pager *pager,
				   bool (*wanted)(void *context, uintptr_t va), void *context,
				   uint32_t *evicted_out);

/*
 * z_pager_page_out - evict what is resident of a range. Pages that are out already count as done.
 *   0 | Z_ERR_FAULT a page is not mapped | Z_ERR_BUSY a page is pinned | Z_ERR_NOSPC | Z_ERR_IO.
 */
Z_MUST_CHECK int z_pager_page_out(struct z_pager *pager, uintptr_t va, size_t pages,
				  size_t *done_out);

/*
 * z_pager_page_in - make a range resident. Pages may be evicted again at once: pin to keep them.
 *   0 | Z_ERR_FAULT | Z_ERR_NOMEM | Z_ERR_NOSPC | Z_ERR_IO | Z_ERR_CORRUPT.
 */
Z_MUST_CHECK int z_pager_page_in(struct z_pager *pager, uintptr_t va, size_t pages,
				 size_t *done_out);

/*
 * z_pager_pin - make a range resident and keep it so. Pins nest: each needs its unpin.
 *   Errors as page_in, and Z_ERR_OVERFLOW, and Z_ERR_PERM if permissions change meanwhile; on error
 *   the pages done are unpinned again.
 * z_pager_unpin - take back one pin of each page.
 *   0 | Z_ERR_INVAL a page of the range is not pinned; nothing changed.
 */
Z_MUST_CHECK int z_pager_pin(struct z_pager *pager, uintptr_t va, size_t pages);
Z_MUST_CHECK int z_pager_unpin(struct z_pager *pager, uintptr_t va, size_t pages);

/*
 * z_pager_advise - what the program knows about a range.
 *   WILLNEED pages in as far as free frames go (no eviction for it); COLD tells the algorithm;
 *   NORMAL, SEQUENTIAL, RANDOM and KEEP are remembered for the regions that lie wholly in the range:
 *   they hold for each of their pages that comes in, too. What is mapped onto the end of a region is
 *   part of it. KEEP pages are no victims, with any algorithm, while 8 others can be chosen from;
 *   NORMAL, COLD, SEQUENTIAL or RANDOM end it, and so does a pin of a page, unless its region has it.
 *   DONTNEED and FREE drop the contents: pages become untouched (Z_ERR_BUSY if one is pinned, and
 *   nothing changed; or if the port cannot take a page away now, and that page stays); the others
 *   tell the algorithm.
 *   0 | Z_ERR_FAULT a page is not mapped | Z_ERR_INVAL | Z_ERR_BUSY | Z_ERR_PERM.
 */
Z_MUST_CHECK int z_pager_advise(struct z_pager *pager, uintptr_t va, size_t pages,
				enum z_advice advice);

/*
 * z_pager_reclaim - evict until at least so many frames are free. For a port's background thread.
 *   0 | Z_ERR_NOMEM no victim | Z_ERR_NOSPC | Z_ERR_IO.
 */
Z_MUST_CHECK int z_pager_reclaim(struct z_pager *pager, uint32_t frames_free);

/* ---- RAM --------------------------------------------------------------------------------- */

/*
 * z_pager_set_frames - how many page frames are in service, what the store charged included.
 *   frames: 1 to config.nframes (less the holes).
 *   0 | Z_ERR_INVAL | as z_pager_reclaim: as many as possible were retired, a retry goes on.
 */
Z_MUST_CHECK int z_pager_set_frames(struct z_pager *pager, uint32_t frames);

/*
 * z_pager_charge - a store takes that many pages of RAM out of the pager's frames.
 *   limit: refuse if the store's total would pass it.
 *   0 | Z_ERR_NOSPC. Frames are retired as they become free. Lock-free, any context.
 * z_pager_uncharge - it gives them back.
 */
Z_MUST_CHECK int z_pager_charge(struct z_pager *pager, uint32_t pages, uint32_t limit);
void z_pager_uncharge(struct z_pager *pager, uint32_t pages);

/*
 * z_pager_bank_offline - evict every frame of a bank and keep the bank empty.
 *   0 | Z_ERR_INVAL | Z_ERR_BUSY a frame is pinned | Z_ERR_NOSPC | Z_ERR_IO | Z_ERR_NOMEM it is the
 *   last bank on-line. On error the bank is on-line again; what was evicted stays out.
 * z_pager_bank_online - put it back into use. 0 | Z_ERR_INVAL.
 */
Z_MUST_CHECK int z_pager_bank_offline(struct z_pager *pager, uint32_t bank);
Z_MUST_CHECK int z_pager_bank_online(struct z_pager *pager, uint32_t bank);

/* ---- looking at it ----------------------------------------------------------------------- */

/* z_pager_stats - a consistent copy of all counters. */
void z_pager_stats(struct z_pager *pager, struct z_stats *out);

/*
 * z_pager_dump - one character a frame: '.' free, '_' retired, '#' hole, 'c' clean backed, 'r'
 * resident, 'P' pinned, 'L' loading, 'W' being written, '-' claimed.
 *   text: room for max characters and a 0; a newline after every 64.
 *   Returns the number of characters written, without the 0.
 */
size_t z_pager_dump(struct z_pager *pager, char *text, size_t max);

/* z_pager_events - the ring; *size_out its size (0: none). For debuggers and tests. */
const struct z_event *z_pager_events(struct z_pager *pager, uint32_t *size_out);

/* z_event_name - the name of an event kind, "?" if unknown. */
const char *z_event_name(unsigned int kind);

enum z_check_level {
	Z_CHECK_COUNTERS = 0, /* sums: O(1) */
	Z_CHECK_FRAMES = 1,   /* every frame, every list: O(frames) */
	Z_CHECK_PAGES = 2,    /* every entry of every region, algorithm and store: O(pages) */
	Z_CHECK_CONTENTS = 3, /* clean backed frames equal their copies in the store (quiet only) */
};

/*
 * z_pager_check - walk over the state and check the invariants of docs/INVARIANTS.md.
 *   Returns 0, or the number of the first invariant that does not hold; *what_out (may be NULL)
 *   then points to a constant text. Level 3 wants that no context is inside the pager.
 */
int z_pager_check(struct z_pager *pager, enum z_check_level level, const char **what_out);

#endif /* ZPAGER_PAGER_H */
