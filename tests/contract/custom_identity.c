/* SPDX-License-Identifier: Apache-2.0 */
/*
 * custom_identity.c - the contract tests on a store as large as the address space: the token is the
 * page's address, there are no books, and every copy is kept for ever. Written against the
 * specified names (mmu.h) alone; contract_custom.h is for the tests.
 */
#include <zpager/mmu.h>

#include "contract_custom.h"
#include "contract_world.h"

#define WINDOW_PAGES (CONFIG_KERNEL_VM_SIZE / CONFIG_MMU_PAGE_SIZE)

#ifdef EMPTY_FINALIZE
#define NAME  "sparse"
#define KEEPS false
#else
#define NAME  "identity"
#define KEEPS true
#endif

const char custom_store_name[] = NAME;
const bool custom_store_keeps = KEEPS;
const bool custom_store_steals = false;
const bool custom_store_bounded = false;
size_t custom_store_capacity;
unsigned int custom_store_inits;
const char *custom_store_misuse;
void (*custom_store_init_hook)(void);
const void *(*custom_store_image)(uintptr_t va);

static unsigned char copies[WINDOW_PAGES][CONFIG_MMU_PAGE_SIZE];

static unsigned char *copy_of(uintptr_t location)
{
	size_t page = (location - (uintptr_t)CONFIG_KERNEL_VM_BASE) / CONFIG_MMU_PAGE_SIZE;

	if (page >= WINDOW_PAGES) {
		custom_store_misuse = "a location that is no address of the window";
		page = 0;
	}
	return copies[page];
}

const void *custom_store_bytes(uintptr_t location)
{
	return copy_of(location);
}

void z_backing_store_init(void)
{
	custom_store_inits++;
	if (custom_store_init_hook != NULL) {
		custom_store_init_hook();
	}
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES && KEEPS && custom_store_image != NULL; i++) {
		struct z_page_frame *pf = &z_page_frames[i];

		if (z_page_frame_is_mapped(pf)) {
			__builtin_memcpy(copy_of((uintptr_t)pf->addr),
					 custom_store_image((uintptr_t)pf->addr),
					 CONFIG_MMU_PAGE_SIZE);
			pf->flags = (uint8_t)(pf->flags | Z_PAGE_FRAME_BACKED);
		}
	}
}

int z_backing_store_location_get(struct z_page_frame *pf, uintptr_t *location)
{
	if (custom_store_inits == 0) {
		custom_store_misuse = "location_get before init";
	}
	*location = (uintptr_t)pf->addr;
	return 0;
}

void z_backing_store_location_free(uintptr_t location)
{
	__builtin_memset(copy_of(location), 0xdd, CONFIG_MMU_PAGE_SIZE);
}

void z_backing_store_page_out(uintptr_t location)
{
	if (custom_store_inits == 0) {
		custom_store_misuse = "page_out before init";
	}
	__builtin_memcpy(copy_of(location), Z_SCRATCH_PAGE, CONFIG_MMU_PAGE_SIZE);
}

void z_backing_store_page_in(uintptr_t location)
{
	if (custom_store_inits == 0) {
		custom_store_misuse = "page_in before init";
	}
	__builtin_memcpy(Z_SCRATCH_PAGE, copy_of(location), CONFIG_MMU_PAGE_SIZE);
}

#ifdef EMPTY_FINALIZE

void z_backing_store_page_finalize(struct z_page_frame *pf, uintptr_t location)
{
	(void)pf;
	(void)location;
}

#else

void z_backing_store_page_finalize(struct z_page_frame *pf, uintptr_t location)
{
	if ((uintptr_t)pf->addr != location) {
		custom_store_misuse = "page_finalize with the location of another page";
	}
	pf->flags = (uint8_t)(pf->flags | Z_PAGE_FRAME_BACKED);
}

#endif

int main(void)
{
	return contract_suite();
}
