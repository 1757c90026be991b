/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_hostile.c - the failing and checking store of store_hostile.h; purpose and limits there.
 *
 * Theory: a hash table from tokens to what is known of them. Every call first looks at the record,
 * notes what is wrong, and then does what the store inside does: a violation is reported, it does not
 * change the course of things (but a call that could only crash the store inside is not passed on).
 */
#include "store_hostile.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum state { NEVER, GONE, RESERVED, STORED, CACHED };

struct record {
	uintptr_t token;
	enum state state;
	bool loaded;             /* a page_in succeeded since it was written */
	bool busy;               /* a page operation is under way */
	uint64_t hash;           /* of the page, if STORED or CACHED */
	struct z_page_frame *pf; /* of CACHED */
};

struct call {
	enum store_hostile_op op;
	uintptr_t token;
	int result;
};

struct plan {
	uint64_t first; /* number of the first call that fails; 0: no plan */
	uint64_t last;
	int err;
};

#define TRACE 64U

struct store_hostile {
	struct z_store store;
	struct z_store *inner;
	pthread_mutex_t lock;
	struct record *records;
	size_t buckets; /* a power of two */
	size_t count;
	struct plan plans[STORE_OPS];
	uint64_t calls[STORE_OPS];
	uint64_t fired;
	uint64_t live;
	struct call trace[TRACE];
	uint64_t traced;
	char violation[160];
	bool in_locked; /* a call that wants the pager lock is under way */
	unsigned int in_io;
	void (*hook)(void *ctx, enum store_hostile_op op, z_loc_t loc);
	void *hook_ctx;
};

static const char *const op_names[STORE_OPS] = {"location_get",  "page_out",      "page_in",
						"location_free", "page_finalize", "any"};

static struct store_hostile *hostile_of(struct z_store *store)
{
	return (struct store_hostile *)store;
}

static void violate(struct store_hostile *h, enum store_hostile_op op, uintptr_t token,
		    const char *what)
{
	if (h->violation[0] == 0) {
		(void)snprintf(h->violation, sizeof(h->violation), "%s of location 0x%jx: %s",
			       op_names[op], (uintmax_t)token, what);
	}
}

