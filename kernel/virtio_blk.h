/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_blk.h - the first virtio block device of the machine, page by page.
 */
#ifndef KERNEL_VIRTIO_BLK_H
#define KERNEL_VIRTIO_BLK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * virtio_blk_start - find the device and bring it up; its interrupt is on afterwards.
 *   Z_OK | Z_ERR_NOTSUP there is no block device, or one that this driver cannot use: a line on the
 *   console says why. Context: CPU 0, once, before any transfer.
 */
int virtio_blk_start(void);

/* virtio_blk_pages - its capacity in whole pages; 0 before virtio_blk_start. Any context. */
uint64_t virtio_blk_pages(void);

/*
 * virtio_blk_transfer - move one page between the device and memory; returns when it is done.
 *   page: number on the device. buffer: one page, page-aligned or at least contiguous in physical
 *   memory; of the kernel, or in the paged window and pinned, or the scratch page.
 *   Z_OK | Z_ERR_IO the device says that it failed (also if its host has no space): what was to be
 *   filled is undefined | Z_ERR_INVAL there is no such page, or the buffer is not mapped.
 *   Context: any that may wait. A thread with interrupts on sleeps meanwhile; with interrupts locked
 *   the caller looks again and again. Several callers at once are served at once.
 */
int virtio_blk_transfer(uint64_t page, void *buffer, bool write);

#endif /* KERNEL_VIRTIO_BLK_H */
