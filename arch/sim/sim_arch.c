/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_arch.c - the hooks of z_arch_ops on the simulated page table, each with a check of how the
 * core uses it.
 *
 * A call that breaks the contract is recorded and, as far as that makes sense, not carried out, so
 * that one mistake gives one clear text and not a crash of the simulator.
 *
 * detach: the entries lose their present state first, keeping the dirty bit; then the shoot-down;
 * then the bit is read. A CPU that writes in between through a dirty copy changes a page that is
 * reported dirty anyway; through a clean copy it walks, and faults.
 *
 * Locks: all under the pager lock, except scratch (sim_scratch.c), place and vacate.
 */
#include "sim_internal.h"

static const char *const kind_names[] = {
	[Z_ENTRY_UNMAPPED] = "UNMAPPED", [Z_ENTRY_UNTOUCHED] = "UNTOUCHED",
	[Z_ENTRY_OUT] = "OUT",           [Z_ENTRY_IN] = "IN",
	[Z_ENTRY_HELD] = "HELD",
};

void sim_hook(struct z_sim *sim)
{
	sim->counters.hooks++;
	sim_pass(sim, sim->config.hook_ns);
	z_sim_yield(sim);
}

/* The shared pre-conditions: lock held, interrupts off, page-aligned, inside the window. */
static bool hook_starts(struct z_sim *sim, const char *hook, uintptr_t va, size_t pages,
			size_t *page_out)
{
	sim_hook(sim);
	if (!z_sim_lock_held(sim)) {
		z_sim_error(sim, "%s(0x%zx): pager lock not held", hook, (size_t)va);
	}
	if (sim_current(sim)->irqs_on) {
		z_sim_error(sim, "%s(0x%zx): interrupts are on", hook, (size_t)va);
	}
	if (!z_is_page_aligned(va) || pages == 0) {
		z_sim_error(sim, "%s(0x%zx): %zu pages: not aligned, or none", hook, (size_t)va,
			    pages);
		return false;
	}
	if (!sim_page(sim, va, page_out) || pages > sim->config.vm_pages - *page_out) {
		z_sim_error(sim, "%s(0x%zx): %zu pages: outside of the window", hook, (size_t)va,
			    pages);
		return false;
	}
	return true;
}

static bool kind_is(struct z_sim *sim, const char *hook, size_t page, unsigned int allowed_kinds)
{
	enum z_entry_kind kind = z_spt_kind(sim->table[page]);

	if ((BIT(kind) & allowed_kinds) != 0) {
		return true;
	}
	z_sim_error(sim, "%s(page %zu): not allowed on an entry that is %s", hook, page,
		    kind_names[kind]);
	return false;
}

#define ANY_BUT_HELD                                                                               \
	(BIT(Z_ENTRY_UNMAPPED) | BIT(Z_ENTRY_UNTOUCHED) | BIT(Z_ENTRY_OUT) | BIT(Z_ENTRY_IN))
#define ANY_MAPPED (BIT(Z_ENTRY_UNTOUCHED) | BIT(Z_ENTRY_OUT) | BIT(Z_ENTRY_IN) | BIT(Z_ENTRY_HELD))

/* The frame belongs to no page any more. */
static void frame_give_up(struct z_sim *sim, size_t page)
{
	uint32_t frame = sim_frame(sim, z_phys(z_spt_address(sim->table[page])));

	sim->owner[frame] = 0;
	sim->frames_used--;
	sim_frame_junk(sim, frame);
}

static int hook_map(void *ctx, uintptr_t va, size_t pages, unsigned int prot)
{
	struct z_sim *sim = ctx;
	size_t first;
	int err;

	if (!hook_starts(sim, "map", va, pages, &first)) {
		return Z_ERR_INVAL;
	}
	if (prot > (Z_ACCESS_READ | Z_ACCESS_WRITE | Z_ACCESS_EXEC | Z_ACCESS_USER)) {
		z_sim_error(sim, "map: permissions 0x%x", prot);
	}
	err = sim_point_fails(sim, Z_SIM_POINT_MAP);
	if (err != 0) {
		return err;
	}
	for (size_t i = first; i < first + pages; i++) {
		if (kind_is(sim, "map", i, BIT(Z_ENTRY_UNMAPPED))) {
			sim->table[i] = z_spt_make(Z_ENTRY_UNTOUCHED, prot, 0);
		}
	}
	return 0;
}

