/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_machine.c - the simulated machine by itself, on one CPU: accesses, TLB, A and D, junk, what
 * its checks find, failures by order, interrupts and ticks. Faults go to sim_stub.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_stub.h"

#define VM_BASE  ((uintptr_t)0x10000000)
#define VM_PAGES 16
#define RAM_BASE ((uintptr_t)0x80000000)
#define PAGE(i)  (VM_BASE + (i)*Z_PAGE_SIZE)
#define RW       (Z_ACCESS_READ | Z_ACCESS_WRITE)

static struct z_sim *sim;
static struct sim_stub stub;

static void make(struct z_sim_config config)
{
	config.vm_base = VM_BASE;
	config.vm_pages = VM_PAGES;
	config.ram_base = RAM_BASE;
	assert_int_equal(z_sim_create(&config, &sim), 0);
	sim_stub_init(&stub, sim);
}

static int end(void **state)
{
	(void)state;
	sim_stub_end(&stub);
	z_sim_destroy(sim);
	sim = NULL;
	return 0;
}

static void end_clean(void)
{
	assert_string_equal(z_sim_error_text(sim), "");
	assert_int_equal(z_sim_errors(sim), 0);
	assert_int_equal(z_sim_scratch_used(sim), 0);
}

static void map(size_t first, size_t pages, unsigned int prot)
{
	z_key_t key = z_sim_env(sim)->lock(sim);

	assert_int_equal(z_sim_arch(sim)->map(sim, PAGE(first), pages, prot), 0);
	z_sim_env(sim)->unlock(sim, key);
}

static void protect(size_t page, unsigned int prot)
{
	z_key_t key = z_sim_env(sim)->lock(sim);

	assert_int_equal(z_sim_arch(sim)->protect(sim, PAGE(page), 1, prot), 0);
	z_sim_env(sim)->unlock(sim, key);
}

static unsigned int info(size_t page, bool clear)
{
	z_key_t key = z_sim_env(sim)->lock(sim);
	unsigned int bits = z_sim_arch(sim)->info(sim, PAGE(page), clear);

	z_sim_env(sim)->unlock(sim, key);
	return bits;
}

static void memory_holds_what_was_written(void **state)
{
	uint64_t value;

	(void)state;
	make((struct z_sim_config){.frames = 3});
	map(0, VM_PAGES, RW);
	for (size_t i = 0; i < VM_PAGES; i++) {
		assert_int_equal(z_sim_load64(sim, PAGE(i) + 8, &value), Z_SIM_OK);
		assert_true(value == 0);
		assert_int_equal(z_sim_store64(sim, PAGE(i) + 8, i + 1), Z_SIM_OK);
	}
	for (size_t i = 0; i < VM_PAGES; i++) {
		assert_int_equal(z_sim_load64(sim, PAGE(i) + 8, &value), Z_SIM_OK);
		assert_true(value == i + 1);
	}
	assert_int_equal(z_sim_counters_of(sim)->faults, 2 * VM_PAGES);
	assert_int_equal(stub.outs, 2 * VM_PAGES - 3);
	end_clean();
}

static void straddling_access_does_both_halves(void **state)
{
	unsigned char out[Z_PAGE_SIZE];
	unsigned char in[Z_PAGE_SIZE];
	uint64_t value;

	(void)state;
	make((struct z_sim_config){.frames = 2});
	map(0, 4, RW);
	for (size_t i = 0; i < sizeof(out); i++) {
		out[i] = (unsigned char)(i * 7);
	}
	assert_int_equal(z_sim_write(sim, PAGE(1) + 100, out, sizeof(out)), Z_SIM_OK);
	assert_int_equal(z_sim_read(sim, PAGE(1) + 100, in, sizeof(in)), Z_SIM_OK);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(z_sim_store64(sim, PAGE(3) - 3, 0x1122334455667788), Z_SIM_OK);
	assert_int_equal(z_sim_load64(sim, PAGE(3) - 3, &value), Z_SIM_OK);
	assert_true(value == 0x1122334455667788);
	assert_int_equal(z_sim_entry(sim, PAGE(2)).kind, Z_ENTRY_IN);
	assert_int_equal(z_sim_entry(sim, PAGE(3)).kind, Z_ENTRY_IN);
	end_clean();
}

