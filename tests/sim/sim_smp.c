/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_smp.c - several simulated CPUs: the scheduler by itself (same seed, same run; lock, wait and
 * wake; deadlocks; forced switches), and the pager under programs that share pages.
 *
 * What programs on several CPUs leave in memory is checked exactly: each byte has one writer, or is
 * only ever changed by an instruction that reads and writes at one moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../support/sim_stub.h"
#include "../support/sim_world.h"

#define CPUS     4
#define VM_BASE  ((uintptr_t)0x10000000)
#define VM_PAGES 16

static struct z_sim *make_sim(bool early_wakeups)
{
	struct z_sim_config config = {
		.frames = 8,
		.vm_base = VM_BASE,
		.vm_pages = VM_PAGES,
		.cpus = CPUS,
		.early_wakeups = early_wakeups,
	};
	struct z_sim *sim = NULL;

	assert_int_equal(z_sim_create(&config, &sim), 0);
	return sim;
}

static void run(struct z_sim *sim, void (*task)(struct z_sim *sim, void *arg), void *arg,
		unsigned int n, uint64_t seed)
{
	struct z_sim_task tasks[Z_SIM_CPUS_MAX];

	for (unsigned int i = 0; i < n; i++) {
		tasks[i] = (struct z_sim_task){task, arg};
	}
	assert_int_equal(z_sim_run(sim, tasks, n, seed), 0);
}

/* ---- the scheduler by itself ---- */

struct shared {
	unsigned int inside;
	unsigned int overlaps;
	unsigned int turns;
	bool flag;
};

static void take_turns(struct z_sim *sim, void *arg)
{
	const struct z_env_ops *env = z_sim_env(sim);
	struct shared *shared = arg;

	for (unsigned int i = 0; i < 100; i++) {
		z_key_t key = env->lock(sim);

		shared->overlaps += shared->inside++ != 0;
		z_sim_yield(sim);
		shared->inside--;
		shared->turns++;
		env->unlock(sim, key);
	}
}

static void lock_excludes_other_cpus(void **state)
{
	struct z_sim *sim = make_sim(false);
	struct shared shared = {0};

	(void)state;
	run(sim, take_turns, &shared, CPUS, 1);
	assert_int_equal(shared.turns, CPUS * 100);
	assert_int_equal(shared.overlaps, 0);
	assert_true(z_sim_counters_of(sim)->contended > 0);
	assert_int_equal(z_sim_errors(sim), 0);
	z_sim_destroy(sim);
}

static uint64_t trace_of(uint64_t seed, uint64_t *switches_out)
{
	struct z_sim *sim = make_sim(true);
	struct shared shared = {0};
	uint64_t trace;

	run(sim, take_turns, &shared, CPUS, seed);
	trace = z_sim_trace(sim);
	*switches_out = z_sim_switches(sim);
	z_sim_destroy(sim);
	return trace;
}

static void same_seed_same_run(void **state)
{
	uint64_t switches_a;
	uint64_t switches_b;
	uint64_t first = trace_of(7, &switches_a);

	(void)state;
	assert_true(first == trace_of(7, &switches_b));
	assert_true(switches_a == switches_b);
	assert_true(switches_a > 100);
	assert_true(first != trace_of(8, &switches_b));
}

static void wait_for_flag(struct z_sim *sim, void *arg)
{
	const struct z_env_ops *env = z_sim_env(sim);
	struct shared *shared = arg;
	z_key_t key = env->lock(sim);

	if (z_sim_cpu(sim) == 0) {
		shared->flag = true;
		env->wake(sim, &shared->flag);
	}
	while (!shared->flag) {
		key = env->wait(sim, &shared->flag, key);
		assert_true(z_sim_lock_held(sim));
		assert_false(z_sim_irqs_on(sim));
	}
	shared->turns++;
	env->unlock(sim, key);
	assert_true(z_sim_irqs_on(sim));
}

static void wake_reaches_all_who_wait(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct z_sim *sim = make_sim(seed % 2 == 1);
		struct shared shared = {0};

		run(sim, wait_for_flag, &shared, CPUS, seed);
		assert_int_equal(shared.turns, CPUS);
		assert_int_equal(z_sim_errors(sim), 0);
		z_sim_destroy(sim);
	}
}

static void wait_in_vain(struct z_sim *sim, void *arg)
{
	const struct z_env_ops *env = z_sim_env(sim);
	z_key_t key = env->lock(sim);

	key = env->wait(sim, arg, key);
	env->unlock(sim, key);
}

static void deadlock_is_found_and_said(void **state)
{
	struct z_sim *sim = make_sim(false);
	struct z_sim_task tasks[2] = {{wait_in_vain, &sim}, {wait_in_vain, &sim}};

	(void)state;
	assert_int_equal(z_sim_run(sim, tasks, 2, 1), Z_ERR_BUSY);
	assert_true(z_sim_dead(sim));
	assert_int_equal(z_sim_errors(sim), 1);
	assert_non_null(strstr(z_sim_error_text(sim), "deadlock: [cpu 0 waits for"));
	assert_int_equal(z_sim_run(sim, tasks, 2, 1), Z_ERR_INVAL);
	z_sim_destroy(sim);
}

