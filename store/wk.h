/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wk.h - a coder for pages of integers and pointers.
 *
 * Theory: after the WK family (P. R. Wilson, S. F. Kaplan, Y. Smaragdakis, "The Case for Compressed
 * Caching in Virtual Memory Systems", USENIX 1999): a word of memory is often zero, or equal or near to
 * one that came shortly before, and a small dictionary, indexed by a hash of the upper bits, says to
 * which. Theirs has words of 32 bits in four kinds. Here a word has 64 bits, because pointers have,
 * and there is one kind only: the word at its place of the dictionary, and the lower bytes in which it
 * differs from that (exclusive or), of which there may be none. Every word goes into the dictionary. So
 * both directions go through a page without a branch that depends on its contents, and take the same
 * time for any.
 *
 *   token, a byte a word: place << 3 | length, of which 7 means 8 bytes
 *   layout: the bytes of all words, one after the other; then the tokens
 *
 * Place 0 is for zero alone; any other word has another, and a pointer is not in the way of numbers.
 *
 * Limits: machines that have the lowest byte first. Locks: none, no state. No C library; on a machine
 * that cannot count leading zeros the compiler's own library does it.
 */
#ifndef STORE_WK_H
#define STORE_WK_H

#include <zpager/types.h>

#define Z_WK_WORDS (CONFIG_MMU_PAGE_SIZE / sizeof(uint64_t))

/* The room that z_wk_compress needs: no page becomes longer. */
#define Z_WK_BOUND (CONFIG_MMU_PAGE_SIZE + Z_WK_WORDS)

/*
 * z_wk_suits - is it likely that this coder makes little of the page, and in less time than one that
 *   looks for repeated strings? Looks at a sixteenth of it.
 */
bool z_wk_suits(const uint64_t *page);

/*
 * z_wk_compress - to: Z_WK_BOUND bytes. Returns how many of them are used; 0: it would be more than
 *   most, and to is undefined.
 */
size_t z_wk_compress(const uint64_t *page, unsigned char *to, size_t most);

/*
 * z_wk_decompress - the page back. from may be anything: nothing is read beyond bytes or written beyond
 *   the page. false: z_wk_compress does not make such a thing; the page is undefined.
 */
Z_MUST_CHECK bool z_wk_decompress(const unsigned char *from, size_t bytes, uint64_t *page);

#endif /* STORE_WK_H */
