/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error.h - one negative number for each failure of the world.
 *
 * The values are Linux's errno values negated, so that ports pass them through and the core needs
 * no <errno.h>. 0 is success. Every function that can fail returns one of these, is marked
 * Z_MUST_CHECK, and says in its contract which and in what state it leaves things.
 */
#ifndef ZPAGER_ERROR_H
#define ZPAGER_ERROR_H

enum z_err {
	Z_OK = 0,
	Z_ERR_PERM = -1,     /* not allowed in this context (an ISR, say) */
	Z_ERR_IO = -5,       /* the backing store could not read or write */
	Z_ERR_AGAIN = -11,   /* the world changed meanwhile: try again */
	Z_ERR_NOMEM = -12,   /* no page frame, no victim, no table memory, or commitment exceeded */
	Z_ERR_FAULT = -14,   /* address not mapped */
	Z_ERR_BUSY = -16,    /* pinned, or in use by somebody else */
	Z_ERR_INVAL = -22,   /* argument makes no sense */
	Z_ERR_NOSPC = -28,   /* the backing store is full */
	Z_ERR_CORRUPT = -74, /* a page came back from the store with a wrong checksum */
	Z_ERR_OVERFLOW = -75, /* a counter (pins of one page) would overflow */
	Z_ERR_NOTSUP = -95,   /* this port, store or algorithm cannot do that */
};

/*
 * z_strerror - an error as a short English text.
 *   err: a value of enum z_err; others give "unknown error".
 *   Returns a constant string, never NULL. Any context.
 */
const char *z_strerror(int err);

#endif /* ZPAGER_ERROR_H */