static void instruction_needs_all_pages_at_once(void **state)
{
	uint64_t value = 5;
	struct z_sim_operand operands[] = {
		{PAGE(0), Z_ACCESS_READ, NULL, 8},
		{PAGE(1), Z_ACCESS_READ, NULL, 8},
		{PAGE(2), Z_ACCESS_WRITE, &value, 8},
	};

	(void)state;
	make((struct z_sim_config){.frames = 3, .max_retries = 50});
	map(0, 4, RW);
	assert_int_equal(z_sim_access(sim, PAGE(3), Z_ACCESS_READ, NULL, 1), Z_SIM_OK);
	assert_int_equal(z_sim_access_all(sim, operands, 3), Z_SIM_OK);
	assert_int_equal(z_sim_access(sim, PAGE(3), Z_ACCESS_READ, NULL, 1), Z_SIM_OK);
	end_clean();
}

static void too_few_frames_for_an_instruction_is_a_livelock(void **state)
{
	struct z_sim_operand operands[] = {
		{PAGE(0), Z_ACCESS_READ, NULL, 8},
		{PAGE(1), Z_ACCESS_READ, NULL, 8},
		{PAGE(2), Z_ACCESS_READ, NULL, 8},
	};

	(void)state;
	make((struct z_sim_config){.frames = 2, .max_retries = 50});
	map(0, 4, RW);
	assert_int_equal(z_sim_access_all(sim, operands, 3), Z_SIM_LIVELOCK);
	assert_int_equal(z_sim_counters_of(sim)->faults, 51);
	assert_non_null(strstr(z_sim_error_text(sim), "livelock"));
}

static void errors_of_accesses(void **state)
{
	(void)state;
	make((struct z_sim_config){.frames = 2});
	map(1, 1, Z_ACCESS_READ);
	assert_int_equal(z_sim_store64(sim, PAGE(0), 1), Z_SIM_BAD_ADDRESS);
	assert_int_equal(z_sim_store64(sim, VM_BASE - 8, 1), Z_SIM_BAD_ADDRESS);
	assert_int_equal(z_sim_store64(sim, PAGE(VM_PAGES), 1), Z_SIM_BAD_ADDRESS);
	assert_int_equal(z_sim_store64(sim, PAGE(1), 1), Z_SIM_VIOLATION);
	assert_int_equal(z_sim_access(sim, PAGE(1), Z_ACCESS_READ, NULL, 1), Z_SIM_OK);
	assert_int_equal(z_sim_counters_of(sim)->faults, 5);
	assert_int_equal(z_sim_store64(sim, PAGE(1), 1), Z_SIM_VIOLATION);
	assert_int_equal(z_sim_access(sim, PAGE(1), Z_ACCESS_EXEC, NULL, 1), Z_SIM_VIOLATION);
	assert_int_equal(z_sim_access(sim, PAGE(1), Z_ACCESS_READ | Z_ACCESS_USER, NULL, 1),
			 Z_SIM_VIOLATION);
	assert_int_equal(z_sim_counters_of(sim)->faults, 5);
	end_clean();
}

static void hardware_sets_accessed_and_dirty(void **state)
{
	(void)state;
	make((struct z_sim_config){.frames = 2});
	map(0, 2, RW);
	assert_int_equal(z_sim_access(sim, PAGE(0), Z_ACCESS_READ, NULL, 1), Z_SIM_OK);
	assert_int_equal(info(0, false), Z_INFO_ACCESSED);
	assert_int_equal(info(0, true), Z_INFO_ACCESSED);
	assert_int_equal(info(0, false), 0);
	assert_int_equal(z_sim_access(sim, PAGE(0), Z_ACCESS_READ, NULL, 1), Z_SIM_OK);
	assert_int_equal(info(0, true), Z_INFO_ACCESSED);
	assert_int_equal(z_sim_store64(sim, PAGE(0), 1), Z_SIM_OK);
	assert_int_equal(info(0, true), Z_INFO_ACCESSED | Z_INFO_DIRTY);
	assert_int_equal(info(0, false), Z_INFO_DIRTY);
	assert_int_equal(z_sim_counters_of(sim)->faults, 1);
	end_clean();
}

