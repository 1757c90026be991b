/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user.c - the stacks of threads, the registers of floating point, and the code that tests run in user
 * mode.
 *
 * Floating point. An area that was never saved to (its mark is 0) loads as the registers are after a
 * reset, with all exceptions masked; zeros would unmask them.
 */
#include <stddef.h>

#include "../common/port.h"
#include "trap.h"

#define FP_BYTES 512U

struct fp_area {
	struct {
		uint16_t control;
		uint16_t status;
		uint32_t tags_and_opcode;
		uint64_t pointers[2];
		uint32_t sse_control;
		uint32_t sse_mask;
		uint64_t registers[(FP_BYTES - 32) / 8];
	} hardware;
	uint64_t saved; /* 1: what is before was saved */
};

_Static_assert(offsetof(struct fp_area, saved) == FP_BYTES, "FXSAVE writes 512 bytes");
_Static_assert(sizeof(struct fp_area) <= Z_PORT_FP_BYTES, "an area has room for the mark");

extern const char user_read[], user_write[], user_exec[], user_back[], user_return[],
	user_code_end[], thread_begin[];

/* user_enter - as z_port_user_enter. */
_Noreturn void user_enter(uintptr_t pc, uintptr_t stack, unsigned long arg0, unsigned long arg1);

/* What z_port_switch takes off a stack, and above it what keeps the stack aligned. */
#define SWITCH_WORDS 9U

void *z_port_thread_frame(void *stack_top, void (*entry)(void *arg), void *arg)
{
	uint64_t *frame = (uint64_t *)stack_top - SWITCH_WORDS;

	for (unsigned int i = 0; i < SWITCH_WORDS; i++)
		frame[i] = 0;
	frame[3] = (uintptr_t)arg;          /* r12 */
	frame[5] = (uintptr_t)entry;        /* rbx */
	frame[6] = (uintptr_t)thread_begin; /* where to return to */
	return frame;
}

/* iretq to what is no address would fault in the kernel: go where nothing is instead. */
_Noreturn void z_port_user_enter(uintptr_t pc, uintptr_t stack, unsigned long arg0,
				 unsigned long arg1)
{
	user_enter(pc >> 47 == 0 ? pc : 0, stack, arg0, arg1);
}

void z_port_fp_save(void *area)
{
	struct fp_area *to = area;

	__asm__ volatile("fxsave64 %0" : "=m"(to->hardware));
	to->saved = 1;
}

void z_port_fp_load(const void *area)
{
	static const struct fp_area fresh __attribute__((aligned(16))) = {
		.hardware = {.control = 0x37f, .sse_control = 0x1f80}};
	const struct fp_area *from = area;

	if (from->saved == 0)
		from = &fresh;
	__asm__ volatile("fxrstor64 %0" ::"m"(from->hardware));
}

void z_port_user_code(void *page)
{
	unsigned char *to = page;

	for (size_t i = 0; i < (size_t)(user_code_end - user_read); i++)
		to[i] = (unsigned char)user_read[i];
	*(uint64_t *)(void *)(to + (user_return - user_read)) =
		(uintptr_t)page + (uintptr_t)(user_back - user_read);
}

uintptr_t z_port_user_piece(unsigned int access)
{
	const char *piece = (access & Z_ACCESS_READ) != 0    ? user_read
			    : (access & Z_ACCESS_WRITE) != 0 ? user_write
							     : user_exec;

	return (uintptr_t)(piece - user_read);
}
