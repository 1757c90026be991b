/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user.h - user mode: threads of it, its system calls, and programs from the disk.
 */
#ifndef KERNEL_USER_H
#define KERNEL_USER_H

#include "sched.h"

/* How a user thread ended, as thread_join() gives it: why (enum z_probe), and the value of exit. */
#define USER_STATUS(why, value) (((unsigned long)(why) << 32) | ((value)&0xffffffffUL))
#define USER_WHY(status)        ((unsigned int)((status) >> 32))
#define USER_VALUE(status)      ((unsigned int)(status))

/*
 * user_start - a thread that begins in user mode at pc with that stack, which may be out, or 0.
 *   NULL: no memory.
 */
struct thread *user_start(const char *name, uintptr_t pc, uintptr_t stack, unsigned long arg0,
			  unsigned long arg1);

/*
 * user_probe - touch one byte by code in user mode, in a thread of its own: READ stores it in *byte,
 * WRITE takes it from there, EXEC calls it.
 *   code: a page with z_port_user_code that user mode may read and execute, resident or not.
 *   Result: as z_port_probe. Context: a thread.
 */
unsigned int user_probe(uintptr_t code, uintptr_t va, unsigned int access, unsigned char *byte);

#endif /* KERNEL_USER_H */
