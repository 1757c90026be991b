/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - the packed pool of pool.h: purpose, theory, locks and limits stand there.
 */
#define _GNU_SOURCE
#include "pool.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mem.h"

#define SLAB_PAGES  64U
#define HUGE_PAGES  ((uint32_t)((2U << 20) / Z_PAGE_SIZE)) /* a whole number of slabs */
#define PAGES_LIMIT ((uint32_t)1 << 28)
#define GIVEN_BACK  64U /* pages that go back with one call */

/*
 * Charged pages beyond need that make us give some back, and half of which stay: a batch of pages may come
 * in before the next one goes out, but in a small pool that would be too much.
 */
#define KEEP_LEAST 16U
#define KEEP_SHARE 64U
#define KEEP_MOST  80U

/* "This process" in the place of a descriptor; not in the headers of every system yet. */
#define THIS_PROCESS (-10001)

struct slab {
	unsigned char *memory;
	uint32_t pages; /* of the piece that begins here; 0: it is part of one */
};

struct chain {
	uint32_t next; /* of a free page: the next free one */
	uint32_t prev;
};

static struct chain *chain_of(const struct z_pool *pool, uint32_t page)
{
	return z_table_at(&pool->chains, page);
}

static struct slab *slab_of(const struct z_pool *pool, uint32_t page)
{
	return z_table_at(&pool->slabs, page / SLAB_PAGES);
}

void *z_pool_memory(const struct z_pool *pool, uint32_t page)
{
	return slab_of(pool, page)->memory + page % SLAB_PAGES * Z_PAGE_SIZE;
}

int z_pool_open(struct z_pool *pool, const struct z_store_env *env, bool keeps)
{
	int err;

	*pool = (struct z_pool){
		.env = env, .keeps = keeps, .dirty_head = Z_POOL_NONE, .clean_head = Z_POOL_NONE};
	for (size_t i = 0; i < Z_POOL_CLASSES; i++) {
		pool->classes[i].tail = Z_POOL_NONE;
	}
	err = z_table_open(&pool->slabs, env, PAGES_LIMIT / SLAB_PAGES, sizeof(struct slab));
	return err != 0 ? err : z_table_open(&pool->chains, env, PAGES_LIMIT, sizeof(struct chain));
}

void z_pool_close(struct z_pool *pool)
{
	for (uint32_t page = 0; page < pool->made; page += SLAB_PAGES) {
		const struct slab *slab = slab_of(pool, page);

		if (slab->pages != 0) {
			pool->env->free(pool->env->ctx, slab->memory, slab->pages * Z_PAGE_SIZE);
		}
	}
	z_env_uncharge(pool->env, pool->charged);
	z_table_close(&pool->slabs);
	z_table_close(&pool->chains);
	pool->made = 0;
	pool->charged = 0;
}

static void push(struct z_pool *pool, uint32_t *head, uint32_t page)
{
	chain_of(pool, page)->next = *head;
	*head = page;
}

static uint32_t pop(struct z_pool *pool, uint32_t *head)
{
	uint32_t page = *head;

	*head = chain_of(pool, page)->next;
	return page;
}

/* Memory for so many more pages; they go on the list at head. */
static bool make_slabs(struct z_pool *pool, uint32_t pages, uint32_t *head, int advice)
{
	const struct z_store_env *env = pool->env;
	uint32_t first = pool->made;
	unsigned char *memory;

	if (pages > PAGES_LIMIT - first) {
		return false;
	}
	for (uint32_t i = 0; i < pages; i += SLAB_PAGES) {
		if (z_table_grow(&pool->slabs, (first + i) / SLAB_PAGES) != 0 ||
		    z_table_grow(&pool->chains, first + i) != 0) {
			return false;
		}
	}
	memory = env->alloc(env->ctx, pages * Z_PAGE_SIZE);
	if (memory == NULL) {
		return false;
	}
	(void)madvise(memory, pages * Z_PAGE_SIZE, advice);
	for (uint32_t i = 0; i < pages; i += SLAB_PAGES) {
		*slab_of(pool, first + i) =
			(struct slab){memory + i * Z_PAGE_SIZE, i == 0 ? pages : 0};
	}
	for (uint32_t i = pages; i-- > 0;) {
		push(pool, head, first + i);
	}
	pool->made += pages;
	return true;
}

/* A piece that may become a huge page, and counts as held from the beginning. */
static bool make_huge(struct z_pool *pool)
{
	if (z_env_charge(pool->env, HUGE_PAGES) != 0) {
		return false;
	}
	if (!make_slabs(pool, HUGE_PAGES, &pool->dirty_head, MADV_HUGEPAGE)) {
		z_env_uncharge(pool->env, HUGE_PAGES);
		return false;
	}
	pool->dirty_count += HUGE_PAGES;
	pool->charged += HUGE_PAGES;
	return true;
}

