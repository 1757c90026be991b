/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board.c - QEMU's x86_64 machine `microvm`: start-up in C, console, time, virtio devices, end.
 *
 * Theory. The loader enters boot.S by PVH and leaves a map of the memory and the command line. The kernel
 * lies where it was linked, then comes what it may use for itself, up to CONFIG_SRAM_BASE, where
 * the page frames begin: the map has to show that much RAM. How many CPUs there are says the
 * emulator's configuration device (fw_cfg). It adds a word for each virtio device to the command line;
 * what has no word there does not exist.
 *
 * Time is the time-stamp counter, which is one for all CPUs of the emulator; how fast it runs is
 * measured once by the timer of the APIC. With -icount shift=0 an instruction is a nanosecond, and both
 * count them: so the time is also the number of instructions, of all CPUs together.
 *
 * Locks: none. Limits: a command line of 1023 characters.
 *
 * Source: Xen's start_info.h; QEMU's docs/specs/fw_cfg; Linux' admin-guide for virtio_mmio.device.
 */
#include "board.h"

#include <zpager/mmu.h>

#include "../common/port.h"
#include "apic.h"
#include "cpu.h"
#include "mmu.h"
#include "smp.h"
#include "trap.h"

#define COMMAND_LINE_MAX 1023U
#define VIRTIO_MAX       8U

#define PVH_MAGIC 0x336ec578U
#define PVH_RAM   1U

#define FW_CFG_SELECT 0x510U
#define FW_CFG_DATA   0x511U
#define FW_CFG_CPUS   5U

#define SERIAL         0x3f8U
#define SERIAL_DATA    (SERIAL + 0)
#define SERIAL_IRQS    (SERIAL + 1)
#define SERIAL_FIFO    (SERIAL + 2)
#define SERIAL_LINE    (SERIAL + 3)
#define SERIAL_STATUS  (SERIAL + 5)
#define SERIAL_EMPTY   0x20U
#define SERIAL_DIVISOR 0x80U
#define SERIAL_8N1     0x03U

/* The emulator ends with twice the value plus 1: never with 0. So a value of its own says "0". */
#define EXIT_PORT   0xf4U
#define EXIT_PASS   42U
#define EXIT_OTHER  127U
#define EXIT_VALUES 127U

#define MEASURE_NS 1000000U

struct start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t modules;
	uint64_t module_list;
	uint64_t command_line;
	uint64_t acpi;
	uint64_t map;
	uint32_t map_entries;
	uint32_t reserved;
};

struct map_entry {
	uint64_t base;
	uint64_t bytes;
	uint32_t type;
	uint32_t reserved;
};

extern char link_text[], link_end[];

static char command_line[COMMAND_LINE_MAX + 1];        /* [I] */
static struct z_port_virtio virtio_places[VIRTIO_MAX]; /* [I] */
static size_t nvirtio;                                 /* [I] */
static unsigned int ncpus = 1;                         /* [I] */
static uint64_t tsc_start;                             /* [I] */
static uint64_t ns_per_tick;                           /* [I] in 2^-32 ns */

/* ---- what the loader left ------------------------------------------------------------------------- */

static bool is_ram(const struct start_info *info, uintptr_t begin, uintptr_t end)
{
	const struct map_entry *map = (const struct map_entry *)info->map;

	for (uint32_t i = 0; i < info->map_entries; i++) {
		if (map[i].type == PVH_RAM && map[i].base <= begin &&
		    end - map[i].base <= map[i].bytes)
			return true;
	}
	return false;
}

static void copy_command_line(const struct start_info *info)
{
	const char *from = (const char *)info->command_line;

	for (size_t i = 0; from != NULL && i < COMMAND_LINE_MAX && from[i] != 0; i++)
		command_line[i] = from[i];
}

/* A number in the radix that its prefix says; *text goes behind it. */
static uint64_t number_at(const char **text)
{
	const char *t = *text;
	unsigned int radix = 10;
	uint64_t value = 0;

	if (t[0] == '0' && t[1] == 'x') {
		radix = 16;
		t += 2;
	}
	for (;; t++) {
		unsigned int digit = (unsigned char)*t;

		if (digit >= '0' && digit <= '9')
			digit -= '0';
		else if (digit >= 'a' && digit <= 'f')
			digit -= 'a' - 10;
		else
			break;
		if (digit >= radix)
			break;
		value = value * radix + digit;
	}
	*text = t;
	return value;
}

static const char *after(const char *text, const char *word)
{
	while (*word != 0) {
		if (*text++ != *word++)
			return NULL;
	}
	return text;
}

/* virtio_mmio.device=512@0xfeb00e00:12 - the size, the address, the line. */
static void find_virtio(void)
{
	for (const char *at = command_line; *at != 0 && nvirtio < VIRTIO_MAX; at++) {
		const char *t = after(at, "virtio_mmio.device=");
		struct z_port_virtio found;

		if (t == NULL)
			continue;
		(void)number_at(&t);
		if (*t++ != '@')
			continue;
		found.base = number_at(&t);
		if (*t++ != ':')
			continue;
		found.irq = (unsigned int)number_at(&t);
		if (found.base - BOARD_VIRTIO_BASE < BOARD_VIRTIO_BYTES)
			virtio_places[nvirtio++] = found;
	}
}

