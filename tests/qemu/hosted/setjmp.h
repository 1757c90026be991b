/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setjmp.h - leaving a test from wherever it failed, by what the compiler brings along.
 */
#ifndef QEMU_HOSTED_SETJMP_H
#define QEMU_HOSTED_SETJMP_H

typedef void *jmp_buf[5];

#define setjmp(buffer)         __builtin_setjmp(buffer)
#define longjmp(buffer, value) __builtin_longjmp(buffer, value)

#endif /* QEMU_HOSTED_SETJMP_H */
