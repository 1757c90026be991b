/* SPDX-License-Identifier: Apache-2.0 */
/*
 * custom_zero.c - the contract tests on the simplest store: an array of slots, the lowest free one
 * first, so that the first token is 0; a slot is free again as soon as its page is back. Finalize
 * sets nothing. Written against the specified names (mmu.h) alone; contract_custom.h is for the tests.
 */
#include <zpager/mmu.h>

#include "contract_custom.h"
#include "contract_world.h"

#define SLOTS  1024
#define ENOMEM 12

const char custom_store_name[] = "zero";
const bool custom_store_keeps = false;
const bool custom_store_steals = false;
const bool custom_store_bounded = true;
size_t custom_store_capacity = SLOTS;
unsigned int custom_store_inits;
const char *custom_store_misuse;
void (*custom_store_init_hook)(void);
const void *(*custom_store_image)(uintptr_t va);

static unsigned char data[SLOTS][CONFIG_MMU_PAGE_SIZE];
static bool used[SLOTS];
static size_t capacity;

static size_t slot_of(uintptr_t location)
{
	size_t slot = location / CONFIG_MMU_PAGE_SIZE;

	if (location % CONFIG_MMU_PAGE_SIZE != 0 || slot >= capacity || !used[slot]) {
		custom_store_misuse = "a location that is not in use";
		slot = 0;
	}
	return slot;
}

const void *custom_store_bytes(uintptr_t location)
{
	return data[slot_of(location)];
}

void z_backing_store_init(void)
{
	custom_store_inits++;
	capacity = custom_store_capacity;
	__builtin_memset(used, 0, sizeof(used));
	if (custom_store_init_hook != NULL) {
		custom_store_init_hook();
	}
}

int z_backing_store_location_get(struct z_page_frame *pf, uintptr_t *location)
{
	if (custom_store_inits == 0 || !z_page_frame_is_mapped(pf)) {
		custom_store_misuse = "location_get before init, or without a page";
	}
	for (size_t i = 0; i < capacity; i++) {
		if (!used[i]) {
			used[i] = true;
			*location = i * CONFIG_MMU_PAGE_SIZE;
			return 0;
		}
	}
	return -ENOMEM;
}

void z_backing_store_location_free(uintptr_t location)
{
	size_t slot = slot_of(location);

	used[slot] = false;
	__builtin_memset(data[slot], 0xdd, CONFIG_MMU_PAGE_SIZE);
}

void z_backing_store_page_out(uintptr_t location)
{
	__builtin_memcpy(data[slot_of(location)], Z_SCRATCH_PAGE, CONFIG_MMU_PAGE_SIZE);
}

void z_backing_store_page_in(uintptr_t location)
{
	__builtin_memcpy(Z_SCRATCH_PAGE, data[slot_of(location)], CONFIG_MMU_PAGE_SIZE);
}

void z_backing_store_page_finalize(struct z_page_frame *pf, uintptr_t location)
{
	(void)pf;
	z_backing_store_location_free(location);
}

int main(void)
{
	return contract_suite();
}
