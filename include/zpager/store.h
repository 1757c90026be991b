/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - what a backing store gives: a place for the data pages that are out.
 *
 * A store is an instance of a table of operations, opened by a URI ("ram:size=64M",
 * "lz4:size=32M", "file:/var/tmp?size=8G", "tier:lz4:size=32M,file:"). Life of a location:
 *
 *            location_get            page_out ok
 *   (none) -------------> RESERVED -------------> STORED --page_in, page_finalize--+
 *      ^                     |                      |                              |
 *      +----location_free----+------location_free---+      the store frees it itself, or keeps it
 *                                                           as a clean copy: CACHED, frame BACKED
 *   CACHED --location_get(same frame)--> the same location again (page_out may or may not follow)
 *   CACHED --location_free--> (none)      CACHED --stolen by location_get(other)--> (none),
 *                                                   BACKED of the robbed frame is cleared
 *
 * So after page_in the core never frees the location: finalize decides. The core asks for the
 * location of a BACKED frame again with location_get, and gets the same one.
 *
 * Locks. location_get, location_free, page_finalize: pager lock held, interrupts locked, never
 * sleep. page_out, page_in: no lock held; serialized with each other unless the store says
 * Z_STORE_PARALLEL; interrupts may be on. A store protects what the two groups share by itself.
 * No operation touches pageable memory except the scratch buffer it is given.
 *
 * Interrupted by errors: a failed page_out leaves the location RESERVED with undefined contents
 * (the core frees it, or tries again); a failed page_in leaves it STORED and unchanged.
 *
 * Source: the specification (z_backing_store_*); what it cannot say - errors, several instances,
 * a slot held back for faults - is added here. Upstream added the last within a month.
 */
#ifndef ZPAGER_STORE_H
#define ZPAGER_STORE_H

#include <zpager/error.h>
#include <zpager/page_frame.h>

enum z_store_caps {
	Z_STORE_PARALLEL = 1,   /* page_in and page_out may run at the same time as others */
	Z_STORE_KEEPS_COPY = 2, /* keeps clean copies (sets BACKED) */
	Z_STORE_BATCH = 4,      /* page_out_many is there and worth using */
};

/* Who wants a location: a store that is almost full keeps its last free one for faults. */
enum z_store_want {
	Z_WANT_FOR_FAULT, /* a page fault waits for the frame */
	Z_WANT_FOR_EVICT, /* explicit page-out, eviction ahead of need, emptying a bank */
};

/* What a store asks of the surroundings that it was opened in. */
struct z_store_env {
	void *ctx;

	/*
	 * alloc - page-aligned zeroed memory that is never paged. NULL if there is none.
	 * free - give it back, with the same size. Both: no pager lock needed, may be called with it.
	 */
	void *(*alloc)(void *ctx, size_t bytes);
	void (*free)(void *ctx, void *memory, size_t bytes);

	/*
	 * charge - the store is about to use that many more pages of RAM (alloc does not count by
	 *   itself). 0 | Z_ERR_NOSPC the budget does not allow it; nothing is charged. Lock-free.
	 * uncharge - it uses that many fewer. Either may be NULL: RAM is not counted.
	 */
	int (*charge)(void *ctx, size_t pages);
	void (*uncharge)(void *ctx, size_t pages);
};

struct z_store;

/* One page of a batch of page-outs. */
struct z_store_io {
	z_loc_t loc;
	const void *page; /* scratch: Z_PAGE_SIZE bytes, page-aligned */
	int status;       /* out */
};

/* One page of a batch of page-ins. */
struct z_store_fill {
	z_loc_t loc;
	void *page; /* scratch: Z_PAGE_SIZE bytes, page-aligned */
	int status; /* out */
};

/* Figures of a store; all counts since it was opened, or now. */
struct z_store_stats {
	uint64_t capacity_pages; /* data pages it promises to hold */
	uint64_t used_pages;     /* locations RESERVED, STORED or CACHED */
	uint64_t cached_pages;   /* of these, CACHED */
	uint64_t stolen;         /* clean copies given up for space */
	uint64_t ram_bytes;      /* RAM it holds now: data and metadata */
	uint64_t disk_bytes;     /* bytes on a device that it holds now */
	uint64_t stored_bytes;   /* bytes after coding of what it holds (before rounding) */
	uint64_t same_filled;    /* pages kept as a pattern */
	uint64_t raw;            /* pages kept uncompressed because they do not compress */
	uint64_t recoded;        /* pages coded a second time and smaller, being out for long */
	uint64_t written_bytes;  /* bytes written to a device */
	uint64_t read_bytes;     /* bytes read from a device */
	uint64_t demoted;        /* tier: pages moved from the first store to the second */
	uint64_t beyond_bytes;   /* of ram_bytes, what the budget does not cover (own=yes) */
};

