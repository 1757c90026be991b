/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conform_arch.c - the suite of all ports (tests/support/arch_conform.c) on the simulated machine,
 * in each of its variants: accessed and dirty by hardware or by soft faults; many scratch mappings
 * or the one at the specified address; a TLB of one entry.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../arch/sim/sim.h"
#include "../support/arch_conform.h"

enum { RESOLVED, BAD_ADDRESS };

struct variant {
	struct arch_under_test port; /* first: the suite hands it back */
	struct z_sim_config config;
	struct z_sim *sim;
};

/* Only the soft half of faults is resolved here. */
static int soft_fault(void *ctx, uintptr_t va, unsigned int access)
{
	struct z_sim *sim = ctx;
	uintptr_t page = z_page_align_down(va);
	z_key_t key = z_sim_env(sim)->lock(sim);
	bool in = z_sim_entry(sim, page).kind == Z_ENTRY_IN;

	if (in) {
		z_sim_arch(sim)->touch(sim, page, access);
	}
	z_sim_env(sim)->unlock(sim, key);
	return in ? RESOLVED : BAD_ADDRESS;
}

static int setup(struct arch_under_test *self)
{
	struct variant *v = (struct variant *)self;
	int err = z_sim_create(&v->config, &v->sim);

	if (err != 0) {
		return err;
	}
	z_sim_set_fault(v->sim, soft_fault, v->sim);
	self->ops = z_sim_arch(v->sim);
	self->env = z_sim_env(v->sim);
	self->ctx = v->sim;
	self->env_ctx = v->sim;
	self->vm_base = v->config.vm_base;
	self->vm_pages = v->config.vm_pages;
	self->ram_base = v->config.ram_base;
	self->frames = v->config.frames;
	return 0;
}

static void teardown(struct arch_under_test *self)
{
	z_sim_destroy(((struct variant *)self)->sim);
}

static const char *problem(struct arch_under_test *self)
{
	struct z_sim *sim = ((struct variant *)self)->sim;

	return z_sim_errors(sim) != 0 ? z_sim_error_text(sim) : NULL;
}

static enum arch_access access_byte(struct arch_under_test *self, uintptr_t va, unsigned int access,
				    unsigned char *byte)
{
	enum z_sim_result result = z_sim_access(((struct variant *)self)->sim, va, access, byte, 1);

	return result == Z_SIM_OK          ? ARCH_ACCESS_OK
	       : result == Z_SIM_VIOLATION ? ARCH_ACCESS_VIOLATION
					   : ARCH_ACCESS_FAULT;
}

static int run(const char *name, struct z_sim_config config)
{
	struct variant v = {
		.port =
			{
				.name = name,
				.setup = setup,
				.teardown = teardown,
				.access = access_byte,
				.problem = problem,
				.prot_mask = Z_ACCESS_READ | Z_ACCESS_WRITE | Z_ACCESS_EXEC |
					     Z_ACCESS_USER,
				.sees_reads = true,
			},
		.config = config,
	};

	v.config.frames = ARCH_CONFORM_FRAMES;
	v.config.ram_base = (uintptr_t)0x80000000;
	v.config.vm_base = (uintptr_t)0x300000000000;
	v.config.vm_pages = 40;
	return arch_conform_run(&v.port);
}

int main(void)
{
	return run("sim", (struct z_sim_config){0}) +
	       run("sim-soft", (struct z_sim_config){.soft_ad = true}) +
	       run("sim-small-tlb", (struct z_sim_config){.tlb_entries = 1, .cpus = 4}) +
	       run("sim-direct-save", (struct z_sim_config){.direct_save = true}) +
	       run("sim-one-scratch",
		   (struct z_sim_config){.scratch_slots = 1,
					 .scratch_address = (uintptr_t)0x200000fff000});
}
