/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uri.h - a store's URI taken apart: NAME[:[PATH][?]KEY=VALUE[&KEY=VALUE...]].
 *
 * What follows the colon is options if it begins with KEY=, otherwise a path up to the last '?', and
 * options after it. Every refusal is one line that says what would be right. Hosted; no state.
 */
#ifndef STORE_URI_H
#define STORE_URI_H

#include <zpager/store.h>

#define Z_URI_OPTIONS 8
#define Z_URI_MAX     4096U

/* Where a line of text for the user goes; at may be NULL. */
struct z_error_text {
	char *at;
	size_t bytes;
};

struct z_uri {
	char text[Z_URI_MAX]; /* the copy that the pointers point into */
	const char *name;
	const char *path; /* "" if none */
	struct {
		const char *key;
		const char *value;
	} options[Z_URI_OPTIONS];
	size_t count;
};

/* z_error_say - fill the text. Always returns err. */
__attribute__((format(printf, 3, 4))) int z_error_say(const struct z_error_text *error, int err,
						      const char *format, ...);

/*
 * z_uri_parse - take a URI apart. allowed: the options there are, "size own"; with_path: may have one.
 *   0 | Z_ERR_INVAL, *error says why.
 */
Z_MUST_CHECK int z_uri_parse(struct z_uri *uri, const char *text, const char *allowed,
			     bool with_path, const struct z_error_text *error);

/* z_uri_whole - only name and path: all that follows the first colon. 0 | Z_ERR_INVAL. */
Z_MUST_CHECK int z_uri_whole(struct z_uri *uri, const char *text, const struct z_error_text *error);

/*
 * z_uri_size - the value of a size option in bytes, a whole number of pages, at least two of them.
 *   *bytes_out untouched if the option is not there. 0 | Z_ERR_INVAL.
 */
Z_MUST_CHECK int z_uri_size(const struct z_uri *uri, const char *key, uint64_t *bytes_out,
			    const struct z_error_text *error);

/* z_uri_yes - the value of a yes/no option; untouched if it is not there. 0 | Z_ERR_INVAL. */
Z_MUST_CHECK int z_uri_yes(const struct z_uri *uri, const char *key, bool *yes_out,
			   const struct z_error_text *error);

/* z_uri_value - the text of an option, NULL if it is not there. */
const char *z_uri_value(const struct z_uri *uri, const char *key);

#endif /* STORE_URI_H */
