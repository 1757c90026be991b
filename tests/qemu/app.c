/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app.c - the application of the test kernel: the suite of all ports, then each group in each world,
 * then the summary.
 */
#include "board.h"

#include <cmocka.h>

static const struct world_config worlds[] = {
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

unsigned int kernel_app(void)
{
	test_conform();
	for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++) {
		world = &worlds[i];
		test_fault();
		test_matrix();
		test_irq();
		test_memory();
	}
	test_cost();
	test_bench();
	return hosted_summary() != 0;
}
