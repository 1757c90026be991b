/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_device.h - a block device in RAM for the tests of the block store: fails when it is told to,
 * can be damaged, and checks its caller.
 *
 * It aborts the test program at a page that it has not, at a buffer that is not page-aligned, and,
 * unless it is parallel, at a read or write beside another.
 */
#ifndef STORE_DEVICE_H
#define STORE_DEVICE_H

#include <stdatomic.h>
#include <zpager/store.h>

enum store_device_op { STORE_DEVICE_READ, STORE_DEVICE_WRITE, STORE_DEVICE_OPS };

struct store_device {
	struct z_block_device device; /* to be given to z_block_store_open */
	unsigned char *pages;         /* what is on it; a test may look and change */
	atomic_int under_way;
	atomic_ullong calls[STORE_DEVICE_OPS];   /* also those that failed */
	atomic_ullong fail_at[STORE_DEVICE_OPS]; /* the call with this number fails; 0: none */
	int fail_err[STORE_DEVICE_OPS];
};

/* store_device_open - so many pages of 0xee; ends the test program if there is no memory. */
struct store_device *store_device_open(uint64_t pages, bool parallel);

void store_device_close(struct store_device *device);

/*
 * store_device_fail - the nth call of this kind from now fails with err; 0: none does. A write that fails leaves
 * half of the page written, a read half of it read.
 */
void store_device_fail(struct store_device *device, enum store_device_op op, uint64_t nth, int err);

/* store_device_page - the bytes of a page. */
unsigned char *store_device_page(struct store_device *device, uint64_t number);

#endif /* STORE_DEVICE_H */
