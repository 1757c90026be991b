/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmu.c - the hooks of arch.h on Sv39 page tables, and the kernel's own mappings.
 *
 * Theory. One root table, three levels, leaves of 4 KiB only. The kernel is mapped where it lies
 * (physical = virtual), each part with what it needs and no more; the page frames for paging are
 * not mapped at all but in the window and, one at a time, at Z_SCRATCH_PAGE. All tables come from a
 * static pool that is filled at start-up, so no hook allocates and map cannot fail.
 *
 * Every change of an entry of the window is one atomic instruction, because the hardware may set A
 * and D at any time: an exchange where the old word does not matter for the new one, a
 * compare-and-swap where it does. Whoever takes access away exchanges first, then fences, and
 * reports the dirty bit of the word that the exchange gave: a hart that still has the translation
 * may write through it until the fence, but only if it had set D before; without D it has to look
 * at the entry again, and finds it gone.
 *
 * An entry that comes into use is fenced on this hart: the architecture allows it to remember that the
 * entry was not valid. Another hart that does faults once more, which the core answers by touch.
 *
 * Locks: the pager lock, in all hooks but scratch. Turns at the one scratch mapping are the core's.
 * Limits: one set of tables for all harts and for user mode.
 */
#include "mmu.h"

#include <zpager/mmu.h>

#include "../common/port.h"
#include "board.h"
#include "cpu.h"

#define ENTRIES      512U
#define LEAF_SPAN    ((uintptr_t)ENTRIES * Z_PAGE_SIZE)
#define FENCE_SINGLY 32U

/* Those of the kernel's RAM; root, those of devices, and those between the root and the window's leaves. */
#define RAM_BYTES     (CONFIG_SRAM_BASE - 0x80000000)
#define TABLES        (24U + RAM_BYTES / LEAF_SPAN)
#define WINDOW_TABLES ((CONFIG_KERNEL_VM_SIZE + LEAF_SPAN - 1) / LEAF_SPAN)

#define KERNEL_CODE  (PTE_R | PTE_X | PTE_A | PTE_D)
#define KERNEL_CONST (PTE_R | PTE_A | PTE_D)
#define KERNEL_DATA  (PTE_R | PTE_W | PTE_A | PTE_D)

typedef pte_t table_t[ENTRIES];

/* fresh: the entry of a page that comes in, less its address; by permissions, clean and dirty. */
struct mmu {
	bool soft_ad;
	pte_t fresh[2][PTE_PROT_COUNT];
};

extern char link_text[], link_text_end[], link_rodata[], link_rodata_end[], link_data[],
	link_data_end[], link_stack[], link_stack_end[], link_end[];

static table_t tables[TABLES] __attribute__((aligned(4096))); /* [I] which is where */
static unsigned int tables_used = 1;                          /* the first is the root */

/* The leaf tables of the window, one behind the other: the entry of a page needs no walk. */
static pte_t window_entries[WINDOW_TABLES * ENTRIES] __attribute__((aligned(4096)));

_Static_assert(CONFIG_KERNEL_VM_BASE % LEAF_SPAN == 0, "the window begins with a leaf table");

const uintptr_t mmu_scratch_page = (uintptr_t)Z_SCRATCH_PAGE;

static struct mmu by_hardware;
static struct mmu by_faults = {.soft_ad = true};

/* ---- tables ---------------------------------------------------------------------------------- */

static unsigned int index_at(uintptr_t va, unsigned int level)
{
	return (unsigned int)(va >> (12 + 9 * level)) % ENTRIES;
}

/*
 * The entry of an address in a table of the given level (0: the leaf), NULL if there is no table.
 * grow: make the tables on the way; only at start-up.
 */
static pte_t *walk(uintptr_t va, unsigned int to_level, bool grow)
{
	pte_t *table = tables[0];

	for (unsigned int level = 2; level > to_level; level--) {
		pte_t *e = &table[index_at(va, level)];

		if ((*e & PTE_V) == 0) {
			if (!grow || tables_used == TABLES)
				return NULL;
			*e = pte_table((uintptr_t)tables[tables_used++]);
		}
		table = (pte_t *)pte_phys(*e);
	}
	return &table[index_at(va, to_level)];
}

/*
 * The entry of a page of the window, or of the scratch page behind it. The address is page-aligned, and the
 * table as far behind the place of address 0 as a constant says: a shift and an addition.
 */
