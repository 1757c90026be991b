/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscall.h - the system calls of the small kernel, as the kernel and programs of user mode know them.
 *
 * A call has a number and up to four arguments; the result is not negative, or an error of
 * include/zpager/error.h. All other registers stay as they are.
 *
 *            call       number  arguments          result
 *   riscv64  ecall      a7      a0 a1 a2 a3        a0
 *   arm64    svc #0     x8      x0 x1 x2 x3        x0
 *   x86_64   int $0x80  rax     rdi rsi rdx r10    rax
 */
#ifndef USER_SYSCALL_H
#define USER_SYSCALL_H

#include <stdint.h>

enum user_call {
	USER_CALL_EXIT = 0,  /* (status) does not return */
	USER_CALL_WRITE = 1, /* (text, bytes) to the console; bytes written */
	USER_CALL_MAP = 2,   /* (bytes) zero-filled pageable memory; its address */
	USER_CALL_UNMAP = 3, /* (address, bytes) whole pages of one map, all or its last; 0 */
	USER_CALL_TIME = 4,  /* () nanoseconds since some start */
	USER_CALL_STATS = 5, /* (struct user_stats *) 0 */
};

struct user_stats {
	uint64_t page_faults;
	uint64_t pages_in;
	uint64_t pages_out;
	uint64_t evictions_clean;
	uint64_t evictions_dirty;
	uint64_t frames;
	uint64_t frames_free;
};

#endif /* USER_SYSCALL_H */