static void software_accessed_and_dirty_cost_a_fault_each(void **state)
{
	(void)state;
	make((struct z_sim_config){.frames = 2, .soft_ad = true});
	assert_int_equal(z_sim_arch(sim)->caps & Z_ARCH_ACCESSED, 0);
	map(0, 2, RW);
	assert_int_equal(z_sim_access(sim, PAGE(0), Z_ACCESS_READ, NULL, 1), Z_SIM_OK);
	assert_int_equal(stub.soft, 1);
	assert_int_equal(info(0, true), Z_INFO_ACCESSED);
	assert_int_equal(z_sim_access(sim, PAGE(0), Z_ACCESS_READ, NULL, 1), Z_SIM_OK);
	assert_int_equal(stub.soft, 2);
	assert_int_equal(z_sim_store64(sim, PAGE(0), 1), Z_SIM_OK);
	assert_int_equal(stub.soft, 3);
	assert_int_equal(z_sim_store64(sim, PAGE(0), 2), Z_SIM_OK);
	assert_int_equal(stub.soft, 3);
	assert_int_equal(info(0, false), Z_INFO_ACCESSED | Z_INFO_DIRTY);
	end_clean();
}

static void protection_reaches_the_tlb(void **state)
{
	(void)state;
	make((struct z_sim_config){.frames = 2});
	map(0, 1, RW);
	assert_int_equal(z_sim_store64(sim, PAGE(0), 1), Z_SIM_OK);
	protect(0, Z_ACCESS_READ);
	assert_int_equal(z_sim_store64(sim, PAGE(0), 2), Z_SIM_VIOLATION);
	protect(0, RW);
	assert_int_equal(z_sim_store64(sim, PAGE(0), 3), Z_SIM_OK);
	end_clean();
}

/* With the shoot-down left out the old permissions live on: the TLB is a real one. */
static void missing_shootdown_leaves_a_stale_copy(void **state)
{
	uint64_t value;

	(void)state;
	make((struct z_sim_config){.frames = 2});
	map(0, 1, RW);
	assert_int_equal(z_sim_store64(sim, PAGE(0), 1), Z_SIM_OK);
	z_sim_inject(sim, Z_SIM_POINT_SHOOTDOWN, 1, 1, 0);
	protect(0, Z_ACCESS_READ);
	assert_int_equal(z_sim_store64(sim, PAGE(0), 2), Z_SIM_OK);
	assert_int_equal(z_sim_load64(sim, PAGE(0), &value), Z_SIM_OK);
	assert_true(value == 2);
	assert_int_equal(z_sim_point_failed(sim, Z_SIM_POINT_SHOOTDOWN), 1);
	end_clean();
}

static void frames_hold_junk_when_they_are_free(void **state)
{
	const unsigned char *frame;

	(void)state;
	make((struct z_sim_config){.frames = 1});
	map(0, 1, RW);
	assert_int_equal(z_sim_store64(sim, PAGE(0), 1), Z_SIM_OK);
	frame = z_sim_frame_data(sim, z_phys(RAM_BASE));
	assert_int_equal(frame[0], 1);
	assert_int_equal(z_sim_frames_used(sim), 1);
	z_key_t key = z_sim_env(sim)->lock(sim);
	z_sim_arch(sim)->unmap(sim, PAGE(0), 1);
	z_sim_env(sim)->unlock(sim, key);
	assert_int_equal(frame[0], 0xA5);
	assert_int_equal(z_sim_frames_used(sim), 0);
	assert_null(z_sim_frame_data(sim, z_phys(RAM_BASE + Z_PAGE_SIZE)));
	assert_null(z_sim_frame_data(sim, z_phys(RAM_BASE - Z_PAGE_SIZE)));
	end_clean();
}

static void fixed_scratch_page(void **state)
{
	uintptr_t address = (uintptr_t)0x200000fff000;

	(void)state;
	make((struct z_sim_config){.frames = 1, .scratch_slots = 1, .scratch_address = address});
	map(0, 1, RW);
	z_key_t key = z_sim_env(sim)->lock(sim);
	z_sim_arch(sim)->hold(sim, PAGE(0), z_phys(RAM_BASE));
	z_sim_env(sim)->unlock(sim, key);
	unsigned char *scratch =
		z_sim_arch(sim)->scratch(sim, PAGE(0), z_phys(RAM_BASE), Z_SCRATCH_FILL);
	assert_ptr_equal(scratch, (void *)address);
	memset(scratch, 0x3c, Z_PAGE_SIZE);
	assert_memory_equal(scratch, z_sim_frame_data(sim, z_phys(RAM_BASE)), Z_PAGE_SIZE);
	key = z_sim_env(sim)->lock(sim);
	z_sim_arch(sim)->scratch_done(sim, PAGE(0), z_phys(RAM_BASE), scratch, Z_SCRATCH_FILL);
	z_sim_env(sim)->unlock(sim, key);
	end_clean();
}

