/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coder.h - how the compressed store makes a page small: which coder is tried, and which is not worth it.
 *
 * Theory: three cheap looks before any work. A page that repeats one word is known by a few words, and
 * then by a comparison. One whose bytes are spread like those of noise is kept as it is: of 512 bytes,
 * eight of each 64, pairs of equal ones are counted, and of noise there are 511 on average, give or take
 * 23. Pages of numbers and pointers go to the word coder (wk.h), all others become blocks of
 * LZ4's format (lz.h).
 *
 * Locks: none; what is worked in belongs to the caller. Hosted: liblz4 decodes.
 */
#ifndef STORE_CODER_H
#define STORE_CODER_H

#include <zpager/types.h>

#include "lz.h"
#include "wk.h"

enum z_coder { Z_CODER_NONE, Z_CODER_LZ4, Z_CODER_WK };

/* The room that z_coder_compress needs. */
#define Z_CODER_BOUND Z_WK_BOUND

/* z_coder_same_filled - is the page one 64-bit word, repeated? Then *word_out. */
bool z_coder_same_filled(const void *page, uint64_t *word_out);

/* z_coder_fill - the opposite. */
void z_coder_fill(void *page, uint64_t word);

/* z_coder_is_noise - there is no hope of an eighth less. */
bool z_coder_is_noise(const void *page);

/*
 * z_coder_compress - page: page-aligned; to: Z_CODER_BOUND bytes; places: Z_LZ_PLACES to
 *   work in. Returns how many bytes of to are used, at most most (a page at most), *coder_out says how; 0: keep the page as it is.
 */
size_t z_coder_compress(const void *page, char *to, size_t most, uint16_t *places,
			enum z_coder *coder_out);

/* z_coder_decompress - the page back. false: damaged; page is undefined, nothing beyond it is. */
Z_MUST_CHECK bool z_coder_decompress(enum z_coder coder, const char *from, size_t bytes,
				     void *page);

#endif /* STORE_CODER_H */
