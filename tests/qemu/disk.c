/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.c - a disk that fails, by the emulator's block debugger: what the program sees is defined, and
 * nothing is lost or wrong.
 *
 * The command line says what was injected: fault=KIND, one of the names below. A read that fails ends
 * the access with an error and can be tried again; a write that fails makes the pager take another
 * victim, and nobody notices. If all writes fail, no page leaves: touches of new pages fail.
 */
#include "board.h"

#include <zpager/mmu.h>

#include <cmocka.h>
#include <string.h>

#define PAGES (2U * Z_NUM_PAGE_FRAMES)

static const char *injected;
static uintptr_t area;

struct outcome {
	unsigned int io_errors;
	unsigned int no_memory;
	unsigned int wrong; /* any other result, or other contents */
};

static void count(struct outcome *o, unsigned int result)
{
	o->io_errors += result == Z_PROBE_FAULT + Z_FAULT_IO_ERROR;
	o->no_memory += result == Z_PROBE_FAULT + Z_FAULT_NO_MEMORY;
	o->wrong += result != Z_PROBE_OK && result != Z_PROBE_FAULT + Z_FAULT_IO_ERROR &&
		    result != Z_PROBE_FAULT + Z_FAULT_NO_MEMORY;
}

static unsigned char byte_of(size_t page)
{
	return (unsigned char)(page * 37 + 11);
}

static bool written[PAGES];

static struct outcome write_all(void)
{
	struct outcome o = {0};

	for (size_t i = 0; i < PAGES; i++) {
		unsigned char byte = byte_of(i);
		unsigned int result =
			z_port_probe(area + i * Z_PAGE_SIZE + i, Z_ACCESS_WRITE, &byte);

		written[i] = result == Z_PROBE_OK;
		count(&o, result);
	}
	return o;
}

static struct outcome read_all(void)
{
	struct outcome o = {0};

	for (size_t i = 0; i < PAGES; i++) {
		unsigned char byte = 0;
		unsigned int result =
			z_port_probe(area + i * Z_PAGE_SIZE + i, Z_ACCESS_READ, &byte);

		count(&o, result);
		if (result == Z_PROBE_OK)
			o.wrong += byte != (written[i] ? byte_of(i) : 0);
	}
	return o;
}

static bool is(const char *kind)
{
	size_t n = strlen(kind);

	return memcmp(injected, kind, n + 1) == 0;
}

/* All of these found a page of the disk's first, or its third, request bad, once. */
static void one_request_fails(void)
{
	struct outcome w = write_all();
	struct outcome r = read_all();
	struct outcome again = read_all();

	assert_int_equal(w.io_errors + w.no_memory + w.wrong, 0);
	assert_int_equal(r.io_errors, is("read-once") ? 1 : 0);
	assert_int_equal(r.no_memory + r.wrong, 0);
	assert_int_equal(again.io_errors + again.no_memory + again.wrong, 0);
	assert_int_equal(world_stats().read_errors, is("read-once") ? 1 : 0);
	assert_int_equal(world_stats().write_errors, is("write-once") ? 1 : 0);
}

/* Some were read before it; from then on each page that is out stays out. */
static void all_reads_fail(void)
{
	struct outcome w = write_all();
	struct outcome r = read_all();

	assert_int_equal(w.io_errors + w.no_memory + w.wrong, 0);
	assert_true(r.io_errors > 0);
	assert_int_equal(r.no_memory + r.wrong, 0);
	assert_int_equal(r.io_errors, world_stats().read_errors);
}

/* As many pages as there are frames, and as many as could leave before it, are there. */
static void all_writes_fail(void)
{
	struct outcome w = write_all();
	struct outcome r = read_all();

	assert_true(w.io_errors > 0);
	assert_int_equal(w.no_memory + w.wrong, 0);
	assert_int_equal(r.wrong, 0);
	assert_true(world_stats().write_errors > 0);
	for (size_t i = 0; i < Z_NUM_PAGE_FRAMES; i++)
		assert_true(written[i]);
}

static void a_failing_disk_loses_nothing(void **state)
{
	(void)state;
	area = world_map(PAGES, RW);
	if (is("read-always"))
		all_reads_fail();
	else if (is("write-always"))
		all_writes_fail();
	else
		one_request_fails();
	world_check(Z_CHECK_PAGES);
}

void test_disk(const char *fault)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_failing_disk_loses_nothing, world_setup,
						world_teardown),
	};

	injected = fault;
	world_disk_is_bad = true;
	(void)cmocka_run_group_tests_name(world->name, tests, NULL, NULL);
	world_disk_is_bad = false;
}
