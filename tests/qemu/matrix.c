/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matrix.c - every kind of page, touched in every way by the kernel and by user mode: what must happen
 * is in one table. User mode meets the same with pages of its own, and is refused on all others.
 */
#include "board.h"

#include <zpager/mmu.h>

#include <cmocka.h>

#include "../../kernel/user.h"
#include "insn.h"

#define OK  Z_PROBE_OK
#define VIO (Z_PROBE_FAULT + Z_FAULT_VIOLATION)
#define BAD (Z_PROBE_FAULT + Z_FAULT_BAD_ADDRESS)

enum state { IN, OUT, UNTOUCHED, UNMAPPED, GUARD };

struct row {
	const char *name;
	enum state state;
	unsigned int prot;
	unsigned int read;
	unsigned int write;
	unsigned int exec;
};

#define R Z_ACCESS_READ
#define W Z_ACCESS_WRITE
#define X Z_ACCESS_EXEC
#define U Z_ACCESS_USER

/* A page that was never touched is zeros: called, it is there; what zeros do is the CPU's. */
static const struct row rows[] = {
	{"in rw", IN, R | W, OK, OK, VIO},
	{"out rw", OUT, R | W, OK, OK, VIO},
	{"untouched rw", UNTOUCHED, R | W, OK, OK, VIO},
	{"in r", IN, R, OK, VIO, VIO},
	{"out r", OUT, R, OK, VIO, VIO},
	{"untouched r", UNTOUCHED, R, OK, VIO, VIO},
	{"in rx", IN, R | X, OK, VIO, OK},
	{"out rx", OUT, R | X, OK, VIO, OK},
	{"untouched rx", UNTOUCHED, R | X, OK, VIO, INSN_ZEROS},
	{"in x", IN, X, VIO, VIO, OK},
	{"out x", OUT, X, VIO, VIO, OK},
	{"untouched x", UNTOUCHED, X, VIO, VIO, INSN_ZEROS},
	{"in rwx", IN, R | W | X, OK, OK, OK},
	{"out rwx", OUT, R | W | X, OK, OK, OK},
	{"in none", IN, 0, VIO, VIO, VIO},
	{"out none", OUT, 0, VIO, VIO, VIO},
	{"in user", IN, R | W | X | U, MMU_OPEN ? OK : VIO, MMU_OPEN ? OK : VIO, VIO},
	{"unmapped", UNMAPPED, R | W, BAD, BAD, BAD},
	{"guard", GUARD, R | W, BAD, BAD, BAD},
};

/* A page in the state of the row; where to touch it. */
static uintptr_t make(const struct row *row)
{
	uintptr_t va = world_map(1, R | W);

	if (row->state == GUARD)
		return va + Z_PAGE_SIZE;
	if (row->state == UNMAPPED) {
		insn_put_return(va);
		assert_int_equal(z_pager_unmap(z_kernel_pager(), va, 1), 0);
		return va;
	}
	if (row->state != UNTOUCHED)
		insn_put_return(va);
	assert_int_equal(z_pager_protect(z_kernel_pager(), va, 1, row->prot), 0);
	if (row->state == OUT)
		world_out(va, 1);
	assert_int_equal(z_port_entry(va).prot, row->prot);
	return va;
}

static uintptr_t user_code; /* 0: the kernel touches */

static unsigned int by_user(uintptr_t va, unsigned int access)
{
	unsigned char byte = 0;

	return user_probe(user_code, va, access, &byte);
}

/*
 * Told the address only, the core brings a page in for any reason, and the trap handler then sees the
 * violation: the result is the same, but the page is resident.
 */
static void one_cell(const struct row *row, unsigned int access, unsigned int expected)
{
	uintptr_t va;
	unsigned int result;

	if (expected == INSN_ANYTHING)
		return;
	va = make(row);
	result = user_code != 0 ? by_user(va, access) : world_probe(va, access);

	if (result != expected)
		print_error("%s, access %u: 0x%x is not 0x%x\n", row->name, access, result,
			    expected);
	assert_int_equal(result, expected);
	if (expected == VIO && row->state == OUT && !world->spec)
		assert_int_equal(z_port_entry(va).kind, Z_ENTRY_OUT);
	if (expected == OK)
		assert_int_equal(z_port_entry(va).kind, Z_ENTRY_IN);
	if (row->state < UNMAPPED) {
		assert_int_equal(z_port_entry(va).prot, row->prot);
		assert_int_equal(z_pager_unmap(z_kernel_pager(), va, 1), 0);
	}
}

/* What page tables cannot refuse, they allow as soon as the page is in, for whatever reason. */
static unsigned int result_of_read(const struct row *row, bool reads_x)
{
	if (row->prot != X || !reads_x)
		return row->read;
	if (row->state == IN)
		return OK;
	return world->spec ? INSN_ANYTHING : row->read;
}

static void matrix_of_kernel_accesses(void **state)
{
	(void)state;
	user_code = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		one_cell(&rows[i], Z_ACCESS_READ, result_of_read(&rows[i], MMU_READS_X));
		one_cell(&rows[i], Z_ACCESS_WRITE, rows[i].write);
		one_cell(&rows[i], Z_ACCESS_EXEC, rows[i].exec);
	}
}

