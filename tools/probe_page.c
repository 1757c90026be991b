/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_page.c - rows of `zpager probe`: the calls that map, unmap and protect pages, one by one and
 * many at once, and what the next touch of such a page costs.
 *
 * Where page tables are shadowed by a hypervisor a call that adds a mapping is cheap and the first
 * touch of the page pays for it; so a touch is a row of its own, after each way to get a page.
 *
 * Locks: none.
 */
#define _GNU_SOURCE
#include <linux/membarrier.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cmd.h"
#include "probe.h"
#include "../arch/linux/uffd_abi.h"

#define GROUPS_MAX   32U
#define ROUND_PAGES  256U
#define VECTOR_MAX   512U
#define SCANS        3U
#define PAGE_WRITTEN (1ULL << 1)

/* As the kernel has it, Linux 6.7: which pages of a range are written, and protect them again. */
struct scan_argument {
	uint64_t size, flags, start, end, walk_end, vector, vector_len, max_pages;
	uint64_t category_inverted, category_mask, category_any, return_mask;
};

struct scan_run {
	uint64_t start, end, categories;
};

#define SCAN_CALL    _IOWR('f', 16, struct scan_argument)
#define SCAN_PROTECT 1U

/* One step on a group of pages; the index of a group is where it lies in its area. */
typedef void step(struct probe *p, size_t first, size_t pages);

struct measure {
	step *prepare; /* all pages of a round; not timed */
	step *before;  /* each group; not timed. NULL: groups are timed together */
	step *timed;
	bool needs_move, needs_async;
	size_t stride; /* pages from one of a group to the next; 0: 1 */
};

static char *at(char *area, size_t page)
{
	return area + page * Z_PAGE_SIZE;
}

void probe_absent(char *from, size_t pages)
{
	(void)madvise(from, pages * Z_PAGE_SIZE, MADV_DONTNEED);
}

int probe_copy(int uffd, char *to, const char *from, size_t pages)
{
	struct uffdio_copy arg = {
		.dst = (uintptr_t)to, .src = (uintptr_t)from, .len = pages * Z_PAGE_SIZE};

	return ioctl(uffd, UFFDIO_COPY, &arg);
}

int probe_zero(int uffd, char *to)
{
	struct uffdio_zeropage arg = {.range = {.start = (uintptr_t)to, .len = Z_PAGE_SIZE}};

	return ioctl(uffd, UFFDIO_ZEROPAGE, &arg);
}

int probe_move(int uffd, char *to, const char *from, size_t pages)
{
	struct zl_uffdio_move arg = {
		.dst = (uintptr_t)to, .src = (uintptr_t)from, .len = pages * Z_PAGE_SIZE};

	return ioctl(uffd, ZL_IOC_MOVE, &arg);
}

void probe_present(const struct probe *p, int uffd, char *from, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		(void)probe_copy(uffd, at(from, i), p->from, 1);
		*(volatile char *)at(from, i) = 1;
	}
}

static void protect(struct probe *p, size_t first, size_t pages, uint64_t mode)
{
	struct uffdio_writeprotect arg = {
		.range = {.start = (uintptr_t)at(p->area, first), .len = pages * Z_PAGE_SIZE},
		.mode = mode};

	(void)ioctl(p->signal_uffd, UFFDIO_WRITEPROTECT, &arg);
}

static void all_absent(struct probe *p, size_t first, size_t pages)
{
	probe_absent(at(p->area, first), pages);
}

static void all_present(struct probe *p, size_t first, size_t pages)
{
	probe_absent(at(p->area, first), pages);
	probe_present(p, p->signal_uffd, at(p->area, first), pages);
}

static void all_protected(struct probe *p, size_t first, size_t pages)
{
	all_present(p, first, pages);
	protect(p, first, pages, UFFDIO_WRITEPROTECT_MODE_WP);
}

/* Pages that wait in the side area, for MOVE into the area. */
static void all_aside(struct probe *p, size_t first, size_t pages)
{
	probe_absent(at(p->area, first), pages);
	probe_absent(at(p->side, first), pages);
	probe_present(p, p->signal_uffd, at(p->side, first), pages);
}

static void all_here(struct probe *p, size_t first, size_t pages)
{
	probe_absent(at(p->side, first), pages);
	all_present(p, first, pages);
}

static void plain_absent(struct probe *p, size_t first, size_t pages)
{
	probe_absent(at(p->plain, first), pages);
}

