/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ondemand.c - mapping the on-demand section; see ondemand.h.
 *
 * Theory. The linker gives the section addresses in the paged window, right behind its lowest page, and
 * the build puts its contents at the beginning of the disk: page i of the section is location
 * i * Z_PAGE_SIZE. Its pages are clean for ever, so they leave without a write.
 *
 * Locks: the pager's.
 */
#include "ondemand.h"

#include <zpager/mmu.h>
#include <zpager/pager.h>

extern const char link_ondemand[], link_ondemand_rodata[], link_ondemand_end[];

size_t ondemand_pages(void)
{
	return (size_t)(link_ondemand_end - link_ondemand) / Z_PAGE_SIZE;
}

int ondemand_start(void)
{
	size_t constants = (size_t)(link_ondemand_end - link_ondemand_rodata) / Z_PAGE_SIZE;
	uintptr_t va = (uintptr_t)link_ondemand;
	int err;

	if (ondemand_pages() == 0)
		return Z_OK;
	err = z_pager_map_stored(z_kernel_pager(), ondemand_pages(), Z_ACCESS_READ | Z_ACCESS_EXEC,
				 Z_MAP_FIXED, z_loc(0), &va);
	if (err != Z_OK || constants == 0)
		return err;
	return z_pager_protect(z_kernel_pager(), (uintptr_t)link_ondemand_rodata, constants,
			       Z_ACCESS_READ);
}
