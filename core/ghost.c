/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ghost.c - recognising a page that comes back soon after its eviction; the functions are inline, in
 * internal.h.
 *
 * Theory. A direct-mapped table, indexed by the page's number, folded, remembers the number (the lowest
 * 31 bits of it, its tag) and that of the eviction. A newer ghost replaces an older one; a tag may,
 * rarely, take one page for another: the distance is a hint for eviction algorithms and counted in
 * statistics, no more. The distance is the number of evictions between leaving and coming back (the
 * idea is the refault distance of Linux's working-set detection). Cost O(1), 8 bytes an entry.
 *
 * Locks: pager lock held.
 */
#include "internal.h"

extern inline uint32_t z__ghost_tag(uintptr_t va);
extern inline struct z_ghost *z__ghost_slot(struct z_pager *p, uint32_t tag);
extern inline void z__ghost_note_locked(struct z_pager *p, uintptr_t va);
extern inline uint32_t z__ghost_take_locked(struct z_pager *p, uintptr_t va);
