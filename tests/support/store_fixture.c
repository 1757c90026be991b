/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_fixture.c - surroundings, contents and configurations for the tests of stores; see the header.
 */
#include "store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_device.h"

static void *budget_alloc(void *ctx, size_t bytes)
{
	struct store_budget *budget = ctx;
	void *memory;

	if (atomic_load(&budget->allocs_left) >= 0 &&
	    atomic_fetch_sub(&budget->allocs_left, 1) <= 0) {
		atomic_store(&budget->allocs_left, 0);
		return NULL;
	}
	memory = aligned_alloc(Z_PAGE_SIZE, bytes);
	if (memory != NULL) {
		memset(memory, 0, bytes);
		atomic_fetch_add(&budget->allocated, bytes);
	}
	return memory;
}

static void budget_free(void *ctx, void *memory, size_t bytes)
{
	struct store_budget *budget = ctx;

	atomic_fetch_sub(&budget->allocated, bytes);
	free(memory);
}

static int budget_charge(void *ctx, size_t pages)
{
	struct store_budget *budget = ctx;

	if (atomic_fetch_add(&budget->charged, pages) + pages > budget->limit_pages) {
		atomic_fetch_sub(&budget->charged, pages);
		return Z_ERR_NOSPC;
	}
	return 0;
}

static void budget_uncharge(void *ctx, size_t pages)
{
	struct store_budget *budget = ctx;

	if (atomic_fetch_sub(&budget->charged, pages) < pages) {
		(void)fprintf(stderr, "a store uncharged more than it had charged\n");
		abort();
	}
}

void store_budget_init(struct store_budget *budget)
{
	budget->limit_pages = SIZE_MAX / 2;
	atomic_init(&budget->charged, 0);
	atomic_init(&budget->allocated, 0);
	atomic_init(&budget->allocs_left, -1);
}

struct z_store_env store_budget_env(struct store_budget *budget)
{
	return (struct z_store_env){
		.ctx = budget,
		.alloc = budget_alloc,
		.free = budget_free,
		.charge = budget_charge,
		.uncharge = budget_uncharge,
	};
}

uint64_t store_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

static void fill_words(void *page, size_t from, size_t to, uint64_t state)
{
	for (size_t at = from; at + sizeof(uint64_t) <= to; at += sizeof(uint64_t)) {
		uint64_t word = store_random(&state);

		memcpy((char *)page + at, &word, sizeof(word));
	}
}

static void fill_text(char *page, size_t to, uint64_t state)
{
	static const char *const words[] = {"frame ", "page ",  "store ", "fault ",
					    "the ",   "evict ", "clean ", "dirty "};
	size_t at = 0;

	while (at < to) {
		const char *word = words[store_random(&state) % 8];
		size_t length = strlen(word);

		length = length < to - at ? length : to - at;
		memcpy(page + at, word, length);
		at += length;
	}
}

/* By turns a pointer into the same 16 KiB and a counter. */
static void fill_pointers(void *page, uint64_t state)
{
	uint64_t base = store_random(&state) >> 17 << 14;
	uint64_t counter = store_random(&state) >> 48;

	for (size_t at = 0; at < Z_PAGE_SIZE; at += 2 * sizeof(uint64_t)) {
		uint64_t words[2] = {base | (store_random(&state) & 0x3ff0U), counter++};

		memcpy((char *)page + at, words, sizeof(words));
	}
}

void store_page_fill(void *page, enum store_page_kind kind, uint64_t seed)
{
	uint64_t state = seed * PAGE_KINDS + kind;
	uint64_t word = store_random(&state);
	size_t text;

	memset(page, kind == PAGE_ONES ? 0xff : 0, Z_PAGE_SIZE);
	switch (kind) {
	case PAGE_PATTERN:
		for (size_t at = 0; at < Z_PAGE_SIZE; at += sizeof(word)) {
			memcpy((char *)page + at, &word, sizeof(word));
		}
		break;
	case PAGE_ALMOST:
		((unsigned char *)page)[Z_PAGE_SIZE - 1] = (unsigned char)(word | 1U);
		break;
	case PAGE_TEXT:
		fill_text(page, Z_PAGE_SIZE, state);
		break;
	case PAGE_MIXED:
		text = (size_t)(word % (Z_PAGE_SIZE / 8)) * 8;
		fill_text(page, text, state);
		fill_words(page, text, Z_PAGE_SIZE, state);
		break;
	case PAGE_RANDOM:
		fill_words(page, 0, Z_PAGE_SIZE, state);
		break;
	case PAGE_WORDS:
		fill_pointers(page, state);
		break;
	case PAGE_ZERO:
	case PAGE_ONES:
	case PAGE_KINDS:
		break;
	}
}