static uint64_t hash_of(const void *page)
{
	uint64_t hash = 0xcbf29ce484222325U;
	uint64_t word;

	for (size_t i = 0; i < Z_PAGE_SIZE; i += sizeof(word)) {
		memcpy(&word, (const char *)page + i, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
		hash ^= hash >> 29;
	}
	return hash;
}

static struct record *bucket_of(struct record *records, size_t buckets, uintptr_t token)
{
	size_t i = (size_t)((token / Z_PAGE_SIZE) * 0x9e3779b97f4a7c15U) & (buckets - 1);

	while (records[i].state != NEVER && records[i].token != token) {
		i = (i + 1) & (buckets - 1);
	}
	return &records[i];
}

static void *must(void *memory)
{
	if (memory == NULL) {
		(void)fprintf(stderr, "store_hostile: out of memory\n");
		abort();
	}
	return memory;
}

static void rehash(struct store_hostile *h)
{
	size_t buckets = h->buckets * 2;
	struct record *records = must(calloc(buckets, sizeof(*records)));

	for (size_t i = 0; i < h->buckets; i++) {
		if (h->records[i].state != NEVER) {
			*bucket_of(records, buckets, h->records[i].token) = h->records[i];
		}
	}
	free(h->records);
	h->records = records;
	h->buckets = buckets;
}

/* The record of a token; a token never seen gets one that is GONE. */
static struct record *record_of(struct store_hostile *h, uintptr_t token)
{
	struct record *record;

	if (h->count * 2 >= h->buckets) {
		rehash(h);
	}
	record = bucket_of(h->records, h->buckets, token);
	if (record->state == NEVER) {
		*record = (struct record){.token = token, .state = GONE};
		h->count++;
	}
	return record;
}

static bool is_live(const struct record *record)
{
	return record->state == RESERVED || record->state == STORED;
}

static void move_to(struct store_hostile *h, struct record *record, enum state state)
{
	h->live -= is_live(record) ? 1U : 0U;
	record->state = state;
	h->live += is_live(record) ? 1U : 0U;
}

static void trace(struct store_hostile *h, enum store_hostile_op op, uintptr_t token, int result)
{
	h->trace[h->traced++ % TRACE] = (struct call){op, token, result};
}

/* Does one plan say that this call, just counted, fails? */
static bool planned(const struct store_hostile *h, enum store_hostile_op op)
{
	const struct plan *plan = &h->plans[op];

	return plan->first != 0 && h->calls[op] >= plan->first && h->calls[op] <= plan->last;
}

/* Count the call; what it is to fail with, or 0. */
static int count_call(struct store_hostile *h, enum store_hostile_op op)
{
	int err = 0;

	h->calls[op]++;
	h->calls[STORE_ANY]++;
	if (planned(h, op)) {
		err = h->plans[op].err;
	} else if (planned(h, STORE_ANY)) {
		err = h->plans[STORE_ANY].err;
		if (err == 0) {
			err = op == STORE_GET ? Z_ERR_NOSPC : Z_ERR_IO;
		}
	}
	h->fired += err != 0 ? 1U : 0U;
	return err;
}

static void enter_locked(struct store_hostile *h, enum store_hostile_op op, uintptr_t token)
{
	if (h->in_locked) {
		violate(h, op, token, "beside another call that wants the pager lock");
	}
	h->in_locked = true;
}

/* What a location that inner has just given tells about inner. */
static void record_get(struct store_hostile *h, struct z_page_frame *pf, bool backed, z_loc_t loc)
{
	struct record *record = record_of(h, loc.v);

	if (!z_is_page_aligned(loc.v)) {
		violate(h, STORE_GET, loc.v, "the store gave a token that is not page-aligned");
	}
	if (backed) {
		if (!(record->state == CACHED && record->pf == pf) && record->state != STORED) {
			violate(h, STORE_GET, loc.v, "a BACKED frame did not get its own copy");
		}
		move_to(h, record, STORED);
		return;
	}
	if (is_live(record)) {
		violate(h, STORE_GET, loc.v, "the store gave a location that is in use");
	}
	if (record->state == CACHED && z_page_frame_is_backed(record->pf) &&
	    z_page_frame_store_get(record->pf) == loc.v / Z_PAGE_SIZE) {
		violate(h, STORE_GET, loc.v, "a copy was stolen and its frame is still BACKED");
	}
	move_to(h, record, RESERVED);
	record->loaded = false;
}

static int hostile_get(struct z_store *store, struct z_page_frame *pf, enum z_store_want want,
		       z_loc_t *loc_out)
{
	struct store_hostile *h = hostile_of(store);
	bool backed = pf != NULL && z_page_frame_is_backed(pf);
	z_loc_t loc = {0};
	int err = 0;

	(void)pthread_mutex_lock(&h->lock);
	enter_locked(h, STORE_GET, 0);
	if (!backed) {
		err = count_call(h, STORE_GET);
	}
	(void)pthread_mutex_unlock(&h->lock);
	if (err == 0) {
		err = h->inner->ops->location_get(h->inner, pf, want, &loc);
	}
	(void)pthread_mutex_lock(&h->lock);
	h->in_locked = false;
	if (err == 0) {
		record_get(h, pf, backed, loc);
		*loc_out = loc;
	} else if (backed) {
		violate(h, STORE_GET, 0, "it failed for a BACKED frame");
	}
	trace(h, STORE_GET, loc.v, err);
	(void)pthread_mutex_unlock(&h->lock);
	return err;
}

static void hostile_free(struct z_store *store, z_loc_t loc)
{
	struct store_hostile *h = hostile_of(store);
	struct record *record;
	bool known;

	(void)pthread_mutex_lock(&h->lock);
	h->calls[STORE_FREE]++;
	enter_locked(h, STORE_FREE, loc.v);
	record = record_of(h, loc.v);
	known = record->state != GONE;
	if (!known) {
		violate(h, STORE_FREE, loc.v, "it is not in use (freed twice, or never given)");
	}
	if (record->busy) {
		violate(h, STORE_FREE, loc.v, "a page operation on it is under way");
	}
	move_to(h, record, GONE);
	trace(h, STORE_FREE, loc.v, 0);
	(void)pthread_mutex_unlock(&h->lock);
	if (known) {
		h->inner->ops->location_free(h->inner, loc);
	}
	(void)pthread_mutex_lock(&h->lock);
	h->in_locked = false;
	(void)pthread_mutex_unlock(&h->lock);
}

/* A page operation begins; one batch is one operation. */
static void begin_op(struct store_hostile *h, enum store_hostile_op op, uintptr_t token)
{
	if (h->in_io != 0 && (h->store.caps & Z_STORE_PARALLEL) == 0) {
		violate(h, op, token, "another page operation is under way and it is not PARALLEL");
	}
	h->in_io++;
}

/* Is a page operation allowed now on this location? false: do not pass it on. */
static bool begin_page(struct store_hostile *h, enum store_hostile_op op, uintptr_t token)
{
	struct record *record = record_of(h, token);

	if (record->state == GONE) {
		violate(h, op, token, "it is not in use");
		return false;
	}
	if (record->busy) {
		violate(h, op, token, "another page operation on it is under way");
	}
	if (op == STORE_IN && record->state == RESERVED) {
		violate(h, op, token, "nothing was ever written there");
	}
	if (op == STORE_OUT && record->state == CACHED) {
		violate(h, op, token, "it is a clean copy that location_get did not give again");
	}
	record->busy = true;
	return true;
}

static void end_page(struct store_hostile *h, enum store_hostile_op op, uintptr_t token, int err,
		     uint64_t hash)
{
	struct record *record = record_of(h, token);

	trace(h, op, token, err);
	if (record->state == GONE) {
		return;
	}
	record->busy = false;
	if (op == STORE_OUT) {
		move_to(h, record, err == 0 ? STORED : RESERVED);
		record->loaded = false;
		record->hash = hash;
	} else if (err == 0) {
		record->loaded = true;
		if (record->hash != hash) {
			violate(h, op, token, "the page came back different");
		}
	}
}

/*
 * A page operation on one location is about to reach the store. false: it must not, and *err_out is
 * what it returns; otherwise *err_out is what is planned, or 0.
 */
static bool enter_io(struct store_hostile *h, enum store_hostile_op op, z_loc_t loc, int *err_out)
{
	bool ok;

	(void)pthread_mutex_lock(&h->lock);
	*err_out = count_call(h, op);
	begin_op(h, op, loc.v);
	ok = begin_page(h, op, loc.v);
	h->in_io -= ok ? 0U : 1U;
	(void)pthread_mutex_unlock(&h->lock);
	if (ok && h->hook != NULL) {
		h->hook(h->hook_ctx, op, loc);
	}
	*err_out = ok ? *err_out : Z_ERR_IO;
	return ok;
}

static int hostile_out(struct z_store *store, z_loc_t loc, const void *page)
{
	struct store_hostile *h = hostile_of(store);
	uint64_t hash = hash_of(page);
	int err;

	if (!enter_io(h, STORE_OUT, loc, &err)) {
		return err;
	}
	if (err == 0) {
		err = h->inner->ops->page_out(h->inner, loc, page);
	}
	(void)pthread_mutex_lock(&h->lock);
	if (hash_of(page) != hash) {
		violate(h, STORE_OUT, loc.v, "the page changed meanwhile");
	}
	end_page(h, STORE_OUT, loc.v, err, hash);
	h->in_io--;
	(void)pthread_mutex_unlock(&h->lock);
	return err;
}

/* Those of a batch that are neither planned to fail nor against the contract, to be passed on. */
static size_t begin_batch(struct store_hostile *h, struct z_store_io *ios, size_t n,
			  struct z_store_io *passed, size_t *index)
{
	size_t count = 0;

	(void)pthread_mutex_lock(&h->lock);
	begin_op(h, STORE_OUT, ios[0].loc.v);
	for (size_t i = 0; i < n; i++) {
		ios[i].status = count_call(h, STORE_OUT);
		if (!begin_page(h, STORE_OUT, ios[i].loc.v)) {
			ios[i].status = Z_ERR_IO;
		} else if (ios[i].status == 0) {
			passed[count] = ios[i];
			index[count++] = i;
		}
	}
	(void)pthread_mutex_unlock(&h->lock);
	return count;
}

static size_t hostile_out_many(struct z_store *store, struct z_store_io *ios, size_t n)
{
	struct store_hostile *h = hostile_of(store);
	struct z_store_io *passed = must(calloc(n, sizeof(*passed)));
	size_t *index = must(calloc(n, sizeof(*index)));
	size_t count = begin_batch(h, ios, n, passed, index);
	size_t failed = 0;

	for (size_t i = 0; h->hook != NULL && i < count; i++) {
		h->hook(h->hook_ctx, STORE_OUT, passed[i].loc);
	}
	if (count != 0) {
		failed = h->inner->ops->page_out_many(h->inner, passed, count);
	}
	(void)pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < count; i++) {
		failed -= passed[i].status != 0 ? 1U : 0U;
		ios[index[i]].status = passed[i].status;
	}
	if (failed != 0) {
		violate(h, STORE_OUT, 0, "page_out_many returned a wrong number of failures");
	}
	for (size_t i = 0; i < n; i++) {
		failed += ios[i].status != 0 ? 1U : 0U;
		end_page(h, STORE_OUT, ios[i].loc.v, ios[i].status, hash_of(ios[i].page));
	}
	h->in_io--;
	(void)pthread_mutex_unlock(&h->lock);
	free(index);
	free(passed);
	return failed;
}

