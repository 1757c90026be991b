/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_memory.c - the process of one run of `zpager bench`: it gets its memory from the peer, works on
 * it (bench_work.c), and says what it took.
 *
 * A process in a memory cgroup joins it before it touches anything. Faults are what the pager counts, or
 * what the kernel counts, major and minor; the bytes written are pages that a pager wrote to its store,
 * pages that the kernel swapped out, or what it wrote to the disk for a mapped file.
 *
 * RAM is VmHWM for a pager, whose store in RAM is part of it, and for plain memory; for a cgroup its
 * peak, which has the page cache in it, and what zram took (bench_host.c). What a pager says of its
 * store is told too: it may have room that it has not touched.
 *
 * Locks: none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <zpager/zpager.h>

#include "bench.h"
#include "cmd.h"
#include "probe.h"

#define PREADS_MAX 65536U
#define CHUNK      ((size_t)1 << 20)
#define HUGE       ((size_t)2 << 20)

static void say(struct bench_outcome *out, const char *what, const char *why)
{
	(void)snprintf(out->why, sizeof(out->why), "%s%s%s", what, why[0] != '\0' ? ": " : "", why);
}

/* The number after a name in a file of lines "NAME NUMBER" or "NAME: NUMBER kB"; 0: it is not there. */
static uint64_t number_in(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char line[256];
	uint64_t number = 0;
	size_t length = strlen(name);

	if (file == NULL) {
		return 0;
	}
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, name, length) == 0 &&
		    (line[length] == ' ' || line[length] == ':')) {
			number = strtoull(line + length + 1, NULL, 10);
			break;
		}
	}
	(void)fclose(file);
	return number;
}

static uint64_t kernel_faults(void *context)
{
	struct rusage usage;

	(void)context;
	(void)getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)usage.ru_majflt + (uint64_t)usage.ru_minflt;
}

static uint64_t swapped_out(void *context)
{
	(void)context;
	return number_in("/proc/vmstat", "pswpout") * Z_PAGE_SIZE;
}

static uint64_t disk_written(void *context)
{
	(void)context;
	return number_in("/proc/self/io", "write_bytes");
}

static uint64_t nothing_written(void *context)
{
	(void)context;
	return 0;
}

static uint64_t pager_faults(void *context)
{
	struct z_stats stats;
	struct zpager_info info;

	zpager_stats(context, &stats, &info);
	return stats.pagefaults + stats.soft_faults;
}

static uint64_t pager_written(void *context)
{
	struct z_stats stats;
	struct zpager_info info;

	zpager_stats(context, &stats, &info);
	return stats.pages_written * Z_PAGE_SIZE;
}

/* The URI of a peer's store: %SIZE is room for all of the region, %DIR is where files go. */
static void store_uri(const struct bench_plan *plan, const char *store, char *uri, size_t max)
{
	unsigned long long mib =
		(plan->options.region_bytes + plan->options.region_bytes / 4) >> 20;
	const char *at = strchr(store, '%');

	if (at != NULL && strncmp(at, "%SIZE", 5) == 0) {
		(void)snprintf(uri, max, "%.*s%lluM%s", (int)(at - store), store, mib, at + 5);
	} else if (at != NULL && strncmp(at, "%DIR", 4) == 0) {
		(void)snprintf(uri, max, "%.*s%s%s", (int)(at - store), store, plan->options.dir,
			       at + 4);
	} else {
		(void)snprintf(uri, max, "%s", store);
	}
}

/* Where all fits there are frames for all pages, and room for what the pager needs besides. */
static uint64_t budget_of(const struct bench_plan *plan, const struct bench_run *run)
{
	uint64_t region = plan->options.region_bytes;

	return run->peer->fits ? region + region / 8 : region / run->share;
}

