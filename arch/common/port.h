/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port.h - between a bare-metal port and the kernel: what each gives the other, beside the hooks of
 * arch.h. kernel/ knows a machine only through this header, so it is the same on all of them.
 *
 * Everything here runs on memory that is never paged. Unless said otherwise: any context.
 */
#ifndef ARCH_COMMON_PORT_H
#define ARCH_COMMON_PORT_H

#include <zpager/arch.h>
#include <zpager/pager.h>

/* ---- what the port gives ------------------------------------------------------------------ */

/* The registers of what a trap interrupted; only the port looks inside. */
struct z_port_regs;

/* How many pages of RAM the kernel may use for its own data: from begin to end, mapped. */
struct z_port_ram {
	uintptr_t begin;
	uintptr_t end;
};

/*
 * z_port_arch - the hooks, and the context to call them with.
 *   soft_ad: emulate accessed and dirty by faults although the hardware might keep them.
 */
const struct z_arch_ops *z_port_arch(bool soft_ad, void **ctx_out);

/* z_port_name, z_port_ad - "riscv64"; does the hardware keep accessed and dirty bits by itself? */
const char *z_port_name(void);
bool z_port_ad(void);

/* z_port_irq_lock - interrupts off; returns what was. z_port_irq_restore - back to that. */
unsigned long z_port_irq_lock(void);
void z_port_irq_restore(unsigned long key);
bool z_port_irqs_on(void);

/* z_port_in_isr - is this CPU in an interrupt service routine, or in a fault of one? */
bool z_port_in_isr(void);

/* z_port_now - nanoseconds since some start. */
uint64_t z_port_now(void);

/* z_port_instructions - how many this CPU has executed. */
uint64_t z_port_instructions(void);

/* z_port_tick - call kernel_tick() every so many nanoseconds, 0: no more. */
void z_port_tick(uint64_t period_ns);

void z_port_putc(char c);

/* z_port_exit - switch the machine off; the emulator's exit status is 0 only for 0. */
_Noreturn void z_port_exit(unsigned int status);

/* z_port_print_regs - all registers, by the kernel's console. */
void z_port_print_regs(const struct z_port_regs *regs);

/*
 * z_port_probe - touch one byte and survive: READ stores it in *byte, WRITE takes it from there,
 * EXEC calls the address. USER, in addition: with the right to touch pages of user mode.
 *   0 | Z_PROBE_FAULT + enum z_fault_result | Z_PROBE_ILLEGAL what was called is no instruction.
 *   Context: not in a trap.
 */
enum z_probe { Z_PROBE_OK = 0, Z_PROBE_FAULT = 0x10, Z_PROBE_ILLEGAL = 0x20 };
unsigned int z_port_probe(uintptr_t va, unsigned int access, unsigned char *byte);

/*
 * z_port_user_probe - the same by code that runs in user mode, interrupts on.
 *   code: a page that user mode may read and execute, with what z_port_user_code puts there.
 * z_port_user_code - write that code to the beginning of a page.
 */
unsigned int z_port_user_probe(uintptr_t code, uintptr_t va, unsigned int access,
			       unsigned char *byte);
void z_port_user_code(void *page);

/* z_port_on_stack - call a function with another stack, which may be pageable. */
void z_port_on_stack(void (*function)(void *arg), void *arg, void *stack_top);

/* ---- what the kernel gives ------------------------------------------------------------------ */

/* kernel_main - the machine is up: console, paging on, traps taken, interrupts off. */
_Noreturn void kernel_main(struct z_port_ram ram);

/*
 * kernel_page_fault - a touch that the page tables do not allow now but that is no violation of a
 * present page (those never come here).
 *   access: enum z_access bits. Interrupts: as in what was interrupted.
 *   RESOLVED: run the instruction again.
 */
enum z_fault_result kernel_page_fault(uintptr_t va, unsigned int access);

/* kernel_tick - the timer, in interrupt context, interrupts off. */
void kernel_tick(void);

/* kernel_panic - print, dump and switch off. regs: NULL, or what the trap interrupted. */
_Noreturn void kernel_panic(const char *why, const struct z_port_regs *regs);

/* kernel_print - the console; %s %c %d %u %x, l and z, a width, zeros in front. */
__attribute__((format(printf, 1, 2))) void kernel_print(const char *format, ...);

#endif /* ARCH_COMMON_PORT_H */
