/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscall.h - the system calls of the small kernel, as the kernel and programs of user mode know them.
 *
 * A call has a number and up to four arguments; the result is not negative, or an error of
 * include/zpager/error.h.
 */
#ifndef USER_SYSCALL_H
#define USER_SYSCALL_H

#include <stdint.h>

enum user_call {
	USER_CALL_EXIT = 0,  /* (status) does not return */
	USER_CALL_WRITE = 1, /* (text, bytes) to the console; bytes written */
	USER_CALL_MAP = 2,   /* (bytes) zero-filled pageable memory; its address */
	USER_CALL_UNMAP = 3, /* (address, bytes) 0 */
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
