/* SPDX-License-Identifier: Apache-2.0 */
/*
 * custom_caching.c - the contract tests on a small store that keeps clean copies and steals them when
 * it is full. Written against the specified names (mmu.h) alone; contract_custom.h is for the tests.
 *
 * A slot remembers the frame that its page was loaded into; it is a clean copy as long as that frame
 * is BACKED and says that its copy is this slot. Stealing clears that frame's BACKED. Slots are given
 * from the top, so that tokens are not in the order of pages.
 */
#include <zpager/mmu.h>

#include "contract_custom.h"
#include "contract_world.h"

#define SLOTS  1024
#define ENOMEM 12

const char custom_store_name[] = "caching";
const bool custom_store_keeps = true;
const bool custom_store_steals = true;
const bool custom_store_bounded = true;
size_t custom_store_capacity = SLOTS;
unsigned int custom_store_inits;
const char *custom_store_misuse;
void (*custom_store_init_hook)(void);
const void *(*custom_store_image)(uintptr_t va);

static unsigned char data[SLOTS][CONFIG_MMU_PAGE_SIZE];
static bool used[SLOTS];
static struct z_page_frame *frame[SLOTS];
static size_t capacity;
static bool ready;

static size_t slot_of(uintptr_t location)
{
	size_t slot = location / CONFIG_MMU_PAGE_SIZE;

	if (!ready || location % CONFIG_MMU_PAGE_SIZE != 0 || slot >= capacity || !used[slot]) {
		custom_store_misuse = "a location that is not in use, or a call before init";
		slot = 0;
	}
	return slot;
}

static bool is_copy(size_t slot)
{
	return used[slot] && frame[slot] != NULL && z_page_frame_is_backed(frame[slot]) &&
	       frame[slot]->store_lo == slot;
}

const void *custom_store_bytes(uintptr_t location)
{
	return data[slot_of(location)];
}

static void keep_copy(size_t slot, struct z_page_frame *pf)
{
	frame[slot] = pf;
	pf->store_lo = (uint32_t)slot;
	pf->flags = (uint8_t)(pf->flags | Z_PAGE_FRAME_BACKED);
}

static bool take_free(size_t *slot_out)
{
	for (size_t i = capacity; i-- > 0;) {
		if (!used[i]) {
			used[i] = true;
			frame[i] = NULL;
			*slot_out = i;
			return true;
		}
	}
	return false;
}

static bool steal(size_t *slot_out)
{
	for (size_t i = 0; i < capacity; i++) {
		if (is_copy(i)) {
			frame[i]->flags = (uint8_t)(frame[i]->flags & ~Z_PAGE_FRAME_BACKED);
			frame[i] = NULL;
			*slot_out = i;
			return true;
		}
	}
	return false;
}

void z_backing_store_init(void)
{
	custom_store_inits++;
	capacity = custom_store_capacity;
	__builtin_memset(used, 0, sizeof(used));
	__builtin_memset(frame, 0, sizeof(frame));
	if (custom_store_init_hook != NULL) {
		custom_store_init_hook();
	}
	ready = true;
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES && custom_store_image != NULL; i++) {
		struct z_page_frame *pf = &z_page_frames[i];
		size_t slot;

		if (z_page_frame_is_mapped(pf) && take_free(&slot)) {
			__builtin_memcpy(data[slot], custom_store_image((uintptr_t)pf->addr),
					 CONFIG_MMU_PAGE_SIZE);
			keep_copy(slot, pf);
		}
	}
}

int z_backing_store_location_get(struct z_page_frame *pf, uintptr_t *location)
{
	size_t slot;

	if (!ready || !z_page_frame_is_mapped(pf)) {
		custom_store_misuse = "location_get before init, or without a page";
	}
	if (z_page_frame_is_backed(pf)) {
		slot = pf->store_lo;
		if (!is_copy(slot) || frame[slot] != pf) {
			custom_store_misuse = "a frame is BACKED that the store does not know";
		}
	} else if (!take_free(&slot) && !steal(&slot)) {
		return -ENOMEM;
	}
	*location = slot * CONFIG_MMU_PAGE_SIZE;
	return 0;
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
	keep_copy(slot_of(location), pf);
}

int main(void)
{
	return contract_suite();
}