static void lock_for_ever(struct z_sim *sim, void *arg)
{
	const struct z_env_ops *env = z_sim_env(sim);

	(void)arg;
	for (;;) {
		z_key_t key = env->lock(sim);

		env->unlock(sim, key);
	}
}

static void endless_run_is_found_and_said(void **state)
{
	struct z_sim_config config = {
		.frames = 1, .vm_base = VM_BASE, .vm_pages = 1, .cpus = 2, .max_picks = 10000};
	struct z_sim_task tasks[2] = {{lock_for_ever, NULL}, {lock_for_ever, NULL}};
	struct z_sim *sim = NULL;

	(void)state;
	assert_int_equal(z_sim_create(&config, &sim), 0);
	assert_int_equal(z_sim_run(sim, tasks, 2, 1), Z_ERR_BUSY);
	assert_int_equal(z_sim_errors(sim), 1);
	assert_non_null(strstr(z_sim_error_text(sim), "endless run"));
	z_sim_destroy(sim);
}

static void keep_the_lock(struct z_sim *sim, void *arg)
{
	(void)arg;
	(void)z_sim_env(sim)->lock(sim);
}

static void ending_with_the_lock_is_an_error(void **state)
{
	struct z_sim *sim = make_sim(false);

	(void)state;
	run(sim, keep_the_lock, NULL, 1, 1);
	assert_int_equal(z_sim_errors(sim), 1);
	assert_non_null(strstr(z_sim_error_text(sim), "with the pager lock held"));
	z_sim_destroy(sim);
}

static void unlock_once(struct z_sim *sim, void *arg)
{
	const struct z_env_ops *env = z_sim_env(sim);
	unsigned int *order = arg;

	if (z_sim_cpu(sim) == 0) {
		z_key_t key = env->lock(sim);

		env->unlock(sim, key);
	}
	*order = *order * 10 + z_sim_cpu(sim) + 1;
}

/* With switches off CPU 0 would end first; the forced one at its unlock lets CPU 1 through. */
static void forced_switch_at_an_unlock(void **state)
{
	struct z_sim_config config = {
		.frames = 1, .vm_base = VM_BASE, .vm_pages = 1, .cpus = 2, .switch_percent = 1};

	(void)state;
	for (uint64_t seed = 0, forced = 0; forced < 5; seed++) {
		struct z_sim *sim = NULL;
		unsigned int order = 0;

		assert_true(seed < 1000);
		assert_int_equal(z_sim_create(&config, &sim), 0);
		run(sim, unlock_once, &order, 2, seed);
		if (order == 12) {
			order = 0;
			z_sim_inject(sim, Z_SIM_POINT_UNLOCK, 1, 1, 0);
			run(sim, unlock_once, &order, 2, seed);
			assert_int_equal(order, 21);
			forced++;
		}
		z_sim_destroy(sim);
	}
}

/* ---- programs and the stub ---- */

static void stub_program(struct z_sim *sim, void *arg)
{
	uintptr_t mine = VM_BASE + z_sim_cpu(sim) * 8;

	(void)arg;
	for (uint64_t i = 0; i < 200; i++) {
		uintptr_t va = mine + (i * 5 % VM_PAGES) * Z_PAGE_SIZE;
		uint64_t value;

		assert_int_equal(z_sim_load64(sim, va, &value), Z_SIM_OK);
		assert_int_equal(z_sim_store64(sim, va, value + 1), Z_SIM_OK);
	}
}

/* Each CPU counts in its own word of each page. Returns how many words are wrong at the end. */
static unsigned int run_stub(uint64_t seed, bool break_shootdowns)
{
	struct z_sim *sim = make_sim(false);
	struct sim_stub stub;
	unsigned int wrong = 0;
	z_key_t key;

	sim_stub_init(&stub, sim);
	key = z_sim_env(sim)->lock(sim);
	assert_int_equal(z_sim_arch(sim)->map(sim, VM_BASE, VM_PAGES, SIM_WORLD_RW), 0);
	z_sim_env(sim)->unlock(sim, key);
	if (break_shootdowns) {
		z_sim_inject(sim, Z_SIM_POINT_SHOOTDOWN, 1, UINT64_MAX, 0);
	}
	run(sim, stub_program, NULL, CPUS, seed);
	for (size_t page = 0; page < VM_PAGES; page++) {
		for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
			uint64_t value;

			assert_int_equal(
				z_sim_load64(sim, VM_BASE + page * Z_PAGE_SIZE + cpu * 8, &value),
				Z_SIM_OK);
			wrong += value != 200 / VM_PAGES + (page * 13 % VM_PAGES < 200 % VM_PAGES);
		}
	}
	assert_string_equal(z_sim_error_text(sim), "");
	assert_true(break_shootdowns || stub.outs > VM_PAGES);
	sim_stub_end(&stub);
	z_sim_destroy(sim);
	return wrong;
}

