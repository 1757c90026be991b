/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgt_read.c - reading a trace: bytes, plain or out of zstd, then the header, then the varints.
 *
 * Everything that the header claims is checked against what follows it: a file that was cut off or
 * changed is refused, never read as a shorter one. Memory grows with what has been read, not with
 * what the header promises.
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

#define MAGIC        "PGT2"
#define HEADER_BYTES 512
#define VARINT_BITS  64

enum { END = -1, BROKEN = -2 };

struct reader {
	const char *path;
	FILE *file;
	ZSTD_DStream *zstd; /* NULL: plain */
	bool in_frame;      /* zstd wants more of the frame that it is in */
	unsigned char *raw; /* zstd: what was read and not yet unpacked */
	ZSTD_inBuffer in;
	unsigned char *bytes; /* plain bytes, from at to end */
	size_t room, at, end;
	struct pgt *t;
	uint64_t refs_room, ticks_room;
	char *err;
	size_t err_bytes;
};

__attribute__((format(printf, 2, 3))) static int fail(struct reader *r, const char *format, ...)
{
	va_list more;
	int used = snprintf(r->err, r->err_bytes, "%s: ", r->path);

	if (used >= 0 && (size_t)used < r->err_bytes) {
		va_start(more, format);
		(void)vsnprintf(r->err + used, r->err_bytes - (size_t)used, format, more);
		va_end(more);
	}
	return -1;
}

/* ---- bytes ------------------------------------------------------------------------------- */

/* 1 more is there | END | BROKEN, said why */
static int refill_zstd(struct reader *r)
{
	ZSTD_outBuffer out = {r->bytes, r->room, 0};

	while (out.pos == 0) {
		size_t left;

		if (r->in.pos == r->in.size) {
			r->in.size = fread(r->raw, 1, r->room, r->file);
			r->in.pos = 0;
			if (r->in.size == 0 && !r->in_frame) {
				return END;
			}
			if (r->in.size == 0) {
				(void)fail(r, "the compressed file ends too early");
				return BROKEN;
			}
		}
		left = ZSTD_decompressStream(r->zstd, &out, &r->in);
		if (ZSTD_isError(left)) {
			(void)fail(r, "not readable by zstd: %s", ZSTD_getErrorName(left));
			return BROKEN;
		}
		r->in_frame = left != 0;
	}
	r->at = 0;
	r->end = out.pos;
	return 1;
}

static int refill(struct reader *r)
{
	int more = 1;

	if (r->zstd != NULL) {
		more = refill_zstd(r);
	} else {
		r->at = 0;
		r->end = fread(r->bytes, 1, r->room, r->file);
		more = r->end > 0 ? 1 : END;
	}
	if (more == END && ferror(r->file) != 0) {
		(void)fail(r, "%s", strerror(EIO));
		more = BROKEN;
	}
	return more;
}

static inline int next_byte(struct reader *r)
{
	if (r->at == r->end) {
		int more = refill(r);

		if (more < 0) {
			return more;
		}
	}
	return r->bytes[r->at++];
}

/* The first bytes tell zstd from plain; they stay in the buffer that they belong to. */
static int bytes_open(struct reader *r)
{
	static const unsigned char zstd_magic[4] = {0x28, 0xb5, 0x2f, 0xfd};
	size_t first;

	r->room = ZSTD_DStreamInSize();
	if (r->room < ZSTD_DStreamOutSize()) {
		r->room = ZSTD_DStreamOutSize();
	}
	r->raw = malloc(r->room);
	r->bytes = malloc(r->room);
	if (r->raw == NULL || r->bytes == NULL) {
		return fail(r, "out of memory");
	}
	r->file = fopen(r->path, "rb");
	if (r->file == NULL) {
		return fail(r, "%s", strerror(errno));
	}
	first = fread(r->raw, 1, r->room, r->file);
	if (ferror(r->file) != 0) {
		return fail(r, "%s", strerror(errno));
	}
	if (first < sizeof(zstd_magic) || memcmp(r->raw, zstd_magic, sizeof(zstd_magic)) != 0) {
		memcpy(r->bytes, r->raw, first);
		r->end = first;
		return 0;
	}
	r->zstd = ZSTD_createDStream();
	r->in = (ZSTD_inBuffer){r->raw, first, 0};
	r->in_frame = true;
	return r->zstd != NULL ? 0 : fail(r, "out of memory");
}

