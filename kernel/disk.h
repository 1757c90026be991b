/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.h - the machine's disk as a block device for a store, and the image at its beginning.
 */
#ifndef KERNEL_DISK_H
#define KERNEL_DISK_H

#include <zpager/store.h>

/*
 * disk_start - find the disk. image_pages: so many pages at its beginning are an image, that no
 * store may touch.
 *   Z_OK | Z_ERR_NOTSUP there is none that the driver can use | Z_ERR_INVAL it is smaller than that.
 *   Context: CPU 0, once.
 */
Z_MUST_CHECK int disk_start(uint64_t image_pages);

/* disk_device - the disk, parallel; NULL before disk_start. Any context. */
const struct z_block_device *disk_device(void);

/* disk_image_pages - as given to disk_start. Any context. */
uint64_t disk_image_pages(void);

#endif /* KERNEL_DISK_H */
