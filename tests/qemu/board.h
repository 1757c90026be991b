/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board.h - what the tests on a board share: the groups, and the machine that most of them start from.
 */
#ifndef QEMU_BOARD_H
#define QEMU_BOARD_H

#include "../../kernel/kernel.h"

/* The groups; each prints its result lines. */
void test_conform(void);

#endif /* QEMU_BOARD_H */
