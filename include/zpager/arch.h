/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arch.h - what an architecture gives: page-table entries, faults' soft half, scratch, and the
 * environment (lock, wait, wake, clock).
 *
 * Entries. For each page of the paged window the port keeps one entry, in exactly one kind:
 *
 *   UNMAPPED   not ours; a touch is an error
 *   UNTOUCHED  mapped, never touched: the first touch finds zeros
 *   OUT(loc)   the data page is in the backing store at loc (loc may be 0)
 *   IN(phys)   the data page is in that frame and accessible, as far as permissions go
 *   HELD(phys) the frame belongs to the page but the page cannot be *changed* through the entry:
 *              it is being filled, or being written out. A touch that the hardware reports waits.
 *
 *   UNMAPPED --map--> UNTOUCHED --hold--> HELD --attach--> IN --detach--> HELD --release--> OUT
 *                        OUT ---hold---> HELD                     HELD --release--> UNTOUCHED
 *   any but HELD --unmap--> UNMAPPED
 *
 * Permissions are set by map and protect and survive any number of page-outs.
 *
 * Pre-conditions of all hooks, unless a hook says otherwise: the pager lock is held, the address
 * is page-aligned and inside the window, counts are > 0. No hook touches pageable memory, except
 * that scratch memory may be an alias of it. No hook calls back into the core.
 *
 * Atomicity. detach is the only source of the final dirty bit: it removes write access atomically,
 * completes the shoot-down on every CPU, and only then reports dirty. When detach, unmap or
 * protect return, no CPU can act on the old entry any more.
 *
 * Source: the specification; the three-state entry of the first upstream arch ports, with HELD
 * added so that a failed write has a way back (the frame never leaves the entry before the data is
 * safe).
 */
#ifndef ZPAGER_ARCH_H
#define ZPAGER_ARCH_H

#include <zpager/error.h>
#include <zpager/types.h>

enum z_entry_kind {
	Z_ENTRY_UNMAPPED,
	Z_ENTRY_UNTOUCHED,
	Z_ENTRY_OUT,
	Z_ENTRY_IN,
	Z_ENTRY_HELD,
};

struct z_entry {
	enum z_entry_kind kind;
	unsigned int prot; /* enum z_access bits; valid unless UNMAPPED */
	z_phys_t phys;     /* IN, HELD */
	z_loc_t loc;       /* OUT */
};

/* What hardware, or its emulation by soft faults, knows of a resident page. */
enum z_page_info {
	Z_INFO_ACCESSED = 1,
	Z_INFO_DIRTY = 2,
};

/* How a page that is attached counts: as just read (clean) or as just written (dirty). */
enum z_attach_as {
	Z_ATTACH_CLEAN,
	Z_ATTACH_DIRTY,
};

/* One page of a batch. */
struct z_page_op {
	uintptr_t va;   /* page-aligned */
	z_phys_t phys;  /* the frame */
	z_loc_t loc;    /* release: where the page went */
	bool dirty;     /* detach: out, the final dirty bit */
	bool untouched; /* release: in, go to UNTOUCHED instead of OUT */
	int status;     /* out: 0, or the error of this page alone */
};

enum z_scratch_use {
	Z_SCRATCH_FILL, /* the frame is about to be filled through the pointer */
	Z_SCRATCH_SAVE, /* the frame's contents are about to be read through the pointer */
};

enum z_arch_caps {
	Z_ARCH_ACCESSED = 1,     /* info() reports reads without soft faults */
	Z_ARCH_DIRECT_SAVE = 2,  /* scratch for SAVE takes no slot: any number at once */
	Z_ARCH_TOUCH_LOADED = 4, /* touch comes right after the attach of a page that was touched */
	Z_ARCH_DIRTY_FAULTS =
		8, /* the first write to a page that is attached as clean is a soft fault */
};

struct z_arch_ops {
	const char *name;
	unsigned int caps; /* enum z_arch_caps */

	/* How many scratch mappings can be in use at once; at least 1. */
	unsigned int scratch_slots;

	/*
	 * map - UNMAPPED entries become UNTOUCHED.
	 *   prot: enum z_access bits.
	 *   0 | Z_ERR_NOMEM no table memory; all or nothing.
	 */
	int (*map)(void *ctx, uintptr_t va, size_t pages, unsigned int prot);

	/*
	 * unmap - entries of any kind but HELD become UNMAPPED; frames are no longer reachable.
	 *   Cannot fail, never allocates; shoot-down complete on return.
	 */
	void (*unmap)(void *ctx, uintptr_t va, size_t pages);

	/*
	 * protect - change the permissions of entries that are not UNMAPPED, whatever their kind.
	 *   0 | Z_ERR_NOMEM nothing changed. Shoot-down complete on return.
	 */
	int (*protect)(void *ctx, uintptr_t va, size_t pages, unsigned int prot);

	/* entry - read one entry. No side effect; cost constant. */
	struct z_entry (*entry)(void *ctx, uintptr_t va);

	/*
	 * info - enum z_page_info bits of an IN entry, or'ed over all tables that map it.
	 *   clear_accessed: also clear the accessed bit, atomically, in all tables; the dirty bit is
	 *   never cleared here. A port without hardware bits reports what its soft faults told it.
	 *   It is safe to report ACCESSED or DIRTY when unsure.
	 */
	unsigned int (*info)(void *ctx, uintptr_t va, bool clear_accessed);

