/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.c - programs of user mode from the disk.
 *
 * Theory. Code and constants are mapped as what the store holds already: a page of them is read from the
 * image at its first touch, and leaves without a write. Data is memory of its own that begins as a
 * copy; user mode gets its right to it when the copy is there. bss and stack are zeros.
 *
 * Locks: the pager's.
 */
#include "program.h"

#include "kernel.h"
#include "string.h"

#include <zpager/mmu.h>

#define USER_CODE  (Z_ACCESS_READ | Z_ACCESS_EXEC | Z_ACCESS_USER)
#define USER_CONST (Z_ACCESS_READ | Z_ACCESS_USER)
#define KERNEL_RW  (Z_ACCESS_READ | Z_ACCESS_WRITE)
#define USER_RW    (Z_ACCESS_READ | Z_ACCESS_WRITE | Z_ACCESS_USER)

#define WINDOW_PAGES (CONFIG_KERNEL_VM_SIZE / Z_PAGE_SIZE)

_Static_assert(sizeof(struct image_header) <= Z_PAGE_SIZE, "the header is one page");

/* Is this part within the window and the image, and behind `va`? Then `va` is its end. */
static bool part_ok(const struct image_part *part, uint64_t image_pages, uint64_t *va)
{
	if (part->va % Z_PAGE_SIZE != 0 || part->va < *va || part->pages > WINDOW_PAGES ||
	    part->first > image_pages || part->pages > image_pages - part->first)
		return false;
	*va = part->va + part->pages * Z_PAGE_SIZE;
	return true;
}

static bool header_ok(const struct image_header *h, uint64_t disk_pages)
{
	uint64_t va = CONFIG_KERNEL_VM_BASE;
	uint64_t bss = h->bss.va;

	if (h->magic != IMAGE_MAGIC || h->pages > disk_pages)
		return false;
	if (!part_ok(&h->text, h->pages, &va) || h->entry < h->text.va || h->entry >= va ||
	    !part_ok(&h->rodata, h->pages, &va) || !part_ok(&h->data, h->pages, &va))
		return false;
	return bss == va && h->bss.pages <= WINDOW_PAGES && h->stack_bytes > 0 &&
	       h->stack_bytes % Z_PAGE_SIZE == 0 &&
	       bss + h->bss.pages * Z_PAGE_SIZE <= CONFIG_KERNEL_VM_BASE + CONFIG_KERNEL_VM_SIZE;
}

int program_find(const struct z_block_device *disk, uint64_t first, struct image_header *out)
{
	void *page;
	int err;

	if (first >= disk->pages)
		return Z_ERR_INVAL;
	page = kernel_alloc(Z_PAGE_SIZE);
	if (page == NULL)
		return Z_ERR_NOMEM;
	err = disk->ops->read(disk->ctx, first, page);
	if (err == Z_OK) {
		memcpy(out, page, sizeof(*out));
		if (!header_ok(out, disk->pages - first))
			err = Z_ERR_INVAL;
	}
	kernel_free(page, Z_PAGE_SIZE);
	return err;
}

static int map_stored(uint64_t first, const struct image_part *part, unsigned int prot)
{
	uintptr_t va = part->va;

	if (part->pages == 0)
		return Z_OK;
	return z_pager_map_stored(z_kernel_pager(), part->pages, prot, Z_MAP_FIXED,
				  z_loc((first + part->first) * Z_PAGE_SIZE), &va);
}

static int copy_in(const struct z_block_device *disk, uint64_t first, const struct image_part *part)
{
	void *page = kernel_alloc(Z_PAGE_SIZE);
	int err = page != NULL ? Z_OK : Z_ERR_NOMEM;

	for (uint64_t i = 0; err == Z_OK && i < part->pages; i++) {
		err = disk->ops->read(disk->ctx, first + part->first + i, page);
		if (err == Z_OK)
			memcpy((void *)(uintptr_t)(part->va + i * Z_PAGE_SIZE), page, Z_PAGE_SIZE);
	}
	if (page != NULL)
		kernel_free(page, Z_PAGE_SIZE);
	return err;
}

/* Data and what is zero behind it. */
static int map_data(const struct z_block_device *disk, uint64_t first, const struct image_header *h)
{
	size_t pages = h->data.pages + h->bss.pages;
	uintptr_t va = h->data.va;
	int err;

	if (pages == 0)
		return Z_OK;
	err = z_pager_map(z_kernel_pager(), pages, KERNEL_RW, Z_MAP_FIXED, 1, &va);
	if (err == Z_OK)
		err = copy_in(disk, first, &h->data);
	if (err == Z_OK)
		err = z_pager_protect(z_kernel_pager(), va, pages, USER_RW);
	return err;
}

int program_map(const struct z_block_device *disk, uint64_t first,
		const struct image_header *header, uintptr_t *stack_top_out)
{
	uintptr_t stack = 0;
	int err = map_stored(first, &header->text, USER_CODE);

	if (err == Z_OK)
		err = map_stored(first, &header->rodata, USER_CONST);
	if (err == Z_OK)
		err = map_data(disk, first, header);
	if (err == Z_OK)
		err = z_pager_map(z_kernel_pager(), header->stack_bytes / Z_PAGE_SIZE, USER_RW, 0,
				  1, &stack);
	if (err == Z_OK)
		*stack_top_out = stack + header->stack_bytes;
	return err;
}