static int hostile_in(struct z_store *store, z_loc_t loc, void *page)
{
	struct store_hostile *h = hostile_of(store);
	int err;

	if (!enter_io(h, STORE_IN, loc, &err)) {
		return err;
	}
	if (err == 0) {
		err = h->inner->ops->page_in(h->inner, loc, page);
	} else {
		memset(page, 0xee, Z_PAGE_SIZE);
	}
	(void)pthread_mutex_lock(&h->lock);
	end_page(h, STORE_IN, loc.v, err, hash_of(page));
	h->in_io--;
	(void)pthread_mutex_unlock(&h->lock);
	return err;
}

static void hostile_finalize(struct z_store *store, struct z_page_frame *pf, z_loc_t loc)
{
	struct store_hostile *h = hostile_of(store);
	struct record *record;
	bool known;

	(void)pthread_mutex_lock(&h->lock);
	h->calls[STORE_FINALIZE]++;
	enter_locked(h, STORE_FINALIZE, loc.v);
	record = record_of(h, loc.v);
	known = record->state != GONE;
	if (record->state != STORED || !record->loaded) {
		violate(h, STORE_FINALIZE, loc.v, "no page_in of it succeeded");
	}
	if (!z_page_frame_is_mapped(pf)) {
		violate(h, STORE_FINALIZE, loc.v, "the frame is not MAPPED");
	}
	if (z_page_frame_is_backed(pf)) {
		violate(h, STORE_FINALIZE, loc.v, "the frame is BACKED already");
	}
	(void)pthread_mutex_unlock(&h->lock);
	if (known) {
		h->inner->ops->page_finalize(h->inner, pf, loc);
	}
	(void)pthread_mutex_lock(&h->lock);
	h->in_locked = false;
	record = record_of(h, loc.v);
	move_to(h, record, z_page_frame_is_backed(pf) ? CACHED : GONE);
	record->pf = pf;
	trace(h, STORE_FINALIZE, loc.v, 0);
	(void)pthread_mutex_unlock(&h->lock);
}

