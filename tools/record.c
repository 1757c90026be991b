/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - references become a trace in a file.
 *
 * Theory. What is best for k, and how page numbers are squeezed, is known only at the end. So the
 * references go through a first reduction, which is right for every memory of FIRST_K frames or
 * more, into a temporary file, eight bytes each. At the end k becomes a fortieth of the pages seen,
 * the references are reduced a second time, as exact as once with the larger k and shorter, and numbered
 * anew: the first page is 1, and what is more than HOLE pages after its neighbour comes HOLE after it.
 *
 * Locks: none. Limits: disk for 8 bytes a reference after the first reduction, in TMPDIR or /tmp.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgt.h"
#include "pgt_reduce.h"
#include "record.h"

#define FIRST_K 16U
#define HOLE    4096U
#define SHARE   40U
#define TICK    UINT64_MAX
#define BUFFER  ((size_t)1 << 16)

struct record {
	FILE *spool;
	uint32_t keep;
	bool failed;
	int error;
	struct pgt_reduce *reduce;
	struct pgt_pages pages;
	uint64_t *squeezed; /* by index of the page */
	struct pgt_writer *writer;
	struct record_result result;
};

static void spool(struct record *r, uint64_t word)
{
	if (!r->failed && fwrite(&word, sizeof(word), 1, r->spool) != 1) {
		r->failed = true;
		r->error = errno;
	}
}

static void spool_ref(void *to, uint64_t number, unsigned int flags)
{
	struct record *r = to;
	uint32_t page = pgt_pages_index(&r->pages, number);

	if (page == PGT_NO_PAGE) {
		r->failed = true;
		r->error = ENOMEM;
		return;
	}
	spool(r, (uint64_t)page << PGT_FLAG_BITS | flags);
}

static void spool_tick(void *to)
{
	spool(to, TICK);
}

static FILE *open_spool(void)
{
	const char *folder = getenv("TMPDIR");
	int fd = open(folder != NULL ? folder : "/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	return fd >= 0 ? fdopen(fd, "w+") : tmpfile();
}

static void free_record(struct record *r)
{
	if (r->spool != NULL) {
		(void)fclose(r->spool);
	}
	pgt_pages_free(&r->pages);
	free(r->squeezed);
	free(r);
}

static uint32_t first_k(uint32_t keep)
{
	return keep != 0 && keep < FIRST_K ? keep : FIRST_K;
}

int record_open(uint32_t keep, struct record **out)
{
	struct record *r = calloc(1, sizeof(*r));
	struct pgt_sink to = {r, spool_ref, spool_tick};

	if (r != NULL) {
		r->keep = keep;
		r->spool = open_spool();
		r->reduce = r->spool != NULL ? pgt_reduce_open(first_k(keep), &to) : NULL;
	}
	if (r == NULL || r->reduce == NULL) {
		int error = errno;

		if (r != NULL) {
			free_record(r);
		}
		return cmd_fail(EXIT_USAGE, "no temporary file for the references: %s",
				strerror(error));
	}
	(void)setvbuf(r->spool, NULL, _IOFBF, BUFFER);
	*out = r;
	return 0;
}

struct pgt_sink record_sink(struct record *r)
{
	return pgt_reduce_sink(r->reduce);
}

/* ---- at the end -------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (x[0] > y[0]) - (x[0] < y[0]);
}

/* squeezed[page] for all of them. */
static bool squeeze(struct record *r)
{
	uint32_t n = r->pages.count;
	uint64_t(*sorted)[2] = malloc(((size_t)n + 1) * sizeof(*sorted));
	uint64_t number = 0;

	r->squeezed = malloc(((size_t)n + 1) * sizeof(*r->squeezed));
	if (sorted == NULL || r->squeezed == NULL) {
		free(sorted);
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		sorted[i][0] = r->pages.number[i];
		sorted[i][1] = i;
	}
	qsort(sorted, n, sizeof(*sorted), by_number);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t hole = i > 0 ? sorted[i][0] - sorted[i - 1][0] : 1;

		number += hole < HOLE ? hole : HOLE;
		r->squeezed[sorted[i][1]] = number;
	}
	free(sorted);
	return true;
}

static void write_ref(void *to, uint64_t page, unsigned int flags)
{
	struct record *r = to;

	r->result.refs++;
	(void)pgt_put(r->writer, r->squeezed[page], flags);
}

static void write_tick(void *to)
{
	struct record *r = to;

	r->result.ticks++;
	(void)pgt_tick(r->writer);
}

/* A PGT_HOT of the first reduction is a flag like any other to the second. */
static bool reduce_again(struct record *r)
{
	struct pgt_sink to = {r, write_ref, write_tick};
	struct pgt_reduce *second = pgt_reduce_open(r->result.k, &to);
	struct pgt_sink from;
	uint64_t refs;
	uint64_t word;

	if (second == NULL) {
		return false;
	}
	from = pgt_reduce_sink(second);
	rewind(r->spool);
	while (fread(&word, sizeof(word), 1, r->spool) == 1) {
		if (word == TICK) {
			from.tick(from.to);
		} else {
			from.ref(from.to, word >> PGT_FLAG_BITS, (unsigned int)word & PGT_FLAGS);
		}
	}
	return pgt_reduce_close(second, &refs) == 0 && ferror(r->spool) == 0;
}

static uint32_t choose_k(const struct record *r)
{
	uint32_t k = r->pages.count / SHARE;

	if (r->keep != 0) {
		return r->keep;
	}
	return k > FIRST_K ? k : FIRST_K;
}

static int write_file(struct record *r, const char *path, const char *name)
{
	char error[PGT_NAME_BYTES + RUN_PATH_BYTES] = "";
	bool complete;

	r->result.k = choose_k(r);
	r->result.pages = r->pages.count;
	if (!squeeze(r)) {
		return cmd_fail(EXIT_USAGE, "no memory to write the trace");
	}
	r->writer = pgt_create(path, name, r->result.k);
	if (r->writer == NULL) {
		return cmd_fail(EXIT_USAGE, "no memory to write the trace");
	}
	complete = reduce_again(r);
	if (pgt_finish(r->writer, error, sizeof(error)) != 0) {
		return cmd_fail(EXIT_USAGE, "%s", error);
	}
	return complete ? 0 : cmd_fail(EXIT_USAGE, "%s: not complete, no memory", path);
}

int record_close(struct record *r, const char *path, const char *name,
		 struct record_result *result_out)
{
	bool complete = pgt_reduce_close(r->reduce, &r->result.refs_in) == 0;
	int status = 0;

	if (path != NULL && (r->failed || !complete || fflush(r->spool) != 0)) {
		status = cmd_fail(EXIT_USAGE, "the references could not be kept: %s",
				  strerror(r->error != 0 ? r->error : ENOMEM));
	} else if (path != NULL) {
		status = write_file(r, path, name);
		*result_out = r->result;
	}
	free_record(r);
	return status;
}
