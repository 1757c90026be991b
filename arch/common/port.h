/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port.h - between a bare-metal port and the kernel: what each gives the other, beside the hooks of
 * arch.h. kernel/ knows a machine only through this header, so it is the same on all of them.
 *
 * Everything here runs on memory that is never paged; the kernel is mapped where it lies, physical =
 * virtual. Unless said otherwise: any context.
 */
#ifndef ARCH_COMMON_PORT_H
#define ARCH_COMMON_PORT_H

#include <zpager/arch.h>
#include <zpager/pager.h>

/* ---- what the port gives: the machine --------------------------------------------------------- */

/* The registers of what a trap interrupted; only the port looks inside. */
struct z_port_regs;

/* RAM that the kernel may use for its own data: from begin to end, mapped. */
struct z_port_ram {
	uintptr_t begin;
	uintptr_t end;
};

/* z_port_name - "riscv64". z_port_ad - does the hardware keep accessed and dirty bits by itself? */
const char *z_port_name(void);
bool z_port_ad(void);

/* z_port_command_line - what the loader was given for the kernel; "" if nothing. */
const char *z_port_command_line(void);

void z_port_putc(char c);

/* z_port_exit - switch the machine off; the emulator's exit status is 0 only for 0. */
_Noreturn void z_port_exit(unsigned int status);

/* z_port_print_regs - all registers, by the kernel's console. */
void z_port_print_regs(const struct z_port_regs *regs);

/* z_port_now - nanoseconds since some start, the same on every CPU. */
uint64_t z_port_now(void);

/* z_port_instructions - how many this CPU has executed. */
uint64_t z_port_instructions(void);

/* ---- interrupts -------------------------------------------------------------------------------- */

/* z_port_irq_lock - interrupts of this CPU off; returns what was. z_port_irq_restore - back to that. */
unsigned long z_port_irq_lock(void);
void z_port_irq_restore(unsigned long key);
bool z_port_irqs_on(void);

/* z_port_in_isr - is this CPU in an interrupt service routine, or in a fault of one? */
bool z_port_in_isr(void);

/* z_port_tick - call kernel_tick() on this CPU every so many nanoseconds, 0: no more. */
void z_port_tick(uint64_t period_ns);

/* z_port_irq_enable - the device's interrupt goes to kernel_irq() of CPU 0 from now on. */
void z_port_irq_enable(unsigned int irq);

/* ---- processors -------------------------------------------------------------------------------- */

#define Z_PORT_CPUS_MAX 4U

/* z_port_cpus - how many there are, at most Z_PORT_CPUS_MAX; the one that started is number 0. */
unsigned int z_port_cpus(void);

/* z_port_cpu - the number of this CPU. Interrupts locked, else the thread may be on another already. */
unsigned int z_port_cpu(void);

/*
 * z_port_cpu_start - start another CPU: it comes to kernel_cpu_main() on that stack, paging on, traps
 * taken, interrupts off. 0 | Z_ERR_NOTSUP the firmware refuses. Context: CPU 0.
 */
int z_port_cpu_start(unsigned int cpu, void *stack_top);

/* z_port_cpu_kick - interrupt another CPU, which calls kernel_kick(). */
void z_port_cpu_kick(unsigned int cpu);

/*
 * z_port_relax - in each turn of a loop that waits for another CPU. A port whose shoot-down needs
 * the other CPUs' help gives that help here: whoever waits may have interrupts locked.
 */
void z_port_relax(void);

/* z_port_idle - sleep until an interrupt came. Interrupts: off before and after, on in between. */
void z_port_idle(void);

/* ---- threads ----------------------------------------------------------------------------------- */

/* The registers of floating point and vectors; only user mode uses them. Aligned to 16. */
#define Z_PORT_FP_BYTES 544U
void z_port_fp_save(void *area);
void z_port_fp_load(const void *area);

/*
 * z_port_thread_frame - prepare a stack so that a switch to what this returns calls entry(arg), with
 * interrupts off, on that stack. entry does not return.
 * z_port_switch - leave the caller's registers on its stack and where they are in *from; go on with
 * what `to` says. Interrupts off.
 * z_port_kernel_stack - traps of user mode on this CPU begin at that top of a stack. Interrupts off.
 */
void *z_port_thread_frame(void *stack_top, void (*entry)(void *arg), void *arg);
void z_port_switch(void **from, void *to);
void z_port_kernel_stack(void *top);

