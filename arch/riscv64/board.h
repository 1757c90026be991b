/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board.h - the other harts, for the page tables.
 */
#ifndef ARCH_RISCV64_BOARD_H
#define ARCH_RISCV64_BOARD_H

#include <stddef.h>
#include <stdint.h>

/*
 * board_fence_others - no other hart that runs acts on older translations of these pages when this
 * returns. board_fence_code_of_others - nor on instructions fetched earlier. Any context.
 */
void board_fence_others(uintptr_t va, size_t pages);
void board_fence_code_of_others(void);

#endif /* ARCH_RISCV64_BOARD_H */
