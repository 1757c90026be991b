/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_stub.h - the simplest thing that resolves faults: to test the simulated machine by itself.
 *
 * Frames come from a bump counter. When none is left, the page that came first goes out, to a
 * copy that the stub keeps by page; its location is its page number times the page size.
 */
#ifndef TESTS_SUPPORT_SIM_STUB_H
#define TESTS_SUPPORT_SIM_STUB_H

#include "../../arch/sim/sim.h"

#define SIM_STUB_PAGES 64

struct sim_stub {
	struct z_sim *sim;
	uintptr_t base; /* of the window */
	uint32_t frames;
	uint32_t used;
	uint32_t first;                      /* the oldest of queue */
	uintptr_t queue[SIM_STUB_PAGES];     /* page in frame i */
	unsigned char *copy[SIM_STUB_PAGES]; /* what is out */
	bool busy;                           /* a fault is between two lock sections */
	unsigned int outs;
	unsigned int soft;
};

void sim_stub_init(struct sim_stub *stub, struct z_sim *sim);
void sim_stub_end(struct sim_stub *stub);

#endif /* TESTS_SUPPORT_SIM_STUB_H */
