/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.h - what the files of `zpager probe` share: the memory that is measured on, and rows.
 *
 * A row is one figure in nanoseconds. It is the median of rounds; a round prepares the memory, and
 * then times either all its groups of pages together, or, where a row has something to do before each
 * group, each group by itself less the cost of looking at the clock.
 */
#ifndef ZPAGER_TOOLS_PROBE_H
#define ZPAGER_TOOLS_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zpager/types.h>

#define PROBE_PAGES  1024U  /* of each of the areas */
#define PROBE_MANY   32768U /* of the large one */
#define PROBE_ROUNDS 5U

struct probe {
	int signal_uffd;  /* SIGBUS: area and side are registered with it */
	int monitor_uffd; /* a thread answers: watched is */
	int async_uffd;   /* WP_ASYNC: large is; -1 where the kernel has none */
	int pagemap, pidfd;
	bool can_move;
	char *area, *side, *watched, *plain, *large;
	char *from; /* a page to copy from, on the heap */
	int cpu, other_cpu;
	double clock_ns;     /* of one look at the clock */
	const char *dir;     /* for a file on the disk */
	const char *why_not; /* why the last row has no figure */
};

struct probe_row {
	const char *name;
	/* A figure in ns, or NAN with p->why_not. */
	double (*run)(struct probe *p, const struct probe_row *row);
	unsigned int pages; /* of a group */
	unsigned int kind;  /* for run() */
	bool alone_only;    /* another thread changes nothing */
};

extern const struct probe_row probe_page_rows[];
extern const size_t probe_page_count;
extern const struct probe_row probe_fault_rows[];
extern const size_t probe_fault_count;
extern const struct probe_row probe_work_rows[];
extern const size_t probe_work_count;

/* probe_median - of n figures, which are put in order. */
double probe_median(double *figures, size_t n);

/* probe_pin - this thread stays on a CPU. */
void probe_pin(int cpu);

/* probe_absent - pages of area, side or watched are out. probe_present - they are in, and mapped. */
void probe_absent(char *at, size_t pages);
void probe_present(const struct probe *p, int uffd, char *at, size_t pages);

/* One page by ioctl; what the kernel says is the result, 0 or -1 and errno. */
int probe_copy(int uffd, char *to, const char *from, size_t pages);
int probe_zero(int uffd, char *to);
int probe_move(int uffd, char *to, const char *from, size_t pages);

#endif /* ZPAGER_TOOLS_PROBE_H */
