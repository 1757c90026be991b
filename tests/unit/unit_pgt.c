/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_pgt.c - traces of page references: what was written is what is read, and what is broken is
 * refused with its reason.
 *
 * Locks: none. Limits: writes a few files into the folder that it runs in, and removes them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "eviction_host.h"
#include "pgt.h"

#define PLAIN  "unit_pgt.tmp.pgt"
#define PACKED "unit_pgt.tmp.pgt.zst"

enum { REFS = 200000, TICKS = 50, PAGES = 3000 };

static uint64_t number_at(uint32_t i, uint64_t *seed)
{
	uint32_t page = ev_random(seed, PAGES);

	return i < PAGES ? PGT_NUMBER_MAX - 1 - i * UINT64_C(7777777) : page * UINT64_C(4097);
}

static unsigned int flags_at(uint32_t i)
{
	return i % 4 == 0 ? (PGT_WRITE | PGT_HOT) : 1 + i % 7;
}

static void write_one(const char *path)
{
	struct pgt_writer *w = pgt_create(path, "made", 12);
	uint64_t seed = 5;
	char err[200];

	assert_non_null(w);
	for (uint32_t i = 0; i < REFS; i++) {
		if (i % (REFS / TICKS) == 100) {
			assert_int_equal(pgt_tick(w), 0);
		}
		assert_int_equal(pgt_put(w, number_at(i, &seed), flags_at(i)), 0);
	}
	assert_int_equal(pgt_finish(w, err, sizeof(err)), 0);
}

static void round_trip(const char *path)
{
	uint64_t seed = 5;
	struct pgt *t;
	char err[200] = "";

	write_one(path);
	assert_int_equal(pgt_open(path, &t, err, sizeof(err)), 0);
	assert_string_equal(t->name, "made");
	assert_int_equal(t->k, 12);
	assert_int_equal(t->nrefs, REFS);
	assert_int_equal(t->nticks, TICKS);
	for (uint32_t i = 0; i < REFS; i++) {
		uint32_t page = pgt_page(t->refs[i]);

		assert_true(page < t->pages.count);
		assert_int_equal(t->pages.number[page], number_at(i, &seed));
		assert_int_equal(t->refs[i] & PGT_FLAGS, flags_at(i));
		assert_true(i >= PAGES || page == i);
	}
	for (uint32_t i = 0; i < TICKS; i++) {
		assert_int_equal(t->ticks[i], 100 + i * (REFS / TICKS));
	}
	pgt_close(t);
	assert_int_equal(unlink(path), 0);
}

static void plain_round_trip(void **state)
{
	(void)state;
	round_trip(PLAIN);
}

static void packed_round_trip(void **state)
{
	(void)state;
	round_trip(PACKED);
}

static void empty_trace(void **state)
{
	char err[200];
	struct pgt *t;

	(void)state;
	assert_int_equal(pgt_finish(pgt_create(PACKED, "", 0), err, sizeof(err)), 0);
	assert_int_equal(pgt_open(PACKED, &t, err, sizeof(err)), 0);
	assert_int_equal(t->nrefs + t->nticks + t->pages.count, 0);
	pgt_close(t);
	(void)unlink(PACKED);
}

/* The file of these bytes is refused, and the message names the file and says `why`. */
static void refused(const char *path, const void *bytes, size_t size, const char *why)
{
	struct pgt *t = (struct pgt *)-1;
	char err[200] = "";
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(pgt_open(path, &t, err, sizeof(err)), -1);
	assert_null(t);
	if (strncmp(err, path, strlen(path)) != 0 || strstr(err, why) == NULL) {
		fail_msg("\"%s\" does not say \"%s\"", err, why);
	}
	(void)unlink(path);
}

#define REFUSED(bytes, why) refused(PLAIN, bytes, sizeof(bytes) - 1, why)

static void bad_headers(void **state)
{
	char is_long[1000];

	(void)state;
	REFUSED("", "no header line");
	REFUSED("PGT1 k=1 pages=0 refs=0 ticks=0\n", "does not begin with");
	REFUSED("PGT2\n", "does not begin with");
	REFUSED("PGT2 k=1 pages=0 refs=0 ticks=0", "no header line");
	REFUSED("\x7f"
		"ELF\n",
		"does not begin with");
	REFUSED("PGT2 k=1 pages=0 refs=0\n", "no ticks=");
	REFUSED("PGT2 pages=0 refs=0 ticks=0\n", "no k=");
	REFUSED("PGT2 xk=1 pages=0 refs=0 ticks=0\n", "no k=");
	REFUSED("PGT2 k=1 pages=0 refs=-1 ticks=0\n", "refs= is not a number");
	REFUSED("PGT2 k=1 pages=0 refs=1x ticks=0\n", "refs= is not a number");
	REFUSED("PGT2 k=1 pages= refs=0 ticks=0\n", "pages= is not a number");
	REFUSED("PGT2 k=1 pages=0 refs=99999999999999999999 ticks=0\n", "refs= is not a number");
	REFUSED("PGT2 k=1 pages=268435457 refs=0 ticks=0\n", "more than 268435456 pages");
	memset(is_long, 'x', sizeof(is_long));
	memcpy(is_long, "PGT2 name=", 10);
	refused(PLAIN, is_long, sizeof(is_long), "no header line");
}

