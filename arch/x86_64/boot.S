/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot.S - the first instructions of a CPU.
 *
 * The first CPU comes by the PVH entry: 32 bits, paging and interrupts off, flat segments, the address of
 * hvm_start_info in ebx. It builds tables that map the first GiB where it lies, and goes to 64 bits
 * with them. Another CPU begins in real mode in a copy of boot_other in the first MiB, and goes the
 * same way with the kernel's tables: boot_root says which.
 *
 * Source: Xen's pvh.pandoc and start_info.h for the entry; Intel SDM volume 3, 9.8.5 for long mode.
 */
#define NOTE_PHYS32_ENTRY 18

#define CR0_PE     (1 << 0)
#define CR0_FOR_64 0x80010033 /* PG, WP, NE, ET, MP, PE */
#define CR4_PAE    (1 << 5)
#define MSR_EFER   0xc0000080
#define EFER_LME   (1 << 8)
#define EFER_NXE   (1 << 11)

#define PTE_TABLE 0x3  /* P, W */
#define PTE_LARGE 0x83 /* P, W, 2 MiB */

#define CODE_64 0x08
#define DATA    0x10
#define CODE_32 0x18

	.section .note.pvh, "a", @note
	.long	4, 8, NOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.quad	_start

	.section .text.boot, "ax"
	.code32
	.globl	_start
_start:
	cli
	cld
	movl	$link_bss, %edi
	movl	$link_end, %ecx
	subl	%edi, %ecx
	shrl	$2, %ecx
	xorl	%eax, %eax
	rep stosl

	movl	$boot_directory + PTE_TABLE, boot_pointers
	movl	$boot_pointers + PTE_TABLE, boot_top
	movl	$boot_directory, %edi
	movl	$PTE_LARGE, %eax
1:
	movl	%eax, (%edi)
	addl	$8, %edi
	addl	$0x200000, %eax
	cmpl	$0x40000000, %eax
	jb	1b
	movl	$boot_top, boot_root
	movl	$link_stack_end, boot_stack
	movl	$board_start, boot_next
	movl	%ebx, boot_argument

	/* NX is in the tables of another CPU: it must not be a reserved bit when they come into use. */
to_64:
	movl	$0x80000001, %eax
	cpuid
	testl	$1 << 20, %edx
	jz	no_nx
	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	boot_root, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	movl	$EFER_LME | EFER_NXE, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$CR0_FOR_64, %eax
	movl	%eax, %cr0
	lgdt	boot_gdt_pointer
	ljmp	$CODE_64, $in_64

/* Nothing can be said yet: the console is not there. The exit device can. */
no_nx:
	movw	$0xf4, %dx
	movl	$2, %eax
	outl	%eax, %dx
2:
	hlt
	jmp	2b

	.code64
in_64:
	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movq	boot_stack, %rsp
	movq	boot_argument, %rdi
	xorl	%ebp, %ebp
	call	*boot_next
	ud2

/* In real mode at a page of its own: cs is the page's segment, so addresses count from its begin. */
	.code16
	.globl	boot_other, boot_other_end
boot_other:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	boot_other_gdt - boot_other
	movl	%cr0, %eax
	orl	$CR0_PE, %eax
	movl	%eax, %cr0
	ljmpl	$CODE_32, $other_in_32
	.balign	4
boot_other_gdt:
	.word	boot_gdt_end - boot_gdt - 1
	.long	boot_gdt
boot_other_end:

	.code32
other_in_32:
	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	jmp	to_64

	.balign	8
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
	.quad	0x00cf9b000000ffff
boot_gdt_end:
	.word	0
boot_gdt_pointer:
	.word	boot_gdt_end - boot_gdt - 1
	.long	boot_gdt

	.bss
	.balign	4096
boot_top:
	.skip	4096
boot_pointers:
	.skip	4096
boot_directory:
	.skip	4096
	.globl	boot_root, boot_stack, boot_next, boot_argument
boot_root:
	.skip	8
boot_stack:
	.skip	8
boot_next:
	.skip	8
boot_argument:
	.skip	8

	.section .note.GNU-stack, "", @progbits
