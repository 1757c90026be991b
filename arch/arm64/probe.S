/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.S - touch memory and survive (see port.h), and end the emulator if there is one.
 *
 * Each instruction that may fail has an entry in the section .fixups: where it is, where to go on.
 * The trap handler then leaves the reason in x0.
 */
#define READ_BIT  0
#define WRITE_BIT 1

#define SYS_EXIT_EXTENDED 0x20

	.text
	.globl	z_port_probe
z_port_probe:
	stp	x29, x30, [sp, #-16]!
	tbnz	x1, #READ_BIT, probe_read
	tbnz	x1, #WRITE_BIT, probe_write
	blr	x0
probe_called:
	mov	x0, #0
	b	probe_done
probe_read:
	ldrb	w3, [x0]
	strb	w3, [x2]
	mov	x0, #0
	b	probe_done
probe_write:
	ldrb	w3, [x2]
probe_write_at:
	strb	w3, [x0]
	mov	x0, #0
probe_done:
	ldp	x29, x30, [sp], #16
	ret

/* semihosting_exit(block): comes back if nobody listens. */
	.globl	semihosting_exit
semihosting_exit:
	mov	x1, x0
	mov	w0, #SYS_EXIT_EXTENDED
semihosting_call:
	hlt	#0xf000
semihosting_done:
	ret

	.section .fixups, "a"
	.balign	8
	.dword	probe_read, probe_done
	.dword	probe_write_at, probe_done
	.dword	probe_called, probe_done
	.dword	semihosting_call, semihosting_done
