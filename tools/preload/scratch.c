/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scratch.c - memory of a thread that is not paged: what the kernel touches in the program's stead.
 *
 * Theory. Calls nest: while one blocks, a signal handler of the program runs and makes others. So
 * each thread has a stack of its own for this. A handler may also jump out (siglongjmp), and then the
 * call that it interrupted never ends. That is seen by the program's stack pointer: a call that
 * was made further down the stack than a new one is over. Nothing is pinned meanwhile, so nothing
 * else is lost.
 *
 * Cost: RAM of the largest calls of each thread, ROOM at most; larger ones map and unmap their own.
 * Locks: none. Limits: calls made on an alternate signal stack are not taken for a sign of a jump.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "calls.h"

#define ROOM  ((size_t)256 << 10)
#define DEPTH 8U

struct level {
	uintptr_t sp;
	size_t before;
};

struct scratch {
	char *room;
	size_t used;
	uint32_t depth;
	struct level level[DEPTH];
};

static ZP_THREAD struct scratch scratch;

static bool on_other_stack(uintptr_t sp)
{
	stack_t now;

	return zp_raw(SYS_sigaltstack, 0, (long)&now, 0, 0, 0, 0) == 0 &&
	       (now.ss_flags & SS_DISABLE) == 0 && sp - (uintptr_t)now.ss_sp < now.ss_size;
}

/* Has the innermost call ended without a word? */
static bool is_over(const struct scratch *s, uintptr_t sp)
{
	return s->depth > 0 && s->level[s->depth - 1].sp <= sp;
}

void zp_scratch_begin(struct zp_use *use, uintptr_t sp)
{
	struct scratch *s = &scratch;

	if (is_over(s, sp) && !on_other_stack(sp)) {
		while (is_over(s, sp)) {
			s->used = s->level[--s->depth].before;
		}
	}
	*use = (struct zp_use){.before = s->used};
	s->level[s->depth < DEPTH ? s->depth : DEPTH - 1] = (struct level){sp, s->used};
	s->depth = s->depth < DEPTH ? s->depth + 1 : DEPTH;
}

void zp_scratch_end(struct zp_use *use)
{
	scratch.used = use->before;
	scratch.depth -= scratch.depth > 0;
	if (use->big != NULL) {
		(void)zp_raw(SYS_munmap, (long)use->big, (long)use->big_bytes, 0, 0, 0, 0);
	}
}

static void *map(size_t bytes)
{
	long at = zp_raw(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at < 0 && at > -4096 ? NULL : (void *)at;
}

void *zp_scratch_take(struct zp_use *use, size_t bytes, const void *like)
{
	struct scratch *s = &scratch;
	size_t offset = (uintptr_t)like & Z_PAGE_MASK;
	size_t at = ((s->used + Z_PAGE_MASK) & ~(size_t)Z_PAGE_MASK) + offset;

	if (bytes < Z_PAGE_SIZE / 4) {
		at = (s->used + 15) & ~(size_t)15;
	}
	if (s->room == NULL) {
		s->room = map(ROOM);
	}
	if (s->room != NULL && at + bytes <= ROOM && bytes <= ROOM) {
		s->used = at + bytes;
		return s->room + at;
	}
	if (use->big != NULL || bytes > SIZE_MAX / 2) {
		return NULL;
	}
	use->big_bytes = bytes + offset;
	use->big = map(use->big_bytes);
	return use->big != NULL ? (char *)use->big + offset : NULL;
}

void zp_scratch_thread_ends(void)
{
	if (scratch.room != NULL) {
		(void)zp_sys_munmap(scratch.room, ROOM);
		scratch.room = NULL;
		scratch.used = 0;
	}
}