static void copy_in(struct probe *p, size_t first, size_t pages)
{
	(void)probe_copy(p->signal_uffd, at(p->area, first), p->large, pages);
}

static void zero_in(struct probe *p, size_t first, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		(void)probe_zero(p->signal_uffd, at(p->area, first + i));
	}
}

static void move_in(struct probe *p, size_t first, size_t pages)
{
	(void)probe_move(p->signal_uffd, at(p->area, first), at(p->side, first), pages);
}

static void move_out(struct probe *p, size_t first, size_t pages)
{
	(void)probe_move(p->signal_uffd, at(p->side, first), at(p->area, first), pages);
}

static void drop(struct probe *p, size_t first, size_t pages)
{
	(void)madvise(at(p->area, first), pages * Z_PAGE_SIZE, MADV_DONTNEED);
}

static void drop_scattered(struct probe *p, size_t first, size_t pages)
{
	struct iovec vector[VECTOR_MAX];

	for (size_t i = 0; i < pages; i++) {
		vector[i] = (struct iovec){at(p->area, first + 2 * i), Z_PAGE_SIZE};
	}
	(void)syscall(SYS_process_madvise, p->pidfd, vector, pages, MADV_DONTNEED, 0);
}

static void read_over(struct probe *p, size_t first, size_t pages)
{
	struct iovec from = {at(p->area, first), pages * Z_PAGE_SIZE};
	struct iovec to = {p->large, pages * Z_PAGE_SIZE};

	(void)syscall(SYS_process_vm_readv, getpid(), &to, 1, &from, 1, 0);
}

static void set_protection(struct probe *p, size_t first, size_t pages)
{
	protect(p, first, pages, UFFDIO_WRITEPROTECT_MODE_WP);
}

static void clear_protection(struct probe *p, size_t first, size_t pages)
{
	protect(p, first, pages, UFFDIO_WRITEPROTECT_MODE_DONTWAKE);
}

static void nothing(struct probe *p, size_t first, size_t pages)
{
	(void)p;
	(void)first;
	(void)pages;
}

static void read_pages(struct probe *p, size_t first, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		(void)*(volatile char *)at(p->area, first + i);
	}
}

static void write_pages(struct probe *p, size_t first, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		*(volatile char *)at(p->area, first + i) = 2;
	}
}

static void write_plain(struct probe *p, size_t first, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		*(volatile char *)at(p->plain, first + i) = 2;
	}
}

static void populate_plain(struct probe *p, size_t first, size_t pages)
{
	(void)madvise(at(p->plain, first), pages * Z_PAGE_SIZE, MADV_POPULATE_WRITE);
}

static void write_large(struct probe *p, size_t first, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		*(volatile char *)at(p->large, first + i) = 2;
	}
}

static void protect_large(struct probe *p, size_t first, size_t pages)
{
	struct uffdio_writeprotect arg = {
		.range = {.start = (uintptr_t)at(p->large, first), .len = pages * Z_PAGE_SIZE},
		.mode = UFFDIO_WRITEPROTECT_MODE_WP};

	(void)ioctl(p->async_uffd, UFFDIO_WRITEPROTECT, &arg);
}

