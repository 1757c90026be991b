/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_plan.c - which runs `zpager bench` makes: the peers, the default set, and what options choose.
 *
 * Without a choice it is the set that the targets need: for each peer its cells, beside those of the
 * pager that is compared with it. With any choice it is the product of all lists.
 *
 * Locks: none.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cmd.h"

#define SIX                                                                                        \
	(BENCH_BIT(BENCH_RANDOM, BENCH_READ) | BENCH_BIT(BENCH_RANDOM, BENCH_WRITE) |              \
	 BENCH_BIT(BENCH_SEQUENTIAL, BENCH_READ) | BENCH_BIT(BENCH_SEQUENTIAL, BENCH_WRITE) |      \
	 BENCH_BIT(BENCH_ZIPF, BENCH_READ) | BENCH_BIT(BENCH_ZIPF, BENCH_BOTH))
#define SEQUENTIAL                                                                                 \
	(BENCH_BIT(BENCH_SEQUENTIAL, BENCH_READ) | BENCH_BIT(BENCH_SEQUENTIAL, BENCH_WRITE))
#define RANDOM_READ BENCH_BIT(BENCH_RANDOM, BENCH_READ)

#define LZ4_STORE  "lz4:size=%SIZE&own=yes"
#define FILE_STORE "file:%DIR?direct=yes"

const char *const bench_pattern_names[BENCH_PATTERNS] = {
	"random", "sequential", "zipf", "strided", "chase",
};
const char *const bench_access_names[BENCH_ACCESSES] = {"read", "write", "both"};

const struct bench_peer bench_peers[] = {
	{"zpager-lz4", BENCH_PAGER, LZ4_STORE, "signal", false, "zpager, lz4 store, signal"},
	{"zram", BENCH_ZRAM, NULL, NULL, false, "Linux swap on zram, lz4, page-cluster 0"},
	{"zpager-lz4-monitor", BENCH_PAGER, LZ4_STORE, "monitor", false,
	 "zpager, lz4 store, monitor thread"},
	{"zpager-file", BENCH_PAGER, FILE_STORE, "signal", false,
	 "zpager, file store past the page cache, signal"},
	{"swapfile", BENCH_SWAPFILE, NULL, NULL, false, "Linux swap file, page-cluster 0"},
	{"mmap", BENCH_MMAP, NULL, NULL, false, "mmap of a file, as it is"},
	{"mmap-random", BENCH_MMAP_RANDOM, NULL, NULL, false, "mmap of a file, MADV_RANDOM"},
	{"pread", BENCH_PREAD, NULL, NULL, false, "one O_DIRECT pread of 4 KiB an access"},
	{"zpager-fits", BENCH_PAGER, LZ4_STORE, "signal", true, "zpager, all of it resident"},
	{"plain", BENCH_PLAIN, NULL, NULL, true, "plain memory, all of it resident"},
	{"plain-huge", BENCH_PLAIN_HUGE, NULL, NULL, true, "the same with MADV_HUGEPAGE"},
	{"zpager", BENCH_PAGER, NULL, NULL, false, "zpager with --store and --fault-mode"},
};
const size_t bench_peer_count = sizeof(bench_peers) / sizeof(bench_peers[0]);

/* One line of the default set. */
struct choice {
	const char *peer;
	bool hi_too, quick;
	unsigned int threads; /* 1 up to so many */
	uint32_t cells;
};

static const struct choice defaults[] = {
	{"zpager-lz4", true, true, 2, SIX},
	{"zram", true, true, 2, SIX},
	{"zpager-lz4-monitor", false, false, 2, SIX},
	{"zpager-file", false, true, 2, SIX},
	{"swapfile", false, true, 2, SIX},
	{"mmap", false, true, 2, SEQUENTIAL},
	{"mmap-random", false, false, 1, SIX},
	{"pread", false, true, 1, RANDOM_READ},
	{"zpager-fits", false, true, 1, SIX},
	{"plain", false, true, 1, SIX},
};

struct lists {
	uint32_t patterns, accesses, contents; /* a bit each */
	unsigned int threads[BENCH_THREADS_MAX], shares[BENCH_THREADS_MAX];
	size_t nthreads, nshares;
};

const struct bench_peer *bench_find_peer(const char *name)
{
	for (size_t i = 0; i < bench_peer_count; i++) {
		if (strcmp(bench_peers[i].name, name) == 0) {
			return &bench_peers[i];
		}
	}
	return NULL;
}

/* The next word of a list with commas, cut out of it; NULL at its end. */
static char *next_word(char **list)
{
	char *word = *list;

	if (word == NULL) {
		return NULL;
	}
	*list = strchr(word, ',');
	if (*list != NULL) {
		*(*list)++ = '\0';
	}
	return word;
}

/* Bits of the words that a list has. NULL: all. */
static int words_of(const char *option, const char *list, const char *const *names, size_t n,
		    uint32_t *bits)
{
	char *copy = list != NULL ? strdup(list) : NULL;
	char *rest = copy;
	const char *word;
	int status = 0;

	*bits = list == NULL ? (1U << n) - 1 : 0;
	while (status == 0 && (word = next_word(&rest)) != NULL) {
		size_t i = 0;

		while (i < n && strcmp(names[i], word) != 0) {
			i++;
		}
		if (i == n) {
			status = cmd_fail(EXIT_USAGE, "%s %s: not known; --list names them", option,
					  word);
		} else {
			*bits |= 1U << i;
		}
	}
	free(copy);
	return status;
}

