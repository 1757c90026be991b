/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_pager.c - the one place where the simulated machine calls the core. A file of its own, so
 * that a test without the core links without it.
 */
#include <zpager/pager.h>

#include "sim.h"

static int pager_fault(void *ctx, uintptr_t va, unsigned int access)
{
	return (int)z_pager_fault(ctx, va, access);
}

void z_sim_attach_pager(struct z_sim *sim, struct z_pager *pager)
{
	z_sim_set_fault(sim, pager != NULL ? pager_fault : NULL, pager);
}
