/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_shrink.c - making a failing list of operations short, and printing it.
 *
 * Theory. A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002),
 * without its tests of the small part alone: leave out one piece of 1/k of the list after another,
 * keep what still fails, then halve the pieces, down to single operations, until none can go. Each
 * attempt is a process, so that a crash is a failure like any other.
 *
 * Locks: none. Limits: any failure counts as the same one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model.h"

#define TEXT_MAX 400

/* The run itself, in the child. */
static void attempt(const struct model_cell *cell, const struct model_op *ops, size_t n, char *text)
{
	struct model_run r;
	bool ok = model_begin(&r, cell);
	size_t i;

	for (i = 0; i < n && ok; i++) {
		ok = model_step(&r, &ops[i]);
	}
	ok = model_end(&r);
	snprintf(text, TEXT_MAX, "after %zu operations: %.300s", i, r.text);
	_exit(ok ? 0 : 1);
}

bool model_fails(const struct model_cell *cell, const struct model_op *ops, size_t n, char *text,
		 size_t text_bytes)
{
	char *shared =
		mmap(NULL, TEXT_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	pid_t child;

	if (shared == MAP_FAILED) {
		abort();
	}
	fflush(NULL);
	child = fork();
	if (child == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL) {
			_exit(2);
		}
		alarm(30);
		attempt(cell, ops, n, shared);
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		abort();
	}
	if (WIFSIGNALED(status)) {
		snprintf(text, text_bytes, "died of signal %d", WTERMSIG(status));
	} else {
		snprintf(text, text_bytes, "%s", shared);
	}
	munmap(shared, TEXT_MAX);
	return status != 0;
}

/* Leave out [from, from + piece). true: it still fails, and the list is shorter. */
static bool drop(const struct model_cell *cell, struct model_op *ops, size_t *n, size_t from,
		 size_t piece)
{
	size_t end = from + piece < *n ? from + piece : *n;
	size_t left = *n - (end - from);
	struct model_op *shorter = malloc((left + 1) * sizeof(*shorter));
	char text[TEXT_MAX];
	bool fails;

	if (shorter == NULL) {
		abort();
	}
	memcpy(shorter, ops, from * sizeof(*ops));
	memcpy(shorter + from, ops + end, (*n - end) * sizeof(*ops));
	fails = model_fails(cell, shorter, left, text, sizeof(text));
	if (fails) {
		memcpy(ops, shorter, left * sizeof(*ops));
		*n = left;
	}
	free(shorter);
	return fails;
}

size_t model_shrink(const struct model_cell *cell, struct model_op *ops, size_t n)
{
	size_t piece = (n + 1) / 2;
	bool shorter = true;

	while (piece > 1 || shorter) {
		shorter = false;
		for (size_t from = 0; from < n;) {
			if (drop(cell, ops, &n, from, piece)) {
				shorter = true;
			} else {
				from += piece;
			}
		}
		piece = piece > 1 ? piece / 2 : 1;
	}
	return n;
}

void model_print(const struct model_op *op, char *text, size_t bytes)
{
	static const char *const names[MODEL_KINDS] = {
		"map",       "unmap",        "read",        "write",      "load64",  "store64",
		"page_in",   "page_out",     "pin",         "unpin",      "advise",  "protect",
		"evict",     "bank_offline", "bank_online", "set_frames", "reclaim", "fail_store",
		"fail_port", "quiet",        "nonsense",
	};

	snprintf(text, bytes,
		 "{.kind = %d /* %s */, .page = %u, .n = %u, .prot = %u, .flags = %u, .aux = %u, "
		 ".bytes = %u, .value = %lluu},",
		 (int)op->kind, names[op->kind], op->page, op->n, op->prot, op->flags, op->aux,
		 op->bytes, (unsigned long long)op->value);
}

void model_print_cell(const struct model_cell *cell, char *text, size_t bytes)
{
	snprintf(text, bytes,
		 "{.eviction = \"%s\", .store = %d, .frames = %u, .batch = %u, .low_water = %u, "
		 ".ahead = %u, .unlock_for_io = %d, .scratch_slots = %u, .soft_ad = %d, "
		 ".direct_save = %d, "
		 ".commit = %d, .max_regions = %u, .failures = %d}",
		 cell->eviction, (int)cell->store, cell->frames, cell->batch, cell->low_water,
		 cell->ahead, cell->unlock_for_io, cell->scratch_slots, cell->soft_ad,
		 cell->direct_save, (int)cell->commit, cell->max_regions, cell->failures);
}
