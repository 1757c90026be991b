/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgt.h - traces of page references in the compact format PGT2: reader, writer, table of pages.
 *
 * The format is described in docs/FORMATS.md. A file is plain or compressed with zstd; the reader
 * sees which by the first bytes, the writer compresses if the name ends in ".zst".
 *
 * In memory a trace is one array of references, each a page and what was done to it. Pages are
 * numbered from 0 in the order of their first reference, so that a table indexed by them is as
 * small as can be; page[] gives the number that the file has.
 *
 * Locks: none, one thread an object.
 * Limits: PGT_PAGES_MAX pages; page numbers below PGT_NUMBER_MAX; the whole trace is in memory, 4
 * bytes a reference.
 */
#ifndef ZPAGER_TOOLS_PGT_H
#define ZPAGER_TOOLS_PGT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PGT_READ  1U
#define PGT_WRITE 2U
#define PGT_FETCH 4U
#define PGT_HOT   8U /* the recorder's mark of a page in steady use; nothing here depends on it */
#define PGT_KINDS (PGT_READ | PGT_WRITE | PGT_FETCH)

#define PGT_FLAG_BITS  4U
#define PGT_FLAGS      15U
#define PGT_PAGES_MAX  (UINT32_C(1) << (32U - PGT_FLAG_BITS))
#define PGT_NUMBER_MAX (UINT64_C(1) << 52)
#define PGT_NAME_BYTES 64

#define PGT_NO_PAGE UINT32_MAX

/* Page numbers, numbered from 0 in the order in which they came: a hash table without removal. */
struct pgt_pages {
	uint64_t *number; /* count of them */
	uint32_t count;
	uint32_t room;   /* of number */
	uint32_t *slots; /* index + 1, 0: free; a power of two of them, at most half in use */
	uint32_t mask;
};

/* pgt_pages_index - the index of a page number, entered if it is new; PGT_NO_PAGE: no room. */
uint32_t pgt_pages_index(struct pgt_pages *p, uint64_t number);
void pgt_pages_free(struct pgt_pages *p);

struct pgt {
	char name[PGT_NAME_BYTES]; /* of the program; may be empty */
	uint32_t k;                /* miss counts are exact from this number of frames on */
	uint64_t nrefs;
	uint32_t *refs; /* index of the page << PGT_FLAG_BITS | flags */
	uint64_t nticks;
	uint64_t *ticks; /* how many references came before each tick; a tick: 10^6 instructions */
	struct pgt_pages pages;
};

static inline uint32_t pgt_page(uint32_t ref)
{
	return ref >> PGT_FLAG_BITS;
}

/*
 * pgt_open - read and check a whole trace.
 *   0, and *out is to be closed | -1, *out is NULL and err says what is wrong, the path included.
 */
int pgt_open(const char *path, struct pgt **out, char *err, size_t err_bytes);
void pgt_close(struct pgt *t);

/*
 * A trace that is being written, one reference after the other. The body is kept in memory, as it
 * will be in the file, until the counts for the header are known.
 *
 * pgt_create - name: what the header says of the program; white space is not allowed in it.
 * pgt_put - one reference. flags: PGT_*, at least one of PGT_KINDS.
 * pgt_tick - another million of instructions has passed.
 * pgt_finish - write the file and free the writer, whatever comes of it.
 *
 *   0 | -1: the path is no use, no memory, or an argument is out of range; later calls fail as
 *   well, and pgt_finish() writes nothing and says in err what was first.
 */
struct pgt_writer;

struct pgt_writer *pgt_create(const char *path, const char *name, uint32_t k);
int pgt_put(struct pgt_writer *w, uint64_t number, unsigned int flags);
int pgt_tick(struct pgt_writer *w);
int pgt_finish(struct pgt_writer *w, char *err, size_t err_bytes);

#endif /* ZPAGER_TOOLS_PGT_H */
