/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_store_uri.c - what a store's URI may be, and what is said about one that may not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

struct refusal {
	const char *uri;
	int err;
	const char *says; /* a part of the text */
};

static const struct refusal refusals[] = {
	{"", Z_ERR_INVAL, "there are: ram, lz4, file, tier"},
	{"disk", Z_ERR_INVAL, "'disk' is not a store; there are: ram, lz4, file, tier"},
	{"ra", Z_ERR_INVAL, "'ra' is not a store"},
	{"rams:size=1M", Z_ERR_INVAL, "'rams' is not a store"},
	{"ram", Z_ERR_INVAL, "ram:size=64M"},
	{"ram:", Z_ERR_INVAL, "ram:size=64M"},
	{"ram:size", Z_ERR_INVAL, "'size' is not KEY=VALUE"},
	{"ram:size=", Z_ERR_INVAL, "has no value"},
	{"ram:/tmp?size=1M", Z_ERR_INVAL, "'/tmp' is not KEY=VALUE"},
	{"ram:size=1M&own", Z_ERR_INVAL, "'own' has no value"},
	{"ram:size=1M&colour=red", Z_ERR_INVAL,
	 "unknown option 'colour'; options are: size own keep"},
	{"ram:size=1M&size=2M", Z_ERR_INVAL, "'size' is given twice"},
	{"ram:size=1M&own=maybe", Z_ERR_INVAL, "write own=yes or own=no"},
	{"ram:size=lots", Z_ERR_INVAL, "is not a size; write 64K"},
	{"ram:size=1X", Z_ERR_INVAL, "is not a size"},
	{"ram:size=1MB", Z_ERR_INVAL, "is not a size"},
	{"ram:size=-1M", Z_ERR_INVAL, "is not a size"},
	{"ram:size=1.5M", Z_ERR_INVAL, "is not a size"},
	{"ram:size=10%", Z_ERR_INVAL, "is not a size"},
	{"ram:size=99999999999999999999", Z_ERR_INVAL, "is not a size"},
	{"ram:size=0", Z_ERR_INVAL, "too small"},
	{"ram:size=8191", Z_ERR_INVAL, "too small"},
	{"ram:size=17T", Z_ERR_INVAL, "too large"},
	{"ram:size=999999999999999999T", Z_ERR_INVAL, "too large"},
	{"lz4:own=yes", Z_ERR_INVAL, "lz4:size=64M&own=yes"},
	{"lz4:size=8K", Z_ERR_NOMEM, "own tables"},
	{"file:/nowhere/at/all", Z_ERR_IO, "cannot make a swap file in /nowhere/at/all"},
	{"file:/etc/passwd", Z_ERR_IO, "exists already"},
	{"file:?io=fast&tmpfs=yes", Z_ERR_INVAL, "io=auto, io=uring or io=sync"},
	{"file:?direct=perhaps&tmpfs=yes", Z_ERR_INVAL, "direct=auto, yes or no"},
	{"file:?size=15T&tmpfs=yes", Z_ERR_NOSPC, "there is room for"},
	{"file:?own=yes", Z_ERR_INVAL, "unknown option 'own'"},
	{"tier:", Z_ERR_INVAL, "needs two stores"},
	{"tier:ram:size=1M", Z_ERR_INVAL, "needs two stores"},
	{"tier:tier:ram:size=1M,ram:size=1M,ram:size=1M", Z_ERR_INVAL, "the first not a tier"},
	{"tier:ram,ram:size=1M", Z_ERR_INVAL, "ram:size=64M"},
	{"tier:ram:size=1M,disk", Z_ERR_INVAL, "'disk' is not a store"},
};

static void test_refusals(void **state)
{
	struct store_budget budget;
	struct z_store_env env;
	char *before = (char *)&budget;

	(void)state;
	store_budget_init(&budget);
	env = store_budget_env(&budget);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		struct z_store *store = (struct z_store *)(void *)before;
		char error[256] = "";
		int err = z_store_open(r->uri, &env, error, sizeof(error), &store);

		if (err != r->err || strstr(error, r->says) == NULL ||
		    strchr(error, '\n') != NULL) {
			fail_msg("%s: %d '%s', expected %d '%s'", r->uri, err, error, r->err,
				 r->says);
		}
		assert_ptr_equal(store, before);
		assert_int_equal(z_store_open(r->uri, &env, NULL, 0, &store), r->err);
		assert_int_equal(atomic_load(&budget.charged), 0);
		assert_int_equal(atomic_load(&budget.allocated), 0);
	}
}