static pte_t *window(uintptr_t va)
{
	uintptr_t first = CONFIG_KERNEL_VM_BASE / Z_PAGE_SIZE * sizeof(pte_t);

	return (pte_t *)((uintptr_t)window_entries - first + va / Z_PAGE_SIZE * sizeof(pte_t));
}

static pte_t read_slot(const pte_t *slot)
{
	return __atomic_load_n(slot, __ATOMIC_RELAXED);
}

static pte_t read_pte(uintptr_t va)
{
	return read_slot(window(va));
}

/* Which of the two is meant tells the kind. */
static struct z_entry entry_of(pte_t pte)
{
	struct pte_view v = pte_view(pte);

	return (struct z_entry){
		.kind = v.kind, .prot = v.prot, .phys = z_phys(v.address), .loc = z_loc(v.address)};
}

/*
 * Release: what was put into the frame is there before the entry. Acquire: what follows is behind the change,
 * above all the fence and the look at which harts run; a hart that is not seen there reads the entry
 * after it.
 */
static pte_t swap_slot(pte_t *slot, pte_t e)
{
	return __atomic_exchange_n(slot, e, __ATOMIC_ACQ_REL);
}

static pte_t swap_pte(uintptr_t va, pte_t e)
{
	return swap_slot(window(va), e);
}

struct z_entry z_port_entry(uintptr_t va)
{
	return entry_of(read_pte(va));
}

struct z_port_mapping z_port_mapping(uintptr_t va)
{
	pte_t e = mmu_pte(va);
	struct pte_view v = pte_view(e);

	return (struct z_port_mapping){
		.present = (e & PTE_V) != 0, .prot = v.prot, .phys = v.address};
}

pte_t mmu_pte(uintptr_t va)
{
	intptr_t upper = (intptr_t)va >> 38;
	pte_t *e = upper == 0 || upper == -1 ? walk(va, 0, false) : NULL;

	return e != NULL ? __atomic_load_n(e, __ATOMIC_RELAXED) : 0;
}

bool mmu_forbids(uintptr_t va, unsigned int access, bool supervisor, bool sum)
{
	bool of_window = va - CONFIG_KERNEL_VM_BASE < CONFIG_KERNEL_VM_SIZE;
	pte_t e = of_window ? read_pte(z_page_align_down(va)) : mmu_pte(va);

	return pte_is_in(e) && pte_forbids(e, access, supervisor, sum);
}

/* This hart looks at these entries anew. */
static void fence(uintptr_t va, size_t pages)
{
	if (pages > FENCE_SINGLY) {
		cpu_fence_all();
		return;
	}
	for (size_t i = 0; i < pages; i++)
		cpu_fence_page(va + i * Z_PAGE_SIZE);
}

/* On return no hart acts on the old entries of these pages any more. */
static void shootdown(uintptr_t va, size_t pages)
{
	fence(va, pages);
	board_fence_others(va, pages);
}

/* What was written as data is fetched as instructions from here on, by every hart. */
static void fence_code(void)
{
	cpu_fence_code();
	board_fence_code_of_others();
}

/* ---- hooks ------------------------------------------------------------------------------------ */

static int hook_map(void *ctx, uintptr_t va, size_t pages, unsigned int prot)
{
	struct pte_view v = {.kind = Z_ENTRY_UNTOUCHED, .prot = prot};

	(void)ctx;
	for (size_t i = 0; i < pages; i++)
		(void)swap_pte(va + i * Z_PAGE_SIZE, pte_make(v, false));
	return Z_OK;
}

static void hook_unmap(void *ctx, uintptr_t va, size_t pages)
{
	(void)ctx;
	for (size_t i = 0; i < pages; i++)
		(void)swap_pte(va + i * Z_PAGE_SIZE, 0);
	shootdown(va, pages);
}