static void with_pager(const struct bench_plan *plan, const struct bench_run *run,
		       struct bench_outcome *out)
{
	const struct bench_options *o = &plan->options;
	const char *store = run->peer->store != NULL ? run->peer->store : o->store;
	const char *mode = run->peer->fault_mode != NULL ? run->peer->fault_mode : o->fault_mode;
	struct zpager_options options = {
		.ram_bytes = budget_of(plan, run),
		.eviction = o->eviction,
		.fault_mode = mode,
		.overcommit = 1,
	};
	struct bench_memory_ops memory = {.faults = pager_faults, .written_bytes = pager_written};
	struct zpager_info info;
	struct z_stats stats;
	struct zpager *z;
	char uri[4096], text[BENCH_WHY_BYTES / 2] = "";

	if (store != NULL) {
		store_uri(plan, store, uri, sizeof(uri));
		options.store = uri;
	}
	if (zpager_open(&options, text, sizeof(text), &z) != 0) {
		say(out, "the pager does not open", text);
		return;
	}
	memory.context = z;
	memory.pages = o->region_bytes / Z_PAGE_SIZE;
	memory.region = zpager_map(z, o->region_bytes, 0);
	if (memory.region == NULL) {
		say(out, "the pager maps nothing", zpager_last_error(z));
		return;
	}
	bench_work(plan, run, &memory, out);
	zpager_stats(z, &stats, &info);
	out->store_bytes = info.store_beyond_bytes;
	out->ram_bytes = number_in("/proc/self/status", "VmHWM") * 1024;
	if (zpager_close(z) != 0) {
		say(out, "the pager cannot be closed", "");
	}
}

