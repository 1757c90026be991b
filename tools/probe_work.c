/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_work.c - rows of `zpager probe`: what is done to the contents of a page. LZ4, copying, looking
 * whether it is of one value, and reading it from the disk past the page cache.
 *
 * Contents: half is 2 KiB of random bytes and 2 KiB of one; counters are 512 words that count up; text
 * is English-like words; heap is pointers and small numbers in turn.
 *
 * Locks: none. Limits: the file for O_DIRECT is in the directory of --dir and is unlinked at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <lz4.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_content.h"
#include "cmd.h"
#include "probe.h"

#define PIECES     16U /* pages with the same kind of contents */
#define REPEATS    ((size_t)8)
#define READS      24U
#define FILE_PAGES 4096U
#define READ_LARGE 32U /* pages */
#define PACKED_MAX 8192

enum {
	COPY_COLD,
	COPY_HOT,
	LOOK_SAME,
	LOOK_ZERO,
};

static char packed[PIECES][PACKED_MAX];
static int packed_bytes[PIECES];
static uint64_t pages[PIECES][Z_PAGE_SIZE / 8];
static uint64_t into[Z_PAGE_SIZE / 8];

static void fill(enum bench_content content)
{
	for (uint64_t i = 0; i < PIECES; i++) {
		bench_content_fill(content, i, pages[i]);
	}
}

static void pack(void)
{
	for (size_t i = 0; i < PIECES; i++) {
		packed_bytes[i] = LZ4_compress_default((const char *)pages[i], packed[i],
						       Z_PAGE_SIZE, PACKED_MAX);
	}
}

static double run_pack(struct probe *p, const struct probe_row *row)
{
	double figures[PROBE_ROUNDS];

	fill((enum bench_content)row->kind);
	for (size_t i = 0; i < PROBE_ROUNDS; i++) {
		uint64_t begin = cmd_now_ns();

		for (size_t j = 0; j < REPEATS; j++) {
			pack();
		}
		figures[i] = ((double)(cmd_now_ns() - begin) - p->clock_ns) / (PIECES * REPEATS);
	}
	return probe_median(figures, PROBE_ROUNDS);
}

static double run_unpack(struct probe *p, const struct probe_row *row)
{
	double figures[PROBE_ROUNDS];

	fill((enum bench_content)row->kind);
	pack();
	for (size_t i = 0; i < PROBE_ROUNDS; i++) {
		uint64_t begin = cmd_now_ns();

		for (size_t j = 0; j < PIECES * REPEATS; j++) {
			(void)LZ4_decompress_safe(packed[j % PIECES], (char *)into,
						  packed_bytes[j % PIECES], Z_PAGE_SIZE);
		}
		figures[i] = ((double)(cmd_now_ns() - begin) - p->clock_ns) / (PIECES * REPEATS);
	}
	return probe_median(figures, PROBE_ROUNDS);
}

static bool same_filled(const uint64_t *words)
{
	for (size_t i = 1; i < Z_PAGE_SIZE / 8; i++) {
		if (words[i] != words[0]) {
			return false;
		}
	}
	return true;
}

/* Cold pages lie far apart in the large area, which is larger than the caches. */
static void one_look(struct probe *p, unsigned int kind, size_t i)
{
	const char *cold = p->large + (i * 2654435761U % PROBE_MANY) * Z_PAGE_SIZE;
	static volatile bool seen;

	switch (kind) {
	case COPY_COLD:
		memcpy(into, cold, Z_PAGE_SIZE);
		break;
	case COPY_HOT:
		memcpy(into, pages[0], Z_PAGE_SIZE);
		break;
	case LOOK_SAME:
		seen = same_filled((const uint64_t *)(const void *)cold);
		break;
	default:
		seen = same_filled(pages[i % PIECES]);
	}
	__asm__ volatile("" : : "r"(into) : "memory");
	(void)seen;
}

