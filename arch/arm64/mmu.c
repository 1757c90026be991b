/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmu.c - the hooks of arch.h on page tables of 4 KiB granules, and the kernel's own mappings.
 *
 * Theory. One root table, three levels, leaves of 4 KiB only. The kernel is mapped where it lies
 * (physical = virtual), each part with what it needs and no more; the page frames for paging are
 * not mapped at all but in the window and, one at a time, at Z_SCRATCH_PAGE and at CODE_PAGE. All
 * tables come from a static pool that is filled at start-up, so no hook allocates and map cannot fail.
 *
 * Every change of an entry of the window is one atomic instruction, because the hardware may set AF
 * and clear the read-only bit at any time: an exchange where the old word does not matter for the new
 * one, a compare-and-swap where it does. Whoever takes access away exchanges first, then invalidates the
 * translations, and reports the dirty bit of the word that the exchange gave: a CPU that still has
 * the translation may write through it until then, but only if it was dirty before; if not it has to
 * change the entry first, and finds it gone. Invalidation is by broadcast, and over on every CPU when
 * the barrier behind it is.
 *
 * An entry changes its frame only by way of one that is not valid and was invalidated as such, so no CPU
 * ever holds two translations of a page. An entry that was not valid is in no cache of translations; a
 * barrier makes the new one visible.
 *
 * Code. What was written to a frame lies in the data cache, and instructions are fetched past it. Before
 * a page that may be executed comes into use the lines of its frame are written back, through CODE_PAGE,
 * as the page itself may be read-only, or not accessed yet; then all CPUs forget what they fetched.
 *
 * Locks: the pager lock, in all hooks but scratch. Turns at the one scratch mapping are the core's.
 * Limits: one set of tables for all CPUs and for user mode.
 */
#include "mmu.h"

#include <zpager/mmu.h>

#include "../common/port.h"
#include "cpu.h"

#define ENTRIES      512U
#define LEAF_SPAN    ((uintptr_t)ENTRIES * Z_PAGE_SIZE)
#define FENCE_SINGLY 32U

/* Those of the kernel's RAM; root, those of devices, and those between the root and the window's leaves. */
#define RAM_BYTES     (CONFIG_SRAM_BASE - 0x40000000)
#define TABLES        (16U + RAM_BYTES / LEAF_SPAN)
#define WINDOW_TABLES ((CONFIG_KERNEL_VM_SIZE + LEAF_SPAN - 1) / LEAF_SPAN)

/* A mapping of the port's own, behind the window; pager lock. */
#define CODE_PAGE ((uintptr_t)CONFIG_KERNEL_VM_BASE + WINDOW_TABLES * LEAF_SPAN)

#define KERNEL_CODE  (Z_ACCESS_READ | Z_ACCESS_EXEC)
#define KERNEL_CONST Z_ACCESS_READ
#define KERNEL_DATA  (Z_ACCESS_READ | Z_ACCESS_WRITE)

typedef pte_t table_t[ENTRIES];

/* fresh: the entry of a page that comes in, less its address; by permissions, clean and dirty. */
struct mmu {
	enum pte_ad ad;
	pte_t fresh[2][PTE_PROT_COUNT];
};

extern char link_text[], link_text_end[], link_rodata[], link_rodata_end[], link_data[],
	link_data_end[], link_stack[], link_stack_end[], link_end[];

/* boot.S knows it. [I] which is where */
extern table_t mmu_tables[TABLES];
table_t mmu_tables[TABLES] __attribute__((aligned(4096)));

static unsigned int tables_used = 1; /* the first is the root */
static pte_t *code_slot;             /* [I] of CODE_PAGE */

/* The leaf tables of the window, one behind the other: the entry of a page needs no walk. */
static pte_t window_entries[WINDOW_TABLES * ENTRIES] __attribute__((aligned(4096)));

