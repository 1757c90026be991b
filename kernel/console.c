/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console.c - printing: the few conversions that a kernel of this size uses.
 *
 *   %s %c %d %u %x %%; before d, u, x: l or z; a width, with - at the left, with 0 in front.
 *
 * Locks: one of its own for each call, so that CPUs do not mix their lines; in a panic it is not
 * asked for. No memory is touched but the stack and the strings.
 */
#include "kernel.h"
#include "sched.h"

#include <stdarg.h>

static struct spin lock;

struct spec {
	bool left;
	bool zeros;
	bool is_long;
	unsigned int width;
	char conversion;
};

static void pad(char c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		z_port_putc(c);
}

static void put_text(const char *text, size_t length, const struct spec *s)
{
	size_t fill = s->width > length ? s->width - length : 0;

	if (!s->left)
		pad(s->zeros ? '0' : ' ', fill);
	for (size_t i = 0; i < length; i++)
		z_port_putc(text[i]);
	if (s->left)
		pad(' ', fill);
}

static void put_number(unsigned long value, unsigned int radix, bool negative, const struct spec *s)
{
	char text[24];
	size_t at = sizeof(text);

	do {
		text[--at] = "0123456789abcdef"[value % radix];
		value /= radix;
	} while (value > 0);
	if (negative)
		text[--at] = '-';
	put_text(text + at, sizeof(text) - at, s);
}

static const char *parse(const char *f, struct spec *s)
{
	*s = (struct spec){0};
	for (; *f == '-' || *f == '0'; f++) {
		s->left = s->left || *f == '-';
		s->zeros = s->zeros || *f == '0';
	}
	for (; *f >= '0' && *f <= '9'; f++)
		s->width = s->width * 10 + (unsigned int)(*f - '0');
	for (; *f == 'l' || *f == 'z'; f++)
		s->is_long = true;
	s->conversion = *f;
	return *f != 0 ? f + 1 : f;
}

static void put_string(const char *text, const struct spec *s)
{
	size_t length = 0;

	while (text[length] != 0)
		length++;
	put_text(text, length, s);
}

static void convert(const struct spec *s, va_list *args)
{
	unsigned long u;
	long d;
	char c;

	switch (s->conversion) {
	case 's':
		put_string(va_arg(*args, const char *), s);
		break;
	case 'c':
		c = (char)va_arg(*args, int);
		put_text(&c, 1, s);
		break;
	case 'd':
		d = s->is_long ? va_arg(*args, long) : va_arg(*args, int);
		put_number(d < 0 ? 0UL - (unsigned long)d : (unsigned long)d, 10, d < 0, s);
		break;
	case 'u':
	case 'x':
		u = s->is_long ? va_arg(*args, unsigned long) : va_arg(*args, unsigned int);
		put_number(u, s->conversion == 'x' ? 16 : 10, false, s);
		break;
	default:
		z_port_putc(s->conversion);
		break;
	}
}

static void print(const char *format, va_list *args)
{
	struct spec s;

	while (*format != 0) {
		if (*format != '%') {
			z_port_putc(*format++);
			continue;
		}
		format = parse(format + 1, &s);
		convert(&s, args);
	}
}

void kernel_print(const char *format, ...)
{
	unsigned long key = 0;
	bool locks = !kernel_is_panicking();
	va_list args;

	if (locks)
		key = spin_lock(&lock);
	va_start(args, format);
	print(format, &args);
	va_end(args);
	if (locks)
		spin_unlock(&lock, key);
}
