/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.S - touch memory and survive (see port.h).
 *
 * Each instruction that may fail has an entry in the section .fixups: where it is, where to go on.
 * The trap handler then leaves the reason in rax. A call has two: itself, and where it would have
 * returned to. The right to touch pages of user mode is the flag AC, on a CPU that asks for it (SMAP).
 */
#define READ  1
#define WRITE 2
#define USER  8
#define AC    (1 << 18)

	.text
	.globl	z_port_probe
z_port_probe:
	subq	$8, %rsp
	testl	$USER, %esi
	jz	1f
	pushfq
	orq	$AC, (%rsp)
	popfq
1:
	testl	$READ, %esi
	jnz	probe_read
	testl	$WRITE, %esi
	jnz	probe_write
	/* A page of zeros is "add to where rax points" over and over: that is nowhere. */
	xorl	%eax, %eax
probe_call:
	call	*%rdi
probe_called:
	xorl	%eax, %eax
	jmp	probe_done
probe_read:
	movb	(%rdi), %cl
	movb	%cl, (%rdx)
	xorl	%eax, %eax
	jmp	probe_done
probe_write:
	movb	(%rdx), %cl
probe_write_at:
	movb	%cl, (%rdi)
	xorl	%eax, %eax
probe_done:
	pushfq
	andq	$~AC, (%rsp)
	popfq
	addq	$8, %rsp
	ret

	.section .fixups, "a"
	.balign	8
	.quad	probe_read, probe_done
	.quad	probe_write_at, probe_done
	.quad	probe_call, probe_done
	.quad	probe_called, probe_done

	.section .note.GNU-stack, "", @progbits
