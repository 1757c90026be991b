/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uri.c - the parser of uri.h: purpose, theory and limits stand there.
 */
#include "uri.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int z_error_say(const struct z_error_text *error, int err, const char *format, ...)
{
	va_list args;

	if (error->at != NULL && error->bytes != 0) {
		va_start(args, format);
		(void)vsnprintf(error->at, error->bytes, format, args);
		va_end(args);
	}
	return err;
}

/* Is word one of the words of list, which are separated by single spaces? */
static bool in_list(const char *list, const char *word)
{
	size_t length = strlen(word);
	const char *at = list;

	while (at != NULL && *at != 0) {
		if (strncmp(at, word, length) == 0 && (at[length] == ' ' || at[length] == 0)) {
			return length != 0;
		}
		at = strchr(at, ' ');
		at = at != NULL ? at + 1 : NULL;
	}
	return false;
}

/* Does the text begin with KEY=, KEY being lower-case letters? */
static bool begins_with_key(const char *text)
{
	size_t letters = strspn(text, "abcdefghijklmnopqrstuvwxyz");

	return letters != 0 && text[letters] == '=';
}

static int parse_option(struct z_uri *uri, char *option, const char *allowed,
			const struct z_error_text *error)
{
	char *equals = strchr(option, '=');

	if (equals != NULL) {
		*equals = 0;
	}
	if (!in_list(allowed, option)) {
		return z_error_say(error, Z_ERR_INVAL,
				   "store %s: unknown option '%s'; options are: %s", uri->name,
				   option, allowed);
	}
	if (equals == NULL || equals[1] == 0) {
		return z_error_say(error, Z_ERR_INVAL,
				   "store %s: option '%s' has no value; write %s=VALUE", uri->name,
				   option, option);
	}
	if (z_uri_value(uri, option) != NULL) {
		return z_error_say(error, Z_ERR_INVAL, "store %s: option '%s' is given twice",
				   uri->name, option);
	}
	if (uri->count == Z_URI_OPTIONS) {
		return z_error_say(error, Z_ERR_INVAL, "store %s: too many options", uri->name);
	}
	uri->options[uri->count].key = option;
	uri->options[uri->count].value = equals + 1;
	uri->count++;
	return 0;
}

static int parse_options(struct z_uri *uri, char *options, const char *allowed,
			 const struct z_error_text *error)
{
	char *save = NULL;
	int err = 0;

	for (char *option = strtok_r(options, "&", &save); option != NULL && err == 0;
	     option = strtok_r(NULL, "&", &save)) {
		err = parse_option(uri, option, allowed, error);
	}
	return err;
}

int z_uri_whole(struct z_uri *uri, const char *text, const struct z_error_text *error)
{
	char *colon;

	memset(uri, 0, sizeof(*uri));
	if (strlen(text) >= sizeof(uri->text)) {
		return z_error_say(error, Z_ERR_INVAL,
				   "store: the name is longer than %zu characters",
				   sizeof(uri->text) - 1);
	}
	(void)strcpy(uri->text, text);
	uri->name = uri->text;
	uri->path = uri->text + strlen(text);
	colon = strchr(uri->text, ':');
	if (colon != NULL) {
		*colon = 0;
		uri->path = colon + 1;
	}
	return 0;
}

int z_uri_parse(struct z_uri *uri, const char *text, const char *allowed, bool with_path,
		const struct z_error_text *error)
{
	char *rest;
	char *options = NULL;
	int err = z_uri_whole(uri, text, error);

	if (err != 0) {
		return err;
	}
	rest = uri->text + (uri->path - uri->text);
	if (begins_with_key(rest)) {
		options = rest;
		uri->path = "";
	} else {
		options = strrchr(rest, '?');
		if (options != NULL) {
			*options++ = 0;
		}
	}
	if (*uri->path != 0 && !with_path) {
		return z_error_say(error, Z_ERR_INVAL,
				   "store %s: '%s' is not KEY=VALUE; options are: %s", uri->name,
				   uri->path, allowed);
	}
	return options != NULL ? parse_options(uri, options, allowed, error) : 0;
}

const char *z_uri_value(const struct z_uri *uri, const char *key)
{
	for (size_t i = 0; i < uri->count; i++) {
		if (strcmp(uri->options[i].key, key) == 0) {
			return uri->options[i].value;
		}
	}
	return NULL;
}

/* How far a unit shifts; -1: it is none. */
static int unit_shift(const char *unit)
{
	static const char units[] = "KMGT";
	const char *at;

	if (unit[0] == 0) {
		return 0;
	}
	at = strchr(units, unit[0] & ~0x20);
	return at != NULL && unit[1] == 0 ? ((int)(at - units) + 1) * 10 : -1;
}

int z_uri_size(const struct z_uri *uri, const char *key, uint64_t *bytes_out,
	       const struct z_error_text *error)
{
	const char *value = z_uri_value(uri, key);
	uint64_t bytes = 0;
	size_t digits;
	int shift;

	if (value == NULL) {
		return 0;
	}
	digits = strspn(value, "0123456789");
	shift = unit_shift(value + digits);
	if (digits == 0 || digits > 18 || shift < 0) {
		return z_error_say(
			error, Z_ERR_INVAL,
			"store %s: %s=%s is not a size; write 64K, 512M, 8G, 1T or bytes",
			uri->name, key, value);
	}
	for (size_t i = 0; i < digits; i++) {
		bytes = bytes * 10 + (uint64_t)(value[i] - '0');
	}
	if (bytes > UINT64_MAX >> shift || bytes << shift > (uint64_t)Z_PAGE_SIZE << 32) {
		return z_error_say(error, Z_ERR_INVAL, "store %s: %s=%s is too large; at most 16T",
				   uri->name, key, value);
	}
	bytes = (bytes << shift) & ~(uint64_t)Z_PAGE_MASK;
	if (bytes < 2 * Z_PAGE_SIZE) {
		return z_error_say(error, Z_ERR_INVAL,
				   "store %s: %s=%s is too small; at least %zu bytes", uri->name,
				   key, value, 2 * Z_PAGE_SIZE);
	}
	*bytes_out = bytes;
	return 0;
}

int z_uri_yes(const struct z_uri *uri, const char *key, bool *yes_out,
	      const struct z_error_text *error)
{
	const char *value = z_uri_value(uri, key);

	if (value == NULL) {
		return 0;
	}
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
		return z_error_say(error, Z_ERR_INVAL, "store %s: %s=%s; write %s=yes or %s=no",
				   uri->name, key, value, key, key);
	}
	*yes_out = value[0] == 'y';
	return 0;
}
