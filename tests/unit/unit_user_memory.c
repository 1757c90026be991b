/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_user_memory.c - the blocks of memory of a program in user mode: random sizes with their contents
 * kept beside them, and a kernel that refuses.
 *
 * user/memory.c is not part of a library that tests are linked to; it is compiled into this one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zpager/error.h>

#include "../../user/memory.c"

#define BLOCKS 200U
#define STEPS  40000U
#define MAPS   4096U

static size_t mapped;
static unsigned int refuse_one_in; /* 0: never */
static uint64_t seed = 1;

static unsigned int draw(unsigned int below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned int)(seed >> 33) % below;
}

/* What is mapped now. */
static struct {
	void *at;
	size_t bytes;
} maps[MAPS];

static void remember(void *at, size_t bytes)
{
	size_t i = 0;

	while (maps[i].at != NULL)
		i++;
	assert_true(i < MAPS - 1);
	maps[i].at = at;
	maps[i].bytes = bytes;
	mapped += bytes;
}

static void forget(size_t i)
{
	mapped -= maps[i].bytes;
	free(maps[i].at);
	maps[i].at = NULL;
}

/* All of a map, or its end. */
static void unmap_known(char *at, size_t bytes)
{
	size_t i = 0;

	while (i < MAPS && (maps[i].at == NULL || at + bytes != (char *)maps[i].at + maps[i].bytes))
		i++;
	assert_true(i < MAPS);
	assert_true(at >= (char *)maps[i].at && bytes % PAGE == 0);
	if (at == maps[i].at) {
		forget(i);
	} else {
		memset(at, 0xdd, bytes);
		maps[i].bytes -= bytes;
		mapped -= bytes;
	}
}

long system_call(long number, unsigned long a, unsigned long b, unsigned long c)
{
	(void)c;
	if (number == USER_CALL_MAP) {
		void *at;

		assert_int_equal(a % PAGE, 0);
		assert_int_equal(b, 0);
		if (refuse_one_in != 0 && draw(refuse_one_in) == 0)
			return Z_ERR_NOMEM;
		at = aligned_alloc(PAGE, a);
		memset(at, 0, a);
		remember(at, a);
		return (long)at;
	}
	assert_int_equal(number, USER_CALL_UNMAP);
	unmap_known((char *)a, b);
	return 0;
}

struct block {
	unsigned char *at;
	size_t bytes;
	unsigned char mark;
};

static size_t draw_size(void)
{
	switch (draw(4)) {
	case 0:
		return 1 + draw(64);
	case 1:
		return 1 + draw(2048);
	case 2:
		return 1 + draw((unsigned int)SMALL + 100);
	default:
		return 1 + draw(300000);
	}
}

static void check(const struct block *b, size_t bytes)
{
	assert_int_equal((uintptr_t)b->at % UNIT, 0);
	for (size_t i = 0; i < bytes; i += i < 64 || i + 64 >= bytes ? 1 : 61)
		assert_int_equal(b->at[i], b->mark);
}

static void step(struct block *b)
{
	size_t bytes = draw(4) == 0 ? 0 : draw_size();
	size_t kept = bytes < b->bytes ? bytes : b->bytes;
	unsigned char *to = memory_resize(NULL, b->at, b->bytes, bytes);

	if (to == NULL && bytes > 0) {
		/* Only growing may fail, and then the old one is as it was. */
		assert_int_not_equal(refuse_one_in, 0);
		assert_true(bytes > b->bytes);
		check(b, b->bytes);
		return;
	}
	b->at = to;
	check(b, kept);
	b->bytes = bytes;
	b->mark = (unsigned char)draw(256);
	if (bytes > 0)
		memset(to, b->mark, bytes);
}

static void run_random(void)
{
	static struct block blocks[BLOCKS];

	for (unsigned int i = 0; i < STEPS; i++)
		step(&blocks[draw(BLOCKS)]);
	for (unsigned int i = 0; i < BLOCKS; i++) {
		check(&blocks[i], blocks[i].bytes);
		if (blocks[i].at != NULL)
			(void)memory_resize(NULL, blocks[i].at, blocks[i].bytes, 0);
		blocks[i] = (struct block){0};
	}
	memory_reset();
}

static void test_random(void **state)
{
	(void)state;
	run_random();
	assert_int_equal(mapped, 0);
}

static void test_refused(void **state)
{
	(void)state;
	refuse_one_in = 3;
	run_random();
	refuse_one_in = 0;
	/* Large ones that became small where they were. */
	for (size_t i = 0; i < MAPS; i++) {
		if (maps[i].at != NULL)
			forget(i);
	}
}

/* Each size fits its class, and a class wastes at most a quarter of the size, or 15 bytes. */
static void test_classes(void **state)
{
	unsigned int before = 0;

	(void)state;
	for (size_t bytes = 1; bytes <= SMALL; bytes++) {
		size_t block;
		unsigned int class = class_of(bytes, &block);

		assert_true(class < CLASSES && class >= before && class <= before + 1);
		assert_true(block >= bytes && block % UNIT == 0);
		assert_true(block - bytes < UNIT || (block - bytes) * 4 <= bytes);
		before = class;
	}
}

/* What was given back is used again: the same few blocks, not more and more chunks. */
static void test_reuse(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 100000; i++) {
		void *block = memory_resize(NULL, NULL, 0, 1000);

		assert_non_null(block);
		(void)memory_resize(NULL, block, 1000, 0);
	}
	assert_int_equal(mapped, CHUNK);
	memory_reset();
	assert_int_equal(mapped, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
