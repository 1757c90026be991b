/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system.h - a program's side of the system calls, and the memory that it gets by them.
 */
#ifndef USER_SYSTEM_H
#define USER_SYSTEM_H

#include <stddef.h>

#include "syscall.h"

/* system_call - see syscall.h. One per machine (start_ARCH.S), and one that stands in on Linux. */
long system_call(long number, unsigned long a, unsigned long b, unsigned long c);

/* program_start - what the first instruction goes on with: runs main(), ends the program. */
_Noreturn void program_start(void);

/* system_write - all of these bytes to the console. */
void system_write(const void *from, size_t bytes);

/*
 * memory_resize - as Lua wants it (lua_Alloc): give, give back or change the size of a block.
 *   block: NULL, or one of this function of exactly old bytes; bytes 0: give it back.
 *   Returns the block, perhaps elsewhere, aligned to 16; NULL if there is no memory, the old block
 *   stays then. To make a block smaller never fails. unused: anything.
 */
void *memory_resize(void *unused, void *block, size_t old, size_t bytes);

/* memory_reset - all small blocks are given back, whether memory_resize() was told or not. */
void memory_reset(void);

#endif /* USER_SYSTEM_H */
