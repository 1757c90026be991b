/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devicetree.h - what a port wants to know from the device tree that its loader left.
 *
 * What is not in the tree is 0; a port that cannot do without says so itself.
 */
#ifndef ARCH_COMMON_DEVICETREE_H
#define ARCH_COMMON_DEVICETREE_H

#include "port.h"

#define DEVICETREE_VIRTIO_MAX 32U

struct devicetree {
	uintptr_t ram_base;
	size_t ram_bytes;
	unsigned int cpus; /* how many cpu_id there are */
	unsigned long
		cpu_id[Z_PORT_CPUS_MAX]; /* reg: the hart, the affinity; in the tree's order */
	struct z_port_virtio virtio[DEVICETREE_VIRTIO_MAX]; /* by rising address */
	unsigned int nvirtio;
	const char *bootargs; /* in the tree; "" if there are none, never NULL */
	uint64_t timebase_hz; /* of riscv's time register */
	uintptr_t plic;
	uintptr_t gic_distributor;
	uintptr_t gic_cpu;
	uintptr_t console; /* the registers of what /chosen calls stdout */
};

/*
 * devicetree_read - fill *out from a flattened device tree that lies in memory.
 *   blob: aligned to 4, and readable as far as its header says; bootargs points into it.
 *   0 | Z_ERR_INVAL it is not a device tree, or damaged: *out is all 0, with bootargs "".
 *   Of more CPUs, virtio devices or ranges of RAM than there is room for, the first ones are kept.
 *   virtio irq: of one or two cells the first, of three cells as GIC counts them (a shared one + 32, a
 *   private one + 16). Context: any; no C library.
 */
int devicetree_read(const void *blob, struct devicetree *out);

#endif /* ARCH_COMMON_DEVICETREE_H */