/* More pages. Elsewhere a huge page behind a few used small ones would be RAM that nobody counts. */
static bool make_pages(struct z_pool *pool)
{
	return (pool->keeps && make_huge(pool)) ||
	       make_slabs(pool, SLAB_PAGES, &pool->clean_head, MADV_NOHUGEPAGE);
}

bool z_pool_promise(struct z_pool *pool, uint32_t spare)
{
	uint32_t need = pool->used + pool->promised + 1U + spare;
	uint32_t more;

	while (pool->made < need) {
		if (!make_pages(pool)) {
			return false;
		}
	}
	more = need > pool->charged ? need - pool->charged : 0;
	if (more != 0 && z_env_charge(pool->env, more) != 0) {
		return false;
	}
	pool->charged += more;
	pool->promised++;
	return true;
}

static void give_back(struct iovec *pages, size_t n)
{
	long done = syscall(SYS_process_madvise, THIS_PROCESS, pages, n, MADV_DONTNEED, 0);

	for (size_t i = 0; i < n && done != (long)(n * Z_PAGE_SIZE); i++) {
		(void)madvise(pages[i].iov_base, Z_PAGE_SIZE, MADV_DONTNEED);
	}
}

/* Free pages hold no more RAM than is charged for them. */
static void clean_free_pages(struct z_pool *pool)
{
	struct iovec pages[GIVEN_BACK];
	size_t n = 0;

	while (pool->used + pool->dirty_count > pool->charged) {
		uint32_t page = pop(pool, &pool->dirty_head);

		pages[n++] = (struct iovec){z_pool_memory(pool, page), Z_PAGE_SIZE};
		push(pool, &pool->clean_head, page);
		pool->dirty_count--;
		if (n == GIVEN_BACK) {
			give_back(pages, n);
			n = 0;
		}
	}
	if (n != 0) {
		give_back(pages, n);
	}
}

static void trim(struct z_pool *pool)
{
	uint32_t excess = pool->charged - pool->used - pool->promised;
	uint32_t keep = pool->used / KEEP_SHARE;

	keep = keep < KEEP_LEAST ? KEEP_LEAST : keep;
	keep = keep > KEEP_MOST ? KEEP_MOST : keep;
	if (!pool->keeps && excess > keep) {
		excess -= keep / 2;
		pool->charged -= excess;
		clean_free_pages(pool);
		z_env_uncharge(pool->env, excess);
	}
}

void z_pool_redeem(struct z_pool *pool)
{
	pool->promised--;
	trim(pool);
}

uint32_t z_pool_page_take(struct z_pool *pool)
{
	uint32_t page;

	if (pool->dirty_count != 0) {
		page = pop(pool, &pool->dirty_head);
		pool->dirty_count--;
	} else {
		page = pop(pool, &pool->clean_head);
	}
	pool->used++;
	return page;
}

void z_pool_page_give(struct z_pool *pool, uint32_t page)
{
	push(pool, &pool->dirty_head, page);
	pool->dirty_count++;
	pool->used--;
	trim(pool);
}

static uint32_t class_bytes(size_t bytes)
{
	size_t whole = bytes + sizeof(uint32_t);

	return (uint32_t)((whole + Z_POOL_STEP - 1U) / Z_POOL_STEP * Z_POOL_STEP);
}

static struct z_pool_class *class_of(struct z_pool *pool, uint32_t size)
{
	return &pool->classes[size / Z_POOL_STEP];
}

/* The rest of a page, from the place on; at the page's end, of the next one. */
static size_t rest_of(const struct z_pool *pool, struct z_place *place)
{
	if (place->offset == Z_PAGE_SIZE) {
		*place = (struct z_place){chain_of(pool, place->page)->next, 0};
	}
	return Z_PAGE_SIZE - place->offset;
}

/* Copy out of or into the chain, from skip bytes after the place's beginning. */
static void copy_out(const struct z_pool *pool, struct z_place place, uint32_t skip, void *to,
		     size_t bytes)
{
	place.offset += skip;
	for (size_t done = 0; done < bytes;) {
		size_t n = rest_of(pool, &place);

		n = n < bytes - done ? n : bytes - done;
		memcpy((char *)to + done,
		       (const char *)z_pool_memory(pool, place.page) + place.offset, n);
		place.offset += (uint32_t)n;
		done += n;
	}
}

static void copy_in(const struct z_pool *pool, struct z_place place, uint32_t skip,
		    const void *from, size_t bytes)
{
	place.offset += skip;
	for (size_t done = 0; done < bytes;) {
		size_t n = rest_of(pool, &place);

		n = n < bytes - done ? n : bytes - done;
		memcpy((char *)z_pool_memory(pool, place.page) + place.offset,
		       (const char *)from + done, n);
		place.offset += (uint32_t)n;
		done += n;
	}
}

