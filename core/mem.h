/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem.h - the four functions that a freestanding compiler may call on its own anyway, declared by
 * hand because the core includes no libc header. The hosted libc or the kernel provides them.
 */
#ifndef ZPAGER_CORE_MEM_H
#define ZPAGER_CORE_MEM_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

#endif /* ZPAGER_CORE_MEM_H */