/* The hardware may set A and D between the look and the change: then look again. */
static void protect_one(const struct mmu *mmu, uintptr_t va, unsigned int prot)
{
	pte_t *slot = window(va);
	pte_t old = __atomic_load_n(slot, __ATOMIC_RELAXED);
	pte_t new;

	do {
		struct pte_view v = pte_view(old);

		v.prot = prot;
		new = pte_make(v, mmu->soft_ad);
	} while (!__atomic_compare_exchange_n(slot, &old, new, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
}

static int hook_protect(void *ctx, uintptr_t va, size_t pages, unsigned int prot)
{
	for (size_t i = 0; i < pages; i++)
		protect_one(ctx, va + i * Z_PAGE_SIZE, prot);
	shootdown(va, pages);
	if ((prot & Z_ACCESS_EXEC) != 0)
		fence_code();
	return Z_OK;
}

static struct z_entry hook_entry(void *ctx, uintptr_t va)
{
	(void)ctx;
	return entry_of(read_pte(va));
}

/*
 * By faults nobody else changes the entry; by hardware A is cleared alone, by one instruction. Another
 * hart that still has the translation may use the page unseen for a while, and change nothing
 * that it could not have changed before.
 */
static void forget_accessed(const struct mmu *mmu, uintptr_t va)
{
	struct pte_view v;

	if (mmu->soft_ad) {
		v = pte_view(read_pte(va));
		v.accessed = false;
		(void)swap_pte(va, pte_make(v, true));
	} else {
		(void)__atomic_fetch_and(window(va), ~PTE_A, __ATOMIC_SEQ_CST);
	}
	fence(va, 1);
}

static unsigned int hook_info(void *ctx, uintptr_t va, bool clear_accessed)
{
	pte_t e = read_pte(va);

	if (clear_accessed && (e & PTE_A) != 0)
		forget_accessed(ctx, va);
	return ((e & PTE_A) != 0 ? (unsigned int)Z_INFO_ACCESSED : 0U) |
	       ((e & PTE_D) != 0 ? (unsigned int)Z_INFO_DIRTY : 0U);
}

static void hook_hold(void *ctx, uintptr_t va, z_phys_t phys)
{
	pte_t *slot = window(va);

	(void)ctx;
	(void)swap_slot(slot, pte_move(read_slot(slot), Z_ENTRY_HELD, phys.v));
}

static size_t hook_attach(void *ctx, struct z_page_op *ops, size_t n, enum z_attach_as as)
{
	const pte_t *fresh = ((const struct mmu *)ctx)->fresh[as == Z_ATTACH_DIRTY];
	pte_t bits = 0;

	for (size_t i = 0; i < n; i++) {
		pte_t *slot = window(ops[i].va);
		pte_t prot = read_slot(slot) & PTE_PROT;

		(void)swap_slot(slot,
				pte_with_address(fresh[prot >> PTE_PROT_SHIFT], ops[i].phys.v));
		fence(ops[i].va, 1);
		bits |= prot;
		ops[i].status = Z_OK;
	}
	if ((bits & PTE_X) != 0)
		fence_code();
	return 0;
}

static void shootdown_ops(const struct z_page_op *ops, size_t n)
{
	if (n == 1) {
		shootdown(ops[0].va, 1);
		return;
	}
	for (size_t i = 0; i < n; i++)
		fence(ops[i].va, 1);
	board_fence_others(0, SIZE_MAX / Z_PAGE_SIZE);
}

static size_t hook_detach(void *ctx, struct z_page_op *ops, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		pte_t *slot = window(ops[i].va);
		pte_t held = pte_move(pte_asked(read_slot(slot)), Z_ENTRY_HELD, ops[i].phys.v);

		ops[i].dirty = (swap_slot(slot, held) & PTE_D) != 0;
		ops[i].status = Z_OK;
	}
	shootdown_ops(ops, n);
	return 0;
}

/* Not present before and after. */
static void hook_release(void *ctx, struct z_page_op *ops, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		pte_t *slot = window(ops[i].va);
		pte_t old = read_slot(slot);

		(void)swap_slot(slot, ops[i].untouched ? pte_move(old, Z_ENTRY_UNTOUCHED, 0)
						       : pte_move(old, Z_ENTRY_OUT, ops[i].loc.v));
	}
}

static void *hook_scratch(void *ctx, uintptr_t va, z_phys_t phys, enum z_scratch_use use)
{
	(void)ctx;
	(void)va;
	(void)use;
	(void)swap_pte((uintptr_t)Z_SCRATCH_PAGE, pte_leaf(phys.v, KERNEL_DATA));
	fence((uintptr_t)Z_SCRATCH_PAGE, 1);
	return Z_SCRATCH_PAGE;
}

/*
 * Gone when it is not in use: a stray pointer faults. Fenced on this hart only: a thread that goes on on
 * another has that one's translation forgotten by the switch (trap.S).
 */
static void hook_scratch_done(void *ctx, uintptr_t va, z_phys_t phys, void *mapping,
			      enum z_scratch_use use)
{
	(void)ctx;
	(void)va;
	(void)phys;
	(void)use;
	(void)swap_pte((uintptr_t)mapping, 0);
	fence((uintptr_t)mapping, 1);
}

