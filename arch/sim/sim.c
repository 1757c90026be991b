/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.c - the simulated machine: making it, looking inside, errors, failures by order, memory.
 *
 * RAM is a memfd mapped once as a whole; the fixed scratch page is a second mapping of a piece of
 * it. All other state is ordinary memory of the host.
 *
 * Locks, limits: as in sim.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim_internal.h"

/* Odd, so that it is no page of a program by accident. */
#define SIM_JUNK 0xA5

static void config_defaults(struct z_sim_config *config)
{
	config->cpus = config->cpus ? config->cpus : 1;
	config->tlb_entries = config->tlb_entries ? config->tlb_entries : SIM_TLB_MAX;
	config->scratch_slots = config->scratch_slots ? config->scratch_slots : 8;
	config->switch_percent = config->switch_percent ? config->switch_percent : 25;
	config->max_retries = config->max_retries ? config->max_retries : 1000;
	config->max_picks = config->max_picks ? config->max_picks : 20000000;
	config->hook_ns = config->hook_ns ? config->hook_ns : 100;
	config->access_ns = config->access_ns ? config->access_ns : 1;
}

static bool config_sound(const struct z_sim_config *config)
{
	size_t vm_room = (UINTPTR_MAX - config->vm_base) / Z_PAGE_SIZE;
	size_t ram_room = (UINTPTR_MAX - config->ram_base) / Z_PAGE_SIZE;

	return config->frames > 0 && config->frames <= ram_room &&
	       z_is_page_aligned(config->ram_base) && config->vm_pages > 0 &&
	       config->vm_pages <= vm_room && z_is_page_aligned(config->vm_base) &&
	       config->cpus <= Z_SIM_CPUS_MAX && config->tlb_entries <= SIM_TLB_MAX &&
	       config->scratch_slots <= Z_SIM_SCRATCH_MAX && config->switch_percent <= 100 &&
	       (config->scratch_address == 0 ||
		(config->scratch_slots == 1 && !config->direct_save &&
		 z_is_page_aligned(config->scratch_address) &&
		 Z_PAGE_SIZE % (size_t)sysconf(_SC_PAGESIZE) == 0));
}

static bool make_ram(struct z_sim *sim)
{
	size_t bytes = (size_t)sim->config.frames * Z_PAGE_SIZE;

	sim->memfd = memfd_create("z_sim", MFD_CLOEXEC);
	if (sim->memfd < 0 || ftruncate(sim->memfd, (off_t)bytes) != 0) {
		return false;
	}
	sim->ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, sim->memfd,
			0);
	return sim->ram != MAP_FAILED;
}

