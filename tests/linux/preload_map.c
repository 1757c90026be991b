/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preload_map.c - what mmap() and its family mean in a program under `zpager run`.
 *
 * Started without the preload library the test starts itself again under `zpager run`, with 16 MiB
 * for the 48 MiB and more that it works on, so that everything that is checked has been out.
 *
 * Skipped where there is no bin/zpager (sanitizers have a malloc of their own).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB    ((size_t)1 << 20)
#define PAGE   4096UL
#define BULK   (48 * MIB)
#define WINDOW ((uintptr_t)0x200000000000)

static sigjmp_buf escape;

static bool is_paged(const void *memory)
{
	return (uintptr_t)memory - WINDOW < (uintptr_t)1 << 44;
}

static uint64_t *map(size_t bytes, int prot)
{
	void *memory = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static void fill(uint64_t *words, size_t bytes, uint64_t seed)
{
	for (size_t i = 0; i < bytes / 8; i += 64) {
		words[i] = seed + i;
	}
}

static void check(const uint64_t *words, size_t bytes, uint64_t seed)
{
	for (size_t i = 0; i < bytes / 8; i += 64) {
		assert_int_equal(words[i], seed + i);
	}
}

static void check_zero(const uint64_t *words, size_t bytes)
{
	for (size_t i = 0; i < bytes / 8; i += 64) {
		assert_int_equal(words[i], 0);
	}
}

/* Pushes out what was touched before. */
static void press(void)
{
	uint64_t *bulk = map(BULK, PROT_READ | PROT_WRITE);

	fill(bulk, BULK, 1);
	assert_int_equal(munmap(bulk, BULK), 0);
}

static void on_signal(int number)
{
	siglongjmp(escape, number);
}

/* The signal that a touch raises, 0 if none. */
static int touch(volatile uint64_t *word, bool write)
{
	void (*segv)(int) = signal(SIGSEGV, on_signal);
	void (*bus)(int) = signal(SIGBUS, on_signal);
	int number = sigsetjmp(escape, 1);

	if (number == 0 && write) {
		*word = 1;
	} else if (number == 0) {
		(void)*word;
	}
	(void)signal(SIGSEGV, segv);
	(void)signal(SIGBUS, bus);
	return number;
}

static void test_large_is_paged_small_is_not(void **state)
{
	uint64_t *large = map(MIB, PROT_READ | PROT_WRITE);
	uint64_t *small = map(4 * PAGE, PROT_READ | PROT_WRITE);
	void *shared = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	void *heap = malloc(100);

	(void)state;
	assert_true(is_paged(large));
	assert_false(is_paged(small));
	assert_false(is_paged(shared));
	assert_true(is_paged(heap));
	check_zero(large, MIB);
	free(heap);
	munmap(shared, MIB);
	munmap(small, 4 * PAGE);
	munmap(large, MIB);
}

static void test_contents_survive(void **state)
{
	uint64_t *words = map(BULK, PROT_READ | PROT_WRITE);

	(void)state;
	fill(words, BULK, 77);
	check(words, BULK, 77);
	fill(words, BULK, 78);
	press();
	check(words, BULK, 78);
	munmap(words, BULK);
}

static void test_munmap_of_parts(void **state)
{
	char *memory = (char *)map(8 * MIB, PROT_READ | PROT_WRITE);

	(void)state;
	fill((uint64_t *)(void *)memory, 8 * MIB, 5);
	assert_int_equal(munmap(memory + 2 * MIB, MIB), 0);
	assert_int_equal(touch((uint64_t *)(void *)(memory + 2 * MIB), false), SIGSEGV);
	assert_int_equal(touch((uint64_t *)(void *)(memory + 3 * MIB - PAGE), true), SIGSEGV);
	check((uint64_t *)(void *)memory, 2 * MIB, 5);
	check((uint64_t *)(void *)(memory + 3 * MIB), MIB, 5 + 3 * MIB / 8);
	/* A hole inside is no error, as for the kernel. */
	assert_int_equal(munmap(memory, 8 * MIB), 0);
	assert_int_equal(touch((uint64_t *)(void *)memory, false), SIGSEGV);
	assert_int_equal(munmap(memory + 1, PAGE), -1);
	assert_int_equal(errno, EINVAL);
}

static void test_fixed_replaces(void **state)
{
	char *memory = (char *)map(4 * MIB, PROT_READ | PROT_WRITE);
	void *middle = memory + MIB;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;

	(void)state;
	fill((uint64_t *)(void *)memory, 4 * MIB, 9);
	assert_ptr_equal(mmap(middle, MIB, PROT_READ | PROT_WRITE, flags | MAP_FIXED, -1, 0),
			 middle);
	check_zero(middle, MIB);
	check((uint64_t *)(void *)memory, MIB, 9);
	assert_ptr_equal(mmap(middle, MIB, PROT_READ, flags | MAP_FIXED_NOREPLACE, -1, 0),
			 MAP_FAILED);
	assert_int_equal(errno, EEXIST);
	int fd = open("/proc/self/exe", O_RDONLY);
	assert_ptr_equal(mmap(middle, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0), MAP_FAILED);
	assert_int_equal(errno, ENOMEM);
	close(fd);
	munmap(memory, 4 * MIB);
}

static void test_mremap(void **state)
{
	uint64_t *words = map(6 * MIB, PROT_READ | PROT_WRITE);
	uint64_t *fence;

	(void)state;
	fill(words, 6 * MIB, 3);
	assert_ptr_equal(mremap(words, 6 * MIB, 4 * MIB, 0), words);
	assert_int_equal(touch(words + 5 * MIB / 8, false), SIGSEGV);
	fence = map(32 * MIB, PROT_READ | PROT_WRITE);
	words = mremap(words, 4 * MIB, 24 * MIB, MREMAP_MAYMOVE);
	assert_ptr_not_equal(words, MAP_FAILED);
	check(words, 4 * MIB, 3);
	check_zero(words + 4 * MIB / 8, 20 * MIB);
	fill(words, 24 * MIB, 4);
	press();
	check(words, 24 * MIB, 4);
	assert_ptr_equal(mremap(words, 24 * MIB, 24 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, fence),
			 MAP_FAILED);
	munmap(fence, 32 * MIB);
	munmap(words, 24 * MIB);
}

static void test_mprotect_keeps_contents(void **state)
{
	uint64_t *words = map(8 * MIB, PROT_READ | PROT_WRITE);

	(void)state;
	fill(words, 8 * MIB, 21);
	assert_int_equal(mprotect(words, 4 * MIB, PROT_NONE), 0);
	assert_int_equal(mprotect(words + 4 * MIB / 8, 4 * MIB, PROT_READ), 0);
	press();
	assert_int_equal(touch(words, false), SIGSEGV);
	check(words + 4 * MIB / 8, 4 * MIB, 21 + 4 * MIB / 8);
	press();
	assert_int_equal(touch(words + 4 * MIB / 8, true), SIGSEGV);
	assert_int_equal(mprotect(words, 8 * MIB, PROT_READ | PROT_WRITE), 0);
	check(words, 8 * MIB, 21);
	fill(words, 8 * MIB, 22);
	press();
	check(words, 8 * MIB, 22);
	munmap(words, 8 * MIB);
}

/* What allocators do: reserve, then commit pieces; and the addresses are used again afterwards. */
static void test_reserve_and_commit(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		uint64_t *words = map(16 * MIB, PROT_NONE);
		assert_int_equal(touch(words, false), SIGSEGV);
		assert_int_equal(mprotect(words + MIB / 8, MIB, PROT_READ | PROT_WRITE), 0);
		check_zero(words + MIB / 8, MIB);
		fill(words + MIB / 8, MIB, 2);
		press();
		check(words + MIB / 8, MIB, 2);
		assert_int_equal(touch(words + 2 * MIB / 8, false), SIGSEGV);
		munmap(words, 16 * MIB);
		words = map(16 * MIB, PROT_READ | PROT_WRITE);
		fill(words, 16 * MIB, 8);
		check(words, 16 * MIB, 8);
		munmap(words, 16 * MIB);
	}
}

