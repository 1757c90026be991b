/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.S - touch memory and survive (see port.h).
 *
 * Each instruction that may fail has an entry in the section .fixups: where it is, where to go on.
 * The trap handler then leaves the reason in a0.
 */
#define READ  1
#define WRITE 2
#define EXEC  4
#define USER  8
#define SUM   (1 << 18)

	.text
	.globl	z_port_probe
z_port_probe:
	addi	sp, sp, -16
	sd	ra, 8(sp)
	andi	t0, a1, USER
	beqz	t0, 1f
	li	t1, SUM
	csrs	sstatus, t1
1:
	andi	t0, a1, READ
	bnez	t0, probe_read
	andi	t0, a1, WRITE
	bnez	t0, probe_write
	jalr	a0
probe_called:
	li	a0, 0
	j	probe_done
probe_read:
	lbu	t0, 0(a0)
	sb	t0, 0(a2)
	li	a0, 0
	j	probe_done
probe_write:
	lbu	t0, 0(a2)
probe_write_at:
	sb	t0, 0(a0)
	li	a0, 0
probe_done:
	li	t1, SUM
	csrc	sstatus, t1
	ld	ra, 8(sp)
	addi	sp, sp, 16
	ret

	.section .fixups, "a"
	.balign	8
	.dword	probe_read, probe_done
	.dword	probe_write_at, probe_done
	.dword	probe_called, probe_done