/* ---- what the checks find ---- */

static void expect_error(const char *part)
{
	assert_int_equal(z_sim_errors(sim), 1);
	if (strstr(z_sim_error_text(sim), part) == NULL) {
		fail_msg("\"%s\" is not in \"%s\"", part, z_sim_error_text(sim));
	}
	z_sim_forget_errors(sim);
}

static void checks_of_the_lock(void **state)
{
	const struct z_arch_ops *arch;
	const struct z_env_ops *env;
	z_key_t key;
	z_key_t old;

	(void)state;
	make((struct z_sim_config){.frames = 2});
	arch = z_sim_arch(sim);
	env = z_sim_env(sim);
	(void)z_sim_set_irqs(sim, false);
	arch->entry(sim, PAGE(0));
	expect_error("pager lock not held");
	env->wake(sim, sim);
	expect_error("pager lock not held");
	(void)z_sim_set_irqs(sim, true);
	old = env->lock(sim);
	assert_false(z_sim_irqs_on(sim));
	env->unlock(sim, old);
	assert_true(z_sim_irqs_on(sim));
	key = env->lock(sim);
	env->unlock(sim, old);
	expect_error("key");
	env->unlock(sim, key);
	expect_error("not held");
	key = env->lock(sim);
	(void)env->lock(sim);
	expect_error("taken twice");
	assert_int_equal(arch->map(sim, PAGE(0), 1, RW), 0);
	arch->hold(sim, PAGE(0), z_phys(RAM_BASE));
	void *scratch = arch->scratch(sim, PAGE(0), z_phys(RAM_BASE), Z_SCRATCH_FILL);
	expect_error("lock is held");
	arch->scratch_done(sim, PAGE(0), z_phys(RAM_BASE), scratch, Z_SCRATCH_FILL);
	arch->scratch_done(sim, PAGE(0), z_phys(RAM_BASE), scratch, Z_SCRATCH_FILL);
	expect_error("no such mapping");
}

static void checks_of_addresses(void **state)
{
	const struct z_arch_ops *arch;

	(void)state;
	make((struct z_sim_config){.frames = 2});
	arch = z_sim_arch(sim);
	(void)z_sim_env(sim)->lock(sim);
	arch->entry(sim, PAGE(0) + 1);
	expect_error("not aligned");
	arch->entry(sim, PAGE(VM_PAGES));
	expect_error("outside");
	arch->entry(sim, VM_BASE - Z_PAGE_SIZE);
	expect_error("outside");
	assert_int_equal(arch->map(sim, PAGE(1), VM_PAGES, RW), Z_ERR_INVAL);
	expect_error("outside");
	assert_int_equal(arch->map(sim, PAGE(1), 0, RW), Z_ERR_INVAL);
	expect_error("none");
}

static void checks_of_transitions(void **state)
{
	const struct z_arch_ops *arch;
	struct z_page_op op = {.va = PAGE(0), .phys = z_phys(RAM_BASE)};

	(void)state;
	make((struct z_sim_config){.frames = 2});
	arch = z_sim_arch(sim);
	(void)z_sim_env(sim)->lock(sim);
	arch->hold(sim, PAGE(0), op.phys);
	expect_error("UNMAPPED");
	assert_int_equal(arch->protect(sim, PAGE(0), 1, RW), 0);
	expect_error("UNMAPPED");
	assert_int_equal(arch->map(sim, PAGE(0), 2, RW), 0);
	assert_int_equal(arch->map(sim, PAGE(0), 1, RW), 0);
	expect_error("UNTOUCHED");
	arch->attach(sim, &op, 1, Z_ATTACH_CLEAN);
	expect_error("UNTOUCHED");
	arch->detach(sim, &op, 1);
	expect_error("UNTOUCHED");
	arch->release(sim, &op, 1);
	expect_error("UNTOUCHED");
	arch->info(sim, PAGE(0), false);
	expect_error("UNTOUCHED");
	arch->touch(sim, PAGE(0), Z_ACCESS_READ);
	expect_error("UNTOUCHED");
	arch->hold(sim, PAGE(0), z_phys(RAM_BASE + 2 * Z_PAGE_SIZE));
	expect_error("no frame");
	arch->hold(sim, PAGE(0), op.phys);
	assert_int_equal(z_sim_errors(sim), 0);
	arch->hold(sim, PAGE(1), op.phys);
	expect_error("belongs to page 0");
	arch->unmap(sim, PAGE(0), 1);
	expect_error("HELD");
	op.phys = z_phys(RAM_BASE + Z_PAGE_SIZE);
	arch->attach(sim, &op, 1, Z_ATTACH_CLEAN);
	expect_error("the frame is");
	op.phys = z_phys(RAM_BASE);
	assert_int_equal(arch->attach(sim, &op, 1, Z_ATTACH_CLEAN), 0);
	arch->hold(sim, PAGE(0), op.phys);
	expect_error("IN");
	assert_int_equal(arch->detach(sim, &op, 1), 0);
	op.loc = z_loc(12);
	arch->release(sim, &op, 1);
	expect_error("not page-aligned");
}

