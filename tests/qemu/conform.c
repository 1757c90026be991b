/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conform.c - the suite of all ports (tests/support/arch_conform.c) on the board's real page tables,
 * with accessed and dirty bits by hardware and by faults.
 *
 * Touching goes through the probe of the port and a real trap. The handler for the time of the suite
 * resolves only the soft half of a fault, so that "nothing is there" is seen as such. The right to touch
 * pages of user mode is taken only where it is needed: a change of it makes the emulator forget all
 * translations, and a fence that is missing would not be noticed.
 */
#include "board.h"

#include <zpager/mmu.h>

#include "../support/arch_conform.h"

static struct arch_under_test *running;

static enum z_fault_result soft_half(uintptr_t va, unsigned int access)
{
	uintptr_t page = z_page_align_down(va);
	z_key_t key = running->env->lock(running->env_ctx);
	struct z_entry e = running->ops->entry(running->ctx, page);
	bool resolved = e.kind == Z_ENTRY_IN && (access & ~e.prot) == 0;

	if (resolved)
		running->ops->touch(running->ctx, page, access);
	running->env->unlock(running->env_ctx, key);
	return resolved ? Z_FAULT_RESOLVED : Z_FAULT_BAD_ADDRESS;
}

static int setup(struct arch_under_test *self)
{
	running = self;
	kernel_set_fault_handler(soft_half);
	return 0;
}

static void teardown(struct arch_under_test *self)
{
	z_key_t key = self->env->lock(self->env_ctx);

	self->ops->unmap(self->ctx, self->vm_base, self->vm_pages);
	self->env->unlock(self->env_ctx, key);
	kernel_set_fault_handler(NULL);
}

static enum arch_access access_byte(struct arch_under_test *self, uintptr_t va, unsigned int access,
				    unsigned char *byte)
{
	unsigned int user = z_port_entry(z_page_align_down(va)).prot & Z_ACCESS_USER;
	unsigned int result = z_port_probe(va, access | user, byte);

	(void)self;
	if (result == Z_PROBE_OK)
		return ARCH_ACCESS_OK;
	return result == Z_PROBE_FAULT + Z_FAULT_VIOLATION ? ARCH_ACCESS_VIOLATION
							   : ARCH_ACCESS_FAULT;
}

static void run(const char *name, bool soft_ad)
{
	struct arch_under_test port = {
		.name = name,
		.setup = setup,
		.teardown = teardown,
		.access = access_byte,
		.prot_mask = Z_ACCESS_READ | Z_ACCESS_WRITE | Z_ACCESS_EXEC | Z_ACCESS_USER,
		.sees_reads = true,
		.env = &kernel_env,
		.vm_base = CONFIG_KERNEL_VM_BASE,
		.vm_pages = (CONFIG_KERNEL_VM_SIZE - Z_VM_RESERVED) / Z_PAGE_SIZE,
		.ram_base = Z_PHYS_RAM_START,
		.frames = Z_NUM_PAGE_FRAMES,
	};

	port.ops = z_port_arch(soft_ad, &port.ctx);
	(void)arch_conform_run(&port);
}

void test_conform(void)
{
	run("conform", false);
	run("conform-soft-ad", true);
}
