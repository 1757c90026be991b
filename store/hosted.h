/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosted.h - the stores that need an operating system, as the registry opens them.
 *
 * own, in all of them: RAM is not charged to the budget but reported as beyond_bytes.
 */
#ifndef STORE_HOSTED_H
#define STORE_HOSTED_H

#include <zpager/store.h>

#include "uri.h"

extern const struct z_store_ops z_lz4_ops;
extern const struct z_store_ops z_file_ops;
extern const struct z_store_ops z_tier_ops;

struct z_lz4_options {
	uint64_t bytes;   /* of RAM, all told; 0: whatever the budget allows, and no zstd */
	bool keep_copies; /* keep clean copies */
	bool own;         /* the RAM is not of the budget */
	bool zstd;        /* code pages again that are out for long when RAM gets short */
};

/*
 * z_lz4_open - 0 | Z_ERR_NOMEM | Z_ERR_NOSPC the budget does not allow it.
 */
Z_MUST_CHECK int z_lz4_open(const struct z_store_env *env, const struct z_lz4_options *options,
			    struct z_store **out);

/*
 * z_lz4_only_worthwhile - from now on page_out answers Z_ERR_NOSPC to a page that would keep more than
 * three quarters of its size: for a store with another one behind it, which shall have such pages.
 * Asked again for the same location at once, it takes the page after all.
 *   Context: before the first page_out.
 */
void z_lz4_only_worthwhile(struct z_store *store);

/* Whether a swap file is read and written past the page cache. */
enum z_file_direct {
	Z_DIRECT_IF_POSSIBLE, /* where the file system does it, and is on a disk */
	Z_DIRECT_NO,
	Z_DIRECT_YES, /* or not at all */
};

/* How a swap file is made. */
struct z_file_options {
	const char *path;   /* a directory, or a file to be made; "": TMPDIR, or /var/tmp */
	uint64_t bytes;     /* 0: what the file system has room for */
	bool keep_copies;   /* keep clean copies */
	bool uring;         /* use io_uring if the kernel has it */
	bool uring_or_fail; /* and refuse if it has not */
	bool ahead;         /* read ahead of scans, where that is possible */
	bool tmpfs;         /* a file system in RAM is all right */
	enum z_file_direct direct;
};

/* z_file_open - 0 | Z_ERR_INVAL | Z_ERR_IO | Z_ERR_NOMEM | Z_ERR_NOSPC | Z_ERR_NOTSUP no io_uring. */
Z_MUST_CHECK int z_file_open(const struct z_store_env *env, const struct z_file_options *options,
			     const struct z_error_text *error, struct z_store **out);

/* z_file_after_fork - as z_store_after_fork, for this store. */
Z_MUST_CHECK int z_file_after_fork(struct z_store *store);

/*
 * z_tier_open - a store over two others, which it takes over: its close closes them.
 *   0 | Z_ERR_NOMEM | Z_ERR_NOSPC; then a and b are still the caller's.
 */
Z_MUST_CHECK int z_tier_open(const struct z_store_env *env, struct z_store *a, struct z_store *b,
			     bool keep_copies, struct z_store **out);

/* z_tier_part - the store that it was made of; i: 0 or 1. */
struct z_store *z_tier_part(struct z_store *store, int i);

#endif /* STORE_HOSTED_H */
