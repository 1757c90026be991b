/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ondemand.h - code and constants of the kernel that are brought in when they are used.
 *
 * A function or a constant marked so is not in the kernel's image in RAM but at the beginning of the
 * disk, and is mapped in the paged window. It is like any other in C, but must not be used where a page
 * fault is not allowed: in an interrupt with interrupts on during transfers, in the path of a fault, before
 * ondemand_start().
 */
#ifndef KERNEL_ONDEMAND_H
#define KERNEL_ONDEMAND_H

#include <zpager/error.h>
#include <zpager/types.h>

#define __ondemand_func   __attribute__((noinline, section(".ondemand.text")))
#define __ondemand_rodata __attribute__((section(".ondemand.rodata")))

/* ondemand_pages - how many pages of the disk, from the first, are this section. */
size_t ondemand_pages(void);

/*
 * ondemand_start - map the section. The pager's store has it as its image from location 0 on.
 *   0 | errors of z_pager_map_stored. Context: once after each start of the pager.
 */
Z_MUST_CHECK int ondemand_start(void);

#endif /* KERNEL_ONDEMAND_H */