static void interrupt_others(struct probe *p, size_t first, size_t pages)
{
	nothing(p, first, pages);
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

enum {
	COPY,
	ZERO,
	MOVE_IN,
	MOVE_OUT,
	DROP,
	SCATTERED,
	PROTECT,
	UNPROTECT,
	READ_OVER,
	READ_AGAIN,
	READ_COPIED,
	WRITE_COPIED,
	READ_MOVED,
	READ_ZERO,
	READ_PROTECTED,
	WRITE_UNPROTECTED,
	WRITE_PLAIN,
	POPULATE,
	WRITE_POPULATED,
	WRITE_ASYNC,
	INTERRUPT,
	SYSTEM_CALL,
};

static void ask_kernel(struct probe *p, size_t first, size_t pages)
{
	nothing(p, first, pages);
	(void)syscall(SYS_getppid);
}

static const struct measure measures[] = {
	[COPY] = {.prepare = all_absent, .timed = copy_in},
	[ZERO] = {.prepare = all_absent, .timed = zero_in},
	[MOVE_IN] = {.prepare = all_aside, .timed = move_in, .needs_move = true},
	[MOVE_OUT] = {.prepare = all_here, .timed = move_out, .needs_move = true},
	[DROP] = {.prepare = all_present, .timed = drop},
	[SCATTERED] = {.prepare = all_present, .timed = drop_scattered, .stride = 2},
	[PROTECT] = {.prepare = all_present, .timed = set_protection},
	[UNPROTECT] = {.prepare = all_protected, .timed = clear_protection},
	[READ_OVER] = {.prepare = all_present, .before = set_protection, .timed = read_over},
	[READ_AGAIN] = {.prepare = all_present, .before = nothing, .timed = read_pages},
	[READ_COPIED] = {.prepare = all_absent, .before = copy_in, .timed = read_pages},
	[WRITE_COPIED] = {.prepare = all_absent, .before = copy_in, .timed = write_pages},
	[READ_MOVED] = {.prepare = all_aside,
			.before = move_in,
			.timed = read_pages,
			.needs_move = true},
	[READ_ZERO] = {.prepare = all_absent, .before = zero_in, .timed = read_pages},
	[READ_PROTECTED] = {.prepare = all_present, .before = set_protection, .timed = read_pages},
	[WRITE_UNPROTECTED] = {.prepare = all_protected,
			       .before = clear_protection,
			       .timed = write_pages},
	[WRITE_PLAIN] = {.prepare = plain_absent, .timed = write_plain},
	[POPULATE] = {.prepare = plain_absent, .timed = populate_plain},
	[WRITE_POPULATED] = {.prepare = plain_absent,
			     .before = populate_plain,
			     .timed = write_plain},
	[WRITE_ASYNC] = {.prepare = nothing,
			 .before = protect_large,
			 .timed = write_large,
			 .needs_async = true},
	[INTERRUPT] = {.prepare = nothing, .timed = interrupt_others},
	[SYSTEM_CALL] = {.prepare = nothing, .timed = ask_kernel},
};

static double one_round(struct probe *p, const struct measure *m, size_t groups, size_t pages)
{
	size_t span = pages * (m->stride > 0 ? m->stride : 1);
	uint64_t begin;
	double ns = 0;

	m->prepare(p, 0, groups * span);
	if (m->before == NULL) {
		begin = cmd_now_ns();
		for (size_t i = 0; i < groups; i++) {
			m->timed(p, i * span, pages);
		}
		ns = (double)(cmd_now_ns() - begin) - p->clock_ns;
		return ns / (double)(groups * pages);
	}
	for (size_t i = 0; i < groups; i++) {
		m->before(p, i * span, pages);
		begin = cmd_now_ns();
		m->timed(p, i * span, pages);
		ns += (double)(cmd_now_ns() - begin) - p->clock_ns;
	}
	return ns / (double)(groups * pages);
}

static double run_pages(struct probe *p, const struct probe_row *row)
{
	const struct measure *m = &measures[row->kind];
	size_t groups = row->pages < ROUND_PAGES ? ROUND_PAGES / row->pages : 1;
	double figures[PROBE_ROUNDS];

	if ((m->needs_move && !p->can_move) || (m->needs_async && p->async_uffd < 0)) {
		p->why_not = "this kernel has no such call";
		return NAN;
	}
	groups = groups < GROUPS_MAX ? groups : GROUPS_MAX;
	for (size_t i = 0; i < PROBE_ROUNDS; i++) {
		figures[i] = one_round(p, m, groups, row->pages);
	}
	return probe_median(figures, PROBE_ROUNDS);
}

/* All of the large area, a quarter of it written since; ns a call. */
static double run_scan(struct probe *p, const struct probe_row *row)
{
	static struct scan_run runs[PROBE_MANY];
	double figures[SCANS];

	(void)row;
	for (size_t i = 0; i < SCANS; i++) {
		struct scan_argument arg = {
			.size = sizeof(arg),
			.flags = SCAN_PROTECT,
			.start = (uintptr_t)p->large,
			.end = (uintptr_t)at(p->large, PROBE_MANY),
			.vector = (uintptr_t)runs,
			.vector_len = PROBE_MANY,
			.category_mask = PAGE_WRITTEN,
			.return_mask = PAGE_WRITTEN,
		};
		uint64_t begin;

		for (size_t page = 0; p->async_uffd >= 0 && page < PROBE_MANY; page += 4) {
			write_large(p, page, 1);
		}
		begin = cmd_now_ns();
		if (p->async_uffd < 0 || ioctl(p->pagemap, SCAN_CALL, &arg) < 0) {
			p->why_not = "this kernel has no such call";
			return NAN;
		}
		figures[i] = (double)(cmd_now_ns() - begin) - p->clock_ns;
	}
	return probe_median(figures, SCANS);
}

const struct probe_row probe_page_rows[] = {
	{"a system call", run_pages, 1, SYSTEM_CALL, false},
	{"interrupt to the other core (membarrier)", run_pages, 1, INTERRUPT, false},
	{"UFFDIO_ZEROPAGE, one page", run_pages, 1, ZERO, false},
	{"UFFDIO_COPY, one page", run_pages, 1, COPY, false},
	{"UFFDIO_COPY, 8 contiguous", run_pages, 8, COPY, false},
	{"UFFDIO_COPY, 64 contiguous", run_pages, 64, COPY, false},
	{"UFFDIO_MOVE in, one page", run_pages, 1, MOVE_IN, false},
	{"UFFDIO_MOVE in, 8 contiguous", run_pages, 8, MOVE_IN, false},
	{"UFFDIO_MOVE in, 32 contiguous", run_pages, 32, MOVE_IN, false},
	{"UFFDIO_MOVE in, 128 contiguous", run_pages, 128, MOVE_IN, false},
	{"UFFDIO_MOVE out, one page", run_pages, 1, MOVE_OUT, false},
	{"UFFDIO_MOVE out, 8 contiguous", run_pages, 8, MOVE_OUT, false},
	{"UFFDIO_MOVE out, 32 contiguous", run_pages, 32, MOVE_OUT, false},
	{"UFFDIO_MOVE out, 128 contiguous", run_pages, 128, MOVE_OUT, false},
	{"madvise DONTNEED, one page", run_pages, 1, DROP, false},
	{"madvise DONTNEED, 32 contiguous", run_pages, 32, DROP, false},
	{"madvise DONTNEED, 128 contiguous", run_pages, 128, DROP, false},
	{"process_madvise, 32 scattered", run_pages, 32, SCATTERED, false},
	{"process_madvise, 128 scattered", run_pages, 128, SCATTERED, false},
	{"process_madvise, 512 scattered", run_pages, 512, SCATTERED, false},
	{"UFFDIO_WRITEPROTECT, one page", run_pages, 1, PROTECT, false},
	{"UFFDIO_WRITEPROTECT, 32 contiguous", run_pages, 32, PROTECT, false},
	{"UFFDIO_WRITEPROTECT, 64 contiguous", run_pages, 64, PROTECT, false},
	{"UFFDIO_WRITEPROTECT, 512 contiguous", run_pages, 512, PROTECT, false},
	{"the same, cleared, one page", run_pages, 1, UNPROTECT, false},
	{"the same, cleared, 64 contiguous", run_pages, 64, UNPROTECT, false},
	{"WP_ASYNC: first write to a protected page", run_pages, 64, WRITE_ASYNC, false},
	{"PAGEMAP_SCAN of 32,768 pages, protecting, a call", run_scan, 1, 0, false},
	{"touch of a page that is mapped, alone", run_pages, 1, READ_AGAIN, false},
	{"first touch after COPY, alone", run_pages, 1, READ_COPIED, false},
	{"first touch after COPY, of 64", run_pages, 64, READ_COPIED, false},
	{"first write after COPY, alone", run_pages, 1, WRITE_COPIED, false},
	{"first touch after ZEROPAGE, alone", run_pages, 1, READ_ZERO, false},
	{"first touch after MOVE, alone", run_pages, 1, READ_MOVED, false},
	{"first touch after MOVE, of 64", run_pages, 64, READ_MOVED, false},
	{"read in place after WRITEPROTECT, alone", run_pages, 1, READ_PROTECTED, false},
	{"read in place after WRITEPROTECT, of 64", run_pages, 64, READ_PROTECTED, false},
	{"process_vm_readv after WRITEPROTECT, alone", run_pages, 1, READ_OVER, false},
	{"process_vm_readv after WRITEPROTECT, of 64", run_pages, 64, READ_OVER, false},
	{"first write after clearing, alone", run_pages, 1, WRITE_UNPROTECTED, false},
	{"first write after clearing, of 64", run_pages, 64, WRITE_UNPROTECTED, false},
	{"plain memory, first touch", run_pages, 64, WRITE_PLAIN, false},
	{"plain memory, MADV_POPULATE_WRITE of 64", run_pages, 64, POPULATE, false},
	{"first write after POPULATE_WRITE, of 64", run_pages, 64, WRITE_POPULATED, false},
};
const size_t probe_page_count = sizeof(probe_page_rows) / sizeof(probe_page_rows[0]);
