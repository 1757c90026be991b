/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.c - the stores there are, by name, and how each is opened from its URI.
 *
 * To add one: a row in the table, with the options that its URI may have, and a function that reads
 * them and opens it. Nothing here has state. Hosted.
 */
#include <stdio.h>
#include <string.h>

#include "hosted.h"
#include "mem.h"
#include "ram.h"
#include "uri.h"

typedef int open_function(const struct z_uri *uri, const struct z_store_env *env,
			  const struct z_error_text *error, struct z_store **out);

struct entry {
	const char *name;
	const char *summary;
	const char *options;
	bool with_path;
	open_function *open;
};

/* What ram and lz4 have in common. */
struct common {
	uint64_t bytes;
	bool own;
	bool keep_copies;
};

static int read_common(const struct z_uri *uri, const struct z_error_text *error,
		       struct common *common)
{
	int err;

	*common = (struct common){.keep_copies = true};
	err = z_uri_size(uri, "size", &common->bytes, error);
	if (err == 0) {
		err = z_uri_yes(uri, "own", &common->own, error);
	}
	return err != 0 ? err : z_uri_yes(uri, "keep", &common->keep_copies, error);
}

/* Refusals that a store in RAM has no more to say about. */
static int say_ram(const struct z_uri *uri, const struct z_error_text *error, int err)
{
	if (err == Z_ERR_NOSPC || err == Z_ERR_NOMEM) {
		return z_error_say(error, err,
				   "store %s: not even its own tables fit into the RAM it may use; "
				   "give it more, or own=yes",
				   uri->name);
	}
	return err;
}

static int open_ram(const struct z_uri *uri, const struct z_store_env *env,
		    const struct z_error_text *error, struct z_store **out)
{
	struct common common;
	int err = read_common(uri, error, &common);

	if (err != 0) {
		return err;
	}
	if (common.bytes == 0) {
		return z_error_say(error, Z_ERR_INVAL,
				   "store ram: it needs a size, as in ram:size=64M");
	}
	err = z_ram_open(env, common.bytes / Z_PAGE_SIZE, common.keep_copies, common.own, out);
	return say_ram(uri, error, err);
}

static int open_lz4(const struct z_uri *uri, const struct z_store_env *env,
		    const struct z_error_text *error, struct z_store **out)
{
	struct z_lz4_options options = {0};
	struct common common;
	int err = read_common(uri, error, &common);

	if (err == 0) {
		err = z_uri_yes(uri, "zstd", &options.zstd, error);
	}
	if (err != 0) {
		return err;
	}
	if (options.zstd && common.bytes == 0) {
		return z_error_say(error, Z_ERR_INVAL,
				   "store lz4: zstd=yes needs a size, as in lz4:size=64M&zstd=yes");
	}
	if (common.own && common.bytes == 0) {
		return z_error_say(error, Z_ERR_INVAL,
				   "store lz4: own=yes needs a size, as in lz4:size=64M&own=yes");
	}
	options.bytes = common.bytes;
	options.keep_copies = common.keep_copies;
	options.own = common.own;
	err = z_lz4_open(env, &options, out);
	return say_ram(uri, error, err);
}

/* io=auto|uring|sync */
static int read_io(const struct z_uri *uri, const struct z_error_text *error,
		   struct z_file_options *options)
{
	const char *io = z_uri_value(uri, "io");

	if (io == NULL || strcmp(io, "auto") == 0) {
		options->uring = true;
	} else if (strcmp(io, "uring") == 0) {
		options->uring = true;
		options->uring_or_fail = true;
	} else if (strcmp(io, "sync") != 0) {
		return z_error_say(error, Z_ERR_INVAL,
				   "store file: io=%s; write io=auto, io=uring or io=sync", io);
	}
	return 0;
}

/* direct=auto|yes|no */
static int read_direct(const struct z_uri *uri, const struct z_error_text *error,
		       enum z_file_direct *direct)
{
	const char *value = z_uri_value(uri, "direct");

	*direct = Z_DIRECT_IF_POSSIBLE;
	if (value != NULL && strcmp(value, "yes") == 0) {
		*direct = Z_DIRECT_YES;
	} else if (value != NULL && strcmp(value, "no") == 0) {
		*direct = Z_DIRECT_NO;
	} else if (value != NULL && strcmp(value, "auto") != 0) {
		return z_error_say(error, Z_ERR_INVAL,
				   "store file: direct=%s; write direct=auto, yes or no", value);
	}
	return 0;
}

static int open_file(const struct z_uri *uri, const struct z_store_env *env,
		     const struct z_error_text *error, struct z_store **out)
{
	struct z_file_options options = {.path = uri->path, .keep_copies = true, .ahead = true};
	int err = z_uri_size(uri, "size", &options.bytes, error);

	if (err == 0) {
		err = z_uri_yes(uri, "keep", &options.keep_copies, error);
	}
	if (err == 0) {
		err = read_direct(uri, error, &options.direct);
	}
	if (err == 0) {
		err = z_uri_yes(uri, "ahead", &options.ahead, error);
	}
	if (err == 0) {
		err = z_uri_yes(uri, "tmpfs", &options.tmpfs, error);
	}
	if (err == 0) {
		err = read_io(uri, error, &options);
	}
	if (err != 0) {
		return err;
	}
	err = z_file_open(env, &options, error, out);
	return err == Z_ERR_NOMEM ? say_ram(uri, error, err) : err;
}

