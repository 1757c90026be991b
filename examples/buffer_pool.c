/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer_pool.c - the buffer pool of a small database: it knows its scans, and says which page goes.
 *
 * A query looks up pages of an index, which fits into memory, and then scans a table, which does not.
 * No algorithm that only sees faults can know that a page of the table is not needed again before all
 * the others, while the index is needed at once. The pool does know: its algorithm gives up pages of
 * the table, the oldest first, and pages of the index only when there is nothing else. The same
 * queries are run with "clock" for comparison; how many faults the pool has is known exactly.
 *
 * The algorithm: two queues of frames, table and index, linked by frame number in the state that the
 * pager gives. add puts a frame at the end of its queue, remove takes it out, select names the first.
 * 8 bytes a frame. Nothing here touches paged memory: what it asks is where a page lies.
 */
#include <stdio.h>
#include <string.h>

#include <zpager/eviction.h>
#include <zpager/zpager.h>

#define PAGE    ((size_t)4096)
#define QUERIES 5U
#define RAM     ((uint64_t)8 << 20)

/* ---- the pool's ranking ------------------------------------------------------------------------- */

enum {
	TABLE,
	INDEX,
	QUEUES,
};

struct link {
	uint32_t before, after;
};

/* link[nframes + q] is the head of queue q. */
struct ranking {
	const struct z_eviction_host *host;
	struct link link[];
};

/* Where the table lies: what the pool knows and the pager does not. */
static const char *table_start, *table_end;

static size_t ranking_bytes(uint32_t nframes)
{
	return sizeof(struct ranking) + (nframes + QUEUES) * sizeof(struct link);
}

static int ranking_init(void *state, const struct z_eviction_host *host)
{
	struct ranking *r = state;

	r->host = host;
	for (uint32_t head = host->nframes; head < host->nframes + QUEUES; head++) {
		r->link[head] = (struct link){head, head};
	}
	return 0;
}

static struct z_page_frame *ranking_select(void *state)
{
	struct ranking *r = state;

	for (uint32_t head = r->host->nframes; head < r->host->nframes + QUEUES; head++) {
		if (r->link[head].after != head) {
			return &r->host->frames[r->link[head].after];
		}
	}
	return NULL;
}

static void ranking_add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	struct ranking *r = state;
	const char *page = pf->addr;
	uint32_t i = (uint32_t)(pf - r->host->frames);
	uint32_t head =
		r->host->nframes + (page >= table_start && page < table_end ? TABLE : INDEX);

	(void)reason;
	r->link[i] = (struct link){r->link[head].before, head};
	r->link[r->link[i].before].after = i;
	r->link[head].before = i;
}

static void ranking_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	struct ranking *r = state;
	const struct link *link = &r->link[pf - r->host->frames];

	(void)reason;
	r->link[link->before].after = link->after;
	r->link[link->after].before = link->before;
}

static const struct z_eviction_ops pool_ranking = {
	.name = "buffer-pool",
	.summary = "pages of the table first, the oldest first; the index last",
	.state_bytes = ranking_bytes,
	.init = ranking_init,
	.select = ranking_select,
	.add = ranking_add,
	.remove = ranking_remove,
};

/* ---- the database ------------------------------------------------------------------------------- */

struct database {
	struct zpager *z;
	char *index, *table;
	size_t index_pages, table_pages;
	uint64_t wrong;
};

/* Half of the frames for the index, twice as many as there are for the table. */
static int open_database(struct database *db, const struct zpager_options *options)
{
	struct zpager_info info;
	struct z_stats stats;
	char error[256];
	int status = zpager_open(options, error, sizeof(error), &db->z);

	if (status != 0) {
		(void)printf("skipped: %s\n", error);
		return 77;
	}
	zpager_stats(db->z, &stats, &info);
	db->index_pages = info.frame_bytes / PAGE / 2;
	db->table_pages = info.frame_bytes / PAGE * 2;
	db->index = zpager_map(db->z, db->index_pages * PAGE, 0);
	db->table = zpager_map(db->z, db->table_pages * PAGE, 0);
	if (db->index == NULL || db->table == NULL) {
		(void)fprintf(stderr, "%s\n", zpager_last_error(db->z));
		return 1;
	}
	/* Each page comes by itself, so that the faults can be counted beforehand. */
	if (zpager_advise(db->z, db->index, db->index_pages * PAGE, Z_ADVICE_RANDOM) != 0 ||
	    zpager_advise(db->z, db->table, db->table_pages * PAGE, Z_ADVICE_RANDOM) != 0) {
		(void)fprintf(stderr, "%s\n", zpager_last_error(db->z));
		return 1;
	}
	table_start = db->table;
	table_end = db->table + db->table_pages * PAGE;
	return 0;
}

static void number(char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		memcpy(pages + i * PAGE, &i, sizeof(i));
	}
}

static uint64_t check(const char *pages, size_t n)
{
	uint64_t wrong = 0;

	for (size_t i = 0; i < n; i++) {
		wrong += memcmp(pages + i * PAGE, &i, sizeof(i)) != 0;
	}
	return wrong;
}

static void query(struct database *db)
{
	db->wrong += check(db->index, db->index_pages);
	db->wrong += check(db->table, db->table_pages);
}

/* faults_out: of QUERIES queries, after one that brought everything into its place. */
static int run(const struct zpager_options *options, struct database *db, uint64_t *faults_out)
{
	struct z_stats before, after;
	int status = open_database(db, options);

	if (status != 0) {
		return status;
	}
	number(db->table, db->table_pages);
	number(db->index, db->index_pages);
	query(db);
	zpager_stats(db->z, &before, NULL);
	for (unsigned int i = 0; i < QUERIES; i++) {
		query(db);
	}
	zpager_stats(db->z, &after, NULL);
	*faults_out = after.pagefaults - before.pagefaults;
	return zpager_close(db->z) != 0 || db->wrong != 0;
}

int main(void)
{
	struct zpager_options options = {.ram_bytes = RAM, .store = "ram:size=64M&own=yes"};
	struct database by_clock = {0}, by_pool = {0};
	uint64_t clock_faults = 0, pool_faults = 0;
	int status;

	options.eviction = "clock";
	status = run(&options, &by_clock, &clock_faults);
	if (status == 0) {
		options.eviction_ops = &pool_ranking;
		status = run(&options, &by_pool, &pool_faults);
	}
	if (status != 0) {
		return status;
	}
	(void)printf("%u queries, an index of %zu pages, a table of %zu\n"
		     "clock: %llu faults; the pool's own ranking: %llu\n",
		     QUERIES, by_pool.index_pages, by_pool.table_pages,
		     (unsigned long long)clock_faults, (unsigned long long)pool_faults);
	/* The index never leaves, and each scan finds none of its pages. Clock loses the index too. */
	return pool_faults != QUERIES * by_pool.table_pages ||
	       clock_faults != QUERIES * (by_clock.index_pages + by_clock.table_pages);
}
