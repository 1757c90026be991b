/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - the blocks of memory that a program works with, out of what the kernel maps.
 *
 * Theory. The owner knows the size of its blocks, so a block has no header. Up to SMALL bytes a size
 * has a class: multiples of 16 at first, then four steps for each doubling. A class has a list of free
 * blocks, linked through the blocks themselves; when it is empty, a block is cut off a chunk. What
 * is larger is mapped and unmapped by itself, so that its pages go when it goes.
 *
 * A large block that becomes smaller, but stays large, gives its last pages back where it lies.
 *
 * Locks: none, a program has one thread. Limits: a chunk is only given back by memory_reset(); of a
 * large block that becomes a small one while there is no memory, at most four pages are never unmapped.
 */
#include "system.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PAGE    ((size_t)4096)
#define UNIT    ((size_t)16)
#define FINE    ((size_t)512)
#define SMALL   ((size_t)16384)
#define CHUNK   ((size_t)1 << 20)
#define CLASSES 64U

struct link {
	struct link *next;
};

static struct link *free_blocks[CLASSES];
static struct link *chunks; /* each begins with its link */
static char *fresh;         /* what is left of the newest chunk */
static size_t fresh_bytes;

/* The class of a size, and how large its blocks are. bytes: 1 to SMALL. */
static unsigned int class_of(size_t bytes, size_t *block)
{
	unsigned int class = (unsigned int)(FINE / UNIT);
	size_t size = FINE;

	if (bytes <= FINE) {
		*block = (bytes + UNIT - 1) / UNIT * UNIT;
		return (unsigned int)(*block / UNIT) - 1;
	}
	for (;;) {
		for (size_t step = 1; step <= 4; step++) {
			*block = size + step * size / 4;
			if (bytes <= *block)
				return class;
			class ++;
		}
		size *= 2;
	}
}

static void *map(size_t bytes)
{
	long address = system_call(USER_CALL_MAP, (bytes + PAGE - 1) / PAGE * PAGE, 0, 0);

	return address > 0 ? (void *)address : NULL;
}

static void unmap(void *block, size_t bytes)
{
	(void)system_call(USER_CALL_UNMAP, (unsigned long)block, (bytes + PAGE - 1) / PAGE * PAGE,
			  0);
}

static void *cut(size_t block)
{
	void *at;

	if (fresh_bytes < block) {
		struct link *chunk = map(CHUNK);

		if (chunk == NULL)
			return NULL;
		chunk->next = chunks;
		chunks = chunk;
		fresh = (char *)chunk + UNIT;
		fresh_bytes = CHUNK - UNIT;
	}
	at = fresh;
	fresh += block;
	fresh_bytes -= block;
	return at;
}

static void *take(size_t bytes)
{
	size_t block;
	unsigned int class;
	struct link *first;

	if (bytes > SMALL)
		return map(bytes);
	class = class_of(bytes, &block);
	first = free_blocks[class];
	if (first == NULL)
		return cut(block);
	free_blocks[class] = first->next;
	return first;
}

static void give_back(void *block, size_t bytes)
{
	size_t size;
	unsigned int class;

	if (bytes > SMALL) {
		unmap(block, bytes);
		return;
	}
	class = class_of(bytes, &size);
	((struct link *)block)->next = free_blocks[class];
	free_blocks[class] = block;
}

static size_t room(size_t bytes)
{
	size_t block = (bytes + PAGE - 1) / PAGE * PAGE;

	if (bytes <= SMALL)
		(void)class_of(bytes, &block);
	return block;
}

/* Another size without a move; false if that cannot be. */
static bool resize_in_place(void *block, size_t old, size_t bytes)
{
	size_t had = room(old);
	size_t wants = room(bytes);

	if ((old > SMALL) != (bytes > SMALL) || wants > had || (wants < had && bytes <= SMALL))
		return false;
	if (wants < had)
		unmap((char *)block + wants, had - wants);
	return true;
}

/* There is no memory for the move to a smaller block: it stays, and gives back what it can. */
static void *make_do(void *block, size_t old, size_t bytes)
{
	size_t kept = (room(bytes) + PAGE - 1) / PAGE * PAGE;

	if (old > SMALL && room(old) > kept)
		unmap((char *)block + kept, room(old) - kept);
	return block;
}

void *memory_resize(void *unused, void *block, size_t old, size_t bytes)
{
	void *to;

	(void)unused;
	if (block == NULL)
		return bytes > 0 ? take(bytes) : NULL;
	if (bytes == 0) {
		give_back(block, old);
		return NULL;
	}
	if (resize_in_place(block, old, bytes))
		return block;
	to = take(bytes);
	if (to == NULL)
		return bytes < old ? make_do(block, old, bytes) : NULL;
	memcpy(to, block, bytes < old ? bytes : old);
	give_back(block, old);
	return to;
}

void memory_reset(void)
{
	while (chunks != NULL) {
		struct link *next = chunks->next;

		unmap(chunks, CHUNK);
		chunks = next;
	}
	memset(free_blocks, 0, sizeof(free_blocks));
	fresh_bytes = 0;
}