static void test_advice(void **state)
{
	uint64_t *words = map(4 * MIB, PROT_READ | PROT_WRITE);

	(void)state;
	fill(words, 4 * MIB, 31);
	assert_int_equal(madvise(words, 4 * MIB, MADV_PAGEOUT), 0);
	check(words, 4 * MIB, 31);
	assert_int_equal(madvise(words, 4 * MIB, MADV_COLD), 0);
	assert_int_equal(madvise(words, 4 * MIB, MADV_WILLNEED), 0);
	assert_int_equal(madvise(words, 4 * MIB, MADV_HUGEPAGE), 0);
	check(words, 4 * MIB, 31);
	assert_int_equal(posix_madvise(words, 4 * MIB, POSIX_MADV_DONTNEED), 0);
	check(words, 4 * MIB, 31);
	press();
	assert_int_equal(madvise(words, 2 * MIB, MADV_DONTNEED), 0);
	check_zero(words, 2 * MIB);
	check(words + 2 * MIB / 8, 2 * MIB, 31 + 2 * MIB / 8);
	assert_int_equal(madvise(words, MIB, MADV_REMOVE), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(mlock(words, MIB), 0);
	press();
	unsigned char present[MIB / PAGE];
	assert_int_equal(mincore(words, MIB, present), 0);
	for (size_t i = 0; i < MIB / PAGE; i++) {
		assert_int_equal(present[i] & 1, 1);
	}
	assert_int_equal(munlock(words, MIB), 0);
	assert_int_equal(mlock(words, MIB), 0);
	munmap(words, 4 * MIB);
}

static void test_system_calls(void **state)
{
	char *memory = (char *)map(4 * MIB, PROT_READ | PROT_WRITE);
	int pipes[2];

	(void)state;
	fill((uint64_t *)(void *)memory, 4 * MIB, 41);
	assert_int_equal(pipe(pipes), 0);
	for (size_t at = 0; at < MIB; at += 16 * PAGE) {
		press();
		assert_int_equal(write(pipes[1], memory + at, 4 * PAGE), 4 * PAGE);
		assert_int_equal(read(pipes[0], memory + 2 * MIB + at, 4 * PAGE), 4 * PAGE);
		assert_memory_equal(memory + at, memory + 2 * MIB + at, 4 * PAGE);
	}
	close(pipes[0]);
	close(pipes[1]);
	munmap(memory, 4 * MIB);
}

/* The heap, its alignment, and a locale in it while a child is made. */
static void test_heap_and_fork(void **state)
{
	void *blocks[512];
	int status;

	(void)state;
	assert_non_null(setlocale(LC_ALL, "C.UTF-8"));
	for (size_t i = 0; i < 512; i++) {
		size_t align = (size_t)16 << (i % 12);
		assert_int_equal(posix_memalign(&blocks[i], align, 64 * 1024), 0);
		assert_int_equal((uintptr_t)blocks[i] % align, 0);
		assert_true(malloc_usable_size(blocks[i]) >= 64 * 1024);
		fill(blocks[i], 64 * 1024, i);
	}
	press();
	pid_t child = fork();
	if (child == 0) {
		for (size_t i = 0; i < 512; i++) {
			const uint64_t *words = blocks[i];
			if (words[64] != i + 64) {
				_exit(1);
			}
			fill(blocks[i], 64 * 1024, 1000);
		}
		_exit(7);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 7);
	for (size_t i = 0; i < 512; i++) {
		check(blocks[i], 64 * 1024, i);
		blocks[i] = realloc(blocks[i], 96 * 1024);
		check(blocks[i], 64 * 1024, i);
		free(blocks[i]);
	}
	assert_null(malloc(SIZE_MAX / 2));
	assert_int_equal(errno, ENOMEM);
}

/* A file that shrinks under its mapping: the program's SIGBUS, not ours. */
static void test_foreign_sigbus(void **state)
{
	int fd = memfd_create("test", 0);

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), 0);
	void *file = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(file, MAP_FAILED);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(touch(file, false), SIGBUS);
	munmap(file, 4096);
	close(fd);
}