_Static_assert(CONFIG_KERNEL_VM_BASE % LEAF_SPAN == 0, "the window begins with a leaf table");

static struct mmu by_hardware = {.ad = PTE_AD_HARDWARE};
static struct mmu by_faults = {.ad = PTE_AD_FAULTS};
static struct mmu by_withholding = {.ad = PTE_AD_WITHHOLD};

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
	pte_t *table = mmu_tables[0];

	for (unsigned int level = 2; level > to_level; level--) {
		pte_t *e = &table[index_at(va, level)];

		if ((*e & PTE_VALID) == 0) {
			if (!grow || tables_used == TABLES)
				return NULL;
			*e = pte_table((uintptr_t)mmu_tables[tables_used++]);
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

static pte_t swap_slot(pte_t *slot, pte_t e)
{
	return __atomic_exchange_n(slot, e, __ATOMIC_SEQ_CST);
}

static pte_t swap_pte(uintptr_t va, pte_t e)
{
	return swap_slot(window(va), e);
}

/* Which of the two is meant tells the kind. */
static struct z_entry entry_of(pte_t pte)
{
	struct pte_view v = pte_view(pte);

	return (struct z_entry){
		.kind = v.kind, .prot = v.prot, .phys = z_phys(v.address), .loc = z_loc(v.address)};
}

/* A page that is there, supervisor, with nothing left to be learned about it. */
static pte_t kernel_leaf(uintptr_t phys, unsigned int prot)
{
	struct pte_view v = {.kind = Z_ENTRY_IN,
			     .prot = prot,
			     .accessed = true,
			     .dirty = (prot & Z_ACCESS_WRITE) != 0,
			     .address = phys};

	return pte_make(v, PTE_AD_FAULTS);
}

pte_t mmu_pte(uintptr_t va)
{
	pte_t *e = va >> 39 == 0 ? walk(va, 0, false) : NULL;

	return e != NULL ? __atomic_load_n(e, __ATOMIC_RELAXED) : 0;
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
		.present = (e & PTE_VALID) != 0, .prot = v.prot, .phys = v.address};
}

bool mmu_forbids(uintptr_t va, unsigned int access, bool supervisor)
{
	bool of_window = va - CONFIG_KERNEL_VM_BASE < CONFIG_KERNEL_VM_SIZE;
	pte_t e = of_window ? read_pte(z_page_align_down(va)) : mmu_pte(va);

	return pte_is_in(e) && pte_forbids(e, access, supervisor);
}

/* On return nobody acts on the old entries of these pages any more. */
static void shootdown(uintptr_t va, size_t pages)
{
	cpu_tlb_begin();
	for (size_t i = 0; i < pages && pages <= FENCE_SINGLY; i++)
		cpu_tlb_page(va + i * Z_PAGE_SIZE);
	if (pages > FENCE_SINGLY)
		cpu_tlb_all();
	cpu_tlb_end();
}

/* ---- code ------------------------------------------------------------------------------------- */

/* What was written to a frame is fetched as instructions from here on, by every CPU. */
static void refresh_code(uintptr_t phys)
{
	unsigned long ctr = SYS_READ(ctr_el0);
	uintptr_t line = (uintptr_t)4 << CTR_DMINLINE(ctr);

	if ((ctr & CTR_IDC) == 0) {
		__atomic_store_n(code_slot, kernel_leaf(phys, KERNEL_CONST), __ATOMIC_RELAXED);
		cpu_entry_published();
		for (uintptr_t at = 0; at < Z_PAGE_SIZE; at += line)
			cpu_clean_line(CODE_PAGE + at);
		cpu_clean_done();
		__atomic_store_n(code_slot, 0, __ATOMIC_RELAXED);
		shootdown(CODE_PAGE, 1);
	}
	cpu_forget_code();
}

/* ---- hooks ------------------------------------------------------------------------------------ */

static int hook_map(void *ctx, uintptr_t va, size_t pages, unsigned int prot)
{
	struct pte_view v = {.kind = Z_ENTRY_UNTOUCHED, .prot = prot};

	(void)ctx;
	for (size_t i = 0; i < pages; i++)
		(void)swap_pte(va + i * Z_PAGE_SIZE, pte_make(v, PTE_AD_FAULTS));
	return Z_OK;
}

static void hook_unmap(void *ctx, uintptr_t va, size_t pages)
{
	(void)ctx;
	for (size_t i = 0; i < pages; i++)
		(void)swap_pte(va + i * Z_PAGE_SIZE, 0);
	shootdown(va, pages);
}

/* The hardware may change the entry between the look and the change: then look again. */
static void protect_one(const struct mmu *mmu, uintptr_t va, unsigned int prot)
{
	pte_t *slot = window(va);
	pte_t old = __atomic_load_n(slot, __ATOMIC_RELAXED);
	struct pte_view v;

	do {
		v = pte_view(old);
		v.prot = prot;
	} while (!__atomic_compare_exchange_n(slot, &old, pte_make(v, mmu->ad), false,
					      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	if (v.kind == Z_ENTRY_IN && (prot & Z_ACCESS_EXEC) != 0)
		refresh_code(v.address);
}

static int hook_protect(void *ctx, uintptr_t va, size_t pages, unsigned int prot)
{
	for (size_t i = 0; i < pages; i++)
		protect_one(ctx, va + i * Z_PAGE_SIZE, prot);
	shootdown(va, pages);
	return Z_OK;
}

static struct z_entry hook_entry(void *ctx, uintptr_t va)
{
	(void)ctx;
	return entry_of(read_pte(va));
}

/* By withholding nobody else changes the entry; else AF is cleared alone, by one instruction. */
static void forget_accessed(const struct mmu *mmu, uintptr_t va)
{
	struct pte_view v;

	if (mmu->ad == PTE_AD_WITHHOLD) {
		v = pte_view(read_pte(va));
		v.accessed = false;
		(void)swap_pte(va, pte_make(v, mmu->ad));
	} else {
		(void)__atomic_fetch_and(window(va), ~PTE_AF, __ATOMIC_SEQ_CST);
	}
	shootdown(va, 1);
}

static unsigned int hook_info(void *ctx, uintptr_t va, bool clear_accessed)
{
	pte_t e = read_pte(va);
	bool accessed = pte_accessed(e);

	if (clear_accessed && accessed)
		forget_accessed(ctx, va);
	return (accessed ? (unsigned int)Z_INFO_ACCESSED : 0U) |
	       (pte_dirty(e) ? (unsigned int)Z_INFO_DIRTY : 0U);
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

	for (size_t i = 0; i < n; i++) {
		pte_t *slot = window(ops[i].va);
		unsigned int prot = pte_kept_prot(read_slot(slot));

		if ((prot & Z_ACCESS_EXEC) != 0)
			refresh_code(ops[i].phys.v);
		(void)swap_slot(slot, fresh[prot] | ops[i].phys.v);
		ops[i].status = Z_OK;
	}
	cpu_entry_published();
	return 0;
}

static size_t hook_detach(void *ctx, struct z_page_op *ops, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		pte_t *slot = window(ops[i].va);
		pte_t held = pte_kept(pte_prot(read_slot(slot)), Z_ENTRY_HELD, ops[i].phys.v);

		ops[i].dirty = pte_dirty(swap_slot(slot, held));
		ops[i].status = Z_OK;
	}
	cpu_tlb_begin();
	for (size_t i = 0; i < n && n <= FENCE_SINGLY; i++)
		cpu_tlb_page(ops[i].va);
	if (n > FENCE_SINGLY)
		cpu_tlb_all();
	cpu_tlb_end();
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
	(void)swap_pte((uintptr_t)Z_SCRATCH_PAGE, kernel_leaf(phys.v, KERNEL_DATA));
	cpu_entry_published();
	return Z_SCRATCH_PAGE;
}

/* Gone when it is not in use: a stray pointer faults, and no CPU that the thread was on keeps it. */
static void hook_scratch_done(void *ctx, uintptr_t va, z_phys_t phys, void *mapping,
			      enum z_scratch_use use)
{
	(void)ctx;
	(void)va;
	(void)phys;
	(void)use;
	(void)swap_pte((uintptr_t)mapping, 0);
	shootdown((uintptr_t)mapping, 1);
}

/* The hardware may be doing the same. */
static void hook_touch(void *ctx, uintptr_t va, unsigned int access)
{
	const struct mmu *mmu = ctx;
	pte_t *slot = window(va);
	pte_t old = __atomic_load_n(slot, __ATOMIC_RELAXED);
	struct pte_view v;

	do {
		v = pte_view(old);
		v.accessed = true;
		v.dirty = v.dirty || (access & Z_ACCESS_WRITE) != 0;
	} while (!__atomic_compare_exchange_n(slot, &old, pte_make(v, mmu->ad), false,
					      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	shootdown(va, 1);
}

static const struct z_arch_ops arch_ops = {
	.name = "arm64",
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

		mmu->fresh[false][prot] = pte_make(v, mmu->ad);
		v.dirty = true;
		mmu->fresh[true][prot] = pte_make(v, mmu->ad);
	}
	return mmu;
}

const struct z_arch_ops *z_port_arch(bool soft_ad, void **ctx_out)
{
	static struct z_arch_ops with_hardware_bits;

	if (!z_port_ad()) {
		*ctx_out = prepared(&by_faults);
		return &arch_ops;
	}
	if (soft_ad) {
		*ctx_out = prepared(&by_withholding);
		return &arch_ops;
	}
	*ctx_out = prepared(&by_hardware);
	with_hardware_bits = arch_ops;
	with_hardware_bits.caps = Z_ARCH_ACCESSED;
	return &with_hardware_bits;
}

bool z_port_ad(void)
{
	return (SYS_READ(tcr_el1) & TCR_HD) != 0;
}

/* ---- start-up --------------------------------------------------------------------------------- */

static pte_t *grow_to(uintptr_t va, unsigned int level)
{
	pte_t *e = walk(va, level, true);

	if (e == NULL)
		kernel_panic("the pool of page tables is too small", NULL);
	return e;
}

static void map_kernel(const char *begin, const char *end, unsigned int prot, pte_t type)
{
	for (uintptr_t va = (uintptr_t)begin; va < (uintptr_t)end; va += Z_PAGE_SIZE)
		*grow_to(va, 0) = kernel_leaf(va, prot) | type;
}

static void map_range(const struct mmu_range *range)
{
	map_kernel((const char *)range->base, (const char *)(range->base + range->bytes),
		   range->device ? KERNEL_DATA : KERNEL_CONST, range->device ? PTE_DEVICE : 0);
}

void mmu_start(uintptr_t ram_end, const struct mmu_range *ranges, size_t n)
{
	map_kernel(link_text, link_text_end, KERNEL_CODE, 0);
	map_kernel(link_rodata, link_rodata_end, KERNEL_CONST, 0);
	map_kernel(link_data, link_data_end, KERNEL_DATA, 0);
	map_kernel(link_stack, link_stack_end, KERNEL_DATA, 0);
	map_kernel(link_end, (const char *)ram_end, KERNEL_DATA, 0);
	for (size_t i = 0; i < n; i++)
		map_range(&ranges[i]);
	for (uintptr_t i = 0; i < WINDOW_TABLES; i++)
		*grow_to(CONFIG_KERNEL_VM_BASE + i * LEAF_SPAN, 1) =
			pte_table((uintptr_t)&window_entries[i * ENTRIES]);
	code_slot = grow_to(CODE_PAGE, 0);
	mmu_enable(mmu_tables[0]);
}