static void touch_softly(uintptr_t va, bool write)
{
	struct pte_view v = pte_view(read_pte(va));

	v.accessed = true;
	v.dirty = v.dirty || write;
	(void)swap_pte(va, pte_make(v, true));
}

static void hook_touch(void *ctx, uintptr_t va, unsigned int access)
{
	const struct mmu *mmu = ctx;
	bool write = (access & Z_ACCESS_WRITE) != 0;

	if (mmu->soft_ad)
		touch_softly(va, write);
	else
		(void)__atomic_fetch_or(window(va), PTE_A | (write ? PTE_D : 0), __ATOMIC_SEQ_CST);
	fence(va, 1);
}

static const struct z_arch_ops arch_ops = {
	.name = "riscv64",
	.caps = Z_ARCH_TOUCH_LOADED,
	.scratch_slots = 1,
	.map = hook_map,
	.unmap = hook_unmap,
	.protect = hook_protect,
	.entry = hook_entry,
	.info = hook_info,
	.hold = hook_hold,
	.attach = hook_attach,
	.detach = hook_detach,
	.release = hook_release,
	.scratch = hook_scratch,
	.scratch_done = hook_scratch_done,
	.touch = hook_touch,
};

static struct mmu *prepared(struct mmu *mmu)
{
	for (unsigned int prot = 0; prot < PTE_PROT_COUNT; prot++) {
		struct pte_view v = {.kind = Z_ENTRY_IN, .prot = prot};

		mmu->fresh[false][prot] = pte_make(v, mmu->soft_ad);
		v.dirty = true;
		mmu->fresh[true][prot] = pte_make(v, mmu->soft_ad);
	}
	return mmu;
}

const struct z_arch_ops *z_port_arch(bool soft_ad, void **ctx_out)
{
	static struct z_arch_ops with_hardware_bits;

	*ctx_out = prepared(soft_ad ? &by_faults : &by_hardware);
	if (soft_ad || !z_port_ad())
		return &arch_ops;
	with_hardware_bits = arch_ops;
	with_hardware_bits.caps = Z_ARCH_ACCESSED;
	return &with_hardware_bits;
}

/* ---- start-up --------------------------------------------------------------------------------- */

static pte_t *grow_to(uintptr_t va, unsigned int level)
{
	pte_t *e = walk(va, level, true);

	if (e == NULL)
		kernel_panic("the pool of page tables is too small", NULL);
	return e;
}

static void map_kernel(const char *begin, const char *end, pte_t bits)
{
	for (uintptr_t va = (uintptr_t)begin; va < (uintptr_t)end; va += Z_PAGE_SIZE)
		*grow_to(va, 0) = pte_leaf(va, bits | PTE_G);
}

void mmu_start_hart(void)
{
	CSR_WRITE(satp, SATP_SV39 | ((uintptr_t)tables[0] >> 12));
	cpu_fence_all();
}

void mmu_start(uintptr_t ram_end, const struct mmu_device *devices, size_t n)
{
	map_kernel(link_text, link_text_end, KERNEL_CODE);
	map_kernel(link_rodata, link_rodata_end, KERNEL_CONST);
	map_kernel(link_data, link_data_end, KERNEL_DATA);
	map_kernel(link_stack, link_stack_end, KERNEL_DATA);
	map_kernel(link_end, (const char *)ram_end, KERNEL_DATA);
	for (size_t i = 0; i < n; i++)
		map_kernel((const char *)devices[i].base,
			   (const char *)(devices[i].base + devices[i].bytes), KERNEL_DATA);
	for (uintptr_t i = 0; i < WINDOW_TABLES; i++)
		*grow_to(CONFIG_KERNEL_VM_BASE + i * LEAF_SPAN, 1) =
			pte_table((uintptr_t)&window_entries[i * ENTRIES]);
	mmu_start_hart();
}

/* The scratch page shows some frame; the probe survives the fault of hardware that keeps no bits. */
bool mmu_keeps_ad(void)
{
	uintptr_t va = (uintptr_t)Z_SCRATCH_PAGE;
	unsigned char byte = 0;
	unsigned int result;
	pte_t e;

	(void)swap_pte(va, pte_leaf(Z_PHYS_RAM_START, PTE_R | PTE_W));
	shootdown(va, 1);
	result = z_port_probe(va, Z_ACCESS_WRITE, &byte);
	e = swap_pte(va, 0);
	shootdown(va, 1);
	return result == Z_PROBE_OK && (e & (PTE_A | PTE_D)) == (PTE_A | PTE_D);
}
