/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter.c - the seccomp filter of signal mode: a system call that is given an address of the window
 * raises SIGSYS instead, and the handler (sigsys.c) performs it.
 *
 * Theory. The window begins at a multiple of its largest size, 1 TiB, so "is this argument in the
 * window" is one masked comparison of its upper half. Which arguments are pointers the table says
 * (calls.c); others are not looked at, because unused registers hold anything. The program is a tree
 * of comparisons over the call's number and one short piece for each set of arguments.
 *
 * The handler's own calls come from one instruction that the filter knows by its address. A filter
 * survives exec and the address must not change with it: the instruction lies in a page below
 * the window, at the same place in every process. So one filter serves all that follows; a later
 * image asks for it by the number of a call that does not exist, and installs none of its own.
 *
 * An image without this library has no handler. Nothing of it lies in the window: the kernel places
 * mappings downwards from 0x7fff00000000 and would have to fill 64 TiB first. That is also why no call
 * is trapped for any other reason than an address: calls with addresses inside of structures that lie
 * elsewhere are taken at the door of libc (vectors.c).
 *
 * io_uring and the kernel's aio are refused (ENOSYS, as in many containers; programs do without): what
 * they touch, and when, is not to be seen from here.
 *
 * Written by hand and not with libseccomp, which cannot compare the instruction's address.
 *
 * Locks: none, run once before there are threads. Limits: x86_64; 32-bit calls pass.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls.h"

zp_raw_fn *zp_raw;

#if defined(__x86_64__)

#define WINDOW_SHIFT 40
#define ANSWER_BASE  3000 /* what the filter answers to ASK, plus the window's number */
#define ASK          0x3a5047L
#define BELOW        0x10000U /* of the window: the page of the exempt instruction */
#define STEPS        4096

/* zp_raw(): move the arguments to where the kernel wants them; syscall; ret. */
static const unsigned char code[] = {
	0x48, 0x89, 0xf8,             /* mov %rdi,%rax */
	0x48, 0x89, 0xf7,             /* mov %rsi,%rdi */
	0x48, 0x89, 0xd6,             /* mov %rdx,%rsi */
	0x48, 0x89, 0xca,             /* mov %rcx,%rdx */
	0x4d, 0x89, 0xc2,             /* mov %r8,%r10 */
	0x4d, 0x89, 0xc8,             /* mov %r9,%r8 */
	0x4c, 0x8b, 0x4c, 0x24, 0x08, /* mov 8(%rsp),%r9 */
	0x0f, 0x05,                   /* syscall */
	0xc3,                         /* ret */
};

#define SYSCALL_ENDS (sizeof(code) - 1)

struct builder {
	struct sock_filter step[STEPS];
	size_t n;
	uint32_t window_high; /* upper half of the window's first address */
	size_t pass;
};

static void put(struct builder *b, uint16_t op, uint8_t yes, uint8_t no, uint32_t k)
{
	if (b->n < STEPS) {
		b->step[b->n++] = (struct sock_filter){op, yes, no, k};
	}
}

