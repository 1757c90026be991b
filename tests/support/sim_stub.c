/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_stub.c - a handler of faults for tests of the simulated machine. See sim_stub.h.
 *
 * One fault at a time: others wait on the stub itself. So it has the shape of a real pager (lock,
 * wait, scratch without lock, commit under lock) with none of its merits.
 */
#include <stdlib.h>
#include <string.h>

#include "sim_stub.h"

enum { RESOLVED, BAD_ADDRESS, VIOLATION };

static size_t page_of(const struct sim_stub *stub, uintptr_t va)
{
	return (va - stub->base) / Z_PAGE_SIZE;
}

/* The frame of the page that came first; its page goes out. Lock held, and again after it. */
static z_phys_t make_room(struct sim_stub *stub, z_key_t *key)
{
	const struct z_arch_ops *arch = z_sim_arch(stub->sim);
	const struct z_env_ops *env = z_sim_env(stub->sim);
	uintptr_t va = stub->queue[stub->first];
	struct z_page_op op = {.va = va, .phys = z_sim_entry(stub->sim, va).phys};
	size_t page = page_of(stub, va);
	void *scratch;

	arch->detach(stub->sim, &op, 1);
	if (op.dirty || stub->copy[page] == NULL) {
		env->unlock(stub->sim, *key);
		scratch = arch->scratch(stub->sim, va, op.phys, Z_SCRATCH_SAVE);
		stub->copy[page] = realloc(stub->copy[page], Z_PAGE_SIZE);
		memcpy(stub->copy[page], scratch, Z_PAGE_SIZE);
		arch->scratch_done(stub->sim, va, op.phys, scratch, Z_SCRATCH_SAVE);
		*key = env->lock(stub->sim);
	}
	op.loc = z_loc(page * Z_PAGE_SIZE);
	arch->release(stub->sim, &op, 1);
	stub->outs++;
	return op.phys;
}

static void fill(struct sim_stub *stub, uintptr_t va, z_key_t *key)
{
	const struct z_arch_ops *arch = z_sim_arch(stub->sim);
	const struct z_env_ops *env = z_sim_env(stub->sim);
	struct z_page_op op = {.va = va};
	uint32_t slot = stub->used < stub->frames ? stub->used : stub->first;
	size_t page = page_of(stub, va);
	void *scratch;

	op.phys = z_phys(z_sim_config_of(stub->sim)->ram_base + slot * Z_PAGE_SIZE);
	if (stub->used < stub->frames) {
		stub->used++;
	} else {
		op.phys = make_room(stub, key);
		stub->first = (stub->first + 1) % stub->frames;
	}
	stub->queue[slot] = va;
	arch->hold(stub->sim, va, op.phys);
	env->unlock(stub->sim, *key);
	scratch = arch->scratch(stub->sim, va, op.phys, Z_SCRATCH_FILL);
	if (stub->copy[page] != NULL) {
		memcpy(scratch, stub->copy[page], Z_PAGE_SIZE);
	} else {
		memset(scratch, 0, Z_PAGE_SIZE);
	}
	*key = env->lock(stub->sim);
	arch->attach(stub->sim, &op, 1, Z_ATTACH_CLEAN);
	arch->scratch_done(stub->sim, va, op.phys, scratch, Z_SCRATCH_FILL);
}

static int resolve(struct sim_stub *stub, uintptr_t va, unsigned int access, z_key_t *key)
{
	const struct z_arch_ops *arch = z_sim_arch(stub->sim);
	const struct z_env_ops *env = z_sim_env(stub->sim);
	struct z_entry entry;

	while (stub->busy) {
		*key = env->wait(stub->sim, stub, *key);
	}
	entry = z_sim_entry(stub->sim, va);
	if (entry.kind == Z_ENTRY_UNMAPPED) {
		return BAD_ADDRESS;
	}
	if ((access & ~entry.prot) != 0) {
		return VIOLATION;
	}
	if (entry.kind == Z_ENTRY_IN) {
		stub->soft++;
		arch->touch(stub->sim, va, access);
		return RESOLVED;
	}
	stub->busy = true;
	fill(stub, va, key);
	stub->busy = false;
	env->wake(stub->sim, stub);
	return RESOLVED;
}

static int stub_fault(void *ctx, uintptr_t va, unsigned int access)
{
	struct sim_stub *stub = ctx;
	const struct z_env_ops *env = z_sim_env(stub->sim);
	z_key_t key = env->lock(stub->sim);
	int result = resolve(stub, z_page_align_down(va), access, &key);

	env->unlock(stub->sim, key);
	return result;
}

void sim_stub_init(struct sim_stub *stub, struct z_sim *sim)
{
	*stub = (struct sim_stub){
		.sim = sim,
		.base = z_sim_config_of(sim)->vm_base,
		.frames = z_sim_config_of(sim)->frames,
	};
	z_sim_set_fault(sim, stub_fault, stub);
}

void sim_stub_end(struct sim_stub *stub)
{
	for (size_t i = 0; i < SIM_STUB_PAGES; i++) {
		free(stub->copy[i]);
	}
}