/* The class grows by one object at its end; the place of it. */
static struct z_place extend(struct z_pool *pool, uint32_t size)
{
	struct z_pool_class *class = class_of(pool, size);
	struct z_place place = {class->tail, class->end};
	uint32_t page;

	if (class->tail != Z_POOL_NONE && class->end + size <= Z_PAGE_SIZE) {
		class->end += size;
		return place;
	}
	page = z_pool_page_take(pool);
	*chain_of(pool, page) = (struct chain){Z_POOL_NONE, class->tail};
	if (class->tail != Z_POOL_NONE) {
		chain_of(pool, class->tail)->next = page;
	}
	if (class->tail == Z_POOL_NONE || class->end == Z_PAGE_SIZE) {
		place = (struct z_place){page, 0};
		class->end = size;
	} else {
		class->end = class->end + size - (uint32_t)Z_PAGE_SIZE;
	}
	class->tail = page;
	return place;
}

struct z_place z_pool_add(struct z_pool *pool, uint32_t owner, const void *data, size_t bytes)
{
	struct z_place place = extend(pool, class_bytes(bytes));

	copy_in(pool, place, 0, &owner, sizeof(owner));
	copy_in(pool, place, sizeof(owner), data, bytes);
	return place;
}

bool z_pool_replace(struct z_pool *pool, struct z_place place, size_t old_bytes, const void *data,
		    size_t bytes)
{
	if (class_bytes(old_bytes) != class_bytes(bytes)) {
		return false;
	}
	copy_in(pool, place, sizeof(uint32_t), data, bytes);
	return true;
}

void z_pool_read(const struct z_pool *pool, struct z_place place, void *to, size_t bytes)
{
	copy_out(pool, place, sizeof(uint32_t), to, bytes);
}

/* Where the last object of the class begins. */
static struct z_place last_of(const struct z_pool *pool, const struct z_pool_class *class,
			      uint32_t size)
{
	if (class->end >= size) {
		return (struct z_place){class->tail, class->end - size};
	}
	return (struct z_place){chain_of(pool, class->tail)->prev,
				class->end + (uint32_t)Z_PAGE_SIZE - size};
}

/* The class shrinks to where its last object began. */
static void shrink(struct z_pool *pool, struct z_pool_class *class, struct z_place last)
{
	uint32_t tail = class->tail;

	if (last.page == tail && last.offset != 0) {
		class->end = last.offset;
		return;
	}
	class->end = last.page == tail ? (uint32_t)Z_PAGE_SIZE : last.offset;
	class->tail = chain_of(pool, tail)->prev;
	if (class->tail != Z_POOL_NONE) {
		chain_of(pool, class->tail)->next = Z_POOL_NONE;
	}
	z_pool_page_give(pool, tail);
}

/* Move a whole object, in as few pieces as the two borders of pages allow. */
static void move(const struct z_pool *pool, struct z_place from, struct z_place to, size_t size)
{
	while (size != 0) {
		size_t a = rest_of(pool, &from);
		size_t b = rest_of(pool, &to);
		size_t n = a < b ? a : b;

		n = n < size ? n : size;
		memcpy((char *)z_pool_memory(pool, to.page) + to.offset,
		       (const char *)z_pool_memory(pool, from.page) + from.offset, n);
		from.offset += (uint32_t)n;
		to.offset += (uint32_t)n;
		size -= n;
	}
}

uint32_t z_pool_remove(struct z_pool *pool, struct z_place place, size_t bytes)
{
	uint32_t size = class_bytes(bytes);
	struct z_pool_class *class = class_of(pool, size);
	struct z_place last = last_of(pool, class, size);
	uint32_t owner = Z_POOL_NONE;

	if (last.page != place.page || last.offset != place.offset) {
		copy_out(pool, last, 0, &owner, sizeof(owner));
		move(pool, last, place, size);
	}
	shrink(pool, class, last);
	return owner;
}

static uint32_t count_list(const struct z_pool *pool, uint32_t head)
{
	uint32_t n = 0;

	for (uint32_t page = head; page != Z_POOL_NONE && n <= pool->made; n++) {
		page = chain_of(pool, page)->next;
	}
	return n;
}

int z_pool_check(const struct z_pool *pool)
{
	uint32_t dirty = count_list(pool, pool->dirty_head);
	uint32_t clean = count_list(pool, pool->clean_head);

	if (dirty != pool->dirty_count || dirty + clean + pool->used != pool->made) {
		return __LINE__;
	}
	if (pool->used + pool->promised > pool->charged || pool->used + dirty > pool->charged) {
		return __LINE__;
	}
	for (size_t i = 0; i < Z_POOL_CLASSES; i++) {
		const struct z_pool_class *class = &pool->classes[i];

		if (class->tail == Z_POOL_NONE) {
			continue;
		}
		if (class->end == 0 || class->end > Z_PAGE_SIZE ||
		    chain_of(pool, class->tail)->next != Z_POOL_NONE) {
			return __LINE__;
		}
	}
	return 0;
}
