/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.c - the pager lock, waiting, and taking turns at the store.
 *
 * Theory. The key that unlocking restores belongs to whoever holds the lock, so it lives in the
 * pager. Transfers are limited to io_limit at once: 1 for a store that does not run in parallel or
 * a port with one scratch mapping, else the number of scratch mappings. With unlock_for_io off the
 * lock stays held throughout, so that interrupts stay locked for the whole fault, as specified for
 * ALLOW_IRQ=n; nobody can then be met in the middle of a transfer, and nobody ever waits.
 */
#include "internal.h"

extern inline void z__lock(struct z_pager *p);
extern inline void z__unlock(struct z_pager *p);
extern inline void z__io_begin_locked(struct z_pager *p);
extern inline void z__io_end(struct z_pager *p);

void z__wait_locked(struct z_pager *p, const void *channel)
{
	z_key_t key;

	p->drops++;
	key = p->cfg.env->wait(p->cfg.env_ctx, channel, p->key);

	p->key = key;
}

void z__io_unlock(struct z_pager *p)
{
	while (p->io_in_flight >= p->io_limit) {
		p->io_waiters++;
		z__wait_locked(p, &p->io_waiters);
		p->io_waiters--;
	}
	p->io_in_flight++;
	z__unlock(p);
}

void z__io_relock(struct z_pager *p)
{
	z__lock(p);
	p->io_in_flight--;
	if (p->io_waiters > 0)
		p->cfg.env->wake(p->cfg.env_ctx, &p->io_waiters);
}

void z__io_begin_many_locked(struct z_pager *p, unsigned int turns)
{
	if (!p->cfg.unlock_for_io)
		return;
	p->io_in_flight += turns;
	z__unlock(p);
}

void z__io_end_many(struct z_pager *p, unsigned int turns)
{
	if (!p->cfg.unlock_for_io)
		return;
	z__lock(p);
	p->io_in_flight -= turns;
	if (p->io_waiters > 0)
		p->cfg.env->wake(p->cfg.env_ctx, &p->io_waiters);
}
