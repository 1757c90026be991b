/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.c - `zpager probe`: what the mechanisms that a pager is made of cost on this machine.
 *
 * Each row is measured with one thread in the process, and again while another thread of it runs on
 * another core, since a call that takes a mapping away has to interrupt that core. Two passes, the
 * lower figure counts: what disturbs a measurement makes it longer.
 *
 * Locks: none. Limits: this thread is pinned to the first CPU that it may use while it measures.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/membarrier.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <zpager/zpager.h>

#include "../arch/linux/uffd_abi.h"
#include "cmd.h"
#include "probe.h"

#define PASSES   2
#define ROWS_MAX 96U
#define CLOCKS   1000U

struct figure {
	const struct probe_row *row;
	double alone, beside; /* ns; NAN: none */
	const char *why_not;
};

struct report {
	struct figure figures[ROWS_MAX];
	size_t n;
	struct utsname machine;
};

static atomic_bool stop_running;

static int help(void)
{
	(void)puts("usage: zpager probe [OPTIONS]\n"
		   "\n"
		   "What faults and the calls that map, unmap and protect pages cost here, in ns a "
		   "page:\n"
		   "with one thread, and (2thr) while another one of the process runs on another "
		   "core.\n"
		   "Takes a few seconds.\n"
		   "\n"
		   "  --json FILE  the same as JSON\n"
		   "  --dir PATH   where a file is made to measure the disk (default: .)");
	return 0;
}

double probe_median(double *figures, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		double figure = figures[i];
		size_t j = i;

		for (; j > 0 && figures[j - 1] > figure; j--) {
			figures[j] = figures[j - 1];
		}
		figures[j] = figure;
	}
	return n % 2 == 1 ? figures[n / 2] : (figures[n / 2 - 1] + figures[n / 2]) / 2;
}

void probe_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static void *run_beside(void *argument)
{
	const struct probe *p = argument;

	probe_pin(p->other_cpu);
	while (!atomic_load_explicit(&stop_running, memory_order_relaxed)) {
	}
	return NULL;
}

static void find_cpus(struct probe *p)
{
	cpu_set_t set;

	p->cpu = 0;
	p->other_cpu = -1;
	if (sched_getaffinity(0, sizeof(set), &set) != 0) {
		return;
	}
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
		if (CPU_ISSET((size_t)cpu, &set)) {
			p->other_cpu = p->cpu;
			p->cpu = cpu;
		}
	}
	if (CPU_COUNT(&set) < 2) {
		p->other_cpu = -1;
	}
}

static char *map_area(size_t pages)
{
	char *area = mmap(NULL, pages * Z_PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED) {
		return NULL;
	}
	(void)madvise(area, pages * Z_PAGE_SIZE, MADV_NOHUGEPAGE);
	return area;
}

/* A userfaultfd with these features, or -1. */
static int uffd_with(uint64_t features)
{
	struct uffdio_api api = {.api = UFFD_API, .features = features};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api) != 0) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

static bool watch(int fd, char *area, size_t pages, uint64_t mode)
{
	struct uffdio_register arg = {
		.range = {.start = (uintptr_t)area, .len = pages * Z_PAGE_SIZE}, .mode = mode};

	return fd >= 0 && ioctl(fd, UFFDIO_REGISTER, &arg) == 0;
}

static bool open_areas(struct probe *p)
{
	p->area = map_area(PROBE_PAGES);
	p->side = map_area(PROBE_PAGES);
	p->watched = map_area(PROBE_PAGES);
	p->plain = map_area(PROBE_PAGES);
	p->large = map_area(PROBE_MANY);
	p->from = aligned_alloc(Z_PAGE_SIZE, Z_PAGE_SIZE);
	if (p->area == NULL || p->side == NULL || p->watched == NULL || p->plain == NULL ||
	    p->large == NULL || p->from == NULL) {
		return false;
	}
	memset(p->from, 1, Z_PAGE_SIZE);
	memset(p->large, 1, (size_t)PROBE_MANY * Z_PAGE_SIZE);
	return true;
}

static void open_kernel(struct probe *p)
{
	const uint64_t missing = UFFDIO_REGISTER_MODE_MISSING;
	const uint64_t both = missing | UFFDIO_REGISTER_MODE_WP;
	const uint64_t needed = UFFD_FEATURE_SIGBUS | UFFD_FEATURE_PAGEFAULT_FLAG_WP;

	p->signal_uffd = uffd_with(needed | UFFD_FEATURE_MOVE);
	p->can_move = p->signal_uffd >= 0;
	if (!p->can_move) {
		p->signal_uffd = uffd_with(needed);
	}
	if (!watch(p->signal_uffd, p->area, PROBE_PAGES, both) ||
	    !watch(p->signal_uffd, p->side, PROBE_PAGES, both)) {
		p->signal_uffd = -1;
	}
	p->monitor_uffd = uffd_with(0);
	if (!watch(p->monitor_uffd, p->watched, PROBE_PAGES, missing)) {
		p->monitor_uffd = -1;
	}
	p->async_uffd = uffd_with(UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_UNPOPULATED |
				  UFFD_FEATURE_WP_ASYNC);
	if (!watch(p->async_uffd, p->large, PROBE_MANY, UFFDIO_REGISTER_MODE_WP)) {
		p->async_uffd = -1;
	}
	p->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	p->pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}

static void look_at_clock(struct probe *p)
{
	uint64_t begin = cmd_now_ns();

	for (size_t i = 0; i < CLOCKS; i++) {
		(void)cmd_now_ns();
	}
	p->clock_ns = (double)(cmd_now_ns() - begin) / CLOCKS;
}

