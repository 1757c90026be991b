/* SPDX-License-Identifier: Apache-2.0 */
/*
 * staging.c - staging pages: where a store fills a page before it comes in.
 *
 * Theory. The lowest free page that has RAM is taken, because it is warm, and because pages that are filled
 * together then lie beside each other, so that they can come in together (place.c).
 *
 * "copy-recycle" moves runs of pages in, and with them their RAM. It comes from runs of pages that leave: they are
 * moved here, which costs less than it does the kernel to take a page back and to give out another. So RAM that
 * is kept here belongs to frames that are free. When pages come in by copy, with RAM of the kernel's, those
 * frames are in use, and as many pages that are kept are given back, some at a time. RAM in the window and here
 * is thus never more than all frames have, and the slots.
 *
 * Locks: atomics; who has set a page's bit in used has the page. zl_staging_keep: drop_lock.
 */
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "port.h"
#include "uffd.h"

#define PLACED (UINT32_C(1) << 31) /* in frame[]: the page is in the window already */

uint32_t zl_staging_pages(uint32_t nframes, uint32_t batch, bool recycles)
{
	uint32_t slots = zl_port_slots(nframes);
	uint32_t most = ZL_STAGING_MAX - slots;

	if (!recycles || slots < ZL_SLOTS_MAX) {
		return slots;
	}
	return slots + (batch < most ? batch : most);
}

int zl_staging_open(struct zl_port *port, bool recycles, _Atomic uint32_t *frame)
{
	struct zl_staging *s = &port->staging;

	s->n = zl_staging_pages(port->nframes, port->batch, recycles);
	s->recycles = s->n > zl_port_slots(port->nframes);
	s->frame = frame;
	s->pages = zl_pages_alloc(s->n * Z_PAGE_SIZE);
	return s->pages != NULL ? 0 : Z_ERR_NOMEM;
}

void zl_staging_close(struct zl_port *port)
{
	if (port->staging.pages != NULL) {
		munmap(port->staging.pages, port->staging.n * Z_PAGE_SIZE);
	}
}

void zl_staging_forget(struct zl_port *port)
{
	struct zl_staging *s = &port->staging;

	(void)madvise(s->pages, s->n * Z_PAGE_SIZE, MADV_DONTNEED);
	memset(s->ram, 0, sizeof(s->ram));
	s->nram = 0;
	s->owed = 0;
}

/* ---- bits --------------------------------------------------------------------------------- */

static bool has_ram(const struct zl_staging *s, uint32_t i)
{
	return (atomic_load_explicit(&s->ram[i / 64], memory_order_relaxed) >> (i % 64) & 1) != 0;
}

static bool is_used(const struct zl_staging *s, uint32_t i)
{
	return (atomic_load_explicit(&s->used[i / 64], memory_order_relaxed) >> (i % 64) & 1) != 0;
}

/* The page is the caller's, if it was free. */
static bool claim(struct zl_staging *s, uint32_t i)
{
	uint64_t bit = UINT64_C(1) << (i % 64);

	return (atomic_fetch_or_explicit(&s->used[i / 64], bit, memory_order_acquire) & bit) == 0;
}

static void unclaim(struct zl_staging *s, uint32_t i)
{
	atomic_fetch_and_explicit(&s->used[i / 64], ~(UINT64_C(1) << (i % 64)),
				  memory_order_release);
}

/* The caller has claimed the page. */
static void set_ram(struct zl_staging *s, uint32_t i, bool has)
{
	uint64_t bit = UINT64_C(1) << (i % 64);

	if (has_ram(s, i) == has) {
		return;
	}
	if (has) {
		atomic_fetch_or_explicit(&s->ram[i / 64], bit, memory_order_relaxed);
		atomic_fetch_add_explicit(&s->nram, 1, memory_order_relaxed);
	} else {
		atomic_fetch_and_explicit(&s->ram[i / 64], ~bit, memory_order_relaxed);
		atomic_fetch_sub_explicit(&s->nram, 1, memory_order_relaxed);
	}
}

/* The first free page, with RAM if there is one; n if all are in use. */
static uint32_t first_free(const struct zl_staging *s)
{
	uint32_t without = s->n;

	for (uint32_t w = 0; w * 64 < s->n; w++) {
		uint64_t all =
			s->n - w * 64 >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (s->n - w * 64)) - 1;
		uint64_t free = ~atomic_load_explicit(&s->used[w], memory_order_relaxed) & all;
		uint64_t warm = free & atomic_load_explicit(&s->ram[w], memory_order_relaxed);

		if (warm != 0) {
			return w * 64 + (uint32_t)__builtin_ctzll(warm);
		}
		if (free != 0 && without == s->n) {
			without = w * 64 + (uint32_t)__builtin_ctzll(free);
		}
	}
	return without;
}

/* ---- slots -------------------------------------------------------------------------------- */

static uint32_t frame_key(z_phys_t phys)
{
	return (uint32_t)(phys.v / Z_PAGE_SIZE) + 1;
}

char *zl_slot_take(struct zl_port *port, z_phys_t phys)
{
	struct zl_staging *s = &port->staging;
	uint32_t i = first_free(s);

	while (i == s->n || !claim(s, i)) {
		if (i == s->n) {
			/* The core has broken its promise of scratch_slots: wait, never NULL. */
			sched_yield();
		}
		i = first_free(s);
	}
	set_ram(s, i, true);
	atomic_store_explicit(&s->frame[i], frame_key(phys), memory_order_relaxed);
	return s->pages + (size_t)i * Z_PAGE_SIZE;
}