static void load(struct builder *b, size_t offset)
{
	put(b, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

/* to: a number of steps, or a label that resolve() knows. */
static void jump(struct builder *b, size_t to)
{
	put(b, BPF_JMP | BPF_JA, 0, 0, (uint32_t)to);
}

static unsigned int arguments_of(const struct zp_row *row)
{
	unsigned int set = 0;

	for (size_t i = 0; i < ZP_POINTERS && row->pointer[i].kind != ZP_NONE; i++) {
		set |= 1U << row->pointer[i].arg;
	}
	return set;
}

#define LABEL_PASS 0x10000U
#define LABEL_SET  0x20000U /* + the set of arguments */

/* Rows [low, high): the accumulator holds the number of the call. */
static void tree(struct builder *b, size_t low, size_t high)
{
	if (high - low == 1) {
		const struct zp_row *row = zp_row_at(low);

		put(b, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, row->nr);
		jump(b, LABEL_PASS);
		jump(b, LABEL_SET + arguments_of(row) + (row->nr == SYS_futex ? 64 : 0));
		return;
	}
	size_t middle = (low + high) / 2;

	put(b, BPF_JMP | BPF_JGE | BPF_K, 0, 1, zp_row_at(middle)->nr);
	size_t patch = b->n;
	jump(b, 0);
	tree(b, low, middle);
	if (patch < STEPS) {
		b->step[patch].k = (uint32_t)(b->n - patch - 1);
	}
	tree(b, middle, high);
}

/* Is one of these arguments in the window? */
static void piece(struct builder *b, unsigned int set)
{
	for (unsigned int arg = 0; arg < 6; arg++) {
		if ((set >> arg & 1) != 0) {
			load(b, offsetof(struct seccomp_data, args) + (size_t)8 * arg + 4);
			put(b, BPF_ALU | BPF_AND | BPF_K, 0, 0, ~((1U << (WINDOW_SHIFT - 32)) - 1));
			put(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, b->window_high);
			jump(b, LABEL_SET); /* the set of none: trap */
		}
	}
	jump(b, LABEL_PASS);
}

/* Waking does not touch the word, if its key is private. */
static void futex_piece(struct builder *b)
{
	load(b, offsetof(struct seccomp_data, args) + 8);
	put(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, FUTEX_WAKE_PRIVATE);
	jump(b, LABEL_PASS);
	put(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, FUTEX_WAKE_BITSET_PRIVATE);
	jump(b, LABEL_PASS);
}

static void trap_unless_exempt(struct builder *b, uint64_t exempt)
{
	load(b, offsetof(struct seccomp_data, instruction_pointer));
	put(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 3, (uint32_t)exempt);
	load(b, offsetof(struct seccomp_data, instruction_pointer) + 4);
	put(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)(exempt >> 32));
	put(b, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	put(b, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRAP | ZP_TRAP_MARK);
}

/* Jumps were put with labels: now it is known where these are. */
static void resolve(struct builder *b, const size_t *place)
{
	for (size_t i = 0; i < b->n; i++) {
		struct sock_filter *s = &b->step[i];

		if (s->code == (BPF_JMP | BPF_JA) && s->k >= LABEL_PASS) {
			size_t to = s->k == LABEL_PASS ? b->pass : place[s->k - LABEL_SET];

			s->k = (uint32_t)(to - i - 1);
		}
	}
}

static void build(struct builder *b, uintptr_t window)
{
	static size_t place[128];
	size_t rows = 0;

	memset(b, 0, sizeof(*b));
	memset(place, 0, sizeof(place));
	b->window_high = (uint32_t)(window >> 32);
	while (zp_row_at(rows) != NULL) {
		rows++;
	}
	load(b, offsetof(struct seccomp_data, arch));
	put(b, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AUDIT_ARCH_X86_64);
	put(b, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	load(b, offsetof(struct seccomp_data, nr));
	put(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, ASK);
	put(b, BPF_RET | BPF_K, 0, 0,
	    SECCOMP_RET_ERRNO | (uint32_t)(ANSWER_BASE + (window >> WINDOW_SHIFT) % 256));
	put(b, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, SYS_io_uring_setup);
	put(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_io_setup);
	put(b, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
	tree(b, 0, rows);
	for (size_t i = 0; i < rows; i++) {
		unsigned int set = arguments_of(zp_row_at(i));
		bool futex = zp_row_at(i)->nr == SYS_futex;
		size_t at = set + (futex ? 64 : 0);

		if (place[at] == 0) {
			place[at] = b->n;
			if (futex) {
				futex_piece(b);
			}
			piece(b, set);
		}
	}
	place[0] = b->n;
	trap_unless_exempt(b, window - BELOW + SYSCALL_ENDS);
	b->pass = b->n;
	put(b, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	resolve(b, place);
}

static const char *map_exempt(uintptr_t window)
{
	void *at = (void *)(window - BELOW);
	int fixed = MAP_FIXED_NOREPLACE;
	void *page = zp_sys_mmap(at, Z_PAGE_SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);

	if (page != at) {
		return "signal mode: the address below the window is taken";
	}
	memcpy(page, code, sizeof(code));
	if (zp_sys_mprotect(page, Z_PAGE_SIZE, PROT_READ | PROT_EXEC) != 0) {
		return "signal mode: no code can be made in this process";
	}
	memcpy(&zp_raw, &page, sizeof(zp_raw));
	return NULL;
}

static const char *install(uintptr_t window, bool privileged_only)
{
	struct builder *b = zp_sys_mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sock_fprog program;
	long error;

	if (b == MAP_FAILED) {
		return "signal mode: no memory for the filter";
	}
	build(b, window);
	program = (struct sock_fprog){.len = (unsigned short)b->n, .filter = b->step};
	error = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	if (error != 0 && errno == EACCES && !privileged_only &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) {
		error = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	}
	(void)zp_sys_munmap(b, sizeof(*b));
	return error == 0 ? NULL : "signal mode: the kernel takes no seccomp filter from us";
}

bool zp_filter_is_free(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct have[2] = {{0}};

	if (syscall(ASK) != 0 && errno >= ANSWER_BASE && errno < ANSWER_BASE + 256) {
		return true;
	}
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
	       (syscall(SYS_capget, &head, have) == 0 &&
		(have[0].effective & 1U << CAP_SYS_ADMIN) != 0);
}

const char *zp_filter_install(uintptr_t window, bool privileged_only)
{
	const char *error;

	if ((window & (((uintptr_t)1 << WINDOW_SHIFT) - 1)) != 0) {
		return "signal mode: the window is not where it belongs (a sanitizer?)";
	}
	error = map_exempt(window);
	if (error == NULL &&
	    (syscall(ASK) == 0 || errno != (int)(ANSWER_BASE + (window >> WINDOW_SHIFT) % 256))) {
		error = install(window, privileged_only);
	}
	return error;
}

#else

bool zp_filter_is_free(void)
{
	return false;
}

const char *zp_filter_install(uintptr_t window, bool privileged_only)
{
	(void)window;
	(void)privileged_only;
	return "signal mode: this machine has no filter of system calls yet";
}

#endif
