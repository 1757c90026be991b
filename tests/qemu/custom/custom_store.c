/* SPDX-License-Identifier: Apache-2.0 */
/*
 * custom_store.c - a backing store on the disk, written as somebody would who has nothing but the
 * specification: the functions z_backing_store_*, z_page_frames, and of the frame its address and its
 * flags.
 *
 * Theory. A location is the number of a page of the disk, times the page size. One bit for each page
 * of the disk says whether it is in use; those of the image at the beginning are so for ever, which
 * is all that the image needs: its locations are valid, and never given to anybody else. What
 * comes in stays on the disk as a clean copy, the frame is BACKED, and an array beside z_page_frames
 * says where that copy is. When all bits are set a frame is robbed of its copy, each in turn.
 *
 * Errors. The specified functions cannot say that the disk failed: then this store stops the
 * machine, with a line that says which page. The same if somebody writes to a page of the image,
 * which is to be mapped read-only.
 *
 * Locks: the bits and the copies are used only where interrupts are locked, as specified; the
 * transfers touch nothing of it. Limits: DISK_PAGES pages of the disk, the others are not used;
 * no place is held back for faults.
 */
#include <zpager/mmu.h>

#include "../../../kernel/disk.h"
#include "../../../kernel/kernel.h"

#define DISK_PAGES 65536U
#define WORD_BITS  64U
#define ENOMEM     12

static uint64_t in_use[DISK_PAGES / WORD_BITS];
static uintptr_t copy_at[Z_NUM_PAGE_FRAMES]; /* location, if the frame is BACKED */
static size_t pages;
static size_t image;
static size_t next;     /* where the search for a free page begins */
static size_t next_rob; /* the frame that is robbed next */

static size_t frame_number(const struct z_page_frame *pf)
{
	return (size_t)(pf - z_page_frames);
}

static bool is_in_use(size_t page)
{
	return (in_use[page / WORD_BITS] >> page % WORD_BITS & 1U) != 0;
}

static void keep_copy(struct z_page_frame *pf, uintptr_t location)
{
	copy_at[frame_number(pf)] = location;
	pf->flags = (uint8_t)(pf->flags | Z_PAGE_FRAME_BACKED);
}

static bool take_free(uintptr_t *location)
{
	for (size_t i = 0; i < pages; i++) {
		size_t page = next;

		next = next + 1 < pages ? next + 1 : 0;
		if (!is_in_use(page)) {
			in_use[page / WORD_BITS] |= (uint64_t)1 << page % WORD_BITS;
			*location = page * CONFIG_MMU_PAGE_SIZE;
			return true;
		}
	}
	return false;
}

/* A frame that is BUSY may be on its way to the place of its copy. */
static bool rob(uintptr_t *location)
{
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++) {
		struct z_page_frame *pf = &z_page_frames[next_rob];
		uintptr_t at = copy_at[next_rob];

		next_rob = (next_rob + 1) % Z_NUM_PAGE_FRAMES;
		if (z_page_frame_is_backed(pf) && !z_page_frame_is_busy(pf) &&
		    at / CONFIG_MMU_PAGE_SIZE >= image) {
			pf->flags = (uint8_t)(pf->flags & ~Z_PAGE_FRAME_BACKED);
			*location = at;
			return true;
		}
	}
	return false;
}

void z_backing_store_init(void)
{
	const struct z_block_device *disk = disk_device();

	if (disk == NULL)
		kernel_panic("custom store: there is no disk", NULL);
	pages = disk->pages < DISK_PAGES ? (size_t)disk->pages : DISK_PAGES;
	image = (size_t)disk_image_pages();
	if (image > pages)
		kernel_panic("custom store: the image is larger than what can be used", NULL);
	next = image;
	next_rob = 0;
	for (size_t i = 0; i < DISK_PAGES / WORD_BITS; i++)
		in_use[i] = 0;
	for (size_t page = 0; page < image; page++)
		in_use[page / WORD_BITS] |= (uint64_t)1 << page % WORD_BITS;
}

int z_backing_store_location_get(struct z_page_frame *pf, uintptr_t *location)
{
	if (z_page_frame_is_backed(pf)) {
		*location = copy_at[frame_number(pf)];
		return 0;
	}
	return take_free(location) || rob(location) ? 0 : -ENOMEM;
}

void z_backing_store_location_free(uintptr_t location)
{
	size_t page = location / CONFIG_MMU_PAGE_SIZE;

	if (page < image)
		return;
	if (page >= pages || !is_in_use(page))
		kernel_panic("custom store: a location is freed that is not in use", NULL);
	in_use[page / WORD_BITS] &= ~((uint64_t)1 << page % WORD_BITS);
}

static void check(int err, const char *what, size_t page)
{
	if (err == 0)
		return;
	kernel_print("custom store: page %zu of the disk: %s: %s\n", page, what, z_strerror(err));
	kernel_panic("custom store: the disk failed, and the specified store cannot say so", NULL);
}

void z_backing_store_page_out(uintptr_t location)
{
	const struct z_block_device *disk = disk_device();
	size_t page = location / CONFIG_MMU_PAGE_SIZE;

	if (page < image)
		kernel_panic("custom store: a page of the image was written to", NULL);
	check(disk->ops->write(disk->ctx, page, Z_SCRATCH_PAGE), "cannot be written", page);
}

void z_backing_store_page_in(uintptr_t location)
{
	const struct z_block_device *disk = disk_device();
	size_t page = location / CONFIG_MMU_PAGE_SIZE;

	check(disk->ops->read(disk->ctx, page, Z_SCRATCH_PAGE), "cannot be read", page);
}

void z_backing_store_page_finalize(struct z_page_frame *pf, uintptr_t location)
{
	keep_copy(pf, location);
}