#define USER_CODE (CONFIG_KERNEL_VM_BASE + 0x400000)

/* From here on user mode touches. Its code is out, like any page may be. */
static void start_user(void)
{
	uintptr_t va = USER_CODE;

	user_code = 0;
	if (z_port_entry(va).kind == Z_ENTRY_UNMAPPED) {
		assert_int_equal(z_pager_map(z_kernel_pager(), 1, R | W, Z_MAP_FIXED, 1, &va), 0);
		z_port_user_code((void *)va);
		assert_int_equal(z_pager_protect(z_kernel_pager(), va, 1, R | X | U), 0);
	}
	user_code = va;
	world_out(user_code, 1);
}

static void matrix_of_user_accesses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct row row = rows[i];

		if ((row.prot & U) != 0)
			continue;
		row.read = result_of_read(&row, MMU_USER_READS_X);
		start_user();
		row.prot |= U;
		one_cell(&row, Z_ACCESS_READ, row.read);
		one_cell(&row, Z_ACCESS_WRITE, row.write);
		start_user();
		one_cell(&row, Z_ACCESS_EXEC, row.exec);
	}
}

/* Pages of the kernel in the window: mapped, but not for user mode, whatever else they allow. */
static void user_is_kept_out_of_kernel_pages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned int expected = rows[i].state < UNMAPPED ? VIO : BAD;

		if ((rows[i].prot & U) != 0)
			continue;
		start_user();
		one_cell(&rows[i], Z_ACCESS_READ, expected);
		one_cell(&rows[i], Z_ACCESS_WRITE, expected);
		one_cell(&rows[i], Z_ACCESS_EXEC, expected);
	}
}

/* The kernel's own memory, the scratch page, the frames, NULL: nothing of it. */
static void contract_08_user_is_kept_out_of_the_kernel(void **state)
{
	static unsigned int own = 17;
	const struct {
		uintptr_t va;
		unsigned int result;
	} there[] = {
		{(uintptr_t)&own, VIO},
		{(uintptr_t)&test_matrix, VIO},
		{(uintptr_t)Z_SCRATCH_PAGE, BAD},
		{Z_PHYS_RAM_START, BAD},
		{0, BAD},
	};

	(void)state;
	start_user();
	for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
		assert_int_equal(by_user(there[i].va, Z_ACCESS_READ), there[i].result);
		assert_int_equal(by_user(there[i].va, Z_ACCESS_WRITE), there[i].result);
		assert_int_equal(by_user(there[i].va, Z_ACCESS_EXEC), there[i].result);
	}
	assert_int_equal(own, 17);
}

static void user_reads_what_the_kernel_wrote(void **state)
{
	uintptr_t va = world_map(1, R | W);
	unsigned char byte = 0;

	(void)state;
	*(volatile unsigned char *)(va + 5) = 0xa7;
	assert_int_equal(z_pager_protect(z_kernel_pager(), va, 1, R | W | U), 0);
	start_user();
	for (unsigned int cycle = 0; cycle < 10; cycle++) {
		world_out(va, 1);
		world_out(user_code, 1);
		assert_int_equal(user_probe(user_code, va + 5, R, &byte), OK);
		assert_int_equal(byte, (unsigned char)(0xa7 + cycle));
		byte++;
		assert_int_equal(user_probe(user_code, va + 5, W, &byte), OK);
		assert_int_equal(z_port_entry(va).prot, R | W | U);
	}
}

/* With the right to touch them, pages of user mode are like others; never to be executed, though. */
static void pages_of_user_mode(void **state)
{
	static const struct row in = {"in user, allowed", IN, R | W | X | U, OK, OK, VIO};
	static const struct row out = {"out user, allowed", OUT, R | X | U, OK, VIO, VIO};

	(void)state;
	user_code = 0;
	one_cell(&in, Z_ACCESS_READ | U, OK);
	one_cell(&in, Z_ACCESS_WRITE | U, OK);
	one_cell(&in, Z_ACCESS_EXEC | U, VIO);
	one_cell(&out, Z_ACCESS_READ | U, OK);
	one_cell(&out, Z_ACCESS_WRITE | U, VIO);
}

/* Different code at one address, each brought in from the store: the fetch never sees an old one. */
static void code_that_changes(void **state)
{
	uintptr_t va = world_map(1, R | W | X);

	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		unsigned int (*function)(void) = (unsigned int (*)(void))va;

		insn_put_constant(va, i);
		world_out(va, 1);
		assert_int_equal(function(), i);
	}
}

void test_matrix(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		CASE(matrix_of_kernel_accesses),
		CASE(matrix_of_user_accesses),
		CASE(user_is_kept_out_of_kernel_pages),
		CASE(contract_08_user_is_kept_out_of_the_kernel),
		CASE(user_reads_what_the_kernel_wrote),
		CASE(pages_of_user_mode),
		CASE(code_that_changes),
	};
#undef CASE

	(void)cmocka_run_group_tests_name(world->name, tests, NULL, NULL);
}
