/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coder_speed.c - the coders of the compressed store by themselves: nanoseconds for a page of 4 KiB, and
 * how small it becomes, by kinds of contents.
 *
 *   coder_speed [FILE...]     the kinds of pages.h, or the pages of files as they are
 *
 * SOURCES different pages in turn, so that no branch can be learned by heart; the median of ROUNDS.
 * lz4: liblz4; lz: our coder of that format, and liblz4 to decode; wk: the word coder.
 * wk?, same?, noise: what the looks before cost; 1/4: LZ4 over a quarter of the page, which could be one;
 * sum: the checksum of what LZ4 made. Limits: caches are warm.
 */
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "../store/coder.h"
#include "../store/wk.h"
#include "pages.h"

#define SOURCES 256U
#define ROUNDS  31U

static unsigned char sources[SOURCES][Z_PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned char coded[SOURCES][2 * Z_PAGE_SIZE] __attribute__((aligned(4096)));
static size_t lengths[SOURCES];
static unsigned char page[Z_PAGE_SIZE] __attribute__((aligned(4096)));
static uint64_t state[16384 / 8 + 8];
static uint16_t places[Z_LZ_PLACES];
static volatile uint64_t sink;

static void lz4_one_out(size_t i)
{
	lengths[i] = (size_t)LZ4_compress_fast_extState(state, (char *)sources[i], (char *)coded[i],
							(int)Z_PAGE_SIZE, 2 * (int)Z_PAGE_SIZE, 1);
}

static void lz4_one_in(size_t i)
{
	sink += (uint64_t)LZ4_decompress_safe((char *)coded[i], (char *)page, (int)lengths[i],
					      (int)Z_PAGE_SIZE);
}

static void lz_one_out(size_t i)
{
	lengths[i] = z_lz_compress(sources[i], coded[i], 2 * Z_PAGE_SIZE - Z_LZ_SLACK, places);
}

static void wk_one_out(size_t i)
{
	lengths[i] = z_wk_compress((uint64_t *)sources[i], coded[i], 2 * Z_PAGE_SIZE);
}

static void wk_one_in(size_t i)
{
	sink += z_wk_decompress(coded[i], lengths[i], (uint64_t *)page);
}

static void one_test(size_t i)
{
	sink += z_wk_suits((uint64_t *)sources[i]);
}

static void one_same(size_t i)
{
	uint64_t word;

	sink += z_coder_same_filled(sources[i], &word);
}

static void one_noise(size_t i)
{
	sink += z_coder_is_noise(sources[i]);
}

/* The other way to find noise: what does LZ4 make of a quarter? */
static void one_quarter(size_t i)
{
	sink += (uint64_t)LZ4_compress_fast_extState(state, (char *)sources[i], (char *)page,
						     (int)Z_PAGE_SIZE / 4, (int)Z_PAGE_SIZE, 1);
}

static void one_sum(size_t i)
{
	sink += XXH3_64bits(coded[i], lengths[i]);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double time_of(void (*one)(size_t i))
{
	double rounds[ROUNDS];

	for (size_t round = 0; round < ROUNDS; round++) {
		double t = now_ns();

		for (size_t i = 0; i < SOURCES; i++) {
			one(i);
		}
		rounds[round] = (now_ns() - t) / SOURCES;
	}
	qsort(rounds, ROUNDS, sizeof(double), by_value);
	return rounds[ROUNDS / 2];
}

static double ratio(void)
{
	double bytes = 0;

	for (size_t i = 0; i < SOURCES; i++) {
		bytes += (double)(lengths[i] < Z_PAGE_SIZE ? lengths[i] : Z_PAGE_SIZE);
	}
	return SOURCES * (double)Z_PAGE_SIZE / bytes;
}

static unsigned int suited(void)
{
	unsigned int n = 0;

	for (size_t i = 0; i < SOURCES; i++) {
		n += z_wk_suits((uint64_t *)sources[i]);
	}
	return n * 100 / SOURCES;
}

static unsigned int noises(void)
{
	unsigned int n = 0;

	for (size_t i = 0; i < SOURCES; i++) {
		n += z_coder_is_noise(sources[i]);
	}
	return n * 100 / SOURCES;
}

static void must_be(size_t i, const char *coder)
{
	if (memcmp(page, sources[i], Z_PAGE_SIZE) != 0) {
		(void)fprintf(stderr, "coder_speed: %s: another page came back\n", coder);
		exit(1);
	}
}

static void print_row(const char *name)
{
	double lz4[3];
	double lz[3];
	double wk[3];
	double test = time_of(one_test);
	double same = time_of(one_same);
	double noise = time_of(one_noise);
	double quarter = time_of(one_quarter);
	double sum;

	lz4[0] = time_of(lz4_one_out);
	lz4[1] = time_of(lz4_one_in);
	lz4[2] = ratio();
	sum = time_of(one_sum);
	must_be(SOURCES - 1, "lz4");
	lz[0] = time_of(lz_one_out);
	lz[1] = time_of(lz4_one_in);
	lz[2] = ratio();
	must_be(SOURCES - 1, "lz");
	wk[0] = time_of(wk_one_out);
	wk[1] = time_of(wk_one_in);
	wk[2] = ratio();
	must_be(SOURCES - 1, "wk");
	printf("%-12.12s %7.0f %7.0f %7.2f %7.0f %7.0f %7.2f %7.0f %7.0f %7.2f %5.0f %4u%% %5.0f "
	       "%5.0f %4u%% %5.0f "
	       "%5.0f\n",
	       name, lz4[0], lz4[1], lz4[2], lz[0], lz[1], lz[2], wk[0], wk[1], wk[2], test,
	       suited(), same, noise, noises(), quarter, sum);
}

static void read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t n = file != NULL ? fread(sources, Z_PAGE_SIZE, SOURCES, file) : 0;

	for (size_t i = n; i < SOURCES && n > 0; i++) {
		memcpy(sources[i], sources[i % n], Z_PAGE_SIZE);
	}
	if (n == 0) {
		(void)fprintf(stderr, "coder_speed: no page in %s\n", path);
		exit(1);
	}
	(void)fclose(file);
}

int main(int argc, char **argv)
{
	printf("ns a page, %u pages in turn\n", SOURCES);
	printf("%-12s %7s %7s %7s %7s %7s %7s %7s %7s %7s %5s %5s %5s %5s %5s %5s %5s\n",
	       "contents", "lz4 out", "in", "ratio", "lz out", "in", "ratio", "wk out", "in",
	       "ratio", "wk?", "to wk", "same?", "noise", "found", "1/4", "sum");
	for (enum bench_kind kind = 0; argc < 2 && kind < BENCH_KINDS; kind++) {
		for (size_t i = 0; i < SOURCES; i++) {
			bench_page_fill(sources[i], kind, i);
		}
		print_row(bench_kind_name(kind));
	}
	for (int i = 1; i < argc; i++) {
		read_file(argv[i]);
		print_row(argv[i]);
	}
	return 0;
}