/* Numbers of a list, each perhaps after "1/". */
static int numbers_of(const char *option, const char *list, uint32_t most, unsigned int *numbers,
		      size_t *n)
{
	char *copy = strdup(list);
	char *rest = copy;
	const char *word;
	int status = 0;

	*n = 0;
	while (status == 0 && (word = next_word(&rest)) != NULL) {
		uint32_t number;

		word = strncmp(word, "1/", 2) == 0 ? word + 2 : word;
		if (!cmd_number(word, 1, most, &number) || *n == BENCH_THREADS_MAX) {
			status = cmd_fail(EXIT_USAGE, "%s %s: not numbers from 1 to %u", option,
					  list, most);
		} else {
			numbers[(*n)++] = number;
		}
	}
	free(copy);
	return status;
}

static int add(struct bench_plan *plan, const struct bench_peer *peer, enum bench_content content,
	       unsigned int threads, unsigned int share, uint32_t cells)
{
	if (plan->n == BENCH_RUNS_MAX) {
		return cmd_fail(EXIT_USAGE, "bench: more than %u runs: choose fewer",
				BENCH_RUNS_MAX);
	}
	plan->runs[plan->n++] = (struct bench_run){
		.peer = peer,
		.content = content,
		.threads = threads,
		.share = share,
		.cells = cells,
	};
	return 0;
}

/* Those of one kind of contents and number of threads: next to each other, as they are compared. */
static int default_runs(struct bench_plan *plan, enum bench_content content, unsigned int threads)
{
	int status = 0;

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]) && status == 0; i++) {
		const struct choice *c = &defaults[i];

		if ((c->quick || !plan->options.quick) && threads <= c->threads &&
		    (content == BENCH_HALF || c->hi_too)) {
			status = add(plan, bench_find_peer(c->peer), content, threads, 4, c->cells);
		}
	}
	return status;
}

static int default_set(struct bench_plan *plan)
{
	int status = 0;

	for (unsigned int threads = 1; threads <= 2 && status == 0; threads++) {
		status = default_runs(plan, BENCH_HALF, threads);
		if (status == 0) {
			status = default_runs(plan, BENCH_HI, threads);
		}
	}
	return status;
}

/* One kind of contents, number of threads and share of RAM, for all peers of a list. */
static int product_of_peers(struct bench_plan *plan, const char *peers, const struct bench_run *as)
{
	char *copy = strdup(peers);
	char *rest = copy;
	const char *word;
	int status = 0;

	while (status == 0 && (word = next_word(&rest)) != NULL) {
		const struct bench_peer *peer = bench_find_peer(word);

		if (peer == NULL) {
			status = cmd_fail(EXIT_USAGE, "--peers %s: not known; --list names them",
					  word);
		} else {
			status = add(plan, peer, as->content, as->threads, as->share,
				     peer->memory == BENCH_PREAD ? RANDOM_READ : as->cells);
		}
	}
	free(copy);
	return status;
}

static uint32_t cells_of(const struct lists *lists)
{
	uint32_t cells = 0;

	for (unsigned int p = 0; p < BENCH_PATTERNS; p++) {
		for (unsigned int a = 0; a < BENCH_ACCESSES; a++) {
			if ((lists->patterns & 1U << p) != 0 && (lists->accesses & 1U << a) != 0) {
				cells |= BENCH_BIT(p, a);
			}
		}
	}
	return cells;
}

static int product(struct bench_plan *plan, const struct lists *lists)
{
	const struct bench_options *o = &plan->options;
	const char *peers = o->peers != NULL   ? o->peers
			    : o->store != NULL ? "zpager"
					       : "zpager-lz4";
	bool six = o->patterns == NULL && o->accesses == NULL;
	size_t n = lists->nthreads * lists->nshares * BENCH_CONTENTS;
	int status = 0;

	for (size_t i = 0; i < n && status == 0; i++) {
		const struct bench_run as = {
			.content = (enum bench_content)(i % BENCH_CONTENTS),
			.threads = lists->threads[i / BENCH_CONTENTS / lists->nshares],
			.share = lists->shares[i / BENCH_CONTENTS % lists->nshares],
			.cells = six ? SIX : cells_of(lists),
		};

		if ((lists->contents & 1U << as.content) != 0) {
			status = product_of_peers(plan, peers, &as);
		}
	}
	return status;
}

int bench_plan_make(struct bench_plan *plan)
{
	const struct bench_options *o = &plan->options;
	struct lists lists = {0};
	int status;

	if (o->peers == NULL && o->patterns == NULL && o->accesses == NULL && o->threads == NULL &&
	    o->contents == NULL && o->shares == NULL && o->store == NULL) {
		return default_set(plan);
	}
	status = words_of("--patterns", o->patterns, bench_pattern_names, BENCH_PATTERNS,
			  &lists.patterns);
	if (status == 0) {
		status = words_of("--access", o->accesses, bench_access_names, BENCH_ACCESSES,
				  &lists.accesses);
	}
	if (status == 0) {
		status = words_of("--contents", o->contents != NULL ? o->contents : "half",
				  bench_content_names, BENCH_CONTENTS, &lists.contents);
	}
	if (status == 0) {
		status = numbers_of("--threads", o->threads != NULL ? o->threads : "1",
				    BENCH_THREADS_MAX, lists.threads, &lists.nthreads);
	}
	if (status == 0) {
		status = numbers_of("--budgets", o->shares != NULL ? o->shares : "1/4", 1024,
				    lists.shares, &lists.nshares);
	}
	return status == 0 ? product(plan, &lists) : status;
}