/*
 * z_port_user_enter - go to user mode, interrupts on; the two arguments arrive as those of a C
 * function, all other registers are 0. The way back is a trap on z_port_kernel_stack.
 */
_Noreturn void z_port_user_enter(uintptr_t pc, uintptr_t stack, unsigned long arg0,
				 unsigned long arg1);

/* ---- memory and devices ------------------------------------------------------------------------ */

/*
 * z_port_arch - the hooks, and the context to call them with.
 *   soft_ad: emulate accessed and dirty by faults although the hardware might keep them.
 */
const struct z_arch_ops *z_port_arch(bool soft_ad, void **ctx_out);

/* What the page tables say of any address now: one atomic look, no lock. */
struct z_port_mapping {
	bool present;      /* the hardware would use it; false for all but a leaf */
	unsigned int prot; /* enum z_access bits */
	uintptr_t phys;    /* of the page */
};
struct z_port_mapping z_port_mapping(uintptr_t va);

/* z_port_entry - the entry of a page of the paged window: as the hook, without the lock. */
struct z_entry z_port_entry(uintptr_t va);

/* A virtio device behind registers in memory; mapped. */
struct z_port_virtio {
	uintptr_t base;
	unsigned int irq; /* for z_port_irq_enable */
};

/* z_port_virtio - the i-th place where there may be one; false past the end. */
bool z_port_virtio(size_t i, struct z_port_virtio *out);

/* z_port_io_barrier - what was read and written before comes before what follows, for devices too. */
void z_port_io_barrier(void);

/* ---- for tests --------------------------------------------------------------------------------- */

/*
 * z_port_probe - touch one byte and survive: READ stores it in *byte, WRITE takes it from there,
 * EXEC calls the address. USER, in addition: with the right to touch pages of user mode.
 *   0 | Z_PROBE_FAULT + enum z_fault_result | Z_PROBE_ILLEGAL what was called is no instruction.
 *   Context: not in a trap.
 */
enum z_probe { Z_PROBE_OK = 0, Z_PROBE_FAULT = 0x10, Z_PROBE_ILLEGAL = 0x20 };
unsigned int z_port_probe(uintptr_t va, unsigned int access, unsigned char *byte);

/*
 * z_port_user_code - write three pieces of code for user mode to the beginning of a page.
 * z_port_user_piece - where in it the piece is that reads, writes or calls its first argument (the
 * byte to write is the second), and then makes the system call 0 with the byte that it read.
 */
void z_port_user_code(void *page);
uintptr_t z_port_user_piece(unsigned int access);

/* ---- what the kernel gives ------------------------------------------------------------------- */

/* kernel_main - the machine is up: console, paging on, traps taken, interrupts off, on CPU 0. */
_Noreturn void kernel_main(struct z_port_ram ram);

/* kernel_cpu_main - the same on another CPU that was started. */
_Noreturn void kernel_cpu_main(void);

/*
 * kernel_page_fault - a touch that the page tables do not allow now but that is no violation of a
 * present page (those never come here).
 *   access: enum z_access bits. Interrupts: as in what was interrupted.
 *   RESOLVED: run the instruction again.
 */
enum z_fault_result kernel_page_fault(uintptr_t va, unsigned int access);

/*
 * kernel_tick, kernel_irq, kernel_kick - the timer of this CPU, a device, another CPU; in interrupt
 * context, interrupts off.
 * kernel_interrupt_done - after each of them, out of interrupt context, still with interrupts off,
 * on the stack of what was interrupted: the place where threads are switched. It may return late,
 * and on another CPU.
 */
void kernel_tick(void);
void kernel_irq(unsigned int irq);
void kernel_kick(void);
void kernel_interrupt_done(void);

/*
 * kernel_syscall - a system call of user mode: its number, and four arguments; the result.
 *   Interrupts on; on the thread's kernel stack. May not return.
 * kernel_user_fault - user mode did what cannot go on. why: enum z_probe. Interrupts on.
 */
unsigned long kernel_syscall(unsigned long number, const unsigned long args[4]);
_Noreturn void kernel_user_fault(unsigned int why, const struct z_port_regs *regs);

/* kernel_panic - print, dump and switch off. regs: NULL, or what the trap interrupted. */
_Noreturn void kernel_panic(const char *why, const struct z_port_regs *regs);

/* kernel_print - the console; %s %c %d %u %x, l and z, a width, zeros in front. */
__attribute__((format(printf, 1, 2))) void kernel_print(const char *format, ...);

#endif /* ARCH_COMMON_PORT_H */
