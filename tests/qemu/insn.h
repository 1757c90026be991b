/* SPDX-License-Identifier: Apache-2.0 */
/*
 * insn.h - a few instructions of each architecture, put into memory by tests that then run them.
 *
 * INSN_STRADDLE: a load put so many bytes before the end of a page needs the next one, too.
 * INSN_ZEROS: what a probe that calls zeros says; INSN_ANYTHING: that cannot be said.
 *
 * And what page tables cannot refuse: MMU_READS_X, MMU_USER_READS_X: the kernel, user mode can read a
 * resident page of its own that is only to be executed. MMU_OPEN: the kernel can read and write
 * pages of user mode at any time.
 */
#ifndef QEMU_INSN_H
#define QEMU_INSN_H

#include <stddef.h>
#include <stdint.h>

#include "board.h"

#define INSN_ANYTHING 0xffffU

#if defined(__riscv)

#define MMU_READS_X      false
#define MMU_USER_READS_X false
#define MMU_OPEN         false
#define INSN_STRADDLE    2U
#define INSN_ZEROS       Z_PROBE_ILLEGAL
/* c.jr ra; ld a0, 0(a0); c.li a0, value */
#define INSN_RETURN          0x82, 0x80
#define INSN_LOAD            0x03, 0x35, 0x05, 0x00
#define INSN_CONSTANT(value) 0x01 | (value) << 2, 0x45

#elif defined(__aarch64__)

#define MMU_READS_X          true
#define MMU_USER_READS_X     false
#define MMU_OPEN             true
#define INSN_STRADDLE        4U
#define INSN_ZEROS           Z_PROBE_ILLEGAL
/* ret; ldr x0, [x0]; movz w0, value */
#define INSN_RETURN          0xc0, 0x03, 0x5f, 0xd6
#define INSN_LOAD            0x00, 0x00, 0x40, 0xf9
#define INSN_CONSTANT(value) ((value)&7) << 5, (value) >> 3, 0x80, 0x52

#else

#define MMU_READS_X          true
#define MMU_USER_READS_X     true
#define MMU_OPEN             false
#define INSN_STRADDLE        1U
#define INSN_ZEROS           INSN_ANYTHING /* an addition to whatever rax points to */
/* ret; mov rax, [rdi]; mov eax, value */
#define INSN_RETURN          0xc3
#define INSN_LOAD            0x48, 0x8b, 0x07
#define INSN_CONSTANT(value) 0xb8, (value), 0, 0, 0

#endif

static inline void insn_put(uintptr_t at, const unsigned char *code, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		((volatile unsigned char *)at)[i] = code[i];
}

/* A function that returns at once. */
static inline void insn_put_return(uintptr_t at)
{
	const unsigned char code[] = {INSN_RETURN};

	insn_put(at, code, sizeof(code));
}

/* A function that returns the word at the address that it is given. */
static inline void insn_put_load(uintptr_t at)
{
	const unsigned char code[] = {INSN_LOAD, INSN_RETURN};

	insn_put(at, code, sizeof(code));
}

/* A function that returns a number below 32. */
static inline void insn_put_constant(uintptr_t at, unsigned int value)
{
	const unsigned char code[] = {INSN_CONSTANT((unsigned char)value), INSN_RETURN};

	insn_put(at, code, sizeof(code));
}

#endif /* QEMU_INSN_H */