static void test_long_uri_is_refused(void **state)
{
	struct store_budget budget;
	struct z_store_env env;
	struct z_store *store;
	char uri[8000];
	char error[30];

	(void)state;
	store_budget_init(&budget);
	env = store_budget_env(&budget);
	memset(uri, 'a', sizeof(uri));
	memcpy(uri, "file:/", 6);
	uri[sizeof(uri) - 1] = 0;
	memset(error, 'x', sizeof(error));
	assert_int_equal(z_store_open(uri, &env, error, sizeof(error), &store), Z_ERR_INVAL);
	assert_int_equal(strlen(error), sizeof(error) - 1);
	memcpy(uri, "tier:/", 6);
	assert_int_equal(z_store_open(uri, &env, error, sizeof(error), &store), Z_ERR_INVAL);
}

static const struct {
	const char *uri;
	const char *name;
	uint64_t capacity; /* 0: do not look */
} accepted[] = {
	{"ram:size=8192", "ram", 2},
	{"ram:size=64K", "ram", 16},
	{"ram:size=64k", "ram", 16},
	{"ram:?size=65000", "ram", 15},
	{"ram:size=1M&own=no&keep=no", "ram", 256},
	{"ram:own=yes&size=1G", "ram", 262144},
	{"ram:size=1T", "ram", 268435456},
	{"lz4", "lz4", 0},
	{"lz4:", "lz4", 0},
	{"lz4:size=1M&own=yes", "lz4", 1024},
	{"file:?size=1M&tmpfs=yes", "file", 256},
	{"file:size=1M&tmpfs=yes&io=sync", "file", 256},
	{"file:/tmp?size=1M&tmpfs=yes", "file", 256},
	{"tier:ram:size=1M,file:/tmp?size=1M&tmpfs=yes", "tier", 512},
	{"tier:lz4:size=1M,file:/tmp?size=2M&tmpfs=yes", "tier", 512},
	{"tier:ram:size=1M,tier:ram:size=1M,ram:size=2M", "tier", 1024},
};

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		struct store_budget budget;
		struct z_store_env env;
		struct z_store_stats stats;
		struct z_store *store = NULL;
		char error[256] = "";

		store_budget_init(&budget);
		env = store_budget_env(&budget);
		if (z_store_open(accepted[i].uri, &env, error, sizeof(error), &store) != 0) {
			fail_msg("%s: %s", accepted[i].uri, error);
		}
		assert_string_equal(store->ops->name, accepted[i].name);
		store->ops->stats(store, &stats);
		if (accepted[i].capacity != 0) {
			assert_int_equal(stats.capacity_pages, accepted[i].capacity);
		}
		assert_int_equal(stats.ram_bytes - stats.beyond_bytes,
				 atomic_load(&budget.charged) * Z_PAGE_SIZE);
		assert_true(stats.ram_bytes <= 4U << 20);
		store->ops->close(store);
		assert_int_equal(atomic_load(&budget.charged), 0);
		assert_int_equal(atomic_load(&budget.allocated), 0);
	}
}

static void test_every_store_is_named(void **state)
{
	const char *const names[] = {"ram", "lz4", "file", "tier"};
	const char *summary;
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		summary = NULL;
		assert_string_equal(z_store_name_at(i, &summary), names[i]);
		assert_non_null(strstr(summary, names[i]));
		assert_string_equal(z_store_name_at(i, NULL), names[i]);
	}
	assert_null(z_store_name_at(i, &summary));
}

/* With the n-th allocation, or charge, failing: an error, and nothing left behind. */
static void test_open_when_memory_runs_out(void **state)
{
	const char *const uris[] = {"ram:size=1M", "lz4:size=1M", "file:?size=1M&tmpfs=yes",
				    "tier:lz4:size=1M,file:?size=1M&tmpfs=yes"};

	(void)state;
	for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
		int n = 0;
		int err;

		do {
			struct store_budget budget;
			struct z_store_env env;
			struct z_store *store;

			store_budget_init(&budget);
			atomic_store(&budget.allocs_left, n++);
			env = store_budget_env(&budget);
			err = z_store_open(uris[i], &env, NULL, 0, &store);
			if (err == 0) {
				store->ops->close(store);
			} else {
				assert_true(err == Z_ERR_NOMEM || err == Z_ERR_NOSPC);
			}
			assert_int_equal(atomic_load(&budget.charged), 0);
			assert_int_equal(atomic_load(&budget.allocated), 0);
		} while (err != 0);
		assert_true(n > 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_long_uri_is_refused),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_every_store_is_named),
		cmocka_unit_test(test_open_when_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
