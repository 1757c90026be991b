/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - objects of odd sizes in whole pages, packed without holes.
 *
 * Theory: sizes are rounded up to classes of 64 bytes. A class is a stack of objects written end to
 * end over a doubly linked chain of pages; an object may lie across two of them. When one is removed,
 * the last one of the class is moved into the hole, at the cost of one short copy, so a class never
 * has a hole and only its last page may be partly empty: compaction is not a job for later, it is the
 * state of the pool. An object begins with the number of its owner, who is told when it is moved.
 * Beside the objects, whole pages can be taken.
 *
 * Pages: used (in a class, or taken whole) + promised (z_pool_promise) never exceeds charged, and
 * RAM that is really held - used pages and dirty free ones - does not either. Pages that are not
 * needed go back to the system and are uncharged, many with one call, since each call may interrupt
 * every CPU; so a few are kept for what comes next. A pool with RAM of its own takes that
 * in pieces of 2 MiB, charged at once, which the system may back with huge pages, and gives none back
 * before it is closed: a first touch of a small page costs as much as some compressions.
 *
 * Locks: the caller's one lock is held for every function. Limits: 2^28 pages; an object and its
 * owner's number fit in a page less 64 bytes. Hosted.
 */
#ifndef STORE_POOL_H
#define STORE_POOL_H

#include <zpager/store.h>

#include "table.h"

#define Z_POOL_STEP    64U
#define Z_POOL_CLASSES (CONFIG_MMU_PAGE_SIZE / Z_POOL_STEP)
#define Z_POOL_NONE    UINT32_MAX

/* The largest object. */
#define Z_POOL_MAX_BYTES (Z_PAGE_SIZE - Z_POOL_STEP - sizeof(uint32_t))

/* Where an object is. */
struct z_place {
	uint32_t page;
	uint32_t offset; /* a multiple of Z_POOL_STEP, below Z_PAGE_SIZE */
};

struct z_pool_class {
	uint32_t tail; /* last page, Z_POOL_NONE if the class is empty */
	uint32_t end;  /* bytes used in it, 1 to Z_PAGE_SIZE */
};

/* All fields: the caller's lock. */
struct z_pool {
	const struct z_store_env *env;
	bool keeps;            /* [I] RAM is its own */
	struct z_table slabs;  /* the memory of 64 pages each */
	struct z_table chains; /* of struct chain, one a page */
	struct z_pool_class classes[Z_POOL_CLASSES];
	uint32_t made;       /* pages that have memory behind them */
	uint32_t dirty_head; /* free pages that may hold RAM */
	uint32_t dirty_count;
	uint32_t clean_head; /* free pages that hold no RAM */
	uint32_t used;
	uint32_t promised;
	uint32_t charged;
};

/*
 * z_pool_open - keeps: RAM is its own, and much. env stays valid for its life.
 *   0 | Z_ERR_NOMEM; may be closed in any case.
 */
Z_MUST_CHECK int z_pool_open(struct z_pool *pool, const struct z_store_env *env, bool keeps);
void z_pool_close(struct z_pool *pool);

/*
 * z_pool_promise - see to it that one more page can be had, and spare more after that.
 *   false: memory or budget is used up, nothing changed.
 * z_pool_redeem - the promise is used up or not needed; what is too much is given back.
 */
Z_MUST_CHECK bool z_pool_promise(struct z_pool *pool, uint32_t spare);
void z_pool_redeem(struct z_pool *pool);

/* z_pool_add - put an object away; takes at most one page, which was promised. */
struct z_place z_pool_add(struct z_pool *pool, uint32_t owner, const void *data, size_t bytes);

/*
 * z_pool_replace - another object in the place of one of old_bytes. false: they are not of one class,
 *   nothing changed.
 */
bool z_pool_replace(struct z_pool *pool, struct z_place place, size_t old_bytes, const void *data,
		    size_t bytes);

/* z_pool_read - get its bytes. */
void z_pool_read(const struct z_pool *pool, struct z_place place, void *to, size_t bytes);

/*
 * z_pool_remove - drop the object of bytes bytes at place. Returns the owner of the object that was
 * moved to that place, or Z_POOL_NONE.
 */
uint32_t z_pool_remove(struct z_pool *pool, struct z_place place, size_t bytes);

/* z_pool_page_take, z_pool_page_give - one whole page, promised before; and back. */
uint32_t z_pool_page_take(struct z_pool *pool);
void z_pool_page_give(struct z_pool *pool, uint32_t page);

/* z_pool_memory - the page's memory. */
void *z_pool_memory(const struct z_pool *pool, uint32_t page);

/* z_pool_check - 0, or the line of what is wrong. */
int z_pool_check(const struct z_pool *pool);

#endif /* STORE_POOL_H */
