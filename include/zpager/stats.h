/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.h - every counter of a pager, in one list: structure, text, JSON and docs come from it.
 *
 * The first group has the names and the meaning that users of the first upstream implementation
 * know; it counts what was decided, at the time of the decision. The second group is what truly
 * happened. All are monotonic counts since creation or reset, except those marked "now".
 */
#ifndef ZPAGER_STATS_H
#define ZPAGER_STATS_H

#include <stdint.h>

/* X(name, help) */
#define Z_STATS_LIST(X)                                                                            \
	X(pagefaults, "page faults resolved by loading or zero-filling a page")                    \
	X(pagefaults_irq_locked, "of these, with interrupts locked in the faulting context")       \
	X(pagefaults_irq_unlocked, "of these, with interrupts unlocked")                           \
	X(pagefaults_in_isr, "of these, in an interrupt service routine")                          \
	X(eviction_clean, "victims that were clean when they were chosen")                         \
	X(eviction_dirty, "victims that were dirty when they were chosen")                         \
	X(pages_read, "pages brought in from the store")                                           \
	X(pages_zeroed, "pages filled with zeros at first touch")                                  \
	X(pages_written, "pages written to the store")                                             \
	X(pages_dropped, "clean backed pages given up without a write")                            \
	X(soft_faults, "faults on a page that was present: accessed or dirty emulation, races")    \
	X(fault_waits, "times a context waited for a page that another was moving")                \
	X(refaults, "faults on a page that was evicted not long ago (within the ghost table)")     \
	X(bad_faults, "faults on an address that is not mapped, or against its permissions")       \
	X(failed_faults, "faults that could not be resolved: store error, no frame, store full")   \
	X(failed_evictions, "evictions that were undone: store full, write error, page busy")      \
	X(read_errors, "page_in errors reported by the store")                                     \
	X(write_errors, "page_out errors reported by the store")                                   \
	X(batches, "batches of evictions")                                                         \
	X(fault_ns, "nanoseconds spent in faults, waiting included")                               \
	X(pages_ahead, "of pages_read, pages read ahead of a touch")                               \
	X(ahead_windows, "runs of pages that were read ahead together")                            \
	X(ahead_hits, "pages read ahead, and come by (accuracy: of pages_ahead)")                  \
	X(ahead_wasted, "pages read ahead, and not come by as far as can be seen")                 \
	X(ahead_errors, "pages that could not be read ahead: nobody's error, they stay out")       \
	X(frames_free, "now: page frames available")                                               \
	X(frames_resident, "now: page frames that hold a data page")                               \
	X(frames_retired, "now: page frames out of service")                                       \
	X(pages_mapped, "now: data pages mapped")                                                  \
	X(pages_pinned, "now: data pages pinned")                                                  \
	X(store_pages, "now: pages of RAM charged by the store")

struct z_stats {
#define Z_STATS_FIELD(name, help) uint64_t name;
	Z_STATS_LIST(Z_STATS_FIELD)
#undef Z_STATS_FIELD
};

#endif /* ZPAGER_STATS_H */