static void count_cpus(void)
{
	unsigned int n;

	cpu_out16(FW_CFG_SELECT, FW_CFG_CPUS);
	n = cpu_in8(FW_CFG_DATA);
	n |= (unsigned int)cpu_in8(FW_CFG_DATA) << 8;
	ncpus = n < 1 ? 1 : n < Z_PORT_CPUS_MAX ? n : Z_PORT_CPUS_MAX;
}

/* ---- start-up ------------------------------------------------------------------------------------- */

static void start_console(void)
{
	cpu_out8(SERIAL_IRQS, 0);
	cpu_out8(SERIAL_LINE, SERIAL_DIVISOR);
	cpu_out8(SERIAL_DATA, 1);
	cpu_out8(SERIAL_IRQS, 0);
	cpu_out8(SERIAL_LINE, SERIAL_8N1);
	cpu_out8(SERIAL_FIFO, 1);
}

/* What the CPU offers of protection between kernel and user mode, and SSE for user mode. */
static void start_features(void)
{
	struct cpuid has = cpu_id(0, 0).eax >= 7 ? cpu_id(7, 0) : (struct cpuid){0};
	unsigned long cr4 = CPU_READ(cr4) | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	cr4 |= (has.ebx & CPUID_7_EBX_SMEP) != 0 ? CR4_SMEP : 0;
	cr4 |= (has.ebx & CPUID_7_EBX_SMAP) != 0 ? CR4_SMAP : 0;
	cr4 |= (has.ecx & CPUID_7_ECX_UMIP) != 0 ? CR4_UMIP : 0;
	CPU_WRITE(cr4, cr4);
	CPU_WRITE(cr0, (CPU_READ(cr0) & ~(CR0_TS | CR0_EM)) | CR0_MP | CR0_NE);
}

static void measure_time(void)
{
	uint32_t count;
	uint32_t from;
	uint64_t ticks;

	apic_count_down();
	from = apic_count();
	tsc_start = cpu_tsc();
	do {
		count = from - apic_count();
		ticks = cpu_tsc() - tsc_start;
	} while (count < MEASURE_NS);
	ns_per_tick = ((uint64_t)count << 32) / ticks;
}

void board_start_cpu(unsigned int number)
{
	trap_start(number);
	start_features();
	apic_start();
}

_Noreturn void board_start(uintptr_t start_info)
{
	const struct start_info *info = (const struct start_info *)start_info;
	struct z_port_ram ram = {(uintptr_t)link_end, Z_PHYS_RAM_START};

	start_console();
	trap_start(0);
	if (info->magic != PVH_MAGIC || info->version == 0)
		kernel_panic("the loader left no map of the memory", NULL);
	if (ram.begin >= ram.end)
		kernel_panic("the kernel reaches into the page frames", NULL);
	if (!is_ram(info, (uintptr_t)link_text, Z_PHYS_RAM_END) ||
	    !is_ram(info, BOARD_START_PAGE, BOARD_START_PAGE + Z_PAGE_SIZE))
		kernel_panic("less RAM than the configuration says", NULL);
	copy_command_line(info);
	find_virtio();
	count_cpus();
	smp_init();
	mmu_start(ram.end);
	start_features();
	apic_start();
	measure_time();
	kernel_main(ram);
}

const char *z_port_name(void)
{
	return "x86_64";
}

bool z_port_ad(void)
{
	return true;
}

const char *z_port_command_line(void)
{
	return command_line;
}

unsigned int z_port_cpus(void)
{
	return ncpus;
}

/* ---- interrupts and time -------------------------------------------------------------------------- */

unsigned long z_port_irq_lock(void)
{
	unsigned long key = cpu_flags() & RFLAGS_IF;

	cpu_irqs_off();
	return key;
}

void z_port_irq_restore(unsigned long key)
{
	if ((key & RFLAGS_IF) != 0)
		cpu_irqs_on();
}

bool z_port_irqs_on(void)
{
	return (cpu_flags() & RFLAGS_IF) != 0;
}

void z_port_idle(void)
{
	cpu_sleep_irqs_on();
	cpu_irqs_off();
}

uint64_t z_port_now(void)
{
	unsigned __int128 ticks = cpu_tsc() - tsc_start;

	return (uint64_t)(ticks * ns_per_tick >> 32);
}

uint64_t z_port_instructions(void)
{
	return cpu_tsc();
}

/* ---- devices, console, end ------------------------------------------------------------------------ */

bool z_port_virtio(size_t i, struct z_port_virtio *out)
{
	if (i >= nvirtio)
		return false;
	*out = virtio_places[i];
	return true;
}

void z_port_io_barrier(void)
{
	__asm__ volatile("mfence" ::: "memory");
}

void z_port_putc(char c)
{
	while ((cpu_in8(SERIAL_STATUS) & SERIAL_EMPTY) == 0)
		cpu_pause();
	cpu_out8(SERIAL_DATA, (uint8_t)c);
}

_Noreturn void z_port_exit(unsigned int status)
{
	unsigned int value = status == 0 ? EXIT_PASS : status % EXIT_VALUES;

	if (status != 0 && (value == 0 || value == EXIT_PASS))
		value = EXIT_OTHER;
	cpu_out32(EXIT_PORT, value);
	for (;;)
		cpu_stop();
}