/* The entry is gone for the walk; a frame stays with it until no TLB has it. */
static void unmap_begin(struct z_sim *sim, size_t page)
{
	bool in = z_spt_kind(sim->table[page]) == Z_ENTRY_IN;
	uintptr_t address = in ? z_spt_address(sim->table[page]) : 0;

	sim->table[page] = z_spt_make(Z_ENTRY_UNMAPPED, 0, address);
	if (in) {
		sim->table[page] = z_spt_with(sim->table[page], SIM_DETACHED);
	}
}

static void unmap_end(struct z_sim *sim, size_t page)
{
	if (z_spt_kind(sim->table[page]) == Z_ENTRY_UNMAPPED &&
	    z_spt_has(sim->table[page], SIM_DETACHED)) {
		frame_give_up(sim, page);
		sim->table[page] = z_spt_make(Z_ENTRY_UNMAPPED, 0, 0);
	}
}

static void hook_unmap(void *ctx, uintptr_t va, size_t pages)
{
	struct z_sim *sim = ctx;
	size_t first;

	if (!hook_starts(sim, "unmap", va, pages, &first)) {
		return;
	}
	for (size_t i = first; i < first + pages; i++) {
		if (kind_is(sim, "unmap", i, ANY_BUT_HELD)) {
			unmap_begin(sim, i);
		}
	}
	sim_shootdown_range(sim, first, pages);
	for (size_t i = first; i < first + pages; i++) {
		unmap_end(sim, i);
	}
}

static int hook_protect(void *ctx, uintptr_t va, size_t pages, unsigned int prot)
{
	struct z_sim *sim = ctx;
	size_t first;
	int err;

	if (!hook_starts(sim, "protect", va, pages, &first)) {
		return Z_ERR_INVAL;
	}
	err = sim_point_fails(sim, Z_SIM_POINT_PROTECT);
	if (err != 0) {
		return err;
	}
	for (size_t i = first; i < first + pages; i++) {
		if (kind_is(sim, "protect", i, ANY_MAPPED)) {
			sim->table[i] = z_spt_protect(sim->table[i], prot);
		}
	}
	sim_shootdown_range(sim, first, pages);
	return 0;
}

static struct z_entry hook_entry(void *ctx, uintptr_t va)
{
	struct z_sim *sim = ctx;
	size_t page;

	if (!hook_starts(sim, "entry", va, 1, &page)) {
		return (struct z_entry){.kind = Z_ENTRY_UNMAPPED};
	}
	return z_spt_entry(sim->table[page]);
}

static unsigned int hook_info(void *ctx, uintptr_t va, bool clear_accessed)
{
	struct z_sim *sim = ctx;
	unsigned int info;
	size_t page;

	if (!hook_starts(sim, "info", va, 1, &page) ||
	    !kind_is(sim, "info", page, BIT(Z_ENTRY_IN))) {
		return 0;
	}
	info = (z_spt_has(sim->table[page], Z_SPT_ACCESSED) ? (unsigned int)Z_INFO_ACCESSED : 0) |
	       (z_spt_has(sim->table[page], Z_SPT_DIRTY) ? (unsigned int)Z_INFO_DIRTY : 0);
	if (clear_accessed && (info & Z_INFO_ACCESSED) != 0) {
		sim->table[page] = z_spt_without(sim->table[page], Z_SPT_ACCESSED);
		sim_shootdown_range(sim, page, 1);
	}
	return info;
}

