/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gp.h - for assembly: the pointer by which the linker reaches small variables of the kernel (link.ld).
 * It must not make this very instruction one that needs the pointer.
 */
.macro load_gp
	.option	push
	.option	norelax
	la	gp, __global_pointer$
	.option	pop
.endm
