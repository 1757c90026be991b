/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmu.h - the specified interface of demand paging, on the kernel's own pager.
 *
 * Names, types and signatures are those of the specification, so that an eviction algorithm, a
 * backing store or an architecture that was written against it compiles and links unchanged. What
 * is not in the specification is at the end and marked as ours.
 *
 * Who defines what:
 *   z_page_fault, z_page_frame_evict, z_page_frames, z_free_page_count   core/mmu.c
 *   z_eviction_select, z_eviction_init                                   an algorithm of somebody
 *   z_backing_store_*                                                    a store of somebody
 * The last two are called if the kernel is configured with EVICTION_CUSTOM, BACKING_STORE_CUSTOM
 * (core/mmu_custom.c). The other direction, algorithms and stores of ours under these names in
 * somebody else's kernel, is export.h.
 *
 * Configuration. The frame database is declared with CONFIG_MMU, everything else with
 * CONFIG_DEMAND_PAGING too; without both this header declares nothing of it.
 *
 * Words: "interrupts locked" here always comes with the pager lock held. Locations are plain
 * uintptr_t, as specified: page-aligned, opaque, 0 is one like any other.
 *
 * Source: the specification, ../README.md.
 */
#ifndef ZPAGER_MMU_H
#define ZPAGER_MMU_H

#include <zpager/page_frame.h>
#include <zpager/types.h>

#ifdef CONFIG_MMU

/* ---- RAM ------------------------------------------------------------------------------------ */

#define Z_NUM_PAGE_FRAMES CONFIG_Z_NUM_PAGE_FRAMES
#define Z_PHYS_RAM_START  ((uintptr_t)CONFIG_SRAM_BASE)
#define Z_PHYS_RAM_SIZE   ((uintptr_t)CONFIG_SRAM_SIZE_KIB * 1024U)
#define Z_PHYS_RAM_END    (Z_PHYS_RAM_START + Z_PHYS_RAM_SIZE)

_Static_assert(Z_NUM_PAGE_FRAMES *(uintptr_t)CONFIG_MMU_PAGE_SIZE == Z_PHYS_RAM_SIZE,
	       "one page frame for each page of RAM");

/*
 * z_page_frames - the frame database: element i is the frame at Z_PHYS_RAM_START + i pages.
 * z_free_page_count - how many frames are available now.
 *   Both: written with the pager lock held. Defined where there is a pager.
 */
extern struct z_page_frame z_page_frames[Z_NUM_PAGE_FRAMES];
extern size_t z_free_page_count;

/* z_assert_phys_aligned - stop a debug build at an address that is not one of a frame. */
static inline void z_assert_phys_aligned(uintptr_t phys)
{
#ifndef NDEBUG
	if (!z_is_page_aligned(phys))
		__builtin_trap();
#endif
	(void)phys;
}

/* z_is_page_frame - is there a frame at this page-aligned physical address? */
static inline bool z_is_page_frame(uintptr_t phys)
{
	z_assert_phys_aligned(phys);
	return phys - Z_PHYS_RAM_START < Z_PHYS_RAM_SIZE;
}

/* z_page_frame_to_phys, z_phys_to_page_frame - from frame to address and back. No range check. */
static inline uintptr_t z_page_frame_to_phys(struct z_page_frame *pf)
{
	return Z_PHYS_RAM_START + (uintptr_t)(pf - z_page_frames) * CONFIG_MMU_PAGE_SIZE;
}

static inline struct z_page_frame *z_phys_to_page_frame(uintptr_t phys)
{
	z_assert_phys_aligned(phys);
	return &z_page_frames[(phys - Z_PHYS_RAM_START) / CONFIG_MMU_PAGE_SIZE];
}

/* z_page_frame_to_virt - the data page in a frame that is MAPPED. */
static inline void *z_page_frame_to_virt(struct z_page_frame *pf)
{
	return pf->addr;
}

/* Z_PAGE_FRAME_FOREACH - a loop over all frames, with the physical address beside. */
#define Z_PAGE_FRAME_FOREACH(_phys, _pageframe)                                                    \
	for ((_phys) = Z_PHYS_RAM_START, (_pageframe) = z_page_frames; (_phys) < Z_PHYS_RAM_END;   \
	     (_phys) += CONFIG_MMU_PAGE_SIZE, (_pageframe)++)

/* ---- the page that is set aside -------------------------------------------------------------- */

#ifdef CONFIG_DEMAND_PAGING

