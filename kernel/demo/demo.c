/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo.c - the application of the demo kernel: a program of user mode from the disk, on a board with
 * less memory for paging than the program needs, and what the pager does meanwhile.
 *
 * Command line: program=N the page of the disk that the program's image begins with (0); live=N a line
 * of figures and the map of the page frames every N seconds (0: never). The rest of the disk, behind
 * the image, is where pages go.
 */
#include "../disk.h"
#include "../kernel.h"
#include "../program.h"
#include "../user.h"

#include <zpager/mmu.h>

#define MAP_CHARS (Z_NUM_PAGE_FRAMES + Z_NUM_PAGE_FRAMES / 64 + 1)
#define SECOND    UINT64_C(1000000000)

static struct {
	uint64_t first;
	struct image_header header;
	struct z_store *store;
	uint64_t live;
	uint64_t began;
	bool over;
} demo;

static uint64_t number(const char *name)
{
	char text[12];
	uint64_t n = 0;

	if (!kernel_option(name, text, sizeof(text) - 1))
		return 0;
	for (const char *c = text; *c >= '0' && *c <= '9'; c++)
		n = n * 10 + (uint64_t)(*c - '0');
	return n;
}

static void print_figures(void)
{
	struct z_stats s;

	z_pager_stats(z_kernel_pager(), &s);
	kernel_print("~ %lu s: %lu faults, %lu pages in, %lu out, victims %lu clean %lu dirty, "
		     "%lu of %u frames free\n",
		     (unsigned long)((z_port_now() - demo.began) / SECOND),
		     (unsigned long)s.pagefaults, (unsigned long)s.pages_read,
		     (unsigned long)s.pages_written, (unsigned long)s.eviction_clean,
		     (unsigned long)s.eviction_dirty, (unsigned long)z_free_page_count,
		     (unsigned int)Z_NUM_PAGE_FRAMES);
}

static void live(void *arg)
{
	static char map[MAP_CHARS + 1];

	(void)arg;
	for (;;) {
		for (uint64_t i = 0; i < demo.live * 10; i++) {
			if (__atomic_load_n(&demo.over, __ATOMIC_RELAXED))
				thread_exit(0);
			thread_sleep(SECOND / 10);
		}
		print_figures();
		(void)z_pager_dump(z_kernel_pager(), map, MAP_CHARS);
		kernel_print("%s\n", map);
	}
}

/* The store and the pager, and the program in its place. */
static int start(uintptr_t *stack)
{
	const struct z_store_env env = kernel_store_env();
	struct z_block_options block = {.keep_copies = true};
	struct kernel_pager_options options = {.unlock_for_io = true};
	int err = disk_start(0);

	demo.first = number("program");
	demo.live = number("live");
	if (err == Z_OK)
		err = program_find(disk_device(), demo.first, &demo.header);
	if (err != Z_OK)
		return err;
	block.image_pages = demo.first + demo.header.pages;
	err = z_block_store_open(&env, disk_device(), &block, &demo.store);
	if (err != Z_OK)
		return err;
	options.store = demo.store;
	err = kernel_pager_start(&options);
	if (err == Z_OK)
		err = program_map(disk_device(), demo.first, &demo.header, stack);
	return err;
}

/* Everything is as it should be, now that nothing runs any more. */
static bool at_rest(void)
{
	const char *what = "";
	int broken = z_pager_check(z_kernel_pager(), Z_CHECK_CONTENTS, &what);

	if (broken != 0)
		kernel_print("invariant %d does not hold: %s\n", broken, what);
	return broken == 0 && kernel_pager_stop() == Z_OK;
}

unsigned int kernel_app(void)
{
	struct thread *program;
	struct thread *figures;
	unsigned long status;
	uintptr_t stack;
	int err = start(&stack);

	if (err != Z_OK) {
		kernel_print("the program cannot be started: %s\n", z_strerror(err));
		return 1;
	}
	demo.began = z_port_now();
	figures = demo.live > 0 ? thread_start("figures", live, NULL) : NULL;
	program = user_start("program", demo.header.entry, stack, 0, 0);
	if (program == NULL)
		kernel_panic("no memory for a thread", NULL);
	status = thread_join(program);
	__atomic_store_n(&demo.over, true, __ATOMIC_RELAXED);
	if (figures != NULL)
		(void)thread_join(figures);
	print_figures();
	kernel_print("the program ended: %s, status %u\n",
		     USER_WHY(status) == Z_PROBE_OK ? "by itself" : "by a fault",
		     USER_VALUE(status));
	return !at_rest() || USER_WHY(status) != Z_PROBE_OK || USER_VALUE(status) != 0;
}