static void with_anonymous(const struct bench_plan *plan, const struct bench_run *run,
			   struct bench_outcome *out)
{
	size_t bytes = plan->options.region_bytes;
	bool huge = run->peer->memory == BENCH_PLAIN_HUGE;
	void *region = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t *aligned = (void *)(((uintptr_t)region + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
	bool limited = !huge && run->peer->memory != BENCH_PLAIN;
	const struct bench_memory_ops memory = {
		.region = aligned,
		.pages = bytes / Z_PAGE_SIZE,
		.faults = kernel_faults,
		.written_bytes = limited ? swapped_out : nothing_written,
	};

	if (region == MAP_FAILED) {
		say(out, "mmap", strerror(errno));
		return;
	}
	(void)madvise(aligned, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	bench_work(plan, run, &memory, out);
	if (!limited) {
		out->ram_bytes = number_in("/proc/self/status", "VmHWM") * 1024;
	}
}

/* A file of the region's size that has no name any more; -1, said why. */
static int make_file(const struct bench_plan *plan, struct bench_outcome *out)
{
	char path[4096];
	int fd = -1;

	if (snprintf(path, sizeof(path), "%s/zpager-bench.XXXXXX", plan->options.dir) <
	    (int)sizeof(path)) {
		fd = mkostemp(path, O_CLOEXEC);
	}
	if (fd < 0) {
		say(out, "no file in the directory of --dir", strerror(errno));
		return -1;
	}
	(void)unlink(path);
	return fd;
}

static void with_file(const struct bench_plan *plan, const struct bench_run *run,
		      struct bench_outcome *out)
{
	size_t bytes = plan->options.region_bytes;
	struct bench_memory_ops memory = {
		.pages = bytes / Z_PAGE_SIZE,
		.faults = kernel_faults,
		.written_bytes = disk_written,
	};
	int fd = make_file(plan, out);

	if (fd < 0) {
		return;
	}
	memory.region = MAP_FAILED;
	if (ftruncate(fd, (off_t)bytes) == 0) {
		memory.region = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	if ((void *)memory.region == MAP_FAILED) {
		say(out, "mmap of a file", strerror(errno));
	} else {
		if (run->peer->memory == BENCH_MMAP_RANDOM) {
			(void)madvise(memory.region, bytes, MADV_RANDOM);
		}
		bench_work(plan, run, &memory, out);
	}
	(void)close(fd);
}

/* Data on the disk, all of it, and past the page cache from then on. */
static bool write_file(int fd, size_t bytes, char *chunk)
{
	memset(chunk, 1, CHUNK);
	for (size_t done = 0; done < bytes; done += CHUNK) {
		if (write(fd, chunk, CHUNK) != (ssize_t)CHUNK) {
			return false;
		}
	}
	return fsync(fd) == 0 && fcntl(fd, F_SETFL, O_DIRECT) == 0;
}

static void with_pread(const struct bench_plan *plan, struct bench_outcome *out)
{
	struct bench_result *r = &out->cells[BENCH_CELL(BENCH_RANDOM, BENCH_READ)];
	char *chunk = aligned_alloc(Z_PAGE_SIZE, CHUNK);
	double *figures = calloc(PREADS_MAX, sizeof(*figures));
	uint64_t pages = plan->options.region_bytes / Z_PAGE_SIZE;
	uint64_t begin, random = 4711;
	double cpu;
	int fd = make_file(plan, out);

	if (fd < 0 || chunk == NULL || figures == NULL ||
	    !write_file(fd, plan->options.region_bytes, chunk)) {
		say(out, "no file past the page cache in the directory of --dir", strerror(errno));
		free(figures);
		free(chunk);
		return;
	}
	out->started = true;
	begin = cmd_now_ns();
	cpu = bench_cpu_seconds();
	while (pages > 0 && (double)(cmd_now_ns() - begin) < plan->options.seconds * 1e9 &&
	       r->accesses < PREADS_MAX) {
		uint64_t at = bench_random(&random) % pages * Z_PAGE_SIZE;
		uint64_t start = cmd_now_ns();

		out->wrong += pread(fd, chunk, Z_PAGE_SIZE, (off_t)at) != (ssize_t)Z_PAGE_SIZE;
		figures[r->accesses++] = (double)(cmd_now_ns() - start);
	}
	r->cpu_s = bench_cpu_seconds() - cpu;
	r->faults = r->accesses;
	r->ns_per_access = (double)(cmd_now_ns() - begin) / (double)r->accesses;
	r->ns_per_fault = r->ns_per_access;
	bench_percentiles(figures, r->accesses, r);
	r->done = true;
	out->ram_bytes = number_in("/proc/self/status", "VmHWM") * 1024;
}

void bench_child(const struct bench_plan *plan, const struct bench_run *run,
		 struct bench_outcome *out)
{
	if (bench_host_join(run->peer->memory) != 0) {
		say(out, "the cgroup does not take the process", strerror(errno));
		return;
	}
	switch (run->peer->memory) {
	case BENCH_PAGER:
		with_pager(plan, run, out);
		break;
	case BENCH_MMAP:
	case BENCH_MMAP_RANDOM:
		with_file(plan, run, out);
		break;
	case BENCH_PREAD:
		with_pread(plan, out);
		break;
	default:
		with_anonymous(plan, run, out);
	}
}

int bench_fault_cost(const char *store, uint64_t region_bytes, double seconds, double *us_out,
		     char *text, size_t text_bytes)
{
	const unsigned int cells[] = {BENCH_CELL(BENCH_RANDOM, BENCH_READ),
				      BENCH_CELL(BENCH_RANDOM, BENCH_WRITE)};
	struct bench_plan *plan = calloc(1, sizeof(*plan));
	struct bench_outcome *out = calloc(1, sizeof(*out));
	bool good = false;

	if (plan != NULL && out != NULL) {
		plan->options.store = store;
		plan->options.region_bytes = region_bytes;
		plan->options.seconds = seconds;
		plan->runs[0].peer = bench_find_peer("zpager");
		plan->runs[0].content = BENCH_HALF;
		plan->runs[0].threads = 1;
		plan->runs[0].share = 4;
		plan->runs[0].cells = 1U << cells[0] | 1U << cells[1];
		with_pager(plan, &plan->runs[0], out);
		good = out->cells[cells[0]].done && out->cells[cells[1]].done && out->wrong == 0;
		*us_out = (out->cells[cells[0]].ns_per_fault + out->cells[cells[1]].ns_per_fault) /
			  2000;
		(void)snprintf(text, text_bytes, "%s", out->why);
	}
	free(plan);
	free(out);
	return good ? 0 : -1;
}