static void *count_up(void *argument)
{
	uint64_t *words = argument;

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 12 * MIB / 8; i += 512) {
			words[i]++;
		}
	}
	return words;
}

static void test_threads(void **state)
{
	uint64_t *words = map(48 * MIB, PROT_READ | PROT_WRITE);
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(
			pthread_create(&threads[i], NULL, count_up, words + i * 12 * MIB / 8), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	}
	for (size_t i = 0; i < 48 * MIB / 8; i += 512) {
		assert_int_equal(words[i], 3);
	}
	munmap(words, 48 * MIB);
}

static void run_again(char **argv)
{
	const char *build = getenv("ZPAGER_BUILD");
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/bin/zpager", build != NULL ? build : "");
	const char *sanitize = getenv("ZPAGER_SANITIZE");
	if (build == NULL || access(path, X_OK) != 0 || (sanitize != NULL && sanitize[0] != 0)) {
		(void)puts("skipped: no zpager to run under");
		exit(77);
	}
	(void)execl(path, path, "run", "--ram", "16M", "--", argv[0], (char *)NULL);
	perror(path);
	exit(1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large_is_paged_small_is_not),
		cmocka_unit_test(test_contents_survive),
		cmocka_unit_test(test_munmap_of_parts),
		cmocka_unit_test(test_fixed_replaces),
		cmocka_unit_test(test_mremap),
		cmocka_unit_test(test_mprotect_keeps_contents),
		cmocka_unit_test(test_reserve_and_commit),
		cmocka_unit_test(test_advice),
		cmocka_unit_test(test_system_calls),
		cmocka_unit_test(test_heap_and_fork),
		cmocka_unit_test(test_foreign_sigbus),
		cmocka_unit_test(test_threads),
	};

	(void)argc;
	if (getenv("ZPAGER_REPORT") == NULL) {
		run_again(argv);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