static void hostile_stats(struct z_store *store, struct z_store_stats *out)
{
	struct z_store *inner = hostile_of(store)->inner;

	inner->ops->stats(inner, out);
}

static int hostile_check(struct z_store *store)
{
	struct store_hostile *h = hostile_of(store);

	return store_hostile_violation(h) != NULL ? __LINE__ : h->inner->ops->check(h->inner);
}

static void hostile_close(struct z_store *store)
{
	struct store_hostile *h = hostile_of(store);

	h->inner->ops->close(h->inner);
	(void)pthread_mutex_destroy(&h->lock);
	free(h->records);
	free(h);
}

#define COMMON_OPS                                                                                 \
	.name = "hostile", .location_get = hostile_get, .location_free = hostile_free,             \
	.page_out = hostile_out, .page_in = hostile_in, .page_finalize = hostile_finalize,         \
	.stats = hostile_stats, .check = hostile_check, .close = hostile_close

static const struct z_store_ops single_ops = {COMMON_OPS};
static const struct z_store_ops batch_ops = {COMMON_OPS, .page_out_many = hostile_out_many};

struct store_hostile *store_hostile_open(struct z_store *inner)
{
	struct store_hostile *h = must(calloc(1, sizeof(*h)));

	h->store.ops = inner->ops->page_out_many != NULL ? &batch_ops : &single_ops;
	h->store.caps = inner->caps;
	h->store.env = inner->env;
	h->inner = inner;
	h->buckets = 64;
	h->records = must(calloc(h->buckets, sizeof(*h->records)));
	(void)pthread_mutex_init(&h->lock, NULL);
	return h;
}

