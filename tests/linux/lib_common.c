/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib_common.c - what the tests of the library share.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../arch/linux/instance.h"
#include "lib_common.h"

struct zpager *lib_open(const struct zpager_options *options)
{
	char error[256] = "";
	struct zpager *z = NULL;
	int result = zpager_open(options, error, sizeof(error), &z);

	if (result == Z_ERR_NOTSUP || result == Z_ERR_PERM) {
		printf("skipped: %s\n", error);
		return NULL;
	}
	if (result != 0) {
		fail_msg("zpager_open: %d: %s", result, error);
	}
	return z;
}

struct zpager *lib_simple(uint64_t ram_bytes, const char *fault_mode, const char *mechanism)
{
	struct zpager_options options = {
		.ram_bytes = ram_bytes,
		.store = LIB_RAM_STORE,
		.fault_mode = fault_mode,
		.mechanism = mechanism,
	};

	return lib_open(&options);
}

void lib_close(struct zpager *z)
{
	if (zpager_close(z) != 0) {
		fail_msg("zpager_close: %s", zpager_last_error(z));
	}
}

void lib_check(struct zpager *z, const void *region, size_t bytes)
{
	const char *what = "";
	struct zpager_info info;
	struct z_stats stats;

	if (z_pager_check(z->pager, Z_CHECK_PAGES, &what) != 0) {
		fail_msg("invariant: %s", what);
	}
	zpager_stats(z, &stats, &info);
	assert_true(info.frame_bytes + info.metadata_bytes + info.store_ram_bytes -
			    info.store_beyond_bytes <=
		    info.budget_bytes + 64 * LIB_PAGE);
	assert_true(info.metadata_bytes < info.budget_bytes);
	size_t resident = lib_resident(region, bytes);
	/* What the store charged a moment ago is evicted at the next fault. */
	assert_true(resident <= stats.frames_resident + stats.frames_free + 64);
	/* The reclaim thread may be moving a batch. */
	assert_in_range(stats.frames_free + stats.frames_resident + stats.frames_retired,
			z->budget.nframes - (z->reclaim.running ? z->reclaim.batch : 0),
			z->budget.nframes);
}

uint64_t lib_random(uint64_t *state)
{
	uint64_t x = (*state += UINT64_C(0x9E3779B97F4A7C15));

	x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

static uint64_t word_of(uint64_t number, uint64_t version, size_t i)
{
	uint64_t state = number * 1000003 + version + (i % 40 == 0 ? i << 40 : 0);

	return lib_random(&state);
}

LIB_TOUCHES_PAGES void lib_fill(void *page, uint64_t number, uint64_t version)
{
	uint64_t *words = page;

	for (size_t i = 0; i < LIB_PAGE / sizeof(*words); i++) {
		words[i] = word_of(number, version, i);
	}
}

LIB_TOUCHES_PAGES bool lib_is(const void *page, uint64_t number, uint64_t version)
{
	const uint64_t *words = page;

	for (size_t i = 0; i < LIB_PAGE / sizeof(*words); i++) {
		if (words[i] != word_of(number, version, i)) {
			return false;
		}
	}
	return true;
}

size_t lib_resident(const void *region, size_t bytes)
{
	size_t pages = bytes / LIB_PAGE;
	unsigned char *map = malloc(pages);
	size_t resident = 0;

	assert_non_null(map);
	assert_int_equal(mincore((void *)(uintptr_t)region, bytes, map), 0);
	for (size_t i = 0; i < pages; i++) {
		resident += map[i] & 1;
	}
	free(map);
	return resident;
}

int lib_child_status(void (*function)(void *), void *arg, char *text, size_t text_bytes)
{
	int ends[2];
	int status;
	size_t n = 0;

	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* The test runner's own handlers must not make a failed test of a signal. */
		for (int s = 1; s < 32; s++) {
			signal(s, SIG_DFL);
		}
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		function(arg);
		_exit(0);
	}
	close(ends[1]);
	for (;;) {
		char buffer[256];
		ssize_t got = read(ends[0], buffer, sizeof(buffer));
		if (got <= 0) {
			break;
		}
		for (ssize_t i = 0; i < got && n + 1 < text_bytes; i++) {
			text[n++] = buffer[i];
		}
	}
	if (text_bytes > 0) {
		text[n] = 0;
	}
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}
