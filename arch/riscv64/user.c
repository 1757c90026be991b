/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user.c - the stacks of threads, and the code that tests run in user mode.
 */
#include <stddef.h>

#include "../common/port.h"
#include "trap.h"

extern const char user_read[], user_write[], user_exec[], user_code_end[], thread_begin[];

/* What z_port_switch takes off a stack: ra, s0 to s11, and one to keep it aligned to 16. */
#define SWITCH_WORDS 14U

void *z_port_thread_frame(void *stack_top, void (*entry)(void *arg), void *arg)
{
	uint64_t *frame = (uint64_t *)stack_top - SWITCH_WORDS;

	for (unsigned int i = 0; i < SWITCH_WORDS; i++)
		frame[i] = 0;
	frame[0] = (uintptr_t)thread_begin;
	frame[1] = (uintptr_t)entry;
	frame[2] = (uintptr_t)arg;
	return frame;
}

void z_port_kernel_stack(void *top)
{
	hart_self()->kernel_stack = (uintptr_t)top;
}

void z_port_user_code(void *page)
{
	unsigned char *to = page;

	for (size_t i = 0; i < (size_t)(user_code_end - user_read); i++)
		to[i] = (unsigned char)user_read[i];
}

uintptr_t z_port_user_piece(unsigned int access)
{
	const char *piece = (access & Z_ACCESS_READ) != 0    ? user_read
			    : (access & Z_ACCESS_WRITE) != 0 ? user_write
							     : user_exec;

	return (uintptr_t)(piece - user_read);
}