static void checks_of_scratch_slots(void **state)
{
	const struct z_arch_ops *arch;
	z_key_t key;

	(void)state;
	make((struct z_sim_config){.frames = 2, .scratch_slots = 1});
	arch = z_sim_arch(sim);
	key = z_sim_env(sim)->lock(sim);
	assert_int_equal(arch->map(sim, PAGE(0), 1, RW), 0);
	arch->hold(sim, PAGE(0), z_phys(RAM_BASE));
	z_sim_env(sim)->unlock(sim, key);
	assert_non_null(arch->scratch(sim, PAGE(0), z_phys(RAM_BASE), Z_SCRATCH_FILL));
	assert_int_equal(z_sim_errors(sim), 0);
	assert_non_null(arch->scratch(sim, PAGE(0), z_phys(RAM_BASE), Z_SCRATCH_FILL));
	expect_error("more than 1 in use");
}

/* ---- failures by order, interrupts ---- */

static void failures_by_order(void **state)
{
	const struct z_arch_ops *arch;
	struct z_page_op ops[2] = {{.va = PAGE(0), .phys = z_phys(RAM_BASE)},
				   {.va = PAGE(1), .phys = z_phys(RAM_BASE + Z_PAGE_SIZE)}};

	(void)state;
	make((struct z_sim_config){.frames = 2});
	arch = z_sim_arch(sim);
	z_key_t key = z_sim_env(sim)->lock(sim);
	z_sim_inject(sim, Z_SIM_POINT_MAP, 2, 1, Z_ERR_NOMEM);
	assert_int_equal(arch->map(sim, PAGE(0), 2, RW), 0);
	assert_int_equal(arch->map(sim, PAGE(2), 1, RW), Z_ERR_NOMEM);
	assert_int_equal(z_sim_entry(sim, PAGE(2)).kind, Z_ENTRY_UNMAPPED);
	assert_int_equal(arch->map(sim, PAGE(2), 1, RW), 0);
	arch->hold(sim, PAGE(0), ops[0].phys);
	arch->hold(sim, PAGE(1), ops[1].phys);
	z_sim_inject(sim, Z_SIM_POINT_ATTACH, 2, 1, Z_ERR_AGAIN);
	assert_int_equal(arch->attach(sim, ops, 2, Z_ATTACH_CLEAN), 1);
	assert_int_equal(ops[0].status, 0);
	assert_int_equal(ops[1].status, Z_ERR_AGAIN);
	assert_int_equal(z_sim_entry(sim, PAGE(1)).kind, Z_ENTRY_HELD);
	assert_int_equal(arch->attach(sim, &ops[1], 1, Z_ATTACH_CLEAN), 0);
	z_sim_inject(sim, Z_SIM_POINT_DETACH, 1, 1, Z_ERR_BUSY);
	assert_int_equal(arch->detach(sim, ops, 2), 1);
	assert_int_equal(ops[0].status, Z_ERR_BUSY);
	assert_int_equal(z_sim_entry(sim, PAGE(0)).kind, Z_ENTRY_IN);
	assert_int_equal(z_sim_entry(sim, PAGE(1)).kind, Z_ENTRY_HELD);
	z_sim_inject(sim, Z_SIM_POINT_PROTECT, 1, 1, Z_ERR_NOMEM);
	assert_int_equal(arch->protect(sim, PAGE(0), 2, Z_ACCESS_READ), Z_ERR_NOMEM);
	assert_int_equal(z_sim_entry(sim, PAGE(0)).prot, RW);
	z_sim_env(sim)->unlock(sim, key);
	z_sim_inject(sim, Z_SIM_POINT_ALLOC, 1, 1, 0);
	assert_null(z_sim_alloc(sim, 100));
	void *memory = z_sim_alloc(sim, 100);
	assert_non_null(memory);
	assert_int_equal(z_sim_alloc_bytes(sim), 100);
	z_sim_free(sim, memory, 100);
	assert_int_equal(z_sim_alloc_bytes(sim), 0);
	end_clean();
}