static void bytes_close(struct reader *r)
{
	if (r->file != NULL) {
		(void)fclose(r->file);
	}
	(void)ZSTD_freeDStream(r->zstd);
	free(r->raw);
	free(r->bytes);
}

/* ---- header ------------------------------------------------------------------------------ */

struct counts {
	uint64_t k, pages, refs, ticks;
};

/* The value of "key=" in the header, NULL if it has none. It ends at a space or the end. */
static const char *field(const char *header, const char *key)
{
	size_t length = strlen(key);
	const char *at = header;

	while ((at = strchr(at, ' ')) != NULL) {
		at++;
		if (strncmp(at, key, length) == 0 && at[length] == '=') {
			return at + length + 1;
		}
	}
	return NULL;
}

static int number_field(struct reader *r, const char *header, const char *key, uint64_t *out)
{
	const char *text = field(header, key);
	char *end;

	if (text == NULL) {
		return fail(r, "the header has no %s=", key);
	}
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || (*end != ' ' && *end != '\0') || errno != 0) {
		return fail(r, "the header's %s= is not a number", key);
	}
	return 0;
}

static int header_line(struct reader *r, char line[HEADER_BYTES])
{
	size_t length = 0;
	int c;

	while ((c = next_byte(r)) != '\n') {
		if (c == BROKEN) {
			return -1;
		}
		if (c < ' ' || length == HEADER_BYTES - 1) {
			return fail(r, "not a trace: no header line \"" MAGIC " ...\"");
		}
		line[length++] = (char)c;
	}
	line[length] = '\0';
	if (strncmp(line, MAGIC " ", sizeof(MAGIC)) != 0) {
		return fail(r, "not a trace: the header does not begin with \"" MAGIC "\"");
	}
	return 0;
}

static int read_header(struct reader *r, struct counts *claimed)
{
	char line[HEADER_BYTES];
	const char *name;

	if (header_line(r, line) != 0 || number_field(r, line, "k", &claimed->k) != 0 ||
	    number_field(r, line, "pages", &claimed->pages) != 0 ||
	    number_field(r, line, "refs", &claimed->refs) != 0 ||
	    number_field(r, line, "ticks", &claimed->ticks) != 0) {
		return -1;
	}
	if (claimed->pages > PGT_PAGES_MAX || claimed->k > PGT_PAGES_MAX) {
		return fail(r, "more than %u pages", (unsigned int)PGT_PAGES_MAX);
	}
	r->t->k = (uint32_t)claimed->k;
	name = field(line, "name");
	if (name != NULL) {
		(void)snprintf(r->t->name, PGT_NAME_BYTES, "%.*s", (int)strcspn(name, " "), name);
	}
	return 0;
}

/* ---- body -------------------------------------------------------------------------------- */

/* 1 | 0 the end, between two of them | -1 said why */
static int next_varint(struct reader *r, uint64_t *out)
{
	unsigned int shift = 0;
	uint64_t v = 0;
	int c;

	do {
		c = next_byte(r);
		if (c == END && shift == 0) {
			return 0;
		}
		if (c == END) {
			return fail(r, "the file ends inside a varint");
		}
		if (c < 0) {
			return -1;
		}
		if (shift >= VARINT_BITS || (shift == VARINT_BITS - 1 && (c & 0x7e) != 0)) {
			return fail(r, "a varint of more than %d bits", VARINT_BITS);
		}
		v |= (uint64_t)(c & 0x7f) << shift;
		shift += 7;
	} while ((c & 0x80) != 0);
	*out = v;
	return 1;
}

