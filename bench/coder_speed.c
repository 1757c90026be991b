/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coder_speed.c - the coders of the compressed store by themselves: nanoseconds for a page of 4 KiB, and
 * how small it becomes, by kinds of contents.
 *
 *   coder_speed [FILE...]     the kinds of pages.h, or the pages of files as they are
 *
 * SOURCES different pages in turn, so that no branch can be learned by heart; the median of ROUNDS.
 * wk?, same?, noise: what the looks before cost; sum: the checksum of what lz made. Limits: caches are
 * warm; a page that zstd cannot make smaller takes no time to come in.
 */
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "../store/coder.h"
#include "../store/lz4_zstd.h"
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
static struct lz4_zstd zstd;
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

static void zstd_one_out(size_t i)
{
	memcpy(zstd.page, sources[i], Z_PAGE_SIZE);
	lengths[i] = lz4_zstd_code(&zstd, Z_PAGE_SIZE);
	memcpy(coded[i], zstd.coded, lengths[i]);
}

static void zstd_one_in(size_t i)
{
	sink += lengths[i] != 0 && lz4_zstd_decode(&zstd, (char *)coded[i], lengths[i], page);
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
		bool smaller = lengths[i] != 0 && lengths[i] < Z_PAGE_SIZE;

		bytes += smaller ? (double)lengths[i] : (double)Z_PAGE_SIZE;
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

/* liblz4; our coder of its format, that liblz4 decodes; the word coder; the second level. */
static const struct coder {
	const char *name;
	void (*out)(size_t i);
	void (*in)(size_t i);
} coders[] = {
	{"lz4", lz4_one_out, lz4_one_in},
	{"lz", lz_one_out, lz4_one_in},
	{"wk", wk_one_out, wk_one_in},
	{"zstd", zstd_one_out, zstd_one_in},
};

#define CODERS (sizeof(coders) / sizeof(coders[0]))
#define LZ     1U

static void must_be_last(const char *coder)
{
	if (lengths[SOURCES - 1] != 0 && memcmp(page, sources[SOURCES - 1], Z_PAGE_SIZE) != 0) {
		(void)fprintf(stderr, "coder_speed: %s: another page came back\n", coder);
		exit(1);
	}
}

static void print_row(const char *name)
{
	double sum = 0;

	printf("%-12.12s", name);
	for (size_t i = 0; i < CODERS; i++) {
		double out = time_of(coders[i].out);
		double in = time_of(coders[i].in);

		must_be_last(coders[i].name);
		printf(" %7.0f %6.0f %6.2f", out, in, ratio());
		sum = i == LZ ? time_of(one_sum) : sum;
	}
	printf(" %5.0f %4u%% %5.0f %5.0f %4u%% %5.0f\n", time_of(one_test), suited(),
	       time_of(one_same), time_of(one_noise), noises(), sum);
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

static void *pages_alloc(void *ctx, size_t bytes)
{
	(void)ctx;
	return aligned_alloc(Z_PAGE_SIZE, bytes);
}

static void pages_free(void *ctx, void *memory, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(memory);
}

int main(int argc, char **argv)
{
	const struct z_store_env env = {.alloc = pages_alloc, .free = pages_free};

	if (lz4_zstd_open(&zstd, &env, 1) != 0) {
		(void)fprintf(stderr, "coder_speed: no memory for zstd\n");
		return 1;
	}
	printf("ns a page, %u pages in turn\n", SOURCES);
	printf("%-12s", "contents");
	for (size_t i = 0; i < CODERS; i++) {
		printf(" %4.4s out %6s %6s", coders[i].name, "in", "ratio");
	}
	printf(" %5s %5s %5s %5s %5s %5s\n", "wk?", "to wk", "same?", "noise", "found", "sum");
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