static void programs_share_pages(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 50; seed++) {
		assert_int_equal(run_stub(seed, false), 0);
	}
}

static void missing_shootdowns_lose_writes(void **state)
{
	(void)state;
	assert_true(run_stub(1, true) > 0);
}

/* ---- programs and the pager ---- */

struct job {
	struct sim_world *w;
	uintptr_t va;
	size_t pages;
	unsigned int rounds;
};

static void count_program(struct z_sim *sim, void *arg)
{
	const struct job *job = arg;
	uint64_t random = z_sim_cpu(sim) + 1;

	for (unsigned int i = 0; i < job->rounds; i++) {
		uint64_t value;
		uintptr_t va;

		random = random * 6364136223846793005u + 1442695040888963407u;
		va = job->va + (random >> 33) % job->pages * Z_PAGE_SIZE + z_sim_cpu(sim) * 8;
		assert_int_equal(z_sim_load64(sim, va, &value), Z_SIM_OK);
		assert_int_equal(z_sim_store64(sim, va, value + 1), Z_SIM_OK);
	}
}

static uint64_t sum_of_counts(const struct job *job, unsigned int cpu)
{
	uint64_t sum = 0;

	for (size_t page = 0; page < job->pages; page++) {
		uint64_t value;

		assert_int_equal(
			z_sim_load64(job->w->sim, job->va + page * Z_PAGE_SIZE + cpu * 8, &value),
			Z_SIM_OK);
		sum += value;
	}
	return sum;
}

static void pager_keeps_every_write(const struct sim_world_params *params, uint64_t seed)
{
	struct sim_world *w = sim_world_open(params);
	struct job job = {.w = w, .pages = 20, .rounds = 150};

	job.va = sim_world_map(w, job.pages, SIM_WORLD_RW, 0);
	sim_world_run(w, count_program, &job, CPUS, seed);
	sim_world_check(w);
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		assert_int_equal(sum_of_counts(&job, cpu), job.rounds);
	}
	assert_true(sim_world_stats(w).pages_written > 0);
	sim_world_close(w);
}

static void pager_matrix(void **state)
{
	const struct z_eviction_ops *eviction;

	(void)state;
	for (size_t i = 0; (eviction = z_eviction_at(i)) != NULL; i++) {
		for (unsigned int v = 0; v < 32; v++) {
			struct sim_world_params params = {
				.frames = v & 1 ? 6 : 12,
				.eviction = eviction->name,
				.cpus = CPUS,
				.batch = v & 2 ? 4 : 1,
				.low_water = v & 2 ? 2 : 0,
				.ahead = v & 1 ? 0 : 4,
				.soft_ad = (v & 4) != 0,
				.keep_lock_for_io = (v & 8) != 0,
				.scratch_slots = v & 16 ? 1 : 8,
				.early_wakeups = (v & 1) != 0,
				.events = 64,
				.ghosts = 16,
			};

			pager_keeps_every_write(&params, v);
		}
	}
}

static void touch_one(struct z_sim *sim, void *arg)
{
	uint64_t value;

	assert_int_equal(z_sim_load64(sim, *(uintptr_t *)arg, &value), Z_SIM_OK);
	assert_true(value == 42);
}

/* CPUs that fault on one page together cause one read of the store. */
static void one_page_one_read(void **state)
{
	unsigned int waits = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct sim_world *w =
			sim_world_open(&(struct sim_world_params){.frames = 8, .cpus = CPUS});
		uintptr_t va = sim_world_map(w, 1, SIM_WORLD_RW, 0);

		assert_int_equal(z_sim_store64(w->sim, va, 42), Z_SIM_OK);
		assert_int_equal(z_pager_page_out(w->pager, va, 1, NULL), 0);
		sim_world_run(w, touch_one, &va, CPUS, seed);
		assert_int_equal(sim_world_stats(w).pages_read, 1);
		waits += sim_world_stats(w).fault_waits > 0;
		sim_world_close(w);
	}
	assert_true(waits > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_excludes_other_cpus),
		cmocka_unit_test(same_seed_same_run),
		cmocka_unit_test(wake_reaches_all_who_wait),
		cmocka_unit_test(deadlock_is_found_and_said),
		cmocka_unit_test(endless_run_is_found_and_said),
		cmocka_unit_test(ending_with_the_lock_is_an_error),
		cmocka_unit_test(forced_switch_at_an_unlock),
		cmocka_unit_test(programs_share_pages),
		cmocka_unit_test(missing_shootdowns_lose_writes),
		cmocka_unit_test(pager_matrix),
		cmocka_unit_test(one_page_one_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