void zl_slot_give(struct zl_port *port, const char *slot)
{
	struct zl_staging *s = &port->staging;
	uint32_t i = (uint32_t)((size_t)(slot - s->pages) / Z_PAGE_SIZE);

	atomic_store_explicit(&s->frame[i], 0, memory_order_relaxed);
	unclaim(s, i);
}

static uint32_t frame_in(const struct zl_port *port, uint32_t slot)
{
	return atomic_load_explicit(&port->staging.frame[slot], memory_order_relaxed);
}

uint32_t zl_slot_find(const struct zl_port *port, z_phys_t phys, uint32_t hint)
{
	const struct zl_staging *s = &port->staging;

	if (hint < s->n && (frame_in(port, hint) & ~PLACED) == frame_key(phys)) {
		return hint;
	}
	for (uint32_t w = 0; w * 64 < s->n; w++) {
		uint64_t used = atomic_load_explicit(&s->used[w], memory_order_relaxed);

		for (; used != 0; used &= used - 1) {
			uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(used);

			if ((frame_in(port, i) & ~PLACED) == frame_key(phys)) {
				return i;
			}
		}
	}
	return s->n;
}

bool zl_slot_is_of(const struct zl_port *port, uint32_t slot, z_phys_t phys)
{
	return frame_in(port, slot) == frame_key(phys);
}

bool zl_slot_is_placed(const struct zl_port *port, uint32_t slot)
{
	return (frame_in(port, slot) & PLACED) != 0;
}

void zl_slot_set_placed(struct zl_port *port, uint32_t slot)
{
	atomic_fetch_or_explicit(&port->staging.frame[slot], PLACED, memory_order_relaxed);
}

/* ---- RAM that stays ----------------------------------------------------------------------- */

void zl_staging_left(struct zl_port *port, uint32_t slot, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		set_ram(&port->staging, slot + (uint32_t)i, false);
	}
}

/* The last pages with RAM that nobody uses, as far as they are neighbours. */
static uint32_t give_back(struct zl_staging *s, uint32_t most)
{
	uint32_t end = s->n;
	uint32_t first;

	while (end > 0 && (!has_ram(s, end - 1) || is_used(s, end - 1))) {
		end--;
	}
	first = end;
	while (first > 0 && end - first < most && has_ram(s, first - 1) && claim(s, first - 1)) {
		first--;
	}
	(void)madvise(s->pages + (size_t)first * Z_PAGE_SIZE, (end - first) * Z_PAGE_SIZE,
		      MADV_DONTNEED);
	for (uint32_t i = first; i < end; i++) {
		set_ram(s, i, false);
		unclaim(s, i);
	}
	return end - first;
}

void zl_staging_came(struct zl_port *port, size_t pages)
{
	struct zl_staging *s = &port->staging;

	if (!s->recycles) {
		return;
	}
	if (atomic_load_explicit(&s->nram, memory_order_relaxed) <= ZL_GIVE_BACK) {
		atomic_store_explicit(&s->owed, 0, memory_order_relaxed);
		return;
	}
	uint32_t owed = atomic_fetch_add_explicit(&s->owed, (uint32_t)pages, memory_order_relaxed) +
			(uint32_t)pages;
	while (owed >= ZL_GIVE_BACK &&
	       atomic_compare_exchange_strong(&s->owed, &owed, owed - ZL_GIVE_BACK) &&
	       give_back(s, ZL_GIVE_BACK) > 0) {
		owed -= ZL_GIVE_BACK;
	}
}

/* Free pages without RAM in a row, claimed: at most so many. */
static uint32_t claim_hole(struct zl_staging *s, size_t most, uint32_t *first_out)
{
	uint32_t first = 0;
	uint32_t n = 0;

	while (first < s->n && (has_ram(s, first) || is_used(s, first) || !claim(s, first))) {
		first++;
	}
	*first_out = first;
	while (first + n < s->n && n < most &&
	       (n == 0 || (!has_ram(s, first + n) && claim(s, first + n)))) {
		n++;
	}
	return n;
}

size_t zl_staging_keep(struct zl_port *port, uintptr_t va, size_t pages)
{
	struct zl_staging *s = &port->staging;
	size_t kept = 0;
	bool all = true;

	while (kept < pages && all) {
		uint32_t first;
		uint32_t n = claim_hole(s, pages - kept, &first);
		size_t bytes = 0;

		if (n > 0) {
			(void)zl_uffd_move(port->uffd,
					   (uintptr_t)s->pages + (size_t)first * Z_PAGE_SIZE,
					   va + kept * Z_PAGE_SIZE, n * Z_PAGE_SIZE, &bytes);
		}
		for (uint32_t i = 0; i < n; i++) {
			if (i < bytes / Z_PAGE_SIZE) {
				set_ram(s, first + i, true);
			}
			unclaim(s, first + i);
		}
		kept += bytes / Z_PAGE_SIZE;
		all = n > 0 && bytes == n * Z_PAGE_SIZE;
	}
	return kept;
}
