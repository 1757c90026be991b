/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgt_write.c - writing a trace.
 *
 * Theory: the header comes first in the file and has counts that are known last. So the body is
 * made as the references come, compressed as it grows, and kept in memory: one to two bytes a
 * reference, compressed. zstd reads frames that follow one another as one text; header and body
 * are a frame each.
 *
 * Locks: none. Limits: see pgt.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "pgt.h"

#define LEVEL       9
#define BLOCK_BYTES 65536U
#define VARINT_MAX  10U

struct pgt_writer {
	char *path;
	char name[PGT_NAME_BYTES];
	uint32_t k;
	ZSTD_CCtx *zstd; /* NULL: plain */
	struct pgt_pages pages;
	uint64_t refs, ticks;
	uint64_t last;   /* page number of the reference before */
	char wrong[160]; /* what failed first, "" if nothing has */
	unsigned char block[BLOCK_BYTES];
	size_t filled; /* of block */
	unsigned char *body;
	size_t size, room; /* of body */
};

__attribute__((format(printf, 2, 3))) static int fail(struct pgt_writer *w, const char *format, ...)
{
	va_list more;

	if (w->wrong[0] == '\0') {
		va_start(more, format);
		(void)vsnprintf(w->wrong, sizeof(w->wrong), format, more);
		va_end(more);
	}
	return -1;
}

static int reserve(struct pgt_writer *w, size_t bytes)
{
	size_t room = w->room > 0 ? w->room : BLOCK_BYTES;
	unsigned char *bigger;

	while (room - w->size < bytes) {
		room *= 2;
	}
	if (room == w->room) {
		return 0;
	}
	bigger = realloc(w->body, room);
	if (bigger == NULL) {
		return fail(w, "out of memory");
	}
	w->body = bigger;
	w->room = room;
	return 0;
}

/* The block goes to the body. last: nothing will follow. */
static int flush(struct pgt_writer *w, bool last)
{
	ZSTD_inBuffer in = {w->block, w->filled, 0};
	size_t left = 1;

	w->filled = 0;
	if (w->zstd == NULL) {
		if (reserve(w, in.size) != 0) {
			return -1;
		}
		memcpy(w->body + w->size, w->block, in.size);
		w->size += in.size;
		return 0;
	}
	while (last ? left != 0 : in.pos < in.size) {
		ZSTD_outBuffer out;

		if (reserve(w, ZSTD_CStreamOutSize()) != 0) {
			return -1;
		}
		out = (ZSTD_outBuffer){w->body, w->room, w->size};
		left = ZSTD_compressStream2(w->zstd, &out, &in,
					    last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left)) {
			return fail(w, "zstd: %s", ZSTD_getErrorName(left));
		}
		w->size = out.pos;
	}
	return 0;
}

static int put_varint(struct pgt_writer *w, uint64_t v)
{
	if (w->wrong[0] != '\0' || (BLOCK_BYTES - w->filled < VARINT_MAX && flush(w, false) != 0)) {
		return -1;
	}
	while (v >= 0x80) {
		w->block[w->filled++] = (unsigned char)(v | 0x80);
		v >>= 7;
	}
	w->block[w->filled++] = (unsigned char)v;
	return 0;
}

struct pgt_writer *pgt_create(const char *path, const char *name, uint32_t k)
{
	struct pgt_writer *w = calloc(1, sizeof(*w));
	size_t length = strlen(path);
	bool packed = length >= 4 && strcmp(path + length - 4, ".zst") == 0;

	if (w == NULL) {
		return NULL;
	}
	w->path = strdup(path);
	w->k = k;
	if (packed) {
		w->zstd = ZSTD_createCCtx();
	}
	if (w->path == NULL || (packed && w->zstd == NULL)) {
		(void)fail(w, "out of memory");
	} else if (packed) {
		(void)ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LEVEL);
		(void)ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
	}
	if (strlen(name) >= PGT_NAME_BYTES || strpbrk(name, " \t\r\n") != NULL) {
		(void)fail(w, "\"%s\" cannot be the name of a trace", name);
	}
	(void)snprintf(w->name, sizeof(w->name), "%s", name);
	return w;
}

int pgt_put(struct pgt_writer *w, uint64_t number, unsigned int flags)
{
	uint64_t difference = number - w->last;
	uint64_t zigzag = (difference << 1) ^ (0 - (difference >> 63));

	if (number >= PGT_NUMBER_MAX || (flags & PGT_KINDS) == 0 || flags > PGT_FLAGS) {
		return fail(w, "reference %llu is out of range", (unsigned long long)w->refs);
	}
	if (pgt_pages_index(&w->pages, number) == PGT_NO_PAGE) {
		return fail(w, "too many pages, or out of memory");
	}
	w->last = number;
	w->refs++;
	return put_varint(w, zigzag << PGT_FLAG_BITS | flags);
}

int pgt_tick(struct pgt_writer *w)
{
	w->ticks++;
	return put_varint(w, 0);
}

/* ---- the file ---------------------------------------------------------------------------- */

static int write_bytes(struct pgt_writer *w, FILE *file, const void *bytes, size_t size)
{
	return fwrite(bytes, 1, size, file) == size ? 0 : fail(w, "%s", strerror(errno));
}

static int write_header(struct pgt_writer *w, FILE *file)
{
	char line[PGT_NAME_BYTES + 128];
	char packed[1024];
	int length = snprintf(
		line, sizeof(line), "PGT2 name=%s k=%u pages=%u refs=%llu ticks=%llu\n", w->name,
		w->k, w->pages.count, (unsigned long long)w->refs, (unsigned long long)w->ticks);
	size_t size;

	if (w->zstd == NULL) {
		return write_bytes(w, file, line, (size_t)length);
	}
	size = ZSTD_compress(packed, sizeof(packed), line, (size_t)length, 1);
	if (ZSTD_isError(size)) {
		return fail(w, "zstd: %s", ZSTD_getErrorName(size));
	}
	return write_bytes(w, file, packed, size);
}

static int write_file(struct pgt_writer *w)
{
	FILE *file;
	int result;

	if (w->wrong[0] != '\0' || flush(w, true) != 0) {
		return -1;
	}
	file = fopen(w->path, "wb");
	if (file == NULL) {
		return fail(w, "%s", strerror(errno));
	}
	result = write_header(w, file);
	if (result == 0) {
		result = write_bytes(w, file, w->body, w->size);
	}
	if (fclose(file) != 0 && result == 0) {
		result = fail(w, "%s", strerror(errno));
	}
	return result;
}

int pgt_finish(struct pgt_writer *w, char *err, size_t err_bytes)
{
	int result = write_file(w);

	if (result != 0) {
		(void)snprintf(err, err_bytes, "%s: %s", w->path != NULL ? w->path : "", w->wrong);
	}
	(void)ZSTD_freeCCtx(w->zstd);
	pgt_pages_free(&w->pages);
	free(w->body);
	free(w->path);
	free(w);
	return result;
}
