/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error.c - errors as text.
 */
#include <zpager/error.h>

const char *z_strerror(int err)
{
	switch (err) {
	case Z_OK:
		return "success";
	case Z_ERR_PERM:
		return "not allowed here";
	case Z_ERR_IO:
		return "backing store input/output error";
	case Z_ERR_AGAIN:
		return "try again";
	case Z_ERR_NOMEM:
		return "out of memory";
	case Z_ERR_FAULT:
		return "address is not mapped";
	case Z_ERR_BUSY:
		return "page is pinned or in use";
	case Z_ERR_INVAL:
		return "invalid argument";
	case Z_ERR_NOSPC:
		return "backing store is full";
	case Z_ERR_CORRUPT:
		return "page came back from the backing store with a wrong checksum";
	case Z_ERR_OVERFLOW:
		return "too many pins on one page";
	case Z_ERR_NOTSUP:
		return "not supported";
	default:
		return "unknown error";
	}
}