static void bad_bodies(void **state)
{
	(void)state;
	/* 0x21: page 1 more, read; 0x00: tick; 0x20: no kind; 0x11: page 1 less. */
	REFUSED("PGT2 k=1 pages=1 refs=2 ticks=0\n\x21", "says 2 references, but there are 1");
	REFUSED("PGT2 k=1 pages=1 refs=0 ticks=0\n\x21", "says 0 references, but there are 1");
	REFUSED("PGT2 k=1 pages=2 refs=1 ticks=0\n\x21", "says 2 pages, but there are 1");
	REFUSED("PGT2 k=1 pages=1 refs=1 ticks=1\n\x21", "says 1 ticks, but there are 0");
	REFUSED("PGT2 k=1 pages=1 refs=1 ticks=1\n\x21\0\0", "says 1 ticks, but there are 2");
	REFUSED("PGT2 k=1 pages=1 refs=1 ticks=0\n\xa1", "ends inside a varint");
	REFUSED("PGT2 k=1 pages=1 refs=1 ticks=0\n\x20", "no read, write or fetch");
	REFUSED("PGT2 k=1 pages=1 refs=1 ticks=0\n\x28", "no read, write or fetch");
	REFUSED("PGT2 k=1 pages=1 refs=1 ticks=0\n\x11", "page number out of range");
	REFUSED("PGT2 k=1 pages=1 refs=1 ticks=0\n\xa1\x80\x80\x80\x80\x80\x80\x80\x80\x7f",
		"more than 64 bits");
	REFUSED("PGT2 k=1 pages=1 refs=1 ticks=0\n\xa1\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
		"more than 64 bits");
	REFUSED("PGT2 k=1 pages=1 refs=1 ticks=0\n\xa1\x80\x80\x80\x80\x80\x80\x80\x80\x01",
		"page number out of range");
}

/* A packed file that was cut off anywhere, or has one bit changed anywhere in its body. */
static void damaged_packed(void **state)
{
	static unsigned char bytes[4000000];
	FILE *file;
	size_t size;

	(void)state;
	write_one(PACKED);
	file = fopen(PACKED, "rb");
	assert_non_null(file);
	size = fread(bytes, 1, sizeof(bytes), file);
	assert_int_equal(fclose(file), 0);
	assert_true(size > 1000 && size < sizeof(bytes));
	for (size_t cut = 1; cut < size; cut += size / 50) {
		refused(PACKED, bytes, size - cut, ":");
	}
	refused(PACKED, bytes, size - 1, "ends too early");
	for (size_t at = 200; at < size; at += size / 50) {
		bytes[at] ^= 0x10;
		refused(PACKED, bytes, size, ":");
		bytes[at] ^= 0x10;
	}
}

static void bad_paths(void **state)
{
	struct pgt *t;
	char err[200];

	(void)state;
	assert_int_equal(pgt_open("no/such/file", &t, err, sizeof(err)), -1);
	assert_string_equal(err, "no/such/file: No such file or directory");
	assert_int_equal(pgt_open(".", &t, err, sizeof(err)), -1);
	assert_int_equal(pgt_finish(pgt_create("no/such/file", "x", 1), err, sizeof(err)), -1);
	assert_string_equal(err, "no/such/file: No such file or directory");
}

/* What cannot be written is refused at once, and no file comes of it. */
static void bad_arguments(void **state)
{
	struct pgt_writer *w;
	char err[200];

	(void)state;
	for (unsigned int kind = 0; kind < 4; kind++) {
		w = pgt_create(PLAIN, kind == 3 ? "two words" : "x", 1);
		assert_int_equal(pgt_put(w, 1, PGT_READ), kind == 3 ? -1 : 0);
		if (kind < 3) {
			assert_int_equal(pgt_put(w, kind == 0 ? PGT_NUMBER_MAX : 1,
						 kind == 1 ? PGT_HOT : 1 + 16 * (kind / 2)),
					 -1);
		}
		assert_int_equal(pgt_put(w, 1, PGT_READ), -1);
		assert_int_equal(pgt_tick(w), -1);
		assert_int_equal(pgt_finish(w, err, sizeof(err)), -1);
		assert_non_null(
			strstr(err, kind == 3 ? "two words" : "reference 1 is out of range"));
		assert_int_equal(access(PLAIN, F_OK), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_round_trip), cmocka_unit_test(packed_round_trip),
		cmocka_unit_test(empty_trace),      cmocka_unit_test(bad_headers),
		cmocka_unit_test(bad_bodies),       cmocka_unit_test(damaged_packed),
		cmocka_unit_test(bad_paths),        cmocka_unit_test(bad_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