static int grow(struct reader *r, void **list, uint64_t *room, size_t each)
{
	uint64_t wanted = *room > 0 ? *room * 2 : UINT64_C(1) << 16;
	void *bigger = wanted <= SIZE_MAX / each ? realloc(*list, wanted * each) : NULL;

	if (bigger == NULL) {
		return fail(r, "out of memory");
	}
	*list = bigger;
	*room = wanted;
	return 0;
}

static int take_tick(struct reader *r)
{
	struct pgt *t = r->t;

	if (t->nticks == r->ticks_room &&
	    grow(r, (void **)&t->ticks, &r->ticks_room, sizeof(*t->ticks)) != 0) {
		return -1;
	}
	t->ticks[t->nticks++] = t->nrefs;
	return 0;
}

static int take_ref(struct reader *r, uint64_t number, unsigned int flags)
{
	struct pgt *t = r->t;
	uint32_t page;

	if ((flags & PGT_KINDS) == 0) {
		return fail(r, "reference %llu is no read, write or fetch",
			    (unsigned long long)t->nrefs);
	}
	if (number >= PGT_NUMBER_MAX) {
		return fail(r, "reference %llu has a page number out of range",
			    (unsigned long long)t->nrefs);
	}
	page = pgt_pages_index(&t->pages, number);
	if (page == PGT_NO_PAGE) {
		return fail(r, "too many pages, or out of memory");
	}
	if (t->nrefs == r->refs_room &&
	    grow(r, (void **)&t->refs, &r->refs_room, sizeof(*t->refs)) != 0) {
		return -1;
	}
	t->refs[t->nrefs++] = page << PGT_FLAG_BITS | flags;
	return 0;
}

static int read_body(struct reader *r)
{
	uint64_t number = 0;
	uint64_t v = 0;
	int more;

	while ((more = next_varint(r, &v)) > 0) {
		uint64_t zigzag = v >> PGT_FLAG_BITS;
		int err;

		if (v == 0) {
			err = take_tick(r);
		} else {
			number += (zigzag >> 1) ^ (0 - (zigzag & 1));
			err = take_ref(r, number, (unsigned int)v & PGT_FLAGS);
		}
		if (err != 0) {
			return -1;
		}
	}
	return more;
}

static int compare(struct reader *r, const char *what, uint64_t claimed, uint64_t found)
{
	if (claimed == found) {
		return 0;
	}
	return fail(r, "the header says %llu %s, but there are %llu", (unsigned long long)claimed,
		    what, (unsigned long long)found);
}

static int read_all(struct reader *r)
{
	struct counts claimed = {0};

	if (bytes_open(r) != 0 || read_header(r, &claimed) != 0 || read_body(r) != 0) {
		return -1;
	}
	if (compare(r, "references", claimed.refs, r->t->nrefs) != 0 ||
	    compare(r, "ticks", claimed.ticks, r->t->nticks) != 0 ||
	    compare(r, "pages", claimed.pages, r->t->pages.count) != 0) {
		return -1;
	}
	return 0;
}

int pgt_open(const char *path, struct pgt **out, char *err, size_t err_bytes)
{
	struct reader r = {.path = path, .err = err, .err_bytes = err_bytes};
	int result;

	*out = NULL;
	r.t = calloc(1, sizeof(*r.t));
	if (r.t == NULL) {
		return fail(&r, "out of memory");
	}
	result = read_all(&r);
	bytes_close(&r);
	if (result == 0) {
		*out = r.t;
	} else {
		pgt_close(r.t);
	}
	return result;
}

void pgt_close(struct pgt *t)
{
	if (t != NULL) {
		pgt_pages_free(&t->pages);
		free(t->refs);
		free(t->ticks);
		free(t);
	}
}
