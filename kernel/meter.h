/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meter.h - counters of each thread and histograms of time, for k_mem.h.
 */
#ifndef KERNEL_METER_H
#define KERNEL_METER_H

#include <zpager/pager.h>

/*
 * meter_start - put the meters between the core and the parts that a configuration names: the port's
 * detach, the algorithm's select, the store's page_in and page_out. Everything counts from 0 again.
 *   config: arch set; eviction, store or NULL, which are then not metered.
 *   Context: start-up of the pager.
 */
void meter_start(struct z_pager_config *config);

/*
 * meter_loads - how many pages the calling thread has begun to bring in so far.
 * meter_fault - it has had a fault resolved for which a page came in. Context: the end of the fault.
 */
unsigned long meter_loads(void);
void meter_fault(void);

#endif /* KERNEL_METER_H */
