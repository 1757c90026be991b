/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user.c - threads in user mode, and what they can ask of the kernel.
 *
 * Theory. A user thread is a thread of the kernel that goes to user mode and comes back by traps: page
 * faults, interrupts, system calls. A system call looks at memory of user mode only after asking whether
 * user mode itself could: every page of it in the window, with the right and the user bit. Then it
 * touches it by probes, byte by byte: what is out comes in by a fault, and what another thread has
 * unmapped meanwhile is an error of the call.
 *
 * Locks: one for starting threads. Limits: one address space for all of user mode.
 */
#include "user.h"

#include "../user/syscall.h"
#include "kernel.h"

#include <zpager/mmu.h>

/* What user_start hands to the new thread, which takes it over before its starter goes on. */
struct start {
	uintptr_t pc;
	uintptr_t stack;
	unsigned long args[2];
	bool taken; /* [lock] */
};

static struct spin lock;

static void enter(void *arg)
{
	struct start *shared = arg;
	struct start s = *shared;
	unsigned long key = spin_lock(&lock);

	shared->taken = true;
	sched_wake(shared);
	spin_unlock(&lock, key);
	thread_enter_user(s.pc, s.stack, s.args[0], s.args[1]);
}

struct thread *user_start(const char *name, uintptr_t pc, uintptr_t stack, unsigned long arg0,
			  unsigned long arg1)
{
	struct start s = {.pc = pc, .stack = stack, .args = {arg0, arg1}};
	struct thread *t = thread_start(name, enter, &s);
	unsigned long key;

	if (t == NULL)
		return NULL;
	key = spin_lock(&lock);
	while (!s.taken)
		key = sched_wait(&s, &lock, key);
	spin_unlock(&lock, key);
	return t;
}

unsigned int user_probe(uintptr_t code, uintptr_t va, unsigned int access, unsigned char *byte)
{
	struct thread *t =
		user_start("probe", code + z_port_user_piece(access), 0, va, (unsigned long)*byte);
	unsigned long status;

	if (t == NULL)
		kernel_panic("no memory for a probe by user mode", NULL);
	status = thread_join(t);
	if (USER_WHY(status) == Z_PROBE_OK && (access & Z_ACCESS_READ) != 0)
		*byte = (unsigned char)USER_VALUE(status);
	return USER_WHY(status);
}

_Noreturn void kernel_user_fault(unsigned int why, const struct z_port_regs *regs)
{
	(void)regs;
	thread_exit(USER_STATUS(why, 0));
}

/* ---- system calls ------------------------------------------------------------------------------- */

static bool user_may(uintptr_t va, size_t bytes, unsigned int access)
{
	uintptr_t page = z_page_align_down(va);
	uintptr_t end = va + bytes;
	unsigned int wanted = access | Z_ACCESS_USER;

	if (end < va || va < CONFIG_KERNEL_VM_BASE ||
	    end > CONFIG_KERNEL_VM_BASE + (CONFIG_KERNEL_VM_SIZE - Z_VM_RESERVED))
		return false;
	for (; page < end; page += Z_PAGE_SIZE) {
		struct z_entry e = z_port_entry(page);

		if (e.kind == Z_ENTRY_UNMAPPED || (e.prot & wanted) != wanted)
			return false;
	}
	return true;
}

/* Between user mode's memory and the kernel's; false if user mode has unmapped it meanwhile. */
static bool from_user(unsigned char *to, uintptr_t from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (z_port_probe(from + i, Z_ACCESS_READ | Z_ACCESS_USER, &to[i]) != Z_PROBE_OK)
			return false;
	}
	return true;
}

static bool to_user(uintptr_t to, unsigned char *from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (z_port_probe(to + i, Z_ACCESS_WRITE | Z_ACCESS_USER, &from[i]) != Z_PROBE_OK)
			return false;
	}
	return true;
}

static long call_write(uintptr_t text, size_t bytes)
{
	unsigned char c;

	if (!user_may(text, bytes, Z_ACCESS_READ))
		return Z_ERR_FAULT;
	for (size_t i = 0; i < bytes; i++) {
		if (!from_user(&c, text + i, 1))
			return Z_ERR_FAULT;
		kernel_print("%c", (char)c);
	}
	return (long)bytes;
}

static long call_map(size_t bytes)
{
	size_t size = (bytes + Z_PAGE_MASK) & ~(size_t)Z_PAGE_MASK;
	void *memory = NULL;

	if (size >= bytes)
		memory = k_mem_map(size, K_MEM_PERM_RW | K_MEM_PERM_USER);
	return memory != NULL ? (long)(uintptr_t)memory : Z_ERR_NOMEM;
}

static long call_unmap(uintptr_t va, size_t bytes)
{
	size_t size = (bytes + Z_PAGE_MASK) & ~(size_t)Z_PAGE_MASK;

	if (size < bytes || !user_may(va, size, Z_ACCESS_READ | Z_ACCESS_WRITE))
		return Z_ERR_FAULT;
	return k_mem_unmap((void *)va, size);
}

static long call_stats(uintptr_t to)
{
	struct user_stats u;
	struct z_stats s;

	if (!user_may(to, sizeof(struct user_stats), Z_ACCESS_WRITE))
		return Z_ERR_FAULT;
	z_pager_stats(z_kernel_pager(), &s);
	u = (struct user_stats){
		.page_faults = s.pagefaults,
		.pages_in = s.pages_read,
		.pages_out = s.pages_written,
		.evictions_clean = s.eviction_clean,
		.evictions_dirty = s.eviction_dirty,
		.frames = Z_NUM_PAGE_FRAMES,
		.frames_free = z_free_page_count,
	};
	return to_user(to, (unsigned char *)&u, sizeof(u)) ? Z_OK : Z_ERR_FAULT;
}

unsigned long kernel_syscall(unsigned long number, const unsigned long args[4])
{
	long result = Z_ERR_NOTSUP;

	switch (number) {
	case USER_CALL_EXIT:
		thread_exit(USER_STATUS(Z_PROBE_OK, args[0]));
	case USER_CALL_WRITE:
		result = call_write(args[0], args[1]);
		break;
	case USER_CALL_MAP:
		result = call_map(args[0]);
		break;
	case USER_CALL_UNMAP:
		result = call_unmap(args[0], args[1]);
		break;
	case USER_CALL_TIME:
		result = (long)z_port_now();
		break;
	case USER_CALL_STATS:
		result = call_stats(args[0]);
		break;
	default:
		break;
	}
	return (unsigned long)result;
}
