/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack.c - code of the program that runs on a paged stack, and calls us.
 *
 * A stack may lie in paged memory: one for signals that malloc() gave, those of coroutines, one that
 * pthread_attr_setstack() names. Inside, nothing may touch paged memory, and the stack is touched by
 * every function. So whatever goes inside on behalf of the program looks where its stack is, and if it is
 * paged calls itself again on a private one. A call costs two system calls and a block more there.
 *
 * Thread-local storage of a thread that libc made lies at the top of its stack: that is threads.c's.
 *
 * Locks: none. A program that leaves the call by siglongjmp() loses the block.
 * Limits: a call that needs a private stack where there is no memory for one ends the process.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <ucontext.h>

#include "preload.h"

#define STACK_BYTES ((size_t)256 << 10)

struct call {
	ucontext_t back;
	ucontext_t there;
	zp_call_fn *run;
	long args[ZP_CALL_ARGS];
	long result;
};

/* Contexts pass numbers of 32 bits. */
static void begin(unsigned int high, unsigned int low)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): it was one. */
	struct call *call = (struct call *)((uintptr_t)high << 32 | low);

	call->result = call->run(call->args);
}

long zp_on_private_stack(zp_call_fn *run, const long *args)
{
	char *block = zp_private_alloc(STACK_BYTES, ZP_HEAP_ALIGN);
	struct call *call = (struct call *)(void *)block;
	long result;

	if (block == NULL || getcontext(&call->there) != 0) {
		abort();
	}
	call->run = run;
	for (size_t i = 0; i < ZP_CALL_ARGS; i++) {
		call->args[i] = args[i];
	}
	call->there.uc_stack.ss_sp = block + sizeof(*call);
	call->there.uc_stack.ss_size = STACK_BYTES - sizeof(*call);
	call->there.uc_link = &call->back;
	makecontext(&call->there, (void (*)(void))begin, 2, (unsigned int)((uintptr_t)call >> 32),
		    (unsigned int)(uintptr_t)call);
	if (swapcontext(&call->back, &call->there) != 0) {
		abort();
	}
	result = call->result;
	zp_private_free(block);
	return result;
}