/* The last page of the kernel's address space: through it a store sees the frame it works on. */
#define Z_VM_RESERVED CONFIG_MMU_PAGE_SIZE
#define Z_SCRATCH_PAGE                                                                             \
	((void *)((uintptr_t)CONFIG_KERNEL_VM_BASE + (uintptr_t)CONFIG_KERNEL_VM_SIZE -            \
		  CONFIG_MMU_PAGE_SIZE))

#else

#define Z_VM_RESERVED 0

#endif /* CONFIG_DEMAND_PAGING */

#ifdef CONFIG_DEMAND_PAGING

/* ---- what an eviction algorithm gives --------------------------------------------------------- */

/*
 * z_eviction_select - choose the page frame to give up.
 *   dirty: out, is the page in the frame that is returned dirty? (Not: in the last one looked at.)
 *   Returns an evictable frame; NULL, as an extension, if there is none.
 *   The kernel asks only when no frame is available, never before z_eviction_init has returned. It
 *   checks the answer, and reads the dirty bit itself when the mapping is gone: a page may become
 *   dirty between the answer and the eviction.
 *   Context: interrupts locked.
 */
struct z_page_frame *z_eviction_select(bool *dirty);

/*
 * z_eviction_init - prepare the algorithm.
 *   Called once, when the kernel is up but before the first fault (POST_KERNEL).
 */
void z_eviction_init(void);

/* ---- what a backing store gives ---------------------------------------------------------------- */

/*
 * z_backing_store_location_get - a place in the store for the data page that is in a frame.
 *   pf: the frame (the specification's text speaks of an address, its signature of the frame);
 *   pf->addr is the data page. location: out, a token; page-aligned, one owner at a time.
 *   If pf is BACKED its clean copy is somewhere already: the answer is that place, whenever it is
 *   asked for. The copy is then overwritten by a page_out, or is what lets a clean page go
 *   without one. A full store may take the place of another page's clean copy, and clears BACKED
 *   in the frame of that other page.
 *   A store large enough for all addresses may compute the token from pf->addr and keep no books.
 *   0 | -ENOMEM full: *location, the store and all frames are as before.
 *   Context: interrupts locked.
 */
int z_backing_store_location_get(struct z_page_frame *pf, uintptr_t *location);

/*
 * z_backing_store_location_free - a place is not needed any more.
 *   location: one that location_get gave, freed once; no page table refers to it. The data may go
 *   and the token may be given to another page.
 *   Context: interrupts locked.
 */
void z_backing_store_location_free(uintptr_t location);

/*
 * z_backing_store_page_out - copy Z_SCRATCH_PAGE to a place.
 *   For the calling context Z_SCRATCH_PAGE is, from just before the call until its return, the
 *   frame whose page leaves, readable and writable. Nobody else can change the frame meanwhile.
 *   Context: interrupts as in the context that wants the page moved, or locked; never at the same
 *   time as another page_out or page_in.
 */
void z_backing_store_page_out(uintptr_t location);

/*
 * z_backing_store_page_in - copy a place to Z_SCRATCH_PAGE, there the frame that is filled.
 *   Mapping and context: as for page_out. The place keeps its contents.
 */
void z_backing_store_page_in(uintptr_t location);

/*
 * z_backing_store_page_finalize - the page is in its frame: do the books.
 *   pf: the frame, MAPPED, pf->addr is the page. location: the one page_in was called with.
 *   Here a store keeps the place as a clean copy and sets BACKED, or frees it (itself: the kernel
 *   does not). The kernel drops a page without writing it only if the page tables say clean and
 *   the frame says BACKED. May do nothing.
 *   Context: after page_in; interrupts locked again, so frames may be read and written.
 */
void z_backing_store_page_finalize(struct z_page_frame *pf, uintptr_t location);

/*
 * z_backing_store_init - prepare the store.
 *   If it holds copies of pages that are in frames at boot, it sets BACKED in these frames, whose
 *   addr and MAPPED are right already.
 *   Called once, at POST_KERNEL, before the first page_in or page_out; these may come as soon as it
 *   has returned.
 */
void z_backing_store_init(void);

/* ---- what the kernel gives ---------------------------------------------------------------------- */

