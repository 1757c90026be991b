/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_device.c - the block device of store_device.h: purpose and limits stand there.
 */
#include "store_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void give_up(const char *why)
{
	(void)fprintf(stderr, "block device: %s\n", why);
	abort();
}

static int move(struct store_device *device, enum store_device_op op, void *to, const void *from)
{
	bool fails;

	if (atomic_fetch_add(&device->under_way, 1) != 0 && !device->device.parallel) {
		give_up("two calls at once");
	}
	fails = atomic_fetch_add(&device->calls[op], 1) + 1 == atomic_load(&device->fail_at[op]);
	memcpy(to, from, fails ? Z_PAGE_SIZE / 2 : Z_PAGE_SIZE);
	atomic_fetch_sub(&device->under_way, 1);
	return fails ? device->fail_err[op] : 0;
}

static unsigned char *check(struct store_device *device, uint64_t number, const void *page)
{
	if (number >= device->device.pages) {
		give_up("there is no such page");
	}
	if (!z_is_page_aligned((uintptr_t)page)) {
		give_up("the buffer is not page-aligned");
	}
	return store_device_page(device, number);
}

static int device_read(void *ctx, uint64_t number, void *page)
{
	return move(ctx, STORE_DEVICE_READ, page, check(ctx, number, page));
}

static int device_write(void *ctx, uint64_t number, const void *page)
{
	return move(ctx, STORE_DEVICE_WRITE, check(ctx, number, page), page);
}

struct store_device *store_device_open(uint64_t pages, bool parallel)
{
	static const struct z_block_ops ops = {.read = device_read, .write = device_write};
	struct store_device *device = calloc(1, sizeof(*device));

	if (device == NULL || (device->pages = malloc(pages * Z_PAGE_SIZE)) == NULL) {
		give_up("no memory");
	}
	memset(device->pages, 0xee, pages * Z_PAGE_SIZE);
	device->device = (struct z_block_device){
		.ops = &ops, .ctx = device, .pages = pages, .parallel = parallel};
	return device;
}

void store_device_close(struct store_device *device)
{
	if (device != NULL) {
		free(device->pages);
		free(device);
	}
}

void store_device_fail(struct store_device *device, enum store_device_op op, uint64_t nth, int err)
{
	device->fail_err[op] = err;
	atomic_store(&device->fail_at[op], atomic_load(&device->calls[op]) + nth);
}

unsigned char *store_device_page(struct store_device *device, uint64_t number)
{
	return device->pages + number * Z_PAGE_SIZE;
}
