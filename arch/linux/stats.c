/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.c - figures of an instance, as structures and as JSON.
 *
 * Everything is gathered inside, in local variables, and handed to the caller outside: the caller's
 * memory may be paged by this very instance.
 *
 * Locks: the pager lock, taken through the env, for the store's figures.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "instance.h"

static void gather(struct zpager *z, struct z_stats *stats, struct zpager_info *info)
{
	struct z_store_stats store = {0};
	sigset_t saved;

	memset(stats, 0, sizeof(*stats));
	if (zl_enter(z, &saved) == 0) {
		z_pager_stats(z->pager, stats);
		z_key_t key = zl_env_ops.lock(&z->port.env);
		z->store->ops->stats(z->store, &store);
		zl_env_ops.unlock(&z->port.env, key);
		zl_leave(z, &saved);
	}

	uint32_t out = z->budget.store + z->budget.table + z->budget.put_aside;
	*info = (struct zpager_info){
		.budget_bytes = z->budget.ram_bytes,
		.frame_bytes = (uint64_t)(z->budget.nframes - out) * Z_PAGE_SIZE,
		.metadata_bytes = zl_budget_metadata(z),
		.store_ram_bytes = store.ram_bytes,
		.store_beyond_bytes = store.beyond_bytes,
		.store_used_bytes = store.used_pages * Z_PAGE_SIZE,
		.store_disk_bytes = store.disk_bytes,
		.mapped_bytes = z->budget.mapped * Z_PAGE_SIZE,
		.store = z->store_uri,
		.eviction = z->eviction,
		.fault_mode = z->sigbus ? "signal" : "monitor",
		.mechanism = z->mechanism,
		.window = (const void *)z->port.base,
	};
	stats->store_pages = z->budget.store;
}

void zpager_stats(struct zpager *z, struct z_stats *stats_out, struct zpager_info *info_out)
{
	struct z_stats stats;
	struct zpager_info info;

	gather(z, &stats, &info);
	if (stats_out != NULL) {
		*stats_out = stats;
	}
	if (info_out != NULL) {
		*info_out = info;
	}
}

#define JSON_MAX 4096

struct json {
	size_t n;
	char text[JSON_MAX];
};

static void put(struct json *j, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct json *j, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(j->text + j->n, sizeof(j->text) - j->n, format, args);
	va_end(args);
	if (n > 0 && (size_t)n < sizeof(j->text) - j->n) {
		j->n += (size_t)n;
	}
}

static void put_number(struct json *j, const char *name, uint64_t value)
{
	put(j, "%s\"%s\": %llu", j->n > 1 ? ", " : "", name, (unsigned long long)value);
}

static void put_text(struct json *j, const char *name, const char *value)
{
	put(j, "%s\"%s\": \"", j->n > 1 ? ", " : "", name);
	for (; *value != 0; value++) {
		if (*value == '"' || *value == '\\') {
			put(j, "\\%c", *value);
		} else if ((unsigned char)*value < 0x20) {
			put(j, "\\u%04x", *value);
		} else {
			put(j, "%c", *value);
		}
	}
	put(j, "\"");
}

size_t zpager_stats_json(struct zpager *z, char *text, size_t max)
{
	struct json j = {.n = 0};
	struct z_stats stats;
	struct zpager_info info;

	gather(z, &stats, &info);
	put(&j, "{");
	put_text(&j, "store", info.store);
	put_text(&j, "eviction", info.eviction);
	put_text(&j, "fault_mode", info.fault_mode);
	put_text(&j, "mechanism", info.mechanism);
	put_number(&j, "budget_bytes", info.budget_bytes);
	put_number(&j, "frame_bytes", info.frame_bytes);
	put_number(&j, "metadata_bytes", info.metadata_bytes);
	put_number(&j, "store_ram_bytes", info.store_ram_bytes);
	put_number(&j, "store_beyond_bytes", info.store_beyond_bytes);
	put_number(&j, "store_used_bytes", info.store_used_bytes);
	put_number(&j, "store_disk_bytes", info.store_disk_bytes);
	put_number(&j, "mapped_bytes", info.mapped_bytes);
#define PUT_STAT(name, help) put_number(&j, #name, stats.name);
	Z_STATS_LIST(PUT_STAT)
#undef PUT_STAT
	put(&j, "}");
	if (max > 0) {
		size_t n = j.n < max - 1 ? j.n : max - 1;
		memcpy(text, j.text, n);
		text[n] = 0;
	}
	return j.n;
}