/*
 * z_page_frame_evict - empty one page frame: its data page goes to the store, the frame becomes
 * available. For turning off memory banks (which then must not be filled again: see
 * z_pager_bank_offline).
 *   phys: page-aligned physical address.
 *   0 also if there is no data page in it | -ENOMEM the store has no room. Ours: -EINVAL not RAM,
 *   not for paging, not aligned, or there is no pager yet | -EBUSY pinned | -EAGAIN somebody is
 *   moving it | -EIO the store could not write | -EPERM called in an ISR with
 *   CONFIG_DEMAND_PAGING_ALLOW_IRQ, where the store may be in use. On error the page is where it
 *   was, intact.
 */
int z_page_frame_evict(uintptr_t phys);

/*
 * z_page_fault - bring in the data page that a program touched. For an architecture's handler.
 *   addr: any byte of the page.
 *   true: the page is there (whoever brought it), run the instruction again. false: treat it as an
 *   error: nothing is mapped there; or (ours) the store could not read, or no frame could be had,
 *   or there is no pager yet. A false consumes no frame and loses nothing.
 *   The handler must not call this for an access that the permissions of a present page forbid:
 *   the kind of access is not told here, so the answer would be true for ever. A handler that
 *   knows the kind does better to call z_pager_fault(z_kernel_pager(), ...), which checks it.
 *   Accessed and dirty by soft faults: if the page is present and its accessed bit is clear the
 *   fault counts as a read, else as a write if writing is allowed. So an instruction gets on after
 *   three faults at most, and a page may be taken for dirty that is not: never the other way.
 *   Context: interrupts as in the context that was interrupted. Locked: they stay so throughout.
 */
bool z_page_fault(void *addr);

/* ---- ours: setting up the kernel's pager ------------------------------------------------------- */

struct z_eviction_ops;
struct z_pager;
struct z_pager_config;
struct z_store;

/*
 * z_kernel_pager_init - make the kernel's pager. POST_KERNEL; until it has returned 0 every fault is
 * refused.
 *   config: what only the port knows. Taken from it: arch, env, batch, low_water, ghosts, events,
 *   max_regions, frames_per_bank, commit, image, unlock_for_io (never without ALLOW_IRQ). Filled in
 *   here: frames (z_page_frames), RAM and window (Kconfig; the window ends before Z_SCRATCH_PAGE),
 *   free_count.
 *   eviction: NULL for the Kconfig choice. store: NULL for BACKING_STORE_CUSTOM, else opened by
 *   the port. z_page_frames: holes RESERVED, image pages MAPPED, before the call.
 *   memory: zeroed, z_kernel_pager_bytes(config) bytes, aligned to 64.
 *   0 | Z_ERR_BUSY there is one | as z_pager_create.
 * z_kernel_pager_bytes - 0 if the configuration makes no sense.
 */
Z_MUST_CHECK int z_kernel_pager_init(const struct z_pager_config *config, void *memory);
size_t z_kernel_pager_bytes(const struct z_pager_config *config);

/* z_kernel_pager - the kernel's pager; NULL before init. Any context. */
struct z_pager *z_kernel_pager(void);

/*
 * z_kernel_pager_exit - unmap everything; faults are refused from here on; z_page_frames is zeroed.
 * For shutting down, and for tests. 0 | Z_ERR_BUSY as z_pager_destroy; nothing changed.
 */
Z_MUST_CHECK int z_kernel_pager_exit(void);

/*
 * z_page_frame_info - for an algorithm behind z_eviction_select: enum z_page_info bits of a frame
 * that is MAPPED and not BUSY. clear_accessed: start a new observation.
 *   Context: interrupts locked.
 */
unsigned int z_page_frame_info(struct z_page_frame *pf, bool clear_accessed);

/*
 * z_eviction_custom - the algorithm behind z_eviction_select and z_eviction_init.
 * z_store_custom_open - the store behind z_backing_store_*: calls z_backing_store_init.
 *   The port's scratch has to be Z_SCRATCH_PAGE. Such a store cannot fail to move a page, does not
 *   say how much it holds (so commitment is not limited by it), and keeps nothing back for faults.
 *   Whoever refers to one of these needs the specified functions at link time.
 */
extern const struct z_eviction_ops z_eviction_custom;
struct z_store *z_store_custom_open(void);

/*
 * z_store_custom_image_pages - how many locations, from 0 on, are valid in that store from the beginning,
 * without location_get: an image that lies in it. 0 unless set, before z_kernel_pager_init.
 */
extern size_t z_store_custom_image_pages;

#endif /* CONFIG_DEMAND_PAGING */
#endif /* CONFIG_MMU */

#endif /* ZPAGER_MMU_H */
