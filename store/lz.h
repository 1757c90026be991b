/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lz.h - a coder that makes LZ4 blocks of pages; liblz4 decodes them.
 *
 * Theory: the LZ4 block format is a series of literals and matches, and leaves it to the coder which
 * matches it finds. liblz4's own is made for long inputs. This one is made for one page: offsets
 * fit in 16 bits, so the table of places has 8 KiB instead of 16, is cleared in little time and stays
 * in the first cache beside the page; it is looked up by five bytes, since a match of four saves one.
 * Where nothing was found for a while and bytes are no text, only words at multiples of 8 are tried, for that is where the data of programs lies: noise is passed over at an eighth of the work, and
 * numbers and pointers within it are still found.
 *
 * Limits: machines that have the lowest byte first. Locks: none. No C library.
 */
#ifndef STORE_LZ_H
#define STORE_LZ_H

#include <zpager/types.h>

/* What it works in. */
#define Z_LZ_PLACES 4096U

/* The room that z_lz_compress needs beyond most. */
#define Z_LZ_SLACK 32U

/*
 * z_lz_compress - page: Z_PAGE_SIZE bytes; to: most + Z_LZ_SLACK bytes; places: Z_LZ_PLACES, of any contents.
 *   Returns how many bytes of to are used; 0: it would be more than most, and to is undefined.
 */
size_t z_lz_compress(const void *page, unsigned char *to, size_t most, uint16_t *places);

#endif /* STORE_LZ_H */
