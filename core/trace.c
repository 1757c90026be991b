/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.c - the event ring.
 *
 * Locks: events are written with the pager lock held; reading is for debuggers and quiet moments.
 */
#include "internal.h"

extern inline void z__event_locked(struct z_pager *p, enum z_event_kind kind, uintptr_t va,
				   int64_t argument);

const struct z_event *z_pager_events(struct z_pager *p, uint32_t *size_out)
{
	*size_out = z__events(&p->cfg);
	return p->events;
}

const char *z_event_name(unsigned int kind)
{
	static const char *const names[] = {
#define Z_EVENT_TEXT(name, argument) #name,
		Z_EVENT_LIST(Z_EVENT_TEXT)
#undef Z_EVENT_TEXT
	};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "?";
}
