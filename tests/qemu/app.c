/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app.c - the application of the test kernel. The command line says what it runs: run=NAME.
 *
 *   port     the suite of all ports, every group in worlds with the RAM store, as faults come and with
 *            accessed and dirty by faults (this is the default)
 *   disk     worlds with the store on the disk, and the on-demand section
 *   races    every world in short, with several threads; for several CPUs, and good for one, too
 *   custom   somebody else's store, with each algorithm and with somebody else's; only in that kernel
 *   fault    a disk that fails (fault=KIND)
 *   day      24 hours
 *   cost     instructions of a fault, and the longest stretch with interrupts locked
 *   bench    faults of each algorithm and of the optimum
 */
#include "board.h"

#include <cmocka.h>
#include <string.h>

#include <zpager/mmu.h>

#include "../../kernel/disk.h"
#include "../../kernel/ondemand.h"
#include "../../kernel/sched.h"

static const struct world_config port_worlds[] = {
	{.name = "nru-irq", .eviction = "nru", .irq = true},
	{.name = "nru-noirq", .eviction = "nru"},
	{.name = "clock-irq", .eviction = "clock", .irq = true},
	{.name = "clock-noirq", .eviction = "clock"},
	{.name = "lru-irq", .eviction = "lru", .irq = true},
	{.name = "lru-noirq", .eviction = "lru"},
	{.name = "nru-irq-soft", .eviction = "nru", .irq = true, .soft_ad = true},
	{.name = "lru-noirq-soft", .eviction = "lru", .soft_ad = true},
	{.name = "clock-irq-spec", .eviction = "clock", .irq = true, .spec = true},
	{.name = "nru-noirq-soft-spec", .eviction = "nru", .soft_ad = true, .spec = true},
};

static const struct world_config disk_worlds[] = {
	{.name = "nru-irq-block", .eviction = "nru", .store = WORLD_BLOCK, .irq = true},
	{.name = "nru-noirq-block", .eviction = "nru", .store = WORLD_BLOCK},
	{.name = "clock-irq-block", .eviction = "clock", .store = WORLD_BLOCK, .irq = true},
	{.name = "clock-noirq-block", .eviction = "clock", .store = WORLD_BLOCK},
	{.name = "lru-irq-block", .eviction = "lru", .store = WORLD_BLOCK, .irq = true},
	{.name = "lru-noirq-block", .eviction = "lru", .store = WORLD_BLOCK},
};

#ifdef CONFIG_BACKING_STORE_CUSTOM
static const struct world_config custom_worlds[] = {
	{.name = "nru-irq-custom", .eviction = "nru", .store = WORLD_CUSTOM, .irq = true},
	{.name = "nru-noirq-custom", .eviction = "nru", .store = WORLD_CUSTOM},
	{.name = "clock-irq-custom", .eviction = "clock", .store = WORLD_CUSTOM, .irq = true},
	{.name = "clock-noirq-custom", .eviction = "clock", .store = WORLD_CUSTOM},
	{.name = "lru-irq-custom", .eviction = "lru", .store = WORLD_CUSTOM, .irq = true},
	{.name = "lru-noirq-custom", .eviction = "lru", .store = WORLD_CUSTOM},
	{.name = "custom-irq-custom", .store = WORLD_CUSTOM, .irq = true},
	{.name = "custom-noirq-custom", .store = WORLD_CUSTOM},
	{.name = "custom-irq-ram", .irq = true},
	{.name = "custom-noirq-ram"},
	{.name = "custom-irq-block", .store = WORLD_BLOCK, .irq = true},
	{.name = "custom-noirq-block", .store = WORLD_BLOCK},
};
#else
static const struct world_config custom_worlds[] = {{.name = "this kernel has none"}};
#endif

#define ARRAY(a) (a), sizeof(a) / sizeof((a)[0])

static void in_worlds(void (*groups)(void), const struct world_config *worlds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct world_config w = worlds[i];

#ifndef CONFIG_DEMAND_PAGING_ALLOW_IRQ
		w.irq = false;
#endif
		world = &w;
		groups();
	}
	world = NULL;
}

static void all_groups(void)
{
	test_fault();
	test_matrix();
	test_irq();
	test_memory();
	test_k_mem();
	test_threads();
}

static void disk_groups(void)
{
	all_groups();
	test_ondemand();
}

/* What one CPU has shown of memory needs no other. */
static void short_groups(void)
{
	if (sched_cpus() == 1)
		test_memory();
	test_threads();
	test_races();
}

/* The on-demand section needs a store with an image. */
static void custom_groups(void)
{
	short_groups();
	if (world->store != WORLD_RAM)
		test_ondemand();
}

static void run_port(void)
{
	test_conform();
	in_worlds(all_groups, ARRAY(port_worlds));
}

static void run_races(void)
{
	in_worlds(short_groups, ARRAY(port_worlds));
	in_worlds(short_groups, ARRAY(disk_worlds));
}

static void run_fault(void)
{
	char fault[16] = "";

	world = &disk_worlds[2];
	if (!kernel_option("fault", fault, sizeof(fault) - 1))
		kernel_panic("run=fault wants fault=KIND", NULL);
	test_disk(fault);
}

static void run_day(void)
{
	world = &port_worlds[2];
	test_day();
}

static bool is(const char *text, const char *wanted)
{
	return memcmp(text, wanted, strlen(wanted) + 1) == 0;
}

static bool run(const char *name)
{
	if (is(name, "port"))
		run_port();
	else if (is(name, "disk"))
		in_worlds(disk_groups, ARRAY(disk_worlds));
	else if (is(name, "races"))
		run_races();
	else if (is(name, "custom") && custom_worlds[0].eviction != NULL)
		in_worlds(custom_groups, ARRAY(custom_worlds));
	else if (is(name, "fault"))
		run_fault();
	else if (is(name, "day"))
		run_day();
	else if (is(name, "cost"))
		test_cost();
	else if (is(name, "bench"))
		test_bench();
	else
		return false;
	return true;
}

unsigned int kernel_app(void)
{
	char name[16] = "port";

	(void)kernel_option("run", name, sizeof(name) - 1);
	if (disk_start(ondemand_pages()) != Z_OK)
		kernel_print("no disk: only what needs none can run\n");
#ifdef CONFIG_BACKING_STORE_CUSTOM
	z_store_custom_image_pages = ondemand_pages();
#endif
	if (!run(name)) {
		kernel_print("run=%s: there is no such run\n", name);
		return 1;
	}
	return hosted_summary() != 0;
}
