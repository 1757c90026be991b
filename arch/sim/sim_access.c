/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_access.c - what a simulated program's access does: TLB, walk, fault, again.
 *
 * A translation is good until the next switch point, so data is copied right after it. Faults of
 * one access are counted; past config.max_retries it is a livelock, which is an error of whoever
 * resolves the faults.
 *
 * Locks: none; programs do not hold the pager lock.
 */
#include <string.h>

#include "sim_internal.h"

enum walk_result {
	WALK_OK,
	WALK_FAULT,
	WALK_VIOLATION,
};

const char *z_sim_result_name(enum z_sim_result result)
{
	static const char *const names[] = {
		[Z_SIM_OK] = "ok",
		[Z_SIM_BAD_ADDRESS] = "bad address",
		[Z_SIM_VIOLATION] = "violation",
		[Z_SIM_IO_ERROR] = "I/O error",
		[Z_SIM_NO_MEMORY] = "no memory",
		[Z_SIM_LIVELOCK] = "livelock",
	};

	return (size_t)result < sizeof(names) / sizeof(names[0]) ? names[result] : "?";
}

/* Do the bits allow this access without a look at the table? */
static bool copy_serves(z_spt_t copy, unsigned int access)
{
	return (access & ~z_spt_prot(copy)) == 0 &&
	       ((access & Z_ACCESS_WRITE) == 0 || z_spt_has(copy, Z_SPT_DIRTY));
}

static enum walk_result walk(struct z_sim *sim, size_t page, unsigned int access)
{
	z_spt_t e = sim->table[page];
	uint64_t wanted =
		Z_SPT_ACCESSED | ((access & Z_ACCESS_WRITE) != 0 ? Z_SPT_DIRTY : (uint64_t)0);

	sim->counters.walks++;
	if (z_spt_kind(e) != Z_ENTRY_IN) {
		return WALK_FAULT;
	}
	if ((access & ~z_spt_prot(e)) != 0) {
		return WALK_VIOLATION;
	}
	if (sim->config.soft_ad && !z_spt_has(e, wanted)) {
		return WALK_FAULT;
	}
	sim->table[page] = z_spt_with(e, wanted);
	sim_tlb_insert(sim, sim_current(sim), page, sim->table[page]);
	return WALK_OK;
}

/* Where the byte at va is; valid until the next switch point. */
static enum walk_result translate(struct z_sim *sim, uintptr_t va, unsigned int access,
				  unsigned char **host_out)
{
	struct sim_cpu *cpu = sim_current(sim);
	struct sim_tlb_entry *cached;
	enum walk_result result;
	z_spt_t copy;
	size_t page;

	if (!sim_page(sim, va, &page)) {
		return WALK_FAULT;
	}
	cached = sim_tlb_find(cpu, page);
	if (cached != NULL && copy_serves(cached->copy, access)) {
		sim->counters.tlb_hits++;
		copy = cached->copy;
	} else {
		sim_tlb_drop(cpu, page);
		result = walk(sim, page, access);
		if (result != WALK_OK) {
			return result;
		}
		copy = sim->table[page];
	}
	*host_out = sim_frame_bytes(sim, sim_frame(sim, z_phys(z_spt_address(copy)))) +
		    (va & Z_PAGE_MASK);
	return WALK_OK;
}

static enum z_sim_result result_of_fault(struct z_sim *sim, int result)
{
	static const enum z_sim_result results[] = {
		Z_SIM_OK, Z_SIM_BAD_ADDRESS, Z_SIM_VIOLATION, Z_SIM_IO_ERROR, Z_SIM_NO_MEMORY,
	};

	if (result < 0 || (size_t)result >= sizeof(results) / sizeof(results[0])) {
		z_sim_error(sim, "fault handler says %d", result);
		return Z_SIM_BAD_ADDRESS;
	}
	return results[result];
}

static enum z_sim_result fault(struct z_sim *sim, uintptr_t va, unsigned int access)
{
	struct sim_cpu *cpu = sim_current(sim);
	bool irqs_on = cpu->irqs_on;
	bool nested = cpu->in_fault;
	uintptr_t outer_va = cpu->fault_va;
	int result;

	if (sim->fault == NULL) {
		return Z_SIM_BAD_ADDRESS;
	}
	if (z_sim_lock_held(sim)) {
		z_sim_error(sim, "fault at 0x%zx while the pager lock is held", (size_t)va);
		return Z_SIM_BAD_ADDRESS;
	}
	sim->counters.faults++;
	cpu->in_fault = true;
	cpu->fault_va = va;
	result = sim->fault(sim->fault_ctx, va, access);
	cpu->in_fault = nested;
	cpu->fault_va = outer_va;
	if (cpu->irqs_on != irqs_on) {
		z_sim_error(sim, "fault at 0x%zx: interrupts were %s, are %s", (size_t)va,
			    irqs_on ? "on" : "off", cpu->irqs_on ? "on" : "off");
		cpu->irqs_on = irqs_on;
	}
	if (z_sim_lock_held(sim)) {
		z_sim_error(sim, "fault at 0x%zx: came back with the pager lock", (size_t)va);
	}
	return result_of_fault(sim, result);
}