const struct store_config store_configs[] = {
	{"ram", "ram:size=256K", 64, 64, false, false},
	{"ram_no_copies", "ram:size=256K&keep=no", 64, 64, false, false},
	{"ram_own", "ram:size=256K&own=yes", 64, 64, false, false},
	{"lz4", "lz4:size=512K", 64, 0, false, false},
	{"lz4_own", "lz4:size=512K&own=yes", 64, 0, false, false},
	{"lz4_no_copies", "lz4:size=512K&keep=no", 64, 0, false, false},
	{"lz4_zstd", "lz4:size=704K&zstd=yes", 64, 0, false, false},
	{"file_sync", "file:?size=256K&io=sync&tmpfs=yes", 64, 64, false, false},
	{"file_auto", "file:?size=256K&tmpfs=yes", 64, 64, false, false},
	{"file_cached", "file:?size=256K&tmpfs=yes&direct=no", 64, 64, false, false},
	{"file_no_copies", "file:?size=256K&tmpfs=yes&keep=no", 64, 64, false, false},
	{"file_hostile", "file:?size=256K&tmpfs=yes", 64, 64, true, false},
	{"tier_ram_ram", "tier:ram:size=128K,ram:size=128K", 63, 0, false, true},
	{"tier_lz4_file", "tier:lz4:size=256K,file:?size=256K&tmpfs=yes", 64, 0, false, true},
	{"tier_hostile", "tier:ram:size=64K,ram:size=192K", 63, 0, true, true},
	{"block", "block:keep,parallel", 64, 64, false, false},
	{"block_plain", "block:", 64, 64, false, false},
	{"block_image_sums", "block:image,keep,sums,parallel", 64, 64, false, false},
	{"block_hostile", "block:image,keep,sums", 64, 64, true, false},
	{"ram_hostile", "ram:size=256K", 64, 64, true, false},
	{"lz4_hostile", "lz4:size=512K", 64, 0, true, false},
	{NULL, NULL, 0, 0, false, false},
};

#define IMAGE_PAGES 8U

static bool is_block(const struct store_config *config)
{
	return strncmp(config->uri, "block:", 6) == 0;
}

size_t store_config_image(const struct store_config *config)
{
	return is_block(config) && strstr(config->uri, "image") != NULL ? IMAGE_PAGES : 0;
}

/* The device outlives its store; the next one takes its place. */
static int block_open(const struct store_config *config, const struct z_store_env *env,
		      struct z_store **out)
{
	static struct store_device *device;
	const struct z_block_options options = {
		.image_pages = store_config_image(config),
		.keep_copies = strstr(config->uri, "keep") != NULL,
		.checksums = strstr(config->uri, "sums") != NULL,
	};

	store_device_close(device);
	device = store_device_open(options.image_pages + config->pages,
				   strstr(config->uri, "parallel") != NULL);
	return z_block_store_open(env, &device->device, &options, out);
}

struct z_store *store_config_open(const struct store_config *config, struct store_budget *budget)
{
	const struct z_store_env env = store_budget_env(budget);
	struct z_store *store = NULL;
	char error[200] = "";
	int err = is_block(config) ? block_open(config, &env, &store)
				   : z_store_open(config->uri, &env, error, sizeof(error), &store);

	if (err != 0) {
		(void)fprintf(stderr, "%s: %d: %s\n", config->uri, err, error);
		abort();
	}
	return config->hostile ? store_hostile_store(store_hostile_open(store)) : store;
}