struct z_store_ops {
	const char *name;

	/*
	 * location_get - a location for the data page in pf (pf->addr is its virtual address).
	 *   pf: BACKED: the location of its clean copy is returned again, and this cannot fail.
	 *       NULL: no frame stands behind it (a store inside a store); never BACKED.
	 *   0 | Z_ERR_NOSPC full, even after stealing clean copies; *loc_out and all state untouched.
	 */
	int (*location_get)(struct z_store *store, struct z_page_frame *pf, enum z_store_want want,
			    z_loc_t *loc_out);

	/* location_free - the data may go; loc came from location_get and is freed once. */
	void (*location_free)(struct z_store *store, z_loc_t loc);

	/*
	 * page_out - keep the page under loc. page: Z_PAGE_SIZE bytes, page-aligned, stable.
	 *   0 | Z_ERR_IO, Z_ERR_NOSPC loc is RESERVED, contents undefined.
	 */
	int (*page_out)(struct z_store *store, z_loc_t loc, const void *page);

	/*
	 * page_out_many - the same for n pages at once, of different locations; each has its status,
	 *   and none depends on another's. May be NULL. Returns the number that failed.
	 */
	size_t (*page_out_many)(struct z_store *store, struct z_store_io *ios, size_t n);

	/*
	 * page_in - bring the page back. page: Z_PAGE_SIZE bytes, page-aligned; undefined on error.
	 *   0 | Z_ERR_IO, Z_ERR_CORRUPT loc is unchanged, a retry is allowed.
	 */
	int (*page_in)(struct z_store *store, z_loc_t loc, void *page);

	/*
	 * page_in_many - the same for n pages at once, up to Z_BATCH_MAX, those of neighbouring
	 *   addresses beside each other; each has its status. May be NULL: page_in is called for each.
	 *   Returns the number that failed.
	 */
	size_t (*page_in_many)(struct z_store *store, struct z_store_fill *fills, size_t n);

	/*
	 * page_finalize - page_in(loc) succeeded and pf now holds the page: keep loc as a clean copy
	 * (set BACKED) or free it. pf is MAPPED and carries the page's address.
	 */
	void (*page_finalize)(struct z_store *store, struct z_page_frame *pf, z_loc_t loc);

	/*
	 * page_unwritten - the page of a BACKED frame has left without page_out: its location holds it
	 * as before, and what location_get set aside for writing it is not needed. Context: as
	 * location_get. NULL: the store sets nothing aside.
	 */
	void (*page_unwritten)(struct z_store *store, z_loc_t loc);

	/* stats - fill *out. Context: as location_get. */
	void (*stats)(struct z_store *store, struct z_store_stats *out);

	/* check - 0 if the store's own state is sound, else a line number. Pager lock held. */
	int (*check)(struct z_store *store);

	/* close - free everything, the store itself too. No location is in use by anybody. */
	void (*close)(struct z_store *store);
};

/* The head of every store instance; a store's own structure begins with it. */
struct z_store {
	const struct z_store_ops *ops; /* [I] */
	unsigned int caps;             /* [I] enum z_store_caps */
	struct z_store_env env;        /* [I] */
};

/*
 * z_store_open - open a store by its URI.
 *   uri: NAME[:[PATH][?]KEY=VALUE[&KEY=VALUE...]]; sizes as 64K, 512M, 8G. See store/README.md.
 *   error, error_bytes: where one line of text goes that says what to do; may be NULL, 0.
 *   0 | Z_ERR_INVAL unknown name or option, size without sense | Z_ERR_NOMEM | Z_ERR_NOSPC
 *   | Z_ERR_IO the file cannot be made; *out untouched.
 *   Context: thread, no lock held; may sleep.
 */
Z_MUST_CHECK int z_store_open(const char *uri, const struct z_store_env *env, char *error,
			      size_t error_bytes, struct z_store **out);

/*
 * z_store_after_fork - in the child of a fork: make the store the child's own.
 *   What it keeps in private RAM is the child's already. A swap file is shared with the parent: a new
 *   one is made and every page in use is copied into it. Locations stay as they are.
 *   Before the fork the caller saw to it that no operation of the store was under way, and the
 *   parent does not use its store until this has returned.
 *   0 | Z_ERR_IO, Z_ERR_NOSPC the new file cannot be made or written, Z_ERR_NOMEM, Z_ERR_NOTSUP a
 *   store of somebody else's: the store must not be used in this child but for close.
 *   Context: thread, no lock held, the only thread of the process.
 */