static void add_rows(struct report *report, const struct probe_row *rows, size_t n)
{
	for (size_t i = 0; i < n && report->n < ROWS_MAX; i++) {
		report->figures[report->n++] = (struct figure){
			.row = &rows[i],
			.alone = NAN,
			.beside = NAN,
		};
	}
}

static void measure_rows(struct probe *p, struct report *report, bool beside)
{
	for (size_t i = 0; i < report->n; i++) {
		struct figure *f = &report->figures[i];
		double *into = beside ? &f->beside : &f->alone;

		if (beside && f->row->alone_only) {
			continue;
		}
		p->why_not = NULL;
		*into = fmin(*into, f->row->run(p, f->row));
		f->why_not = isnan(*into) ? p->why_not : f->why_not;
	}
}

static void measure(struct probe *p, struct report *report)
{
	pthread_t thread;

	for (int pass = 0; pass < PASSES; pass++) {
		measure_rows(p, report, false);
		atomic_store(&stop_running, false);
		if (p->other_cpu >= 0 && pthread_create(&thread, NULL, run_beside, p) == 0) {
			measure_rows(p, report, true);
			atomic_store(&stop_running, true);
			(void)pthread_join(thread, NULL);
		}
	}
}

static void print_ns(double ns)
{
	if (isnan(ns)) {
		(void)printf(" %10s", "-");
	} else {
		(void)printf(" %10.0f", ns);
	}
}

static void print_table(const struct probe *p, const struct report *report)
{
	(void)printf("%s %s, %ld CPUs; %s\n", report->machine.sysname, report->machine.release,
		     sysconf(_SC_NPROCESSORS_ONLN), zpager_features());
	(void)printf("ns a page, unless it says \"a call\"; a look at the clock is %.0f ns\n\n",
		     p->clock_ns);
	(void)printf("%-50s %10s %10s\n", "mechanism", "alone", "2thr");
	for (size_t i = 0; i < report->n; i++) {
		const struct figure *f = &report->figures[i];

		(void)printf("%-50s", f->row->name);
		print_ns(f->alone);
		print_ns(f->beside);
		(void)printf("%s%s\n", f->why_not != NULL ? "  " : "",
			     f->why_not != NULL ? f->why_not : "");
	}
}

static void json_ns(FILE *file, const char *name, double ns)
{
	if (isnan(ns)) {
		(void)fprintf(file, ", \"%s\": null", name);
	} else {
		(void)fprintf(file, ", \"%s\": %.1f", name, ns);
	}
}

static int write_json(const char *path, const struct report *report)
{
	FILE *file = fopen(path, "we");

	if (file == NULL) {
		return cmd_fail(EXIT_USAGE, "--json %s: %s", path, strerror(errno));
	}
	(void)fputs("{\"kernel\": ", file);
	cmd_json_text(file, report->machine.release);
	(void)fprintf(file, ", \"cpus\": %ld, \"features\": ", sysconf(_SC_NPROCESSORS_ONLN));
	cmd_json_text(file, zpager_features());
	(void)fputs(", \"rows\": [", file);
	for (size_t i = 0; i < report->n; i++) {
		(void)fputs(i > 0 ? ",\n{\"mechanism\": " : "\n{\"mechanism\": ", file);
		cmd_json_text(file, report->figures[i].row->name);
		json_ns(file, "ns_alone", report->figures[i].alone);
		json_ns(file, "ns_2thr", report->figures[i].beside);
		(void)fputc('}', file);
	}
	(void)fputs("\n]}\n", file);
	return fclose(file) == 0 ? 0 : cmd_fail(EXIT_USAGE, "--json %s: cannot be written", path);
}

static int read_options(int argc, char **argv, struct probe *p, const char **json_out)
{
	static const struct option known[] = {
		{"json", required_argument, NULL, 'j'},
		{"dir", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int key;

	opterr = 0;
	while ((key = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		switch (key) {
		case 'h':
			return help();
		case 'j':
			*json_out = optarg;
			break;
		case 'd':
			p->dir = optarg;
			break;
		default:
			return cmd_fail(EXIT_USAGE, "probe: %s: see zpager probe --help",
					argv[optind - 1]);
		}
	}
	if (optind < argc) {
		return cmd_fail(EXIT_USAGE, "probe takes no argument, and got \"%s\"",
				argv[optind]);
	}
	return -1;
}

int cmd_probe(int argc, char **argv)
{
	static struct report report;
	struct probe p = {.dir = "."};
	const char *json = NULL;
	int status = read_options(argc, argv, &p, &json);

	if (status >= 0) {
		return status;
	}
	if (json != NULL && !cmd_can_write(json)) {
		return cmd_fail(EXIT_USAGE, "--json %s: %s", json, strerror(errno));
	}
	if (!open_areas(&p)) {
		return cmd_fail(EXIT_USAGE, "probe: not enough memory");
	}
	(void)uname(&report.machine);
	find_cpus(&p);
	probe_pin(p.cpu);
	look_at_clock(&p);
	open_kernel(&p);
	if (p.signal_uffd >= 0) {
		add_rows(&report, probe_fault_rows, probe_fault_count);
		add_rows(&report, probe_page_rows, probe_page_count);
	} else {
		(void)cmd_fail(0, "probe: the kernel gives no userfaultfd with SIGBUS and WP to "
				  "this user: only rows that need none");
	}
	add_rows(&report, probe_work_rows, probe_work_count);
	measure(&p, &report);
	print_table(&p, &report);
	return json != NULL ? write_json(json, &report) : 0;
}
