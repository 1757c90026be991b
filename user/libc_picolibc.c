/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libc_picolibc.c - the console as picolibc's standard streams. It hands over one character at a time;
 * they go out a line at a time.
 */
#include <stdio.h>

#include "system.h"

static char line[256];
static size_t used;

static int flush(FILE *file)
{
	(void)file;
	system_write(line, used);
	used = 0;
	return 0;
}

static int put(char c, FILE *file)
{
	line[used++] = c;
	if (c == '\n' || used == sizeof(line))
		(void)flush(file);
	return (unsigned char)c;
}

static int get(FILE *file)
{
	(void)file;
	return EOF;
}

static FILE console = FDEV_SETUP_STREAM(put, get, flush, _FDEV_SETUP_RW);

FILE *const stdin = &console;
FILE *const stdout = &console;
FILE *const stderr = &console;
