/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_random.c - random operations compared with the reference model, over a matrix: eviction x
 * store x frames x batch x unlock_for_io x scratch slots. One seed a cell and run.
 *
 * The first three algorithms, which the boards run, get every cell; each other one a seventh of them, not
 * the same as the next one's, and others with the next seed. Every pair of settings is among these.
 *
 *   ZPAGER_SEED=n   seed of the whole program (default 1); printed with a failure
 *   ZPAGER_OPS=n    operations a cell (default 250)
 *   ZPAGER_CELL=n   this cell alone, whichever algorithm's it is
 *
 * A failure is shrunk and printed as lines of C, for a test in tests/regress.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/model.h"

#define OPS_DEFAULT 250
#define OPS_MAX     100000
#define WHOLE       3 /* algorithms */
#define THIN        7

static const char *const evictions[] = {
	"nru", "clock", "lru", "sieve", "s3fifo", "clockpro", "mglru", "learned",
};
static const uint32_t frame_counts[] = {1, 2, 3, 4, 16, 64};
static const uint32_t batches[] = {1, 4, 64};

#define EVICTIONS ((uint32_t)(sizeof(evictions) / sizeof(evictions[0])))
#define CELLS     (EVICTIONS * MODEL_STORES * 6U * 3U * 2U * 2U)

static struct model_op ops[OPS_MAX];
static unsigned long current_cell;
static unsigned long seed;

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoul(text, NULL, 0) : otherwise;
}

static uint32_t digit(uint32_t *number, uint32_t base)
{
	uint32_t d = *number % base;

	*number /= base;
	return d;
}

/* The cell of that number; what is not in the matrix comes from the random numbers. */
static struct model_cell cell_of(uint32_t number, uint64_t *random)
{
	struct model_cell cell = {0};
	uint64_t bits = model_random(random);

	cell.unlock_for_io = digit(&number, 2) != 0;
	cell.scratch_slots = digit(&number, 2) != 0 ? 8 : 1;
	cell.batch = batches[digit(&number, 3)];
	cell.frames = frame_counts[digit(&number, 6)];
	cell.store = (enum model_store)digit(&number, MODEL_STORES);
	cell.eviction = evictions[digit(&number, EVICTIONS)];
	cell.low_water = (bits & 1) != 0 ? cell.frames / 8 : 0;
	cell.soft_ad = (bits >> 1 & 3) == 0;
	cell.direct_save = cell.scratch_slots > 1 && (bits >> 3 & 1) != 0;
	cell.commit = (bits >> 4 & 3) == 0 ? Z_COMMIT_HEURISTIC : Z_COMMIT_STRICT;
	cell.max_regions = (bits >> 6 & 1) != 0 ? 4 : 64;
	cell.failures = (bits >> 7 & 1) != 0;
	cell.ahead = (bits >> 8 & 1) != 0 ? 8 : 0;
	return cell;
}

static void report(const struct model_cell *cell, size_t n)
{
	char text[400];

	print_message("seed %lu, cell %lu: replay with ZPAGER_SEED=%lu ZPAGER_CELL=%lu\n", seed,
		      current_cell, seed, current_cell);
	if (!model_fails(cell, ops, n, text, sizeof(text))) {
		print_message("it does not fail in a process of its own\n");
		return;
	}
	n = model_shrink(cell, ops, n);
	(void)model_fails(cell, ops, n, text, sizeof(text));
	print_message("shrunk to %zu operations, %s\n", n, text);
	model_print_cell(cell, text, sizeof(text));
	print_message("%s\n", text);
	for (size_t i = 0; i < n; i++) {
		model_print(&ops[i], text, sizeof(text));
		print_message("%s\n", text);
	}
}

static void run_cell(uint32_t number, size_t count)
{
	uint64_t random = seed * 1000003u + number;
	struct model_cell cell = cell_of(number, &random);
	struct model_run r;
	bool ok;
	size_t n = 0;

	current_cell = number;
	ok = model_begin(&r, &cell);
	while (n < count && ok) {
		ops[n] = model_invent(&r, &random);
		ok = model_step(&r, &ops[n]);
		n++;
	}
	if (model_end(&r)) {
		return;
	}
	print_message("after %zu operations: %s\n", n, r.text);
	report(&cell, n);
	fail_msg("%s", r.text);
}

static void died(int signal_number)
{
	static const char text[] = "the model test died: see the cell below\n";
	char line[128];
	int n = snprintf(line, sizeof(line), "replay with ZPAGER_SEED=%lu ZPAGER_CELL=%lu\n", seed,
			 current_cell);

	if (write(2, text, sizeof(text) - 1) < 0 || write(2, line, (size_t)n) < 0) {
		_exit(3);
	}
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

/* Is a cell of that algorithm run? THIN has no divisor in common with the lengths of the tables. */
static bool is_chosen(uint32_t number, uint32_t part)
{
	return part < WHOLE || (number + part + seed) % THIN == 0;
}

/* The cells of one algorithm, whose place in the table is given. */
static void is_as_the_model(void **state)
{
	uint32_t part = *(const uint32_t *)*state;
	size_t count = setting("ZPAGER_OPS", OPS_DEFAULT);
	unsigned long only = setting("ZPAGER_CELL", CELLS);
	uint32_t cells = CELLS / EVICTIONS;

	seed = setting("ZPAGER_SEED", 1);
	for (uint32_t i = part * cells; i < (part + 1) * cells; i++) {
		if (only == CELLS ? is_chosen(i, part) : only == i) {
			run_cell(i, count < OPS_MAX ? count : OPS_MAX);
		}
	}
}

int main(void)
{
	struct CMUnitTest tests[sizeof(evictions) / sizeof(evictions[0])];
	uint32_t parts[sizeof(evictions) / sizeof(evictions[0])];

	for (uint32_t i = 0; i < EVICTIONS; i++) {
		parts[i] = i;
		tests[i] = (struct CMUnitTest){
			.name = evictions[i],
			.test_func = is_as_the_model,
			.initial_state = &parts[i],
		};
	}
	signal(SIGILL, died);
	signal(SIGSEGV, died);
	signal(SIGABRT, died);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