struct z_store *store_hostile_store(struct store_hostile *h)
{
	return &h->store;
}

void store_hostile_fail(struct store_hostile *h, enum store_hostile_op op, uint64_t nth,
			uint64_t times, int err)
{
	(void)pthread_mutex_lock(&h->lock);
	h->plans[op] = (struct plan){0};
	if (nth != 0 && times != 0) {
		h->plans[op].first = h->calls[op] + nth;
		h->plans[op].last = h->calls[op] + nth + times - 1U;
		h->plans[op].err = err;
	}
	(void)pthread_mutex_unlock(&h->lock);
}

static uint64_t read_count(struct store_hostile *h, const uint64_t *count)
{
	(void)pthread_mutex_lock(&h->lock);
	uint64_t value = *count;
	(void)pthread_mutex_unlock(&h->lock);
	return value;
}

uint64_t store_hostile_fired(struct store_hostile *h)
{
	return read_count(h, &h->fired);
}

uint64_t store_hostile_calls(struct store_hostile *h, enum store_hostile_op op)
{
	return read_count(h, &h->calls[op]);
}

uint64_t store_hostile_live(struct store_hostile *h)
{
	return read_count(h, &h->live);
}

const char *store_hostile_violation(struct store_hostile *h)
{
	(void)pthread_mutex_lock(&h->lock);
	bool any = h->violation[0] != 0;
	(void)pthread_mutex_unlock(&h->lock);
	return any ? h->violation : NULL;
}

void store_hostile_print(struct store_hostile *h)
{
	uint64_t first = h->traced > TRACE ? h->traced - TRACE : 0;

	for (uint64_t i = first; i < h->traced; i++) {
		const struct call *call = &h->trace[i % TRACE];

		(void)fprintf(stderr, "  %-14s 0x%jx -> %d\n", op_names[call->op],
			      (uintmax_t)call->token, call->result);
	}
	(void)fprintf(stderr, "  %s\n", h->violation[0] != 0 ? h->violation : "no violation");
}

void store_hostile_hook(struct store_hostile *h,
			void (*hook)(void *ctx, enum store_hostile_op op, z_loc_t loc), void *ctx)
{
	h->hook = hook;
	h->hook_ctx = ctx;
}

void store_hostile_serial(struct store_hostile *h)
{
	h->store.caps &= ~(unsigned int)Z_STORE_PARALLEL;
}