static double run_look(struct probe *p, const struct probe_row *row)
{
	const size_t looks = 512;
	double figures[PROBE_ROUNDS];

	fill(BENCH_ZERO);
	for (size_t i = 0; i < PIECES; i++) {
		pages[i][0] = 0;
	}
	for (size_t i = 0; row->kind == LOOK_SAME && i < PROBE_MANY; i++) {
		p->large[i * Z_PAGE_SIZE] = 2;
	}
	for (size_t i = 0; i < PROBE_ROUNDS; i++) {
		uint64_t begin = cmd_now_ns();

		for (size_t j = 0; j < looks; j++) {
			one_look(p, row->kind, i * looks + j);
		}
		figures[i] = ((double)(cmd_now_ns() - begin) - p->clock_ns) / (double)looks;
	}
	return probe_median(figures, PROBE_ROUNDS);
}

/* A file of FILE_PAGES pages on the disk, open past the page cache; -1 and why not. */
static int open_direct(struct probe *p)
{
	char path[4096];
	int fd;

	if (snprintf(path, sizeof(path), "%s/zpager-probe.XXXXXX", p->dir) >= (int)sizeof(path) ||
	    (fd = mkostemp(path, O_CLOEXEC)) < 0) {
		p->why_not = "no file can be made in the directory of --dir";
		return -1;
	}
	(void)unlink(path);
	for (size_t i = 0; i < FILE_PAGES; i += PROBE_PAGES) {
		if (write(fd, p->large, (size_t)PROBE_PAGES * Z_PAGE_SIZE) !=
		    (ssize_t)PROBE_PAGES * (ssize_t)Z_PAGE_SIZE) {
			p->why_not = "no room in the directory of --dir";
			(void)close(fd);
			return -1;
		}
	}
	if (fsync(fd) != 0 || fcntl(fd, F_SETFL, O_DIRECT) != 0) {
		p->why_not = "the file system of --dir has no O_DIRECT";
		(void)close(fd);
		return -1;
	}
	return fd;
}

static double run_direct(struct probe *p, const struct probe_row *row)
{
	int fd = open_direct(p);
	double figures[READS];
	size_t bytes = row->pages * Z_PAGE_SIZE;

	if (fd < 0) {
		return NAN;
	}
	for (size_t i = 0; i < READS; i++) {
		off_t from = (off_t)(i * 2654435761U % (FILE_PAGES / READ_LARGE) * READ_LARGE);
		uint64_t begin = cmd_now_ns();

		if (pread(fd, p->large, bytes, from * (off_t)Z_PAGE_SIZE) != (ssize_t)bytes) {
			p->why_not = "O_DIRECT read failed";
			(void)close(fd);
			return NAN;
		}
		figures[i] = (double)(cmd_now_ns() - begin) - p->clock_ns;
	}
	(void)close(fd);
	return probe_median(figures, READS);
}

const struct probe_row probe_work_rows[] = {
	{"LZ4 compress, half random", run_pack, 1, BENCH_HALF, true},
	{"LZ4 compress, well compressible", run_pack, 1, BENCH_HI, true},
	{"LZ4 compress, counters", run_pack, 1, BENCH_COUNTERS, true},
	{"LZ4 compress, text", run_pack, 1, BENCH_TEXT, true},
	{"LZ4 compress, heap", run_pack, 1, BENCH_HEAP, true},
	{"LZ4 decompress, half random", run_unpack, 1, BENCH_HALF, true},
	{"LZ4 decompress, well compressible", run_unpack, 1, BENCH_HI, true},
	{"LZ4 decompress, counters", run_unpack, 1, BENCH_COUNTERS, true},
	{"LZ4 decompress, text", run_unpack, 1, BENCH_TEXT, true},
	{"LZ4 decompress, heap", run_unpack, 1, BENCH_HEAP, true},
	{"memcpy of a page, cold", run_look, 1, COPY_COLD, true},
	{"memcpy of a page, hot", run_look, 1, COPY_HOT, true},
	{"test for a same-filled page, cold, early exit", run_look, 1, LOOK_SAME, true},
	{"test for a same-filled page, hot, it is one", run_look, 1, LOOK_ZERO, true},
	{"pread of 4 KiB from the disk, O_DIRECT, a call", run_direct, 1, 0, true},
	{"pread of 128 KiB from the disk, O_DIRECT, a call", run_direct, READ_LARGE, 0, true},
};
const size_t probe_work_count = sizeof(probe_work_rows) / sizeof(probe_work_rows[0]);