static void count_tick(struct z_sim *machine, void *arg)
{
	assert_true(z_sim_env(machine)->in_isr(machine));
	assert_false(z_sim_irqs_on(machine));
	(*(unsigned int *)arg)++;
}

static void ticks_come_only_with_interrupts_on(void **state)
{
	unsigned int ticks = 0;

	(void)state;
	make((struct z_sim_config){.frames = 2});
	z_sim_set_tick(sim, count_tick, &ticks, 1000);
	z_sim_advance(sim, 999);
	assert_int_equal(ticks, 0);
	z_sim_advance(sim, 1);
	assert_int_equal(ticks, 1);
	z_key_t key = z_sim_env(sim)->lock(sim);
	z_sim_advance(sim, 5000);
	assert_int_equal(ticks, 1);
	z_sim_env(sim)->unlock(sim, key);
	assert_int_equal(ticks, 2);
	assert_true(z_sim_set_irqs(sim, false));
	z_sim_advance(sim, 5000);
	assert_int_equal(ticks, 2);
	assert_false(z_sim_set_irqs(sim, true));
	end_clean();
}

static int bad_handler(void *ctx, uintptr_t va, unsigned int access)
{
	(void)ctx;
	(void)va;
	(void)access;
	(void)z_sim_set_irqs(sim, false);
	return 1;
}

static void fault_must_restore_the_interrupt_state(void **state)
{
	(void)state;
	make((struct z_sim_config){.frames = 2});
	z_sim_set_fault(sim, bad_handler, NULL);
	assert_int_equal(z_sim_store64(sim, PAGE(0), 1), Z_SIM_BAD_ADDRESS);
	expect_error("interrupts were on, are off");
	assert_true(z_sim_irqs_on(sim));
}

static void bad_configurations(void **state)
{
	struct z_sim *none = NULL;
	struct z_sim_config good = {.frames = 1, .vm_base = VM_BASE, .vm_pages = 1};
	struct z_sim_config bad[] = {good, good, good, good, good, good, good};

	(void)state;
	bad[0].frames = 0;
	bad[1].vm_pages = 0;
	bad[2].vm_base = VM_BASE + 1;
	bad[3].cpus = Z_SIM_CPUS_MAX + 1;
	bad[4].scratch_slots = Z_SIM_SCRATCH_MAX + 1;
	bad[5].scratch_address = (uintptr_t)0x200000fff000; /* with more than one slot */
	bad[6].vm_pages = SIZE_MAX / Z_PAGE_SIZE;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(z_sim_create(&bad[i], &none), Z_ERR_INVAL);
		assert_null(none);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(memory_holds_what_was_written, end),
		cmocka_unit_test_teardown(straddling_access_does_both_halves, end),
		cmocka_unit_test_teardown(instruction_needs_all_pages_at_once, end),
		cmocka_unit_test_teardown(too_few_frames_for_an_instruction_is_a_livelock, end),
		cmocka_unit_test_teardown(errors_of_accesses, end),
		cmocka_unit_test_teardown(hardware_sets_accessed_and_dirty, end),
		cmocka_unit_test_teardown(software_accessed_and_dirty_cost_a_fault_each, end),
		cmocka_unit_test_teardown(protection_reaches_the_tlb, end),
		cmocka_unit_test_teardown(missing_shootdown_leaves_a_stale_copy, end),
		cmocka_unit_test_teardown(frames_hold_junk_when_they_are_free, end),
		cmocka_unit_test_teardown(fixed_scratch_page, end),
		cmocka_unit_test_teardown(checks_of_the_lock, end),
		cmocka_unit_test_teardown(checks_of_addresses, end),
		cmocka_unit_test_teardown(checks_of_transitions, end),
		cmocka_unit_test_teardown(checks_of_scratch_slots, end),
		cmocka_unit_test_teardown(failures_by_order, end),
		cmocka_unit_test_teardown(ticks_come_only_with_interrupts_on, end),
		cmocka_unit_test_teardown(fault_must_restore_the_interrupt_state, end),
		cmocka_unit_test(bad_configurations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