	/* hold - an UNTOUCHED or OUT entry, the former prepared, becomes HELD(phys). Cannot fail. */
	void (*hold)(void *ctx, uintptr_t va, z_phys_t phys);

	/*
	 * attach - HELD(op->phys) entries become IN, accessed bit clear, dirty bit as said.
	 *   op->status 0 | Z_ERR_NOMEM, Z_ERR_BUSY, Z_ERR_AGAIN: this page's entry is still HELD. A
	 *   page that was detached and not released can always be attached again (a page-out is
	 *   undone); only a filled one can fail. Returns the number of pages that failed.
	 */
	size_t (*attach)(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as);

	/*
	 * detach - IN entries become HELD; op->dirty is the final dirty bit; one shoot-down for all.
	 *   op->status 0, or Z_ERR_BUSY: this page cannot be taken now (under DMA, say); it is
	 *   untouched and still IN. Returns the number of pages that failed.
	 */
	size_t (*detach)(void *ctx, struct z_page_op *ops, size_t n);

	/*
	 * release - HELD entries become OUT(op->loc), or UNTOUCHED if op->untouched; the frame is
	 *   free for others. An OUT entry is accepted too if op->untouched: its page is forgotten.
	 *   Cannot fail. The core also uses it to take back a hold() whose fill failed.
	 */
	void (*release)(void *ctx, struct z_page_op *ops, size_t n);

	/*
	 * scratch - a mapping of the frame of a HELD entry, readable and writable, for the calling
	 * context only, supervisor, not executable. At most scratch_slots are in use at once.
	 *   Context: pager lock NOT held. Never NULL; Z_PAGE_SIZE bytes, page-aligned.
	 */
	void *(*scratch)(void *ctx, uintptr_t va, z_phys_t phys, enum z_scratch_use use);

	/*
	 * scratch_done - give the mapping back. After a FILL this comes after attach or release, so
	 * that a port may copy from it: lock held. After a SAVE it comes before release or attach,
	 * in the lock state of scratch.
	 */
	void (*scratch_done)(void *ctx, uintptr_t va, z_phys_t phys, void *mapping,
			     enum z_scratch_use use);

	/*
	 * touch - the soft half of a fault: the entry is IN and its permissions allow the access,
	 * yet the hardware reported it (stale TLB, accessed or dirty emulated by faults, a race that
	 * is over), or would (Z_ARCH_TOUCH_LOADED). Sets accessed, and dirty for a write, and makes
	 * the access possible.
	 */
	void (*touch)(void *ctx, uintptr_t va, unsigned int access);

	/*
	 * place - NULL, or the part of attach that takes time, for pages that were filled: their scratch
	 *   is still there, attach follows and cannot fail for them.
	 *   Statuses and return value as attach. Context: the lock may be held or not; ops are HELD and
	 *   the caller's own.
	 */
	size_t (*place)(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as);

	/*
	 * vacate - NULL, or the part of release that takes time, for pages that detach took: their frames
	 *   are empty from now on, release follows. Where there is one, release is never called for
	 *   such a page without it. Context: as place.
	 */
	void (*vacate)(void *ctx, const struct z_page_op *ops, size_t n);

	/*
	 * prepare - NULL, or get the memory that hold of these pages will want: table memory that comes as
	 *   pages are touched. Called for mapped entries before the first hold of each, again if the lock was
	 *   dropped since; what was prepared stays so until it is unmapped.
	 *   0 | Z_ERR_NOMEM nothing changed.
	 */
	int (*prepare)(void *ctx, uintptr_t va, size_t pages);

	/*
	 * untouched - NULL, or how many pages from va on are UNTOUCHED, as far as the port knows without a
	 *   look at each: whoever walks over a large range goes on behind them. 0: look at va's entry.
	 */
	size_t (*untouched)(void *ctx, uintptr_t va, size_t pages);
};

/* What wait() and lock() hand back: the interrupt state to restore. */
typedef unsigned long z_key_t;

struct z_env_ops {
	/*
	 * lock, unlock - the pager lock: interrupts off and, with several CPUs, a spin lock; in a
	 * hosted port a mutex. Not recursive. unlock restores the interrupt state of the key.
	 */
	z_key_t (*lock)(void *ctx);
	void (*unlock)(void *ctx, z_key_t key);

	/*
	 * wait - release the lock and sleep until wake(channel), then hold the lock again; atomic
	 * with respect to wake. May return early; callers look again.
	 * wake - wake all who wait for the channel. Lock held.
	 */
	z_key_t (*wait)(void *ctx, const void *channel, z_key_t key);
	void (*wake)(void *ctx, const void *channel);

	/* in_isr - is the caller an interrupt service routine? NULL: there are none. */
	bool (*in_isr)(void *ctx);

	/* now - nanoseconds since some start; monotonic. NULL: the time of faults is not counted. */
	uint64_t (*now)(void *ctx);

	/* irqs_locked - are interrupts locked in the caller, lock not held? NULL: never. */
	bool (*irqs_locked)(void *ctx);
};

#endif /* ZPAGER_ARCH_H */
