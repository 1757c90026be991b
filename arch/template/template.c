/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template.c - where a new port starts: every hook of arch.h, with what it has to do.
 *
 * It compiles, and is linked nowhere. Copy the folder, write the functions of template.h, run
 * tests/support/arch_conform.h over it. The comments here say what is easily got wrong; the whole
 * contract is in arch.h.
 *
 * Theory. An entry keeps its permissions through all kinds, so none of the hooks but map and
 * protect touches them. Whoever takes access away does three things in this order: exchange the
 * entry atomically, complete the shoot-down on every CPU, and only then believe the dirty bit.
 *
 * Locks: the pager lock in all hooks but scratch.
 * Limits: one scratch mapping; one window; no user tables beside the kernel's.
 */
#include "template.h"

/* All tables first, so that nothing is mapped when one is missing. Entries: untouched. */
static int map(void *ctx, uintptr_t va, size_t pages, unsigned int prot)
{
	int err = template_tables(va, pages);

	(void)ctx;
	for (size_t i = 0; err == 0 && i < pages; i++) {
		(void)template_pte_swap(va + i * Z_PAGE_SIZE,
					z_spt_make(Z_ENTRY_UNTOUCHED, prot, 0));
	}
	return err;
}

/* Whatever was there is gone on return, from every CPU's TLB too. Must not allocate. */
static void unmap(void *ctx, uintptr_t va, size_t pages)
{
	(void)ctx;
	for (size_t i = 0; i < pages; i++) {
		(void)template_pte_swap(va + i * Z_PAGE_SIZE, z_spt_make(Z_ENTRY_UNMAPPED, 0, 0));
		template_shootdown(va + i * Z_PAGE_SIZE);
	}
}

/* Pages that are out keep their location; a page that was dirty stays dirty. */
static int protect(void *ctx, uintptr_t va, size_t pages, unsigned int prot)
{
	(void)ctx;
	for (size_t i = 0; i < pages; i++) {
		uint64_t bits = z_spt_make(Z_ENTRY_UNMAPPED, prot, 0).v;

		template_pte_update(va + i * Z_PAGE_SIZE, Z_SPT_PROT & ~bits, bits);
		template_shootdown(va + i * Z_PAGE_SIZE);
	}
	return 0;
}

static struct z_entry entry(void *ctx, uintptr_t va)
{
	(void)ctx;
	return z_spt_entry(template_pte_read(va));
}

/* Clearing accessed needs a shoot-down only if a TLB that still has it would hide later uses. */
static unsigned int info(void *ctx, uintptr_t va, bool clear_accessed)
{
	z_spt_t e = template_pte_read(va);

	(void)ctx;
	if (clear_accessed && z_spt_has(e, Z_SPT_ACCESSED)) {
		template_pte_update(va, Z_SPT_ACCESSED, 0);
		template_shootdown(va);
	}
	return (z_spt_has(e, Z_SPT_ACCESSED) ? (unsigned int)Z_INFO_ACCESSED : 0U) |
	       (z_spt_has(e, Z_SPT_DIRTY) ? (unsigned int)Z_INFO_DIRTY : 0U);
}

/* Not present before and after: no shoot-down. */
static void hold(void *ctx, uintptr_t va, z_phys_t phys)
{
	(void)ctx;
	(void)template_pte_swap(va, z_spt_move(template_pte_read(va), Z_ENTRY_HELD, phys.v));
}

/* Accessed clear. If a page can hold code: make the instruction caches see it, here. */
static size_t attach(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		z_spt_t e = z_spt_move(template_pte_read(ops[i].va), Z_ENTRY_IN, ops[i].phys.v);

		e = as == Z_ATTACH_DIRTY ? z_spt_with(e, Z_SPT_DIRTY) : e;
		(void)template_pte_swap(ops[i].va, e);
		ops[i].status = 0;
	}
	return 0;
}

/* The old entry of the exchange, after the shoot-down, has the final dirty bit. */
static size_t detach(void *ctx, struct z_page_op *ops, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		z_spt_t e = template_pte_read(ops[i].va);
		z_spt_t was =
			template_pte_swap(ops[i].va, z_spt_move(e, Z_ENTRY_HELD, ops[i].phys.v));

		ops[i].dirty = z_spt_has(was, Z_SPT_DIRTY);
		ops[i].status = 0;
	}
	for (size_t i = 0; i < n; i++) {
		template_shootdown(ops[i].va);
	}
	return 0;
}

/* Also takes an OUT entry, to forget its page. */
static void release(void *ctx, struct z_page_op *ops, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		z_spt_t e = template_pte_read(ops[i].va);

		e = ops[i].untouched ? z_spt_move(e, Z_ENTRY_UNTOUCHED, 0)
				     : z_spt_move(e, Z_ENTRY_OUT, ops[i].loc.v);
		(void)template_pte_swap(ops[i].va, e);
	}
}

/* No pager lock. A port that maps all RAM returns that address, and says more scratch_slots. */
static void *scratch(void *ctx, uintptr_t va, z_phys_t phys, enum z_scratch_use use)
{
	(void)ctx;
	(void)va;
	(void)use;
	return template_scratch_map(phys);
}

/* A stray pointer faults from here on. */
static void scratch_done(void *ctx, uintptr_t va, z_phys_t phys, void *mapping,
			 enum z_scratch_use use)
{
	(void)ctx;
	(void)va;
	(void)phys;
	(void)mapping;
	(void)use;
	template_scratch_unmap();
}

/* With hardware bits only a stale TLB gets here; without them this is what makes them. */
static void touch(void *ctx, uintptr_t va, unsigned int access)
{
	(void)ctx;
	template_pte_update(va, 0,
			    Z_SPT_ACCESSED |
				    ((access & Z_ACCESS_WRITE) != 0 ? Z_SPT_DIRTY : (uint64_t)0));
	template_shootdown(va);
}

static z_key_t lock(void *ctx)
{
	z_key_t key = template_irq_lock();

	(void)ctx;
	template_spin_lock();
	return key;
}

static void unlock(void *ctx, z_key_t key)
{
	(void)ctx;
	template_spin_unlock();
	template_irq_restore(key);
}

/*
 * A wake between the unlock and the sleep must not be lost: the scheduler has to put the caller on
 * the channel's list first. Returning early is allowed.
 */
static z_key_t wait(void *ctx, const void *channel, z_key_t key)
{
	(void)ctx;
	template_spin_unlock();
	template_sleep(channel);
	template_spin_lock();
	return key;
}

static void wake(void *ctx, const void *channel)
{
	(void)ctx;
	template_wake(channel);
}

static bool in_isr(void *ctx)
{
	(void)ctx;
	return template_in_isr();
}

static uint64_t now(void *ctx)
{
	(void)ctx;
	return template_nanoseconds();
}

static bool irqs_locked(void *ctx)
{
	(void)ctx;
	return !template_irqs_on();
}

const struct z_arch_ops z_template_arch = {
	.name = "template",
	.caps = Z_ARCH_ACCESSED,
	.scratch_slots = 1,
	.map = map,
	.unmap = unmap,
	.protect = protect,
	.entry = entry,
	.info = info,
	.hold = hold,
	.attach = attach,
	.detach = detach,
	.release = release,
	.scratch = scratch,
	.scratch_done = scratch_done,
	.touch = touch,
};

const struct z_env_ops z_template_env = {
	.lock = lock,
	.unlock = unlock,
	.wait = wait,
	.wake = wake,
	.in_isr = in_isr,
	.now = now,
	.irqs_locked = irqs_locked,
};