static enum z_sim_result livelock(struct z_sim *sim, uintptr_t va)
{
	z_sim_error(sim, "livelock: an access to 0x%zx faulted more than %u times", (size_t)va,
		    sim->config.max_retries);
	return Z_SIM_LIVELOCK;
}

/* One place of an operand that lies in one page. */
struct piece {
	uintptr_t va;
	unsigned char *buffer; /* NULL: touched only */
	unsigned char *host;
	size_t bytes;
	unsigned int access;
};

#define PIECES_MAX ((size_t)Z_SIM_OPERANDS_MAX * 2)

/* Translate all pieces; *failed_out is the first that does not translate. */
static enum walk_result translate_all(struct z_sim *sim, struct piece *pieces, size_t n,
				      size_t *failed_out)
{
	for (size_t i = 0; i < n; i++) {
		enum walk_result result =
			translate(sim, pieces[i].va, pieces[i].access, &pieces[i].host);

		if (result != WALK_OK) {
			*failed_out = i;
			return result;
		}
	}
	return WALK_OK;
}

static void copy_piece(const struct piece *p)
{
	if (p->buffer == NULL) {
		return;
	}
	if ((p->access & Z_ACCESS_WRITE) != 0) {
		memcpy(p->host, p->buffer, p->bytes);
	} else {
		memcpy(p->buffer, p->host, p->bytes);
	}
}

/* All pieces at one moment, or none. */
static enum z_sim_result access_pieces(struct z_sim *sim, struct piece *pieces, size_t n)
{
	sim->counters.accesses += n;
	for (unsigned int tries = 0; tries <= sim->config.max_retries; tries++) {
		enum z_sim_result resolved;
		enum walk_result result;
		size_t failed = 0;

		sim_pass(sim, sim->config.access_ns);
		z_sim_yield(sim);
		result = translate_all(sim, pieces, n, &failed);
		if (result == WALK_VIOLATION) {
			return Z_SIM_VIOLATION;
		}
		if (result == WALK_OK) {
			for (size_t i = 0; i < n; i++) {
				copy_piece(&pieces[i]);
			}
			return Z_SIM_OK;
		}
		resolved = fault(sim, pieces[failed].va, pieces[failed].access);
		if (resolved != Z_SIM_OK) {
			return resolved;
		}
	}
	return livelock(sim, pieces[0].va);
}

static struct piece first_piece(uintptr_t va, unsigned int access, void *buffer, size_t bytes)
{
	size_t room = Z_PAGE_SIZE - (va & Z_PAGE_MASK);

	return (struct piece){va, buffer, NULL, bytes < room ? bytes : room, access};
}

enum z_sim_result z_sim_access(struct z_sim *sim, uintptr_t va, unsigned int access, void *buffer,
			       size_t bytes)
{
	unsigned char *at = buffer;

	while (bytes > 0) {
		struct piece piece = first_piece(va, access, at, bytes);
		enum z_sim_result result = access_pieces(sim, &piece, 1);

		if (result != Z_SIM_OK) {
			return result;
		}
		va += piece.bytes;
		bytes -= piece.bytes;
		at = at != NULL ? at + piece.bytes : NULL;
	}
	return Z_SIM_OK;
}

enum z_sim_result z_sim_read(struct z_sim *sim, uintptr_t va, void *buffer, size_t bytes)
{
	return z_sim_access(sim, va, Z_ACCESS_READ, buffer, bytes);
}

enum z_sim_result z_sim_write(struct z_sim *sim, uintptr_t va, const void *buffer, size_t bytes)
{
	return z_sim_access(sim, va, Z_ACCESS_WRITE, (void *)(uintptr_t)buffer, bytes);
}

enum z_sim_result z_sim_access_all(struct z_sim *sim, const struct z_sim_operand *operands,
				   size_t n)
{
	struct piece pieces[PIECES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		const struct z_sim_operand *o = &operands[i];
		unsigned char *at = o->buffer;
		size_t done = 0;

		while (done < o->bytes && count < PIECES_MAX) {
			pieces[count] = first_piece(o->va + done, o->access,
						    at != NULL ? at + done : NULL, o->bytes - done);
			done += pieces[count++].bytes;
		}
		if (done < o->bytes) {
			z_sim_error(sim, "an instruction with too many operands");
			return Z_SIM_BAD_ADDRESS;
		}
	}
	return count == 0 ? Z_SIM_OK : access_pieces(sim, pieces, count);
}

enum z_sim_result z_sim_load64(struct z_sim *sim, uintptr_t va, uint64_t *value_out)
{
	struct z_sim_operand operand = {va, Z_ACCESS_READ, value_out, sizeof(*value_out)};

	return z_sim_access_all(sim, &operand, 1);
}

enum z_sim_result z_sim_store64(struct z_sim *sim, uintptr_t va, uint64_t value)
{
	struct z_sim_operand operand = {va, Z_ACCESS_WRITE, &value, sizeof(value)};

	return z_sim_access_all(sim, &operand, 1);
}
