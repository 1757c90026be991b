/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board.h - what the parts of the port want from the board.
 */
#ifndef ARCH_X86_64_BOARD_H
#define ARCH_X86_64_BOARD_H

#include <stdint.h>

/* A page of RAM below 1 MiB, where other CPUs begin. */
#define BOARD_START_PAGE 0x8000U

/* The registers of the virtio devices; mmu.c maps them. */
#define BOARD_VIRTIO_BASE  ((uintptr_t)0xfeb00000)
#define BOARD_VIRTIO_BYTES 0x1000U

/* board_start - called by boot.S on the first CPU: 64 bits, its tables, interrupts off. */
_Noreturn void board_start(uintptr_t start_info);

/* board_start_cpu - set up the registers of another CPU: the kernel's tables are in use already. */
void board_start_cpu(unsigned int number);

#endif /* ARCH_X86_64_BOARD_H */