static int open_tier(const struct z_uri *uri, const struct z_store_env *env,
		     const struct z_error_text *error, struct z_store **out);

static const struct entry entries[] = {
	{"ram", "RAM, uncompressed; ram:size=64M", "size own keep", false, open_ram},
	{"lz4", "compressed RAM; lz4:size=32M", "size own keep zstd", false, open_lz4},
	{"file", "a swap file; file:/var/tmp?size=8G", "size keep io direct ahead tmpfs", true,
	 open_file},
	{"tier", "two stores, a fast one before a large one; tier:lz4:size=32M,file:/var/tmp", "",
	 true, open_tier},
};

#define ENTRIES (sizeof(entries) / sizeof(entries[0]))

const char *z_store_name_at(size_t i, const char **summary_out)
{
	if (i >= ENTRIES) {
		return NULL;
	}
	if (summary_out != NULL) {
		*summary_out = entries[i].summary;
	}
	return entries[i].name;
}

static const struct entry *find(const char *uri)
{
	size_t length = strcspn(uri, ":");

	for (size_t i = 0; i < ENTRIES; i++) {
		if (strlen(entries[i].name) == length &&
		    strncmp(entries[i].name, uri, length) == 0) {
			return &entries[i];
		}
	}
	return NULL;
}

static int say_unknown(const struct z_error_text *error, const char *uri)
{
	char names[256] = "";
	size_t at = 0;

	for (size_t i = 0; i < ENTRIES; i++) {
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", i == 0 ? "" : ", ",
				       entries[i].name);
	}
	return z_error_say(error, Z_ERR_INVAL, "store: '%.*s' is not a store; there are: %s",
			   (int)strcspn(uri, ":"), uri, names);
}

int z_store_open(const char *uri, const struct z_store_env *env, char *error, size_t error_bytes,
		 struct z_store **out)
{
	const struct z_error_text text = {error, error_bytes};
	const struct entry *entry = find(uri);
	struct z_uri parsed;
	int err;

	if (entry == NULL) {
		return say_unknown(&text, uri);
	}
	if (entry->open == open_tier) {
		err = z_uri_whole(&parsed, uri, &text);
	} else {
		err = z_uri_parse(&parsed, uri, entry->options, entry->with_path, &text);
	}
	return err != 0 ? err : entry->open(&parsed, env, &text, out);
}

/* What follows "tier:" is the path; it is parsed by nobody but the two stores themselves. */
static int open_tier(const struct z_uri *uri, const struct z_store_env *env,
		     const struct z_error_text *error, struct z_store **out)
{
	char first[Z_URI_MAX];
	size_t length = strcspn(uri->path, ",");
	struct z_store *a;
	struct z_store *b;
	bool keep_copies;
	int err;

	if (uri->path[length] == 0 || strncmp(uri->path, "tier:", 5) == 0) {
		return z_error_say(error, Z_ERR_INVAL,
				   "store tier: it needs two stores, the first not a tier, as in "
				   "tier:lz4:size=32M,file:/var/tmp");
	}
	memcpy(first, uri->path, length);
	first[length] = 0;
	err = z_store_open(first, env, error->at, error->bytes, &a);
	if (err != 0) {
		return err;
	}
	/* Both are set where z_store_open() says 0; the analyzer does not follow it that far. */
	/* NOLINTBEGIN(clang-analyzer-core.NullDereference) */
	err = z_store_open(uri->path + length + 1, env, error->at, error->bytes, &b);
	if (err != 0) {
		a->ops->close(a);
		return err;
	}
	if (a->ops == &z_lz4_ops) {
		z_lz4_only_worthwhile(a);
	}
	keep_copies = (a->caps & b->caps & Z_STORE_KEEPS_COPY) != 0;
	/* NOLINTEND(clang-analyzer-core.NullDereference) */
	err = z_tier_open(env, a, b, keep_copies, out);
	if (err != 0) {
		a->ops->close(a);
		b->ops->close(b);
	}
	return say_ram(uri, error, err);
}

/* Both parts, whatever becomes of the first. */
static int tier_after_fork(struct z_store *tier)
{
	int a = z_store_after_fork(z_tier_part(tier, 0));
	int b = z_store_after_fork(z_tier_part(tier, 1));

	return a != 0 ? a : b;
}

int z_store_after_fork(struct z_store *store)
{
	if (store->ops == &z_ram_ops || store->ops == &z_lz4_ops) {
		return 0;
	}
	if (store->ops == &z_tier_ops) {
		return tier_after_fork(store);
	}
	return store->ops == &z_file_ops ? z_file_after_fork(store) : Z_ERR_NOTSUP;
}