Z_MUST_CHECK int z_store_after_fork(struct z_store *store);

/* z_store_name_at - the i-th store's name and a one-line summary; NULL past the end. */
const char *z_store_name_at(size_t i, const char **summary_out);

/*
 * z_ram_store_open - a store of n pages in RAM; freestanding, used by kernels as it is.
 *   pages: at least 2 (one is held back for faults). keep_copies: keep clean copies (BACKED).
 *   0 | Z_ERR_NOMEM | Z_ERR_INVAL | Z_ERR_NOSPC the budget does not allow it.
 */
Z_MUST_CHECK int z_ram_store_open(const struct z_store_env *env, size_t pages, bool keep_copies,
				  struct z_store **out);

/*
 * z_ram_store_prepare - take all the memory of such a store now, for as many pages as it promises.
 *   Without this the memory comes piece by piece out of location_get, with interrupts locked for as
 *   long as the allocator takes to find and clear it; with it location_get has a constant cost. Pages
 *   are charged as they are first used, with or without.
 *   0 | Z_ERR_NOMEM no memory, or the budget does not allow the metadata; what there is stays.
 *   Context: thread, no lock held, before the pager uses the store.
 */
Z_MUST_CHECK int z_ram_store_prepare(struct z_store *store);

/* ---- a store on a block device ------------------------------------------------------------------- */

/*
 * What a block device does: whole pages, at once. page: Z_PAGE_SIZE bytes, page-aligned, not
 * pageable, but possibly a scratch mapping. number: below the device's pages.
 */
struct z_block_ops {
	/*
	 * read - fill page from the device. 0 | Z_ERR_IO page is undefined.
	 * write - on return the device has the page, as far as a later read can tell.
	 *   0 | Z_ERR_IO, Z_ERR_NOSPC what the device has there is undefined.
	 * Context: as page_in and page_out: no lock held, interrupts on or off as they happen to be.
	 */
	int (*read)(void *ctx, uint64_t number, void *page);
	int (*write)(void *ctx, uint64_t number, const void *page);
};

struct z_block_device {
	const struct z_block_ops *ops; /* [I] */
	void *ctx;                     /* [I] */
	uint64_t pages;                /* [I] capacity, in units of Z_PAGE_SIZE */
	bool parallel;                 /* [I] read and write may run at the same time as others */
};

struct z_block_options {
	/*
	 * The first pages of the device hold an image: data that was there before the store. The
	 * location of its page i is i * Z_PAGE_SIZE: valid from the beginning, without
	 * location_get, for any number of pages at once. page_finalize always keeps such a location
	 * as the clean copy (frame BACKED); it is never stolen, location_free of it does nothing, and
	 * location_get of a frame that is BACKED by it gives it again. Image pages are mapped without
	 * Z_ACCESS_WRITE: page_out to the image is refused (Z_ERR_BUSY), the image stays. After such a
	 * refusal the core has the page resident, not BACKED, and its next eviction gets a location
	 * of its own: so even a page that was written nevertheless is neither lost nor in the image.
	 */
	uint64_t image_pages;
	bool keep_copies; /* keep clean copies of the other pages, too */
	bool checksums;   /* 64 bits for each of the other pages, in RAM: Z_ERR_CORRUPT if wrong */
};

/*
 * z_block_store_open - a store on what is behind the image of a device; freestanding.
 *   device: stays valid for the life of the store; at least 2 pages behind the image (one is held
 *   back for faults). It is Z_STORE_PARALLEL if the device says so. What lay behind the image
 *   is not kept.
 *   Figures: the image counts as used, not as capacity: its pages compete for frames with others,
 *   so with Z_COMMIT_STRICT they are committed like others.
 *   page_in and page_out return what the device does, and page_in Z_ERR_CORRUPT.
 *   0 | Z_ERR_NOMEM | Z_ERR_INVAL too small, or more than 2^32 - 2 pages behind the image |
 *   Z_ERR_NOSPC the budget does not allow it.
 */
Z_MUST_CHECK int z_block_store_open(const struct z_store_env *env,
				    const struct z_block_device *device,
				    const struct z_block_options *options, struct z_store **out);

#endif /* ZPAGER_STORE_H */
