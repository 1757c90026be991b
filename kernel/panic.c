/* SPDX-License-Identifier: Apache-2.0 */
/*
 * panic.c - the end of a machine that found a bug: why, the registers, the page frames, off.
 *
 * The map of the frames takes the pager lock, which may be what the bug is about: a panic inside of
 * a panic prints one line and is over.
 */
#include "kernel.h"

#include <zpager/mmu.h>

#define PANIC_STATUS 2U
/* A character a frame, a newline after each 64, and the 0. */
#define MAP_CHARS (Z_NUM_PAGE_FRAMES + Z_NUM_PAGE_FRAMES / 64 + 1)

static bool panicking;

static void dump_frames(void)
{
	static char map[MAP_CHARS + 1];

	if (z_kernel_pager() == NULL)
		return;
	(void)z_pager_dump(z_kernel_pager(), map, MAP_CHARS);
	kernel_print("page frames:\n%s\n", map);
}

_Noreturn void kernel_panic(const char *why, const struct z_port_regs *regs)
{
	(void)z_port_irq_lock();
	kernel_print("\nPANIC %s\n", why);
	if (!panicking) {
		panicking = true;
		if (regs != NULL)
			z_port_print_regs(regs);
		dump_frames();
	}
	z_port_exit(PANIC_STATUS);
}
