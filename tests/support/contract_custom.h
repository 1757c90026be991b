/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_custom.h - what the contract tests look at, and turn, in the stores and the algorithm
 * that were written against the specified names. None of it is part of how these work.
 *
 * Each tests/contract/custom_*.c defines one store (custom_store_*, z_backing_store_*);
 * contract_nru.c is the algorithm (custom_eviction_*, z_eviction_*).
 */
#ifndef TESTS_SUPPORT_CONTRACT_CUSTOM_H
#define TESTS_SUPPORT_CONTRACT_CUSTOM_H

#include <zpager/mmu.h>

extern const char custom_store_name[];
extern const bool custom_store_keeps;   /* it sets BACKED */
extern const bool custom_store_steals;  /* and takes clean copies back when it is full */
extern const bool custom_store_bounded; /* it heeds custom_store_capacity */
extern size_t custom_store_capacity;    /* pages; applies from the next init on */
extern unsigned int custom_store_inits; /* calls of init since the test set it to 0 */
extern const char *custom_store_misuse; /* NULL, or what the kernel did wrong */
extern void (*custom_store_init_hook)(void);

/* Called by z_backing_store_init for frames that are MAPPED already: the copy the store has. */
extern const void *(*custom_store_image)(uintptr_t va);

/* The bytes kept under a location. */
const void *custom_store_bytes(uintptr_t location);

extern unsigned int custom_eviction_inits;
extern unsigned int custom_eviction_selects;
extern void (*custom_eviction_init_hook)(void);
extern bool custom_eviction_lies;                 /* *dirty is the opposite of the truth */
extern struct z_page_frame *custom_eviction_wild; /* select answers this, whatever it is */

#endif /* TESTS_SUPPORT_CONTRACT_CUSTOM_H */
