/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.c - the virtio block device bound as a block device of store.h.
 *
 * Locks: none; everything is fixed after disk_start. Limits: one disk.
 */
#include "disk.h"

#include "virtio_blk.h"

static struct z_block_device disk; /* [I] */
static uint64_t image;             /* [I] */

static int disk_read(void *ctx, uint64_t number, void *page)
{
	(void)ctx;
	return virtio_blk_transfer(number, page, false);
}

/* The driver only reads what it is to write. */
static int disk_write(void *ctx, uint64_t number, const void *page)
{
	(void)ctx;
	return virtio_blk_transfer(number, (void *)(uintptr_t)page, true);
}

int disk_start(uint64_t image_pages)
{
	static const struct z_block_ops ops = {.read = disk_read, .write = disk_write};
	int err = virtio_blk_start();

	if (err != Z_OK)
		return err;
	if (image_pages > virtio_blk_pages())
		return Z_ERR_INVAL;
	image = image_pages;
	disk = (struct z_block_device){.ops = &ops, .pages = virtio_blk_pages(), .parallel = true};
	return Z_OK;
}

const struct z_block_device *disk_device(void)
{
	return disk.ops != NULL ? &disk : NULL;
}

uint64_t disk_image_pages(void)
{
	return image;
}
