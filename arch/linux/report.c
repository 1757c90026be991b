/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - the one line about a fault that cannot be served, written without stdio: it comes from
 * a signal handler, or from a thread that must not touch the program's locks.
 */
#include <string.h>
#include <unistd.h>

#include "instance.h"

struct line {
	size_t n;
	char text[200];
};

static void put(struct line *line, const char *s)
{
	size_t n = strlen(s);

	if (n > sizeof(line->text) - line->n) {
		n = sizeof(line->text) - line->n;
	}
	memcpy(line->text + line->n, s, n);
	line->n += n;
}

static void put_hex(struct line *line, uintptr_t v)
{
	char digits[2 * sizeof(v) + 1];
	size_t at = sizeof(digits) - 1;

	digits[at] = 0;
	do {
		digits[--at] = "0123456789abcdef"[v % 16];
		v /= 16;
	} while (v != 0);
	put(line, digits + at);
}

static const char *why(enum z_fault_result result)
{
	switch (result) {
	case Z_FAULT_IO_ERROR:
		return "the backing store could not read the page";
	case Z_FAULT_NO_MEMORY:
		return "no page frame could be freed: the backing store is full, or too much is "
		       "pinned";
	case Z_FAULT_VIOLATION:
		return "the permissions forbid it";
	default:
		return "nothing is mapped there";
	}
}

void zl_report_fault(enum z_fault_result result, uintptr_t va)
{
	struct line line = {.n = 0};

	put(&line, "zpager: cannot serve a touch of 0x");
	put_hex(&line, va);
	put(&line, ": ");
	put(&line, why(result));
	put(&line, "; the thread gets SIGBUS\n");
	ssize_t written = write(STDERR_FILENO, line.text, line.n);
	(void)written;
}