static void hook_hold(void *ctx, uintptr_t va, z_phys_t phys)
{
	struct z_sim *sim = ctx;
	uint32_t frame = sim_frame(sim, phys);
	size_t page;

	if (!hook_starts(sim, "hold", va, 1, &page) ||
	    !kind_is(sim, "hold", page, BIT(Z_ENTRY_UNTOUCHED) | BIT(Z_ENTRY_OUT))) {
		return;
	}
	if (sim->arch.prepare != NULL && z_spt_kind(sim->table[page]) == Z_ENTRY_UNTOUCHED &&
	    !z_spt_has(sim->table[page], SIM_PREPARED)) {
		z_sim_error(sim, "hold(page %zu): not prepared", page);
	}
	if (frame == SIM_NO_FRAME) {
		z_sim_error(sim, "hold(page %zu): 0x%zx is no frame", page, (size_t)phys.v);
		return;
	}
	if (sim->owner[frame] != 0) {
		z_sim_error(sim, "hold(page %zu): frame %u belongs to page %zu", page, frame,
			    sim->owner[frame] - 1);
		return;
	}
	sim->owner[frame] = page + 1;
	sim->frames_used++;
	sim_frame_junk(sim, frame);
	sim->table[page] = z_spt_move(sim->table[page], Z_ENTRY_HELD, phys.v);
}

/* The page of one op of a batch, and that its entry is of the kind, with the frame of the op. */
static bool op_page(struct z_sim *sim, const char *hook, const struct z_page_op *op,
		    enum z_entry_kind kind, size_t *page_out)
{
	if (!z_is_page_aligned(op->va) || !sim_page(sim, op->va, page_out)) {
		z_sim_error(sim, "%s(0x%zx): not aligned, or outside", hook, (size_t)op->va);
		return false;
	}
	if (!kind_is(sim, hook, *page_out, (unsigned int)BIT(kind))) {
		return false;
	}
	if (z_spt_address(sim->table[*page_out]) != op->phys.v) {
		z_sim_error(sim, "%s(page %zu): the frame is 0x%zx, not 0x%zx", hook, *page_out,
			    (size_t)z_spt_address(sim->table[*page_out]), (size_t)op->phys.v);
		return false;
	}
	return true;
}

static bool batch_starts(struct z_sim *sim, const char *hook, const struct z_page_op *ops, size_t n)
{
	size_t page;

	if (n == 0) {
		z_sim_error(sim, "%s: an empty batch", hook);
		return false;
	}
	return hook_starts(sim, hook, ops[0].va, 1, &page);
}

static size_t hook_attach(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as)
{
	struct z_sim *sim = ctx;
	size_t failed = 0;
	size_t page;

	if (!batch_starts(sim, "attach", ops, n)) {
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		ops[i].status = 0;
		if (!op_page(sim, "attach", &ops[i], Z_ENTRY_HELD, &page)) {
			continue;
		}
		if (z_spt_has(sim->table[page], SIM_VACATED)) {
			z_sim_error(sim, "attach(page %zu): its frame was vacated", page);
		}
		if (!z_spt_has(sim->table[page], SIM_DETACHED) &&
		    !z_spt_has(sim->table[page], SIM_PLACED)) {
			ops[i].status = sim_point_fails(sim, Z_SIM_POINT_ATTACH);
		}
		if (ops[i].status != 0) {
			failed++;
			continue;
		}
		sim->table[page] = z_spt_move(sim->table[page], Z_ENTRY_IN, ops[i].phys.v);
		if (as == Z_ATTACH_DIRTY) {
			sim->table[page] = z_spt_with(sim->table[page], Z_SPT_DIRTY);
		}
	}
	return failed;
}

