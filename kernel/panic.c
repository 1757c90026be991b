/* SPDX-License-Identifier: Apache-2.0 */
/*
 * panic.c - the end of a machine that found a bug: why, the registers, the page frames, off.
 *
 * The map of the frames takes the pager lock, which may be what the bug is about, or another CPU's: a
 * panic inside of a panic prints one line and is over. Of several CPUs the first one reports.
 */
#include "kernel.h"

#include <zpager/mmu.h>

#define PANIC_STATUS 2U
/* A character a frame, a newline after each 64, and the 0. */
#define MAP_CHARS (Z_NUM_PAGE_FRAMES + Z_NUM_PAGE_FRAMES / 64 + 1)

static unsigned int panicking; /* [A] number of the CPU, plus 1 */

static void dump_frames(void)
{
	static char map[MAP_CHARS + 1];

	if (z_kernel_pager() == NULL)
		return;
	(void)z_pager_dump(z_kernel_pager(), map, MAP_CHARS);
	kernel_print("page frames:\n%s\n", map);
}

bool kernel_is_panicking(void)
{
	return __atomic_load_n(&panicking, __ATOMIC_RELAXED) != 0;
}

_Noreturn void kernel_panic(const char *why, const struct z_port_regs *regs)
{
	unsigned int nobody = 0;
	unsigned int self;

	(void)z_port_irq_lock();
	self = z_port_cpu() + 1;
	if (__atomic_compare_exchange_n(&panicking, &nobody, self, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST)) {
		kernel_print("\nPANIC %s\n", why);
		if (regs != NULL)
			z_port_print_regs(regs);
		dump_frames();
	} else if (nobody != self) {
		for (;;)
			z_port_relax();
	} else {
		kernel_print("\nPANIC in a panic: %s\n", why);
	}
	z_port_exit(PANIC_STATUS);
}
