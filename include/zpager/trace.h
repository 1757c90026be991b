/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.h - the event ring: what the pager did last, fixed size, readable from a debugger.
 *
 * The ring is an array of events and a running number; event i is at [i mod size]. Written under
 * the pager lock; a debugger that stops the machine sees at most one half-written event.
 */
#ifndef ZPAGER_TRACE_H
#define ZPAGER_TRACE_H

#include <stdint.h>

/* X(name, what the argument is) */
#define Z_EVENT_LIST(X)                                                                            \
	X(MAP, "pages")                                                                            \
	X(UNMAP, "pages")                                                                          \
	X(FAULT, "access bits")                                                                    \
	X(ZERO_FILL, "frame number")                                                               \
	X(PAGE_IN, "frame number")                                                                 \
	X(PAGE_OUT, "frame number")                                                                \
	X(DROP, "frame number")                                                                    \
	X(SOFT_FAULT, "access bits")                                                               \
	X(WAIT, "frame number")                                                                    \
	X(EVICT_UNDONE, "error")                                                                   \
	X(LOAD_UNDONE, "error")                                                                    \
	X(BAD_FAULT, "access bits")                                                                \
	X(PIN, "pages")                                                                            \
	X(UNPIN, "pages")                                                                          \
	X(BANK_OFFLINE, "bank")                                                                    \
	X(BANK_ONLINE, "bank")                                                                     \
	X(RESIZE, "frames in service")

enum z_event_kind {
#define Z_EVENT_ENUM(name, argument) Z_EVENT_##name,
	Z_EVENT_LIST(Z_EVENT_ENUM)
#undef Z_EVENT_ENUM
};

struct z_event {
	uint64_t sequence; /* running number, from 1; 0: never written */
	uintptr_t va;
	int64_t argument;
	uint8_t kind; /* enum z_event_kind */
};

#endif /* ZPAGER_TRACE_H */