static size_t hook_detach(void *ctx, struct z_page_op *ops, size_t n)
{
	struct z_sim *sim = ctx;
	size_t failed = 0;
	size_t page;

	if (!batch_starts(sim, "detach", ops, n)) {
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		ops[i].status = Z_ERR_INVAL;
		if (!op_page(sim, "detach", &ops[i], Z_ENTRY_IN, &page)) {
			continue;
		}
		ops[i].status = sim_point_fails(sim, Z_SIM_POINT_DETACH);
		if (ops[i].status != 0) {
			failed++;
			continue;
		}
		sim->table[page].v = (sim->table[page].v & ~Z_SPT_KIND) | (uint64_t)Z_ENTRY_HELD;
	}
	sim_pass(sim, sim->config.detach_ns);
	sim_shootdown_ops(sim, ops, n);
	for (size_t i = 0; i < n; i++) {
		if (ops[i].status == 0 && sim_page(sim, ops[i].va, &page)) {
			ops[i].dirty = z_spt_has(sim->table[page], Z_SPT_DIRTY);
			sim->table[page] = z_spt_without(sim->table[page], Z_SPT_FLAGS);
			sim->table[page] = z_spt_with(sim->table[page], SIM_DETACHED);
		}
	}
	return failed;
}

/* What an entry was prepared with it keeps. */
static z_spt_t untouched_again(z_spt_t e)
{
	return z_spt_with(z_spt_move(e, Z_ENTRY_UNTOUCHED, 0), SIM_PREPARED);
}

/* A page that is out may be forgotten without ever having a frame. */
static bool forget_out(struct z_sim *sim, const struct z_page_op *op)
{
	size_t page;

	if (!op->untouched || !z_is_page_aligned(op->va) || !sim_page(sim, op->va, &page) ||
	    z_spt_kind(sim->table[page]) != Z_ENTRY_OUT) {
		return false;
	}
	sim->table[page] = untouched_again(sim->table[page]);
	return true;
}

static void hook_release(void *ctx, struct z_page_op *ops, size_t n)
{
	struct z_sim *sim = ctx;
	size_t page;

	if (!batch_starts(sim, "release", ops, n)) {
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (forget_out(sim, &ops[i]) ||
		    !op_page(sim, "release", &ops[i], Z_ENTRY_HELD, &page)) {
			continue;
		}
		if (sim->arch.vacate != NULL && z_spt_has(sim->table[page], SIM_DETACHED) &&
		    !z_spt_has(sim->table[page], SIM_VACATED)) {
			z_sim_error(sim, "release(page %zu): not vacated", page);
		}
		if (!ops[i].untouched && !z_is_page_aligned(ops[i].loc.v)) {
			z_sim_error(sim, "release(page %zu): location 0x%zx is not page-aligned",
				    page, (size_t)ops[i].loc.v);
		}
		frame_give_up(sim, page);
		sim->table[page] = ops[i].untouched ? untouched_again(sim->table[page])
						    : z_spt_move(sim->table[page], Z_ENTRY_OUT,
								 z_page_align_down(ops[i].loc.v));
	}
}

/* With or without the lock; what fails here does not fail in attach. */
static size_t hook_place(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as)
{
	struct z_sim *sim = ctx;
	size_t failed = 0;
	size_t page;

	(void)as;
	sim_pass(sim, n * sim->config.place_ns);
	sim_hook(sim);
	for (size_t i = 0; i < n; i++) {
		if (!op_page(sim, "place", &ops[i], Z_ENTRY_HELD, &page)) {
			continue;
		}
		if (z_spt_has(sim->table[page], SIM_DETACHED)) {
			z_sim_error(sim, "place(page %zu): it is leaving", page);
		}
		ops[i].status = sim_point_fails(sim, Z_SIM_POINT_ATTACH);
		failed += ops[i].status != 0;
		if (ops[i].status == 0) {
			sim->table[page] = z_spt_with(sim->table[page], SIM_PLACED);
		}
	}
	return failed;
}