/* The scratch address is taken now, so that nothing else of the host comes to lie there. */
static bool make_scratch(struct z_sim *sim)
{
	void *wanted = (void *)sim->config.scratch_address;

	if (wanted == NULL) {
		return true;
	}
	sim->scratch_mapped =
		mmap(wanted, Z_PAGE_SIZE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == wanted;
	return sim->scratch_mapped;
}

int z_sim_create(const struct z_sim_config *config, struct z_sim **out)
{
	struct z_sim_config full = *config;
	struct z_sim *sim;

	config_defaults(&full);
	if (!config_sound(&full)) {
		return Z_ERR_INVAL;
	}
	sim = calloc(1, sizeof(*sim));
	if (sim == NULL) {
		return Z_ERR_NOMEM;
	}
	sim->config = full;
	sim->memfd = -1;
	sim->ram = MAP_FAILED;
	sim->random = full.seed;
	sim->lock_owner = SIM_NO_CPU;
	sim->table = calloc(full.vm_pages, sizeof(*sim->table));
	sim->owner = calloc(full.frames, sizeof(*sim->owner));
	if (sim->table == NULL || sim->owner == NULL || !make_ram(sim) || !make_scratch(sim)) {
		z_sim_destroy(sim);
		return Z_ERR_NOMEM;
	}
	for (unsigned int i = 0; i < Z_SIM_CPUS_MAX; i++) {
		sim->cpu[i].irqs_on = true;
	}
	sim_arch_init(sim);
	*out = sim;
	return 0;
}

void z_sim_destroy(struct z_sim *sim)
{
	if (sim == NULL) {
		return;
	}
	if (sim->scratch_mapped) {
		munmap((void *)sim->config.scratch_address, Z_PAGE_SIZE);
	}
	if (sim->ram != MAP_FAILED) {
		munmap(sim->ram, (size_t)sim->config.frames * Z_PAGE_SIZE);
	}
	if (sim->memfd >= 0) {
		close(sim->memfd);
	}
	free(sim->table);
	free(sim->owner);
	free(sim);
}

const struct z_sim_config *z_sim_config_of(const struct z_sim *sim)
{
	return &sim->config;
}

const struct z_sim_counters *z_sim_counters_of(const struct z_sim *sim)
{
	return &sim->counters;
}

void z_sim_set_fault(struct z_sim *sim, z_sim_fault_fn fault, void *ctx)
{
	sim->fault = fault;
	sim->fault_ctx = ctx;
}

/* ---- looking inside ---- */

bool sim_page(const struct z_sim *sim, uintptr_t va, size_t *page_out)
{
	size_t page = (va - sim->config.vm_base) / Z_PAGE_SIZE;

	if (va < sim->config.vm_base || page >= sim->config.vm_pages) {
		return false;
	}
	*page_out = page;
	return true;
}

uint32_t sim_frame(const struct z_sim *sim, z_phys_t phys)
{
	uintptr_t frame = (phys.v - sim->config.ram_base) / Z_PAGE_SIZE;

	if (phys.v < sim->config.ram_base || !z_is_page_aligned(phys.v) ||
	    frame >= sim->config.frames) {
		return SIM_NO_FRAME;
	}
	return (uint32_t)frame;
}

unsigned char *sim_frame_bytes(const struct z_sim *sim, uint32_t frame)
{
	return sim->ram + (size_t)frame * Z_PAGE_SIZE;
}

void sim_frame_junk(struct z_sim *sim, uint32_t frame)
{
	if (!sim->config.keep_frames) {
		memset(sim_frame_bytes(sim, frame), SIM_JUNK, Z_PAGE_SIZE);
	}
}

struct z_entry z_sim_entry(const struct z_sim *sim, uintptr_t va)
{
	size_t page;

	if (!sim_page(sim, va, &page)) {
		return (struct z_entry){.kind = Z_ENTRY_UNMAPPED};
	}
	return z_spt_entry(sim->table[page]);
}

void *z_sim_frame_data(const struct z_sim *sim, z_phys_t phys)
{
	uint32_t frame = sim_frame(sim, phys);

	return frame == SIM_NO_FRAME ? NULL : sim_frame_bytes(sim, frame);
}

bool z_sim_frame_used(const struct z_sim *sim, z_phys_t phys)
{
	uint32_t frame = sim_frame(sim, phys);

	return frame != SIM_NO_FRAME && sim->owner[frame] != 0;
}

uint32_t z_sim_frames_used(const struct z_sim *sim)
{
	return sim->frames_used;
}

/* ---- making things fail ---- */

int sim_point_fails(struct z_sim *sim, enum z_sim_point point)
{
	struct sim_point *p = &sim->point[point];

	p->calls++;
	if (p->fail_from == 0 || p->calls < p->fail_from ||
	    p->calls - p->fail_from >= p->fail_times) {
		return 0;
	}
	p->failed++;
	return p->error;
}

void z_sim_inject(struct z_sim *sim, enum z_sim_point point, uint64_t nth, uint64_t times,
		  int error)
{
	struct sim_point *p = &sim->point[point];

	p->fail_from = nth ? p->calls + nth : 0;
	p->fail_times = times;
	p->error = error ? error : Z_ERR_NOMEM;
}

uint64_t z_sim_point_calls(const struct z_sim *sim, enum z_sim_point point)
{
	return sim->point[point].calls;
}

uint64_t z_sim_point_failed(const struct z_sim *sim, enum z_sim_point point)
{
	return sim->point[point].failed;
}

/* ---- memory for stores ---- */

void *z_sim_alloc(void *ctx, size_t bytes)
{
	struct z_sim *sim = ctx;
	size_t rounded = (bytes + Z_PAGE_MASK) & ~(size_t)Z_PAGE_MASK;
	void *memory;

	if (sim_point_fails(sim, Z_SIM_POINT_ALLOC) != 0 || rounded == 0) {
		return NULL;
	}
	memory = aligned_alloc(Z_PAGE_SIZE, rounded);
	if (memory != NULL) {
		memset(memory, 0, rounded);
		sim->alloc_bytes += bytes;
	}
	return memory;
}

void z_sim_free(void *ctx, void *memory, size_t bytes)
{
	struct z_sim *sim = ctx;

	if (memory == NULL) {
		return;
	}
	if (bytes > sim->alloc_bytes) {
		z_sim_error(sim, "free of %zu bytes, more than is allocated", bytes);
		bytes = sim->alloc_bytes;
	}
	sim->alloc_bytes -= bytes;
	free(memory);
}

size_t z_sim_alloc_bytes(const struct z_sim *sim)
{
	return sim->alloc_bytes;
}

/* ---- what was wrong ---- */

void z_sim_error(struct z_sim *sim, const char *format, ...)
{
	char text[SIM_TEXT_MAX - 32];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (sim->errors++ == 0) {
		snprintf(sim->text, sizeof(sim->text), "cpu %u: %s", sim->current, text);
	}
	if (sim->error_fn != NULL) {
		sim->error_fn(sim->error_ctx, text);
	}
}

unsigned int z_sim_errors(const struct z_sim *sim)
{
	return sim->errors;
}

const char *z_sim_error_text(const struct z_sim *sim)
{
	return sim->text;
}

void z_sim_forget_errors(struct z_sim *sim)
{
	sim->errors = 0;
	sim->text[0] = '\0';
}

void z_sim_set_error_fn(struct z_sim *sim, void (*fn)(void *ctx, const char *text), void *ctx)
{
	sim->error_fn = fn;
	sim->error_ctx = ctx;
}