/* With or without the lock; whoever reads the frame afterwards finds junk. */
static void hook_vacate(void *ctx, const struct z_page_op *ops, size_t n)
{
	struct z_sim *sim = ctx;
	size_t page;

	sim_pass(sim, n * sim->config.vacate_ns);
	sim_hook(sim);
	for (size_t i = 0; i < n; i++) {
		if (!op_page(sim, "vacate", &ops[i], Z_ENTRY_HELD, &page)) {
			continue;
		}
		if (!z_spt_has(sim->table[page], SIM_DETACHED)) {
			z_sim_error(sim, "vacate(page %zu): it is not leaving", page);
		}
		sim_frame_junk(sim, sim_frame(sim, ops[i].phys));
		sim->table[page] = z_spt_with(sim->table[page], SIM_VACATED);
	}
}

static int hook_prepare(void *ctx, uintptr_t va, size_t pages)
{
	struct z_sim *sim = ctx;
	size_t first;
	int err;

	if (!hook_starts(sim, "prepare", va, pages, &first)) {
		return Z_ERR_INVAL;
	}
	err = sim_point_fails(sim, Z_SIM_POINT_PREPARE);
	for (size_t i = first; i < first + pages && err == 0; i++) {
		if (kind_is(sim, "prepare", i, ANY_MAPPED) &&
		    z_spt_kind(sim->table[i]) == Z_ENTRY_UNTOUCHED) {
			sim->table[i] = z_spt_with(sim->table[i], SIM_PREPARED);
		}
	}
	return err;
}

/* Those that were never prepared, as a port knows that has no memory for them yet. */
static size_t hook_untouched(void *ctx, uintptr_t va, size_t pages)
{
	struct z_sim *sim = ctx;
	size_t first;
	size_t n = 0;

	if (!hook_starts(sim, "untouched", va, pages, &first)) {
		return 0;
	}
	while (n < pages && z_spt_kind(sim->table[first + n]) == Z_ENTRY_UNTOUCHED &&
	       !z_spt_has(sim->table[first + n], SIM_PREPARED)) {
		n++;
	}
	return n;
}

static void hook_touch(void *ctx, uintptr_t va, unsigned int access)
{
	struct z_sim *sim = ctx;
	size_t page;

	if (!hook_starts(sim, "touch", va, 1, &page) ||
	    !kind_is(sim, "touch", page, BIT(Z_ENTRY_IN))) {
		return;
	}
	if ((access & ~z_spt_prot(sim->table[page])) != 0) {
		z_sim_error(sim, "touch(page %zu): permissions 0x%x forbid 0x%x", page,
			    z_spt_prot(sim->table[page]), access);
		return;
	}
	sim->table[page] = z_spt_with(sim->table[page], Z_SPT_ACCESSED);
	if ((access & Z_ACCESS_WRITE) != 0) {
		sim->table[page] = z_spt_with(sim->table[page], Z_SPT_DIRTY);
	}
	sim_tlb_drop(sim_current(sim), page);
}

void sim_arch_init(struct z_sim *sim)
{
	sim->arch = (struct z_arch_ops){
		.name = sim->config.soft_ad ? "sim-soft" : "sim",
		.caps = (sim->config.soft_ad ? 0U : (unsigned int)Z_ARCH_ACCESSED) |
			(sim->config.direct_save ? (unsigned int)Z_ARCH_DIRECT_SAVE : 0U),
		.scratch_slots = sim->config.scratch_slots,
		.map = hook_map,
		.unmap = hook_unmap,
		.protect = hook_protect,
		.entry = hook_entry,
		.info = hook_info,
		.hold = hook_hold,
		.attach = hook_attach,
		.detach = hook_detach,
		.release = hook_release,
		.scratch = sim_scratch,
		.scratch_done = sim_scratch_done,
		.touch = hook_touch,
		.place = sim->config.direct_save ? hook_place : NULL,
		.vacate = sim->config.direct_save ? hook_vacate : NULL,
		.prepare = sim->config.direct_save ? hook_prepare : NULL,
		.untouched = sim->config.direct_save ? hook_untouched : NULL,
	};
}

const struct z_arch_ops *z_sim_arch(struct z_sim *sim)
{
	return &sim->arch;
}
